"""IDX files, as MNIST comes in (LeCun, Cortes & Burges 1998), plain or gzip, read a piece at a time.

    header    4 bytes: 0, 0, the type (8: unsigned bytes), the number of dimensions; then each dimension, 4 bytes,
              big-endian. Images are 0x00000803 and (n, rows, columns), labels 0x00000801 and (n,)
    data      the bytes, row by row

A file that is something else, that ends early or goes on too long, or whose gzip is damaged, is an InputError with
what was found.
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


def count(path: Path, magic: int) -> int:
    """How many items its header says there are. Raises InputError."""
    with _opened(path) as file:
        return _header(file, path, magic)[0]


def read(path: Path, magic: int, shape: tuple[int, ...] = ()) -> Iterator[Bytes]:
    """Its items, each of `shape`, in arrays of at most CHUNK. Raises InputError, as soon as something is wrong."""
    with _opened(path) as file:
        total, *found = _header(file, path, magic)
        if tuple(found) != shape:
            has, wants = (" x ".join(map(str, sides)) for sides in (found, shape))
            raise _wrong(path, f"its images are {has} pixels, not {wants}", "give MNIST's files")
        size, done = int(np.prod(shape, dtype=np.int64)), 0
        while done < total:
            wanted = min(CHUNK, total - done)
            data = _bytes(file, path, wanted * size)
            if len(data) < wanted * size:
                whole = done + len(data) // size
                raise _wrong(path, f"it ends after {whole} of {total} {KINDS[magic]}", "fetch it anew")
            yield np.frombuffer(data, dtype=np.uint8).reshape(wanted, *shape)
            done += wanted
        if _bytes(file, path, 1):
            raise _wrong(path, f"it goes on after its {total} {KINDS[magic]}", "fetch it anew")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == GZIP
            plain.seek(0)
            yield cast(BinaryIO, gzip.GzipFile(fileobj=plain)) if packed else plain
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from error


def _header(file: BinaryIO, path: Path, magic: int) -> tuple[int, ...]:
    """The dimensions."""
    head = _bytes(file, path, 4)
    found = int.from_bytes(head, "big")
    if len(head) < 4 or found != magic:
        what = f"its magic number is 0x{found:08x}" if len(head) == 4 else f"it has {len(head)} bytes"
        other = f" (IDX {KINDS[found]})" if found in KINDS else ""
        raise _wrong(path, f"{what}{other}, not 0x{magic:08x} (IDX {KINDS[magic]})", "give MNIST's files as they come")
    sizes = _bytes(file, path, 4 * (magic & 0xFF))
    if len(sizes) < 4 * (magic & 0xFF):
        raise _wrong(path, "it ends within its header", "fetch it anew")
    dimensions: tuple[Any, ...] = struct.unpack(f">{magic & 0xFF}I", sizes)
    return dimensions


def _bytes(file: BinaryIO, path: Path, size: int) -> bytes:
    """Up to `size` bytes."""
    try:
        return file.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> InputError:
    return _wrong(path, f"its gzip data is damaged or cut off ({error})", "fetch it anew")


def _wrong(path: Path, what: str, remedy: str) -> InputError:
    return InputError(what, where=str(path), remedy=remedy)
