"""Reads IDX files, the format of MNIST (LeCun, Cortes & Burges 1998), plain or compressed with gzip.

    header    the magic number, 4 bytes: 0, 0, the data type (8 for unsigned bytes), and the number of dimensions.
              Then the size of each dimension, 4 bytes each, big-endian. Images have the magic number 0x00000803
              and the dimensions (n, rows, columns); labels have 0x00000801 and (n,)
    data      unsigned bytes, item by item and row by row

`read` returns the items in arrays of at most CHUNK, so a large file never lies in memory as a whole. `count` reads the
header only. Both raise InputError, which says what was found, for a file of another format, a file that is too short
or too long, and damaged gzip data.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from ..arrays import Bytes
from ..errors import InputError

IMAGES, LABELS = 0x00000803, 0x00000801  # magic numbers
KINDS = {IMAGES: "images", LABELS: "labels"}
GZIP = b"\x1f\x8b"
CHUNK = 4096  # items read at a time
AGAIN = "download the file again"


def count(path: Path, magic: int) -> int:
    """The number of items, according to the file's header. Raises InputError."""
    with _opened(path) as file:
        return _header(file, path, magic)[0]


def read(path: Path, magic: int, shape: tuple[int, ...] = ()) -> Iterator[Bytes]:
    """The file's items as uint8 arrays (at most CHUNK, *shape). Raises InputError at the first thing that is wrong."""
    with _opened(path) as file:
        total, *found = _header(file, path, magic)
        if tuple(found) != shape:
            has, wants = (" x ".join(map(str, sides)) for sides in (found, shape))
            raise _wrong(path, f"its images are {has} pixels, not {wants}", "give the files of MNIST")
        size, done = int(np.prod(shape, dtype=np.int64)), 0
        while done < total:
            wanted = min(CHUNK, total - done)
            data = _bytes(file, path, wanted * size)
            if len(data) < wanted * size:
                whole = done + len(data) // size
                raise _wrong(path, f"it ends after {whole} of {total} {KINDS[magic]}", AGAIN)
            yield np.frombuffer(data, dtype=np.uint8).reshape(wanted, *shape)
            done += wanted
        if _bytes(file, path, 1):
            raise _wrong(path, f"it has more data after its {total} {KINDS[magic]}", AGAIN)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file, opened for reading, and decompressed if it is gzip."""
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == GZIP
            plain.seek(0)
            yield cast(BinaryIO, gzip.GzipFile(fileobj=plain)) if packed else plain
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from error


def _header(file: BinaryIO, path: Path, magic: int) -> tuple[int, ...]:
    """The size of each dimension; (total, *item shape)."""
    head = _bytes(file, path, 4)
    found = int.from_bytes(head, "big")
    if len(head) < 4 or found != magic:
        what = f"its magic number is 0x{found:08x}" if len(head) == 4 else f"it has {len(head)} bytes"
        other = f" (IDX {KINDS[found]})" if found in KINDS else ""
        raise _wrong(path, f"{what}{other}, not 0x{magic:08x} (IDX {KINDS[magic]})", "give the files of MNIST")
    sizes = _bytes(file, path, 4 * (magic & 0xFF))
    if len(sizes) < 4 * (magic & 0xFF):
        raise _wrong(path, "it ends within its header", AGAIN)
    dimensions: tuple[Any, ...] = struct.unpack(f">{magic & 0xFF}I", sizes)
    return dimensions


def _bytes(file: BinaryIO, path: Path, size: int) -> bytes:
    """The next `size` bytes, or fewer at the end of the file."""
    try:
        return file.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _wrong(path, f"its gzip data is damaged or cut off ({error})", AGAIN) from error


def _wrong(path: Path, what: str, remedy: str) -> InputError:
    return InputError(what, where=str(path), remedy=remedy)
