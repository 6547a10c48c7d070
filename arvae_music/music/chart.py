"""Chord charts: the chords that a user writes for a melody, such as `C F G7 C` or `C | F G7 | C . Am . | %`.

Without barlines, every symbol is one measure. With barlines (`|`), the symbols between two of them share a measure
evenly. `.` or `/` holds the chord before it, and `%` alone repeats the measure before. `N.C.` is a measure without a
chord. A chart begins in measure 1, after a pickup, and is repeated until the melody ends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ..errors import UsageError
from .chords import Chord, is_german
from .harmony import ChordAt, Origin, of_chords
from .melody import Bar, Melody
from .meter import Meter

HOLDS = (".", "/")
REPEAT = "%"

Chart = tuple[tuple[Chord | None, ...], ...]  # the symbols of each measure; None holds the chord before


def parse(text: str) -> Chart:
    """The measures of a chart. Raises UsageError for a text that is none."""
    plain = re.sub(r"\|[|:\]]+|[\[:|]+\|", "|", text)  # double barlines and repeat signs
    symbols = plain.replace("|", " ").split()
    if not symbols:
        raise UsageError("the chart has no chords", remedy='give chords="C F G7 C", for instance')
    german = is_german(symbols)
    cells = [cell.split() for cell in plain.split("|")] if "|" in plain else [[symbol] for symbol in symbols]
    cells = [cell for i, cell in enumerate(cells) if cell or 0 < i < len(cells) - 1]  # a chart may begin and end with |
    measures: list[tuple[Chord | None, ...]] = []
    for number, cell in enumerate(cells, 1):
        if not cell:
            raise UsageError(f"measure {number} of the chart is empty", remedy="write % to repeat the measure before")
        if cell == [REPEAT]:
            measures.append(_before(measures))
        else:
            measures.append(tuple(None if symbol in HOLDS else _symbol(symbol, german, number) for symbol in cell))
        if number == 1 and measures[0][0] is None:
            raise UsageError("the chart begins without a chord", remedy="write a chord or N.C. first")
    return tuple(measures)


def _before(measures: Sequence[tuple[Chord | None, ...]]) -> tuple[Chord | None, ...]:
    if not measures:
        raise UsageError("the chart begins with %, which repeats the measure before", remedy="write a chord first")
    return measures[-1]


def _symbol(text: str, german: bool, number: int) -> Chord:
    try:
        return Chord.parse(text, german=german)
    except UsageError as error:
        raise UsageError(error.what, where=f"measure {number} of the chart", remedy=error.remedy) from None


def with_chart(melody: Melody, chart: Chart) -> Melody:
    """The melody with the chart's chords in its measures, from measure 1 on. The accompaniment stays.

    Raises UsageError if the chart does not fit: if the number of measures is not a multiple of its length, or if the
    symbols of a measure do not divide its beats.
    """
    counted = [i for i, bar in enumerate(melody.bars) if bar.number > 0]
    if len(counted) % len(chart):
        raise UsageError(_misfit(melody, counted, len(chart)), remedy=_fitting(len(counted)))
    bars = list(melody.bars)
    current: Chord | None = None
    for n, i in enumerate(counted):
        symbols = chart[n % len(chart)]
        held = [current := current if symbol is None else symbol for symbol in symbols]
        if bars[i].meter is not None:
            bars[i] = _with_chords(bars[i], held)
    for i, bar in enumerate(bars):
        if bar.number <= 0 and bar.meter is not None:  # the chart says nothing of the pickup's chord
            bars[i] = _with_chords(bar, [None])
    return replace(melody, bars=tuple(bars))


def without_harmony(melody: Melody) -> Melody:
    """The melody without chords and accompaniment."""
    return replace(melody, bars=tuple(replace(bar, harmony=None) for bar in melody.bars))


def _with_chords(bar: Bar, symbols: Sequence[Chord | None]) -> Bar:
    assert bar.meter is not None
    chords = _divided(symbols, bar.meter, bar.number)
    harmony = of_chords(chords, bar.meter, Origin.GIVEN)
    return replace(bar, harmony=harmony if bar.harmony is None else bar.harmony.with_chords(harmony))


def _divided(symbols: Sequence[Chord | None], meter: Meter, number: int) -> list[ChordAt]:
    """The positions of the symbols of a measure, which share it evenly. They begin on beats or halves of beats (in
    compound meters, also on thirds)."""
    count = len(symbols)
    parts = (1, 2, 3, 6) if meter.compound else (1, 2)
    if meter.beats % count and count not in [meter.beats * part for part in parts]:
        raise UsageError(
            f"{count} chords do not divide the {meter.beats} beats of measure {number}",
            remedy=f"write {meter.beats} symbols for its beats, where . holds the chord before",
        )
    found: list[ChordAt] = []
    for n, chord in enumerate(symbols):
        if not found or chord != found[-1][1]:
            found.append((meter.quarters * n / count, chord))
    return found


def _misfit(melody: Melody, counted: Sequence[int], length: int) -> str:
    measures = f"measures {melody.bars[counted[0]].number} to {melody.bars[counted[-1]].number}" if counted else "none"
    return f"the chart has {length} measures and {melody.name} has {len(counted)} ({measures})"


def _fitting(count: int) -> str:
    divisors = [n for n in range(1, count + 1) if count % n == 0]
    return f"give a chart of {', '.join(map(str, divisors[:-1]))}{' or ' if divisors[:-1] else ''}{count} measures"


