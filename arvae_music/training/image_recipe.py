"""What is made of a trained model of images: its checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from ..images.attributes import BUILT_IN
from ..images.model import KIND
from ..images.networks import ImageDims, mirrored
from ..vae.checkpoint import Checkpoint
from ..vae.examples import Examples
from ..vae.metadata import Metadata
from ..vae.model import ArVae
from .calibration import calibration_rows, carried
from .objectives import Carriage


def to_checkpoint(
    model: ArVae,
    dims: ImageDims,
    train: Examples,
    origins: Sequence[str],
    training: dict[str, Any],
    provenance: dict[str, Any],
    carriage: Carriage = "trained",
) -> Checkpoint:
    """The trained model with its calibration on `train` (carried.py).

    `origins` says where each attribute comes from: "" or module:function.
    """
    at = calibration_rows(train)
    found = carried(model, train, at, {}, origins, carriage, partial(mirrored, latent=dims.latent))
    about = {**provenance, "images": len(train)}
    return Checkpoint(
        Metadata(KIND, dims.to_json(), found.scales, found.correlation, found.code_correlation, {}, training, about),
        found.weights,
    )


def origin_of(name: str) -> str:
    """What a checkpoint stores to find an attribute again: nothing for a built-in, else what the user wrote."""
    return "" if name in BUILT_IN else name
