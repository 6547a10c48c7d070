"""Threads that do the work of the requests, so that the server answers while they compute.

    worker = Worker("edits")
    result = await worker.run(function)                 raises what the function raises
    async for item in worker.each(function): ...        the items that an iterator makes, as soon as it makes them

Jobs are done one after another, in their order. If the task that waits for a job is cancelled, because the client has
gone, the job is dropped; if it runs already, it is stopped (system/stopping.py).
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from ..system.stopping import stopped_by
from .problems import RequestError

MOST_WAITING = 512  # jobs of one worker

T = TypeVar("T")


@dataclass
class Job:
    function: Callable[[], Any]
    future: Future[Any] = field(default_factory=Future)
    stop: threading.Event = field(default_factory=threading.Event)


class Worker:
    """One thread. It is a daemon, so that it never delays the end of the program."""

    def __init__(self, name: str) -> None:
        self.jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def _work(self) -> None:
        while True:
            job = self.jobs.get()
            if not job.future.set_running_or_notify_cancel():
                continue
            try:
                with stopped_by(job.stop):
                    result = job.function()
            except BaseException as error:  # the task that waits raises it again
                job.future.set_exception(error)
            else:
                job.future.set_result(result)

    def start(self, function: Callable[[], Any]) -> Job:
        """Let the thread do a job. Raises RequestError if too many jobs wait."""
        if self.jobs.qsize() >= MOST_WAITING:
            raise RequestError(503, "too many requests wait", remedy="wait a moment, and try again")
        job = Job(function)
        self.jobs.put(job)
        return job

    async def run(self, function: Callable[[], T]) -> T:
        """Do a job in the thread, and return its result."""
        job = self.start(function)
        try:
            result: T = await asyncio.wrap_future(job.future)
            return result
        except asyncio.CancelledError:
            job.stop.set()
            raise

    async def each(self, function: Callable[[], Iterable[T]]) -> AsyncIterator[T]:
        """Iterate in the thread, and yield each item."""
        items: asyncio.Queue[T | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        job = self.start(partial(_put_all, function, lambda item: loop.call_soon_threadsafe(items.put_nowait, item)))
        done = asyncio.wrap_future(job.future)
        done.add_done_callback(lambda _: items.put_nowait(None))
        try:
            while (item := await items.get()) is not None:
                yield item
            await done
        finally:
            job.stop.set()
            done.cancel()


def _put_all(function: Callable[[], Iterable[T]], put: Callable[[T], object]) -> None:
    for item in function():
        put(item)
