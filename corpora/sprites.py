"""2-d sprites: 737,280 binary images of 64 x 64 pixels, each made from its index when it is asked for.

One white shape on black, after dSprites (Matthey et al. 2017), whose five factors of variation and whose order of
images this keeps; the pictures themselves are drawn here, from formulas:

    shape        1 square, 2 ellipse, 3 heart
    scale        6 values, .5 to 1
    orientation  40 values, 0 to 2 pi, both included (as in dSprites: the first and the last are one picture)
    x, y         32 values each, 0 to 1: the shape's centroid is at 16 + 32 x pixels from the left, likewise from the
                 top; nothing is cut off

A pixel is white where its middle lies in the shape: no anti-aliasing. The factors are the attributes. A square looks
the same after a quarter turn and an ellipse after half a turn, so that no encoder can tell all of an orientation.

    render(indices) -> (n, 64, 64) uint8 of 0 and 255          any subset, in any order
    factors(indices) -> (n, 5)                                  in the order above
    rows() -> the whole set as a source of rows that are made when read (examples.LazyRows)
"""

from __future__ import annotations

import math

import numpy as np

from ..arrays import Array, Bytes, Float32s, Float64s, Mask
from ..images.sprites import ELLIPSE, HEART_CENTRE, HEART_SIZE, MARGIN, SIDE, SIZE, SPAN
from ..vae.examples import Examples, LazyRows

NAME = "sprites"
DESCRIPTION = "2-d sprites: squares, ellipses and hearts of 6 sizes, 40 orientations and 32 x 32 places"
SOURCE = "made from formulas, image by image, when read; after dSprites"
LICENCE = "none needed: nothing is copied"
BIBTEX = """@misc{matthey2017dsprites,
  author = {Matthey, Loic and Higgins, Irina and Hassabis, Demis and Lerchner, Alexander},
  title  = {{dSprites}: Disentanglement testing Sprites dataset},
  howpublished = {https://github.com/deepmind/dsprites-dataset/},
  year   = {2017}
}"""

NAMES = ("shape", "scale", "orientation", "x", "y")
SIZES = (3, 6, 40, 32, 32)
COUNT = math.prod(SIZES)
VALUES = (
    np.arange(1.0, 4.0),
    np.linspace(0.5, 1, SIZES[1]),
    np.linspace(0, 2 * math.pi, SIZES[2]),
    np.linspace(0, 1, SIZES[3]),
    np.linspace(0, 1, SIZES[4]),
)
WINDOW = 2 * MARGIN  # pixels: no shape reaches further than MARGIN from its centre
BLOCK = 256  # images drawn at a time: their windows fit the cache


def factors(indices: Array) -> Float64s:
    """(n,) -> (n, 5) values of `NAMES`. Raises ValueError beyond the set."""
    columns = np.unravel_index(np.asarray(indices, dtype=np.int64), SIZES)
    return np.stack([values[at] for values, at in zip(VALUES, columns, strict=True)], axis=-1)


def render(indices: Array) -> Bytes:
    """(n,) -> (n, SIZE, SIZE), black 0 and white 255. Raises ValueError beyond the set."""
    given = np.asarray(indices, dtype=np.int64)
    images = np.zeros((len(given), SIZE, SIZE), dtype=np.uint8)
    for start in range(0, len(given), BLOCK):
        _draw(images[start : start + BLOCK], factors(given[start : start + BLOCK]))
    return images


def _draw(images: Bytes, values: Float64s) -> None:
    """Each image's window, shape by shape, since each has a formula of its own."""
    shape, scale, turn, x, y = values.T
    left, top = (np.ceil(SPAN * place).astype(np.int64) for place in (x, y))  # of the window: the centre - MARGIN
    span = np.arange(WINDOW)
    across = (left[:, None] + span + 0.5 - MARGIN - SPAN * x[:, None]).astype(np.float32)  # from the centre, pixels
    down = (top[:, None] + span + 0.5 - MARGIN - SPAN * y[:, None]).astype(np.float32)
    for number, inside in enumerate((_square, _ellipse, _heart), start=1):
        at = np.flatnonzero(shape == number)
        cos, sin = (f(turn[at])[:, None] / scale[at, None] for f in (np.cos, np.sin))
        cos, sin = cos.astype(np.float32), sin.astype(np.float32)
        u = (across[at] * cos)[:, None, :] + (down[at] * sin)[:, :, None]
        v = (down[at] * cos)[:, :, None] - (across[at] * sin)[:, None, :]
        rows, columns = top[at, None] + span, left[at, None] + span
        images[at[:, None, None], rows[:, :, None], columns[:, None, :]] = inside(u, v) * np.uint8(255)


def _square(u: Float32s, v: Float32s) -> Mask:
    inside: Mask = np.maximum(np.abs(u), np.abs(v)) <= SIDE / 2
    return inside


def _ellipse(u: Float32s, v: Float32s) -> Mask:
    inside: Mask = np.square(u) * np.float32(ELLIPSE[0] ** -2) + np.square(v) * np.float32(ELLIPSE[1] ** -2) <= 1
    return inside


def _heart(u: Float32s, v: Float32s) -> Mask:
    """(x^2 + y^2 - 1)^3 <= x^2 y^3, y upwards, moved so that its centroid is the centre."""
    x2 = np.square(u * np.float32(1 / HEART_SIZE))
    y = v * np.float32(-1 / HEART_SIZE) + np.float32(HEART_CENTRE)
    y2 = np.square(y)
    ring = x2 + y2
    ring -= 1
    cube = np.square(ring)
    cube *= ring
    x2 *= y2
    x2 *= y
    inside: Mask = cube <= x2
    return inside


def rows() -> LazyRows:
    """All of them, as training reads them."""
    return LazyRows(render, np.arange(COUNT), (SIZE, SIZE), np.dtype(np.uint8))


def examples() -> Examples:
    """The whole set: 15 MB of factors, and images that are made when read. Every image is a piece of its own."""
    indices = np.arange(COUNT)
    return Examples(rows(), factors(indices).astype(np.float32), NAMES, indices)
