"""The Essen folk song collection: German, Lothringian, Austrian and Chinese songs, as music21 contains them in ABC.

The songs were encoded in EsAC under Helmut Schaffrath, later under Ewa Dahlig-Turek, and converted to ABC by Seymour
Shlien. Every line is a phrase. A barline at the end of a line is not written in these files; a full measure there ends
with the line (`abc.read_score`).

Four small files of samples from the others are left out. Songs without a meter ("M: none") are rejected.
"""

from __future__ import annotations

from collections.abc import Sequence

from .bach import BIBTEX as MUSIC21
from .bach import SOURCE
from .corpus import Corpus, Extracted, Work
from .tunebooks import extract_first_voice, works_of

NAME = "essen"
DESCRIPTION = "folk songs of the Essen collection, mostly German, some Lothringian and Chinese, with phrases"
LICENCE = (
    "music21's licence for essenFolksong: the legal status is unclear, as many people entered the data; "
    "Ewa Dahlig-Turek permits non-commercial distribution and use. "
    "Built on your machine from the music21 that you installed; not redistributed with arvae"
)
BIBTEX = f"""{MUSIC21}

@book{{schaffrath1995essen,
  author    = {{Schaffrath, Helmut}},
  editor    = {{Huron, David}},
  title     = {{The Essen Folksong Collection}},
  publisher = {{Center for Computer Assisted Research in the Humanities}},
  address   = {{Stanford, CA}},
  year      = {{1995}}
}}"""

FOLDERS = ("essenFolksong",)
SAMPLES = ("test0", "test1", "testd", "teste")  # files with tunes of the others


def works() -> Sequence[Work]:
    """One work per song."""
    return works_of(NAME, FOLDERS, without=SAMPLES)


def extract(work: Work) -> Extracted:
    """One song, with the ends of its phrases."""
    return extract_first_voice(work, lines_are_phrases=True)


CORPUS = Corpus(NAME, DESCRIPTION, SOURCE, LICENCE, BIBTEX, works, extract)
