"""The hand-written GRU: the same numbers as PyTorch's, and a backward pass that numerical differences confirm."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from arvae_music.networks.gru import Gru, fused


def made(hidden: int = 4, seed: int = 0) -> Gru:
    torch.manual_seed(seed)
    gru = Gru(hidden).double()
    torch.nn.init.normal_(gru.bias, std=0.5)  # biases start at zero: a test would not see them
    return gru


def inputs(steps: int = 5, rows: int = 3, hidden: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    gates = torch.randn(steps, rows, 3 * hidden, dtype=torch.float64)
    state = torch.randn(rows, hidden, dtype=torch.float64)
    return gates, state, torch.rand(steps, rows) < 0.6


def theirs(gru: Gru) -> torch.nn.GRU:
    """torch.nn.GRU whose inputs are the gates themselves."""
    h = gru.hidden
    other = torch.nn.GRU(3 * h, h).double()
    with torch.no_grad():
        other.weight_ih_l0.copy_(torch.eye(3 * h))
        other.bias_ih_l0.zero_()
        other.weight_hh_l0.copy_(gru.weight)
        other.bias_hh_l0.copy_(gru.bias)
    return other


def test_equals_pytorchs_forwards_and_backwards():
    gru, (gates, state, _) = made(), inputs()
    other = theirs(gru)
    leaves = [gates.clone().requires_grad_() for _ in range(2)], [state.clone().requires_grad_() for _ in range(2)]
    mine, expected = gru(leaves[0][0], leaves[1][0]), other(leaves[0][1], leaves[1][1][None])[0]
    torch.testing.assert_close(mine, expected)
    weights = torch.randn_like(mine)
    (mine * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(leaves[0][0].grad, leaves[0][1].grad)
    torch.testing.assert_close(leaves[1][0].grad, leaves[1][1].grad)
    torch.testing.assert_close(gru.weight.grad, other.weight_hh_l0.grad)
    torch.testing.assert_close(gru.bias.grad, other.bias_hh_l0.grad)


@pytest.mark.parametrize("masked", [False, True])
def test_gradients_are_those_of_numerical_differences(masked: bool):
    gru, (gates, state, here) = made(3), inputs(4, 2, 3)
    assert 0 < here.float().mean() < 1

    def run(gates: Tensor, state: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        named = {"weight": weight, "bias": bias}
        return torch.func.functional_call(gru, named, (gates, state, here if masked else None))

    leaves = [x.detach().clone().requires_grad_() for x in (gates, state, gru.weight, gru.bias)]
    assert torch.autograd.gradcheck(run, leaves)


def test_a_row_that_is_passed_by_keeps_its_state():
    gru, (gates, state, here) = made(), inputs()
    states = gru(gates, state, here)
    for row in range(3):
        alone = gru(gates[here[:, row], row, None], state[row, None])  # the steps that it takes, and no others
        torch.testing.assert_close(states[-1, row], alone[-1, 0])
        before = state[row]
        for t in range(len(gates)):
            if not here[t, row]:
                assert torch.equal(states[t, row], before)
            before = states[t, row]


def test_step_is_one_step_of_the_whole():
    gru, (gates, state, _) = made(), inputs()
    states = gru(gates, state)
    with torch.no_grad():
        for t in range(len(gates)):
            state = gru.step(gates[t], state)
            torch.testing.assert_close(state, states[t])


@pytest.mark.parametrize("masked", [False, True])
def test_autocast_changes_only_the_precision_of_the_inputs(masked: bool):
    exact, (gates, state, here) = made(), inputs()
    lowered = made().float()
    leaves = gates.bfloat16().requires_grad_(), state.float().requires_grad_()
    given = leaves[0].detach().double().requires_grad_(), state.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        states = lowered(*leaves, here if masked else None)
        states.square().sum().backward()
    expected = exact(*given, here if masked else None)
    expected.square().sum().backward()
    assert states.dtype == torch.float32
    torch.testing.assert_close(states.double(), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(leaves[0].grad, given[0].grad.bfloat16(), atol=1e-3, rtol=1e-2)
    torch.testing.assert_close(leaves[1].grad.double(), given[1].grad, atol=1e-5, rtol=1e-5)
    for (name, one), (_, other) in zip(lowered.named_parameters(), exact.named_parameters(), strict=True):
        torch.testing.assert_close(one.grad.double(), other.grad, atol=1e-4, rtol=1e-4, msg=name)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        after = lowered.step(leaves[0][0], leaves[1])
    with torch.no_grad():
        torch.testing.assert_close(after.double(), exact.step(given[0][0], given[1]), atol=2e-2, rtol=2e-2)


@pytest.mark.parametrize("masked", [False, True])
def test_what_a_gpu_does_in_one_operation_is_the_same(masked: bool):
    gru, (gates, state, here) = made(), inputs()
    leaves = [gates.requires_grad_(), state.requires_grad_(), gru.weight, gru.bias]
    found = []
    for states in (
        gru(gates, state, here if masked else None),
        fused(gates, state, gru.weight, gru.bias, here if masked else None),
    ):
        weights = torch.arange(states.numel(), dtype=torch.float64).reshape(states.shape)
        found.append([states, *torch.autograd.grad((states * weights).sum(), leaves)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)
