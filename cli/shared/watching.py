"""`--watch`: a command edits what other programs, such as a DAW, write into folders. Ctrl-C ends it."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from ...errors import ArvaeError, UsageError
from ...reports.item_report import ItemReport
from ...system import inputs, outputs
from ...system.watching import Watch
from . import common

Work = Callable[[outputs.Planned], ItemReport | Literal[False]]


def watch(
    files: Sequence[str], label: str, seed: int, suffixes: Sequence[str], recursive: bool, writing: common.Writing,
    work: Work,
) -> int:  # fmt: skip
    """Do `work` on every new and changed file of the folders `files`, and print a line about it. It never returns:
    KeyboardInterrupt ends it. Raises UsageError for a folder or an output that cannot be used."""
    from ...io.chunks import is_complete
    from ...reports.manifest import summary

    if writing.json or writing.skip_existing:
        name = "--json" if writing.json else "--skip-existing"
        raise UsageError(f"--watch and {name} exclude each other", remedy=f"leave out {name}")
    folders = [Path(name).expanduser() for name in files]
    found = Watch(folders, writing.output, writing.overwrite, suffixes, recursive, is_complete)
    known = f"{len(found)} file{'s' if len(found) != 1 else ''} there already, left alone until changed"
    common.say(f"watching {', '.join(map(str, folders))} ({known}); Ctrl-C ends")
    edited, failed = 0, 0
    try:
        for path in found.files():
            request = outputs.Request(path, label, seed, edited + failed + 1, inputs.below(path, folders))
            try:
                plan = found.plan(request)
                report = work(plan)
            except ArvaeError as problem:
                failed += 1
                here = problem.where or ""
                common.complain(f"{'' if str(path) in here else f'{path}: '}{problem.on_command_line}")
            except Exception as bug:  # one bad file must not end the watch
                failed += 1
                common.complain(f"{path}: a bug in arvae: {type(bug).__name__}: {bug}")
                if common.state.debug:
                    traceback.print_exc()
            else:
                edited += 1
                found.wrote(plan)
                if report:
                    common.report(f"{path} -> {plan.place}: {summary(report.rows[0])}")
                    sys.stdout.flush()
    finally:
        common.say(f"{edited} edited, {failed} failed")
    return 0
