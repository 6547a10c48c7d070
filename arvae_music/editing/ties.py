"""Measures that may change, and what binds each to its neighbours: ties over barlines, and measures that repeat it.

Measures are of one form where they are the same and the same is wanted of them; they get the same candidates and, where
the caller keeps the form, the same new row.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ..arrays import Array, Mask, Row
from ..music.melody import Melody
from ..music.meter import Meter
from ..music.tokens import FIRST_PITCH, HOLD, REST, ends_in

Key = tuple[object, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """One measure that may change, where it stands in its melody."""

    index: int  # of the measure
    meter: Meter
    row: Row  # (t,)
    aim: Array  # what is wanted of it: (k,) attribute values, or (2, t) the two ends of an interpolation
    tie: int = 0  # see tie_of
    leave: int = -1  # see leave_of

    @property
    def form(self) -> Key:
        """Equal for measures that are the same and of which the same is wanted."""
        return (self.meter, self.row.tobytes(), self.aim.tobytes())

    @property
    def key(self) -> Key:
        """Equal for those that are also bound to their neighbours in the same way: they have the same candidates."""
        return (*self.form, self.tie, self.leave)


def bound_together(places: Sequence[Place]) -> list[Place]:
    """The places with what binds one to its neighbours binding all of its form, so that one candidate suits them all:
    nothing may be tied into the first measure of a melody, and then nothing into a measure that repeats it."""
    bound: dict[Key, tuple[int, int]] = {}
    for place in places:
        # Of one row, ties are 0 and -1, or 0 and 1; what it leaves is -1 or what it ends in.
        tie, leave = bound.get(place.form, (0, -1))
        bound[place.form] = (tie or place.tie, max(leave, place.leave))
    return [replace(place, tie=bound[place.form][0], leave=bound[place.form][1]) for place in places]


def find_each(
    places: Iterable[Place], most: int, find: Callable[[Sequence[Place], Meter, int], Iterable[T]]
) -> dict[Key, T]:
    """What `find` returns for each distinct place, by its key. It is called with at most `most` places of one meter at
    a time, so that memory stays flat however long the melody is, and with how many of that meter came before."""
    distinct = list({place.key: place for place in places}.values())
    found: dict[Key, T] = {}
    for meter in sorted({place.meter for place in distinct}):
        here = [place for place in distinct if place.meter == meter]
        for start in range(0, len(here), most):
            chunk = here[start : start + most]
            found.update(zip((place.key for place in chunk), find(chunk, meter, start), strict=True))
    return found


def tie_of(melody: Melody, i: int, editable: set[int]) -> int:
    """1: tick 0 must stay tied (what it is tied to is not ours to cut); -1: there is nothing to tie to; else 0."""
    row = melody.bars[i].tokens
    assert row is not None
    previous = melody.bars[i - 1].tokens if i else None
    if row[0] == HOLD:
        return 0 if i - 1 in editable else 1
    if previous is None:
        return -1
    return 0 if ends_in(previous[None])[0] >= FIRST_PITCH else -1


def leave_of(melody: Melody, i: int, editable: set[int]) -> int:
    """What must sound at the end, since a measure that is not edited goes on with it, at once or after measures
    that are one tie; -1: anything."""
    row, after = melody.bars[i].tokens, i + 1
    assert row is not None
    while after in editable and not np.any(melody.bars[after].tokens):  # HOLD is 0
        after += 1
    tokens = melody.bars[after].tokens if after < len(melody.bars) else None
    if after in editable or tokens is None or tokens[0] != HOLD:
        return -1
    return int(ends_in(row[None])[0])


def canonical(rows: Sequence[Row | None], changed: Container[int]) -> dict[int, Row]:
    """The changed ones of consecutive rows written as reading would give them.

    No rest within a rest, and a measure that opens in silence opens with REST.
    """
    result: dict[int, Row] = {}
    silent = True
    for i, row in enumerate(rows):
        if row is None:
            silent = False  # what sounds at its end is not known
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


def opening_allowed(candidates: Array, tie: npt.NDArray[np.int8]) -> Mask:
    """Whether tick 0 suits what comes before; `tie` (n,): -1 nothing to tie to, 0 free, 1 the tie must stay."""
    held = candidates[:, 0] == HOLD
    return np.where(tie == 1, held, np.where(tie == -1, ~held, True))
