"""An AR-VAE of measures in context: encoder and decoder of a measure see the measures around it.

The network is hierarchical: ticks make beats, beats make measures, measures make a window of a tune. For measure i:

    summary    a bidirectional GRU over the beats of each measure (and one over the ticks of each beat)
    context    a forward GRU over the summaries of the measures before i, a backward GRU over those after i, the place
               in the tune and in the phrase, the meter, the mode, and the note after the measure
    memory     at each tick, the tokens at the same tick of the window's other measures, weighted by attention. A
               measure gets attention for its distance (a phrase ago), and where its neighbours resemble those of i
    encoder    summary and context -> posterior of z
    decoder    z and context -> a GRU over the beats -> a GRU over the ticks, which also gets the memory, the tokens
               before it, and from the measure before the pitch that sounds over the barline

Nothing that the decoder gets besides z depends on measure i, so that the likelihood of a measure given its neighbours
is a proper one. All measures of a window are trained at once.

`Given` says what the decoder gets of z: the dimensions of some attributes, the other dimensions, both, or nothing.
Training draws it for every measure, so that one network is the decoder of the VAE, a generator that obeys given
attributes, and a language model of measures in context.

Shapes: w windows, m measures of a window, b = w * m, t ticks, n beats, h hidden, k attributes, z latent, v vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..music.meter import TICKS_PER_BEAT
from ..music.tokens import HOLD, START, VOCABULARY
from ..vae.model import Posterior
from .context import (
    AFTER,
    AFTER_END,
    DISTANCES,
    MODES,
    NO_MODE,
    PLACES,
    UNKNOWN_ENTERING,
    UNKNOWN_PLACES,
    ContextDims,
)
from .gru import Gru
from .hierarchical import DROPPED
from .passages import ABSENT, SIDE
from .reader import COMPOUND, MeasureReader, laid_out, table

MASKED = -1e4  # the attention score of a measure that may not be seen


class Window(NamedTuple):
    """Windows of consecutive measures of one number of ticks; see context.py for the codes."""

    rows: Tensor  # (w, m, t) tokens
    codes: Tensor  # (w,) meter codes
    here: Tensor  # (w, m) bool: whether there is a measure
    places: Tensor  # (w, m, 3) from the start, from the end, in the phrase
    modes: Tensor  # (w,)
    entering: Tensor  # (w, m) the token that sounds over the barline before the measure
    after: Tensor  # (w, m) the first note of the next measure

    @classmethod
    def of_packed(cls, packed: Tensor) -> Window:
        """(w, m, 1 + t + SIDE) measures as `passages.Passages.packed` lays them out. A window's first measure is
        always there."""
        packed = packed.long()
        codes, rows, side = packed[:, :, 0], packed[:, :, 1:-SIDE], packed[:, :, -SIDE:]
        places, entering, after, mode = side[:, :, :-3], side[:, :, -3], side[:, :, -2], side[:, 0, -1]
        return cls(rows, codes[:, 0], codes != ABSENT, places, mode, entering, after)

    def alone(self) -> Window:
        """The same measures, each without its context."""
        w, m, t = self.rows.shape
        rows, here = self.rows.reshape(w * m, 1, t), self.here.reshape(w * m, 1)
        places = torch.tensor(UNKNOWN_PLACES, device=rows.device).expand(w * m, 1, -1)
        codes = self.codes.repeat_interleave(m)
        modes, entering, after = (
            torch.full(shape, code, device=rows.device)
            for shape, code in (((w * m,), NO_MODE), ((w * m, 1), UNKNOWN_ENTERING), ((w * m, 1), AFTER_END))
        )
        return Window(rows, codes, here, places, modes, entering, after)


class Context(NamedTuple):
    """All that encoder and decoder know of a measure besides the measure itself and z."""

    state: Tensor  # (b, c)
    memory: Tensor  # (b, t, heads * value)
    entering: Tensor  # (b,)
    codes: Tensor  # (b,)


class Passed(NamedTuple):
    """The encoding of b measures in their contexts, and how well the decoder predicts them."""

    posterior: Posterior
    z: Tensor  # (b, z) sampled from the posterior
    nats: Tensor  # (b,) the negative log-likelihood of each measure
    context: Context


class Given(NamedTuple):
    """What of z the decoder gets: the dimensions of some attributes, and the others at a level from 0 to 1.

    At a level between, the other dimensions are mixed with noise of the prior's variance, so that they are a sketch of
    the measure.
    """

    attributes: Tensor  # (b, k) 1 or 0
    others: Tensor  # (b, 1)

    @classmethod
    def all(cls, like: Tensor, attributes: int) -> Given:
        """Everything is given for each of the b rows of `like`."""
        return cls(like.new_ones(len(like), attributes), like.new_ones(len(like), 1))

    @classmethod
    def nothing(cls, like: Tensor, attributes: int) -> Given:
        return cls(like.new_zeros(len(like), attributes), like.new_zeros(len(like), 1))

    def seen(self, z: Tensor) -> Tensor:
        """(b, z) -> (b, z + k + 1): z without what is not given, and what is given."""
        k, level = self.attributes.shape[1], self.others
        others = level * z[:, k:]
        if bool(((level > 0) & (level < 1)).any()):
            noise = ((1 - level**2).clamp(min=0) * (level > 0)).sqrt()
            others = others + noise * torch.randn_like(others)
        return torch.cat([z[:, :k] * self.attributes, others, self.attributes, level], dim=1)


class Surroundings(nn.Module):
    """The contexts of all measures of windows from the measures' summaries."""

    def __init__(self, dims: ContextDims) -> None:
        super().__init__()
        s, h, heads, d = 2 * dims.measure_hidden, dims.context_hidden, dims.heads, dims.key
        self.dims = dims
        self.inputs = nn.ModuleList(nn.Linear(s, 3 * h) for _ in range(2))
        self.grus = nn.ModuleList(Gru(h) for _ in range(2))
        self.place_tables = nn.ModuleList(table(count, dims.side) for count in PLACES)
        self.mode_table = table(MODES, dims.side)
        self.meter_table = table(dims.codes, dims.side)
        self.entering_table = table(VOCABULARY + 1, dims.side)
        self.after_table = table(AFTER, dims.side)
        c = 2 * h + dims.side
        self.mix = nn.Linear(c, dims.context)
        self.similar = nn.ModuleList(nn.Linear(s, heads * d, bias=False) for _ in range(4))
        self.query = nn.Linear(dims.context, heads * d)
        self.key = nn.Linear(s, heads * d, bias=False)
        self.distance = nn.Parameter(torch.zeros(heads, 2 * DISTANCES + 1))
        self.values = table(VOCABULARY, heads * dims.value)
        self.held = table(VOCABULARY + 1, heads * dims.value)
        self.dropout = nn.Dropout(dims.dropout)

    def forward(self, summary: Tensor, window: Window) -> Context:
        """(w, m, 2h) summaries -> the contexts of the w * m measures."""
        w, m = window.here.shape
        summary = self.dropout(summary * window.here[:, :, None])
        steps = summary.transpose(0, 1)
        here = window.here.t()
        zero = torch.zeros(w, self.dims.context_hidden, device=summary.device)
        before = self.grus[0](self.inputs[0](steps), zero, here)
        after = self.grus[1](self.inputs[1](steps).flip(0), zero, here.flip(0)).flip(0)
        # The states next to each measure: after the one before it, and before the one after it.
        before = torch.cat([zero[None], before[:-1]]).transpose(0, 1)
        after = torch.cat([after[1:], zero[None]]).transpose(0, 1)
        side = self.entering_table(window.entering) + self.after_table(window.after)
        side = side + (self.mode_table(window.modes) + self.meter_table(window.codes))[:, None]
        for at, places in enumerate(self.place_tables):
            side = side + places(window.places[:, :, at])
        state = torch.tanh(self.mix(torch.cat([before, after, side], dim=2)))
        memory = self._memory(state, summary, window)
        return Context(
            self.dropout(state).flatten(0, 1),
            memory.flatten(0, 1),
            window.entering.flatten(),
            window.codes.repeat_interleave(m),
        )

    def _memory(self, state: Tensor, summary: Tensor, window: Window) -> Tensor:
        """(w, m, c), (w, m, s) -> (w, m, t, heads * value)"""
        w, m = window.here.shape
        heads, value, t = self.dims.heads, self.dims.value, window.rows.shape[2]
        scores = self._scores(state, summary, window)
        weights = scores.softmax(dim=3) * (scores > MASKED / 2)  # a measure without others gets none, and not itself
        tokens = self.values(window.rows) + self.held(sounding(window.rows, window.entering))
        values = self.dropout(tokens).reshape(w, m, t, heads, value).permute(0, 3, 1, 2, 4)
        seen = weights @ values.reshape(w, heads, m, t * value)
        memory: Tensor = seen.reshape(w, heads, m, t, value).permute(0, 2, 3, 1, 4).reshape(w, m, t, heads * value)
        return memory

    def _scores(self, state: Tensor, summary: Tensor, window: Window) -> Tensor:
        """(w, heads, m, m): how much attention measure i pays to measure j; none to itself.

        The similarity of the neighbours compares i - 1 with j - 1, and i + 1 with j + 1. It must not depend on measure
        i itself, so it is left out where the neighbour of j is i.
        """
        w, m = window.here.shape
        heads, d = self.dims.heads, self.dims.key

        def split(x: Tensor) -> Tensor:
            return x.reshape(w, m, heads, d).transpose(1, 2)

        own = split(self.query(state)) @ split(self.key(summary)).transpose(2, 3)
        left = split(self.similar[0](summary)) @ split(self.similar[1](summary)).transpose(2, 3)
        right = split(self.similar[2](summary)) @ split(self.similar[3](summary)).transpose(2, 3)
        index = torch.arange(m, device=summary.device)
        gap = index[None] - index[:, None]  # j - i
        left = nn.functional.pad(left[:, :, :-1, :-1], (1, 0, 1, 0)) * (gap != 1)
        right = nn.functional.pad(right[:, :, 1:, 1:], (0, 1, 0, 1)) * (gap != -1)
        scores = (own + left + right) * d**-0.5
        scores = scores + self.distance[:, gap.clamp(-DISTANCES, DISTANCES) + DISTANCES]
        hidden = (gap == 0) | ~window.here[:, None, None, :]
        masked: Tensor = scores.masked_fill(hidden, MASKED)
        return masked


