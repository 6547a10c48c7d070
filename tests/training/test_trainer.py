"""Training: a seed gives weights, a stop and a restart change nothing, and what goes wrong stops it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal
from training_cases import DIMS, SPECS, TRAIN, VALID

from arvae_music.errors import TrainingError, UsageError
from arvae_music.networks.hierarchical import accuracy, build
from arvae_music.training.augmentation import Mixer
from arvae_music.training.losses import attribute_loss, kl_divergence
from arvae_music.training.objectives.ar_vae import ArVaeObjective
from arvae_music.training.objectives.objective import PARTS, WHOLE, Phase, Step, Terms
from arvae_music.training.trainer import FLOOR, WARM_UP, Report, Trainer, TrainingOptions
from arvae_music.vae.examples import Examples
from arvae_music.vae.model import ArVae, Decoding

OPTIONS = TrainingOptions(epochs=4, batch=8, learning_rate=1e-2, report_steps=2, valid_steps=4, valid_rows=10)


def trainer(options: TrainingOptions = OPTIONS, *, augment: bool = True, start: int = 3) -> Trainer:
    torch.manual_seed(start)
    mixer = Mixer(SPECS, 0.5) if augment else None
    return Trainer.of_examples(build(DIMS), TRAIN, VALID, options, accuracy, mixer)


def weights(made: Trainer) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in made.model.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def trained(made: Trainer) -> dict[str, Tensor]:
    for _ in made.run():
        torch.rand(3)  # what is drawn between steps is of no consequence
    return weights(made)


def stopped_at(step: int, options: TrainingOptions = OPTIONS) -> Trainer:
    """A run that was asked to stop at its first report from `step` on."""
    made = trainer(options)
    for report in made.run():
        if report.step >= step:
            made.stop()
    return made


# ------------------------------------------------------------------------------------ the same again


def test_a_seed_gives_its_weights_and_another_seed_others():
    first = trained(trainer())
    assert same(first, trained(trainer()))
    assert not same(first, trained(trainer(replace(OPTIONS, seed=1))))
    assert not same(first, trained(trainer(augment=False)))


@pytest.mark.parametrize("at", [1, 3, 5, 9])  # an epoch has three steps
def test_a_run_that_was_stopped_goes_on_as_if_it_never_was(at: int):
    options = replace(OPTIONS, report_steps=1)
    whole = trainer(options)
    expected = trained(whole)
    assert whole.step == 12
    first = stopped_at(at, options)
    assert first.step == at
    state = {name: value.clone() for name, value in first.state().items()}
    second = trainer(options, start=99)  # other weights, which the state replaces
    second.restore(state)
    assert second.step == at
    assert second.seconds == pytest.approx(first.seconds)
    assert same(expected, trained(second))
    assert second.step == 12
    assert same(whole.state() | {"clock": second.state()["clock"]}, second.state())


def test_a_state_can_be_written_as_safetensors():
    from safetensors.torch import load, save

    first = stopped_at(2)
    second = trainer(start=99)
    second.restore(load(save(first.state())))
    assert same(trained(trainer()), trained(second))


def test_a_run_that_is_over_does_nothing_more():
    over = trainer()
    trained(over)
    again = trainer(start=99)
    again.restore(over.state())
    assert list(again.run()) == []
    assert same(weights(over), weights(again))


@pytest.mark.parametrize("loss_of", ["model.encoder.to_latent.bias", "adam.exp_avg.encoder.to_latent.bias", "clock"])
def test_a_state_that_lacks_something_is_refused(loss_of: str):
    state = stopped_at(2).state()
    del state[loss_of]
    with pytest.raises(TrainingError, match="does not fit this run"):
        trainer().restore(state)


def test_a_state_of_another_model_is_refused():
    torch.manual_seed(0)
    other = Trainer.of_examples(build(replace(DIMS, hidden=10)), TRAIN, VALID, OPTIONS, accuracy)
    with pytest.raises(TrainingError, match=r"does not fit this run.*overwrite=True"):
        other.restore(stopped_at(2).state())


# ------------------------------------------------------------------------------------ what a step is


def test_one_step_is_adam_on_the_papers_objective():
    """Without augmentation: the gradient of the stated loss, clipped, and Adam's first step."""
    options = replace(OPTIONS, batch=28, epochs=50, beta=0.3, gamma=0.7, delta=2.0, clip=0.5)
    made = trainer(options, augment=False)
    other = trainer(options, augment=False).model
    made._one_step()
    torch.manual_seed(int(np.random.SeedSequence([0, 0, 0]).generate_state(1, np.uint64)[0] >> np.uint64(1)))
    order = np.random.default_rng([0, 0]).permutation(28)
    outputs = other.train()(torch.from_numpy(TRAIN.inputs[order]))
    probability = outputs.decoding.distribution.log_prob(outputs.decoding.target)
    values = torch.from_numpy(TRAIN.attributes[order])
    loss = -probability.mean() + 0.3 * kl_divergence(*outputs.posterior)
    (loss + 0.7 * attribute_loss(outputs.z[:, :4], values, 2.0)).backward()
    torch.nn.utils.clip_grad_norm_(other.parameters(), 0.5)
    rate = 1e-2 * (1e-4 / WARM_UP)
    torch.optim.Adam(other.parameters(), lr=rate).step()
    for (name, mine), theirs in zip(made.model.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, msg=name)


