"""Which values of the attributes occur together.

Whoever asks for a range of two semitones of a measure that rises by seven has to say what its contour is to be: no
measure has both. The correlation of the two does not tell, since measures rise as often as they fall. Here the others
take the values of the combination nearest to what the measure has, among those that go with what is asked for: they
change no more than they must, and the decoder is asked for nothing that cannot be. What can be is what the corpus has,
and what its measures have when they are mixed (mixing.py): a corpus shows few of the combinations that there are.

Shapes: n combinations, m measures, k attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..arrays import Float32s, Floats, Ints
from .examples import spread

MOST = 12_288  # that a model keeps, or an objective looks through
ASKED = 10.0  # weight of what is asked for, beside 1 for what is to be kept
CHUNK = 64  # measures whose distances are held at a time


@dataclass(frozen=True, eq=False)
class Combinations:
    groups: Ints  # (n,) only those of a measure's own group are for it: meters
    values: Floats  # (n, k) raw

    @classmethod
    def of(cls, table: Floats) -> Combinations:
        """(n, 1 + k) groups, then values."""
        return cls(table[:, 0].astype(np.int64), table[:, 1:].astype(np.float64))

    @cached_property
    def _by_group(self) -> dict[int, Floats]:
        return {group: self.values[self.groups == group] for group in np.unique(self.groups).tolist()}

    @property
    def table(self) -> Float32s:
        """(n, 1 + k), the inverse of `of`."""
        return np.column_stack([self.groups, self.values]).astype(np.float32)

    def take(self, attributes: Sequence[int]) -> Combinations:
        return Combinations(self.groups, self.values[:, attributes])

    def thinned(self, most: int, by: int | None = None) -> Combinations:
        """One of each, and at most so many, evenly spread; of each by its first `by` attributes, where given."""
        columns = self.table[:, : None if by is None else 1 + by]
        first = np.unique(columns, axis=0, return_index=True)[1]
        return Combinations.of(self.table[first[spread(len(first), most)]])

    def nearest(self, before: Floats, wanted: Floats, sd: Floats, groups: Ints) -> Floats:
        """(m, k) raw values now and wanted (NaN: free), (k,) what is one step of each, (m,) groups -> (m, k) values
        that go together, but for what is wanted, which stays as it is. A measure's own combination is one of them.

        The nearest by the sum of squares in sd, where what is asked for weighs more.
        """
        asked = ~np.isnan(wanted)
        weights = np.where(asked, ASKED, 1.0) / sd
        goal = np.where(asked, wanted, before)
        found: Floats = goal.copy()
        for group in np.unique(groups).tolist():
            at = np.flatnonzero(groups == group)
            known = self._by_group.get(group, self.values[:0])
            for rows in np.split(at, range(CHUNK, len(at), CHUNK)) if len(known) else ():
                far = np.zeros((len(rows), len(known)))
                for k, column in enumerate(known.T):  # no (m, n, k) temporaries
                    far += np.square((column - goal[rows, k, None]) * weights[rows, k, None])
                best = far.argmin(axis=1)
                own = np.square((before[rows] - goal[rows]) * weights[rows]).sum(axis=1)
                nearer = far[np.arange(len(rows)), best] < own
                found[rows] = np.where(nearer[:, None] & ~asked[rows], known[best], found[rows])
        return found
