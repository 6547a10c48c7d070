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

    syncopation Longuet-Higgins & Lee (1984): for each onset, how much stronger metrically is the strongest silent
                tick before the next onset; summed over the measure, 0 with no onsets
    pitch       mean pitch in semitones above the melody's register centre / 26; 0 with no onsets
                (jSymbolic's Mean Pitch: McKay, Cumming & Fujinaga 2018)
    repetition  share of the intervals between onsets that are unisons (jSymbolic's Repeated Notes)
    steps       share of the intervals between onsets that are one or two semitones (jSymbolic's Stepwise Motion);
                both 0 with fewer than two onsets

Your own: one function with this signature, named `--attribute module:function` or registered under the entry
point group `arvae.attributes`. Wrap it in an `AttributeSpec` to give it a unit.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import UsageError
from .measure import TICKS_PER_BEAT, Meter
from .tokens import CENTRE, FIRST_PITCH, LOWEST, PAD, onsets

Rows = npt.NDArray[Any]  # (n, ticks) integers
Values = npt.NDArray[np.float64]  # (n,)
Function = Callable[[Rows, Meter], Values]

SEMITONES = 26.0  # the reference divides pitch differences by this
ENTRY_POINTS = "arvae.attributes"

# Reference (Pati & Lerch 2020) on 4/4: a beat is [its own weight, 1, 2, .5, 2, 1]: eighths are simplest, then
# sixteenths, then triplets; the downbeat .20, the half measure .25, the other beats .67.
DOWNBEAT, HALF_MEASURE, OTHER_BEAT = 0.20, 0.25, 0.67
EIGHTH, SIXTEENTH, TRIPLET = 0.5, 1.0, 2.0
SIMPLE_OFFBEATS = (SIXTEENTH, TRIPLET, EIGHTH, TRIPLET, SIXTEENTH)
COMPOUND_OFFBEATS = (SIXTEENTH, EIGHTH, SIXTEENTH, EIGHTH, SIXTEENTH)

# Metrical levels for syncopation, downbeat 0, each subdivision one lower.
SIMPLE_LEVELS = (-4, -4, -3, -4, -4)
COMPOUND_LEVELS = (-4, -3, -4, -3, -4)


@dataclass(frozen=True)
class Unit:
    """The unit that people speak in: `names` are accepted after a number, the first is printed.

    `size(meter)` is how much of the raw attribute one unit is: 1 note in 4/4 is 1/24 of density.
    """

    names: tuple[str, ...]
    size: Callable[[Meter], float]


@dataclass(frozen=True)
class AttributeSpec:
    name: str
    function: Function
    unit: Unit
    description: str
    citation: str


def evaluate(specs: Sequence[AttributeSpec], rows: Rows, meter: Meter) -> npt.NDArray[np.float64]:
    """(n, ticks) rows of one meter -> (n, len(specs)) raw values.

    Raises UsageError when a function (a user's, then) returns another shape or a value that is not finite.
    """
    if rows.ndim != 2 or rows.shape[1] != meter.ticks:
        raise ValueError(f"rows of {meter.name} are (n, {meter.ticks}), not {rows.shape}")
    table = np.zeros((len(rows), len(specs)))
    for column, spec in enumerate(specs):
        values = np.asarray(spec.function(rows, meter), dtype=np.float64)
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


def evaluate_mixed(specs: Sequence[AttributeSpec], inputs: Rows) -> npt.NDArray[np.float64]:
    """(n, 1 + max ticks) inputs (meter code, then PAD-filled tokens: see `pack`) -> (n, len(specs))."""
    table = np.zeros((len(inputs), len(specs)))
    for meter, at in by_meter(inputs):
        table[at] = evaluate(specs, inputs[at, 1 : 1 + meter.ticks], meter)
    return table


def pack(rows: Sequence[Rows], meters: Sequence[Meter], width: int) -> npt.NDArray[np.int16]:
    """Rows of any meters as one array (n, 1 + width): meter code, then the tokens, then PAD."""
    inputs = np.full((len(rows), 1 + width), PAD, dtype=np.int16)
    for i, (row, meter) in enumerate(zip(rows, meters, strict=True)):
        inputs[i, 0] = meter.code
        inputs[i, 1 : 1 + meter.ticks] = row
    return inputs


def by_meter(inputs: Rows) -> Iterable[tuple[Meter, npt.NDArray[np.int64]]]:
    """The meters that occur in packed inputs, each with the indices of its rows."""
    for code in np.unique(inputs[:, 0]).tolist():
        yield Meter.from_code(code), np.flatnonzero(inputs[:, 0] == code)


# ----------------------------------------------------------------------------------- the functions


@lru_cache
def rhythm_weights(meter: Meter) -> npt.NDArray[np.float64]:
    """(ticks,) weight of an onset at each tick; 4/4 as published, other meters by the same metrical places."""
    offbeats = COMPOUND_OFFBEATS if meter.compound else SIMPLE_OFFBEATS
    beats = [(_beat(meter, b, DOWNBEAT, HALF_MEASURE, OTHER_BEAT), *offbeats) for b in range(meter.beats)]
    return np.array(beats).reshape(-1)


@lru_cache
def metrical_levels(meter: Meter) -> npt.NDArray[np.float64]:
    """(ticks,) Longuet-Higgins & Lee level of each tick: 0 for the downbeat, negative below."""
    offbeats = COMPOUND_LEVELS if meter.compound else SIMPLE_LEVELS
    beats = [(_beat(meter, b, 0, -1, -2), *offbeats) for b in range(meter.beats)]
    return np.array(beats, dtype=np.float64).reshape(-1)


def _beat(meter: Meter, beat: int, downbeat: float, half: float, other: float) -> float:
    if beat == 0:
        return downbeat
    return half if 2 * beat == meter.beats else other


def rhythm(rows: Rows, meter: Meter) -> Values:
    weights = rhythm_weights(meter)
    return onsets(rows) @ weights / weights.sum()


def pitch_range(rows: Rows, meter: Meter) -> Values:
    started = onsets(rows)
    highest = np.where(started, rows, -1).max(axis=1)
    lowest = np.where(started, rows, np.iinfo(np.int16).max).min(axis=1)
    return np.where(started.sum(axis=1) >= 2, highest - lowest, 0) / SEMITONES


def density(rows: Rows, meter: Meter) -> Values:
    return onsets(rows).mean(axis=1)


def contour(rows: Rows, meter: Meter) -> Values:
    started = onsets(rows)
    every = np.arange(len(rows))
    first = rows[every, started.argmax(axis=1)]
    last = rows[every, rows.shape[1] - 1 - started[:, ::-1].argmax(axis=1)]
    return np.where(started.sum(axis=1) >= 2, last.astype(np.int64) - first, 0) / SEMITONES


def syncopation(rows: Rows, meter: Meter) -> Values:
    levels = metrical_levels(meter)
    started = onsets(rows)
    silent = np.full(len(rows), -np.inf)  # level of the strongest silent tick between here and the next onset
    total = np.zeros(len(rows))
    for tick in range(meter.ticks - 1, -1, -1):
        here = started[:, tick]
        total += np.where(here, np.maximum(silent - levels[tick], 0), 0)
        silent = np.where(here, -np.inf, np.maximum(silent, levels[tick]))
    return total


def mean_pitch(rows: Rows, meter: Meter) -> Values:
    started = onsets(rows)
    above = np.where(started, rows.astype(np.float64) - FIRST_PITCH + LOWEST - CENTRE, 0.0)
    return above.sum(axis=1) / np.maximum(started.sum(axis=1), 1) / SEMITONES


def repetition(rows: Rows, meter: Meter) -> Values:
    return _interval_share(rows, 0, 0)


def steps(rows: Rows, meter: Meter) -> Values:
    return _interval_share(rows, 1, 2)


def _interval_share(rows: Rows, smallest: int, largest: int) -> Values:
    """The share of intervals between successive onsets whose size in semitones lies in the bounds."""
    started = onsets(rows)
    before = np.zeros_like(started)
    before[:, 1:] = np.maximum.accumulate(started, axis=1)[:, :-1]
    at = np.maximum.accumulate(np.where(started, np.arange(rows.shape[1]), 0), axis=1)
    previous = np.zeros(rows.shape, dtype=np.int64)
    previous[:, 1:] = np.take_along_axis(rows, at, axis=1)[:, :-1]
    interval = np.abs(rows - previous)
    intervals = started & before
    counted = intervals & (interval >= smallest) & (interval <= largest)
    return counted.sum(axis=1) / np.maximum(intervals.sum(axis=1), 1)


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
    AttributeSpec("rhythm", rhythm, _PERCENT, "rhythmic complexity, in points of the most complex measure", _PATI),
    AttributeSpec("range", pitch_range, _STEP, "highest minus lowest pitch", _PATI),
    AttributeSpec("density", density, _NOTES, "notes that start in the measure", _PATI),
    AttributeSpec("contour", contour, _STEP, "last minus first pitch", _PATI),
    AttributeSpec(
        "syncopation",
        syncopation,
        _LEVELS,
        "metrical levels by which notes are held over stronger ticks",
        "Longuet-Higgins & Lee (1984), Music Perception 1(4)",
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
        return _import(name)
    for point in entry_points(group=ENTRY_POINTS, name=name):
        return _as_spec(point.load(), name, point.value)
    close = difflib.get_close_matches(name, names(), n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names())}, or give module:function"
    raise UsageError(f"unknown attribute {name!r}", remedy=hint)


def _import(path: str) -> AttributeSpec:
    module_name, _, function_name = path.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"attribute {path!r} cannot be imported ({error})",
            remedy="give module:function, the module importable from the working folder",
        ) from error
    return _as_spec(found, function_name, path)


def _as_spec(found: object, name: str, origin: str) -> AttributeSpec:
    if isinstance(found, AttributeSpec):
        return found
    if not callable(found):
        raise UsageError(f"attribute {origin!r} is not a function", remedy="give function(rows, meter) -> values")
    description = (found.__doc__ or "").strip().split("\n")[0] or f"from {origin}"
    return AttributeSpec(name, found, _RAW, description, origin)
