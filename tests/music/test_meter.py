"""Meters and their tick grids. Expected values are the published grid, or are computed by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import meters

from arvae_music.music.meter import MAX_TICKS, Meter, all_meters


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
    ],
)
def test_a_time_signature_gives_a_meter(signature: tuple[int, int], name: str, ticks: int, quarters: Fraction) -> None:
    meter = Meter.from_signature(*signature)
    assert meter is not None
    assert (meter.name, meter.ticks, meter.quarters) == (name, ticks, quarters)


@pytest.mark.parametrize(
    "signature",
    [
        (5, 8),
        (7, 8),
        (15, 8),
        (0, 8),
        (0, 4),
        (-3, 8),
        (-4, 4),
        (7, 4),
        (4, 2),
        (4, 1),
        (4, 0),
        (3, 16),
        (4, 3),
    ],
)
def test_some_time_signatures_are_not_supported(signature: tuple[int, int]) -> None:
    assert Meter.from_signature(*signature) is None


@pytest.mark.parametrize("text", ["", "4", "/4", "4/", "4/4/4", "C", "7/8", "-4/4", "4.0/4", " 4/4", "²/4"])
def test_parse_refuses_other_texts(text: str) -> None:
    with pytest.raises(ValueError, match="unsupported meter"):
        Meter.parse(text)


@pytest.mark.parametrize(("beats", "compound"), [(0, False), (7, False), (-1, False), (0, True), (5, True)])
def test_the_number_of_beats_is_limited(beats: int, compound: bool) -> None:
    with pytest.raises(ValueError, match="beats"):
        Meter(beats, compound)


def test_all_meters_lists_every_supported_meter_once() -> None:
    names = {meter.name for meter in all_meters()}
    assert names == {"1/4", "2/4", "3/4", "4/4", "5/4", "6/4", "3/8", "6/8", "9/8", "12/8"}
    assert len({meter.code for meter in all_meters()}) == len(names)
    assert max(meter.ticks for meter in all_meters()) == MAX_TICKS


@given(meters())
def test_name_and_code_can_be_read_back(meter: Meter) -> None:
    assert Meter.parse(meter.name) == meter
    assert Meter.from_code(meter.code) == meter


@given(st.integers(-5, 40))
def test_other_codes_are_refused(code: int) -> None:
    known = {meter.code: meter for meter in all_meters()}
    if code in known:
        assert Meter.from_code(code) == known[code]
    else:
        with pytest.raises(ValueError, match="beats"):
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
