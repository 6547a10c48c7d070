"""A corpus from a user's folder with MIDI, ABC, MusicXML and kern files, including those in its sub-folders.

The melody of a file is chosen as in `arvae edit` (arvae_music/io/voices.py): by the name of its part, or else the
highest part that plays one note at a time. symusic reads MIDI files much faster than the editor's reader, and
`quantise` snaps their notes to the grid; the notes of scores are exact. Each tune of an ABC file is a work. A file that
cannot be read, or without a measure that fits the grid, is counted with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Ints
from ..errors import CorpusError, InputError
from ..io import abc, notation, score_midi, voices
from ..io.channels import DRUMS, voice_of
from ..io.notation import Part
from ..io.quantise import melody_of
from ..io.scores import read_score
from ..music.melody import Melody
from ..music.reasons import Reason
from .corpus import Bar, Corpus, Extracted, Work
from .extraction import NO_NOTES, SILENT, extract_tune, is_silent, tune_of

DESCRIPTION = "your MIDI files and scores in {}"
LICENCE = "that of your files, which arvae does not know"
BIBTEX = ""

MIDI_SUFFIXES = (".mid", ".midi", ".kar")
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
        return _extract_midi(work)
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


def _extract_midi(work: Work) -> Extracted:
    import symusic

    score: Any = symusic.Score(work.path)
    if score.ticks_per_quarter <= 0:
        raise InputError("it has no ticks in a quarter note", where=work.path.name)
    notes = [_notes(track) for track in score.tracks]
    found = [
        voice_of(i, track.name, *own, channel=DRUMS if track.is_drum else 1, program=int(track.program))
        for i, (track, own) in enumerate(zip(score.tracks, notes, strict=True))
        if len(own[0])
    ]
    candidates = voices.candidates_of(found, score.ticks_per_quarter)
    chosen = voices.choose(candidates, None, None, work.path.name)[0].candidate.track
    start, end, pitch = notes[chosen]
    melody, _ = melody_of(
        work.path.stem,
        np.stack([start, end, pitch], axis=1),
        score.ticks_per_quarter,
        sorted((s.time, s.numerator, s.denominator) for s in score.time_signatures if s.numerator > 0),
        _fifths(score, int(start[0])),
        int(end.max()),
    )
    return _of_melody(melody, work, score.tracks[chosen].name.strip() or work.path.stem)


def _notes(track: Any) -> tuple[Ints, Ints, Ints]:
    """Start, end and pitch (n,) of a symusic track's notes, sorted by start."""
    notes = track.notes.numpy()
    start, pitch = notes["time"].astype(np.int64), notes["pitch"].astype(np.int64)
    end = start + notes["duration"]
    order = np.lexsort((pitch, start))
    return start[order], end[order], pitch[order]


def _fifths(score: Any, tick: int) -> int | None:
    """The key signature in force where the melody begins, else the first, else None."""
    lawful = [(s.time, s.key) for s in score.key_signatures if -7 <= s.key <= 7]
    before = [fifths for time, fifths in lawful if time <= tick]
    return before[-1] if before else lawful[0][1] if lawful else None


def _of_melody(melody: Melody, work: Work, title: str) -> Extracted:
    bars: list[Bar] = []
    for bar in melody.bars:
        if bar.tokens is None or bar.meter is None:
            reason = str(bar.why if bar.reason is Reason.UNSUPPORTED else bar.reason)
        else:
            reason = SILENT if is_silent(bar.tokens) else ""
        bars.append(Bar(bar.number, bar.meter, bar.tokens, reason))
    return tune_of(work, title, melody.shift, melody.fifths, bars)
