"""Chord charts, laid over a melody."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from arvae_music.errors import UsageError
from arvae_music.music.chart import parse, with_chart
from arvae_music.music.harmony import Origin
from arvae_music.music.melody import Bar, Melody
from arvae_music.music.meter import Meter
from arvae_music.music.tokens import HOLD, REST


def melody(count: int, meter: str = "4/4", pickup: bool = False) -> Melody:
    found = Meter.parse(meter)
    row = np.full(found.ticks, HOLD, dtype=np.int16)
    row[0] = REST
    bars = [Bar(n, meter, 0, 0, found, row) for n in range(1, count + 1)]
    if pickup:
        bars.insert(0, Bar(0, meter, 0, 0, found, None, "pickup"))
    return Melody("tune", tuple(bars), 0, 0)


def laid(text: str, count: int, meter: str = "4/4") -> list[str | None]:
    return with_chart(melody(count, meter), parse(text)).chords


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C F G7 C", ["C", "F", "G7", "C"]),
        ("C F", ["C", "F", "C", "F"]),
        ("C | F G7 | C . Am . | %", ["C", "F G7", "C Am", "C Am"]),
        ("| C | % | . G7 | C ||", ["C", "C", "C G7", "C"]),
        ("|: C | F :|", ["C", "F", "C", "F"]),
        ("C . G . | F", ["C G", "F", "C G", "F"]),
        ("C % G %", ["C", "C", "G", "G"]),
        ("H B", ["B", "Bb", "B", "Bb"]),
        ("C N.C.", ["C", "N.C.", "C", "N.C."]),
    ],
)
def test_charts(text: str, expected: list[str]) -> None:
    assert laid(text, 4) == expected


def test_symbols_share_a_measure_evenly() -> None:
    bar = with_chart(melody(1), parse("| C . . G7 |")).bars[0]
    assert bar.harmony is not None
    assert bar.harmony.origin is Origin.GIVEN
    assert [(at, str(chord)) for at, chord in bar.harmony.chords] == [(Fraction(0), "C"), (Fraction(3), "G7")]
    tones = bar.harmony.chord_tones
    assert [np.flatnonzero(row).tolist() for row in tones[[0, 17, 18, 23]]] == [
        [0, 4, 7], [0, 4, 7], [2, 5, 7, 11], [2, 5, 7, 11]
    ]  # fmt: skip


def test_compound_measures_divide_into_beats_and_eighths() -> None:
    assert laid("| C G |", 1, "6/8") == ["C G"]
    assert laid("| C . . . . G |", 1, "6/8") == ["C G"]


def test_a_chart_begins_after_the_pickup() -> None:
    assert with_chart(melody(2, pickup=True), parse("C F")).chords == [None, "C", "F"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("C F G", r"the chart has 3 measures and tune has 4 \(measures 1 to 4\); give a chart of 1, 2 or 4 measures"),
        ("C C C C C", "the chart has 5 measures and tune has 4"),
        ("C | F G Am", "3 chords do not divide the 4 beats of measure 2; write 4 symbols"),
        ("C | Foo", "measure 2 of the chart: 'Foo' is not a chord symbol"),
        ("% C", "begins with %"),
        (". C", "begins without a chord"),
        ("C | | F", "measure 2 of the chart is empty; write %"),
        ("", "the chart has no chords"),
    ],
)
def test_a_chart_that_does_not_fit(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        laid(text, 4)
