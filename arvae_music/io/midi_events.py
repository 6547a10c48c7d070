"""The bytes of a MIDI file: its chunks, and the events of a track with absolute ticks.

An edit must keep every byte that it does not change. MIDI libraries drop or rewrite some of them (unknown chunks,
trailing bytes, running status, unusual text encodings), so arvae works on the bytes: `split` finds the chunks,
`parse_track` reads the one track that changes into events that keep their bytes, `encode_track` writes them again, and
`with_track` copies all other chunks.

Reading is lenient, as in players. Running status continues after meta events and sysex, where the standard ends it. A
track may lack its end-of-track event or continue after it. Unknown chunks and trailing bytes are kept. Data that could
only be guessed raise InputError: a truncated chunk, or a data byte without a status.

The code follows the Standard MIDI File 1.0 specification; the tests compare it with mido.
"""

from __future__ import annotations

import struct
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import InputError

NOTE_OFF, NOTE_ON, PROGRAM = 0x80, 0x90, 0xC0
META, SYSEX, ESCAPE = 0xFF, 0xF0, 0xF7
TRACK_NAME, INSTRUMENT_NAME = 0x03, 0x04
END_OF_TRACK, TEMPO, TIME_SIGNATURE, KEY_SIGNATURE = 0x2F, 0x51, 0x58, 0x59
LONGEST_VARIABLE = 4  # bytes of a variable-length number
_CHANNEL_DATA = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}
_SYSTEM_DATA = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # system common messages are rare in files and may be skipped


class Event(NamedTuple):
    """An event at an absolute tick. `data` begins with the status byte, even if the file left it out."""

    tick: int
    data: bytes
    running: bool = False  # the file left the status byte out

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


@dataclass(frozen=True)
class Split:
    """A file's bytes, its header fields, and the positions of its tracks."""

    data: bytes
    format: int
    ticks_per_quarter: int
    tracks: tuple[slice, ...]  # where the bodies of their chunks lie

    def track(self, index: int) -> bytes:
        return self.data[self.tracks[index]]

    def with_track(self, index: int, body: bytes) -> bytes:
        """The file with a new body for one track; all other bytes stay as they were."""
        own = self.tracks[index]
        data = self.data[: own.start - 4] + struct.pack(">I", len(body)) + body + self.data[own.stop :]
        if data[:4] != b"RIFF":
            return data
        sizes = [int.from_bytes(data[at : at + 4], "little") + len(data) - len(self.data) for at in (4, 16)]
        riff, smf = (struct.pack("<I", size) for size in sizes)
        return data[:4] + riff + data[8:16] + smf + data[20:]


@dataclass(frozen=True)
class Track:
    events: list[Event]
    tail: bytes = b""  # bytes of the chunk after the end-of-track event


class FileNote(NamedTuple):
    """A note of one track and the indices of its two events. `off` is None if the file never ends the note."""

    on: int  # index of its event
    off: int | None
    channel: int
    start: int  # ticks
    end: int
    pitch: int
    velocity: int


def split(data: bytes, where: str) -> Split:
    """Find the chunks of a MIDI file. Raises InputError for other, truncated or damaged files, and for SMPTE time."""
    if not data:
        raise InputError("it is empty", where=where)
    at = 20 if data[:4] == b"RIFF" and data[8:16] == b"RMIDdata" else 0  # a .rmi file wraps one
    if data[at : at + 4] != b"MThd":
        raise InputError("it is not a MIDI file", where=where, remedy="export it as a Standard MIDI File")
    truncated = InputError("it is truncated", where=where, remedy="export or download it again")
    if len(data) < at + 14:
        raise truncated
    length, form, count, division = struct.unpack_from(">IHHH", data, at + 4)
    if form > 2 or length < 6:
        raise InputError("it is damaged: its header is not valid", where=where, remedy="export it again")
    if division >= 0x8000:
        raise InputError(
            "it counts time in SMPTE frames, without beats", where=where, remedy="export it in ticks"
        )
    if division == 0:
        raise InputError("it has no ticks in a quarter note", where=where, remedy="export it again")
    tracks = tuple(_tracks(data, at + 8 + length, truncated))
    if len(tracks) < count:
        raise truncated
    return Split(data, form, division, tracks)


