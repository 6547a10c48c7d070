"""The terms of the AR-VAE's objective, as pure functions of tensors. Pati & Lerch (2020), section III.

    loss = reconstruction + beta * KL + gamma * sum over attributes of L(r, a)
    L(r, a) = MAE( tanh(delta * D_r) - sgn(D_a) )
    D_a(i, j) = a_i - a_j        D_r(i, j) = z_i^r - z_j^r        over all pairs of the mini-batch

Shapes: b batch, z latent, k attributes. `reconstruction` is the mean over tokens (or pixels), KL the sum over z
and the mean over the batch, as in the published training (beta .001, gamma 1, delta 10 for music).
"""

from __future__ import annotations

from typing import Any

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
    loss: Tensor = _Pairs.apply(codes, _gather(codes.detach()), values, _gather(values), delta)  # type: ignore[no-untyped-call]  # torch has no types here
    return loss


class _Pairs(torch.autograd.Function):
    """The sum, and with it its gradient: one attribute's pairs are in memory at a time, and once."""

    @staticmethod
    def forward(
        ctx: Any, codes: Tensor, every_code: Tensor, values: Tensor, every_value: Tensor, delta: float
    ) -> Tensor:
        total, gradient = codes.new_zeros(()), torch.empty_like(codes)
        for k in range(codes.shape[1]):
            gap = (2 * delta * (codes[:, k, None] - every_code[:, k])).sigmoid_().mul_(2).sub_(1)  # a quicker tanh
            miss = gap - torch.sign(values[:, k, None] - every_value[:, k])
            total += miss.abs().mean()
            gradient[:, k] = torch.ops.aten.tanh_backward(miss.sign_(), gap).sum(dim=1)
        # L is symmetric in its pair: the gradient through the other side equals the one through this side, so that it
        # is doubled, which needs no second collective call.
        ctx.save_for_backward(gradient.mul_(2 * delta / (len(codes) * len(every_code))))
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return grads[0] * gradient, None, None, None, None


def _gather(rows: Tensor) -> Tensor:
    """All ranks' rows, in rank order; the rows themselves where there is one process."""
    if not (dist.is_available() and dist.is_initialized()):
        return rows
    parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, rows.contiguous())
    return torch.cat(parts)
