"""Snap onsets to the tick grid: find the beats of a piece, the lateness of a file, and the nearest tick of each onset.

These are steps 2 and 3 of `quantise`, whose docstring explains the rules. Times are integers in the units of
`barlines`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Array, Float64s, Ints, Mask
from ..music.meter import COMPOUND_TICKS, SIMPLE_TICKS, TICKS_PER_BEAT
from .barlines import UNITS, Span

EXACT_TOLERANCE = 0.045  # beats; less than 1/20, the distance of a quintuplet
PLAYED_TOLERANCE = 0.11  # beats; less than 1/8, the distance of a thirty-second note
LATEST = 0.075  # quarter notes, or short beats if a meter has them: the largest lateness of a file; below a twelfth
SHARP = 1 / 50  # beats: an onset this near to a tick lies on the grid
SHARP_SHARE = 0.75  # share of onsets on the grid from which EXACT_TOLERANCE is used
TRIPLE_BIAS = 0.003  # squared beats by which the prevailing division wins; a triplet for a sixteenth costs 1/144
MIXED_PENALTY = 0.006  # squared beats by which both single grids must be worse before they are combined
MIXED_RATIO = 3.0  # how many times worse they must be, too

SIMPLE = np.array([*(int(12 * t) for t in SIMPLE_TICKS), 12])  # twelfths of a beat, the next beat included
COMPOUND = np.array([*(int(12 * t) for t in COMPOUND_TICKS), 12])  # twelfths of a beat
ALL_TICKS = np.arange(TICKS_PER_BEAT + 1)
_DUPLE_TICKS = np.array([0, 1, 3, 5, 6])
TRIPLE_TICKS = np.array([0, 2, 4, 6])
_HALVES, _THIRDS = np.array([0, 3, 6]), np.array([0, 2, 4, 6])  # ticks of a short beat where players place notes
NO_GRID, SIMPLE_BEAT, COMPOUND_BEAT = 0, 1, 2  # kinds of beat; a measure that passes through is one beat of NO_GRID


class Beats(NamedTuple):
    """Every beat of the piece, in order."""

    start: Ints
    kind: Ints
    span: Ints  # index of the measure
    in_span: Ints  # index within the measure
    length: Ints  # units; that of a quarter note for the kind NO_GRID
    short: Mask  # whether the meter has shorter beats than a quarter or a dotted quarter
    cell: Ints  # index of its first tick in the row of all ticks; a beat of kind NO_GRID has one
    cells: int  # how many there are
    quarter: int  # a quarter note in units

    def first(self, count: int) -> Beats:
        """The first beats of the piece only."""
        cells = int(self.cell[count]) if count < len(self.cell) else self.cells
        integers = (self.start, self.kind, self.span, self.in_span, self.length, self.cell)
        start, kind, span, in_span, length, cell = (array[:count] for array in integers)
        return Beats(start, kind, span, in_span, length, self.short[:count], cell, cells, self.quarter)


class Snapped(NamedTuple):
    """The grid tick of each onset."""

    beat: Ints  # (n,) of the tick
    tick: Ints  # (n,) within the beat
    cell: Ints  # (n,) its index in the row of all ticks
    span: Ints  # (n,) index of its measure
    error: Float64s  # (n,) distance from the tick in beats
    triple: Mask  # (beats,) whether a note begins on a third of the beat


def all_beats(measures: list[Span], tpq: int) -> Beats:
    """The beats of all measures, from the file's ticks per quarter."""
    rows: list[tuple[int, int, int, int, int, int]] = []
    quarter = UNITS * tpq
    for i, span in enumerate(measures):
        if span.meter is None or span.reason is not None:
            rows.append((span.start, NO_GRID, i, 0, quarter, 0))
            continue
        kind = COMPOUND_BEAT if span.meter.compound else SIMPLE_BEAT
        length, short = int(span.meter.beat_quarters * quarter), int(span.meter.halved > 0)
        rows += [(span.start + b * length, kind, i, b, length, short) for b in range(span.meter.beats)]
    start, kind_of, index, in_span, length_of, is_short = np.array(rows, dtype=np.int64).T
    width = np.where(kind_of == NO_GRID, 1, TICKS_PER_BEAT)
    cell = np.cumsum(width)
    return Beats(start, kind_of, index, in_span, length_of, is_short > 0, cell - width, int(cell[-1]), quarter)


def within(time: Ints, beats: Beats) -> tuple[Ints, Float64s]:
    """The beat of each time, and the position within the beat in twelfths of it."""
    beat = np.maximum(np.searchsorted(beats.start, time, "right") - 1, 0)
    return beat, (time - beats.start[beat]) * 12 / beats.length[beat]


def _nearest(fraction: Float64s, grid: Ints, ticks: Ints) -> tuple[Ints, Float64s]:
    """The nearest of some ticks of a grid, and the distance from it in beats (positive if late)."""
    distance = fraction[:, None] - grid[ticks]
    nearest = np.abs(distance).argmin(axis=1)
    return ticks[nearest], distance[np.arange(len(nearest)), nearest] / 12


def on_any_tick(time: Ints, beats: Beats) -> tuple[Ints, Ints, Float64s]:
    """The beat of each time, the nearest of all its ticks, and the distance from it in units."""
    beat, fraction = within(time, beats)
    simple, compound = (_nearest(fraction, grid, ALL_TICKS) for grid in (SIMPLE, COMPOUND))
    is_compound = beats.kind[beat] == COMPOUND_BEAT
    tick, error = (np.where(is_compound, one, other) for one, other in zip(compound, simple, strict=True))
    return beat, tick, error * beats.length[beat]


