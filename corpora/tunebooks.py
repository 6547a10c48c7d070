"""ABC tunebooks that music21 contains: one work is one tune, so that a broken tune does not affect the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..io import abc
from .corpus import Extracted, Work, music21_folder
from .extraction import NO_NOTES, extract_tune


def works_of(corpus: str, folders: Sequence[str], without: Iterable[str] = ()) -> list[Work]:
    """The tunes of all files in these folders of music21's corpus, except files with the names `without`."""
    found: list[Work] = []
    for folder in folders:
        for path in sorted((music21_folder() / folder).glob("*.abc")):
            if path.stem not in without:
                name = f"{corpus}/{folder}/{path.stem}"
                found += (Work(path, f"{name}#{tune}", tune) for tune in range(len(abc.tunes_of(path))))
    return found


def extract_first_voice(work: Work, *, lines_are_phrases: bool = False) -> Extracted:
    """One tune: its first voice."""
    assert work.tune is not None
    score = abc.read_score(abc.tunes_of(work.path)[work.tune], lines_are_phrases=lines_are_phrases)
    return extract_tune(score.parts[0], work, score.title or work.id) if score.parts else Extracted(rejected=NO_NOTES)
