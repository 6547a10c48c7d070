"""What each objective adds, against closed forms, loops, enumeration and autograd through exact expectations."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from objective_cases import DATA, LATENT, bits, measure, trainer
from torch import Tensor
from torch.distributions import Categorical, MultivariateNormal, Normal

from arvae_music.errors import UsageError
from arvae_music.training.objectives import beta_tcvae, factor_vae, fader, glsr_vae, make
from arvae_music.training.objectives.objective import Batch, Setting, Step, perceptron
from arvae_music.vae.model import Posterior

# ------------------------------------------------------------------------------------ beta-TCVAE


def posteriors(count: int, dimensions: int, seed: int = 0) -> Posterior:
    random = torch.Generator().manual_seed(seed)
    mean = torch.randn(count, dimensions, generator=random, dtype=torch.float64)
    return Posterior(mean, torch.randn(count, dimensions, generator=random, dtype=torch.float64) - 1)


def test_log_densities_are_those_of_torch_distributions():
    posterior, z = posteriors(4, 3), torch.randn(4, 3, dtype=torch.float64)
    found = beta_tcvae.log_densities(z, posterior)
    for i in range(4):
        for j in range(4):
            normal = Normal(posterior.mean[j], (0.5 * posterior.log_variance[j]).exp())
            torch.testing.assert_close(found[i, j], normal.log_prob(z[i]))


def test_the_density_of_a_code_is_unbiased_over_all_batches_that_hold_its_measure():
    """Seven examples, batches of three: every batch, enumerated, against the density over all seven."""
    posterior, z = posteriors(7, 2), torch.randn(2, dtype=torch.float64)
    densities = beta_tcvae.log_densities(z[None], posterior)[0].sum(dim=1).exp()
    weights = beta_tcvae.log_weights(3, 7).exp().double()
    assert weights.sum(dim=1) == pytest.approx(1)
    own = 4
    estimates = [
        float((weights[0] * densities[[own, *others]]).sum())
        for others in combinations([i for i in range(7) if i != own], 2)
    ]
    assert np.mean(estimates) == pytest.approx(float(densities.mean()), rel=1e-5)


@pytest.mark.parametrize("rho", [0.0, 0.6, -0.8])
def test_total_correlation_of_a_gaussian(rho: float):
    """-log(1 - rho^2) / 2, with the whole data set for a batch; the posteriors' own width is part of the density."""
    width = 0.4
    spread = torch.tensor([[1.0, rho], [rho, 1.0]], dtype=torch.float64) - width**2 * torch.eye(2)
    torch.manual_seed(0)
    mean = MultivariateNormal(torch.zeros(2, dtype=torch.float64), spread).sample((3000,))
    posterior = Posterior(mean, torch.full_like(mean, 2 * math.log(width)))
    z = mean + width * torch.randn_like(mean)
    found = float(beta_tcvae.total_correlation(z, posterior, 3000))
    assert found == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.03)


def test_total_correlation_pair_by_pair():
    posterior, z = posteriors(5, 3), torch.randn(5, 3, dtype=torch.float64)
    total = 0.0
    normals = [Normal(m, (0.5 * v).exp()) for m, v in zip(*posterior, strict=True)]
    for i in range(5):
        each = [normal.log_prob(z[i]).exp().tolist() for normal in normals]
        weight = [1 / 40 if i == j else 39 / (40 * 4) for j in range(5)]
        together = sum(w * math.prod(row) for w, row in zip(weight, each, strict=True))
        apart = [sum(w * row[d] for w, row in zip(weight, each, strict=True)) for d in range(3)]
        total += math.log(together) - sum(map(math.log, apart))
    found = beta_tcvae.total_correlation(z, posterior, 40)
    assert float(found) == pytest.approx(total / 5, rel=1e-5)


def test_a_single_row_has_no_total_correlation_of_its_own():
    posterior, z = posteriors(1, 3), torch.randn(1, 3, dtype=torch.float64)
    assert float(beta_tcvae.total_correlation(z, posterior, 40)) == pytest.approx(0, abs=1e-12)


# ------------------------------------------------------------------------------------ FactorVAE


def test_shuffling_keeps_every_dimension_and_breaks_what_ties_them():
    torch.manual_seed(0)
    z = torch.arange(2000.0)[:, None] + torch.tensor([0.0, 10_000.0, 20_000.0])
    found = factor_vae.shuffled(z)
    assert torch.equal(found.sort(dim=0).values, z)
    assert abs(np.corrcoef(found.T.numpy())[0, 1]) < 0.1
    assert abs(np.corrcoef(found.T.numpy())[1, 2]) < 0.1


