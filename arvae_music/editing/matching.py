"""Make melodies match measure by measure, so that they can be interpolated.

meters     must agree in every measure; otherwise the error names the measures
measures   must all be readable; the error names a measure that arvae cannot read
pickups    (incomplete first measures) are aligned; a melody without one gets a silent measure
lengths    a shorter melody is repeated from measure 1 until the longest ends
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..arrays import Row
from ..errors import InputError, UsageError
from ..music.melody import Bar, Melody
from ..music.sliders import selected
from ..music.tokens import HOLD, REST, ends_in
from ..networks.model import Model

TICKS_PER_QUARTER = 480


def excerpt(melody: Melody, ranges: Sequence[tuple[int, int | None]]) -> Melody:
    """The melody of some measures, given by number. A note that is tied into them from outside starts anew there."""
    bars: list[Bar] = []
    for i, bar in enumerate(melody.bars):
        if not selected(ranges, bar.number):
            continue
        if bar.tokens is not None and bar.tokens[0] == HOLD and (not bars or melody.bars[i - 1] is not bars[-1]):
            bar = replace(bar, tokens=_with_first_token(bar.tokens, _sounding_before(melody, i)))
        bars.append(bar)
    if not bars:
        raise UsageError("no measure is selected", where=melody.name)
    return replace(melody, bars=tuple(bars))


def _sounding_before(melody: Melody, i: int) -> int:
    """The token that sounds at the barline before measure i: a pitch or REST."""
    for bar in reversed(melody.bars[:i]):
        end = REST if bar.tokens is None else int(ends_in(bar.tokens[None])[0])
        if end != HOLD:
            return end
    return REST


def _with_first_token(row: Row, token: int) -> Row:
    fresh = row.copy()
    fresh[0] = token
    return fresh


def match(melodies: Sequence[Melody], model: Model) -> list[Melody]:
    """Extend the melodies to the same measures. Raises InputError if they do not fit each other or the model."""
    for melody in melodies:
        _check(melody)
    pickup = any(melody.bars[0].number == 0 for melody in melodies)
    length = max(sum(bar.number > 0 for bar in melody.bars) for melody in melodies)
    matched = [_adapted(melody, melodies, pickup, length) for melody in melodies]
    for one, other in itertools.pairwise(matched):
        differ = [(a, b) for a, b in zip(one.bars, other.bars, strict=True) if a.meter != b.meter]
        if differ:
            a, b = differ[0]
            more = f", and {len(differ) - 1} more measures differ" if len(differ) > 1 else ""
            raise InputError(
                f"measure {a.number} is in {a.signature} in {one.name} and in {b.signature} in {other.name}{more}",
                remedy="choose measures of the same meter with bars=...",
            )
    return matched


def _check(melody: Melody) -> None:
    unreadable = [bar for bar in melody.bars if bar.tokens is None]
    if unreadable:
        numbers = ", ".join(str(bar.number) for bar in unreadable[:8]) + (", ..." if len(unreadable) > 8 else "")
        raise InputError(
            f"measure{'s' if len(unreadable) > 1 else ''} {numbers} cannot be interpolated: {unreadable[0].why}",
            where=melody.name,
            remedy="choose other measures with bars=...",
        )


def _adapted(melody: Melody, melodies: Sequence[Melody], pickup: bool, length: int) -> Melody:
    """The melody with a pickup if any of the melodies has one, and repeated to `length` measures. Its times are counted
    anew in ticks of TICKS_PER_QUARTER."""
    bars = list(melody.bars)
    counted = [bar for bar in bars if bar.number > 0]
    opening = [bar for bar in bars if bar.number == 0]
    if pickup and not opening:
        other_pickup = next(other.bars[0] for other in melodies if other.bars[0].number == 0)
        assert other_pickup.meter is not None
        silent = np.full(other_pickup.meter.ticks, HOLD, dtype=np.int16)
        silent[0] = REST
        opening = [replace(other_pickup, tokens=silent, fifths=None)]
    repeated = [*opening, *itertools.islice(itertools.cycle(counted), length)]
    start, adapted = 0, []
    for i, bar in enumerate(repeated):
        assert bar.meter is not None
        assert bar.tokens is not None
        row = bar.tokens
        wraps = bar is counted[0] and i > len(opening)
        if wraps and row[0] == HOLD:
            row = _with_first_token(row, _sounding_before(melody, bars.index(bar)))
        end = start + int(bar.meter.quarters * TICKS_PER_QUARTER)
        number = i + (0 if opening else 1)
        adapted.append(Bar(number, bar.signature, start, end, bar.meter, row, harmony=bar.harmony, fifths=bar.fifths))
        start = end
    return replace(melody, bars=tuple(adapted))
