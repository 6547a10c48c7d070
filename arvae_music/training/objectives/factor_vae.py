"""FactorVAE: penalise dependence between latent dimensions, estimated by a discriminator. Kim & Mnih, "Disentangling by
Factorising", ICML 2018, equation 2 and algorithm 2.

    reconstruction + beta KL + gamma TC,      TC = KL( q(z) || product over d of q(z_d) )  ~  mean( D(z) )

The discriminator D distinguishes codes from codes whose dimensions were each shuffled over the batch. If it is optimal,
its logit is the log-ratio of the two densities. `gamma / beta` is the paper's gamma (10 to 100 there).
Difference: the shuffled codes come from the same batch, not from a second one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from .entries import Carriage
from .objective import LEARNING_RATE, Critic, Objective, Setting, Step, Terms, evidence, perceptron


@dataclass(frozen=True, eq=False)
class FactorVae(Objective):
    beta: float
    gamma: float
    discriminator: nn.Module  # (b, z) codes -> (b, 1) log-odds that they were not shuffled
    carriage: ClassVar[Carriage] = "found"

    @property
    def critic(self) -> Critic:
        return Critic(self.discriminator, LEARNING_RATE, self._discrimination)

    def terms(self, step: Step) -> Terms:
        correlation = self.discriminator(step.outputs.z).mean()
        return evidence(step, self.beta).plus("total correlation", self.gamma, correlation)

    def _discrimination(self, step: Step) -> Tensor:
        z = step.outputs.z.detach()
        return discrimination(self.discriminator(z), self.discriminator(shuffled(z)))


def discrimination(whole: Tensor, apart: Tensor) -> Tensor:
    """The mean cross-entropy of the discriminator, from its log-odds for original (`whole`) and shuffled codes
    (`apart`).
    """
    return 0.5 * (softplus(-whole).mean() + softplus(apart).mean())


def shuffled(z: Tensor) -> Tensor:
    """(b, z) with each dimension shuffled over the batch on its own: the paper's algorithm 1."""
    order = torch.rand_like(z).argsort(dim=0)
    return z.gather(0, order)


def make(setting: Setting) -> FactorVae:
    return FactorVae(setting.beta, setting.gamma, perceptron(setting.latent, 1, setting.seed))
