"""Augmentation: mixed measures as additional training material. Two measures of the same meter make a third.

    halves      the beginning of one measure and the end of the other
    crossed     the rhythm of one measure with the pitches of the other, in their order, spread over its onsets

Some of the mixed measures are then transposed by a few steps of the scale, as a sequence in music moves a motif.

An autoencoder that was trained on three thousand measures must also reconstruct measures that it has not seen. A
measure of two halves that never occurred together teaches this, and its attributes can be measured like those of any
other. If half of each batch is mixed, the share of held-out Bach measures that are reconstructed completely rises from
0.62 to 0.72 after the same number of steps. Crossed measures separate rhythm from pitch, and show which attribute
values can occur together although the corpus has no example (vae/combinations.py).

Mixed rows come first in a batch, so that the model can exclude them from the rows that teach the decoder which measures
are plausible (`null_share` of vae/model.py's ArVae).
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

CROSSING = 0.3  # share of the mixed measures; chosen on validation tunes (docs/research/alignment.md)
MOVING = 0.5  # share of the mixed measures; chosen in the same way
FARTHEST = 3  # steps of the scale by which a measure is transposed, at most
OUTSIDE = -2  # stands for a token outside the vocabulary


@dataclass(frozen=True)
class Mixer:
    """Replaces a `share` of each batch by mixtures of its own measures. Of these, a share of `crossing` is crossed and
    the rest made of halves; a share of `moving` is transposed along the scale. `specs` are the attributes of the
    columns.
    """

    specs: Sequence[AttributeSpec]
    share: float
    crossing: float = CROSSING
    moving: float = MOVING

    def __call__(self, inputs: Array, values: Float32s, random: np.random.Generator) -> tuple[Array, Float32s, int]:
        """(b, 1 + width) rows and (b, k) values -> both with the first rows replaced by mixtures, and their number."""
        count = round(self.share * len(inputs))
        mixed, values = inputs.copy(), values.copy()
        crossed_count = round(self.crossing * count)
        for meter, at in by_meter(inputs[:count]):
            same = np.flatnonzero(inputs[:, 0] == meter.code)
            others = inputs[random.choice(same, len(at))]
            cross = at < crossed_count
            mixed[at[cross]] = crossed(inputs[at[cross]], others[cross])
            mixed[at[~cross]] = halves(inputs[at[~cross]], others[~cross], meter, random)
        if self.moving:
            steps = random.integers(-FARTHEST, FARTHEST + 1, count) * (random.random(count) < self.moving)
            mixed[:count] = transposed(mixed[:count], steps)
        if count:
            values[:count] = evaluate_mixed(self.specs, mixed[:count])
        return mixed, values, count


def halves(rows: Array, others: Array, meter: Meter, random: np.random.Generator) -> Array:
    """(m, 1 + width) rows and others -> rows that begin as `rows` and, from a random beat on, continue as `others`. A
    measure of one beat stays as it is."""
    if meter.beats == 1:
        return rows
    cut = 1 + TICKS_PER_BEAT * random.integers(1, meter.beats, (len(rows), 1))
    return np.where(np.arange(rows.shape[1]) >= cut, others, rows)


def crossed(rows: Array, others: Array) -> Array:
    """(m, 1 + width) rows and others -> the rhythms of `rows` with the pitches of `others`: the first pitch, the last
    one, and an even selection of those between.

    A row stays as it is if it or its partner has no onset.
    """
    here, there = rows[:, 1:] >= FIRST_PITCH, others[:, 1:] >= FIRST_PITCH
    wanted, given = here.sum(axis=1, keepdims=True), there.sum(axis=1, keepdims=True)
    rank = here.cumsum(axis=1) - 1
    place = np.rint(rank * (given - 1) / np.maximum(wanted - 1, 1)).astype(np.int64)
    onsets_first = np.argsort(~there, axis=1, kind="stable")  # the ticks of `others`, those with an onset first
    tick = np.take_along_axis(onsets_first, place.clip(0, there.shape[1] - 1), axis=1)
    pitches = np.take_along_axis(others[:, 1:], tick, axis=1)
    made = rows.copy()
    made[:, 1:] = np.where(here & (given > 0), pitches, rows[:, 1:])
    return made


def transposed(rows: Array, steps: Ints) -> Array:
    """Transpose (m, 1 + width) rows by (m,) steps of the scale, from -FARTHEST to FARTHEST. A note that was raised by a
    semitone stays raised. A row that would leave the vocabulary stays as it is."""
    tokens = _transpositions()[steps[:, None] + FARTHEST, rows[:, 1:]]
    fits = (tokens != OUTSIDE).all(axis=1)
    made = rows.copy()
    made[fits, 1:] = tokens[fits]
    return made


@cache
def _transpositions() -> Array:
    """(2 FARTHEST + 1, v + 1) the token that each token becomes, or OUTSIDE. The last column is for PAD, which is
    -1."""
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
