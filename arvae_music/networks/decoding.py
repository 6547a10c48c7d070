"""Decode measures from latent points, and compute how probable a measure is under the decoder.

`decode` samples measures from latent points. It adds a bonus to the logit of the original's token at each tick, which
keeps the result similar to the original. Its noise is one table of Gumbel noise per seed, shared by all measures, so
that the candidates for a measure do not depend on the other measures in the batch.

`log_probabilities` runs the decoder over given measures, from z = 0 by default. Training decodes a share of its rows
from z = 0 (vae/model.py), so that the decoder is there a language model of the corpus: it predicts a tune's next token
without information about the measure.

Shapes: m rows, t ticks, v vocabulary, z latent.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import numpy as np

from ..arrays import Array, Float32s, Ints, Rows
from ..music.meter import TICKS_PER_BEAT, Meter
from ..music.tokens import HOLD, START, VOCABULARY
from ..system import stopping
from .context_runtime import Context, ContextRuntime
from .runtime import Decoded, Runtime, State


class Noise(Protocol):
    """What is added to the logits (m, v) of each tick: a table (t, m, v), or what computes its parts when needed."""

    def __getitem__(self, tick: int, /) -> Float32s: ...


def decode(
    runtime: Runtime,
    z: Float32s,
    meter: Meter,
    originals: Array | None = None,
    bonus: Float32s | None = None,
    noise: Noise | None = None,
    which: Ints | None = None,
) -> Rows:
    """Decode (m, z) -> (m, t) freely: at each tick, choose the token with the largest logit + bonus + noise.

    `which` (m,) is the index into z that each row decodes, if points are decoded more than once. `bonus` (m,) is added
    to the logit of the token of `originals` (m, t). `noise` (t, m, v) is Gumbel noise times the temperature.
    """
    which = np.arange(len(z)) if which is None else which
    return decode_from(runtime, runtime.start(z, meter), which, meter, originals, bonus, noise)


def decode_from(
    runtime: Runtime,
    state: Decoded,
    which: Ints,
    meter: Meter,
    originals: Array | None = None,
    bonus: Float32s | None = None,
    noise: Noise | None = None,
) -> Rows:
    """The same from a state at the start of decoding p points: `which` (m,) is the point of each row. `bonus` may also
    be (m, t)."""
    steps = _Steps(runtime, state, which)
    rows = np.zeros((len(steps.row), meter.ticks), dtype=np.int16)
    every = np.arange(len(rows))
    previous, sounding = np.full(len(rows), START), state.entering[which]
    each_tick = None if bonus is None else np.broadcast_to(bonus.reshape(len(bonus), -1), rows.shape)
    for tick in range(meter.ticks):
        logits = steps.next(previous, sounding)[steps.row]
        if originals is not None and each_tick is not None:
            logits[every, originals[:, tick]] += each_tick[:, tick]
        if noise is not None:
            logits += noise[tick]
        previous = logits.argmax(axis=1)
        sounding = np.where(previous == HOLD, sounding, previous)
        rows[:, tick] = previous
    return rows


class Tables(Protocol):
    """The model's log-probabilities of the tokens of measures. Rows belong to groups: measures of a melody, each with
    its context."""

    def look(self, group: Ints, rows: Array) -> Ints:
        """(n,) groups and (n, t) rows -> (n, ...) numbers for `at`."""

    def at(self, found: Ints) -> Float32s:
        """Numbers -> (n, t, v): the log-probability of every token at each tick, given the row's tokens before it."""


class _Steps:
    """The steps of decoding m rows. Rows whose tokens are still the same are computed once."""

    def __init__(self, runtime: Runtime, state: Decoded, which: Ints) -> None:
        self.runtime = runtime
        self.state: Decoded = state
        self.row = which  # (m,) index of each row into the computed rows

    def next(self, previous: Ints, sounding: Ints) -> Float32s:
        """(m,), (m,) -> (computed, v) logits of the next tick. Index them with `self.row` to get those of all rows."""
        past = self.state.point[self.row] if self.state.fresh else self.row
        # The previous token also sounds, unless it is HOLD, so that one number stands for both inputs.
        context = np.where(previous == HOLD, sounding, VOCABULARY + previous)
        first, row = _distinct(past * (2 * VOCABULARY + 1) + context)
        self.state = self.state.take(self.row[first])
        self.row = row
        stopping.check()
        return self.runtime.step(self.state, previous[first], sounding[first])


def _distinct(keys: Ints) -> tuple[Ints, Ints]:
    """(m,) small numbers from 0 -> (d,) the index of one row for each different number, and (m,) for each row the
    position of its number among these.

    This is np.unique without the sort, which took as long as the model's step that it saved.
    """
    every, table = np.arange(len(keys)), np.empty(keys.max(initial=-1) + 1, dtype=np.int64)
    table[keys] = every  # of equal numbers, the last one stays
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
    """(m, t) -> (m, t, v): the log-probability of every token at each tick, given the row's tokens before it.

    `z` (m, z) are the latent points to decode from; None means z = 0.
    """
    start = runtime.nowhere(meter) if z is None else runtime.start(z, meter)
    if not isinstance(start, State):
        return _forced(runtime, start, np.zeros(len(rows), dtype=np.int64) if z is None else np.arange(len(rows)), rows)
    if z is None:
        return ProbabilityCache(runtime, meter)(rows)
    state = start.by_beats()
    previous, sounding = _inputs(rows)
    place = np.arange(meter.beats) * len(rows) + np.arange(len(rows))[:, None]
    return _read(runtime, state.take(place.reshape(-1)), previous, sounding).reshape(*rows.shape, VOCABULARY)


