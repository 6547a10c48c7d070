"""The steps that the evaluations of measures (evaluate.py) and of images (images/evaluation.py) share.

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
PROBED = tuple(f"{kind}{way}" for kind in PROBES for way in ("", "_crossed"))  # figures of an attribute's leakage
Progress = Callable[[str], None]
MESSAGES = {  # section -> the text that reports its beginning
    "encoding": "encoding the evaluated part",
    "drawing": "sampling codes",
    "representation": "computing the published metrics",
    "reconstruction": "measuring reconstruction",
    "control, latent": "measuring control, latent",
    "control, guided": "measuring control, guided",
    "control": "measuring control",
    "traversals, latent": "measuring traversals, latent",
    "traversals, guided": "measuring traversals, guided",
    "leakage": "measuring leakage",
    "prior samples": "decoding samples of the prior",
}
P = ParamSpec("P")
T = TypeVar("T")


class Clock:
    """Reports each section as it begins, and records how many seconds it took."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.seconds: Figures = {}

    def __call__(self, section: str, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        self.progress(MESSAGES.get(section, section))
        started = time.perf_counter()
        found = work(*arguments, **named)
        self.seconds[section] = round(time.perf_counter() - started, 2)
        return found


def representation(
    mean: Floats, draws: Sequence[Floats], values: Floats, dimensions: Sequence[int], random: np.random.Generator
) -> dict[str, Scores]:
    """The published metrics, row by row: in the paper's protocol (mean over `draws`) and the strict one (metrics.py).

    `mean` holds the posterior means (n, z), each of `draws` a sample of every posterior (n, z), `values` the attributes
    (n, k), and `dimensions` each attribute's dimension. Each row stands beside the oracle's: the oracle's latents are
    the attributes themselves as normal scores, with independent noise in the other dimensions, so its score is an upper
    bound when attributes are correlated.
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
    """Row -> metric -> attribute, for the metrics that have a value per attribute."""
    return {
        row: {metric: named(names, each) for metric, each in scores._asdict().items() if len(each) == len(names)}
        for row, scores in rows.items()
    }


def named(names: Sequence[str], values: Sequence[float] | Floats) -> Figures:
    return dict(zip(names, map(float, values), strict=True))
