"""Editing pictures: the sliders of one image, ways between two, and traversals.

    edit(image, {"thickness": parse("+1.5", spec)}, model)        -> ImageResult
    between([one, other], model, steps)                           -> pictures, the first and the last the inputs
    traversal(z, model, steps)                                    -> a row of pictures for each attribute

As with melodies an edit is proposed, measured and chosen (design: edit.py), by attributes measured on the pictures
themselves, black boxes:

 1. propose  move the codes of what is asked for (those of strongly correlated attributes go along), decode. Each decode
             is taken as it is, and carried over: the picture plus what the move changed between two decodes, so that
             what the decoder cannot draw stays
 2. measure, choose  the least of: misses of what is asked, changes of other attributes, `keep` weighing most,
             pixels changed; all in sd of the model's corpus
 3. again    around the best so far, in all attributes' codes, closer with every round

Mode `latent` is the bare traversal: one decode of the moved codes. An edit that asks for what is there already returns
the picture bit for bit. What no picture of the corpus has is clamped to what one has.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..arrays import Bytes, Floats, Mask
from ..errors import UsageError
from ..music.meter import Meter
from ..music.sliders import Target, parse
from .attributes import ImageAttribute
from .model import ImageModel

Mode = Literal["guided", "latent"]
MODES: tuple[Mode, ...] = ("guided", "latent")
OVERSHOOTS = np.linspace(0.25, 2.5, 10)  # of the requested step in the code
ROUNDS, AROUND = 4, 16  # rounds of proposals around the best, and how many decodes each
SPREAD = 0.4  # of the first of those rounds, in sd of a code; halved with every one
MISS, KEPT, DRIFT, PIXELS = 6.0, 6.0, 0.5, 4.0  # weights of the cost
MET = 0.05  # sd by which a request may be missed and count as met
STEPS = 9
FRACTIONS = (0.02, 0.98)  # quantiles between which a traversal runs


@dataclass(frozen=True)
class ImageResult:
    """Values in the order of the model's attributes; `asked` and `wanted` are NaN where nothing was asked."""

    image: Bytes
    before: Floats
    asked: Floats
    wanted: Floats  # clamped
    achieved: Floats
    met: Mask  # of what was wanted, to MET; True where nothing was asked
    changed: bool


def unit_of(spec: ImageAttribute) -> float:
    """How much of the raw attribute one unit is; units of images know no meter."""
    return spec.unit.size(Meter(4))


def targets_of(pairs: Mapping[str, str], model: ImageModel) -> dict[str, Target]:
    """Name -> target from what people write. Raises UsageError and CheckpointError."""
    found = {}
    for name, text in pairs.items():
        scale = model.metadata.scale(name)
        target = parse(text, model.specs[model.metadata.names.index(scale.name)])
        if target.curve:
            raise UsageError(f"{name} {text!r}: a ramp runs over measures, and a picture has none")
        found[scale.name] = target
    return found


def edit(
    image: Bytes,
    targets: Mapping[str, Target],
    model: ImageModel,
    keep: Collection[str] = (),
    mode: Mode = "guided",
    seed: int = 0,
) -> ImageResult:
    """The picture with the targets met as nearly as can be."""
    before = model.measure(image[None])[0]
    asked = _asked(before, targets, model)
    wanted = model.metadata.clamped(asked, before)
    if not np.any(np.abs(wanted - before) > 1e-9):
        return _result(image, image, before, asked, wanted, model)
    z = model.encode(image[None])
    if mode == "latent":
        made = model.draw(model.metadata.moved(z, before[None], wanted[None]))[0]
    else:
        made = _Search(image, z[0], before, wanted, frozenset(keep), model).run(seed)
    return _result(made, image, before, asked, wanted, model)


def _asked(before: Floats, targets: Mapping[str, Target], model: ImageModel) -> Floats:
    asked = np.full(len(before), np.nan)
    for k, (spec, scale) in enumerate(zip(model.specs, model.metadata.scales, strict=True)):
        if scale.name in targets:
            now = before[k : k + 1]
            asked[k] = targets[scale.name].wanted(now, [0], unit_of(spec), scale.mean, scale.sd)[0]
    return asked


def _met(values: Floats, wanted: Floats, model: ImageModel) -> Mask:
    sd = np.array([scale.sd for scale in model.metadata.scales])
    met: Mask = np.isnan(wanted) | (np.abs(values - wanted) <= MET * sd)
    return met


def _result(made: Bytes, image: Bytes, before: Floats, asked: Floats, wanted: Floats, model: ImageModel) -> ImageResult:
    changed = not np.array_equal(made, image)
    achieved = model.measure(made[None])[0] if changed else before
    return ImageResult(made, before, asked, wanted, achieved, _met(achieved, wanted, model), changed)


