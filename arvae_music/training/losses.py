"""The terms of the AR-VAE's objective, as pure functions of tensors. Pati & Lerch (2020), section III.

    loss = reconstruction + beta * KL + gamma * sum over attributes of L(r, a)
    L(r, a) = MAE( tanh(delta * D_r) - sgn(D_a) )
    D_a(i, j) = a_i - a_j        D_r(i, j) = z_i^r - z_j^r        over all pairs of the mini-batch

`AttributeLoss` is L as a module, for a training loop of your own: latent dimensions and attribute values in, a
differentiable scalar out.

Shapes: b batch, z latent, k attributes. `reconstruction` is the mean over the tokens, and KL is the sum over the latent
dimensions, averaged over the batch, as in the published training (beta 0.001, gamma 1, delta 10 for music).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """(b, z), (b, z) -> scalar: KL(q(z|x) || N(0, 1)), Kingma & Welling (2014), appendix B."""
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(dim=1).mean()


class AttributeLoss(nn.Module):
    """The paper's L(r, a), summed over the attributes.

        loss = AttributeLoss(delta=10.0)
        total = reconstruction + beta * kl + gamma * loss(z[:, :k], attributes)
    """

    def __init__(self, delta: float = 10.0) -> None:
        """`delta` is the spread of the tanh: 10 for music in the paper, 1 for digits. Raises ValueError unless it is
        above 0."""
        super().__init__()
        if not delta > 0:
            raise ValueError(f"delta must be above 0, not {delta}")
        self.delta = delta

    def forward(self, z_r: Tensor, a: Tensor) -> Tensor:
        """`attribute_loss` of regularised dimensions z^r and attribute values a, (b, k) or (b,) each."""
        return attribute_loss(z_r, a, self.delta)

    def extra_repr(self) -> str:
        return f"delta={self.delta:g}"


def attribute_loss(codes: Tensor, values: Tensor, delta: float) -> Tensor:
    """(b, k) regularised dimensions and (b, k) attribute values, or (b,) of one attribute -> scalar, summed over the
    attributes.

    It can be differentiated twice. Under torch.distributed the pairs run across the ranks: each rank compares its own
    rows with everybody's; then it can be differentiated once, and more raises RuntimeError. Raises ValueError if the
    shapes differ.
    """
    if codes.shape != values.shape or codes.dim() not in (1, 2):
        shapes = f"{tuple(codes.shape)} and {tuple(values.shape)}"
        raise ValueError(f"codes and values must both be (b, k) or both (b,), not {shapes}")
    if codes.dim() == 1:
        codes, values = codes[:, None], values[:, None]
    loss: Tensor = _Pairs.apply(codes, _gather(codes.detach()), values, _gather(values), delta)  # type: ignore[no-untyped-call]  # torch has no types here
    return loss


class _Pairs(torch.autograd.Function):
    """The loss and, computed with it, its gradient. Only the pairs of one attribute are in memory at a time."""

    @staticmethod
    def forward(
        ctx: Any, codes: Tensor, every_code: Tensor, values: Tensor, every_value: Tensor, delta: float
    ) -> Tensor:
        total, gradient = codes.new_zeros(()), torch.empty_like(codes)
        for k in range(codes.shape[1]):
            gap = (2 * delta * (codes[:, k, None] - every_code[:, k])).sigmoid_().mul_(2).sub_(1)  # a fast tanh
            miss = gap - torch.sign(values[:, k, None] - every_value[:, k])
            total += miss.abs().mean()
            gradient[:, k] = torch.ops.aten.tanh_backward(miss.sign_(), gap).sum(dim=1)
        # L is symmetric in its pair: the gradient through the other side equals the one through this side, so that it
        # is doubled, which needs no second collective call.
        gradient.mul_(2 * delta / (len(codes) * len(every_code)))
        ctx.save_for_backward(gradient, codes, values)
        ctx.delta, ctx.ranks = delta, len(every_code) // max(len(codes), 1)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        gradient, codes, values = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True: the gradient will be differentiated
            if ctx.ranks > 1:
                raise RuntimeError("attribute_loss has no second derivative across processes; use create_graph=False")
            gradient = _gradient(codes, values, ctx.delta)
        return grads[0] * gradient, None, None, None, None


def _gradient(codes: Tensor, values: Tensor, delta: float) -> Tensor:
    """The (b, k) gradient that _Pairs.forward saves, as a differentiable function of the codes."""
    gap = torch.tanh(delta * (codes[:, None] - codes))
    sign = torch.sign(gap.detach() - torch.sign(values[:, None] - values))
    return (sign * (1 - gap.square())).sum(dim=1) * (2 * delta / len(codes) ** 2)


def _gather(rows: Tensor) -> Tensor:
    """The rows of all ranks in the order of the ranks, or `rows` itself if there is a single process."""
    if not (dist.is_available() and dist.is_initialized()):
        return rows
    parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, rows.contiguous())
    return torch.cat(parts)
