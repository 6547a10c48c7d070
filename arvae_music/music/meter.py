"""Meters and the tick grid. A measure is a row of ticks, and every beat has six of them.

In a simple meter (x/4, x/2, cut time) a beat is a quarter note. Its ticks lie at 0, 1/4, 1/3, 1/2, 2/3 and 3/4
of the beat, so sixteenths and triplets are both on the grid. In a compound meter (3/8, 6/8, 9/8, 12/8) a beat is
a dotted quarter note. Its ticks divide it into six equal parts, which are sixteenths.

    4/4, cut time, 12/8    24 ticks; for 4/4 this is the grid of Pati & Lerch (2020, arXiv:2004.05485)
    3/4, 9/8               18 ticks
    2/4, 6/8               12 ticks

Positions and lengths in time are exact `Fraction`s of a quarter note. Floats cannot represent a third of a beat,
so a triplet computed with floats would miss its own tick.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

TICKS_PER_BEAT = 6
SIMPLE_TICKS = tuple(Fraction(n, 12) for n in (0, 3, 4, 6, 8, 9))  # positions as fractions of a beat
COMPOUND_TICKS = tuple(Fraction(n, 6) for n in range(6))  # positions as fractions of a beat
MAX_SIMPLE_BEATS = 6  # 6/4 and 3/2; no corpus that we know has melodies in longer measures
MAX_COMPOUND_BEATS = 4  # 12/8
MAX_BEATS = max(MAX_SIMPLE_BEATS, MAX_COMPOUND_BEATS)
CODES = 2 * (MAX_BEATS + 1)  # every Meter.code is smaller than this
MAX_TICKS = MAX_BEATS * TICKS_PER_BEAT


@dataclass(frozen=True, order=True)
class Meter:
    """How many beats a measure has, and whether a beat divides into two (simple) or three (compound).

    4/4 and 2/2 are the same `Meter`, because their grids are the same; so are 6/4 and 3/2. Raises ValueError for
    a number of beats that the grid does not support.
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
        """The meter of a time signature, or None if the grid does not support it (5/8, 7/8, 4/1)."""
        if denominator == 8 and numerator % 3 == 0 and 1 <= numerator // 3 <= MAX_COMPOUND_BEATS:
            return cls(numerator // 3, compound=True)
        quarters = {4: numerator, 2: 2 * numerator}.get(denominator, 0)
        return cls(quarters) if 1 <= quarters <= MAX_SIMPLE_BEATS else None

    @classmethod
    def parse(cls, text: str) -> Meter:
        """The meter of a text such as "3/4". Raises ValueError if the grid does not support it."""
        numerator, _, denominator = text.partition("/")
        if numerator.isdecimal() and denominator.isdecimal():
            meter = cls.from_signature(int(numerator), int(denominator))
            if meter is not None:
                return meter
        raise ValueError(f"unsupported meter {text!r}")

    @classmethod
    def from_code(cls, code: int) -> Meter:
        """The inverse of `code`. Raises ValueError for a number that is no meter's code."""
        return cls(code // 2, bool(code % 2))

    @property
    def code(self) -> int:
        """The integer that stands for the meter in arrays."""
        return 2 * self.beats + int(self.compound)

    @property
    def name(self) -> str:
        """The time signature in quarters or eighths: "4/4" for 2/2 too."""
        return f"{3 * self.beats}/8" if self.compound else f"{self.beats}/4"

    @property
    def ticks(self) -> int:
        """The number of ticks in a measure."""
        return self.beats * TICKS_PER_BEAT

    @property
    def beat_quarters(self) -> Fraction:
        """The length of one beat in quarter notes."""
        return Fraction(3, 2) if self.compound else Fraction(1)

    @property
    def quarters(self) -> Fraction:
        """The length of the measure in quarter notes."""
        return self.beats * self.beat_quarters

    @cached_property
    def tick_quarters(self) -> tuple[Fraction, ...]:
        """The position of every tick, in quarter notes after the barline.

        The last of the `ticks` + 1 positions is the next barline.
        """
        grid = COMPOUND_TICKS if self.compound else SIMPLE_TICKS
        beat = self.beat_quarters
        positions = [(b + tick) * beat for b in range(self.beats) for tick in grid]
        return (*positions, self.quarters)

    @cached_property
    def tick_at(self) -> dict[Fraction, int]:
        """The tick at each position: the inverse of `tick_quarters`, with the next barline as the last."""
        return {position: tick for tick, position in enumerate(self.tick_quarters)}


@lru_cache(maxsize=1)
def all_meters() -> tuple[Meter, ...]:
    """Every meter that the grid supports, simple meters first."""
    simple = [Meter(beats) for beats in range(1, MAX_SIMPLE_BEATS + 1)]
    return (*simple, *(Meter(beats, compound=True) for beats in range(1, MAX_COMPOUND_BEATS + 1)))
