"""What every attribute must keep, of music and of images: one set of tests over both registries.

A new built-in attribute is tested by being in its registry. `Case` is all that the tests know of an attribute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import batches, pictures

from arvae_music.images import attributes as images
from arvae_music.images.attributes import ImageAttribute
from arvae_music.music import attributes
from arvae_music.music.attributes import AttributeSpec
from arvae_music.music.meter import Meter, all_meters
from arvae_music.music.tokens import HOLD, REST

Rows = npt.NDArray[Any]


@dataclass(frozen=True)
class Case:
    spec: AttributeSpec | ImageAttribute
    batches: Callable[[int], st.SearchStrategy[tuple[Rows, Any]]]  # of so many rows at least, and what goes with them
    integers: tuple[type[Any], ...]  # types that hold the rows

    def values(self, rows: Rows, along: Any) -> npt.NDArray[np.float64]:
        return self.spec.function(rows, along) if isinstance(self.spec, AttributeSpec) else self.spec.function(rows)


def _music(smallest: int) -> st.SearchStrategy[tuple[Rows, Any]]:
    return batches(smallest=smallest)


def _images(size: int) -> Callable[[int], st.SearchStrategy[tuple[Rows, Any]]]:
    return lambda smallest: pictures(size, smallest=smallest).map(lambda rows: (rows, None))


SIZES = {**dict.fromkeys(images.DIGITS, 28), **dict.fromkeys(images.SPRITES, 64)}
MUSIC = [
    Case(spec, _music, (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.int64))
    for spec in attributes.BUILT_IN.values()
]
IMAGES = [
    Case(spec, _images(SIZES[name]), (np.uint8, np.int16, np.uint16, np.int64))
    for name, spec in images.BUILT_IN.items()
]
every_attribute = pytest.mark.parametrize("case", [*MUSIC, *IMAGES], ids=lambda case: case.spec.name)


def test_both_registries_are_here_whole() -> None:
    assert set(attributes.PAPER) <= {case.spec.name for case in MUSIC}
    assert [case.spec.name for case in IMAGES] == [*images.DIGITS, *images.SPRITES]
    assert len(IMAGES) == 11


@every_attribute
def test_a_spec_says_what_it_is(case: Case) -> None:
    spec = case.spec
    registry: Any = attributes.BUILT_IN if isinstance(spec, AttributeSpec) else images.BUILT_IN
    assert registry[spec.name] is spec
    assert spec.description
    assert any(character.isdigit() for character in spec.citation), "a citation has a year"
    assert spec.unit.names
    assert all(name == name.strip() and not name[0].isdigit() for name in spec.unit.names)
    assert all(spec.unit.size(meter) > 0 for meter in all_meters())


@every_attribute
@settings(max_examples=20)
@given(data=st.data())
def test_one_finite_float_per_row(case: Case, data: st.DataObject) -> None:
    rows, along = data.draw(case.batches(0))
    values = case.values(rows, along)
    assert values.shape == (len(rows),)
    assert values.dtype == np.float64
    assert np.isfinite(values).all()


@pytest.mark.parametrize("meter", all_meters(), ids=lambda meter: meter.name)
@pytest.mark.parametrize("case", MUSIC, ids=lambda case: case.spec.name)
def test_no_rows_give_no_values(case: Case, meter: Meter) -> None:
    assert case.values(np.zeros((0, meter.ticks), dtype=np.int16), meter).shape == (0,)


@pytest.mark.parametrize("case", IMAGES, ids=lambda case: case.spec.name)
def test_no_pictures_give_no_values(case: Case) -> None:
    size = SIZES[case.spec.name]
    assert case.values(np.zeros((0, size, size), dtype=np.uint8), None).shape == (0,)


@pytest.mark.parametrize("case", MUSIC, ids=lambda case: case.spec.name)
@pytest.mark.parametrize("token", [HOLD, REST])
def test_a_measure_without_onsets_is_zero(case: Case, token: int) -> None:
    assert case.values(np.full((2, 24), token, dtype=np.int16), Meter(4)).tolist() == [0, 0]


@pytest.mark.parametrize("case", IMAGES, ids=lambda case: case.spec.name)
def test_a_blank_picture_is_zero(case: Case) -> None:
    size = SIZES[case.spec.name]
    assert case.values(np.zeros((2, size, size), dtype=np.uint8), None).tolist() == [0, 0]


@every_attribute
@settings(max_examples=20)
@given(data=st.data())
def test_vectorised_is_row_by_row(case: Case, data: st.DataObject) -> None:
    rows, along = data.draw(case.batches(1))
    single = [case.values(rows[i : i + 1], along)[0] for i in range(len(rows))]
    assert case.values(rows, along).tolist() == single  # exactly: an edit compares values across batches


@every_attribute
@settings(max_examples=10)
@given(data=st.data())
def test_any_integer_type_and_layout_gives_the_same(case: Case, data: st.DataObject) -> None:
    rows, along = data.draw(case.batches(1))
    expected = case.values(rows, along).tolist()
    for dtype in case.integers:
        assert case.values(rows.astype(dtype), along).tolist() == expected
        assert case.values(np.asfortranarray(rows.astype(dtype)), along).tolist() == expected
        assert case.values(np.repeat(rows, 2, axis=0).astype(dtype)[::2], along).tolist() == expected


@every_attribute
@settings(max_examples=20)
@given(data=st.data())
def test_the_input_is_not_changed(case: Case, data: st.DataObject) -> None:
    rows, along = data.draw(case.batches(1))
    before = rows.copy()
    for layout in (rows, np.asfortranarray(rows)):
        first = case.values(layout, along).tolist()
        assert (layout == before).all()
        assert case.values(layout, along).tolist() == first
