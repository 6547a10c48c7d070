"""beta-VAE: a weighted bottleneck and nothing else. Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a
Constrained Variational Framework", ICLR 2017, equation 4.

    reconstruction + beta KL
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..losses import kl_divergence
from .entries import Carriage
from .objective import Setting, Step, Terms


@dataclass(frozen=True)
class BetaVae:
    beta: float
    carriage: ClassVar[Carriage] = "found"
    critic: ClassVar[None] = None

    def terms(self, step: Step) -> Terms:
        reconstruction, kl = step.outputs.reconstruction, kl_divergence(*step.outputs.posterior)
        return Terms(reconstruction + self.beta * kl, {"reconstruction": reconstruction, "kl": kl})


def make(setting: Setting) -> BetaVae:
    return BetaVae(setting.beta)
