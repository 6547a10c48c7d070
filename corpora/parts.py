"""From a score's part to measures of tokens, by exact fractions.

1. A reader yields `Measure`s: what stands between two barlines. `read_part` is the one for music21 parts;
   `abc` has another. Grace notes and chord symbols are dropped; a chord stays several notes at once, which
   `tokens.cut` then refuses.
2. `assemble`: notes as `tokens.Timed`, tied ones made one, and barlines as `Span`s. A measure is as long as
   what is in it, whatever its number or signature say. A measure that a repeat or a double bar parts in two
   is one, when the halves together fill the time signature exactly. A pickup stays a pickup.
3. `extract_tune`: the key and register (`tokens.choose_shift`), and each measure cut into tokens.

What does not fit is left out and counted by reason; nothing is rounded to fit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from ..arrays import Row
from ..music.keys import believed_fifths, choose_shift
from ..music.meter import Meter
from ..music.tokens import REST, Timed, cut, onsets
from .corpus import Bar, Extracted, Tune, Work

INCOMPLETE = "pickup or incomplete measure"
OVERFULL = "more in the measure than its time signature"
NO_METER = "no time signature"
SILENT = "silent measure"


@dataclass(frozen=True)
class Sound:
    """A note, or a rest: in quarter notes from the barline (after `assemble`, from the start of the part)."""

    start: Fraction
    end: Fraction
    pitch: int | None  # MIDI number; None: a rest
    tied: bool = False  # to the note before


@dataclass(frozen=True)
class Measure:
    """What stands between two barlines."""

    sounds: tuple[Sound, ...]
    signature: str  # the time signature in force, as written: "2/2"; "" without one
    fifths: int | None  # the key signature in force; None without one
    number: int | None = None  # as printed; None: to be counted
    alternative: bool = False  # begins a second ending: it does not follow the measure that it stands behind


@dataclass(frozen=True)
class Span:
    """From barline to barline, in quarter notes from the start of the part."""

    number: int | None
    start: Fraction
    length: Fraction
    signature: str  # as written, "2/2" for the meter "4/4"; "" without one
    meter: Meter | None  # None where the grid has no place for the signature

    @property
    def complete(self) -> bool:
        return self.meter is not None and self.length == self.meter.quarters


@dataclass(frozen=True)
class Part:
    """One voice in time."""

    notes: tuple[Timed, ...]
    spans: tuple[Span, ...]
    fifths: int | None  # of the key signature that is in force longest; None without one


def read_part(part: Any) -> Iterator[Measure]:
    """The measures of a music21 Part."""
    signature, fifths = "", None
    for measure in part.getElementsByClass("Measure"):
        for element in measure.getElementsByClass("TimeSignature"):
            signature = element.ratioString
        for element in measure.getElementsByClass("KeySignature"):
            fifths = element.sharps
        endings = measure.getSpannerSites("RepeatBracket")
        second = any(ending.isFirst(measure) and ending.number != "1" for ending in endings)
        yield Measure(tuple(_sounds(measure)), signature, fifths, measure.number or 0, second)


def _sounds(measure: Any) -> Iterator[Sound]:
    """The notes and rests of a measure, of its voices too."""
    layers = [measure, *measure.voices] if measure.hasVoices() else [measure]
    for layer in layers:
        origin = Fraction(0) if layer is measure else Fraction(layer.offset)
        for element in layer.notesAndRests:
            quarters = Fraction(element.duration.quarterLength)
            if quarters == 0 or element.duration.isGrace or "Harmony" in element.classSet:
                continue
            begin = origin + Fraction(element.offset)
            for pitch, tie in _pitches(element):
                yield Sound(begin, begin + quarters, pitch, tie is not None and tie.type != "start")


def _pitches(element: Any) -> list[tuple[int | None, Any]]:
    if element.isRest or "Unpitched" in element.classSet:
        return [(None, None)]
    members = element.notes if element.isChord else (element,)
    return [(round(member.pitch.ps), member.tie or element.tie) for member in members]


def assemble(measures: Iterable[Measure]) -> Part:
    """One part from its measures, barline after barline."""
    sounds: list[Sound] = []
    spans: list[Span] = []
    in_force: dict[int | None, Fraction] = {}
    start = Fraction(0)
    for measure in measures:
        end = start + max((sound.end for sound in measure.sounds), default=Fraction(0))
        if end == start:
            continue
        sounds += (replace(s, start=start + s.start, end=start + s.end) for s in measure.sounds)
        in_force[measure.fifths] = in_force.get(measure.fifths, Fraction(0)) + end - start
        span = Span(measure.number, start, end - start, measure.signature, _meter(measure.signature))
        _append(spans, span, joinable=not measure.alternative)
        start = end
    longest = max(in_force, key=lambda fifths: in_force[fifths], default=None)
    return Part(tuple(_tied(sounds)), tuple(_numbered(spans)), longest)


def _append(spans: list[Span], span: Span, joinable: bool) -> None:
    """Add a span, or complete with it the half measure before: never the first, which is a pickup."""
    before = spans[-1] if joinable and len(spans) > 1 else None
    if (
        before is not None
        and before.meter is not None
        and before.signature == span.signature
        and before.length < before.meter.quarters
        and before.length + span.length == before.meter.quarters
    ):
        spans[-1] = replace(before, length=before.meter.quarters)
    else:
        spans.append(span)


def _numbered(spans: Sequence[Span]) -> list[Span]:
    """Spans without a number are counted from 1, or from 0 where the first is a pickup."""
    first = 0 if spans and spans[0].meter is not None and not spans[0].complete else 1
    return [span if span.number is not None else replace(span, number=n) for n, span in enumerate(spans, first)]


def _tied(sounds: Iterable[Sound]) -> list[Timed]:
    """Notes sorted by start, each with the ones that are tied to it."""
    whole: list[Timed] = []
    for sound in sorted(sounds, key=lambda sound: sound.start):
        if sound.pitch is None:
            continue
        before = _tied_from(whole, sound) if sound.tied else None
        if before is not None:
            whole[before] = replace(whole[before], end=sound.end)
        else:
            whole.append(Timed(sound.start, sound.end, sound.pitch))
    return whole


def _tied_from(whole: Sequence[Timed], sound: Sound) -> int | None:
    """Which of the latest notes ends where `sound` begins, at its pitch: a stray tie finds none."""
    latest = range(len(whole) - 1, max(-1, len(whole) - 5), -1)
    return next((i for i in latest if whole[i].end == sound.start and whole[i].pitch == sound.pitch), None)


@lru_cache(maxsize=256)  # a meter's grid is worked out once for each Meter object
def _meter(signature: str) -> Meter | None:
    try:
        return Meter.parse(signature)
    except ValueError:
        return None


def extract_tune(measures: Iterable[Measure], work: Work, title: str) -> Extracted:
    """The measures that fit the grid; `rejected` when there is no note or no such measure."""
    voice = assemble(measures)
    if not voice.notes:
        return Extracted(rejected="no notes")
    pitches = np.array([note.pitch for note in voice.notes], dtype=np.int64)
    lengths = np.array([float(note.end - note.start) for note in voice.notes])
    shift = choose_shift(pitches.tolist(), lengths.tolist(), voice.fifths)
    fifths = believed_fifths(pitches, lengths, voice.fifths)
    bars, skips = _bars(voice, shift)
    if not bars:
        return Extracted(rejected=no_measure_fits(skips))
    tune = Tune(work.id, title, work.path.name, shift, fifths, tuple(bars))
    return Extracted(tune, skips)


def _bars(voice: Part, shift: int) -> tuple[list[Bar], Counter[str]]:
    bars: list[Bar] = []
    skips: Counter[str] = Counter()
    first = 0  # of the notes that may still sound in the span
    for span in voice.spans:
        while first < len(voice.notes) and voice.notes[first].end <= span.start:
            first += 1
        last = first
        while last < len(voice.notes) and voice.notes[last].start < span.start + span.length:
            last += 1
        tokens, reason = _cut(span, voice.notes[first:last], shift)
        if tokens is None:
            skips[reason] += 1
        else:
            assert span.meter is not None
            assert span.number is not None
            bars.append(Bar(span.number, span.meter, tokens))
    return bars, skips


def _cut(span: Span, notes: Sequence[Timed], shift: int) -> tuple[Row | None, str]:
    if not span.signature:
        return None, NO_METER
    if span.meter is None:
        return None, f"unsupported meter {span.signature}"
    if not span.complete:
        return None, INCOMPLETE if span.length < span.meter.quarters else OVERFULL
    piece = cut(notes, span.start, span.meter, shift)
    if piece.tokens is None:
        return None, piece.reason or ""
    return (None, SILENT) if is_silent(piece.tokens) else (piece.tokens, "")


def is_silent(tokens: Row) -> bool:
    """Whether nothing sounds in the measure. A note held over from the one before does."""
    return bool(tokens[0] == REST and not onsets(tokens).any())


def no_measure_fits(skips: Counter[str]) -> str:
    """The reason why a work has no tune."""
    return f"no measure fits the grid: mostly {skips.most_common(1)[0][0]}"
