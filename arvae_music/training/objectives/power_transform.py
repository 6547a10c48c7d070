"""Power transform: dimension k should equal attribute k, after a transformation that makes the attribute nearly normal.
Petteno, Mezza & Bernardini, "On the Joint Minimization of Regularization Loss Functions in Deep Variational Bayesian
Methods for Attribute-Controlled Symbolic Music Generation", 2025, arXiv:2511.07118.

    reconstruction + beta KL + gamma sum over k of MAE( z_k, T_k(a_k) )
    T(a) = ( B(u + s) - mean ) / sd        B(x) = (x^p - 1) / p, or log x for p = 0        (Box & Cox 1964)

The KL divergence pulls each dimension towards N(0, 1). AR-VAE's loss (ar_vae.py) only orders a dimension, and its pairs
agree best if the codes lie far apart, so the two terms compete. Here the code has a target of its own, whose
distribution has mean 0, sd 1 and about the shape of N(0, 1). Both terms can then be small together.

The loss, the transformation, and the power p of maximum likelihood for each shift s of a grid are the authors', by
their published code (github.com/mpetteno/box-cox-latent-reg), which also prints several measures of normality. Three
details are arvae's:

- u = (a - smallest training value) / sd of the training values. The authors shift the raw attributes, which are never
  negative; arvae's contour can be.
- Of the shifts, the one with the smallest negentropy is taken: E[x^3]^2 / 12 + kurtosis^2 / 48, one of those measures.
- `mean` and `sd` are those of the whole training set, where the authors use a batch normalisation without parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from ...arrays import Floats
from .entries import Carriage
from .objective import Objective, Setting, Step, Terms, evidence

CLOSEST, FURTHEST, SHIFTS = 0.01, 3.0, 25  # the grid of shifts, in sd of the attribute, evenly spaced in its logarithm
STRONGEST = 5.0  # the largest |p|


@dataclass(frozen=True)
class PowerTransform:
    """T of one attribute. The field names are also the keys of the checkpoint's JSON."""

    low: float  # the smallest training value
    scale: float  # the sd of the training values
    shift: float  # s
    power: float  # p
    mean: float  # of B over the training values, and, below, its sd
    sd: float

    @classmethod
    def of(cls, values: Floats) -> PowerTransform:
        """T fitted to (n,) training values."""
        from scipy.optimize import minimize_scalar
        from scipy.special import boxcox
        from scipy.stats import boxcox_llf

        values = values.astype(np.float64)
        low, scale = float(values.min()), float(values.std())
        if low == values.max():  # a constant attribute: one unit of it is one unit of the code
            return cls(low, 1.0, 1.0, 1.0, 0.0, 1.0)
        candidates = []
        for shift in np.geomspace(CLOSEST, FURTHEST, SHIFTS).tolist():
            x = (values - low) / scale + shift
            bounds = (-STRONGEST, STRONGEST)
            power = float(minimize_scalar(lambda p, x=x: -boxcox_llf(p, x), bounds=bounds, method="bounded").x)
            y = boxcox(x, power)
            mean, sd = float(y.mean()), float(y.std())
            candidates.append((_negentropy((y - mean) / sd), cls(low, scale, shift, power, mean, sd)))
        return min(candidates, key=lambda pair: pair[0])[1]

    def __call__(self, values: Floats) -> Floats:
        """(b,) attribute values -> (b,) codes. A value below the training values gets the code of their smallest."""
        from scipy.special import boxcox

        x = np.maximum((values.astype(np.float64) - self.low) / self.scale, 0.0) + self.shift
        codes: Floats = (boxcox(x, self.power) - self.mean) / self.sd
        return codes


def _negentropy(x: Floats) -> float:
    """How far (n,) values of mean 0 and sd 1 are from normal, by their moments (Jones & Sibson 1987); 0 for a normal
    distribution."""
    return float((x**3).mean() ** 2 / 12 + ((x**4).mean() - 3) ** 2 / 48)


@dataclass(frozen=True)
class PowerTransformVae(Objective):
    beta: float
    gamma: float
    transforms: Sequence[PowerTransform]  # one for each attribute
    carriage: ClassVar[Carriage] = "trained"

    @property
    def fitted(self) -> list[dict[str, Any]]:
        return [asdict(transform) for transform in self.transforms]

    def terms(self, step: Step) -> Terms:
        values = step.batch.values.cpu().numpy()
        targets = np.stack([of(column) for of, column in zip(self.transforms, values.T, strict=True)], axis=1)
        codes = step.outputs.z[:, : len(self.transforms)]
        miss = (codes - torch.from_numpy(targets).to(codes)).abs().mean(dim=0).sum()
        return evidence(step, self.beta).plus("attribute", self.gamma, miss)


def make(setting: Setting) -> PowerTransformVae:
    return PowerTransformVae(setting.beta, setting.gamma, [PowerTransform.of(column) for column in setting.values.T])
