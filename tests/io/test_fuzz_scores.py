"""Damaged scores are read or refused with a reason. benchmarks/fuzz_scores.py tries many more."""

from __future__ import annotations

import time

import pytest
import score_mutations

from arvae_music.errors import ArvaeError
from arvae_music.io.score_output import to_file
from arvae_music.io.scores import read_any, read_score

TIME = 10.0  # seconds of processor time for a score


@pytest.mark.parametrize("first", range(0, 100, 20))
def test_damaged_scores_are_read_or_refused_in_bounded_time(first: int) -> None:
    read = 0
    for seed in range(first, first + 20):
        data, suffix = score_mutations.mutated(seed)
        before = time.process_time()
        try:
            song = read_any(data, name=f"fuzz{suffix}", unfold=seed % 4 < 2, tune=1 if suffix == ".abc" else None)
        except ArvaeError:
            continue
        read += 1
        for written in (".abc", ".musicxml"):
            assert read_score(to_file(song, song.melody.rows, written), f"again{written}", written).parts
        assert time.process_time() - before < TIME, seed
    assert read  # otherwise the damage is too great to test anything but the first check


@pytest.mark.parametrize(("text", "suffix"), [(score_mutations.ABC, ".abc"), (score_mutations.XML, ".musicxml")])
def test_the_undamaged_scores_are_read(text: str, suffix: str) -> None:
    assert len(read_any(text.encode(), name=f"x{suffix}", tune=1 if suffix == ".abc" else None).melody.bars) > 2
