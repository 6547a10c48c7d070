"""Between the PyTorch model of measures and its checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ..music.attributes import BUILT_IN, AttributeSpec, by_meter, evaluate_mixed
from ..networks.hierarchical import MeasureDims, build, mirrored
from ..vae.checkpoint import Checkpoint, Metadata
from ..vae.combinations import MOST, Combinations
from ..vae.examples import Examples, distinct
from ..vae.model import ArVae
from .augmentation import Mixer
from .calibration import calibration_rows, carried, restored
from .objectives import Carriage

MIXED_ROWS = 20_000  # in each round of mixing, which further ones come from
ROUNDS = 3  # of halves, and of crossed measures


def combinations_of(train: Examples, specs: Sequence[AttributeSpec]) -> Combinations:
    """Which values go together in the corpus and in what can be mixed of it, where it stands; thinned by those of
    `specs`, which are carried. Behind them stand the other built-in attributes."""
    every = [*specs, *_others(specs)]
    rows, random = train.inputs[distinct(train)], np.random.default_rng(0)
    parts = [rows]
    for crossing in (0.0, 1.0) * ROUNDS:
        some = rows[random.integers(0, len(rows), MIXED_ROWS)]
        nothing = np.zeros((len(some), 0), dtype=np.float32)
        parts.append(Mixer([], 1.0, crossing, moving=0.0)(some, nothing, random)[0])
    found = np.unique(np.concatenate(parts), axis=0)
    values = evaluate_mixed(every, found)
    return Combinations(found[:, 0].astype(np.int64), values).thinned(MOST, len(specs))


def _others(specs: Sequence[AttributeSpec]) -> list[AttributeSpec]:
    return [spec for spec in BUILT_IN.values() if spec.name not in {one.name for one in specs}]


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
    """The trained model with its calibration on `train` (carried.py). Of built-in attributes that it does not carry it
    has the statistics.

    `origins` says where each attribute comes from: "" or module:function; `combinations` are `combinations_of` the
    same.
    """
    at = calibration_rows(train)
    others = _others(specs)
    measured = evaluate_mixed(others, train.inputs[at])
    further = {spec.name: column for spec, column in zip(others, measured.T, strict=True)}
    found = carried(model, train, at, further, origins, carriage, partial(mirrored, latent=dims.latent))
    meters = {meter.name: len(rows) for meter, rows in by_meter(train.inputs)}
    return Checkpoint(
        Metadata(
            "measures", dims.to_json(), found.scales, found.correlation, found.code_correlation, meters, training,
            provenance, combinations or combinations_of(train, specs),
        ),
        found.weights,
    )  # fmt: skip


def from_checkpoint(checkpoint: Checkpoint) -> ArVae:
    """Raises CheckpointError where the weights do not fit the dimensions."""
    return restored(checkpoint, lambda dims: build(MeasureDims(**dims)))


def origin_of(name: str) -> str:
    """What a checkpoint stores to find an attribute again: nothing for a built-in, else what the user wrote."""
    return "" if name in BUILT_IN else name
