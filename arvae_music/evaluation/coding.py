"""Encoding and decoding of the measures of an evaluation, each in its context if the model knows contexts.

Shapes: n measures, packed as (n, 1 + width) rows (music/tokens.py, pack); z latent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Float32s, Floats, Ints, Rows
from ..music.meter import Meter
from ..music.tokens import by_meter
from ..networks.context_runtime import ContextRuntime, Contexts
from ..networks.decoding import ContextTables, decode_from, log_probabilities, surprise
from ..networks.model import Model
from ..networks.numpy_runtime import WithFlow
from ..networks.passages import TuneRows
from ..networks.runtime import Decoded, Runtime, Wrapped
from ..vae.examples import Examples
from ..vae.statistics import sampled


@dataclass(frozen=True, eq=False)
class Material:
    """Examples of a corpus and, for a model in context, the place of each in its tune."""

    examples: Examples
    tunes: Sequence[TuneRows] = ()
    places: Ints | None = None  # (n, 2) the tune and the measure of each example

    @classmethod
    def of(cls, model: Model, examples: Examples, tunes: Sequence[TuneRows] | None) -> Material:
        """`tunes` are those that the examples come from, in order; None to take each measure alone. Raises ValueError
        if they do not contain the examples."""
        if tunes is None or not isinstance(model.runtime, ContextRuntime):
            return cls(examples)
        places = []
        for number, tune in enumerate(tunes):
            for i, (meter, counted) in enumerate(zip(tune.meters, tune.counted, strict=True)):
                if counted and meter is not None and meter.name in model.metadata.meters:
                    places.append((number, i))
        if len(places) != len(examples):
            raise ValueError(f"the tunes have {len(places)} measures that count, and the part {len(examples)}")
        return cls(examples, tunes, np.array(places, dtype=np.int64).reshape(-1, 2))

    def take(self, at: Ints) -> Material:
        places = None if self.places is None else self.places[at]
        return replace(self, examples=self.examples.take(at), places=places)

    def contexts(self, model: Model) -> Contexts | None:
        """The contexts of the examples, or None if there are none."""
        if self.places is None:
            return None
        runtime = model.runtime
        assert isinstance(runtime, ContextRuntime)
        count = len(self.places)
        state, entering = np.zeros((count, runtime.dims.context), dtype=np.float32), np.zeros(count, dtype=np.int64)
        memory: list[Float32s | None] = [None] * count
        for number in np.unique(self.places[:, 0]).tolist():
            tune = self.tunes[number]
            own = runtime.contexts(tune.rows, tune.meters)
            for at in np.flatnonzero(self.places[:, 0] == number).tolist():
                i = int(self.places[at, 1])
                state[at], entering[at] = own.state[i], own.entering[i]
                memory[at] = own.memory[i]
        return Contexts(state, memory, entering)


def posterior(model: Model, inputs: Rows, contexts: Contexts | None = None) -> tuple[Floats, Floats]:
    """(n, 1 + width) -> posterior means and log-variances, (n, z) each."""
    mean = np.zeros((len(inputs), model.runtime.latent))
    log_variance = np.zeros_like(mean)
    for meter, at in by_meter(inputs):
        mean[at], log_variance[at] = _posterior(model.runtime, inputs[at, 1 : 1 + meter.ticks], meter, contexts, at)
    return mean, log_variance


def _posterior(
    runtime: Runtime, rows: Rows, meter: Meter, contexts: Contexts | None, at: Ints
) -> tuple[Floats, Floats]:
    if contexts is None:
        return runtime.posterior(rows, meter)
    assert isinstance(runtime, ContextRuntime)
    return runtime.posterior(rows, meter, contexts.of(at.tolist()))


def drawn(model: Model, inputs: Rows, contexts: Contexts | None, random: np.random.Generator) -> Floats:
    """(n, z), a sample of each measure's posterior."""
    found = np.zeros((len(inputs), model.runtime.latent))
    for meter, at in by_meter(inputs):
        rows = inputs[at, 1 : 1 + meter.ticks]
        if contexts is None:
            found[at] = model.runtime.drawn(rows, meter, random)
        else:
            found[at] = sampled(*_posterior(model.runtime, rows, meter, contexts, at), random)
    return found


def decoded(model: Model, inputs: Rows, z: Floats, contexts: Contexts | None = None) -> Rows:
    """The most likely decodes of (n, z) points in the meters, and the contexts, of `inputs`."""
    outputs = inputs.copy()
    for meter, at in by_meter(inputs):
        state = _start(model.runtime, z[at], meter, contexts, at)
        outputs[at, 1 : 1 + meter.ticks] = decode_from(model.runtime, state, np.arange(len(at)), meter)
    return outputs


def _start(runtime: Runtime, z: Floats, meter: Meter, contexts: Contexts | None, at: Ints) -> Decoded:
    if contexts is None:
        return runtime.start(z.astype(np.float32), meter)
    assert isinstance(runtime, ContextRuntime)
    return runtime.start(z.astype(np.float32), meter, contexts.of(at.tolist()))


def nats(model: Model, inputs: Rows, contexts: Contexts | None = None) -> Floats:
    """(n,) the negative log-likelihood of each measure for the decoder without information about it, in nats."""
    found = np.zeros(len(inputs))
    for meter, at in by_meter(inputs):
        rows = inputs[at, 1 : 1 + meter.ticks]
        if contexts is None:
            found[at] = surprise(log_probabilities(model.runtime, rows, meter), rows)
            continue
        assert isinstance(model.runtime, ContextRuntime)
        tables = ContextTables(model.runtime, meter, contexts.of(at.tolist()))
        found[at] = surprise(tables.at(tables.look(np.arange(len(at)), rows)), rows)
    return found


def decoder_input(model: Model, inputs: Rows, z: Floats) -> Floats:
    """(n, z) points as `posterior` gives them -> what the decoder's network gets: a flow is undone."""
    found = z.copy()
    for meter, at in by_meter(inputs):
        runtime = model.runtime
        while isinstance(runtime, Wrapped):
            if isinstance(runtime, WithFlow):
                found[at] = runtime.flow.bound(found[at].astype(np.float32), meter)
            runtime = runtime.inner
    return found
