"""The work of a batch on all cores (processes.py): results in the order of the inputs, whatever became of each.

A few files are done before workers would have started: `workers` says how many are worth it. Ctrl-C ends them
at once; files appear whole or not at all (files.py), so nothing half done is left. A worker that dies, of one
strange file or of too little memory, fails the input that it was at, and a new one takes over.
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
    """How many processes for `count` inputs: `jobs` as the user said, else what pays; 1 is this process."""
    if jobs is not None:
        return min(jobs, count)
    return min(cores(), count // 2) if count >= FEWEST else 1


def outcomes(items: Sequence[T], work: Callable[[T], R], jobs: int) -> Generator[Outcome[R], None, None]:
    """One for each item, in order. With one job all is done here; close the generator to end the workers."""
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
        except BrokenProcessPool:  # of the item that is due, or of one handed out ahead
            yield _alone(items[done], work)
            done += 1


def attempt(work: Callable[[T], R], item: T) -> Outcome[R]:
    try:
        return Outcome(work(item))
    except Exception as error:
        return Outcome(problem=error, trace=traceback.format_exc())


def _alone(item: T, work: Callable[[T], R]) -> Outcome[R]:
    """In a process of its own, since it may be the one that takes its process along."""
    try:
        with contextlib.closing(in_order(partial(attempt, work), [item], 1)) as results:
            return next(results)
    except BrokenProcessPool:
        return Outcome(problem=InputError("the process that worked on it died (out of memory?)"))
