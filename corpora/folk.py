"""Fiddle tunes: the three Irish, Scottish and American ABC collections that music21 contains completely.

    oneills1850   O'Neill's Music of Ireland (Chicago 1903), transcribed for the net by many hands
    ryansMammoth  Ryan's Mammoth Collection (Boston 1883)
    airdsAirs     Aird's Airs (Glasgow 1782 - 1801), six books

There are 4,248 tunes: jigs, reels, hornpipes, strathspeys, airs, marches and waltzes. Pati & Lerch (2020) train their
second model on about 20,000 measures of folk music in 4/4. This corpus has as many in 4/4 and cut time, and more in
other meters. A work is one tune of a file, so that a broken tune does not affect the others.
"""

from __future__ import annotations

from pathlib import Path

from ..io import abc
from .bach import BIBTEX as MUSIC21
from .bach import LICENCE, SOURCE
from .corpus import Corpus, Extracted, Work
from .extraction import NO_NOTES, extract_tune

NAME = "folk"
DESCRIPTION = "Irish, Scottish and American fiddle tunes: O'Neill's, Ryan's Mammoth Collection, Aird's Airs"
BIBTEX = f"""{MUSIC21}

@book{{oneill1903music,
  author    = {{O'Neill, Francis}},
  title     = {{O'Neill's Music of Ireland: Eighteen Hundred and Fifty Melodies}},
  publisher = {{Lyon \\& Healy}},
  address   = {{Chicago}},
  year      = {{1903}}
}}

@book{{ryan1883mammoth,
  author    = {{Ryan, William Bradbury}},
  title     = {{Ryan's Mammoth Collection: 1050 Reels and Jigs}},
  publisher = {{Elias Howe}},
  address   = {{Boston}},
  year      = {{1883}}
}}

@book{{aird1782selection,
  author    = {{Aird, James}},
  title     = {{A Selection of Scotch, English, Irish and Foreign Airs}},
  publisher = {{James Aird}},
  address   = {{Glasgow}},
  year      = {{1782--1801}}
}}"""

COLLECTIONS = ("oneills1850", "ryansMammoth", "airdsAirs")


def works() -> list[Work]:
    """One work per tune."""
    from music21.common import getCorpusFilePath

    found: list[Work] = []
    for collection in COLLECTIONS:
        for path in sorted((Path(getCorpusFilePath()) / collection).glob("*.abc")):
            name = f"{NAME}/{collection}/{path.stem}"
            found += (Work(path, f"{name}#{tune}", tune) for tune in range(len(abc.tunes_of(path))))
    return found


def extract(work: Work) -> Extracted:
    """One tune: its first voice."""
    assert work.tune is not None
    score = abc.read_score(abc.tunes_of(work.path)[work.tune])
    return extract_tune(score.parts[0], work, score.title or work.id) if score.parts else Extracted(rejected=NO_NOTES)


CORPUS = Corpus(NAME, DESCRIPTION, SOURCE, LICENCE, BIBTEX, works, extract)
