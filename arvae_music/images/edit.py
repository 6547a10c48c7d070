"""Edits of pictures, interpolations between them, and traversals of attributes.

    edit(image, {"thickness": parse("+1.5", spec)}, model)        -> ImageResult
    between([one, other], model, steps)                           -> pictures, the first and the last the inputs
    traversal(z, model, steps)                                    -> a row of pictures for each attribute

As with melodies (editing/edit.py), an edit searches among proposals, whose attributes are measured as black boxes:

 1. Propose: move the codes of the requested attributes (those of strongly correlated attributes move with them) and
    decode. Each decode gives two proposals: the decode itself, and the original picture plus the difference that the
    move makes between two decodes, which preserves details that the decoder cannot draw.
 2. Measure and choose the proposal with the lowest cost: deviations from the requests, changes of other attributes
    (those in `keep` weigh most) in sd (standard deviations) of the corpus, and changed pixels.
 3. Repeat around the best proposal so far, by random steps of all attributes' codes that get smaller in each round.

In mode `latent` the result is a single decode of the moved codes. If the picture already meets all requests, it is
returned unchanged. Requests outside the range of the corpus are clamped to it.
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
OVERSHOOTS = np.linspace(0.25, 2.5, 10)  # factors of the step of the code; each gives a proposal
ROUNDS, AROUND = 4, 16  # rounds of proposals around the best one, and decodes in each round
SPREAD = 0.4  # size of the steps in the first of these rounds, in sd of a code; each round halves it
MISS, KEPT, DRIFT, PIXELS = 6.0, 6.0, 0.5, 4.0  # weights of the cost
MET = 0.05  # sd by which the result may miss a request that counts as met
STEPS = 9  # pictures of a traversal
FRACTIONS = (0.02, 0.98)  # quantiles between which a traversal runs


@dataclass(frozen=True)
class ImageResult:
    """An edited picture. Values are raw and in the order of the model's attributes, and NaN in `asked` and `wanted` for
    an attribute without a request."""

    image: Bytes
    before: Floats
    asked: Floats  # as requested
    wanted: Floats  # as requested, clamped to the range of the corpus
    achieved: Floats
    met: Mask  # whether `wanted` is met within MET; True without a request
    changed: bool


def unit_of(spec: ImageAttribute) -> float:
    """The raw value of one unit of the attribute. Units of images do not depend on a meter."""
    return spec.unit.size(Meter(4))


def targets_of(pairs: Mapping[str, str], model: ImageModel) -> dict[str, Target]:
    """Targets by the names of attributes, from text such as "+1.5". Raises UsageError and CheckpointError."""
    found = {}
    for name, text in pairs.items():
        scale = model.metadata.scale(name)
        target = parse(text, model.specs[model.metadata.names.index(scale.name)])
        if target.curve:
            raise UsageError(f"{name} {text!r} is a ramp over measures, which a picture does not have")
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
    """Edit a picture so that it meets the targets as well as possible."""
    before = model.measure(image[None])[0]
    asked = _requested(before, targets, model)
    wanted = model.metadata.clamped(asked, before)
    if not np.any(np.abs(wanted - before) > 1e-9):
        return _result(image, image, before, asked, wanted, model)
    z = model.encode(image[None])
    if mode == "latent":
        made = model.draw(model.metadata.moved(z, before[None], wanted[None]))[0]
    else:
        made = _Search(image, z[0], before, wanted, frozenset(keep), model).run(seed)
    return _result(made, image, before, asked, wanted, model)


def _requested(before: Floats, targets: Mapping[str, Target], model: ImageModel) -> Floats:
    """(k,) raw requested values, NaN for an attribute without a target."""
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
    """The search of one edit."""

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
        """The weights of the attributes' deviations in the cost. The more an attribute is correlated with a requested
        one, the less its change weighs."""
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
        """The lowest cost of the proposals at (m, z) points, and the point and the picture with that cost."""
        drawn = self.model.draw(points)
        differences = np.clip(self.image + (drawn - self.decoded), 0, 255).astype(np.uint8)
        pictures = np.concatenate([drawn, differences])
        goal = np.where(np.isnan(self.wanted), self.before, self.wanted)
        misses = np.abs(self.model.measure(pictures) - goal) / self.sd
        pixels = np.abs(pictures.astype(np.int16) - self.image).mean(axis=(1, 2)) / 255
        costs = misses @ self.weights + PIXELS * pixels
        at = int(costs.argmin())
        return float(costs[at]), points[at % len(points)], pictures[at]


# ------------------------------------------------------------------------------------ paths and traversals


def between(images: Sequence[Bytes], model: ImageModel, steps: int) -> list[Bytes]:
    """Pictures along straight lines from the latent point of each image to that of the next. The images themselves are
    included unchanged."""
    z = model.encode(np.stack(images))
    path = [images[0]]
    for first, last, end in zip(z[:-1], z[1:], images[1:], strict=True):
        inner = np.linspace(first, last, steps)[1:-1]
        path += [*model.draw(inner), end]
    return path


@dataclass(frozen=True)
class Traversal:
    """A traversal of one attribute: pictures of a point whose code for the attribute moves along its dimension."""

    name: str
    requested: Floats  # (s,) values between the quantiles FRACTIONS of the corpus
    realised: Floats  # (s,) values measured on the pictures
    pictures: Bytes  # (s, h, w)


def start(model: ImageModel, seed: int) -> Floats:
    """A (z,) latent point for traversals, with mean attribute values and all other dimensions drawn from the prior."""
    z = np.random.default_rng(seed).standard_normal(model.dims.latent)
    for scale in model.metadata.scales:
        z[scale.dimension] = scale.code(scale.mean)
    return z


def traversal(z: Floats, model: ImageModel, steps: int = STEPS) -> list[Traversal]:
    """For each attribute, `steps` pictures of the (z,) point, with the attribute's code moved through the values of the
    corpus."""
    found = []
    for k, scale in enumerate(model.metadata.scales):
        at = np.linspace(*FRACTIONS, steps) * (len(scale.quantiles) - 1)
        requested = np.interp(at, np.arange(len(scale.quantiles)), scale.quantiles)
        points = np.tile(z, (steps, 1))
        points[:, scale.dimension] = scale.code(requested)
        pictures = model.draw(points)
        found.append(Traversal(scale.name, requested, model.measure(pictures)[:, k], pictures))
    return found
