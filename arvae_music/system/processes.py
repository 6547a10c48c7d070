"""Apply a function to many items in worker processes, with results in the order of the items.

    in_order    raises BrokenProcessPool when a worker dies
    surviving   yields Died for an item whose worker died, and continues

Only a limited number of items is handed out ahead of the results. Workers are spawned, not forked, because a fork of a
process with threads (PyTorch's, Arrow's) can hang. Spawning imports the caller's main module again only if the
function comes from there; a script then needs `if __name__ == "__main__":`, and one that only calls the library does
not. A worker gets the function once, when it starts; the function must be picklable.
Each worker uses one thread for matrix products, so that one worker for each core keeps all cores busy. Ctrl-C reaches
every process of a terminal, but only the parent reacts to it, and ends the workers. A worker also ends when its parent
dies.

A program that will need workers can call `warm_up` early. On Linux, a server without threads then imports the workers'
modules while the program does other work, and workers are forks of the server.

joblib (1.6, `return_as="generator"`, loky) does not fit, because it takes new items as fast as its workers finish them,
even if the caller does not take the results. In a measurement it had taken all of 2,000 items while the caller handled
the first result, so that a whole image corpus would be in memory. After SIGTERM its workers continue (4 of 4 processes
still ran after 3.5 s, with 30 s of work left), and after Ctrl-C they run for another second. A crash ends the whole
call, as it does here, so that `surviving` would still be needed.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 16  # items handed out ahead for each worker, so that no worker is idle while the caller is busy
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


_served = False  # whether workers are forks of a server


class Died:
    """The result of an item whose worker process died."""


def warm_up(modules: Sequence[str]) -> None:
    """Start a server that imports `modules` in the background. Workers are then forked from it in a few milliseconds.

    Only programs should call this, because a process has only one such server. The server ends with the program. On
    other systems than Linux nothing happens, and workers are spawned: libraries of macOS do not work after a fork.
    """
    global _served
    if _served or sys.platform != "linux":
        return
    from multiprocessing import forkserver, resource_tracker

    forkserver.set_forkserver_preload(list(modules))
    resource_tracker.ensure_running()  # if the server started it, Ctrl-C would reach the server again
    with _spawning():
        forkserver.ensure_running()
    _served = True


def in_order(
    function: Callable[[T], R], items: Iterable[T], jobs: int, prepare: Callable[[], None] | None = None
) -> Generator[R, None, None]:
    """Yield `function(item)` for each item. Every worker calls `prepare` first. Close the generator to end the workers.

    Raises BrokenProcessPool when a worker dies, and the exceptions of the function.
    """
    from concurrent.futures import ProcessPoolExecutor  # imported late, so that `warm_up` can run as early as possible

    before = set(multiprocessing.active_children())
    context = multiprocessing.get_context("forkserver" if _served else "spawn")
    of_main = b"__main__" in pickle.dumps((function, prepare))
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(function, prepare))
    finished = False
    try:
        waiting: list[Future[R]] = []
        for item in items:
            with _spawning(), contextlib.nullcontext() if of_main else _without_main():  # a call may start workers
                waiting.append(pool.submit(_on_one, item))
            if len(waiting) > AHEAD * jobs:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()
        finished = True
    finally:
        if not finished:  # nobody needs their results any more
            for worker in set(multiprocessing.active_children()) - before:
                worker.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


def surviving(
    function: Callable[[T], R], items: Iterable[T], jobs: int, prepare: Callable[[], None] | None = None
) -> Generator[R | Died, None, None]:
    """The same as `in_order`, but yields Died for an item whose worker process dies.

    When a worker dies, the pool does not know which item caused it. So the next item is tried alone in a new process.
    """
    from concurrent.futures import BrokenExecutor

    rest, open_items = iter(items), deque[T]()  # the open items have no result yet

    def handed_out(again: list[T]) -> Iterator[T]:
        yield from again
        for item in rest:
            open_items.append(item)
            yield item

    while True:
        try:
            with contextlib.closing(in_order(function, handed_out(list(open_items)), jobs, prepare)) as results:
                for result in results:
                    open_items.popleft()
                    yield result
            return
        except BrokenExecutor:
            yield _alone(function, open_items.popleft(), prepare)


def _alone(function: Callable[[T], R], item: T, prepare: Callable[[], None] | None) -> R | Died:
    from concurrent.futures import BrokenExecutor

    try:
        with contextlib.closing(in_order(function, [item], 1, prepare)) as results:
            return next(results)
    except BrokenExecutor:
        return Died()


@contextlib.contextmanager
def _spawning() -> Iterator[None]:
    """Delay Ctrl-C until the end of the block. Processes that start in the block ignore Ctrl-C and use one thread for
    matrix products."""
    kept = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    masks = hasattr(signal, "pthread_sigmask")  # not on Windows, where a starting worker may print an error at Ctrl-C
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


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Processes that are started in this block do not import the caller's main module: multiprocessing finds it by the
    module's specification, or else by its file."""
    main = sys.modules["__main__"]
    names = vars(main)
    hidden: dict[str, object] = {name: names.pop(name) for name in ("__spec__", "__file__") if name in names}
    main.__spec__ = None
    try:
        yield
    finally:
        names.update(hidden)


_function: Callable[[Any], Any] | None = None  # of this worker


def _begin(function: Callable[[Any], Any], prepare: Callable[[], None] | None) -> None:
    global _function
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if prepare is not None:
        prepare()
    _function = function


def _end_with_parent() -> None:
    """End this worker when its parent dies: a killed parent cannot end its workers, which would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _on_one(item: Any) -> Any:
    assert _function is not None
    return _function(item)
