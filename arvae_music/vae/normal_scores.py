"""Normal scores: the codes that training gives to the decoder instead of the values of an attribute.

Each latent dimension should be distributed as N(0, 1), whatever the distribution of the attribute. An attribute has few
distinct values (its levels): a measure has two onsets or three. Therefore each level gets an interval of the normal
distribution whose probability is the share of training examples with that level. Training draws a code from the
interval (the distributional transform: Rueschendorf, "On the distributional transform, Sklar's theorem, and the
empirical copula process", 2009). Everywhere else the code of a level is the mean of its interval (normal scores: Fisher
& Yates 1938).

Codes drawn from whole intervals are exactly N(0, 1), but vary much within a level. `near` draws them closer to the
interval's mean: a code lies at `near` of the way from the mean to a random point of the interval. On Bach's validation
tunes `near` = 0.8 costs 0.003 of the overlap with the prior, and raises the linear R2 between values and codes from
0.955 to 0.971 (docs/research/alignment.md).

Shapes: n training examples, b rows, k attributes, l levels of one attribute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Float32s, Floats, Ints
from .examples import Examples, LazyRows, distinct
from .scales import Scale, extrapolated, with_given_codes

LEVELS = 500  # an attribute with more distinct values gets this many groups of neighbouring values
ROUNDING = 1e-6  # share of the levels' span that a value may miss by: examples hold single precision
NEAR = 0.8  # 1 draws from the whole interval, 0 always takes its mean


@dataclass(frozen=True, eq=False)
class NormalScores:
    """The normal scores of one attribute with l >= 2 levels. All arrays except `sd` increase."""

    levels: Floats  # (l,) attribute values
    high: Floats  # (l,) share of the training values up to and including each level
    mean: Floats  # (l,) code of each level: the mean of its interval
    sd: Floats  # (l,) standard deviation of the codes drawn for each level
    near: float  # how far towards a random point of the interval a drawn code lies, from the mean (0) to the point (1)

    @classmethod
    def of(cls, values: Floats, near: float = NEAR) -> NormalScores:
        """The scores of (n,) training values."""
        levels, counts = _levels(values.astype(np.float64))
        if len(levels) == 1:  # a constant: one unit of it is one unit of its code
            level = float(levels[0])
            return cls(np.array([level, level + 1]), np.ones(2), np.array([0.0, 1.0]), np.full(2, near), near)
        share = counts / counts.sum()
        high = np.minimum(share.cumsum(), 1.0)
        edges = _quantile(np.concatenate([[0.0], high[:-1], [1.0]]))
        density = np.exp(-0.5 * edges**2) / np.sqrt(2 * np.pi)
        mean = -np.diff(density) / share  # mean and, below, variance of the normal distribution between two edges
        tails = np.where(np.isfinite(edges), edges, 0.0) * density
        variance = 1 - np.diff(tails) / share - mean**2
        return cls(levels, high, mean, near * np.sqrt(np.maximum(variance, 1e-8)), near)

    @classmethod
    def of_scale(cls, scale: Scale) -> NormalScores:
        """The scores that a model was trained with, from its scale, whose `shares` must not be empty."""
        levels, high, mean, sd = map(np.array, (scale.values, scale.shares, scale.codes, scale.spreads))
        return cls(levels, high, mean, sd, scale.near)

    def into(self, scale: Scale) -> Scale:
        """The inverse of `of_scale`."""
        found = with_given_codes(scale, self.levels, self.mean, self.sd)
        return replace(found, shares=tuple(self.high.tolist()), near=self.near)

    def code(self, values: Floats) -> Floats:
        """(b,) values -> (b,) codes, extrapolated beyond the outer levels."""
        return extrapolated(values, self.levels, self.mean)

    def drawn(self, values: Floats, random: np.random.Generator) -> Floats:
        """(b,) values -> (b,) codes drawn from their intervals; a value beyond the outer levels gets its `code`."""
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
    """The normal scores of k attributes."""

    scores: Sequence[NormalScores]

    @classmethod
    def of(cls, values: Floats) -> Codes:
        """The codes of (n, k) training values."""
        return cls([NormalScores.of(column) for column in values.T])

    @classmethod
    def of_examples(cls, train: Examples) -> Codes:
        """The codes of a training set. Each distinct example counts once, since repetitions would distort the frequency
        of the values. Examples that are made when they are read (LazyRows) all count."""
        return cls.of((train if isinstance(train.inputs, LazyRows) else train.take(distinct(train))).attributes)

    def __call__(self, values: Floats) -> Float32s:
        """(b, k) values -> (b, k) codes."""
        return self._stacked([one.code(column) for one, column in zip(self.scores, values.T, strict=True)])

    def drawn(self, values: Floats, random: np.random.Generator) -> Float32s:
        """(b, k) values -> (b, k) codes drawn from their intervals."""
        return self._stacked([one.drawn(column, random) for one, column in zip(self.scores, values.T, strict=True)])

    def _stacked(self, columns: list[Floats]) -> Float32s:
        return np.stack(columns, axis=1).astype(np.float32)


def _levels(values: Floats) -> tuple[Floats, Ints]:
    """(n,) values -> increasing levels, and the number of values at each."""
    levels, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    if len(levels) <= LEVELS:
        return levels, counts
    group = np.minimum(LEVELS * (counts.cumsum() - 1) // len(values), LEVELS - 1)  # groups of equal size
    group = np.unique(group, return_inverse=True)[1][inverse]
    counts = np.bincount(group)
    return np.bincount(group, weights=values) / counts, counts


def _quantile(share: Floats) -> Floats:
    from scipy.special import ndtri  # only training and evaluations draw

    found: Floats = ndtri(share)
    return found
