"""What the Trainer and an objective know of each other.

A step: the Trainer draws a batch and runs the model on it, asks the objective for its `terms`, and moves the model
down their total. An objective may have a `critic`, a network of its own that is trained against the model: after the
model's move, the critic's loss of the same step moves it, by an Adam of its own, and its weights and moments are part
of the run's state.

`Step.draw` gives an objective further rows, `Step.model.sample` and `log_prob` decode and judge them, and
`Setting.measure` is the attributes as a black box: nothing here knows what the rows are.

Under torch.distributed terms are of a rank's own rows, except for the attribute loss (losses.py), and gradients,
a critic's too, are averaged.

Shapes: b batch, z latent, k attributes, n training examples.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ...arrays import Array, Float32s, Floats
from ...vae.combinations import Combinations
from ...vae.model import ArVae, Outputs
from ...vae.normal_scores import Codes
from ..losses import kl_divergence
from .entries import Carriage

HIDDEN = 128
SLOPE = 0.2  # of the leaky rectifiers, as in Kim & Mnih (2018)
LEARNING_RATE = 1e-3  # of Adam: ten times the published, for runs of minutes instead of hours


Measure = Callable[[Array], Floats]  # (m, ...) rows -> (m, k) attribute values


Memory = Mapping[str, Tensor]


class Terms(NamedTuple):
    """The objective and its parts, each a scalar, the parts before their weights."""

    total: Tensor
    parts: Mapping[str, Tensor]

    def plus(self, name: str, weight: float, term: Tensor) -> Terms:
        return Terms(self.total + weight * term, {**self.parts, name: term})


@dataclass(frozen=True, eq=False)
class Batch:
    inputs: Tensor  # (b, ...)
    values: Tensor  # (b, k) attribute values
    codes: Tensor  # (b, k) the same as normal scores (normal.py), drawn
    made_up: int  # how many of the first rows are augmentation


@dataclass(frozen=True, eq=False)
class Step:
    model: ArVae
    batch: Batch
    outputs: Outputs
    progress: float  # of the run, 0 .. 1
    draw: Callable[[int], Batch]  # so many further training rows, none made up


def evidence(step: Step, beta: float, first: int = 0) -> Terms:
    """Reconstruction + beta KL, of the dimensions from `first` on: what all objectives begin with."""
    mean, log_variance = step.outputs.posterior
    reconstruction, kl = step.outputs.reconstruction, kl_divergence(mean[:, first:], log_variance[:, first:])
    return Terms(reconstruction, {"reconstruction": reconstruction}).plus("kl", beta, kl)


@dataclass(frozen=True, eq=False)
class Setting:
    """What an objective is made from."""

    latent: int
    values: Float32s  # (n, k), of the training examples
    beta: float
    gamma: float
    delta: float
    seed: int = 0
    measure: Measure | None = None
    codes: Codes | None = None  # None: those of `values`
    combinations: Combinations | None = None  # by context (model.ArVae); None, where there is none: those of `values`

    @property
    def attributes(self) -> int:
        return int(self.values.shape[1])


@dataclass(frozen=True, eq=False)
class Critic:
    module: nn.Module
    learning_rate: float
    loss: Callable[[Step], Tensor]  # of the module: what comes from the model is to be detached


class Phase(NamedTuple):
    """A stretch of a run, until the next one. In each the learning rate rises, and falls to nearly nothing."""

    start: float  # of the run, 0 .. 1
    learns: tuple[str, ...]  # the parts of the model, by name; the others stay as they are


PARTS = ("encoder", "decoder", "flow")  # of a model; some have no flow
WHOLE = (Phase(0.0, PARTS),)


class Objective(Protocol):
    """To be inherited from: what few objectives have is not there in the others."""

    @property
    @abstractmethod
    def carriage(self) -> Carriage: ...

    @property
    def critic(self) -> Critic | None:
        return None

    @property
    def memory(self) -> Memory:
        """What it keeps from step to step, changed in place: part of the run's state."""
        return {}

    @property
    def phases(self) -> Sequence[Phase]:
        """Of a run, the first from 0 on; all parts that the model has learn in one of them."""
        return WHOLE

    @abstractmethod
    def terms(self, step: Step) -> Terms: ...


def perceptron(inputs: int, outputs: int, seed: int) -> nn.Module:
    """Two hidden layers; the same weights for a seed, whatever else was drawn before, and on every rank."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(inputs, HIDDEN),
            nn.LeakyReLU(SLOPE),
            nn.Linear(HIDDEN, HIDDEN),
            nn.LeakyReLU(SLOPE),
            nn.Linear(HIDDEN, outputs),
        )
