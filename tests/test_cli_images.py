"""The commands on images, as real processes and in this one: training, building, and what goes wrong."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from arvae_music import checkpoint
from arvae_music.cli import common
from arvae_music.cli.main import main

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], work: Path) -> Call:
    """`arvae` in this process, in `work`: exit code, stdout and stderr."""
    monkeypatch.chdir(work)
    monkeypatch.setenv("ARVAE_CACHE", str(work.parent / "cache"))

    def call(*words: object) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(common.state, "quiet", False)
        code = main([str(word) for word in words])
        return subprocess.CompletedProcess(words, code, *capsys.readouterr())

    return call


# ------------------------------------------------------------------------------------ training


def test_training_on_sprites_leaves_a_model_of_images(run: Call, work: Path) -> None:
    done = run("train", "sprites", "--minutes", 0.01, "--hidden", 8, "--batch", 16)
    assert done.returncode == 0, done.stderr
    assert "try `arvae traverse runs/sprites`" in done.stderr
    made = checkpoint.read("runs/sprites")
    assert made.metadata.kind == "images"
    assert made.metadata.names == ("shape", "scale", "orientation", "x", "y")
    assert made.metadata.provenance["source"].startswith("737,280 sprites")
    assert json.loads((work / "runs/sprites/config.json").read_text())["dims"]["size"] == 64


@pytest.mark.parametrize("option", [("--mix", 0.5), ("--tick-hidden", 8), ("--token-dropout", 0.2)])
def test_what_only_music_has_is_refused(run: Call, work: Path, option: tuple[str, float]) -> None:
    done = run("train", "sprites", *option)
    assert done.returncode == 2
    assert f"there is no {option[0]} for sprites" in done.stderr
    assert not (work / "runs").exists()
