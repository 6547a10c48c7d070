"""Melodies made to fit each other, measure by measure, so that they can be interpolated.

    meters     must be the same measure by measure; otherwise the melodies are refused, and the measures are named
    measures   must all be readable: one that arvae leaves unchanged cannot be interpolated, and is named
    pickups    stand over each other; a melody without one is silent there
    lengths    the shorter is played again, from measure 1, until the longer ends
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
    """Some measures, by number. A note that was tied into one from outside is struck there."""
    bars: list[Bar] = []
    for i, bar in enumerate(melody.bars):
        if not selected(ranges, bar.number):
            continue
        if bar.tokens is not None and bar.tokens[0] == HOLD and (not bars or melody.bars[i - 1] is not bars[-1]):
            bar = replace(bar, tokens=_struck(bar.tokens, _ringing(melody, i)))
        bars.append(bar)
    if not bars:
        raise UsageError("no measure of it is selected", where=melody.name)
    return replace(melody, bars=tuple(bars))


def _ringing(melody: Melody, i: int) -> int:
    """What sounds at the barline before a measure."""
    for bar in reversed(melody.bars[:i]):
        end = REST if bar.tokens is None else int(ends_in(bar.tokens[None])[0])
        if end != HOLD:
            return end
    return REST


def _struck(row: Row, token: int) -> Row:
    fresh = row.copy()
    fresh[0] = token
    return fresh


def match(melodies: Sequence[Melody], model: Model) -> list[Melody]:
    """The same with as many measures each. Raises InputError where they do not fit each other, or the model."""
    for melody in melodies:
        _check(melody, model)
    pickup = any(melody.bars[0].number == 0 for melody in melodies)
    length = max(sum(bar.number > 0 for bar in melody.bars) for melody in melodies)
    matched = [_fitted(melody, melodies, pickup, length) for melody in melodies]
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


def _check(melody: Melody, model: Model) -> None:
    through = [bar for bar in melody.bars if bar.tokens is None]
    if through:
        numbers = ", ".join(str(bar.number) for bar in through[:8]) + (", ..." if len(through) > 8 else "")
        raise InputError(
            f"measure{'s' if len(through) > 1 else ''} {numbers} cannot be interpolated: {through[0].reason}",
            where=melody.name,
            remedy="choose other measures with bars=...",
        )
    for bar in melody.bars:
        if bar.meter is not None and bar.meter.name not in model.metadata.meters:
            raise InputError(
                f"measure {bar.number} is in {bar.meter.name}, which the model does not know",
                where=melody.name,
                remedy="take another model with model=...",
            )


def _fitted(melody: Melody, all_of_them: Sequence[Melody], pickup: bool, length: int) -> Melody:
    """With a pickup if any has one, and repeated to `length` measures; in file ticks of its own."""
    bars = list(melody.bars)
    counted = [bar for bar in bars if bar.number > 0]
    opening = [bar for bar in bars if bar.number == 0]
    if pickup and not opening:
        model_bar = next(m.bars[0] for m in all_of_them if m.bars[0].number == 0)
        assert model_bar.meter is not None
        silent = np.full(model_bar.meter.ticks, HOLD, dtype=np.int16)
        silent[0] = REST
        opening = [replace(model_bar, tokens=silent)]
    again = [*opening, *itertools.islice(itertools.cycle(counted), length)]
    start, laid = 0, []
    for i, bar in enumerate(again):
        assert bar.meter is not None
        assert bar.tokens is not None
        row = bar.tokens
        wraps = bar is counted[0] and i > len(opening)
        if wraps and row[0] == HOLD:
            row = _struck(row, _ringing(melody, bars.index(bar)))
        end = start + int(bar.meter.quarters * TICKS_PER_QUARTER)
        number = i + (0 if opening else 1)
        laid.append(Bar(number, bar.signature, start, end, bar.meter, row))
        start = end
    return replace(melody, bars=tuple(laid))
