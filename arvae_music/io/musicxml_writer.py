"""Write a Score as MusicXML 4.0. Read back, it has the same notes, measures, keys, tempi, lyrics and repeats.

Pitches are written where they sound, and spelled by the key signature. Velocities other than the default are written as
dynamics of their notes, in percent of 90, as MusicXML counts them.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable
from fractions import Fraction
from math import lcm
from typing import TypeVar
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from .chord_symbols import to_musicxml
from .engraving import NoteValue, Staff, Symbol, beams, engraved, signature_changes, tuplets
from .notation import VELOCITY, Jump, Marks, Measure, Part, Score

_TYPES = {
    Fraction(8): "breve", Fraction(4): "whole", Fraction(2): "half", Fraction(1): "quarter", Fraction(1, 2): "eighth",
    Fraction(1, 4): "16th", Fraction(1, 8): "32nd", Fraction(1, 16): "64th",
}  # fmt: skip
M = TypeVar("M")
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 does not allow in texts
_LOW = 55  # the mean pitch below which a part gets a bass clef


def to_bytes(score: Score, *, compressed: bool = False) -> bytes:
    """The bytes of a MusicXML file, or of a compressed one (.mxl)."""
    root = Element("score-partwise", {"version": "4.0"})
    if score.title:
        SubElement(SubElement(root, "work"), "work-title").text = score.title
    about = SubElement(root, "identification")
    if score.composer:
        SubElement(about, "creator", {"type": "composer"}).text = score.composer
    SubElement(SubElement(about, "encoding"), "software").text = "arvae"
    listed = SubElement(root, "part-list")
    for n, part in enumerate(score.parts, 1):
        own = SubElement(listed, "score-part", {"id": f"P{n}"})
        SubElement(own, "part-name").text = part.name
        SubElement(SubElement(own, "score-instrument", {"id": f"P{n}-I1"}), "instrument-name").text = part.name
        instrument = SubElement(own, "midi-instrument", {"id": f"P{n}-I1"})
        SubElement(instrument, "midi-program").text = str(part.program + 1)
    for n, part in enumerate(score.parts, 1):
        _PartWriter(part, SubElement(root, "part", {"id": f"P{n}"})).write()
    for element in root.iter():
        if element.text:
            element.text = _ILLEGAL.sub("", element.text)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    data = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()
    return _packed(data) if compressed else data


def _packed(data: bytes) -> bytes:
    out = io.BytesIO()
    container = '<container><rootfiles><rootfile full-path="score.musicxml"/></rootfiles></container>'
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (("META-INF/container.xml", container.encode()), ("score.musicxml", data)):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)  # the same bytes at any time
    return out.getvalue()


def _within(marks: Iterable[tuple[Fraction, M]], measure: Measure) -> list[tuple[Fraction, M]]:
    """The tempi or chord symbols that stand in a measure."""
    return [(at, mark) for at, mark in marks if measure.start <= at < measure.end]


class _PartWriter:
    """Writes the measures of one part."""

    def __init__(self, part: Part, element: Element) -> None:
        self.part, self.element = part, element
        self.staff: Staff = engraved(part)
        self.divisions = lcm(*self._denominators())

    def _denominators(self) -> Iterable[int]:
        yield 1
        for layers in self.staff.layers:
            for row in layers:
                yield from (symbol.length.denominator for symbol in row)
        for measure in self.part.measures:
            yield from ((at - measure.start).denominator for at, _ in _within(self.part.tempi, measure))
            yield from ((at - measure.start).denominator for at, _ in _within(self.part.chords, measure))

    def write(self) -> None:
        changes = signature_changes(self.staff.measures)
        counted = 0 if self.staff.measures[0].length < self.staff.measures[0].nominal else 1
        numbers = ""  # of the ending
        for n, measure in enumerate(self.staff.measures):
            number = measure.number if measure.number is not None else n + counted
            element = SubElement(self.element, "measure", {"number": str(number)})
            if measure.length != measure.nominal:
                element.set("implicit", "yes")
            numbers = ", ".join(map(str, measure.marks.ending)) or numbers
            last = n == len(self.staff.measures) - 1
            after = Marks() if last else self.staff.measures[n + 1].marks
            stops = bool(numbers) and (last or measure.marks.ends_ending or after.forward or bool(after.ending))
            if measure.marks.forward or measure.marks.ending:
                self._barline(element, "left", numbers if measure.marks.ending else "", measure.marks)
            self._attributes(element, measure, *changes[n], first=n == 0)
            self._directions(element, measure)
            self._layers(element, measure, self.staff.layers[n])
            self._jumps(element, measure.marks)
            if measure.marks.backward or stops or last:
                self._barline(element, "right", numbers if stops else "", measure.marks)
            numbers = "" if stops else numbers

    def _units(self, quarters: Fraction) -> str:
        return str(quarters * self.divisions)

    def _attributes(self, parent: Element, measure: Measure, meter: bool, key: bool, *, first: bool) -> None:
        key = key and measure.fifths is not None
        if not (first or meter or key):
            return
        element = SubElement(parent, "attributes")
        if first:
            SubElement(element, "divisions").text = str(self.divisions)
        if key:
            signature = SubElement(element, "key")
            SubElement(signature, "fifths").text = str(measure.fifths)
            SubElement(signature, "mode").text = "minor" if measure.minor else "major"
        if meter:
            time = SubElement(element, "time")
            if measure.signature:
                beats, beat_type = measure.signature.split("/")
                SubElement(time, "beats").text = beats
                SubElement(time, "beat-type").text = beat_type
            else:
                SubElement(time, "senza-misura")
        if first:
            pitches = [sound.pitch for sound in self.part.sounds]
            low = bool(pitches) and sum(pitches) / len(pitches) < _LOW
            clef = SubElement(element, "clef")
            SubElement(clef, "sign").text = "F" if low else "G"
            SubElement(clef, "line").text = "4" if low else "2"

    def _directions(self, parent: Element, measure: Measure) -> None:
        """Tempi, chord symbols and the signs that begin a measure, with offsets from the barline."""
        for name, there in (("segno", measure.marks.segno), ("coda", measure.marks.coda)):
            if there:
                direction = SubElement(parent, "direction", {"placement": "above"})
                SubElement(SubElement(direction, "direction-type"), name)
                SubElement(direction, "sound", {name: name})
        for at, speed in _within(self.part.tempi, measure):
            direction = SubElement(parent, "direction", {"placement": "above"})
            dotted = measure.meter is not None and measure.meter.compound
            mark = SubElement(SubElement(direction, "direction-type"), "metronome")
            SubElement(mark, "beat-unit").text = "quarter"
            if dotted:
                SubElement(mark, "beat-unit-dot")
            SubElement(mark, "per-minute").text = f"{speed / (1.5 if dotted else 1):.6g}"
            self._offset(direction, at - measure.start)
            SubElement(direction, "sound", {"tempo": f"{speed:.6g}"})
        for at, chord in _within(self.part.chords, measure):
            harmony = to_musicxml(chord, measure.fifths or 0)
            self._offset(harmony, at - measure.start)
            parent.append(harmony)

    def _offset(self, element: Element, by: Fraction) -> None:
        if by:
            SubElement(element, "offset").text = self._units(by)

    def _layers(self, parent: Element, measure: Measure, layers: Iterable[tuple[Symbol, ...]]) -> None:
        for n, row in enumerate(layers):
            if not row:
                continue
            if n:
                SubElement(SubElement(parent, "backup"), "duration").text = self._units(measure.length)
            groups, beamed = tuplets(row), beams(row, measure.signature)
            starts, stops = {group.start for group in groups}, {group.stop - 1 for group in groups}
            for i, symbol in enumerate(row):
                marks = [kind for kind, there in (("start", i in starts), ("stop", i in stops)) if there]
                self._symbol(parent, symbol, measure, n + 1, marks, beamed[i])

    def _symbol(
        self, parent: Element, symbol: Symbol, measure: Measure, voice: int, brackets: list[str], beamed: Iterable[str]
    ) -> None:
        for k, pitch in enumerate(symbol.pitches or (None,)):
            element = SubElement(parent, "note")
            if symbol.velocity != VELOCITY and pitch is not None:
                element.set("dynamics", f"{symbol.velocity / 0.9:.2f}")
            if k:
                SubElement(element, "chord")
            if pitch is None:
                whole = symbol.value is None and symbol.at == 0 and symbol.length == measure.length
                SubElement(element, "rest", {"measure": "yes"} if whole else {})
            else:
                self._pitch(element, *pitch)
            SubElement(element, "duration").text = self._units(symbol.length)
            ties = [kind for kind, there in (("stop", symbol.tied), ("start", symbol.goes_on)) if there]
            for kind in ties:
                SubElement(element, "tie", {"type": kind})
            SubElement(element, "voice").text = str(voice)
            if symbol.value is not None:
                self._value(element, symbol.value)
            for level, word in enumerate(beamed if k == 0 else (), 1):
                SubElement(element, "beam", {"number": str(level)}).text = word
            if ties or (brackets and k == 0):
                notations = SubElement(element, "notations")
                for kind in ties:
                    SubElement(notations, "tied", {"type": kind})
                for kind in brackets if k == 0 else []:
                    SubElement(notations, "tuplet", {"type": kind})
            if symbol.lyric and k == 0:
                self._lyric(element, symbol.lyric)

    @staticmethod
    def _pitch(parent: Element, letter: str, alter: int, octave: int) -> None:
        element = SubElement(parent, "pitch")
        SubElement(element, "step").text = letter
        if alter:
            SubElement(element, "alter").text = str(alter)
        SubElement(element, "octave").text = str(octave)

    @staticmethod
    def _value(parent: Element, value: NoteValue) -> None:
        SubElement(parent, "type").text = _TYPES[value.base]
        for _ in range(value.dots):
            SubElement(parent, "dot")
        if value.actual != 1:
            ratio = SubElement(parent, "time-modification")
            SubElement(ratio, "actual-notes").text = str(value.actual)
            SubElement(ratio, "normal-notes").text = str(value.normal)

    @staticmethod
    def _lyric(parent: Element, text: str) -> None:
        element = SubElement(parent, "lyric", {"number": "1"})
        SubElement(element, "syllabic").text = "begin" if text.endswith("-") else "single"
        SubElement(element, "text").text = text.removesuffix("-")

    @staticmethod
    def _jumps(parent: Element, marks: Marks) -> None:
        """The signs that end a measure."""
        words = [("To Coda", "tocoda", "coda")] if marks.to_coda else []
        words += [("Fine", "fine", "yes")] if marks.fine else []
        if marks.jump is Jump.DA_CAPO:
            words.append((marks.jump.value, "dacapo", "yes"))
        elif marks.jump is Jump.DAL_SEGNO:
            words.append((marks.jump.value, "dalsegno", "segno"))
        for text, name, value in words:
            direction = SubElement(parent, "direction", {"placement": "above"})
            SubElement(SubElement(direction, "direction-type"), "words").text = text
            SubElement(direction, "sound", {name: value})

    @staticmethod
    def _barline(parent: Element, location: str, numbers: str, marks: Marks) -> None:
        """A barline with a repeat sign or with the bracket of an ending, or the last one."""
        element = SubElement(parent, "barline", {"location": location})
        left = location == "left"
        repeat = marks.forward if left else bool(marks.backward)
        if repeat or not (left or numbers):
            SubElement(element, "bar-style").text = "heavy-light" if left else "light-heavy"
        if numbers:
            SubElement(element, "ending", {"number": numbers, "type": "start" if left else "stop"})
        if repeat:
            times = {"times": str(marks.backward)} if not left and marks.backward > 2 else {}
            SubElement(element, "repeat", {"direction": "forward" if left else "backward", **times})
