"""Where the work of a batch runs: in this process, in processes of this machine, or on a Ray cluster.

    executor = chosen(jobs=None, count=len(items), ray="auto")
    for result in executor.run(function, items): ...

All executors give the same results in the order of the items. An item whose process dies, even alone, gives Died, and
the others are done. Items are taken only a little ahead of the results, so that memory does not grow with their number.

A Ray task whose worker or node dies runs again on another one, up to RETRIES times. Ray belongs to the extra `scale`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ..errors import ArvaeError, UsageError
from .extras import need
from .machine import cores
from .processes import AHEAD, Died, surviving

T = TypeVar("T")
R = TypeVar("R")

FEWEST = 4  # inputs that are worth the start of workers
RETRIES = 3
TOGETHER = 4  # items in a Ray task, if there are many: a task costs the driver about a millisecond
LOCAL = "local"  # a Ray cluster of this machine, which ends with the program


class Executor(Protocol):
    def run(
        self, function: Callable[[T], R], items: Iterable[T], prepare: Callable[[], None] | None = None
    ) -> Generator[R | Died, None, None]:
        """`function(item)` for each item, in order. Other processes call `prepare` first. Close the generator to end
        the work."""


def all_of(executor: Executor, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """The results of a few items that all must have one. Raises ArvaeError if a process dies."""
    found: list[R] = []
    with contextlib.closing(executor.run(function, items)) as results:
        for result in results:
            if isinstance(result, Died):
                remedy = "leave out ray=..., or use nodes with more memory"
                raise ArvaeError("a process that worked on it died (out of memory?)", remedy=remedy)
            found.append(result)
    return found


def chosen(jobs: int | None, count: int, ray: str | None = None) -> Executor:
    """Ray if it has an address. Otherwise `jobs` processes, or as many as save time for `count` items."""
    if ray is not None:
        return OnRay(ray)
    if jobs is None:
        jobs = min(cores(), count // 2) if count >= FEWEST else 1
    return Processes(min(jobs, count))


@dataclass(frozen=True)
class Processes:
    """Processes of this machine; one job is this process."""

    jobs: int

    def run(
        self, function: Callable[[T], R], items: Iterable[T], prepare: Callable[[], None] | None = None
    ) -> Generator[R | Died, None, None]:
        if self.jobs > 1:
            with contextlib.closing(surviving(function, items, self.jobs, prepare)) as results:
                yield from results
        else:
            yield from map(function, items)


@dataclass(frozen=True)
class OnRay:
    """Tasks of one CPU each on a Ray cluster. `address` is `auto` for the cluster that this machine belongs to, `local`
    for one that is started here, or an address as `ray.init` takes it. A program that is connected already stays so.
    A task has `together` items."""

    address: str
    together: int = TOGETHER

    def run(
        self, function: Callable[[T], R], items: Iterable[T], prepare: Callable[[], None] | None = None
    ) -> Generator[R | Died, None, None]:
        rest = iter(items)
        groups = iter(lambda: list(islice(rest, self.together)), [])
        waiting: deque[tuple[list[T], Any]] = deque()
        with connected(self.address) as ray:
            task = ray.remote(num_cpus=1, max_retries=RETRIES)(_work_through)
            begin = ray.put((function, prepare, str(Path.cwd())))
            try:
                for group in groups:
                    waiting.append((group, task.remote(begin, group)))
                    if len(waiting) > AHEAD // self.together * int(ray.cluster_resources().get("CPU", 1)):
                        yield from _results(ray, task, begin, *waiting.popleft())
                while waiting:
                    yield from _results(ray, task, begin, *waiting.popleft())
            finally:
                for _, reference in waiting:  # nobody needs their results any more
                    ray.cancel(reference, force=True)


_prepared: set[Callable[[], None]] = set()  # what this worker of Ray has called


def _work_through(begin: tuple[Callable[[Any], Any], Callable[[], None] | None, str], group: list[Any]) -> list[Any]:
    """What a worker of Ray does. Its working folder becomes the driver's, so that relative paths mean the same."""
    function, prepare, folder = begin
    with contextlib.suppress(OSError):  # another node may not have the folder
        os.chdir(folder)
    if prepare is not None and prepare not in _prepared:
        prepare()
        _prepared.add(prepare)
    return [function(item) for item in group]


def _results(ray: Any, task: Any, begin: Any, group: list[Any], reference: Any) -> Iterator[Any]:
    """The results of a task. If its workers died, each of its items is tried alone."""
    names = ("WorkerCrashedError", "OutOfMemoryError", "NodeDiedError", "ObjectLostError")
    lost = tuple(getattr(ray.exceptions, name) for name in names)
    try:
        yield from ray.get(reference)
    except lost:
        if len(group) == 1:
            yield Died()
            return
        for item in group:
            yield from _results(ray, task, begin, [item], task.remote(begin, [item]))
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None


@contextlib.contextmanager
def connected(address: str, **options: Any) -> Iterator[Any]:
    """The module `ray`, connected for the block; `options` are those of `ray.init`.

    Raises UsageError if no cluster answers, and ExtraError without Ray."""
    need("scale", "work on a cluster", "ray")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when it is imported; nothing leaves the cluster
    import ray

    if ray.is_initialized():
        yield ray
        return
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address == LOCAL:
        options["include_dashboard"] = False
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        first = str(error).partition("\n")[0]
        raise UsageError(
            f"no Ray cluster answers there ({first})",
            where=address,
            remedy=f"start one with `ray start --head`, or give {LOCAL} for one on this machine",
        ) from error
    try:
        with contextlib.suppress(ValueError):  # only the main thread may set it
            signal.signal(signal.SIGTERM, before)  # Ray has put its own in the place of the program's
        yield ray
    finally:
        ray.shutdown()
