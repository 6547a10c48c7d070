"""One attribute as a model knows it: where its code lies in the latent, its statistics in the corpus, and the
calibration between values and codes.

The calibration is the mean code (posterior mean of the attribute's dimension) at each attribute value, made increasing
by isotonic regression: `Scale.code` and `Scale.value` interpolate in it. Where the decoder is `given` the value
(objectives.Carriage), the code is its normal score (normal.py).

Shapes: n examples, k attributes, l distinct values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import Floats

QUANTILES = 101
KNOTS = 64  # of a calibration, at most
STRONG = 0.5  # |correlation| of codes from which another attribute's code moves along
NOT_CARRIED = -1  # the dimension of an attribute that the model knows the statistics of, and no more


@dataclass(frozen=True)
class Scale:
    """One attribute as a model knows it."""

    name: str
    origin: str  # "" for an attribute that its name finds, else module:function
    dimension: int  # of the latent; NOT_CARRIED for one that is only measured
    mean: float
    sd: float
    quantiles: tuple[float, ...]  # QUANTILES of them, minimum and maximum included
    values: tuple[float, ...]  # calibration knots, increasing
    codes: tuple[float, ...]  # calibration knots, increasing
    code_sd: float
    given: bool = False  # the decoder was given the code of the value (normal.py): the encoder doesn't know it
    spreads: tuple[float, ...] = ()  # where it was, the sd of the codes of each knot
    shares: tuple[float, ...] = ()  # and of the training values up to it; () in models of arvae's first days
    near: float = 1.0  # to the mean, that its codes were drawn: normal.py
    gain: float = 1.0  # how much further the code is moved so that the decoder takes the whole step: gains.py

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Scale:
        """The inverse of `asdict`. Raises KeyError, TypeError or ValueError where it is not whole, or no scale."""
        lists = {key: tuple(float(x) for x in entry[key]) for key in ("quantiles", "values", "codes")}
        for key in ("spreads", "shares"):  # models of arvae's first days have none
            lists[key] = tuple(float(x) for x in entry.get(key, ()))
        scale = cls(**{**entry, **lists})
        if len(scale.values) != len(scale.codes) or len(scale.values) < 2 or len(scale.quantiles) != QUANTILES:
            raise ValueError(f"calibration of {scale.name}")
        if len(scale.spreads) != (len(scale.codes) if scale.given else 0):
            raise ValueError(f"spreads of {scale.name}")
        if len(scale.shares) not in (0, len(scale.spreads)) or np.any(np.diff((0.0, *scale.shares, 1.0)) < 0):
            raise ValueError(f"shares of {scale.name}")
        lone = (scale.mean, scale.sd, scale.code_sd, scale.gain, scale.near)
        numbers = (*lone, *scale.quantiles, *scale.values, *scale.codes, *scale.spreads, *scale.shares)
        rising = all(np.all(np.diff(knots) > 0) for knots in (scale.values, scale.codes))
        if not (np.isfinite(numbers).all() and rising and min(scale.sd, scale.gain, *scale.spreads, 1) > 0):
            raise ValueError(f"numbers of {scale.name}")
        return scale

    def code(self, value: Floats | float) -> Floats:
        """Attribute values -> the latent codes that stand for them; straight on beyond the outer knots."""
        return straight_on(np.asarray(value, dtype=np.float64), self.values, self.codes)

    def value(self, code: Floats | float) -> Floats:
        """The inverse of `code`."""
        return straight_on(np.asarray(code, dtype=np.float64), self.codes, self.values)

    def log_variance(self, value: Floats) -> Floats:
        """Of the codes of attribute values, where the decoder was given them."""
        spread: Floats = np.interp(value, self.values, self.spreads)
        return 2 * np.log(spread)


def calibrate(name: str, origin: str, dimension: int, values: Floats, codes: Floats) -> Scale:
    """(n,) attribute values and (n,) codes of training examples -> the attribute's Scale."""
    knots_values, knots_codes = _knots(values.astype(np.float64), codes.astype(np.float64))
    return Scale(
        name=name,
        origin=origin,
        dimension=dimension,
        mean=float(values.mean()),
        sd=max(float(values.std()), 1e-6),  # a constant attribute has no scale: any step is nil
        quantiles=tuple(np.quantile(values, np.linspace(0, 1, QUANTILES)).tolist()),
        values=tuple(knots_values.tolist()),
        codes=tuple(knots_codes.tolist()),
        code_sd=max(float(codes.std()), 1e-6),
    )


def given(scale: Scale, values: Floats, codes: Floats, spreads: Floats) -> Scale:
    """The scale of an attribute whose codes the decoder was given: (l,) of values, and codes' means and sd."""
    return replace(
        scale, values=tuple(values.tolist()), codes=tuple(codes.tolist()), given=True, spreads=tuple(spreads.tolist())
    )


def correlations(values: Floats, codes: Floats) -> tuple[tuple[tuple[float, ...], ...], ...]:
    """(n, k) twice -> Spearman of the values, Pearson of the codes."""
    from scipy.stats import rankdata

    return tuple(_pearson(table) for table in (rankdata(values, axis=0), codes.astype(np.float64)))


def _pearson(table: Floats) -> tuple[tuple[float, ...], ...]:
    """(n, k) -> (k, k); a constant column correlates with nothing."""
    with np.errstate(invalid="ignore"):
        matrix = np.nan_to_num(np.atleast_2d(np.corrcoef(table, rowvar=False)))
    np.fill_diagonal(matrix, 1.0)
    return tuple(tuple(row) for row in matrix.tolist())


def _knots(values: Floats, codes: Floats) -> tuple[Floats, Floats]:
    """Mean code by value (by quantile bin where there are many values), increasing in both."""
    from sklearn.isotonic import isotonic_regression

    distinct, inverse = np.unique(values, return_inverse=True)
    if len(distinct) > KNOTS:
        edges = np.unique(np.quantile(values, np.linspace(0, 1, KNOTS + 1)))
        inverse = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
        _, inverse = np.unique(inverse, return_inverse=True)
    counts = np.bincount(inverse).astype(np.float64)
    at = np.bincount(inverse, weights=values) / counts
    mean = isotonic_regression(np.bincount(inverse, weights=codes) / counts, sample_weight=counts)
    if len(at) == 1:
        at, mean = np.array([at[0], at[0] + 1]), np.array([mean[0], mean[0] + 1])
    step = max(float(mean[-1] - mean[0]), 1e-3) * 1e-4  # strictly increasing, so that it can be inverted
    return at, mean + step * np.arange(len(mean))


def straight_on(at: Floats, xs: Sequence[float] | Floats, ys: Sequence[float] | Floats) -> Floats:
    """Piecewise linear, going straight on at both ends with the slope of the whole."""
    x, y = np.asarray(xs), np.asarray(ys)
    slope = (y[-1] - y[0]) / max(x[-1] - x[0], 1e-9)
    inside = np.interp(at, x, y)
    result: Floats = inside + slope * (np.minimum(at - x[0], 0) + np.maximum(at - x[-1], 0))
    return result
