"""Threads that do the work of the requests, so that the server answers while they compute.

    worker = Worker("edits")
    result = await worker.run(function)                 raises what the function raises

Jobs are done one after another, in their order. If the task that waits for a job is cancelled, because the client has
gone, a job that waits is dropped. A job that runs is told by `stop`, an event that long jobs look at.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .problems import RequestError

MOST_WAITING = 512  # jobs of one worker

T = TypeVar("T")


@dataclass
class Job:
    function: Callable[[threading.Event], Any]
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
                result = job.function(job.stop)
            except BaseException as error:  # the task that waits raises it again
                job.future.set_exception(error)
            else:
                job.future.set_result(result)

    def start(self, function: Callable[[threading.Event], Any]) -> Job:
        """Raises RequestError if too many jobs wait."""
        if self.jobs.qsize() >= MOST_WAITING:
            raise RequestError(503, "too many requests wait", remedy="wait a moment, and try again")
        job = Job(function)
        self.jobs.put(job)
        return job

    async def run(self, function: Callable[[threading.Event], T]) -> T:
        """Do a job in the thread, and return its result."""
        job = self.start(function)
        try:
            result: T = await asyncio.wrap_future(job.future)
            return result
        except asyncio.CancelledError:
            job.stop.set()
            raise
