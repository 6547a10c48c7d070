"""The eight musical attributes against golden values, tables of attributes, and attributes that users define.

The golden values come from golden/make_attributes.py, which computes them note by note, without arvae's code.
tests/training/test_conformance.py has the tests that every attribute of music and of images must pass.
"""

from __future__ import annotations

import json
import runpy
import sys
from collections import Counter
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from conftest import REPOSITORY
from hypothesis import given
from hypothesis import strategies as st
from strategies import batches, rows

from arvae_music.arrays import Row
from arvae_music.errors import UsageError
from arvae_music.music import attributes, sliders
from arvae_music.music.attributes import (
    BUILT_IN,
    PAPER,
    AttributeSpec,
    evaluate,
    evaluate_mixed,
    find,
    names,
)
from arvae_music.music.meter import FIRST_CODES, MAX_TICKS, Meter, all_meters
from arvae_music.music.tokens import FIRST_PITCH, HOLD, PAD, REST, VOCABULARY, by_meter, pack
from arvae_music.music.weights import metrical_levels, rhythm_weights

GOLDEN = REPOSITORY / "tests" / "golden"
CASES: list[dict[str, Any]] = json.loads((GOLDEN / "attributes.json").read_text(encoding="utf-8"))
FOUR = Meter(4)
UNIT = sliders.Unit(("raw",), lambda meter: 1.0)

every_attribute = pytest.mark.parametrize("spec", BUILT_IN.values(), ids=BUILT_IN)


def spec_of(function: attributes.Function) -> AttributeSpec:
    return AttributeSpec("mine", function, UNIT, "mine", "here")


# ------------------------------------------------------------------------------------ golden values


def test_the_golden_set_covers_every_meter_and_attribute() -> None:
    assert len(CASES) >= 30
    first = {meter.name for meter in all_meters() if meter.code < FIRST_CODES}
    assert {case["meter"] for case in CASES} >= {*first, "7/8", "8/4", "9/4", "15/8", "12/16"}
    assert all(set(case["expected"]) == set(BUILT_IN) for case in CASES)
    for name in BUILT_IN:
        assert len({case["expected"][name] for case in CASES}) >= 3, f"{name} hardly varies"


def test_the_generator_reproduces_the_golden_file() -> None:
    assert runpy.run_path(str(GOLDEN / "make_attributes.py"))["golden"]() == CASES


@every_attribute
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_every_attribute_has_its_golden_value(case: dict[str, Any], spec: AttributeSpec) -> None:
    measure = np.array([case["row"]], dtype=np.int16)
    value = spec.function(measure, Meter.parse(case["meter"]))
    assert value == pytest.approx([case["expected"][spec.name]], abs=1e-9)


def test_the_rhythm_weights_of_4_4_are_the_published_ones() -> None:
    published = "0.20 1 2 .5 2 1  0.67 1 2 .5 2 1  0.25 1 2 .5 2 1  0.67 1 2 .5 2 1"
    assert rhythm_weights(FOUR).tolist() == [float(weight) for weight in published.split()]


def test_the_papers_four_are_the_default() -> None:
    assert PAPER == ("rhythm", "range", "density", "contour")
    assert set(PAPER) < set(BUILT_IN)


@pytest.mark.parametrize(
    ("meter", "levels"),  # every further division of the measure is one level lower
    [
        ("4/4", "0 -4 -3 -4  -2 -4 -3 -4  -1 -4 -3 -4  -2 -4 -3 -4"),
        ("3/4", "0 -3 -2 -3  -1 -3 -2 -3  -1 -3 -2 -3"),
        ("2/4", "0 -3 -2 -3  -1 -3 -2 -3"),
        ("6/8", "0 -3 -2 -3 -2 -3  -1 -3 -2 -3 -2 -3"),
        ("3/8", "0 -2 -1 -2 -1 -2"),
    ],
)
def test_metrical_levels_are_those_of_longuet_higgins_and_lee(meter: str, levels: str) -> None:
    found = metrical_levels(Meter.parse(meter)).reshape(-1, 6)
    sixteenths = found if meter.endswith("/8") else found[:, [0, 1, 3, 5]]
    assert sixteenths.reshape(-1).tolist() == [int(level) for level in levels.split()]


@pytest.mark.parametrize("meter", all_meters(), ids=lambda meter: meter.name)
def test_equal_note_values_are_not_syncopated(meter: Meter) -> None:
    """A measure of beats, of eighths, of sixteenths or of triplets, in any meter."""
    inside = [(0,), (0, 2, 4), tuple(range(6))] if meter.compound else [(0,), (0, 3), (0, 1, 3, 5), (0, 2, 4)]
    for ticks in inside:
        row = np.zeros((1, meter.ticks), dtype=np.int16)
        row[0, [6 * b + t for b in range(meter.beats) for t in ticks]] = 30
        assert BUILT_IN["syncopation"].function(row, meter) == [0], ticks


