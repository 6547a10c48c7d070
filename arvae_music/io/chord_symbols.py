"""Chord symbols above a score: those of MusicXML (`<harmony>`) and of music21 (kern), and the quoted ones of ABC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from ..errors import UsageError
from ..music.chords import NO_CHORD, Chord
from ..music.keys import class_name

ChordSymbol = tuple[Fraction, Chord]  # in quarter notes from the start of the part

# The names of chord kinds in MusicXML and music21, as qualities. Others of music21 keep their tones, and are named by
# their root alone.
_KINDS = {
    "major": "", "minor": "m", "augmented": "aug", "diminished": "dim", "dominant": "7", "half-diminished": "m7b5",
    "major-minor": "mMaj7", "dominant-seventh": "7",
    "major-seventh": "maj7", "minor-major-seventh": "mMaj7", "minor-seventh": "m7", "augmented-seventh": "aug7",
    "half-diminished-seventh": "m7b5", "diminished-seventh": "dim7", "seventh-flat-five": "7b5", "major-sixth": "6",
    "minor-sixth": "m6", "major-ninth": "maj9", "dominant-ninth": "9", "minor-ninth": "m9",
    "minor-major-ninth": "mMaj9", "dominant-11th": "11", "minor-11th": "m11", "major-11th": "maj11",
    "major-13th": "maj13", "dominant-13th": "13", "minor-13th": "m13", "suspended-second": "sus2",
    "suspended-fourth": "sus4", "suspended-fourth-seventh": "7sus4", "power": "5",
}  # fmt: skip
_MUSIC21_ALONE = ("seventh-flat-five", "minor-major-ninth", "suspended-fourth-seventh")
_NAMES = {  # the names of MusicXML, which come first
    quality: kind for kind, quality in reversed(_KINDS.items()) if kind not in _MUSIC21_ALONE
}
_ALTERATIONS = {"-2": "bb", "-1": "b", "1": "#", "2": "##"}
_SIGNS = {-1: "b", 1: "#"}


def of_part(part: Any) -> Iterator[ChordSymbol]:
    """The chord symbols of a music21 part, in order, at the pitches that the part has now."""
    for symbol in part.recurse().getElementsByClass("Harmony"):
        chord = _chord(symbol)
        if chord is not None:
            yield Fraction(symbol.getOffsetInHierarchy(part)), chord


def _chord(symbol: Any) -> Chord | None:
    """A chord of music21; None for a symbol without a root, such as a Roman numeral without a key."""
    if "NoChord" in symbol.classSet:
        return NO_CHORD
    if "ChordSymbol" not in symbol.classSet or not symbol.pitches or symbol.root() is None:
        return None
    quality = _KINDS.get(symbol.chordKind, "") + "".join(map(_modification, symbol.getChordStepModifications()))
    root, bass = symbol.root().pitchClass, symbol.bass().pitchClass
    return Chord(root, quality, frozenset(pitch.pitchClass for pitch in symbol.pitches), bass)


def _modification(change: Any) -> str:
    sign = _SIGNS.get(round(change.interval.chromatic.semitones) if change.interval is not None else 0, "")
    if change.modType == "add" and not sign:
        return f"add{change.degree}"
    return f"no{change.degree}" if change.modType == "subtract" else f"{sign}{change.degree}"


def of_musicxml(harmony: Element, semitones: int = 0) -> Chord | None:
    """The chord of a <harmony>, transposed to where the instrument sounds; None if it has no root or kind that arvae
    knows."""
    kind = (harmony.findtext("kind") or "").strip()
    if kind == "none":
        return NO_CHORD
    root, bass = _root(harmony.find("root"), "root"), _root(harmony.find("bass"), "bass")
    if not root:
        return None
    if kind == "other":  # named by its text alone
        kind_element = harmony.find("kind")
        quality = "" if kind_element is None else kind_element.get("text", "")
    elif kind in _KINDS:
        quality = _KINDS[kind]
    else:
        return None
    changes = "".join(_degree(degree, kind) for degree in harmony.findall("degree"))
    try:
        chord = Chord.parse(f"{root}{quality}{changes}{'/' if bass else ''}{bass}")
    except UsageError:
        return None
    return chord.transposed(semitones)


def _root(element: Element | None, name: str) -> str:
    if element is None:
        return ""
    alter = (element.findtext(f"{name}-alter") or "0").strip()
    return (element.findtext(f"{name}-step") or "").strip() + _ALTERATIONS.get(alter, "")


def _degree(degree: Element, kind: str) -> str:
    value, change = (degree.findtext(f"degree-{name}", "").strip() for name in ("value", "type"))
    sign = {"-1": "b", "1": "#"}.get(degree.findtext("degree-alter", "0").strip(), "")
    if change == "subtract":
        return f"no{value}"
    return f"add{value}" if change == "add" and not sign and kind in ("major", "minor") else f"{sign}{value}"


def to_musicxml(chord: Chord, fifths: int = 0) -> Element:
    """The <harmony> of a chord, spelled for a key signature."""
    harmony = Element("harmony")
    for name, pitch in (("root", chord.root), ("bass", chord.bass if chord.bass != chord.root else None)):
        if pitch is not None:
            own = SubElement(harmony, name)
            spelling = class_name(pitch, fifths)
            SubElement(own, f"{name}-step").text = spelling[0]
            if len(spelling) > 1:
                SubElement(own, f"{name}-alter").text = str(spelling.count("#") - spelling.count("b"))
    if chord.root is None:
        root = SubElement(harmony, "root")
        SubElement(root, "root-step", {"text": ""}).text = "C"
    kind = Element("kind", {"text": chord.quality})
    kind.text = "none" if chord.root is None else _NAMES.get(chord.quality, "other")
    harmony.insert(1, kind)
    return harmony


def of_abc(texts: Iterable[str]) -> Chord | None:
    """The chord among the quoted texts above an ABC note. Other texts, such as `"^slowly"` or `"Fine"`, are none."""
    for text in texts:
        try:
            return Chord.parse(text.strip('" ').partition(";")[0])
        except UsageError:
            continue
    return None


def first_with_symbols(parts: Iterable[Any]) -> tuple[ChordSymbol, ...]:
    """The symbols of the first part that has any. Often every part of a score repeats them."""
    return next((part.chords for part in parts if part.chords), ())
