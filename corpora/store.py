"""Store built corpora: each is one Parquet file, `<cache>/corpora/<name>.parquet`, with a row for each measure.

    piece        string  the tune's id
    title        string
    source       string  file name
    position     int32   of the measure in the tune, from 0, without gaps
    measure      int32   number as printed
    meter        int8    `Meter.code`; 0 for a meter that the grid does not support
    tokens       list of int8, one for each tick of the meter; empty if the grid cannot hold the measure
    left_out     string  why the measure is no example of training; "" for an example
    phrase_ends  list of int8, the ticks where the last notes of phrases begin
    phrased      int8    1 if the source marks the ends of phrases
    shift        int8    semitones: token pitch = sounding pitch + shift
    fifths       int8    key signature from which the tune was transposed to C major or A minor, sharps positive
    minor        int8    1 if it is in A minor then, 0 if in C major

The rows of a tune are all its measures in order, so that a model can read whole tunes. The metadata of the file have
the clusters of nearly equal tunes (clusters.py) as JSON: the id of each tune that is in another one's cluster, and the
id of that other tune, which is the cluster's name. The part of a split that a tune is in follows from this name.

Facts about the whole corpus (`Facts`) are JSON in the metadata of the file. Attributes are not stored: they are fast to
compute, and users can measure their own attributes on a corpus that is already built.

The cache is the platform's (`~/.cache/arvae` on Linux), or the folder in the setting `cache` (ARVAE_CACHE or
arvae.toml, see settings.py). A file is written tune by tune under a temporary name and then renamed, so that an
interrupted build leaves no incomplete file. It is memory-mapped for reading.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Array
from ..errors import CorpusError, OutputError
from ..system import settings
from ..system.extras import need
from ..system.files import appearing, locked, remove_temporary
from .corpus import Tune

FORMAT = 2  # raise it when the columns, the tokens or the codes of meters change
_KEY = b"arvae"
_CLUSTERS = b"arvae.clusters"
SUFFIX = ".parquet"
ROW_GROUP = 16_384  # measures
A_CORPUS = "a corpus"  # what needs pyarrow


@dataclass(frozen=True)
class Facts:
    """Facts about a whole corpus. `skips` counts measures that were left out, `rejected` works, by reason."""

    name: str
    description: str
    source: str
    licence: str
    bibtex: str
    # the versions that built it
    arvae: str
    music21: str  # "" if it was not installed
    format: int
    # what it contains, and what was left out
    tunes: int
    measures: int
    skips: dict[str, int]
    rejected: dict[str, int]
    examples_of_rejected: dict[str, list[str]]  # a few work ids for each reason


def cache_folder() -> Path:
    """The folder of the built corpora."""
    return settings.cache_dir() / "corpora"


def path_of(name: str) -> Path:
    """The file of the corpus called `name`, which may not exist. Raises CorpusError for an invalid name."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_. -]*", name):
        raise CorpusError(f"{name!r} is not a valid name for a corpus", remedy="use letters, digits, - and _")
    return cache_folder() / f"{name}{SUFFIX}"


def table_of(tunes: Sequence[Tune]) -> Any:
    """An Arrow table with a row for every measure of the tunes. Raises OverflowError, UnicodeEncodeError.

    Columns are made from buffers, because `pyarrow.array` imports pandas if it is installed, for a quarter of a second.
    """
    import pyarrow as pa

    bars = [(tune, at, bar) for tune in tunes for at, bar in enumerate(tune.bars)]
    tokens = [b"" if bar.tokens is None else bar.tokens.astype(np.int8).tobytes() for *_, bar in bars]
    ends = [bytes(bar.phrase_ends) for *_, bar in bars]
    columns = {
        "piece": _texts([tune.id for tune, *_ in bars]),
        "title": _texts([tune.title for tune, *_ in bars]),
        "source": _texts([tune.source for tune, *_ in bars]),
        "position": _numbers(np.array([at for _, at, _ in bars], np.int32)),
        "measure": _numbers(np.array([bar.number for *_, bar in bars], np.int32)),
        "meter": _numbers(np.array([bar.meter.code if bar.meter else 0 for *_, bar in bars], np.int8)),
        "tokens": _lists(tokens),
        "left_out": _texts([bar.left_out for *_, bar in bars]),
        "phrase_ends": _lists(ends),
        "phrased": _numbers(np.array([tune.phrased for tune, *_ in bars], np.int8)),
        "shift": _numbers(np.array([tune.shift for tune, *_ in bars], np.int8)),
        "fifths": _numbers(np.array([tune.fifths for tune, *_ in bars], np.int8)),
        "minor": _numbers(np.array([tune.minor for tune, *_ in bars], np.int8)),
    }
    return pa.table(columns)


