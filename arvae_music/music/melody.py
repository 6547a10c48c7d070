"""A melody as a series of measures. The edit engine reads a `Melody` and returns another one.

    melody.bars          its measures: `Bar`s with tokens (tokens.py), or with the reason why a measure has none
    melody.notes         its notes at sounding pitch
    melody.with_rows     the same melody with new tokens in some measures

A `Melody` is independent of files. `io.midi.Song` reads one from a MIDI file and writes changed measures back into that
file. `io.scores` reads one from ABC, MusicXML or kern, which it converts to MIDI first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..arrays import Mask, Row, Rows
from .meter import Meter
from .reasons import Reason
from .tokens import TokenNote, notes_of, onsets

if TYPE_CHECKING:
    from .harmony import BarHarmony


@dataclass(frozen=True, repr=False)
class Bar:
    """One measure. A measure that cannot be edited has None for its tokens, and a `reason`.

    Raises ValueError for tokens without a meter, tokens of another length, or a measure with both tokens and reason.
    """

    number: int  # the first full measure is 1; a pickup is 0
    signature: str  # the time signature in the file: "2/2" for a `meter` named "4/4"
    start: int  # its barline, in ticks of the file
    end: int  # the next barline, in ticks of the file
    meter: Meter | None = None
    tokens: Row | None = None
    reason: Reason | None = None
    beat: int | None = None  # the beat, from 1, where the reason applies, if it is only one
    harmony: BarHarmony | None = None  # its chords and accompaniment; None where nothing is known of them
    fifths: int | None = None  # its key signature, if it is not the melody's
    closing: Mask | None = None  # (t,) the last notes of phrases, where a score marks them; None without a mark
    crossed: Mask | None = None  # (t, 128) MIDI pitches at which the melody would meet or cross another voice

    def __post_init__(self) -> None:
        if (self.tokens is None) != (self.reason is not None):
            raise ValueError("a bar has either tokens or a reason for having none")
        if self.tokens is not None and (self.meter is None or self.tokens.shape != (self.meter.ticks,)):
            raise ValueError(f"tokens of bar {self.number} do not fit its meter")

    @property
    def quarters(self) -> Fraction:
        """The length of the measure in quarter notes, by its time signature."""
        if self.meter is not None:
            return self.meter.quarters
        numerator, _, denominator = self.signature.partition("/")
        return Fraction(4 * int(numerator), int(denominator))

    @property
    def why(self) -> str | None:
        """The reason with its details: "off-grid rhythm at beat 3", "unsupported meter 7/8"."""
        if self.reason is None:
            return None
        detail = f" at beat {self.beat}" if self.beat is not None else ""
        return f"{self.reason}{f' {self.signature}' if self.reason is Reason.UNSUPPORTED else detail}"

    def __repr__(self) -> str:
        content = self.reason if self.tokens is None else f"{int(onsets(self.tokens).sum())} notes start"
        return f"<Bar {self.number}, {self.signature}: {content}>"


@dataclass(frozen=True, repr=False)
class Melody:
    """Consecutive measures of one voice. `keys.choose_shift` explains `shift` and `fifths`.

    All tokens have one `shift`, by which the melody's key becomes C/a. Measures in another key say so (`key_at`).
    """

    name: str
    bars: tuple[Bar, ...]
    shift: int  # semitones: normalised pitch = sounding pitch + shift
    fifths: int  # the key signature: sharps are positive, flats negative
    key_origin: str = "key signature"  # or "estimated", or "estimated against the key signature C"
    picture: ClassVar[Callable[[Melody], str] | None] = None  # the library's, which stands above this package

    def __repr__(self) -> str:
        return f"<Melody {self.name!r}: {len(self.bars)} measures, {len(self.notes)} notes>"

    @property
    def rows(self) -> list[Row | None]:
        """The tokens of every measure, or None for a measure that has none."""
        return [bar.tokens for bar in self.bars]

    @property
    def notes(self) -> list[TokenNote]:
        """The notes of all measures that have tokens, at sounding pitch."""
        return notes_of(self.rows, self.shift)

    @property
    def editable(self) -> list[int]:
        """Indices into `bars` of the measures that have tokens."""
        return [i for i, bar in enumerate(self.bars) if bar.tokens is not None]

    def key_at(self, i: int) -> int:
        """The key signature of the measure with index i in `bars`: sharps are positive, flats negative."""
        own = self.bars[i].fifths
        return self.fifths if own is None else own

    def relative_key(self, i: int) -> int:
        """The same in fifths from the melody's key: 0 where the normalised measure is in C/a."""
        return self.key_at(i) - self.fifths

    @property
    def chords(self) -> list[str | None]:
        """The chords of every measure, such as "C G7"; None where none is known."""
        harmonies = [bar.harmony if bar.harmony is not None and bar.harmony.known else None for bar in self.bars]
        return [None if own is None else own.text(self.key_at(i)) for i, own in enumerate(harmonies)]

    def by_meter(self, at: Iterable[int] | None = None) -> list[tuple[Meter, list[int], Rows]]:
        """The measures that have tokens, or those of them whose indices are `at`, together by their meter: the meter,
        the indices (m,) and the tokens (m, ticks)."""
        found: dict[Meter, list[int]] = {}
        for i in self.editable if at is None else at:
            meter = self.bars[i].meter
            if meter is not None and self.bars[i].tokens is not None:
                found.setdefault(meter, []).append(i)
        tokens = self.rows
        rows = {meter: [row for i in here if (row := tokens[i]) is not None] for meter, here in found.items()}
        return [(meter, here, np.stack(rows[meter])) for meter, here in found.items()]

    def _repr_html_(self) -> str | None:
        """A piano roll in a notebook."""
        return Melody.picture(self) if Melody.picture else None

    def with_rows(self, changed: Mapping[int, Row]) -> Melody:
        """The same melody with new tokens in some bars, which are named by their index in `bars`.

        Raises ValueError for a bar that has no tokens now.
        """
        bars = list(self.bars)
        for i, row in changed.items():
            if bars[i].tokens is None:
                raise ValueError(f"bar {bars[i].number} has no tokens ({bars[i].why}) and cannot be changed")
            bars[i] = replace(bars[i], tokens=row)
        return replace(self, bars=tuple(bars))
