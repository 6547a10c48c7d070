"""The runtime of `contextual` in PyTorch. It gives the same tokens as ContextRuntime, and serves to check it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..arrays import Array, Float32s, Ints, Rows
from ..errors import CheckpointError
from ..music.meter import Meter
from ..music.stand_ins import places_for
from ..music.tokens import HOLD
from ..vae.checkpoint import Checkpoint
from . import contextual
from .context import ContextDims, Situation
from .context_runtime import Context, ContextRuntime
from .contextual import ContextualArVae, Window


@dataclass
class TorchState:
    """The state of decoding r rows from p latent points. `TorchContextRuntime.step` changes it in place."""

    gates: Tensor  # (t, p, 3k)
    entering: Ints  # (p,)
    hidden: Tensor  # (r, k)
    point: Array  # (r,)
    tick: int = 0

    @property
    def fresh(self) -> bool:
        return self.tick == 0

    def take(self, at: Array) -> TorchState:
        return replace(self, hidden=self.hidden[at], point=self.point[at])


class TorchContextRuntime(ContextRuntime):
    def __init__(self, checkpoint: Checkpoint) -> None:
        """Raises CheckpointError if the weights do not fit the dimensions."""
        super().__init__(checkpoint)
        self.network = restored(checkpoint)

    @torch.no_grad()
    def alone(self, meter: Meter, count: int) -> Context:
        rows = torch.full((1, count, meter.ticks), HOLD)
        nothing = torch.zeros(1, count, dtype=torch.int64)
        window = Window(
            rows, torch.tensor([self._stands_in(meter).code]), torch.ones(1, count, dtype=torch.bool),
            torch.zeros(1, count, 3, dtype=torch.int64), torch.zeros(1, dtype=torch.int64), nothing, nothing,
        )  # fmt: skip
        return _as_arrays(self.network.read(window.alone())[1])

    @torch.no_grad()
    def _window(self, rows: Rows, meter: Meter, place: Situation, first: int) -> tuple[Float32s, Float32s]:
        here = slice(first, first + len(rows))
        window = Window(
            torch.from_numpy(rows.astype(np.int64))[None], torch.tensor([self._stands_in(meter).code]),
            torch.ones(1, len(rows), dtype=torch.bool), torch.from_numpy(place.places[here])[None],
            torch.tensor([place.mode]), torch.from_numpy(place.entering[here])[None],
            torch.from_numpy(place.after[here])[None],
        )  # fmt: skip
        found = _as_arrays(self.network.read(window)[1])
        return found.state, found.memory

    @torch.no_grad()
    def posterior(self, rows: Array, meter: Meter, context: Context | None = None) -> tuple[Float32s, Float32s]:
        codes = torch.full((len(rows),), self._stands_in(meter).code)
        summary = self.network.summary(torch.from_numpy(rows.astype(np.int64)), codes)
        mean, log_variance = self.network.posterior(summary, self._tensors(meter, context, len(rows)))
        return mean.numpy(), log_variance.numpy()

    @torch.no_grad()
    def start(  # type: ignore[override]  # decoding goes on with `step` alone, whatever the state is
        self,
        z: Float32s,
        meter: Meter,
        context: Context | None = None,
        which: Ints | None = None,
        given: Float32s | None = None,
    ) -> TorchState:
        known = self.alone(meter, len(z)) if context is None else context
        which = np.arange(len(z)) if which is None else which
        seen = torch.from_numpy(self._seen(z, given))
        beats = [part.code * self.dims.beats + beat for part, beat in places_for(meter, self.known)]
        gates, start = self.network.decoder.conditions(
            seen, self._tensors(meter, known.take(which), len(z)), torch.tensor(beats)[:, None]
        )
        return TorchState(gates, known.entering[which], start, np.arange(len(z)))

    @torch.no_grad()
    def step(  # type: ignore[override]  # see `start`
        self, state: TorchState, previous: Array, sounding: Array
    ) -> Float32s:
        decoder = self.network.decoder
        gates = state.gates[state.tick][state.point]
        gates = gates + decoder.previous_table(torch.from_numpy(previous).long())
        gates = gates + decoder.sounding_table(torch.from_numpy(sounding).long())
        state.hidden = decoder.tick_gru.step(gates, state.hidden)
        state.tick += 1
        logits: Float32s = decoder.to_tokens(state.hidden).numpy()
        return logits

    def _tensors(self, meter: Meter, context: Context | None, count: int) -> contextual.Context:
        known = self.alone(meter, count) if context is None else context
        return contextual.Context(
            torch.from_numpy(known.state), torch.from_numpy(known.memory), torch.from_numpy(known.entering),
            torch.full((count,), self._stands_in(meter).code),
        )  # fmt: skip


def restored(checkpoint: Checkpoint) -> ContextualArVae:
    """The network of a checkpoint. Raises CheckpointError if the weights do not fit the dimensions."""
    try:
        network = ContextualArVae(ContextDims.from_json(checkpoint.metadata.dims))
        network.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in checkpoint.weights.items()})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"its weights do not fit its dimensions ({str(error).splitlines()[0]})",
            where=str(checkpoint.path or "the model"),
            remedy="train anew",
        ) from error
    return network.eval()


def _as_arrays(context: contextual.Context) -> Context:
    return Context(context.state.numpy(), context.memory.numpy(), context.entering.numpy())
