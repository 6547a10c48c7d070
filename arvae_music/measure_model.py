"""Between the PyTorch model of measures and its checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from .attributes import BUILT_IN, AttributeSpec, by_meter, evaluate_mixed
from .carried import calibration_rows, carried, restored
from .checkpoint import Checkpoint, Metadata
from .combinations import Combinations
from .examples import Examples
from .measure_nets import MeasureDims, build, mirrored
from .model import ArVae
from .objectives import Carriage

COMBINATIONS = 8192  # that are kept, at most


def to_checkpoint(
    model: ArVae,
    dims: MeasureDims,
    train: Examples,
    specs: Sequence[AttributeSpec],
    origins: Sequence[str],
    training: dict[str, Any],
    provenance: dict[str, Any],
    carriage: Carriage = "trained",
) -> Checkpoint:
    """The trained model with its calibration on `train` (carried.py). Of built-in attributes that it does not carry it
    has the statistics.

    `origins` says where each attribute comes from: "" or module:function.
    """
    at = calibration_rows(train)
    others = [spec for spec in BUILT_IN.values() if spec.name not in {one.name for one in specs}]
    measured = evaluate_mixed(others, train.inputs[at])
    further = {spec.name: column for spec, column in zip(others, measured.T, strict=True)}
    found = carried(model, train, at, further, origins, carriage, partial(mirrored, latent=dims.latent))
    combinations = Combinations.of(np.column_stack([train.inputs[at, 0], train.attributes[at], measured]))
    meters = {meter.name: len(rows) for meter, rows in by_meter(train.inputs)}
    return Checkpoint(
        Metadata(
            "measures", dims.to_json(), found.scales, found.correlation, found.code_correlation, meters, training,
            provenance, combinations.thinned(COMBINATIONS),
        ),
        found.weights,
    )  # fmt: skip


def from_checkpoint(checkpoint: Checkpoint) -> ArVae:
    """Raises CheckpointError where the weights do not fit the dimensions."""
    return restored(checkpoint, lambda dims: build(MeasureDims(**dims)))


def origin_of(name: str) -> str:
    """What a checkpoint stores to find an attribute again: nothing for a built-in, else what the user wrote."""
    return "" if name in BUILT_IN else name
