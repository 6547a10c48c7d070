"""Normal scores: the codes that a decoder is given, in the place of the values of an attribute.

A latent dimension is to be N(0, 1), whatever the attribute's own distribution. The values are few: a measure has two
onsets or three. So each value gets its share of the normal distribution, an interval as wide as the value is
frequent: training draws the code from the interval (the distributional transform: Rueschendorf, "On the
distributional transform, Sklar's theorem, and the empirical copula process", 2009), and what lies between two values
means the nearer one. Drawn from whole intervals codes are N(0, 1) exactly, and tell of the values the less; `near`
brings them nearer to the interval's mean. At .8 of the way to a point of it the overlap with the prior is .003 less,
and the linear R2 .971 in the place of .955 (Bach's validation tunes; docs/research/alignment.md). Elsewhere the code
is the mean itself (normal scores: Fisher & Yates 1938), and its sd is that of what is drawn.

Shapes: n training examples, b rows, k attributes, l levels of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Float32s, Floats, Ints
from .examples import Examples, LazyRows, distinct
from .scales import Scale, given, straight_on

LEVELS = 500  # of an attribute, at most: of more values, so many groups of neighbours
ROUNDING = 1e-6  # of their span: examples hold values in single precision
NEAR = 0.8  # 1: from whole intervals, 0: only their means


@dataclass(frozen=True, eq=False)
class NormalScores:
    """Of one attribute; l >= 2, all increasing, but for `sd`. Straight on beyond the outer levels."""

    levels: Floats  # (l,) values
    high: Floats  # (l,) share of the training values up to each level
    mean: Floats  # (l,) code of each
    sd: Floats  # (l,) of the codes drawn of each
    near: float  # of the way from the mean to a point of the interval, that is drawn

    @classmethod
    def of(cls, values: Floats, near: float = NEAR) -> NormalScores:
        """(n,) training values -> their scores."""
        levels, counts = _levels(values.astype(np.float64))
        if len(levels) == 1:  # a constant tells nothing: one step of it is one step of its code
            level = float(levels[0])
            return cls(np.array([level, level + 1]), np.ones(2), np.array([0.0, 1.0]), np.full(2, near), near)
        share = counts / counts.sum()
        high = np.minimum(share.cumsum(), 1.0)
        edges = _quantile(np.concatenate([[0.0], high[:-1], [1.0]]))
        density = np.exp(-0.5 * edges**2) / np.sqrt(2 * np.pi)
        mean = -np.diff(density) / share  # of the normal distribution between two edges, and its variance
        tails = np.where(np.isfinite(edges), edges, 0.0) * density
        variance = 1 - np.diff(tails) / share - mean**2
        return cls(levels, high, mean, near * np.sqrt(np.maximum(variance, 1e-8)), near)

    @classmethod
    def of_scale(cls, scale: Scale) -> NormalScores:
        """Those that a model was given, which its scale holds: `shares` must not be empty."""
        levels, high, mean, sd = map(np.array, (scale.values, scale.shares, scale.codes, scale.spreads))
        return cls(levels, high, mean, sd, scale.near)

    def into(self, scale: Scale) -> Scale:
        """The inverse of `of_scale`."""
        return replace(given(scale, self.levels, self.mean, self.sd), shares=tuple(self.high.tolist()), near=self.near)

    def code(self, values: Floats) -> Floats:
        """(b,) -> (b,)"""
        return straight_on(values, self.levels, self.mean)

    def drawn(self, values: Floats, random: np.random.Generator) -> Floats:
        """(b,) -> (b,) codes from the values' intervals."""
        low = np.concatenate([[0.0], self.high[:-1]])
        bottom, top = (np.interp(values, self.levels, edge) for edge in (low, self.high))
        least = max(1e-3 * min(float(self.high[0]), 1 - float(self.high[-2])), 1e-9)
        place = bottom + (top - bottom) * random.random(len(values))
        inside = _quantile(place.clip(least, 1 - least))
        slack = ROUNDING * (self.levels[-1] - self.levels[0])
        inner = (values >= self.levels[0] - slack) & (values <= self.levels[-1] + slack)
        known = inner & (bottom < top)
        mean = self.code(values)
        return np.where(known, mean + self.near * (inside - mean), mean)


@dataclass(frozen=True, eq=False)
class Codes:
    """Of k attributes."""

    scores: Sequence[NormalScores]

    @classmethod
    def of(cls, values: Floats) -> Codes:
        """(n, k)"""
        return cls([NormalScores.of(column) for column in values.T])

    @classmethod
    def of_examples(cls, train: Examples) -> Codes:
        """Each different example counts once: repetitions would make a few values frequent that are not. Of rows that
        are made when they are read, all."""
        return cls.of((train if isinstance(train.inputs, LazyRows) else train.take(distinct(train))).attributes)

    def __call__(self, values: Floats) -> Float32s:
        """(b, k) values -> (b, k) codes."""
        return self._stacked([one.code(column) for one, column in zip(self.scores, values.T, strict=True)])

    def drawn(self, values: Floats, random: np.random.Generator) -> Float32s:
        """(b, k) values -> (b, k) codes from their intervals."""
        return self._stacked([one.drawn(column, random) for one, column in zip(self.scores, values.T, strict=True)])

    def _stacked(self, columns: list[Floats]) -> Float32s:
        return np.stack(columns, axis=1).astype(np.float32)


def _levels(values: Floats) -> tuple[Floats, Ints]:
    """(n,) -> increasing levels and how many values are at each."""
    levels, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    if len(levels) <= LEVELS:
        return levels, counts
    group = np.minimum(LEVELS * (counts.cumsum() - 1) // len(values), LEVELS - 1)  # equally large ones
    group = np.unique(group, return_inverse=True)[1][inverse]
    counts = np.bincount(group)
    return np.bincount(group, weights=values) / counts, counts


def _quantile(share: Floats) -> Floats:
    from scipy.special import ndtri  # only training and evaluations draw

    found: Floats = ndtri(share)
    return found
