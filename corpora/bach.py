"""Bach's four-part chorales: the sopranos, as in Pati & Lerch (2020), who used them for their first data set.

music21 contains 410 of Bach's scores as MusicXML. (Its kern copies of three of them, and analyses in RomanText, are not
used.) A score of exactly four parts counts as a chorale. The 45 others have obbligato instruments, a continuo or two
sopranos, or are not chorales (BWV 846). The soprano is the part with that name, not the first part. Only this part is
given to music21, which takes a quarter of the time.

Bach harmonised many of the hymn tunes more than once. Identical sopranos are kept once, but most differ a little, so
that training and test share measures even if they are split by piece. `arvae corpus info` prints how many.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ..io.music21_parts import read_part
from .corpus import Corpus, Extracted, Work, music21_folder
from .extraction import extract_tune

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
_SUFFIXES = (".mxl", ".xml")


def works() -> list[Work]:
    """One work per score."""
    folder = music21_folder() / NAME
    paths = [path for path in folder.iterdir() if path.suffix in _SUFFIXES]
    return [Work(path, f"{NAME}/{path.stem}") for path in sorted(paths)]


def extract(work: Work) -> Extracted:
    """The soprano of one chorale."""
    from music21 import converter

    score = ElementTree.fromstring(_musicxml(work.path))
    names = {part.get("id"): part.findtext("part-name") or "" for part in score.iter("score-part")}
    if len(names) != VOICES:
        return Extracted(rejected=f"not in {VOICES} parts")
    soprano = next((key for key, name in names.items() if name.strip().lower().startswith("soprano")), None)
    if soprano is None:
        return Extracted(rejected="no part is named soprano")
    _keep_part(score, soprano)
    alone: Any = converter.parseData(ElementTree.tostring(score, encoding="unicode"), format="musicxml")
    return extract_tune(read_part(alone.parts[0]), work, work.path.stem)


def _musicxml(path: Path) -> bytes:
    """The score of a MusicXML file, compressed or not."""
    if path.suffix != ".mxl":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        container = ElementTree.fromstring(archive.read("META-INF/container.xml"))
        root = next(element for element in container.iter() if element.tag.endswith("rootfile"))
        return archive.read(root.attrib["full-path"])


def _keep_part(score: ElementTree.Element, keep: str) -> None:
    """Remove all other parts, from the score and from its list of parts."""
    for parent, tag in ((score, "part"), (score.find("part-list"), "score-part")):
        if parent is not None:
            for part in parent.findall(tag):
                if part.get("id") != keep:
                    parent.remove(part)


CORPUS = Corpus(NAME, DESCRIPTION, SOURCE, LICENCE, BIBTEX, works, extract)
