"""A second reader of MIDI files, independent of arvae, that checks what an edit did to a file. It is not a program.

`parse` reads the chunks and the events of all tracks and lists every deviation from the Standard MIDI File 1.0
specification. `differences` compares a file before and after an edit. Only notes of the melody in the edited measures
may differ; everything else must be the same, byte for byte.

The reader takes no shortcut of arvae's: it pairs notes itself, keeps running status itself, and does not import arvae.
It recovers from these kinds of damage by its own rules:

    bytes before the header   the file begins at the first header among the first HEADER_WITHIN bytes
    a wrong size of a track   if no chunk begins where the size leads, and no track ends there, the track ends before
                              the next b"MTrk", or with the file
    bytes between the chunks  are skipped up to the next b"MTrk"
    system messages           0xF1 to 0xF6 and 0xF8 to 0xFE, which a file may not hold, are read with their data bytes
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

END = (0xFF, 0x2F)
END_OF_TRACK = bytes((*END, 0))
MACBINARY = 128  # bytes of the header that old Macintosh programs put before a file
HEADER_WITHIN = 4096  # bytes
DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}
SYSTEM_DATA_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # other system messages have none


@dataclass(frozen=True)
class OracleEvent:
    tick: int
    data: bytes  # with its status byte

    @property
    def is_note(self) -> bool:
        return self.data[0] >> 4 in (0x8, 0x9)

    @property
    def channel(self) -> int:
        return self.data[0] & 0x0F


@dataclass(frozen=True)
class OracleNote:
    """A note. Where a pitch begins again while it sounds, files do not tell which note a note-off ends, so that a note
    has two ends; they are None if no note-off follows."""

    start: int
    end: int | None  # the note-off that is left, after those of the notes of its pitch that began earlier
    silent: int | None  # the next note-off of its pitch, at which most synthesisers end it
    pitch: int
    channel: int
    velocity: int


@dataclass
class OracleFile:
    """What a file holds. `flaws` has each deviation from the standard in a few words."""

    form: int = 0
    division: int = 0
    tracks: list[list[OracleEvent]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)  # the bytes of each track's chunk
    tails: list[bytes] = field(default_factory=list)  # the bytes of each track after its last readable event
    sizes: list[bytes] = field(default_factory=list)  # the four bytes with the size of each track
    outside: bytes = b""  # all other bytes, without the sizes of tracks and the sizes and the padding of a RIFF wrapper
    flaws: list[str] = field(default_factory=list)

    def notes(self, track: int) -> list[OracleNote]:
        """The notes of a track in the order of their onsets."""
        found: list[OracleNote] = []
        waiting: dict[tuple[int, int], list[int]] = defaultdict(list)
        sounding: dict[tuple[int, int], list[int]] = defaultdict(list)
        for event in self.tracks[track]:
            if not event.is_note:
                continue
            key = (event.channel, event.data[1])
            if event.data[0] >> 4 == 0x9 and event.data[2]:
                waiting[key].append(len(found))
                sounding[key].append(len(found))
                found.append(OracleNote(event.tick, None, None, event.data[1], event.channel, event.data[2]))
                continue
            for i in sounding.pop(key, []):
                found[i] = replace(found[i], silent=event.tick)
            if waiting[key]:
                i = waiting[key].pop(0)
                found[i] = replace(found[i], end=event.tick)
        return found

    @property
    def has_pitched_line(self) -> bool:
        """Whether at least four notes outside the channel of the drums begin at different times on one channel."""
        return any(
            len({n.start for n in self.notes(i) if n.channel == channel}) >= 4
            for i in range(len(self.tracks))
            for channel in range(16)
            if channel != 9
        )


def parse(data: bytes) -> OracleFile:
    """Read a file as far as it can be read. Raises ValueError for bytes without a MIDI header."""
    found = OracleFile()
    at, sizes = _header_at(data, found)
    if data[at : at + 4] != b"MThd" or len(data) < at + 14:
        raise ValueError("no MIDI header")
    length = int.from_bytes(data[at + 4 : at + 8], "big")
    found.form, count, found.division = (int.from_bytes(data[i : i + 2], "big") for i in range(at + 8, at + 14, 2))
    if length != 6 or found.form > 2:
        found.flaws.append("odd header")
    if found.division >= 0x8000 or not found.division:
        found.flaws.append("no ticks in a quarter note")
    end = min(sizes, len(data))
    first = at + 8 + length
    if not _is_chunk(data, first, end):
        first = at + 14
    outside, place = [data[:first]], first
    while place < end:
        if not _is_chunk(data, place, end):
            following = data.find(b"MTrk", place, end)
            if not place < following <= end - 8:
                break
            outside.append(data[place:following])
            found.flaws.append("bytes between the chunks")
            place = following
        name, size = data[place : place + 4], data[place + 4 : place + 8]
        stop = place + 8 + int.from_bytes(size, "big")
        if name == b"MTrk":
            body = data[place + 8 : _end_of_track(data, place + 8, stop, end, found)]
            _read_track(body, found)
            found.sizes.append(size)
            outside.append(name)
            place += 8 + len(body)
        else:
            if stop > end:
                stop = data.find(b"MTrk", place, end)
            if stop < 0:
                break
            outside.append(data[place:stop])
            place = stop
    outside.append(data[place:end] + data[end + _padding(data, at, end) :])
    if place < end:
        found.flaws.append("bytes after the last chunk")
    if len(found.tracks) != count:
        found.flaws.append("another number of tracks than the header says")
    found.outside = _without_riff_sizes(b"".join(outside))
    return found


def _is_chunk(data: bytes, at: int, end: int) -> bool:
    """Whether the name of a chunk stands here, or the file ends here."""
    return at == end or (at + 8 <= end and all(0x20 <= byte <= 0x7E for byte in data[at : at + 4]))


def _end_of_track(data: bytes, start: int, stop: int, end: int, found: OracleFile) -> int:
    """Where a track ends that begins at `start` and whose size leads to `stop`."""
    if stop <= end and _is_chunk(data, stop, end):
        return stop
    marker = data.find(b"MTrk", start, end)
    following = end if marker < 0 else marker
    ended = data[stop - 3 : stop] == END_OF_TRACK
    if start < stop <= following and (ended or data[following - 3 : following] != END_OF_TRACK):
        return stop
    found.flaws.append("cut track" if following == end < stop else "wrong size of a track")
    return following


def _header_at(data: bytes, found: OracleFile) -> tuple[int, int]:
    """Where the MIDI header is, and where its file ends."""
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        if int.from_bytes(data[4:8], "little") + 8 != len(data):
            found.flaws.append("wrong size of the RIFF file")
        at = 12
        while at + 8 <= len(data):
            size = int.from_bytes(data[at + 4 : at + 8], "little")
            if data[at : at + 4] == b"data":
                return at + 8, at + 8 + size
            at += 8 + size + size % 2
        raise ValueError("no data chunk")
    if data[:1] == b"\0" and data[MACBINARY : MACBINARY + 4] == b"MThd":
        return MACBINARY, len(data)
    return max(0, data.find(b"MThd\0\0\0\6", 0, HEADER_WITHIN)), len(data)


def _padding(data: bytes, at: int, end: int) -> int:
    """How many bytes make the size of a RIFF chunk even."""
    return (end - at) % 2 if data[:4] == b"RIFF" and data[end : end + 1] == b"\0" else 0


def _without_riff_sizes(outside: bytes) -> bytes:
    if outside[:4] != b"RIFF":
        return outside
    at = outside.index(b"MThd")
    return outside[:4] + outside[8 : at - 4] + outside[at:]


def _read_track(body: bytes, found: OracleFile) -> None:
    events: list[OracleEvent] = []
    at, tick, status = 0, 0, 0
    flaws: set[str] = set()
    try:
        while at < len(body):
            begin = at
            delta, at = _number(body, at)
            if body[at] >= 0x80:
                status, at = body[at], at + 1
            elif status < 0x80 or status >= 0xF0:
                if not events or status < 0x80:
                    raise ValueError
                flaws.add("running status after a meta event or sysex")
                status = next(e.data[0] for e in reversed(events) if e.data[0] < 0xF0)
            if status < 0xF0:
                size = DATA_BYTES[status >> 4]
                payload = body[at : at + size]
            elif status in (0xFF, 0xF0, 0xF7):
                skip = 1 if status == 0xFF else 0
                size, start = _number(body, at + skip)
                payload = body[at : start + size]
                size += start - at
            else:
                flaws.add("a system message")
                size = SYSTEM_DATA_BYTES.get(status, 0)
                payload = body[at : at + size]
            if len(payload) < size:
                at = begin
                raise IndexError
            if status < 0xF0 and max(payload) > 0x7F:
                flaws.add("data byte above 127")
            tick += delta
            at += size
            events.append(OracleEvent(tick, bytes([status]) + payload))
            if (status, payload[0] if payload else 0) == END:
                break
    except (IndexError, ValueError, StopIteration):
        flaws.add("events that cannot be read")
    if not events or tuple(events[-1].data[:2]) != END:
        flaws.add("no end of the track")
    elif at < len(body):
        flaws.add("bytes after the end of the track")
    found.flaws += sorted(flaws)
    found.tracks.append(events)
    found.bodies.append(body)
    found.tails.append(body[at:])


def _number(body: bytes, at: int) -> tuple[int, int]:
    value = 0
    for i in range(4):
        value = value << 7 | body[at + i] & 0x7F
        if body[at + i] < 0x80:
            return value, at + i + 1
    raise ValueError


# ---------------------------------------------------------------------------------- comparison


def differences(
    before: OracleFile,
    after: OracleFile,
    melodies: Mapping[int, Collection[tuple[int, int]]],
    edited: Sequence[tuple[int, int]],
) -> list[str]:
    """What an edit changed that it must not change, in a few words each.

    `melodies` has the (onset, pitch) of the notes of the melody and of its doubles before the edit, by the index of
    their track, and `edited` the (start, end) of the edited measures. All times are ticks. Where a pitch of a track has
    fewer note-offs than note-ons, nobody knows which note ends where, and only the onsets are compared.
    """
    found: list[str] = []
    if len(before.tracks) != len(after.tracks):
        return ["another number of tracks"]
    if before.outside != after.outside:
        found.append("bytes outside the tracks")
    tracks = [list(zip(file.sizes, file.bodies, strict=True)) for file in (before, after)]
    if any(old != new for track, (old, new) in enumerate(zip(*tracks, strict=True)) if track not in melodies):
        found.append("another track")
    if before.tails != after.tails:
        found.append("bytes after the last event")
    if set(after.flaws) - set(before.flaws):
        found.append(f"new flaws: {', '.join(sorted(set(after.flaws) - set(before.flaws)))}")
    for track, melody in melodies.items():
        if _others(before.tracks[track]) != _others(after.tracks[track]):
            found.append("an event that is not a note")
        found += _note_differences(before, after, track, melody, edited)
    return list(dict.fromkeys(found))


def _others(events: Iterable[OracleEvent]) -> list[OracleEvent]:
    """All events except notes. The end of the track may move, so that its tick does not count."""
    return [OracleEvent(0, e.data) if tuple(e.data[:2]) == END else e for e in events if not e.is_note]


def _note_differences(
    before: OracleFile,
    after: OracleFile,
    track: int,
    melody: Collection[tuple[int, int]],
    edited: Sequence[tuple[int, int]],
) -> list[str]:
    old, new = (_by_onset(file.notes(track)) for file in (before, after))
    slack = before.division / 8
    found: set[str] = set()

    def inside(tick: int | None) -> bool:
        return tick is not None and any(start - slack <= tick <= end + slack for start, end in edited)

    endless = {key[1:3] for key, notes in old.items() if any(note.end is None for note in notes)}
    struck = {(note.start, note.pitch, note.channel) for notes in new.values() for note in notes}
    for key in old.keys() | new.keys():
        for was, note in zip_longest(old.get(key, []), new.get(key, [])):
            kept = was is not None and note is not None and (was.end == note.end or was.silent == note.silent)
            if kept or (was is not None and note is not None and key[1:3] in endless):
                continue
            if was is not None and (was.start, was.pitch) not in melody:
                found.add("a note of another voice")
            if note is None:
                if key[:3] not in struck and not inside(key[0]):
                    found.add("a note outside the edited measures is gone")
                continue
            if not (inside(note.start) if was is None else inside(note.end) or inside(was.end)):
                found.add("a new or moved note outside the edited measures")
            if note.silent is None:
                found.add("a new note without an end")
            elif note.silent <= note.start:
                found.add("a new note without a length")
            if note.pitch > 127:
                found.add("a pitch above 127")
    return sorted(found)


def _by_onset(notes: Iterable[OracleNote]) -> dict[tuple[int, int, int, int], list[OracleNote]]:
    """The notes by their onset, pitch, channel and velocity."""
    found: dict[tuple[int, int, int, int], list[OracleNote]] = defaultdict(list)
    for note in notes:
        found[note.start, note.pitch, note.channel, note.velocity].append(note)
    return found
