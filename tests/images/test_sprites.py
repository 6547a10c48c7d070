"""Sprites against a plain loop over pixels, and what is measured on them against the factors they were made from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arvae_music.corpora import sprites
from arvae_music.images import sprites as measured
from arvae_music.vae.examples import split

SIDE, AXES, HEART, CENTRE = 21.8, (15.4, 7.7), 11.9, 0.293481  # pixels at scale 1: sprites.py
indices = st.integers(0, sprites.COUNT - 1)


def plain(index: int) -> np.ndarray:
    """One sprite, pixel by pixel, from the words of the docstrings."""
    rest, y = divmod(index, 32)
    rest, x = divmod(rest, 32)
    rest, turn = divmod(rest, 40)
    shape, size = divmod(rest, 6)
    scale, angle = 0.5 + size / 10, 2 * math.pi * turn / 39
    image = np.zeros((64, 64), dtype=np.uint8)
    for row in range(64):
        for column in range(64):
            dx, dy = column + 0.5 - (16 + 32 * x / 31), row + 0.5 - (16 + 32 * y / 31)
            u = (math.cos(angle) * dx + math.sin(angle) * dy) / scale
            v = (math.cos(angle) * dy - math.sin(angle) * dx) / scale
            if shape == 0:
                inside = abs(u) <= SIDE / 2 and abs(v) <= SIDE / 2
            elif shape == 1:
                inside = (u / AXES[0]) ** 2 + (v / AXES[1]) ** 2 <= 1
            else:
                a, b = u / HEART, CENTRE - v / HEART
                inside = (a * a + b * b - 1) ** 3 <= a * a * b**3
            image[row, column] = 255 * inside
    return image


@settings(max_examples=25)
@given(indices)
def test_a_sprite_is_its_formula(index: int) -> None:
    # A pixel whose middle lies on the outline, to float32's last digits, may fall to either side.
    assert (sprites.render(np.array([index]))[0] != plain(index)).sum() <= 1


@settings(max_examples=25)
@given(st.lists(indices, max_size=6))
def test_any_subset_in_any_order(chosen: list[int]) -> None:
    together = sprites.render(np.array(chosen, dtype=np.int64))
    assert together.shape == (len(chosen), 64, 64)
    assert together.dtype == np.uint8
    for image, index in zip(together, chosen, strict=True):
        assert (image == sprites.render(np.array([index]))[0]).all()


def test_the_set_is_dsprites() -> None:
    assert sprites.COUNT == 737_280
    everything = sprites.factors(np.arange(sprites.COUNT))
    assert [len(np.unique(column)) for column in everything.T] == [3, 6, 40, 32, 32]
    assert everything[0].tolist() == [1, 0.5, 0, 0, 0]
    assert everything[-1].tolist() == pytest.approx([3, 1, 2 * math.pi, 1, 1])
    assert everything[1].tolist() == pytest.approx([1, 0.5, 0, 0, 1 / 31])  # y is the last, as there


@pytest.mark.parametrize("index", [-1, sprites.COUNT])
def test_beyond_the_set(index: int) -> None:
    with pytest.raises(ValueError, match=r"invalid entry|out of bounds"):
        sprites.render(np.array([index]))


def test_nothing_is_cut_off_and_nothing_is_grey() -> None:
    images = sprites.render(np.arange(0, sprites.COUNT, 97))
    assert set(np.unique(images)) == {0, 255}
    edges = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]])
    assert not edges.any()
    assert images.any(axis=(1, 2)).all()


def test_the_constants_of_the_heart() -> None:
    """Area and height of the centroid of (x^2 + y^2 - 1)^3 <= x^2 y^3, on a fine grid."""
    fine = np.linspace(-1.5, 1.5, 1001)
    x, y = np.meshgrid(fine, fine)
    inside = (x**2 + y**2 - 1) ** 3 <= x**2 * y**3
    assert inside.sum() * 9e-6 == pytest.approx(measured.HEART_AREA, abs=5e-3)
    assert y[inside].mean() == pytest.approx(measured.HEART_CENTRE, abs=1e-3)


@pytest.fixture(scope="module")
def sample() -> tuple[np.ndarray, np.ndarray]:
    """Factors and what is measured, of sprites from everywhere in the set."""
    chosen = np.arange(0, sprites.COUNT, 61)
    return sprites.factors(chosen), measured.measure(sprites.render(chosen))


def test_every_shape_is_told(sample: tuple[np.ndarray, np.ndarray]) -> None:
    made, found = sample
    assert (made[:, 0] == found[:, 0]).all()


def test_scale_and_place_to_the_pixel(sample: tuple[np.ndarray, np.ndarray]) -> None:
    made, found = sample
    assert np.abs(made[:, 1] - found[:, 1]).max() < 0.05
    assert np.abs(made[:, 3:] - found[:, 3:]).max() < 0.5 / 32  # half a pixel


@pytest.mark.parametrize(("shape", "fold"), [(1, 4), (2, 2), (3, 1)])
def test_an_orientation_is_told_as_far_as_it_shows(
    sample: tuple[np.ndarray, np.ndarray], shape: int, fold: int
) -> None:
    made, found = (part[sample[0][:, 0] == shape, 2] for part in sample)
    whole = 2 * math.pi / fold
    assert (found >= 0).all()
    assert (found < whole).all()
    off = np.degrees((found - made + whole / 2) % whole - whole / 2)
    assert np.abs(off).max() < 7
    assert np.abs(off).mean() < 1.5


def test_the_whole_set_is_examples_that_are_made_when_read() -> None:
    examples = sprites.examples()
    assert examples.inputs.shape == (sprites.COUNT, 64, 64)
    parts = split(examples.take(np.arange(0, sprites.COUNT, 500)))
    assert (parts.test.inputs[[0, 2]] == sprites.render(parts.test.pieces[[0, 2]])).all()
    assert parts.test.attributes[3] == pytest.approx(sprites.factors(parts.test.pieces[3:4])[0], abs=1e-6)
