"""ABC text as notated parts.

    tunes_of             the tunes of a file, each with the header that all of them share
    decoded              bytes as text
    split_collection     the tunes of a text
    read_tune            title and parts of one tune; each voice ("V:", "[V:1]") is a part

music21 turns the text into tokens (key, accidentals, broken rhythm, tuplets, ties), and measures are read from these
tokens. music21's streams are not used: building them takes five times as long, drops changes of meter inside a tune,
and splits a measure that holds more than its time signature allows. Four habits of its tokeniser are corrected here:

1. Where the file names no version of ABC, it applies an accidental to one note; in practice it holds to the barline.
2. It reads the last note of "AGF::" as a field F:, and inline fields ("[M:3/4]") as chords.
3. It forgets the accidental of a note that is tied over a barline.
4. It recognises voices only in some places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

from . import chord_symbols
from .chord_symbols import ChordSymbol
from .notation import Measure, Part, Sound

_VERSION = (2, 1, 0)  # its accidentals hold to the barline
_LIKE_A_FIELD = re.compile(r"(?<=[A-Ga-g])(?=::)")
_INLINE = re.compile(r"\[([MKLQ]):\s*([^\]]*)\]")
_VOICE = re.compile(r"\s*\[?V:\s*([^\s\]]+)([^\]]*)\]?")
_VOICE_NAME = re.compile(r'(?:name|nm)\s*=\s*"([^"]*)"')
_TUNE = re.compile(r"^(?=[ \t]*X[ \t]*:)", re.MULTILINE)


@lru_cache(maxsize=4)  # the works of a corpus from the same file come one after the other
def tunes_of(path: Path) -> list[str]:
    """The tunes of an ABC file, in order. Raises OSError."""
    return split_collection(decoded(path.read_bytes()))


def decoded(data: bytes) -> str:
    """Bytes as text: UTF-8, or Latin-1 as in many older files."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def split_collection(text: str) -> list[str]:
    """The tunes of a file, in order; a file without an X: field is one tune."""
    header, *tunes = _TUNE.split(text.replace("\r\n", "\n").replace("\r", "\n"))
    shared = header.strip()
    return [f"{shared}\n{tune}" if shared else tune for tune in tunes] or [header]


def read_tune(text: str) -> tuple[str, list[Part]]:
    """Title and parts of one tune. Raises whatever music21 raises for text that is not ABC."""
    title, parts = "", []
    for name, voice in _voices(text):
        handler = _tokenised(voice)
        title = title or handler.getTitle() or ""
        parts.append(_part(name or title, handler.tokens))
    return title, [part for part in parts if part.measures]


def _tokenised(text: str) -> Any:
    """music21's handler of the text of one voice, with habits 1 and 2 corrected."""
    from music21 import abcFormat

    return abcFormat.ABCFile(_VERSION).readstr(_INLINE.sub(r"\n\1:\2\n", _LIKE_A_FIELD.sub(" ", text)))


def _voices(text: str) -> list[tuple[str, str]]:
    """Name and text of each voice, with the header that all share; one without a name if there are none."""
    header: list[str] = []
    names: dict[str, str] = {}
    lines: dict[str, list[str]] = {}
    current, in_header = "", True
    for line in text.split("\n"):
        voice = _VOICE.match(line)
        if voice is not None:
            current = voice[1]
            said = _VOICE_NAME.search(voice[2])
            names[current] = said[1] if said else names.get(current, f"voice {current}")
            line = line[voice.end() :] if line.lstrip().startswith("[") else ""
        if in_header:
            header.append(line)
        else:
            lines.setdefault(current, []).append(line)
        if line.startswith("K:") and in_header:
            in_header, current = False, ""
    shared = lines.pop("", []) if names else []
    if not lines:
        return [("", "\n".join([*header, *(shared or lines.get("", []))]))]
    return [(names.get(key, ""), "\n".join([*header, *shared, *own])) for key, own in lines.items()]


def _part(name: str, tokens: list[Any]) -> Part:
    """Cut the tokens at barlines. A time signature holds from the measure that it stands in."""
    from music21 import abcFormat

    measures: list[Measure] = []
    sounds: list[Sound] = []
    tempi: list[tuple[Fraction, float]] = []
    chords: list[ChordSymbol] = []
    signature, fifths = "", None
    start = at = Fraction(0)
    second = False  # whether the measure begins a second ending
    held: dict[str, int] = {}  # pitches of the note before, by note name
    for token in [*tokens, None]:
        if token is None or isinstance(token, abcFormat.ABCBar):
            if at > start:
                measures.append(Measure(start, at - start, signature, fifths, second_ending=second))
                second = False
            start = at
            second = second or (token is not None and int(token.isRepeatBracket()) > 1)
        elif isinstance(token, abcFormat.ABCMetadata):
            if token.isMeter():
                signature = _signature_of(token)
            elif token.isKey():
                fifths = token.getKeySignatureParameters()[0]
            elif token.isTempo():
                tempi += _tempo(token, at)
        elif isinstance(token, abcFormat.ABCNote) and not token.inGrace:
            chord = chord_symbols.of_abc(token.chordSymbols)
            chords += [] if chord is None else [(at, chord)]
            end = at + _quarters_of(token)
            tied = token.tie in ("stop", "continue")
            held = _pitches_of(token, held if tied else {})
            sounds += (Sound(at, end, pitch, tied) for pitch in held.values())
            at = end
    return Part(name, tuple(measures), tuple(sounds), tempi=tuple(tempi), chords=tuple(chords))


def _signature_of(token: Any) -> str:
    found = token.getTimeSignatureParameters()
    return "" if found is None else f"{found[0]}/{found[1]}"


def _tempo(token: Any, at: Fraction) -> Iterator[tuple[Fraction, float]]:
    mark = token.getMetronomeMarkObject()
    quarters = mark.getQuarterBPM() if mark is not None else None
    if quarters:
        yield at, float(quarters)


def _quarters_of(token: Any) -> Fraction:
    """The length of a note or chord. music21 keeps a tuplet's ratio apart from it."""
    quarters = Fraction(token.quarterLength).limit_denominator(1024)
    tuplet = token.activeTuplet
    if tuplet is None:
        return quarters
    return quarters * Fraction(tuplet.numberNotesNormal, tuplet.numberNotesActual)


def _pitches_of(token: Any, held: dict[str, int]) -> dict[str, int]:
    """The MIDI pitches of a note or chord by note name (`F5`); a rest has none. A note that is tied to one of `held`
    has that note's pitch."""
    from music21 import abcFormat, pitch

    notes = token.subTokens if isinstance(token, abcFormat.ABCChord) else [token]
    names = [note.pitchName for note in notes if isinstance(note, abcFormat.ABCNote) and not note.isRest]
    found = [pitch.Pitch(name) for name in names]
    keys = [f"{one.step}{one.octave}" for one in found]
    return {key: held.get(key, round(one.ps)) for key, one in zip(keys, found, strict=True)}
