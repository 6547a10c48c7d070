"""A melody as measures: what the edit engine reads and what it gives back.

A `Melody` knows nothing of files. `midi.Song` makes one from a MIDI file and writes changed rows back into it;
`scores` makes one from ABC, MusicXML and kern by way of MIDI.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from ..arrays import Row
from .meter import Meter
from .tokens import TokenNote, notes_of


@dataclass(frozen=True)
class Bar:
    """One measure. `tokens` is None where the measure passes through untouched, and `reason` says why."""

    number: int  # as people count: 1 is the first full measure, 0 a pickup
    signature: str  # as written in the file, "2/2" for a `meter` named "4/4"
    start: int  # file ticks
    end: int  # file ticks, of the next barline
    meter: Meter | None = None
    tokens: Row | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.tokens is None) != (self.reason is not None):
            raise ValueError("a bar has either tokens or a reason for having none")
        if self.tokens is not None and (self.meter is None or self.tokens.shape != (self.meter.ticks,)):
            raise ValueError(f"tokens of bar {self.number} do not fit its meter")


@dataclass(frozen=True)
class Melody:
    """Consecutive measures of one voice; `shift` and `fifths` as in `tokens.choose_shift`."""

    name: str
    bars: tuple[Bar, ...]
    shift: int  # semitones: token pitch = sounding pitch + shift
    fifths: int  # key signature it is normalised by, sharps positive
    key_origin: str = "key signature"  # or "estimated", or "estimated against the key signature C"
    picture: ClassVar[Callable[[Melody], str] | None] = None  # the library's, which stands above this package

    @property
    def rows(self) -> list[Row | None]:
        return [bar.tokens for bar in self.bars]

    @property
    def notes(self) -> list[TokenNote]:
        return notes_of(self.rows, self.shift)

    @property
    def editable(self) -> list[int]:
        """Indices into `bars` of the measures that have tokens."""
        return [i for i, bar in enumerate(self.bars) if bar.tokens is not None]

    def __repr__(self) -> str:
        return f"<Melody {self.name!r}: {len(self.bars)} measures, {len(self.notes)} notes>"

    def _repr_html_(self) -> str | None:
        """A piano roll in a notebook."""
        return Melody.picture(self) if Melody.picture else None

    def with_rows(self, changed: Mapping[int, Row]) -> Melody:
        """The same melody with other tokens in some bars (by index)."""
        bars = list(self.bars)
        for i, row in changed.items():
            if bars[i].tokens is None:
                raise ValueError(f"bar {bars[i].number} passes through and cannot be changed")
            bars[i] = replace(bars[i], tokens=row)
        return replace(self, bars=tuple(bars))