def _forced(runtime: Runtime, state: Decoded, which: Ints, rows: Array) -> Float32s:
    """Rows (m, t), decoded from the points `which` (m,) of a starting state -> (m, t, v) log-probabilities."""
    steps = _Steps(runtime, state, which)
    previous, sounding = np.full(len(rows), START), state.entering[which]
    table = np.empty((*rows.shape, VOCABULARY), dtype=np.float32)
    for tick in range(rows.shape[1]):
        logits = steps.next(previous, sounding)
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        table[:, tick] = logits[steps.row]
        previous = rows[:, tick].astype(np.int64)
        sounding = np.where(previous == HOLD, sounding, previous)
    return table


class ContextTables:
    """Log-probabilities of measures of one meter in their contexts, without information about the measures."""

    def __init__(self, runtime: ContextRuntime, meter: Meter, context: Context) -> None:
        self.runtime, self.start = runtime, runtime.nowhere(meter, context)
        self.tables = np.empty((0, meter.ticks, VOCABULARY), dtype=np.float32)

    def at(self, found: Ints) -> Float32s:
        """Results of `look` (m,) -> log-probabilities (m, t, v)."""
        return self.tables[found]

    def look(self, group: Ints, rows: Array) -> Ints:
        """Rows (m, t), each in the context of the number `group` (m,) -> (m,) for `at`."""
        table = _forced(self.runtime, self.start, group, rows)
        first = len(self.tables)
        self.tables = np.concatenate([self.tables, table])
        return np.arange(first, len(self.tables))


def tables_of(runtime: Runtime, meter: Meter, context: Context | None) -> Tables:
    """The tables for measures of one meter. `context` is theirs, or None for a model that knows no context."""
    if context is None or not isinstance(runtime, ContextRuntime):
        return ProbabilityCache(runtime, meter)
    return ContextTables(runtime, meter, context)


class ProbabilityCache:
    """Log-probabilities of measures of one meter at z = 0, cached by beat.

    The probabilities of a beat depend only on its own tokens, the token before it and the pitch that sounds when it
    begins. A search evaluates many measures with few different beats, so that most beats are in the cache.
    """

    def __init__(self, runtime: Runtime, meter: Meter) -> None:
        self.runtime, self.meter = runtime, meter
        state = runtime.nowhere(meter)
        assert isinstance(state, State)  # the networks of a measure alone
        self.state = state.by_beats()
        self.known: dict[int, int] = {}  # from the key of a beat to its index in `tables`
        self.tables = np.empty((0, TICKS_PER_BEAT, VOCABULARY), dtype=np.float32)

    def __call__(self, rows: Array) -> Float32s:
        """The same as `log_probabilities` at z = 0."""
        return self.at(self.look(np.zeros(len(rows), dtype=np.int64), rows))

    def at(self, beats: Ints) -> Float32s:
        """Indices (m, beats) into `tables` -> log-probabilities (m, t, v)."""
        return self.tables[beats].reshape(len(beats), self.meter.ticks, VOCABULARY)

    def look(self, _group: Ints, rows: Array) -> Ints:
        """Rows (m, t) -> indices (m, beats) into `tables`. Beats that are not there yet are computed."""
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
    """(m, t) -> twice (m * beats, ticks of a beat): the decoder's inputs at each tick, which are the previous token and
    the token that sounds."""
    last = np.maximum.accumulate(np.where(rows != HOLD, np.arange(rows.shape[1]), 0), axis=1)
    sounding, previous = np.full(rows.shape, HOLD, dtype=np.int64), np.full(rows.shape, START, dtype=np.int64)
    sounding[:, 1:] = np.take_along_axis(rows, last, axis=1)[:, :-1]
    previous[:, 1:] = rows[:, :-1]
    return previous.reshape(-1, TICKS_PER_BEAT), sounding.reshape(-1, TICKS_PER_BEAT)


def _read(runtime: Runtime, state: State, previous: Array, sounding: Array) -> Float32s:
    """Run the decoder over m beats: (m, ticks) twice -> (m, ticks, v) log-probabilities."""
    table = np.empty((*previous.shape, VOCABULARY), dtype=np.float32)
    for tick in range(TICKS_PER_BEAT):
        table[:, tick] = runtime.step(state, previous[:, tick], sounding[:, tick])
    table -= table.max(axis=2, keepdims=True)
    table -= np.log(np.exp(table).sum(axis=2, keepdims=True))
    return table


def surprise(table: Float32s, rows: Array) -> Float32s:
    """The surprisal of rows: (m, t, v) log-probabilities and (m, t) rows -> (m,) in nats."""
    picked = np.take_along_axis(table, rows[:, :, None].astype(np.int64), axis=2)
    total: Float32s = -picked.sum(axis=(1, 2))
    return total
