"""beta-TCVAE: penalise dependence between latent dimensions, estimated from the batch. Chen, Li, Grosse & Duvenaud,
"Isolating Sources of Disentanglement in Variational Autoencoders", NeurIPS 2018, equations 2 and 4, and appendix C.2.

    reconstruction + beta KL + gamma TC,      TC = E[ log q(z) - sum over d of log q(z_d) ]

KL is the sum of mutual information, TC and dimension-wise KL; the paper weighs TC by its own beta, which is
1 + gamma / beta here (6 there). The density q(z) of a code, over all n training examples, is estimated from the batch:

    q(z_i) ~ q(z_i | x_i) / n + (n - 1) / n * mean over the others j of q(z_i | x_j)

which is unbiased, as is the paper's minibatch stratified sampling, which weighs the other examples unevenly, but with
the same mean. (The logarithm of the estimate is biased in both cases.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...vae.model import Posterior
from .entries import Carriage
from .objective import Objective, Setting, Step, Terms, evidence


@dataclass(frozen=True)
class BetaTcVae(Objective):
    beta: float
    gamma: float
    examples: int
    carriage: ClassVar[Carriage] = "found"

    def terms(self, step: Step) -> Terms:
        correlation = total_correlation(step.outputs.z, step.outputs.posterior, self.examples)
        return evidence(step, self.beta).plus("total correlation", self.gamma, correlation)


def total_correlation(z: Tensor, posterior: Posterior, examples: int) -> Tensor:
    """(b, z) sampled codes and their batch's posteriors -> their total correlation in nats, for all `examples`."""
    densities = log_densities(z, posterior)
    weights = log_weights(len(z), examples).to(z)
    together = torch.logsumexp(densities.sum(dim=2) + weights, dim=1)
    apart = torch.logsumexp(densities + weights[:, :, None], dim=1).sum(dim=1)
    return (together - apart).mean()


def log_densities(z: Tensor, posterior: Posterior) -> Tensor:
    """(b, b, z): at i, j, d the logarithm of q(z_i^d | x_j)."""
    mean, log_variance = posterior
    squares = (z[:, None] - mean[None]).square() * (-log_variance)[None].exp()
    return -0.5 * (squares + log_variance[None] + math.log(2 * math.pi))


def log_weights(batch: int, examples: int) -> Tensor:
    """(b, b) logarithms of weights, on the diagonal for a row's own posterior; the weights of a row add up to 1."""
    others = math.log((examples - 1) / (examples * (batch - 1))) if batch > 1 and examples > 1 else -math.inf
    weights = torch.full((batch, batch), others)
    return weights.fill_diagonal_(-math.log(examples) if batch > 1 else 0.0)


def make(setting: Setting) -> BetaTcVae:
    return BetaTcVae(setting.beta, setting.gamma, len(setting.values))
