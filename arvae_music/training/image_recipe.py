"""How a model of images is trained, and how its checkpoint is made: IMAGES is the domain of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ..images.attributes import BUILT_IN, DIGITS, SPRITES, evaluate, find
from ..images.evaluation import PUBLISHED, EvaluationOptions, evaluate_model
from ..images.model import KIND, load
from ..images.networks import ImageDims, accuracy, build, mirrored
from ..vae.checkpoint import Checkpoint
from ..vae.examples import Examples
from ..vae.metadata import Metadata
from ..vae.model import ArVae
from .calibration import calibrated, calibration_rows
from .objectives import DEFAULT, Carriage, entry, make
from .recipe import Data, Defaults, Plan, Result
from .trainer import Trainer

ATTRIBUTES = {"sprites": SPRITES, "mnist": DIGITS}
ROWS = {"sprites": 1_770_000, "mnist": 1_000_000}  # images in all epochs together: 15 minutes on two cores
DEFAULTS = {
    "sprites": Defaults(0, 64, 2e-3, 2.0, 200.0, 2.0, 1e4, 10, 256),
    "mnist": Defaults(0, 128, 2e-3, 1.0, 60.0, 1.0, 1e4, 16, 256),
}
BETAS = {"beta-vae": 4.0}  # Pati & Lerch (2020), for images
GAMMA_OF_AR_VAE = ("power-transform",)  # their own term is about as large as the one of AR-VAE


def to_checkpoint(
    model: ArVae,
    dims: ImageDims,
    train: Examples,
    origins: Sequence[str],
    training: dict[str, Any],
    provenance: dict[str, Any],
    carriage: Carriage = "trained",
) -> Checkpoint:
    """The checkpoint of a trained model, calibrated on `train` (calibration.py).

    `origins` tells where each attribute comes from: "" or module:function.
    """
    at = calibration_rows(train)
    found = calibrated(model, train, at, {}, origins, carriage, partial(mirrored, latent=dims.latent))
    about = {**provenance, "images": len(train)}
    return Checkpoint(
        Metadata(KIND, dims.to_json(), found.scales, found.correlation, found.code_correlation, {}, training, about),
        found.weights,
    )


class Images:
    """The domain of images: a row is an image."""

    objective = DEFAULT
    unit = "images"
    held_out = "images"
    trial = "arvae traverse {run}"

    def attributes(self, corpus: str) -> tuple[str, ...]:
        return ATTRIBUTES[corpus]

    def defaults(self, corpus: str, rows: int, objective: str, batch: int | None = None) -> Defaults:
        usual = DEFAULTS[corpus]
        if objective != DEFAULT:  # the reconstruction of an image is a sum of nats, as the KL is, and not a mean
            weights, nat = entry(objective), 1 / entry(DEFAULT).beta
            beta = BETAS.get(objective, nat * weights.beta)
            gamma = usual.gamma if objective in GAMMA_OF_AR_VAE else nat * weights.gamma
            usual = replace(usual, beta=beta, gamma=gamma)
        return replace(usual, epochs=max(round(ROWS[corpus] / max(rows, 1)), 1))

    def dims(self, corpus: str, options: Mapping[str, Any]) -> ImageDims:
        size, patch = {"sprites": (64, 4), "mnist": (28, 2)}[corpus]
        return ImageDims(size, patch, options["latent"], hidden=options["hidden"])

    def read_dims(self, body: Mapping[str, Any]) -> ImageDims:
        return ImageDims(**body)

    def trainer(self, plan: Plan, data: Data, device: torch.device) -> Trainer:
        model, split = build(plan.dims).to(device), data.split
        measure = partial(evaluate, [find(name) for name in plan.attributes])
        train = data.more or split.train
        objective = make(plan.options.objective, plan.options.setting(model.latent, train, measure))
        return Trainer.of_examples(model, train, split.valid, plan.options, accuracy, None, objective)

    def checkpoint(
        self, plan: Plan, data: Data, trainer: Trainer, training: dict[str, Any], provenance: dict[str, Any]
    ) -> Checkpoint:
        origins = ["" if name in BUILT_IN else name for name in plan.attributes]
        return to_checkpoint(
            trainer.model, plan.dims, data.split.train, origins, training, provenance, trainer.objective.carriage
        )

    def judged(self, valid: Mapping[str, float]) -> str:
        return f"pixels {valid.get('pixels', 0):.4f}, whole images {valid.get('images', 0):.3f}"

    def evaluation_options(self, quick: bool) -> Any:
        return EvaluationOptions.quick() if quick else EvaluationOptions()

    def evaluate(self, run: Path, data: Data, held_out: Examples, options: Any, about: Mapping[str, Any]) -> Result:
        model = load(run)
        told = {**about, "digest": model.checkpoint.digest, "data": data.source}
        result: Result = evaluate_model(model, data.split.train, held_out, options, told, data.digits)
        return result

    def published(self, corpus: str) -> Mapping[str, Mapping[str, float]]:
        return PUBLISHED[corpus]


IMAGES = Images()
