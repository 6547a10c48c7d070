"""Variants of digits, as further training material: turned, sheared, stretched, and with another thickness of stroke.

An autoencoder that has seen four thousand digits must still draw those that it has not. Variants are measured like
any other digit, so that their attributes are theirs. All changes are slight: a variant is still that digit.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Array, Bytes

# Each is drawn evenly between minus and plus this.
TURN = 0.14  # radians
SHEAR = 0.2
STRETCH = 0.08  # of each axis
MOVE = 0.7  # pixels
STROKE = 0.45  # share of a pixel by which the stroke grows or shrinks on each side
CONTRAST = 1.4  # interpolation blurs: what is grey becomes whiter or blacker again


def warped(images: Bytes, random: np.random.Generator) -> Bytes:
    """(n, h, w) -> a variant of each."""
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
