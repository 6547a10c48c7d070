"""Fiddle tunes: the three Irish, Scottish and American ABC collections that music21 contains completely.

    oneills1850   O'Neill's Music of Ireland (Chicago 1903), transcribed for the net by many hands
    ryansMammoth  Ryan's Mammoth Collection (Boston 1883)
    airdsAirs     Aird's Airs (Glasgow 1782 - 1801), six books

There are 4,248 tunes: jigs, reels, hornpipes, strathspeys, airs, marches and waltzes. Pati & Lerch (2020) train their
second model on about 20,000 measures of folk music in 4/4. This corpus has as many in 4/4 and cut time, and more in
other meters.
"""

from __future__ import annotations

from collections.abc import Sequence

from .bach import BIBTEX as MUSIC21
from .bach import LICENCE, SOURCE
from .corpus import Corpus, Extracted, Work
from .tunebooks import extract_first_voice, works_of

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


def works() -> Sequence[Work]:
    """One work per tune."""
    return works_of(NAME, COLLECTIONS)


def extract(work: Work) -> Extracted:
    """One tune: its first voice."""
    return extract_first_voice(work)


CORPUS = Corpus(NAME, DESCRIPTION, SOURCE, LICENCE, BIBTEX, works, extract)
