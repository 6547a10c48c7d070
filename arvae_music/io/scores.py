"""Scores (ABC, MusicXML, kern) as songs: read by music21, turned into MIDI, read back by `midi`.

    read_any(source, ...)     a MIDI file or a score, whichever it is
    read_score(path, ...)     a score

`notation` says what becomes of parts and barlines, `abc` how ABC is read. From MusicXML and kern the notes and
key signatures come at sounding pitch, with names, programs and tempo marks. Grace notes, chord symbols and
unpitched notes are dropped. Repeats are not unrolled: the measures are those on the page.

music21 takes a second to import, so it is imported when the first score is read.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..errors import InputError
from . import abc
from .midi import Song, read_bytes
from .notation import Measure, Part, Sound, to_midi

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
    """A song from a MIDI file or a score, told by what it begins with, else by its name. Raises InputError.

    The options are those of `Song.read`.
    """
    data = source if isinstance(source, bytes) else read_bytes(Path(source))
    where = name or ("standard input" if isinstance(source, bytes) else str(source))
    if data[:4] in (b"MThd", b"RIFF") or not data:
        return Song.read(data, name=where, track=track, channel=channel, pickup=pickup, tolerance=tolerance)
    suffix = _suffix(data, where)
    if not isinstance(source, bytes) and Path(source).suffix.lower() in FORMATS:
        return read_score(Path(source), name=where, track=track, channel=channel, pickup=pickup, tolerance=tolerance)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"score{suffix}")
        path.write_bytes(data)
        return read_score(path, name=where, track=track, channel=channel, pickup=pickup, tolerance=tolerance)


def _suffix(data: bytes, where: str) -> str:
    """The kind of score that some bytes are."""
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
        "it is neither a MIDI file nor a score", where=where, remedy=f"known scores are {' '.join(FORMATS)}"
    )


def read_score(
    path: Path | str,
    *,
    name: str | None = None,
    track: int | str | None = None,
    channel: int | None = None,
    pickup: Fraction | None = None,
    tolerance: Fraction | None = None,
) -> Song:
    """A song from a score; `track` is a part's number or name. `write` gives MIDI. Raises InputError."""
    where = name or str(path)
    data = read_bytes(Path(path))
    if not data.strip():
        raise InputError("it is empty", where=where)
    try:
        parts = _abc_parts(data, where) if Path(path).suffix.lower() == ABC else _parts(Path(path), where)
    except InputError:
        raise
    except Exception as error:  # music21 raises whatever its parsers run into
        raise InputError(_told(error), where=where, remedy="check it in a notation program") from error
    if not parts:
        raise InputError("it has no measures", where=where, remedy="check it in a notation program")
    midi, short = to_midi(parts)
    return Song.read(
        midi, name=where, track=track, channel=channel,
        pickup=short if pickup is None else pickup, tolerance=tolerance,
    )  # fmt: skip


def _told(error: Exception) -> str:
    """What music21 said, on one line."""
    lines = str(error).strip().splitlines()
    return f"music21 cannot read it ({lines[0][:120] if lines else type(error).__name__})"


def _abc_parts(data: bytes, where: str) -> list[Part]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    tunes = abc.count_tunes(text)
    if tunes != 1:
        raise InputError(f"it holds {tunes} tunes", where=where, remedy="give each its own file")
    return abc.read_parts(text)


def _parts(path: Path, where: str) -> list[Part]:
    """The parts of MusicXML or kern."""
    from music21 import converter, stream

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = converter.parse(path, format=FORMATS.get(path.suffix.lower()), forceSource=True, storePickle=False)
        if isinstance(score, stream.Opus):
            raise InputError(f"it holds {len(score.scores)} scores", where=where, remedy="give each its own file")
        score = score.toSoundingPitch()
    parts = [_part(part) for part in (list(score.parts) or [score])]
    return [part for part in parts if part.measures]


def _part(part: Any) -> Part:
    program = getattr(part.getInstrument(returnDefault=True), "midiProgram", None)
    tempi = [
        (Fraction(mark.getOffsetInHierarchy(part)), mark.getQuarterBPM() or 0.0)
        for mark in part.recurse().getElementsByClass("MetronomeMark")
    ]
    return Part(part.partName or "", tuple(_measures(part)), tuple(_sounds(part)), program or 0, tuple(tempi))


def _measures(part: Any) -> Iterator[Measure]:
    measures = list(part.getElementsByClass("Measure"))
    starts = [Fraction(measure.offset) for measure in measures]
    ends = [*starts[1:], *(Fraction(last.offset + last.duration.quarterLength) for last in measures[-1:])]
    signature, fifths = "", None
    for measure, start, end in zip(measures, starts, ends, strict=True):
        if measure.timeSignature is not None:
            signature = measure.timeSignature.ratioString
        if measure.keySignature is not None:
            fifths = measure.keySignature.sharps
        yield Measure(start, end - start, signature, fifths)


def _sounds(part: Any) -> Iterator[Sound]:
    for element in part.recurse().notes:
        quarters = Fraction(element.duration.quarterLength)
        if quarters == 0 or element.duration.isGrace or "Harmony" in element.classSet:
            continue
        start = Fraction(element.getOffsetInHierarchy(part))
        for note in element.notes if element.isChord else (element,):
            tie = getattr(note, "tie", None) or element.tie
            if hasattr(note, "pitch"):
                tied = tie is not None and tie.type in ("stop", "continue")
                yield Sound(start, start + quarters, note.pitch.midi, tied)
