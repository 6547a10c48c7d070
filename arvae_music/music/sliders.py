"""Targets: what `--density +1.5` means for every measure.

    +1.5        a change by 1.5 standard deviations (sd) of the model's corpus, the one scale that all attributes share
    -2notes     a change in the attribute's own unit (`Slider.unit`)
    +10%        a change by 10% of the present value; x1.5 multiplies the present value
    more        a change in words, see WORDS
    =8notes     the value itself, in the unit; =1.5 is 1.5 sd above the corpus mean
    1:+0,8:+2   a ramp: +0 at measure 1, +2 at measure 8, a straight line between them, level before and after

A change is written with its sign, so that "2" is refused: it could mean +2notes, =2notes or +2 sd. A ramp counts
measures as the report does: 1 is the first full measure, and 0 is a pickup.

`parse` reads a target, `str` writes it back in the shortest form, and `Target.wanted` turns it into raw attribute
values. The engine limits these to values that occur in the model's corpus.
"""

from __future__ import annotations

import importlib
import itertools
import math
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from ..arrays import Floats
from ..errors import UsageError
from .meter import Meter

Kind = Literal["add", "set", "times"]
PERCENT = "%"
SD = ""  # the unit of a bare number

_NUMBER = r"(?P<number>[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?)"
_CHANGE = re.compile(rf"(?P<sign>[=x×*]?)\s*{_NUMBER}\s*(?P<unit>%|[a-zA-Z]*)")
WORDS = {  # in sd
    "a little more": 0.5, "more": 1.0, "much more": 2.0, "a little less": -0.5, "less": -1.0, "much less": -2.0,
}  # fmt: skip
_FORMS = "write more, less, +1.5, -2notes, +10%, =8notes, x1.5, or a ramp over measures, 1:+0,8:+2"


class Slider(Protocol):
    """An attribute that has targets: one of measures, or of images."""

    @property
    def name(self) -> str: ...
    @property
    def unit(self) -> Unit: ...


@dataclass(frozen=True)
class Change:
    """One request: add, set or multiply by `amount`, in `unit` (SD, PERCENT, or a unit's name)."""

    kind: Kind
    amount: float
    unit: str = SD

    def __str__(self) -> str:
        number = f"{self.amount:.12g}"
        if self.kind == "add":
            return f"{'' if number.startswith('-') else '+'}{number}{self.unit}"
        return f"{'=' if self.kind == 'set' else 'x'}{number}{self.unit}"


@dataclass(frozen=True)
class Target:
    """One change for all measures, or a ramp (`curve`): points of (measure number, change), of one kind and unit."""

    points: tuple[tuple[float, Change], ...]
    curve: bool = False

    def __str__(self) -> str:
        if not self.curve:
            return str(self.points[0][1])
        return ",".join(f"{at:.12g}:{change}" for at, change in self.points)

    @property
    def absolute(self) -> bool:
        """Whether the target names a value (=8notes), and not a change of the present value."""
        return self.points[0][1].kind == "set"

    def expect_measures(self, first: int) -> None:
        """Raises UsageError for a ramp that starts before the melody's first measure."""
        start, change = self.points[0]
        if self.curve and start < min(first, 1):
            corrected = replace(self, points=((1.0, change), *(point for point in self.points[1:] if point[0] > 1)))
            raise UsageError(
                f"the ramp {self} starts at measure {start:g}, and the melody has no pickup: its first measure is 1",
                remedy=f"write {corrected}",
            )

    def amounts(self, numbers: npt.ArrayLike) -> Floats:
        """(n,) measure numbers -> (n,) amounts."""
        at = [place for place, _ in self.points]
        return np.interp(np.asarray(numbers, dtype=np.float64), at, [change.amount for _, change in self.points])

    def wanted(self, now: Floats, numbers: npt.ArrayLike, unit: float, mean: float, sd: float) -> Floats:
        """(n,) present raw values -> (n,) requested raw values. `unit` is the raw size of the attribute's unit, `mean`
        and `sd` are the attribute's statistics in the model's corpus."""
        change, amount = self.points[0][1], self.amounts(numbers)
        if change.kind == "times":
            return now * amount
        if change.unit == PERCENT:
            return now * (1 + amount / 100)
        size = sd if change.unit == SD else unit
        if change.kind == "set":
            return amount * size + (mean if change.unit == SD else 0.0)
        return now + amount * size


def parse(text: str, spec: Slider) -> Target:
    """Read a target for an attribute. Raises UsageError, with the forms that can be written."""
    if text.strip().lower() in WORDS:
        return Target(((0.0, Change("add", WORDS[text.strip().lower()])),))
    parts = [part.strip() for part in text.split(",")]
    if ":" not in text:
        if len(parts) > 1:
            raise _unreadable(text, spec)
        return Target(((0.0, _change(text.strip(), text, spec)),))
    points = [_point(part, text, spec) for part in parts]
    _check_curve(points, text, spec)
    return Target(tuple(points), curve=True)


def _point(part: str, text: str, spec: Slider) -> tuple[float, Change]:
    at, _, rest = part.partition(":")
    try:
        place = float(at)
    except ValueError:
        raise _unreadable(text, spec) from None
    if not math.isfinite(place):
        raise _unreadable(text, spec)
    if place < 0:
        raise _wrong(text, spec, "measures count from 1, and a pickup is 0", "write 1:+0,8:+2")
    return place, _change(rest.strip(), text, spec)


