"""The aligned objective: what it asks, what it rewards, when it begins."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import objective_cases
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from training_measures import SPECS, measures

from arvae_music.errors import UsageError
from arvae_music.music.attributes import evaluate_mixed
from arvae_music.networks.hierarchical import MeasureDims, accuracy, build
from arvae_music.training.objectives import aligned, make
from arvae_music.training.objectives.conditional import ConditionalVae
from arvae_music.training.objectives.objective import Setting, Step, evidence
from arvae_music.training.trainer import Trainer, TrainingOptions
from arvae_music.vae.combinations import MOST

CPU = torch.device("cpu")


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(0, 99))
def test_a_row_is_asked_for_what_another_of_its_context_has(groups: list[int], seed: int):
    context = np.array(groups)
    assert aligned._groups(np.zeros((3, 0))).tolist() == [0, 0, 0]
    same = aligned._groups(np.eye(4)[context])
    assert ((same[:, None] == same) == (context[:, None] == context)).all()
    at, donor = aligned._pairs(same, np.random.default_rng(seed))
    assert (context[at] == context[donor]).all()
    assert (at != donor).all()
    alone = sum(groups.count(group) == 1 for group in groups)
    assert sorted(at) == sorted(donor)
    assert len(at) == len(groups) - alone


def test_samples_are_weighed_within_their_row():
    reward = np.random.default_rng(0).normal(size=5 * aligned.SAMPLES) + np.repeat(np.arange(5) * 10, aligned.SAMPLES)
    found = aligned._normalised(reward).reshape(5, -1)
    np.testing.assert_allclose(found.mean(axis=1), 0, atol=1e-9)
    assert (found.argmax(axis=1) == reward.reshape(5, -1).argmax(axis=1)).all()
    assert np.abs(aligned._normalised(np.ones(aligned.SAMPLES))).max() == 0


def asking(**weights: float) -> aligned.Aligned:
    """Of two attributes: a row's first entry, and its second."""
    values = np.array([[0.0, 0.0], [2.0, 2.0]], dtype=np.float32)  # sd 1 of both
    made = make("aligned", Setting(3, values, 0.0, 0.0, 1.0, measure=lambda rows: rows[:, :2].astype(float)))
    assert isinstance(made, aligned.Aligned)
    return replace(made, weights=aligned.Weights(**weights))


def test_what_is_missed_by_more_is_asked_more_often_and_weighs_more():
    found = aligned._means(np.array([0.1, 0.3, 0.8]), np.array([0, 0, 2]), 3)
    np.testing.assert_allclose(found, [0.2, np.nan, 0.8])
    made = asking(focus=0.8)
    np.testing.assert_allclose(made._shares(), [0.5, 0.5])
    for _ in range(2000):
        made._update_errors(np.array([0.1, 0.3]), CPU)
    np.testing.assert_allclose(made._shares(), [0.8 * 0.25 + 0.1, 0.8 * 0.75 + 0.1])
    made._update_errors(np.array([0.1, np.nan]), CPU)  # what was not asked for is missed as before
    np.testing.assert_allclose(made.errors, [0.1, 0.3])
    np.testing.assert_allclose(asking(focus=0.0)._shares(), [0.5, 0.5])
    for _ in range(5000):
        made._update_errors(np.zeros(2), CPU)  # nothing is missed: alike again
    np.testing.assert_allclose(made._shares(), [0.5, 0.5])


def test_errors_and_drift_are_in_sd_from_what_is_wanted():
    made = replace(asking(), sd=np.array([0.5, 2.0]))
    asked = SimpleNamespace(attribute=np.array([1]), wanted=np.array([[1.0, 3.0]]))
    values = np.tile([[1.0, 3.0], [2.0, 3.0], [1.0, 5.0], [0.5, 1.0]], (2, 1))
    error, drift = made._errors(asked, values)
    np.testing.assert_allclose(error, [0, 0, 1, 1] * 2)
    np.testing.assert_allclose(drift, [0, 2, 0, 1] * 2)


