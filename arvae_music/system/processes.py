"""A function over many items in processes of their own: results in the items' order, a bounded number under way.

    in_order    ends with BrokenProcessPool when a worker dies
    surviving   yields Died for the item that a worker died of, and goes on

Processes are spawned, not forked: a fork of a process that has threads (torch's, Arrow's) can hang. Spawning imports
the caller's main module again only if the function comes from there: a script then needs `if __name__ == "__main__":`,
and one that calls the library needs nothing. A worker gets the function once, as it
starts, so that it can load what it needs once; the function must be picklable. Each worker has one thread for its
matrix products, so that as many workers as cores keep all cores busy and no more. Ctrl-C reaches every process of a
terminal: only the parent answers it, and ends the workers. A worker also ends when its parent has died, however it did.

A program that knows early that it will need workers says so with `warm_up`: on Linux a server, which has no threads,
then imports what they need while the program does the same for itself, and workers are forks of the server.

Why not joblib (1.6, `return_as="generator"`, loky): it takes items as fast as its workers finish them, whatever the
caller does with the results. In a measurement it had taken all of 2,000 items while the caller was busy with the first
result, and an image corpus would then be in memory as a whole. After SIGTERM its workers go on (4 of 4 processes were
still there after 3.5 s, with 30 s of work left), and after Ctrl-C they are there for another second. A crash ends the
whole call, as it does here, so that `surviving` would still be needed.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 16  # items handed out for every worker: enough that none is idle while the caller is busy
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


_served = False  # whether workers are forks of a server


class Died:
    """The result of an item that took its worker process along."""


def warm_up(modules: Sequence[str]) -> None:
    """Let a server import `modules` in the background; workers start as forks of it from now on, in a few milliseconds.

    For programs, which own their process: the server is multiprocessing's only one. It ends with the program. Where
    there is none (not on Linux: the libraries of macOS do not survive a fork) nothing happens, and workers are spawned.
    """
    global _served
    if _served or sys.platform != "linux":
        return
    from multiprocessing import forkserver, resource_tracker

    forkserver.set_forkserver_preload(list(modules))
    resource_tracker.ensure_running()  # else the server starts it, which lets Ctrl-C through again
    with _spawning():
        forkserver.ensure_running()
    _served = True


def in_order(
    function: Callable[[T], R], items: Iterable[T], jobs: int, prepare: Callable[[], None] | None = None
) -> Generator[R, None, None]:
    """`function` of each item; `prepare` is called in every worker first. Close the generator to end the workers.
    Raises BrokenProcessPool when a worker dies, and what the function raises."""
    from concurrent.futures import ProcessPoolExecutor  # after `warm_up`, which is called as early as can be

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
        if not finished:  # nobody waits for what they are at
            for worker in set(multiprocessing.active_children()) - before:
                worker.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


def surviving(
    function: Callable[[T], R], items: Sequence[T], jobs: int, prepare: Callable[[], None] | None = None
) -> Generator[R | Died, None, None]:
    """As `in_order`, but an item that takes its worker process along gives Died.

    When a worker dies it is not known of which item. The one that is due is then tried again in a process of its own.
    """
    from concurrent.futures import BrokenExecutor

    done = 0
    while done < len(items):
        try:
            with contextlib.closing(in_order(function, items[done:], jobs, prepare)) as results:
                for result in results:
                    done += 1
                    yield result
        except BrokenExecutor:
            yield _alone(function, items[done], prepare)
            done += 1


def _alone(function: Callable[[T], R], item: T, prepare: Callable[[], None] | None) -> R | Died:
    from concurrent.futures import BrokenExecutor

    try:
        with contextlib.closing(in_order(function, [item], 1, prepare)) as results:
            return next(results)
    except BrokenExecutor:
        return Died()


@contextlib.contextmanager
def _spawning() -> Iterator[None]:
    """Delays Ctrl-C until the end of the block. Processes that are started in it ignore Ctrl-C, and have one thread for
    matrix products."""
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
    """A killed parent cannot end its workers, which would wait for items for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _on_one(item: Any) -> Any:
    assert _function is not None
    return _function(item)
