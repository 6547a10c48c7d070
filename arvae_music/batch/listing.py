"""Find the inputs of a batch, however many: folders, lists and tables, on this machine or in a store.

    found = listing(["tunes/", "more.txt", "s3://giga/midi.parquet"], recursive=True)
    len(found)                  counted without opening the files
    for entry in found: ...     each input in order, read from the lists and tables as it is needed

An argument is a file, a folder (with `recursive`), a glob, `-` (stdin), or one of these:

    list.txt        a path or URL on each line, relative to the list; empty lines and those with # are ignored
    table.parquet   a file or a folder of Parquet files with a column of bytes, or of paths
    s3://..., gs:// a file, a folder, a glob, a list or a table in a store, by fsspec

The column of bytes is the first binary one. The paths, or the names of the bytes, are in the first of NAME_COLUMNS that
is there. An output folder gets the sub-folders of the inputs below the argument, or below the folder that all inputs of
a list or table share.
"""

from __future__ import annotations

import glob
import posixpath
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import InputError, UsageError
from ..system import inputs, storage
from ..system.extras import need
from ..system.storage import Place, is_url

LIST, TABLE = ".txt", ".parquet"
NAME_COLUMNS = ("path", "file", "file_name", "filename", "name", "url", "md5", "id")
ROWS = 64  # of a table, read at a time


@dataclass(frozen=True)
class Entry:
    """An input. Its number counts from 1. `place` is its path, its URL, `-`, or the name of the bytes in `data`.
    `below` is its sub-folder in an output folder."""

    n: int
    place: Place
    below: Path = Path()
    data: bytes | None = None


@dataclass(frozen=True)
class Group:
    """The inputs of one argument: how many, a function that begins to list their places and sub-folders, and one that
    begins to read their bytes, if a table has them."""

    count: int
    names: Callable[[], Iterator[tuple[Place, Path]]]
    contents: Callable[[], Iterator[bytes]] | None = None


@dataclass(frozen=True)
class Listing:
    groups: Sequence[Group]
    sources: Sequence[Place] = ()  # the lists, tables and stores that they come from

    @property
    def listed(self) -> bool:
        """Whether there may be very many."""
        return bool(self.sources)

    def __len__(self) -> int:
        return self._count

    @cached_property
    def _count(self) -> int:
        return sum(group.count for group in self.groups)

    def __iter__(self) -> Iterator[Entry]:
        n = 0
        for group in self.groups:
            contents = group.contents() if group.contents is not None else repeat(None)
            for (place, below), data in zip(group.names(), contents, strict=False):
                n += 1
                yield Entry(n, place, below, data)

    def names(self) -> Iterator[Entry]:
        """The entries without the bytes in tables, which are not read."""
        n = 0
        for group in self.groups:
            for place, below in group.names():
                n += 1
                yield Entry(n, place, below)


def listing(arguments: Sequence[str], *, recursive: bool = False) -> Listing:
    """Raises UsageError for arguments that name nothing, as `inputs.expand_inputs` does, and InputError for a list or
    table that cannot be read."""
    ordinary = [argument for argument in arguments if not _is_listed(argument)]
    groups = [_ordinary(ordinary, recursive)] if ordinary or not arguments else []
    for argument in arguments:
        if _is_listed(argument):
            groups.append(_listed(storage.place(argument), recursive))
    return Listing(groups, [storage.place(argument) for argument in arguments if _is_listed(argument)])


def _is_listed(argument: str) -> bool:
    """A file of this machine with the suffix of a list or a table counts only if it exists, so that a wrong name gets
    the usual message."""
    if is_url(argument):
        return True
    path = Path(argument).expanduser()
    return path.suffix.lower() in (LIST, TABLE) and path.exists()


def _ordinary(arguments: Sequence[str], recursive: bool) -> Group:
    places = inputs.expand_inputs(arguments, recursive=recursive)
    folders = inputs.folders_in(arguments)
    return Group(len(places), lambda: ((place, inputs.below(place, folders)) for place in places))


def _listed(where: Place, recursive: bool) -> Group:
    suffix = PurePosixPath(str(where)).suffix.lower()
    if suffix == TABLE:
        return _table(where)
    if suffix == LIST:
        return _named(lambda: _lines(where), _parent(where))
    assert isinstance(where, str)
    system, path = storage.system_of(where)
    if glob.has_magic(path):
        start = where.removesuffix(path)
        with storage.reaching(where):
            names = [start + str(name) for name in sorted(system.glob(path))]
        return _expect(_named(lambda: iter(names), ""), where, "matches no file")
    with storage.reaching(where):
        folder = system.isdir(path)
    if not folder:
        if not storage.exists(where):
            raise UsageError("no such file", where=where, remedy="check the URL")
        return Group(1, lambda: iter([(where, Path())]))
    if not recursive:
        raise UsageError("is a folder", where=where, remedy="give recursive=True to read the files in it")
    inside = [name for name in storage.files_below(where) if posixpath.splitext(name)[1].lower() in inputs.SUFFIXES]
    found = Group(len(inside), lambda: ((f"{where}/{name}", Path(name).parent) for name in inside))
    return _expect(found, where, "holds no MIDI file or score")


