"""Real measures with the same attribute values as given ones, for a fair comparison.

A measure of few notes is easily told from one of many, edited or not. So every edited measure is compared with a real
one of the same meter that has the same number of notes, range and contour, and as many onsets on and between the beats,
each in the middle of its own two neighbours. Every real measure is used once.

    is_inner(melody, at)          whether a measure has two readable neighbours of its own meter
    triple(melody, at, ...)       such a measure with its neighbours
    Pool.of(...).match(triples)   a real triple for each; None where the corpus has none
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from arvae_music.music.attributes import SEMITONES, contour, pitch_range
from arvae_music.music.melody import Melody
from arvae_music.music.meter import TICKS_PER_BEAT, Meter
from arvae_music.music.tokens import onsets

Row = npt.NDArray[np.int16]
Key = tuple[int, ...]


class Triple(NamedTuple):
    """A measure between its two neighbours. `tune` is the number of its tune, `cluster` that of its near equals."""

    before: Row
    row: Row
    after: Row
    meter: Meter
    tune: int
    cluster: int


def is_inner(melody: Melody, at: int) -> bool:
    """Whether the measure `at` and its two neighbours are readable measures of one meter, and no upbeat."""
    if not 0 < at < len(melody.bars) - 1:
        return False
    three = melody.bars[at - 1 : at + 2]
    same = all(bar.tokens is not None and bar.meter == three[1].meter for bar in three)
    return same and three[0].number != 0  # the silence of an upbeat is no music to compare with


def triple(melody: Melody, at: int, tune: int, cluster: int) -> Triple:
    """The measure `at` with its neighbours. `is_inner` must hold."""
    before, row, after = (bar.tokens for bar in melody.bars[at - 1 : at + 2])
    meter = melody.bars[at].meter
    assert before is not None and row is not None and after is not None and meter is not None  # noqa: PT018
    return Triple(before, row, after, meter, tune, cluster)


def keys_of(some: Sequence[Triple]) -> list[Key]:
    """Meter, notes, range, contour (both in semitones), and onsets on the beats: what is equal in a matched measure."""
    found: list[Key] = [()] * len(some)
    by_meter: dict[Meter, list[int]] = {}
    for i, one in enumerate(some):
        by_meter.setdefault(one.meter, []).append(i)
    for meter, at in by_meter.items():
        rows = np.stack([some[i].row for i in at])
        started = onsets(rows)
        table = np.stack(
            [
                started.sum(axis=1), np.rint(SEMITONES * pitch_range(rows, meter)),
                np.rint(SEMITONES * contour(rows, meter)), started[:, ::TICKS_PER_BEAT].sum(axis=1),
            ],
            axis=1,
        ).astype(np.int64)  # fmt: skip
        for i, values in zip(at, table.tolist(), strict=True):
            found[i] = (meter.code, *values)
    return found


@dataclass(frozen=True)
class Pool:
    """Real measures by their key."""

    by_key: dict[Key, list[Triple]]

    @classmethod
    def of(cls, some: Iterable[Triple]) -> Pool:
        listed = list(some)
        by_key: dict[Key, list[Triple]] = {}
        for key, one in zip(keys_of(listed), listed, strict=True):
            by_key.setdefault(key, []).append(one)
        return cls(by_key)

    def match(self, some: Sequence[Triple], seed: int = 0) -> list[Triple | None]:
        """A real measure for each, of another cluster, drawn at random without replacement; None where there is
        none left."""
        random = np.random.default_rng(seed)
        used: set[tuple[Key, int]] = set()
        found: list[Triple | None] = [None] * len(some)
        keys = keys_of(some)
        for i in random.permutation(len(some)).tolist():
            candidates = self.by_key.get(keys[i], [])
            for choice in random.permutation(len(candidates))[:64].tolist():
                if (keys[i], choice) not in used and candidates[choice].cluster != some[i].cluster:
                    used.add((keys[i], choice))
                    found[i] = candidates[choice]
                    break
        return found