class _Search:
    """Proposals around the best so far, in the codes of all attributes."""

    def __init__(
        self,
        image: Bytes,
        z: Floats,
        before: Floats,
        wanted: Floats,
        keep: frozenset[str],
        model: ImageModel,
    ) -> None:
        self.image, self.z, self.before, self.wanted, self.model = image, z, before, wanted, model
        self.decoded = model.draw(z[None]).astype(np.int16)
        scales = model.metadata.scales
        self.sd = np.array([scale.sd for scale in scales])
        self.dimensions = np.array([scale.dimension for scale in scales])
        self.code_sd = np.array([scale.code_sd for scale in scales])
        self.weights = self._weights(keep)

    def _weights(self, keep: frozenset[str]) -> Floats:
        """Of each attribute's change, in sd: what a correlated one forces weighs less."""
        rho = np.array(self.model.metadata.correlation)
        asked = ~np.isnan(self.wanted)
        free = 1 - np.square(rho[:, asked]).max(axis=1, initial=0.0)
        kept = np.array([name in keep for name in self.model.metadata.names])
        weights: Floats = np.where(asked, MISS, np.where(kept, KEPT, DRIFT * free))
        return weights

    def run(self, seed: int) -> Bytes:
        random, rows = np.random.default_rng(seed), len(OVERSHOOTS)
        moved = self.model.metadata.moved(
            np.tile(self.z, (rows, 1)),
            np.tile(self.before, (rows, 1)),
            np.tile(self.wanted, (rows, 1)),
            OVERSHOOTS,
        )
        cost, point, best = self._choose(moved)
        for round_ in range(ROUNDS):
            around = np.tile(point, (AROUND, 1))
            steps = random.standard_normal((AROUND, len(self.dimensions)))
            around[:, self.dimensions] += SPREAD * 0.5**round_ * self.code_sd * steps
            other, next_, picture = self._choose(around)
            if other < cost:
                cost, point, best = other, next_, picture
        return best

    def _choose(self, points: Floats) -> tuple[float, Floats, Bytes]:
        """(m, z) -> the least cost, the point and the picture that have it."""
        drawn = self.model.draw(points)
        carried = np.clip(self.image + (drawn - self.decoded), 0, 255).astype(np.uint8)
        pictures = np.concatenate([drawn, carried])
        goal = np.where(np.isnan(self.wanted), self.before, self.wanted)
        misses = np.abs(self.model.measure(pictures) - goal) / self.sd
        pixels = np.abs(pictures.astype(np.int16) - self.image).mean(axis=(1, 2)) / 255
        costs = misses @ self.weights + PIXELS * pixels
        at = int(costs.argmin())
        return float(costs[at]), points[at % len(points)], pictures[at]


# ------------------------------------------------------------------------------------ ways and traversals


def between(images: Sequence[Bytes], model: ImageModel, steps: int) -> list[Bytes]:
    """Pictures from each to the next, in straight lines between their latent points; the given ones as they are."""
    z = model.encode(np.stack(images))
    path = [images[0]]
    for first, last, end in zip(z[:-1], z[1:], images[1:], strict=True):
        inner = np.linspace(first, last, steps)[1:-1]
        path += [*model.draw(inner), end]
    return path


@dataclass(frozen=True)
class Traversal:
    """What became of one attribute along its dimension."""

    name: str
    requested: Floats  # (s,) values of the corpus, quantiles FRACTIONS
    realised: Floats  # (s,) measured
    pictures: Bytes  # (s, h, w)


def start(model: ImageModel, seed: int) -> Floats:
    """(z,) a point to traverse from: attributes as they are on the average, all else drawn from the prior."""
    z = np.random.default_rng(seed).standard_normal(model.dims.latent)
    for scale in model.metadata.scales:
        z[scale.dimension] = scale.code(scale.mean)
    return z


def traversal(z: Floats, model: ImageModel, steps: int = STEPS) -> list[Traversal]:
    """For each attribute, `steps` pictures of the point, that attribute's code moved through the corpus's values."""
    found = []
    for k, scale in enumerate(model.metadata.scales):
        at = np.linspace(*FRACTIONS, steps) * (len(scale.quantiles) - 1)
        requested = np.interp(at, np.arange(len(scale.quantiles)), scale.quantiles)
        points = np.tile(z, (steps, 1))
        points[:, scale.dimension] = scale.code(requested)
        pictures = model.draw(points)
        found.append(Traversal(scale.name, requested, model.measure(pictures)[:, k], pictures))
    return found
