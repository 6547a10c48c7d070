"""Attributes: the properties of a measure that the sliders change, such as its density or its range.

An attribute is an `AttributeSpec`: a name, a unit, a citation, and a function from token rows (n, meter.ticks) of one
meter, and that meter, to (n,) finite floats. Training, the edit engine and the evaluation only call this function. They
never look inside it, so your own function works exactly like the eight built-in ones below.

An onset is a tick where a note starts. A note tied over the barline starts in the measure before, so it is not an onset
here, as in the reference implementation. The first four attributes are those of Pati & Lerch (2020, section IV-A). The
reference defines rhythm for 4/4 only; here it is extended to other meters.

    rhythm       sum of the onsets' weights / sum of the weights of all ticks; `rhythm_weights` has the weights, which
                 follow Toussaint (2002)
    range        (highest - lowest pitch) / 26 semitones; 0 with fewer than two onsets
    density      number of onsets / number of ticks
    contour      (last - first pitch) / 26 semitones, which is the sum of all intervals; 0 with fewer than two onsets.
                 The literature has other definitions of contour, so cite this one when you report values
    syncopation  Longuet-Higgins & Lee (1984). A note is syncopated if it sounds, or its silence lasts, over a
                 stronger tick than the one where it starts. For each onset, this counts how many metrical levels the
                 strongest tick before the next onset is above the onset's own; the value is the sum over the measure,
                 and 0 without onsets. Each measure is measured alone, so a syncopation over its barline does not count
    pitch        (mean pitch - the centre of the register) / 26 semitones; 0 without onsets. Mean Pitch of jSymbolic
                 (McKay, Cumming & Fujinaga 2018)
    repetition   share of the intervals between successive onsets that are unisons; 0 with fewer than two onsets.
                 Repeated Notes of jSymbolic
    steps        share of the intervals between successive onsets that are one or two semitones; 0 with fewer than two
                 onsets. Stepwise Motion of jSymbolic

To add an attribute, write one function with this signature. Name it with `--attribute module:function`, or register it
under the entry point group `arvae.attributes`. Wrap it in an `AttributeSpec` to give it a unit and a citation.

    find(name)                        the AttributeSpec of a name
    names()                           all names that `find` knows
    evaluate(specs, rows, meter)      (n, len(specs)) values of rows in one meter
    evaluate_mixed(specs, inputs)     the same for packed rows of several meters
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from ..arrays import Array, Float64s, Mask, Rows
from ..errors import UsageError, nearest_or
from .meter import Meter
from .sliders import Unit, imported
from .tokens import CENTRE, FIRST_PITCH, LOWEST, VOCABULARY, by_meter, onsets
from .weights import EIGHTH, metrical_levels, rhythm_weights

if TYPE_CHECKING:
    from .melody import Melody

Function = Callable[[Array, Meter], Float64s]

SEMITONES = 26.0  # the reference implementation divides pitch differences by this number
ENTRY_POINTS = "arvae.attributes"

# tick * _TICK + token holds a tick and its token in one int16. A later tick gives a larger number.
_TICK = 1 << VOCABULARY.bit_length()
_TOKEN = np.int16(_TICK - 1)  # the bits of the token


@dataclass(frozen=True)
class AttributeSpec:
    """An attribute: what it is called, how it is computed, and the unit in which people set it."""

    name: str
    function: Function
    unit: Unit
    description: str
    citation: str
    grain: Callable[[Meter], float] | None = None  # the smallest difference between values, if they are discrete
    most: Callable[[Meter], float] | None = None  # the largest value that edits write, whatever the corpus has


def evaluate(specs: Sequence[AttributeSpec], rows: Array, meter: Meter) -> Float64s:
    """(n, ticks) rows of one meter -> (n, len(specs)) values, as the functions return them.

    Raises UsageError if a function raises an error, returns another shape, or returns a value that is not finite; only
    a user's function does. Raises ValueError for rows of another meter.
    """
    if rows.ndim != 2 or rows.shape[1] != meter.ticks:
        raise ValueError(f"rows of {meter.name} are (n, {meter.ticks}), not {rows.shape}")
    table = np.zeros((len(rows), len(specs)))
    columnwise = np.asfortranarray(rows, dtype=np.int16).view()  # the functions are fastest in this layout
    columnwise.flags.writeable = False  # a user's function may not change what it measures
    for column, spec in enumerate(specs):
        values = _as_values(spec, columnwise, meter)
        if values.shape != (len(rows),):
            raise UsageError(
                f"attribute {spec.name!r} returned shape {values.shape} for {len(rows)} rows of {meter.name}",
                remedy="return one float per row",
            )
        if not np.isfinite(values).all():
            at = int(np.flatnonzero(~np.isfinite(values))[0])
            raise UsageError(
                f"attribute {spec.name!r} is {values[at]} on the {meter.name} measure {rows[at].tolist()}",
                remedy="return a finite number for every measure, with or without notes",
            )
        table[:, column] = values
    return table


def _as_values(spec: AttributeSpec, rows: Array, meter: Meter) -> Float64s:
    try:
        returned = spec.function(rows, meter)
    except Exception as error:  # a user's function may raise anything
        raise UsageError(
            f"attribute {spec.name!r} fails on {meter.name} ({type(error).__name__}: {error})",
            remedy="return one finite number for every measure, with or without notes",
        ) from error
    try:
        return np.asarray(returned, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"attribute {spec.name!r} returned a {type(returned).__name__} that is not an array of numbers",
            remedy="return one float per row",
        ) from error


def evaluate_mixed(specs: Sequence[AttributeSpec], inputs: Array) -> Float64s:
    """(n, 1 + width) packed rows of any meters (see `tokens.pack`) -> (n, len(specs)) values. Raises as `evaluate`."""
    table = np.zeros((len(inputs), len(specs)))
    for meter, at in by_meter(inputs):
        table[at] = evaluate(specs, inputs[at, 1 : 1 + meter.ticks], meter)
    return table


def evaluate_bars(specs: Sequence[AttributeSpec], melody: Melody, at: Iterable[int]) -> dict[int, Float64s]:
    """The values (k,) of the measures whose indices are `at`, by index. Measures without tokens are left out."""
    values: dict[int, Float64s] = {}
    for meter, indices, rows in melody.by_meter(at):  # all measures of one meter at once, which is faster
        values.update(zip(indices, evaluate(specs, rows, meter), strict=True))
    return values


# ----------------------------------------------------------------------------------- the functions


def _columns(rows: Array) -> Rows:
    """(n, ticks) -> (ticks, n) int16, contiguous.

    numpy is ten times as fast when it works on one tick of all measures at a time. The rows that `evaluate` passes have
    this layout already, and are not copied.
    """
    columns: Rows = np.asfortranarray(rows, dtype=np.int16).T
    return columns


def _count(where: Mask) -> Rows:
    """(ticks, n) -> (n,) at how many ticks it is true."""
    count: Rows = where.sum(axis=0, dtype=np.int16)
    return count


def _numbered(columns: Rows) -> Rows:
    """(ticks, n) -> (ticks, n): tick * _TICK + token at each onset, 0 elsewhere. The last onset's number is largest."""
    ticks = np.arange(len(columns), dtype=np.int16)[:, None]
    numbered: Rows = (columns + ticks * np.int16(_TICK)) * onsets(columns)
    return numbered


