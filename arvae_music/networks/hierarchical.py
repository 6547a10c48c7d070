"""The hierarchical GRU over one measure of any meter.

Encoder: a bidirectional tick GRU over the six ticks of each beat (all beats of the batch at once), then a bidirectional
beat GRU. Decoder: a beat GRU from z, then a tick GRU inside each beat, whose inputs are the previous token, the pitch
that sounds, and the state of the beat. Encoder and decoder get the meter as an input.

Four things make it fast on a CPU:

1. Tokens are looked up in tables of gate activations, instead of an embedding that a matrix multiplies.
2. Teacher-forced training computes the ticks of ALL beats in six batched steps. This works because the state of a beat
   does not depend on the tokens before it: the last token and the sounding pitch are inputs of its first tick.
3. Music repeats itself, and equal inputs are computed once. 256 measures of Bach have 1,024 beats, but only about 55
   different ones for the encoder's tick GRUs, and about 170 different inputs of a decoder's tick.
4. Rows of different meters share a batch. Beats that a meter does not have are not computed, and the beat GRUs keep
   their state there.

Shapes: b batch, t ticks (a row's own), B beats of the whole batch, d of them different, n beats of the longest row,
h hidden, z latent, v vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..arrays import Floats
from ..music.meter import TICKS_PER_BEAT
from ..music.tokens import FIRST_PITCH, HOLD, PAD, START, VOCABULARY
from ..vae.checkpoint import Checkpoint
from ..vae.flow import ConditionalFlow
from ..vae.model import ArVae, Decoding, Posterior, restored
from .architecture import MeasureDims as MeasureDims  # callers find it beside `build`
from .gru import Gru
from .reader import BEATS, COMPOUND, Layout, MeasureReader, distinct, spread, table

DROPPED = VOCABULARY + 1  # replaces a token that dropout hides


def build(dims: MeasureDims) -> ArVae:
    """An untrained model of these sizes."""
    flow = None
    if dims.flow_layers:
        others = dims.latent - dims.attributes
        flow = ConditionalFlow(others, dims.attributes + dims.codes, dims.flow_hidden, dims.flow_layers)
    one_hot = partial(meter_of, codes=dims.codes)
    return ArVae(MeasureEncoder(dims), MeasureDecoder(dims), dims.latent, dims.null_share, flow, one_hot)


def meter_of(inputs: Tensor, codes: int) -> Tensor:
    """(b, 1 + width) packed inputs -> (b, codes), 1 at the code of the meter."""
    return torch.nn.functional.one_hot(inputs[:, 0].long(), codes).float()


def layout(inputs: Tensor) -> Layout:
    """(b, 1 + width) packed inputs (music/tokens.py, pack) -> beats."""
    codes = inputs[:, 0].long()
    beats = BEATS.to(codes.device)[codes]
    longest = int(beats.max())
    index = torch.arange(longest, device=inputs.device)
    here = index < beats[:, None]
    grid = inputs[:, 1 : 1 + longest * TICKS_PER_BEAT].reshape(len(inputs), longest, TICKS_PER_BEAT)
    positions = index.expand_as(here)[here]
    kinds = COMPOUND.to(codes.device)[codes]
    return Layout(grid[here].long(), here, codes, positions, kinds[:, None].expand_as(here)[here])


class MeasureEncoder(MeasureReader):
    def __init__(self, dims: MeasureDims) -> None:
        super().__init__(dims.hidden, dims.tick_hidden, dims.codes)
        self.to_latent = nn.Linear(2 * dims.hidden, 2 * dims.latent)

    def forward(self, inputs: Tensor) -> Posterior:
        """(b, 1 + width) -> mean and log-variance, (b, z) each."""
        mean, log_variance = self.to_latent(self.summary(layout(inputs))).chunk(2, dim=1)
        return Posterior(mean, log_variance.clamp(-10, 4))


class MeasureDecoder(nn.Module):
    def __init__(self, dims: MeasureDims) -> None:
        super().__init__()
        h, k = dims.hidden, dims.tick_hidden
        self.dims = dims
        self.widen = nn.Linear(dims.latent, dims.wide) if dims.wide else None
        self.beat_start = nn.Linear(dims.latent + dims.wide, h)
        self.beat_input = nn.Linear(dims.latent + dims.wide, 3 * h)
        self.beat_table = table(dims.codes * dims.beats, 3 * h)
        self.beat_gru = Gru(h)
        self.tick_start = nn.Linear(h, k)
        # The gates that all ticks share, then with `each_tick` the additional inputs of each tick.
        self.tick_input = nn.Linear(h, 3 * k + (TICKS_PER_BEAT * k if dims.each_tick else 0))
        self.tick_table = table(2 * TICKS_PER_BEAT, 3 * k)
        self.previous_table = table(VOCABULARY + 2, 3 * k)
        self.sounding_table = table(VOCABULARY + 2, 3 * k)
        self.tick_gru = Gru(k)
        self.to_tokens = nn.Linear(k, VOCABULARY)

    def forward(self, z: Tensor, inputs: Tensor) -> Decoding:
        """(b, z), (b, 1 + width) -> teacher-forced distributions of (6, B) tokens, and these tokens."""
        return self._forced(z, inputs, layout(inputs), self.dims.token_dropout if self.training else 0.0)

    def log_prob(self, z: Tensor, inputs: Tensor) -> Tensor:
        """(p, z), (b, 1 + width) -> (b,) the log-probability that `sample` draws each row."""
        rows = layout(inputs)
        predicted, tokens = self._forced(z, inputs, rows, 0.0)
        return spread(predicted.log_prob(tokens).sum(dim=0)[:, None], rows).sum(dim=(1, 2))

    def _forced(self, z: Tensor, inputs: Tensor, rows: Layout, dropout: float) -> Decoding:
        previous, sounding = context(inputs, rows)
        if dropout:
            hidden = torch.rand(previous.shape, device=z.device) < dropout
            previous = previous.masked_fill(hidden, DROPPED)
            sounding = sounding.masked_fill(hidden, DROPPED)
        beats = self.beats(z, rows.codes, rows.here.shape[1])[rows.here]
        places = rows.compound * TICKS_PER_BEAT + torch.arange(TICKS_PER_BEAT, device=z.device)[:, None]
        first, which = distinct(torch.stack([places, previous, sounding], dim=2).reshape(-1, 3), VOCABULARY + 2)
        known = self.known(*first.unbind(dim=1)).index_select(0, which).reshape(*places.shape, -1)
        states = self.tick_gru(known + self.tick_gates(beats), torch.tanh(self.tick_start(beats)))
        return Decoding(Tokens(self.to_tokens(states)), rows.tokens.t())

    def beats(self, z: Tensor, codes: Tensor, count: int) -> Tensor:
        """(p, z), (b,) -> (b, n, h): the states of the first `count` beats. Each point has b / p rows."""
        beats, each = torch.arange(count, device=z.device), max(len(codes) // max(len(z), 1), 1)
        if self.widen is not None:
            z = torch.cat([z, torch.tanh(self.widen(z))], dim=1)
        gates = self.beat_input(z) + self.beat_table(codes[::each] * self.dims.beats + beats[:, None])
        states: Tensor = self.beat_gru(gates, torch.tanh(self.beat_start(z)))
        return states.transpose(0, 1).repeat_interleave(each, dim=0) if each > 1 else states.transpose(0, 1)

    def tick_gates(self, beats: Tensor) -> Tensor:
        """(m, h) -> (6, m, 3k), or (1, m, 3k) if all ticks get the same gates from the beat."""
        k = self.dims.tick_hidden
        gates: Tensor = self.tick_input(beats)
        shared = gates[:, : 3 * k]
        if not self.dims.each_tick:
            return shared[None]
        new = gates[:, 3 * k :].reshape(-1, TICKS_PER_BEAT, k).transpose(0, 1)
        return shared + torch.nn.functional.pad(new, (2 * k, 0))

    def known(self, places: Tensor, previous: Tensor, sounding: Tensor) -> Tensor:
        """(m,) three times -> (m, 3k): the gates from a tick's position in its beat and from the tokens before it."""
        gates: Tensor = self.tick_table(places) + self.previous_table(previous) + self.sounding_table(sounding)
        return gates

    def generate(self, z: Tensor, inputs: Tensor) -> Tensor:
        """(b, z) and inputs, of which only the meter is used -> (b, 1 + width) with the most probable tokens."""
        return self._free(z, inputs, lambda logits: logits.argmax(dim=1))

    def sample(self, z: Tensor, inputs: Tensor) -> Tensor:
        """The same as `generate`, but tokens are sampled with PyTorch's random generator."""
        return self._free(z, inputs, _drawn)

    @torch.no_grad()
    def _free(self, z: Tensor, inputs: Tensor, choose: Callable[[Tensor], Tensor]) -> Tensor:
        output = inputs.clone()
        rows = layout(inputs)
        beats = self.beats(z, rows.codes, rows.here.shape[1])
        previous = torch.full((len(inputs),), START, device=z.device)
        sounding = torch.full((len(inputs),), HOLD, device=z.device)
        places = COMPOUND.to(z.device)[rows.codes] * TICKS_PER_BEAT
        for beat in range(beats.shape[1]):
            gates = self.tick_gates(beats[:, beat]).expand(TICKS_PER_BEAT, -1, -1)
            state = torch.tanh(self.tick_start(beats[:, beat]))
            for tick in range(TICKS_PER_BEAT):
                state = self.tick_gru.step(gates[tick] + self.known(places + tick, previous, sounding), state)
                previous = choose(self.to_tokens(state))
                sounding = torch.where(previous == HOLD, sounding, previous)
                column = 1 + beat * TICKS_PER_BEAT + tick
                output[:, column] = torch.where(rows.here[:, beat], previous, PAD).to(output.dtype)
        return output


