"""Measures with their attributes, for tests of the aligned objective."""

from __future__ import annotations

import numpy as np

from arvae_music.music.attributes import evaluate_mixed, find
from arvae_music.vae.examples import Examples

SPECS = [find("density"), find("contour")]


def measures(count: int = 240) -> Examples:
    """Scales and leaps in 4/4, thinned at random."""
    random = np.random.default_rng(0)
    rows = np.zeros((count, 25), dtype=np.int16)
    rows[:, 0] = 8
    for row in rows:
        ticks = np.flatnonzero(random.random(8) < random.uniform(0.2, 1)) * 3
        row[1] = 30
        row[1 + ticks] = 30 + np.cumsum(random.integers(-2, 3, len(ticks)))
    names = tuple(spec.name for spec in SPECS)
    return Examples(rows, evaluate_mixed(SPECS, rows).astype(np.float32), names, np.arange(count))
