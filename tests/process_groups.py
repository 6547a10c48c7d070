"""Whether programs that a test has started leave processes behind."""

from __future__ import annotations

import os
import time


def ended(group: int, seconds: float = 20.0) -> bool:
    """Whether all processes of a group end within that time. On busy cores workers take a while to end, and
    multiprocessing's own helper outlives its parent by a moment."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False
