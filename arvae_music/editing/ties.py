"""Ties over barlines: what binds a measure to its neighbours."""

from __future__ import annotations

from collections.abc import Container, Sequence

import numpy as np
import numpy.typing as npt

from ..arrays import Array, Mask, Row
from ..music.melody import Melody
from ..music.tokens import FIRST_PITCH, HOLD, REST, ends_in


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