def _change(part: str, text: str, spec: Slider) -> Change:
    match = _CHANGE.fullmatch(part)
    if match is None or not math.isfinite(float(match["number"])):
        raise _unreadable(text, spec)
    sign, number, unit = match["sign"], float(match["number"]), _unit(match["unit"], text, spec)
    if sign == "=":
        if unit == PERCENT:
            raise _wrong(text, spec, "an absolute value has no percentage", f"write ={number:g}{spec.unit.names[0]}")
        return Change("set", number, unit)
    if sign:
        if unit or number <= 0:
            raise _wrong(text, spec, "a factor is a plain positive number", "write x1.5")
        return Change("times", number)
    if match["number"][0] not in "+-":
        raise _wrong(text, spec, f"{part} is neither a change nor a value", _suggested(number, unit, spec))
    return Change("add", number, unit)


def _suggested(number: float, unit: str, spec: Slider) -> str:
    """The remedy for a number without a sign: the forms that the user may have meant."""
    if unit == PERCENT:
        return f"did you mean +{number:g}%, or x{number / 100:g}?"
    if unit == SD:
        value = f"{number:g}{spec.unit.names[0]}"
        return f"did you mean +{value}, ={value} or +{number:g} (standard deviations)?"
    return f"did you mean +{number:g}{unit} or ={number:g}{unit}?"


def _unit(unit: str, text: str, spec: Slider) -> str:
    if unit in (SD, PERCENT):
        return unit
    if unit.lower() in ("sd", "sds"):
        return SD
    if unit.lower() in spec.unit.names:
        return spec.unit.names[0]
    raise _wrong(text, spec, f"it has no unit {unit!r}", f"its unit is {spec.unit.names[0]!r}; {_FORMS}")


def _check_curve(points: Sequence[tuple[float, Change]], text: str, spec: Slider) -> None:
    places = [at for at, _ in points]
    if any(later <= earlier for earlier, later in itertools.pairwise(places)):
        raise _wrong(text, spec, "the measures of a ramp must increase", "write 1:+0,8:+2")
    if len({(change.kind, change.unit) for _, change in points}) > 1:
        raise _wrong(text, spec, "the points of a ramp must be of one form", "write 1:+0,8:+2 or 1:=4notes,8:=9notes")


def _unreadable(text: str, spec: Slider) -> UsageError:
    return _wrong(text, spec, "this is not a valid target", _FORMS)


def _wrong(text: str, spec: Slider, what: str, remedy: str) -> UsageError:
    return UsageError(what, where=f"{spec.name} {text!r}", remedy=remedy)


def describe(spec: Slider, value: float, meter: Meter) -> str:
    """A raw value for people: `6 notes`, `7.5 st`."""
    return f"{value / spec.unit.size(meter):.3g} {spec.unit.names[0]}"


def numbers_in(selection: str) -> list[tuple[int, int | None]]:
    """`--bars 1-4,7,12-` -> [(1, 4), (7, 7), (12, None)]. Raises UsageError."""
    ranges: list[tuple[int, int | None]] = []
    for part in selection.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:(-)\s*(\d*))?\s*", part)
        if match is None:
            raise UsageError(f"{part.strip()!r} is not a range of measures", remedy='write bars="1-4,7,12-"')
        first = int(match[1])
        last = (int(match[3]) if match[3] else None) if match[2] else first
        if last is not None and last < first:
            raise UsageError(f"the range {part.strip()} runs backwards", remedy='write bars="1-4,7,12-"')
        ranges.append((first, last))
    return ranges


def selected(ranges: Sequence[tuple[int, int | None]], number: int) -> bool:
    """Whether a measure number lies in one of the ranges."""
    return any(first <= number and (last is None or number <= last) for first, last in ranges)


def grid_points(text: str, most: int = 1000) -> list[dict[str, str]]:
    """`density=-1:1:5,contour=-2:2:5` -> the targets at every point, in sd; the first attribute changes slowest.

    Raises UsageError for text of another form, and for more than `most` points.
    """
    axes: dict[str, list[str]] = {}
    remedy = 'write grid="density=-1:1:5"'
    for part in map(str.strip, text.split(",")):
        match = re.fullmatch(r"([^=]+)=([+-]?[\d.]+):([+-]?[\d.]+):(\d+)", part)
        if match is None:
            raise UsageError(f"the grid {part!r} is not NAME=LO:HI:COUNT", remedy=remedy)
        name, count = match[1].strip(), int(match[4])
        try:
            low, high = float(match[2]), float(match[3])
        except ValueError:
            raise UsageError(f"the grid {part!r} is not a range of numbers", remedy=remedy) from None
        if name in axes:
            raise UsageError(f"the grid names {name} twice", remedy="give each attribute one range")
        if count < 1 or (count > 1 and low == high):
            raise UsageError(f"the grid {part!r} does not have {count} different points", remedy=remedy)
        step = (high - low) / max(count - 1, 1)
        axes[name] = [f"{round(low + i * step, 6):+g}" for i in range(count)]
    points = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    if len(points) > most:
        raise UsageError(f"the grid has {len(points)} points", remedy=f"give a grid of at most {most} points")
    return points


def to_json(targets: dict[str, Target]) -> dict[str, Any]:
    return {name: str(target) for name, target in targets.items()}


@dataclass(frozen=True)
class Unit:
    """The musical unit of an attribute. All `names` are accepted after a number, and the first is printed.

    `size(meter)` is the raw value of one unit: one note in 4/4 is a density of 1/24.
    """

    names: tuple[str, ...]
    size: Callable[[Meter], float]


def imported(path: str) -> object:
    """Import `module:function`, also from a module in the working folder. Raises UsageError if that fails."""
    module_name, _, function_name = path.partition(":")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found: object = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:  # the last two: ".x:f" and ":f"
        raise UsageError(
            f"attribute {path!r} cannot be imported ({error})",
            remedy="give module:function, the module importable from the working folder",
        ) from error
    return found
