"""Notated music: the parts, measures and notes of a score.

    Score       a title and parts; what every reader of a score makes, and what the writers write
    Part        one voice or instrument: its measures, notes, tempi and lyrics
    Marks       the repeat signs, endings and jumps of a measure
    tied        notes, with tied notes joined into one

`abc`, `musicxml` and `music21_parts` read scores, `unfold` plays their repeats, `score_midi` turns them into MIDI
files, and `musicxml_writer` and `abc_writer` write them.

Positions are exact fractions of a quarter note. A measure is as long as its contents, whatever its time signature says.
A chord is several notes that begin together. Readers drop what has no pitch and length of its own (grace notes, cue
notes, unpitched notes) and count it in `Score.left_out`. Chord symbols are no notes: they are read for the harmony.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from functools import lru_cache

from ..music.meter import Meter
from ..music.tokens import Timed
from .chord_symbols import ChordSymbol

VELOCITY = 80  # of a note without a dynamic, as in MuseScore (mf)
DYNAMICS = {  # velocities, as in MuseScore
    "pppp": 10, "ppp": 16, "pp": 33, "p": 49, "mp": 64, "mf": 80, "f": 96, "ff": 112, "fff": 126, "ffff": 127,
}  # fmt: skip
LOWEST_PITCH, HIGHEST_PITCH = 0, 127  # MIDI


class LeftOut(Enum):
    """What a score holds and a MIDI file of it does not. The values are the words for one and for several."""

    GRACE = ("grace note", "grace notes")
    CUE = ("cue note", "cue notes")
    CHORD_SYMBOL = ("chord symbol that arvae does not know", "chord symbols that arvae does not know")
    UNPITCHED = ("unpitched note", "unpitched notes")
    ORNAMENT = ("trill or other ornament", "trills and other ornaments")
    FERMATA = ("fermata", "fermatas")
    STACCATO = ("staccato dot", "staccato dots")
    OUT_OF_RANGE = ("note outside the range of MIDI", "notes outside the range of MIDI")
    OUTSIDE_TUNE = ("line after the empty line that ends the tune", "lines after the empty line that ends the tune")
    UNKNOWN = ("character that is not ABC", "characters that are not ABC")

    def count(self, number: int) -> str:
        """For instance "3 grace notes"."""
        return f"{number} {self.value[number != 1]}"


class Jump(Enum):
    """A jump back at the end of a measure."""

    DA_CAPO = "D.C."
    DAL_SEGNO = "D.S."


@dataclass(frozen=True)
class Marks:
    """The signs of a measure that decide in which order measures are played."""

    forward: bool = False  # a repeat begins with this measure
    backward: int = 0  # how many times the repeat that this measure ends is played; 0: it ends none
    ending: tuple[int, ...] = ()  # the numbers of the ending that begins with this measure
    ends_ending: bool = False  # whether a bracket of endings stops after this measure
    section: bool = False  # whether a section begins here (after a double bar), to which a later repeat sign returns
    label: str = ""  # of the part that begins here: "A" ("P:" of ABC)
    segno: bool = False
    coda: bool = False  # the coda begins here
    to_coda: bool = False  # after a jump, the coda follows this measure
    fine: bool = False  # after a jump, the music ends with this measure
    jump: Jump | None = None


@dataclass(frozen=True, order=True)
class Sound:
    """A note, in quarter notes from the start of the part."""

    start: Fraction
    end: Fraction
    pitch: int  # MIDI
    tied: bool = False  # whether it is tied to the note before
    velocity: int = VELOCITY


@dataclass(frozen=True)
class Lyric:
    """The syllable of the note that begins at `start`. A hyphen at its end says that the word goes on."""

    start: Fraction
    text: str


@dataclass(frozen=True)
class Measure:
    """The time between two barlines, in quarter notes from the start of the part."""

    start: Fraction
    length: Fraction  # of its contents
    signature: str  # in force, as written: "2/2"; "" without one
    fifths: int | None = None  # the key signature in force
    number: int | None = None  # as printed; None without one
    marks: Marks = field(default=Marks(), compare=False)
    minor: bool = field(default=False, compare=False)  # whether the key signature stands for a minor key

    @property
    def end(self) -> Fraction:
        return self.start + self.length

    @property
    def meter(self) -> Meter | None:
        """None without a signature, or with one that the grid does not support."""
        return _meter(self.signature)

    @property
    def complete(self) -> bool:
        return self.meter is not None and self.length == self.meter.quarters

    @property
    def nominal(self) -> Fraction:
        """The length of a full measure in quarter notes."""
        return Fraction(self.signature) * 4 if self.signature else Fraction(4)

    @property
    def later_ending(self) -> bool:
        """Whether it begins an ending other than the first, and so does not continue the measure before."""
        return bool(self.marks.ending) and 1 not in self.marks.ending


@dataclass(frozen=True)
class Part:
    """One voice or instrument of a score."""

    name: str
    measures: tuple[Measure, ...]
    sounds: tuple[Sound, ...]
    program: int = 0  # General MIDI
    tempi: tuple[tuple[Fraction, float], ...] = ()  # position, quarter notes per minute
    lyrics: tuple[Lyric, ...] = ()
    chords: tuple[ChordSymbol, ...] = ()  # at sounding pitch
    phrase_ends: tuple[Fraction, ...] | None = None  # ends of the last notes of phrases; None: the source marks none


@dataclass(frozen=True)
class Score:
    """A score as it was read."""

    title: str
    parts: tuple[Part, ...]
    composer: str = ""
    order: tuple[str, ...] = ()  # the labels of the parts as they are played ("P:ABA" of ABC)
    left_out: Mapping[LeftOut, int] = field(default_factory=dict)
    printed: int = 0  # measures on the page
    played: int = 0  # measures if all repeats and jumps are played
    unfolded: bool = False  # whether the measures are those that are played, instead of those on the page

    @property
    def has_repeats(self) -> bool:
        return self.played != self.printed


@lru_cache(maxsize=256)  # a meter computes its grid once for each Meter object
def _meter(signature: str) -> Meter | None:
    try:
        return Meter.parse(signature)
    except ValueError:
        return None


def tied(sounds: Iterable[Sound]) -> list[Timed]:
    """Join tied notes, and sort by start. A tie without a note before it is ignored."""
    return [Timed(sound.start, sound.end, sound.pitch) for sound in joined(sounds)]


def joined(sounds: Iterable[Sound]) -> list[Sound]:
    """The same as `tied`, as sounds that keep the velocity of their first note."""
    whole: list[Sound] = []
    latest: dict[int, int] = {}  # pitch -> index into `whole`
    for sound in sorted(sounds):
        before = latest.get(sound.pitch)
        if sound.tied and before is not None and whole[before].end == sound.start:
            first = whole[before]
            whole[before] = Sound(first.start, sound.end, sound.pitch, velocity=first.velocity)
        else:
            latest[sound.pitch] = len(whole)
            whole.append(Sound(sound.start, sound.end, sound.pitch, velocity=sound.velocity))
    return whole