def rhythm(rows: Array, meter: Meter) -> Float64s:
    weights = rhythm_weights(meter).tolist()
    started = onsets(_columns(rows))
    total = np.zeros(len(rows))
    for here, weight in zip(started, weights, strict=True):
        total += here * weight
    values: Float64s = total / sum(weights)
    return values


def pitch_range(rows: Array, meter: Meter) -> Float64s:
    columns = _columns(rows)
    lowest = (columns - np.int16(FIRST_PITCH)).view(np.uint16).min(axis=0)  # HOLD and REST become very large
    between = columns.max(axis=0) - FIRST_PITCH - lowest.view(np.int16)
    values: Float64s = between * (_count(onsets(columns)) >= 2) / SEMITONES
    return values


def density(rows: Array, meter: Meter) -> Float64s:
    values: Float64s = _count(onsets(_columns(rows))) / meter.ticks
    return values


def contour(rows: Array, meter: Meter) -> Float64s:
    columns = _columns(rows)
    last = _numbered(columns).max(axis=0) & _TOKEN
    first = _numbered(columns[::-1]).max(axis=0) & _TOKEN
    values: Float64s = (last - first) / SEMITONES  # one onset is both first and last: 0
    return values


def syncopation(rows: Array, meter: Meter) -> Float64s:
    started = onsets(_columns(rows))
    silent = np.full(len(rows), -100, dtype=np.int16)  # the highest level of a silent tick from here to the next onset
    total = np.zeros(len(rows), dtype=np.int16)
    levels = zip(started, metrical_levels(meter), metrical_levels(meter, silent=True), strict=True)
    for here, level, silent_level in reversed(list(levels)):
        total += np.maximum(silent - level, 0) * here
        silent = np.maximum(silent, silent_level) - here * np.int16(100)
    return total.astype(np.float64)


def mean_pitch(rows: Array, meter: Meter) -> Float64s:
    columns = _columns(rows)
    started = onsets(columns)
    count = _count(started)
    above = (columns * started).sum(axis=0, dtype=np.int16) - count * np.int16(FIRST_PITCH - LOWEST + CENTRE)
    values: Float64s = above / np.maximum(count, 1) / SEMITONES
    return values


def repetition(rows: Array, meter: Meter) -> Float64s:
    return _interval_share(rows, 0, 0)


def steps(rows: Array, meter: Meter) -> Float64s:
    return _interval_share(rows, 1, 2)


