"""What a corpus consists of: facts for people, a listing of works, and a pure function from work to tune.

A corpus is one module with the same slots (after mirdata): NAME, DESCRIPTION, SOURCE, LICENCE, BIBTEX,
`works()` and `extract(work)`. `Corpus` holds them; `build` runs `extract` over the works in parallel
processes, so that it must be a plain function of its work, and a work small and picklable.

    Work        what is read at a time: a file, or one tune of a file of many
    Tune        a melody: its measures that fit the grid, with the shift they are normalised by
    Extracted   the tune of a work and the measures that were left out of it, counted by reason; or the
                reason why the whole work is rejected
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..arrays import Row
from ..music.meter import Meter


@dataclass(frozen=True)
class Work:
    path: Path
    id: str  # unique in the corpus, and the same on every machine: the split hangs on it
    tune: int | None = None  # which tune of the file, from 0; None: the file is one work


@dataclass(frozen=True)
class Bar:
    """One measure that fits the grid: `tokens` (meter.ticks,)."""

    number: int  # as printed in the score; of an unnumbered tune, counted from 1 (0: a pickup)
    meter: Meter
    tokens: Row


@dataclass(frozen=True)
class Tune:
    id: str
    title: str
    source: str  # file name
    shift: int  # semitones: token pitch = sounding pitch + shift
    fifths: int  # key signature that it is normalised by, sharps positive
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Extracted:
    tune: Tune | None = None
    skips: Mapping[str, int] = field(default_factory=dict)
    rejected: str | None = None

    def __post_init__(self) -> None:
        if (self.tune is None) == (self.rejected is None):
            raise ValueError("a work has either a tune or a reason for having none")


@dataclass(frozen=True)
class Corpus:
    name: str
    description: str
    source: str  # where the scores come from, for people
    licence: str
    bibtex: str
    works: Callable[[], Sequence[Work]]
    extract: Callable[[Work], Extracted]
