"""How far a changed measure is from the original, as a listener compares two melodies.

A melody is recognised by its pitches on strong beats and by its onsets. The distance therefore compares the pitch that
sounds at each beat and half beat, and counts the original's onsets that are gone; both weigh more on strong beats. A
note added between two beats changes neither.

Shapes: g groups (measures of one meter), n candidates, t ticks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Floats, Ints, Mask, Rows
from ..music.keys import OCTAVE
from ..music.meter import TICKS_PER_BEAT, Meter
from ..music.tokens import FIRST_PITCH, onsets, sounding

DOWNBEAT, HALF_MEASURE, BEAT, HALF_BEAT, WEAK = 1.0, 0.8, 0.6, 0.35, 0.15
SILENCE = 5  # a rest in place of a note counts as this many semitones


def strengths(meter: Meter) -> Floats:
    """(t,) the metrical weight of each tick, from 0 to 1."""
    weights = np.full(meter.ticks, WEAK)
    for half in (2, 4) if meter.compound else (3,):
        weights[half::TICKS_PER_BEAT] = HALF_BEAT
    weights[::TICKS_PER_BEAT] = BEAT
    if meter.beats % 2 == 0:
        weights[meter.ticks // 2] = HALF_MEASURE
    weights[0] = DOWNBEAT
    return weights


@dataclass(frozen=True)
class Likeness:
    """The originals of a search, ready to be compared with candidates."""

    meter: Meter
    rows: Rows  # (g, t)
    entering: Ints  # (g,) the token that sounds when the measure begins

    def curve(self, group: Ints, rows: Rows) -> Floats:
        """(n,) groups and (n, t) candidates -> (n,) the difference of the pitch curves in octaves, summed over beats
        and half beats with their weights; a change of any size counts as at least a third of an octave."""
        weights = strengths(self.meter)
        grid = np.flatnonzero(weights > WEAK)
        old = sounding(self.rows, self.entering)[:, grid][group]
        new = sounding(rows, self.entering[group])[:, grid]
        both = (old >= FIRST_PITCH) & (new >= FIRST_PITCH)
        apart = np.where(both, np.minimum(np.abs(old - new), OCTAVE), np.where(old == new, 0, SILENCE))
        cost: Floats = ((apart / OCTAVE + (apart > 0) / 2) / 1.5) @ weights[grid]
        return cost

    def dropped(self, group: Ints, rows: Rows) -> Floats:
        """(n,) the original's onsets that a candidate does not have, summed with their weights."""
        gone: Mask = onsets(self.rows)[group] & ~onsets(rows)
        cost: Floats = gone @ strengths(self.meter)
        return cost
