"""The interface of a model's networks, in numpy arrays, so that edits do not need PyTorch.

The edit engine uses the networks only through `Runtime`. `NumpyRuntime` computes the networks of `hierarchical` from
the weights of a checkpoint. Importing PyTorch would take most of the time of a short command.
`tests/networks/test_runtime.py` checks that both give the same tokens.

Shapes: m rows (all of one meter), z latent, v vocabulary, h and k hidden.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..arrays import Array, Float32s, Floats
from ..music.meter import TICKS_PER_BEAT, Meter
from ..music.tokens import HOLD

RUNTIMES = ("numpy", "torch")  # the libraries that can compute the networks; the first is the default
LOG_VARIANCE = (-10.0, 4.0)  # bounds of the encoder's log-variance, as in `hierarchical`


@dataclass
class State:
    """The state of decoding m rows from p latent points. `Runtime.step` changes it in place."""

    meter: Meter
    beats: Float32s  # (beats, p, 3k) gates of each beat; (beats, p, 3k + 6k) with inputs for each of its six ticks
    starts: Float32s  # (beats, p, k) the tick GRU's state at the start of each beat
    hidden: Float32s  # (m, k) the tick GRU's state
    point: Array  # (m,) index of each row's latent point
    tick: int = 0

    @property
    def entering(self) -> Array:
        """(p,) the token that sounds before the measure of each point, which these networks do not know."""
        return np.full(self.starts.shape[1], HOLD)

    @property
    def fresh(self) -> bool:
        """Whether a beat begins: then only the latent point, the previous token and the sounding token matter."""
        return self.tick % TICKS_PER_BEAT == 0

    def take(self, at: Array) -> State:
        """The state of the rows `at`. An index may repeat, to decode one latent point several times."""
        return State(self.meter, self.beats, self.starts, self.hidden[at], self.point[at], self.tick)

    def by_beats(self) -> State:
        """The state for decoding single beats: beat b of point p becomes point b * points + p of the new state. This
        works because a beat depends on the tokens of other beats only through the inputs of `step`."""
        beats, starts = (table.reshape(1, -1, table.shape[2]) for table in (self.beats, self.starts))
        return State(self.meter, beats, starts, starts[0], np.arange(starts.shape[1]))


class Decoded(Protocol):
    """The state of decoding rows from latent points: `State`, or context_runtime.ContextState."""

    @property
    def point(self) -> Array: ...
    @property
    def fresh(self) -> bool: ...
    @property
    def entering(self) -> Array: ...
    def take(self, at: Array) -> Any: ...


class Runtime(Protocol):
    @property
    def latent(self) -> int: ...

    def encode(self, rows: Array, meter: Meter) -> Float32s:
        """(m, meter.ticks) tokens -> (m, z) posterior means."""

    def posterior(self, rows: Array, meter: Meter) -> tuple[Float32s, Float32s]:
        """(m, meter.ticks) tokens -> (m, z) posterior means and log-variances."""

    def drawn(self, rows: Array, meter: Meter, random: np.random.Generator) -> Float32s:
        """(m, meter.ticks) tokens -> (m, z), a sample of each row's posterior."""

    def start(self, z: Float32s, meter: Meter) -> Decoded:
        """The state at the start of decoding (m, z)."""

    def nowhere(self, meter: Meter) -> Decoded:
        """The state at the start of decoding z = 0, where the decoder is a language model of all measures."""

    def step(self, state: Any, previous: Array, sounding: Array) -> Float32s:
        """(m, v) logits of the state's next tick. `previous` is the token before it (START at first), and `sounding`
        the token that sounds: a pitch, REST, or HOLD if it is not known."""


@dataclass(frozen=True)
class Wrapped:
    """A Runtime that passes calls on to an inner one. Subclasses override some of its methods."""

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

    def start(self, z: Float32s, meter: Meter) -> Decoded:
        return self.inner.start(z, meter)

    def nowhere(self, meter: Meter) -> Decoded:
        return self.inner.nowhere(meter)

    def step(self, state: Any, previous: Array, sounding: Array) -> Float32s:
        return self.inner.step(state, previous, sounding)


@dataclass(frozen=True)
class GivenCodes(Wrapped):
    """A Runtime of a conditional decoder: the codes of some attributes are measured, not encoded.

    `codes` maps (m, meter.ticks) tokens to the codes (m, k) of `dimensions` and their log-variances. `draw` samples
    codes as training does.
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