def test_discrimination_is_the_cross_entropy_of_two_classes():
    whole, apart = torch.randn(7, 1), torch.randn(7, 1)
    probability = torch.sigmoid(torch.cat([whole, apart]))[:, 0]
    truth = torch.tensor([1.0] * 7 + [0.0] * 7)
    expected = torch.nn.functional.binary_cross_entropy(probability, truth)
    torch.testing.assert_close(factor_vae.discrimination(whole, apart), expected)


def test_a_trained_discriminators_mean_logit_is_the_total_correlation_of_a_gaussian():
    rho = 0.8
    torch.manual_seed(0)
    gaussian = MultivariateNormal(torch.zeros(2), torch.tensor([[1.0, rho], [rho, 1.0]]))
    network = perceptron(2, 1, 0)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(600):
        z = gaussian.sample((512,))
        loss = factor_vae.discrimination(network(z), network(factor_vae.shuffled(z)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        found = float(network(gaussian.sample((20_000,))).mean())
    assert found == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.08)


def test_the_discriminator_learns_nothing_from_the_models_loss_and_the_model_nothing_from_its():
    made = trainer("factor-vae")
    before = {name: value.clone() for name, value in made.critic.module.state_dict().items()}
    step = one_step("factor-vae", made.objective)
    encoder = step.model.encoder.layer.weight
    made.objective.critic.loss(step).backward()
    assert encoder.grad is None
    list(made.run())
    after = made.critic.module.state_dict()
    assert any(not torch.equal(value, after[name]) for name, value in before.items())
    still = trainer("factor-vae")
    still.critic.optimizer.param_groups[0]["lr"] = 0.0  # its own loss moves nothing: nor does the model's
    before = {name: value.clone() for name, value in still.critic.module.state_dict().items()}
    list(still.run())
    assert all(torch.equal(value, still.critic.module.state_dict()[name]) for name, value in before.items())


@pytest.mark.parametrize(("name", "own"), [("beta-vae", ""), ("factor-vae", "total correlation"),
                                           ("beta-tcvae", "total correlation"), ("ar-vae", "attribute"),
                                           ("power-transform", "attribute")])  # fmt: skip
def test_the_total_is_the_sum_that_the_paper_minimises(name: str, own: str):
    setting = Setting(LATENT, DATA.attributes, 0.3, 0.7, 1.0)
    objective = make(name, setting)
    step = one_step(name, objective)
    total, parts = objective.terms(step)
    mean, log_variance = step.outputs.posterior
    kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
    expected = step.outputs.reconstruction + 0.3 * kl
    if own:
        assert abs(float(parts[own].detach())) > 1e-3
        expected = expected + 0.7 * parts[own]
    torch.testing.assert_close(total, expected)


# ------------------------------------------------------------------------------------ Fader


def test_disguise_with_two_classes_is_the_papers():
    """-log P(1 - y): Lample et al., equation 2."""
    logits, truth = torch.randn(9, 2), torch.randint(2, (9,))
    expected = torch.nn.functional.cross_entropy(logits, 1 - truth)
    torch.testing.assert_close(fader.disguise(logits, truth), expected)


def test_disguise_with_more_classes_row_by_row():
    logits, truth = torch.randn(9, 5), torch.randint(5, (9,))
    probabilities = Categorical(logits=logits).probs
    expected = -sum(math.log(1 - float(probabilities[i, y])) for i, y in enumerate(truth.tolist())) / 9
    assert float(fader.disguise(logits, truth)) == pytest.approx(expected, rel=1e-5)


def test_a_certain_adversary_leaves_a_finite_loss_with_a_gradient():
    logits = torch.tensor([[60.0, 0.0, 0.0]], requires_grad=True)
    loss = fader.disguise(logits, torch.tensor([0]))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(60 - math.log(2), rel=1e-3)
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[0, 0] > 0.9


def test_classes_are_quantiles_and_none_is_empty():
    values = np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    counts = torch.bincount(fader.classes(torch.from_numpy(values), fader.edges_of(values)))
    assert counts.tolist() == pytest.approx([1000] * 8, abs=2)
    few = np.array([0, 0, 0, 0, 0, 0, 1, 2], dtype=np.float32)
    assert torch.bincount(fader.classes(torch.from_numpy(few), fader.edges_of(few))).tolist() == [6, 1, 1]
    same = np.full(5, 3.0, dtype=np.float32)
    assert fader.classes(torch.from_numpy(same), fader.edges_of(same)).tolist() == [0] * 5


def test_gamma_rises_over_the_first_half_of_a_run():
    made = trainer("fader").objective
    step = one_step("fader", made)
    for progress, share in ((0.0, 0.0), (0.25, 0.5), (0.5, 1.0), (0.9, 1.0)):
        terms = made.terms(Step(step.model, step.batch, step.outputs, progress, step.draw))
        expected = terms.parts["reconstruction"] + made.beta * terms.parts["kl"]
        torch.testing.assert_close(terms.total, expected + share * made.gamma * terms.parts["disguise"])


def test_the_adversary_never_sees_the_given_codes():
    made = trainer("fader").objective
    step = one_step("fader", made)
    other = step.outputs._replace(z=torch.cat([step.outputs.z[:, :2] + 5, step.outputs.z[:, 2:]], dim=1))
    moved = Step(step.model, step.batch, other, 1.0, step.draw)
    assert torch.equal(made.critic.loss(step), made.critic.loss(moved))


# ------------------------------------------------------------------------------------ GLSR-VAE


@pytest.mark.parametrize("pairs", [2, 4])
def test_the_slope_loss_and_its_gradient_are_those_of_the_exact_expectation(pairs: int):
    """Codes all alike, decoded into one of three values: the expectation is a sum, which autograd differentiates."""
    torch.manual_seed(0)
    worth = torch.tensor([-1.0, 0.2, 2.5])
    weight = torch.tensor([[0.3, -0.2, 0.9]], requires_grad=True)

    def beliefs(at: float) -> Categorical:
        return Categorical(logits=torch.tensor([[at]]) @ weight + torch.tensor([0.1, 0.0, -0.3]))

    ends = [beliefs(0.4 + glsr_vae.H), beliefs(0.4 - glsr_vae.H)]
    above, below = ((end.probs * worth).sum() for end in ends)
    exact = 0.5 * ((above - below) / (2 * glsr_vae.H) - 1).square()
    (expected,) = torch.autograd.grad(exact, weight, retain_graph=True)
    m = 100_000
    drawn = [[end.sample((m,))[:, 0] for end in ends] for _ in range(pairs)]
    values = torch.stack([torch.stack([worth[x] for x in pair]) for pair in drawn])
    log_probs = torch.stack(
        [torch.stack([end.log_prob(x) for end, x in zip(ends, pair, strict=True)]) for pair in drawn]
    )
    loss = glsr_vae.slope_loss(values, log_probs)
    (found,) = torch.autograd.grad(loss, weight)
    assert float(loss.detach()) == pytest.approx(float(exact.detach()), abs=0.025)
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(found, expected, atol=0.03, rtol=0)


def test_its_regularisation_brings_the_slopes_of_decodes_near_one():
    """The slopes at every code exactly, from the probabilities of the bits."""
    setting = Setting(LATENT, DATA.attributes, 0.0, 1.0, 1.0, measure=measure)
    objective, model = make("glsr-vae", setting), bits()
    mean, sd = DATA.attributes.mean(axis=0), DATA.attributes.std(axis=0)

    def away() -> float:
        z, squares = model.posterior(torch.from_numpy(DATA.inputs)).mean.detach(), []
        for k in range(2):
            aside = torch.zeros_like(z)
            aside[:, k] = glsr_vae.H
            ends = [model.decoder.layer(z + side).sigmoid().detach().numpy() for side in (aside, -aside)]
            up, down = (((measure(end) - mean) / sd)[:, k] for end in ends)
            squares.append(((up - down) / (2 * glsr_vae.H) - 1) ** 2)
        return float(np.mean(squares))

    before, optimizer = away(), torch.optim.Adam(model.decoder.parameters(), lr=2e-2)
    torch.manual_seed(1)
    for _ in range(400):
        terms = objective.terms(step_of(model))
        optimizer.zero_grad()
        (terms.total - terms.parts["reconstruction"]).backward()
        optimizer.step()
    assert before > 0.5
    assert away() < 0.1 * before


def test_glsr_vae_needs_a_measure():
    with pytest.raises(UsageError, match="glsr-vae measures decoded rows"):
        make("glsr-vae", Setting(LATENT, DATA.attributes, 0.0, 1.0, 1.0))


# ------------------------------------------------------------------------------------ steps by hand


def step_of(model: torch.nn.Module, codes: Tensor | None = None) -> Step:
    inputs, values = torch.from_numpy(DATA.inputs), torch.from_numpy(DATA.attributes)
    batch = Batch(inputs, values, values if codes is None else codes, 0)
    return Step(model, batch, model(inputs, 0, codes), 1.0, lambda count: batch)


def one_step(name: str, objective: object) -> Step:
    torch.manual_seed(3)
    codes = torch.from_numpy((DATA.attributes - DATA.attributes.mean(axis=0)) / DATA.attributes.std(axis=0))
    return step_of(bits(), codes if objective.carriage == "given" else None)