class Two:
    """A model of one number that decodes one of two rows, by turns; its latent is what a row's third entry is."""

    latent = 3

    def __init__(self, first: list[int], second: list[int]) -> None:
        self.rows = torch.tensor([first, second], dtype=torch.float32)
        self.logits = torch.zeros(2, requires_grad=True)

    def bound(self, u, rows):
        return u

    freed = bound

    def sample(self, z, rows):
        return self.rows[torch.arange(len(rows)) % 2]

    def log_prob(self, z, made):
        return self.logits.log_softmax(dim=0)[(made == self.rows[1]).all(dim=1).long()]

    def posterior(self, rows):
        return SimpleNamespace(mean=rows)


def policy(made: aligned.Aligned, model: Two) -> tuple[torch.Tensor, aligned.Decodes, torch.Tensor]:
    """Of a row of zeros, which is asked for 2 of the first attribute; and the invariance."""
    rows = torch.zeros(1, 3)
    asked = aligned.Edits(rows, np.array([0]), np.array([[2.0, 0.0]]), torch.zeros(1, 2), torch.zeros(1, 3))
    step = step_of(model)
    loss, answers = made._policy(step, asked)
    return loss, answers, made._invariance(step, asked, answers)


def step_of(model: Two) -> SimpleNamespace:
    """With a batch, which it trains on besides, of a hundred rows."""
    every = torch.zeros(100, 3)
    decoding = SimpleNamespace(target=every, distribution=SimpleNamespace(batch_shape=torch.Size([100])))
    batch = SimpleNamespace(inputs=every)
    return SimpleNamespace(model=model, batch=batch, outputs=SimpleNamespace(decoding=decoding, z=every))


@pytest.mark.parametrize(
    ("weights", "better", "worse"),
    [
        ({"drift": 0.0, "change": 0.0}, [2, 0, 1], [1, 0, 1]),  # nearer what is asked for
        ({"miss": 0.0, "change": 0.0}, [1, 0, 1], [1, 1, 1]),  # the other attribute stays
        ({"miss": 0.0, "drift": 0.0}, [1, 0, 0], [1, 0, 1]),  # fewer entries change
        ({}, [2, 0, 0], [0, 0, 0]),  # what is asked for counts for more than that nothing changes
    ],
)
def test_the_policy_makes_the_better_decode_likelier(weights, better, worse):
    for model, place in ((Two(better, worse), 0), (Two(worse, better), 1)):
        loss, answers, _ = policy(asking(**weights), model)
        loss.backward()
        assert model.logits.grad is not None
        assert model.logits.grad[place] < 0 < model.logits.grad[1 - place]
        np.testing.assert_allclose(answers.missed[0], np.mean([abs(row[0] - 2) for row in (better, worse)]))


class Each(Two):
    """Decodes each of two rows that are asked from a number of its own."""

    def __init__(self, first: list[int], second: list[int]) -> None:
        super().__init__(first, second)
        self.logits = torch.zeros(2, 2, requires_grad=True)

    def log_prob(self, z, made):
        which = (made == self.rows[1]).all(dim=1).long()
        return self.logits.log_softmax(dim=1).repeat_interleave(aligned.SAMPLES, dim=0)[range(len(made)), which]


def test_a_gradient_weighs_by_what_is_missed_and_less_where_that_is_asked_more_often():
    """Rewards are normalised within a row, so that rows differ by the weight of their attribute alone."""
    made, model = asking(drift=0.0, change=0.0), Each([2, 1, 0], [1, 2, 0])
    made.errors.copy_(torch.tensor([1.0, 3.0]))
    shares = made._shares()
    np.testing.assert_allclose(shares, [0.275, 0.725])
    wanted = np.array([[2.0, 9.0], [9.0, 0.0]])  # the first attribute is missed by 0 or 1, the second by 1 or 2
    asked = aligned.Edits(torch.zeros(2, 3), np.array([0, 1]), wanted, torch.zeros(2, 2), torch.zeros(2, 3))
    loss, answers = made._policy(step_of(model), asked)
    loss.backward()
    np.testing.assert_allclose(answers.missed, [0.5, 1.5])
    assert model.logits.grad is not None
    first, second = model.logits.grad[:, 0].tolist()
    assert first < 0
    assert second / first == pytest.approx((1.5 / shares[1]) / (0.5 / shares[0]))


