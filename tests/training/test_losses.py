"""The terms of the objective, against plain loops, autograd through every pair, and two real processes."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch import distributed as dist
from torch import multiprocessing as mp

from arvae_music.training.losses import AttributeLoss, attribute_loss, kl_divergence


def batch(rows: int = 9, attributes: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Codes, and values with many ties, as attributes have."""
    torch.manual_seed(seed)
    codes = torch.randn(rows, attributes, dtype=torch.float64) * 0.3
    values = torch.randint(0, 4, (rows, attributes)).double() / 3
    return codes, values


def by_hand(codes: Tensor, values: Tensor, delta: float) -> float:
    """The paper's formula, pair by pair: MAE(tanh(delta D_r) - sgn(D_a)), summed over the attributes."""
    total = 0.0
    for k in range(codes.shape[1]):
        pairs = []
        for i in range(len(codes)):
            for j in range(len(codes)):
                gap = math.tanh(delta * float(codes[i, k] - codes[j, k]))
                difference = float(values[i, k] - values[j, k])
                pairs.append(abs(gap - ((difference > 0) - (difference < 0))))
        total += sum(pairs) / len(pairs)
    return total


def through_every_pair(codes: Tensor, values: Tensor, delta: float) -> Tensor:
    """The same with both sides of every pair attached."""
    gap = torch.tanh(delta * (codes[:, None] - codes[None]))
    return (gap - torch.sign(values[:, None] - values[None])).abs().mean(dim=(0, 1)).sum()


def gradient(loss: Tensor, codes: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(loss, codes)
    return found


def test_kl_is_that_of_torch_distributions():
    torch.manual_seed(0)
    mean, log_variance = torch.randn(5, 7, dtype=torch.float64), torch.randn(5, 7, dtype=torch.float64)
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    expected = torch.distributions.kl_divergence(posterior, prior).sum(dim=1).mean()
    torch.testing.assert_close(kl_divergence(mean, log_variance), expected)


def test_kl_of_the_prior_is_nil():
    assert float(kl_divergence(torch.zeros(3, 4), torch.zeros(3, 4))) == 0


@pytest.mark.parametrize("delta", [0.5, 1.0, 10.0])
def test_attribute_loss_is_the_papers_pair_by_pair(delta: float):
    codes, values = batch()
    assert float(attribute_loss(codes, values, delta)) == pytest.approx(by_hand(codes, values, delta), abs=1e-12)


@pytest.mark.parametrize("delta", [0.5, 10.0])
def test_its_gradient_is_that_through_both_sides_of_every_pair(delta: float):
    codes, values = batch()
    codes.requires_grad_()
    expected = gradient(through_every_pair(codes, values, delta), codes)
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(gradient(attribute_loss(codes, values, delta), codes), expected)


def test_attribute_loss_of_two_rows_worked_out_by_hand():
    """Two of the four pairs are off by 1 - tanh(1) = 0.238406, in the order of the values, or by 1 + tanh(1)."""
    codes, values = torch.tensor([0.0, 1.0]), torch.tensor([3.0, 7.0])
    assert float(attribute_loss(codes, values, 1.0)) == pytest.approx(0.119203, abs=1e-6)
    assert float(attribute_loss(codes, -values, 1.0)) == pytest.approx(0.880797, abs=1e-6)


def test_codes_in_the_order_of_the_values_cost_little_and_reversed_ones_much():
    values = torch.arange(6.0)[:, None]
    assert float(attribute_loss(values * 5, values, 10.0)) == pytest.approx(0, abs=1e-6)
    assert float(attribute_loss(-values * 5, values, 10.0)) == pytest.approx(2 * 30 / 36, abs=1e-6)


def test_a_single_row_and_a_constant_attribute_ask_for_nothing():
    assert float(attribute_loss(torch.randn(1, 2), torch.randn(1, 2), 10.0)) == 0
    codes = torch.zeros(4, 1, requires_grad=True)
    loss = attribute_loss(codes, torch.ones(4, 1), 10.0)
    assert float(loss.detach()) == 0
    assert torch.isfinite(gradient(loss, codes)).all()


def test_the_module_is_the_function():
    codes, values = batch()
    loss = AttributeLoss(delta=2.0)
    assert float(loss(codes, values)) == float(attribute_loss(codes, values, 2.0))
    assert not list(loss.parameters())
    assert repr(loss) == "AttributeLoss(delta=2)"
    with pytest.raises(ValueError, match="delta must be above 0"):
        AttributeLoss(delta=0.0)


def test_one_dimension_may_be_a_vector():
    codes, values = batch(attributes=1)
    vector = codes[:, 0].clone().requires_grad_()
    loss = AttributeLoss(10.0)(vector, values[:, 0])
    assert float(loss.detach()) == pytest.approx(by_hand(codes, values, 10.0), abs=1e-12)
    assert gradient(loss, vector).shape == vector.shape


@pytest.mark.parametrize(("codes", "values"), [((5, 2), (5,)), ((5,), (4,)), ((5, 2), (5, 1)), ((5, 2, 1), (5, 2, 1))])
def test_shapes_that_do_not_fit_are_refused(codes: tuple[int, ...], values: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"must both be \(b, k\) or both \(b,\)"):
        attribute_loss(torch.zeros(codes), torch.zeros(values), 1.0)


@pytest.mark.parametrize("attributes", [1, 3])
def test_its_second_derivative_is_that_through_every_pair(attributes: int):
    codes, values = batch(rows=6, attributes=attributes)
    codes.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: attribute_loss(z, values, 1.0), codes)
    assert torch.autograd.gradgradcheck(lambda z: attribute_loss(z, values, 1.0), codes)
    found, expected = (
        torch.autograd.functional.hessian(loss, codes.detach())
        for loss in (lambda z: attribute_loss(z, values, 1.0), lambda z: through_every_pair(z, values, 1.0))
    )
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(found, expected)


def _rank(rank: int, folder: str, delta: float) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    codes, values = batch(8)
    mine = slice(4 * rank, 4 * rank + 4)
    own = codes[mine].clone().requires_grad_()
    loss = attribute_loss(own, values[mine], delta)
    torch.save((loss.detach(), gradient(loss, own)), f"{folder}/{rank}.pt")
    with pytest.raises(RuntimeError, match="no second derivative across processes"):
        torch.autograd.grad(attribute_loss(own, values[mine], delta), own, create_graph=True)
    dist.destroy_process_group()


def test_two_processes_give_the_gradient_of_one_with_the_whole_batch(tmp_path: Path):
    mp.spawn(_rank, (str(tmp_path), 2.0), nprocs=2)
    losses, gradients = zip(*(torch.load(tmp_path / f"{rank}.pt") for rank in range(2)), strict=True)
    codes, values = batch(8)
    codes.requires_grad_()
    whole = through_every_pair(codes, values, 2.0)
    torch.testing.assert_close(torch.stack(losses).mean(), whole.detach())
    # DistributedDataParallel averages what the ranks found: half of each rank's gradient is the whole batch's
    torch.testing.assert_close(torch.cat(gradients) / 2, gradient(whole, codes))
