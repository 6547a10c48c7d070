"""Summaries of edits and of files, as data for JSON and as lines of text.

    edit_lines(result, request, model)          the report of an edit: a table of attributes, and the unchanged measures
    edit_json(song, result, request, model)     the same as plain data, with every measure
    flaws(result, request)                      the reasons why an edit is not exact
    describe(song, specs)                       a file's voices, key, meters, tempi, and the attributes of its measures
    file_lines(song, description)               the same as lines of text, without the tables of voices and measures

Values are in the attributes' units. `requested` is the value of the target. `goal` is the nearest value that the
measure can have: within the range of the corpus, and a whole number if the attribute counts something (notes,
semitones). A measure is exact if it reaches its goal and the request lies within the range of the corpus.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..editing.edit import DIGITS, SILENT, BarResult, EditResult
from ..editing.request import EditRequest
from ..io.doubles import Double
from ..io.midi import DEFAULT_TEMPO, Song
from ..io.midi_events import tempo_changes
from ..music.attributes import AttributeSpec
from ..music.harmony import Origin
from ..music.keys import MAJOR_KEYS
from ..music.melody import Melody
from ..music.meter import Meter
from ..music.sliders import to_json
from ..music.stand_ins import described
from ..networks.model import Model
from . import measures
from .listings import channels_text, notice_lines, notices_json
from .manifest import attribute_rows
from .score_lines import score_lines
from .unchanged import Tally, idle_locks, numbers, short_lines

MINOR = ("Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#")
MICROSECONDS = 60e6  # in a minute: a MIDI tempo is microseconds per quarter note


def melody_line(song: Song) -> str:
    """The chosen track, why it was chosen, and which of its notes are the melody."""
    found = song.found
    name = f" {found.name!r}" if found.name else ""
    chosen = f"track {found.track}{name}, {channels_text(found.channels)} ({found.why})"
    if found.voice is not None:
        moved = sum(len(double.line.notes) for double in song.doubles if double.track == found.track - 1)
        line = f"voice {found.voice}" if isinstance(found.voice, int) else f"the {found.voice} voice"
        stay = found.stay - moved
        chosen += f"; {line} of it" + (f", and its {stay} other notes stay as they are" if stay else "")
    if song.doubles:
        chosen += f"; with it moves {' and '.join(_double(double, song) for double in song.doubles)}"
    return chosen


def _double(double: Double, song: Song) -> str:
    """`track 3 in unison`, `track 4 one octave below in 8 of 12 measures`."""
    octaves, side = abs(double.interval) // 12, "above" if double.interval > 0 else "below"
    interval = f"{('', 'one octave', 'two octaves')[octaves]} {side}" if octaves else "in unison"
    count = len(song.melody.editable)
    measures = "" if double.measures == count else f" in {double.measures} of {count} measures"
    return f"track {double.track + 1} {interval}{measures}"


# ------------------------------------------------------------------------------------------ edits


def edit_lines(result: EditResult, request: EditRequest, model: Model) -> list[str]:
    """The report of an edit: the requested attributes first."""
    rows = attribute_rows(result, request.targets, request.keep, model)
    not_requested = [row for row in rows if row["asked"] is None]
    lines = [f"{'':11} {'before':>9} {'requested':>9} {'goal':>9} {'achieved':>9}"]
    lines += [_requested_line(row, result, request, model) for row in rows if row["name"] in request.targets]
    lines += [_requested_line(row, result, request, model) for row in rows if row["name"] in request.keep]
    lines += ["not requested:"] if not_requested else []
    lines += [
        f"{row['name']:11} {row['before']:9.3g} {'':19} {row['achieved']:9.3g}  {row['unit']}" for row in not_requested
    ]
    if _has_rounded_goal(result, model):
        lines.append("the goal is the nearest value that each measure can have, such as a whole number of notes")
    lines.append(str(Tally.of(result)))
    lines += described(model.stand_ins(bar.meter for bar in result.bars))
    for text, bars in (
        (
            "the request lies outside the range of the corpus and was clamped to it",
            _bars_where(result, lambda b: b.clamped),
        ),
        (
            "the goal was not reached; the nearest value found was taken",
            _bars_where(result, lambda b: ~b.hits & b.each),
        ),
    ):
        lines += [f"{text}: {numbers(bars)}"] if bars else []
    lines += short_lines(result, model)
    lines += idle_locks(result, request)
    lines += [_harmony_line(result, request)]
    return [*(line for line in lines if line), f"seed {request.seed}; model: {model.name}"]


def requested_rows(result: EditResult, request: EditRequest, model: Model) -> list[dict[str, Any]]:
    """The attributes of an edit as plain data, in their units: the means before, requested and achieved, the goal, and
    what became of the request. An attribute without a request has none of the last three."""
    found = []
    for row in attribute_rows(result, request.targets, request.keep, model):
        goal, what, exact = _outcome(row, result, request, model) if row["asked"] is not None else (None, "", True)
        own = {name: row[name] for name in ("name", "unit", "before")}
        found.append(own | {
            "requested": row["asked"], "goal": goal, "achieved": row["achieved"], "exact": exact, "what": what
        })  # fmt: skip
    return found


def _requested_line(row: dict[str, Any], result: EditResult, request: EditRequest, model: Model) -> str:
    goal, what, _ = _outcome(row, result, request, model)
    requested = "keep" if row["name"] in request.keep else f"{row['asked']:.3g}"
    numbers = f"{row['before']:9.3g} {requested:>9} {goal:9.3g} {row['achieved']:9.3g}"
    return f"{row['name']:11} {numbers}  {row['unit']:6} {what}"


def _outcome(
    row: dict[str, Any], result: EditResult, request: EditRequest, model: Model
) -> tuple[float, str, bool]:
    """The mean goal of a requested or kept attribute, what became of the request, and whether it is met exactly."""
    kept = row["name"] in request.keep
    k, spec = result.names.index(row["name"]), _spec(row["name"], model)
    goal = float(np.mean([goal_of(bar, k, spec) / spec.unit.size(bar.meter) for bar in result.bars])) + 0.0
    hits = row["measures"] - len(_measures_with_change(result, k)) if kept else row["hits"]
    what = f"{'unchanged' if kept else 'exact'} in {hits} of {row['measures']} measures"
    short = 0 if kept else sum(bool(bar.short[k]) for bar in result.bars)
    if not kept and not request.each and request.mode == "guided":
        exact = "too small a request for" if short else "exact," if hits else "not exact,"
        what = f"{exact} the mean of {row['measures']} measures"
    elif short:
        what = f"exact in {hits - short} of {row['measures']} measures, too small a request for {short}"
    return goal, what, hits == row["measures"]


def _spec(name: str, model: Model) -> AttributeSpec:
    return model.specs[model.metadata.names.index(name)]


def goal_of(bar: BarResult, k: int, spec: AttributeSpec) -> float:
    """The raw value nearest to the request that the measure can have; NaN without a request.

    If the request lies halfway between two whole numbers, both are equally near, and the achieved one is the goal.
    """
    wanted, achieved = float(bar.wanted[k]), float(bar.achieved[k])
    if not bar.each:  # the goal is the mean's
        return achieved if bar.hits[k] and not math.isnan(wanted) else wanted
    unit = _whole_unit(spec, bar.meter)
    if unit is None or math.isnan(wanted):
        return wanted
    return achieved if bar.hits[k] else round(wanted / unit) * unit


def _whole_unit(spec: AttributeSpec, meter: Meter) -> float | None:
    """The raw size of the attribute's unit if all its values are whole numbers of units, otherwise None."""
    unit = spec.unit.size(meter)
    return unit if spec.grain is not None and math.isclose(spec.grain(meter), unit) else None


