"""A spool: the extracted works of a build that may be killed, so that the next build does not extract them again.

The file holds a digest of the works, and then a record for each batch: the length of its pickle, and the pickle. The
last record of a killed build may be cut, and is dropped. The file lies beside the corpus, and is removed when the
corpus is built. Only the build that writes the corpus (store.writing) may use it.
"""

from __future__ import annotations

import hashlib
import pickle
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import CorpusError
from ..version import __version__
from .corpus import Extracted, Work

_LENGTH = struct.Struct("<Q")


class Spool:
    """The records of a build of these works. Only arvae writes the file: a pickle can run code."""

    def __init__(self, path: Path, works: Sequence[Work]) -> None:
        self.path = path
        self.digest = _digest(works)
        self.records = 0
        self._end = 0

    def read(self) -> Iterator[list[Extracted]]:
        """The batches of an earlier build of the same works, in order."""
        self.records, self._end = 0, len(self.digest)
        if not self.path.is_file():
            return
        with self.path.open("rb") as file:
            if file.read(len(self.digest)) != self.digest:
                return
            while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
                (length,) = _LENGTH.unpack(head)
                data = file.read(length)
                if len(data) < length:
                    return
                self.records, self._end = self.records + 1, file.tell()
                yield pickle.loads(data)

    def adding(self, batches: Iterator[list[Extracted]]) -> Iterator[list[Extracted]]:
        """The batches that follow those of `read`, each after it is in the file. Raises CorpusError."""
        try:
            with self.path.open("r+b" if self.records else "wb", buffering=0) as file:
                if not self.records:
                    self._end = file.write(self.digest)
                file.truncate(self._end)
                file.seek(self._end)
                for found in batches:
                    data = pickle.dumps(found, pickle.HIGHEST_PROTOCOL)
                    rest = memoryview(_LENGTH.pack(len(data)) + data)
                    while rest:
                        rest = rest[file.write(rest) :]
                    yield found
        except OSError as error:
            remedy = "name another cache folder in ARVAE_CACHE"
            raise CorpusError(f"cannot write there ({error.strerror})", where=str(self.path), remedy=remedy) from error

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def _digest(works: Sequence[Work]) -> bytes:
    """A digest of the works: their names, and the size and the time of their files."""
    digest = hashlib.sha256(__version__.encode())
    for work in works:
        try:
            about = work.path.stat()
            stamp = f"{about.st_size} {about.st_mtime_ns}"
        except OSError:
            stamp = "missing"
        digest.update(f"{work.id}\0{work.tune}\0{stamp}\0".encode("utf-8", "surrogateescape"))
    return digest.digest()
