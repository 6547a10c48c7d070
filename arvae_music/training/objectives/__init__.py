"""Objectives: what training minimises. AR-VAE, and the methods that its paper argues against, in one trainer.

    ENTRIES["factor-vae"]                      what it is, where it is from, its usual weights
    make("factor-vae", Setting(...))           the Objective (objective.py), which the Trainer asks at every step

One file an objective, each a module with a function `make(setting)`. All share the networks, the batches, the
optimiser and the sum of the reconstruction (model.Outputs) and `beta` times the KL divergence; `gamma` weighs what is
an objective's own. Because the reconstruction of measures is a mean over the ticks, beta .001 is .024 of the evidence
lower bound's for 24 ticks; it is what Pati & Lerch trained their AR-VAE and their beta-VAE with. The other weights
follow from it as their papers state them, as multiples of the KL's.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from .entries import DEFAULT, ENTRIES, NOTHING, Carriage, Entry, entry

if TYPE_CHECKING:
    from .objective import Objective, Setting

__all__ = ["DEFAULT", "ENTRIES", "NOTHING", "Carriage", "Entry", "constants", "entry", "make"]


def make(name: str, setting: Setting) -> Objective:
    """Raises UsageError for a name that there is not, and where the setting lacks what the objective needs."""
    module = importlib.import_module(f".{entry(name).module}", __package__)
    made: Objective = module.make(setting)
    return made


def constants(name: str) -> dict[str, float]:
    """The numbers that an objective's module sets besides beta, gamma and delta: its constants in capitals, and the
    defaults of its Weights, if it has any. A run records them, because a later version may set others."""
    module = importlib.import_module(f".{entry(name).module}", __package__)
    found = {key: value for key, value in vars(module).items() if key.isupper() and isinstance(value, int | float)}
    if hasattr(module, "Weights"):
        found |= {f"weights.{key}": value for key, value in vars(module.Weights()).items()}
    return found
