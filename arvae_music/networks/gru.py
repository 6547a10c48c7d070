"""A GRU that takes its input gates as arguments and computes its own backward pass.

    r, u, n = gates split in PyTorch's order (reset, update, new)       Cho et al. (2014), as torch.nn.GRU
    h' = (1 - u) n + u h,   n = tanh(g_n + r * (W_n h + b_n))

PyTorch's GRU on a CPU is a chain of small operations, and its backward pass allocates a padded tensor for every slice.
Here, a step is one matrix product and a few in-place operations in each direction, and the gradient of the weights is
one product over all steps. On a GPU the number of operations matters more than their size, so cuDNN computes all steps
at once. Under autocast, the steps on a CPU are in float32. Shapes: t steps, m rows, h hidden.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

OPEN = 60.0  # an update gate with this input keeps the state, whatever the other terms are


class Gru(nn.Module):
    """(t, m, 3h) gates, (m, h) first state -> (t, m, h) states, one after each step.

    Rows where `here` (t, m) bool is False keep their state in that step. The gates come from tables or linear layers
    and include biases.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        bound = hidden**-0.5
        self.weight = nn.Parameter(torch.empty(3 * hidden, hidden).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(3 * hidden))

    def forward(self, gates: Tensor, state: Tensor, here: Tensor | None = None) -> Tensor:
        if gates.is_cuda:
            return fused(gates, state, self.weight, self.bias, here)
        states: Tensor = _Steps.apply(gates, state, self.weight, self.bias, here)  # type: ignore[no-untyped-call]  # torch has no types here
        return states

    def step(self, gates: Tensor, state: Tensor) -> Tensor:
        """One step without a gradient: (m, 3h), (m, h) -> (m, h)."""
        recurrent = torch.addmm(self.bias, state, self.weight.t())
        return _step(gates.to(state.dtype), recurrent.to(state.dtype), state)[0]  # autocast may have lowered them


def _step(
    gates: Tensor, recurrent: Tensor, state: Tensor, out: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The next state, and for the backward pass the reset and update gates (m, 2h) and n."""
    h = state.shape[1]
    switch = torch.add(gates[:, : 2 * h], recurrent[:, : 2 * h]).sigmoid_()
    new = torch.addcmul(gates[:, 2 * h :], switch[:, :h], recurrent[:, 2 * h :])
    new = new.mul_(2).sigmoid_().mul_(2).sub_(1)  # tanh; PyTorch's own takes four times as long on a CPU
    return torch.lerp(new, state, switch[:, h:], out=out), switch, new


def fused(gates: Tensor, state: Tensor, weight: Tensor, bias: Tensor, here: Tensor | None = None) -> Tensor:
    """`Gru.forward` by PyTorch's own GRU, with the gates as its inputs."""
    h = state.shape[1]
    if here is not None:
        stay = gates.new_zeros(3 * h)
        stay[h : 2 * h] = OPEN
        gates = torch.where(here[:, :, None], gates, stay)
    same, none = torch.eye(3 * h, device=gates.device, dtype=gates.dtype), torch.zeros_like(bias)
    weights = [same, weight, none, bias]
    states: Tensor = torch.gru(gates, state[None], weights, True, 1, 0.0, True, False, False)[0]
    return states


class _Steps(torch.autograd.Function):
    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)  # type: ignore[untyped-decorator]  # torch has no types here
    def forward(ctx: Any, gates: Tensor, state: Tensor, weight: Tensor, bias: Tensor, here: Tensor | None) -> Tensor:
        steps, rows, _ = gates.shape
        states = gates.new_empty(steps + 1, rows, state.shape[1])
        states[0] = state
        saved = []
        transposed = weight.t()
        for t in range(steps):
            recurrent = torch.addmm(bias, states[t], transposed)
            after, switch, new = _step(gates[t], recurrent, states[t], states[t + 1])
            if here is not None:
                torch.where(here[t, :, None], after, states[t], out=after)
            saved += [switch, new, recurrent]
        ctx.save_for_backward(states, weight, here, *saved)
        return states[1:]

    @staticmethod
    @torch.amp.custom_bwd(device_type="cpu")  # type: ignore[untyped-decorator]  # torch has no types here
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        states, weight, here, *saved = ctx.saved_tensors
        (outer,) = grads
        steps, rows, h = outer.shape
        inputs_grad = outer.new_empty(steps, rows, 3 * h)
        recurrent_grad = outer.new_empty(steps, rows, 3 * h)
        carry = torch.zeros_like(states[0])
        for t in reversed(range(steps)):
            switch, new, recurrent = saved[3 * t : 3 * t + 3]
            grad = carry.add_(outer[t])
            skipped = None
            if here is not None:
                skipped = grad.masked_fill(here[t, :, None], 0)
                grad = grad.masked_fill(~here[t, :, None], 0)
            carry = _step_backward(
                grad, states[t], switch, new, recurrent[:, 2 * h :], inputs_grad[t], recurrent_grad[t]
            )
            carry.addmm_(recurrent_grad[t], weight)
            if skipped is not None:
                carry.add_(skipped)
        flat = recurrent_grad.reshape(-1, 3 * h)
        weight_grad = flat.t() @ states[:-1].reshape(-1, h)
        return inputs_grad, carry, weight_grad, flat.sum(dim=0), None


def _step_backward(
    grad: Tensor, state: Tensor, switch: Tensor, new: Tensor, inner: Tensor, inputs: Tensor, recurrent: Tensor
) -> Tensor:
    """Fill the gradients (m, 3h) of the input and recurrent gates; return the direct part of the state's gradient."""
    h = state.shape[1]
    into_new = inputs[:, 2 * h :]
    direct = grad * switch[:, h:]
    torch.ops.aten.tanh_backward(grad - direct, new, grad_input=into_new)
    torch.mul(into_new, switch[:, :h], out=recurrent[:, 2 * h :])
    torch.mul(into_new, inner, out=inputs[:, :h])
    torch.mul(grad, state - new, out=inputs[:, h : 2 * h])
    torch.ops.aten.sigmoid_backward(inputs[:, : 2 * h], switch, grad_input=inputs[:, : 2 * h])
    recurrent[:, : 2 * h] = inputs[:, : 2 * h]
    return direct
