"""The networks of `contextual` in numpy, without gradients.

    runtime = ContextRuntime(checkpoint)
    contexts = runtime.contexts(rows, meters)       of all measures of a tune
    here = contexts.of([3, 4, 5])                   of some measures of one meter
    mean, log_variance = runtime.posterior(rows, meter, here)
    state = runtime.start(mean, meter, here)        then `step`, or decoding.decode

Shapes: n measures of a tune, m measures of one meter, p latent points, r decoded rows, t ticks, c context, z latent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Array, Float32s, Ints, Row, Rows
from ..music.meter import TICKS_PER_BEAT, Meter
from ..music.stand_ins import known_meters, parts_for, places_for
from ..music.tokens import VOCABULARY, sounding
from ..vae.statistics import sampled
from .context import (
    AFTER_END,
    DISTANCES,
    NO_MODE,
    UNKNOWN_ENTERING,
    UNKNOWN_PLACES,
    WINDOW,
    ContextDims,
    Situation,
    situation,
    weight_shapes,
    windows,
)
from .numpy_layers import MeasureReader, checked, gru, linear, transposed
from .runtime import LOG_VARIANCE

if TYPE_CHECKING:
    from ..vae.checkpoint import Checkpoint

BLOCK = 256  # rows that a step computes at a time, whose intermediate results stay in the processor's cache


@dataclass(frozen=True)
class Context:
    """What the networks know of m measures of one meter besides the measures themselves."""

    state: Float32s  # (m, c)
    memory: Float32s  # (m, t, heads * value)
    entering: Ints  # (m,) the token that sounds over the barline

    def take(self, at: Array) -> Context:
        return Context(self.state[at], self.memory[at], self.entering[at])


@dataclass(frozen=True)
class Contexts:
    """The contexts of all measures of a tune; None for a measure without tokens."""

    state: Float32s  # (n, c)
    memory: Sequence[Float32s | None]  # (t, heads * value) of each measure
    entering: Ints  # (n,)

    def of(self, at: Sequence[int]) -> Context:
        """The contexts of the measures `at`, which all have one meter."""
        memory = [self.memory[i] for i in at]
        return Context(
            self.state[list(at)], np.stack([one for one in memory if one is not None]), self.entering[list(at)]
        )

    def take(self, at: Ints) -> Contexts:
        """The contexts of the measures `at`, of any meters; an index may repeat."""
        return Contexts(self.state[at], [self.memory[i] for i in at.tolist()], self.entering[at])


@dataclass
class ContextState:
    """The state of decoding r rows from p latent points. `ContextRuntime.step` changes it in place."""

    meter: Meter
    beats: Float32s  # (beats, p, 3k + 6k) gates of each beat, and the additional ones of its six ticks
    memory: Float32s  # (t, m, 3k)
    context: Ints  # (p,) index of each point's context
    entering: Ints  # (p,)
    hidden: Float32s  # (r, k)
    point: Array  # (r,) index of each row's latent point
    tick: int = 0

    @property
    def fresh(self) -> bool:
        """Whether only the latent point matters for the next tick, besides the tokens before it."""
        return self.tick == 0

    def take(self, at: Array) -> ContextState:
        """The state of the rows `at`; an index may repeat."""
        return replace(self, hidden=self.hidden[at], point=self.point[at])


class ContextRuntime:
    def __init__(self, checkpoint: Checkpoint) -> None:
        self.dims = checked(checkpoint, ContextDims.from_json, weight_shapes)
        self.known = known_meters(checkpoint.metadata.meters)
        self.weights = transposed(checkpoint.weights)
        without_bias = ("surroundings.key", *(f"surroundings.similar.{i}" for i in range(4)), "decoder.memory_input")
        for name in without_bias:  # `transposed` knows a matrix by its bias
            self.weights[f"{name}.weight"] = np.ascontiguousarray(checkpoint.weights[f"{name}.weight"].T)
        self.reader = MeasureReader(self.weights, "reader")

    @property
    def latent(self) -> int:
        return self.dims.latent

    @property
    def attributes(self) -> int:
        """How many latent dimensions, the first ones, represent attributes."""
        return self.dims.attributes

    def _stands_in(self, meter: Meter) -> Meter:
        """The meter as which the networks read a whole measure: its first part; see stand_ins.py."""
        return parts_for(meter, self.known)[0]

    # ------------------------------------------------------------------------------ contexts

    def contexts(self, rows: Sequence[Row | None], meters: Sequence[Meter | None]) -> Contexts:
        """The contexts of a tune's measures. `meters` may have None where `rows` has."""
        place = situation(rows, meters)
        count = len(rows)
        state = np.zeros((count, self.dims.context), dtype=np.float32)
        memory: list[Float32s | None] = [None] * count
        for first, last, begin, end in windows(place.runs, WINDOW):
            meter, some = meters[first], [row for row in rows[first:last] if row is not None]
            assert meter is not None
            at = slice(begin - first, end - first)
            own, seen = self._window(np.stack(some), meter, place, first)
            state[begin:end] = own[at]
            memory[begin:end] = list(seen[at])
        return Contexts(state, memory, place.entering)

    def alone(self, meter: Meter, count: int) -> Context:
        """The context of `count` measures of which nothing else is known."""
        w = self.weights
        side = (
            w["surroundings.entering_table.weight"][UNKNOWN_ENTERING] + w["surroundings.after_table.weight"][AFTER_END]
        )
        side = side + w["surroundings.mode_table.weight"][NO_MODE]
        side = side + w["surroundings.meter_table.weight"][self._stands_in(meter).code]
        for i, code in enumerate(UNKNOWN_PLACES):
            side = side + w[f"surroundings.place_tables.{i}.weight"][code]
        nothing = np.zeros(2 * self.dims.context_hidden, dtype=np.float32)
        state = np.tanh(linear(w, "surroundings.mix", np.concatenate([nothing, side])[None]))
        memory = np.zeros((count, meter.ticks, self.dims.heads * self.dims.value), dtype=np.float32)
        return Context(np.repeat(state, count, axis=0), memory, np.full(count, UNKNOWN_ENTERING))

    def _window(self, rows: Rows, meter: Meter, place: Situation, first: int) -> tuple[Float32s, Float32s]:
        """(m, t) consecutive measures -> their states (m, c) and memories (m, t, heads * value)."""
        w, m = self.weights, len(rows)
        summary = self._summaries(rows, meter)
        before, after = (self._side(summary, side) for side in range(2))
        here = slice(first, first + m)
        side = w["surroundings.entering_table.weight"][place.entering[here]]
        side = side + w["surroundings.after_table.weight"][place.after[here]]
        code = self._stands_in(meter).code
        side += w["surroundings.mode_table.weight"][place.mode] + w["surroundings.meter_table.weight"][code]
        for i in range(place.places.shape[1]):
            side += w[f"surroundings.place_tables.{i}.weight"][place.places[here, i]]
        state = np.tanh(linear(w, "surroundings.mix", np.concatenate([before, after, side], axis=1)))
        weights = self._attention(state, summary)
        during = sounding(rows, place.entering[here])
        tokens = w["surroundings.values.weight"][rows] + w["surroundings.held.weight"][during]
        heads, t = self.dims.heads, rows.shape[1]
        values = tokens.reshape(m, t, heads, -1).transpose(2, 0, 1, 3).reshape(heads, m, -1)
        seen = (weights @ values).reshape(heads, m, t, -1).transpose(1, 2, 0, 3).reshape(m, t, -1)
        return state, np.ascontiguousarray(seen)

    def _side(self, summary: Float32s, side: int) -> Float32s:
        """(m, 2h) summaries -> (m, context_hidden): the state of the GRU next to each measure."""
        steps = summary[::-1] if side else summary
        gates = linear(self.weights, f"surroundings.inputs.{side}", steps)
        state = np.zeros((1, self.dims.context_hidden), dtype=np.float32)
        states = [state[0]]
        for gate in gates[:-1]:
            state = gru(self.weights, f"surroundings.grus.{side}", gate[None], state)
            states.append(state[0])
        found = np.stack(states)
        return found[::-1] if side else found

    def _attention(self, state: Float32s, summary: Float32s) -> Float32s:
        """(m, c), (m, 2h) -> (heads, m, m)"""
        w, m, heads, d = self.weights, len(state), self.dims.heads, self.dims.key

        def split(x: Float32s) -> Float32s:
            return x.reshape(m, heads, d).transpose(1, 0, 2)

        def project(name: str) -> Float32s:
            return split(summary @ w[f"surroundings.{name}.weight"])

        index = np.arange(m)
        gap = index[None] - index[:, None]
        scores = split(linear(w, "surroundings.query", state)) @ project("key").transpose(0, 2, 1)
        left = project("similar.0") @ project("similar.1").transpose(0, 2, 1)
        right = project("similar.2") @ project("similar.3").transpose(0, 2, 1)
        scores[:, 1:, 1:] += left[:, :-1, :-1] * (gap != 1)[1:, 1:]
        scores[:, :-1, :-1] += right[:, 1:, 1:] * (gap != -1)[:-1, :-1]
        scores *= d**-0.5
        scores += w["surroundings.distance"][:, gap.clip(-DISTANCES, DISTANCES) + DISTANCES]
        scores[:, index, index] = -np.inf
        if m == 1:
            return np.zeros((heads, 1, 1), dtype=np.float32)
        scores -= scores.max(axis=2, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=2, keepdims=True)
        return scores

    # ------------------------------------------------------------------------------ encoder

    def _summaries(self, rows: Array, meter: Meter) -> Float32s:
        """(m, t) -> (m, 2h)"""
        return self.reader(rows, self._stands_in(meter))

    def posterior(self, rows: Array, meter: Meter, context: Context | None = None) -> tuple[Float32s, Float32s]:
        """(m, t) tokens -> (m, z) posterior means and log-variances."""
        context = self.alone(meter, len(rows)) if context is None else context
        summary = self._summaries(rows, meter)
        hidden = np.tanh(linear(self.weights, "posterior_hidden", np.concatenate([summary, context.state], axis=1)))
        both = linear(self.weights, "to_latent", np.concatenate([hidden, summary], axis=1))
        return both[:, : self.latent], np.clip(both[:, self.latent :], *LOG_VARIANCE)

    def encode(self, rows: Array, meter: Meter, context: Context | None = None) -> Float32s:
        return self.posterior(rows, meter, context)[0]

    def drawn(self, rows: Array, meter: Meter, random: np.random.Generator) -> Float32s:
        return sampled(*self.posterior(rows, meter), random)

    # ------------------------------------------------------------------------------ decoder

    def start(
        self,
        z: Float32s,
        meter: Meter,
        context: Context | None = None,
        which: Ints | None = None,
        given: Float32s | None = None,
    ) -> ContextState:
        """The state at the start of decoding (p, z) points.

        `which` (p,) is the index of each point's context; None for one context a point. `given` is as in `_seen`.
        """
        context = self.alone(meter, len(z)) if context is None else context
        which = np.arange(len(z)) if which is None else which
        seen = np.concatenate([self._seen(z, given), context.state[which]], axis=1)
        known = np.tanh(linear(self.weights, "decoder.widen", seen))
        gates = linear(self.weights, "decoder.beat_input", known)
        state = np.tanh(linear(self.weights, "decoder.beat_start", known))
        table = self.weights["decoder.beat_table.weight"]
        states = []
        for part, beat in places_for(meter, self.known):
            state = gru(self.weights, "decoder.beat_gru", gates + table[part.code * self.dims.beats + beat], state)
            states.append(state)
        memory = context.memory.transpose(1, 0, 2) @ self.weights["decoder.memory_input.weight"]
        places = TICKS_PER_BEAT * int(self._stands_in(meter).compound) + np.arange(meter.ticks) % TICKS_PER_BEAT
        memory += self.weights["decoder.tick_table.weight"][places][:, None]
        hidden = np.tanh(linear(self.weights, "decoder.tick_start", known))
        beats = linear(self.weights, "decoder.tick_input", np.stack(states))
        return ContextState(meter, beats, memory, which, context.entering[which], hidden, np.arange(len(z)))

    def _seen(self, z: Float32s, given: Float32s | None) -> Float32s:
        """(p, z) -> (p, z + k + 1): z without what is not given, and what is given.

        `given` (p, k + 1) tells by 1 or 0 of which attributes the decoder gets the dimensions, and in the last column
        at which level, from 0 to 1, it gets the other dimensions; None for all of them.
        """
        k = self.dims.attributes
        shown = np.ones((len(z), k + 1), dtype=np.float32) if given is None else given
        every = np.concatenate([shown[:, :k], np.repeat(shown[:, k:], self.latent - k, axis=1)], axis=1)
        return np.concatenate([z * every, shown], axis=1).astype(np.float32)

    def nowhere(self, meter: Meter, context: Context | None = None) -> ContextState:
        """The state where the decoder gets nothing of z, and is a language model of measures in their contexts."""
        count = 1 if context is None else len(context.state)
        z = np.zeros((count, self.latent), dtype=np.float32)
        return self.start(z, meter, context, given=np.zeros((count, self.dims.attributes + 1), dtype=np.float32))

    def step(self, state: ContextState, previous: Array, sounding: Array) -> Float32s:
        """(r, v) logits of the state's next tick; see Runtime.step."""
        beat, tick = divmod(state.tick, TICKS_PER_BEAT)
        k = state.hidden.shape[1]
        known = state.memory[state.tick].take(state.context, axis=0)  # what all rows of a point have in common
        known += state.beats[beat, :, : 3 * k]
        known[:, 2 * k :] += state.beats[beat, :, (3 + tick) * k : (4 + tick) * k]
        hidden, logits = np.empty_like(state.hidden), np.empty((len(previous), VOCABULARY), dtype=np.float32)
        for first in range(0, len(previous), BLOCK):
            rows = slice(first, first + BLOCK)
            gates = known.take(state.point[rows], axis=0)
            gates += self.weights["decoder.previous_table.weight"].take(previous[rows], axis=0)
            gates += self.weights["decoder.sounding_table.weight"].take(sounding[rows], axis=0)
            hidden[rows] = gru(self.weights, "decoder.tick_gru", gates, state.hidden[rows])
            logits[rows] = linear(self.weights, "decoder.to_tokens", hidden[rows])
        state.hidden = hidden
        state.tick += 1
        return logits
