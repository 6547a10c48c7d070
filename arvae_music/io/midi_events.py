"""The events of a track of a MIDI file, with absolute ticks.

An edit must keep every byte that it does not change. MIDI libraries drop or rewrite some of them (unknown chunks,
trailing bytes, running status, unusual text encodings), so arvae works on the bytes: `chunks` finds the tracks,
`parse_track` reads the one track that changes into events that keep their bytes, and `encode_track` writes them again.

Reading is lenient, as in players, and a `Notice` tells each oddity. Running status continues after meta events and
sysex, where the standard ends it. A data byte may be above 127: its event keeps it. A track may lack its end-of-track
event or continue after it. Where a track cannot be read on, its events end, and the bytes that remain are kept.

The code follows the Standard MIDI File 1.0 specification; the tests compare it with mido.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .notices import Notice, Oddity

NOTE_OFF, NOTE_ON, CONTROL, PROGRAM, BEND = 0x80, 0x90, 0xB0, 0xC0, 0xE0
META, SYSEX, ESCAPE = 0xFF, 0xF0, 0xF7
TEXT, TRACK_NAME, INSTRUMENT_NAME = 0x01, 0x03, 0x04
END_OF_TRACK, TEMPO, TIME_SIGNATURE, KEY_SIGNATURE = 0x2F, 0x51, 0x58, 0x59
LONGEST_VARIABLE = 4  # bytes of a variable-length number
HIGHEST_DATA = 127
TEMPO_LENGTH = 3  # bytes
LAST_TICK = 2**31 - 1  # of a note; no music is as long
_STRIKES = range(NOTE_OFF, NOTE_ON + 0x10)  # the statuses of note-offs and note-ons
_CHANNEL_DATA = {status: 1 if 0xC0 <= status < 0xE0 else 2 for status in range(0x80, 0xF0)}  # bytes after the status
_STATUS = [bytes([status]) for status in range(0x100)]
_new = tuple.__new__  # makes the many events and notes faster than their own constructors
_SYSTEM_DATA = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # system common messages are rare in files and may be skipped


class Event(NamedTuple):
    """An event at an absolute tick. `data` begins with the status byte, even if the file left it out."""

    tick: int
    data: bytes
    running: bool = False  # the file left the status byte out
    loose: bool = False  # and the status is the one before a meta event or sysex, where the standard ends it
    padding: int = 0  # bytes of its delta time that the number does not need

    @property
    def kind(self) -> int:
        """The status byte without its channel. META, SYSEX and similar bytes have no channel to remove."""
        status = self.data[0]
        return status if status >= 0xF0 else status & 0xF0

    @property
    def channel(self) -> int:
        """The channel, 0 to 15. Only channel messages have one."""
        return self.data[0] & 0x0F

    def meta(self, kind: int) -> bytes | None:
        """The payload of a meta event of that kind; None for any other event."""
        if self.data[0] != META or self.data[1] != kind:
            return None
        _, at = _variable(self.data, 2)
        return self.data[at:]

    @property
    def tempo(self) -> int | None:
        """The microseconds in a quarter note; None for another event, and for a tempo event of odd length."""
        payload = self.meta(TEMPO)
        return max(1, int.from_bytes(payload, "big")) if payload is not None and len(payload) == TEMPO_LENGTH else None


@dataclass(frozen=True)
class Track:
    events: list[Event]
    tail: bytes = b""  # bytes of the chunk after the end-of-track event, or after the last event that can be read
    damaged: bool = False  # whether events in the tail cannot be read
    notices: tuple[Notice, ...] = ()


class FileNote(NamedTuple):
    """A note of one track and the indices of its two events. `off` is None if the file never ends the note."""

    on: int  # index of its event
    off: int | None
    channel: int
    start: int  # ticks
    end: int
    pitch: int
    velocity: int


def _variable(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length number and where it ends. Raises IndexError at the end of the data."""
    value = 0
    for _ in range(LONGEST_VARIABLE):
        byte = data[at]
        at += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at
    raise ValueError("a number longer than four bytes")


