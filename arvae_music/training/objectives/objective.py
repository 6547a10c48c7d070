"""The interface between the Trainer and an objective.

In each step the Trainer takes a batch, calls the model with the objective's `arguments`, computes the `terms` of the
objective, and takes a gradient step of the model on their total. An objective may have a `critic`, a network of its own
that is trained against the model. After the model's gradient step, the critic takes one on its own loss for the same
batch, with an Adam optimiser of its own. Its weights and moments are part of the saved state of the run.

`Step.draw` gives an objective further rows, `Step.model.sample` decodes, `Step.model.log_prob` computes likelihoods,
and `Setting.measure` measures attributes as a black box. Objectives therefore need not know what the rows are.

Under torch.distributed the terms are computed from the rows of each rank, except for the attribute loss (losses.py),
and the gradients, including a critic's, are averaged.

Shapes: b batch, z latent, k attributes, n training examples.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ...arrays import Array, Float32s, Floats
from ...vae.combinations import Combinations
from ...vae.model import ArVae
from ...vae.normal_scores import Codes
from ..losses import kl_divergence
from .entries import Carriage

HIDDEN = 128
SLOPE = 0.2  # slope of the leaky rectifiers, as in Kim & Mnih (2018)
LEARNING_RATE = 1e-3  # of a critic: ten times the published one, for runs of minutes instead of hours


Measure = Callable[[Array], Floats]  # (m, ...) rows -> (m, k) attribute values


Memory = Mapping[str, Tensor]


class Terms(NamedTuple):
    """The total loss and its parts, all scalars; the parts are not multiplied by their weights."""

    total: Tensor
    parts: Mapping[str, Tensor]

    def plus(self, name: str, weight: float, term: Tensor) -> Terms:
        return Terms(self.total + weight * term, {**self.parts, name: term})


@dataclass(frozen=True, eq=False)
class Batch:
    inputs: Tensor  # (b, ...)
    values: Tensor  # (b, k) attribute values
    codes: Tensor  # (b, k) codes drawn from the normal scores of the values (vae/normal_scores.py)
    made_up: int  # the number of rows, the first ones, that augmentation made


@dataclass(frozen=True, eq=False)
class Step:
    model: ArVae  # contextual.py trains another network, and reads `outputs` only
    batch: Batch
    outputs: Any  # of the model's forward for `Objective.arguments`: Outputs, if the model is an ArVae
    progress: float  # the share of the run that is over, 0 .. 1
    draw: Callable[[int], Batch]  # draws this many further training rows, without augmentation


def evidence(step: Step, beta: float, first: int = 0) -> Terms:
    """Reconstruction + beta KL, the terms that all objectives have. The KL is of the dimensions from `first` on."""
    mean, log_variance = step.outputs.posterior
    reconstruction, kl = step.outputs.reconstruction, kl_divergence(mean[:, first:], log_variance[:, first:])
    return Terms(reconstruction, {"reconstruction": reconstruction}).plus("kl", beta, kl)


@dataclass(frozen=True, eq=False)
class Setting:
    """Everything that an objective is made from."""

    latent: int  # the number of latent dimensions
    values: Float32s  # (n, k) attribute values of the training examples
    beta: float
    gamma: float
    delta: float
    seed: int = 0
    measure: Measure | None = None
    codes: Codes | None = None  # None for the normal scores of `values`
    combinations: Combinations | None = None  # None for those of `values`, with all examples in one group

    @property
    def attributes(self) -> int:
        return int(self.values.shape[1])


@dataclass(frozen=True, eq=False)
class Critic:
    module: nn.Module
    learning_rate: float
    loss: Callable[[Step], Tensor]  # must detach everything that comes from the model


class Phase(NamedTuple):
    """A part of a run, which ends where the next phase starts. In each phase the learning rate rises and falls
    again."""

    start: float  # the share of the run, 0 .. 1, at which the phase starts
    learns: tuple[str, ...]  # the names of the model's parts that are trained; the others are frozen
    rate: float = 1.0  # the largest learning rate of the phase, as a share of the run's


PARTS = ("encoder", "decoder", "flow")  # the parts of a model; some models have no flow
WHOLE = (Phase(0.0, PARTS),)


class Objective(Protocol):
    """The base class of objectives. All but `carriage` and `terms` have defaults, because few objectives need them."""

    @property
    @abstractmethod
    def carriage(self) -> Carriage: ...

    @property
    def critic(self) -> Critic | None:
        return None

    @property
    def memory(self) -> Memory:
        """Tensors that the objective keeps from step to step and changes in place. They are saved with the run."""
        return {}

    @property
    def fitted(self) -> Sequence[Mapping[str, Any]]:
        """For each attribute the numbers that the objective fitted to its training values, for the checkpoint."""
        return ()

    @property
    def phases(self) -> Sequence[Phase]:
        """The phases of a run. The first starts at 0, and every part of the model learns in at least one."""
        return WHOLE

    @abstractmethod
    def terms(self, step: Step) -> Terms: ...

    def arguments(self, batch: Batch) -> tuple[Any, ...]:
        """The arguments with which a step calls the model. The random generator of PyTorch is the step's."""
        return batch.inputs, batch.made_up, batch.codes if self.carriage == "given" else None

    @property
    def momentum(self) -> tuple[float, float]:
        """Adam's decay rates of the means of the gradient and of its square."""
        return 0.9, 0.999


def perceptron(inputs: int, outputs: int, seed: int) -> nn.Module:
    """A network of two hidden layers. The same seed gives the same weights, on every rank and whatever was drawn
    before.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(inputs, HIDDEN),
            nn.LeakyReLU(SLOPE),
            nn.Linear(HIDDEN, HIDDEN),
            nn.LeakyReLU(SLOPE),
            nn.Linear(HIDDEN, outputs),
        )
