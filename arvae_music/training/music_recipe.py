"""How a model of measures is trained, and how its checkpoint is made: MEASURES is the domain of music."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..arrays import Floats, Rows
from ..evaluation.control import draw, latent, outcome, summary
from ..evaluation.published import PUBLISHED
from ..music.attributes import BUILT_IN, PAPER, AttributeSpec, evaluate_mixed, find
from ..music.tokens import VOCABULARY_FACTS, by_meter
from ..networks.context import ContextDims
from ..networks.hierarchical import MeasureDims, accuracy, build, mirrored
from ..networks.model import Model, prepare
from ..vae.checkpoint import Checkpoint, read
from ..vae.combinations import Combinations
from ..vae.examples import Examples, distinct, spread
from ..vae.metadata import Metadata
from ..vae.model import ArVae
from . import context_recipe
from .augmentation import Mixer
from .calibration import calibrated, calibration_rows
from .joint_values import combinations_of, others
from .objectives import CONTEXTUAL, Carriage, entry, make
from .recipe import BATCH, BATCH_IN_CONTEXT, EPOCHS, STEPS, Data, Defaults, Plan, Result
from .trainer import Trainer

FLOW_LAYERS = 6  # of the flow of an aligned model
WIDE = 64  # features that the decoder of an aligned model computes from z
GAINS = (1.0, 1.05, 1.1, 1.15, 1.2)  # the gains that are tried (scales.Scale.gain)
ROWS = 1000  # the largest number of measures that gains are measured on
FEWEST = 50  # gains are not measured on fewer measures

def to_checkpoint(
    model: ArVae,
    dims: MeasureDims,
    train: Examples,
    specs: Sequence[AttributeSpec],
    origins: Sequence[str],
    training: dict[str, Any],
    provenance: dict[str, Any],
    carriage: Carriage = "trained",
    combinations: Combinations | None = None,
) -> Checkpoint:
    """The checkpoint of a trained model, calibrated on `train` (calibration.py). It also has the statistics of the
    built-in attributes without a latent dimension.

    `origins` tells where each attribute comes from: "" or module:function. `combinations` are `combinations_of` the
    same examples and attributes; they are computed if they are None.
    """
    at = calibration_rows(train)
    more = others(specs)
    measured = evaluate_mixed(more, train.inputs[at])
    further = {spec.name: column for spec, column in zip(more, measured.T, strict=True)}
    found = calibrated(model, train, at, further, origins, carriage, partial(mirrored, latent=dims.latent))
    meters = {meter.name: len(rows) for meter, rows in by_meter(train.inputs)}
    return Checkpoint(
        Metadata(
            "measures", dims.to_json(), found.scales, found.correlation, found.code_correlation, meters, training,
            provenance, combinations or combinations_of(train, specs), VOCABULARY_FACTS,
        ),
        found.weights,
    )  # fmt: skip


def with_gains(checkpoint: Checkpoint, held_out: Examples) -> Checkpoint:
    """The checkpoint with gains for its attributes with a latent dimension, measured on `held_out`."""
    model = prepare(checkpoint)
    found = measured_gains(model.restricted(model.metadata.carried), held_out)
    return replace(checkpoint, metadata=_gained(checkpoint.metadata, found))


def measured_gains(model: Model, held_out: Examples) -> dict[str, float]:
    """The best gain of each attribute of the model, by name; empty if there are fewer than FEWEST measures."""
    at = distinct(held_out)
    if len(at) < FEWEST:
        return {}
    inputs = held_out.take(at[spread(len(at), ROWS)]).inputs.astype(np.int16)
    drawn = draw(inputs, evaluate_mixed(model.specs, inputs), np.random.default_rng(0))
    return {name: _gain(model, inputs, drawn, k) for k, name in enumerate(model.metadata.names)}


def _gain(model: Model, inputs: Rows, drawn: Floats, k: int) -> float:
    """The gain with which single decodes follow requests for attribute k best."""
    worth, name = [], model.metadata.names[k]
    for gain in GAINS:
        tried = replace(model, metadata=_gained(model.metadata, {name: gain}))
        figures = summary(tried, outcome(tried, inputs, k, drawn[:, k], latent))
        worth.append(figures["rho"] - figures["error"])
    return GAINS[int(np.argmax(worth))]  # the smallest of equally good ones


def _gained(metadata: Metadata, gains: Mapping[str, float]) -> Metadata:
    """The metadata with these gains, and a gain of 1 for the other attributes."""
    return replace(metadata, scales=tuple(replace(one, gain=gains.get(one.name, 1.0)) for one in metadata.scales))


class Measures:
    """The domain of music: a row is a measure."""

    objective = CONTEXTUAL
    unit = "measures"
    held_out = "tunes"
    trial = "arvae edit melody.mid --density +1.5 --model {run}"

    def attributes(self, corpus: str) -> tuple[str, ...]:
        return PAPER

    def defaults(self, corpus: str, rows: int, objective: str, batch: int | None = None) -> Defaults:
        if objective == CONTEXTUAL:
            return context_recipe.defaults(rows, batch or BATCH_IN_CONTEXT)
        batch = batch or BATCH
        epochs = EPOCHS.get(corpus) or max(STEPS * batch // max(rows, 1), 1)
        usual = entry(objective)
        return Defaults(
            epochs, batch, 4e-3, usual.beta, usual.gamma, 10.0, 1.0, 32, 128, tick_hidden=64, token_dropout=0.1, mix=0.5
        )

    def dims(self, corpus: str, options: Mapping[str, Any]) -> MeasureDims | ContextDims:
        if options["objective"] == CONTEXTUAL:
            return context_recipe.dims(options)
        own = {name: options[name] for name in ("latent", "hidden", "tick_hidden", "token_dropout")}
        attributes = len(options["attributes"])
        flow = FLOW_LAYERS if options["objective"] == "aligned" and attributes < options["latent"] else 0
        if not flow:
            return MeasureDims(**own)
        return MeasureDims(**own, flow_layers=flow, attributes=attributes, wide=WIDE, each_tick=True)

    def read_dims(self, body: Mapping[str, Any]) -> MeasureDims | ContextDims:
        return ContextDims.from_json(body) if "context" in body else MeasureDims(**body)

    def trainer(self, plan: Plan, data: Data, device: torch.device) -> Trainer:
        plan = _sized(plan, data)
        if plan.options.objective == CONTEXTUAL:
            return context_recipe.trainer(plan, data, device)
        model, split = build(plan.dims).to(device), data.split
        specs = [find(name) for name in plan.attributes]
        measure = partial(evaluate_mixed, specs)
        setting = plan.options.setting(model.latent, split.train, measure, data.combinations)
        objective, mixer = make(plan.options.objective, setting), Mixer(specs, plan.mix)
        return Trainer.of_examples(model, split.train, split.valid, plan.options, accuracy, mixer, objective)

    def checkpoint(
        self, plan: Plan, data: Data, trainer: Trainer, training: dict[str, Any], provenance: dict[str, Any]
    ) -> Checkpoint:
        plan = _sized(plan, data)
        if plan.options.objective == CONTEXTUAL:
            return context_recipe.checkpoint(plan, data, trainer, training, provenance)
        made = to_checkpoint(
            trainer.model,
            plan.dims,
            data.split.train,
            [find(name) for name in plan.attributes],
            ["" if name in BUILT_IN else name for name in plan.attributes],
            {**training, "mix": plan.mix},
            provenance,
            trainer.objective.carriage,
            data.combinations,
        )
        # The published methods have no gains.
        return with_gains(made, data.split.valid) if plan.options.objective == "aligned" else made

    def judged(self, valid: Mapping[str, float]) -> str:
        text = f"tokens {valid.get('tokens', 0):.4f}, whole measures {valid.get('measures', 0):.3f}"
        if "nats" in valid:
            text += f", {valid['nats']:.2f} nats a measure from the context, SCC {valid['scc']:.3f}"
        return text

    def evaluation_options(self, quick: bool) -> Any:
        from ..evaluation.evaluate import EvaluationOptions

        return EvaluationOptions.quick() if quick else EvaluationOptions()

    def evaluate(self, run: Path, data: Data, held_out: Examples, options: Any, about: Mapping[str, Any]) -> Result:
        from ..evaluation.evaluate import evaluate_model

        model = prepare(read(run))
        digest = {"digest": model.checkpoint.digest}
        tunes = None
        if "context" in model.metadata.dims:
            part = "valid" if held_out is data.split.valid else "test"
            tunes = data.tunes["train"], data.tunes[part]
        told = {**about, **digest}
        result: Result = evaluate_model(model, data.split.train, held_out, options, told, tunes=tunes)
        return result

    def published(self, corpus: str) -> Mapping[str, Mapping[str, float]]:
        return PUBLISHED.get(corpus, {})


def _sized(plan: Plan, data: Data) -> Plan:
    """The plan with sizes of the network that suit the meters of its data."""
    parts = (data.split.train, data.split.valid, data.split.test)
    meters = {meter for part in parts for meter, _ in by_meter(part.inputs)}
    if plan.options.objective == CONTEXTUAL:  # it also reads measures that are no examples, such as upbeats
        meters |= {meter for tunes in data.tunes.values() for tune in tunes for meter in tune.meters if meter}
    return replace(plan, dims=plan.dims.for_meters(meters))


MEASURES = Measures()
