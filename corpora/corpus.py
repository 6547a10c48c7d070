"""The parts of a corpus: its description, a list of works, and a pure function from a work to a tune.

Each corpus is a module with the same names (as in mirdata): NAME, DESCRIPTION, SOURCE, LICENCE, BIBTEX, `works()` and
`extract(work)`. `Corpus` holds them. `build` calls `extract` in parallel processes, so it must depend only on the work,
and a work must be small and picklable.

    Work        a file, or one tune of a file with many tunes
    Tune        a melody: all its measures in order, and its transposition
    Extracted   the tune of a work and the number of measures that were left out, by reason; or the reason why the
                whole work is rejected
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from ..arrays import Row
from ..music.meter import Meter
from ..system.extras import need


def music21_folder() -> Path:
    """The folder of the scores that music21 contains. Raises ExtraError without music21."""
    need("train", "a built-in corpus", "music21")
    from music21.common import getCorpusFilePath

    return Path(getCorpusFilePath())


@dataclass(frozen=True)
class Work:
    path: Path
    id: str  # unique in the corpus, and the same on every machine, because the split depends on it
    tune: int | None = None  # which tune of the file, from 0; None: the file is one work


@dataclass(frozen=True)
class Bar:
    """One measure of a tune. `tokens` (meter.ticks,) is None if the grid cannot hold the measure.

    A measure is an example of training unless `left_out` says why not. An upbeat and a short last measure are left out,
    but have tokens: silence fills the rest of them.
    """

    number: int  # as printed in the score; of an unnumbered tune, counted from 1 (0: a pickup)
    meter: Meter | None
    tokens: Row | None
    left_out: str = ""
    phrase_ends: tuple[int, ...] = ()  # ticks where the last notes of phrases begin


@dataclass(frozen=True)
class Tune:
    """A melody. `bars` are all measures in order, also those that the grid cannot hold."""

    id: str
    title: str
    source: str  # file name
    shift: int  # semitones: token pitch = sounding pitch + shift
    fifths: int  # key signature from which it was transposed to C major or A minor, sharps positive
    bars: tuple[Bar, ...]
    minor: bool = False  # whether it is in A minor after the transposition, rather than in C major
    phrased: bool = False  # whether the source marks the ends of phrases

    @property
    def examples(self) -> tuple[Bar, ...]:
        """The measures that are examples of training."""
        return tuple(bar for bar in self.bars if not bar.left_out)


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
    source: str  # where the scores come from, as text for people
    licence: str
    bibtex: str
    works: Callable[[], Sequence[Work]]
    extract: Callable[[Work], Extracted]


class Progress(NamedTuple):
    """The progress of a build: works or digits done, their total, and the measures found (0 for digits)."""

    done: int
    total: int
    measures: int = 0


def hashed(content: bytes) -> int:
    """The number of a piece in arrays: 63 bits of a hash of its id or pixels, the same on every machine."""
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big") >> 1
