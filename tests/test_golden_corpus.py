"""Golden corpora: a folder of committed scores is built into the same measures, and so are the chorales of music21."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from golden import make_corpus as golden

EXPECTED: dict[str, Any] = json.loads(golden.TABLE.read_text(encoding="utf-8"))
BUILD = ("corpus", "build", golden.SCORES, "--name", "golden")


def test_the_golden_set_is_whole() -> None:
    corpus = EXPECTED["corpus"]
    assert len(corpus["tunes"]) == corpus["facts"]["tunes"] >= 10
    measures = [measure for tune in corpus["tunes"].values() for measure in tune["measures"]]
    left_out = sum(corpus["facts"]["skips"].values())
    assert sum(measure.endswith(")") for measure in measures) == left_out >= 5
    assert len(measures) - left_out == corpus["facts"]["measures"] >= 50
    assert len(corpus["facts"]["skips"]) >= 5
    assert len(corpus["facts"]["rejected"]) >= 3
    assert {Path(tune["source"]).suffix for tune in corpus["tunes"].values()} == {".abc", ".mid", ".musicxml", ".xml"}


def test_the_scores_are_what_their_generator_writes() -> None:
    assert {path.name: path.read_bytes() for path in golden.SCORES.iterdir()} == golden.scores()
    assert list(EXPECTED["read"]) == sorted(golden.scores())


def test_a_folder_is_built_into_the_same_corpus(tmp_path: Path) -> None:
    path = golden.built(str(golden.SCORES), tmp_path, "--name", "golden", "-j", "1")
    assert golden.contents(path) == EXPECTED["corpus"]


def test_by_several_processes_too(run_arvae: Run, tmp_path: Path) -> None:
    done = run_arvae(*BUILD, "-j", "2", env={"ARVAE_CACHE": str(tmp_path / "cache")}, fresh=True)
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "cache").rglob("*.parquet")
    assert golden.contents(path) == EXPECTED["corpus"]


def test_the_front_door_reads_the_same_melodies() -> None:
    found = golden.melodies()
    for name, melody in EXPECTED["read"].items():
        assert found[name] == melody, name


@pytest.mark.slow
def test_the_chorales_are_built_into_the_same_corpus(tmp_path: Path) -> None:
    """Of the music21 that the digest was made with: another has other scores."""
    from music21 import VERSION_STR

    expected = json.loads(golden.BACH.read_text(encoding="utf-8"))
    if expected["music21"] != VERSION_STR:
        pytest.skip(f"the digest is of the scores of music21 {expected['music21']}, and here is {VERSION_STR}")
    assert golden.summary(golden.built("bach", tmp_path)) == expected
