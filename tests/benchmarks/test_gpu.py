"""The times of training steps are measured on a CPU too, for every precision."""

from __future__ import annotations

import runpy

import pytest
from conftest import REPOSITORY


def test_every_precision_trains_on_a_cpu(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--device", "cpu", "--batches", "16", "--steps", "1", "--tunes", "2"]
    monkeypatch.setattr("sys.argv", ["gpu", *words])
    runpy.run_path(str(REPOSITORY / "benchmarks" / "gpu.py"), run_name="__main__")
    device, _, *rows = capsys.readouterr().out.splitlines()
    assert device == "CPU"
    found = {precision: float(loss) for _, precision, _, _, loss in map(str.split, rows)}
    assert set(found) == {"float32", "tf32", "bfloat16"}
    assert found["tf32"] == found["float32"]
    assert found["bfloat16"] == pytest.approx(found["float32"], rel=0.02)
