"""The chunks of a MIDI file, and what they are wrapped in.

A MIDI file is a header chunk and one chunk for each track. It may be wrapped:

    RIFF        a .rmi file: the MIDI file is the `data` chunk of a RIFF file, which may hold other chunks, before it or
                after it. Chunks of odd length are followed by a byte of padding.
    MacBinary   a header of 128 bytes with the length of the file and a checksum, from old Macintosh programs

`split` finds the tracks, also in damaged files: it reads tracks beyond the number in the header, tracks whose size is
wrong, and tracks that the end of the file cuts off. `Split.with_track` puts another body in the place of one track and
corrects the sizes around it. All other bytes stay. `plain` and `riff` remove and add a RIFF wrapper, and `for_suffix`
does what the name of the output asks for: a .rmi file has the wrapper, and any other MIDI file has none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from ..errors import InputError
from .notices import Notice, Oddity

HEADER = b"MThd"
TRACK = b"MTrk"
HEADER_LENGTH = 14
MACBINARY_LENGTH = 128
MACBINARY_SIZE, MACBINARY_CHECKED = 83, 124  # where the file's size lies; how many bytes the checksum after them covers
FARTHEST_HEADER = 4096  # bytes before the header of a file in an unknown wrapper
RIFF_SUFFIX, PLAIN_SUFFIXES = ".rmi", (".mid", ".midi", ".kar")
END_OF_TRACK = b"\xff\x2f\x00"


class Wrapper(Enum):
    """What a MIDI file is wrapped in."""

    NONE = "none"
    RIFF = "RIFF"
    MACBINARY = "MacBinary"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Split:
    """A file's bytes, its header fields, and the positions of its tracks."""

    data: bytes
    format: int
    ticks_per_quarter: int
    tracks: tuple[slice, ...]  # where the bodies of their chunks lie
    wrapper: Wrapper
    inside: slice  # where the MIDI file lies in its wrapper
    notices: tuple[Notice, ...]

    def track(self, index: int) -> bytes:
        return self.data[self.tracks[index]]

    def with_track(self, index: int, body: bytes) -> bytes:
        """The file with a new body for one track, and with the sizes that follow from it. All other bytes stay."""
        own, data = self.tracks[index], self.data
        size = struct.pack(">I", len(body))
        file = data[self.inside.start : own.start - 4] + size + body + data[own.stop : self.inside.stop]
        before, after = data[: self.inside.start], data[self.inside.stop :]
        if self.wrapper is Wrapper.RIFF:
            return _riff(before, file, *_chunks_after(data, self.inside.stop))
        if self.wrapper is Wrapper.MACBINARY:
            before, after = _macbinary(before, self.inside.stop - self.inside.start, len(file), after)
        return before + file + after

    @property
    def plain(self) -> bytes:
        """The MIDI file without its wrapper."""
        return self.data[self.inside]


def split(data: bytes, where: str) -> Split:
    """Find the tracks of a MIDI file. Raises InputError for other files, for one without tracks, and for SMPTE time."""
    if not data:
        raise InputError("it is empty", where=where)
    notices: list[Notice] = []
    wrapper, inside = _unwrapped(data, notices)
    if data[inside.start : inside.start + 4] != HEADER:
        raise InputError("it is not a MIDI file", where=where, remedy="export it as a Standard MIDI File")
    if inside.stop - inside.start < HEADER_LENGTH:
        raise InputError("it is truncated", where=where, remedy="export or download it again")
    length, form, count, division = struct.unpack_from(">IHHH", data, inside.start + 4)
    first = inside.start + 8 + length
    if length < 6 or not _begins_chunk(data, first, inside.stop):
        if not _begins_chunk(data, inside.start + HEADER_LENGTH, inside.stop):
            raise InputError("it is damaged: its header is not valid", where=where, remedy="export it again")
        first = inside.start + HEADER_LENGTH
        notices.append(Notice(Oddity.HEADER_SIZE))
    if form > 2:
        raise InputError("it is damaged: its header is not valid", where=where, remedy="export it again")
    if division >= 0x8000:
        raise InputError("it counts time in SMPTE frames, without beats", where=where, remedy="export it in ticks")
    if division == 0:
        raise InputError("it has no ticks in a quarter note", where=where, remedy="export it again")
    tracks = tuple(_tracks(data, first, inside.stop, notices))
    if not tracks:
        raise InputError("it holds no tracks", where=where, remedy="export or download it again")
    if len(tracks) != count:
        notices.append(Notice(Oddity.TRACK_COUNT, len(tracks)))
    return Split(data, form, division, tracks, wrapper, inside, tuple(notices))


