"""Combinations: which values of the attributes occur together.

No measure has a range of two semitones and rises by seven, so a request for that range also has to change the contour.
The correlation of range and contour does not help, because measures rise as often as they fall. Therefore a model keeps
a table of combinations of values, and a request is completed by the nearest combination: the requested attribute takes
the requested value, and the others change as little as the table allows. The table holds the combinations of the
corpus, and those of mixtures of its measures (training/augmentation.py), since a corpus has few of the possible ones.

Shapes: n combinations, m measures, k attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..arrays import Float32s, Floats, Ints
from .examples import spread

MOST = 12_288  # the largest number of combinations that a model keeps and an objective searches
REQUESTED = 10.0  # weight of a requested attribute in the distance; the others have weight 1
CHUNK = 64  # measures whose distances are in memory at a time


@dataclass(frozen=True, eq=False)
class Combinations:
    """A table of combinations. A measure is only compared with those of its own group, which is its meter."""

    groups: Ints  # (n,) codes of meters
    values: Floats  # (n, k) raw attribute values

    @classmethod
    def of(cls, table: Floats) -> Combinations:
        """Combinations from a table of (n, 1 + k): the group, then the values."""
        return cls(table[:, 0].astype(np.int64), table[:, 1:].astype(np.float64))

    @cached_property
    def _by_group(self) -> dict[int, Floats]:
        return {group: self.values[self.groups == group] for group in _distinct(self.groups)}

    @property
    def table(self) -> Float32s:
        """(n, 1 + k), the inverse of `of`."""
        return np.column_stack([self.groups, self.values]).astype(np.float32)

    def take(self, attributes: Sequence[int]) -> Combinations:
        """The same combinations with these columns only."""
        return Combinations(self.groups, self.values[:, attributes])

    def thinned(self, most: int, by: int | None = None) -> Combinations:
        """The distinct combinations, thinned evenly to at most `most`. With `by`, combinations that agree in their
        first `by` attributes count as the same, and one of them is kept."""
        columns = self.table[:, : None if by is None else 1 + by]
        first = np.unique(columns, axis=0, return_index=True)[1]
        return Combinations.of(self.table[first[spread(len(first), most)]])

    def nearest(self, before: Floats, wanted: Floats, sd: Floats, groups: Ints) -> Floats:
        """Complete requests by the nearest combinations.

        `before` and `wanted` are (m, k) raw values, NaN in `wanted` for an attribute without a request; `sd` is the
        (k,) unit of each attribute, `groups` the (m,) groups of the measures. Returns (m, k) values: those of `wanted`
        where they were requested, otherwise those of the combination with the smallest weighted sum of squares, in sd.
        The measure's present values count as a combination too.
        """
        requested = ~np.isnan(wanted)
        weights = np.where(requested, REQUESTED, 1.0) / sd
        goal = np.where(requested, wanted, before)
        found: Floats = goal.copy()
        for group in _distinct(groups):
            at = np.flatnonzero(groups == group)
            combinations = self._by_group.get(group, self.values[:0])
            for rows in np.split(at, range(CHUNK, len(at), CHUNK)) if len(combinations) else ():
                distances = np.zeros((len(rows), len(combinations)))
                for k, column in enumerate(combinations.T):  # column by column, which needs no (m, n, k) array
                    distances += np.square((column - goal[rows, k, None]) * weights[rows, k, None])
                best = distances.argmin(axis=1)
                own_distance = np.square((before[rows] - goal[rows]) * weights[rows]).sum(axis=1)
                nearer = distances[np.arange(len(rows)), best] < own_distance
                found[rows] = np.where(nearer[:, None] & ~requested[rows], combinations[best], found[rows])
        return found


def _distinct(groups: Ints) -> list[int]:
    """The codes that occur, which are small numbers, in order. np.unique would import numpy.ma, 10 ms of every edit."""
    return np.flatnonzero(np.bincount(groups)).tolist()
