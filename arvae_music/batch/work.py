"""The work on the inputs of a batch: every input has an outcome, also if its work fails or its process dies."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from ..errors import ArvaeError, ExtraError, InputError, OutputError, StorageError
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

    @property
    def is_bug(self) -> bool:
        return self.problem is not None and not isinstance(self.problem, ArvaeError)

    def message(self, name: str) -> str:
        """The message about the input `name`, which failed. Raises an error that concerns all inputs."""
        of_one = (InputError, OutputError, ExtraError)  # an input may be the only one that needs an extra
        if isinstance(self.problem, of_one) and not isinstance(self.problem, StorageError):
            text = self.problem.on_command_line
            return text if self.problem.where else f"{name}: {text}"
        if isinstance(self.problem, ArvaeError):
            raise self.problem
        return f"{name}: a bug in arvae: {type(self.problem).__name__}: {self.problem}"


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