def is_midi(data: bytes) -> bool:
    """Whether the bytes are a MIDI file, wrapped or not."""
    return bool(data) and data[_unwrapped(data, [])[1].start :][:4] == HEADER


def is_complete(data: bytes) -> bool:
    """Whether the bytes are not a part of a MIDI file whose end is missing. Other files always count as complete."""
    if not is_midi(data):
        return bool(data)
    try:
        return all(notice.oddity not in (Oddity.CUT_OFF, Oddity.TRACK_COUNT) for notice in split(data, "").notices)
    except InputError:
        return False


def _begins_chunk(data: bytes, at: int, end: int) -> bool:
    """Whether a chunk may begin here: a name of four printable characters, or the end of the data."""
    name = data[at : min(at + 4, end)]
    return at == end or (len(name) == 4 and all(0x20 <= byte < 0x7F for byte in name) and at + 8 <= end)


def _tracks(data: bytes, at: int, end: int, notices: list[Notice]) -> Iterator[slice]:
    """Where the bodies of the track chunks lie."""
    number = 0
    while at < end:
        if not _begins_chunk(data, at, end):
            following = data.find(TRACK, at + 1, end)
            lost = (following if following >= 0 else end) - at
            notices.append(Notice(Oddity.BETWEEN_CHUNKS if following >= 0 else Oddity.AFTER_CHUNKS, lost))
            at += lost
            continue
        stop = at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
        if data[at : at + 4] != TRACK:
            if stop > end:
                stop = data.find(TRACK, at + 4, end)
                if stop < 0:
                    notices.append(Notice(Oddity.AFTER_CHUNKS, end - at))
                    return
                notices.append(Notice(Oddity.BETWEEN_CHUNKS, stop - at))
            at = stop
            continue
        number += 1
        if not _begins_chunk(data, stop, end):
            found = _end_of_damaged(data, at + 8, stop, end)
            if found != stop:
                cut = found == end and stop > end
                notice = Notice(Oddity.CUT_OFF, stop - end) if cut else Notice(Oddity.CHUNK_SIZE)
                notices.append(notice.on(number))
                stop = found
        yield slice(at + 8, stop)
        at = stop


def _end_of_damaged(data: bytes, start: int, stop: int, end: int) -> int:
    """Where a track ends that begins at `start` and whose size leads to `stop`, where no chunk begins."""
    following = data.find(TRACK, start, end)
    if following < 0:
        following = end
    if stop > end or following < stop:
        return following
    ended = data[stop - 3 : stop] == END_OF_TRACK
    return stop if ended or data[following - 3 : following] != END_OF_TRACK else following


# ------------------------------------------------------------------------------------ wrappers


def _unwrapped(data: bytes, notices: list[Notice]) -> tuple[Wrapper, slice]:
    """What the file is wrapped in, and where the MIDI file lies. Without a MIDI header this is the whole file."""
    if data[:4] == HEADER:
        return Wrapper.NONE, slice(0, len(data))
    found = _in_riff(data, notices) if data[:4] == b"RIFF" and data[8:12] == b"RMID" else None
    if found is not None:
        return Wrapper.RIFF, found
    if data[0] == 0 and data[MACBINARY_LENGTH : MACBINARY_LENGTH + 4] == HEADER:
        size = _macbinary_size(data)
        stop = MACBINARY_LENGTH + size
        notices.append(Notice(Oddity.MACBINARY))
        if size < HEADER_LENGTH or stop > len(data):
            stop = len(data)
        return Wrapper.MACBINARY, slice(MACBINARY_LENGTH, stop)
    at = data.find(HEADER + b"\0\0\0\6", 0, FARTHEST_HEADER)
    if at < 0:
        return Wrapper.NONE, slice(0, len(data))
    notices.append(Notice(Oddity.BEFORE_HEADER, at))
    return Wrapper.UNKNOWN, slice(at, len(data))


