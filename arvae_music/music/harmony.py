"""The harmony of a measure: its chords, and the notes of other tracks that sound while the melody plays.

    bar.harmony.chords                  ((Fraction(0), Chord C), (Fraction(2), Chord G7))
    bar.harmony.text(fifths)            "C G7"
    bar.harmony.tones                   (t, 12) how certainly each pitch class is a chord tone at each tick
    bar.harmony.sounding                (t, 12) the pitch classes of the accompaniment at each tick

`chart` reads chords that a user writes, `chord_reading` finds them in the notes of other tracks, and the readers of
scores take them from chord symbols. Pitch classes are those that sound: 0 is C. `normalised` transposes them as the
melody's tokens are. Where no chord is known, every pitch class counts as a chord tone, so that nothing is forbidden.

Shapes: t ticks of a measure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction

import numpy as np

from ..arrays import Float32s, Mask
from .chords import Chord
from .keys import OCTAVE
from .meter import TICKS_PER_BEAT, Meter

ChordAt = tuple[Fraction, Chord | None]  # quarter notes after the barline; None where the chord is not known


class Origin(Enum):
    """Where chords come from. The values are for reports."""

    TRACKS = "the other tracks"
    SYMBOLS = "the chord symbols"
    GIVEN = "the given chart"


@dataclass(frozen=True, eq=False)
class BarHarmony:
    """The harmony of one measure."""

    chords: tuple[ChordAt, ...]  # in order; the first begins at the barline
    tones: Float32s  # (t, 12) how certainly each pitch class is a chord tone, 0 to 1; 1 where no chord is known
    sounding: Mask  # (t, 12) the pitch classes of the accompaniment
    origin: Origin

    @property
    def chord_tones(self) -> Mask:
        """(t, 12) which pitch classes are more likely chord tones than not."""
        likely: Mask = self.tones >= 0.5
        return likely

    @property
    def known(self) -> bool:
        """Whether any chord of the measure is known."""
        return any(chord is not None for _, chord in self.chords)

    @property
    def clashes(self) -> Mask:
        """(t, 12) which pitch classes lie a semitone from a note of the accompaniment, without doubling another one."""
        beside = np.roll(self.sounding, 1, axis=1) | np.roll(self.sounding, -1, axis=1)
        clashing: Mask = beside & ~self.sounding
        return clashing

    def normalised(self, shift: int) -> BarHarmony:
        """The same in the pitch classes of the tokens of a melody with this `shift`."""
        chords = tuple((at, None if chord is None else chord.transposed(shift)) for at, chord in self.chords)
        tones, sounding = np.roll(self.tones, shift, axis=1), np.roll(self.sounding, shift, axis=1)
        return BarHarmony(chords, tones, sounding, self.origin)

    def text(self, fifths: int = 0) -> str:
        """The chords as a text, such as `C G7`; `?` is a chord that is not known. The same chord is named once."""
        names = ["?" if chord is None else chord.name(fifths) for _, chord in self.chords]
        return " ".join(name for i, name in enumerate(names) if i == 0 or name != names[i - 1])

    def with_chords(self, other: BarHarmony) -> BarHarmony:
        """The chords of another harmony of this measure, over the notes that sound in this one."""
        return replace(other, sounding=self.sounding)


def of_chords(chords: Sequence[ChordAt], meter: Meter, origin: Origin) -> BarHarmony:
    """The harmony of a measure with known chords, without an accompaniment. `chords` begin at the barline."""
    at_tick = spread(chords, meter)
    tones = np.stack([_tones(chord) for chord in at_tick])
    return BarHarmony(tuple(chords), tones, np.zeros((meter.ticks, OCTAVE), dtype=np.bool_), origin)


def spread(chords: Iterable[ChordAt], meter: Meter) -> list[Chord | None]:
    """The chord of every tick."""
    found: list[Chord | None] = [None] * meter.ticks
    for position, chord in chords:
        for tick, quarters in enumerate(meter.tick_quarters[:-1]):
            if quarters >= position:
                found[tick] = chord
    return found


def _tones(chord: Chord | None) -> Float32s:
    """(12,) the chord tones. Without a chord, all pitch classes are as good."""
    if chord is None or not chord.classes:
        return np.ones(OCTAVE, dtype=np.float32)
    return np.isin(np.arange(OCTAVE), sorted(chord.classes)).astype(np.float32)


def beats_of(meter: Meter) -> tuple[Fraction, ...]:
    """The positions of a meter's beats, in quarter notes after the barline."""
    return meter.tick_quarters[:-1:TICKS_PER_BEAT]