def lateness(start: Ints, beats: Beats) -> tuple[int, float]:
    """How many units the whole file is late (negative if early), and the tolerance for its onsets."""
    beat, _, off = on_any_tick(start, beats)
    latest = LATEST * int(np.minimum(beats.length, beats.quarter).min())
    off = off[beats.kind[beat] != NO_GRID]
    if len(off) == 0:
        return 0, EXACT_TOLERANCE
    ordered = np.sort(off)
    low, middle, high = (ordered[-(-len(off) * quarter // 4) - 1] for quarter in (1, 2, 3))  # np.quantile is slow
    agreed = high - low <= max(UNITS, abs(middle)) and low * high > 0
    late = round(middle) if agreed and abs(middle) <= latest else 0
    sharp = np.abs(off - late) <= max(SHARP * beats.quarter, UNITS / 2)
    exact = max(EXACT_TOLERANCE, 0.51 * UNITS / beats.quarter)  # a coarse file rounds times to a tick
    return late, exact if sharp.mean() >= SHARP_SHARE else PLAYED_TOLERANCE


def snap(time: Ints, beats: Beats, tolerance: float) -> Snapped:
    """Find the grid tick of each onset. `tolerance` is in beats."""
    beat, fraction = within(time, beats)
    kind = beats.kind[beat]
    simple = kind == SIMPLE_BEAT
    grids = [_nearest(fraction, SIMPLE, ticks) for ticks in (_DUPLE_TICKS, TRIPLE_TICKS, ALL_TICKS)]
    duple, triple, mixed = (
        np.bincount(beat, weights=np.where(simple, error**2, 0), minlength=len(beats.start)) for _, error in grids
    )
    pure = np.minimum(duple, triple)
    is_mixed = (pure - mixed > MIXED_PENALTY) & (pure > MIXED_RATIO * mixed)
    thirds = grids[1][0]
    both = np.bincount(beat[simple & (thirds == 2)], minlength=len(duple)) > 0
    both &= np.bincount(beat[simple & (thirds == 4)], minlength=len(duple)) > 0
    is_triple = ~is_mixed & (triple + np.where(both, -TRIPLE_BIAS, _prevailing(duple, triple)) < duple)
    off_duple, off_triple = (
        np.bincount(beat[simple & (np.abs(error) > tolerance)], minlength=len(duple)) > 0 for _, error in grids[:2]
    )
    is_triple = np.where(off_duple == off_triple, is_triple, off_duple & ~is_mixed)  # a grid that fits comes first
    compound = _nearest(fraction, COMPOUND, ALL_TICKS)
    tick, error = grids[0]
    is_compound = kind == COMPOUND_BEAT
    chosen = [(is_triple[beat], grids[1]), (is_mixed[beat], grids[2]), (is_compound, compound)]
    if tolerance >= PLAYED_TOLERANCE and beats.short.any():
        # A player is not exact enough for the finest ticks of a short beat. The distance counts in ordinary beats.
        short = beats.short[beat]
        for where, (grid, ticks) in ((~is_compound, (SIMPLE, _HALVES)), (is_compound, (COMPOUND, _THIRDS))):
            coarse_tick, coarse_error = _nearest(fraction, grid, ticks)
            scale = beats.length[beat] / (beats.quarter * np.where(is_compound, 1.5, 1.0))
            chosen.append((short & where, (coarse_tick, coarse_error * scale)))
    for where, other in chosen:
        tick, error = np.where(where, other[0], tick), np.where(where, other[1], error)
    third = simple & ((tick == 2) | (tick == 4))
    triple_beats = np.bincount(beat[third], minlength=len(beats.start)) > 0
    return _onto_next(time, beat, tick, np.abs(error), triple_beats, beats, tolerance)


def _prevailing(duple: Array, triple: Array) -> float:
    """The handicap of the triple grid where both fit about as well: positive in a file of mostly duple beats."""
    clear = np.abs(duple - triple) > TRIPLE_BIAS
    balance = float(np.sign(triple - duple)[clear].sum() / (clear.sum() + 1))
    return TRIPLE_BIAS * min(max(2 * balance, -1), 1)


def _onto_next(
    time: Ints,
    beat: Ints,
    tick: Ints,
    error: Float64s,
    triple: Mask,
    beats: Beats,
    tolerance: float,
) -> Snapped:
    """Move onsets at the end of a beat to the next beat, and place the onsets of measures without a grid."""
    free = beats.kind[beat] == NO_GRID
    following = np.append(beats.start[1:], np.iinfo(np.int64).max)[beat]
    at_barline = free & (following - time <= tolerance * beats.quarter)
    tick = np.where((tick == TICKS_PER_BEAT) & (error > tolerance), TICKS_PER_BEAT - 1, tick)
    over = np.where(free, at_barline, tick == TICKS_PER_BEAT)
    beat, tick = beat + over, np.where(free | over, 0, tick)
    return Snapped(beat, tick, beats.cell[beat] + tick, beats.span[beat], np.where(free, 0.0, error), triple)


def nominal_places(beats: Beats, snapped: Snapped) -> Ints:
    """The exact positions of the onsets' ticks, in units."""
    kind = beats.kind[snapped.beat]
    places: Ints = np.where(kind == COMPOUND_BEAT, COMPOUND[snapped.tick], SIMPLE[snapped.tick])
    nominal: Ints = beats.start[snapped.beat] + places * beats.length[snapped.beat] // 12
    return nominal
