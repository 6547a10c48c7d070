"""Which combinations of attribute values music can have, as far as a corpus shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..arrays import Rows
from ..music.attributes import BUILT_IN, AttributeSpec, evaluate_mixed
from ..vae.combinations import MOST, Combinations
from ..vae.examples import Examples, distinct
from .augmentation import Mixer

MIXED_ROWS = 20_000  # mixed measures in each round, from which further combinations come
ROUNDS = 3  # rounds of halves, and as many of crossed measures


def combinations_of(train: Examples, specs: Sequence[AttributeSpec]) -> Combinations:
    """The combinations of attribute values that occur in the corpus and in mixtures of its measures (augmentation.py).

    The columns are the attributes `specs`, which have latent dimensions, and then the other built-in attributes. The
    table is thinned to MOST rows that differ in `specs`.
    """
    every = [*specs, *others(specs)]
    rows, random = train.inputs[distinct(train)], np.random.default_rng(0)
    parts = [rows]
    for crossing in (0.0, 1.0) * ROUNDS:
        some = rows[random.integers(0, len(rows), MIXED_ROWS)]
        nothing = np.zeros((len(some), 0), dtype=np.float32)
        parts.append(Mixer([], 1.0, crossing, moving=0.0)(some, nothing, random)[0])
    found = _distinct_rows(np.concatenate(parts))
    values = evaluate_mixed(every, found)
    return Combinations(found[:, 0].astype(np.int64), values).thinned(MOST, len(specs))


def _distinct_rows(rows: Rows) -> Rows:
    """The distinct rows of (n, ticks) int16 rows in ascending order, as of `np.unique(rows, axis=0)`, but faster."""
    unsigned = (rows.astype(np.int32) + 2**15).astype(">u2")  # which sort as their bytes do
    keys = unsigned.view(f"S{2 * rows.shape[1]}")[:, 0]
    return rows[np.unique(keys, return_index=True)[1]]


def others(specs: Sequence[AttributeSpec]) -> list[AttributeSpec]:
    """The built-in attributes besides these."""
    return [spec for spec in BUILT_IN.values() if spec.name not in {one.name for one in specs}]
