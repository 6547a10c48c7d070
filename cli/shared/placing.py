"""Files and reports on the standard streams. `system.outputs` names the outputs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UsageError
from ...reports.item_report import ItemReport
from ...system.outputs import SOUND_SUFFIX, Planned, Request, plan_outputs
from . import common
from .common import Writing

if TYPE_CHECKING:
    from ...reports.cards import Card


def refuse_streams(plans: Iterable[Planned], writing: Writing) -> None:
    """Raises UsageError where a file would go to stdout together with the JSON, or onto a terminal."""
    if writing.dry_run or writing.output not in (None, "-") or not any(plan.place == "-" for plan in plans):
        return
    if writing.json:
        raise UsageError("the file and --json would both go to stdout", remedy="name a file with -o")
    if sys.stdout.isatty():
        raise UsageError(
            "stdout is a terminal, which cannot show a binary file",
            remedy="name a file with -o, or redirect stdout: arvae ... > out.mid",
        )


def sounds_of(requests: Sequence[Request], wav: str | None, writing: Writing) -> tuple[Planned, ...]:
    """The sound files that --wav names, one for each request; () without it. Raises the errors of `plan_outputs`."""
    if wav is None:
        return ()
    if wav == "-":
        raise UsageError("--wav needs a file", remedy="name a .wav file; -o x.wav writes the sound alone")
    template = f"{{stem}}.{{edit}}{SOUND_SUFFIX}"
    return tuple(plan_outputs(requests, wav, **writing.existing, template=template, suffixes=(SOUND_SUFFIX,)))


def page_of(listen: str | None, writing: Writing) -> Path | None:
    """The path of the page that --listen names; None where none is written. Raises the errors of `expect_free`."""
    if listen is None:
        return None
    from ...reports.contact_sheet import expect_free

    path = Path(listen).expanduser()
    expect_free(path, **writing.existing)
    return None if writing.dry_run or (writing.skip_existing and path.exists()) else path


def shows(page: Path) -> str:
    """The line about a page."""
    return f"{page} shows and plays the files"


def show(report: ItemReport, json: bool) -> None:
    """Print the report of a command on one result: on stderr where the file goes to stdout."""
    if json:
        common.print_json(report.data[0])
    else:
        (common.say if report.on_stdout else common.report)("\n".join(report.lines))


def write_page(page: Path, title: str, overwrite: bool, cards: list[Card], axes: tuple[str, ...] = ()) -> None:
    """Write the page of --listen."""
    from ...reports.contact_sheet import write_listening

    write_listening(page, cards, title, axes=axes, overwrite=overwrite)
    common.say(shows(page))