def _in_riff(data: bytes, notices: list[Notice]) -> slice | None:
    """Where the data of the `data` chunk lie in a RIFF file; None if there is no such chunk with a MIDI header."""
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"data" and data[at + 8 : at + 12] == HEADER:
            wrong = at + 8 + size > len(data) or int.from_bytes(data[4:8], "little") + 8 not in (
                len(data),
                len(data) + size % 2,  # the last padding is often left out
            )
            if wrong:
                notices.append(Notice(Oddity.RIFF_SIZE))
            return slice(at + 8, min(at + 8 + size, len(data)))
        at += 8 + size + size % 2
    return None


def _chunks_after(data: bytes, at: int) -> tuple[bytes, bytes]:
    """The other chunks after the data chunk, without its padding, and the bytes after the end of the RIFF file."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if not at <= end <= len(data):
        end = len(data)
    padded = at % 2 == 1 and data[at : at + 1] == b"\0"
    return data[at + padded : end], data[max(end, at + padded) :]


def _riff(before: bytes, file: bytes, chunks: bytes = b"", outside: bytes = b"") -> bytes:
    """A RIFF file with another MIDI file in its data chunk. `before` are the bytes before the old MIDI file."""
    padding = b"\0" * (len(file) % 2)
    rest = before[8:-4] + struct.pack("<I", len(file)) + file + padding + chunks
    return before[:4] + struct.pack("<I", len(rest)) + rest + outside


def _macbinary_size(header: bytes) -> int:
    return int.from_bytes(header[MACBINARY_SIZE : MACBINARY_SIZE + 4], "big")


def _macbinary(header: bytes, old: int, new: int, after: bytes) -> tuple[bytes, bytes]:
    """The header for a file of another length, and what follows the file, which begins at a multiple of 128 bytes.

    A size or a checksum that is not right stays as it is.
    """
    if _macbinary_size(header) != old:
        return header, after
    padding = -old % MACBINARY_LENGTH
    if len(after) >= padding and not after[:padding].strip(b"\0"):
        after = b"\0" * (-new % MACBINARY_LENGTH) + after[padding:]
    changed = header[:MACBINARY_SIZE] + struct.pack(">I", new) + header[MACBINARY_SIZE + 4 :]
    at = MACBINARY_CHECKED
    if int.from_bytes(header[at : at + 2], "big") == _checksum(header[:at]):
        changed = changed[:at] + struct.pack(">H", _checksum(changed[:at])) + changed[at + 2 :]
    return changed, after


def _checksum(data: bytes) -> int:
    """The CRC-16 of MacBinary II (CCITT polynomial, starting from 0)."""
    value = 0
    for byte in data:
        value ^= byte << 8
        for _ in range(8):
            value = (value << 1 ^ 0x1021 if value & 0x8000 else value << 1) & 0xFFFF
    return value


def plain(data: bytes) -> bytes:
    """A MIDI file without its RIFF wrapper. Other bytes are returned as they are."""
    found = _in_riff(data, []) if data[:4] == b"RIFF" and data[8:12] == b"RMID" else None
    return data if found is None else data[found]


def for_suffix(data: bytes, suffix: str, before: str = "") -> bytes:
    """The bytes for a file with this suffix, made from a file with the suffix `before`.

    A file in a wrapper that its name does not tell (RIFF data in a .mid file) keeps the wrapper under a similar name.
    An output without a suffix, such as stdout, is not converted.
    """
    new, old = suffix.lower(), before.lower()
    if new == RIFF_SUFFIX:
        return riff(data)
    return plain(data) if new in PLAIN_SUFFIXES and old not in PLAIN_SUFFIXES else data


def riff(data: bytes) -> bytes:
    """A MIDI file in a RIFF wrapper. Bytes that do not begin with a MIDI header are returned as they are."""
    return _riff(b"RIFF\0\0\0\0RMIDdata\0\0\0\0", data) if data[:4] == HEADER else data
