"""Write files in one step: a file is complete or absent, and an existing file is only replaced with `overwrite`."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors import OutputError, StorageError

_LONGEST_NAME = 40  # characters of a file's name in that of its temporary file
_TEMPORARY = re.compile(rf"\.(.{{1,{_LONGEST_NAME}}})\.[a-z0-9_]{{8}}\.part", re.DOTALL)  # as `appearing` names them
NO_MORE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


def write_whole(path: Path, data: bytes, *, overwrite: bool = False) -> None:
    """Write `data` to the file `path` in one step. `appearing` explains `overwrite` and the errors."""
    with appearing(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(data)


@contextmanager
def appearing(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary file for the block to write. At the end of the block it is moved to `path` in one step; if the block
    fails, it is removed.

    Without `overwrite`, an existing file is an error, even if it appears during the block. Missing parent folders are
    made. Raises OutputError, also for an OSError in the block.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:_LONGEST_NAME]}.", suffix=".part")
    except FileExistsError as error:  # mkdir raises this if the folder is a file
        raise OutputError(
            f"cannot write there ({path.parent} is a file)",
            where=str(path),
            remedy="name another place with path=...",
        ) from error
    except OSError as error:
        raise cannot_write(path, error) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        open_up(temporary)
        if overwrite:
            temporary.replace(path)
        else:
            _move_new(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def locked(path: Path, place: object, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock, the file `path`, in the block; it ends with the process. `shared` locks exclude only others.

    Where the system or the file system has no locks, nothing is locked. Raises OutputError, which names `place`, if
    another process holds the lock."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        with suppress(OSError):
            try:
                fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError:
                remedy = "wait for its end, or name another place with output=..."
                raise OutputError("another run is writing there", where=str(place), remedy=remedy) from None
        yield
    finally:
        os.close(handle)


def remove_temporary(folder: Path, name: str | None = None) -> None:
    """Remove the temporary files that killed processes have left in a folder and below, or only those of the file
    `name`. Nobody may write there."""
    for path in folder.rglob(".*.part"):
        found = _TEMPORARY.fullmatch(path.name)
        if found and (name is None or name[:_LONGEST_NAME] == found[1]):
            with suppress(OSError):
                path.unlink()


def open_up(temporary: Path) -> None:
    """Give a temporary file, which only its owner may read, the mode of any other new file."""
    temporary.chmod(0o666 & ~_umask())


def cannot_write(path: Path, error: OSError) -> OutputError:
    """The error for a file that cannot be written: a StorageError if no other file can be written either."""
    kind = StorageError if error.errno in NO_MORE else OutputError
    return kind(
        f"cannot write there ({error.strerror or error})", where=str(path), remedy="name another place with path=..."
    )


def _move_new(temporary: Path, path: Path) -> None:
    """Move a file to a new name. A hard link fails if the name is taken, even if the other file has just appeared."""
    exists = OutputError(
        "exists already", where=str(path), remedy="give overwrite=True, or another name with path=..."
    )
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise exists from None
    except OSError:  # file systems without hard links
        if path.exists():
            raise exists from None
        temporary.rename(path)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def json_text(data: Any) -> str:
    """`plain(data)` as JSON, in lines that people can read."""
    text = json.dumps(plain(data), indent=2, ensure_ascii=False, allow_nan=False)
    # Put lists of plain values on one line. Line breaks inside strings are escaped, so every break here is layout.
    return re.sub(r"\[\n[^\[\]{}]*\]", lambda found: re.sub(r"\n *", " ", found[0]).replace("[ ", "["), text)


def plain(data: Any) -> Any:
    """Convert data to JSON types: dataclasses to dicts, numpy arrays to lists, infinity and NaN to None."""
    if dataclasses.is_dataclass(data) and not isinstance(data, type):
        return {field.name: plain(getattr(data, field.name)) for field in dataclasses.fields(data)}
    if isinstance(data, dict):
        return {str(key): plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple, set, frozenset)):
        return [plain(value) for value in data]
    if hasattr(data, "tolist"):  # numpy arrays and scalars, without importing numpy
        return plain(data.tolist())
    if isinstance(data, float):
        return data if abs(data) < float("inf") else None
    if data is None or isinstance(data, (str, bool, int)):
        return data
    return float(data) if hasattr(data, "numerator") else str(data)
