"""The power transform: its transformations against known ones, its loss against a loop, and its record in a model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from objective_cases import DATA, LATENT, OPTIONS, bits, trainer
from scipy.special import ndtri
from scipy.stats import boxcox, kstest

from arvae_music.training.domains import domain_of
from arvae_music.training.objectives import make
from arvae_music.training.objectives.objective import Batch, Setting, Step
from arvae_music.training.objectives.power_transform import PowerTransform

NORMAL = ndtri((np.arange(4000) + 0.5) / 4000)  # an exact sample of N(0, 1)
COUNTS = np.random.default_rng(0).geometric(0.3, 5000).astype(np.float32)  # a skewed attribute of few values


@pytest.mark.parametrize("values", [NORMAL, np.exp(NORMAL), (NORMAL + 6) ** 2, -3 + 0.01 * np.exp(0.5 * NORMAL)],
                         ids=["normal", "lognormal", "square", "negative"])  # fmt: skip
def test_what_a_power_can_make_normal_becomes_normal(values: np.ndarray):
    codes = PowerTransform.of(values)(values)
    assert np.all(np.diff(codes) > 0)
    assert np.abs(codes - NORMAL).mean() < 0.05
    assert kstest(codes, "norm").statistic < 0.03


def test_a_skewed_attribute_of_few_values_comes_nearer_to_normal():
    codes = PowerTransform.of(COUNTS)(COUNTS)
    assert (codes.mean(), codes.std()) == (pytest.approx(0, abs=1e-9), pytest.approx(1))
    plain = (COUNTS - COUNTS.mean()) / COUNTS.std()
    assert abs((codes**3).mean()) < 0.1 * abs((plain**3).mean())


def test_the_power_is_the_most_likely_one_for_its_shift():
    found = PowerTransform.of(COUNTS)
    x = (COUNTS - found.low) / found.scale + found.shift
    assert found.power == pytest.approx(boxcox(x.astype(np.float64))[1], abs=1e-3)


def test_units_do_not_matter():
    found, other = PowerTransform.of(COUNTS), PowerTransform.of(-7 + 0.001 * COUNTS.astype(np.float64))
    np.testing.assert_allclose(other(-7 + 0.001 * COUNTS.astype(np.float64)), found(COUNTS), atol=1e-6)


def test_values_that_training_did_not_have_stay_finite_and_in_order():
    found = PowerTransform.of(COUNTS)
    codes = found(np.array([-50.0, 0.0, 1.0, 30.0, 300.0]))
    assert np.isfinite(codes).all()
    assert codes[0] == codes[1] == codes[2] < codes[3] < codes[4]


def test_an_attribute_with_one_value_has_the_code_0():
    found = PowerTransform.of(np.full(9, 0.1, dtype=np.float32))  # their standard deviation is not exactly 0
    np.testing.assert_allclose(found(np.array([0.1, 1.1], dtype=np.float32)), [0.0, 1.0], atol=1e-6)


def test_the_loss_is_the_distance_of_each_code_from_its_own_target():
    objective = make("power-transform", Setting(LATENT, DATA.attributes, 0.0, 2.0, 1.0))
    model, batch = bits(), Batch(torch.from_numpy(DATA.inputs), torch.from_numpy(DATA.attributes), torch.empty(0), 0)
    outputs = model(batch.inputs)
    z = outputs.z.detach().clone().requires_grad_()
    terms = objective.terms(Step(model, batch, outputs._replace(z=z), 0.5, lambda count: batch))
    targets = np.stack([PowerTransform.of(column)(column) for column in DATA.attributes.T], axis=1)
    misses = [abs(float(z[i, k].detach()) - targets[i, k]) for i in range(len(z)) for k in range(2)]
    assert float(terms.parts["attribute"].detach()) == pytest.approx(sum(misses) / len(z), rel=1e-5)
    terms.total.backward()
    above = torch.from_numpy(np.sign(z.detach().numpy()[:, :2] - targets)).float()
    torch.testing.assert_close(z.grad[:, :2], 2.0 * above / len(z))
    assert not z.grad[:, 2:].any()


def test_training_brings_the_codes_to_their_targets():
    made = trainer("power-transform", replace(OPTIONS, epochs=300))
    list(made.run())
    with torch.no_grad():
        codes = made.model.posterior(torch.from_numpy(DATA.inputs)).mean[:, :2].numpy()
    targets = np.stack([PowerTransform.of(column)(column) for column in DATA.attributes.T], axis=1)
    assert all(np.corrcoef(codes[:, k], targets[:, k])[0, 1] > 0.95 for k in range(2))
    assert np.abs(codes - targets).mean() < 0.1


@pytest.mark.parametrize("corpus", ["mnist", "sprites"])
def test_pictures_are_trained_with_the_gamma_of_ar_vae_because_both_terms_are_errors_of_the_codes(corpus: str):
    weights = {name: domain_of(corpus).defaults(corpus, 5000, name).gamma for name in ("ar-vae", "power-transform")}
    assert weights["power-transform"] == weights["ar-vae"] >= 60
