"""The scripts that write files of the repository explain themselves with --help, and then write nothing."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from conftest import REPOSITORY

WRITTEN = {"make_demo_melody": "arvae_music/data/ode_to_joy.mid", "make_model_card": "docs/models.md"}


@pytest.mark.parametrize("name", WRITTEN)
def test_help_writes_nothing(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    path: Path = REPOSITORY / WRITTEN[name]
    before = path.stat().st_mtime_ns
    monkeypatch.setattr("sys.argv", [name, "--help"])
    with pytest.raises(SystemExit) as raised:
        runpy.run_path(str(REPOSITORY / "scripts" / f"{name}.py"), run_name="__main__")
    assert raised.value.code == 0
    assert WRITTEN[name] in capsys.readouterr().out
    assert path.stat().st_mtime_ns == before
