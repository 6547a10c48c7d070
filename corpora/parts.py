"""From a music21 part to measures of tokens, by exact fractions.

1. `read_part`: notes as `tokens.Timed` and barlines as `Span`s. Tied notes become one; grace notes and
   chord symbols are dropped; a chord stays several notes at once, which `tokens.cut` then refuses. Barlines
   are where the measures' contents put them: a measure is as long as what is in it, whatever its number or
   signature say.
2. `joined`: a measure that a repeat or a double bar parts in two halves is one measure, when the halves
   together fill the time signature exactly. A pickup stays a pickup: there is nothing before it.
3. `extract_tune`: the key and register (`tokens.choose_shift`), and each measure cut into tokens.

A measure is left out, and counted, for one of the REASONS; nothing is rounded to fit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from arvae_music.measure import Meter
from arvae_music.tokens import REST, Row, Timed, believed_fifths, choose_shift, cut, onsets

from .corpus import Bar, Extracted, Tune, Work

INCOMPLETE = "pickup or incomplete measure"
OVERFULL = "more in the measure than its time signature"
NO_METER = "no time signature"
SILENT = "silent measure"


@dataclass(frozen=True)
class Span:
    """From barline to barline, in quarter notes from the start of the part."""

    number: int
    start: Fraction
    length: Fraction
    signature: str  # as written, "2/2" for the meter "4/4"; "" without one
    meter: Meter | None  # None where the grid has no place for the signature

    @property
    def complete(self) -> bool:
        return self.meter is not None and self.length == self.meter.quarters


@dataclass(frozen=True)
class Part:
    notes: tuple[Timed, ...]
    spans: tuple[Span, ...]
    fifths: int | None  # of the key signature that is in force longest; None without one


def read_part(part: Any) -> Part:
    """Notes, barlines and key signature of a music21 Part (or of a Score with nothing but measures in it)."""
    notes: list[_Note] = []
    spans: list[Span] = []
    fifths: Counter[int | None] = Counter()
    start, signature, sharps = Fraction(0), "", None
    for measure in part.getElementsByClass("Measure"):
        for element in measure.getElementsByClass("TimeSignature"):
            signature = element.ratioString
        for element in measure.getElementsByClass("KeySignature"):
            sharps = element.sharps
        inside = list(_notes(measure, start))
        length = max((note.end - start for note in inside), default=Fraction(0))
        spans.append(Span(measure.number or 0, start, length, signature, _meter(signature)))
        notes += (note for note in inside if note.pitch is not None)
        fifths[sharps] += length
        start += length
    longest = max(fifths, key=lambda key: (fifths[key], key is not None), default=None)
    return Part(tuple(_tied(notes)), tuple(joined(spans)), longest)


@dataclass(frozen=True)
class _Note:
    start: Fraction
    end: Fraction
    pitch: int | None  # None: a rest
    tied: bool = False  # to the note before


def _notes(measure: Any, start: Fraction) -> Iterator[_Note]:
    """The notes and rests of a measure, of its voices too."""
    layers = [measure, *measure.voices] if measure.hasVoices() else [measure]
    for layer in layers:
        origin = start + (Fraction(layer.offset) if layer is not measure else 0)
        for element in layer.notesAndRests:
            quarters = Fraction(element.duration.quarterLength)
            if quarters == 0 or element.duration.isGrace or "Harmony" in element.classSet:
                continue
            begin = origin + Fraction(element.offset)
            for pitch, tie in _pitches(element):
                yield _Note(begin, begin + quarters, pitch, tie is not None and tie.type != "start")


def _pitches(element: Any) -> list[tuple[int | None, Any]]:
    if element.isRest or "Unpitched" in element.classSet:
        return [(None, None)]
    members = element.notes if element.isChord else (element,)
    return [(round(member.pitch.ps), member.tie or element.tie) for member in members]


def _tied(notes: Iterable[_Note]) -> list[Timed]:
    """Notes sorted by start, each with the ones that are tied to it."""
    whole: list[Timed] = []
    for note in sorted(notes, key=lambda note: note.start):
        assert note.pitch is not None
        before = _tied_from(whole, note) if note.tied else None
        if before is not None:
            whole[before] = Timed(whole[before].start, note.end, note.pitch)
        else:
            whole.append(Timed(note.start, note.end, note.pitch))
    return whole


def _tied_from(whole: Sequence[Timed], note: _Note) -> int | None:
    """Which of the latest notes ends where `note` begins, at its pitch: a stray tie finds none."""
    latest = range(len(whole) - 1, max(-1, len(whole) - 5), -1)
    return next((i for i in latest if whole[i].end == note.start and whole[i].pitch == note.pitch), None)


def _meter(signature: str) -> Meter | None:
    try:
        return Meter.parse(signature)
    except ValueError:
        return None


def joined(spans: Sequence[Span]) -> list[Span]:
    """Two neighbouring halves of one measure, made one; everything else, and empty spans dropped."""
    whole: list[Span] = []
    for span in spans:
        if span.length == 0:
            continue
        before = whole[-1] if len(whole) > 1 else None  # never the first: a pickup and what follows are two
        if (
            before is not None
            and before.meter is not None
            and before.signature == span.signature
            and before.length < before.meter.quarters
            and before.length + span.length == before.meter.quarters
        ):
            whole[-1] = Span(before.number, before.start, before.meter.quarters, span.signature, before.meter)
        else:
            whole.append(span)
    return whole


def extract_tune(part: Any, work: Work, title: str) -> Extracted:
    """The measures of a music21 part that fit the grid; `rejected` when it has no notes or no such measure."""
    voice = read_part(part)
    if not voice.notes:
        return Extracted(rejected="no notes")
    pitches = np.array([note.pitch for note in voice.notes], dtype=np.int64)
    lengths = np.array([float(note.end - note.start) for note in voice.notes])
    shift = choose_shift(pitches.tolist(), lengths.tolist(), voice.fifths)
    fifths = believed_fifths(pitches, lengths, voice.fifths)
    bars, skips = _bars(voice, shift)
    if not bars:
        return Extracted(skips=skips, rejected="no measure that fits the grid")
    tune = Tune(work.id, title, work.path.name, shift, fifths, tuple(bars))
    return Extracted((tune,), skips)


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
    if not onsets(piece.tokens).any() and piece.tokens[0] == REST:
        return None, SILENT
    return piece.tokens, ""
