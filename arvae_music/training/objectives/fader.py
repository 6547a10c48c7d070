"""Fader network: the decoder is given the attributes, and an adversary keeps them out of everything else. Lample et
al., "Fader Networks: Manipulating Images by Sliding Attributes", NeurIPS 2017, equations 1 to 3.

    adversary    sum over k of -log P( y_k | z )
    model        reconstruction( x | z, a ) + beta KL + gamma sum over k of -log( 1 - P( y_k | z ) )

y_k is the class of attribute k: the paper's attributes have two, where the model's term is its -log P(1 - y | z);
these are continuous, and their classes are up to CLASSES quantiles, as Kawai, Esling & Harada ("Attributes-aware
deep music transformation", ISMIR 2020) do for music. z is the dimensions that hold no given code. gamma rises in a
straight line over the first half of the run (the paper: over the first half million steps).

Differences: the codes are a VAE's, sampled and held near the prior by the small beta of all objectives here, where
the paper's are an autoencoder's; the decoder is given the value's normal score, not a class.
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
RISE = 0.5  # of the run, until gamma is whole


@dataclass(frozen=True, eq=False)
class Fader(Objective):
    beta: float
    gamma: float
    edges: tuple[Tensor, ...]  # between the classes of each attribute, raw values, rising
    adversary: nn.Module  # (b, z - k) -> logits of all attributes' classes side by side
    carriage: ClassVar[Carriage] = "given"

    @property
    def critic(self) -> Critic:
        return Critic(self.adversary, LEARNING_RATE, self._betrayal)

    def terms(self, step: Step) -> Terms:
        logits = self._logits(step.outputs.z)
        known = sum_of([disguise(each, y) for each, y in zip(logits, self._classes(step), strict=True)])
        weight = self.gamma * min(1.0, step.progress / RISE)
        return evidence(step, self.beta, first=len(self.edges)).plus("disguise", weight, known)

    def _betrayal(self, step: Step) -> Tensor:
        logits = self._logits(step.outputs.z.detach())
        return sum_of([cross_entropy(each, y) for each, y in zip(logits, self._classes(step), strict=True)])

    def _logits(self, z: Tensor) -> Sequence[Tensor]:
        free = z[:, len(self.edges) :]
        return torch.split(self.adversary(free), [len(edges) + 1 for edges in self.edges], dim=1)

    def _classes(self, step: Step) -> list[Tensor]:
        values = step.batch.values
        return [classes(values[:, k], edges.to(values)) for k, edges in enumerate(self.edges)]


def disguise(logits: Tensor, truth: Tensor) -> Tensor:
    """(b, c) logits and (b,) true classes -> the mean of -log(1 - P(truth)): small where the truth is not seen."""
    own = torch.zeros_like(logits).scatter_(1, truth[:, None], -torch.inf)
    return -torch.logsumexp(log_softmax(logits, dim=1) + own, dim=1).mean()


def classes(values: Tensor, edges: Tensor) -> Tensor:
    """(b,) values -> (b,) class numbers: how many edges lie below."""
    return torch.searchsorted(edges, values.contiguous())


def sum_of(terms: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum()


def edges_of(values: np.ndarray) -> Tensor:
    """(n,) values -> the edges between at most CLASSES quantiles, each class with something in it.

    At least one: the two classes of a constant attribute are all and none, which nothing can betray.
    """
    quantiles = np.unique(np.quantile(values, np.arange(1, CLASSES) / CLASSES, method="inverted_cdf"))
    inner = quantiles[quantiles < values.max()]  # a value at an edge is below it
    return torch.from_numpy((inner if len(inner) else quantiles[:1]).astype(np.float32))


def make(setting: Setting) -> Fader:
    edges = tuple(edges_of(column) for column in setting.values.T)
    outputs = sum(len(each) + 1 for each in edges)
    adversary = perceptron(setting.latent - setting.attributes, outputs, setting.seed)
    return Fader(setting.beta, setting.gamma, edges, adversary)
