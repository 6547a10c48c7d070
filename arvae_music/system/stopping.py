"""Stop a computation in a thread when nobody waits for its result any more.

    with stopped_by(event):        in the thread that computes
        edit(...)                  raises StoppedError soon after another thread has set the event

The long loops of the edit engine call `check`. Without a `with` block around them, it does nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_of_thread = threading.local()


class StoppedError(Exception):
    """The computation was stopped."""


@contextmanager
def stopped_by(event: threading.Event) -> Iterator[None]:
    """Let `check` look at the event, in this thread and within the block."""
    before = getattr(_of_thread, "event", None)
    _of_thread.event = event
    try:
        yield
    finally:
        _of_thread.event = before


def check() -> None:
    """Raises StoppedError if the event of this thread is set."""
    event: threading.Event | None = getattr(_of_thread, "event", None)
    if event is not None and event.is_set():
        raise StoppedError
