"""scripts/refine_model.py on a small run: what it does one after another, what it keeps, and what it refuses."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
import torch
import train_cli
from conftest import REPOSITORY
from train_cli import SMALL
from training_measures import SPECS, measures

from arvae_music.music.attributes import evaluate_mixed
from arvae_music.networks.hierarchical import MeasureDims, accuracy, build
from arvae_music.training.objectives import make
from arvae_music.training.objectives.aligned import Weights
from arvae_music.training.trainer import Trainer, TrainingOptions
from arvae_music.vae import checkpoint

cache, run = train_cli.cache, train_cli.run  # fixtures: the corpus `tunes`, and `arvae` in this process

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def refine_model(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(REPOSITORY / "scripts"))
    import refine_model

    monkeypatch.setattr(refine_model, "ROWS", 64)
    monkeypatch.setattr(refine_model, "STEPS", 5)
    return refine_model


def call(refine_model: ModuleType, monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", ["refine_model.py", *map(str, words)])
    refine_model.main()


def test_a_run_goes_on_and_its_model_says_how(
    refine_model: ModuleType, monkeypatch: pytest.MonkeyPatch, run: Call, work: Path
):
    assert run("train", "tunes", "--epochs", 1, *SMALL, "--objective", "aligned").returncode == 0
    errors, train = [], refine_model.train

    def watched(trainer: Trainer, minutes: float) -> None:
        errors.append(trainer.objective.errors.clone())
        train(trainer, minutes)
        errors.append(trainer.objective.errors.clone())

    monkeypatch.setattr(refine_model, "train", watched)
    words = ("--minutes", 0.003, "--flow-minutes", 0.003, "--decoder-minutes", 0.003, "--batch", 16)
    words += ("--weights", "keep=0.25,drift=3")
    call(refine_model, monkeypatch, work / "runs/tunes", *words)
    assert not torch.equal(errors[0], errors[1])
    assert torch.equal(errors[1], errors[2])  # the decoder's minutes go on with what is remembered
    (entry,) = checkpoint.read(work / "runs/tunes").metadata.training["refined"]
    assert entry.pop("steps") > 3
    assert entry == {
        "minutes": 0.003, "flow_minutes": 0.003, "decoder_minutes": 0.003, "batch": 16, "learning_rate": 2e-3,
        "beta": 12e-3, "weights": {**asdict(Weights()), "keep": 0.25, "drift": 3.0},
    }  # fmt: skip


def test_weights_that_there_are_not_are_named(
    refine_model: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], work: Path
):
    for wrong in ("pull=3", "policy", "policy=1=2"):
        with pytest.raises(SystemExit) as raised:
            call(refine_model, monkeypatch, work / "run", "--weights", wrong)
        assert raised.value.code == 2
        assert "NAME is one of policy, flow, keep" in capsys.readouterr().err


def test_a_corpus_is_for_a_run_that_it_makes(
    refine_model: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], work: Path
):
    with pytest.raises(SystemExit) as raised:
        call(refine_model, monkeypatch, work / "run", "--corpus", "folk")
    assert raised.value.code == 2
    assert "--corpus needs --start" in capsys.readouterr().err


def test_only_models_of_aligned_are_refined(
    refine_model: ModuleType, monkeypatch: pytest.MonkeyPatch, run: Call, work: Path
):
    """Neither a run of the default objective, nor the bundled model of it, for which no folder is made."""
    assert run("train", "tunes", "--epochs", 1, *SMALL).returncode == 0
    before = {path.name: path.read_bytes() for path in (work / "runs/tunes").iterdir()}
    with pytest.raises(SystemExit, match=r"tunes was trained with contextual; .*train one with .*--objective aligned"):
        call(refine_model, monkeypatch, work / "runs/tunes", "--minutes", 0.003)
    assert {path.name: path.read_bytes() for path in (work / "runs/tunes").iterdir()} == before
    with pytest.raises(SystemExit, match="all was trained with contextual"):
        call(refine_model, monkeypatch, work / "new", "--start", "all")
    assert not (work / "new").exists()


@pytest.mark.parametrize("learning_rate", [3e-3, 30.0])
def test_the_flow_ends_with_what_was_best_on_held_out_measures(
    refine_model: ModuleType, capsys: pytest.CaptureFixture[str], learning_rate: float
):
    examples = measures()
    torch.manual_seed(0)
    dims = MeasureDims(latent=8, hidden=24, tick_hidden=16, flow_layers=2, flow_hidden=16, attributes=2)
    options = TrainingOptions(batch=60, objective="aligned")
    objective = make("aligned", options.setting(8, examples, partial(evaluate_mixed, SPECS)))
    trainer = Trainer.of_examples(build(dims), examples, examples.take(range(40)), options, accuracy, None, objective)
    flow, held_out = trainer.model.flow, examples.take([*range(40), *range(40)])
    assert flow is not None
    before = {name: value.clone() for name, value in flow.state_dict().items()}
    refine_model.fit_flow(trainer, objective, held_out, 0.01, learning_rate)
    found = [float(one) for one in re.findall(r"held out (\S+)", capsys.readouterr().out)]
    assert len(found) > 3
    batch, posterior = refine_model._held_out(trainer, held_out)
    assert len(batch.inputs) == len({row.tobytes() for row in examples.inputs[:40]})
    with torch.no_grad():
        ended = float(objective.flow_loss(trainer.model, batch, posterior))
    assert ended == pytest.approx(min(found), abs=1e-4)
    same = all(torch.equal(value, before[name]) for name, value in flow.state_dict().items())
    assert same == (learning_rate > 1)  # which spoils it from the first step on
    assert (found[-1] > found[0]) == same
