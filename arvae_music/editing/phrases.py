"""The places where a melody rests: the silence before it begins, the last notes of its phrases, and its final note.

A tune keeps them in an edit, unless the request cannot be met otherwise. A phrase ends with a note that lasts at least
half a measure and LONG times as long as the tune's median note, rests included, or with a rest of at least a beat. A
score may also mark the ends of phrases by fermatas. Where none does, the last note of every eighth measure, counted
without an upbeat, is taken for a phrase's end too.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ..arrays import Mask, Row
from ..music.melody import Bar
from ..music.meter import TICKS_PER_BEAT
from ..music.tokens import FIRST_PITCH, HOLD, REST, onsets

LONG = 2.0
PHRASE = 8  # measures


def resting(bars: Sequence[Bar]) -> list[Mask | None]:
    """For each measure, the (t,) ticks whose tokens should stay; None for a measure without tokens."""
    rows = [bar.tokens for bar in bars]
    found = [None if row is None else np.zeros(len(row), dtype=np.bool_) for row in rows]
    sounding = [i for i, row in enumerate(rows) if row is not None and onsets(row).any()]
    if not sounding:
        return found
    lengths = [length for i in sounding for length in _lengths(_row(rows[i]))]
    median, marked = float(np.median(lengths)), any(bar.closing is not None for bar in bars)
    for i in sounding:
        row, mask, bar = _row(rows[i]), found[i], bars[i]
        assert mask is not None
        last = int(np.flatnonzero(onsets(row))[-1])
        usual = not marked and bar.number > 0 and bar.number % PHRASE == 0
        if i == sounding[-1] or usual or _closes(row, last, median):
            mask[last:] = True
        if bar.closing is not None:
            mask |= bar.closing
    first, mask = _row(rows[sounding[0]]), found[sounding[0]]
    assert mask is not None
    mask[: int(np.flatnonzero(onsets(first))[0])] = True
    return found


def _closes(row: Row, last: int, median: float) -> bool:
    """Whether the last note of a measure, which starts at tick `last`, ends a phrase."""
    length = len(row) - last
    rests = np.flatnonzero(row[last:] == REST)
    silent = length - int(rests[0]) if len(rests) else 0
    return silent >= TICKS_PER_BEAT or (2 * length >= len(row) and length >= LONG * median)


def _lengths(row: Row) -> list[int]:
    """The ticks from each onset to the next event, or to the barline."""
    events = np.append(np.flatnonzero(row != HOLD), len(row))
    return [b - a for a, b in itertools.pairwise(events.tolist()) if row[a] >= FIRST_PITCH]


def _row(row: Row | None) -> Row:
    assert row is not None
    return row
