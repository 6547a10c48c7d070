"""`arvae benchmark` on a corpus of small tunes: its files, going on where it was broken off, and what goes wrong."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import train_cli
from train_cli import press

from arvae_music.errors import TrainingError
from arvae_music.evaluation.evaluate import EvaluationOptions
from arvae_music.training import benchmarking, context_recipe, music_recipe
from arvae_music.training.objectives.power_transform import PowerTransform
from arvae_music.training.trainer import Trainer
from arvae_music.vae import checkpoint

cache, run = train_cli.cache, train_cli.run  # fixtures: the corpus `tunes`, and `arvae` in this process

Call = Callable[..., subprocess.CompletedProcess[str]]
LINE = ("benchmark", "-c", "tunes", "--seeds", 1, "--epochs", 1, "--batch", 32, "-o", "out", "--quiet")
TWO = ("--objectives", "beta-vae,conditional")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks and evaluations of no size: this is about the command."""
    tiny = EvaluationOptions(
        measures=24, requests=24, guided=4, traversals=1, probe_rows=40, contexts=4, samples=20, proposals=4
    )
    monkeypatch.setattr(EvaluationOptions, "quick", classmethod(lambda cls: tiny))
    dims = music_recipe.MeasureDims
    monkeypatch.setattr(music_recipe, "MeasureDims", lambda **rest: dims(**{"hidden": 8, "tick_hidden": 8, **rest}))
    small = replace(context_recipe.DIMS, measure_hidden=8, context_hidden=8, context=8, decoder_hidden=8, tick_hidden=8)
    monkeypatch.setattr(context_recipe, "DIMS", small)


def seconds(folder: Path) -> dict[str, float]:
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("*/evaluation.json")}


def body(folder: Path) -> dict[str, object]:
    return json.loads((folder / "benchmark.json").read_text())


def test_every_objective_is_trained_evaluated_and_set_beside_the_others(run: Call, work: Path):
    done = run(*LINE[:-1], "--quick", "--part", "test")
    assert done.returncode == 0, done.stderr
    names = [
        "contextual", "ar-vae", "power-transform", "aligned", "beta-vae", "factor-vae", "beta-tcvae", "conditional",
        "fader", "glsr-vae",
    ]  # fmt: skip
    found = body(work / "out")
    assert [one["method"] for one in found["runs"]] == names
    assert len({one["steps"] for one in found["runs"] if one["method"] != "contextual"}) == 1
    for name in names:
        about = json.loads((work / "out" / f"{name}-0" / "evaluation.json").read_text())["about"]
        assert (about["part"], about["corpus"]) == ("test", "tunes")
        assert f"| {name} | 1 |" in done.stdout
    fitted = checkpoint.describe(work / "out/power-transform-0/model.safetensors").training["fitted"]
    assert list(fitted) == ["rhythm", "range", "density", "contour"]
    assert all(np.isfinite(PowerTransform(**entry)(np.array([0.3]))).all() for entry in fitted.values())
    assert "| method | runs | steps | minutes | Interp. |" in done.stdout
    page = (work / "out/benchmark.md").read_text()
    assert page.startswith("# Objectives on tunes\n\n    arvae benchmark --corpus tunes --objectives all --seeds 1")
    assert "--epochs 1 --quick\n" in page
    assert "wrote out/benchmark.md and out/benchmark.json" in done.stderr
    assert done.stderr.count("arvae edit melody.mid") == 1  # a hint once, not for every run


def test_what_is_finished_is_not_done_again_and_more_can_be_asked_for(run: Call, work: Path):
    assert run(*LINE, *TWO, "--quick").returncode == 0
    before = seconds(work / "out")
    assert run(*LINE, *TWO, "--quick", "--seeds", 2, "--json").returncode == 0
    after = seconds(work / "out")
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"beta-vae-1", "conditional-1"}
    assert [(one["method"], one["seed"]) for one in body(work / "out")["runs"]] == [
        ("beta-vae", 0), ("beta-vae", 1), ("conditional", 0), ("conditional", 1),
    ]  # fmt: skip


def test_json_is_what_is_written(run: Call, work: Path):
    done = run(*LINE, "--objectives", "beta-vae", "--quick", "--json")
    assert json.loads(done.stdout) == body(work / "out")


def test_another_part_is_judged_anew_without_training(run: Call, work: Path, monkeypatch: pytest.MonkeyPatch):
    assert run(*LINE, "--objectives", "beta-vae", "--quick").returncode == 0
    monkeypatch.setattr(Trainer, "_one_step", lambda self: pytest.fail("trained again"))
    assert run(*LINE, "--objectives", "beta-vae", "--quick", "--part", "test").returncode == 0
    assert json.loads((work / "out/beta-vae-0/evaluation.json").read_text())["about"]["part"] == "test"


