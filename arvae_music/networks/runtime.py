"""Running a model without PyTorch: what the edit engine sees of it, in numpy arrays.

`Runtime` is the engine's whole view of a model. `NumpyRuntime` computes the networks of `measure_nets` from a
checkpoint's weights, a dozen lines of matrix products: nothing else need be installed or imported, which is
most of the time of a short command. `tests/test_runtime.py` holds it to the PyTorch model token for token.

Shapes: m rows (all of one meter), z latent, v vocabulary, h and k hidden.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..arrays import Array, Float32s, Floats
from ..music.meter import TICKS_PER_BEAT, Meter

RUNTIMES = ("numpy", "torch")  # what computes the networks; the first is the usual one
LOG_VARIANCE = (-10.0, 4.0)  # the encoder's bounds, as in measure_nets


@dataclass
class State:
    """Where a decode stands: m rows, of p latent points. `step` changes it in place."""

    meter: Meter
    beats: Float32s  # (beats, p, 3k) gates, or (beats, p, 3k + 6k): behind them what is new at each tick
    starts: Float32s  # (beats, p, k) first tick states
    hidden: Float32s  # (m, k)
    point: Array  # (m,) which latent point a row is of
    tick: int = 0

    @property
    def fresh(self) -> bool:
        """Whether a row's past no longer matters, but for its latent point, previous token and what sounds."""
        return self.tick % TICKS_PER_BEAT == 0

    def take(self, at: Array) -> State:
        """The same for rows `at`: many decodes of few latent points start from one pass over those."""
        return State(self.meter, self.beats, self.starts, self.hidden[at], self.point[at], self.tick)

    def by_beats(self) -> State:
        """The start of a decode of single beats: beat b of point p is point b * points + p of the new state. Nothing
        of a beat depends on the tokens of another but what `step` is given."""
        beats, starts = (table.reshape(1, -1, table.shape[2]) for table in (self.beats, self.starts))
        return State(self.meter, beats, starts, starts[0], np.arange(starts.shape[1]))


class Runtime(Protocol):
    @property
    def latent(self) -> int: ...

    def encode(self, rows: Array, meter: Meter) -> Float32s:
        """(m, meter.ticks) tokens -> (m, z) posterior means."""

    def posterior(self, rows: Array, meter: Meter) -> tuple[Float32s, Float32s]:
        """(m, meter.ticks) tokens -> (m, z) posterior means and log-variances."""

    def drawn(self, rows: Array, meter: Meter, random: np.random.Generator) -> Float32s:
        """(m, meter.ticks) tokens -> (m, z), a point of each one's posterior."""

    def start(self, z: Float32s, meter: Meter) -> State:
        """A decode of (m, z)."""

    def nowhere(self, meter: Meter) -> State:
        """A decode of one point that no measure is encoded to: what the decoder believes of measures in general."""

    def step(self, state: State, previous: Array, sounding: Array) -> Float32s:
        """(m, v) logits of the state's next tick, given the token before it (START at first) and what
        sounds as it comes (a pitch token, REST, or HOLD where not known)."""


@dataclass(frozen=True)
class Wrapped:
    """A runtime around another, whose answers it gives where it has none of its own. A Runtime."""

    inner: Runtime

    @property
    def latent(self) -> int:
        return self.inner.latent

    def encode(self, rows: Array, meter: Meter) -> Float32s:
        return self.posterior(rows, meter)[0]

    def posterior(self, rows: Array, meter: Meter) -> tuple[Float32s, Float32s]:
        return self.inner.posterior(rows, meter)

    def drawn(self, rows: Array, meter: Meter, random: np.random.Generator) -> Float32s:
        return self.inner.drawn(rows, meter, random)

    def start(self, z: Float32s, meter: Meter) -> State:
        return self.inner.start(z, meter)

    def nowhere(self, meter: Meter) -> State:
        return self.inner.nowhere(meter)

    def step(self, state: State, previous: Array, sounding: Array) -> Float32s:
        return self.inner.step(state, previous, sounding)


@dataclass(frozen=True)
class GivenCodes(Wrapped):
    """A runtime whose decoder was given the codes of attributes: encoding a measure measures it.

    `codes` are, of (m, meter.ticks) tokens, the (m, k) codes that stand in `dimensions`, and their log-variances;
    `draw` gives codes as training drew them.
    """

    dimensions: tuple[int, ...]
    codes: Callable[[Array, Meter], tuple[Floats, Floats]]
    draw: Callable[[Array, Meter, np.random.Generator], Floats]

    def posterior(self, rows: Array, meter: Meter) -> tuple[Float32s, Float32s]:
        mean, log_variance = self.inner.posterior(rows, meter)
        mean[:, self.dimensions], log_variance[:, self.dimensions] = self.codes(rows, meter)
        return mean, log_variance

    def drawn(self, rows: Array, meter: Meter, random: np.random.Generator) -> Float32s:
        z = self.inner.drawn(rows, meter, random)
        z[:, self.dimensions] = self.draw(rows, meter, random)
        return z
