"""A conditional flow: the latent dimensions that carry no attribute, freed of what the codes of the attributes tell.

An encoder writes into its other dimensions what goes along with an attribute, since in the corpus it does: dense
measures have other contents than sparse ones. A decoder then believes them and not the attribute's own dimension. The
flow F turns the others z into u = F^-1(z | codes), which is distributed in the same way, N(0, 1), whatever the codes
are; an edit keeps u, moves the codes, and decodes F(u | new codes): the others go along as they do in the corpus. F can
be inverted exactly, so that it costs no reconstruction at all. (Dinh et al., "Density estimation using Real NVP", ICLR
2017; conditioned as in Abdal et al., "StyleFlow", ACM TOG 2021, which edits the latents of images so.)

Each layer is an affine coupling: it shifts and scales some dimensions by what a small network makes of the rest, of
the codes, and of what the decoder knows besides (a measure's meter). The first sees only the latter and moves all.
Dimensions that the model does not use are `narrow`ed away: they stay 0. Fitted by maximum likelihood: `loss`.

Shapes: b batch, s dimensions of the flow, c conditions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

MOST = 3.0  # log-scale of a layer, at most
UNUSED = -1.0
FAR = 8.0  # sd
USED = 0.1  # least variance of a dimension's mean over the variance of its noise


class ConditionalFlow(nn.Module):
    def __init__(self, size: int, conditions: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.size = size
        self.nets = nn.ModuleList(_net(size + conditions, hidden, 2 * size) for _ in range(layers))
        # 0 or 1: moved by layers 2, 4 ... or 1, 3 ...; or UNUSED
        self.side: Tensor
        self.register_buffer("side", torch.arange(size) % 2.0)
        self.narrowed: Tensor
        self.register_buffer("narrowed", torch.zeros(1))

    @property
    def used(self) -> Tensor:
        """(s,) 1 or 0"""
        return (self.side != UNUSED).float()

    def narrow(self, signal_to_noise: Tensor) -> None:
        """(s,) what each dimension is worth; those that are worth nothing are left out from now on, unless none is
        worth anything yet."""
        used = signal_to_noise > USED
        if not used.any():
            used = torch.ones_like(used)
        self.narrowed.fill_(1)
        self.side.copy_(torch.where(used, (used.cumsum(0) - 1) % 2.0, UNUSED))

    def forward(self, u: Tensor, conditions: Tensor) -> Tensor:
        """(b, s), (b, c) -> (b, s) z"""
        z = u * self.used
        for i in reversed(range(len(self.nets))):
            shift, scale = self._layer(i, z, conditions)
            z = z * scale.exp() + shift
        return z

    def inverse(self, z: Tensor, conditions: Tensor) -> tuple[Tensor, Tensor]:
        """(b, s), (b, c) -> (b, s) u, and (b,) the log-determinant of du/dz."""
        u, volume = z * self.used, z.new_zeros(len(z))
        for i in range(len(self.nets)):
            shift, scale = self._layer(i, u, conditions)
            u = (u - shift) * (-scale).exp()
            volume = volume - scale.sum(dim=1)
        return u, volume

    def loss(self, z: Tensor, conditions: Tensor) -> Tensor:
        """Negative log-likelihood of (b, s) z by used dimension, but for a constant. Of a u beyond FAR sd it rises no
        faster than there: a single one would drown all else that a step teaches."""
        u, volume = self.inverse(z, conditions)
        near = u.clamp(-FAR, FAR)
        cost = near * u - 0.5 * near.square()  # Huber (1964)
        return (cost.sum(dim=1) - volume).mean() / self.used.sum().clamp(min=1)

    def _layer(self, i: int, x: Tensor, conditions: Tensor) -> tuple[Tensor, Tensor]:
        """Shift and log-scale, 0 where layer i moves nothing: they depend on what it does not move."""
        moved = self.used if i == 0 else (self.side == i % 2).float()
        shift, scale = self.nets[i](torch.cat([x * (1 - moved), conditions], dim=1)).chunk(2, dim=1)
        return shift * moved, MOST * torch.tanh(scale / MOST) * moved


def _net(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Gives zeros at first: the flow begins as the identity."""
    net = nn.Sequential(
        nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, outputs)
    )
    for parameter in net[-1].parameters():
        nn.init.zeros_(parameter)
    return net
