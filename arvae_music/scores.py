"""Scores (ABC, MusicXML, kern) as songs: read by music21, turned into MIDI, read back by `midi`.

    read_any(source, ...)     a MIDI file or a score, whichever it is
    read_score(path, ...)     a score

Every part becomes a track with its name, so that `--track`, the choice of the melody and the candidates work
as for MIDI, and the other parts come out again beside an edited one. What is kept of a part: notes with their
exact lengths (TICKS_PER_QUARTER holds triplets, quintuplets and septuplets), ties as one note, chords and
voices as notes at once, its name, program and key signatures at sounding pitch; of the score: tempo marks and
meters. Grace notes, chord symbols and unpitched notes are dropped. Repeats are not unrolled: the measures are
those on the page.

Barlines are the score's own. A short first measure is the pickup, and its length is handed on rather than
guessed. A measure that a repeat parts in two is one. One that is too short has the time signature written anew
after it, so that it passes through as unfinished; one that is too long has a time signature of its own.

music21 takes a second to import, so it is imported when the first score is read.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from .errors import InputError
from .midi import Song, read_bytes
from .midi_events import (
    END_OF_TRACK,
    KEY_SIGNATURE,
    NOTE_OFF,
    NOTE_ON,
    PROGRAM,
    TEMPO,
    TIME_SIGNATURE,
    TRACK_NAME,
    Event,
    meta,
    new_file,
)

FORMATS = {".abc": "abc", ".xml": "musicxml", ".musicxml": "musicxml", ".mxl": "musicxml", ".krn": "humdrum"}
TICKS_PER_QUARTER = 5040  # 16 * 9 * 5 * 7
VELOCITY = 80
CHANNELS = [n for n in range(16) if n != 9]  # no drums
LARGEST_DENOMINATOR = 64


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
    if not read_bytes(Path(path)).strip():
        raise InputError("it is empty", where=where)
    try:
        data, short = _convert(_parse(Path(path), where), where)
    except InputError:
        raise
    except Exception as error:  # music21 raises whatever its parsers run into
        raise InputError(_told(error), where=where, remedy="check it in a notation program") from error
    return Song.read(
        data, name=where, track=track, channel=channel,
        pickup=short if pickup is None else pickup, tolerance=tolerance,
    )  # fmt: skip


def _told(error: Exception) -> str:
    """What music21 said, on one line."""
    lines = str(error).strip().splitlines()
    return f"music21 cannot read it ({lines[0][:120] if lines else type(error).__name__})"


def _parse(path: Path, where: str) -> Any:
    """A music21 score with its parts at sounding pitch."""
    from music21 import converter, stream

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = converter.parse(path, format=FORMATS.get(path.suffix.lower()), forceSource=True, storePickle=False)
        if isinstance(score, stream.Opus):
            if len(score.scores) != 1:
                raise InputError(f"it holds {len(score.scores)} tunes", where=where, remedy="give each its own file")
            score = score.scores[0]
        return score.toSoundingPitch()


def _convert(score: Any, where: str) -> tuple[bytes, Fraction]:
    """The score as a MIDI file, and the length of its pickup in quarter notes."""
    parts = list(score.parts) or [score]
    measures = list(parts[0].getElementsByClass("Measure"))
    if not measures:
        raise InputError("it has no measures", where=where, remedy="check it in a notation program")
    events, pickup = _conductor(parts[0], measures)
    end = _ticks(parts[0].duration.quarterLength)
    tracks = [_track(part, CHANNELS[i % len(CHANNELS)], [] if i else events, end) for i, part in enumerate(parts)]
    return new_file(tracks, TICKS_PER_QUARTER), pickup


def _ticks(quarters: Any) -> int:
    return round(Fraction(quarters) * TICKS_PER_QUARTER)


def _conductor(part: Any, measures: list[Any]) -> tuple[list[Event], Fraction]:
    """Tempo and meters, and the pickup, from the first part."""
    events = []
    for mark in part.recurse().getElementsByClass("MetronomeMark"):
        if tempo := mark.getQuarterBPM():
            at = _ticks(mark.getOffsetInHierarchy(part))
            events.append(meta(at, TEMPO, min(round(60e6 / tempo), 0xFFFFFF).to_bytes(3, "big")))
    pickup = Fraction(0)
    signature, nominal, filled = None, Fraction(4), Fraction(0)
    irregular = True  # whether the next measure's signature has to be written
    barlines = [Fraction(measure.offset) for measure in measures]
    barlines.append(barlines[-1] + Fraction(measures[-1].duration.quarterLength))
    for i, measure in enumerate(measures):
        length, at = barlines[i + 1] - barlines[i], _ticks(barlines[i])
        if measure.timeSignature is not None:
            new = measure.timeSignature.ratioString
            irregular, signature = irregular or new != signature, new
            nominal = Fraction(measure.timeSignature.barDuration.quarterLength)
        if i == 0 and 0 < length < nominal:
            pickup = length
            events.append(_signature(at, nominal, signature))
            irregular = False
            continue
        irregular = irregular or filled + length > nominal
        if irregular:
            filled = Fraction(0)
            events.append(_signature(at, max(length, nominal), signature if length <= nominal else None))
        irregular = length > nominal
        filled = (filled + length) % nominal if not irregular else Fraction(0)
    return events, pickup


def _signature(tick: int, quarters: Fraction, written: str | None) -> Event:
    """A time signature as written, or the one that a measure of that length would have."""
    numerator, denominator = quarters.numerator, 4 * quarters.denominator
    if written is not None:
        numerator, denominator = (int(part) for part in written.split("/"))
    if denominator > LARGEST_DENOMINATOR or denominator & (denominator - 1) or numerator > 255:
        numerator, denominator = 1, LARGEST_DENOMINATOR  # no meter that the grid knows: passes through
    return meta(tick, TIME_SIGNATURE, bytes([numerator, denominator.bit_length() - 1, 24, 8]))


def _track(part: Any, channel: int, conductor: list[Event], end: int) -> list[Event]:
    events = [meta(0, TRACK_NAME, (part.partName or "").encode()), *conductor]
    program = getattr(part.getInstrument(returnDefault=True), "midiProgram", None)
    events.append(Event(0, bytes([PROGRAM | channel, program or 0])))
    for key in part.recurse().getElementsByClass("KeySignature"):
        if -7 <= key.sharps <= 7:
            at = _ticks(key.getOffsetInHierarchy(part))
            events.append(meta(at, KEY_SIGNATURE, bytes([key.sharps % 256, getattr(key, "mode", "") == "minor"])))
    offs = []
    for start, until, pitch in _merged(sorted(_notes(part))):
        events.append(Event(start, bytes([NOTE_ON | channel, pitch, VELOCITY])))
        offs.append(Event(until, bytes([NOTE_OFF | channel, pitch, 64])))
    last = max([end, *(off.tick for off in offs)])
    # A stable sort: at equal ticks note-offs come first.
    return [*sorted([*offs, *events], key=lambda e: e.tick), meta(last, END_OF_TRACK, b"")]


def _notes(part: Any) -> Iterator[tuple[int, int, int, bool]]:
    """Start, end, pitch and whether it is tied to the note before, of every sounding note."""
    for element in part.recurse().notes:
        quarters = Fraction(element.duration.quarterLength)
        if quarters == 0 or element.duration.isGrace or "Harmony" in element.classSet:
            continue
        start = _ticks(element.getOffsetInHierarchy(part))
        for note in element.notes if element.isChord else (element,):
            tie = getattr(note, "tie", None) or element.tie
            if hasattr(note, "pitch"):
                tied = tie is not None and tie.type in ("stop", "continue")
                yield start, start + _ticks(quarters), note.pitch.midi, tied


def _merged(notes: list[tuple[int, int, int, bool]]) -> list[tuple[int, int, int]]:
    """Tied notes as one."""
    whole: list[tuple[int, int, int]] = []
    latest: dict[int, int] = {}  # pitch -> index into `whole`
    for start, end, pitch, tied in notes:
        before = latest.get(pitch)
        if tied and before is not None and whole[before][1] == start:
            whole[before] = (whole[before][0], end, pitch)
        else:
            latest[pitch] = len(whole)
            whole.append((start, end, pitch))
    return whole
