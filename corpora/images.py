"""The corpora of images, by name.

    load("sprites")    drawn from formulas (sprites.py), so there is nothing to build
    load("mnist")      read from the cache (morpho_mnist.py); raises CorpusError if it is not built

`count` and `statistics` describe a corpus. `variants` and `with_variants` add deformed copies of the training digits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import Ints
from ..errors import CorpusError
from ..images.attributes import evaluate, find
from ..music.attributes import each_once
from ..vae.examples import Examples, joined
from . import morpho_mnist, sprites

NAMES = (sprites.NAME, morpho_mnist.NAME)
DESCRIPTIONS = {sprites.NAME: sprites.DESCRIPTION, morpho_mnist.NAME: morpho_mnist.DESCRIPTION}
BIBTEX = {sprites.NAME: sprites.BIBTEX, morpho_mnist.NAME: morpho_mnist.BIBTEX}
BATCH = 512  # images measured at a time


@dataclass(frozen=True, eq=False)
class ImageData:
    """A corpus of images with attributes. The images are drawn, or read from disk, when they are used."""

    name: str
    source: str  # which images these are, in words: reports print it
    licence: str
    examples: Examples
    digits: dict[int, int]  # piece -> digit; empty for other images
    facts: morpho_mnist.Facts | None = None  # how the digits were built; None for other images

    def digits_of(self, examples: Examples) -> Ints:
        """(n,) the digit 0 to 9 that each example shows."""
        return np.array([self.digits[piece] for piece in examples.pieces.tolist()], dtype=np.int64)


def load(name: str, names: tuple[str, ...] | None = None) -> ImageData:
    """The corpus with the attributes `names`, or with its own if None.

    Raises CorpusError if it is not built or damaged, UsageError for an unknown attribute.
    """
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
    """The number of images, or None if the corpus is not built."""
    if name == sprites.NAME:
        return sprites.COUNT
    try:
        return morpho_mnist.count()
    except CorpusError:
        return None


def statistics(examples: Examples) -> dict[str, dict[str, float]]:
    """Each attribute's mean, standard deviation, minimum, median and maximum."""
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
    """The deformed copies of the training part `train` that can be built, or None for a corpus without any."""
    if data.facts is None:
        return None
    return morpho_mnist.variants(train, data.digits_of(train), data.facts)


def with_variants(source: morpho_mnist.Source, train: Examples, names: tuple[str, ...]) -> Examples:
    """The training part, which has the attributes `names`, and its variants as further examples.

    Raises CorpusError if the variants are not built.
    """
    found = morpho_mnist.varied(source)
    if found is None:
        raise CorpusError(f"the {source.name} are not built")
    return joined(train, _table(found, names))


def _table(own: Examples, names: tuple[str, ...]) -> Examples:
    """The examples with the attributes `names`. Those that they have are copied; the others are measured in batches."""
    specs = each_once([find(name) for name in names])
    others = [spec for spec in specs if spec.name not in own.names]
    columns: dict[str, Any] = {name: own.column(name) for name in own.names}
    if others:
        starts = range(0, len(own), BATCH)
        parts = [evaluate(others, own.inputs[start : start + BATCH]) for start in starts]
        columns |= dict(zip([spec.name for spec in others], np.concatenate(parts).T, strict=True))
    table = np.stack([columns[spec.name] for spec in specs], axis=1).astype(np.float32)
    return Examples(own.inputs, table, tuple(spec.name for spec in specs), own.pieces)
