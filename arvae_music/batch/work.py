"""The work on the inputs of a batch: every input has an outcome, also if its work fails or its process dies."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from ..errors import InputError
from ..system.executors import Executor
from ..system.processes import Died

T = TypeVar("T")
R = TypeVar("R")

DIED = "the process that worked on it died (out of memory?)"


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """The outcome of one input: a value, or the exception and its traceback as text."""

    value: R | None = None
    problem: Exception | None = None
    trace: str = ""


def outcomes(
    items: Iterable[T], work: Callable[[T], R], executor: Executor
) -> Generator[Outcome[R], None, None]:
    """One outcome for each item, in order. Close the generator to end the work."""
    with contextlib.closing(executor.run(partial(attempt, work), items)) as results:
        for result in results:
            yield Outcome(problem=InputError(DIED)) if isinstance(result, Died) else result


def attempt(work: Callable[[T], R], item: T) -> Outcome[R]:
    try:
        return Outcome(work(item))
    except Exception as error:  # even a bug: it must not stop the other inputs; its traceback is kept for --debug
        return Outcome(problem=error, trace=traceback.format_exc())
