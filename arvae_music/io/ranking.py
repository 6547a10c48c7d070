"""Rank the voices of a piece: how likely is each to be the melody?

Every voice gets a score, which is a weighted sum of its features. Features are what a musician would look at: the name,
the instrument, whether lyrics are sung on its notes, how many notes it plays at once, its register, and how it moves.
Some compare the voice with the other voices of the piece: how much of the piece it plays in, and how often it is the
highest. The values of `Feature` are the reasons as reports word them. benchmarks/voices.py measures how often the voice
with the highest score is the right one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from ..arrays import Float64s, Ints
from .lines import TOGETHER
from .names import Role, role_of

BLOCK = 4.0  # quarter notes: coverage and repetition are counted in blocks of this length
HELD = 2.0  # quarter notes: a note counts in the blocks that it sounds in, but for no longer than this after its onset
FEW_NOTES = 12  # a voice with fewer notes is hardly a melody
LYRICS_NEAR = 1 / 8  # quarter notes between a syllable and its note


class Feature(Enum):
    """What tells a melody. The values are how a report words it."""

    NAME = "its name says so"
    PROGRAM = "its instrument often has the melody"
    LYRICS = "the lyrics are sung to it"
    SINGLE = "it plays one note at a time"
    REGISTER = "it lies in the register of tunes"
    HIGHEST = "it is the highest voice"
    COVERAGE = "it plays in most of the piece"
    STEPS = "it moves mostly by step"
    VARIETY = "it repeats itself less than the others"
    PACE = "it moves at the pace of a tune"
    LOUD = "it is the loudest voice"
    FIRST = "it comes first in the file"
    LENGTH = "it has enough notes for a tune"


WEIGHTS: dict[Feature, float] = {
    Feature.NAME: 3.5,
    Feature.PROGRAM: 1.0,
    Feature.LYRICS: 4.0,
    Feature.SINGLE: 2.3,
    Feature.REGISTER: 2.5,
    Feature.HIGHEST: 1.3,
    Feature.COVERAGE: 3.0,
    Feature.STEPS: 1.4,
    Feature.VARIETY: 1.5,
    Feature.PACE: 1.0,
    Feature.LOUD: 1.0,
    Feature.FIRST: 0.3,
    Feature.LENGTH: 2.0,
}

_BY_ROLE = {
    Role.MELODY: 1.0, Role.SUNG: 0.9, Role.LEAD: 0.5, Role.UPPER: 0.3, Role.UNKNOWN: 0.0,
    Role.LOWER: -0.6, Role.BACKING: -0.6, Role.BASS: -1.0, Role.PERCUSSION: -1.2,
}  # fmt: skip


def _programs() -> Float64s:
    """(128,) how often a General MIDI instrument has the melody, from -3 (never) to 1."""
    family = (0.0, 0.0, 0.1, -0.2, -3.0, 0.2, -0.8, 0.3, 0.8, 1.0, 0.6, -1.0, -0.8, 0.2, -2.0, -3.0)
    found = np.repeat(np.array(family), 8)
    for program, value in {
        21: 0.5, 22: 0.8, 23: 0.5, 40: 0.6, 43: -1.5, 44: -0.8, 45: -0.7, 46: -0.8, 47: -3.0, 52: -0.3, 53: 0.3,
        54: 0.5, 55: -2.0, 58: -0.8, 61: -0.5, 62: -0.5, 63: -0.5, 70: 0.2, 87: -0.5, 104: 0.2, 105: 0.0, 108: -0.5,
        109: 0.6, 110: 0.6, 111: 0.6, 112: -1.0, 114: -0.5,
    }.items():  # fmt: skip
        found[program] = value
    return found


_PROGRAMS = _programs()


@dataclass(frozen=True)
class Sounding:
    """What the ranking needs to know of a voice."""

    name: str
    program: int | None
    start: Float64s  # (n,) in quarter notes, sorted
    end: Float64s
    pitch: Ints
    velocity: Ints


def scores_of(voices: Sequence[Sounding], syllables: Collection[float] = ()) -> list[dict[Feature, float]]:
    """The parts of the score of each voice. The score is their sum. `syllables` are where lyrics lie, in quarters."""
    if not voices:
        return []
    tops = [_tops(voice) for voice in voices]
    blocks = [_blocks(voice) for voice in voices]
    height = [_heights(start, pitch) for start, pitch in tops]
    used = len(np.unique(np.concatenate(blocks)))
    loudest = max(float(voice.velocity.mean()) for voice in voices)
    found = []
    for i, voice in enumerate(voices):
        start, pitch = tops[i]
        parts = {
            Feature.NAME: _BY_ROLE[role_of(voice.name)],
            Feature.PROGRAM: 0.0 if voice.program is None else float(_PROGRAMS[voice.program]),
            Feature.LYRICS: _sung(start, syllables),
            Feature.SINGLE: -_share_together(voice),
            Feature.REGISTER: -_out_of_register(float(pitch.mean())),
            Feature.HIGHEST: _highest(i, height),
            Feature.COVERAGE: len(blocks[i]) / used,
            Feature.STEPS: _steps(pitch),
            Feature.VARIETY: _variety(start, pitch),
            Feature.PACE: -_off_pace(start),
            Feature.LOUD: float(voice.velocity.mean()) / loudest - 1,
            Feature.FIRST: -i / len(voices),
            Feature.LENGTH: min(0.0, len(pitch) / FEW_NOTES - 1),
        }
        found.append({feature: WEIGHTS[feature] * value for feature, value in parts.items()})
    return found


def reasons(parts: Sequence[dict[Feature, float]], best: int, count: int = 2) -> list[Feature]:
    """The features that speak most for a voice, compared with the others on average."""
    others = [part for i, part in enumerate(parts) if i != best]
    ahead = {feature: value - float(np.mean([o[feature] for o in others])) for feature, value in parts[best].items()}
    return sorted((feature for feature in ahead if ahead[feature] > 0), key=lambda feature: -ahead[feature])[:count]


def _tops(voice: Sounding) -> tuple[Float64s, Ints]:
    """Onset and pitch of the highest note of each group of notes that begin together."""
    new = np.diff(voice.start, prepend=-np.inf) > TOGETHER
    group = np.cumsum(new) - 1
    top = np.zeros(int(group[-1]) + 1, dtype=np.int64)
    np.maximum.at(top, group, voice.pitch)
    return voice.start[new], top


def _blocks(voice: Sounding) -> Ints:
    """The blocks of the piece in which the voice sounds."""
    last = np.minimum(voice.end, voice.start + HELD)
    at = np.concatenate([voice.start, np.maximum(last - 1e-6, voice.start)])
    return np.unique((at // BLOCK).astype(np.int64))


def _heights(start: Float64s, pitch: Ints) -> dict[int, float]:
    """The mean pitch in each block."""
    block = (start // BLOCK).astype(np.int64)
    which, inverse = np.unique(block, return_inverse=True)
    mean = np.bincount(inverse, weights=pitch) / np.bincount(inverse)
    return dict(zip(which.tolist(), mean.tolist(), strict=True))


def _highest(own: int, heights: Sequence[dict[int, float]]) -> float:
    """The share of its blocks in which the voice lies higher than all others."""
    mine = heights[own]
    others = [other for i, other in enumerate(heights) if i != own]
    wins = sum(all(other.get(block, -1.0) <= at for other in others) for block, at in mine.items())
    return wins / len(mine)


def _sung(start: Float64s, syllables: Collection[float]) -> float:
    """How well the onsets and the syllables of the lyrics agree, 0 to 1 (the F measure)."""
    if not len(syllables):
        return 0.0
    words = np.unique(np.array(sorted(syllables)))
    near = _distance(words, start) <= LYRICS_NEAR
    sung = _distance(start, words) <= LYRICS_NEAR
    both = float(near.mean()) + float(sung.mean())
    return 2 * float(near.mean()) * float(sung.mean()) / both if both else 0.0


def _distance(from_: Float64s, to: Float64s) -> Float64s:
    at = np.searchsorted(to, from_)
    before, after = to[np.maximum(at - 1, 0)], to[np.minimum(at, len(to) - 1)]
    nearest: Float64s = np.minimum(np.abs(from_ - before), np.abs(after - from_))
    return nearest


def _share_together(voice: Sounding) -> float:
    return share_together(voice.start, voice.end)


def share_together(start: Float64s | Ints, end: Float64s | Ints) -> float:
    """The share of notes (n,), sorted by start, of which more than half overlaps with an earlier note."""
    before = np.maximum.accumulate(end)[:-1]
    together = before - start[1:] > (end - start)[1:] / 2
    return float(together.sum() / len(start))


def _out_of_register(mean: float) -> float:
    """How far the mean pitch lies from the register of tunes, in octaves; below it counts more than above."""
    return max(0.0, (62 - mean) / 12) + max(0.0, (mean - 84) / 24)


def _steps(pitch: Ints) -> float:
    """How many of the intervals are steps, less those that are leaps, and less repeated notes above a third."""
    if len(pitch) < 2:
        return 0.0
    interval = np.abs(np.diff(pitch))
    moved = interval[interval > 0]
    repeated = 1 - len(moved) / len(interval)
    if len(moved) == 0:
        return -1.0
    return float((moved <= 2).mean() - (moved > 7).mean()) - 2 * max(0.0, repeated - 1 / 3)


def _variety(start: Float64s, pitch: Ints) -> float:
    """The share of blocks that differ from all other blocks, and the number of pitches, both between 0 and 1."""
    block = (start // BLOCK).astype(np.int64)
    place = np.rint((start % BLOCK) * 4).astype(np.int64)
    patterns: dict[int, list[tuple[int, int]]] = {}
    for at, *note in zip(block.tolist(), place.tolist(), pitch.tolist(), strict=True):
        patterns.setdefault(at, []).append((note[0], note[1]))
    distinct = len(set(map(tuple, patterns.values()))) / len(patterns)
    return (distinct + min(1.0, len(np.unique(pitch)) / 10)) / 2


def _off_pace(start: Float64s) -> float:
    """How far the notes of a busy block are from one to six, in doublings."""
    _, count = np.unique(start // BLOCK, return_counts=True)
    usual = float(np.median(count))
    return max(0.0, math.log2(usual / 10)) + max(0.0, math.log2(2 / usual))
