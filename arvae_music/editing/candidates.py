"""Candidates for measures, and how the best of them are picked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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
        return self.take(_first_of(self.group, self.cost, count))


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


def _different(group: Ints, rows: Rows) -> Ints:
    """Indices of the candidates without those that come again, in order."""
    key = np.column_stack([group, rows])
    first: Ints = np.sort(np.unique(key, axis=0, return_index=True)[1])
    return first


def _first_of(group: Ints, cost: Floats, count: int) -> Ints:
    """Indices of the `count` cheapest of each group."""
    order = np.lexsort((cost, group))
    chosen: Ints = order[_rank(group[order]) < count]
    return chosen


def _drawn(group: Ints, count: int, random: np.random.Generator) -> Ints:
    """Indices of `count` of each group, chosen at random."""
    return np.sort(_first_of(group, random.random(len(group)), count))


_MIX = np.random.default_rng(0).integers(1, 1 << 62, size=1024, dtype=np.uint64) | np.uint64(1)


def _fingerprint(rows: Rows) -> npt.NDArray[np.uint64]:
    """(n, t) -> (n,) a hash, the same on every machine."""
    mixed = rows.astype(np.uint64) + np.uint64(1)
    hashes: npt.NDArray[np.uint64] = (mixed * _MIX[: rows.shape[1]]).sum(axis=1, dtype=np.uint64)
    return hashes


def _keys(group: Ints, rows: Rows) -> npt.NDArray[np.uint64]:
    """(n,) groups and (n, t) rows -> (n,) a hash of both."""
    keys: npt.NDArray[np.uint64] = _fingerprint(rows) + group.astype(np.uint64) * _MIX[-1]
    return keys
