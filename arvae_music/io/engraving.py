"""Write sounds as notation: notes, chords and rests with note values, ties and tuplets, measure by measure.

    beams(row, signature)  which notes of a layer have beams together
    engraved(part)         the Staff of a part: for each measure its layers, each a row of Symbols without gaps
    pieces(...)            a span of time as note values

A chord is notes that begin and end together. Notes that overlap otherwise stand in several layers (voices). A length
without a note value of its own is divided at beats, and the notes are tied. All lengths are exact.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import lcm

from ..music.keys import spelled
from .notation import VELOCITY, Measure, Part, Sound, joined

SMALLEST = Fraction(1, 16)  # quarter notes: a 64th
LARGEST = Fraction(8)  # a breve
MOST_IN_TUPLET = 15
_DIVISORS = (1, 2, 4, 3, 6, 8, 12, 16, 24, 48)  # of a beat: where a length may be divided


@dataclass(frozen=True)
class NoteValue:
    """A note value: `base` quarter notes with dots, `actual` of them in the time of `normal`."""

    base: Fraction
    dots: int = 0
    actual: int = 1
    normal: int = 1

    @property
    def length(self) -> Fraction:
        return self.base * (2 - Fraction(1, 2**self.dots)) * self.normal / self.actual


Spelling = tuple[str, int, int]  # letter, accidental (sharps are positive), octave


@dataclass(frozen=True)
class Symbol:
    """A note, a chord or a rest as written. Positions are quarter notes from the barline."""

    at: Fraction
    length: Fraction
    pitches: tuple[Spelling, ...] = ()  # from the lowest; a rest has none
    tied: bool = False  # to the symbol before
    goes_on: bool = False  # tied to the next symbol
    value: NoteValue | None = None  # None for a length that no note value has
    velocity: int = VELOCITY
    lyric: str = ""


@dataclass(frozen=True)
class Staff:
    """The symbols of a part: by measure, then by layer. The layers are the same in all measures, and those after the
    first are empty where they are silent."""

    measures: tuple[Measure, ...]
    layers: tuple[tuple[tuple[Symbol, ...], ...], ...]


def beams(row: Sequence[Symbol], signature: str) -> list[tuple[str, ...]]:
    """The beams of each symbol of a layer from the first (of eighths) on, in the words of MusicXML: begin, continue,
    end, forward hook, backward hook. Notes of one beat that follow each other without a rest are under one beam."""
    beat = _beat(signature)
    depths = [_flags(symbol) for symbol in row]
    found: list[tuple[str, ...]] = []
    for i, symbol in enumerate(row):
        near = [
            depths[j] if 0 <= j < len(row) and row[j].at // beat == symbol.at // beat else 0 for j in (i - 1, i + 1)
        ]
        words = []
        for level in range(1, depths[i] + 1 if any(near) else 1):
            before, after = (depth >= level for depth in near)
            hook = "backward hook" if near[0] else "forward hook"
            words.append("continue" if before and after else "end" if before else "begin" if after else hook)
        found.append(tuple(words))
    return found


def _flags(symbol: Symbol) -> int:
    """How many flags the note has without beams; 0 for a rest."""
    if symbol.value is None or not symbol.pitches:
        return 0
    return max(0, int(1 / symbol.value.base).bit_length() - 1)


def _beat(signature: str) -> Fraction:
    """The quarter notes under one beam at most: a beat, which in 6/8, 9/8 and 12/8 is a dotted quarter."""
    numerator, _, denominator = signature.partition("/")
    compound = denominator in ("8", "16") and int(numerator) % 3 == 0
    return Fraction(12, int(denominator)) if compound else Fraction(1)


@dataclass(frozen=True)
class _Chord:
    start: Fraction
    end: Fraction
    pitches: tuple[Spelling, ...]
    velocity: int


def engraved(part: Part) -> Staff:
    """The notation of a part."""
    lyrics = {lyric.start: lyric.text for lyric in part.lyrics}
    layers = _layers(_chords(joined(part.sounds), part.measures)) or [[]]
    bounds = [([chord.start for chord in chords], [chord.end for chord in chords]) for chords in layers]
    found = []
    for measure in part.measures:
        within = [
            chords[bisect_right(ends, measure.start) : bisect_left(starts, measure.end)]
            for chords, (starts, ends) in zip(layers, bounds, strict=True)
        ]
        rows = [_row(measure, chords, lyrics if n == 0 else {}) for n, chords in enumerate(within)]
        found.append(
            tuple(row if n == 0 or any(symbol.pitches for symbol in row) else () for n, row in enumerate(rows))
        )
    return Staff(part.measures, tuple(found))


def _chords(sounds: Sequence[Sound], measures: Sequence[Measure]) -> list[_Chord]:
    """The sounds as chords, by start, spelled by the key where they begin. A sound ends where the same pitch begins
    again, or with the last measure."""
    starts, end = [measure.start for measure in measures], measures[-1].end
    again: dict[int, Fraction] = {}
    cut: list[Sound] = []
    for sound in reversed(sounds):
        stop = min(sound.end, end, again.get(sound.pitch, end))
        if stop > sound.start:
            cut.append(Sound(sound.start, stop, sound.pitch, velocity=sound.velocity))
            again[sound.pitch] = sound.start
    together: dict[tuple[Fraction, Fraction], list[Sound]] = {}
    for sound in cut:
        together.setdefault((sound.start, sound.end), []).append(sound)
    chords = []
    for (start, stop), own in sorted(together.items(), key=lambda one: (one[0][0], -max(s.pitch for s in one[1]))):
        fifths = measures[max(bisect_right(starts, start) - 1, 0)].fifths or 0
        names = tuple(spelled(pitch, fifths) for pitch in sorted({s.pitch for s in own}))
        chords.append(_Chord(start, stop, names, max(s.velocity for s in own)))
    return chords


def _layers(chords: Sequence[_Chord]) -> list[list[_Chord]]:
    layers: list[list[_Chord]] = []
    for chord in chords:
        free = next((layer for layer in layers if layer[-1].end <= chord.start), None)
        if free is None:
            layers.append([chord])
        else:
            free.append(chord)
    return layers


def _row(measure: Measure, chords: Sequence[_Chord], lyrics: dict[Fraction, str]) -> tuple[Symbol, ...]:
    """The symbols of one layer in a measure, with rests between them. `chords` are those that sound in it."""
    symbols: list[Symbol] = []
    now = Fraction(0)
    beat = measure.meter.beat_quarters if measure.meter is not None else Fraction(1)
    for chord in chords:
        start, end = max(chord.start, measure.start), min(chord.end, measure.end)
        symbols += _rests(now, start - measure.start, beat)
        parts = list(pieces(start - measure.start, end - measure.start, beat))
        for n, (at, length, value) in enumerate(parts):
            first, last = n == 0, n == len(parts) - 1
            tied = not first or chord.start < measure.start
            goes_on = not last or chord.end > measure.end
            lyric = lyrics.get(chord.start, "") if not tied else ""
            symbols.append(Symbol(at, length, chord.pitches, tied, goes_on, value, chord.velocity, lyric))
        now = end - measure.start
    if not symbols and measure.length == measure.nominal:
        return (Symbol(Fraction(0), measure.length),)  # a rest of the whole measure
    symbols += _rests(now, measure.length, beat)
    return tuple(symbols)


def _rests(start: Fraction, end: Fraction, beat: Fraction) -> Iterator[Symbol]:
    return (Symbol(at, length, value=value) for at, length, value in pieces(start, end, beat))


def pieces(start: Fraction, end: Fraction, beat: Fraction) -> Iterator[tuple[Fraction, Fraction, NoteValue | None]]:
    """A span of a measure as note values: their positions, lengths and values."""
    while start < end:
        value = _value(start, end - start, beat)
        if value is not None:
            yield start, end - start, value
            return
        stop = next((at for unit in _DIVISORS if start < (at := _next(start, beat / unit)) < end), end)
        yield start, stop - start, _value(start, stop - start, beat)
        start = stop


def _next(start: Fraction, unit: Fraction) -> Fraction:
    """The first multiple of a unit after a position."""
    return (start // unit + 1) * unit


def _value(start: Fraction, length: Fraction, beat: Fraction) -> NoteValue | None:
    """The note value of a length at a position; None if it has none there."""
    odd = _odd(lcm(start.denominator, length.denominator))
    if odd == 1:
        return _plain(length, 2)
    if odd > MOST_IN_TUPLET:
        return None
    normal = 1 << (odd.bit_length() - 1)
    plain = _plain(length * odd / normal, 1)
    inside = start // beat == (start + length) // beat or ((start + length) % beat == 0 and length <= beat)
    aligned = plain is not None and plain.dots == 0 and start % length == 0  # such as quarter note triplets
    if plain is None or not (inside or aligned):
        return None
    return NoteValue(plain.base, plain.dots, odd, normal)


def _odd(number: int) -> int:
    while number % 2 == 0:
        number //= 2
    return number


def _plain(length: Fraction, most_dots: int) -> NoteValue | None:
    """The note value without a tuplet."""
    for dots in range(most_dots + 1):
        base = length / (2 - Fraction(1, 2**dots))
        if base.numerator & (base.numerator - 1) == 0 and base.denominator & (base.denominator - 1) == 0:
            return NoteValue(base, dots) if SMALLEST <= base <= LARGEST else None
    return None


def tuplets(row: Sequence[Symbol]) -> list[range]:
    """The runs of symbols that stand in one tuplet: each begins and ends where a note without one could."""
    found: list[range] = []
    start = 0
    for n, symbol in enumerate(row):
        ratio = _ratio(symbol)
        if ratio == (1, 1):
            start = n + 1
            continue
        after = _ratio(row[n + 1]) if n + 1 < len(row) else (1, 1)
        length = sum((one.length for one in row[start : n + 1]), Fraction(0))
        if after != ratio or length.denominator % ratio[0] != 0:
            found.append(range(start, n + 1))
            start = n + 1
    return found


def _ratio(symbol: Symbol) -> tuple[int, int]:
    return (symbol.value.actual, symbol.value.normal) if symbol.value is not None else (1, 1)


def signature_changes(measures: Sequence[Measure]) -> list[tuple[bool, bool]]:
    """For each measure, whether a time signature and a key signature are written."""
    first = [(True, True)] if measures else []
    later = [
        (two.signature != one.signature, (two.fifths, two.minor) != (one.fifths, one.minor))
        for one, two in pairwise(measures)
    ]
    return [*first, *later]
