"""The one family of errors that the command line turns into a message.

An error says what is wrong, where (file, track, measure), and what to do about it:

    raise InputError("it holds only drums", where="groove.mid, track 2", remedy="name a melodic track with track=...")

reads in Python ``groove.mid, track 2: it holds only drums; name a melodic track with track=...``. A remedy names
parameters as Python does (`mode="guided"`, `track=...`); `on_command_line` turns them into options (`--mode guided`,
`--track`).

Exit codes (``ArvaeError.exit_code``): an input that cannot be processed is 1 (the other inputs of the
command go on); a request, a configuration or an output place that cannot be used is 2 (nothing starts).
"""

from __future__ import annotations

import re

# The parameters that remedies name. Those whose option is not `--` and the name have it here.
_PARAMETERS = "|".join((
    "bars", "channel", "corpus", "count", "device", "jobs", "learning_rate", "mode", "model", "output", "overwrite",
    "path", "recursive", "resume", "steps", "track",
))  # fmt: skip
_OPTIONS = {
    "count": "-n", "jobs": "-j", "overwrite": "--overwrite, --skip-existing", "output": "-o", "path": "-o",
    "recursive": "-r",
}  # fmt: skip
_KEYWORD = re.compile(rf"\b({_PARAMETERS})=(?:\.\.\.|True|\"([^\"]*)\"|(\d+))")
_INSPECT = "arvae_music.inspect()"


class ArvaeError(Exception):
    """Something the user can mend. Everything else is a bug and keeps its traceback."""

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
        place = f"{self.where}: " if self.where else ""
        mend = f"; {remedy}" if remedy else ""
        return f"{place}{self.what}{mend}"


def as_options(remedy: str) -> str:
    """`give steps=3 or more` -> `give --steps 3 or more`."""
    return _KEYWORD.sub(_option, remedy).replace(_INSPECT, "`arvae inspect`")


def _option(match: re.Match[str]) -> str:
    name, text, number = match.groups()
    option, value = _OPTIONS.get(name, f"--{name.replace('_', '-')}"), text or number
    return f"{option} {value}" if value else option


class InputError(ArvaeError):
    """An input (a MIDI file, a score, a digit) that cannot be read or holds nothing to work on."""


class UsageError(ArvaeError):
    """A request that makes no sense: a bad target, an unknown attribute, two inputs for one output."""

    exit_code = 2


class OutputError(ArvaeError):
    """A place that cannot be written, or that already holds something."""

    exit_code = 2


class CheckpointError(ArvaeError):
    """A model file that is missing, truncated, of another version, or of another vocabulary."""

    exit_code = 2


class CorpusError(ArvaeError):
    """A corpus that is not built, cannot be built, or does not hold what is asked of it."""

    exit_code = 2


class TrainingError(ArvaeError):
    """Training that cannot go on; the last good checkpoint is named in the message."""
