"""Files appear whole or not at all, and never over the user's data unless that was asked for."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import OutputError


def write_whole(path: Path, data: bytes, *, overwrite: bool = False) -> None:
    """`data` as the file `path`, in one step. See `appearing`."""
    with appearing(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(data)


@contextmanager
def appearing(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary file beside `path`, to be written in the block; at its end it is moved there in one step, and if
    the block fails it is removed.

    Without `overwrite` an existing file is an error, also one that appears meanwhile. Missing parent
    folders are made. Raises OutputError, also for an OSError of the block.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part")
    except FileExistsError as error:  # mkdir's way to say that the folder is a file
        raise OutputError(
            f"cannot write there ({path.parent} is a file)",
            where=str(path),
            remedy="name another place with path=...",
        ) from error
    except OSError as error:
        raise _cannot(path, error) from error
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
        raise _cannot(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def open_up(temporary: Path) -> None:
    """Give a temporary file, which only its owner may read, the mode of any other new file."""
    temporary.chmod(0o666 & ~_umask())


def _cannot(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"cannot write there ({error.strerror or error})", where=str(path), remedy="name another place with path=..."
    )


def _move_new(temporary: Path, path: Path) -> None:
    """A hard link fails where the name is taken, which a check beforehand could miss."""
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


def plain(data: Any) -> Any:
    """What `json` writes as it is: see print_json."""
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
