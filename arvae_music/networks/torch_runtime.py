"""The runtime in PyTorch: it runs the trained networks behind the Protocol of runtime.py.

It gives the same tokens as the numpy runtime and takes a second longer to start. Use it to check the numpy runtime:
`runtime="torch"`.
"""

from __future__ import annotations

import numpy as np
import torch

from ..arrays import Array, Float32s
from ..music.meter import MAX_TICKS, TICKS_PER_BEAT, Meter
from ..music.tokens import pack
from ..vae.checkpoint import Checkpoint
from ..vae.statistics import sampled
from .hierarchical import MeasureDecoder, from_checkpoint
from .runtime import Runtime, State
from .torch_context_runtime import TorchContextRuntime


def torch_runtime_of(checkpoint: Checkpoint) -> Runtime:
    """The runtime in PyTorch of the checkpoint's networks: of measures alone, or in their context."""
    return TorchContextRuntime(checkpoint) if "context" in checkpoint.metadata.dims else TorchRuntime(checkpoint)


class TorchRuntime:
    """The networks of `hierarchical` as a Runtime."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Raises CheckpointError if the weights do not fit the dimensions."""
        self.model = from_checkpoint(checkpoint)
        self.latent = self.model.latent

    def encode(self, rows: Array, meter: Meter) -> Float32s:
        return self.posterior(rows, meter)[0]

    @torch.no_grad()
    def posterior(self, rows: Array, meter: Meter) -> tuple[Float32s, Float32s]:
        if not len(rows):
            return np.zeros((0, self.latent), np.float32), np.zeros((0, self.latent), np.float32)
        inputs = torch.from_numpy(pack(list(rows), [meter] * len(rows), MAX_TICKS))
        mean, log_variance = self.model.posterior(inputs)
        return mean.numpy(), log_variance.numpy()

    @torch.no_grad()
    def drawn(self, rows: Array, meter: Meter, random: np.random.Generator) -> Float32s:
        z = sampled(*self.posterior(rows, meter), random)
        used: Float32s = self.model.used(torch.from_numpy(z)).numpy()
        return used

    @torch.no_grad()
    def start(self, z: Float32s, meter: Meter) -> State:
        beats = self._decoder.beats(torch.from_numpy(z), torch.full((len(z),), meter.code), meter.beats)
        beats = beats.transpose(0, 1)
        gates, starts = self._decoder.tick_input(beats), torch.tanh(self._decoder.tick_start(beats))
        return State(meter, gates.numpy(), starts.numpy(), starts[0].numpy(), np.arange(len(z)))

    def nowhere(self, meter: Meter) -> State:
        return self.start(np.zeros((1, self.latent), dtype=np.float32), meter)

    @torch.no_grad()
    def step(self, state: State, previous: Array, sounding: Array) -> Float32s:
        beat, tick = divmod(state.tick, TICKS_PER_BEAT)
        if tick == 0:
            state.hidden = state.starts[beat][state.point]
        place = torch.full((len(previous),), TICKS_PER_BEAT * int(state.meter.compound) + tick)
        gates = self._decoder.known(place, torch.from_numpy(previous), torch.from_numpy(sounding))
        k, from_beat = state.hidden.shape[1], torch.from_numpy(state.beats[beat][state.point])
        gates += from_beat[:, : 3 * k]
        if from_beat.shape[1] > 3 * k:
            gates[:, 2 * k :] += from_beat[:, (3 + tick) * k : (4 + tick) * k]
        hidden = self._decoder.tick_gru.step(gates, torch.from_numpy(state.hidden))
        state.hidden = hidden.numpy()
        state.tick += 1
        logits: Float32s = self._decoder.to_tokens(hidden).numpy()
        return logits

    @property
    def _decoder(self) -> MeasureDecoder:
        assert isinstance(self.model.decoder, MeasureDecoder)
        return self.model.decoder
