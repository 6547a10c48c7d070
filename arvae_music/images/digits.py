"""Morphometry of handwritten digits, after Morpho-MNIST (Castro et al. 2019, JMLR 20): six measurements of a picture.

    area       pixels in the stroke
    length     pixels along the middle line of the stroke
    thickness  pixels across the stroke, averaged along that line
    slant      radians by which the digit leans to the right
    width      pixels; width of the slanted box that holds 98% of the digit's mass in each direction
    height     pixels; height of that box

The picture is first enlarged four times (by cubic convolution, then a Gaussian of 4/3 pixels). The stroke consists of
the pixels that are at least as bright as the mean of the darkest and the brightest pixel. Its middle line is the medial
axis (Blum 1967). The length is the number of links between neighbouring pixels of the line, where a diagonal link
counts sqrt 2. The thickness is twice the mean distance from the line to the background. The slant is computed from the
second moments, to which grey pixels contribute in proportion.

A picture of a single brightness shows no digit: all six measurements are 0.

The results equal the published values of MNIST (Morpho-MNIST, `train-morpho.csv`) to the last decimal. To this end, the
interpolation and the order of ties are those of scikit-image 0.14, with which those values were made.

scipy is imported when the first digit is measured.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from ..arrays import Array, Bytes, Float64s, Mask

# `warped` draws each of these evenly between minus and plus the constant.
TURN = 0.14  # radians
SHEAR = 0.2
STRETCH = 0.08  # relative change of each axis
MOVE = 0.7  # pixels
STROKE = 0.45  # share of a pixel by which the stroke grows or shrinks on each side
CONTRAST = 1.4  # factor of the contrast, since interpolation blurs

SCALE = 4  # factor of the enlargement
BLUR = 2 * SCALE / 6  # sd of the Gaussian, in enlarged pixels
THRESHOLD = 0.5  # brightness from which a pixel is in the stroke, between the darkest (0) and the brightest (1)
OUTSIDE = 0.02  # share of the mass that the box leaves out in each direction
_LINKS = ((0, 1, 1.0), (1, 0, 1.0), (1, 1, math.sqrt(2)), (1, -1, math.sqrt(2)))  # down, right, length


def measure(images: Array) -> Float64s:
    """(n, h, w) uint8 -> (n, 6): area, length, thickness, slant, width, height."""
    table = np.zeros((len(images), 6))
    for row, image in zip(table, images, strict=True):
        if np.ptp(image):
            row[:] = _measure(image)
    return table


def _measure(image: Array) -> tuple[float, float, float, float, float, float]:
    large = enlarge(image)
    darkest, brightest = int(large.min()), int(large.max())
    stroke = _around(large >= darkest + (brightest - darkest) * THRESHOLD)
    line, distance = _medial_axis(stroke)
    shear, middle = _shear(large)
    width, height = _box(large, shear, middle)
    return (
        float(stroke.sum()) / SCALE**2,
        _length(line) / SCALE,
        2 * float(distance[line].mean()) / SCALE,
        math.atan(-shear),
        width / SCALE,
        height / SCALE,
    )


def enlarge(image: Array) -> Bytes:
    """(h, w) uint8 -> (SCALE h, SCALE w) uint8."""
    pixels = image / 255
    (rows, blur_rows), (columns, blur_columns) = (_enlarging(side) for side in image.shape)
    smooth = np.clip(rows @ pixels @ columns.T, pixels.min(), pixels.max())  # cubics overshoot
    return (255 * (blur_rows @ smooth @ blur_columns.T)).astype(np.uint8)


@lru_cache(maxsize=8)
def _enlarging(side: int) -> tuple[Float64s, Float64s]:
    """The matrices (SCALE side, side) and (SCALE side, SCALE side) that enlarge and blur one axis. Both operations are
    linear, and the same for all pictures."""
    from scipy import ndimage

    blur = ndimage.gaussian_filter1d(np.eye(SCALE * side), BLUR, axis=0, mode="reflect")
    return _cubic(side), blur


def _cubic(side: int) -> Float64s:
    """(SCALE side, side): cubic convolution (Keys 1981, a = -1/2), mirrored at the first and the last pixel."""
    place = (np.arange(SCALE * side) + 0.5) / SCALE - 0.5
    before = np.floor(place)
    t = place - before
    weights = (t * (-1 + t * (2 - t)), 2 + t**2 * (-5 + 3 * t), t * (1 + t * (4 - 3 * t)), t**2 * (t - 1))
    matrix = np.zeros((SCALE * side, side))
    for step, weight in enumerate(weights, start=-1):
        pixel = np.abs(before.astype(np.int64) + step)
        pixel = np.minimum(pixel, 2 * (side - 1) - pixel)
        np.add.at(matrix, (np.arange(SCALE * side), pixel), weight / 2)
    return matrix


def _around(stroke: Mask) -> Mask:
    """The part of the picture that holds the stroke, with a margin of one pixel if the picture has it."""
    rows, columns = (np.flatnonzero(stroke.any(axis=axis)) for axis in (1, 0))
    return stroke[max(rows[0] - 1, 0) : rows[-1] + 2, max(columns[0] - 1, 0) : columns[-1] + 2]


def _medial_axis(stroke: Mask) -> tuple[Mask, Float64s]:
    """The middle line of the stroke, and the distance of each pixel from the background.

    Pixels are removed one by one, outermost first and corners before edges, unless this would divide the stroke, make a
    hole or shorten an end (`_stays`). The order of equal pixels is random, but always the same.
    """
    from scipy import ndimage

    distance: Float64s = ndimage.distance_transform_edt(stroke)
    padded = np.pad(stroke, 1)
    width = padded.shape[1]
    bits = [(-(r * width + c), 1 << (3 * (r + 1) + c + 1)) for r in (-1, 0, 1) for c in (-1, 0, 1)]
    codes = np.zeros(padded.size, dtype=np.int64)  # bits: which of the nine pixels around one are in the stroke
    for offset, bit in bits:
        codes[np.flatnonzero(padded) + offset] += bit
    at = np.flatnonzero(padded)
    inside = codes[at]
    drawn = np.random.RandomState(0).permutation(len(at))
    order = at[np.lexsort((drawn, 9 - _NEIGHBOURS[inside], distance[stroke]))]
    table, stays = codes.tolist(), _stays()
    for pixel in order.tolist():
        if not stays[table[pixel]]:
            for offset, bit in bits:
                table[pixel + offset] -= bit
    line = np.array(table).reshape(padded.shape)[1:-1, 1:-1] & _CENTRE > 0
    return line, distance


_CENTRE = 1 << 4  # the bit of the pixel itself
_NEIGHBOURS = (np.arange(512)[:, None] >> np.arange(9) & 1).sum(axis=1)  # pixels in each of the 512 neighbourhoods


@lru_cache(maxsize=1)
def _stays() -> tuple[bool, ...]:
    """For each of the 512 neighbourhoods, whether its central pixel must stay: because it is the only link between its
    neighbours, because its removal would make a hole, or because it has one neighbour at most."""
    from scipy import ndimage

    patterns = (np.arange(512)[:, None] >> np.arange(9) & 1).reshape(-1, 3, 3)
    around = patterns.copy()
    around[:, 1, 1] = 0
    parts = [ndimage.label(pattern, np.ones((3, 3)))[1] for pattern in around]
    return tuple(bool(part != 1 or pattern.sum() < 3) for part, pattern in zip(parts, patterns, strict=True))


def _length(line: Mask) -> float:
    """The total length of the links between neighbouring pixels."""
    height, width = line.shape
    total = 0.0
    for down, right, link in _LINKS:
        first = line[: height - down, max(-right, 0) : width - max(right, 0)]
        second = line[down:, max(right, 0) : width - max(-right, 0)]
        total += link * int(np.count_nonzero(first & second))
    return total


def _shear(large: Bytes) -> tuple[float, float]:
    """How far the digit moves to the right from one row to the next, by second moments, and the row of the centroid."""
    mass = large.astype(np.float64)
    by_row, by_column, whole = mass.sum(axis=1), mass.sum(axis=0), mass.sum()
    y, x = np.arange(mass.shape[0]), np.arange(mass.shape[1])
    middle, centre = (by_row @ y) / whole, (by_column @ x) / whole
    together = (y @ mass @ x) / whole - middle * centre
    return float(together / ((by_row @ y**2) / whole - middle**2)), float(middle)


def _box(large: Bytes, shear: float, middle: float) -> tuple[float, float]:
    """Width and height of the slanted box, in enlarged pixels."""
    rows, columns = large.shape
    mass = large.astype(np.float64)
    upright = np.arange(columns) + 0.5 - shear * (np.arange(rows)[:, None] - middle)  # x as if there were no slant
    left_of = np.clip(np.floor(upright).astype(np.int64) + 1, 0, columns)
    across = np.bincount(left_of.ravel(), mass.ravel(), minlength=columns + 1)[:columns]
    down = np.concatenate([[0.0], mass.sum(axis=1)[:-1]])
    left, right, top, bottom = (
        np.interp(share, np.cumsum(part) / mass.sum(), np.arange(len(part)))
        for part in (across, down)
        for share in (OUTSIDE / 2, 1 - OUTSIDE / 2)
    )
    return float(right - left), float(bottom - top)


def warped(images: Bytes, random: np.random.Generator) -> Bytes:
    """A random variant of each of the (n, h, w) pictures: turned, sheared, stretched, moved, with another stroke
    width."""
    return np.stack([_warped(image, random) for image in images]) if len(images) else images.copy()


def _warped(image: Array, random: np.random.Generator) -> Bytes:
    from scipy import ndimage

    turn, shear, grown = random.uniform((-TURN, -SHEAR, -STROKE), (TURN, SHEAR, STROKE))
    tall, wide = 1 + random.uniform(-STRETCH, STRETCH, 2)
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = np.array([[cos, -sin], [sin, cos]]) @ np.array([[1, 0], [shear, 1]]) @ np.diag([tall, wide])
    middle = (np.array(image.shape) - 1) / 2
    offset = middle - matrix @ middle + random.uniform(-MOVE, MOVE, 2)
    moved = ndimage.affine_transform(image.astype(np.float32), matrix, offset, order=3)
    cross = ndimage.generate_binary_structure(2, 1)
    edge = (ndimage.grey_dilation if grown > 0 else ndimage.grey_erosion)(moved, footprint=cross)
    grey = 127.5 + CONTRAST * (moved + abs(grown) * (edge - moved) - 127.5)
    result: Bytes = np.clip(grey, 0, 255).round().astype(np.uint8)
    return result
