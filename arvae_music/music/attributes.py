"""Attributes: what the sliders move. A name, a unit for people, a citation, and a pure function.

The function takes token rows (n, meter.ticks) of one meter and that meter, and returns (n,) finite floats. It
is a black box to everything else: neither training nor the edit engine knows how a value came about, so
that anybody's own function trains, edits and is evaluated like the eight below.

An onset is a pitch token: a note tied over the barline does not count, as in the reference. The first four
are Pati & Lerch's (2020, section IV-A), on any meter:

    rhythm      sum of the onsets' weights / sum of all weights (`rhythm_weights`); after Toussaint (2002)
    range       (highest - lowest pitch) / 26 semitones; 0 with fewer than two onsets
    density     onsets / ticks
    contour     (last - first pitch) / 26 semitones; 0 with fewer than two onsets: the telescoped sum of the
                intervals. Others define contour otherwise: cite this one

    syncopation Longuet-Higgins & Lee (1984): for each onset, how many metrical levels stronger is the
                strongest silent tick before the next onset or barline; summed over the measure, 0 with
                no onsets. What is held over a barline is in no row: it does not count
    pitch       mean pitch in semitones above the melody's register centre / 26; 0 with no onsets
                (jSymbolic's Mean Pitch: McKay, Cumming & Fujinaga 2018)
    repetition  share of the intervals between onsets that are unisons (jSymbolic's Repeated Notes)
    steps       share of the intervals between onsets that are one or two semitones (jSymbolic's Stepwise
                Motion); both 0 with fewer than two onsets

Your own: one function with this signature, named `--attribute module:function` or registered under the entry
point group `arvae.attributes`. Wrap it in an `AttributeSpec` to give it a unit.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import entry_points
from itertools import pairwise
from typing import Protocol, TypeVar

import numpy as np

from ..arrays import Array, Float64s, Mask, Rows
from ..errors import UsageError
from .meter import Meter
from .sliders import Unit, imported
from .tokens import CENTRE, FIRST_PITCH, LOWEST, VOCABULARY, by_meter, onsets

Function = Callable[[Array, Meter], Float64s]

SEMITONES = 26.0  # the reference divides pitch differences by this
ENTRY_POINTS = "arvae.attributes"

# Reference (Pati & Lerch 2020) on 4/4: a beat is [its own weight, 1, 2, .5, 2, 1]: eighths are simplest, then
# sixteenths, then triplets; the downbeat .20, the half measure .25, the other beats .67.
DOWNBEAT, HALF_MEASURE, OTHER_BEAT = 0.20, 0.25, 0.67
EIGHTH, SIXTEENTH, TRIPLET = 0.5, 1.0, 2.0
SIMPLE_OFFBEATS = (SIXTEENTH, TRIPLET, EIGHTH, TRIPLET, SIXTEENTH)
COMPOUND_OFFBEATS = (SIXTEENTH, EIGHTH, SIXTEENTH, EIGHTH, SIXTEENTH)

# Metrical levels for syncopation: what divides a beat is one level below it, what divides that again two.
# Thirds of a simple beat divide it as its half does, but in another tree: an onset on a third counts as an
# eighth, a silent third as a sixteenth, so that plain triplets, sixteenths and eighths all score 0.
SIMPLE_DEPTHS = (2, 1, 1, 1, 2)  # levels below the beat of an onset there
SIMPLE_SILENT_DEPTHS = (2, 2, 1, 2, 2)  # of a silent tick there
COMPOUND_DEPTHS = (2, 1, 2, 1, 2)

_TICK = 1 << VOCABULARY.bit_length()  # tick * _TICK + token: both in one int16, compared by tick first
_TOKEN = np.int16(_TICK - 1)  # the bits of the token


@dataclass(frozen=True)
class AttributeSpec:
    name: str
    function: Function
    unit: Unit
    description: str
    citation: str
    grain: Callable[[Meter], float] | None = None  # the smallest difference that counts, where values are discrete


def evaluate(specs: Sequence[AttributeSpec], rows: Array, meter: Meter) -> Float64s:
    """(n, ticks) rows of one meter -> (n, len(specs)) raw values.

    Raises UsageError when a function (a user's, then) raises, returns another shape or a value that is not finite.
    """
    if rows.ndim != 2 or rows.shape[1] != meter.ticks:
        raise ValueError(f"rows of {meter.name} are (n, {meter.ticks}), not {rows.shape}")
    table = np.zeros((len(rows), len(specs)))
    columnwise = np.asfortranarray(rows, dtype=np.int16).view()  # the layout in which attributes are fast
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
                remedy="return a finite number for every measure, empty ones too",
            )
        table[:, column] = values
    return table


def _as_values(spec: AttributeSpec, rows: Array, meter: Meter) -> Float64s:
    try:
        returned = spec.function(rows, meter)
    except Exception as error:  # somebody's own function may raise anything
        raise UsageError(
            f"attribute {spec.name!r} fails on {meter.name} ({type(error).__name__}: {error})",
            remedy="return one finite number for every measure, empty ones too; --debug shows where",
        ) from error
    try:
        return np.asarray(returned, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"attribute {spec.name!r} returned a {type(returned).__name__} that is no array of numbers",
            remedy="return one float per row",
        ) from error


def evaluate_mixed(specs: Sequence[AttributeSpec], inputs: Array) -> Float64s:
    """(n, 1 + max ticks) inputs (meter code, then PAD-filled tokens: see `pack`) -> (n, len(specs))."""
    table = np.zeros((len(inputs), len(specs)))
    for meter, at in by_meter(inputs):
        table[at] = evaluate(specs, inputs[at, 1 : 1 + meter.ticks], meter)
    return table


# ----------------------------------------------------------------------------------- the functions


@lru_cache
def rhythm_weights(meter: Meter) -> Float64s:
    """(ticks,) weight of an onset at each tick: 4/4 as published, other meters by metrical position."""
    offbeats = COMPOUND_OFFBEATS if meter.compound else SIMPLE_OFFBEATS
    beats = [(_beat(meter, b, DOWNBEAT, HALF_MEASURE, OTHER_BEAT), *offbeats) for b in range(meter.beats)]
    return _constant(np.array(beats).reshape(-1))


@lru_cache
def metrical_levels(meter: Meter, silent: bool = False) -> Rows:
    """(ticks,) Longuet-Higgins & Lee level of an onset, or of a silent tick, at each tick.

    0 is the downbeat; every division of the measure is one lower: in 4/4 the half measure -1, the other beats
    -2, eighths -3, sixteenths -4; in 3/4 the beats -1, eighths -2.
    """
    depths = COMPOUND_DEPTHS if meter.compound else SIMPLE_SILENT_DEPTHS if silent else SIMPLE_DEPTHS
    weakest = 0 if meter.beats == 1 else -2 if meter.beats in (4, 6) else -1  # beat: 4 and 6 halve first
    inside = [weakest - depth for depth in depths]
    beats = [(_beat(meter, b, 0, -1, weakest), *inside) for b in range(meter.beats)]
    return _constant(np.array(beats, dtype=np.int16).reshape(-1))


def _beat(meter: Meter, beat: int, downbeat: float, half: float, other: float) -> float:
    if beat == 0:
        return downbeat
    return half if 2 * beat == meter.beats else other


def _constant(array: Array) -> Array:
    array.flags.writeable = False  # cached: every caller shares it
    return array


def _columns(rows: Array) -> Rows:
    """(n, ticks) -> (ticks, n), contiguous: numpy is ten times as fast along ticks that lie apart.

    Free for the column-major int16 rows that `evaluate` passes.
    """
    columns: Rows = np.asfortranarray(rows, dtype=np.int16).T
    return columns


def _count(where: Mask) -> Rows:
    """(ticks, n) -> (n,): how often."""
    count: Rows = where.sum(axis=0, dtype=np.int16)
    return count


def _stamped(columns: Rows) -> Rows:
    """Onsets as tick * _TICK + token, all else 0: the latest of them, token included, is then the largest."""
    ticks = np.arange(len(columns), dtype=np.int16)[:, None]
    stamped: Rows = (columns + ticks * np.int16(_TICK)) * onsets(columns)
    return stamped


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
    lowest = (columns - np.int16(FIRST_PITCH)).view(np.uint16).min(axis=0)  # HOLD and REST wrap to the top
    between = columns.max(axis=0) - FIRST_PITCH - lowest.view(np.int16)
    values: Float64s = between * (_count(onsets(columns)) >= 2) / SEMITONES
    return values


def density(rows: Array, meter: Meter) -> Float64s:
    values: Float64s = _count(onsets(_columns(rows))) / meter.ticks
    return values


def contour(rows: Array, meter: Meter) -> Float64s:
    columns = _columns(rows)
    last = _stamped(columns).max(axis=0) & _TOKEN
    first = _stamped(columns[::-1]).max(axis=0) & _TOKEN
    values: Float64s = (last - first) / SEMITONES  # 0 of itself with fewer than two onsets
    return values


def syncopation(rows: Array, meter: Meter) -> Float64s:
    started = onsets(_columns(rows))
    silent = np.full(len(rows), -100, dtype=np.int16)  # strongest silent level from here to the next onset
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
    """The share of intervals between successive onsets whose size in semitones lies in the bounds."""
    columns = _columns(rows)
    latest = _stamped(columns)[:-1]
    for before, now in pairwise(latest):  # maximum.accumulate is four times as slow
        np.maximum(before, now, out=now)
    previous = latest & _TOKEN  # 0: no onset yet
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
        "rhythmic complexity, in points of the most complex measure",
        _PATI,
        lambda meter: EIGHTH / float(rhythm_weights(meter).sum()),  # an eighth between beats
    ),
    AttributeSpec("range", pitch_range, _STEP, "highest minus lowest pitch", _PATI, _STEP.size),
    AttributeSpec("density", density, _NOTES, "notes that start in the measure", _PATI, _NOTES.size),
    AttributeSpec("contour", contour, _STEP, "last minus first pitch", _PATI, _STEP.size),
    AttributeSpec(
        "syncopation",
        syncopation,
        _LEVELS,
        "metrical levels by which notes are held over stronger ticks",
        "Longuet-Higgins & Lee (1984), Music Perception 1(4)",
        _LEVELS.size,
    ),
    AttributeSpec("pitch", mean_pitch, _STEP, "mean pitch above the register's centre", _JSYMBOLIC),
    AttributeSpec("repetition", repetition, _PERCENT, "share of intervals that repeat the note", _JSYMBOLIC),
    AttributeSpec("steps", steps, _PERCENT, "share of intervals that are a step", _JSYMBOLIC),
)
BUILT_IN = {spec.name: spec for spec in _BUILT_IN}


def names() -> list[str]:
    """Every attribute that a name alone finds: the built-in ones and installed entry points."""
    return [*BUILT_IN, *sorted(entry_points(group=ENTRY_POINTS).names)]


def find(name: str) -> AttributeSpec:
    """The attribute called `name`: built in, from an entry point, or `module:function` (imported from the
    working folder too). Raises UsageError with the nearest names."""
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
                remedy="mend or uninstall the package that registers it",
            ) from error
        return replace(_as_spec(found, name, point.value), name=name)  # so that its name finds it again
    close = difflib.get_close_matches(name, names(), n=1)
    there = f"there are {', '.join(names())}, or give module:function"
    hint = f"did you mean {close[0]}?" if close else there
    raise UsageError(f"unknown attribute {name!r}", remedy=hint)


class Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


def each_once(specs: Sequence[N]) -> list[N]:
    """The same. Raises UsageError where two have one name."""
    names = [spec.name for spec in specs]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UsageError(f"the attribute {twice[0]} is given twice", remedy="name each once")
    return list(specs)


def _as_spec(found: object, name: str, origin: str) -> AttributeSpec:
    if isinstance(found, AttributeSpec):
        return found
    if not callable(found):
        raise UsageError(
            f"attribute {origin!r} is not a function", remedy="give function(rows, meter) -> values"
        )
    description = (found.__doc__ or "").strip().split("\n")[0] or f"from {origin}"
    return AttributeSpec(name, found, _RAW, description, origin)
