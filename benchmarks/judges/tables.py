"""Sums over tunes, intervals by bootstrap, and Markdown.

Every figure is a sum over tunes divided by another sum, so that resampled tunes give its interval. All columns of a
table are resampled together: the interval of a difference is that of paired tunes.

Shapes: t tunes, b draws of the bootstrap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .phrases import Share
from .twosample import TwoSample

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DRAWS = 400
LEVEL = 0.95


class Figure(NamedTuple):
    """A figure with its interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return "-" if np.isnan(self.value) else f"{self.value:.3f}"

    @property
    def excludes_zero(self) -> bool:
        return bool(self.low > 0 or self.high < 0)


@dataclass
class Cell:
    """All figures of one engine for one request: sums of each tune (t, 2), and the two-sample tests."""

    tunes: int
    copies: int = 1  # how often every tune is there, in succession; copies are resampled together
    shares: dict[str, Floats] = field(default_factory=dict)
    tests: dict[str, TwoSample] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, name: str, tune: int, share: Share) -> None:
        self.shares.setdefault(name, np.zeros((self.tunes, 2)))[tune] += share

    @property
    def names(self) -> list[str]:
        return [*self.shares, *self.tests]

    def value(self, name: str) -> float:
        if name in self.tests:
            return self.tests[name].auc
        return float(_ratio(self.shares[name].sum(axis=0))) if name in self.shares else float("nan")

    def drawn(self, name: str, draws: Ints) -> Floats:
        """(b,) values of a figure for the resampled tunes (b, t)."""
        if name in self.tests:
            return self.tests[name].draws(draws)
        return _ratio(self.shares[name][draws].sum(axis=1)) if name in self.shares else np.full(len(draws), np.nan)


def _ratio(sums: Floats) -> Floats:
    above, below = sums[..., 0], sums[..., 1]
    return np.where(below != 0, above / np.where(below == 0, 1, below), np.nan)


def drawn_tunes(tunes: int, seed: int, copies: int = 1, draws: int = DRAWS) -> Ints:
    """(b, t) resampled tunes. The `copies` of a tune, which lie in succession, are resampled together."""
    one = np.random.default_rng(seed).integers(0, tunes // copies, (draws, tunes // copies))
    return (one[:, :, None] * copies + np.arange(copies)).reshape(draws, -1)


def mean(cells: Sequence[Cell], name: str, draws: Ints) -> Figure:
    """The mean of a figure over requests, with its interval."""
    return _figure([cell.value(name) for cell in cells], [cell.drawn(name, draws) for cell in cells])


def quotient(cells: Sequence[Cell], above: str, below: str, draws: Ints) -> Figure:
    """The mean over requests of one figure divided by another."""
    return _figure(
        [_divided(cell.value(above), cell.value(below)) for cell in cells],
        [_divided(cell.drawn(above, draws), cell.drawn(below, draws)) for cell in cells],
    )


def _divided(above: float | Floats, below: float | Floats) -> Floats:
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) > 0)


def difference(one: Sequence[Cell], other: Sequence[Cell], name: str, draws: Ints) -> Figure:
    """How much larger a figure of one engine is than that of another, in the mean over requests, tunes paired."""
    pairs = list(zip(one, other, strict=True))
    return _figure(
        [a.value(name) - b.value(name) for a, b in pairs],
        [a.drawn(name, draws) - b.drawn(name, draws) for a, b in pairs],
    )


def _figure(values: Sequence[float | Floats], draws: Sequence[Floats]) -> Figure:
    drawn, value = _mean(np.stack(draws)), _mean(np.array(values, dtype=np.float64)[:, None])[0]
    kept = drawn[~np.isnan(drawn)]
    low, high = np.quantile(kept, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if len(kept) else (np.nan, np.nan)
    return Figure(float(value), float(low), float(high))


def _mean(table: Floats) -> Floats:
    """(r, b) -> (b,) the mean over the r requests that have a value; NaN if none has."""
    there = ~np.isnan(table)
    count = there.sum(axis=0)
    return np.where(count > 0, np.where(there, table, 0).sum(axis=0) / np.maximum(count, 1), np.nan)


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def plain(figures: Mapping[str, Figure]) -> dict[str, list[float | None]]:
    """Figures for JSON: value, low, high; None for what does not exist."""
    return {name: [None if np.isnan(x) else round(x, 5) for x in figure] for name, figure in figures.items()}