def sounding(rows: Tensor, entering: Tensor) -> Tensor:
    """(..., t) tokens and (...) those that sound before -> (..., t) the token that sounds during each tick."""
    ticks = torch.arange(rows.shape[-1], device=rows.device)
    last = torch.where(rows != HOLD, ticks, -1).cummax(dim=-1).values
    return torch.where(last >= 0, rows.gather(-1, last.clamp(min=0)), entering[..., None])


class Decoder(nn.Module):
    def __init__(self, dims: ContextDims) -> None:
        super().__init__()
        h, k = dims.decoder_hidden, dims.tick_hidden
        self.dims = dims
        given = dims.latent + dims.attributes + 1 + dims.context
        self.widen = nn.Linear(given, dims.wide)
        self.beat_start = nn.Linear(dims.wide, h)
        self.beat_input = nn.Linear(dims.wide, 3 * h)
        self.beat_table = table(dims.codes * dims.beats, 3 * h)
        self.beat_gru = Gru(h)
        self.tick_start = nn.Linear(dims.wide, k)
        # The gates that all ticks of a beat share, then the additional inputs of each tick.
        self.tick_input = nn.Linear(h, (3 + TICKS_PER_BEAT) * k)
        self.tick_table = table(2 * TICKS_PER_BEAT, 3 * k)
        self.previous_table = table(VOCABULARY + 2, 3 * k)
        self.sounding_table = table(VOCABULARY + 2, 3 * k)
        self.memory_input = nn.Linear(dims.heads * dims.value, 3 * k, bias=False)
        self.tick_gru = Gru(k)
        self.dropout = nn.Dropout(dims.dropout / 2)
        self.to_tokens = nn.Linear(k, VOCABULARY)

    def conditions(self, seen: Tensor, context: Context, places: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The (t, b, 3k) gates of all ticks that do not depend on tokens, and the (b, k) first state.
        `places` (n, 1) are the rows of the table of beats where several meters stand in for one (stand_ins.py)."""
        t = context.memory.shape[1]
        k, count = self.dims.tick_hidden, t // TICKS_PER_BEAT
        known = torch.tanh(self.widen(torch.cat([seen, context.state], dim=1)))
        if places is None:
            places = context.codes * self.dims.beats + torch.arange(count, device=seen.device)[:, None]
        gates = self.beat_input(known) + self.beat_table(places)
        states = self.beat_gru(gates, torch.tanh(self.beat_start(known)))
        inputs = self.tick_input(states)
        each = inputs[:, :, 3 * k :].reshape(count, len(seen), TICKS_PER_BEAT, k).transpose(1, 2)
        shared = inputs[:, None, :, : 3 * k]
        parts = torch.cat([shared[..., : 2 * k].expand(-1, TICKS_PER_BEAT, -1, -1), shared[..., 2 * k :] + each], dim=3)
        kinds = COMPOUND.to(seen.device)[context.codes]
        ticks = torch.arange(TICKS_PER_BEAT, device=seen.device)[:, None]
        parts = parts + self.tick_table(TICKS_PER_BEAT * kinds + ticks)
        gates = parts.reshape(t, len(seen), 3 * k) + self.memory_input(context.memory.transpose(0, 1))
        start: Tensor = torch.tanh(self.tick_start(known))
        return gates, start

    def forward(self, seen: Tensor, context: Context, rows: Tensor, dropout: Tensor | float = 0.0) -> Tensor:
        """Teacher-forced logits (t, b, v). `dropout` (b,) is the share of tokens that are hidden from each row."""
        previous, sounding = forced(rows, context.entering)
        if isinstance(dropout, Tensor):
            hidden = torch.rand(previous.shape, device=seen.device) < dropout
            previous, sounding = previous.masked_fill(hidden, DROPPED), sounding.masked_fill(hidden, DROPPED)
        gates, start = self.conditions(seen, context)
        gates = gates + self.previous_table(previous) + self.sounding_table(sounding)
        logits: Tensor = self.to_tokens(self.dropout(self.tick_gru(gates, start)))
        return logits

    @torch.no_grad()
    def free(self, seen: Tensor, context: Context, temperature: Tensor | float = 0.0, copies: int = 1) -> Tensor:
        """(b * copies, t) tokens, the most probable ones, or sampled; `temperature` may be (b * copies, 1)."""
        gates, state = self.conditions(seen, context)
        state = state.repeat_interleave(copies, 0)
        previous = torch.full((len(state),), START, device=seen.device)
        sounding = context.entering.repeat_interleave(copies)
        made = []
        for gate in gates:
            gate = gate.repeat_interleave(copies, 0)
            state = self.tick_gru.step(gate + self.previous_table(previous) + self.sounding_table(sounding), state)
            logits = self.to_tokens(state)
            if isinstance(temperature, Tensor) or temperature:
                noise = torch.rand_like(logits).clamp_(1e-7, 1 - 1e-7).log_().neg_().log_().neg_()
                logits = logits + temperature * noise
            previous = logits.argmax(dim=1)
            sounding = torch.where(previous == HOLD, sounding, previous)
            made.append(previous)
        return torch.stack(made, dim=1)


def forced(rows: Tensor, entering: Tensor) -> tuple[Tensor, Tensor]:
    """(b, t) twice transposed: (t, b) the token before each tick, and the token that sounds there."""
    previous = nn.functional.pad(rows.t(), (0, 0, 1, -1), value=START)
    return previous, torch.cat([entering[None], sounding(rows, entering).t()[:-1]])


def nats(logits: Tensor, rows: Tensor) -> Tensor:
    """(t, b, v) logits and (b, t) tokens -> (b,) the negative log-likelihood of each row."""
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), rows.t().reshape(-1), reduction="none")
    return loss.reshape(rows.shape[1], -1).sum(dim=0)


class ContextualArVae(nn.Module):
    """The whole network: `forward` for training, `read`, `posterior` and `decoder` for everything else."""

    def __init__(self, dims: ContextDims) -> None:
        super().__init__()
        self.dims = dims
        self.reader = MeasureReader(dims.measure_hidden, dims.beat_hidden, dims.codes)
        self.surroundings = Surroundings(dims)
        self.posterior_hidden = nn.Linear(2 * dims.measure_hidden + dims.context, dims.wide)
        self.to_latent = nn.Linear(dims.wide + 2 * dims.measure_hidden, 2 * dims.latent)
        self.decoder = Decoder(dims)

    @property
    def latent(self) -> int:
        return self.dims.latent

    def forward(self, window: Window, given: Given, dropout: Tensor | float = 0.0) -> Passed:
        """Encode, sample and decode all b = w * m measures of windows. `dropout` (b,) is the share of the tokens before
        each tick that are hidden from the decoder."""
        summary, context = self.read(window)
        posterior = self.posterior(summary, context)
        noise = torch.randn_like(posterior.mean)
        z = posterior.mean + noise * (0.5 * posterior.log_variance).exp()
        rows = window.rows.flatten(0, 1)
        return Passed(posterior, z, nats(self.decoder(given.seen(z), context, rows, dropout), rows), context)

    def read(self, window: Window) -> tuple[Tensor, Context]:
        """The summaries (b, 2h) and the contexts of all measures of the windows."""
        w, m, t = window.rows.shape
        summary = self.summary(window.rows.reshape(w * m, t), window.codes.repeat_interleave(m))
        return summary, self.surroundings(summary.reshape(w, m, summary.shape[1]), window)

    def summary(self, rows: Tensor, codes: Tensor) -> Tensor:
        """(b, t) tokens and (b,) meter codes -> (b, 2h)"""
        return self.reader.summary(laid_out(rows, codes))

    def posterior(self, summary: Tensor, context: Context) -> Posterior:
        hidden = torch.tanh(self.posterior_hidden(torch.cat([summary, context.state], dim=1)))
        mean, log_variance = self.to_latent(torch.cat([hidden, summary], dim=1)).chunk(2, dim=1)
        return Posterior(mean, log_variance.clamp(-10, 4))
