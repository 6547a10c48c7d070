"""How much further than a step the code of an attribute is moved, so that the decoder takes the whole step.

A decoder that is rewarded for what was asked, but also for changing nothing else (objectives/aligned.py), falls short:
of a wider range it takes nine tenths, and more so in tunes that it never saw. So it is asked, of measures held out,
for other measures' values, with each of GAINS. Chosen is the one by which the realised values follow best and are least
far off (Spearman's rho less the mean error in sd). It is the code of what is asked for that goes further, not of what
goes along.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..arrays import Floats, Rows
from ..editing.edit import Model
from ..evaluation.control import draw, latent, outcome, summary
from ..library import prepare
from ..music.attributes import evaluate_mixed
from ..vae.checkpoint import Checkpoint, Metadata
from ..vae.examples import Examples, distinct, spread

GAINS = (1.0, 1.05, 1.1, 1.15, 1.2)
ROWS = 1000  # measures that are asked, at most
FEWEST = 50  # of which anything can be told


def with_gains(checkpoint: Checkpoint, held_out: Examples) -> Checkpoint:
    """The same with the gains of the attributes that it carries, whose columns `held_out` has."""
    model = prepare(checkpoint)
    found = measured(model.restricted(model.metadata.carried), held_out)
    return replace(checkpoint, metadata=_gained(checkpoint.metadata, found))


def measured(model: Model, held_out: Examples) -> dict[str, float]:
    """By attribute of the model; none where there are too few measures to tell."""
    at = distinct(held_out)
    if len(at) < FEWEST:
        return {}
    inputs = held_out.take(at[spread(len(at), ROWS)]).inputs.astype(np.int16)
    drawn = draw(inputs, evaluate_mixed(model.specs, inputs), np.random.default_rng(0))
    return {name: _gain(model, inputs, drawn, k) for k, name in enumerate(model.metadata.names)}


def _gain(model: Model, inputs: Rows, drawn: Floats, k: int) -> float:
    worth, name = [], model.metadata.names[k]
    for gain in GAINS:
        tried = replace(model, metadata=_gained(model.metadata, {name: gain}))
        figures = summary(tried, outcome(tried, inputs, k, drawn[:, k], latent))
        worth.append(figures["rho"] - figures["error"])
    return GAINS[int(np.argmax(worth))]  # the least of equal ones


def _gained(metadata: Metadata, gains: Mapping[str, float]) -> Metadata:
    """With these gains, and 1 for the other attributes."""
    return replace(metadata, scales=tuple(replace(one, gain=gains.get(one.name, 1.0)) for one in metadata.scales))
