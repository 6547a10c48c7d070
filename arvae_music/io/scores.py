"""Read scores (ABC, MusicXML, kern) as songs: a score is converted to MIDI and read by `midi`.

    read_any(source, ...)     a MIDI file or a score, whichever it is
    read_place(place, ...)    the same for an input of a batch, which may be stdin or a URL
    read_score(...)           a score alone

`abc` and `musicxml` read their formats, and music21 reads kern; all give a `notation.Score` at sounding pitch, and
`score_midi` converts it. Measures are by default those on the page, so that their numbers are the printed ones, and
each is edited once. With `unfold` they are those that are played: repeats, endings, D.C. and D.S. (`unfold`).
Chord symbols become the song's harmony. `Song.score` holds the score, with the numbers of both, and with what was left
out.

music21 takes a second to import, so it is imported when the first kern file is read.
"""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..system.extras import need
from ..system.inputs import source_of
from ..system.storage import Place
from . import abc, musicxml
from .chord_symbols import first_with_symbols
from .chunks import is_midi
from .contents import Contents
from .lines import TOP, LineName
from .midi import Song, read_bytes
from .music21_parts import read_part
from .notation import Score
from .phrase_ends import with_phrase_ends
from .score_midi import ticks, to_midi
from .unfold import unfolded, with_counts

FORMATS = {".abc": "abc", ".xml": "musicxml", ".musicxml": "musicxml", ".mxl": "musicxml", ".krn": "humdrum"}
ABC = ".abc"
MIDI_MAGIC = (b"MThd", b"RIFF")
LISTED = 8  # titles that a message names


def read_any(
    source: Path | str | bytes,
    *,
    name: str | None = None,
    track: int | str | None = None,
    channel: int | None = None,
    voice: LineName | str = TOP,
    pickup: Fraction | None = None,
    tolerance: Fraction | None = None,
    unfold: bool = False,
    tune: int | None = None,
) -> Song:
    """Read a MIDI file or a score. Its first bytes decide which it is, or else the suffix of its name.

    `unfold` plays the repeats of a score, and `tune` chooses one of the tunes of an ABC file, from 1. `Song.read`
    explains the other parameters. Raises InputError for a file that cannot be read.
    """
    data = source if isinstance(source, bytes) else read_bytes(Path(source))
    where = name or ("standard input" if isinstance(source, bytes) else str(source))
    if not data or data[:4] in MIDI_MAGIC or is_midi(data):
        return Song.read(
            data, name=where, track=track, channel=channel, voice=voice, pickup=pickup, tolerance=tolerance
        )
    suffix = "" if isinstance(source, bytes) else Path(source).suffix.lower()
    score = read_score(data, where, suffix, tune=tune, unfold=unfold)
    try:
        data, short = to_midi(score.parts)
    except InputError as error:
        raise InputError(error.what, where=where, remedy=error.remedy) from None
    pickup = short if pickup is None else pickup
    return song_of(score, data, where, track=track, channel=channel, voice=voice, pickup=pickup, tolerance=tolerance)


def song_of(score: Score, data: bytes, name: str, **how: Any) -> Song:
    """The song of a score whose MIDI file has the bytes `data`, with the chord symbols and the ends of phrases that the
    score marks. `how` are parameters of `Song.read`."""
    symbols = [(ticks(at), chord) for at, chord in first_with_symbols(score.parts)]
    ends = sorted({ticks(at) for part in score.parts for at in part.phrase_ends or ()})
    song = Song.read(data, name=name, symbols=symbols, **how)
    return replace(song, score=score, melody=with_phrase_ends(song.melody, ends, song.ticks_per_quarter))


def read_place(place: Place, data: bytes | None = None, **how: Any) -> Song:
    """Read an input of a batch: a file, a URL, or `-` for stdin; `data` are its bytes, if they are known already.
    `how` are parameters of `read_any`. Raises InputError."""
    source, name = source_of(place, data)
    return read_any(source, name=name, **how)


