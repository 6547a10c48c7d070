"""Notated parts as MIDI: the measures, notes and names that a score's reader found, written as a type 1 file.

Every part becomes a track with its name, so that `--track`, the choice of the melody and the candidates work
as for MIDI, and the other parts come out again beside an edited one. Lengths are exact: TICKS_PER_QUARTER
holds triplets, quintuplets and septuplets. Tied notes become one; chords stay notes at once.

Barlines are the score's own, those of its first part. A short first measure is the pickup, and its length is
handed on rather than guessed. A measure that a repeat parts in two is one. One that is too short has the time
signature written anew after it, so that it passes through as unfinished; one that is too long has a time
signature of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

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
SHORTEST_SIGNED = Fraction(1, 2)  # quarters: a pickup that gets a time signature of its own
LARGEST_DENOMINATOR = 64
SLOWEST = 0xFFFFFF  # microseconds in a quarter note


@dataclass(frozen=True, order=True)
class Sound:
    """A note, in quarter notes from the start of the part."""

    start: Fraction
    end: Fraction
    pitch: int  # MIDI
    tied: bool = False  # to the note before


@dataclass(frozen=True)
class Measure:
    """What stands between two barlines, in quarter notes from the start of the part."""

    start: Fraction
    length: Fraction  # as it is, not as the signature says
    signature: str  # in force, as written: "2/2"; "" without one
    fifths: int | None = None  # the key signature in force


@dataclass(frozen=True)
class Part:
    """One voice or instrument of a score."""

    name: str
    measures: tuple[Measure, ...]
    sounds: tuple[Sound, ...]
    program: int = 0  # General MIDI
    tempi: tuple[tuple[Fraction, float], ...] = ()  # place, quarter notes a minute


def to_midi(parts: Sequence[Part]) -> tuple[bytes, Fraction | None]:
    """A MIDI file, and the length of its pickup in quarter notes where its signatures do not tell. There is at least
    one part with a measure."""
    first = parts[0]
    meters, pickup = _meters(first.measures)
    tempi = [
        meta(_ticks(at), TEMPO, min(round(60e6 / bpm), SLOWEST).to_bytes(3, "big")) for at, bpm in first.tempi if bpm
    ]
    end = _ticks(first.measures[-1].start + first.measures[-1].length)
    tracks = [
        _track(part, CHANNELS[i % len(CHANNELS)], [] if i else [*tempi, *meters], end) for i, part in enumerate(parts)
    ]
    return new_file(tracks, TICKS_PER_QUARTER), pickup


def _ticks(quarters: Fraction) -> int:
    return round(quarters * TICKS_PER_QUARTER)


def _meters(measures: Sequence[Measure]) -> tuple[list[Event], Fraction | None]:
    """The time signatures that put the barlines where they are, and the pickup, where it is too odd for one of its own;
    0: there is none."""
    events: list[Event] = []
    pickup: Fraction | None = Fraction(0)
    filled = Fraction(0)  # of a measure that goes on behind a repeat
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
    """The length that a time signature asks for, in quarter notes."""
    return Fraction(signature) * 4 if signature else Fraction(4)


def _signature(at: Fraction, quarters: Fraction, written: str) -> Event:
    """A time signature as written, or the one that a measure of that length would have."""
    numerator, denominator = _ratio(quarters)
    if written:
        numerator, denominator = (int(part) for part in written.split("/"))
    if not _can_be_written(numerator, denominator):
        numerator, denominator = 1, LARGEST_DENOMINATOR  # no meter that the grid knows: passes through
    return meta(_ticks(at), TIME_SIGNATURE, bytes([numerator, denominator.bit_length() - 1, 24, 8]))


def _ratio(quarters: Fraction) -> tuple[int, int]:
    """The time signature that a measure of that length would have."""
    return quarters.numerator, 4 * quarters.denominator


def _can_be_written(numerator: int, denominator: int) -> bool:
    """In a MIDI file."""
    return numerator <= 255 and denominator <= LARGEST_DENOMINATOR and denominator & (denominator - 1) == 0


def _track(part: Part, channel: int, conductor: Iterable[Event], end: int) -> list[Event]:
    events = [meta(0, TRACK_NAME, part.name.encode()), *conductor]
    events.append(Event(0, bytes([PROGRAM | channel, part.program])))
    fifths = None
    for measure in part.measures:
        if measure.fifths is not None and measure.fifths != fifths and -7 <= measure.fifths <= 7:
            events.append(meta(_ticks(measure.start), KEY_SIGNATURE, bytes([measure.fifths % 256, 0])))
        fifths = measure.fifths
    offs = []
    for start, until, pitch in _tied(part.sounds):
        events.append(Event(start, bytes([NOTE_ON | channel, pitch, VELOCITY])))
        offs.append(Event(until, bytes([NOTE_OFF | channel, pitch, RELEASE])))
    last = max([end, *(off.tick for off in offs)])
    # A stable sort: at equal ticks note-offs come first.
    return [*sorted([*offs, *events], key=lambda event: event.tick), meta(last, END_OF_TRACK, b"")]


def _tied(sounds: Iterable[Sound]) -> list[tuple[int, int, int]]:
    """Start, end and pitch in ticks; tied notes as one."""
    whole: list[tuple[int, int, int]] = []
    latest: dict[int, int] = {}  # pitch -> index into `whole`
    for sound in sorted(sounds):
        start, end, pitch = _ticks(sound.start), _ticks(sound.end), sound.pitch
        before = latest.get(pitch)
        if sound.tied and before is not None and whole[before][1] == start:
            whole[before] = (whole[before][0], end, pitch)
        else:
            latest[pitch] = len(whole)
            whole.append((start, end, pitch))
    return whole
