"""What a line of ABC music consists of: events in the order of the text, without positions.

    Group, Rests                         what takes time: notes that begin together, or rests
    Bar, Change, Overlay                 barlines, changes and signs, and the way back to the start of the measure
    ending_numbers("1,3-5")              the numbers of an ending
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from fractions import Fraction

from ..music.chords import Chord
from .abc_fields import Key
from .notation import VELOCITY, Jump


class Sign(Enum):
    """Signs that say where to jump, and where."""

    SEGNO = auto()
    CODA = auto()  # the sign; the first of two is where the coda is left for, the last where it begins
    TO_CODA = auto()
    FINE = auto()
    DA_CAPO = auto()
    DAL_SEGNO = auto()


JUMPS = {Sign.DA_CAPO: Jump.DA_CAPO, Sign.DAL_SEGNO: Jump.DAL_SEGNO}


@dataclass
class Group:
    """Notes that begin together, or a rest: what takes time."""

    quarters: Fraction
    notes: list[tuple[int, Fraction, bool]]  # pitch, length as a share of `quarters`, whether tied to the note before
    velocity: int = VELOCITY
    lyric: str = ""
    fermata: bool = False


@dataclass(frozen=True)
class Bar:
    """A barline. `backward` counts how often the repeat that ends here is played; 0 for no repeat."""

    backward: int = 0
    forward: bool = False
    double: bool = False


@dataclass(frozen=True)
class Change:
    """A new meter, key, tempo, part label, ending or chord symbol; or a sign."""

    meter: str | None = None
    key: Key | None = None
    tempo: float | None = None
    label: str = ""
    ending: tuple[int, ...] = ()
    sign: Sign | None = None
    chord: Chord | None = None


@dataclass(frozen=True)
class Rests:
    """Whole measures of rest."""

    count: int


@dataclass(frozen=True)
class Overlay:
    """Go back to the start of the measure, in another voice."""


@dataclass(frozen=True)
class PhraseEnd:
    """The end of a line of music, where lines are phrases. In a full measure it is a barline as well."""


Event = Group | Bar | Change | Rests | Overlay | PhraseEnd


def ending_numbers(text: str) -> tuple[int, ...]:
    """The numbers of an ending: "1,3" and "1-3"."""
    found: list[int] = []
    for first, last in re.findall(r"(\d{1,3})(?:-(\d{1,3}))?", text):
        found += range(int(first), int(last or first) + 1)
    return tuple(dict.fromkeys(found))


def with_coda_signs_told_apart(events: Sequence[Event]) -> list[Event]:
    """The events with the two meanings of a coda sign: without "Da Coda", the first of several leads to the last."""
    signs = [event for event in events if isinstance(event, Change) and event.sign is not None]
    codas = sum(event.sign is Sign.CODA for event in signs)
    if any(event.sign is Sign.TO_CODA for event in signs):
        return list(events)
    found: list[Event] = []
    for event in events:
        if isinstance(event, Change) and event.sign is Sign.CODA:
            codas -= 1
            found.append(replace(event, sign=Sign.TO_CODA) if codas else event)
        else:
            found.append(event)
    return found