def read_contents(
    source: Path | str | bytes, *, name: str | None = None, unfold: bool = False, tune: int | None = None
) -> Contents:
    """The tracks and voices of a MIDI file or a score, also if none of them can be edited. Raises InputError."""
    data = source if isinstance(source, bytes) else read_bytes(Path(source))
    where = name or ("standard input" if isinstance(source, bytes) else str(source))
    if data and not is_midi(data):
        suffix = "" if isinstance(source, bytes) else Path(source).suffix.lower()
        data, _ = to_midi(read_score(data, where, suffix, tune=tune, unfold=unfold).parts)
    return Contents.read(data, where)


def read_score(data: bytes, where: str, suffix: str = "", *, tune: int | None = None, unfold: bool = False) -> Score:
    """Read a score from the bytes of its file. `suffix` is its name's, which decides the format if it is known.

    Every part has measures. Raises InputError.
    """
    suffix = suffix if suffix in FORMATS else _suffix(data, where)
    try:
        if suffix == ABC:
            score = _abc_score(data, where, tune)
        elif FORMATS[suffix] == "musicxml":
            score = musicxml.read_score(data, where)
        else:
            score = _music21_score(data, suffix, where)
        score = replace(score, parts=tuple(part for part in score.parts if part.measures))
        if not score.parts:
            raise InputError("it has no measures", where=where, remedy="check it in a notation program")
        return unfolded(score) if unfold else with_counts(score)
    except InputError as error:
        if error.where is not None:
            raise
        raise InputError(error.what, where=where, remedy=error.remedy) from error


def _suffix(data: bytes, where: str) -> str:
    """The suffix of the score format of some bytes. Raises InputError for an unknown format."""
    head = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if data[:2] == b"PK":
        return ".mxl"
    if head.startswith(b"<") or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return ".musicxml"
    if b"**kern" in data:
        return ".krn"
    if head.startswith((b"X:", b"%abc")) or b"\nX:" in data or b"\nK:" in data:
        return ".abc"
    raise InputError(
        "it is neither a MIDI file nor a score",
        where=where,
        remedy=f"give a MIDI file, or a score in one of the formats {' '.join(FORMATS)}",
    )


def _abc_score(data: bytes, where: str, tune: int | None) -> Score:
    tunes = abc.split_collection(abc.decoded(data))
    if tune is None and len(tunes) > 1:
        titles = ", ".join(f"{n} {abc.title_of(text)!r}" for n, text in enumerate(tunes[:LISTED], 1))
        more = f" and {len(tunes) - LISTED} more" if len(tunes) > LISTED else ""
        raise InputError(
            f"it holds {len(tunes)} tunes", where=where, remedy=f"choose one with tune=...: {titles}{more}"
        )
    number = 1 if tune is None else tune
    if not 1 <= number <= len(tunes):
        raise InputError(f"it has no tune {number}", where=where, remedy=f"give a number from 1 to {len(tunes)}")
    return abc.read_score(tunes[number - 1])


def _music21_score(data: bytes, suffix: str, where: str) -> Score:
    """A kern file, at sounding pitch. Raises InputError for a file that music21 cannot read, and one of several scores,
    and ExtraError without music21."""
    need("kern", "a Humdrum kern file")
    from music21 import converter, stream

    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        path = Path(folder, f"score{suffix}")  # music21 tells the formats of files by their suffixes
        path.write_bytes(data)
        try:
            score: Any = converter.parse(path, format=FORMATS[suffix], forceSource=True, storePickle=False)
            if not isinstance(score, stream.Opus):
                score.toSoundingPitch(inPlace=True)
                parts = tuple(read_part(part) for part in (list(score.parts) or [score]))
        except Exception as error:  # music21's parsers raise many kinds of exceptions
            remedy = "check it in a notation program"
            raise InputError(_parser_message(error), where=where, remedy=remedy) from error
    if isinstance(score, stream.Opus):
        remedy = "write each score to its own file"
        raise InputError(f"it holds {len(score.scores)} scores", where=where, remedy=remedy)
    return Score((score.metadata.title if score.metadata is not None else None) or "", parts)


def _parser_message(error: Exception) -> str:
    """The first line of music21's error message."""
    lines = str(error).strip().splitlines()
    return f"music21 cannot read it ({lines[0][:120] if lines else type(error).__name__})"
