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

import numpy as np

from ..arrays import Array, Float32s, Ints, Rows
from ..music.meter import TICKS_PER_BEAT, Meter
from ..music.tokens import HOLD, START, VOCABULARY
from .runtime import Runtime, State


def decode(
    runtime: Runtime,
    z: Float32s,
    meter: Meter,
    originals: Array | None = None,
    bonus: Float32s | None = None,
    noise: Float32s | None = None,
    which: Ints | None = None,
) -> Rows:
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

    def __init__(self, runtime: Runtime, state: State, which: Ints) -> None:
        self.runtime, self.state = runtime, state
        self.row = which  # (m,) into the rows that are computed

    def next(self, previous: Ints, sounding: Ints) -> Float32s:
        """(m,) twice -> (computed, v) logits of the next tick: `[self.row]` are every row's."""
        past = self.state.point[self.row] if self.state.fresh else self.row
        # What sounds is the token before, unless that is HOLD; START is VOCABULARY.
        came = np.where(previous == HOLD, sounding, VOCABULARY + previous)
        first, row = _distinct(past * (2 * VOCABULARY + 1) + came)
        self.state = self.state.take(self.row[first])
        self.row = row
        return self.runtime.step(self.state, previous[first], sounding[first])


def _distinct(keys: Ints) -> tuple[Ints, Ints]:
    """(m,) small numbers, 0 and up -> where each stands that is not to come again, and (m,) which of those each is.

    np.unique without its sort, which took as long as the step of the model that it saved.
    """
    every, table = np.arange(len(keys)), np.empty(keys.max(initial=-1) + 1, dtype=np.int64)
    table[keys] = every  # the last of equal ones stays
    one = np.flatnonzero(table[keys] == every)
    table[keys[one]] = np.arange(len(one))
    return one, table[keys]


@lru_cache(maxsize=4)
def gumbel(seed: int, ticks: int, count: int) -> Float32s:
    """(ticks, count, v) standard Gumbel noise."""
    uniform = np.random.default_rng(seed).random((ticks, count, VOCABULARY), dtype=np.float32)
    noise: Float32s = -np.log(-np.log(np.clip(uniform, 1e-7, 1 - 1e-7)))
    noise.flags.writeable = False
    return noise


def log_probabilities(runtime: Runtime, rows: Array, meter: Meter, z: Float32s | None = None) -> Float32s:
    """(m, t) -> (m, t, v): at each tick of the row, the log-probability of every token there."""
    if z is None:
        return Beliefs(runtime, meter)(rows)
    state = runtime.start(z, meter).by_beats()
    previous, sounding = _inputs(rows)
    place = np.arange(meter.beats) * len(rows) + np.arange(len(rows))[:, None]
    return _read(runtime, state.take(place.reshape(-1)), previous, sounding).reshape(*rows.shape, VOCABULARY)


class Beliefs:
    """What a model believes of measures in general (z = 0), of one meter, beat by beat: what a decoder makes of a beat
    depends on no token of another but the one before it and what sounds, and few beats differ in a search."""

    def __init__(self, runtime: Runtime, meter: Meter) -> None:
        self.runtime, self.meter = runtime, meter
        self.state = runtime.nowhere(meter).by_beats()
        self.known: dict[int, int] = {}  # the key of a beat: where it stands in `tables`
        self.tables = np.empty((0, TICKS_PER_BEAT, VOCABULARY), dtype=np.float32)

    def __call__(self, rows: Array) -> Float32s:
        """`log_probabilities`."""
        return self.at(self.beats(rows))

    def at(self, beats: Ints) -> Float32s:
        """(m, beats) -> (m, t, v)"""
        return self.tables[beats].reshape(len(beats), self.meter.ticks, VOCABULARY)

    def beats(self, rows: Array) -> Ints:
        """(m, t) -> (m, beats) into `tables`."""
        previous, sounding = _inputs(rows)
        place = np.tile(np.arange(self.meter.beats), len(rows))
        keys = place * (VOCABULARY + 1) + sounding[:, 0]
        for tick in range(TICKS_PER_BEAT):
            keys = keys * (VOCABULARY + 1) + previous[:, tick]
        distinct, first, which = np.unique(keys, return_index=True, return_inverse=True)
        new = [at for at, key in zip(first.tolist(), distinct.tolist(), strict=True) if key not in self.known]
        if new:
            self.known.update(zip(keys[new].tolist(), range(len(self.known), len(self.known) + len(new)), strict=True))
            read = _read(self.runtime, self.state.take(place[new]), previous[new], sounding[new])
            self.tables = np.concatenate([self.tables, read])
        at = np.array([self.known[key] for key in distinct.tolist()], dtype=np.int64)
        return at[which].reshape(len(rows), self.meter.beats)


def _inputs(rows: Array) -> tuple[Ints, Ints]:
    """(m, t) -> twice (m * beats, ticks of a beat): what a decoder is given at each tick, the token before it and
    what sounds as it comes."""
    last = np.maximum.accumulate(np.where(rows != HOLD, np.arange(rows.shape[1]), 0), axis=1)
    sounding, previous = np.full(rows.shape, HOLD, dtype=np.int64), np.full(rows.shape, START, dtype=np.int64)
    sounding[:, 1:] = np.take_along_axis(rows, last, axis=1)[:, :-1]
    previous[:, 1:] = rows[:, :-1]
    return previous.reshape(-1, TICKS_PER_BEAT), sounding.reshape(-1, TICKS_PER_BEAT)


def _read(runtime: Runtime, state: State, previous: Array, sounding: Array) -> Float32s:
    """(m, ticks) twice, of a state of m beats -> (m, ticks, v) log-probabilities."""
    table = np.empty((*previous.shape, VOCABULARY), dtype=np.float32)
    for tick in range(TICKS_PER_BEAT):
        table[:, tick] = runtime.step(state, previous[:, tick], sounding[:, tick])
    table -= table.max(axis=2, keepdims=True)
    table -= np.log(np.exp(table).sum(axis=2, keepdims=True))
    return table


def surprise(table: Float32s, rows: Array) -> Float32s:
    """(m, t, v) log-probabilities and (m, t) rows -> (m,) nats."""
    picked = np.take_along_axis(table, rows[:, :, None].astype(np.int64), axis=2)
    total: Float32s = -picked.sum(axis=(1, 2))
    return total
