"""Swing: pairs of eighths that are played long and short, such as at 57% or 60% of the beat.

A swung file is read as it would be written, in even eighths: its time is warped so that the second eighth of each beat
lies on the half. New notes are warped back, so that they swing like the others. Swing at two thirds (triplets) and at
three quarters (dotted eighths) is on the grid already and is not warped.

`swing_of` finds the place of the second eighth, as a share of the beat. A file swings if nearly all its onsets lie on
the warped grid, and clearly fewer on the even one.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Float64s, Ints
from .snapping import SIMPLE_BEAT, Beats, within

STRAIGHT = 0.5  # the second eighth of a beat that does not swing
TRIED = np.arange(0.54, 0.726, 0.005)  # shares of the beat
NEAR = 0.025  # beats: an onset this near to a tick lies on it
SHARE = 0.9  # of the onsets that must lie on the warped grid
MOST_EVEN = 0.8  # share of the onsets that may lie on the even grid, thirds included
FEWEST = 4  # swung eighths that a file must have
_EVEN = np.array([0, 3, 4, 6, 8, 9, 12]) / 12


def swing_of(start: Ints, beats: Beats) -> float:
    """The place of the second eighth in the beats of a file, from its onsets (n,) in units."""
    beat, twelfths = within(start, beats)
    place = (twelfths / 12)[(beats.kind[beat] == SIMPLE_BEAT) & ~beats.short[beat]]
    if len(place) < FEWEST or _on(place, _EVEN).mean() > MOST_EVEN:
        return STRAIGHT
    grids = [np.array([0, swing / 2, swing, (1 + swing) / 2, 1]) for swing in TRIED]
    distances = [np.abs(place[:, None] - grid).min(axis=1) for grid in grids]
    best = int(np.argmin([np.minimum(distance, 2 * NEAR).sum() for distance in distances]))
    swung = np.abs(place - TRIED[best]) <= NEAR
    if (distances[best] <= NEAR).mean() < SHARE or swung.sum() < FEWEST:
        return STRAIGHT
    return float(np.median(place[swung]))


def _on(place: Float64s, grid: Float64s) -> Float64s:
    found: Float64s = (np.abs(place[:, None] - grid).min(axis=1) <= NEAR).astype(np.float64)
    return found


def evened(time: Ints, swing: float, beats: Beats) -> Ints:
    """Times (n,) in units, warped so that the second eighth lies on the half of the beat."""
    beat, twelfths = within(time, beats)
    place = twelfths / 12
    inside = (beats.kind[beat] == SIMPLE_BEAT) & ~beats.short[beat] & (place < 1)
    warped = np.interp(place, [0, swing, 1], [0, STRAIGHT, 1])
    moved = np.rint(beats.start[beat] + warped * beats.length[beat]).astype(np.int64)
    return np.where(inside, moved, time)


def swung(place: float, swing: float) -> float:
    """The inverse for a place within a beat, 0 to 1."""
    return float(np.interp(place, [0, STRAIGHT, 1], [0, swing, 1]))
