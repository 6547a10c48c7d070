"""Between the PyTorch model of measures and its checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from .attributes import BUILT_IN, AttributeSpec, by_meter, evaluate_mixed
from .checkpoint import NOT_CARRIED, Checkpoint, Metadata, calibrate, correlations
from .errors import CheckpointError
from .examples import Examples
from .measure_nets import MeasureDims, build
from .model import ArVae

CALIBRATION_ROWS = 20_000  # training measures that the calibration is fitted on, at most


def to_checkpoint(
    model: ArVae,
    dims: MeasureDims,
    train: Examples,
    specs: Sequence[AttributeSpec],
    origins: Sequence[str],
    training: dict[str, Any],
    provenance: dict[str, Any],
) -> Checkpoint:
    """The trained model with its calibration on `train`; attribute k lies in latent dimension k.

    `origins` says where each attribute comes from: "" or module:function.
    """
    at = np.unique(np.linspace(0, len(train) - 1, min(len(train), CALIBRATION_ROWS)).astype(np.int64))
    others = [spec for spec in BUILT_IN.values() if spec.name not in train.names]
    values = np.hstack([train.attributes[at], evaluate_mixed(others, train.inputs[at])]).astype(np.float64)
    codes = np.zeros_like(values)
    codes[:, : len(specs)] = posterior_means(model, train.inputs[at])[:, : len(specs)]
    named = [*zip([spec.name for spec in specs], origins, range(len(specs)), strict=True)]
    named += [(spec.name, "", NOT_CARRIED) for spec in others]
    scales = tuple(
        calibrate(name, origin, dimension, values[:, k], codes[:, k])
        for k, (name, origin, dimension) in enumerate(named)
    )
    correlation, code_correlation = correlations(values, codes)
    meters = {meter.name: len(rows) for meter, rows in by_meter(train.inputs)}
    metadata = Metadata("measures", dims.to_json(), scales, correlation, code_correlation, meters, training, provenance)
    return Checkpoint(metadata, {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()})


def from_checkpoint(checkpoint: Checkpoint) -> ArVae:
    """Raises CheckpointError where the weights do not fit the dimensions."""
    try:
        model = build(MeasureDims(**checkpoint.metadata.dims))
        model.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in checkpoint.weights.items()})
    except (TypeError, RuntimeError) as error:
        raise CheckpointError(
            f"its weights do not fit its dimensions ({str(error).splitlines()[0]})",
            where=str(checkpoint.path or "the model"),
            remedy="train anew",
        ) from error
    return model.eval()


@torch.no_grad()
def posterior_means(model: ArVae, inputs: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """(n, 1 + width) -> (n, z)"""
    model.eval()
    device = next(model.parameters()).device
    parts = [model.posterior(torch.from_numpy(part).to(device)).mean.cpu() for part in _batches(inputs)]
    return torch.cat(parts).double().numpy() if parts else np.zeros((0, model.latent))


def _batches(inputs: npt.NDArray[Any], size: int = 2048) -> list[npt.NDArray[Any]]:
    return [np.ascontiguousarray(inputs[start : start + size]) for start in range(0, len(inputs), size)]


def origin_of(name: str) -> str:
    """What a checkpoint stores to find an attribute again: nothing for a built-in, else what the user wrote."""
    return "" if name in BUILT_IN else name
