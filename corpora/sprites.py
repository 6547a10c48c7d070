"""2-d sprites: 737,280 black-and-white images of 64 x 64 pixels, each with one white shape on black.

The images follow dSprites (Matthey et al. 2017): they have the same five factors of variation and the same order. They
are not copied but drawn from formulas, and only when they are read. The five factors are the attributes:

    shape        1 square, 2 ellipse, 3 heart
    scale        6 values from 0.5 to 1
    orientation  40 values from 0 to 2 pi. Both ends are included, as in dSprites, so the first and the last orientation
                 give the same picture
    x, y         32 values each, from 0 to 1. The shape's centroid lies 16 + 32 x pixels from the left and 16 + 32 y
                 pixels from the top, so the whole shape is always in the picture

A pixel is white if its centre lies in the shape; there is no anti-aliasing. A square looks the same after a quarter
turn, and an ellipse after half a turn, so no encoder can recognise every orientation.

    render(indices)     (n, 64, 64) uint8 images, black 0 and white 255, for any indices in any order
    factors(indices)    (n, 5) their factors, in the order above
    examples()          the whole set with its factors, for training; `rows()` are its images
"""

from __future__ import annotations

import math

import numpy as np

from ..arrays import Array, Bytes, Float32s, Float64s, Mask
from ..images.attributes import SPRITES
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

SIZES = (3, 6, 40, 32, 32)
COUNT = math.prod(SIZES)
VALUES = (
    np.arange(1.0, 4.0),
    np.linspace(0.5, 1, SIZES[1]),
    np.linspace(0, 2 * math.pi, SIZES[2]),
    np.linspace(0, 1, SIZES[3]),
    np.linspace(0, 1, SIZES[4]),
)
WINDOW = 2 * MARGIN  # pixels; no shape reaches further than MARGIN from its centre
BLOCK = 256  # images drawn at a time, so few that their windows fit into the processor's cache


def factors(indices: Array) -> Float64s:
    """(n,) indices -> (n, 5) values of the factors SPRITES. Raises ValueError for an index outside the set."""
    columns = np.unravel_index(np.asarray(indices, dtype=np.int64), SIZES)
    return np.stack([values[at] for values, at in zip(VALUES, columns, strict=True)], axis=-1)


def render(indices: Array) -> Bytes:
    """(n,) indices -> (n, SIZE, SIZE) uint8 images, black 0, white 255. Raises ValueError as `factors` does."""
    given = np.asarray(indices, dtype=np.int64)
    images = np.zeros((len(given), SIZE, SIZE), dtype=np.uint8)
    for start in range(0, len(given), BLOCK):
        _draw(images[start : start + BLOCK], factors(given[start : start + BLOCK]))
    return images


def _draw(images: Bytes, values: Float64s) -> None:
    """Draw one shape into each black image from its (n, 5) factors; only a window around the shape is computed."""
    shape, scale, turn, x, y = values.T
    left, top = (np.ceil(SPAN * place).astype(np.int64) for place in (x, y))  # of the window
    span = np.arange(WINDOW)
    across = (left[:, None] + span + 0.5 - MARGIN - SPAN * x[:, None]).astype(np.float32)  # pixels from the centre
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
    """(x^2 + y^2 - 1)^3 <= x^2 y^3, where y points upwards; moved so that its centroid is the centre."""
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
    """All images, drawn when they are read."""
    return LazyRows(render, np.arange(COUNT), (SIZE, SIZE), np.dtype(np.uint8))


def examples() -> Examples:
    """The whole set: 15 MB of factors, and images that are drawn when read. Each image is its own piece in a split."""
    indices = np.arange(COUNT)
    return Examples(rows(), factors(indices).astype(np.float32), SPRITES, indices)
