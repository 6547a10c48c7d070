"""Candidates for measures, and how the best of them are picked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Array, Float32s, Floats, Ints, Mask, Rows


@dataclass(frozen=True)
class Pool:
    """Candidates of all groups, sorted by group, then cost."""

    group: Ints  # (n,)
    rows: Rows  # (n, t)
    values: Floats  # (n, k)
    cost: Floats  # (n,)
    nats: Floats  # (n,) surprise to the model
    hit: Mask  # (n,) whether it misses nothing

    def take(self, at: Array) -> Pool:
        return Pool(self.group[at], self.rows[at], self.values[at], self.cost[at], self.nats[at], self.hit[at])

    def join(self, other: Pool) -> Pool:
        mine, theirs = vars(self), vars(other)
        return Pool(**{name: np.concatenate([mine[name], theirs[name]]) for name in mine})

    def best(self, count: int) -> Pool:
        """The `count` cheapest of each group."""
        order = np.lexsort((self.cost, self.group))
        return self.take(order[_rank(self.group[order]) < count])


def _nth(pool: Pool, n: int, groups: int) -> Floats:
    """(groups,) what the nth best of each group costs, of a pool sorted by group, then cost; infinite where there are
    not as many."""
    count = np.bincount(pool.group, minlength=groups)
    found = np.full(groups, np.inf)
    enough = count >= n
    found[enough] = pool.cost[(np.cumsum(count) - count + n - 1)[enough]]
    return found


def _rank(group: Array) -> Ints:
    """(n,) sorted groups -> (n,) how many of the same group stand before."""
    if len(group) == 0:
        return np.zeros(0, dtype=np.int64)
    new = np.ones(len(group), dtype=np.bool_)
    np.not_equal(group[1:], group[:-1], out=new[1:])
    starts = np.flatnonzero(new)
    rank: Ints = np.arange(len(group)) - starts[np.cumsum(new) - 1]
    return rank


@dataclass(frozen=True)
class Found:
    """Candidates with their model's view: which group, what they cost, how surprising they are."""

    group: Ints
    rows: Rows
    cost: Floats
    niche: Ints
    nats: Floats
    table: Float32s  # (n, t, v)

    def take(self, at: Array) -> Found:
        return Found(**{name: value[at] for name, value in vars(self).items()})

    def join(self, other: Found) -> Found:
        theirs = vars(other)
        return Found(**{name: np.concatenate([value, theirs[name]]) for name, value in vars(self).items()})


def _different(group: Ints, rows: Rows) -> tuple[Ints, Rows]:
    key = np.column_stack([group, rows])
    at = np.sort(np.unique(key, axis=0, return_index=True)[1])
    return group[at], rows[at]


def _first_of(group: Ints, cost: Floats, count: int) -> Ints:
    """Indices of the `count` cheapest of each group."""
    order = np.lexsort((cost, group))
    sorted_group = group[order]
    starts = np.flatnonzero(np.diff(sorted_group, prepend=sorted_group[0] - 1)) if len(order) else order
    sizes = np.diff(np.append(starts, len(order)))
    rank = np.arange(len(order)) - np.repeat(starts, sizes)
    chosen: Ints = order[rank < count]
    return chosen


def _drawn(group: Ints, count: int, random: np.random.Generator) -> Ints:
    """Indices of `count` of each group, by lot."""
    return np.sort(_first_of(group, random.random(len(group)), count))