def test_every_epoch_shows_every_example_once_in_an_order_of_its_own(monkeypatch: pytest.MonkeyPatch):
    options = replace(OPTIONS, batch=7)
    made = trainer(options, augment=False)
    seen: list[Tensor] = []
    forward = made.model.forward
    monkeypatch.setattr(made.model, "forward", lambda rows, *rest: (seen.append(rows), forward(rows, *rest))[1])
    trained(made)
    seen = [rows for rows in seen if len(rows) == 7]
    epochs = [torch.cat(seen[4 * i : 4 * i + 4]) for i in range(4)]
    everything = sorted(map(tuple, TRAIN.inputs.tolist()))
    assert all(sorted(map(tuple, epoch.tolist())) == everything for epoch in epochs)
    assert not torch.equal(epochs[0], epochs[1])


def test_made_up_rows_are_told_to_the_model():
    made = trainer()
    counts = []
    made._one_step()
    made.parallel = lambda rows, made_up, codes: (counts.append(made_up), made.model(rows, made_up, codes))[1]
    made._one_step()
    assert counts == [4]


def test_the_learning_rate_rises_then_falls_by_a_cosine():
    made = trainer(replace(OPTIONS, epochs=1000))  # 3000 steps
    rates = []
    for step in range(0, 3001):
        made.step = step
        rates.append(made._learning_rate(made.progress))
    top = OPTIONS.learning_rate
    warm = round(3000 * WARM_UP)
    assert rates[0] < 0.01 * top
    assert all(a < b for a, b in pairwise(rates[:warm]))
    assert max(rates) == pytest.approx(top, rel=0.01)
    assert all(a > b for a, b in pairwise(rates[warm + 1 :]))
    assert rates[1500] == pytest.approx(top * (1 + FLOOR) / 2)
    assert rates[-1] == pytest.approx(top * FLOOR)


def test_the_rate_of_the_schedule_is_adams():
    made = trainer()
    for _ in range(3):
        expected = made._learning_rate(made.progress)
        made._one_step()
        assert made.optimizer.param_groups[0]["lr"] == expected


@dataclass(frozen=True)
class Parted(ArVaeObjective):
    """The encoder learns in the first half of a run alone."""

    phases = (*WHOLE, Phase(0.5, ("decoder",)))


@dataclass(frozen=True)
class Late(ArVaeObjective):
    """The encoder learns in the second half of a run alone."""

    phases = (Phase(0.0, ("decoder", "flow")), Phase(0.5, PARTS))


EVERY_STEP = replace(OPTIONS, report_steps=1)


def parted(options: TrainingOptions = EVERY_STEP, start: int = 3, kind: type[ArVaeObjective] = Parted) -> Trainer:
    made = trainer(options, start=start)
    made.objective = kind(options.beta, options.gamma, options.delta)
    return made


def test_in_a_phase_what_learns_in_it_learns_and_nothing_else():
    made, before, after = parted(), {}, {}
    for report in made.run():
        (before if report.step <= 6 else after)[report.step] = weights(made)
    encoders = [name for name in before[6] if name.startswith("encoder.")]
    decoders = [name for name in before[6] if name.startswith("decoder.")]
    assert not same(*({name: at[name] for name in encoders} for at in (before[5], before[6])))
    assert same(*({name: at[name] for name in encoders} for at in (before[6], after[12])))
    assert not same(*({name: at[name] for name in decoders} for at in (before[6], after[7])))


@pytest.mark.parametrize("at", [4, 6, 9])  # the second begins after 6 of 12 steps
@pytest.mark.parametrize("kind", [Parted, Late])
def test_a_run_that_was_stopped_goes_on_in_its_phase(at: int, kind: type[ArVaeObjective]):
    expected, first = trained(parted(kind=kind)), parted(kind=kind)
    for report in first.run():
        if report.step == at:
            first.stop()
    second = parted(start=99, kind=kind)
    second.restore({name: value.clone() for name, value in first.state().items()})
    assert same(expected, trained(second))


def test_what_has_not_learnt_yet_has_no_moments_and_needs_none():
    first = parted(kind=Late)
    next(first.run())
    state = first.state()
    assert any(name.startswith("adam.exp_avg.decoder.") for name in state)
    assert not any(name.startswith("adam.exp_avg.encoder.") for name in state)
    used = parted()
    next(used.run())
    used.restore(state)
    assert used.state().keys() == state.keys()  # what it had of its own is gone


