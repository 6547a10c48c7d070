"""Bach's four-part chorales: the sopranos, as in Pati & Lerch (2020), who used them for their first data set.

music21 ships 413 scores (and analyses in RomanText, which are none). A chorale is a score of exactly four
parts; the 45 others have obbligato instruments, a continuo or two sopranos, or are no chorale (BWV 846). Three
chorales are there twice, as MusicXML and as kern: the kern file is left out. The soprano is the part of
that name, not the first part.

Many of the hymn tunes are harmonised more than once, each in a file of its own, so that a split by piece still
shares measures between training and test: `arvae corpus info` says how many.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .corpus import Corpus, Extracted, Work
from .parts import extract_tune, read_part

NAME = "bach"
DESCRIPTION = "sopranos of J. S. Bach's four-part chorales"
SOURCE = "the music21 corpus, as installed with music21"
LICENCE = (
    "music21's corpus licence: the music is in the public domain; some encodings bar commercial use. "
    "Built on your machine from the music21 that you installed; not redistributed with arvae"
)
BIBTEX = """@inproceedings{cuthbert2010music21,
  author    = {Cuthbert, Michael Scott and Ariza, Christopher},
  title     = {{music21}: A Toolkit for Computer-Aided Musicology and Symbolic Music Data},
  booktitle = {Proceedings of the 11th International Society for Music Information Retrieval Conference},
  pages     = {637--642},
  year      = {2010}
}"""

VOICES = 4
_SUFFIXES = (".mxl", ".xml", ".krn")  # in order of preference


def works() -> list[Work]:
    """One work per score, the same chorale in another format left out."""
    from music21.common import getCorpusFilePath

    folder = Path(getCorpusFilePath()) / NAME
    chosen: dict[str, Path] = {}
    for suffix in _SUFFIXES:
        for path in folder.glob(f"*{suffix}"):
            chosen.setdefault(path.stem, path)
    return [Work(path, f"{NAME}/{stem}") for stem, path in sorted(chosen.items())]


def extract(work: Work) -> Extracted:
    """The soprano of one chorale."""
    from music21 import converter

    score = converter.parse(work.path, forceSource=True, storePickle=False)
    parts = list(score.parts)
    if len(parts) != VOICES:
        return Extracted(rejected=f"not in {VOICES} parts")
    soprano = next((part for part in parts if _is_soprano(part)), None)
    if soprano is None:
        return Extracted(rejected="no part is named soprano")
    return extract_tune(read_part(soprano), work, _title(score, work))


def _is_soprano(part: Any) -> bool:
    return str(part.partName or part.id).strip().lower().startswith("soprano")


def _title(score: Any, work: Work) -> str:
    title = score.metadata.title if score.metadata is not None else None
    return str(title or work.path.stem)


CORPUS = Corpus(NAME, DESCRIPTION, SOURCE, LICENCE, BIBTEX, works, extract)
