"""The parts of a corpus that a model is evaluated on: choose and tune on "valid", report "test"."""

from __future__ import annotations

from ..errors import UsageError

PARTS = ("valid", "test")


def expect_part(part: str) -> None:
    """Raises UsageError for any other part."""
    if part not in PARTS:
        raise UsageError(f"there is no part {part!r}", remedy=f"give {' or '.join(PARTS)}")
