"""Meters and the tick grid. A measure is a row of ticks, and every beat has six of them.

In a simple meter a beat is a quarter note. Its ticks lie at 0, 1/4, 1/3, 1/2, 2/3 and 3/4 of the beat, so sixteenths
and triplets are both on the grid. In a compound meter (3/8, 6/8, 9/8, ...) a beat is a dotted quarter note. Its ticks
divide it into six equal parts, which are sixteenths.

    4/4, cut time, 8/8, 12/8    24 ticks; for 4/4 this is the grid of Pati & Lerch (2020, arXiv:2004.05485)
    3/4, 9/8                    18 ticks
    2/4, 4/8, 6/8               12 ticks

The value of a time signature decides, not its spelling: 4/8 is the `Meter` of 2/4, and 4/2 is that of 8/4. A measure
that is not a whole number of quarter notes has shorter beats: 5/8 and 7/8 have beats of an eighth, 3/16, 6/16, 9/16 and
12/16 have beats of a dotted eighth, and 5/16 has beats of a sixteenth. Such a meter has the grid of a meter with
ordinary beats, its `form`, at twice or four times the speed: the form of 7/8 is 7/4, and that of 12/16 is 12/8.

Positions and lengths in time are exact `Fraction`s of a quarter note. Floats cannot represent a third of a beat,
so a triplet computed with floats would miss its own tick.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

TICKS_PER_BEAT = 6
SIMPLE_TICKS = tuple(Fraction(n, 12) for n in (0, 3, 4, 6, 8, 9))  # positions as fractions of a beat
COMPOUND_TICKS = tuple(Fraction(n, 6) for n in range(6))  # positions as fractions of a beat
MAX_SIMPLE_BEATS = 16  # 4/1 and 16/4
MAX_COMPOUND_BEATS = 8  # 24/8 and 24/16
MAX_BEATS = max(MAX_SIMPLE_BEATS, MAX_COMPOUND_BEATS)
MAX_TICKS = MAX_BEATS * TICKS_PER_BEAT
SHORT_BEATS = (1, 5, 7, 11, 13)  # numbers of eighths or sixteenths that no longer beat divides
MAX_HALVED = (2, 1)  # how often the beat of a simple and of a compound meter may be halved
LARGEST_DENOMINATOR = 32
# The first codes belong to the meters of the oldest models and corpora, whose numbers stay valid.
FIRST_CODES = 14
FIRST_BEATS = 6  # their most beats
_FIRST = (FIRST_BEATS, 4)  # the most beats of their simple and of their compound meters


@dataclass(frozen=True, order=True)
class Meter:
    """How many beats a measure has, whether a beat divides into two (simple) or three (compound), and how long it is.

    `halved` is how often the ordinary beat, a quarter or a dotted quarter, is halved: 1 for beats of an eighth (7/8) or
    a dotted eighth (6/16), 2 for beats of a sixteenth (5/16). Two time signatures with the same grid are the same
    `Meter`, such as 4/4 and 2/2. Raises ValueError for beats that the grid does not support.
    """

    beats: int
    compound: bool = False
    halved: int = 0

    def __post_init__(self) -> None:
        limit = MAX_COMPOUND_BEATS if self.compound else MAX_SIMPLE_BEATS
        if not 1 <= self.beats <= limit:
            kind = "compound" if self.compound else "simple"
            raise ValueError(f"a {kind} meter has 1 to {limit} beats, not {self.beats}")
        if not 0 <= self.halved <= MAX_HALVED[self.compound]:
            raise ValueError(f"its beats are halved 0 to {MAX_HALVED[self.compound]} times, not {self.halved}")
        if self.halved and not self.compound and self.beats not in SHORT_BEATS:
            raise ValueError(f"a meter of {self.beats} short beats is not one of {', '.join(map(str, SHORT_BEATS))}")

    @classmethod
    def from_signature(cls, numerator: int, denominator: int) -> Meter | None:
        """The meter of a time signature, or None if the grid does not support it (17/16, 9/32)."""
        if numerator < 1 or denominator < 1 or denominator & (denominator - 1) or denominator > LARGEST_DENOMINATOR:
            return None
        compound = denominator >= 8 and numerator % 3 == 0
        if compound:
            beats, halved = numerator // 3, denominator.bit_length() - 4
        else:
            while denominator > 4 and numerator % 2 == 0:
                numerator, denominator = numerator // 2, denominator // 2
            beats, halved = numerator * max(4 // denominator, 1), max(denominator.bit_length() - 3, 0)
        try:
            return cls(beats, compound, halved)
        except ValueError:
            return None

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
        try:
            return _meters()[code]
        except KeyError:
            raise ValueError(f"no meter has the code {code}") from None

    @property
    def code(self) -> int:
        """The integer that stands for the meter in arrays."""
        return _codes()[self]

    @property
    def name(self) -> str:
        """The time signature with its beat as the denominator: "4/4" for 2/2 and 8/8 too, "7/8", "12/16"."""
        denominator = (8 if self.compound else 4) << self.halved
        return f"{3 * self.beats if self.compound else self.beats}/{denominator}"

    @property
    def form(self) -> Meter:
        """The meter of as many ordinary beats, which has the same grid at another speed: 7/4 for 7/8."""
        return Meter(self.beats, self.compound)

    @property
    def ticks(self) -> int:
        """The number of ticks in a measure."""
        return self.beats * TICKS_PER_BEAT

    @property
    def beat_quarters(self) -> Fraction:
        """The length of one beat in quarter notes."""
        return Fraction(3 if self.compound else 2, 2 << self.halved)

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
    """Every meter that the grid supports: simple meters first, ordinary beats before shorter ones."""
    ordinary = [Meter(beats) for beats in range(1, MAX_SIMPLE_BEATS + 1)]
    short = [Meter(beats, False, halved) for halved in range(1, MAX_HALVED[0] + 1) for beats in SHORT_BEATS]
    compound = [
        Meter(beats, True, halved) for halved in range(MAX_HALVED[1] + 1) for beats in range(1, MAX_COMPOUND_BEATS + 1)
    ]
    return (*ordinary, *short, *compound)


@lru_cache(maxsize=1)
def _codes() -> dict[Meter, int]:
    """The code of every meter. Those beyond the first ones are numbered by their beats, so that common meters have
    small codes: a network's tables are as long as the largest code that it was trained on."""
    first = [m for m in all_meters() if not m.halved and m.beats <= _FIRST[m.compound]]
    further = sorted(set(all_meters()) - set(first), key=lambda meter: (meter.beats, meter.halved, meter.compound))
    return {meter: 2 * meter.beats + int(meter.compound) for meter in first} | {
        meter: FIRST_CODES + i for i, meter in enumerate(further)
    }


@lru_cache(maxsize=1)
def _meters() -> dict[int, Meter]:
    return {code: meter for meter, code in _codes().items()}


CODES = FIRST_CODES + len(all_meters()) - sum(_FIRST)  # every Meter.code is smaller than this


def table_sizes(meters: Iterable[Meter], codes: int, beats: int) -> tuple[int, int]:
    """One more than the largest code of the meters, and their most beats; at least `codes` and `beats`."""
    known = list(meters)
    return max([codes, *(one.code + 1 for one in known)]), max([beats, *(one.beats for one in known)])
