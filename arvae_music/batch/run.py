"""Run a batch: each input with its outcome, what to say of a failure, the progress, and the counts at the end.

    counts = Counts()
    with closing(results(items, work, Processes(4))) as found:
        for item, outcome in found:
            counts.add(str(item), outcome)
    print(counts)                                               998 done, 2 failed: a.mid, b.mid
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from ..system.executors import Executor
from .work import Outcome, outcomes

if TYPE_CHECKING:
    from .job import Job

T = TypeVar("T")
R = TypeVar("R")

NAMES_SHOWN = 5  # files in the counts
SECONDS = 30.0  # between lines about the progress


def results(
    items: Iterable[T], work: Callable[[T], R], executor: Executor, job: Job | None = None
) -> Generator[tuple[T, Outcome[R]], None, None]:
    """Each item with its outcome, in order; with a job, the items that are not done. Close the generator to end the
    work."""
    pending, handed_out = itertools.tee(items if job is None else job.pending(items))
    with contextlib.closing(outcomes(handed_out, work, executor)) as found:
        yield from zip(pending, found, strict=True)


@dataclass
class Counts:
    """How many items a batch has done, skipped (those for which the work returned False) and not done."""

    done: int = 0
    skipped: int = 0
    failed: int = 0
    first: list[str] = field(default_factory=list)  # the names of the first failed items

    def add(self, name: str, outcome: Outcome[Any]) -> None:
        if outcome.problem is not None:
            self.failed += 1
            self.first += [name] if len(self.first) < NAMES_SHOWN else []
        elif outcome.value is False:
            self.skipped += 1
        else:
            self.done += 1

    def __str__(self) -> str:
        counted = ((self.skipped, "skipped"), (self.failed, "failed"))
        line = ", ".join([f"{self.done} done", *(f"{count} {what}" for count, what in counted if count)])
        rest = f" and {self.failed - len(self.first)} more" if self.failed > len(self.first) else ""
        return f"{line}: {', '.join(self.first)}{rest}" if self.failed else line


def with_progress(found: Iterable[R], job: Job, tell: Callable[[str], object]) -> Iterator[R]:
    """The results of a job, and a line about its progress every SECONDS."""
    began = told = time.monotonic()
    for n, result in enumerate(found, 1):
        yield result
        now = time.monotonic()
        if now - told >= SECONDS:
            told, rate, at = now, n / (now - began), n + job.resumed
            left = (job.total - at) / rate / 60
            tell(f"{at:,} of {job.total:,} inputs; {rate:.1f} a second; {left:,.0f} minutes left")
