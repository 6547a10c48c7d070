"""A measure's length, and how measures and melodies print."""

from __future__ import annotations

from fractions import Fraction

import pytest
from melodies import EIGHT
from midi_files import FOUR, row

from arvae_music.music.melody import Bar
from arvae_music.music.meter import Meter
from arvae_music.music.reasons import Reason


@pytest.mark.parametrize(
    ("signature", "meter", "quarters"),
    [("2/2", FOUR, Fraction(4)), ("6/8", Meter(2, compound=True), Fraction(3)), ("7/8", None, Fraction(7, 2))],
)
def test_a_bar_has_the_length_of_its_time_signature(signature: str, meter: Meter | None, quarters: Fraction) -> None:
    bar = Bar(1, signature, 0, 1920, meter, reason=Reason.UNSUPPORTED)
    assert bar.quarters == quarters


def test_bars_and_melodies_print_on_one_short_line() -> None:
    assert repr(EIGHT) == "<Melody 'tune': 8 measures, 30 notes>"
    assert repr(Bar(3, "4/4", 0, 1920, FOUR, row(FOUR, t0=67, t12=69))) == "<Bar 3, 4/4: 2 notes start>"
    assert repr(Bar(4, "7/8", 0, 1680, reason=Reason.UNSUPPORTED)) == "<Bar 4, 7/8: unsupported meter>"


def test_a_bar_without_tokens_cannot_be_changed() -> None:
    closed = EIGHT.with_rows({})
    bars = (Bar(1, "4/4", 0, 1920, FOUR, reason=Reason.TWO_AT_ONCE), *closed.bars[1:])
    with pytest.raises(ValueError, match=r"bar 1 has no tokens \(two notes at once\) and cannot be changed"):
        type(closed)("tune", bars, 0, 0).with_rows({0: row(FOUR, t0=67)})
