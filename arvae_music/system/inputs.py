"""Find the input files of a batch: folders, globs and names become one list of files.

    expand_inputs(["tunes"], recursive=True)     [Path("tunes/a.mid"), Path("tunes/b/c.mid")]
    below(Path("tunes/b/c.mid"), folders_in(["tunes"]))
                                                 Path("b"), the sub-folder to keep in an output folder

`-` stands for standard input.
"""

from __future__ import annotations

import difflib
import glob
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import UsageError
from . import storage
from .storage import Place

MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
SCORE_SUFFIXES = (".abc", ".xml", ".musicxml", ".mxl", ".krn")
SUFFIXES = MIDI_SUFFIXES + SCORE_SUFFIXES


def expand_inputs(arguments: Sequence[str], *, recursive: bool = False) -> list[Place]:
    """List each input file once, in the order of the arguments, and sorted within a folder or a glob; `-` stays `-`.

    A name that exists is not read as a glob. Raises one UsageError that lists all problems: missing files, globs
    without a match, folders without `recursive`, and folders without a MIDI file or score.
    """
    places: dict[object, Place] = {}
    problems: list[UsageError] = []
    for argument in arguments:
        try:
            for place in _expand(argument, recursive):
                places.setdefault(place if place == "-" else Path(place).resolve(), place)
        except UsageError as error:
            problems.append(error)
    if problems:
        first, *others = problems
        remedies = [str(first.remedy), *(other.message for other in others)]
        raise UsageError(first.what, where=first.where, remedy="\n  ".join(remedies))
    if not places:
        raise UsageError("no input files", remedy="name a MIDI file, a folder with recursive=True, or - for stdin")
    return list(places.values())


def _expand(argument: str, recursive: bool) -> list[Place]:
    if argument == "-":
        return ["-"]
    path = Path(argument).expanduser()
    if path.is_dir():
        return _inside(path, recursive)
    if path.exists():
        return [path]
    if not glob.has_magic(argument):
        raise UsageError("no such file", where=argument, remedy=_similar(path))
    found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))  # noqa: PTH207 -- absolute patterns too
    files: list[Place] = [match for match in found if match.is_file()]
    if recursive:
        files += [file for match in found if match.is_dir() for file in _inside(match, recursive)]
    if not files:
        raise UsageError("matches no file", where=argument, remedy="check the pattern and the folder")
    return files


def _inside(folder: Path, recursive: bool) -> list[Place]:
    if not recursive:
        raise UsageError("is a folder", where=str(folder), remedy="give recursive=True to read the files in it")
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    ]
    if not files:
        raise UsageError("holds no MIDI file or score", where=str(folder), remedy=f"arvae reads {' '.join(SUFFIXES)}")
    return list(files)


def source_of(place: Place, data: bytes | None = None) -> tuple[Path | bytes, str]:
    """The path of an input, or its bytes if they are known or come from stdin or a URL, and its name in messages. Stdin
    can be read only once."""
    if data is not None:
        return data, str(place)
    if isinstance(place, Path):
        return place, str(place)
    return (sys.stdin.buffer.read(), "stdin") if place == "-" else (storage.read(place), place)


def folders_in(arguments: Sequence[str]) -> list[Path]:
    """Those of the arguments that are folders."""
    return [path for path in (Path(argument).expanduser() for argument in arguments) if path.is_dir()]


def below(place: Place, folders: Sequence[Path]) -> Path:
    """The sub-folder of an input, relative to the first of `folders` that holds it; empty if none does."""
    parents = () if place == "-" else Path(place).parents
    return next((Path(place).parent.relative_to(folder) for folder in folders if folder in parents), Path())


def _similar(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"the folder {path.parent} does not exist"
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean {path.parent / close[0]}?" if close else "check the name and the working folder"
