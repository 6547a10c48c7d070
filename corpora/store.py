"""Built corpora: one Parquet file each, `<cache>/corpora/<name>.parquet`, a row per measure.

    piece      string  the tune's id; a split keeps a piece together
    title      string
    source     string  file name
    measure    int32   number as printed
    meter      int8    `Meter.code`
    tokens     list of int8, as many as the meter has ticks
    shift      int8    semitones: token pitch = sounding pitch + shift
    fifths     int8    key signature that the tune is normalised by, sharps positive

What is true of the whole corpus is JSON in the file's metadata (`Facts`). Attributes are not stored: they
are cheap, and a user's own must work on a corpus that is built already.

The cache is the platform's (`~/.cache/arvae` on Linux), or the folder that the setting `cache` names (ARVAE_CACHE, or
arvae.toml: see settings.py). A file is written under a temporary name, tunes as they come, and renamed, so that
whatever interrupts a build leaves no half of one; it is read back memory-mapped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Array
from ..errors import CorpusError, OutputError
from ..system import settings
from ..system.files import appearing
from .corpus import Tune

FORMAT = 1  # raise it when the columns, the tokens or the meters change
_KEY = b"arvae"
SUFFIX = ".parquet"
ROW_GROUP = 16_384  # measures


@dataclass(frozen=True)
class Facts:
    """What is true of a whole corpus; counts by reason are of measures (`skips`) and works (`rejected`)."""

    name: str
    description: str
    source: str
    licence: str
    bibtex: str
    # how it came about
    arvae: str  # versions
    music21: str
    format: int
    # what is in it, and what isn't
    tunes: int
    measures: int
    skips: dict[str, int]
    rejected: dict[str, int]
    examples_of_rejected: dict[str, list[str]]  # a few work ids for each reason


def cache_folder() -> Path:
    """Where built corpora lie."""
    return settings.cache_dir() / "corpora"


def path_of(name: str) -> Path:
    """Where the corpus called `name` lies, or would. Raises CorpusError for what is no name."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_. -]*", name):
        raise CorpusError(f"{name!r} is no name for a corpus", remedy="use letters, digits, - and _")
    return cache_folder() / f"{name}{SUFFIX}"


def table_of(tunes: Sequence[Tune]) -> Any:
    """An Arrow table with a row for every measure of the tunes. Raises OverflowError, UnicodeEncodeError.

    Columns are made of buffers: `pyarrow.array` imports pandas where that is installed, a quarter of a second.
    """
    import pyarrow as pa

    bars = [(tune, bar) for tune in tunes for bar in tune.bars]
    tokens = [bar.tokens.astype(np.int8).tobytes() for _, bar in bars]
    columns = {
        "piece": _texts([tune.id for tune, _ in bars]),
        "title": _texts([tune.title for tune, _ in bars]),
        "source": _texts([tune.source for tune, _ in bars]),
        "measure": _numbers(np.array([bar.number for _, bar in bars], np.int32)),
        "meter": _numbers(np.array([bar.meter.code for _, bar in bars], np.int8)),
        "tokens": _lists(tokens, _numbers(np.frombuffer(b"".join(tokens), np.int8))),
        "shift": _numbers(np.array([tune.shift for tune, _ in bars], np.int8)),
        "fifths": _numbers(np.array([tune.fifths for tune, _ in bars], np.int8)),
    }
    return pa.table(columns)


def _numbers(values: Array) -> Any:
    import pyarrow as pa

    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def _texts(texts: Sequence[str]) -> Any:
    import pyarrow as pa

    encoded = [text.encode() for text in texts]
    return pa.Array.from_buffers(pa.string(), len(texts), [None, _offsets(encoded), pa.py_buffer(b"".join(encoded))])


def _lists(rows: Sequence[bytes], items: Any) -> Any:
    """Lists of `items`, as many in each as the row has bytes."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.list_(items.type), len(rows), [None, _offsets(rows)], children=[items])


def _offsets(rows: Sequence[bytes]) -> Any:
    """Where each begins when they stand one behind another, and where the last one ends."""
    import pyarrow as pa

    return pa.py_buffer(np.cumsum([0, *map(len, rows)], dtype=np.int32))


class Writer:
    """Takes tunes as they come, and holds ROW_GROUP measures of them at a time, so that memory does not grow with a
    corpus. Arrow is imported with the first tunes: those who extract them are at the next by then."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: Any = None  # a pyarrow ParquetWriter
        self.waiting: list[Tune] = []
        self.measures = 0

    def add(self, tunes: Sequence[Tune]) -> None:
        if self.file is None:
            self._open()
        self.waiting += tunes
        self.measures += sum(len(tune.bars) for tune in tunes)
        if self.measures >= ROW_GROUP:
            self._flush()

    def finish(self, facts: Facts) -> None:
        """What is true of the whole corpus is known at its end."""
        if self.file is None:
            self._open()
        self._flush()
        self.file.add_key_value_metadata({_KEY: json.dumps(asdict(facts)).encode()})

    def close(self) -> None:
        if self.file is not None:
            self.file.close()

    def _open(self) -> None:
        import pyarrow.parquet as pq

        self.file = pq.ParquetWriter(self.path, table_of(()).schema, compression="zstd")

    def _flush(self) -> None:
        self.file.write_table(table_of(self.waiting))
        self.waiting, self.measures = [], 0


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """The corpus file `path`, which appears, whole, when the block ends well. Raises CorpusError where it cannot be
    written."""
    try:
        with appearing(path, overwrite=True) as temporary, closing(Writer(temporary)) as writer:
            yield writer
    except OutputError as error:
        raise CorpusError(error.what, where=error.where, remedy="name another cache folder in ARVAE_CACHE") from error


def read_facts(path: Path) -> Facts:
    """The facts alone: no measure is read. Raises CorpusError for what is no corpus of this version."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(path).metadata or {}
        found = json.loads(metadata[_KEY])
        if found["format"] != FORMAT:
            raise CorpusError(
                f"has format {found['format']}, and this arvae reads format {FORMAT}",
                where=str(path),
                remedy=f"run: arvae corpus build {found['name']}",
            )
        return Facts(**{field.name: found[field.name] for field in fields(Facts)})
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise CorpusError(
            "is no corpus that arvae built, or is damaged",
            where=str(path),
            remedy="build it anew with --rebuild, or remove the file",
        ) from error


def read_table(path: Path) -> Any:
    """The Arrow table of a corpus. Raises CorpusError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path, memory_map=True).read()  # `read_table` imports pyarrow.dataset, a third of a second
    except (OSError, pa.ArrowException) as error:
        raise CorpusError(f"cannot be read ({error})", where=str(path), remedy="build it anew") from error
