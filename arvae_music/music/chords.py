"""Chord symbols: `Am7`, `F#m7b5`, `G7/B`, `Bbmaj7`, `Csus4`, `N.C.` as roots, qualities and pitch classes.

    Chord.parse("G7/B").classes         {7, 11, 2, 5}: the pitch classes of the chord and its bass; 0 is C
    Chord.parse("G7/B").name()          "G7/B"

Spellings. Accidentals are `#` and `b` (or the signs). A minor chord is `m`, `min`, `mi` or `-`, a major seventh `maj7`,
`M7`, `ma7` or the triangle, a diminished chord `dim`, `o` or the degree sign, a half-diminished one `m7b5` or the
slashed o, an augmented one `aug` or `+`. German roots are read too: `H` is B, `Fis` is F sharp, `Es` is E flat. `B` is
B natural, unless `german` is set: then it is B flat, as in all charts that contain an `H`. A small letter may mean a
minor chord or not, so it is read only with an `m` after it (`am7`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from ..errors import UsageError
from .keys import OCTAVE, class_name, fifth_of

_NATURAL = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11, "H": 11}
_SIGNS = {"#": 1, "##": 2, "x": 2, "b": -1, "bb": -2, "is": 1, "es": -1, "s": -1}
_ROOT = re.compile(r"([A-Ha-h])(##?|bb?)?")
_GERMAN_ROOT = re.compile(r"([A-Ha-h])(is|es|s)")  # `s` alone lowers E and A
_SILENT = re.compile(r"n\.?\s?c\.?|n|tacet|no ?chord", re.IGNORECASE)
_TRIANGLE = re.compile(r"[Δ△∆]7?(?!\d)")
_CHARACTERS = {
    "Δ": "maj", "△": "maj", "∆": "maj", "♭": "b", "♯": "#", "°": "dim", "º": "dim", "Ø": "ø", "−": "-", "–": "-",
}  # fmt: skip
_REMEDY = "write chords such as C, Am, G7/B, F#m7b5, Bbmaj7, Csus4 or N.C."

# The first part of a quality: spelling -> the family. Longer spellings come first.
_FAMILIES = (
    (r"ø7?|half-?dim7?|m7b5|m7-5|min7b5|-7b5", "m7b5"),
    (r"(?:m|min|mi|-)(?:[Mm]aj|[Mm]a(?=\d)|M)", "mmaj"),
    (r"major|maj|Maj|MAJ|dur|ma(?=\d)|Ma(?=\d)|M|j(?=\d)", "maj"),
    (r"dim|o(?=$|\d)", "dim"),
    (r"aug|\+(?=$|7|9)", "aug"),
    (r"minor|min|Min|moll|mi|m|-(?!5)", "m"),
    (r"dom", ""),
)
_EXTENSION = re.compile(r"6/?9|13|11|9|7|6|5|2|4")
_MODIFICATION = re.compile(
    r"(?P<sus>sus)(?P<sus_to>24|2|4)?|(?P<maj>maj7|M7|ma7)|add(?P<add>[b#]?(?:2|4|6|9|11|13))"
    r"|(?:no|omit)(?P<no>[35])|(?P<alter>[b#+-](?:5|6|9|11|13))|(?P<alt>alt)"
)
_DEGREES = {"2": 2, "4": 5, "5": 7, "6": 9, "9": 2, "11": 5, "13": 9}  # semitones above the root


@dataclass(frozen=True)
class Chord:
    """A chord symbol. `root` and `bass` are pitch classes, 0 for C. N.C. (no chord) has neither, and no tones."""

    root: int | None
    quality: str  # "" for a major triad, "m7b5", "7sus4" ...
    classes: frozenset[int]  # of its tones, with the bass
    bass: int | None = None

    @classmethod
    def parse(cls, text: str, *, german: bool = False) -> Chord:
        """The chord of a symbol. Raises UsageError for a text that is none."""
        plain = "".join(_CHARACTERS.get(sign, sign) for sign in _TRIANGLE.sub("maj7", text.strip()))
        if _SILENT.fullmatch(plain):
            return NO_CHORD
        for root, quality, bass in _readings(plain, german):
            spelled = _quality(quality)
            if spelled is not None:
                if text.strip()[:1].islower() and not spelled[0].startswith("m"):
                    raise _ambiguous(text.strip())
                return made(root, *spelled, bass)
        raise UsageError(f"{text!r} is not a chord symbol", remedy=_REMEDY)

    def name(self, fifths: int = 0) -> str:
        """The symbol, spelled for a key signature (sharps are positive): `Bbmaj7/D`."""
        if self.root is None or self.bass is None:
            return "N.C."
        # A major chord is rather on a flat (Ab), a minor or a diminished one rather on a sharp (C#m).
        minor = (self.root + 3) % OCTAVE in self.classes and (self.root + 4) % OCTAVE not in self.classes
        key = fifths if minor else fifths - 2
        over = "" if self.bass == self.root else f"/{class_name(self.bass, fifth_of(self.root, key))}"
        return f"{class_name(self.root, key)}{self.quality}{over}"

    def __str__(self) -> str:
        return self.name()

    def transposed(self, semitones: int) -> Chord:
        """The chord `semitones` higher."""
        if self.root is None or self.bass is None:
            return self
        moved = frozenset((tone + semitones) % OCTAVE for tone in self.classes)
        return Chord((self.root + semitones) % OCTAVE, self.quality, moved, (self.bass + semitones) % OCTAVE)


NO_CHORD = Chord(None, "", frozenset())


def made(root: int, quality: str, intervals: frozenset[int], bass: int | None = None) -> Chord:
    """A chord from its root, the canonical name of its quality, and its intervals above the root in semitones."""
    bass = root if bass is None else bass
    return Chord(root, quality, frozenset((root + interval) % OCTAVE for interval in intervals) | {bass}, bass)


@lru_cache(maxsize=64)
def of_quality(quality: str) -> frozenset[int]:
    """The intervals above the root of a quality such as `m7`. Raises UsageError for a text that is none."""
    spelled = _quality(quality)
    if spelled is None:
        raise UsageError(f"{quality!r} is not the quality of a chord", remedy=_REMEDY)
    return spelled[1]


def is_german(symbols: list[str]) -> bool:
    """Whether a chart is in German spelling, where `B` is B flat: one of its roots or basses is H."""
    return any(re.match(r"H(?!alf)", symbol) or "/H" in symbol for symbol in symbols)


def _ambiguous(text: str) -> UsageError:
    upper = text[0].upper() + text[1:]
    minor = f"{text[0].upper()}{text[1:2] if text[1:2] in ('b', '#') else ''}"
    rest = text[len(minor) :]
    return UsageError(f"{text!r} may be a major or a minor chord", remedy=f"write {upper} or {minor}m{rest}")


def _readings(text: str, german: bool) -> Iterator[tuple[int, str, int | None]]:
    """The possible roots, texts of the quality and basses of a symbol, the likeliest first."""
    splits: list[tuple[str, int | None]] = []
    before, slash, after = text.rpartition("/")
    if slash:
        splits += [(before, bass) for bass, rest in _roots(after, german) if not rest]
    for symbol, bass in [*splits, (text, None)]:
        for root, rest in _roots(symbol, german):
            yield root, rest, bass


def _roots(text: str, german: bool) -> Iterator[tuple[int, str]]:
    """The pitch classes that a text may begin with, and the rest of the text."""
    for pattern in (_ROOT, _GERMAN_ROOT):
        found = pattern.match(text)
        if found is None:
            continue
        letter, sign = found[1].upper(), found[2] or ""
        if sign == "s" and letter not in "AE":
            continue
        natural = 10 if letter == "B" and german and not sign else _NATURAL[letter]
        yield (natural + _SIGNS.get(sign, 0)) % OCTAVE, text[found.end() :]


@lru_cache(maxsize=512)
def _quality(text: str) -> tuple[str, frozenset[int]] | None:
    """The canonical name and the intervals of a quality, or None for a text that is none."""
    rest = re.sub(r"^7M", "maj7", re.sub(r"[()\[\]{},\s^]", "", text))
    family = ""
    for pattern, name in _FAMILIES:
        found = re.match(pattern, rest)
        if found is not None:
            family, rest = name, rest[found.end() :]
            break
    number = _EXTENSION.match(rest)
    extension = number[0].replace("/", "") if number is not None else ""
    rest = rest[len(number[0]) :] if number is not None else rest
    if family == "mmaj" and extension not in ("", "7", "9", "11", "13"):
        return None
    tones = _tones(family, extension)
    name = _name_of(family, extension)
    while rest:
        change = _MODIFICATION.match(rest)
        if change is None:
            return None
        name += _modify(tones, change)
        rest = rest[change.end() :]
    return name, frozenset(tones.values())


def _tones(family: str, extension: str) -> dict[str, int]:
    """The tones of a family with an extension: degree -> semitones above the root."""
    third = 3 if family in ("m", "mmaj", "dim", "m7b5") else 4
    fifth = 6 if family in ("dim", "m7b5") else 8 if family == "aug" else 7
    seventh = 11 if family in ("maj", "mmaj") else 9 if family == "dim" else 10
    tones = {"1": 0, "3": third, "5": fifth}
    if extension in ("7", "9", "11", "13") or family in ("m7b5", "mmaj"):
        tones["7"] = seventh
    if extension in ("6", "69"):
        tones["6"] = 9
    if extension in ("9", "11", "13", "69", "2"):
        tones["9"] = 2
    if extension == "11":
        tones["11"] = 5
    if extension == "13":
        tones["13"] = 9
    if extension == "5":
        del tones["3"]
    if extension == "4":
        tones["3"] = 5
    return tones


def _name_of(family: str, extension: str) -> str:
    extension = {"2": "add9", "4": "sus4"}.get(extension, extension)
    if family == "m7b5":
        return "m7b5" if extension in ("", "7") else f"m{extension}b5"
    if family == "mmaj":
        return f"mMaj{extension or '7'}"
    if family == "maj":
        return f"maj{extension}" if extension in ("7", "9", "11", "13") else extension
    return family + extension


def _modify(tones: dict[str, int], change: re.Match[str]) -> str:
    """Carry out a modification of the tones, and return its canonical name."""
    if change["sus"]:
        del_third = tones.pop("3", None)
        to = change["sus_to"] or "4"
        tones.update({degree: _DEGREES[degree] for degree in to})
        return f"sus{to}" if del_third is not None else ""
    if change["maj"]:
        tones["7"] = 11
        return "maj7"
    if change["add"]:
        sign, degree = _signed(change["add"])
        tones["add" + degree] = (_DEGREES[degree] + sign) % OCTAVE
        return f"add{change['add']}"
    if change["no"]:
        tones.pop(change["no"], None)
        return f"no{change['no']}"
    if change["alt"]:
        tones.pop("5", None)
        tones.update({"7": 10, "b9": 1, "#9": 3, "#11": 6, "b13": 8})
        return "alt" if "7" in tones else "7alt"
    text = change["alter"].replace("+", "#").replace("-", "b")
    sign, degree = _signed(text)
    tones[degree if degree == "5" else text] = (_DEGREES[degree] + sign) % OCTAVE
    return text


def _signed(text: str) -> tuple[int, str]:
    """`b9` -> (-1, "9")."""
    sign = text[0] if text[0] in "b#" else ""
    return _SIGNS.get(sign, 0), text[len(sign) :]
