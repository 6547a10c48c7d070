"""Turn the parts of a score into a MIDI file of type 1.

Every part is a track with the part's name, so that `track` and the choice of the melody work as they do for MIDI, and
an edit keeps the other parts. TICKS_PER_QUARTER holds triplets, quintuplets and septuplets exactly. Lyrics, velocities
and the tempo marks of all parts are in the file. The barlines are those of the first part:

1. A short first measure is the pickup. `to_midi` returns its length where no time signature can express it.
2. Two measures that a repeat sign splits, and that together fill the time signature, are one measure.
3. After a measure that is too short the time signature is written again, so that it is read as unfinished.
4. A measure that is too long has a time signature of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from ..errors import InputError
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
from .notation import Measure, Part, joined

TICKS_PER_QUARTER = 5040  # 16 * 9 * 5 * 7
LYRIC = 0x05  # the meta event
RELEASE = 64
CHANNELS = [n for n in range(16) if n != 9]  # no drums
SHORTEST_SIGNED = Fraction(1, 2)  # quarter notes: the shortest pickup that gets its own time signature
LARGEST_DENOMINATOR = 64
FASTEST, SLOWEST = 1, 0xFFFFFF  # microseconds per quarter note: the limits of a MIDI file
LONGEST = 0xFFFFFFF // TICKS_PER_QUARTER  # quarter notes: a MIDI file has no longer pause


def to_midi(parts: Sequence[Part]) -> tuple[bytes, Fraction | None]:
    """Write a MIDI file. Also returns the length of its pickup in quarter notes: 0 without a pickup, None if a time
    signature in the file gives it.

    Every part must have a measure. Raises InputError for a score that is too long for a MIDI file.
    """
    first = parts[0]
    if max(part.measures[-1].end for part in parts) > LONGEST:
        raise InputError("it lasts longer than a MIDI file can hold", remedy="check the lengths of its notes")
    meters, pickup = _meters(first.measures)
    end = ticks(first.measures[-1].end)
    tracks = [
        _track(part, CHANNELS[i % len(CHANNELS)], [] if i else [*_tempi(parts), *meters], end)
        for i, part in enumerate(parts)
    ]
    return new_file(tracks, TICKS_PER_QUARTER), pickup


def _tempi(parts: Sequence[Part]) -> Iterator[Event]:
    """The tempo marks of all parts; at one position, that of the first part that has one."""
    found: dict[Fraction, float] = {}
    for part in parts:
        for at, bpm in part.tempi:
            found.setdefault(at, bpm)
    before = None
    for at, bpm in sorted(found.items()):
        if bpm > 0 and bpm != before:
            before = bpm
            yield meta(ticks(at), TEMPO, max(FASTEST, min(round(60e6 / bpm), SLOWEST)).to_bytes(3, "big"))


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
        nominal = measure.nominal
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
    key = None
    for measure in part.measures:
        fifths = measure.fifths
        if fifths is not None and (fifths, measure.minor) != key and -7 <= fifths <= 7:
            events.append(meta(ticks(measure.start), KEY_SIGNATURE, bytes([fifths % 256, int(measure.minor)])))
        key = None if fifths is None else (fifths, measure.minor)
    events += (meta(ticks(lyric.start), LYRIC, lyric.text.encode()) for lyric in part.lyrics)
    offs = []
    for note in joined(part.sounds):
        events.append(Event(ticks(note.start), bytes([NOTE_ON | channel, note.pitch, note.velocity])))
        offs.append(Event(ticks(note.end), bytes([NOTE_OFF | channel, note.pitch, RELEASE])))
    last = max([end, *(off.tick for off in offs)])
    # A stable sort: at equal ticks note-offs come first.
    return [*sorted([*offs, *events], key=lambda event: event.tick), meta(last, END_OF_TRACK, b"")]