def test_a_phase_that_begins_at_the_end_has_no_steps():
    @dataclass(frozen=True)
    class Never(ArVaeObjective):
        phases = (*WHOLE, Phase(1.0, ("decoder",)))

    made = parted(kind=Never)
    reports = list(made.run())
    assert same(trained(trainer(EVERY_STEP)), weights(made))
    assert reports[-1].learning_rate == pytest.approx(FLOOR * OPTIONS.learning_rate)


@pytest.mark.parametrize(
    ("learns", "said"),
    [
        ([("encoder", "decodr"), ("decoder",)], "phases name decodr, which no model has"),
        ([("decoder",), ("decoder", "flow")], "none of the objective's phases lets encoder learn"),
    ],
)
def test_phases_that_do_not_fit_the_model_are_refused(learns: list[tuple[str, ...]], said: str):
    @dataclass(frozen=True)
    class Wrong(ArVaeObjective):
        phases = tuple(Phase(i / 2, names) for i, names in enumerate(learns))

    with pytest.raises(ValueError, match=said):
        list(parted(kind=Wrong).run())


def test_the_learning_rate_rises_and_falls_in_each_phase():
    made, rates = parted(replace(OPTIONS, epochs=1000)), []
    for step in range(0, 3000):
        made.step = step
        rates.append(made._learning_rate(made.progress))
    assert rates[:1500] == pytest.approx(rates[1500:])
    assert max(rates[:1500]) == pytest.approx(OPTIONS.learning_rate, rel=0.01)
    assert rates[1499] < 0.02 * OPTIONS.learning_rate


def test_minutes_end_a_run():
    made = trainer(replace(OPTIONS, epochs=10**6, minutes=0.002))
    reports = list(made.run())
    assert 0.12 <= made.seconds < 2
    assert reports[-1].progress == 1.0
    assert reports[-1].valid is not None


# ------------------------------------------------------------------------------------ reports


def test_reports_say_where_the_run_stands():
    made = trainer()
    reports = list(made.run())
    assert [report.step for report in reports] == [2, 4, 6, 8, 10, 12]
    assert [report.valid is not None for report in reports] == [False, True, False, True, False, True]
    for report in reports:
        assert report.epoch == pytest.approx(report.step / 3)
        assert report.progress == pytest.approx(report.step / 12)
        weights_of = {"reconstruction": 1.0, "kl": OPTIONS.beta, "attribute": OPTIONS.gamma}
        assert report.parts.keys() == weights_of.keys()
        total = sum(weights_of[name] * part for name, part in report.parts.items())
        assert report.loss == pytest.approx(total, rel=1e-4)
        assert report.rate == pytest.approx(8 * report.step / report.seconds)
        assert json.loads(json.dumps(report.to_json())) == vars(report)
    assert [r.seconds for r in reports] == sorted(r.seconds for r in reports)
    assert reports[-1].remaining == 0
    assert reports[0].remaining == pytest.approx(5 * reports[0].seconds)
    assert set(reports[-1].valid or {}) == {"tokens", "events", "measures"}
    assert reports[-1].loss < reports[0].loss


def test_a_report_is_the_mean_since_the_last():
    steps = list(trainer(replace(OPTIONS, report_steps=1)).run())
    pairs = list(trainer().run())
    for n, pair in enumerate(pairs):
        for name, part in pair.parts.items():
            assert part == pytest.approx((steps[2 * n].parts[name] + steps[2 * n + 1].parts[name]) / 2, rel=1e-6)


def test_a_part_that_some_steps_lack_is_the_mean_of_those_that_have_it():
    @dataclass(frozen=True)
    class Stepped(ArVaeObjective):
        """With a further part, the number of the step, in the second half of a run."""

        def terms(self, step: Step) -> Terms:
            terms, number = super().terms(step), round(12 * step.progress)
            return terms.plus("number", 0.0, torch.tensor(float(number))) if number >= 6 else terms

    made = parted(replace(OPTIONS, report_steps=4, valid_steps=4), kind=Stepped)
    reports = list(made.run())
    assert [report.parts.get("number") for report in reports] == [None, 6.5, 9.5]


def test_judging_is_free_running_from_the_posterior_mean_and_changes_nothing():
    made = trainer()
    state = weights(made)
    found = made.judge()
    rows = torch.from_numpy(VALID.inputs)
    assert len(made._judge.inputs) == 10  # valid_rows
    model = made.model.eval()
    chosen = rows[np.unique(np.linspace(0, 11, 10).astype(int))]
    with torch.no_grad():
        output = model.decoder.generate(model.encoder(chosen).mean, chosen)
    assert found == accuracy(chosen, output)
    assert same(state, weights(made))


