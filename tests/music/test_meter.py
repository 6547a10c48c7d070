"""Meters and their tick grids. Expected values are the published grid, or are computed by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import meters

from arvae_music.music.meter import CODES, FIRST_CODES, MAX_TICKS, Meter, all_meters


def test_the_grid_of_4_4_is_the_published_one() -> None:
    four = Meter.parse("4/4")
    beat = [Fraction(0), Fraction(1, 4), Fraction(1, 3), Fraction(1, 2), Fraction(2, 3), Fraction(3, 4)]
    assert four.ticks == 24
    assert list(four.tick_quarters) == [b + t for b in range(4) for t in beat] + [4]


def test_the_ticks_of_a_compound_beat_are_sixteenths() -> None:
    assert Meter.parse("6/8").tick_quarters == tuple(Fraction(n, 4) for n in range(13))


@pytest.mark.parametrize(
    ("signature", "name", "ticks", "quarters"),
    [
        ((4, 4), "4/4", 24, 4),
        ((2, 2), "4/4", 24, 4),
        ((3, 4), "3/4", 18, 3),
        ((2, 4), "2/4", 12, 2),
        ((3, 2), "6/4", 36, 6),
        ((5, 4), "5/4", 30, 5),
        ((1, 4), "1/4", 6, 1),
        ((3, 8), "3/8", 6, Fraction(3, 2)),
        ((6, 8), "6/8", 12, 3),
        ((9, 8), "9/8", 18, Fraction(9, 2)),
        ((12, 8), "12/8", 24, 6),
        # the same value with another denominator
        ((4, 8), "2/4", 12, 2),
        ((2, 8), "1/4", 6, 1),
        ((8, 8), "4/4", 24, 4),
        ((10, 8), "5/4", 30, 5),
        ((4, 2), "8/4", 48, 8),
        ((2, 1), "8/4", 48, 8),
        ((4, 1), "16/4", 96, 16),
        ((8, 16), "2/4", 12, 2),
        ((14, 16), "7/8", 42, Fraction(7, 2)),
        # long measures
        ((7, 4), "7/4", 42, 7),
        ((8, 4), "8/4", 48, 8),
        ((15, 8), "15/8", 30, Fraction(15, 2)),
        # beats of an eighth, a dotted eighth and a sixteenth
        ((1, 8), "1/8", 6, Fraction(1, 2)),
        ((5, 8), "5/8", 30, Fraction(5, 2)),
        ((7, 8), "7/8", 42, Fraction(7, 2)),
        ((3, 16), "3/16", 6, Fraction(3, 4)),
        ((6, 16), "6/16", 12, Fraction(3, 2)),
        ((12, 16), "12/16", 24, 3),
        ((5, 16), "5/16", 30, Fraction(5, 4)),
    ],
)
def test_a_time_signature_gives_a_meter(signature: tuple[int, int], name: str, ticks: int, quarters: Fraction) -> None:
    meter = Meter.from_signature(*signature)
    assert meter is not None
    assert (meter.name, meter.ticks, meter.quarters) == (name, ticks, quarters)


@pytest.mark.parametrize(
    "signature",
    [
        (0, 8),
        (0, 4),
        (-3, 8),
        (-4, 4),
        (17, 4),
        (5, 1),
        (17, 8),
        (27, 8),
        (17, 16),
        (3, 32),
        (1, 64),
        (4, 0),
        (4, 3),
    ],
)
def test_some_time_signatures_are_not_supported(signature: tuple[int, int]) -> None:
    assert Meter.from_signature(*signature) is None


@pytest.mark.parametrize("text", ["", "4", "/4", "4/", "4/4/4", "C", "17/8", "-4/4", "4.0/4", " 4/4", "²/4"])
def test_parse_refuses_other_texts(text: str) -> None:
    with pytest.raises(ValueError, match="unsupported meter"):
        Meter.parse(text)


@pytest.mark.parametrize(
    ("beats", "compound", "halved"),
    [
        (0, False, 0), (17, False, 0), (-1, False, 0), (0, True, 0), (9, True, 0),
        (4, False, 1), (9, False, 1), (7, False, 3), (2, True, 2),
    ],
)
def test_the_beats_are_limited_and_each_value_has_one_meter(beats: int, compound: bool, halved: int) -> None:
    with pytest.raises(ValueError, match="beats"):
        Meter(beats, compound, halved)


def test_all_meters_lists_every_supported_meter_once() -> None:
    names = [meter.name for meter in all_meters()]
    signatures = [(n, 2**d) for n in range(1, 70) for d in range(7)]
    found = {meter.name for signature in signatures if (meter := Meter.from_signature(*signature))}
    assert set(names) == found
    assert len(names) == len(found)
    assert len({meter.code for meter in all_meters()}) == len(names)
    assert max(meter.code for meter in all_meters()) == CODES - 1
    assert max(meter.ticks for meter in all_meters()) == MAX_TICKS


def test_two_signatures_with_the_same_length_and_division_are_one_meter() -> None:
    values: dict[Meter, set[tuple[Fraction, int]]] = {}
    for numerator in range(1, 40):
        for denominator in (1, 2, 4, 8, 16, 32):
            if meter := Meter.from_signature(numerator, denominator):
                beat = denominator if denominator >= 8 and numerator % 3 == 0 else 0  # of a compound meter
                values.setdefault(meter, set()).add((Fraction(4 * numerator, denominator), beat))
    assert all(len(found) == 1 for found in values.values())
    assert len(set().union(*values.values())) == len(values)


def test_the_codes_of_the_oldest_models_are_still_theirs() -> None:
    codes = {"1/4": 2, "2/4": 4, "3/4": 6, "4/4": 8, "5/4": 10, "6/4": 12, "3/8": 3, "6/8": 5, "9/8": 7, "12/8": 9}
    assert {name: Meter.parse(name).code for name in codes} == codes
    assert all(meter.code >= FIRST_CODES for meter in all_meters() if meter.name not in codes)


def test_a_meter_of_short_beats_has_the_grid_of_its_form_at_another_speed() -> None:
    for name, form, times in (("7/8", "7/4", 2), ("12/16", "12/8", 2), ("5/16", "5/4", 4), ("3/4", "3/4", 1)):
        meter = Meter.parse(name)
        assert meter.form == Meter.parse(form)
        assert [times * at for at in meter.tick_quarters] == list(meter.form.tick_quarters)


@given(meters())
def test_name_and_code_can_be_read_back(meter: Meter) -> None:
    assert Meter.parse(meter.name) == meter
    assert Meter.from_code(meter.code) == meter


@given(st.integers(-5, 60))
def test_other_codes_are_refused(code: int) -> None:
    known = {meter.code: meter for meter in all_meters()}
    if code in known:
        assert Meter.from_code(code) == known[code]
    else:
        with pytest.raises(ValueError, match="no meter has the code"):
            Meter.from_code(code)


@given(meters())
def test_ticks_rise_and_beats_are_equally_long(meter: Meter) -> None:
    positions = meter.tick_quarters
    assert len(positions) == meter.ticks + 1
    assert positions[0] == 0
    assert positions[-1] == meter.quarters
    assert list(positions) == sorted(set(positions))
    assert [positions[6 * b] for b in range(meter.beats)] == [
        b * meter.beat_quarters for b in range(meter.beats)
    ]
    assert all(meter.tick_at[position] == tick for tick, position in enumerate(positions))
