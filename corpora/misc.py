"""The small tunebooks of music21: American fife tunes, the Northumbrian Minstrelsy, two reels of Nottingham's database.

    miscFolk             colonial and Civil War fife music, and the tunes of Bruce and Stokoe, Northumbrian Minstrelsy
                         (1882); both transcribed by Jack Campin
    nottingham-dataset   of the Nottingham Music Database, music21 contains two reels only
"""

from __future__ import annotations

from collections.abc import Sequence

from .bach import BIBTEX, LICENCE, SOURCE
from .corpus import Corpus, Extracted, Work
from .tunebooks import extract_first_voice, works_of

NAME = "misc"
DESCRIPTION = "American fife tunes, the Northumbrian Minstrelsy, and two reels of the Nottingham database"
FOLDERS = ("miscFolk", "nottingham-dataset")


def works() -> Sequence[Work]:
    """One work per tune."""
    return works_of(NAME, FOLDERS)


def extract(work: Work) -> Extracted:
    """One tune: its first voice."""
    return extract_first_voice(work)


CORPUS = Corpus(NAME, DESCRIPTION, SOURCE, LICENCE, BIBTEX, works, extract)
