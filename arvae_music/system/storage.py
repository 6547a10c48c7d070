"""Files by path or by URL: a Path is a file of this machine, and a str such as `s3://tunes/a.mid` is read by fsspec.

    place("s3://tunes/a.mid")                   the URL; a path, also as file://..., becomes a Path
    within(folder, "b/c.mid")                   a file of a folder
    read(place), write(place, data), exists(place), files_below(folder), remove(folder)

A file appears whole or not at all: an object store shows an object when its upload is complete. fsspec and the packages
for single stores (s3fs, gcsfs) belong to the extra `scale`.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..errors import ArvaeError, InputError, OutputError, UsageError
from .extras import need
from .files import appearing, write_whole

Place = Path | str  # a file or a folder; a str is a URL

_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+::?//")  # at least two letters: C:// is a drive


def is_url(text: str) -> bool:
    return _URL.match(text) is not None


def place(text: str) -> Place:
    """The place that a user names."""
    if text.startswith("file://"):
        return Path(text.removeprefix("file://"))
    return text.rstrip("/") if is_url(text) else Path(text).expanduser()


def within(folder: Place, name: str | Path) -> Place:
    """The place `name`, which is relative, in a folder."""
    if isinstance(folder, Path):
        return folder / name
    inside = name.as_posix() if isinstance(name, Path) else name
    return folder if inside in ("", ".") else f"{folder}/{inside}"


def system_of(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path in it. Raises ExtraError without fsspec, UsageError if the package
    for the store is missing."""
    need("scale", "a URL", "fsspec")
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        remedy = "install the package, or check the URL"
        raise UsageError(f"cannot be opened ({error})", where=url, remedy=remedy) from None
    return system, str(path)


@contextmanager
def reaching(where: Place) -> Iterator[None]:
    """Raises InputError for what a store raises in the block: each store has exceptions of its own kinds."""
    try:
        yield
    except ArvaeError:
        raise
    except Exception as error:  # of any kind, see above
        remedy = "check the URL, the network, and your rights in the store"
        raise InputError(f"cannot be reached ({_reason(error)})", where=str(where), remedy=remedy) from error


def read(where: Place) -> bytes:
    """Raises InputError."""
    try:
        if isinstance(where, Path):
            return where.read_bytes()
        system, path = system_of(where)
        return bytes(system.cat_file(path))
    except UsageError:
        raise
    except Exception as error:  # stores raise exceptions of their own kinds
        raise InputError(f"cannot be read ({_reason(error)})", where=str(where)) from error


def write(where: Place, data: bytes, *, overwrite: bool = False) -> None:
    """Write a file in one step. Without `overwrite` an existing file with other bytes is an error; one with the same
    bytes stays, so that work that is done twice, after a worker died, succeeds.

    Raises OutputError."""
    if not overwrite and exists(where):
        if _same(where, data):
            return
        remedy = "give overwrite=True, or another place with output=..."
        raise OutputError("exists already", where=str(where), remedy=remedy)
    if isinstance(where, Path):
        write_whole(where, data, overwrite=overwrite)
        return
    system, path = system_of(where)
    try:
        system.makedirs(path.rpartition("/")[0], exist_ok=True)
        system.pipe_file(path, data)
    except Exception as error:  # stores raise exceptions of their own kinds
        remedy = "name another place with output=..."
        raise OutputError(f"cannot write there ({_reason(error)})", where=where, remedy=remedy) from error


def exists(where: Place) -> bool:
    if isinstance(where, Path):
        return where.exists()
    with reaching(where):
        system, path = system_of(where)
        return bool(system.exists(path))


def holds(folder: Place, where: Place) -> bool:
    """Whether `where` is the folder, or lies in it or below."""
    if isinstance(folder, Path) and isinstance(where, Path):
        return where.resolve().is_relative_to(folder.resolve())
    return str(where) == str(folder) or str(where).startswith(f"{folder}/")


def files_below(folder: Place) -> Iterator[str]:
    """The files in a folder and below, sorted, relative to it, except hidden ones. A folder may be missing."""
    if isinstance(folder, Path):
        names = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
        found = (name.as_posix() for name in names)
    else:
        with reaching(folder):
            system, root = system_of(folder)
            system.invalidate_cache()
            found = (str(path)[len(root) :].lstrip("/") for path in sorted(system.find(root)))
    for name in found:
        if not any(part.startswith(".") for part in name.split("/")):
            yield name


def remove(where: Place) -> None:
    """Remove a file, or a folder with its files, if it exists."""
    if not isinstance(where, Path):
        if exists(where):
            with reaching(where):
                system, path = system_of(where)
                system.rm(path, recursive=True)
    elif where.is_dir():
        shutil.rmtree(where, ignore_errors=True)
    else:
        where.unlink(missing_ok=True)


@contextmanager
def appearing_at(where: Place, *, overwrite: bool = False) -> Iterator[Path]:
    """A file of this machine for the block to write; at its end the file is at `where`, whole or not at all.

    Raises OutputError."""
    if isinstance(where, Path):
        with appearing(where, overwrite=overwrite) as temporary:
            yield temporary
        return
    with TemporaryDirectory() as folder:
        temporary = Path(folder) / "whole"
        yield temporary
        write(where, temporary.read_bytes(), overwrite=overwrite)


def _same(where: Place, data: bytes) -> bool:
    try:
        return read(where) == data
    except InputError:
        return False


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