def _width(value: int) -> int:
    """How many bytes `variable` needs for a number."""
    return 2 if 0x80 <= value < 0x4000 else max(1, -(-value.bit_length() // 7))


def variable(value: int, width: int = 1) -> bytes:
    """The variable-length bytes of a number, at least `width` of them. Raises ValueError for a negative one."""
    if value < 0:
        raise ValueError(f"{value} has no variable-length bytes")
    parts = [value & 0x7F]
    while (value := value >> 7) or len(parts) < width:
        parts.append(value & 0x7F | 0x80)
    return bytes(reversed(parts))


def parse_track(body: bytes) -> Track:
    """The events of a track, as far as it can be read."""
    events: list[Event] = []
    at, tick, status = 0, 0, 0
    fresh = True  # whether running status may continue
    oddities: dict[Oddity, Notice] = {}
    ended = False
    while at < len(body) and not ended:
        try:
            delta, begin = (body[at], at + 1) if body[at] < 0x80 else _variable(body, at)
            here = body[begin]
            running = here < 0x80
            if running:
                here = status
            first = begin if running else begin + 1  # of its data
            end = first + _CHANNEL_DATA[here] if here in _CHANNEL_DATA else _event_end(body, first, here)
        except (IndexError, ValueError):
            break
        if end > len(body) or (here < 0xF0 and tick + delta > LAST_TICK):
            break
        tick += delta
        loose = running and not fresh
        data = _STATUS[here] + body[begin:end] if running else body[begin:end]
        padding = begin - at - _width(delta) if begin - at > 1 else 0
        events.append(_new(Event, (tick, data, running, loose, padding)))
        at = end
        fresh = here < 0xF0
        if fresh:
            status = here
            if data[-1] > 0x7F or data[1] > 0x7F:
                _count(oddities, Oddity.DATA_BYTE, tick)
        if loose:
            _count(oddities, Oddity.RUNNING_STATUS, tick)
        ended = here == META and data[1] == END_OF_TRACK
    rest = len(body) - at
    if not ended:
        oddities[Oddity.NO_END] = Notice(Oddity.NO_END)
        if rest:
            oddities[Oddity.UNREADABLE] = Notice(Oddity.UNREADABLE, rest, tick)
    elif rest:
        oddities[Oddity.AFTER_END] = Notice(Oddity.AFTER_END, rest, tick)
    return Track(events, body[at:], rest > 0 and not ended, tuple(oddities.values()))


def _count(oddities: dict[Oddity, Notice], oddity: Oddity, tick: int) -> None:
    before = oddities.get(oddity, Notice(oddity, 0, tick))
    oddities[oddity] = Notice(oddity, before.count + 1, before.tick)


def _event_end(body: bytes, at: int, status: int) -> int:
    """Where an event that is no channel message ends, if its data begin at `at`. Raises ValueError for a status that is
    none."""
    if status < 0x80:
        raise ValueError("a data byte with no status before it")
    if status in (META, SYSEX, ESCAPE):
        length, at = _variable(body, at + 1 if status == META else at)
        return at + length
    return at + _SYSTEM_DATA.get(status, 0)


def encode_track(track: Track) -> bytes:
    """The bytes of a track. Events with running status are written without their status byte where possible."""
    parts: list[bytes] = []
    tick, status, channel_status = 0, 0, 0
    for event in track.events:
        delta = event.tick - tick
        parts.append(variable(delta, _width(delta) + event.padding) if event.padding else variable(delta))
        tick = event.tick
        omitted = event.running and event.data[0] == (channel_status if event.loose else status)
        parts.append(event.data[1:] if omitted else event.data)
        status = event.data[0] if event.data[0] < 0xF0 else 0
        channel_status = status or channel_status
    return b"".join([*parts, track.tail])


def meta(tick: int, kind: int, payload: bytes) -> Event:
    return Event(tick, bytes([META, kind]) + variable(len(payload)) + payload)


def metas(events: Iterable[Event]) -> list[Event]:
    """The meta events among the events of a track, of which there are few."""
    return [event for event in events if event.data[0] == META]


def tempo_changes(tracks: Iterable[Iterable[Event]]) -> list[tuple[int, int]]:
    """The tick and the microseconds in a quarter note of each tempo event, in order.

    Of two on one tick, the last one in the file comes last: it holds."""
    found = [(event.tick, tempo) for events in tracks for event in events if (tempo := event.tempo) is not None]
    return sorted(found, key=lambda change: change[0])


def file_notes(events: Sequence[Event]) -> list[FileNote]:
    """The notes of a track, in the order of their onsets.

    If a pitch begins again while it sounds, the first note-off ends the first note. If note-offs are missing, so that
    a note would never end, the note ends where the next one begins on its channel, or at the end of the track. If its
    note-off stands before its note-on, on the same tick, it has no length.
    A note-on with a pitch above 127 is no note.
    """
    notes: list[FileNote] = []
    waiting: dict[tuple[int, int], deque[int]] = defaultdict(deque)
    strikes = [(index, event.tick, event.data) for index, event in enumerate(events) if event.data[0] in _STRIKES]
    missing = _missing_note_offs(strikes)
    stray: dict[tuple[int, int], tuple[int, int]] = {}  # the last note-off without a note: its tick and index
    early: dict[int, int] = {}  # notes whose note-off stands before the note-on, on one tick
    endless: list[int] = []
    last = events[-1].tick if events else 0
    for index, tick, data in strikes:
        status, pitch, velocity = data[0], data[1], data[2]
        if pitch > HIGHEST_DATA:
            continue
        channel = status & 0x0F
        own = waiting[channel, pitch]
        if status >= NOTE_ON and velocity:
            if own and index in missing:
                endless.append(own.popleft())
            own.append(len(notes))
            if stray and stray.get((channel, pitch), (-1, 0))[0] == tick:
                early[len(notes)] = stray.pop((channel, pitch))[1]
            loudness = velocity if velocity <= HIGHEST_DATA else HIGHEST_DATA
            notes.append(_new(FileNote, (index, None, channel, tick, last, pitch, loudness)))
        elif own:
            first = own.popleft()
            on, _, _, start, _, _, loudness = notes[first]
            notes[first] = _new(FileNote, (on, index, channel, start, tick, pitch, loudness))
        else:
            stray[channel, pitch] = tick, index
    endless += [i for own in waiting.values() for i in own]
    for i in early.keys() & set(endless):
        notes[i] = notes[i]._replace(off=early[i], end=notes[i].start)
        endless.remove(i)
    _end_at_the_next(notes, endless)
    return notes


def _missing_note_offs(strikes: Sequence[tuple[int, int, bytes]]) -> set[int]:
    """The indices of the note-ons before which a note of the same pitch should have ended, but has no note-off.

    `strikes` are the index, the tick and the data of each note-on and note-off.

    Where a pitch begins twice and ends twice, the two notes overlap. Where it never falls silent again until the end of
    the track, a note-off is missing: it is taken to be missing where the pitch first begins again.
    """
    again: dict[tuple[int, int], list[int]] = defaultdict(list)  # note-ons while the pitch sounds, since it was silent
    depth: dict[tuple[int, int], int] = defaultdict(int)
    for index, _, data in strikes:
        key = (data[0] & 0x0F, data[1])
        if data[0] >= NOTE_ON and data[2]:
            if depth[key]:
                again[key].append(index)
            depth[key] += 1
        elif depth[key]:
            depth[key] -= 1
            if not depth[key]:
                again[key].clear()
    return {index for key, left in depth.items() for index in again[key][:left]}


def _end_at_the_next(notes: list[FileNote], endless: Sequence[int]) -> None:
    """End each of these notes where the next note on its channel begins."""
    starts: dict[int, list[int]] = defaultdict(list)
    for note in notes:
        starts[note.channel].append(note.start)
    for i in endless:
        own = starts[notes[i].channel]
        following = bisect_right(own, notes[i].start)
        if following < len(own):
            notes[i] = notes[i]._replace(end=own[following])


def new_file(tracks: Sequence[Sequence[Event]], ticks_per_quarter: int) -> bytes:
    """A type 1 file.

    pretty_midi could write one too, at 0.15 s for its import, but it respells key signatures (C# major as Db major),
    leaves out the click of time signatures and the release velocities, and has no public way to write changes of tempo.
    """
    bodies = [encode_track(Track(list(events))) for events in tracks]
    header = b"MThd" + struct.pack(">IHHH", 6, 1, len(bodies), ticks_per_quarter)
    return header + b"".join(b"MTrk" + struct.pack(">I", len(body)) + body for body in bodies)
