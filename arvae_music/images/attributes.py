"""The attributes of images: six measurements of a digit, five factors of a sprite, and attributes of your own.

    digits    area, length, thickness, slant, width, height
    sprites   shape, scale, orientation, x, y

An attribute has a name, a unit, a citation, and a column of a function from pictures (n, h, w) uint8 to (n, columns)
finite floats; one pass over a digit computes all six of its measurements. As in music, the rest of arvae treats the
function as a black box. `digits.py` and `sprites.py` define the values. Each attribute of a blank picture is 0.

An attribute of your own is a function from pictures to (n,) floats, named with `--attribute module:function`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Array, Float64s
from ..errors import UsageError, nearest_or
from ..music.sliders import Unit, imported
from . import digits, sprites

Family = Callable[[Array], Float64s]  # (n, h, w) -> (n, columns)


@dataclass(frozen=True)
class ImageAttribute:
    name: str
    family: Family
    column: int
    unit: Unit
    description: str
    citation: str

    def function(self, images: Array) -> Float64s:
        """(n, h, w) pictures -> (n,) values."""
        values: Float64s = self.family(images)[:, self.column]
        return values


def evaluate(specs: Sequence[ImageAttribute], images: Array) -> Float64s:
    """(n, h, w) pictures -> (n, len(specs)) values; each family is computed once.

    Raises UsageError if a function, which is then a user's, raises, returns another shape or a value that is not
    finite.
    """
    read_only = images.view()
    read_only.flags.writeable = False  # a user's function may not change what it measures
    tables: dict[Family, Float64s] = {}
    for spec in specs:
        if spec.family not in tables:
            tables[spec.family] = _checked(spec, read_only)
    return np.stack([tables[spec.family][:, spec.column] for spec in specs], axis=1)


def _checked(spec: ImageAttribute, images: Array) -> Float64s:
    try:
        table = np.asarray(spec.family(images), dtype=np.float64)
    except Exception as error:  # a user's function may raise anything
        raise UsageError(
            f"attribute {spec.name!r} raised {type(error).__name__}: {error}", remedy="correct the function"
        ) from error
    if table.ndim != 2 or len(table) != len(images):
        raise UsageError(
            f"attribute {spec.name!r} returned shape {table.shape[:-1]} for {len(images)} pictures",
            remedy="return one float per picture",
        )
    if not np.isfinite(table).all():
        at = int(np.flatnonzero(~np.isfinite(table).all(axis=1))[0])
        raise UsageError(
            f"the value of attribute {spec.name!r} for picture {at} is not finite",
            remedy="return a finite number for every picture, blank ones too",
        )
    return table


# ----------------------------------------------------------------------------------- the registry

_CASTRO = "Castro et al. (2019), Morpho-MNIST, JMLR 20(178)"
_MATTHEY = "Matthey et al. (2017), dSprites"
_PIXELS = Unit(("px", "pixels", "pixel"), lambda meter: 1.0)
_DEGREES = Unit(("deg", "degrees", "degree"), lambda meter: math.pi / 180)
_PLACE = Unit(("px", "pixels", "pixel"), lambda meter: 1 / sprites.SPAN)
_PERCENT = Unit(("pt", "points", "point"), lambda meter: 0.01)
_RAW = Unit(("raw",), lambda meter: 1.0)

_BUILT_IN = (
    ImageAttribute("area", digits.measure, 0, _PIXELS, "pixels of the stroke", _CASTRO),
    ImageAttribute("length", digits.measure, 1, _PIXELS, "length of the stroke", _CASTRO),
    ImageAttribute("thickness", digits.measure, 2, _PIXELS, "mean thickness of the stroke", _CASTRO),
    ImageAttribute("slant", digits.measure, 3, _DEGREES, "how far the digit leans to the right", _CASTRO),
    ImageAttribute("width", digits.measure, 4, _PIXELS, "width of the slanted box around the digit", _CASTRO),
    ImageAttribute("height", digits.measure, 5, _PIXELS, "height of that box", _CASTRO),
    ImageAttribute("shape", sprites.measure, 0, _RAW, "1 square, 2 ellipse, 3 heart", _MATTHEY),
    ImageAttribute("scale", sprites.measure, 1, _PERCENT, "size of the shape, in points of the largest", _MATTHEY),
    ImageAttribute("orientation", sprites.measure, 2, _DEGREES, "angle by which the shape is turned", _MATTHEY),
    ImageAttribute("x", sprites.measure, 3, _PLACE, "where the shape is, from the left", _MATTHEY),
    ImageAttribute("y", sprites.measure, 4, _PLACE, "where the shape is, from the top", _MATTHEY),
)
BUILT_IN = {spec.name: spec for spec in _BUILT_IN}
DIGITS = ("area", "length", "thickness", "slant", "width", "height")
SPRITES = ("shape", "scale", "orientation", "x", "y")


def find(name: str) -> ImageAttribute:
    """A built-in attribute of images, or one named `module:function`. Raises UsageError, which suggests the nearest
    name.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    if ":" in name:
        return _own(imported(name), name)
    remedy = nearest_or(name, BUILT_IN, f"there are {', '.join(BUILT_IN)}, or give module:function")
    raise UsageError(f"unknown attribute of images {name!r}", remedy=remedy)


def _own(found: object, origin: str) -> ImageAttribute:
    if isinstance(found, ImageAttribute):
        return found
    if not callable(found):
        raise UsageError(f"attribute {origin!r} is not a function", remedy="give function(images) -> values")
    function = found
    description = (found.__doc__ or "").strip().split("\n")[0] or f"from {origin}"
    name = origin.rpartition(":")[2]
    return ImageAttribute(name, lambda images: np.asarray(function(images))[..., None], 0, _RAW, description, origin)