def _numbers(values: Array) -> Any:
    import pyarrow as pa

    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def _texts(texts: Sequence[str]) -> Any:
    import pyarrow as pa

    encoded = [text.encode() for text in texts]
    return pa.Array.from_buffers(pa.string(), len(texts), [None, _offsets(encoded), pa.py_buffer(b"".join(encoded))])


def _lists(rows: Sequence[bytes]) -> Any:
    """An array of lists of int8, one for each row of bytes."""
    import pyarrow as pa

    items = _numbers(np.frombuffer(b"".join(rows), np.int8))
    return pa.Array.from_buffers(pa.list_(items.type), len(rows), [None, _offsets(rows)], children=[items])


def _offsets(rows: Sequence[bytes]) -> Any:
    """The start of each row in the concatenated rows, and the end of the last one."""
    import pyarrow as pa

    return pa.py_buffer(np.cumsum([0, *map(len, rows)], dtype=np.int32))


class Writer:
    """Writes tunes to a file in groups of about ROW_GROUP measures, so that memory does not grow with the corpus.

    Arrow is imported with the first tunes, while the workers already extract the next ones.
    """

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

    def finish(self, facts: Facts, clusters: Mapping[str, str]) -> None:
        """Write the remaining tunes, the facts, and the clusters as `clusters.named` gives them."""
        if self.file is None:
            self._open()
        self._flush()
        self.file.add_key_value_metadata(
            {_KEY: json.dumps(asdict(facts)).encode(), _CLUSTERS: json.dumps(dict(clusters)).encode()}
        )

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
    """Write the corpus file `path`, which appears when the block ends without an error, and keep other runs out. Raises
    CorpusError if it cannot be written, and ExtraError without pyarrow."""
    need("train", A_CORPUS, "pyarrow")
    try:
        lock = path.with_suffix(".lock")
        with locked(lock, path):
            remove_temporary(path.parent, path.name)  # of killed runs
            try:
                with appearing(path, overwrite=True) as temporary, closing(Writer(temporary)) as writer:
                    yield writer
            finally:
                lock.unlink(missing_ok=True)
    except OutputError as error:
        raise CorpusError(error.what, where=error.where, remedy="name another cache folder in ARVAE_CACHE") from error


def read_facts(path: Path) -> Facts:
    """Read the facts without the measures. Raises CorpusError for a file that is not a corpus of this format."""
    return _read_metadata(path)[0]


def read_clusters(path: Path) -> dict[str, str]:
    """The clusters, as `Writer.finish` writes them. Raises CorpusError like `read_facts`."""
    return _read_metadata(path)[1]


def _read_metadata(path: Path) -> tuple[Facts, dict[str, str]]:
    need("train", A_CORPUS, "pyarrow")
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
        facts = Facts(**{field.name: found[field.name] for field in fields(Facts)})
        return facts, dict(json.loads(metadata[_CLUSTERS]))
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise CorpusError(
            "is not a corpus that arvae built, or is damaged",
            where=str(path),
            remedy="build it again with rebuild=True, or remove the file",
        ) from error


def read_table(path: Path) -> Any:
    """The Arrow table of a corpus. Raises CorpusError, and ExtraError without pyarrow."""
    need("train", A_CORPUS, "pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path, memory_map=True).read()  # `read_table` imports pyarrow.dataset, a third of a second
    except (OSError, pa.ArrowException) as error:
        raise CorpusError(
            f"cannot be read ({error})", where=str(path), remedy="build it again with rebuild=True"
        ) from error
