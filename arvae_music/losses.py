"""The terms of the AR-VAE's objective, as pure functions of tensors. Pati & Lerch (2020), section III.

    loss = reconstruction + beta * KL + gamma * sum over attributes of L(r, a)
    L(r, a) = MAE( tanh(delta * D_r) - sgn(D_a) )
    D_a(i, j) = a_i - a_j        D_r(i, j) = z_i^r - z_j^r        over all pairs of the mini-batch

Shapes: b batch, z latent, k attributes. `reconstruction` is the mean over tokens (or pixels), KL the sum over z
and the mean over the batch, as in the published training (beta .001, gamma 1, delta 10 for music).
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """(b, z), (b, z) -> scalar: KL(q(z|x) || N(0, 1)), Kingma & Welling (2014), appendix B."""
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(dim=1).mean()


def attribute_loss(codes: Tensor, values: Tensor, delta: float) -> Tensor:
    """(b, k) regularised dimensions and (b, k) attribute values -> scalar, summed over the attributes.

    Under torch.distributed the pairs run across the ranks: each rank compares its own rows with everybody's.
    """
    every_code, every_value = _gather(codes.detach()), _gather(values)
    code_gap = torch.tanh(delta * (codes[:, None] - every_code[None]))
    order = torch.sign(values[:, None] - every_value[None])
    loss = (code_gap - order).abs().mean(dim=(0, 1)).sum()
    # L is symmetric in its pair, so that the gradient through the other side, detached here, equals the one through
    # this side: double the gradient, not the value. It needs no second collective call and half the memory.
    return 2 * loss - loss.detach()


def _gather(rows: Tensor) -> Tensor:
    """All ranks' rows, in rank order; the rows themselves where there is one process."""
    if not (dist.is_available() and dist.is_initialized()):
        return rows
    parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, rows.contiguous())
    return torch.cat(parts)
