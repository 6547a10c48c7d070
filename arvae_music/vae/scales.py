"""A Scale describes one attribute of a model: its latent dimension, its statistics in the corpus, and the calibration
between attribute values and latent codes.

The calibration is a table of knots. If the encoder learned the attribute, a knot is an attribute value and the mean
code (posterior mean of the attribute's dimension) of the training examples with that value, made increasing by isotonic
regression. If the decoder is given the attribute instead (`Scale.given`), the code is the normal score of the value
(normal_scores.py). `Scale.code` and `Scale.value` interpolate between the knots.

Shapes: n examples, k attributes, l distinct values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import Floats

QUANTILES = 101
FEWEST = 200  # measures of a meter that has statistics of its own
KNOTS = 64  # the most that `calibrate` makes
STRONG = 0.5  # two attributes are strongly correlated from this |correlation| on: their codes move together
NOT_CARRIED = -1  # the `dimension` of an attribute without a latent dimension: the model only has its statistics


@dataclass(frozen=True)
class Scale:
    """One attribute of a model. The field names are also the keys of the checkpoint's JSON."""

    name: str
    origin: str  # "" for a built-in attribute, otherwise module:function
    dimension: int  # the latent dimension that holds the code; NOT_CARRIED if there is none
    mean: float
    sd: float
    quantiles: tuple[float, ...]  # QUANTILES values, evenly spaced from the minimum to the maximum
    values: tuple[float, ...]  # the attribute values of the calibration's knots, increasing
    codes: tuple[float, ...]  # the codes of the knots, increasing
    code_sd: float  # the standard deviation of the codes
    given: bool = False  # whether training gave the decoder the normal score of the value as the code
    spreads: tuple[float, ...] = ()  # if given: the sd of the codes that training drew for each knot
    shares: tuple[float, ...] = ()  # if given: the share of training values up to each knot; () in the oldest models
    near: float = 1.0  # if given: training drew codes this share of the way from the mean to a point of the interval
    meters: tuple[tuple[str, float, float], ...] = ()  # name, mean and sd of the values in each frequent meter
    gain: float = 1.0  # edits multiply the step of the code by it, because the decoder alone moves the attribute less

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Scale:
        """The inverse of `asdict`. Raises KeyError, TypeError or ValueError if the entry is incomplete or invalid."""
        lists = {key: tuple(float(x) for x in entry[key]) for key in ("quantiles", "values", "codes")}
        for key in ("spreads", "shares"):  # the oldest models lack them
            lists[key] = tuple(float(x) for x in entry.get(key, ()))
        meters = tuple((str(name), float(mean), float(sd)) for name, mean, sd in entry.get("meters", ()))
        scale = cls(**{**entry, **lists, "meters": meters})
        if len(scale.values) != len(scale.codes) or len(scale.values) < 2 or len(scale.quantiles) != QUANTILES:
            raise ValueError(f"calibration of {scale.name}")
        if len(scale.spreads) != (len(scale.codes) if scale.given else 0):
            raise ValueError(f"spreads of {scale.name}")
        if len(scale.shares) not in (0, len(scale.spreads)) or np.any(np.diff((0.0, *scale.shares, 1.0)) < 0):
            raise ValueError(f"shares of {scale.name}")
        lone = (scale.mean, scale.sd, scale.code_sd, scale.gain, scale.near)
        numbers = (*lone, *scale.quantiles, *scale.values, *scale.codes, *scale.spreads, *scale.shares)
        numbers = (*numbers, *(number for _, mean, sd in meters for number in (mean, sd)))
        rising = all(np.all(np.diff(knots) > 0) for knots in (scale.values, scale.codes))
        smallest = min(scale.sd, scale.gain, *scale.spreads, *(sd for *_, sd in meters), 1)
        if not (np.isfinite(numbers).all() and rising and smallest > 0):
            raise ValueError(f"numbers of {scale.name}")
        return scale

    def in_meter(self, name: str) -> tuple[float, float]:
        """The mean and sd of the values in a meter; those of all meters if the corpus has too few of its measures."""
        return next(((mean, sd) for meter, mean, sd in self.meters if meter == name), (self.mean, self.sd))

    def code(self, value: Floats | float) -> Floats:
        """Attribute values -> the latent codes that represent them, extrapolated beyond the outer knots."""
        return extrapolated(np.asarray(value, dtype=np.float64), self.values, self.codes)

    def value(self, code: Floats | float) -> Floats:
        """The inverse of `code`."""
        return extrapolated(np.asarray(code, dtype=np.float64), self.codes, self.values)

    def log_variance(self, value: Floats) -> Floats:
        """The log-variance of the codes of attribute values; only for an attribute that is `given`."""
        spread: Floats = np.interp(value, self.values, self.spreads)
        return 2 * np.log(spread)


