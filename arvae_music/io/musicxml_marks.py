"""What MusicXML says beside the notes: tempi, dynamics, and the signs of repeats and jumps.

Jumps come from <sound> where a program writes it, and else from the words and signs that are drawn. A sign holds for
the measure in which it stands: a segno and a coda begin it, the others end it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from xml.etree.ElementTree import Element

from .abc_events import ending_numbers
from .notation import DYNAMICS, Jump, Marks
from .tempo_words import tempo_of_words

_UNITS = {
    "long": Fraction(16), "breve": Fraction(8), "whole": Fraction(4), "half": Fraction(2), "quarter": Fraction(1),
    "eighth": Fraction(1, 2), "16th": Fraction(1, 4), "32nd": Fraction(1, 8), "64th": Fraction(1, 16),
}  # fmt: skip
_PERCENT = 0.9  # MusicXML's dynamics are percentages of the velocity 90
MOST_TIMES = 99  # that a repeat is played
_DA_CAPO = re.compile(r"\b(?:d\.?\s?c\.?(?=\s|$)|da capo)", re.IGNORECASE)
_FINE = re.compile(r"(?:^|\s)fine\s*$", re.IGNORECASE)
_DAL_SEGNO = re.compile(r"\b(?:d\.?\s?s\.?(?=\s|$)|dal segno)", re.IGNORECASE)


@dataclass(frozen=True)
class Tempo:
    """A tempo mark. One that is only a word counts less than another at the same place."""

    at: Fraction  # quarter notes from the start of the measure
    quarters: float  # a minute
    from_words: bool = False


def tempi_of(element: Element, at: Fraction) -> Iterator[Tempo]:
    """The tempo of a <direction> or <sound>: its <sound tempo>, or its metronome mark, or its words."""
    sounds = [element] if element.tag == "sound" else element.findall("sound")
    numbers = [number for sound in sounds if (number := _number(sound.get("tempo"))) is not None]
    if numbers:
        yield Tempo(at, numbers[0])
        return
    for metronome in element.iter("metronome"):
        marked = _metronome(metronome)
        if marked is not None:
            yield Tempo(at, marked)
            return
    said = tempo_of_words(_words(element))
    if said is not None:
        yield Tempo(at, said, from_words=True)


def _number(text: str | None) -> float | None:
    """A positive number, such as the one in "c. 90"; None without one."""
    found = re.search(r"\d+(?:\.\d+)?", text or "")
    value = float(found[0]) if found else 0.0
    return value if 0 < value < 1e5 else None


def _metronome(metronome: Element) -> float | None:
    """Quarter notes a minute. A mark that equates two units says nothing about the speed."""
    speed = _number(metronome.findtext("per-minute"))
    unit = _UNITS.get((metronome.findtext("beat-unit") or "").strip())
    if speed is None or unit is None or len(metronome.findall("beat-unit")) > 1:
        return None
    dots = len(metronome.findall("beat-unit-dot"))
    return speed * float(unit * (2 - Fraction(1, 2**dots)))


def _words(element: Element) -> str:
    return " ".join(" ".join((one.text or "").split()) for one in element.iter("words")).strip()


def velocity_of(element: Element) -> int | None:
    """The MIDI velocity that a <direction>, <sound> or <note> gives: its `dynamics` attribute, or else its sign."""
    sounds = [element] if element.tag in ("sound", "note") else element.findall("sound")
    for sound in sounds:
        try:
            percent = float(sound.get("dynamics", "nan"))
        except ValueError:
            continue
        if math.isfinite(percent) and percent > 0:
            return max(1, min(round(percent * _PERCENT), 127))
    if element.tag == "direction":
        for dynamics in element.iter("dynamics"):
            for sign in dynamics:
                if sign.tag in DYNAMICS:
                    return DYNAMICS[sign.tag]
    return None


# ------------------------------------------------------------------------------------- repeats and jumps


def marks_of(measure: Element) -> Marks:
    """The repeat signs, endings and jumps of a measure."""
    forward, backward, ends_ending = False, 0, False
    ending: tuple[int, ...] = ()
    for barline in measure.findall("barline"):
        repeat = barline.find("repeat")
        if repeat is not None and repeat.get("direction") == "forward":
            forward = True
        elif repeat is not None and repeat.get("direction") == "backward":
            times = repeat.get("times", "")
            backward = min(max(int(times), 1), MOST_TIMES) if times.isdecimal() and len(times) < 9 else 2
        bracket = barline.find("ending")
        if bracket is not None and bracket.get("type") == "start":
            ending = ending_numbers(bracket.get("number", ""))
        elif bracket is not None:
            ends_ending = True
    sounds = list(measure.iter("sound"))
    said = " ".join(_words(direction) for direction in measure.findall("direction"))
    drawn = {one.tag for direction in measure.iter("direction-type") for one in direction}
    to_coda = _has(sounds, "tocoda") or re.search(r"\bto coda\b", said, re.IGNORECASE) is not None
    jump = None
    if _has(sounds, "dacapo") or _DA_CAPO.search(said):
        jump = Jump.DA_CAPO
    elif _has(sounds, "dalsegno") or _DAL_SEGNO.search(said):
        jump = Jump.DAL_SEGNO
    return Marks(
        forward=forward,
        backward=backward,
        ending=ending,
        ends_ending=ends_ending,
        segno=_has(sounds, "segno") or "segno" in drawn,
        coda=_has(sounds, "coda") or ("coda" in drawn and not to_coda),
        to_coda=to_coda,
        fine=_has(sounds, "fine") or (jump is None and _FINE.search(said) is not None),
        jump=jump,
    )


def _has(sounds: list[Element], name: str) -> bool:
    return any(sound.get(name) not in (None, "", "no") for sound in sounds)
