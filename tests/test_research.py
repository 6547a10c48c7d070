"""Training from Python: the same as on the command line, and what a caller can rely on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import train_cli
from safetensors.numpy import load_file
from train_cli import Call

from arvae_music import research
from arvae_music.corpora.registry import CorpusData
from arvae_music.errors import CorpusError, OutputError, UsageError
from arvae_music.images.model import ImageModel
from arvae_music.library import Model
from arvae_music.training import session
from arvae_music.training.trainer import Report

cache, run = train_cli.cache, train_cli.run  # fixtures: the corpus `tunes`, and `arvae` in this process
SMALL = {"hidden": 8, "tick_hidden": 8, "latent": 6, "batch": 8}


def same(one: Path, other: Path) -> bool:
    a, b = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_python_and_the_command_line_train_the_same_model(run: Call, work: Path):
    reports: list[Report] = []
    model = research.train("tunes", work / "python", epochs=3, seed=5, progress=reports.append, **SMALL)
    assert isinstance(model, Model)
    assert model.metadata.carried == ("rhythm", "range", "density", "contour")
    assert [report.step for report in reports] == [20, 24]
    assert run("train", "tunes", "--epochs", 3, "--seed", 5, *train_cli.SMALL, "-o", "line").returncode == 0
    assert same(work / "python", work / "line")


def test_a_run_is_called_as_its_corpus_and_is_not_replaced_unless_asked(run: Call, work: Path):
    research.train("tunes", epochs=1, attributes=["density"], **SMALL)
    assert (work / "runs/tunes/config.json").exists()
    with pytest.raises(OutputError, match="holds a run already"):
        research.train("tunes", epochs=1, **SMALL)
    model = research.train("tunes", epochs=1, overwrite=True, attributes=["range"], **SMALL)
    assert model.metadata.carried == ("range",)


def test_an_interrupted_run_resumes_from_its_checkpoint_as_if_never_stopped(
    run: Call, work: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(session, "CHECKPOINT_SECONDS", 0.0)
    steps: list[int] = []

    def interrupt(report: Report) -> None:
        steps.append(report.step)
        if report.step == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        research.train("tunes", "parts", epochs=6, progress=interrupt, **SMALL)
    research.train("tunes", "parts", resume=True, progress=interrupt_no_more(steps))
    assert steps == [20, 40, 40, 48]  # the checkpoint is of step 20
    research.train("tunes", "whole", epochs=6, **SMALL)
    assert same(work / "whole", work / "parts")
    again: list[Report] = []
    research.train("tunes", "parts", resume=True, progress=again.append)
    assert not again  # it is over


def interrupt_no_more(steps: list[int]) -> research.Progress:
    return lambda report: steps.append(report.step)


def test_pytorch_has_its_own_threads_and_precision_afterwards(run: Call):
    torch.set_float32_matmul_precision("highest")
    before = torch.get_num_threads()
    inside: list[tuple[int, str]] = []

    def look(report: Report) -> None:
        inside.append((torch.get_num_threads(), torch.get_float32_matmul_precision()))

    research.train("tunes", epochs=1, threads=2, progress=look, **SMALL)
    assert inside == [(2, "medium")]
    assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == (before, "highest")


def test_what_cannot_be_trained_leaves_no_folder(run: Call, work: Path):
    for options, what in (
        ({"objective": "alignd"}, "did you mean aligned"),
        ({"device": "tpu"}, "there is no device 'tpu'"),
        ({"attributes": ["densty"]}, "did you mean density"),
        ({"objective": "aligned", "delta": 5.0}, "delta does nothing in aligned"),
        ({"objective": "ar-vae", "batch": 2000}, "does not fit"),
    ):
        with pytest.raises(UsageError, match=what):
            research.train("tunes", "new", epochs=1, **options)
    with pytest.raises(CorpusError, match="tumes"):
        research.train("tumes", "new")
    assert not (work / "new").exists()


@pytest.mark.slow
def test_images_are_trained_too(run: Call, work: Path):
    model = research.train("sprites", "pictures", minutes=0.001, hidden=8)
    assert isinstance(model, ImageModel)
    assert model.dims.hidden == 8


def test_a_corpus_is_built_once_and_again_where_it_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ARVAE_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "mine"
    folder.mkdir()
    tune = "X:1\nT:One\nM:2/4\nL:1/8\nK:C\nC2 DE|F2 GA|\n"
    (folder / "one.abc").write_text(tune, "utf-8")
    data = research.corpus(folder, jobs=1)
    assert isinstance(data, CorpusData)
    assert (data.name, len(data)) == ("mine", 2)
    (folder / "two.abc").write_text(tune.replace("C2 DE", "E2 DC"), "utf-8")
    assert len(research.corpus(folder, jobs=1)) == 2
    assert len(research.corpus(folder, jobs=1, rebuild=True)) == 4
    with pytest.raises(CorpusError, match="no corpus or folder is called 'bahc'; did you mean bach"):
        research.corpus("bahc")
    with pytest.raises(CorpusError, match="sprites is a set of images"):
        research.corpus("sprites")