class Tokens(Distribution):
    """A categorical distribution over the last dimension of logits. It has only `log_prob`, in one fast operation."""

    arg_constraints: ClassVar = {}

    def __init__(self, logits: Tensor) -> None:
        super().__init__(logits.shape[:-1], validate_args=False)
        self.logits = logits

    def log_prob(self, value: Tensor) -> Tensor:
        flat = self.logits.flatten(0, -2), value.reshape(-1)
        return -torch.nn.functional.cross_entropy(*flat, reduction="none").view(value.shape)


def _drawn(logits: Tensor) -> Tensor:
    """(m, v) -> (m,) sampled tokens. One random number per row is looked up in the cumulative probabilities, which is
    faster than torch.multinomial."""
    sums = logits.softmax(dim=1).cumsum(dim=1)
    number = torch.rand(len(logits), 1, device=logits.device) * sums[:, -1:]
    return (sums <= number).sum(dim=1).clamp(max=logits.shape[1] - 1)


def context(inputs: Tensor, rows: Layout) -> tuple[Tensor, Tensor]:
    """(6, B) twice: the token before each tick, and the token that sounds there (HOLD if it is not known yet)."""
    width = rows.here.shape[1] * TICKS_PER_BEAT
    tokens = inputs[:, 1 : 1 + width].long().clamp(min=HOLD)
    ticks = torch.arange(width, device=inputs.device)
    last = torch.where(tokens != HOLD, ticks, -1).cummax(dim=1).values
    sounding = torch.where(last >= 0, tokens.gather(1, last.clamp(min=0)), HOLD)
    shape = (len(tokens), -1, TICKS_PER_BEAT)
    previous = torch.nn.functional.pad(tokens, (1, -1), value=START)
    sounding = torch.nn.functional.pad(sounding, (1, -1), value=HOLD)
    return previous.reshape(shape)[rows.here].t(), sounding.reshape(shape)[rows.here].t()