def test_a_stopped_run_is_judged_at_its_end(monkeypatch: pytest.MonkeyPatch):
    made = trainer(replace(OPTIONS, report_steps=100, valid_steps=100))
    made.stop()
    assert list(made.run()) == []  # asked before it began
    made = trainer(replace(OPTIONS, report_steps=100, valid_steps=100))
    step = made._one_step
    monkeypatch.setattr(made, "_one_step", lambda: (made.step == 4 and made.stop(), step())[1])  # in its fifth step
    (report,) = made.run()
    assert (report.step, made.step) == (5, 5)
    assert report.valid is not None


# ------------------------------------------------------------------------------------ what goes wrong


class Bare(nn.Module):
    """An encoder and a decoder of plain numbers, for a core that knows nothing of music."""

    def __init__(self, width: int, latent: int, poison: int | None = None) -> None:
        super().__init__()
        self.to_latent, self.back = nn.Linear(width, 2 * latent), nn.Linear(latent, width)
        self.calls, self.poison = 0, poison

    def encode(self, inputs: Tensor) -> Iterator[Tensor]:
        return iter(self.to_latent(inputs).chunk(2, dim=1))

    def forward(self, z: Tensor, inputs: Tensor) -> Decoding:
        self.calls += 1
        mean = self.back(z)
        if self.poison == self.calls:
            mean = mean * math.inf
        return Decoding(Independent(Normal(mean, 1.0, validate_args=False), 1), inputs)

    def generate(self, z: Tensor, inputs: Tensor) -> Tensor:
        return self.back(z)


class Encoding(nn.Module):
    def __init__(self, both: Bare) -> None:
        super().__init__()
        self.both = both

    def forward(self, inputs: Tensor) -> Iterator[Tensor]:
        return self.both.encode(inputs)


def plain(poison: int | None = None, options: TrainingOptions = OPTIONS) -> Trainer:
    torch.manual_seed(0)
    inputs = torch.randn(32, 5).numpy()
    data = Examples(inputs, inputs[:, :2].copy(), ("a", "b"), np.arange(32))
    both = Bare(5, 3, poison)
    model = ArVae(Encoding(both), both, 3)
    return Trainer.of_examples(model, data, data, options, lambda a, b: {"off": float((a - b).std())})


def test_the_core_trains_what_is_no_music():
    reports = list(plain(options=replace(OPTIONS, epochs=40, gamma=0.1)).run())
    assert reports[-1].valid["off"] < reports[1].valid["off"]


def test_a_loss_that_is_not_finite_stops_with_its_step_and_spares_the_weights():
    made = plain(poison=6)
    reports = made.run()
    assert [next(reports).step, next(reports).step] == [2, 4]
    with pytest.raises(TrainingError, match=r"loss is (nan|inf) at step 5"):
        next(reports)
    assert made.step == 5
    assert all(torch.isfinite(value).all() for value in made.model.state_dict().values())


def test_a_gradient_that_is_not_finite_never_reaches_the_weights():
    made = plain()
    made.model.decoder.back.bias.register_hook(lambda grad: grad * math.nan)
    with pytest.raises(TrainingError, match=r"gradient.*step 0"):
        list(made.run())
    assert all(torch.isfinite(value).all() for value in made.model.state_dict().values())


def test_options_out_of_range_are_all_named():
    with pytest.raises(UsageError) as raised:
        TrainingOptions(
            epochs=0, minutes=-1, beta=-1, gamma=-0.1, delta=0, batch=0, learning_rate=math.nan, clip=0, seed=-1,
            report_steps=0, valid_steps=0, valid_rows=0,
        )  # fmt: skip
    for name in vars(TrainingOptions()):
        assert name in raised.value.what or name == "objective"
    for name in ("beta", "gamma", "delta", "learning_rate", "clip", "minutes"):
        with pytest.raises(UsageError, match=f"^{name}: out of range"):
            TrainingOptions(**{name: math.nan})
    assert TrainingOptions(beta=0, gamma=0, minutes=None)


def test_a_batch_larger_than_the_corpus_and_too_few_dimensions_are_refused():
    with pytest.raises(UsageError, match="batch of 29 over 1 processes does not fit 28 examples; give batch="):
        trainer(replace(OPTIONS, batch=29))
    with pytest.raises(UsageError, match="4 attributes need as many latent dimensions, but there are 3"):
        Trainer.of_examples(build(replace(DIMS, latent=3)), TRAIN, VALID, OPTIONS, accuracy)


def test_a_report_is_frozen_and_complete():
    assert [*Report.__dataclass_fields__] == [
        "step", "epoch", "progress", "seconds", "remaining", "rate", "learning_rate", "loss", "parts", "valid",
    ]  # fmt: skip
