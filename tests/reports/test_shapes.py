"""Pictures as PNG: shapes at their places and in their colours, also across the bands in which they are drawn."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from arvae_music.reports.shapes import BAND, Rect, Scene, Stroke, Text

BLUE, ORANGE = (0, 0x72, 0xB2), (0xD5, 0x5E, 0)
WHITE = (255, 255, 255)


def pixels(*shapes: Rect | Stroke | Text, scale: float = 2, height: float = BAND) -> np.ndarray:
    scene = Scene(100, height, "", [Rect(0, 0, 100, height, "#ffffff"), *shapes])
    return np.array(Image.open(io.BytesIO(scene.png(scale))))


@pytest.mark.parametrize("scale", [1, 2, 3.5])
def test_a_rectangle_covers_its_place_also_across_bands(scale: float) -> None:
    drawn = pixels(Rect(10, 20, 30, 200, "#0072b2"), scale=scale)
    assert drawn.shape == (round(BAND * scale), round(100 * scale), 3)
    inside = drawn[round(20 * scale) : round(220 * scale), round(10 * scale) : round(40 * scale)]
    assert (inside == BLUE).all()
    assert (drawn != WHITE).any(axis=2).sum() == inside.shape[0] * inside.shape[1]


def test_round_corners_leave_the_paper_free() -> None:
    drawn = pixels(Rect(10, 10, 40, 20, "#0072b2", radius=5))
    assert tuple(drawn[20, 20]) == WHITE
    assert tuple(drawn[40, 60]) == BLUE


def test_a_dashed_outline_has_gaps_and_an_empty_middle() -> None:
    drawn = pixels(Rect(10, 10, 60, 20, None, "#d55e00", dashed=True))
    edge = (drawn[20, 20:140] == ORANGE).all(axis=1)
    assert 0.4 < edge.mean() < 0.8
    assert (drawn[30:50, 30:130] == WHITE).all()
    solid = pixels(Rect(10, 10, 60, 20, None, "#d55e00"))
    assert (solid[20, 20:140] == ORANGE).all()


def test_a_later_shape_covers_an_earlier_one() -> None:
    drawn = pixels(Rect(0, 0, 50, 50, "#0072b2"), Rect(0, 0, 50, 50, "#d55e00"))
    assert tuple(drawn[50, 50]) == ORANGE


def test_a_line_has_its_width() -> None:
    drawn = pixels(Stroke(0, 50, 100, 50, "#0072b2", 3))
    assert ((drawn != WHITE).any(axis=2).sum(axis=0) >= 6).all()
    assert (drawn != WHITE).any(axis=2).sum(axis=0).max() <= 8


@pytest.mark.parametrize("text", ["Größe", "Dvořák", "Чайковский", "→", "♭"])
def test_text_of_european_languages_has_its_letters(text: str) -> None:
    drawn = pixels(Text(5, 50, text, 12))
    assert (drawn != WHITE).any()
    for letter in text:  # a letter that a font lacks would be drawn as the box of an undefined one
        assert not np.array_equal(pixels(Text(5, 50, letter, 12)), pixels(Text(5, 50, "\uffff", 12)))


def test_text_begins_ends_or_is_centred_at_its_place() -> None:
    columns = {
        anchor: np.flatnonzero((pixels(Text(50, 50, "MMMM", 10, anchor=anchor)) != WHITE).any(axis=(0, 2)))
        for anchor in ("start", "middle", "end")
    }
    assert columns["start"].min() >= 100
    assert columns["end"].max() <= 100
    assert abs(columns["middle"].mean() - 100) < 3


def test_control_characters_in_a_title_are_spaces() -> None:
    assert np.array_equal(pixels(Text(5, 50, "a\x00b", 12)), pixels(Text(5, 50, "a b", 12)))