def test_cached_tables_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        rhythm_weights(FOUR)[0] = 7
    with pytest.raises(ValueError, match="read-only"):
        metrical_levels(FOUR)[0] = 7


# ---------------------------------------------------------------------------- transposition and units


@every_attribute
@given(data=st.data())
def test_transposition_changes_only_the_mean_pitch(spec: AttributeSpec, data: st.DataObject) -> None:
    row = data.draw(rows(FOUR))
    started = row >= FIRST_PITCH
    low, high = (int(row[started].min()), int(row[started].max())) if started.any() else (FIRST_PITCH, 9)
    by = data.draw(st.integers(FIRST_PITCH - low, VOCABULARY - 1 - high))
    moved = np.where(started, row + by, row).astype(np.int16)
    before, after = (float(spec.function(r[None], FOUR)[0]) for r in (row, moved))
    expected = by / 26 if spec.name == "pitch" and started.any() else 0.0
    assert after - before == pytest.approx(expected, abs=1e-12)


@given(batch=batches(smallest=1), data=st.data())
def test_rhythmic_attributes_do_not_depend_on_pitch(batch: tuple[Row, Meter], data: st.DataObject) -> None:
    whole, meter = batch
    other = data.draw(st.integers(FIRST_PITCH, VOCABULARY - 1))
    flat = np.where(whole >= FIRST_PITCH, other, whole).astype(np.int16)
    for name in ("rhythm", "density", "syncopation"):
        function = BUILT_IN[name].function
        assert function(whole, meter).tolist() == function(flat, meter).tolist()


@pytest.mark.parametrize("meter", all_meters(), ids=lambda meter: meter.name)
def test_a_value_in_its_unit_is_a_count_people_know(meter: Meter) -> None:
    row = np.zeros((1, meter.ticks), dtype=np.int16)
    row[0, [0, 1, 2]] = (20, 23, 25)
    spoken = {
        name: BUILT_IN[name].function(row, meter)[0] / BUILT_IN[name].unit.size(meter) for name in BUILT_IN
    }
    assert spoken["density"] == pytest.approx(3)  # notes
    assert spoken["range"] == pytest.approx(5)  # semitones
    assert spoken["contour"] == pytest.approx(5)
    assert spoken["steps"] == pytest.approx(50)  # points of a hundred


# ------------------------------------------------------------------------------------ tables of attributes


def test_evaluate_returns_one_column_per_attribute() -> None:
    row = np.array([[30, 0, 0, 0, 0, 0] * 4], dtype=np.int16)
    table = evaluate([BUILT_IN["density"], BUILT_IN["range"]], row, FOUR)
    assert table.tolist() == [[4 / 24, 0]]
    assert evaluate(list(BUILT_IN.values()), row[:0], FOUR).shape == (0, 8)


@pytest.mark.parametrize("shape", [(24,), (1, 18), (1, 25), (1, 1, 24), (0, 0)])
def test_evaluate_refuses_rows_of_another_meter(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="rows of 4/4"):
        evaluate([], np.zeros(shape, dtype=np.int16), FOUR)


def test_evaluate_mixed_returns_each_measure_in_its_own_row() -> None:
    several = [*reversed(all_meters()), *all_meters(), FOUR]
    measures = [np.array([30, *[HOLD] * (m.ticks - 1)], dtype=np.int16) for m in several]
    inputs = pack(measures, several, MAX_TICKS)
    assert inputs.shape == (len(several), 1 + MAX_TICKS)
    assert inputs.dtype == np.int16
    assert Counter(meter for meter, at in by_meter(inputs) for _ in at) == Counter(several)
    assert (inputs == PAD).sum() == sum(MAX_TICKS - meter.ticks for meter in several)
    density = evaluate_mixed([BUILT_IN["density"]], inputs)
    assert density[:, 0].tolist() == [1 / meter.ticks for meter in several]


# ------------------------------------------------------------------------------ users' attributes


def test_the_error_names_a_function_that_returns_another_shape() -> None:
    rows_ = np.zeros((3, 24), dtype=np.int16)
    scalar: Any = 1.0
    with pytest.raises(
        UsageError, match=r"'mine' returned shape \(3, 24\) for 3 rows of 4/4; return one float"
    ):
        evaluate([spec_of(lambda rows, meter: rows * 1.0)], rows_, FOUR)
    with pytest.raises(UsageError, match=r"shape \(\)"):
        evaluate([spec_of(lambda rows, meter: scalar)], rows_, FOUR)


