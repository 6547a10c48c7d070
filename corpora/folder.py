"""A folder of the user's own: MIDI, ABC, MusicXML and kern files, in folders within it too.

The melody of a file is chosen by the rules of `arvae_music.voices`, which are those of `arvae edit`: a part
whose name says so, else the highest that plays one note at a time. MIDI files are read with symusic, in a
fraction of the time, and snapped by `arvae_music.grid`; scores are exact. An ABC file is as many works as it has
tunes. A file that cannot be read, or holds no measure that fits the grid, is counted with the reason.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Ints
from ..errors import CorpusError, InputError
from ..io import voices
from ..io.quantise import melody_of
from ..music.melody import Melody
from .abc import read_abc, read_text, split_collection
from .corpus import Bar, Corpus, Extracted, Tune, Work
from .parts import SILENT, assemble, extract_tune, is_silent, no_measure_fits, read_part

DESCRIPTION = "your MIDI files and scores in {}"
LICENCE = "that of your files, which arvae does not know"
BIBTEX = ""  # yours to give

MIDI_SUFFIXES = (".mid", ".midi", ".kar")
ABC_SUFFIXES = (".abc",)
SCORE_SUFFIXES = (".xml", ".musicxml", ".mxl", ".krn")
SUFFIXES = (*MIDI_SUFFIXES, *ABC_SUFFIXES, *SCORE_SUFFIXES)


def corpus(folder: Path, name: str | None = None) -> Corpus:
    """The corpus of a folder, called `name` or as the folder is. Raises CorpusError for what is no folder."""
    root = folder.expanduser().resolve()
    if not root.is_dir():
        raise CorpusError("there is no such folder", where=str(folder))
    chosen = name or re.sub(r"[^A-Za-z0-9_.-]+", "_", root.name).strip("_.-") or "folder"
    return Corpus(chosen, DESCRIPTION.format(root), str(root), LICENCE, BIBTEX, partial(works, root, chosen), extract)


def works(folder: Path, name: str) -> list[Work]:
    """One work per MIDI file, score, or tune of an ABC file. Hidden files are left alone."""
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
        title, measures = read_abc(_tunes(work.path)[work.tune or 0])
        return extract_tune(measures, work, title or work.path.stem)
    return _extract_score(work)


@lru_cache(maxsize=4)  # the tunes of a file are asked for one after the other
def _tunes(path: Path) -> list[str]:
    return split_collection(read_text(path))


def _count_tunes(path: Path) -> int:
    try:
        return len(_tunes(path))
    except OSError:
        return 1  # the work then fails to open it, and is counted


class _Voice(NamedTuple):
    """One part of a file, for the choice of the melody."""

    name: str
    drums: bool
    start: Ints
    end: Ints
    pitch: Ints


def _choose(parts: Sequence[_Voice], where: str) -> int:
    """Which part is the melody. Raises InputError when none has notes, or only drums do."""
    candidates = [
        voices.Candidate(
            track=i,
            channel=voices.DRUMS if part.drums else 1,
            name=part.name,
            program=None,
            notes=len(part.pitch),
            low=int(part.pitch.min()),
            high=int(part.pitch.max()),
            mean=float(part.pitch.mean()),
            polyphony=_polyphony(part),
        )
        for i, part in enumerate(parts)
        if len(part.pitch)
    ]
    return voices.choose(candidates, None, None, where)[0].track


def _polyphony(part: _Voice) -> float:
    """As in `voices`: the share of notes that begin while another sounds on for over half of them."""
    before = np.maximum.accumulate(part.end)[:-1]
    return float((2 * (before - part.start[1:]) > (part.end - part.start)[1:]).sum() / len(part.start))


# ------------------------------------------------------------------------------------------- scores


def _extract_score(work: Work) -> Extracted:
    from music21 import converter

    score: Any = converter.parse(work.path, forceSource=True, storePickle=False)
    parts = list(score.parts) or [score]
    measures = [list(read_part(part)) for part in parts]
    candidates = [_score_voice(part, assemble(own).notes) for part, own in zip(parts, measures, strict=True)]
    title = score.metadata.title if score.metadata is not None else None
    return extract_tune(measures[_choose(candidates, work.path.name)], work, title or work.path.stem)


def _score_voice(part: Any, notes: Sequence[Any]) -> _Voice:
    """In 48ths of a quarter note, which is near enough to choose by."""
    table = np.array([(48 * n.start, 48 * n.end, n.pitch) for n in notes], dtype=np.float64).reshape(-1, 3)
    start, end, pitch = np.rint(table).astype(np.int64).T
    return _Voice(str(getattr(part, "partName", None) or ""), False, start, end, pitch)


# --------------------------------------------------------------------------------------------- MIDI


def _extract_midi(work: Work) -> Extracted:
    import symusic

    score: Any = symusic.Score(work.path)
    if score.ticks_per_quarter <= 0:
        raise InputError("it has no ticks in a quarter note", where=work.path.name)
    tracks = [_midi_voice(track) for track in score.tracks]
    chosen = _choose(tracks, work.path.name)
    voice = tracks[chosen]
    melody, _ = melody_of(
        work.path.stem,
        np.stack([voice.start, voice.end, voice.pitch, np.zeros_like(voice.pitch)], axis=1),
        score.ticks_per_quarter,
        sorted((s.time, s.numerator, s.denominator) for s in score.time_signatures if s.numerator > 0),
        _fifths(score, int(voice.start[0])),
        int(voice.end.max()),
    )
    return _of_melody(melody, work, score.tracks[chosen].name.strip() or work.path.stem)


def _midi_voice(track: Any) -> _Voice:
    notes = track.notes.numpy()
    start, pitch = notes["time"].astype(np.int64), notes["pitch"].astype(np.int64)
    end = start + notes["duration"]
    order = np.lexsort((pitch, start))
    return _Voice(track.name, track.is_drum, start[order], end[order], pitch[order])


def _fifths(score: Any, tick: int) -> int | None:
    """The key signature in force where the melody begins, else the first, else None."""
    lawful = [(s.time, s.key) for s in score.key_signatures if -7 <= s.key <= 7]
    before = [fifths for time, fifths in lawful if time <= tick]
    return before[-1] if before else lawful[0][1] if lawful else None


def _of_melody(melody: Melody, work: Work, title: str) -> Extracted:
    bars: list[Bar] = []
    skips: Counter[str] = Counter()
    for bar in melody.bars:
        if bar.tokens is None or bar.meter is None:
            skips[(bar.reason or "").partition(" at ")[0]] += 1  # "off-grid rhythm at beat 3"
        elif is_silent(bar.tokens):
            skips[SILENT] += 1
        else:
            bars.append(Bar(bar.number, bar.meter, bar.tokens))
    if not bars:
        return Extracted(rejected=no_measure_fits(skips))
    tune = Tune(work.id, title, work.path.name, melody.shift, melody.fifths, tuple(bars))
    return Extracted(tune, skips)
