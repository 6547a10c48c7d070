"""What people write for a target, what it stands for, and what is said to the rest."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import strategies  # noqa: F401  the hypothesis profile
from hypothesis import given

from arvae_music.errors import UsageError
from arvae_music.music.attributes import BUILT_IN
from arvae_music.music.meter import Meter
from arvae_music.music.sliders import Change, Target, describe, numbers_in, parse, selected, to_json

DENSITY, CONTOUR, RHYTHM = BUILT_IN["density"], BUILT_IN["contour"], BUILT_IN["rhythm"]
FOUR, THREE = Meter(4), Meter(3)

# Decimals of few digits, some of them so large or small that they are written with an exponent.
AMOUNTS = st.builds(lambda digits, power: float(f"{digits}e{power}"), st.integers(-99999, 99999), st.integers(-9, 14))


@st.composite
def changes(draw: st.DrawFn, kind: str, unit: str) -> Change:
    amount = draw(AMOUNTS)
    return Change(kind, abs(amount) or 1.0 if kind == "times" else amount, unit)


@st.composite
def targets(draw: st.DrawFn, own_unit: str) -> Target:
    kind = draw(st.sampled_from(["add", "set", "times"]))
    units = {"add": ["", "%", own_unit], "set": ["", own_unit], "times": [""]}[kind]
    one = changes(kind, draw(st.sampled_from(units)))
    if draw(st.booleans()):
        return Target(((0.0, draw(one)),))
    places = sorted(draw(st.sets(st.integers(0, 400), min_size=1, max_size=5)))
    return Target(tuple((place / 2, draw(one)) for place in places), curve=True)


@given(st.data(), st.sampled_from([DENSITY, CONTOUR, RHYTHM]))
def test_a_target_reads_back_what_it_writes(data, spec):
    target = data.draw(targets(spec.unit.names[0]))
    assert parse(str(target), spec) == target


@given(st.text("+-=x×*0123456789.%:, enotsd", max_size=12))
def test_any_text_is_a_target_or_a_usage_error(text: str):
    try:
        target = parse(text, DENSITY)
    except UsageError:
        return
    assert all(np.isfinite([at, change.amount]).all() for at, change in target.points)
    assert str(parse(str(target), DENSITY)) == str(target)


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("+1.5", Change("add", 1.5)),
        (" -.5 ", Change("add", -0.5)),
        ("+2.", Change("add", 2.0)),
        ("+1e-5", Change("add", 0.00001)),
        ("+1.5sd", Change("add", 1.5)),
        ("-1 SDs", Change("add", -1.0)),
        ("-2notes", Change("add", -2.0, "notes")),
        ("+1 note", Change("add", 1.0, "notes")),
        ("+1 NOTE", Change("add", 1.0, "notes")),
        ("+10%", Change("add", 10.0, "%")),
        ("-10 %", Change("add", -10.0, "%")),
        ("=8notes", Change("set", 8.0, "notes")),
        ("=1.5", Change("set", 1.5)),
        ("= -1", Change("set", -1.0)),
        ("=1sd", Change("set", 1.0)),
        ("x1.5", Change("times", 1.5)),
        ("×2", Change("times", 2.0)),
        ("*.5", Change("times", 0.5)),
    ],
)
def test_single_forms(text: str, change: Change):
    assert parse(text, DENSITY) == Target(((0.0, change),))


def test_a_curve():
    assert parse("0:+0, 8 : +2", DENSITY) == Target(((0, Change("add", 0.0)), (8, Change("add", 2.0))), curve=True)
    one = parse("3:=4notes", DENSITY)
    assert one.curve
    assert one.points == ((3, Change("set", 4.0, "notes")),)
    assert str(one) == "3:=4notes"


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("", "not a valid target", "write more, less, +1.5"),
        ("louder", "not a valid target", "write more, less, +1.5"),
        ("+", "not a valid target", "write more, less, +1.5"),
        ("++1", "not a valid target", "write more, less, +1.5"),
        ("nan", "not a valid target", "write more, less, +1.5"),
        ("9" * 400, "not a valid target", "write more, less, +1.5"),
        ("+1,+2", "not a valid target", "write more, less, +1.5"),
        ("0:+0,8", "not a valid target", "write more, less, +1.5"),
        ("a:+0", "not a valid target", "write more, less, +1.5"),
        ("nan:+0,8:+1", "not a valid target", "write more, less, +1.5"),
        ("0:+0,inf:+1", "not a valid target", "write more, less, +1.5"),
        ("0:+0,,8:+1", "not a valid target", "write more, less, +1.5"),
        ("0:,8:+1", "not a valid target", "write more, less, +1.5"),
        ("=10%", "no percentage", "write =10notes"),
        ("x-2", "plain positive", "write x1.5"),
        ("x0", "plain positive", "write x1.5"),
        ("0:x0,8:x2", "plain positive", "write x1.5"),
        ("x2notes", "plain positive", "write x1.5"),
        ("x50%", "plain positive", "write x1.5"),
        ("+2st", "no unit 'st'", "its unit is 'notes'"),
        ("2", "neither a change nor a value", "+2notes, =2notes or +2 (standard deviations)?"),
        ("50%", "neither a change nor a value", "did you mean +50%, or x0.5?"),
        ("2notes", "neither a change nor a value", "did you mean +2notes or =2notes?"),
        ("1:+0,8:2", "2 is neither a change nor a value", "+2notes, =2notes or +2 (standard deviations)?"),
        ("8:+0,0:+2", "must increase", "write 1:+0,8:+2"),
        ("4:+0,4:+2", "must increase", "write 1:+0,8:+2"),
        ("-1:+0,8:+2", "count from 1", "write 1:+0,8:+2"),
        ("0:+0,8:=2", "of one form", "write 1:+0,8:+2"),
        ("0:+0,8:+2notes", "of one form", "write 1:+0,8:+2"),
    ],
)
def test_errors(text: str, what: str, remedy: str):
    with pytest.raises(UsageError) as raised:
        parse(text, DENSITY)
    assert raised.value.where == f"density {text!r}"
    assert what in raised.value.what
    assert remedy in raised.value.remedy


def wanted(text: str, now: list[float], numbers: list[int], meter: Meter = FOUR, spec=DENSITY) -> list[float]:
    """With a corpus mean of 0.2 and sd of 0.05."""
    return parse(text, spec).wanted(np.array(now), numbers, spec.unit.size(meter), 0.2, 0.05).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+2", [0.1 + 0.1, 0.3 + 0.1]),
        ("-2notes", [0.1 - 2 / 24, 0.3 - 2 / 24]),
        ("+10%", [0.11, 0.33]),
        ("x1.5", [0.15, 0.45]),
        ("=8notes", [8 / 24, 8 / 24]),
        ("=1.5", [0.275, 0.275]),
        ("=0", [0.2, 0.2]),
    ],
)
def test_wanted(text: str, expected: list[float]):
    assert wanted(text, [0.1, 0.3], [1, 2]) == pytest.approx(expected)


def test_the_unit_goes_by_the_meter_and_the_attribute():
    assert wanted("=3notes", [0.5], [1], THREE) == pytest.approx([3 / 18])
    assert wanted("+13st", [0.0], [1], THREE, CONTOUR) == pytest.approx([0.5])
    assert wanted("=7pt", [0.0], [1], FOUR, RHYTHM) == pytest.approx([0.07])


def test_a_curve_is_straight_between_its_points_and_level_outside():
    numbers = [0, 2, 4, 6, 10, 99]
    assert wanted("2:+0,10:+4", [0.1] * 6, numbers) == pytest.approx([0.1, 0.1, 0.15, 0.2, 0.3, 0.3])
    assert wanted("2:x1,6:x3", [0.1] * 3, [2, 4, 6]) == pytest.approx([0.1, 0.2, 0.3])
    assert wanted("0:=2notes,4:=6notes", [0.9] * 2, [1, 2]) == pytest.approx([3 / 24, 4 / 24])
    assert wanted("0:+0%,10:+50%", [0.2] * 2, [5, 10]) == pytest.approx([0.25, 0.3])


def test_a_ramp_counts_measures_as_the_report_does():
    """From 1; measure 0 is a pickup."""
    parse("0:+0,8:+2", DENSITY).expect_measures(0)
    for text in ("1:+0,8:+2", "3:=4notes", "+2"):
        parse(text, DENSITY).expect_measures(1)
        parse(text, DENSITY).expect_measures(5)  # an excerpt
    with pytest.raises(UsageError, match="starts at measure 0, and the melody has no pickup") as raised:
        parse("0:+0,.5:+1,8:+2", DENSITY).expect_measures(1)
    assert raised.value.remedy == "write 1:+0,8:+2"


def test_in_words():
    assert describe(DENSITY, 6 / 24, FOUR) == "6 notes"
    assert describe(CONTOUR, 7.5 / 26, FOUR) == "7.5 st"
    assert to_json({"density": parse("+1.50", DENSITY)}) == {"density": "+1.5"}


def test_ranges_of_measures():
    assert numbers_in("1-4,7,12-") == [(1, 4), (7, 7), (12, None)]
    assert numbers_in(" 0 , 2 - 3") == [(0, 0), (2, 3)]
    ranges = numbers_in("1-4,7,12-")
    assert [n for n in range(15) if selected(ranges, n)] == [1, 2, 3, 4, 7, 12, 13, 14]
    assert not selected([], 1)


@pytest.mark.parametrize(
    ("text", "what"),
    [*((text, "not a range") for text in ("", "a", "1,,2", "-3", "1-2-3", "1.5")), ("4-1", "backwards")],
)
def test_no_ranges(text: str, what: str):
    with pytest.raises(UsageError, match=what) as raised:
        numbers_in(text)
    assert 'bars="1-4,7,12-"' in raised.value.remedy


@pytest.mark.parametrize(("text", "amount"), [("more", 1.0), ("Much less", -2.0), (" a little more ", 0.5)])
def test_words_are_changes_in_sd(text: str, amount: float):
    assert str(parse(text, BUILT_IN["density"])) == f"{amount:+g}"
