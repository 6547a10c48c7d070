"""Between the PyTorch model of measures and its checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from .attributes import BUILT_IN, AttributeSpec, by_meter, evaluate_mixed
from .checkpoint import NOT_CARRIED, Checkpoint, Metadata, calibrate, correlations, exact
from .errors import CheckpointError
from .examples import Examples, standard
from .measure_nets import MeasureDims, build, mirrored
from .metrics import mutual_information, spearman
from .model import ArVae
from .objectives import Carriage

Floats = npt.NDArray[np.floating[Any]]

CALIBRATION_ROWS = 20_000  # training measures that the calibration is fitted on, at most


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
    """The trained model with its calibration on `train`; attribute k lies in latent dimension k, or where it is
    `found`: objectives.Carriage.

    `origins` says where each attribute comes from: "" or module:function.
    """
    at = np.unique(np.linspace(0, len(train) - 1, min(len(train), CALIBRATION_ROWS)).astype(np.int64))
    others = [spec for spec in BUILT_IN.values() if spec.name not in train.names]
    values = np.hstack([train.attributes[at], evaluate_mixed(others, train.inputs[at])]).astype(np.float64)
    weights = {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()}
    k = len(specs)
    dimensions, own = tuple(range(k)), posterior_means(model, train.inputs[at])
    mean, sd = standard(train.attributes)
    if carriage == "found":
        dimensions, turned = find_dimensions(_sampled(model, train.inputs[at]), values[:, :k])
        weights = mirrored(weights, turned, dims.latent)
        own[:, list(turned)] *= -1
    elif carriage == "given":
        own[:, :k] = (train.attributes[at] - mean) / sd
    codes = np.zeros_like(values)
    codes[:, :k] = own[:, list(dimensions)]
    named = [*zip([spec.name for spec in specs], origins, dimensions, strict=True)]
    named += [(spec.name, "", NOT_CARRIED) for spec in others]
    scales = [calibrate(name, origin, d, values[:, i], codes[:, i]) for i, (name, origin, d) in enumerate(named)]
    if carriage == "given":
        scales[:k] = [exact(scale, *both) for scale, *both in zip(scales[:k], mean.tolist(), sd.tolist(), strict=True)]
    correlation, code_correlation = correlations(values, codes)
    meters = {meter.name: len(rows) for meter, rows in by_meter(train.inputs)}
    return Checkpoint(
        Metadata(
            "measures", dims.to_json(), tuple(scales), correlation, code_correlation, meters, training, provenance
        ),
        weights,
    )


def find_dimensions(codes: Floats, values: Floats) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(n, z) sampled codes, (n, k) values -> the dimension of each attribute, and those that fall where it rises.

    The dimension with the most mutual information, as published (metrics.py), but each is given once, the largest
    information first: attributes that shared one could not be moved apart. Codes are sampled, since the mean of a
    dimension that the decoder cannot hear through the noise may still tell of an attribute.
    """
    information = mutual_information(codes, values)
    dimensions = np.full(values.shape[1], NOT_CARRIED)
    for _ in range(values.shape[1]):
        d, k = np.unravel_index(information.argmax(), information.shape)
        dimensions[k] = d
        information[d], information[:, k] = -1.0, -1.0
    falls = [int(d) for k, d in enumerate(dimensions) if spearman(values[:, k], codes[:, d]) < 0]
    return tuple(dimensions.tolist()), tuple(falls)


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


def _sampled(model: ArVae, inputs: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """(n, 1 + width) -> (n, z), the same each time."""
    mean, log_variance = _posteriors(model, inputs)
    noise = np.random.default_rng(0).standard_normal(mean.shape)
    sampled: npt.NDArray[np.float64] = mean + noise * np.exp(0.5 * log_variance)
    return sampled


def posterior_means(model: ArVae, inputs: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """(n, 1 + width) -> (n, z)"""
    return _posteriors(model, inputs)[0]


@torch.no_grad()
def _posteriors(model: ArVae, inputs: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(n, 1 + width) -> means and log-variances, (n, z) each."""
    model.eval()
    device = next(model.parameters()).device
    parts = [model.posterior(torch.from_numpy(part).to(device)) for part in _batches(inputs)]
    if not parts:
        return np.zeros((0, model.latent)), np.zeros((0, model.latent))
    mean, log_variance = (torch.cat(side).cpu().double().numpy() for side in zip(*parts, strict=True))
    return mean, log_variance


def _batches(inputs: npt.NDArray[Any], size: int = 2048) -> list[npt.NDArray[Any]]:
    return [np.ascontiguousarray(inputs[start : start + size]) for start in range(0, len(inputs), size)]


def origin_of(name: str) -> str:
    """What a checkpoint stores to find an attribute again: nothing for a built-in, else what the user wrote."""
    return "" if name in BUILT_IN else name
