"""Ctrl-C and SIGTERM, for programs that end in good order."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import NoReturn


class Terminated(BaseException):
    """SIGTERM arrived. As an exception it closes what is open on its way up, such as the workers of a batch."""


def _terminate(number: int, frame: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: the workers are being ended
    raise Terminated


@contextlib.contextmanager
def raising_terminated() -> Iterator[None]:
    """Turn SIGTERM into Terminated within the block, unless somebody handles it already."""
    usual = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not usual or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def first_interrupt(stop: Callable[[], None]) -> Iterator[threading.Event]:
    """Within the block the first Ctrl-C calls `stop` and sets the event; the second does what it did before."""
    stopped, before = threading.Event(), signal.getsignal(signal.SIGINT)

    def ask(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, before)
        stopped.set()
        stop()

    signal.signal(signal.SIGINT, ask)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)
