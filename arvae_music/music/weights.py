"""The weight of each tick of a measure for rhythmic complexity, and its metrical level for syncopation."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..arrays import Array, Float64s, Rows
from .meter import Meter

# The weights of the reference (Pati & Lerch 2020) in 4/4. An onset counts for more the more complex its position is:
# 0.20 on the downbeat, 0.25 on the half measure, 0.67 on the other beats; between beats 0.5 for an eighth, 1 for a
# sixteenth, 2 for a triplet.
DOWNBEAT, HALF_MEASURE, OTHER_BEAT = 0.20, 0.25, 0.67
EIGHTH, SIXTEENTH, TRIPLET = 0.5, 1.0, 2.0
SIMPLE_OFFBEATS = (SIXTEENTH, TRIPLET, EIGHTH, TRIPLET, SIXTEENTH)
COMPOUND_OFFBEATS = (SIXTEENTH, EIGHTH, SIXTEENTH, EIGHTH, SIXTEENTH)

# Metrical levels for syncopation: how many levels the five ticks between two beats are below the beat. The ticks that
# divide the beat are one level below it, and the ticks that divide it again are two. Triplets and sixteenths divide a
# simple beat in two different ways, which one number for each tick cannot express. So a triplet tick counts as an
# eighth if a note starts there, and as a sixteenth if none does. Plain triplets, sixteenths and eighths then score 0.
SIMPLE_DEPTHS = (2, 1, 1, 1, 2)  # of an onset
SIMPLE_SILENT_DEPTHS = (2, 2, 1, 2, 2)  # of a tick where no note starts
COMPOUND_DEPTHS = (2, 1, 2, 1, 2)


@lru_cache
def rhythm_weights(meter: Meter) -> Float64s:
    """(ticks,) the weight of an onset at each tick. Those of 4/4 are published; other meters use the same ones by
    metrical position."""
    offbeats = COMPOUND_OFFBEATS if meter.compound else SIMPLE_OFFBEATS
    beats = [(_beat(meter, b, DOWNBEAT, HALF_MEASURE, OTHER_BEAT), *offbeats) for b in range(meter.beats)]
    return _constant(np.array(beats).reshape(-1))


@lru_cache
def metrical_levels(meter: Meter, silent: bool = False) -> Rows:
    """(ticks,) the metrical level of each tick after Longuet-Higgins & Lee.

    The levels hold for ticks where a note starts, or with `silent` for ticks where none does (see SIMPLE_DEPTHS). The
    downbeat has level 0, and every further division of the measure is one level lower. In 4/4 the half measure has -1,
    the other beats -2, eighths -3, sixteenths -4. In 3/4 beats have -1, eighths -2, sixteenths -3. A number of beats is
    divided by its smallest prime factor first.
    """
    depths = COMPOUND_DEPTHS if meter.compound else SIMPLE_SILENT_DEPTHS if silent else SIMPLE_DEPTHS
    found = _beat_levels(meter.beats)
    inside = [min(found) - depth for depth in depths]
    beats = [(level, *inside) for level in found]
    return _constant(np.array(beats, dtype=np.int16).reshape(-1))


def _beat_levels(beats: int) -> list[int]:
    """The metrical level of each beat of a measure: the number of divisions, negative, until one reaches it."""
    lengths = [beats]  # of a part of the measure after each division
    for factor in (2, 3, 5, 7, 11, 13):
        while lengths[-1] % factor == 0:
            lengths.append(lengths[-1] // factor)
    return [-next(depth for depth, length in enumerate(lengths) if beat % length == 0) for beat in range(beats)]


def _beat(meter: Meter, beat: int, downbeat: float, half: float, other: float) -> float:
    """The value of a beat: one for the downbeat, one for the half measure, one for all others."""
    if beat == 0:
        return downbeat
    return half if 2 * beat == meter.beats else other


def _constant(array: Array) -> Array:
    """The array, made read-only, because all callers of a cached function share it."""
    array.flags.writeable = False
    return array