def _interval_share(rows: Array, smallest: int, largest: int) -> Float64s:
    """The share of the intervals between successive onsets that have `smallest` to `largest` semitones."""
    columns = _columns(rows)
    latest = _numbered(columns)[:-1]
    for before, now in pairwise(latest):  # np.maximum.accumulate is four times as slow
        np.maximum(before, now, out=now)
    previous = latest & _TOKEN  # 0 before the first onset
    here = columns[1:]
    size = np.abs(here - previous)
    intervals = onsets(here) & onsets(previous)
    counted = intervals & (size >= smallest) & (size <= largest)
    values: Float64s = _count(counted) / np.maximum(_count(intervals), 1)
    return values


# ----------------------------------------------------------------------------------- the registry

_PATI = "Pati & Lerch (2020), arXiv:2004.05485, section IV-A"
_JSYMBOLIC = "McKay, Cumming & Fujinaga (2018), jSymbolic 2.2, ISMIR"
_PERCENT = Unit(("pt", "points", "point"), lambda meter: 0.01)
_STEP = Unit(("st", "semitones", "semitone"), lambda meter: 1 / SEMITONES)
_NOTES = Unit(("notes", "note"), lambda meter: 1 / meter.ticks)
_LEVELS = Unit(("levels", "level"), lambda meter: 1.0)
_RAW = Unit(("raw",), lambda meter: 1.0)

PAPER = ("rhythm", "range", "density", "contour")

_BUILT_IN = (
    AttributeSpec(
        "rhythm",
        rhythm,
        _PERCENT,
        "rhythmic complexity, as a percentage of a measure with an onset at every tick",
        _PATI,
        lambda meter: EIGHTH / float(rhythm_weights(meter).sum()),  # the weight of an eighth between beats
    ),
    AttributeSpec("range", pitch_range, _STEP, "highest minus lowest pitch", _PATI, _STEP.size),
    AttributeSpec(
        "density",
        density,
        _NOTES,
        "number of notes that start in the measure",
        _PATI,
        _NOTES.size,
        lambda meter: int(4 * meter.quarters) / meter.ticks,  # sixteenths throughout
    ),
    AttributeSpec("contour", contour, _STEP, "last minus first pitch", _PATI, _STEP.size),
    AttributeSpec(
        "syncopation",
        syncopation,
        _LEVELS,
        "metrical levels between each note and the strongest tick that it is held over, summed",
        "Longuet-Higgins & Lee (1984), Music Perception 1(4)",
        _LEVELS.size,
    ),
    AttributeSpec("pitch", mean_pitch, _STEP, "mean pitch above the centre of the melody's register", _JSYMBOLIC),
    AttributeSpec("repetition", repetition, _PERCENT, "share of intervals that repeat a note", _JSYMBOLIC),
    AttributeSpec("steps", steps, _PERCENT, "share of intervals of one or two semitones", _JSYMBOLIC),
)
BUILT_IN = {spec.name: spec for spec in _BUILT_IN}


def names() -> list[str]:
    """The names of the built-in attributes, then those that installed packages register as entry points."""
    return [*BUILT_IN, *sorted(entry_points(group=ENTRY_POINTS).names)]


def find(name: str) -> AttributeSpec:
    """The attribute of that name: built in, registered as an entry point, or given as `module:function`.

    Modules are also looked for in the working folder. Raises UsageError for an unknown name, with the nearest known
    name, and for an attribute that cannot be imported.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    if ":" in name:
        return _as_spec(imported(name), name.rpartition(":")[2], name)
    for point in entry_points(group=ENTRY_POINTS, name=name):
        try:
            found = point.load()
        except (ImportError, AttributeError) as error:
            raise UsageError(
                f"attribute {name!r} cannot be imported from {point.value} ({error})",
                remedy="repair or uninstall the package that registers it",
            ) from error
        return replace(_as_spec(found, name, point.value), name=name)  # `find` must find it again by its name
    known = f"give one of {', '.join(names())}, or your own as module:function"
    raise UsageError(f"unknown attribute {name!r}", remedy=nearest_or(name, names(), known))


class Named(Protocol):
    """Anything with a name: an attribute of music or of images."""

    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


def each_once(specs: Sequence[N]) -> list[N]:
    """The attributes as a list. Raises UsageError if two of them have the same name."""
    names = [spec.name for spec in specs]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UsageError(f"the attribute {twice[0]} is given twice", remedy="name each attribute once")
    return list(specs)


def _as_spec(found: object, name: str, origin: str) -> AttributeSpec:
    """The imported object as an AttributeSpec. A plain function gets the unit `raw`."""
    if isinstance(found, AttributeSpec):
        return found
    if not callable(found):
        raise UsageError(
            f"attribute {origin!r} is not a function", remedy="give a function(rows, meter) that returns (n,) values"
        )
    description = (found.__doc__ or "").strip().split("\n")[0] or f"from {origin}"
    return AttributeSpec(name, found, _RAW, description, origin)
