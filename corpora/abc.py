"""ABC tunes as measures, from music21's tokens and without its streams.

music21 reads the notation (key, carried accidentals, broken rhythm, tuplets, ties) when it turns the text
into tokens. The streams that it makes of them take five times as long again, for beams and stems that nobody
here looks at, and it moves barlines on the way: a measure that holds too much is split where its time
signature would have it. So the measures are read off the tokens.

What music21's tokeniser gets wrong is put right in `arvae_music.abc`, for these files and for the user's.

    split_collection   the tunes of a file, each with the header that all of them share
    read_abc           title and measures of one tune; of several voices, the first
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..io.abc import pitches_of, quarters_of, signature_of, tokenised
from .parts import Measure, Sound

_VOICE = re.compile(r"\s*\[?V:\s*([^\s\]]+)[^\]]*\]?")
_TUNE = re.compile(r"^(?=[ \t]*X[ \t]*:)", re.MULTILINE)


def read_text(path: Path) -> str:
    """The text of an ABC file: UTF-8, or Latin-1 as in many older ones."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def split_collection(text: str) -> list[str]:
    """The tunes of a file, in order; a file without an X: field is one tune."""
    header, *tunes = _TUNE.split(text.replace("\r\n", "\n").replace("\r", "\n"))
    shared = header.strip()
    return [f"{shared}\n{tune}" if shared else tune for tune in tunes] or [header]


def read_abc(text: str) -> tuple[str, list[Measure]]:
    """Title and measures of one tune. Raises whatever music21 does for what is no ABC."""
    handler = tokenised(first_voice(text))
    return handler.getTitle() or "", list(_measures(handler.tokens))


def first_voice(text: str) -> str:
    """A tune without its other voices, be they `V:` lines or `[V:]` at the start of lines; music21 knows no `[V:]`."""
    kept: list[str] = []
    first = current = None
    in_header = True
    for line in text.splitlines():
        voice = _VOICE.match(line)
        if voice is not None:
            current = voice[1]
            if in_header:
                continue
            first = first or current
            line = line[voice.end() :] if line.lstrip().startswith("[") else ""
        if in_header or current == first:
            kept.append(line)
        if line.startswith("K:") and in_header:
            in_header, current = False, None
    return "\n".join(kept)


def _measures(tokens: list[Any]) -> Iterator[Measure]:
    """Cut the tokens at barlines. A time signature holds from the measure that it stands in."""
    from music21 import abcFormat

    signature, fifths = "", None
    sounds: list[Sound] = []
    at = Fraction(0)
    alternative = False
    held: dict[str, int] = {}  # what the note before sounds, by note name
    for token in tokens:
        if isinstance(token, abcFormat.ABCBar):
            if sounds:
                yield Measure(tuple(sounds), signature, fifths, alternative=alternative)
                sounds, at, alternative = [], Fraction(0), False
            alternative = alternative or int(token.isRepeatBracket()) > 1
        elif isinstance(token, abcFormat.ABCMetadata):
            if token.isMeter():
                signature = signature_of(token)
            elif token.isKey():
                fifths = token.getKeySignatureParameters()[0]
        elif isinstance(token, abcFormat.ABCNote) and not token.inGrace:
            quarters = quarters_of(token)
            tied = token.tie in ("stop", "continue")
            held = pitches_of(token, held if tied else {})
            sounds += (Sound(at, at + quarters, pitch, tied) for pitch in held.values() or [None])
            at += quarters
    if sounds:
        yield Measure(tuple(sounds), signature, fifths, alternative=alternative)
