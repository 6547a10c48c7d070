"""A small data set and a trainer on it, for tests of objectives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli

from arvae_music.training import objectives
from arvae_music.training.objectives import ENTRIES
from arvae_music.training.trainer import Trainer, TrainingOptions
from arvae_music.vae.examples import Examples
from arvae_music.vae.flow import ConditionalFlow
from arvae_music.vae.model import ArVae, Decoding

WIDTH, LATENT = 6, 5
OPTIONS = TrainingOptions(epochs=4, batch=16, learning_rate=1e-2, report_steps=1, valid_steps=4)


class Bits(nn.Module):
    """A decoder of independent bits: no music."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(LATENT, WIDTH)

    def forward(self, z: Tensor, inputs: Tensor) -> Decoding:
        return Decoding(Bernoulli(logits=self.layer(z)), inputs)

    def generate(self, z: Tensor, inputs: Tensor) -> Tensor:
        return (self.layer(z) > 0).float()

    def sample(self, z: Tensor, inputs: Tensor) -> Tensor:
        return Bernoulli(logits=self.layer(self.repeated(z, inputs))).sample()

    def log_prob(self, z: Tensor, inputs: Tensor) -> Tensor:
        return Bernoulli(logits=self.layer(self.repeated(z, inputs))).log_prob(inputs).sum(dim=1)

    def repeated(self, z: Tensor, inputs: Tensor) -> Tensor:
        return z.repeat_interleave(len(inputs) // len(z), dim=0)


class Encoding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(WIDTH, 2 * LATENT)

    def forward(self, inputs: Tensor) -> Iterator[Tensor]:
        return iter(self.layer(inputs).chunk(2, dim=1))


def measure(rows: np.ndarray) -> np.ndarray:
    """Two attributes of a row of bits: how many are set, and which half holds more."""
    return np.stack([rows.sum(axis=1), rows[:, :3].sum(axis=1) - rows[:, 3:].sum(axis=1)], axis=1)


def examples(count: int = 64) -> Examples:
    inputs = np.random.default_rng(0).integers(0, 2, (count, WIDTH)).astype(np.float32)
    return Examples(inputs, measure(inputs).astype(np.float32), ("set", "side"), np.arange(count))
DATA = examples()


def bits(flow: bool = False) -> ArVae:
    """`flow`: with one, of the dimensions that carry no attribute."""
    torch.manual_seed(0)
    return ArVae(Encoding(), Bits(), LATENT, flow=ConditionalFlow(LATENT - 2, 2, 8, 2) if flow else None)


def trainer(name: str, options: TrainingOptions = OPTIONS, flow: bool = False) -> Trainer:
    usual = ENTRIES[name]
    options = replace(options, objective=name, beta=usual.beta, gamma=usual.gamma)
    objective = objectives.make(name, options.setting(LATENT, DATA, measure))

    def compare(a: Tensor, b: Tensor) -> dict[str, float]:
        return {"bits": float((a == b).float().mean())}

    return Trainer.of_examples(bits(flow), DATA, DATA, options, compare, None, objective)
