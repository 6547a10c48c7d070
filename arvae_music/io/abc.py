"""Read ABC (the standard 2.1, and what older files do).

    tunes_of             the tunes of a file, each with the header that all of them share
    decoded              bytes as text
    split_collection     the tunes of a text
    read_score           one tune; each voice ("V:", "[V:1]") and each overlay ("&") is a part

A tune ends at an empty line after its music; text outside of tunes is not read. An accidental holds for its letter in
all octaves up to the barline, as in the standard, unless the file asks for another rule.

The reader is arvae's own because no library reads ABC as the standard says: music21 (10.5) loses the measures of rests
and overlays, takes inline fields and the decorations of old files for notes, reads endings and broken rhythms with
grace notes wrong, and ignores octave=, transpose= and treble-8. The tests take their values from abc2midi and from the
standard.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from .abc_events import Change, PhraseEnd
from .abc_fields import (
    Key,
    Transposition,
    default_length,
    parse_key,
    parse_length,
    parse_meter,
    parse_tempo,
    parse_transposition,
)
from .abc_music import Voice
from .abc_parts import parts_of
from .notation import LeftOut, Part, Score

_TUNE = re.compile(r"^(?=[ \t]*X[ \t]*:)", re.MULTILINE)
_FIELD = re.compile(r"[ \t]*([A-Za-z+])[ \t]*:(?![|:])(.*)")
_SHARED = re.compile(r"[ABCDFGHILMmNOQRrSUZ]:|%")  # fields that a file's header may have
_COMMENT = re.compile(r"(?<!\\)%.*")
_VOICE_NAME = re.compile(r'(?:name|nm)\s*=\s*(?:"([^"]*)"|(\S+))')
MOST_REPEATS = 999  # of a part in P:


@lru_cache(maxsize=4)  # the works of a corpus from the same file come one after the other
def tunes_of(path: Path) -> list[str]:
    """The tunes of an ABC file, in order. Raises OSError."""
    return split_collection(decoded(path.read_bytes()))


def decoded(data: bytes) -> str:
    """Bytes as text: UTF-8, or Latin-1 as in many older files."""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def split_collection(text: str) -> list[str]:
    """The tunes of a file, in order; a file without an X: field is one tune."""
    header, *tunes = _TUNE.split(text.replace("\r\n", "\n").replace("\r", "\n"))
    if not tunes:
        return [header]
    shared = "\n".join(line for line in header.split("\n") if _SHARED.match(line))
    return [f"{shared}\n{tune}" if shared else tune for tune in tunes]


def title_of(text: str) -> str:
    """The title of a tune, "" without one."""
    found = re.search(r"^[ \t]*T[ \t]*:(.*)$", text, re.MULTILINE)
    return _COMMENT.sub("", found[1]).strip() if found else ""


def read_score(text: str, *, lines_are_phrases: bool = False) -> Score:
    """Read one tune. Raises InputError for a rest of very many measures.

    With `lines_are_phrases`, as in the Essen collection, every line of music is a phrase, and the end of a line at a
    full measure is a barline.
    """
    tune = _Tune(lines_are_phrases=lines_are_phrases)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for n, line in enumerate(lines):
        if not line.strip():
            if tune.has_music:
                after = [line for line in lines[n:] if line.strip() and not line.startswith("%")]
                tune.left_out[LeftOut.OUTSIDE_TUNE] += len(after)
                break
            continue
        tune.line(line)
    return tune.score()


@dataclass
class _Tune:
    """One tune while it is read."""

    title: str = ""
    composer: str = ""
    meter: str = ""
    unit: Fraction | None = None
    key: Key = field(default_factory=Key)
    transposition: Transposition = field(default_factory=Transposition)
    tempo: str = ""
    order: tuple[str, ...] = ()
    directives: list[str] = field(default_factory=list)
    redefined: frozenset[str] = frozenset()
    in_header: bool = True
    given: dict[str, str] = field(default_factory=dict)  # the properties of voices
    voices: dict[str, Voice] = field(default_factory=dict)
    current: str | None = None
    early: list[tuple[str, str]] = field(default_factory=list)  # fields of the body before the first voice
    left_out: Counter[LeftOut] = field(default_factory=Counter)
    lines_are_phrases: bool = False

    @property
    def has_music(self) -> bool:
        return any(voice.has_music for voice in self.voices.values())

    def line(self, line: str) -> None:
        if line.startswith("%%"):
            self._directive(line[2:])
            return
        line = _COMMENT.sub("", line).rstrip()
        found = _FIELD.fullmatch(line)
        if self.in_header:
            if found is not None:
                self._header(found[1], found[2].strip())
                return
            if not self.meter and not self.title and not self.voices and not line.strip().endswith("|"):
                return  # text before the tune
            self.in_header = False
        if found is None:
            self._music(line)
        elif found[1] == "V":
            self._switch(found[2])
        elif found[1] == "w":
            if self.voices:
                self._voice().lyrics(found[2].strip())
        else:
            self._field(found[1], found[2])

    def _header(self, letter: str, value: str) -> None:
        if letter == "T":
            self.title = self.title or value
        elif letter == "C":
            self.composer = self.composer or value
        elif letter == "M":
            self.meter = parse_meter(value)
        elif letter == "L":
            self.unit = parse_length(value) or self.unit
        elif letter == "Q":
            self.tempo = value
        elif letter == "P":
            self.order = parse_order(value)
        elif letter == "V":
            name, _, properties = value.partition(" ")
            self.given[name] = f"{self.given.get(name, '')} {properties}"
        elif letter == "I":
            self.directives.append(value)
        elif letter == "U":
            self.redefined |= frozenset(value[:1])
        elif letter == "K":
            self.transposition = parse_transposition(value, self.transposition)
            self.key = parse_key(value, self.key)
            self.in_header = False

    def _directive(self, text: str) -> None:
        if self.in_header or not self.voices:
            self.directives.append(text)
        else:
            self._voice().directive(text)

    def _voice(self) -> Voice:
        """The current voice; before the first V: of the body, it is the first voice of the header."""
        if self.current is None:
            self.current = next(iter(self.given), "")
        if self.current not in self.voices:
            self.voices[self.current] = self._new_voice(self.current)
        return self.voices[self.current]

    def _new_voice(self, name: str) -> Voice:
        properties = self.given.get(name, "")
        said = _VOICE_NAME.search(properties)
        voice = Voice(
            (said[1] or said[2] or "") if said else f"V:{name}" if name else "",
            self.unit if self.unit is not None else default_length(self.meter),
            self.meter,
            self.key,
            parse_transposition(properties, self.transposition),
            redefined=self.redefined,
        )
        for text in self.directives:
            voice.directive(text)
        for letter, value in self.early:
            voice.field(letter, value)
        tempo = parse_tempo(self.tempo, voice.unit) if self.tempo else None
        if tempo is not None and not self.voices:
            voice.events.append(Change(tempo=tempo))
        return voice

    def _switch(self, text: str) -> None:
        name, _, properties = text.strip().partition(" ")
        first = self.voices.pop("", None) if self.current == "" else None
        if first is not None:  # the music before the first V: belongs to this voice
            first.name = f"V:{name}"
            self.voices[name] = first
        self.current = name
        if properties.strip():
            self.given[name] = f"{self.given.get(name, '')} {properties}"
            if name in self.voices:
                voice = self.voices[name]
                said = _VOICE_NAME.search(properties)
                voice.name = (said[1] or said[2]) if said else voice.name
                voice.transposition = parse_transposition(properties, voice.transposition)
        self._voice()

    def _field(self, letter: str, value: str) -> None:
        if letter in "TCXWwsmRrNZ+":
            return
        if self.current is None and not self.voices:
            self.early.append((letter, value))
        else:
            self._voice().field(letter, value)

    def _music(self, line: str) -> None:
        at = 0
        voice: Voice | None = None
        while at < len(line):
            if line[at] in " \t":
                at += 1
                continue
            inline = re.compile(r"\[V:([^\]]*)\]").match(line, at)
            if inline is not None:
                self._switch(inline[1])
                at, voice = inline.end(), None
                continue
            if voice is None:
                voice = self._voice()
                voice.start_line()
            found, at = voice.token(line, at)
            if found is not None and found["inline"] is not None:
                voice.field(found["inline"], found["value"])
        if voice is not None:
            voice.end_line(continued=line.endswith("\\"))
            if self.lines_are_phrases and not line.endswith("\\"):
                voice.events.append(PhraseEnd())

    def score(self) -> Score:
        parts: list[Part] = []
        for voice in self.voices.values():
            found = parts_of(voice, self.meter, self.key)
            parts += found
            self.left_out.update(voice.left_out)
        if len(self.voices) == 1 and parts and not self.given:
            parts[0] = replace(parts[0], name=self.title)
        left_out = {kind: count for kind, count in self.left_out.items() if count}
        return Score(self.title, tuple(parts), self.composer, self.order, left_out)


def parse_order(text: str) -> tuple[str, ...]:
    """The order of the parts in the P: field of a header: "A2(BC)3" is A A B C B C B C. A label is one letter."""
    tokens = re.findall(r"[A-Za-z]|\(|\)|\d{1,9}", text.split('"')[0])
    stack: list[list[str]] = [[]]
    last: list[str] = []
    for token in tokens:
        if token == "(":
            stack.append([])
            last = []
        elif token == ")":
            last = stack.pop() if len(stack) > 1 else []
            stack[-1] += last
        elif token.isdigit():
            times = min(int(token), MOST_REPEATS)
            if len(last) * times <= MOST_REPEATS:
                stack[-1] += last * (times - 1)
            last = []
        else:
            last = [token]
            stack[-1] += last
    return tuple(label for level in stack for label in level)
