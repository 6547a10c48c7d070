"""The parts of music21's scores, for kern files and for the corpora that music21 holds. Repeats are not read."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from . import chord_symbols
from .notation import Marks, Measure, Part, Sound


def read_part(part: Any) -> Part:
    """Read a music21 part. Pitches are taken as they are, without transposition."""
    program = getattr(part.getInstrument(returnDefault=True), "midiProgram", None)
    tempi = [
        (Fraction(mark.getOffsetInHierarchy(part)), mark.getQuarterBPM() or 0.0)
        for mark in part.recurse().getElementsByClass("MetronomeMark")
    ]
    measures = tuple(_measures(part))
    sounds = (sound for measure in part.getElementsByClass("Measure") for sound in _sounds(measure))
    chords = tuple(chord_symbols.of_part(part))
    name, fermatas = str(part.partName or ""), tuple(_fermatas(part)) or None
    return Part(name, measures, tuple(sounds), program or 0, tuple(tempi), chords=chords, phrase_ends=fermatas)


def _fermatas(part: Any) -> Iterator[Fraction]:
    """The ends of the notes with a fermata. In hymns and chorales they end the phrases."""
    for note in part.recurse().notes:
        if any("Fermata" in expression.classSet for expression in note.expressions):
            yield Fraction(note.getOffsetInHierarchy(part)) + Fraction(note.duration.quarterLength)


def _measures(part: Any) -> Iterator[Measure]:
    measures = list(part.getElementsByClass("Measure"))
    starts = [Fraction(measure.offset) for measure in measures]
    ends = [*starts[1:], *(Fraction(last.offset + last.duration.quarterLength) for last in measures[-1:])]
    signature, fifths = "", None
    for measure, start, end in zip(measures, starts, ends, strict=True):
        for element in measure.getElementsByClass("TimeSignature"):
            signature = f"{element.numerator}/{element.denominator}"
        for element in measure.getElementsByClass("KeySignature"):
            fifths = element.sharps
        brackets = measure.getSpannerSites("RepeatBracket")
        numbers = [number for bracket in brackets if bracket.isFirst(measure) for number in bracket.numberRange]
        yield Measure(start, end - start, signature, fifths, measure.number or 0, Marks(ending=tuple(numbers)))


def _sounds(measure: Any) -> Iterator[Sound]:
    """The notes of a measure and of the voices in it."""
    for layer in [measure, *measure.voices]:
        origin = Fraction(measure.offset) + (Fraction(0) if layer is measure else Fraction(layer.offset))
        for element in layer.notes:
            quarters = Fraction(element.duration.quarterLength)
            if quarters == 0 or element.duration.isGrace or "Harmony" in element.classSet:
                continue
            start = origin + Fraction(element.offset)
            for note in element.notes if element.isChord else (element,):
                tie = note.tie or element.tie
                if hasattr(note, "pitch"):
                    tied_to_last = tie is not None and tie.type in ("stop", "continue")
                    yield Sound(start, start + quarters, note.pitch.midi, tied_to_last)
