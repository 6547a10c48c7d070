"""Objectives: every one trains, stops and goes on; what each adds is checked in test_objective_terms.py."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from objective_cases import DATA, LATENT, OPTIONS, bits, measure, trainer
from torch import Tensor

from arvae_music.errors import UsageError
from arvae_music.training import objectives
from arvae_music.training.objectives import CONTEXTUAL, ENTRIES
from arvae_music.training.objectives.objective import Objective
from arvae_music.training.trainer import Trainer, TrainingOptions
from arvae_music.vae.normal_scores import Codes

ON_ROWS = [name for name in ENTRIES if name != CONTEXTUAL]  # test_context_training.py tests the other one


def weights(made: Trainer) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in made.state().items() if name != "clock"}


@pytest.mark.parametrize("name", ON_ROWS)
def test_it_learns_and_says_what_its_loss_is_made_of(name: str):
    made = trainer(name, replace(OPTIONS, epochs=60))
    reports = list(made.run())
    assert reports[-1].valid["bits"] > 0.7
    assert reports[-1].parts["reconstruction"] < reports[0].parts["reconstruction"]
    assert {"reconstruction", "kl"} <= reports[0].parts.keys()
    assert json.loads(json.dumps(reports[0].to_json())) == vars(reports[0])
    assert made.objective.carriage == ENTRIES[name].carriage


@pytest.mark.parametrize("name", ON_ROWS)
def test_a_run_that_was_stopped_goes_on_as_if_it_never_was(name: str):
    whole = trainer(name)
    assert [report.step for report in whole.run()] == list(range(1, 17))
    first = trainer(name)
    for report in first.run():
        if report.step == 5:
            first.stop()
    second = trainer(name)
    second.restore(first.state())
    list(second.run())
    expected, found = weights(whole), weights(second)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@pytest.mark.parametrize("name", ENTRIES)
def test_its_usual_weights_are_options(name: str):
    usual = ENTRIES[name]
    assert TrainingOptions(objective=name, beta=usual.beta, gamma=usual.gamma)
    assert "(" in usual.source


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UsageError, match=r"no objective 'beta-vea'; did you mean beta-vae\?"):
        objectives.entry("beta-vea")
    with pytest.raises(UsageError, match="there are contextual, ar-vae, power-transform, aligned, beta-vae"):
        TrainingOptions(objective="xyz")


@pytest.mark.parametrize("lacks", ["carriage", "terms"])
def test_an_objective_says_where_attributes_lie_and_what_is_minimised(lacks: str):
    whole = {"carriage": "given", "terms": lambda self, step: None}
    assert type("Whole", (Objective,), whole)().critic is None
    with pytest.raises(TypeError, match=f"abstract.*{lacks}"):
        type("Lacking", (Objective,), {name: each for name, each in whole.items() if name != lacks})()


def test_ar_vae_is_what_there_is_where_none_is_named():
    made = Trainer.of_examples(bits(), DATA, DATA, OPTIONS, lambda a, b: {})
    other = trainer("ar-vae", replace(OPTIONS, beta=OPTIONS.beta))
    list(made.run())
    list(other.run())
    assert all(torch.equal(value, weights(other)[name]) for name, value in weights(made).items())


# ------------------------------------------------------------------------------------ exact codes


class Spy(Objective):
    """An objective that remembers what it is shown."""

    carriage = "given"

    def __init__(self, inner: Objective) -> None:
        self.inner, self.steps = inner, []

    def terms(self, step):
        self.steps.append(step)
        return self.inner.terms(step)


def test_a_given_decoder_sees_the_codes_of_the_values_and_nothing_else_changes():
    inner = trainer("conditional").objective
    made = Trainer.of_examples(bits(), DATA, DATA, OPTIONS, lambda a, b: {}, None, Spy(inner))
    list(made.run())
    known = Codes.of_examples(DATA)
    for step in made.objective.steps:
        for one, values, codes in zip(known.scores, step.batch.values.T, step.batch.codes.T, strict=True):
            off = np.abs(one.code(values.numpy()) - codes.numpy())
            assert (off <= 8 * np.interp(values, one.levels, one.sd) + 1e-6).all()
        assert torch.equal(step.outputs.z[:, :2], step.batch.codes)
    row = made.objective.steps[-1].batch
    plain = made.model.reconstruct(row.inputs, row.codes)
    z = made.model.posterior(row.inputs).mean
    assert torch.equal(plain, made.model.decoder.generate(torch.cat([row.codes, z[:, 2:]], dim=1), row.inputs))


def test_the_dimensions_that_values_take_the_place_of_cost_nothing():
    made = trainer("conditional")
    before = made.model.encoder.layer.weight.clone()
    list(made.run())
    after = made.model.encoder.layer.weight
    replaced = [0, 1, LATENT, LATENT + 1]  # means and log-variances
    assert torch.equal(before[replaced], after[replaced])
    assert not torch.equal(before[2], after[2])


def test_further_rows_are_training_rows_and_others_every_step():
    spy = Spy(trainer("conditional").objective)
    made = Trainer.of_examples(bits(), DATA, DATA, OPTIONS, lambda a, b: {}, None, spy)
    list(made.run())
    known = {row.tobytes() for row in DATA.inputs}
    batches = [step.draw(7) for step in spy.steps]
    assert all(len(batch.inputs) == 7 and batch.made_up == 0 for batch in batches)
    assert all(row.tobytes() in known for batch in batches for row in batch.inputs.numpy())
    np.testing.assert_array_equal(measure(batches[0].inputs.numpy()), batches[0].values.numpy())
    assert not torch.equal(batches[0].inputs, batches[1].inputs)


# ------------------------------------------------------------------------------------ two processes


# One with a critic, one that decodes outside of the parallel model, one with phases, a flow and a memory.
SHARED = {"fader": {"epochs": 1}, "glsr-vae": {"epochs": 1}, "aligned": {"epochs": 3, "flow": True}}


def shared(name: str) -> Trainer:
    given = SHARED[name]
    return trainer(name, replace(OPTIONS, epochs=given["epochs"]), given.get("flow", False))


def _rank(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    for name in SHARED:
        made = shared(name)
        list(made.run())
        torch.save(weights(made), f"{folder}/{name}-{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_keep_the_same_model_critic_and_memory(tmp_path: Path):
    mp.spawn(_rank, (str(tmp_path),), nprocs=2)
    for name in SHARED:
        one, other = (torch.load(tmp_path / f"{name}-{rank}.pt") for rank in range(2))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
        alone = weights(shared(name))
        learnt = [key for key in alone if key.endswith("layer.weight") or key.startswith(("model.flow.nets", "memory"))]
        assert not any(torch.equal(one[key], alone[key]) for key in learnt)
    assert any(key.startswith("critic_adam.") for key in torch.load(tmp_path / "fader-0.pt"))
    assert {"model.flow.side", "memory.errors"} <= torch.load(tmp_path / "aligned-0.pt").keys()
