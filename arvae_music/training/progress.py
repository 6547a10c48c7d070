"""How far a run is, in words: one line for a log, and rows for a table that is drawn again and again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .recipe import Domain

if TYPE_CHECKING:
    from .trainer import Report


def line(report: Report, domain: Domain) -> str:
    """A report with a judgement of the held-out examples, in one line."""
    return (
        f"step {report.step}  epoch {report.epoch:.1f}  loss {report.loss:.3f} of {_parts(report)}; held-out "
        f"{domain.judged(report.valid or {})}; {report.rate:.0f} {domain.unit}/s, {_clock(report.remaining)} left"
    )


def rows(report: Report, valid: Mapping[str, float] | None, domain: Domain) -> list[tuple[str, str]]:
    """Titles and what they say; `valid` is the last judgement of the held-out examples, if there was one."""
    found = [
        ("epoch", f"{report.epoch:.1f}, step {report.step}, {report.rate:.0f} {domain.unit}/s"),
        ("loss", f"{report.loss:.3f} of {_parts(report)}"),
    ]
    if valid:
        found.append(("held out", domain.judged(valid)))
    return [*found, ("time", f"{_clock(report.seconds)}, {_clock(report.remaining)} left")]


def _parts(report: Report) -> str:
    """The loss's parts, before their weights."""
    return ", ".join(f"{name} {value:.3g}" for name, value in report.parts.items())


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"
