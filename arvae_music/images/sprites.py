"""The five factors of a 2-d sprite, measured on a picture, whether generated or decoded.

    shape        1 square, 2 ellipse, 3 heart: the most similar shape by moments; 0 for a blank picture
    scale        square root of the white area, divided by that of the shape at scale 1
    orientation  radians from 0, below a quarter turn for a square, half a turn for an ellipse and a whole turn for a
                 heart, because larger turns look the same
    x, y         the centroid: 0 is 16 pixels and 1 is 48 pixels from the left or the top; values may lie beyond

A pixel is white if it is at least half bright. In a picture without white pixels every factor is 0.

The moments are complex moments of the white pixels about their centroid: c_pq = mean of z^p conj(z)^q, z = x + iy in
pixels (Flusser 2000). A turn by t multiplies c_pq by exp(i (p - q) t). The phase therefore gives the orientation, and
the absolute value, which a turn does not change, gives the shape:

    elongation   |c20| / c11               for an ellipse (a^2 - b^2) / (a^2 + b^2) = 0.6, otherwise nearly 0
    asymmetry    |c30| / c11^1.5           clearly above 0 for a heart only
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import numpy.typing as npt

from ..arrays import Array, Float64s, Ints, Mask

SIZE = 64  # pixels, of a side of the picture
MARGIN = 16  # the largest distance of a shape's outline from its centre, in pixels
SPAN = SIZE - 2 * MARGIN  # pixels over which the centre can move

# The shapes at scale 1, in pixels.
SIDE = 21.8
ELLIPSE = (15.4, 7.7)  # half axes
HEART_SIZE = 11.9  # pixels to the unit of (x^2 + y^2 - 1)^3 = x^2 y^3
HEART_AREA = 3.66197  # of that curve, in its unit; quadrature
HEART_CENTRE = 0.293481  # height of its centroid
AREAS = (SIDE**2, math.pi * ELLIPSE[0] * ELLIPSE[1], HEART_AREA * HEART_SIZE**2)  # by shape

LEAST_ELONGATION = 0.3  # from this on, a shape is an ellipse
LEAST_ASYMMETRY = 0.185  # from this on, a shape that is not an ellipse is a heart
ORDER = 4  # the highest order of the moments
WHITE = 128  # from this brightness on, a pixel is white
BLOCK = 256  # pictures measured at a time

Complex = npt.NDArray[np.complex128]


def measure(images: Array) -> Float64s:
    """(n, h, w) -> (n, 5): shape, scale, orientation, x, y."""
    parts = [_measure(images[start : start + BLOCK]) for start in range(0, len(images), BLOCK)]
    return np.concatenate(parts) if parts else np.zeros((0, 5))


def _measure(images: Array) -> Float64s:
    area, x, y, moments = _moments(images >= WHITE)
    spread = np.maximum(moments[1, 1].real, 1e-12)
    elongation = np.abs(moments[2, 0]) / spread
    asymmetry = np.abs(moments[3, 0]) / spread**1.5
    shape = np.where(elongation >= LEAST_ELONGATION, 2, np.where(asymmetry >= LEAST_ASYMMETRY, 3, 1))
    scale = np.sqrt(area / np.array(AREAS)[shape - 1])
    values = np.stack([shape, scale, _orientation(shape, moments), (x - MARGIN) / SPAN, (y - MARGIN) / SPAN], axis=1)
    return values * (area > 0)[:, None]


def _orientation(shape: Ints, moments: dict[tuple[int, int], Complex]) -> Float64s:
    """The angle by which each shape is turned from the position in which the phase of its moment is known."""
    turned = (
        (-moments[4, 0], 4),  # a square's corners lie on the diagonals, where z^4 is negative
        (moments[2, 0], 2),  # an ellipse lies along the x axis
        (moments[3, 0] * 1j, 3),  # a heart's symmetry is about the y axis
    )
    square, ellipse, third = (np.angle(moment) / fold for moment, fold in turned)
    # The phase of a heart's c30 leaves three possible angles, that of c31 two: only one angle fits both.
    thirds = third[:, None] + np.arange(3) * math.tau / 3
    halves = np.angle(moments[3, 1])[:, None] / 2
    heart = thirds[np.arange(len(third)), np.abs(np.sin(thirds - halves)).argmin(axis=1)]
    whole = math.tau / np.array([4, 2, 1])[shape - 1]
    turn = np.choose(shape - 1, (square, ellipse, heart)) % whole
    return np.where(whole - turn < 1e-9, 0.0, turn)  # rounding can turn 0 into nearly a whole turn


def _moments(white: Mask) -> tuple[Float64s, Float64s, Float64s, dict[tuple[int, int], Complex]]:
    """(n, h, w) -> areas (n,), centroids (n,) and (n,) in pixels, c_pq with p + q <= ORDER. All are 0 for a blank
    picture."""
    down, across = (_powers(side) for side in white.shape[1:])
    raw = down @ (white.astype(np.float64) @ across.T)  # (n, q of y, p of x)
    area = raw[:, 0, 0]
    whole = np.maximum(area, 1)
    x, y = raw[:, 0, 1] / whole, raw[:, 1, 0] / whole
    pairs = [(p, q) for p, q in product(range(ORDER + 1), repeat=2) if p + q <= ORDER]
    means = raw / whole[:, None, None]
    central = {(p, q): _shifted(means, p, q, x, y) for p, q in pairs}
    height, width = white.shape[1:]
    return area, x + width / 2, y + height / 2, {(p, q): _complex(central, p, q) for p, q in pairs}


def _powers(side: int) -> Float64s:
    """(ORDER + 1, side) powers of the distances of the pixels' centres from the centre of the picture."""
    middles = np.arange(side) + 0.5 - side / 2
    return np.stack([middles**p for p in range(ORDER + 1)])


def _shifted(raw: Float64s, p: int, q: int, x: Float64s, y: Float64s) -> Float64s:
    """The mean of (X - x)^p (Y - y)^q from the means of X^i Y^j, by two binomial expansions."""
    total = np.zeros(len(raw))
    for i, j in product(range(p + 1), range(q + 1)):
        total += math.comb(p, i) * math.comb(q, j) * raw[:, j, i] * (-x) ** (p - i) * (-y) ** (q - j)
    return total


def _complex(central: dict[tuple[int, int], Float64s], p: int, q: int) -> Complex:
    """c_pq = mean of (X + iY)^p (X - iY)^q, expanded."""
    total: Complex = np.zeros(len(central[0, 0]), dtype=np.complex128)
    for a, b in product(range(p + 1), range(q + 1)):
        power = a + b  # of iY
        total += math.comb(p, a) * math.comb(q, b) * (1j**a) * ((-1j) ** b) * central[p + q - power, power]
    return total
