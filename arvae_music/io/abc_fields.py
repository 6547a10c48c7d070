"""The fields of ABC that change how notes are read: keys, clefs, meters, unit lengths and tempi (ABC 2.1, sections 3
and 4.6).

    parse_key(text)        a Key, and the Transposition that the field asks for
    parse_meter(text)      "6/8" and its length
    parse_length(text)     the unit note length in quarter notes
    parse_tempo(text)      quarter notes per minute

Nothing here raises: a field that makes no sense has no effect, as in players.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from .tempo_words import tempo_of_words

SHARPS = "FCGDAEB"  # letters in the order of fifths
_MAJOR = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}  # fifths of the major key of a letter
_MODES = {"maj": 0, "ion": 0, "mix": -1, "dor": -2, "m": -3, "min": -3, "aeo": -3, "phr": -4, "loc": -5, "lyd": 1}
_ALTERATIONS = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}
_CLEF_NAME = r"treble|bass|alto|tenor|baritone|soprano|mezzosoprano|mezzo|perc|none|auto"
_OCTAVE_SIGN = r"\d?(?P<octave>[+-](?:8|15))?"
_CLEF = re.compile(rf"(?:^|\s)(?:{_CLEF_NAME}){_OCTAVE_SIGN}(?=\s|$)")
_GIVEN_CLEF = re.compile(rf"(?:^|\s)clef\s*=\s*\"?(?:{_CLEF_NAME}|[GCFP]){_OCTAVE_SIGN}")
_PROPERTY = re.compile(r"(?<![\w])(octave|transpose|t)\s*=\s*([+-]?\d{1,3})(?!\d)")
_OTHERS = re.compile(r"\b(?:[A-Za-z][\w-]+|[mst])=(?:\"[^\"]*\"|[^\s\"]+)")
_NAMES = re.compile(r"\b(?:name|nm|subname|snm|sname)\s*=\s*(?:\"[^\"]*\"?|\S+)")
_TONIC = re.compile(r"([A-Ga-g])([#b♯♭]?)\s*(exp|[A-Za-z]*)")
_EXPLICIT = re.compile(r"(\^\^|\^|__|_|=)([A-Ga-g])")
_PIPES = {"F": 1, "C": 1}


@dataclass(frozen=True)
class Key:
    """The alterations of letters by a key signature, in semitones."""

    altered: Mapping[str, int] = field(default_factory=dict)
    fifths: int | None = 0  # None for a signature that is not one of the fifteen
    minor: bool = False


@dataclass(frozen=True)
class Transposition:
    """How far a voice sounds from its notes. Each property holds until the same property is given again."""

    clef: int = 0  # octaves: treble-8 is -1
    octave: int = 0
    semitones: int = 0

    @property
    def total(self) -> int:
        return 12 * (self.clef + self.octave) + self.semitones


def signature(fifths: int) -> dict[str, int]:
    """The letters that a key signature alters: sharps are positive, flats negative."""
    if fifths >= 0:
        return {letter: 1 + (i + 7 < fifths) for i, letter in enumerate(SHARPS[:fifths])}
    return {letter: -1 - (i + 7 < -fifths) for i, letter in enumerate(reversed(SHARPS[fifths:]))}


def parse_transposition(text: str, before: Transposition) -> Transposition:
    """The properties of a K: or V: field: a clef with an octave, `octave=`, `transpose=`."""
    found, text = before, _NAMES.sub(" ", text)
    clef = _GIVEN_CLEF.search(text) or _CLEF.search(_without_properties(text))
    if clef is not None:
        octaves = {None: 0, "8": 1, "15": 2}
        said = clef["octave"]
        found = replace(found, clef=(-1 if said and said[0] == "-" else 1) * octaves[said and said[1:]])
    for name, value in _PROPERTY.findall(text):
        number = int(value)
        found = replace(found, octave=number) if name == "octave" else replace(found, semitones=number)
    return found


def _without_properties(text: str) -> str:
    """The text without `name=value`."""
    return _OTHERS.sub(" ", text)


def parse_key(text: str, before: Key) -> Key:
    """The key of a K: field; a field with only a clef or properties leaves the key as it was."""
    plain = _without_properties(text).strip()
    if not plain or plain.lower().startswith("none"):
        return Key() if not text.strip() or plain.lower().startswith("none") else before
    if plain[:2] in ("HP", "Hp"):
        return Key(_PIPES, 2)
    tonic = _TONIC.match(plain)
    explicit = {letter.upper(): _ALTERATIONS[sign] for sign, letter in _EXPLICIT.findall(plain)}
    if tonic is None or _CLEF.match(plain):
        return _altered(before, explicit, replace=False) if explicit else before
    mode = tonic[3].lower()
    fifths = _MAJOR[tonic[1].upper()] + {"": 0, "#": 7, "♯": 7, "b": -7, "♭": -7}[tonic[2]]
    degree = _MODES.get(mode[:3], _MODES.get(mode, 0)) if mode != "exp" else 0
    fifths += degree
    minor = degree == _MODES["m"]
    if not -14 <= fifths <= 14:
        return before
    exp = mode == "exp" or re.search(r"\bexp\b", plain) is not None
    named = Key(signature(fifths), fifths if -7 <= fifths <= 7 else None, minor)
    return _altered(named, explicit, replace=exp) if explicit or exp else named


def _altered(key: Key, explicit: Mapping[str, int], *, replace: bool) -> Key:
    """The key with explicit accidentals, in addition to its own or in their place."""
    both = explicit if replace else {**key.altered, **explicit}
    altered = {letter: by for letter, by in both.items() if by}
    known = next((fifths for fifths in range(-7, 8) if signature(fifths) == altered), None)
    return Key(altered, known if known is not None or replace else key.fifths, key.minor and not replace)


def parse_meter(text: str) -> str:
    """A time signature such as "6/8"; "" for free meter. Sums ("3+2/8", "2/4+3/8") are one number."""
    said = text.strip().split("%")[0].strip()
    if said.startswith("C|"):
        return "2/2"
    if said.startswith("C"):
        return "4/4"
    terms = re.findall(r"\(?\s*(\d+(?:\s*\+\s*\d+)*)\s*\)?\s*/\s*(\d+)", said)
    sums = [(sum(int(n) for n in re.findall(r"\d+", top)), int(bottom)) for top, bottom in terms]
    if not sums or any(not 0 < top <= 255 or bottom not in (1, 2, 4, 8, 16, 32, 64) for top, bottom in sums):
        return ""
    common = max(bottom for _, bottom in sums)
    return f"{sum(top * common // bottom for top, bottom in sums)}/{common}"


def parse_length(text: str) -> Fraction | None:
    """The unit note length in quarter notes."""
    said = re.match(r"\s*(\d{1,3})(?:\s*/\s*(\d{1,3}))?", text)
    if said is None or int(said[1]) == 0 or int(said[2] or 1) == 0:
        return None
    return Fraction(int(said[1]), int(said[2] or 1)) * 4


def default_length(meter: str) -> Fraction:
    """The unit note length of a tune that gives none, in quarter notes."""
    return Fraction(1, 4) if meter and Fraction(meter) < Fraction(3, 4) else Fraction(1, 2)


def parse_tempo(text: str, unit: Fraction) -> float | None:
    """Quarter notes per minute. `unit` is the unit note length in quarter notes, which old tempi count in.

    The spellings: `1/4=120`, `"Allegro" 1/4=120`, `3/8=50`, `1/4 3/8 1/4 3/8=40` (beats that are counted as one),
    `120`, `C=100` and `C3=40` (unit notes), and a text alone.
    """
    quoted = " ".join(re.findall(r'"([^"]*)"', text))
    bare = re.sub(r'"[^"]*"', " ", text).strip()
    speed = re.search(r"(?:=\s*|^)(\d+(?:\.\d+)?)\s*$", bare) or re.search(r"=\s*(\d+(?:\.\d+)?)", bare)
    if speed is None:
        return tempo_of_words(quoted or bare)
    beats = bare.partition("=")[0] if "=" in bare else ""
    fractions = re.findall(r"(\d{1,3})\s*/\s*(\d{1,3})", beats)
    length = sum((Fraction(int(n), int(d)) * 4 for n, d in fractions if int(d)), Fraction(0))
    if not fractions:
        units = re.match(r"\s*C?\s*(\d*)", beats)
        length = unit * int((units[1] if units else "") or 1)
    found = float(speed[1]) * float(length)
    return found if 0 < found < 1e5 else None
