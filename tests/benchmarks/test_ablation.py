"""benchmarks/ablation.py: what is asked is looked at first, and what is kept is of the very variant."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from types import ModuleType

import pytest
from conftest import REPOSITORY


@pytest.fixture
def ablation(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))
    import ablation

    return ablation


def test_all_variants_are_known_before_anything_is_done(
    ablation: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "argv", ["ablation.py", "--variants", "plain,alinged,loos"])
    monkeypatch.setattr(ablation.datasets, "load", lambda *rest: pytest.fail("the corpus was read"))
    with pytest.raises(SystemExit) as raised:
        ablation.main()
    assert raised.value.code == 2
    assert "unknown alinged, loos; the variants are plain, conditional," in capsys.readouterr().err


def test_a_digest_is_of_the_variant_and_of_the_constants(ablation: ModuleType, monkeypatch: pytest.MonkeyPatch):
    kept = [ablation.digest(variant) for variant in ablation.VARIANTS.values()]
    assert all(re.fullmatch("[0-9a-f]{8}", one) for one in kept)
    assert len(set(kept)) == len(ablation.VARIANTS)
    usual = ablation.VARIANTS["aligned"]
    assert ablation.digest(usual) == ablation.digest(replace(usual))
    assert ablation.digest(replace(usual, weights=replace(usual.weights, miss=2.9))) not in kept
    for name in ("NEAR", "CROSSING", "START"):
        with monkeypatch.context() as patch:
            patch.setattr(ablation, name, 0.123)
            assert ablation.digest(usual) not in kept
