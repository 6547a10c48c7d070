"""Run the work of a batch on all cores. Each input has one outcome, a result or an error, in the order of the inputs.

`workers` decides how many processes are worth starting, because a few files are finished before workers have started.
An interrupt or a termination ends the workers at once. Files are written completely or not at all, so that no partial
file is left. If a worker dies, because of a strange file or too little memory, only its own input fails, and a new
worker replaces it.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from ...errors import InputError
from ...system.machine import cores
from ...system.processes import Died, surviving

T = TypeVar("T")
R = TypeVar("R")

FEWEST = 4  # inputs that are worth the start of workers
DIED = "the process that worked on it died (out of memory?)"


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """The outcome of one input: a value, or the exception and its traceback as text."""

    value: R | None = None
    problem: Exception | None = None
    trace: str = ""


def workers(jobs: int | None, count: int) -> int:
    """The number of processes for `count` inputs: `jobs` if it is given, and otherwise as many as save time. 1 means
    that this process does the work."""
    if jobs is not None:
        return min(jobs, count)
    return min(cores(), count // 2) if count >= FEWEST else 1


def outcomes(items: Sequence[T], work: Callable[[T], R], jobs: int) -> Generator[Outcome[R], None, None]:
    """One outcome for each item, in order. One job means this process. Close the generator to end the workers."""
    if jobs <= 1:
        yield from (attempt(work, item) for item in items)
        return
    with contextlib.closing(surviving(partial(attempt, work), items, jobs)) as results:
        for result in results:
            yield Outcome(problem=InputError(DIED)) if isinstance(result, Died) else result


def attempt(work: Callable[[T], R], item: T) -> Outcome[R]:
    try:
        return Outcome(work(item))
    except Exception as error:  # even a bug: it must not stop the other inputs; its traceback is kept for --debug
        return Outcome(problem=error, trace=traceback.format_exc())
