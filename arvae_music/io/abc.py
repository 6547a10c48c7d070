"""ABC text as notated parts, from music21's tokens and without its streams.

music21 reads the notation (key, accidentals, broken rhythm, tuplets, ties) when it turns the text into
tokens. The streams that it makes of them lose what a melody's measures need: it drops changes of meter
inside a tune, and splits a measure that holds too much where its time signature would have it. So measures
are read off the tokens. Habits of its tokeniser that are put right here:

1. It takes accidentals to hold for one note where the file names no version of ABC; practice is to the
   barline.
2. It takes the last note of "AGF::" for a field F:, and inline fields ("[M:3/4]") for chords.
3. It forgets the accidental of a note that is tied over a barline.
4. It knows voices ("V:", "[V:1]") only at times. Here each voice is a part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from .notation import Measure, Part, Sound

_VERSION = (2, 1, 0)  # its accidentals hold to the barline
_LIKE_A_FIELD = re.compile(r"(?<=[A-Ga-g])(?=::)")
_INLINE = re.compile(r"\[([MKLQ]):\s*([^\]]*)\]")
_VOICE = re.compile(r"\s*\[?V:\s*([^\s\]]+)([^\]]*)\]?")
_VOICE_NAME = re.compile(r'(?:name|nm)\s*=\s*"([^"]*)"')
_TUNE = re.compile(r"^[ \t]*X[ \t]*:", re.MULTILINE)


def count_tunes(text: str) -> int:
    """How many tunes an ABC file holds; a file without an X: field is one."""
    return max(1, len(_TUNE.findall(text)))


def read_parts(text: str) -> list[Part]:
    """The voices of one tune. Raises whatever music21 does for what is no ABC."""
    parts = []
    for name, voice in _voices(text):
        handler = tokenised(voice)
        parts.append(_part(name or handler.getTitle() or "", handler.tokens))
    return [part for part in parts if part.measures]


def tokenised(text: str) -> Any:
    """music21's handler of the text of one voice, its tokens with the habits 1 and 2 put right."""
    from music21 import abcFormat

    return abcFormat.ABCFile(_VERSION).readstr(_INLINE.sub(r"\n\1:\2\n", _LIKE_A_FIELD.sub(" ", text)))


def _voices(text: str) -> list[tuple[str, str]]:
    """Name and text of each voice, with the header that all share; one without a name if there are none."""
    header: list[str] = []
    names: dict[str, str] = {}
    lines: dict[str, list[str]] = {}
    current, in_header = "", True
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
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
    signature, fifths = "", None
    start = at = Fraction(0)
    held: dict[str, int] = {}  # what the note before sounds, by note name
    for token in [*tokens, None]:
        if token is None or isinstance(token, abcFormat.ABCBar):
            if at > start:
                measures.append(Measure(start, at - start, signature, fifths))
            start = at
        elif isinstance(token, abcFormat.ABCMetadata):
            if token.isMeter():
                signature = signature_of(token)
            elif token.isKey():
                fifths = token.getKeySignatureParameters()[0]
            elif token.isTempo():
                tempi += _tempo(token, at)
        elif isinstance(token, abcFormat.ABCNote) and not token.inGrace:
            end = at + quarters_of(token)
            tied = token.tie in ("stop", "continue")
            held = pitches_of(token, held if tied else {})
            sounds += (Sound(at, end, pitch, tied) for pitch in held.values())
            at = end
    return Part(name, tuple(measures), tuple(sounds), tempi=tuple(tempi))


def signature_of(token: Any) -> str:
    found = token.getTimeSignatureParameters()
    return "" if found is None else f"{found[0]}/{found[1]}"


def _tempo(token: Any, at: Fraction) -> Iterator[tuple[Fraction, float]]:
    mark = token.getMetronomeMarkObject()
    quarters = mark.getQuarterBPM() if mark is not None else None
    if quarters:
        yield at, float(quarters)


def quarters_of(token: Any) -> Fraction:
    """The length of a note or chord. music21 keeps a tuplet's ratio apart from it."""
    quarters = Fraction(token.quarterLength).limit_denominator(1024)
    tuplet = token.activeTuplet
    if tuplet is None:
        return quarters
    return quarters * Fraction(tuplet.numberNotesNormal, tuplet.numberNotesActual)


def pitches_of(token: Any, held: dict[str, int]) -> dict[str, int]:
    """The MIDI pitches of a note or chord by note name (`F5`), none of a rest; `held` are tied to it."""
    from music21 import abcFormat, pitch

    notes = token.subTokens if isinstance(token, abcFormat.ABCChord) else [token]
    names = [note.pitchName for note in notes if isinstance(note, abcFormat.ABCNote) and not note.isRest]
    found = [pitch.Pitch(name) for name in names]
    keys = [f"{one.step}{one.octave}" for one in found]
    return {key: held.get(key, round(one.ps)) for key, one in zip(keys, found, strict=True)}
