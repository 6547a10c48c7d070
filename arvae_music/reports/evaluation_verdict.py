"""The verdict on an evaluation: what its most important figures say, in words.

    for finding in verdict(result):
        finding.level, finding.question, finding.answer

The bounds between good, fair and poor are those of `BOUNDS`. They are the opinion of this project, and the report
prints them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..evaluation.result import Evaluation

    Figures = Mapping[str, float]


class Level(Enum):
    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


@dataclass(frozen=True)
class Finding:
    level: Level
    question: str
    answer: str
    bounds: str  # what counts as good and as fair


@dataclass(frozen=True)
class _Bounds:
    """A figure of the headline is good up to one bound and fair up to another one; smaller values are better if
    `good` is less than `fair`."""

    figure: str
    good: float
    fair: float
    percent: bool = True

    def level(self, value: float) -> Level:
        sign = 1 if self.good >= self.fair else -1
        if sign * value >= sign * self.good:
            return Level.GOOD
        return Level.FAIR if sign * value >= sign * self.fair else Level.POOR

    def __str__(self) -> str:
        side = "at least" if self.good >= self.fair else "at most"
        good, fair = (f"{bound:.0%}" if self.percent else f"{bound:g}" for bound in (self.good, self.fair))
        return f"good: {side} {good}; fair: {side} {fair}"


EXACT = _Bounds("guided.exact_mean", 0.95, 0.8)
ALONE = _Bounds("control_mean", 0.95, 0.7, percent=False)
DRIFT = _Bounds("guided.drift_sd", 0.2, 0.5, percent=False)
KEPT = _Bounds("guided.pitches", 0.8, 0.6)
REPRODUCED = _Bounds("measures", 0.95, 0.8)
LEAKAGE = _Bounds("leakage", 0.1, 0.4, percent=False)
VALID = _Bounds("valid", 0.99, 0.9)


def verdict(result: Evaluation) -> list[Finding]:
    """The findings, the most important one first. Figures that could not be measured have none."""
    figures = result.headline
    found = [
        _finding(
            EXACT, figures, "Do edits reach what is requested?",
            f"{{:.0%}} of the requests are met exactly by the search that edits use (guided)."
            f"{_worst(result, 'guided', 'exact', '{name} is worst with {value:.0%}.')}",
        ),
        _finding(
            ALONE, figures, "Does the network obey without the search?",
            f"After one decode (latent), requested and achieved values correlate by {{:.2f}}."
            f"{_worst(result, 'latent', 'rho', '{name} is worst with {value:.2f}.')}",
        ),
        _finding(
            DRIFT, figures, "Do the other attributes stay?",
            "When a guided edit moves one attribute, an attribute that does not depend on it moves by {:.2f} sd on "
            "average.",
        ),
        _finding(
            KEPT, figures, "How much of the melody stays?", "A guided edit keeps {:.0%} of the pitches of a measure.",
        ),
        _finding(
            REPRODUCED, figures, "Does the model reproduce measures?",
            "{:.0%} of the measures come back unchanged when they are encoded and decoded.",
        ),
        _finding(
            LEAKAGE, figures, "Do the free dimensions know the attributes?",
            "A probe predicts an attribute from the dimensions without an attribute with an R2 of {:.2f}; 0 would mean "
            "not at all.",
        ),
        _finding(
            VALID, figures, "Are its samples valid?", "{:.0%} of the measures decoded from random codes are valid.",
        ),
    ]  # fmt: skip
    return [one for one in found if one is not None]


def _finding(bounds: _Bounds, figures: Figures, question: str, answer: str) -> Finding | None:
    value = figures.get(bounds.figure, math.nan)
    if math.isnan(value):
        return None
    return Finding(bounds.level(value), question, answer.format(value), str(bounds))


def _worst(result: Evaluation, mode: str, figure: str, text: str) -> str:
    """A sentence about the attribute with the smallest figure, with a space before it; "" if all are the same."""
    each = {name: one[figure] for name, one in result.control.get(mode, {}).get("all", {}).items()}
    known = {name: value for name, value in each.items() if not math.isnan(value)}
    if len(set(known.values())) < 2:
        return ""
    name = min(known, key=lambda one: known[one])
    return " " + text.format(name=name.capitalize(), value=known[name])
