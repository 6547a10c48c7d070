"""Meters and the tick grid: a measure is a row of ticks, six to the beat.

A simple beat (x/4, x/2, C, cut time) is a quarter note, with ticks at 0, 1/4, 1/3, 1/2, 2/3 and 3/4 of it, so
that sixteenths and triplets both lie on the grid. A compound beat (6/8, 9/8, 12/8) is a dotted quarter,
with ticks at every sixth, so that its eighths and sixteenths do. 4/4 and cut time have 4 beats = 24
ticks, which is the grid of Pati & Lerch (2020) and of Hadjeres et al.'s measure encoding; 3/4 has 18,
2/4 and 6/8 have 12, 9/8 has 18.

All positions are exact `Fraction`s of quarter notes: floats would put a triplet off its own grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

TICKS_PER_BEAT = 6
SIMPLE_TICKS = tuple(Fraction(n, 12) for n in (0, 3, 4, 6, 8, 9))  # of a beat
COMPOUND_TICKS = tuple(Fraction(n, 6) for n in range(6))  # of a beat
MAX_SIMPLE_BEATS = 6  # 6/4 and 3/2: longer measures are not melody measures in any corpus we know
MAX_COMPOUND_BEATS = 4  # 12/8
MAX_BEATS = max(MAX_SIMPLE_BEATS, MAX_COMPOUND_BEATS)
CODES = 2 * (MAX_BEATS + 1)  # Meter.code lies below this
MAX_TICKS = MAX_BEATS * TICKS_PER_BEAT


@dataclass(frozen=True, order=True)
class Meter:
    """How many beats a measure has, and whether a beat divides into two (simple) or three (compound).

    `code` is the integer that stands for the meter in arrays; `Meter.from_code` undoes it.
    """

    beats: int
    compound: bool = False

    def __post_init__(self) -> None:
        limit = MAX_COMPOUND_BEATS if self.compound else MAX_SIMPLE_BEATS
        if not 1 <= self.beats <= limit:
            kind = "compound" if self.compound else "simple"
            raise ValueError(f"a {kind} meter has 1 to {limit} beats, not {self.beats}")

    @classmethod
    def from_signature(cls, numerator: int, denominator: int) -> Meter | None:
        """The meter of a time signature; None where the grid has no place for it (5/8, 7/8, 4/1)."""
        if denominator == 8 and numerator % 3 == 0 and 1 <= numerator // 3 <= MAX_COMPOUND_BEATS:
            return cls(numerator // 3, compound=True)
        quarters = {4: numerator, 2: 2 * numerator}.get(denominator, 0)
        return cls(quarters) if 1 <= quarters <= MAX_SIMPLE_BEATS else None

    @classmethod
    def parse(cls, text: str) -> Meter:
        """The meter that `name` spells. Raises ValueError for one the grid has no place for."""
        numerator, _, denominator = text.partition("/")
        if numerator.isdecimal() and denominator.isdecimal():
            meter = cls.from_signature(int(numerator), int(denominator))
            if meter is not None:
                return meter
        raise ValueError(f"unsupported meter {text!r}")

    @classmethod
    def from_code(cls, code: int) -> Meter:
        return cls(code // 2, bool(code % 2))

    @property
    def code(self) -> int:
        return 2 * self.beats + int(self.compound)

    @property
    def name(self) -> str:
        return f"{3 * self.beats}/8" if self.compound else f"{self.beats}/4"

    @property
    def ticks(self) -> int:
        return self.beats * TICKS_PER_BEAT

    @property
    def beat_quarters(self) -> Fraction:
        """The length of a beat in quarter notes."""
        return Fraction(3, 2) if self.compound else Fraction(1)

    @property
    def quarters(self) -> Fraction:
        """The length of the measure in quarter notes."""
        return self.beats * self.beat_quarters

    @cached_property
    def tick_quarters(self) -> tuple[Fraction, ...]:
        """The place of every tick in quarter notes from the barline, and of the next barline: ticks + 1."""
        grid = COMPOUND_TICKS if self.compound else SIMPLE_TICKS
        beat = self.beat_quarters
        places = [(b + tick) * beat for b in range(self.beats) for tick in grid]
        return (*places, self.quarters)

    @cached_property
    def tick_at(self) -> dict[Fraction, int]:
        """From a place in quarter notes to its tick: the inverse of `tick_quarters`, barline included."""
        return {place: tick for tick, place in enumerate(self.tick_quarters)}


@lru_cache(maxsize=1)
def all_meters() -> tuple[Meter, ...]:
    """Every meter that the grid has a place for."""
    simple = [Meter(beats) for beats in range(1, MAX_SIMPLE_BEATS + 1)]
    return (*simple, *(Meter(beats, compound=True) for beats in range(1, MAX_COMPOUND_BEATS + 1)))
