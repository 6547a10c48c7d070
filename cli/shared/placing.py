"""Files and reports on the standard streams. `system.outputs` names the outputs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ...errors import UsageError
from ...system.files import write_whole
from ...system.inputs import Place
from ...system.outputs import Planned
from . import common
from .common import Writing


def refuse_streams(plans: Sequence[Planned], writing: Writing) -> None:
    """Raises UsageError where a file would go to stdout together with the JSON, or onto a terminal."""
    if writing.dry_run or not any(plan.place == "-" for plan in plans):
        return
    if writing.json:
        raise UsageError("the file and --json would both go to stdout", remedy="name a file with -o")
    if sys.stdout.isatty():
        raise UsageError(
            "stdout is a terminal, which cannot show a binary file",
            remedy="name a file with -o, or redirect stdout: arvae ... > out.mid",
        )


def source_of(plan: Planned) -> str:
    """The name of the input, for messages."""
    return str(plan.request.source)


def suffix_of(plan: Planned) -> str:
    """The suffix of an output; stdout has none, and gets a MIDI file."""
    return "" if plan.place == "-" else Path(plan.place).suffix


def uses_streams(plans: Sequence[Planned]) -> bool:
    """Whether stdin is read, or a file goes to stdout."""
    return any("-" in (plan.place, plan.request.source) for plan in plans)


def wrote(place: Place | str, dry_run: bool) -> str:
    """The last line of a report."""
    return f"{'would write' if dry_run else 'wrote'} {'stdout' if place == '-' else place}"


def printer_for(plans: Sequence[Planned]) -> Callable[[str], None]:
    """The function that prints the report: on stderr where a file goes to stdout."""
    return common.say if any(plan.place == "-" for plan in plans) else common.report


def write_output(planned: Planned, data: bytes) -> None:
    """Write the result completely or not at all; an existing file is replaced only where the plan allows that."""
    if planned.place == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    write_whole(Path(planned.place), data, overwrite=planned.overwrite)
