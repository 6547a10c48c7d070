"""The errors that the command line prints as a message, without a traceback.

An error states what is wrong, where (file, track, measure), and how to fix it:

    raise InputError("it holds only drums", where="groove.mid, track 2", remedy="name a melodic track with track=...")

reads in Python ``groove.mid, track 2: it holds only drums; name a melodic track with track=...``. A remedy names
parameters as Python does (`mode="guided"`, `track=...`); `on_command_line` turns them into options (`--mode guided`,
`--track`).

Exit codes (``ArvaeError.exit_code``): 1 is an input that cannot be processed; the command continues with its other
inputs. 2 is an invalid request, configuration or output; the command does nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# The parameters that remedies give a value, and the options that are not called `--NAME`. (`NAME=...` is always a
# parameter.)
_PARAMETERS = "|".join((
    "bars", "channel", "chords", "corpus", "count", "device", "grid", "jobs", "learning_rate", "lock", "mode", "model",
    "one", "output", "overwrite", "path", "rebuild", "recursive", "resume", "skip_existing", "steps", "track",
))  # fmt: skip
_OPTIONS = {"count": "-n", "harmony": "--ignore-harmony", "jobs": "-j", "output": "-o", "path": "-o", "recursive": "-r"}
_KEYWORD = re.compile(rf"\b(?:([a-z_]+)=\.\.\.|({_PARAMETERS})=(?:True|\"([^\"]*)\"|(\d+)))")
_INSPECT = "arvae_music.inspect()"


class ArvaeError(Exception):
    """An error that the user can fix. Any other exception is a bug and keeps its traceback."""

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, remedy: str | None = None) -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(self.message)

    @property
    def message(self) -> str:
        return self._with(self.remedy)

    @property
    def on_command_line(self) -> str:
        """The message with options in place of Python's parameters."""
        return self._with(self.remedy and as_options(self.remedy))

    def _with(self, remedy: str | None) -> str:
        where_text = f"{self.where}: " if self.where else ""
        remedy_text = f"; {remedy}" if remedy else ""
        return f"{where_text}{self.what}{remedy_text}"


def as_options(remedy: str) -> str:
    """`give steps=3 or more` -> `give --steps 3 or more`."""
    return _KEYWORD.sub(_option, remedy).replace(_INSPECT, "`arvae inspect`")


def _option(match: re.Match[str]) -> str:
    unset, given, text, number = match.groups()
    name = unset or given
    option, value = _OPTIONS.get(name, f"--{name.replace('_', '-')}"), text or number
    return f"{option} {value}" if value else option


def nearest_or(name: str, known: Iterable[str], otherwise: str) -> str:
    """The remedy for an unknown name: the one of the known names that it resembles, or else `otherwise`."""
    import difflib  # only an error needs it

    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}?" if close else otherwise


class InputError(ArvaeError):
    """An input (a MIDI file, a score, an image) that cannot be read, or without content that arvae can edit."""


class UsageError(ArvaeError):
    """An invalid request: a bad target, an unknown attribute, two inputs for one output."""

    exit_code = 2


class OutputError(ArvaeError):
    """A place that cannot be written, or that already holds something."""

    exit_code = 2


class StorageError(OutputError):
    """A disk that is full or read-only. It ends a batch, because no other output can be written either."""


class CheckpointError(ArvaeError):
    """A model file that is missing, truncated, of another version, or of another vocabulary."""

    exit_code = 2


class CorpusError(ArvaeError):
    """A corpus that is not built, cannot be built, or lacks the requested measures or images."""

    exit_code = 2


class ExtraError(ArvaeError):
    """A library that an extra of the package installs is missing. The remedy is the command that installs it."""

    exit_code = 2


class TrainingError(ArvaeError):
    """Training that cannot continue. The message names the last good checkpoint."""
