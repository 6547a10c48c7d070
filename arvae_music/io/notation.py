"""Notated music: the parts, measures and notes of a score, as music21 or the ABC reader finds them.

    read_part   a music21 part -> Part
    tied        notes, with tied notes joined into one
    to_midi     parts -> a type 1 MIDI file

Positions are exact fractions of a quarter note. A measure is as long as its contents, whatever its time signature says.
Grace notes and unpitched notes are dropped; a chord is several notes that begin together. Chord symbols are no notes:
they are read for the harmony (`chord_symbols`).

In the MIDI file every part is a track with the part's name, so that `track` and the choice of the melody work as they
do for MIDI, and an edit keeps the other parts. TICKS_PER_QUARTER holds triplets, quintuplets and septuplets exactly.
The barlines are those of the first part:

1. A short first measure is the pickup. `to_midi` returns its length where no time signature can express it.
2. Two measures that a repeat sign splits, and that together fill the time signature, are one measure.
3. After a measure that is too short the time signature is written again, so that it is read as unfinished.
4. A measure that is too long has a time signature of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from ..music.meter import Meter
from ..music.tokens import Timed
from . import chord_symbols
from .chord_symbols import ChordSymbol
from .midi_events import (
    END_OF_TRACK,
    KEY_SIGNATURE,
    NOTE_OFF,
    NOTE_ON,
    PROGRAM,
    TEMPO,
    TIME_SIGNATURE,
    TRACK_NAME,
    Event,
    meta,
    new_file,
)

TICKS_PER_QUARTER = 5040  # 16 * 9 * 5 * 7
VELOCITY = 80
RELEASE = 64
CHANNELS = [n for n in range(16) if n != 9]  # no drums
SHORTEST_SIGNED = Fraction(1, 2)  # quarter notes: the shortest pickup that gets its own time signature
LARGEST_DENOMINATOR = 64
SLOWEST = 0xFFFFFF  # microseconds per quarter note, the slowest tempo that a MIDI file can hold


@dataclass(frozen=True, order=True)
class Sound:
    """A note, in quarter notes from the start of the part."""

    start: Fraction
    end: Fraction
    pitch: int  # MIDI
    tied: bool = False  # whether it is tied to the note before


@dataclass(frozen=True)
class Measure:
    """The time between two barlines, in quarter notes from the start of the part."""

    start: Fraction
    length: Fraction  # of its contents
    signature: str  # in force, as written: "2/2"; "" without one
    fifths: int | None = None  # the key signature in force
    number: int | None = None  # as printed; None without one
    second_ending: bool = False  # whether it begins a second ending, and so does not continue the measure before

    @property
    def end(self) -> Fraction:
        return self.start + self.length

    @property
    def meter(self) -> Meter | None:
        """None without a signature, or with one that the grid does not support."""
        return _meter(self.signature)

    @property
    def complete(self) -> bool:
        return self.meter is not None and self.length == self.meter.quarters


@dataclass(frozen=True)
class Part:
    """One voice or instrument of a score."""

    name: str
    measures: tuple[Measure, ...]
    sounds: tuple[Sound, ...]
    program: int = 0  # General MIDI
    tempi: tuple[tuple[Fraction, float], ...] = ()  # position, quarter notes per minute
    chords: tuple[ChordSymbol, ...] = ()


@lru_cache(maxsize=256)  # a meter computes its grid once for each Meter object
def _meter(signature: str) -> Meter | None:
    try:
        return Meter.parse(signature)
    except ValueError:
        return None


def read_part(part: Any) -> Part:
    """Read a music21 part. Pitches are taken as they are, without transposition."""
    program = getattr(part.getInstrument(returnDefault=True), "midiProgram", None)
    tempi = [
        (Fraction(mark.getOffsetInHierarchy(part)), mark.getQuarterBPM() or 0.0)
        for mark in part.recurse().getElementsByClass("MetronomeMark")
    ]
    measures = tuple(_measures(part))
    sounds = (sound for measure in part.getElementsByClass("Measure") for sound in _sounds(measure))
    chords = tuple(chord_symbols.of_part(part))
    return Part(str(part.partName or ""), measures, tuple(sounds), program or 0, tuple(tempi), chords)


def _measures(part: Any) -> Iterator[Measure]:
    measures = list(part.getElementsByClass("Measure"))
    starts = [Fraction(measure.offset) for measure in measures]
    ends = [*starts[1:], *(Fraction(last.offset + last.duration.quarterLength) for last in measures[-1:])]
    signature, fifths = "", None
    for measure, start, end in zip(measures, starts, ends, strict=True):
        for element in measure.getElementsByClass("TimeSignature"):
            signature = element.ratioString
        for element in measure.getElementsByClass("KeySignature"):
            fifths = element.sharps
        endings = measure.getSpannerSites("RepeatBracket")
        second = any(ending.isFirst(measure) and ending.number != "1" for ending in endings)
        yield Measure(start, end - start, signature, fifths, measure.number or 0, second)


def _sounds(measure: Any) -> Iterator[Sound]:
    """The notes of a measure and of the voices in it."""
    for layer in [measure, *measure.voices]:
        origin = Fraction(measure.offset) + (Fraction(0) if layer is measure else Fraction(layer.offset))
        for element in layer.notes:
            quarters = Fraction(element.duration.quarterLength)
            if quarters == 0 or element.duration.isGrace or "Harmony" in element.classSet:
                continue
            start = origin + Fraction(element.offset)
            for note in element.notes if element.isChord else (element,):
                tie = note.tie or element.tie
                if hasattr(note, "pitch"):
                    tied_to_last = tie is not None and tie.type in ("stop", "continue")
                    yield Sound(start, start + quarters, note.pitch.midi, tied_to_last)


def tied(sounds: Iterable[Sound]) -> list[Timed]:
    """Join tied notes, and sort by start. A tie without a note before it is ignored."""
    whole: list[Timed] = []
    latest: dict[int, int] = {}  # pitch -> index into `whole`
    for sound in sorted(sounds):
        before = latest.get(sound.pitch)
        if sound.tied and before is not None and whole[before].end == sound.start:
            whole[before] = Timed(whole[before].start, sound.end, sound.pitch)
        else:
            latest[sound.pitch] = len(whole)
            whole.append(Timed(sound.start, sound.end, sound.pitch))
    return whole


def to_midi(parts: Sequence[Part]) -> tuple[bytes, Fraction | None]:
    """Write a MIDI file. Also returns the length of its pickup in quarter notes: 0 without a pickup, None if a time
    signature in the file gives it.

    At least one part must have a measure.
    """
    first = parts[0]
    meters, pickup = _meters(first.measures)
    tempi = [
        meta(ticks(at), TEMPO, min(round(60e6 / bpm), SLOWEST).to_bytes(3, "big")) for at, bpm in first.tempi if bpm
    ]
    end = ticks(first.measures[-1].end)
    tracks = [
        _track(part, CHANNELS[i % len(CHANNELS)], [] if i else [*tempi, *meters], end) for i, part in enumerate(parts)
    ]
    return new_file(tracks, TICKS_PER_QUARTER), pickup


def ticks(quarters: Fraction) -> int:
    """Quarter notes as ticks of a new file."""
    return round(quarters * TICKS_PER_QUARTER)


def _meters(measures: Sequence[Measure]) -> tuple[list[Event], Fraction | None]:
    """The time signatures that make the barlines, and the pickup as `to_midi` returns it."""
    events: list[Event] = []
    pickup: Fraction | None = Fraction(0)
    filled = Fraction(0)  # of a measure that continues after a repeat sign
    signature, anew = "", True
    for i, measure in enumerate(measures):
        nominal = _nominal(measure.signature)
        anew = anew or measure.signature != signature or filled + measure.length > nominal
        signature = measure.signature
        if i == 0 and 0 < measure.length < nominal:
            anew = False
            if measure.length >= SHORTEST_SIGNED and _can_be_written(*_ratio(measure.length)):
                pickup = None
                events.append(_signature(Fraction(0), measure.length, ""))
                events.append(_signature(measure.length, nominal, signature))
            else:
                pickup = measure.length
                events.append(_signature(Fraction(0), nominal, signature))
            continue
        too_long = measure.length > nominal
        if anew:
            filled = Fraction(0)
            written = "" if too_long else signature
            events.append(_signature(measure.start, max(measure.length, nominal), written))
        anew = too_long
        filled = Fraction(0) if too_long else (filled + measure.length) % nominal
    return events, pickup


def _nominal(signature: str) -> Fraction:
    """The length of a full measure in quarter notes."""
    return Fraction(signature) * 4 if signature else Fraction(4)


def _signature(at: Fraction, quarters: Fraction, written: str) -> Event:
    """A time signature as written, or the one that a measure of that length would have."""
    numerator, denominator = _ratio(quarters)
    if written:
        numerator, denominator = (int(part) for part in written.split("/"))
    if not _can_be_written(numerator, denominator):
        numerator, denominator = 1, LARGEST_DENOMINATOR  # an unsupported meter: the measure is left alone
    return meta(ticks(at), TIME_SIGNATURE, bytes([numerator, denominator.bit_length() - 1, 24, 8]))


def _ratio(quarters: Fraction) -> tuple[int, int]:
    """The time signature that a measure of that length would have."""
    return quarters.numerator, 4 * quarters.denominator


def _can_be_written(numerator: int, denominator: int) -> bool:
    """Whether a MIDI file can hold this time signature."""
    return numerator <= 255 and denominator <= LARGEST_DENOMINATOR and denominator & (denominator - 1) == 0


def _track(part: Part, channel: int, conductor: Iterable[Event], end: int) -> list[Event]:
    events = [meta(0, TRACK_NAME, part.name.encode()), *conductor]
    events.append(Event(0, bytes([PROGRAM | channel, part.program])))
    fifths = None
    for measure in part.measures:
        if measure.fifths is not None and measure.fifths != fifths and -7 <= measure.fifths <= 7:
            events.append(meta(ticks(measure.start), KEY_SIGNATURE, bytes([measure.fifths % 256, 0])))
        fifths = measure.fifths
    offs = []
    for note in tied(part.sounds):
        events.append(Event(ticks(note.start), bytes([NOTE_ON | channel, note.pitch, VELOCITY])))
        offs.append(Event(ticks(note.end), bytes([NOTE_OFF | channel, note.pitch, RELEASE])))
    last = max([end, *(off.tick for off in offs)])
    # A stable sort: at equal ticks note-offs come first.
    return [*sorted([*offs, *events], key=lambda event: event.tick), meta(last, END_OF_TRACK, b"")]
