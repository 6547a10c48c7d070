"""How a model of measures in context is trained, and how its checkpoint is made: the parts of music_recipe.MEASURES for
the objective `contextual`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from ..errors import CorpusError
from ..music.attributes import BUILT_IN, evaluate_mixed, find
from ..music.tokens import VOCABULARY_FACTS, by_meter
from ..networks.context import ContextDims
from ..networks.contextual import ContextualArVae
from ..networks.passages import Passages
from ..vae.checkpoint import Checkpoint
from ..vae.metadata import Metadata
from ..vae.scales import NOT_CARRIED
from .batches import Rank
from .calibration import from_codes, halved
from .joint_values import combinations_of, others
from .objectives import CONTEXTUAL, entry, make
from .recipe import BATCH_IN_CONTEXT, EPOCHS_IN_CONTEXT, STEPS_IN_CONTEXT, Data, Defaults, Plan
from .trainer import Trainer
from .window_batches import WindowBatches, WindowJudge, codes_of

DIMS = ContextDims()
MEASURES = 10_000  # training measures that the calibration is fitted on


def defaults(rows: int, batch: int = BATCH_IN_CONTEXT) -> Defaults:
    """The defaults for this many training measures and measures of 4/4 in a batch."""
    epochs = min(max(STEPS_IN_CONTEXT * batch // max(rows, 1), 1), EPOCHS_IN_CONTEXT)
    usual = entry(CONTEXTUAL)
    return Defaults(
        epochs, batch, 3e-3, usual.beta, usual.gamma, 10.0, 5.0, DIMS.latent, DIMS.measure_hidden, DIMS.tick_hidden
    )


def dims(options: Mapping[str, Any]) -> ContextDims:
    """The sizes of the networks. `hidden` is that of the GRUs over beats and measures; others are in proportion."""
    hidden = options["hidden"]
    part = hidden / DIMS.measure_hidden
    return ContextDims(
        latent=options["latent"], attributes=len(options["attributes"]), beat_hidden=round(DIMS.beat_hidden * part),
        measure_hidden=hidden, context_hidden=hidden, context=hidden, wide=round(DIMS.wide * part),
        decoder_hidden=round(DIMS.decoder_hidden * part), tick_hidden=options["tick_hidden"],
    )  # fmt: skip


def passages(plan: Plan, data: Data, part: str) -> Passages:
    """The measures of a part of the corpus in order, with the values of the run's attributes."""
    return Passages.of(data.tunes[part], [find(name) for name in plan.attributes])


def trainer(plan: Plan, data: Data, device: torch.device) -> Trainer:
    """Raises CorpusError if the training tunes have no two consecutive measures, or none is held out."""
    model, options = ContextualArVae(plan.dims).to(device), plan.options
    train, valid = passages(plan, data, "train"), passages(plan, data, "valid")
    if not valid.counted.any():
        raise CorpusError(f"{plan.corpus} is too small to hold a tune out", remedy="add tunes, or join corpora by +")
    source = WindowBatches(train, options.batch, options.seed, Rank.here(), device)
    judge = WindowJudge(model, valid, options.valid_rows)
    measure = partial(evaluate_mixed, [find(name) for name in plan.attributes])
    objective = make(CONTEXTUAL, options.setting(model.latent, train.examples, measure))
    return Trainer(model, source, judge, options, objective)


def checkpoint(
    plan: Plan, data: Data, trainer: Trainer, training: dict[str, Any], provenance: dict[str, Any]
) -> Checkpoint:
    """The checkpoint of a trained model, calibrated on training measures in their contexts."""
    assert isinstance(trainer.source, WindowBatches)
    model, train = halved(trainer.model), trainer.source.train
    specs = [find(name) for name in plan.attributes]
    at, codes = codes_of(model, train, MEASURES)
    counted = train.counted[at]
    at, codes = at[counted], codes[counted, : len(specs)]
    values = np.concatenate([train.values[at], evaluate_mixed(others(specs), train.inputs[at])], axis=1)
    named = [(spec.name, "" if name in BUILT_IN else name, k)
             for k, (spec, name) in enumerate(zip(specs, plan.attributes, strict=True))]  # fmt: skip
    named += [(spec.name, "", NOT_CARRIED) for spec in others(specs)]
    weights = {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()}
    found = from_codes(named, values.astype(np.float64), codes, weights)
    examples = train.examples
    meters = {meter.name: len(rows) for meter, rows in by_meter(examples.inputs)}
    return Checkpoint(
        Metadata(
            "measures", plan.dims.to_json(), found.scales, found.correlation, found.code_correlation, meters, training,
            provenance, data.combinations or combinations_of(examples, specs), VOCABULARY_FACTS,
        ),
        found.weights,
    )  # fmt: skip
