"""Write a Score as ABC 2.1. Read back, it has the same notes, measures, keys, tempi, lyrics and repeats.

Accidentals are written so that all readers agree, whether an accidental holds for a note, for one octave or for all.
Each tuplet says how many notes it has. Parts are voices ("V:"), and notes that overlap in a part are overlays ("&").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from ..music.keys import MAJOR_KEYS
from .abc_fields import signature
from .engraving import Spelling, Staff, Symbol, engraved, signature_changes, tuplets
from .notation import Jump, Marks, Measure, Part, Score

UNIT = Fraction(1, 2)  # quarter notes: L:1/8
MEASURES_IN_A_LINE = 4
_SIGNS = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}
_MINOR_KEYS = ("Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#")  # from seven flats


def to_bytes(score: Score) -> bytes:
    """The bytes of an ABC file with one tune."""
    first = score.parts[0].measures[0]
    lines = ["%abc-2.1", "X:1", f"T:{_line(score.title)}"]
    lines += [f"C:{_line(score.composer)}"] if score.composer else []
    lines += [f"P:{''.join(score.order)}"] if score.order else []
    lines += [f"M:{first.signature or 'none'}", "L:1/8"]
    opening = [speed for part in score.parts for at, speed in part.tempi if at == 0][:1]
    lines += [_tempo(speed, first) for speed in opening]
    several = len(score.parts) > 1
    lines += [f'V:{n} name="{_line(part.name)}"' for n, part in enumerate(score.parts, 1) if several]
    lines.append(f"K:{_key(first)}")
    for n, part in enumerate(score.parts, 1):
        lines += [f"V:{n}"] if several else []
        lines += [f"%%MIDI program {part.program}"] if part.program else []
        lines += _Writer(part, leads=n == 1).lines()
    return ("\n".join(lines) + "\n").encode()


def _line(text: str) -> str:
    """A text that ends with its line, and holds no comment or quote."""
    return " ".join(text.replace("%", "").replace('"', "'").split())


def _key(measure: Measure) -> str:
    if measure.fifths is None:
        return "none"
    return f"{_MINOR_KEYS[measure.fifths + 7]}m" if measure.minor else MAJOR_KEYS[measure.fifths + 7]


def _tempo(speed: float, measure: Measure) -> str:
    if measure.meter is not None and measure.meter.compound:
        return f"Q:3/8={speed / 1.5:.6g}"
    return f"Q:1/4={speed:.6g}"


class _Writer:
    """Writes the measures of one part."""

    def __init__(self, part: Part, *, leads: bool) -> None:
        self.part = part
        self.leads = leads  # whether the opening tempo stands in the header already
        self.staff: Staff = engraved(part)

    def lines(self) -> list[str]:
        """Lines of music, each followed by its lyrics."""
        found: list[str] = []
        measures = self.staff.measures
        changes = signature_changes(measures)
        line = ""
        syllables: list[str] = []
        for n, measure in enumerate(measures):
            after = measures[n + 1].marks if n + 1 < len(measures) else None
            fields = self._fields(measure, *changes[n], first=n == 0)
            if fields and line:
                found += _with_lyrics(line, syllables)
                line, syllables = "", []
            found += fields
            line += self._opening(measure, first=n == 0) + self._measure(measure, self.staff.layers[n])
            line += _barline(measure.marks, after)
            syllables += [_syllable(symbol) for symbol in self.staff.layers[n][0] if symbol.pitches]
            if after is None or (n + 1) % MEASURES_IN_A_LINE == 0:
                found += _with_lyrics(line, syllables)
                line, syllables = "", []
        return found

    @staticmethod
    def _fields(measure: Measure, meter: bool, key: bool, *, first: bool) -> list[str]:
        """The fields before a measure. They stand in lines of their own, which more readers know than inline fields."""
        fields = [f"P:{measure.marks.label}"] if measure.marks.label else []
        fields += [f"M:{measure.signature or 'none'}"] if meter and not first else []
        return fields + ([f"K:{_key(measure)}"] if key and not first else [])

    @staticmethod
    def _opening(measure: Measure, *, first: bool) -> str:
        """What stands between the barline and the notes."""
        text = ""
        if measure.marks.ending:
            text += f"[{','.join(map(str, measure.marks.ending))} "
        elif first and measure.marks.forward:
            text += "|:"
        text += "!segno!" if measure.marks.segno else ""
        return text + ("!coda!" if measure.marks.coda else "")

    def _measure(self, measure: Measure, layers: Sequence[Sequence[Symbol]]) -> str:
        texts = []
        sounding = max(n for n, row in enumerate(layers) if row)
        for n, row in enumerate(layers[: sounding + 1]):
            marks = list(self._marks(measure)) if n == 0 else []
            silent = [f"z{_length(measure.length / UNIT)}"]  # keeps the layers after it in their places
            texts.append(" ".join(self._row(row, measure, marks, set()) if row else silent))
        ends = "!dacoda!" if measure.marks.to_coda else ""
        ends += "!fine!" if measure.marks.fine else ""
        jump = {None: "", Jump.DA_CAPO: "!D.C.!", Jump.DAL_SEGNO: "!D.S.!"}[measure.marks.jump]
        texts[0] += ends + jump
        return " & ".join(texts)

    def _marks(self, measure: Measure) -> Iterator[tuple[Fraction, str]]:
        """Tempi and chord symbols with their positions in the measure."""
        for at, speed in self.part.tempi:
            if measure.start <= at < measure.end and not (self.leads and at == 0):
                yield at - measure.start, f"[{_tempo(speed, measure)}]"
        for at, chord in self.part.chords:
            if measure.start <= at < measure.end:
                yield at - measure.start, f'"{chord.name(measure.fifths or 0)}"'

    def _row(
        self,
        row: Sequence[Symbol],
        measure: Measure,
        marks: list[tuple[Fraction, str]],
        altered: set[str],
    ) -> Iterator[str]:
        groups = {group.start: group for group in tuplets(row)}
        for i, symbol in enumerate(row):
            text = "".join(mark for at, mark in marks if at <= symbol.at)
            marks = [mark for mark in marks if mark[0] > symbol.at]
            length = symbol.length
            if i in groups and symbol.value is not None:
                text += f"({symbol.value.actual}:{symbol.value.normal}:{len(groups[i])}"
            if symbol.value is not None:
                length *= Fraction(symbol.value.actual, symbol.value.normal)
            names = [_pitch(pitch, measure, altered) for pitch in symbol.pitches]
            tie = "-" if symbol.goes_on else ""
            content = f"[{''.join(names)}]" if len(names) > 1 else "".join(names) or "z"
            yield f"{text}{content}{_length(length / UNIT)}{tie}"
        rest = "".join(mark for _, mark in marks)
        if rest:
            yield rest


def _pitch(spelling: Spelling, measure: Measure, altered: set[str]) -> str:
    """A note's name. It has an accidental if the key does not give it, or if its letter had one in the measure."""
    letter, alter, octave = spelling
    default = signature(measure.fifths or 0).get(letter, 0)
    sign = "" if alter == default and letter not in altered else _SIGNS[alter]
    if sign:
        altered.add(letter)
    name = letter.lower() + "'" * (octave - 5) if octave >= 5 else letter + "," * (4 - octave)
    return sign + name


def _length(units: Fraction) -> str:
    if units == 1:
        return ""
    top = str(units.numerator) if units.numerator != 1 else ""
    return f"{top}/{units.denominator}" if units.denominator != 1 else top


def _barline(marks: Marks, after: Marks | None) -> str:
    """The barline after a measure."""
    back = ":" * (marks.backward - 1)
    if after is None:
        return f" {back}|]"
    forward = ":" if after.forward else ""
    double = after.section or (marks.ends_ending and not marks.backward)
    return f" {back}|{forward}" + (" " if back or forward or not double else "| ")


def _syllable(symbol: Symbol) -> str:
    if symbol.tied:
        return "_"
    return symbol.lyric.replace(" ", "~").replace("_", "") or "*"


def _with_lyrics(line: str, syllables: Sequence[str]) -> Iterator[str]:
    yield line.strip()
    if any(text not in ("*", "_") for text in syllables):
        yield "w: " + "".join(text if text.endswith("-") else f"{text} " for text in syllables).strip()
