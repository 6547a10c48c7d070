"""Read scores (ABC, MusicXML, kern) as songs: music21 reads the score, which is converted to MIDI and read by `midi`.

    read_any(source, ...)     a MIDI file or a score, whichever it is
    read_parts(path, ...)     the parts of a MusicXML or kern file

`notation` explains how parts and barlines are converted, and `abc` how ABC is read. Notes and key signatures of
MusicXML and kern files are read at sounding pitch, with names, programs and tempo marks. Chord symbols
become the song's harmony. Grace notes and unpitched notes are dropped. Repeats are not unrolled: the measures are those
on the page.

music21 takes a second to import, so it is imported when the first score is read.
"""

from __future__ import annotations

import tempfile
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..errors import InputError
from . import abc
from .chord_symbols import first_with_symbols
from .harmony import Symbols
from .midi import Song, read_bytes
from .notation import Part, read_part, ticks, to_midi

FORMATS = {".abc": "abc", ".xml": "musicxml", ".musicxml": "musicxml", ".mxl": "musicxml", ".krn": "humdrum"}
ABC = ".abc"


def read_any(
    source: Path | str | bytes,
    *,
    name: str | None = None,
    track: int | str | None = None,
    channel: int | None = None,
    pickup: Fraction | None = None,
    tolerance: Fraction | None = None,
) -> Song:
    """Read a MIDI file or a score. Its first bytes decide which it is, or else the suffix of its name.

    `Song.read` explains the parameters. Raises InputError for a file that cannot be read.
    """
    data = source if isinstance(source, bytes) else read_bytes(Path(source))
    where = name or ("standard input" if isinstance(source, bytes) else str(source))
    symbols: Symbols = []
    if data and data[:4] not in (b"MThd", b"RIFF"):
        path = None if isinstance(source, bytes) else Path(source)
        parts = _parts(data, path, where)
        data, short = to_midi(parts)
        pickup = short if pickup is None else pickup
        symbols = [(ticks(at), chord) for at, chord in first_with_symbols(parts)]
    return Song.read(
        data, name=where, track=track, channel=channel, pickup=pickup, tolerance=tolerance, symbols=symbols
    )


def _parts(data: bytes, path: Path | None, where: str) -> list[Part]:
    """The parts of a score, from the bytes of its file and the file's path, if it has one. Raises InputError."""
    suffix = _suffix(data, where)
    if path is not None and path.suffix.lower() in FORMATS:
        suffix = path.suffix.lower()
    else:
        path = None
    try:
        if suffix == ABC:
            parts = _abc_parts(data, where)
        elif path is not None:
            parts = read_parts(path, where)[1]
        else:  # music21 tells the formats of files by their suffixes
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, f"score{suffix}")
                path.write_bytes(data)
                parts = read_parts(path, where)[1]
    except InputError:
        raise
    except Exception as error:  # music21's parsers raise many kinds of exceptions
        raise InputError(_parser_message(error), where=where, remedy="check it in a notation program") from error
    if not parts:
        raise InputError("it has no measures", where=where, remedy="check it in a notation program")
    return parts


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


def _parser_message(error: Exception) -> str:
    """The first line of music21's error message."""
    lines = str(error).strip().splitlines()
    return f"music21 cannot read it ({lines[0][:120] if lines else type(error).__name__})"


def _abc_parts(data: bytes, where: str) -> list[Part]:
    tunes = abc.split_collection(abc.decoded(data))
    if len(tunes) != 1:
        raise InputError(f"it holds {len(tunes)} tunes", where=where, remedy="write each tune to its own file")
    return abc.read_tune(tunes[0])[1]


def read_parts(path: Path, where: str) -> tuple[str, list[Part]]:
    """The title of a MusicXML or kern file, "" without one, and its parts at sounding pitch.

    Raises InputError for a file of several scores, and music21's exceptions for one that it cannot read.
    """
    from music21 import converter, stream

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score: Any = converter.parse(path, format=FORMATS.get(path.suffix.lower()), forceSource=True, storePickle=False)
        if isinstance(score, stream.Opus):
            remedy = "write each score to its own file"
            raise InputError(f"it holds {len(score.scores)} scores", where=where, remedy=remedy)
        score.toSoundingPitch(inPlace=True)
    title = score.metadata.title if score.metadata is not None else None
    parts = [read_part(part) for part in (list(score.parts) or [score])]
    return title or "", [part for part in parts if part.measures]
