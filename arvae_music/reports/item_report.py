"""What a batch prints and records about one of its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..system.storage import Place

if TYPE_CHECKING:
    from .unchanged import Tally


@dataclass(frozen=True)
class ItemReport:
    """The report on the result of one input."""

    lines: list[str]  # for people
    data: list[dict[str, Any]]  # the objects of --json
    on_stdout: bool = False  # whether the file went to stdout, so that the lines go to stderr
    rows: Sequence[dict[str, Any]] = ()  # of the manifest
    contents: Sequence[bytes] = ()  # the outputs, if a table gets them; otherwise they are written
    cards: Sequence[Any] = ()  # of a contact sheet
    flaws: list[str] = field(default_factory=list)  # reasons why --strict does not accept the result
    tally: Tally | None = None  # the measures that changed, and those that were left alone


def wrote(place: Place, dry_run: bool) -> str:
    """The last line of a report."""
    return f"{'would write' if dry_run else 'wrote'} {'stdout' if place == '-' else place}"
