"""The second stage of a model in context: which decodes its decoder learns."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import torch
from context_cases import DIMS, SPECS, TUNES, network

from arvae_music.music.attributes import evaluate_mixed
from arvae_music.networks.contextual import ContextualArVae, Given, Window
from arvae_music.networks.passages import ABSENT, SIDE, Passages
from arvae_music.training.batches import Rank
from arvae_music.training.objectives import own_decodes
from arvae_music.training.objectives.own_decodes import OwnDecodes, correlated, moments_of, spread_of
from arvae_music.training.window_batches import WindowBatches

TRAIN = Passages.of(TUNES, SPECS)
BATCH = next(
    batch for batch in (WindowBatches(TRAIN, 64, 0, Rank(), torch.device("cpu")).batch(i) for i in range(100))
    if (batch.inputs[:, :, 0] == ABSENT).any()
)  # fmt: skip
INPUTS = BATCH.inputs.flatten(0, 1)[:, :-SIDE].long()


def made() -> OwnDecodes:
    return OwnDecodes(partial(evaluate_mixed, SPECS), torch.from_numpy(TRAIN.values.std(axis=0)))


def passed(net):
    window = Window.of_packed(BATCH.inputs)
    like = window.here.flatten()[:, None].float()
    return net(window, Given.all(like, len(SPECS)))


def moments(net) -> torch.Tensor:
    mean = passed(net).posterior.mean.detach()
    return moments_of(mean, torch.full((len(mean),), 1 / len(mean)))


def test_the_loss_teaches_encoder_and_decoder():
    net = network().train()
    torch.manual_seed(0)
    loss = made().loss(net, passed(net), INPUTS, BATCH.values, moments(net))
    assert torch.isfinite(loss)
    assert float(loss.detach()) > 0
    loss.backward()
    assert all(float(part.weight.grad.abs().sum()) > 0 for part in (net.decoder.to_tokens, net.decoder.widen))
    assert net.training


def test_measures_that_are_not_there_are_not_drawn():
    codes = INPUTS[:, 0]
    at = made()._drawn(codes)
    assert (codes[at] != ABSENT).all()
    assert len(at) == min(int((codes != ABSENT).sum()), own_decodes.ROWS)
    net, gone = network().train(), made()
    assert float(gone.loss(net, passed(net), torch.zeros_like(INPUTS), BATCH.values, moments(net))) == 0


def test_a_step_of_one_measure_has_a_loss_and_gradients():
    net, inputs = network().train(), torch.zeros_like(INPUTS)
    one = int(INPUTS[:, 0].nonzero()[0, 0])
    inputs[one] = INPUTS[one]
    torch.manual_seed(0)
    for _ in range(10):
        loss = made().loss(net, passed(net), inputs, BATCH.values, moments(net))
        assert torch.isfinite(loss)
        loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def test_a_model_of_the_attributes_alone_has_a_loss_and_gradients():
    torch.manual_seed(0)
    net = ContextualArVae(replace(DIMS, latent=len(SPECS))).train()
    loss = made().loss(net, passed(net), INPUTS, BATCH.values, moments(net))
    assert torch.isfinite(loss)
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def test_partners_are_of_the_same_meter():
    codes = torch.tensor([8, 4, 8, 4, 5, 0, 5, 8])
    at = codes.nonzero()[:, 0]
    torch.manual_seed(0)
    drawn = torch.stack([own_decodes._partners(codes, at) for _ in range(50)])
    assert (codes[drawn] == codes[at]).all()
    assert set(drawn[:, 0].tolist()) == {0, 2, 7}


def test_the_requested_attribute_is_always_given():
    torch.manual_seed(0)
    which, free = torch.arange(1000) % 4, (torch.arange(1000) % 2 == 0)[:, None]
    given = own_decodes._given(free, which, 4)
    assert (given.attributes[torch.arange(1000), which] == 1).all()
    assert (given.others[free] == 0).all()
    assert (given.others[~free] > 0).all()
    assert (given.attributes[~free[:, 0]] == 1).all()


def test_strongly_correlated_codes_move_along():
    random = np.random.default_rng(0)
    one, free = random.normal(size=5000), random.normal(size=5000)
    codes = np.stack([one, 2 * one + 0.2 * free, free], axis=1)
    weight = random.random(5000)
    weight /= weight.sum()
    faded = 0.01 * moments_of(torch.from_numpy(codes + 3), torch.from_numpy(weight))
    np.testing.assert_allclose(spread_of(faded), np.sqrt(np.cov(codes.T, aweights=weight, bias=True).diagonal()))
    slopes, fit = correlated(faded, 3).numpy(), {"deg": 1, "w": np.sqrt(weight)}
    np.testing.assert_allclose(slopes[0, 1], np.polyfit(codes[:, 0], codes[:, 1], **fit)[0])
    np.testing.assert_allclose(slopes[1, 0], np.polyfit(codes[:, 1], codes[:, 0], **fit)[0])
    assert (slopes[:, 2] == 0).all()
    assert (slopes[2] == 0).all()
    assert (np.diag(slopes) == 0).all()


def test_a_decode_that_has_the_requested_value_costs_least():
    here = INPUTS[:, 0] != ABSENT
    codes, rows, values = INPUTS[here, 0], INPUTS[here, 1:], BATCH.values[here]
    same = codes == codes[0]
    codes, rows, values = codes[same][:2], rows[same][:2], values[same][:2]
    decoded = rows.repeat_interleave(own_decodes.DECODES, 0)
    decoded[1] = decoded[own_decodes.DECODES]  # of the first measure's decodes, the second is the other measure
    whole = Given(torch.ones(2, 4), torch.ones(2, 1))
    error, _ = made()._costs(
        decoded, codes, rows, values, values.flip(0), torch.full((2,), 2), torch.zeros(4, 4), whole,
        torch.zeros(2, 1, dtype=torch.bool),
    )  # fmt: skip
    apart = float((values[0, 2] - values[1, 2]).abs()) / float(made().sd[2])
    np.testing.assert_allclose(error[:3], [apart, 0, apart], atol=1e-5)
