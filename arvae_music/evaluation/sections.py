"""What the evaluations of measures (evaluation.py) and of images (images/evaluation.py) do alike.

Shapes: n rows, z latent, k attributes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec, TypeVar

import numpy as np

from ..arrays import Floats
from . import metrics
from .metrics import Scores
from .probes import PROBES

Figures = dict[str, float]
PROBED = tuple(f"{kind}{way}" for kind in PROBES for way in ("", "_crossed"))  # of an attribute's leakage
Progress = Callable[[str], None]
P = ParamSpec("P")
T = TypeVar("T")


class Clock:
    """Says which section begins, and keeps how long each took, in seconds."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.seconds: Figures = {}

    def __call__(self, section: str, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        self.progress(section)
        started = time.perf_counter()
        found = work(*arguments, **named)
        self.seconds[section] = round(time.perf_counter() - started, 2)
        return found


def representation(
    mean: Floats, draws: Sequence[Floats], values: Floats, dimensions: Sequence[int], random: np.random.Generator
) -> dict[str, Scores]:
    """(n, z) means of the posteriors, points of them, drawn more than once, (n, k), the dimension of each attribute ->
    the published metrics by row: in the paper's protocol, mean over the draws, and in the strict one (metrics.py), each
    beside the ORACLE's, whose latents are the attributes themselves, rank-normal, and independent noise elsewhere: what
    it scores is what the attributes' correlations leave to be had.
    """
    oracle = random.standard_normal(mean.shape)
    for k, d in enumerate(dimensions):
        oracle[:, d] = metrics.rank_normal(values[:, k])
    return {
        "paper's protocol": Scores(*map(_mean, zip(*(metrics.published(z, values) for z in draws), strict=True))),
        "paper's protocol, oracle": metrics.published(oracle, values),
        "strict": metrics.strict(mean, values, dimensions),
        "strict, oracle": metrics.strict(oracle, values, dimensions),
    }


def _mean(draws: Sequence[Floats]) -> Floats:
    found: Floats = np.mean(draws, axis=0)
    return found


def by_attribute(rows: Mapping[str, Scores], names: Sequence[str]) -> dict[str, dict[str, Figures]]:
    """Row -> metric -> attribute, of the metrics that are of attributes."""
    return {
        row: {metric: named(names, each) for metric, each in scores._asdict().items() if len(each) == len(names)}
        for row, scores in rows.items()
    }


def named(names: Sequence[str], values: Sequence[float] | Floats) -> Figures:
    return dict(zip(names, map(float, values), strict=True))