def test_what_hits_is_to_have_the_row_s_own_in_the_free_dimensions():
    keep = policy(asking(), Two([2, 0, 3], [1, 0, 7]))[2]
    np.testing.assert_allclose(keep, 9.0)  # of the first alone: the second is no hit
    assert policy(asking(), Two([1, 0, 3], [1, 0, 7]))[2] == 0


def test_it_needs_something_to_measure_with():
    with pytest.raises(UsageError, match="measures decoded rows"):
        make("aligned", Setting(8, np.zeros((4, 2), dtype=np.float32), 1e-3, 1.0, 10.0))


def test_of_very_many_combinations_some_are_looked_through():
    values = np.random.default_rng(0).normal(size=(MOST + 5000, 2)).astype(np.float32)
    made = make("aligned", Setting(3, values, 0.0, 0.0, 1.0, measure=lambda rows: rows[:, :2]))
    assert isinstance(made, aligned.Aligned)
    assert len(made.combinations.groups) == MOST
    assert {row.tobytes() for row in made.combinations.values.astype(np.float32)} <= {row.tobytes() for row in values}


# ------------------------------------------------------------------------------------ what is minimised, and when


def on_bits(epochs: int = 10) -> tuple[Trainer, aligned.Aligned]:
    """Of four steps an epoch."""
    options = replace(objective_cases.OPTIONS, epochs=epochs)
    made = objective_cases.trainer("aligned", options, flow=True)
    assert isinstance(made.objective, aligned.Aligned)
    return made, made.objective


def test_beta_falls_geometrically_from_start_to_finish():
    made = replace(asking(), start=0.2, finish=0.6, eased=0.25)
    found = [made.ease(progress) for progress in (0, 0.2, 0.3, 0.4, 0.6, 1)]
    assert found == pytest.approx([1, 1, 0.25**0.25, 0.5, 0.25, 0.25])
    assert replace(made, eased=1.0).ease(0.5) == 1
    usual = asking()
    assert usual.ease(aligned.START) == 1
    assert usual.ease(aligned.FINISH) == pytest.approx(aligned.EASED)


@pytest.mark.parametrize("progress", [0.5, 0.8])  # before it is finished, and after
def test_the_loss_is_its_parts_by_their_weights(progress: float):
    trainer, made = on_bits()
    made = replace(made, plain=ConditionalVae(0.8), weights=aligned.Weights(policy=0.7, flow=0.3, keep=5.0))
    model = trainer.model
    assert model.flow is not None
    model.flow.narrow(torch.ones(model.flow.size))  # else the first step would draw rows for that

    def step() -> Step:
        """The same whenever it is called, and what is drawn after it too."""
        torch.manual_seed(1)
        batch = trainer.source.batch(trainer.step)
        return Step(model, batch, model(batch.inputs, 0, batch.codes), progress, trainer.source.further(trainer.step))

    terms, one, other = made.terms(step()), step(), replace(made)  # whose errors are those that `made` began with
    expected = evidence(one, 0.8 * other.ease(progress), first=2).total
    fit = other.flow_loss(model, one.batch, one.outputs.posterior)
    asked = other._draw_edits(one)
    assert asked is not None
    policy, answers = other._policy(one, asked)
    keep = other._invariance(one, asked, answers)
    assert min(abs(float(part.detach())) for part in (policy, fit, keep)) > 0.01
    expected = expected + 0.7 * policy + 0.3 * fit
    if progress < aligned.FINISH:
        expected = expected + 5.0 * keep
    torch.testing.assert_close(terms.total, expected)