def _has_rounded_goal(result: EditResult, model: Model) -> bool:
    """Whether a goal differs from the (clamped) request, so that the report has to explain it."""
    specs = [(k, _spec(name, model)) for k, name in enumerate(result.names)]
    return any(
        bar.each and abs(goal_of(bar, k, spec) - float(bar.wanted[k])) > 1e-9 and not bar.short[k]
        for bar in result.bars
        for k, spec in specs
    )


def _bars_where(result: EditResult, mask: Callable[[BarResult], Any]) -> list[BarResult]:
    return [bar for bar in result.bars if mask(bar).any()]


def _measures_with_change(result: EditResult, k: int) -> list[BarResult]:
    """The measures in which attribute k changed."""
    return [bar for bar in result.bars if abs(bar.achieved[k] - bar.before[k]) > 1e-9]


def flaws(result: EditResult, request: EditRequest) -> list[str]:
    """Why the edit is not exact: requests that are missed, kept attributes that moved, idle locks, skipped measures."""
    found = []
    for name in (*request.targets, *sorted(request.keep)):
        k = result.names.index(name)
        kept = name in request.keep
        bars = _measures_with_change(result, k) if kept else [bar for bar in result.bars if not bar.exact[k]]
        flaw = "changed in spite of --keep" if kept else "is not exact"
        where = "the mean of the measures" if bars and not kept and not bars[0].each else numbers(bars)
        found += [f"{name} {flaw}: {where}"] if bars else []
    found += [f"{count} measures cannot be edited: {why}" for why, count in result.skipped.items() if why != SILENT]
    return [*found, *idle_locks(result, request)]


