"""What a model proposes: decodes of moved codes, and how plausible a measure is to it.

`decode` samples measures from latent points, with a bonus for the original's token at each tick: that is what
keeps the melody. Its randomness is one table of Gumbel noise per seed, shared by all measures, so that a
measure's proposals do not depend on which other measures are in the batch.

`log_probabilities` runs the decoder over given measures from z = 0. Training decodes a share of its rows from
there (model.ArVae), so that at z = 0 the decoder is a model of measures in general: what it finds likely is
what a tune of the corpus would do.

Shapes: m rows, t ticks, v vocabulary, z latent.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from .measure import Meter
from .runtime import Runtime, State
from .tokens import HOLD, START, VOCABULARY

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[Any]


def decode(
    runtime: Runtime,
    z: Floats,
    meter: Meter,
    originals: Rows | None = None,
    bonus: Floats | None = None,
    noise: Floats | None = None,
    which: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.int16]:
    """(m, z) -> (m, t) free-running: at each tick the token with the largest logit + bonus + noise.

    `which` (m,) says which point of z each row decodes, where points are decoded more than once. `bonus` (m,)
    goes to the token of `originals` (m, t); `noise` (t, m, v) is Gumbel noise times the temperature.
    """
    steps = _Steps(runtime, runtime.start(z, meter), np.arange(len(z)) if which is None else which)
    rows = np.zeros((len(steps.row), meter.ticks), dtype=np.int16)
    every = np.arange(len(rows))
    previous, sounding = np.full(len(rows), START), np.full(len(rows), HOLD)
    for tick in range(meter.ticks):
        logits = steps.next(previous, sounding)[steps.row]
        if originals is not None and bonus is not None:
            logits[every, originals[:, tick]] += bonus
        if noise is not None:
            logits += noise[tick]
        previous = logits.argmax(axis=1)
        sounding = np.where(previous == HOLD, sounding, previous)
        rows[:, tick] = previous
    return rows


class _Steps:
    """A decode of (m,) rows of which those that cannot differ yet are computed once."""

    def __init__(self, runtime: Runtime, state: State, which: npt.NDArray[np.int64]) -> None:
        self.runtime, self.state = runtime, state
        self.row = which  # (m,) into the rows that are computed

    def next(self, previous: npt.NDArray[np.int64], sounding: npt.NDArray[np.int64]) -> Floats:
        """(m,) twice -> (computed, v) logits of the next tick: `[self.row]` are every row's."""
        past = self.state.point[self.row] if self.state.fresh else self.row
        key = (past * (VOCABULARY + 1) + previous) * (VOCABULARY + 1) + sounding  # START is VOCABULARY
        _, first, row = np.unique(key, return_index=True, return_inverse=True)
        self.state = self.state.take(self.row[first])
        self.row = row
        return self.runtime.step(self.state, previous[first], sounding[first])


@lru_cache(maxsize=4)
def gumbel(seed: int, ticks: int, count: int) -> Floats:
    """(ticks, count, v) standard Gumbel noise."""
    uniform = np.random.default_rng(seed).random((ticks, count, VOCABULARY), dtype=np.float32)
    noise: Floats = -np.log(-np.log(np.clip(uniform, 1e-7, 1 - 1e-7)))
    noise.flags.writeable = False
    return noise


def log_probabilities(runtime: Runtime, rows: Rows, meter: Meter, z: Floats | None = None) -> Floats:
    """(m, t) -> (m, t, v): at each tick of the row, the log-probability of every token there."""
    start = runtime.nowhere(meter) if z is None else runtime.start(z, meter)
    steps = _Steps(runtime, start, np.zeros(len(rows), dtype=np.int64) if z is None else np.arange(len(rows)))
    table = np.empty((len(rows), meter.ticks, VOCABULARY), dtype=np.float32)
    previous, sounding = np.full(len(rows), START), np.full(len(rows), HOLD)
    for tick in range(meter.ticks):
        logits = steps.next(previous, sounding)
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        table[:, tick] = logits[steps.row]
        previous = rows[:, tick].astype(np.int64)
        sounding = np.where(previous == HOLD, sounding, previous)
    return table


def surprise(table: Floats, rows: Rows) -> Floats:
    """(m, t, v) log-probabilities and (m, t) rows -> (m,) nats."""
    picked = np.take_along_axis(table, rows[:, :, None].astype(np.int64), axis=2)
    total: Floats = -picked.sum(axis=(1, 2))
    return total
