"""A conditional flow, which makes the other latent dimensions independent of the attributes' codes.

The dimensions that hold no attribute still contain information about the attributes, because the corpus does: dense
measures have other contents than sparse ones. A decoder can then ignore the attribute's own dimension. The flow F maps
the other dimensions z to u = F^-1(z | codes), which is distributed as N(0, 1) whatever the codes are. An edit keeps u,
moves the codes, and decodes F(u | new codes), so that the other dimensions change as they do in the corpus. F is
exactly invertible and therefore costs no reconstruction. (Dinh et al., "Density estimation using Real NVP", ICLR 2017;
conditioned as in Abdal et al., "StyleFlow", ACM TOG 2021, which edits the latents of images this way.)

Each layer is an affine coupling: it shifts and scales some of the dimensions, by amounts that a small network computes
from the remaining dimensions and the conditions, which are the codes and the context of the decoder (the meter of a
measure). The first layer shifts and scales all dimensions, from the conditions alone. `narrow` switches off dimensions
that the model does not use, which stay 0 from then on. The flow is fitted by maximum likelihood (`loss`).

Shapes: b batch, s dimensions of the flow, c conditions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

MOST = 3.0  # the largest |log-scale| of a layer
UNUSED = -1.0  # in `side`, marks a dimension that is switched off
FAR = 8.0  # sd; beyond it the loss grows linearly
USED = 0.1  # a dimension is used if its signal-to-noise ratio (`narrow`) is above this


class ConditionalFlow(nn.Module):
    def __init__(self, size: int, conditions: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.size = size
        self.nets = nn.ModuleList(_net(size + conditions, hidden, 2 * size) for _ in range(layers))
        # Layers 2, 4 ... move the dimensions of side 0, layers 1, 3 ... those of side 1, and none moves UNUSED ones.
        self.side: Tensor
        self.register_buffer("side", torch.arange(size) % 2.0)
        self.narrowed: Tensor
        self.register_buffer("narrowed", torch.zeros(1))

    @property
    def used(self) -> Tensor:
        """(s,) 1 for each dimension that is in use, 0 for one that is switched off."""
        return (self.side != UNUSED).float()

    def narrow(self, signal_to_noise: Tensor) -> None:
        """Switch off the dimensions that the model does not use. `signal_to_noise` (s,) is the variance of each
        posterior mean over the mean posterior variance. If none is above USED, all dimensions stay in use."""
        used = signal_to_noise > USED
        if not used.any():
            used = torch.ones_like(used)
        self.narrowed.fill_(1)
        self.side.copy_(torch.where(used, (used.cumsum(0) - 1) % 2.0, UNUSED))

    def forward(self, u: Tensor, conditions: Tensor) -> Tensor:
        """(b, s) u and (b, c) conditions -> (b, s) z."""
        z = u * self.used
        for i in reversed(range(len(self.nets))):
            shift, scale = self._layer(i, z, conditions)
            z = z * scale.exp() + shift
        return z

    def inverse(self, z: Tensor, conditions: Tensor) -> tuple[Tensor, Tensor]:
        """(b, s) z and (b, c) conditions -> (b, s) u, and (b,) log-determinants of du/dz."""
        u, volume = z * self.used, z.new_zeros(len(z))
        for i in range(len(self.nets)):
            shift, scale = self._layer(i, u, conditions)
            u = (u - shift) * (-scale).exp()
            volume = volume - scale.sum(dim=1)
        return u, volume

    def loss(self, z: Tensor, conditions: Tensor) -> Tensor:
        """The negative log-likelihood of (b, s) z per dimension in use, up to a constant. Beyond FAR sd it grows only
        linearly in u, so that a single outlier does not dominate the gradient of a step."""
        u, volume = self.inverse(z, conditions)
        near = u.clamp(-FAR, FAR)
        cost = near * u - 0.5 * near.square()  # Huber (1964)
        return (cost.sum(dim=1) - volume).mean() / self.used.sum().clamp(min=1)

    def _layer(self, i: int, x: Tensor, conditions: Tensor) -> tuple[Tensor, Tensor]:
        """The shift and the log-scale of layer i, 0 for dimensions that it does not move, from which they follow."""
        moved = self.used if i == 0 else (self.side == i % 2).float()
        shift, scale = self.nets[i](torch.cat([x * (1 - moved), conditions], dim=1)).chunk(2, dim=1)
        return shift * moved, MOST * torch.tanh(scale / MOST) * moved


def _net(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """A small network whose output is 0 at first, so that the flow starts as the identity."""
    net = nn.Sequential(
        nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, outputs)
    )
    for parameter in net[-1].parameters():
        nn.init.zeros_(parameter)
    return net