def with_meters(scale: Scale, values: Floats, meters: Sequence[str]) -> Scale:
    """The scale with the statistics of (n,) values in each of their meters that has at least FEWEST of them."""
    of_meter = np.asarray(meters)
    found = []
    for name in sorted(set(meters)):
        own = values[of_meter == name]
        if len(own) >= FEWEST and own.std() > 0:
            found.append((name, float(own.mean()), float(own.std())))
    return replace(scale, meters=tuple(found))


def calibrate(name: str, origin: str, dimension: int, values: Floats, codes: Floats) -> Scale:
    """The Scale of an attribute from the (n,) values and (n,) codes of training examples."""
    knots_values, knots_codes = _knots(values.astype(np.float64), codes.astype(np.float64))
    return Scale(
        name=name,
        origin=origin,
        dimension=dimension,
        mean=float(values.mean()),
        sd=max(float(values.std()), 1e-6),  # a constant attribute would divide by 0
        quantiles=tuple(np.quantile(values, np.linspace(0, 1, QUANTILES)).tolist()),
        values=tuple(knots_values.tolist()),
        codes=tuple(knots_codes.tolist()),
        code_sd=max(float(codes.std()), 1e-6),
    )


def with_given_codes(scale: Scale, values: Floats, codes: Floats, spreads: Floats) -> Scale:
    """The scale of an attribute that training gave to the decoder: (l,) values, and the mean and sd of their codes."""
    return replace(
        scale, values=tuple(values.tolist()), codes=tuple(codes.tolist()), given=True, spreads=tuple(spreads.tolist())
    )


def correlations(values: Floats, codes: Floats) -> tuple[tuple[tuple[float, ...], ...], ...]:
    """(n, k) values and codes -> (k, k) Spearman correlations of the values, and Pearson correlations of the codes."""
    from scipy.stats import rankdata

    return tuple(_pearson(table) for table in (rankdata(values, axis=0), codes.astype(np.float64)))


def _pearson(table: Floats) -> tuple[tuple[float, ...], ...]:
    """(n, k) -> (k, k); the correlation of a constant column with any other is 0."""
    with np.errstate(invalid="ignore"):
        matrix = np.nan_to_num(np.atleast_2d(np.corrcoef(table, rowvar=False)))
    np.fill_diagonal(matrix, 1.0)
    return tuple(tuple(row) for row in matrix.tolist())


def _knots(values: Floats, codes: Floats) -> tuple[Floats, Floats]:
    """The mean code of each value, or of each quantile bin if there are more than KNOTS values; both increase."""
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


def extrapolated(at: Floats, xs: Sequence[float] | Floats, ys: Sequence[float] | Floats) -> Floats:
    """Interpolate linearly in the knots (xs, ys), and extrapolate at both ends with the slope from first to last knot.
    """
    x, y = np.asarray(xs), np.asarray(ys)
    slope = (y[-1] - y[0]) / max(x[-1] - x[0], 1e-9)
    inside = np.interp(at, x, y)
    result: Floats = inside + slope * (np.minimum(at - x[0], 0) + np.maximum(at - x[-1], 0))
    return result