def edit_json(song: Song, result: EditResult, request: EditRequest, model: Model) -> dict[str, Any]:
    """An edit as plain data: the request, the model, and the values of all attributes in every measure."""
    return {
        "targets": to_json(dict(request.targets)),
        "keep": sorted(request.keep),
        "lock": sorted(request.locks),
        "mode": request.mode,
        "seed": request.seed,
        "harmony": _harmony_json(result, request),
        "model": {"name": model.name, "digest": model.checkpoint.digest},
        "melody": song.found,
        "notices": notices_json(song.notices),
        "attributes": attribute_rows(result, request.targets, request.keep, model),
        "stand_ins": model.stand_ins(bar.meter for bar in result.bars),
        "measures": [_bar_json(bar, result, model) for bar in result.bars],
        "skipped": dict(result.skipped),
        "left_alone": dict(Tally.of(result).left),
    }


def _bar_json(bar: BarResult, result: EditResult, model: Model) -> dict[str, Any]:
    attributes = {}
    for k, name in enumerate(result.names):
        spec = _spec(name, model)
        size = spec.unit.size(bar.meter)
        parts = {part: float(getattr(bar, part)[k]) for part in ("before", "asked", "wanted", "achieved")}
        parts["goal"] = goal_of(bar, k, spec)
        attributes[name] = {part: round(value / size, DIGITS) + 0.0 for part, value in parts.items()}
    return {
        "number": bar.number,
        "meter": bar.meter.name,
        "changed": bar.changed,
        "hit": bool(bar.exact.all()),
        "clamped": bool(bar.clamped.any()),
        "too_small": bool(bar.short.any()),
        "attributes": attributes,
    }


# ------------------------------------------------------------------------------------------ files


@dataclass(frozen=True)
class Change:
    """A meter (`3/4`) or a tempo (quarter notes per minute) that holds from measure `bar` on."""

    bar: int
    value: str | float


def describe(song: Song, specs: Sequence[AttributeSpec]) -> dict[str, Any]:
    """A song as plain data: its voices, key, pickup, meters, tempi and measures."""
    melody = song.melody
    return {
        "file": song.name,
        "melody": song.found,
        "voices": song.candidates,
        "notices": notices_json(song.notices),
        "key": {"name": key_name(melody.fifths), "fifths": melody.fifths, "origin": melody.key_origin},
        "keys": _change_points((bar.number, key_name(melody.key_at(i))) for i, bar in enumerate(melody.bars)),
        "shift": melody.shift,
        "pickup": song.pickup,
        "meters": _change_points((bar.number, bar.signature) for bar in melody.bars),
        "tempi": tempi(song),
        "harmony": None if (origin := harmony_origin(melody)) is None else origin.name.lower(),
        "untouched": sum(bar.reason is not None for bar in melody.bars),
        "bars": measures.bars(melody, specs),
    }


def file_lines(song: Song, description: Mapping[str, Any]) -> list[str]:
    """The description of a file as lines of text: its melody, key, meters, tempi, pickup and measures."""
    melody, untouched, keys = song.melody, description["untouched"], description["keys"]
    tempi_text = ", ".join(f"{change.value:g} from bar {change.bar}" for change in description["tempi"])
    rest = f"; an edit leaves {untouched} of them untouched" if untouched else ""
    lines = {
        "melody": melody_line(song),
        "key": f"{description['key']['name']}, {melody.key_origin}; normalised by {melody.shift:+d} semitones",
        "keys": ", ".join(f"{change.value} from bar {change.bar}" for change in keys) if len(keys) > 1 else "",
        "meter": ", ".join(f"{change.value} from bar {change.bar}" for change in description["meters"]),
        "tempo": tempi_text or f"{DEFAULT_TEMPO:g}, because the file gives none",
        "pickup": _quarters(song.pickup) if song.pickup else "none",
        "chords": _chords_line(melody),
        "measures": f"{len(melody.bars)}{rest}",
    }
    shown = [f"{title:9} {line}" for title, line in lines.items() if line]
    return [*shown, *score_lines(song), *notice_lines(song.notices)]


