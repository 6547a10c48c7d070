"""Fixtures for commands that train: the corpus `tunes`, and `arvae` in this process."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from arvae_music.cli.main import main
from arvae_music.cli.shared import common
from arvae_music.training.trainer import Trainer

Call = Callable[..., subprocess.CompletedProcess[str]]
SMALL = ("--hidden", 8, "--tick-hidden", 8, "--latent", 6, "--batch", 8, "--quiet")
NOTES = "CDEFGABc"
OWN = "def cs(rows, meter):\n    return ((rows - 2 + 47) % 12 == 0).sum(axis=1) * 1.0\n"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the corpus `tunes`: forty tunes of four measures."""
    base = tmp_path_factory.mktemp("train")
    folder = base / "tunes"
    folder.mkdir()
    tunes = []
    for n in range(40):
        drawn = random.Random(n)  # so that the tunes differ, and a split may separate them
        bars = ["2 ".join((drawn.choice(NOTES), drawn.choice(NOTES) + drawn.choice(NOTES))) for _ in range(4)]
        tunes.append(f"X:{n + 1}\nT:Tune {n}\nM:2/4\nL:1/8\nK:C\n{'|'.join(bars)}|\n\n")
    (folder / "forty.abc").write_text("".join(tunes))
    patch = pytest.MonkeyPatch()
    patch.setenv("ARVAE_CACHE", str(base / "cache"))
    assert main(["corpus", "build", str(folder), "-j", "1", "--quiet"]) == 0
    patch.undo()
    return base / "cache"


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], work: Path, cache: Path
) -> Call:
    """`arvae` in this process, in `work`: exit code, stdout and stderr."""
    monkeypatch.chdir(work)
    monkeypatch.setenv("ARVAE_CACHE", str(cache))
    (work / "mine.py").write_text(OWN)

    def call(*words: object) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(common.state, "quiet", False)
        code = main([str(word) for word in words])
        return subprocess.CompletedProcess(words, code, *capsys.readouterr())

    return call


def press(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of a step."""
    one_step = Trainer._one_step

    def stepping(self: Trainer) -> object:
        if self.step == step:
            os.kill(os.getpid(), signal.SIGINT)
        return one_step(self)

    monkeypatch.setattr(Trainer, "_one_step", stepping)
