"""Writes tiny.safetensors and checkpoints.json: a small model, and what it and the packaged models compute.

Run `PYTHONPATH=tests python tests/golden/make_checkpoints.py` after a model was trained anew. Without --tiny the file
tiny.safetensors stays as it is: it stands for the checkpoints that users have, which every later version has to read.

Of models of measures: what the networks themselves compute in every meter, without the meters that stand in for those
that a model was not trained on (networks/stand_ins.py). That is the posterior of measures from make_attributes.py, what
is decoded from its mean, and how likely the measures themselves are, given that and in general. Of models of images:
the same of three pictures.
"""

from __future__ import annotations

import base64
import json
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from conftest import random_model
from golden.make_attributes import MEASURES
from golden.make_attributes import tokens as tokens_of

import arvae_music
from arvae_music.images.model import load as load_images
from arvae_music.music.meter import Meter
from arvae_music.networks.decoding import decode, log_probabilities
from arvae_music.networks.model import Model
from arvae_music.networks.runtime import Runtime
from arvae_music.networks.stand_ins import StandIns
from arvae_music.vae.checkpoint import read

HERE = Path(__file__).parent
TINY, TABLE = HERE / "tiny.safetensors", HERE / "checkpoints.json"
MUSIC: dict[str, str | Path] = {"tiny": TINY, "bach": "bach", "folk": "folk"}
IMAGES = ("mnist", "sprites")
# The meters that models were trained on when TINY was made, in the order of its generator.
OLDEST = tuple(map(Meter.parse, ("1/4", "2/4", "3/4", "4/4", "5/4", "6/4", "3/8", "6/8", "9/8", "12/8")))
NAMES = (
    "quarters", "sixteenths", "triplets", "charleston", "tie, then rest", "descending",
    "3/4 waltz", "3/4 tied over", "2/4 dotted", "jig", "6/8 rest", "slip jig",
)  # fmt: skip
DIGITS = 5  # after the decimal point


def make_tiny(path: Path) -> Path:
    return random_model(path, of=OLDEST, copies=40)


def described(model: str | Path) -> dict[str, Any]:
    """What a checkpoint says of itself."""
    found = read(model)
    return {
        "name": found.name,
        "digest": found.digest,
        "kind": found.metadata.kind,
        "dims": dict(found.metadata.dims),
        "attributes": list(found.metadata.names),
        "dimensions": [scale.dimension for scale in found.metadata.scales],
        "meters": dict(found.metadata.meters),
        "weights": {name: list(value.shape) for name, value in sorted(found.weights.items())},
    }


def of_measures(model: str | Path, runtime: str = "numpy") -> dict[str, Any]:
    """By measure: what the networks of a model of measures compute of it."""
    networks = networks_of(arvae_music.load(model, runtime=runtime))
    found = {}
    for name in NAMES:
        signature, text = MEASURES[name]
        meter, row = Meter.parse(signature), np.array([tokens_of(text)], dtype=np.int16)
        mean, log_variance = networks.posterior(row, meter)
        ticks = np.arange(meter.ticks)
        likely = [log_probabilities(networks, row, meter, z)[0, ticks, row[0]] for z in (mean, None)]
        found[name] = {
            "mean": rounded(mean[0]),
            "log-variance": rounded(log_variance[0]),
            "decoded": decode(networks, mean, meter)[0].tolist(),
            "log-probabilities": rounded(likely[0]),
            "in general": rounded(likely[1]),
        }
    return found


def networks_of(model: Model) -> Runtime:
    """The networks of a model of measures, without the meters that stand in for those that it was not trained on."""
    assert isinstance(model.runtime, StandIns)
    return model.runtime.inner


def rounded(values: npt.NDArray[Any]) -> list[float]:
    return [round(float(value), DIGITS) for value in values]


# ------------------------------------------------------------------------------------ images


def pictures(model: str) -> npt.NDArray[np.uint8]:
    """(3, side, side): a ring, a stroke and a cross, soft, for digits; an ellipse and two squares for sprites."""
    side = {"mnist": 28, "sprites": 64}[model]
    y, x = np.mgrid[:side, :side] * 2 + 1 - side  # twice the distance from the middle
    if model == "mnist":
        far = np.hypot(x, y)
        lines = (abs(far - 16), abs(x + y // 2) + 2 * np.maximum(abs(y) - 18, 0), np.minimum(abs(x), abs(y)) + far // 6)
        return np.stack([np.clip(330 - 70 * line, 0, 255).astype(np.uint8) for line in lines])
    shapes = (
        (x - 16) ** 2 + 4 * (y + 10) ** 2 < 28**2,
        (abs(x + 24) < 13) & (abs(y - 16) < 13),
        abs(x - 4) + abs(y - 4) < 22,
    )
    return np.stack([np.where(shape, 255, 0).astype(np.uint8) for shape in shapes])


def of_pictures(model: str) -> dict[str, Any]:
    loaded = load_images(model)
    images = pictures(model)
    mean, log_variance = loaded.posterior(images)
    return {
        "mean": [rounded(row) for row in mean],
        "log-variance": [rounded(row) for row in log_variance],
        "measured": [rounded(row) for row in loaded.measure(images)],
        "drawn": packed(loaded.draw(mean)),
    }


def packed(images: npt.NDArray[np.uint8]) -> str:
    return base64.b64encode(zlib.compress(images.tobytes(), 9)).decode()


def unpacked(text: str, side: int) -> npt.NDArray[np.uint8]:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=np.uint8).reshape(-1, side, side)


def golden() -> dict[str, dict[str, Any]]:
    music = {name: {**described(model), "outputs": of_measures(model)} for name, model in MUSIC.items()}
    return {**music, **{name: {**described(name), "outputs": of_pictures(name)} for name in IMAGES}}


if __name__ == "__main__":
    if "--tiny" in sys.argv:
        TINY.unlink(missing_ok=True)
        make_tiny(TINY)
    lines = []
    for model, found in golden().items():
        parts = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in found.items() if key != "outputs"]
        outputs = ",\n".join(f"   {json.dumps(key)}: {json.dumps(value)}" for key, value in found["outputs"].items())
        lines.append(f" {json.dumps(model)}: {{\n" + ",\n".join(parts) + f',\n  "outputs": {{\n{outputs}\n  }}\n }}')
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
