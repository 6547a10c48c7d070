"""Measures to train on, for tests of training."""

from __future__ import annotations

import numpy as np
import torch

from arvae_music.music.attributes import PAPER, evaluate_mixed, find
from arvae_music.music.meter import Meter
from arvae_music.music.tokens import FIRST_PITCH, HOLD, pack
from arvae_music.networks.hierarchical import MeasureDims, build
from arvae_music.training.music_recipe import to_checkpoint
from arvae_music.training.objectives import Carriage
from arvae_music.vae.examples import Examples
from arvae_music.vae.model import ArVae

SPECS = [find(name) for name in PAPER]
DIMS = MeasureDims(latent=6, hidden=8, tick_hidden=6, token_dropout=0.3, null_share=0.2)


def examples(count: int = 28, seed: int = 0) -> Examples:
    """Short measures of two meters."""
    random = np.random.default_rng(seed)
    meters = [Meter(2, compound=bool(flag)) for flag in random.integers(0, 2, count)]
    rows = []
    for meter in meters:
        row = np.full(meter.ticks, HOLD, dtype=np.int16)
        at = random.choice(meter.ticks, random.integers(1, 6), replace=False)
        row[at] = random.integers(FIRST_PITCH + 10, FIRST_PITCH + 30, len(at))
        rows.append(row)
    inputs = pack(rows, meters, 12)
    values = evaluate_mixed(SPECS, inputs).astype(np.float32)
    return Examples(inputs, values, PAPER, np.arange(count, dtype=np.int64))
TRAIN, VALID = examples(), examples(12, seed=1)



def model(seed: int = 0, dims: MeasureDims = DIMS) -> ArVae:
    torch.manual_seed(seed)
    made = build(dims)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return made.eval()


def saved(carriage: Carriage, seed: int = 0):
    return to_checkpoint(model(seed), DIMS, TRAIN, SPECS, [""] * len(SPECS), {}, {}, carriage)