def test_from_the_finish_on_decoder_and_flow_come_up_with_an_encoder_that_stays():
    trainer, made = on_bits()
    trainer.objective = replace(made, weights=aligned.Weights(keep=0.1))
    seen, parts = {}, {}
    for report in trainer.run():
        seen[report.step] = {name: value.clone() for name, value in trainer.model.state_dict().items()}
        parts[report.step] = report.parts.keys()
    steps, started, finished = 40, 10, 28

    def moves(part: str, after: int, until: int) -> bool:
        return any(not torch.equal(seen[after][name], seen[until][name]) for name in seen[steps] if part in name)

    assert moves("encoder.", finished - 1, finished)
    assert not moves("encoder.", finished, steps)
    assert moves("decoder.", finished, steps)
    assert moves("flow.nets.", finished, steps)
    for step, names in parts.items():
        assert ("flow" in names) == (step > started)
        assert ("invariance" in names) == (started < step <= finished)


def test_a_flow_that_weighs_nothing_stays_with_the_encoder():
    made = asking(flow=0.0)
    assert [phase.learns for phase in made.phases] == [("encoder", "decoder", "flow"), ("decoder",)]
    assert asking().phases[1].learns == ("decoder", "flow")


@pytest.mark.parametrize("carriage", ["given", "trained"])
def test_it_begins_later_and_the_flow_is_of_the_dimensions_in_use_then(carriage: str):
    examples = measures()
    torch.manual_seed(0)
    dims = MeasureDims(latent=8, hidden=24, tick_hidden=16, flow_layers=2, flow_hidden=16, attributes=2)
    model = build(dims)
    options = TrainingOptions(epochs=20, batch=60, objective="aligned", report_steps=10, learning_rate=4e-3)
    setting = options.setting(8, examples, partial(evaluate_mixed, SPECS))
    objective = make("aligned", setting)
    assert objective.carriage == "given"
    if carriage == "trained":
        assert isinstance(objective, aligned.Aligned)
        objective = replace(objective, plain=make("ar-vae", setting))
    trainer = Trainer.of_examples(model, examples, examples, options, accuracy, None, objective)
    assert trainer.objective.carriage == carriage
    reports = list(trainer.run())
    assert ["error" in report.parts for report in reports] == [report.step > 20 for report in reports]
    assert model.flow is not None
    assert model.flow.narrowed == 1
    assert any(parameter.abs().max() > 0 for parameter in model.flow.nets[0][-1].parameters())
    unused = torch.nn.functional.pad(model.flow.used == 0, (2, 0))
    with torch.no_grad():
        mean = model.posterior(torch.from_numpy(examples.inputs)).mean
    assert (mean[:, unused] == 0).all()


@pytest.mark.slow
def test_a_decoder_is_taught_to_obey():
    examples = measures(1200)

    def error(objective: str) -> float:
        torch.manual_seed(0)
        dims = MeasureDims(latent=12, hidden=48, tick_hidden=32, flow_layers=4, flow_hidden=32, attributes=2)
        options = TrainingOptions(epochs=240, batch=120, objective=objective, learning_rate=4e-3)
        setting = options.setting(12, examples, partial(evaluate_mixed, SPECS))
        made = make(objective, setting)
        trainer = Trainer.of_examples(build(dims), examples, examples, options, accuracy, None, made)
        for _ in trainer.run():
            pass
        judge = make("aligned", setting)
        assert isinstance(judge, aligned.Aligned)
        with torch.no_grad():
            batch = trainer.source.batch(trainer.step)
            outputs = trainer.model(batch.inputs)
            step = aligned.Step(trainer.model, batch, outputs, 1.0, trainer.source.further(trainer.step))
            errors = []
            for _ in range(5):
                asked = judge._draw_edits(step)
                assert asked is not None
                errors.append(float(np.nanmean(judge._policy(step, asked)[1].missed)))
            return float(np.mean(errors))

    assert error("aligned") < 0.7 * error("conditional")