def _expect(group: Group, where: Place, problem: str) -> Group:
    if not group.count:
        raise UsageError(problem, where=str(where), remedy=f"arvae reads {' '.join(inputs.SUFFIXES)}")
    return group


def _parent(where: Place) -> str:
    return str(where.parent) if isinstance(where, Path) else posixpath.dirname(where)


def _lines(where: Place) -> Iterator[str]:
    """The lines of a list that name an input."""
    try:
        if isinstance(where, Path):
            with where.open(encoding="utf-8") as lines:
                yield from _names(lines)
        else:
            yield from _names(storage.read(where).decode().splitlines())
    except (OSError, ValueError) as error:
        raise InputError(f"is not a readable list ({error})", where=str(where), remedy="a list is UTF-8 text") from None


def _names(lines: Any) -> Iterator[str]:
    return (line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))


def _named(names: Callable[[], Iterator[str]], folder: str) -> Group:
    """Inputs by their names, which are relative to `folder`. A first pass counts them."""

    def full(name: str) -> str:
        return name if is_url(name) or posixpath.isabs(name) or not folder else posixpath.join(folder, name)

    count, shared = _survey(full(name) for name in names())

    return Group(count, lambda: ((storage.place(full(name)), _below(full(name), shared)) for name in names()))


def _survey(names: Iterator[str]) -> tuple[int, str]:
    """The number of names, and the folder that all share."""
    count, shared = 0, None
    for name in names:
        count += 1
        parts = posixpath.dirname(name).split("/")
        if shared is None:
            shared = parts
        elif parts[: len(shared)] != shared:
            same = next((i for i, (a, b) in enumerate(zip(shared, parts, strict=False)) if a != b), len(parts))
            shared = shared[:same]
    return count, "/".join(shared or [])


def _below(name: str, shared: str) -> Path:
    inside = posixpath.dirname(name)[len(shared) :]
    return Path(*(part for part in inside.split("/") if part not in ("", ".", "..")))


def _table(where: Place) -> Group:
    need("scale", "a table", "pyarrow")
    import pyarrow as pa

    files = _parts(where)
    schema = _opened(files[0]).schema_arrow
    binary = next((field.name for field in schema if field.type in (pa.binary(), pa.large_binary())), None)
    label = next((name for name in NAME_COLUMNS if name in schema.names), None)
    if binary is None and label is None:
        raise InputError(
            f"has the columns {', '.join(schema.names)}", where=str(where),
            remedy=f"give it a column of bytes, or one of paths named {' or '.join(NAME_COLUMNS[:2])}",
        )  # fmt: skip
    if binary is None:
        return _named(lambda: (str(row[0]) for row in _rows(files, [str(label)])), _parent(where))

    def names() -> Iterator[str]:
        stem = PurePosixPath(str(where)).stem
        given = (row[0] for row in _rows(files, [label])) if label else repeat(None)
        rows = range(sum(_opened(file).metadata.num_rows for file in files))
        return (f"{stem}-{at:08}" if name is None else str(name) for at, name in zip(rows, given, strict=False))

    count, shared = _survey(names())
    return Group(
        count,
        lambda: ((name, _below(name, shared)) for name in names()),
        lambda: (row[0] or b"" for row in _rows(files, [str(binary)])),
    )


def _parts(where: Place) -> list[Place]:
    """The Parquet files of a table, which is one file or a folder of them."""
    names = [name for name in storage.files_below(where) if name.endswith(TABLE) and not name.startswith("_")]
    if isinstance(where, Path):
        folder = where.is_dir()
    else:
        system, path = storage.system_of(where)
        folder = system.isdir(path)
    if folder and not names:
        raise UsageError("holds no Parquet file", where=str(where), remedy="check the folder")
    return [storage.within(where, name) for name in names] if folder else [where]


def _opened(file: Place) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if isinstance(file, Path):
            return pq.ParquetFile(file, memory_map=True)
        system, path = storage.system_of(file)
        return pq.ParquetFile(system.open(path, "rb"))
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"is not a readable Parquet file ({error})", where=str(file)) from error


def _rows(files: Sequence[Place], columns: list[str]) -> Iterator[Sequence[Any]]:
    """The rows of some columns, in the order of `columns`, a few at a time."""
    for file in files:
        for batch in _opened(file).iter_batches(ROWS, columns=columns):
            yield from zip(*(batch.column(name).to_pylist() for name in columns), strict=True)
