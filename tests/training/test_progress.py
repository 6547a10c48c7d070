"""The words in which a run reports how far it is."""

from __future__ import annotations

from typing import Any

from arvae_music.training import progress
from arvae_music.training.domains import domain_of
from arvae_music.training.trainer import Report


def report(valid: dict[str, float] | None) -> Report:
    values: dict[str, Any] = dict.fromkeys(Report.__dataclass_fields__, 0.0)
    values |= {"step": 12, "epoch": 1.5, "loss": 2.0, "parts": {"reconstruction": 1.25}, "rate": 99.6}
    return Report(**{**values, "seconds": 61.2, "remaining": 3599.6, "valid": valid})


def test_a_judgement_is_one_line() -> None:
    domain = domain_of("bach")
    valid = {"tokens": 0.5, "measures": 0.25}
    said = progress.line(report(valid), domain)
    assert said.startswith("step 12  epoch 1.5  loss 2.000 of reconstruction 1.25; held-out ")
    assert domain.judged(valid) in said
    assert said.endswith(f"100 {domain.unit}/s, 60:00 left")


def test_the_table_has_held_out_values_once_there_are_any() -> None:
    domain = domain_of("bach")
    assert [title for title, _ in progress.rows(report(None), None, domain)] == ["epoch", "loss", "time"]
    rows = dict(progress.rows(report(None), {"tokens": 0.5, "measures": 0.25}, domain))
    assert list(rows) == ["epoch", "loss", "held out", "time"]
    assert rows["time"] == "1:01, 60:00 left"
