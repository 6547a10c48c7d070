"""The progress of a run as text: one line for a log, or rows for a table that is redrawn at each report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .recipe import Domain

if TYPE_CHECKING:
    from .trainer import Report


def line(report: Report, domain: Domain) -> str:
    """A report with figures on the held-out examples, in one line."""
    return (
        f"step {report.step}  epoch {report.epoch:.1f}  loss {report.loss:.3f} of {_parts(report)}; held-out "
        f"{domain.judged(report.valid or {})}; {report.rate:.0f} {domain.unit}/s, {_clock(report.remaining)} left"
    )


def rows(report: Report, valid: Mapping[str, float] | None, domain: Domain) -> list[tuple[str, str]]:
    """Titles and texts. `valid` are the latest figures on the held-out examples, if there are any."""
    found = [
        ("epoch", f"{report.epoch:.1f}, step {report.step}, {report.rate:.0f} {domain.unit}/s"),
        ("loss", f"{report.loss:.3f} of {_parts(report)}"),
    ]
    if valid:
        found.append(("held out", domain.judged(valid)))
    return [*found, ("time", f"{_clock(report.seconds)}, {_clock(report.remaining)} left")]


def _parts(report: Report) -> str:
    """The parts of the loss, not multiplied by their weights."""
    return ", ".join(f"{name} {value:.3g}" for name, value in report.parts.items())


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"
