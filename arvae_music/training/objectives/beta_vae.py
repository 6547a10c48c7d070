"""beta-VAE: a weighted KL divergence and no further term. Higgins et al., "beta-VAE: Learning Basic Visual Concepts
with a Constrained Variational Framework", ICLR 2017, equation 4.

    reconstruction + beta KL
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .entries import Carriage
from .objective import Objective, Setting, Step, Terms, evidence


@dataclass(frozen=True)
class BetaVae(Objective):
    beta: float
    carriage: ClassVar[Carriage] = "found"

    def terms(self, step: Step) -> Terms:
        return evidence(step, self.beta)


def make(setting: Setting) -> BetaVae:
    return BetaVae(setting.beta)
