"""Fader network: the decoder is given the attributes, and an adversary removes them from the other dimensions. Lample
et al., "Fader Networks: Manipulating Images by Sliding Attributes", NeurIPS 2017, equations 1 to 3.

    adversary    sum over k of -log P( y_k | z )
    model        reconstruction( x | z, a ) + beta KL + gamma sum over k of -log( 1 - P( y_k | z ) )

y_k is the class of attribute k. The paper's attributes have two classes; here they are continuous, and their classes
are up to CLASSES quantiles, as in Kawai, Esling & Harada ("Attributes-aware deep music transformation", ISMIR 2020) for
music. For two classes, the model's term is the paper's -log P(1 - y | z). z are the dimensions without a given code.
gamma grows linearly over the first half of the run (in the paper, over the first half million steps).

Differences: the paper has an autoencoder; here the codes are sampled from a VAE's posterior, with the same small beta
as all objectives. The decoder gets the normal score of the value, not a class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from .entries import Carriage
from .objective import LEARNING_RATE, Critic, Objective, Setting, Step, Terms, evidence, perceptron

CLASSES = 8
RISE = 0.5  # the share of the run over which gamma grows


@dataclass(frozen=True, eq=False)
class Fader(Objective):
    beta: float
    gamma: float
    edges: tuple[Tensor, ...]  # for each attribute the increasing raw values between its classes
    adversary: nn.Module  # (b, z - k) -> logits of the classes of all attributes, concatenated
    carriage: ClassVar[Carriage] = "given"

    @property
    def critic(self) -> Critic:
        return Critic(self.adversary, LEARNING_RATE, self._adversary_loss)

    def terms(self, step: Step) -> Terms:
        logits = self._logits(step.outputs.z)
        known = sum_of([disguise(each, y) for each, y in zip(logits, self._classes(step), strict=True)])
        weight = self.gamma * min(1.0, step.progress / RISE)
        return evidence(step, self.beta, first=len(self.edges)).plus("disguise", weight, known)

    def _adversary_loss(self, step: Step) -> Tensor:
        logits = self._logits(step.outputs.z.detach())
        return sum_of([cross_entropy(each, y) for each, y in zip(logits, self._classes(step), strict=True)])

    def _logits(self, z: Tensor) -> Sequence[Tensor]:
        free = z[:, len(self.edges) :]
        return torch.split(self.adversary(free), [len(edges) + 1 for edges in self.edges], dim=1)

    def _classes(self, step: Step) -> list[Tensor]:
        values = step.batch.values
        return [classes(values[:, k], edges.to(values)) for k, edges in enumerate(self.edges)]


def disguise(logits: Tensor, truth: Tensor) -> Tensor:
    """(b, c) logits and (b,) true classes -> the mean of -log(1 - P(truth)), small if the adversary errs."""
    own = torch.zeros_like(logits).scatter_(1, truth[:, None], -torch.inf)
    return -torch.logsumexp(log_softmax(logits, dim=1) + own, dim=1).mean()


def classes(values: Tensor, edges: Tensor) -> Tensor:
    """(b,) values -> (b,) class numbers, which are the numbers of edges below the values."""
    return torch.searchsorted(edges, values.contiguous())


def sum_of(terms: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum()


def edges_of(values: np.ndarray) -> Tensor:
    """(n,) values -> the edges between at most CLASSES quantiles; no class is empty.

    There is at least one edge. For a constant attribute it puts all values into one of two classes.
    """
    quantiles = np.unique(np.quantile(values, np.arange(1, CLASSES) / CLASSES, method="inverted_cdf"))
    inner = quantiles[quantiles < values.max()]  # a value that equals an edge belongs to the class below
    return torch.from_numpy((inner if len(inner) else quantiles[:1]).astype(np.float32))


def make(setting: Setting) -> Fader:
    edges = tuple(edges_of(column) for column in setting.values.T)
    outputs = sum(len(each) + 1 for each in edges)
    adversary = perceptron(setting.latent - setting.attributes, outputs, setting.seed)
    return Fader(setting.beta, setting.gamma, edges, adversary)
