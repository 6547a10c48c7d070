"""Mixed measures: of two measures of one meter a third, as extra training material.

    halves      the beginning of one and the end of the other
    crossed     the rhythm of one with the pitches of the other, in their order, spread over its onsets

and some of these are then moved along the scale by a few steps, as a sequence moves a motif.

An autoencoder of measures that has seen three thousand must still write down the ones that it has not. A
measure of two halves that never stood together asks exactly that of it, and its attributes are measured like any
other's. On held-out Bach tunes, after the same number of steps, a mixed half of every batch brings whole measures
reconstructed from .62 to .72. Crossed measures part what belongs to rhythm from what belongs to pitch: they show
which values of the attributes can stand together though the corpus never has them so (combinations.py).

Mixed rows stand first in a batch, so that the trainer can keep them out of what teaches the decoder which
measures are plausible (model.ArVae's null rows).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..arrays import Array, Float32s, Ints
from ..music.attributes import AttributeSpec, evaluate_mixed
from ..music.keys import DIATONIC
from ..music.meter import TICKS_PER_BEAT, Meter
from ..music.tokens import FIRST_PITCH, LOWEST, PAD, VOCABULARY, by_meter

CROSSING = 0.3  # of the mixed measures: chosen on validation tunes, docs/research/alignment.md
MOVING = 0.5  # of the mixed measures: the same
FARTHEST = 3  # steps of the scale
OUTSIDE = -2  # of the vocabulary


@dataclass(frozen=True)
class Mixer:
    """Makes a share of a batch out of the batch itself, `crossing` of it crossed, the rest of halves, and of both
    `moving` along the scale. `specs` are those of the attribute columns."""

    specs: Sequence[AttributeSpec]
    share: float
    crossing: float = CROSSING
    moving: float = MOVING

    def __call__(self, inputs: Array, values: Float32s, random: np.random.Generator) -> tuple[Array, Float32s, int]:
        """(b, ...), (b, k) -> both with the first rows mixed, and how many those are."""
        count = round(self.share * len(inputs))
        mixed, values = inputs.copy(), values.copy()
        crossed_too = round(self.crossing * count)
        for meter, at in by_meter(inputs[:count]):
            same = np.flatnonzero(inputs[:, 0] == meter.code)
            others = inputs[random.choice(same, len(at))]
            cross = at < crossed_too
            mixed[at[cross]] = crossed(inputs[at[cross]], others[cross])
            mixed[at[~cross]] = halves(inputs[at[~cross]], others[~cross], meter, random)
        if self.moving:
            steps = random.integers(-FARTHEST, FARTHEST + 1, count) * (random.random(count) < self.moving)
            mixed[:count] = moved(mixed[:count], steps)
        if count:
            values[:count] = evaluate_mixed(self.specs, mixed[:count])
        return mixed, values, count


def halves(rows: Array, others: Array, meter: Meter, random: np.random.Generator) -> Array:
    """(m, 1 + width) twice -> the beginnings of rows, the ends of others; a measure of one beat stays whole."""
    if meter.beats == 1:
        return rows
    cut = 1 + TICKS_PER_BEAT * random.integers(1, meter.beats, (len(rows), 1))
    return np.where(np.arange(rows.shape[1]) >= cut, others, rows)


def crossed(rows: Array, others: Array) -> Array:
    """(m, 1 + width) twice -> rows with the pitches of others: their first, their last, and evenly what lies between.

    A row stays as it is where either has no onset.
    """
    here, there = rows[:, 1:] >= FIRST_PITCH, others[:, 1:] >= FIRST_PITCH
    wanted, given = here.sum(axis=1, keepdims=True), there.sum(axis=1, keepdims=True)
    rank = here.cumsum(axis=1) - 1
    place = np.rint(rank * (given - 1) / np.maximum(wanted - 1, 1)).astype(np.int64)
    onsets_first = np.argsort(~there, axis=1, kind="stable")  # the others' ticks, those with onsets in front
    tick = np.take_along_axis(onsets_first, place.clip(0, there.shape[1] - 1), axis=1)
    pitches = np.take_along_axis(others[:, 1:], tick, axis=1)
    made = rows.copy()
    made[:, 1:] = np.where(here & (given > 0), pitches, rows[:, 1:])
    return made


def moved(rows: Array, steps: Ints) -> Array:
    """(m, 1 + width), (m,) steps of the scale, up or down, FARTHEST at most -> rows with each note so much higher; what
    was raised by a semitone stays so. A row that would leave the vocabulary stays as it is."""
    tokens = _moves()[steps[:, None] + FARTHEST, rows[:, 1:]]
    fits = (tokens != OUTSIDE).all(axis=1)
    made = rows.copy()
    made[fits, 1:] = tokens[fits]
    return made


@cache
def _moves() -> Array:
    """(2 FARTHEST + 1, v) the token that each becomes, OUTSIDE where there is none. The last column is for PAD, -1."""
    pitches = np.arange(VOCABULARY - FIRST_PITCH) + LOWEST
    degree = np.searchsorted(DIATONIC, pitches % 12, side="right") - 1
    raised = pitches % 12 - np.take(DIATONIC, degree)
    table = np.tile(np.append(np.arange(VOCABULARY), PAD), (2 * FARTHEST + 1, 1))
    for step in range(-FARTHEST, FARTHEST + 1):
        octaves, place = np.divmod(degree + step, len(DIATONIC))
        new = pitches // 12 * 12 + 12 * octaves + np.take(DIATONIC, place) + raised - LOWEST + FIRST_PITCH
        there = (new >= FIRST_PITCH) & (new < VOCABULARY)
        table[step + FARTHEST, FIRST_PITCH:VOCABULARY] = np.where(there, new, OUTSIDE)
    return table.astype(np.int16)
