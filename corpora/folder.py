"""A corpus from a user's folder with MIDI, ABC, MusicXML and kern files, including those in its sub-folders.

A MIDI file is read as `arvae edit` and `arvae inspect` read it, so that the corpus has the melodies that these show. In
a score, the part is chosen as there (arvae_music/io/voices.py), and its notes are exact. Each tune of an ABC file is a
work. A file that cannot be read, or without a measure that fits the grid, is counted with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import CorpusError
from ..io import abc, notation, score_midi, voices
from ..io.channels import voice_of
from ..io.chosen import choose
from ..io.contents import Contents
from ..io.midi import read_bytes
from ..io.notation import Part
from ..io.scores import read_score
from ..music.melody import Melody
from ..music.reasons import Reason
from .corpus import Bar, Corpus, Extracted, Work
from .extraction import NO_NOTES, SILENT, extract_tune, is_silent, tune_of

DESCRIPTION = "your MIDI files and scores in {}"
LICENCE = "that of your files, which arvae does not know"
BIBTEX = ""

MIDI_SUFFIXES = (".mid", ".midi", ".smf", ".kar", ".rmi")
ABC_SUFFIXES = (".abc",)
SCORE_SUFFIXES = (".xml", ".musicxml", ".mxl", ".krn")
SUFFIXES = (*MIDI_SUFFIXES, *ABC_SUFFIXES, *SCORE_SUFFIXES)


def corpus(folder: Path, name: str | None = None) -> Corpus:
    """The corpus of a folder, by default with the folder's name. Raises CorpusError if the folder does not exist."""
    root = folder.expanduser().resolve()
    if not root.is_dir():
        raise CorpusError("there is no such folder", where=str(folder))
    chosen = name or re.sub(r"[^A-Za-z0-9_.-]+", "_", root.name).strip("_.-") or "folder"
    return Corpus(chosen, DESCRIPTION.format(root), str(root), LICENCE, BIBTEX, partial(works, root, chosen), extract)


def works(folder: Path, name: str) -> list[Work]:
    """One work for each MIDI file, score, or tune of an ABC file. Hidden files are ignored."""
    found: list[Work] = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        if hidden or path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        file_id = f"{name}/{inside.as_posix()}"
        if path.suffix.lower() in ABC_SUFFIXES:
            found += (Work(path, f"{file_id}#{tune}", tune) for tune in range(_count_tunes(path)))
        else:
            found.append(Work(path, file_id))
    return found


def extract(work: Work) -> Extracted:
    """The melody of one file, or of one tune of an ABC file."""
    suffix = work.path.suffix.lower()
    if suffix in MIDI_SUFFIXES:
        chosen = choose(Contents.read(read_bytes(work.path), work.path.name, score_lone=False))
        return _of_melody(chosen.melody, work, chosen.found.name.strip() or work.path.stem)
    if suffix in ABC_SUFFIXES:
        score = abc.read_score(abc.tunes_of(work.path)[work.tune or 0])
    else:
        score = read_score(work.path.read_bytes(), work.path.name, suffix)
    if not any(part.sounds for part in score.parts):
        return Extracted(rejected=NO_NOTES)
    return extract_tune(_melody(score.parts, work.path.name), work, score.title or work.path.stem)


def _melody(parts: Sequence[Part], where: str) -> Part:
    found = []
    for i, part in enumerate(parts):
        notes = [(score_midi.ticks(n.start), score_midi.ticks(n.end), n.pitch) for n in notation.tied(part.sounds)]
        if notes:
            found.append(voice_of(i, part.name, *np.array(notes, dtype=np.int64).T, program=part.program))
    candidates = voices.candidates_of(found, score_midi.TICKS_PER_QUARTER)
    return parts[voices.choose(candidates, None, None, where)[0].candidate.track]


def _count_tunes(path: Path) -> int:
    try:
        return len(abc.tunes_of(path))
    except OSError:
        return 1  # opening it fails again when the work is read, and is then counted


def _of_melody(melody: Melody, work: Work, title: str) -> Extracted:
    bars: list[Bar] = []
    for bar in melody.bars:
        if bar.tokens is None or bar.meter is None:
            reason = str(bar.why if bar.reason is Reason.UNSUPPORTED else bar.reason)
        else:
            reason = SILENT if is_silent(bar.tokens) else ""
        bars.append(Bar(bar.number, bar.meter, bar.tokens, reason))
    return tune_of(work, title, melody.shift, melody.fifths, bars)
