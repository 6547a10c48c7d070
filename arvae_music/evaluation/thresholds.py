"""Thresholds on the figures of a headline, as `--fail-under control=0.95` states them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import UsageError, nearest_or
from .headline import lower_is_better

NEAREST = 3  # names that a message about an unknown figure suggests


@dataclass(frozen=True)
class Threshold:
    name: str
    bound: float
    least: bool  # True if the bound is the smallest allowed value, False if it is the largest

    def kept(self, value: float) -> bool:
        """Whether the value keeps to the threshold. NaN, a figure that could not be measured, never does."""
        return value >= self.bound if self.least else value <= self.bound

    def message(self, value: float) -> str:
        if math.isnan(value):
            return f"{self.name} has a threshold but could not be measured"
        return f"{self.name} is {value:.4g}, {'under' if self.least else 'over'} {self.bound:g}"


def parse_thresholds(under: Sequence[str], over: Sequence[str], known: Sequence[str]) -> list[Threshold]:
    """NAME=X texts of --fail-under and --fail-over -> thresholds on figures that are `known`.

    Raises UsageError for a text that is not NAME=X, an unknown figure, and a figure that is better the other way.
    """
    found = []
    for text, least in [*((text, True) for text in under), *((text, False) for text in over)]:
        option = "--fail-under" if least else "--fail-over"
        name, _, number = text.partition("=")
        try:
            bound = float(number)
        except ValueError:
            raise UsageError(f"{option} {text!r} is not a valid threshold", remedy="write control=0.95") from None
        if name not in known:
            raise UsageError(f"{option}: there is no figure {name!r}", remedy=_suggestion(name, known))
        if lower_is_better(name) == least:
            other = "--fail-over" if least else "--fail-under"
            raise UsageError(f"{name} is better {'lower' if least else 'higher'}", remedy=f"give {other} {text}")
        found.append(Threshold(name, bound, least))
    return found


def checked(thresholds: Sequence[Threshold], headline: Mapping[str, float]) -> list[dict[str, Any]]:
    """The thresholds with the values of their figures, and whether they are kept, as plain data."""
    values = [headline[one.name] for one in thresholds]
    return [
        {**vars(one), "value": value, "kept": one.kept(value)} for one, value in zip(thresholds, values, strict=True)
    ]


def _suggestion(name: str, known: Sequence[str]) -> str:
    nearest = ", ".join(difflib.get_close_matches(name, known, n=NEAREST, cutoff=0))
    every = f"the nearest are {nearest}; `arvae evaluate MODEL --json` lists all figures under \"headline\""
    return nearest_or(name, known, every)
