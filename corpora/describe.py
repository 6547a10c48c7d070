"""Statistics of a corpus. `arvae corpus info` prints those of `describe`.

Attributes are in raw values, as in training. The split is the one of training with the same seed. `seen` is the share
of a part's measures that also occur in training, token for token. An evaluation on these measures tests what the model
memorised, not how it generalises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Float32s, Float64s
from ..music.attributes import AttributeSpec
from ..vae.examples import Examples, distinct, seen_in, split
from .registry import CorpusData

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BINS = 24  # of a histogram, from the smallest value to the largest
BLOCKS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Distribution:
    """The values of one attribute."""

    name: str
    mean: float
    sd: float
    smallest: float
    largest: float
    quantiles: dict[str, float]  # by percentage: "5", "25", ...
    histogram: tuple[int, ...]

    @property
    def sparkline(self) -> str:
        """The histogram in one line of text. Every bin that is not empty has a visible block."""
        highest = max(self.histogram, default=0)
        levels = len(BLOCKS) - 1
        return "".join(BLOCKS[-(-count * levels // max(highest, 1))] for count in self.histogram)


@dataclass(frozen=True)
class PartOfSplit:
    tunes: int
    measures: int
    seen: float | None  # share of the measures that also occur in training; None for training itself


@dataclass(frozen=True)
class Description:
    name: str
    tunes: int
    measures: int
    distinct: int  # number of different measures
    meters: dict[str, int]
    attributes: tuple[Distribution, ...]
    correlation: tuple[tuple[float, ...], ...]  # Pearson's; 0 where an attribute never varies
    split: dict[str, PartOfSplit]


def describe(data: CorpusData, specs: Sequence[AttributeSpec], seed: int = 0) -> Description:
    """Describe a corpus by the given attributes. Raises CorpusError if it has too few tunes to split."""
    examples = data.examples(specs)
    parts = split(examples, seed=seed)
    return Description(
        name=data.name,
        tunes=len(np.unique(data.pieces)),
        measures=len(data),
        distinct=len(distinct(examples)),
        meters=data.by_meter(),
        attributes=tuple(distribution(name, examples.column(name)) for name in examples.names),
        correlation=tuple(map(tuple, _correlation(examples.attributes).tolist())),
        split={
            "train": _part(parts.train),
            "valid": _part(parts.valid, parts.train),
            "test": _part(parts.test, parts.train),
        },
    )


def distribution(name: str, values: Float32s) -> Distribution:
    """The distribution of (n,) values, n > 0."""
    exact = values.astype(np.float64)
    low, high = float(exact.min()), float(exact.max())
    edges = (low, high) if high > low else (low - 0.5, low + 0.5)
    quantiles = np.quantile(exact, QUANTILES)
    return Distribution(
        name=name,
        mean=float(exact.mean()),
        sd=float(exact.std()),
        smallest=low,
        largest=high,
        quantiles={f"{100 * q:.0f}": float(v) for q, v in zip(QUANTILES, quantiles, strict=True)},
        histogram=tuple(np.histogram(exact, bins=BINS, range=edges)[0].tolist()),
    )


def _correlation(values: Float32s) -> Float64s:
    centred = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    covariance = centred.T @ centred
    sd = np.sqrt(np.diag(covariance))
    scale = np.outer(sd, sd)
    correlation: Float64s = np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0)
    return correlation


def _part(part: Examples, train: Examples | None = None) -> PartOfSplit:
    share = None if train is None else float(seen_in(train, part).mean()) if len(part) else 0.0
    return PartOfSplit(len(np.unique(part.pieces)), len(part), share)
