"""The sets of images by name: what they are, and loading them.

load("sprites")    made from formulas: nothing to build
load("mnist")      built before, or CorpusError with the command that does it
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import Ints
from ..errors import CorpusError
from ..images import attributes
from ..images.attributes import evaluate, find
from ..music.attributes import each_once
from ..vae.examples import Examples, joined
from . import morpho_mnist, sprites

NAMES = (sprites.NAME, morpho_mnist.NAME)
ATTRIBUTES = {sprites.NAME: attributes.SPRITES, morpho_mnist.NAME: attributes.DIGITS}
DESCRIPTIONS = {sprites.NAME: sprites.DESCRIPTION, morpho_mnist.NAME: morpho_mnist.DESCRIPTION}
BIBTEX = {sprites.NAME: sprites.BIBTEX, morpho_mnist.NAME: morpho_mnist.BIBTEX}
MEASURED = 512  # images at a time


@dataclass(frozen=True, eq=False)
class ImageData:
    """A set of images with attributes; their inputs are made or mapped when read."""

    name: str
    source: str  # for people: what figures are said to be of
    licence: str
    examples: Examples
    digits: dict[int, int]  # piece -> digit, where the images are digits
    facts: morpho_mnist.Facts | None = None  # of digits

    def digits_of(self, examples: Examples) -> Ints:
        """(n,) the digit that each of these examples is."""
        return np.array([self.digits[piece] for piece in examples.pieces.tolist()], dtype=np.int64)


def load(name: str, names: tuple[str, ...] | None = None) -> ImageData:
    """The set with these attributes (None: its own). Raises CorpusError; UsageError for an unknown attribute."""
    if name == sprites.NAME:
        data = ImageData(name, f"the {sprites.COUNT:,} sprites", sprites.LICENCE, sprites.examples(), {})
    else:
        built = morpho_mnist.load()
        digits = dict(zip(built.examples.pieces.tolist(), built.labels.tolist(), strict=True))
        data = ImageData(name, built.facts.source, morpho_mnist.LICENCE, built.examples, digits, built.facts)
    if names is not None and names != data.examples.names:
        data = replace(data, examples=_table(data.examples, names))
    return data


def count(name: str) -> int | None:
    """How many images there are; None where they are not built."""
    if name == sprites.NAME:
        return sprites.COUNT
    try:
        return morpho_mnist.count()
    except CorpusError:
        return None


def statistics(examples: Examples) -> dict[str, dict[str, float]]:
    """attribute -> mean, sd, smallest, median, largest"""
    return {
        name: {
            "mean": float(column.mean()),
            "sd": float(column.std()),
            "min": float(column.min()),
            "median": float(np.median(column)),
            "max": float(column.max()),
        }
        for name, column in zip(examples.names, examples.attributes.T.astype(np.float64), strict=True)
    }


def variants(data: ImageData, train: Examples) -> morpho_mnist.Source | None:
    """What further training material there is to build of this part; None where there is none."""
    if data.facts is None:
        return None
    return morpho_mnist.variants(train, data.digits_of(train), data.facts)


def with_variants(source: morpho_mnist.Source, train: Examples, names: tuple[str, ...]) -> Examples:
    """The training part, whose attributes `names` are, and the variants that were built. Raises CorpusError where they
    were not."""
    found = morpho_mnist.varied(source)
    if found is None:
        raise CorpusError(f"the {source.name} are not built")
    return joined(train, _table(found, names))


def _table(own: Examples, names: tuple[str, ...]) -> Examples:
    """Its own attributes are at hand, others are measured, some images at a time."""
    specs = each_once([find(name) for name in names])
    others = [spec for spec in specs if spec.name not in own.names]
    columns: dict[str, Any] = {name: own.column(name) for name in own.names}
    if others:
        starts = range(0, len(own), MEASURED)
        parts = [evaluate(others, own.inputs[start : start + MEASURED]) for start in starts]
        columns |= dict(zip([spec.name for spec in others], np.concatenate(parts).T, strict=True))
    table = np.stack([columns[spec.name] for spec in specs], axis=1).astype(np.float32)
    return Examples(own.inputs, table, tuple(spec.name for spec in specs), own.pieces)