def harmony_origin(melody: Melody) -> Origin | None:
    """Where the melody's chords come from; None if no chord is known."""
    return next((bar.harmony.origin for bar in melody.bars if bar.harmony is not None and bar.harmony.known), None)


def _harmony_json(result: EditResult, request: EditRequest) -> str | None:
    """Where the chords come from that the new notes fit; null if they fit none."""
    origin = harmony_origin(result.melody) if request.harmony and request.mode == "guided" else None
    return None if origin is None else origin.name.lower()


def _harmony_line(result: EditResult, request: EditRequest) -> str:
    """Which chords the new notes fit; "" without new notes or chords, or in latent mode, which does not see chords."""
    origin = harmony_origin(result.melody)
    if origin is None or request.mode == "latent" or not any(bar.changed for bar in result.bars):
        return ""
    if not request.harmony:
        return f"the chords from {origin.value} were ignored"
    return f"new notes fit the chords from {origin.value}"


def _chords_line(melody: Melody) -> str:
    origin = harmony_origin(melody)
    if origin is None:
        return "none"
    known = sum(bar.harmony is not None and bar.harmony.known for bar in melody.bars)
    return f"from {origin.value}, in {known} of {len(melody.bars)} measures"


def _quarters(length: Fraction) -> str:
    number = f"{float(length):g}" if length.denominator in (1, 2, 4, 8) else str(length)
    return f"{number} quarter note{'s' if length > 1 else ''}"


def bar_headings(measures: Sequence[Mapping[str, Any]], specs: Sequence[AttributeSpec]) -> list[str]:
    """The headings of `bar_rows`."""
    attributes = (f"{spec.name}\n({spec.unit.names[0]})" for spec in specs)
    return ["bar", "meter", *attributes, *(["chords"] if any(bar["chords"] for bar in measures) else []), "notes"]


def bar_rows(measures: Sequence[Mapping[str, Any]], specs: Sequence[AttributeSpec]) -> list[tuple[str, ...]]:
    """For each measure of `bars`: number, meter, the value of each attribute, the chords if any measure has some, and
    the notes or why it is untouched."""
    chords = any(bar["chords"] for bar in measures)
    rows: list[tuple[str, ...]] = []
    for bar in measures:
        values = bar["attributes"] or {}
        cells = [f"{values[spec.name]:.4g}" if values else "-" for spec in specs]
        notes = " ".join(bar["notes"]) if bar["reason"] is None else f"untouched: {bar['reason']}"
        cells += [bar["chords"] or ""] if chords else []
        rows.append((str(bar["number"]), bar["meter"], *cells, notes))
    return rows


def key_name(fifths: int) -> str:
    """The names of the major and the minor key that share a key signature."""
    count = f"{abs(fifths)} {'sharp' if fifths > 0 else 'flat'}{'s' if abs(fifths) > 1 else ''}"
    keys = f"{MAJOR_KEYS[fifths + 7]} major or {MINOR[fifths + 7]} minor"
    return f"{keys} ({count})" if fifths else keys


def _change_points(values: Iterable[tuple[int, str | float]]) -> list[Change]:
    """The first value, and every later value that differs from the one before it."""
    found: list[Change] = []
    for bar, value in values:
        if not found or value != found[-1].value:
            found.append(Change(bar, value))
    return found


def tempi(song: Song) -> list[Change]:
    """The tempo changes, at most one for each measure, because a ritardando may have hundreds."""
    starts = [bar.start for bar in song.melody.bars]
    by_bar: dict[int, float] = {}
    for tick, tempo in tempo_changes(song.tracks):
        at = bisect_right(starts, tick)
        by_bar[song.melody.bars[at - 1].number if at else 0] = round(MICROSECONDS / tempo, 2)
    return _change_points(by_bar.items())