@pytest.mark.parametrize("returned", [["a", "b", "c"], [[1], [1, 2], []], {"a": 1}], ids=str)
def test_the_error_names_a_function_that_returns_no_numbers(returned: Any) -> None:
    with pytest.raises(UsageError, match=r"'mine' returned a (list|dict) that is not an array of numbers"):
        evaluate([spec_of(lambda rows, meter: returned)], np.zeros((3, 24), dtype=np.int16), FOUR)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_error_shows_the_measure_whose_value_is_not_finite(bad: float) -> None:
    measures = np.zeros((3, 24), dtype=np.int16)
    measures[1, 0] = REST
    with pytest.raises(UsageError, match=rf"'mine' is {bad} on the 4/4 measure \[1, 0, 0.*with or without notes"):
        evaluate([spec_of(lambda rows, meter: np.array([0, bad, 0]))], measures, FOUR)


def test_a_function_cannot_change_what_it_measures() -> None:
    def vandal(rows: Row, meter: Meter) -> npt.NDArray[np.float64]:
        rows[:] = 0
        return np.zeros(len(rows))

    for measures in (np.ones((2, 24), dtype=np.int16), np.asfortranarray(np.ones((2, 24), dtype=np.int16))):
        with pytest.raises(UsageError, match=r"mine.*read-only"):
            evaluate([spec_of(vandal)], measures, FOUR)
        assert measures.all()
        measures[0, 0] = 5  # the caller's own array stays writeable


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a module of attributes, and one that cannot be imported."""
    (tmp_path / "workshop_attributes.py").write_text(
        "import numpy as np\n"
        "from arvae_music.music.attributes import AttributeSpec, Unit\n"
        "def leaps(rows, meter):\n"
        "    '''How leapy it is.\n\n    More.'''\n"
        "    return np.full(len(rows), 2.0)\n"
        "def bare(rows, meter):\n"
        "    return np.zeros(len(rows))\n"
        "wrapped = AttributeSpec('wide', leaps, Unit(('x',), lambda m: 2.0), 'wide leaps', 'me (2020)')\n"
        "number = 7\n"
    )
    (tmp_path / "workshop_broken.py").write_text("import no_such_module_at_all\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("workshop_attributes", "workshop_broken"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.mark.usefixtures("workshop")
def test_find_imports_module_and_function() -> None:
    spec = find("workshop_attributes:leaps")
    assert (spec.name, spec.description, spec.citation) == (
        "leaps",
        "How leapy it is.",
        "workshop_attributes:leaps",
    )
    assert evaluate([spec], np.zeros((2, 12), dtype=np.int16), Meter(2)).tolist() == [[2], [2]]
    assert spec.unit.size(FOUR) == 1
    assert find("workshop_attributes:bare").description == "from workshop_attributes:bare"
    wrapped = find("workshop_attributes:wrapped")
    assert (wrapped.name, wrapped.unit.names) == ("wide", ("x",))


@pytest.mark.usefixtures("workshop")
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("workshop_attributes:nothing", "has no attribute 'nothing'"),
        ("workshop_nowhere:leaps", "No module named 'workshop_nowhere'"),
        ("workshop_broken:leaps", "no_such_module_at_all"),
        ("workshop_attributes:number", "is not a function"),
        ("workshop_attributes:", "cannot be imported"),
        (":leaps", "cannot be imported"),
        (".workshop:leaps", "cannot be imported"),
    ],
)
def test_find_explains_why_an_import_fails(path: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        find(path)
    assert caught.value.remedy


def register(monkeypatch: pytest.MonkeyPatch, **points: str) -> None:
    registered = EntryPoints(EntryPoint(name, value, "arvae.attributes") for name, value in points.items())
    monkeypatch.setattr(attributes, "entry_points", registered.select)


@pytest.mark.usefixtures("workshop")
def test_find_loads_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path.cwd()))
    register(
        monkeypatch,
        leapiness="workshop_attributes:leaps",
        breadth="workshop_attributes:wrapped",
        dead="workshop_broken:leaps",
        seven="workshop_attributes:number",
    )
    assert names()[:8] == list(BUILT_IN)
    assert set(names()[8:]) == {"leapiness", "breadth", "dead", "seven"}
    assert find("leapiness").description == "How leapy it is."
    assert [find(name).name for name in ("leapiness", "breadth")] == ["leapiness", "breadth"]
    assert find("breadth").citation == "me (2020)"
    with pytest.raises(UsageError, match=r"'dead' cannot be imported from workshop_broken:leaps"):
        find("dead")
    with pytest.raises(UsageError, match="is not a function"):
        find("seven")
    with pytest.raises(UsageError, match="did you mean leapiness"):
        find("leapines")


def test_an_entry_point_cannot_replace_a_built_in_attribute(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, density="workshop_attributes:leaps")
    assert find("density") is BUILT_IN["density"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("desnity", "density"), ("Rhythm", "rhythm"), ("syncopations", "syncopation"), ("step", "steps")],
)
def test_find_suggests_the_nearest_name(typed: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"unknown attribute '{typed}'; did you mean {meant}"):
        find(typed)


def test_find_lists_all_names_if_none_is_near() -> None:
    with pytest.raises(UsageError, match=r"give one of rhythm, range, density.*or your own as module:function"):
        find("xyzzy")
