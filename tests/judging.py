"""Melodies for the tests of the judges, and the modules of benchmarks/judges."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

import numpy as np
from conftest import REPOSITORY

from arvae_music.music.melody import Bar, Melody
from arvae_music.music.meter import Meter
from arvae_music.music.tokens import HOLD, REST, token_of

SCALE = (60, 62, 64, 65, 67, 69, 71, 72, 74, 76, 77, 79, 81, 83, 84)  # C major
FOUR = Meter(4)


def judges(name: str) -> ModuleType:
    """The module of that name."""
    folder = str(REPOSITORY / "benchmarks")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return import_module(name if name in ("naturalness", "predict") else f"judges.{name}")


def row(words: str, meter: Meter = FOUR) -> np.ndarray:
    """A measure from a word for each tick: a MIDI pitch, r for a rest, - for a hold. It is filled up with holds."""
    tokens = [HOLD if word == "-" else REST if word == "r" else token_of(int(word)) for word in words.split()]
    return np.array(tokens + [HOLD] * (meter.ticks - len(tokens)), dtype=np.int16)


def quarters(*pitches: int) -> np.ndarray:
    """A measure of 4/4 with a note on each of the first beats."""
    tokens = np.zeros(24, dtype=np.int16)
    tokens[: 6 * len(pitches) : 6] = [token_of(pitch) for pitch in pitches]
    return tokens


def melody(*rows: np.ndarray | None, meter: Meter = FOUR, pickup: bool = False) -> Melody:
    """A melody of measures in one meter; None for one that cannot be read. With `pickup`, the first is an upbeat."""
    bars = [
        Bar(i + (not pickup), meter.name, 0, 0, meter, tokens, "two notes at once" if tokens is None else None)
        for i, tokens in enumerate(rows)
    ]
    return Melody("test", tuple(bars), 0, 0)


def walks(count: int, seed: int = 0, measures: int = 12) -> list[Melody]:
    """Tunes that walk up and down the scale in quarters and eighths."""
    random = np.random.default_rng(seed)
    return [melody(*_walk(random, measures)) for _ in range(count)]


def _walk(random: np.random.Generator, measures: int) -> Sequence[np.ndarray]:
    at, found = 7, []
    for _ in range(measures):
        tokens = np.zeros(24, dtype=np.int16)
        for tick in range(0, 24, 3):
            if tick % 6 == 0 or random.random() < 0.3:
                at = int(np.clip(at + random.choice([-1, 1]), 0, len(SCALE) - 1))
                tokens[tick] = token_of(SCALE[at])
        found.append(tokens)
    return found


def vandalised(tune: Melody, random: np.random.Generator) -> Melody:
    """The same rhythm, with pitches that know nothing of each other."""
    changed = {}
    for i, bar in enumerate(tune.bars):
        assert bar.tokens is not None
        tokens = bar.tokens.copy()
        here = tokens > REST
        tokens[here] = [token_of(int(pitch)) for pitch in random.choice(SCALE, int(here.sum()))]
        changed[i] = tokens
    return tune.with_rows(changed)
