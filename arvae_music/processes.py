"""A function over many items in processes of their own: results in the items' order, a bounded number under way.

Processes are spawned, not forked: a fork of a process that has threads (torch's, Arrow's) can hang. Spawning imports
the caller's main module again: a script needs `if __name__ == "__main__":`. A worker gets the function once, as it
starts, so that it can load what it needs once; the function must be picklable. Each worker has one thread for its
matrix products, so that as many workers as cores keep all cores busy and no more. Ctrl-C reaches every process of a
terminal: the parent alone answers it, and ends the workers.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 4  # items handed out for every worker: enough that none waits, few enough that Ctrl-C is quick
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def in_order(
    function: Callable[[T], R], items: Iterable[T], jobs: int, prepare: Callable[[], None] | None = None
) -> Generator[R, None, None]:
    """`function` of each item; `prepare` is called in every worker first. Close the generator to end the workers.
    Raises BrokenProcessPool when a worker dies, and what the function raises."""
    before = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(function, prepare))
    finished = False
    try:
        waiting: list[Future[R]] = []
        for item in items:
            with _spawning():  # a call may start workers
                waiting.append(pool.submit(_on_one, item))
            if len(waiting) > AHEAD * jobs:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()
        finished = True
    finally:
        if not finished:  # nobody waits for what they are at
            for worker in set(multiprocessing.active_children()) - before:
                worker.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _spawning() -> Iterator[None]:
    """Ctrl-C waits until the end of the block; what is started in it has one thread for matrix products, and never
    hears of Ctrl-C at all."""
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


_function: Callable[[Any], Any] | None = None  # of this worker


def _begin(function: Callable[[Any], Any], prepare: Callable[[], None] | None) -> None:
    global _function
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if prepare is not None:
        prepare()
    _function = function


def _on_one(item: Any) -> Any:
    assert _function is not None
    return _function(item)
