"""The work of a batch on all cores: results in the order of the inputs, whatever became of each.

Processes are spawned, not forked: a fork of a process that has threads can hang. A worker gets `work` once, as it
starts, and so loads a model once; `work` must be picklable, a function or object of a module. Each has one
thread for its matrix products, so that as many workers as cores keep all cores busy and no more.

A few files are done before workers would have started: `workers` says how many are worth it. Ctrl-C ends them
at once; files appear whole or not at all (files.py), so nothing half done is left. A worker that dies, of one
strange file or of too little memory, fails the input that it was at, and a new one takes over.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ..errors import InputError
from ..settings import cores

T = TypeVar("T")
R = TypeVar("R")

FEWEST = 4  # inputs that are worth the start of workers
AHEAD = 4  # inputs handed out for every worker: enough that none waits, few enough that Ctrl-C is quick
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


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
            with contextlib.closing(_pooled(items[done:], work, jobs)) as results:
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
        with contextlib.closing(_pooled([item], work, 1)) as results:
            return next(results)
    except BrokenProcessPool:
        return Outcome(problem=InputError("the process that worked on it died (out of memory?)"))


def _pooled(items: Sequence[T], work: Callable[[T], R], jobs: int) -> Generator[Outcome[R], None, None]:
    """Raises BrokenProcessPool when a worker dies."""
    before = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_prepare, initargs=(work,))
    finished = False
    try:
        waiting: list[Future[Outcome[R]]] = []
        for item in items:
            with _spawning():  # a call may start workers
                waiting.append(pool.submit(_on_one, item))
            if len(waiting) > AHEAD * jobs:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()
        finished = True
    finally:
        if not finished:
            for worker in set(multiprocessing.active_children()) - before:
                worker.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _spawning() -> Iterator[None]:
    """What is started in the block has one thread for matrix products and never hears of Ctrl-C."""
    kept = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    masks = hasattr(signal, "pthread_sigmask")  # not on Windows: a worker may then complain while it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if masks else set()
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


_work: Callable[[Any], Any] | None = None  # of this worker


def _prepare(work: Callable[[Any], Any]) -> None:
    global _work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, and ends us
    _work = work


def _on_one(item: Any) -> Outcome[Any]:
    assert _work is not None
    return attempt(_work, item)
