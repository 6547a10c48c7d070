"""The conditional flow: exactly invertible, its volume the Jacobian's, its fit the data's distribution."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from arvae_music.evaluation.probes import probe_r2
from arvae_music.music.meter import Meter
from arvae_music.networks.decoding import decode
from arvae_music.networks.hierarchical import MeasureDims, build
from arvae_music.networks.numpy_runtime import Flow, NumpyRuntime, WithFlow
from arvae_music.networks.torch_runtime import TorchRuntime
from arvae_music.vae import checkpoint, metadata
from arvae_music.vae.flow import FAR, UNUSED, ConditionalFlow
from arvae_music.vae.model import ArVae
from arvae_music.vae.scales import calibrate


def stirred(size: int = 5, conditions: int = 3, layers: int = 4) -> ConditionalFlow:
    """A flow that does something."""
    torch.manual_seed(0)
    flow = ConditionalFlow(size, conditions, 16, layers).double()
    for parameter in flow.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return flow


@pytest.mark.parametrize("layers", [1, 2, 5])
@pytest.mark.parametrize("narrow", [None, [1.0, 0.0, 1.0, 1.0, 0.01], [0.0, 0.0, 1.0, 0.0, 0.0]])
def test_the_inverse_of_the_flow_restores_its_input(layers: int, narrow: list[float] | None):
    flow, conditions = stirred(layers=layers), torch.randn(7, 3).double()
    if narrow is not None:
        flow.narrow(torch.tensor(narrow))
    z = torch.randn(7, 5).double() * flow.used
    u, _ = flow.inverse(z, conditions)
    torch.testing.assert_close(flow(u, conditions), z)
    assert not torch.allclose(u, z)
    assert (u[:, flow.side == UNUSED] == 0).all()


def test_the_log_determinant_is_that_of_the_jacobian():
    flow, conditions, z = stirred(), torch.randn(1, 3).double(), torch.randn(1, 5).double()
    jacobian = torch.autograd.functional.jacobian(lambda x: flow.inverse(x, conditions)[0][0], z)[:, 0]
    torch.testing.assert_close(flow.inverse(z, conditions)[1][0], torch.linalg.slogdet(jacobian).logabsdet)


def test_a_new_flow_changes_nothing():
    flow, z = ConditionalFlow(4, 2, 8, 3), torch.randn(6, 4)
    torch.testing.assert_close(flow.inverse(z, torch.randn(6, 2))[0], z)


def test_the_loss_is_the_likelihood_and_linear_for_outliers():
    flow = ConditionalFlow(2, 1, 8, 2)
    far = torch.tensor([[1e4, 0.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(flow.loss(far, torch.zeros(1, 1)), far)
    assert slope.abs().max() == pytest.approx(FAR / 2)
    near = torch.randn(50, 2)
    assert float(flow.loss(near, torch.zeros(50, 1)).detach()) == pytest.approx(float(near.square().sum(1).mean() / 4))


def test_a_fitted_flow_makes_the_other_dimensions_independent_of_the_conditions():
    """Others whose mean and spread go with the condition: a probe reads it from them, and not from u."""
    torch.manual_seed(0)
    code = torch.randn(3000, 1)
    z = code * torch.tensor([[1.0, -0.5]]) + torch.randn(3000, 2) * (0.5 * code).exp()
    flow = ConditionalFlow(2, 1, 32, 3)
    optimizer = torch.optim.Adam(flow.parameters(), lr=5e-3)
    for _ in range(300):
        optimizer.zero_grad()
        flow.loss(z, code).backward()
        optimizer.step()
    with torch.no_grad():
        u = flow.inverse(z, code)[0].numpy().astype(np.float64)
    value = code[:, 0].numpy().astype(np.float64)

    def r2(x: np.ndarray) -> float:
        return probe_r2((x[:2000], value[:2000]), (x[2000:], value[2000:]), "mlp", 0)

    assert r2(z.numpy().astype(np.float64)) > 0.4
    assert r2(u) < 0.1


def stirred_model(
    latent: int, *, layers: int, seed: int, narrow: list[float] | None = None
) -> tuple[ArVae, checkpoint.Checkpoint]:
    """A small model whose flow does something, and its checkpoint."""
    torch.manual_seed(seed)
    dims = MeasureDims(latent=latent, hidden=16, tick_hidden=8, flow_layers=layers, flow_hidden=12, attributes=2)
    model = build(dims).eval()
    assert model.flow is not None
    for parameter in model.flow.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    if narrow is not None:
        model.flow.narrow(torch.tensor(narrow))
    weights = {key: value.detach().numpy() for key, value in model.state_dict().items()}
    scale, matrix = calibrate("density", "", 0, np.linspace(0, 1, 9), np.linspace(0, 1, 9)), ((1.0,),)
    facts = metadata.Metadata("measures", dims.to_json(), (scale,), matrix, matrix, {})
    return model, checkpoint.Checkpoint(facts, weights)


@pytest.mark.parametrize("name", ["4/4", "6/8", "3/4"])
def test_the_numpy_flow_equals_the_pytorch_flow(name: str):
    meter = Meter.parse(name)
    model, made = stirred_model(9, layers=3, seed=1, narrow=[1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    runtime = WithFlow(NumpyRuntime(made), Flow(made))
    rows = np.full((4, 1 + 24), -1, dtype=np.int16)
    rows[:, 0], rows[:, 1 : 1 + meter.ticks] = meter.code, 0
    rows[:, 1], rows[1:, 4], rows[2:, 7] = 20, 25, 30
    inputs = torch.from_numpy(rows)
    with torch.no_grad():
        mean = model.posterior(inputs).mean
        freed = model.freed(mean, inputs)
        bound = model.bound(freed, inputs)
    found = runtime.encode(rows[:, 1 : 1 + meter.ticks], meter)
    np.testing.assert_allclose(found, freed.numpy(), atol=2e-5)
    np.testing.assert_allclose(runtime.flow.bound(found, meter), bound.numpy(), atol=2e-5)
    torch.testing.assert_close(bound, mean, atol=2e-5, rtol=1e-4)
    plain = NumpyRuntime(made).start(np.zeros((1, 9), dtype=np.float32), meter)
    assert np.array_equal(runtime.nowhere(meter).beats, plain.beats)  # where training decodes from no measure
    theirs = WithFlow(TorchRuntime(made), Flow(made))
    np.testing.assert_allclose(theirs.encode(rows[:, 1 : 1 + meter.ticks], meter), found, atol=2e-5)
    assert np.array_equal(decode(theirs, found, meter), decode(runtime, found, meter))


def test_the_noise_of_a_freed_dimension_is_stretched_with_it():
    """One layer that scales by what the codes say: exact to first order, since no dimension leans on another."""
    _, made = stirred_model(6, layers=1, seed=2)
    inner, flow, meter = NumpyRuntime(made), Flow(made), Meter.parse("4/4")
    row = np.array([[20] + [0] * 23], dtype=np.int16)
    mean, log_variance = inner.posterior(row, meter)
    noise = np.random.default_rng(0).standard_normal((20_000, 4)) * np.exp(0.5 * log_variance[0, 2:])
    points = np.hstack([np.tile(mean[:, :2], (len(noise), 1)), mean[:, 2:] + noise]).astype(np.float32)
    spread = flow.freed(points, meter)[0][:, 2:].std(axis=0)
    found = np.exp(0.5 * WithFlow(inner, flow).posterior(row, meter)[1][0, 2:])
    np.testing.assert_allclose(found, spread, rtol=0.03)
    assert np.abs(found / np.exp(0.5 * log_variance[0, 2:]) - 1).max() > 0.1


def test_a_point_of_the_posterior_is_drawn_before_it_is_freed():
    """By the encoder's own noise, through all layers; dimensions that are not in use have none."""
    _, made = stirred_model(6, layers=3, seed=3, narrow=[1.0, 0.0, 1.0, 1.0])
    inner, flow, meter = NumpyRuntime(made), Flow(made), Meter.parse("4/4")
    rows = np.array([[20] + [0] * 23] * 5000, dtype=np.int16)
    for bare in (inner, TorchRuntime(made)):
        drawn = bare.drawn(rows, meter, np.random.default_rng(0))
        assert (drawn[:, 3] == 0).all()
        used = [0, 1, 2, 4, 5]
        mean, log_variance = (part[0, used] for part in bare.posterior(rows[:1], meter))
        np.testing.assert_allclose(drawn.mean(axis=0)[used], mean, atol=4 * np.exp(log_variance.max() / 2) / 70)
        np.testing.assert_allclose(drawn.std(axis=0)[used], np.exp(log_variance / 2), rtol=0.05)
        found = WithFlow(bare, flow).drawn(rows, meter, np.random.default_rng(0))
        np.testing.assert_allclose(flow.bound(found, meter), drawn, atol=1e-4)
