"""The networks that objectives train against the model."""

from __future__ import annotations

import torch
from torch import nn

HIDDEN = 128
SLOPE = 0.2  # of the leaky rectifiers, as in Kim & Mnih (2018)
LEARNING_RATE = 1e-3  # of Adam: ten times the published, for runs of minutes instead of hours


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