def _tracks(data: bytes, at: int, truncated: InputError) -> Iterable[slice]:
    """Where the bodies of the track chunks lie. Other bytes, also those after the last chunk, may be anything."""
    while at + 8 <= len(data):
        body = slice(at + 8, at + 8 + int.from_bytes(data[at + 4 : at + 8], "big"))
        if data[at : at + 4] == b"MTrk":
            if body.stop > len(data):
                raise truncated
            yield body
        at = body.stop


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


def variable(value: int) -> bytes:
    """The variable-length bytes of a number."""
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append(value & 0x7F | 0x80)
    return bytes(reversed(parts))


def parse_track(body: bytes, where: str) -> Track:
    """The events of a track. Raises InputError for a damaged or truncated track."""
    events: list[Event] = []
    at, tick, status = 0, 0, 0
    try:
        while at < len(body):
            delta, at = _variable(body, at)
            tick += delta
            running = body[at] < 0x80
            if running and not status:
                raise ValueError("a data byte with no status before it")
            here = status if running else body[at]
            end = _event_end(body, at if running else at + 1, here)
            if end > len(body):
                raise IndexError
            data = bytes([here]) + body[at:end] if running else body[at:end]
            events.append(Event(tick, data, running))
            at = end
            if here < 0xF0:
                status = here
                if max(data[1:]) > 0x7F:
                    raise ValueError("a status byte inside an event")
            elif here == META and data[1] == END_OF_TRACK:
                break
    except IndexError:
        raise InputError("it ends inside an event", where=where, remedy="export it again") from None
    except ValueError as error:
        raise InputError(f"it is damaged ({error})", where=where, remedy="export it again") from None
    return Track(events, body[at:])


def _event_end(body: bytes, at: int, status: int) -> int:
    """Where an event with this status ends, if its data begin at `at`."""
    if status < 0xF0:
        return at + _CHANNEL_DATA[status & 0xF0]
    if status in (META, SYSEX, ESCAPE):
        length, at = _variable(body, at + 1 if status == META else at)
        return at + length
    return at + _SYSTEM_DATA.get(status, 0)


def encode_track(track: Track) -> bytes:
    """The bytes of a track. Events with running status are written without their status byte where possible."""
    parts: list[bytes] = []
    tick, status = 0, 0
    for event in track.events:
        parts.append(variable(event.tick - tick))
        tick = event.tick
        parts.append(event.data[1:] if event.running and event.data[0] == status else event.data)
        status = event.data[0] if event.data[0] < 0xF0 else 0
    return b"".join([*parts, track.tail])


def meta(tick: int, kind: int, payload: bytes) -> Event:
    return Event(tick, bytes([META, kind]) + variable(len(payload)) + payload)


def file_notes(events: Sequence[Event]) -> list[FileNote]:
    """The notes of a track, in the order of their onsets.

    If a pitch begins again while it sounds, the first note-off ends the first note. A note without a note-off lasts to
    the end of the track.
    """
    notes: list[FileNote] = []
    open_notes: dict[tuple[int, int], deque[int]] = defaultdict(deque)
    last = events[-1].tick if events else 0
    for index, event in enumerate(events):
        if event.kind not in (NOTE_ON, NOTE_OFF):
            continue
        pitch, velocity = event.data[1], event.data[2]
        waiting = open_notes[event.channel, pitch]
        if event.kind == NOTE_ON and velocity:
            waiting.append(len(notes))
            notes.append(FileNote(index, None, event.channel, event.tick, last, pitch, velocity))
        elif waiting:
            first = waiting.popleft()
            notes[first] = notes[first]._replace(off=index, end=event.tick)
    return notes


def new_file(tracks: Sequence[Sequence[Event]], ticks_per_quarter: int) -> bytes:
    """A type 1 file.

    pretty_midi could write one too, at 0.15 s for its import, but it respells key signatures (C# major as Db major),
    leaves out the click of time signatures and the release velocities, and has no public way to write changes of tempo.
    """
    bodies = [encode_track(Track(list(events))) for events in tracks]
    header = b"MThd" + struct.pack(">IHHH", 6, 1, len(bodies), ticks_per_quarter)
    return header + b"".join(b"MTrk" + struct.pack(">I", len(body)) + body for body in bodies)
