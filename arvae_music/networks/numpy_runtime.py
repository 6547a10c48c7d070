"""The networks of `hierarchical` and the flow of vae/flow.py in numpy, without gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Array, Float32s
from ..music.meter import TICKS_PER_BEAT, Meter
from ..vae.statistics import sampled
from .architecture import MeasureDims, weight_shapes
from .numpy_layers import MeasureReader, checked, gru, linear, transposed
from .runtime import LOG_VARIANCE, Decoded, State, Wrapped

if TYPE_CHECKING:
    from ..vae.checkpoint import Checkpoint

MOST = np.float32(3.0)  # the largest log-scale of a layer of the flow


class NumpyRuntime:
    """The networks of `hierarchical` in numpy, float32."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.dims = checked(checkpoint, MeasureDims.from_json, weight_shapes)
        self.weights = transposed(checkpoint.weights)
        self.latent = self.dims.latent
        self.used = np.ones(self.latent, dtype=np.float32)
        side = checkpoint.weights.get("flow.side", np.zeros(0))
        self.used[self.latent - len(side) :] = side >= 0
        self.summaries = MeasureReader(self.weights, "encoder")

    def encode(self, rows: Array, meter: Meter) -> Float32s:
        return self.posterior(rows, meter)[0]

    def posterior(self, rows: Array, meter: Meter) -> tuple[Float32s, Float32s]:
        both = linear(self.weights, "encoder.to_latent", self.summaries(rows, meter))
        return both[:, : self.latent] * self.used, np.clip(both[:, self.latent :], *LOG_VARIANCE)

    def drawn(self, rows: Array, meter: Meter, random: np.random.Generator) -> Float32s:
        return sampled(*self.posterior(rows, meter), random) * self.used

    def start(self, z: Float32s, meter: Meter) -> State:
        if "decoder.widen.weight" in self.weights:
            z = np.concatenate([z, np.tanh(linear(self.weights, "decoder.widen", z))], axis=1)
        constant = linear(self.weights, "decoder.beat_input", z)
        state = np.tanh(linear(self.weights, "decoder.beat_start", z))
        table = self.weights["decoder.beat_table.weight"]
        states = []
        for beat in range(meter.beats):
            gates = constant + table[meter.code * self.dims.beats + beat]
            state = gru(self.weights, "decoder.beat_gru", gates, state)
            states.append(state)
        beats = np.stack(states)
        starts = np.tanh(linear(self.weights, "decoder.tick_start", beats))
        return State(meter, linear(self.weights, "decoder.tick_input", beats), starts, starts[0], np.arange(len(z)))

    def nowhere(self, meter: Meter) -> State:
        return self.start(np.zeros((1, self.latent), dtype=np.float32), meter)

    def step(self, state: State, previous: Array, sounding: Array) -> Float32s:
        beat, tick = divmod(state.tick, TICKS_PER_BEAT)
        if tick == 0:
            state.hidden = state.starts[beat].take(state.point, axis=0)
        gates = self.weights["decoder.previous_table.weight"].take(previous, axis=0)
        gates += self.weights["decoder.sounding_table.weight"].take(sounding, axis=0)
        k, from_beat = state.hidden.shape[1], state.beats[beat]
        gates += from_beat[:, : 3 * k].take(state.point, axis=0)
        if from_beat.shape[1] > 3 * k:
            gates[:, 2 * k :] += from_beat[:, (3 + tick) * k : (4 + tick) * k].take(state.point, axis=0)
        gates += self.weights["decoder.tick_table.weight"][TICKS_PER_BEAT * int(state.meter.compound) + tick]
        state.hidden = gru(self.weights, "decoder.tick_gru", gates, state.hidden)
        state.tick += 1
        return linear(self.weights, "decoder.to_tokens", state.hidden)


class Flow:
    """`flow.ConditionalFlow` in numpy: networks use z, edits use u, which the flow makes independent of the codes."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.weights = transposed(checkpoint.weights)
        dims = MeasureDims.from_json(checkpoint.metadata.dims)
        self.layers, self.codes, self.meters = dims.flow_layers, dims.attributes, dims.codes
        self.side = checkpoint.weights["flow.side"]
        self.used = (self.side >= 0).astype(np.float32)

    def freed(self, z: Float32s, meter: Meter) -> tuple[Float32s, Float32s]:
        """(m, z) -> (m, z) with u instead of the dimensions of the flow, and (m, z) the log of their scale factors."""
        codes, u = z[:, : self.codes], z[:, self.codes :] * self.used
        conditions, stretch = self._conditions(codes, meter), np.zeros_like(z)
        for i in range(self.layers):
            shift, scale = self._layer(i, u, conditions)
            u = (u - shift) * np.exp(-scale)
            stretch[:, self.codes :] -= scale
        return np.concatenate([codes, u], axis=1), stretch

    def bound(self, u: Float32s, meter: Meter) -> Float32s:
        """The inverse of `freed`."""
        codes, z = u[:, : self.codes], u[:, self.codes :] * self.used
        conditions = self._conditions(codes, meter)
        for i in reversed(range(self.layers)):
            shift, scale = self._layer(i, z, conditions)
            z = z * np.exp(scale) + shift
        return np.concatenate([codes, z], axis=1)

    def _conditions(self, codes: Float32s, meter: Meter) -> Float32s:
        meters = np.zeros((len(codes), self.meters), dtype=np.float32)
        meters[:, meter.code] = 1
        return np.concatenate([codes, meters], axis=1)

    def _layer(self, i: int, x: Float32s, conditions: Float32s) -> tuple[Float32s, Float32s]:
        transformed = self.used if i == 0 else (self.side == i % 2).astype(np.float32)
        y = np.concatenate([x * (1 - transformed), conditions], axis=1)
        for part in (0, 2, 4):  # of nn.Sequential; tanh between them
            y = linear(self.weights, f"flow.nets.{i}.{part}", np.tanh(y) if part else y)
        shift, scale = y[:, : len(transformed)], y[:, len(transformed) :]
        bounded: Float32s = MOST * np.tanh(scale / MOST) * transformed
        return shift * transformed, bounded


@dataclass(frozen=True)
class WithFlow(Wrapped):
    """A Runtime whose latent points have u instead of z in the dimensions of its flow (vae/flow.py)."""

    flow: Flow

    def posterior(self, rows: Array, meter: Meter) -> tuple[Float32s, Float32s]:
        """The variances are first-order estimates that ignore dependences between dimensions."""
        mean, log_variance = self.inner.posterior(rows, meter)
        freed, stretch = self.flow.freed(mean, meter)
        return freed, log_variance + 2 * stretch

    def drawn(self, rows: Array, meter: Meter, random: np.random.Generator) -> Float32s:
        return self.flow.freed(self.inner.drawn(rows, meter, random), meter)[0]

    def start(self, z: Float32s, meter: Meter) -> Decoded:
        return self.inner.start(self.flow.bound(z, meter), meter)
