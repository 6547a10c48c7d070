"""The inputs of a command: expands folders (-r), globs and `-` into a list, and reads songs and models."""

from __future__ import annotations

import difflib
import glob
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...errors import InputError, UsageError
from ...system import machine
from . import common

if TYPE_CHECKING:
    from ...editing.edit import EditResult
    from ...io.midi import Song
    from ...library import Model as TrainedModel
    from ...music.melody import Melody

Stream = Literal["-"]
Place = Path | Stream
MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
SCORE_SUFFIXES = (".abc", ".xml", ".musicxml", ".mxl", ".krn")
SUFFIXES = MIDI_SUFFIXES + SCORE_SUFFIXES


def expand_inputs(arguments: Sequence[str], *, recursive: bool = False) -> list[Place]:
    """Files in the order of the arguments (sorted within a folder or a glob), each once; `-` stays `-`.

    A name that exists is taken literally before it is tried as a glob. Raises UsageError with everything
    that is wrong at once: missing files, globs without a match, folders without -r or without music.
    """
    places: dict[object, Place] = {}
    problems: list[str] = []
    for argument in arguments:
        try:
            for place in _expand(argument, recursive):
                places.setdefault(place if place == "-" else Path(place).resolve(), place)
        except UsageError as error:
            problems.append(error.on_command_line)
    if problems:
        raise UsageError("\n  ".join(problems))
    if not places:
        raise UsageError("no input files", remedy="name a MIDI file, a folder with -r, or - for stdin")
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
        raise UsageError("is a folder", where=str(folder), remedy="give -r to go into it")
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    ]
    if not files:
        raise UsageError("holds no MIDI file or score", where=str(folder), remedy=f"arvae reads {' '.join(SUFFIXES)}")
    return list(files)


def below(place: Place, arguments: Sequence[str]) -> Path:
    """The sub-folder of an input, relative to the folder on the command line; empty for a file named itself."""
    for argument in arguments:
        root = Path(argument).expanduser()
        if place != "-" and root.is_dir() and root in Path(place).parents:
            return Path(place).parent.relative_to(root)
    return Path()


def _similar(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"the folder {path.parent} does not exist"
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean {path.parent / close[0]}?" if close else "check the name and the working folder"


def read_song(
    place: Place,
    *,
    track: str | None = None,
    channel: int | None = None,
    pickup: Fraction | None = None,
) -> Song:
    """A MIDI file or a score as a song. Raises InputError."""
    from ...io.scores import read_any

    source: Path | bytes = sys.stdin.buffer.read() if place == "-" else Path(place)
    name = "stdin" if place == "-" else str(place)
    return read_any(source, name=name, track=track, channel=channel, pickup=pickup)


def load_model(name: str | None, melody: Melody | None = None, runtime: str = common.RUNTIME) -> TrainedModel:
    """The model that --model names, read once per process; without a name the one that fits `melody` best.

    Raises CheckpointError, and UsageError for an unknown --runtime.
    """
    from ... import library

    _prepare(runtime)
    return library.load(name or library.AUTO, melody, runtime)


def model_for(name: str | None, melody: Melody, runtime: str) -> tuple[TrainedModel, str]:
    """`load_model`, and the model's name for a report, with the reason where it was chosen automatically."""
    from ... import library

    if name not in (None, library.AUTO):
        model = load_model(name, melody, runtime)
        return model, model.name
    _prepare(runtime)
    model, share = library.choose(melody, runtime)
    return model, f"{model.name} (chosen automatically; reconstructs {100 * share:.0f}% of the melody)"


def _prepare(runtime: str) -> None:
    """Set PyTorch's threads before it is imported."""
    if runtime != common.RUNTIME:
        machine.patient_threads()


def expect_editable(song: Song, result: EditResult) -> None:
    """Raises InputError, with the reasons, where none of the selected measures can be edited."""
    from ...editing.edit import SILENT, UNKNOWN_METER

    if result.bars or set(result.skipped) <= {SILENT}:
        return
    reasons = ", ".join(f"{reason} ({count})" for reason, count in result.skipped.items())
    unknown = any(reason.startswith(UNKNOWN_METER) for reason in result.skipped)
    raise InputError(
        f"none of its measures can be edited: {reasons}",
        where=song.name,
        remedy="train a model that knows the meter: arvae train" if unknown else "select others with --bars",
    )
