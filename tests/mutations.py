"""Damage MIDI files, for tests of what reading does with damaged files. The seed decides everything."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

HUGE = (b"\xff\xff\xff\x7f", b"\x8f\xff\xff\x7f", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\x7f", b"\x00")
META = (b"\xff\x51\x03", b"\xff\x58\x04", b"\xff\x59\x02", b"\xff\x2f\x00", b"\xff\x03\x05", b"\xff\x58\x00")


def _place(data: bytes, draw: random.Random) -> int:
    return draw.randrange(len(data) + 1)


def flip(data: bytes, draw: random.Random) -> bytes:
    """Change up to eight bytes."""
    changed = bytearray(data)
    for _ in range(draw.randint(1, 8)):
        if changed:
            changed[draw.randrange(len(changed))] = draw.choice((draw.randrange(256), 0x00, 0x7F, 0x80, 0x90, 0xFF))
    return bytes(changed)


def cut(data: bytes, draw: random.Random) -> bytes:
    """Leave out the end, the beginning, or a part in the middle."""
    first, second = sorted((_place(data, draw), _place(data, draw)))
    return draw.choice((data[:second], data[first:], data[:first] + data[second:]))


def repeat(data: bytes, draw: random.Random) -> bytes:
    """Insert a part of the file again somewhere."""
    first, second, at = _place(data, draw), _place(data, draw), _place(data, draw)
    return data[:at] + data[min(first, second) : max(first, second)] + data[at:]


def insert(data: bytes, draw: random.Random) -> bytes:
    """Insert a huge number, the beginning of a meta event, or noise."""
    at = _place(data, draw)
    noise = bytes(draw.randrange(256) for _ in range(draw.randint(1, 12)))
    return data[:at] + draw.choice((draw.choice(HUGE), draw.choice(META), noise)) + data[at:]


def resize(data: bytes, draw: random.Random) -> bytes:
    """Change the size or the name of a chunk, or a field of the header."""
    chunks = [i for i in range(len(data) - 7) if data[i : i + 4] in (b"MThd", b"MTrk", b"RIFF", b"data", b"LIST")]
    if not chunks:
        return flip(data, draw)
    at = draw.choice(chunks)
    size = int.from_bytes(data[at + 4 : at + 8], "big")
    sizes = (0, 1, 5, size - 1, size + 1, size + 9, size * 2, 2**31, 2**32 - 1, draw.randrange(2**16))
    new = struct.pack(">I", draw.choice(sizes) % 2**32)
    field = at + 8 + 2 * draw.randrange(3)
    return draw.choice((
        data[: at + 4] + new + data[at + 8 :],
        data[: at + draw.randrange(4)] + b"?" + data[at + draw.randrange(4) + 1 :],
        data[:field] + struct.pack(">H", draw.choice((0, 1, 2, 3, 0x7FFF, 0x8000, 0xE728, 0xFFFF))) + data[field + 2 :],
    ))  # fmt: skip


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (flip, cut, repeat, insert, resize)


def mutated(files: Sequence[bytes], seed: int) -> bytes:
    """One of the files, damaged in one to four ways, or parts of two of them joined."""
    draw = random.Random(seed)
    data = draw.choice(files)
    if draw.random() < 0.1:
        other = draw.choice(files)
        data = data[: _place(data, draw)] + other[_place(other, draw) :]
    for _ in range(draw.choice((1, 1, 1, 2, 3, 4))):
        data = draw.choice(MUTATIONS)(data, draw)
    return data
