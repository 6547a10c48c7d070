"""The music of one ABC voice: lines of notes to events (ABC 2.1, section 4).

    Voice.token(text, at)   read the token at a position of a line
    Voice.field(...)        a field in the body or inside a line: [K:D]
    Voice.lyrics(text)      a line of syllables ("w:") for the line of music before it

The length of a note is known only after the next token, because a broken rhythm (">") changes the note before it. So
notes become events here, and `abc_parts` gives the events their positions.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

from ..errors import InputError
from . import chord_symbols
from .abc_events import Bar, Change, Event, Group, Overlay, Rests, Sign, ending_numbers
from .abc_fields import Key, Transposition, parse_key, parse_length, parse_meter, parse_tempo, parse_transposition
from .notation import DYNAMICS, HIGHEST_PITCH, LOWEST_PITCH, VELOCITY, LeftOut

MOST_RESTS = 10_000  # measures of one multi-measure rest
_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ALTERATIONS = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}
_NORMAL = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}  # the time of a tuplet; the others depend on the meter
_COMPOUND = ("6/8", "9/8", "12/8")
_LENGTH = r"\d{0,9}(?:/\d{0,9})*"
_PITCH = rf"(?P<accidental>\^\^?|__?|=)?(?P<letter>[A-Ga-g])(?P<octave>[,']*)(?P<length>{_LENGTH})"
_NOTE = re.compile(rf"{_PITCH}(?P<tie>-)?")
_NUMBERS = re.compile(r"\s*(\d{1,3}(?:[,.-]\d{1,3})*)(?![\d/])")
_TOKEN = re.compile(
    rf"""
    (?P<bar>\[\|\]|\.?(?:\[(?=[|]))?[|:]*[|][|:]*\]?|:{{2,}})
  | \[(?P<inline>[A-Za-z]):(?P<value>[^\]]*)\]
  | \[\s*(?P<ending>\d{{1,3}}(?:[,.-]\d{{1,3}})*|"\d[^"]*")
  | \[(?P<chord>[^\][|]*)\](?P<chord_length>{_LENGTH})
  | \((?P<p>\d{{1,3}})(?::(?P<q>\d{{0,3}}))?(?::(?P<r>\d{{0,3}}))?
  | (?P<note>{_PITCH})
  | (?P<rest>[zx])(?P<rest_length>{_LENGTH})
  | (?P<measures>[ZX])(?P<count>\d{{0,9}})
  | (?P<spacer>y\d{{0,9}})
  | (?P<broken>>+|<+)
  | (?P<tie>\.?-)
  | \{{(?P<grace>[^}}]*)\}}?
  | "(?P<quote>[^"]*)"?
  | !(?P<decoration>[^!|\[\]]{{1,40}})!
  | \+(?P<old>[^+|\s]{{1,40}})\+
  | (?P<overlay>&)
  | (?P<short>[.~H-Wh-w])
  | (?P<nothing>[\s`()$*;?@\#!\\+])
    """,
    re.VERBOSE,
)
_DECORATIONS = frozenset(  # the names of the standard, without spaces
    """trill lowermordent uppermordent mordent pralltriller roll turn turnx invertedturn invertedturnx arpeggio
    > accent emphasis fermata invertedfermata tenuto 0 1 2 3 4 5 + plus snap slide wedge upbow downbow open thumb
    breath pppp ppp pp p mp mf f ff fff ffff sfz crescendo( <( crescendo) <) diminuendo( >( diminuendo) >) segno coda
    d.s. d.c. dacoda dacapo fine shortphrase mediumphrase longphrase trill( trill) staccato marcato courtesy editorial
    d.c.alcoda d.c.alfine d.s.alcoda d.s.alfine dalsegno""".split()  # noqa: SIM905 -- a hundred quoted words are hard to read
)
_MUSIC = re.compile(r"[A-Ga-gzx0-9/,'_^=()\-\s]+")


_SIGNS = {
    "segno": Sign.SEGNO, "coda": Sign.CODA, "dacoda": Sign.TO_CODA, "fine": Sign.FINE,
    "d.c.": Sign.DA_CAPO, "dacapo": Sign.DA_CAPO, "d.c.alcoda": Sign.DA_CAPO, "d.c.alfine": Sign.DA_CAPO,
    "d.s.": Sign.DAL_SEGNO, "dalsegno": Sign.DAL_SEGNO, "d.s.alcoda": Sign.DAL_SEGNO, "d.s.alfine": Sign.DAL_SEGNO,
}  # fmt: skip
_PLACED = ("^", "_", "<", ">", "@", "")  # texts that begin so are no chord symbols
_ORNAMENTS = ("trill", "mordent", "turn", "roll", "prall", "arpeggio")


@dataclass
class Voice:
    """One voice while it is read."""

    name: str = ""
    unit: Fraction = Fraction(1, 2)  # quarter notes
    meter: str = ""
    key: Key = field(default_factory=Key)
    transposition: Transposition = field(default_factory=Transposition)
    program: int = 0
    octave_only: bool = False  # an accidental holds for its octave alone
    redefined: frozenset[str] = frozenset()  # letters that U: gives another meaning
    events: list[Event] = field(default_factory=list)
    left_out: Counter[LeftOut] = field(default_factory=Counter)
    _velocity: int = VELOCITY
    _fermata: bool = False  # on the next group
    _altered: dict[tuple[str, int | None], int] = field(default_factory=dict)  # since the barline
    _held: dict[tuple[str, int], int] = field(default_factory=dict)  # pitches that a tie continues
    _layer: int = 0  # of the overlays in the measure
    _ties: dict[int, dict[tuple[str, int], int]] = field(default_factory=dict)  # `_held` of the other layers
    _last: Group | None = None  # before a broken rhythm or a tie
    _letters: list[tuple[str, int, int, bool]] = field(default_factory=list)  # of the last group
    _broken: Fraction = Fraction(1)
    _tuplet: tuple[Fraction, int] = (Fraction(1), 0)  # the factor, and how many groups it is still for
    _line: int = 0  # where the events of the last line begin
    _goes_on: bool = False  # whether the last line ended with a backslash

    @property
    def has_music(self) -> bool:
        return any(isinstance(event, Group | Rests) for event in self.events)

    def start_line(self) -> None:
        if not self._goes_on:
            self._line = len(self.events)

    def end_line(self, *, continued: bool) -> None:
        self._goes_on = continued

    def token(self, text: str, at: int) -> tuple[re.Match[str] | None, int]:
        """Read the token at a position. Returns it, and where the next one begins."""
        found = _TOKEN.match(text, at)
        if found is None:
            self.left_out[LeftOut.UNKNOWN] += 1
            return None, at + 1
        end = found.end()
        if found["bar"] is not None:
            self._bar(found["bar"])
            numbers = _NUMBERS.match(text, end)
            if numbers is not None:
                self.events.append(Change(ending=ending_numbers(numbers[1])))
                end = numbers.end()
        elif found["ending"] is not None:
            self.events.append(Change(ending=ending_numbers(found["ending"].strip('"'))))
        elif found["chord"] is not None:
            self._chord(found["chord"], _ratio(found["chord_length"]))
        elif found["note"] is not None:
            self._group([self._letter(found)], self.unit * _ratio(found["length"]))
        elif found["rest"] is not None:
            self._group([], self.unit * _ratio(found["rest_length"]))
        elif found["measures"] is not None:
            self._rests(int(found["count"] or 1))
        else:
            self._sign(found)
        return found, end

    def field(self, letter: str, value: str) -> None:
        """A field in the body of the tune; those without an effect on the notes are passed over."""
        if letter == "K":
            self.transposition = parse_transposition(value, self.transposition)
            self.key = parse_key(value, self.key)
            self._altered.clear()
            self.events.append(Change(key=self.key))
        elif letter == "M":
            self.meter = parse_meter(value)
            self.events.append(Change(meter=self.meter))
        elif letter == "L":
            self.unit = parse_length(value) or self.unit
        elif letter == "Q":
            self.events.append(Change(tempo=parse_tempo(value, self.unit)))
        elif letter == "P":
            self.events.append(Change(label=value.strip()))
        elif letter == "I":
            self.directive(value)
        elif letter == "U":
            self.redefined |= frozenset(value.strip()[:1])

    def directive(self, text: str) -> None:
        """`%%MIDI program 40` and `I:propagate-accidentals octave`."""
        program = re.match(r"\s*MIDI\s+program\s+(?:\d{1,2}\s+)?(\d{1,3})\s*$", text)
        if program is not None and int(program[1]) <= 127:
            self.program = int(program[1])
        said = re.match(r"\s*propagate-accidentals\s+(\w+)", text)
        if said is not None:
            self.octave_only = said[1] == "octave"

    def lyrics(self, text: str) -> None:
        """Give the syllables of a line to the notes of the last line of music, unless it has a verse already."""
        bars, notes = 0, []
        for event in self.events[self._line :]:
            bars += isinstance(event, Bar)
            if isinstance(event, Group) and event.notes:
                notes.append((bars, event))
        if any(group.lyric for _, group in notes):
            return
        at = 0
        for syllable, after in re.findall(r"((?:\\-|[^\s\-_*|])*)(\s+|-|_|\*|\||$)", text.replace("~", "\0")):
            if syllable and at < len(notes):
                notes[at][1].lyric = syllable.replace("\\-", "-").replace("\0", " ") + ("-" if after == "-" else "")
            at += bool(syllable) + (after in ("_", "*"))
            if after == "|":
                now = notes[min(at, len(notes)) - 1][0] if at and notes else 0
                at = next((i for i, (bar, _) in enumerate(notes) if i >= at and bar > now), len(notes)) if at else at

    # ------------------------------------------------------------------------------------- tokens

    def _to_layer(self, layer: int) -> None:
        """Continue in another layer of the measure, with the ties that wait there."""
        self._ties[self._layer] = self._held
        self._layer, self._held = layer, self._ties.pop(layer, {})

    def _bar(self, text: str) -> None:
        self._altered.clear()
        if self._layer:
            self._to_layer(0)
        self._broken, self._tuplet = Fraction(1), (Fraction(1), 0)
        before, after = re.match(r"[\[.]?(:*)", text), re.search(r"(:*)\]?$", text)
        assert before is not None
        assert after is not None
        only = "|" not in text  # "::"
        back, forward = len(before[1]), bool(after[1])
        self.events.append(
            Bar(2 if only else back + 1 if back else 0, forward, "||" in text or "[|" in text or "|]" in text)
        )

    def _letter(self, found: re.Match[str]) -> tuple[int, Fraction, bool]:
        """A note's pitch, its relative length, and whether a tie continues it. Remembers it for the next tie."""
        letter = found["letter"].upper()
        octave = (found["letter"].islower()) + found["octave"].count("'") - found["octave"].count(",")
        key = (letter, octave)
        accidental = found["accidental"]
        place = (letter, octave if self.octave_only else None)
        if accidental is not None:
            self._altered[place] = _ALTERATIONS[accidental]
        held = self._held.get(key)
        altered = self._altered.get(place, self.key.altered.get(letter, 0))
        pitch = 60 + 12 * octave + _SEMITONES[letter] + altered + self.transposition.total
        tied = held is not None and (accidental is None or held == pitch)
        if tied and held is not None:
            pitch = held
        self._letters.append((letter, octave, pitch, False))
        return pitch, _ratio(found["length"]), tied

    def _chord(self, text: str, ratio: Fraction) -> None:
        found = list(_NOTE.finditer(re.sub(r'"[^"]*"|![^!]*!', "", text)))
        if not found:
            return
        self._letters = []
        notes = [self._letter(note) for note in found]
        self._letters = [(*letter[:3], bool(note["tie"])) for letter, note in zip(self._letters, found, strict=True)]
        first = notes[0][1] or Fraction(1)
        kept = self._letters
        self._group([(pitch, length / first, tied) for pitch, length, tied in notes], self.unit * first * ratio)
        self._letters = kept
        self._held = {(letter, octave): pitch for letter, octave, pitch, goes_on in kept if goes_on}

    def _group(self, notes: list[tuple[int, Fraction, bool]], quarters: Fraction) -> None:
        """Append a note, a chord or a rest."""
        self._letters = self._letters[-len(notes) :] if notes else []
        self._held = {}
        if len(notes) == 1:
            notes = [(notes[0][0], Fraction(1), notes[0][2])]
        inside = [note for note in notes if LOWEST_PITCH <= note[0] <= HIGHEST_PITCH]
        self.left_out[LeftOut.OUT_OF_RANGE] += len(notes) - len(inside)
        factor, left = self._tuplet
        if left:
            quarters *= factor
            self._tuplet = (factor, left - 1)
        group = Group(quarters * self._broken, inside, self._velocity, fermata=self._fermata)
        self._broken, self._fermata = Fraction(1), False
        self._last = group
        self.events.append(group)

    def _rests(self, count: int) -> None:
        if count > MOST_RESTS:
            raise InputError(f"a rest of {count} measures is too long", remedy="check the multi-measure rests (Z)")
        self._held = {}
        self.events.append(Rests(count))

    def _sign(self, found: re.Match[str]) -> None:
        """All tokens that take no time."""
        if found["p"] is not None:
            p = int(found["p"])
            q = int(found["q"] or 0) or _NORMAL.get(p, 3 if self.meter in _COMPOUND else 2)
            self._tuplet = (Fraction(q, p), int(found["r"] or 0) or p) if p else self._tuplet
        elif found["broken"] is not None and self._last is not None:
            short = Fraction(1, 2 ** min(len(found["broken"]), 8))
            longer, shorter = 2 - short, short
            first, second = (longer, shorter) if found["broken"][0] == ">" else (shorter, longer)
            self._last.quarters *= first
            self._broken = second
        elif found["tie"] is not None:
            self._held = {(letter, octave): pitch for letter, octave, pitch, _ in self._letters}
        elif found["grace"] is not None:
            self.left_out[LeftOut.GRACE] += len(_NOTE.findall(found["grace"]))
        elif found["quote"] is not None:
            chord = chord_symbols.of_abc([found["quote"]])
            if chord is not None:
                self.events.append(Change(chord=chord))
            elif found["quote"][:1] not in _PLACED:
                self.left_out[LeftOut.CHORD_SYMBOL] += 1
        elif found["overlay"] is not None:
            self.events.append(Overlay())
            self._last, self._altered = None, {}
            self._to_layer(self._layer + 1)
        elif found["decoration"] is not None:
            self._decoration(found["decoration"])
        elif found["old"] is not None:
            if found["old"].lower() in _DECORATIONS:
                self._decoration(found["old"])
            else:
                self._chord(found["old"], Fraction(1))  # the chords of ABC 1.6
        elif found["short"] is not None and found["short"] not in self.redefined:
            shorthand = {"S": "segno", "O": "coda", "T": "trill", "H": "fermata", ".": "staccato", "~": "roll"}
            shorthand |= {"M": "lowermordent", "P": "uppermordent"}
            self._decoration(shorthand.get(found["short"], ""))

    def _decoration(self, text: str) -> None:
        name = re.sub(r"\s+", "", text.lower())
        if name not in _DECORATIONS and _MUSIC.fullmatch(text):  # music between the line breaks of old files
            at = 0
            while at < len(text):
                _, at = self.token(text, at)
        elif name in _SIGNS:
            self.events.append(Change(sign=_SIGNS[name]))
        elif name in DYNAMICS:
            self._velocity = DYNAMICS[name]
        elif name == "staccato":
            self.left_out[LeftOut.STACCATO] += 1
        elif "fermata" in name:
            self.left_out[LeftOut.FERMATA] += 1
            self._fermata = True
        elif name.startswith(_ORNAMENTS) or name.endswith(_ORNAMENTS):
            self.left_out[LeftOut.ORNAMENT] += not name.endswith(")")


def _ratio(text: str) -> Fraction:
    """The factor of a length such as "3/2", "/" (a half), "//" (a quarter)."""
    top, *bottoms = text.split("/")
    found = Fraction(int(top)) if top else Fraction(1)
    for bottom in bottoms:
        found /= int(bottom or 2) or 1
    return found
