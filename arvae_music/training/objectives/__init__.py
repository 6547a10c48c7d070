"""Objectives: the losses that training minimises, AR-VAE's and those of the methods that it is compared with.

    ENTRIES["factor-vae"]                      a summary of the objective: source, usual weights
    make("factor-vae", Setting(...))           the Objective (objective.py), which the Trainer evaluates at every step

Each objective is a module with a function `make(setting)`. All share the networks, the batches, the optimiser, and two
terms of the loss: the reconstruction (vae/model.py's Outputs) and `beta` times the KL divergence. `gamma` is the weight
of the term that is specific to the objective. The reconstruction of measures is a mean over the ticks; for measures of
24 ticks, beta = 0.001 therefore corresponds to beta = 0.024 in the evidence lower bound. Pati & Lerch trained their
AR-VAE and their beta-VAE with this value. The other objectives' weights are those of their papers relative to the KL's.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from .entries import ATTRIBUTE_LOSS, CONTEXTUAL, DEFAULT, ENTRIES, NOTHING, Carriage, Entry, entry

if TYPE_CHECKING:
    from .objective import Objective, Setting

__all__ = [
    "ATTRIBUTE_LOSS", "CONTEXTUAL", "DEFAULT", "ENTRIES", "NOTHING", "Carriage", "Entry", "constants", "entry", "make",
]  # fmt: skip


def make(name: str, setting: Setting) -> Objective:
    """Make the objective called `name`. Raises UsageError if there is none, or if the setting lacks what it needs."""
    module = importlib.import_module(f".{entry(name).module}", __package__)
    made: Objective = module.make(setting)
    return made


def constants(name: str) -> dict[str, float]:
    """The numbers that an objective's module sets besides beta, gamma and delta: its constants in capitals, and the
    defaults of its class Weights, if it has one. A run records them, because a later version may change them."""
    module = importlib.import_module(f".{entry(name).module}", __package__)
    found = {key: value for key, value in vars(module).items() if key.isupper() and isinstance(value, int | float)}
    if hasattr(module, "Weights"):
        found |= {f"weights.{key}": value for key, value in vars(module.Weights()).items()}
    return found