def mirrored(weights: Mapping[str, Floats], dimensions: Sequence[int], latent: int) -> dict[str, Floats]:
    """The weights of the same model with the signs of these latent dimensions flipped."""
    sign = np.ones(latent, dtype=np.float32)
    sign[list(dimensions)] = -1.0
    both = np.concatenate([sign, np.ones_like(sign)])  # the means change their sign, the log-variances do not
    turned = dict(weights)
    turned["encoder.to_latent.weight"] = weights["encoder.to_latent.weight"] * both[:, None]
    turned["encoder.to_latent.bias"] = weights["encoder.to_latent.bias"] * both
    for name in ("decoder.beat_start.weight", "decoder.beat_input.weight", "decoder.widen.weight"):
        if name in weights:
            turned[name] = weights[name].copy()
            turned[name][:, :latent] *= sign
    return turned


def accuracy(inputs: Tensor, outputs: Tensor) -> dict[str, float]:
    """The shares of correct tokens, of correct tokens other than HOLD, and of correct measures, over (b, 1 + width)."""
    wanted, got = inputs[:, 1:], outputs[:, 1:]
    real = wanted != PAD
    right = wanted == got
    events = real & (wanted >= FIRST_PITCH - 1)
    return {
        "tokens": float(right[real].float().mean()),
        "events": float(right[events].float().mean()),
        "measures": float((right | ~real).all(dim=1).float().mean()),
    }


def from_checkpoint(checkpoint: Checkpoint) -> ArVae:
    """The model of a checkpoint. Raises CheckpointError if the weights do not fit the dimensions."""
    return restored(checkpoint, lambda dims: build(MeasureDims(**dims)))
