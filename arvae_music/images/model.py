"""Models of images: loading from a checkpoint, and encoding, decoding and measuring of numpy arrays.

    model = load("mnist")                    a bundled model, a checkpoint file, or a run folder
    z = model.encode(images)                 (n, h, w) uint8 -> (n, z) posterior means
    model.draw(z)                            (n, z) -> (n, h, w) uint8
    model.measure(images)                    (n, h, w) -> (n, k) values of its attributes

Attributes are always measured on pictures, on decoded ones as on those of the corpus.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..arrays import Bytes, Floats
from ..errors import InputError
from ..system.extras import need
from ..vae import checkpoint as checkpoints
from ..vae.checkpoint import Checkpoint
from ..vae.metadata import Metadata
from .attributes import ImageAttribute, evaluate, find

need("images", "a model of images", "torch", "scipy")  # the imports below fail without them

import torch  # noqa: E402

from ..vae.model import ArVae, posteriors, restored  # noqa: E402
from .networks import Decoder, ImageDims, build  # noqa: E402

KIND = "images"
BATCH = 512  # pictures decoded at a time


@dataclass(frozen=True, eq=False)
class ImageModel:
    """A trained model of images, ready to work."""

    net: ArVae
    metadata: Metadata
    specs: tuple[ImageAttribute, ...]
    checkpoint: Checkpoint

    @property
    def name(self) -> str:
        return self.checkpoint.name

    @property
    def dims(self) -> ImageDims:
        return ImageDims(**self.metadata.dims)

    @property
    def dimensions(self) -> tuple[int, ...]:
        """The latent dimension of each attribute."""
        return tuple(scale.dimension for scale in self.metadata.scales)

    def encode(self, images: Bytes) -> Floats:
        """(n, h, w) pictures -> (n, z) posterior means."""
        return self.posterior(images)[0]

    def posterior(self, images: Any) -> tuple[Floats, Floats]:
        """(n, h, w) pictures, an array or LazyRows -> posterior means and log-variances, (n, z) each."""
        mean, log_variance = posteriors(self.net, images)
        given = [k for k, scale in enumerate(self.metadata.scales) if scale.given]
        if given:  # the encoder does not compute these codes: they follow from the measured values
            values = evaluate([self.specs[k] for k in given], images[np.arange(len(images))])
            for k, column in zip(given, values.T, strict=True):
                scale = self.metadata.scales[k]
                mean[:, scale.dimension] = scale.code(column)
                log_variance[:, scale.dimension] = scale.log_variance(column)
        return mean, log_variance

    @torch.no_grad()
    def draw(self, z: Floats) -> Bytes:
        """(n, z) latent points -> (n, h, w) pictures."""
        decoder = cast(Decoder, self.net.decoder)
        rows = torch.from_numpy(z.astype(np.float32))
        parts = [decoder.draw(part).numpy() for part in torch.split(rows, BATCH)]
        return np.concatenate(parts) if len(z) else np.zeros((0, self.dims.size, self.dims.size), dtype=np.uint8)

    def measure(self, images: Bytes) -> Floats:
        """(n, h, w) pictures -> (n, k) values of the model's attributes."""
        return evaluate(self.specs, images)


def load(model: str | Path) -> ImageModel:
    """Load a bundled model by name, a checkpoint file, or the model in a run folder. Raises CheckpointError."""
    return prepare(checkpoints.read(model))


def for_size(size: int) -> ImageModel:
    """The bundled model that draws images of `size` x `size` pixels. Raises InputError if there is none."""
    names = checkpoints.packaged_names(KIND)
    known = {name: checkpoints.describe(checkpoints.find(name)).dims["size"] for name in names}
    for name, side in known.items():
        if side == size:
            return load(name)
    sides = " or ".join(f"{side} x {side} ({name})" for name, side in known.items()) or "nothing"
    raise InputError(
        f"no model draws images of this size; the bundled models draw {sides} pixels",
        remedy="scale the image, or give model=...",
    )


@lru_cache(maxsize=4)
def named(name: str | None, size: int) -> ImageModel:
    """The model called `name`, or `for_size(size)` if that is None or "auto". The result is cached. Raises
    CheckpointError and InputError."""
    return for_size(size) if name in (None, "auto") else load(name)


def prepare(checkpoint: Checkpoint) -> ImageModel:
    """The model of a checkpoint. Raises CheckpointError for a model of measures, for weights that do not fit the
    dimensions, and for an attribute that cannot be imported."""
    checkpoints.expect(checkpoint, KIND)
    specs = checkpoints.specs_of(checkpoint.metadata.scales, find)
    net = restored(checkpoint, lambda dims: build(ImageDims(**dims)))
    return ImageModel(net, checkpoint.metadata, specs, checkpoint)
