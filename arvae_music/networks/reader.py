"""The reader of measures, which the encoder of `hierarchical` and the network of `contextual` share.

A bidirectional GRU over the six ticks of each beat, then a bidirectional GRU over the beats. Equal beats are computed
once. Shapes: b measures, B beats of all of them, d of them different, n beats of the longest measure, h and k hidden.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..music.meter import CODES, TICKS_PER_BEAT, all_meters
from ..music.tokens import VOCABULARY
from .gru import Gru

BEATS, COMPOUND = torch.zeros(2, CODES, dtype=torch.long)  # by the code of a meter
for _meter in all_meters():
    BEATS[_meter.code], COMPOUND[_meter.code] = _meter.beats, int(_meter.compound)


def table(rows: int, width: int) -> nn.Embedding:
    """A table of gate activations, looked up instead of an embedding that a matrix multiplies."""
    made = nn.Embedding(rows, width)
    nn.init.normal_(made.weight, std=0.3)
    return made


def distinct(rows: Tensor, base: int) -> tuple[Tensor, Tensor]:
    """(m, t) integers below `base`, base^t < 2^63 -> (d, t) the different rows, and (m,) the index of each row's."""
    powers = base ** torch.arange(rows.shape[1], device=rows.device)
    keys, which = torch.unique((rows * powers).sum(dim=1), return_inverse=True)
    return keys[:, None] // powers % base, which


class Layout(NamedTuple):
    """The beats of a batch of measures."""

    tokens: Tensor  # (B, 6) the tokens of every beat
    here: Tensor  # (b, n) bool: whether the row has this beat
    codes: Tensor  # (b,) meter codes
    positions: Tensor  # (B,) index of the beat within its measure
    compound: Tensor  # (B,) 0 or 1

    @property
    def even(self) -> bool:
        """Whether all rows have the same number of beats."""
        return self.tokens.shape[0] == self.here.numel()


def laid_out(rows: Tensor, codes: Tensor) -> Layout:
    """(b, t) rows of one length, and the (b,) codes of the meters as which they are read -> beats."""
    count = rows.shape[1] // TICKS_PER_BEAT  # sizes are explicit, because -1 would fail without rows
    here = torch.ones(len(rows), count, dtype=torch.bool, device=rows.device)
    positions = torch.arange(count, device=rows.device).repeat(len(rows))
    compound = COMPOUND.to(codes.device)[codes].repeat_interleave(count)
    return Layout(rows.reshape(len(rows) * count, TICKS_PER_BEAT), here, codes, positions, compound)


def spread(beats: Tensor, rows: Layout) -> Tensor:
    """(B, f) -> (b, n, f), with zeros at beats that a row does not have."""
    if rows.even:
        return beats.reshape(*rows.here.shape, beats.shape[1])
    whole = beats.new_zeros(*rows.here.shape, beats.shape[1])
    whole[rows.here] = beats
    return whole


class MeasureReader(nn.Module):
    def __init__(self, hidden: int, tick_hidden: int, codes: int) -> None:
        """`codes` is the number of meter codes that the measures may have."""
        super().__init__()
        self.hidden, self.tick_hidden = hidden, tick_hidden
        self.tick_tables = nn.ModuleList(table(2 * VOCABULARY, 3 * tick_hidden) for _ in range(2))
        self.tick_grus = nn.ModuleList(Gru(tick_hidden) for _ in range(2))
        self.beat_inputs = nn.ModuleList(nn.Linear(2 * tick_hidden, 3 * hidden) for _ in range(2))
        self.beat_tables = nn.ModuleList(table(codes, 3 * hidden) for _ in range(2))
        self.beat_grus = nn.ModuleList(Gru(hidden) for _ in range(2))

    def summary(self, rows: Layout) -> Tensor:
        """The measures -> (b, 2h)"""
        # A tick is another position in a compound beat, so that equal tokens are not the same input there.
        first, which = distinct(rows.tokens + VOCABULARY * rows.compound[:, None], 2 * VOCABULARY)
        beats = self._beats(first)
        ends = [self._measure(rows, self.beat_inputs[side](beats).index_select(0, which), side) for side in range(2)]
        return torch.cat(ends, dim=1)

    def _measure(self, rows: Layout, gates: Tensor, side: int) -> Tensor:
        """(B, 3h) -> (b, h): the end state of one beat GRU."""
        gates = spread(gates, rows).transpose(0, 1)
        gates = gates + self.beat_tables[side](rows.codes)
        start = torch.zeros(len(rows.codes), self.hidden, device=gates.device)
        here = None if rows.even else rows.here.t()
        if side == 1:
            gates, here = gates.flip(0), None if here is None else here.flip(0)
        states: Tensor = self.beat_grus[side](gates, start, here)
        return states[-1]

    def _beats(self, beats: Tensor) -> Tensor:
        """(d, 6) tokens -> (d, 2k): the end states of both tick GRUs."""
        tokens = beats.t().contiguous()
        start = torch.zeros(len(beats), self.tick_hidden, device=beats.device)
        forwards = self.tick_grus[0](self.tick_tables[0](tokens), start)
        backwards = self.tick_grus[1](self.tick_tables[1](tokens.flip(0)), start)
        return torch.cat([forwards[-1], backwards[-1]], dim=1)
