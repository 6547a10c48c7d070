"""What a build left out is counted, and the files that somebody might mend are named."""

from __future__ import annotations

from arvae_music.corpora.store import Facts
from arvae_music.corpora.summaries import built_lines

BROKEN = "cannot be read: no MIDI"


def facts(**changes: object) -> Facts:
    usual = {
        "name": "mine", "description": "tunes", "source": "a folder", "licence": "mine", "bibtex": "", "arvae": "1",
        "music21": "9", "format": 1, "tunes": 2, "measures": 1600, "skips": {}, "rejected": {},
        "examples_of_rejected": {},
    }  # fmt: skip
    return Facts(**{**usual, **changes})


def test_a_build_without_losses_is_one_line() -> None:
    assert built_lines(facts()) == ["mine: 1,600 measures of 2 tunes"]


def test_few_losses_are_all_named() -> None:
    lines = built_lines(facts(rejected={"empty": 1}, examples_of_rejected={"empty": ["a.mid"]}))
    assert lines[1:] == ["  scores left out: 1 empty", "    empty: a.mid"]


def test_many_losses_are_counted_and_only_broken_files_are_named() -> None:
    rejected = {BROKEN: 3, "too short": 21}
    lines = built_lines(
        facts(skips={"triplets": 12}, rejected=rejected, examples_of_rejected={BROKEN: ["a.mid"], "too short": ["b"]})
    )
    assert lines[1:] == [
        "  measures left out: 12 triplets",
        f"  scores left out: 3 {BROKEN}, 21 too short",
        f"    {BROKEN}: a.mid and 2 more",
    ]
