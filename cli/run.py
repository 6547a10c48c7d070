"""A training run on a terminal: Ctrl-C, the live table, messages, and the exit code.

training/session.py does the work, and training/run_folder.py has the files.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..system import machine
from ..system.files import plain
from ..system.signals import first_interrupt
from ..training import progress
from ..training.distributed import first
from ..training.domains import domain_of
from ..training.recipe import Domain
from .main import INTERRUPTED
from .shared import common

if TYPE_CHECKING:
    from ..training.session import Session
    from ..training.trainer import Report


def run_session(session: Session, *, resume: bool, threads: int = 1, as_json: bool = False, hint: bool = True) -> int:
    """Train to the end or until Ctrl-C. Returns the exit code. With `hint`, the last message says how to try the
    model."""
    machine.settle(threads)
    session.begin(resume=resume)
    if session.is_over:
        common.say(
            f"the run in {session.folder.path} is finished at step {session.trainer.step}: there is nothing to resume"
        )
        return 0
    domain = domain_of(session.plan.corpus)
    shown = first() and not as_json

    def stop_softly() -> None:
        session.trainer.stop()
        common.say("stopping after this step; Ctrl-C again to stop at once")

    with first_interrupt(stop_softly) as stopped, _Progress(domain, shown) as display:
        for report in session.reports():
            if first() and as_json:
                print(json.dumps(plain(report), allow_nan=False), flush=True)
            elif first():
                display.show(report)
    if first():
        _say_end(session, stopped.is_set(), hint)
    return INTERRUPTED if stopped.is_set() else 0


def _say_end(session: Session, stopped: bool, hint: bool) -> None:
    path = session.folder.model
    if stopped:
        again = f"arvae train {session.plan.corpus} -o {session.folder.path} --resume"
        common.say(f"stopped at step {session.trainer.step}; {path} is usable, and `{again}` continues the run")
    else:
        trial = domain_of(session.plan.corpus).trial.format(run=session.folder.path)
        common.say(f"wrote {path}" + (f"; try `{trial}`" if hint else ""))


class _Progress:
    """Shows the progress: a live table on a terminal, elsewhere a line after each validation, and nothing with --quiet
    or --json."""

    def __init__(self, domain: Domain, wanted: bool) -> None:
        self.domain = domain
        self.wanted = wanted and not common.state.quiet
        self.console = common.console(stderr=True)
        self.live: Any = None
        self.valid: dict[str, float] | None = None

    def __enter__(self) -> _Progress:
        if self.wanted and self.console.is_terminal:
            from rich.live import Live

            self.live = Live(console=self.console, auto_refresh=False)
            self.live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self.live is not None:
            self.live.stop()

    def show(self, report: Report) -> None:
        self.valid = report.valid or self.valid
        if self.live is not None:
            self.live.update(_table(report, self.valid, self.domain), refresh=True)
        elif self.wanted and report.valid is not None:
            common.say(progress.line(report, self.domain))


def _table(report: Report, valid: dict[str, float] | None, domain: Domain) -> Any:
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_row("", ProgressBar(total=1.0, completed=report.progress, width=40))
    for row in progress.rows(report, valid, domain):
        table.add_row(*row)
    return table
