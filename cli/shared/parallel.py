"""The work of a batch on all cores: results in the order of the inputs, whatever became of each.

`workers` decides how many processes are worth starting: a few files are done before workers have started. An interrupt
or a termination ends the workers at once. Files are written completely or not at all, so that no partial file is left.
A worker that dies, because of a strange file or too little memory, fails only its own input, and another replaces it.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Generator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from ...errors import InputError
from ...system.machine import cores
from ...system.processes import in_order

T = TypeVar("T")
R = TypeVar("R")

FEWEST = 4  # inputs that are worth the start of workers


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What became of an input: a value, or the exception and its traceback as text."""

    value: R | None = None
    problem: Exception | None = None
    trace: str = ""


def workers(jobs: int | None, count: int) -> int:
    """The number of processes for `count` inputs: `jobs` where it is given, else as many as pay; 1 is this process."""
    if jobs is not None:
        return min(jobs, count)
    return min(cores(), count // 2) if count >= FEWEST else 1


def outcomes(items: Sequence[T], work: Callable[[T], R], jobs: int) -> Generator[Outcome[R], None, None]:
    """One outcome for each item, in order. One job means this process. Close the generator to end the workers."""
    if jobs <= 1:
        for item in items:
            yield attempt(work, item)
        return
    done = 0
    while done < len(items):
        try:
            with contextlib.closing(in_order(partial(attempt, work), items[done:], jobs)) as results:
                for outcome in results:
                    done += 1
                    yield outcome
        except BrokenProcessPool:  # killed by the item that is due, or by one handed out ahead
            yield _alone(items[done], work)
            done += 1


def attempt(work: Callable[[T], R], item: T) -> Outcome[R]:
    try:
        return Outcome(work(item))
    except Exception as error:
        return Outcome(problem=error, trace=traceback.format_exc())


def _alone(item: T, work: Callable[[T], R]) -> Outcome[R]:
    """In a process of its own, since this may be the item that kills its process."""
    try:
        with contextlib.closing(in_order(partial(attempt, work), [item], 1)) as results:
            return next(results)
    except BrokenProcessPool:
        return Outcome(problem=InputError("the process that worked on it died (out of memory?)"))
