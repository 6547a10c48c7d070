"""Measures that may change, and their bonds: ties over the barlines, and other measures that repeat them.

Measures have the same form if their rows, their goals and their keys are equal. If the caller keeps the form, such
measures get the same new row.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from ..arrays import Array, Float32s, Row
from ..music.melody import Melody
from ..music.meter import Meter
from ..music.tokens import FIRST_PITCH, HOLD, REST, ends_in, onsets
from . import harmony
from .locks import UPBEAT

Key = tuple[object, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class EditableMeasure:
    """One measure of a melody that may change."""

    index: int  # of the measure in the melody
    meter: Meter
    row: Row  # (t,)
    goal: Array  # (k,) wanted attribute values, or (2, t) the two ends of an interpolation
    # Whether the first tick may be tied to the measure before. 1: it must stay tied, because the note comes from a
    # measure that is not edited. -1: it cannot be tied, because no note sounds before it. UPBEAT: moreover, the silence
    # before its first note must stay, because the melody begins there. 0: both are possible.
    tie: int = 0
    ending: int = -1  # the token that must sound at the end, because a measure that is not edited holds it; -1: any
    harmony: Float32s | None = None  # (2, t, v) see harmony.py; None if nothing is known of it
    fifths: int = 0  # its key, relative to the melody's

    @property
    def form(self) -> Key:
        """Equal for measures with the same row, goal and key."""
        return (self.meter, self.row.tobytes(), self.goal.tobytes(), self.fifths)

    @property
    def key(self) -> Key:
        """Equal for measures that also have the same harmony and the same ties to their neighbours, and so the same
        candidates."""
        return (*self.form, self.tie, self.ending, None if self.harmony is None else self.harmony.tobytes())


def bound_together(measures: Sequence[EditableMeasure]) -> list[EditableMeasure]:
    """Give all measures of a form the restrictions of each of them, so that one candidate suits them all. For example,
    no note can be tied into the first measure of a melody, and then none may be tied into a measure that repeats it."""
    bound: dict[Key, tuple[int, int]] = {}
    for measure in measures:
        # The ties of equal rows are 0 and 1, or none of them is 1. Their ending is -1 or the token that ends them.
        tie, ending = bound.get(measure.form, (0, -1))
        bound[measure.form] = (min(tie, measure.tie) or max(tie, measure.tie), max(ending, measure.ending))
    measures = sharing_harmony(measures)
    return [replace(measure, tie=bound[measure.form][0], ending=bound[measure.form][1]) for measure in measures]


def sharing_harmony(measures: Sequence[EditableMeasure]) -> list[EditableMeasure]:
    """Give all measures of a form the mean of their harmonies."""
    found: dict[Key, list[Float32s | None]] = {}
    for measure in measures:
        found.setdefault(measure.form, []).append(measure.harmony)
    means = {form: harmony.mean(harmonies) for form, harmonies in found.items()}
    return [replace(measure, harmony=means[measure.form]) for measure in measures]


def find_each(
    measures: Iterable[EditableMeasure], most: int, find: Callable[[Sequence[EditableMeasure], Meter, int], Iterable[T]]
) -> dict[Key, T]:
    """Call `find` for all distinct measures, and return its results by the measures' keys.

    `find` gets at most `most` measures of one meter at a time, so that memory stays flat however long the melody is.
    Its other arguments are the meter and how many measures of that meter came before.
    """
    distinct = list({measure.key: measure for measure in measures}.values())
    results: dict[Key, T] = {}
    for meter in sorted({measure.meter for measure in distinct}):
        of_meter = [measure for measure in distinct if measure.meter == meter]
        for start in range(0, len(of_meter), most):
            chunk = of_meter[start : start + most]
            results.update(zip((measure.key for measure in chunk), find(chunk, meter, start), strict=True))
    return results


class Ties:
    """What binds each of the measures that may be edited, the `editable` ones, to its neighbours."""

    def __init__(self, melody: Melody, editable: set[int]) -> None:
        self.rows, self.editable = melody.rows, editable
        self.held = _held_on(self.rows, editable)
        sounding = (i for i, row in enumerate(self.rows) if row is None or onsets(row).any())
        self.opening = next(sounding, len(self.rows))  # the first measure in which a note begins

    def bind(self, measure: EditableMeasure) -> EditableMeasure:
        """The measure with its `tie` and with its `ending`."""
        ending = int(ends_in(measure.row[None])[0]) if self.held[measure.index] else -1
        return replace(measure, tie=self._tie(measure.index, measure.row), ending=ending)

    def _tie(self, i: int, row: Row) -> int:
        if row[0] == REST and i <= self.opening:
            return UPBEAT
        previous = self.rows[i - 1] if i else None
        if row[0] == HOLD:
            return 0 if i - 1 in self.editable else 1
        if previous is None:
            return -1
        return 0 if ends_in(previous[None])[0] >= FIRST_PITCH else -1


def _held_on(rows: Sequence[Row | None], editable: set[int]) -> list[bool]:
    """For each measure, whether a measure that is not edited continues what sounds at its end. Between the two, there
    may be edited measures that only hold the note."""
    held = [False] * len(rows)
    for i in range(len(held) - 2, -1, -1):
        row = rows[i + 1]
        if i + 1 in editable:
            held[i] = not np.any(row) and held[i + 1]  # HOLD is 0
        else:
            held[i] = row is not None and bool(row[0] == HOLD)
    return held


def canonical(rows: Sequence[Row | None], changed: Container[int]) -> dict[int, Row]:
    """The changed ones of consecutive rows in the form that reading a file would give them: no REST follows a rest
    within a measure, and a measure that begins in silence begins with REST.
    """
    result: dict[int, Row] = {}
    silent = True
    for i, row in enumerate(rows):
        if row is None:
            silent = False  # nobody knows what sounds at the end of this measure
            continue
        if i not in changed:
            events = np.flatnonzero(row != HOLD)
            silent = bool(row[events[-1]] == REST) if len(events) else silent
            continue
        clean = row.copy()
        for tick, token in enumerate(row.tolist()):
            if token == HOLD and tick == 0 and silent:
                clean[0] = REST
            elif token == REST and silent and tick > 0:
                clean[tick] = HOLD
            silent = token == REST or (silent and token == HOLD)
        result[i] = clean
    return result
