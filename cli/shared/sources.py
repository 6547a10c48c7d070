"""The inputs of a command: songs and models. `system.inputs` expands folders (-r), globs and `-` into a list."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ...system import machine, storage
from ...system.storage import Place
from . import common

if TYPE_CHECKING:
    from ...io.midi import Song
    from ...library import Model as TrainedModel


def source_of(place: Place, data: bytes | None = None) -> tuple[Path | bytes, str]:
    """The path of an input, or its bytes if they are known or come from stdin or a URL, and its name in messages. Stdin
    can be read only once."""
    if data is not None:
        return data, str(place)
    if isinstance(place, Path):
        return place, str(place)
    return (sys.stdin.buffer.read(), "stdin") if place == "-" else (storage.read(place), place)


def read_song(place: Place, voice: common.Voice, data: bytes | None = None) -> Song:
    """A MIDI file or a score as a song. Raises InputError."""
    from ...io.scores import read_any

    source, name = source_of(place, data)
    return read_any(source, name=name, **vars(voice))


def load_model(name: str | None, runtime: str = common.RUNTIME) -> TrainedModel:
    """The model that --model names, or the default one, read once per process.

    Raises CheckpointError, and UsageError for an unknown --runtime.
    """
    from ... import library

    _prepare(runtime)
    return library.load(name or library.AUTO, runtime)


def _prepare(runtime: str) -> None:
    """Set PyTorch's threads before it is imported."""
    if runtime != common.RUNTIME:
        machine.patient_threads()