def test_a_broken_run_goes_on_and_ends_as_if_it_never_broke(run: Call, work: Path, monkeypatch: pytest.MonkeyPatch):
    assert run(*LINE, *TWO, "--quick").returncode == 0
    whole = body(work / "out")
    with monkeypatch.context() as patch:
        press(1, patch)
        stopped = run(*LINE[:-3], "-o", "parts", *TWO, "--quick")
    assert stopped.returncode == 130
    assert not (work / "parts/beta-vae-0/evaluation.json").exists()
    steps = []
    one_step = Trainer._one_step
    monkeypatch.setattr(Trainer, "_one_step", lambda self: (steps.append(self.step), one_step(self))[1])
    assert run(*LINE[:-3], "-o", "parts", *TWO, "--quick").returncode == 0
    assert steps[0] == 2
    assert [one["headline"] for one in body(work / "parts")["runs"]] == [one["headline"] for one in whole["runs"]]


def test_a_run_that_died_before_its_first_checkpoint_starts_anew(run: Call, work: Path):
    assert run(*LINE, "--objectives", "beta-vae", "--quick").returncode == 0
    whole, folder = body(work / "out"), work / "out/beta-vae-0"
    for name in ("evaluation.json", "state.safetensors", "model.safetensors"):
        (folder / name).unlink()
    assert run(*LINE, "--objectives", "beta-vae", "--quick").returncode == 0
    assert body(work / "out")["runs"][0]["headline"] == whole["runs"][0]["headline"]


def test_an_evaluation_of_other_weights_is_made_again(run: Call, work: Path):
    assert run(*LINE, *TWO, "--quick").returncode == 0
    other = (work / "out/conditional-0/model.safetensors").read_bytes()
    (work / "out/beta-vae-0/model.safetensors").write_bytes(other)
    before = seconds(work / "out")
    assert run(*LINE, *TWO, "--quick").returncode == 0
    after = seconds(work / "out")
    assert [name for name in after if after[name] != before[name]] == ["beta-vae-0"]


def test_a_run_that_fails_stops_no_other(run: Call, work: Path, monkeypatch: pytest.MonkeyPatch):
    one_step = Trainer._one_step

    def failing(self: Trainer) -> object:
        if self.options.objective == "beta-vae":
            raise TrainingError("the loss is nan at step 0")
        return one_step(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_one_step", failing)
        done = run(*LINE, *TWO, "--quick")
    assert done.returncode == 1
    assert "arvae: beta-vae-0: the loss is nan at step 0" in done.stderr
    assert "1 of 2 runs failed" in done.stderr
    assert [one["method"] for one in body(work / "out")["runs"]] == ["conditional"]
    assert run(*LINE, *TWO, "--quick").returncode == 0
    assert [one["method"] for one in body(work / "out")["runs"]] == ["beta-vae", "conditional"]


def test_a_folder_of_other_options_is_refused_before_any_work(run: Call, work: Path):
    assert run(*LINE, "--objectives", "conditional", "--quick").returncode == 0
    before = seconds(work / "out")
    done = run(*LINE, *TWO, "--quick", "--epochs", 2)
    assert done.returncode == 2
    assert "out/conditional-0: holds a run with other options; give --overwrite" in done.stderr
    assert not (work / "out/beta-vae-0").exists()
    assert run(*LINE, "--objectives", "conditional", "--quick", "--epochs", 2, "--overwrite").returncode == 0
    assert seconds(work / "out") != before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--objectives", "beta-vea"), "there is no objective 'beta-vea'; did you mean beta-vae?"),
        (("--objectives", "fader,fader"), "the objective fader is given twice; give each objective once"),
        (("--part", "train"), "there is no part 'train'; give valid or test"),
        (("-c", "tunez", "--objectives", "fader"), "tunez"),
    ],
)
def test_what_cannot_be_done_is_refused(run: Call, work: Path, words: tuple[str, ...], message: str):
    done = run(*LINE, *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (work / "out").exists()


def test_a_run_has_two_minutes_unless_told():
    def of(minutes: float | None, epochs: int | None) -> object:
        return benchmarking.plan_run("bach", "fader", 3, minutes, epochs, 64).options

    assert (of(None, None).minutes, of(None, None).epochs) == (2.0, benchmarking.ALL_EPOCHS)
    assert (of(1.5, None).minutes, of(None, 7).minutes, of(None, 7).epochs) == (1.5, None, 7)
    assert (of(None, 7).seed, of(None, 7).gamma, of(None, 7).batch) == (3, 0.03, 64)
