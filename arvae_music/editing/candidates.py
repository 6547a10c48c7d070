"""Candidates for measures, and functions that select the best of them.

A group is one distinct measure of the melody. Candidates of all groups lie in the same arrays, and `group` (n,) gives
the group of each. A candidate's nats are its surprise: the negative log-probability of its tokens under the model.
"""

from __future__ import annotations

from collections.abc import Collection
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
    nats: Floats  # (n,) surprise under the model
    hit: Mask  # (n,) whether the candidate meets every request

    def take(self, at: Array) -> Pool:
        return Pool(self.group[at], self.rows[at], self.values[at], self.cost[at], self.nats[at], self.hit[at])

    def join(self, other: Pool) -> Pool:
        mine, theirs = vars(self), vars(other)
        return Pool(**{name: np.concatenate([mine[name], theirs[name]]) for name in mine})

    def best(self, count: int) -> Pool:
        """The `count` cheapest candidates of each group."""

        return self.take(_cheapest(self.group, self.cost, count))


@dataclass(frozen=True)
class Unevaluated:
    """Candidates whose attributes have not been measured and whose surprise is a guess."""

    group: Ints  # (n,)
    rows: Rows  # (n, t)
    nats: Floats  # (n,) guessed surprise
    token_cost: Floats  # (n,) the cost of their tokens, see cost.Cost
    key: npt.NDArray[np.uint64]  # (n,) hashes of group and row

    def take(self, at: Array) -> Unevaluated:
        return Unevaluated(self.group[at], self.rows[at], self.nats[at], self.token_cost[at], self.key[at])


@dataclass(frozen=True)
class Parents:
    """Candidates that the model has evaluated, and that small changes start from."""

    pool: Pool
    key: npt.NDArray[np.uint64]  # (n,) hashes of group and row
    changed: Ints  # (n,) how many ticks differ from the original
    token_cost: Floats  # (n,) the cost of their tokens
    table: Floats  # (n, t, v) log-probabilities


def _nth_cost(pool: Pool, n: int, groups: int) -> Floats:
    """(groups,) the cost of the nth best candidate of each group; infinite for a group with fewer candidates. The pool
    must be sorted by group, then cost."""
    count = np.bincount(pool.group, minlength=groups)
    costs = np.full(groups, np.inf)
    enough = count >= n
    costs[enough] = pool.cost[(np.cumsum(count) - count + n - 1)[enough]]
    return costs


def _rank_in_group(group: Array) -> Ints:
    """(n,) sorted groups -> (n,) the position of each element in its group, from 0."""
    if len(group) == 0:
        return np.zeros(0, dtype=np.int64)
    new = np.ones(len(group), dtype=np.bool_)
    np.not_equal(group[1:], group[:-1], out=new[1:])
    starts = np.flatnonzero(new)
    rank: Ints = np.arange(len(group)) - starts[np.cumsum(new) - 1]
    return rank


def _unseen(children: Unevaluated, evaluated: Collection[int]) -> Ints:
    """Indices of the candidates whose keys are not among the `evaluated` ones. Of several equal ones, the one with the
    least guessed surprise is taken."""
    known = np.sort(np.fromiter(evaluated, dtype=np.uint64, count=len(evaluated)))
    order = np.argsort(children.key)
    key = children.key[order]
    fresh = known.take(np.searchsorted(known, key), mode="clip") != key
    twin = np.zeros(len(key), dtype=np.bool_)
    twin[1:] = key[1:] == key[:-1]
    twin[:-1] |= twin[1:]
    alone, twins = order[fresh & ~twin], order[fresh & twin]
    twins = twins[np.lexsort((children.nats[twins], children.key[twins]))]
    first: Ints = np.sort(np.concatenate([alone, twins[_rank_in_group(children.key[twins]) == 0]]))
    return first


@dataclass(frozen=True)
class Archive:
    """The candidates that an exploration has collected (explore.py)."""

    group: Ints  # (n,)
    rows: Rows  # (n, t)
    cost: Floats  # (n,)
    niche: Ints  # (n,) candidates compete only within their niche, such as the number of changed notes
    nats: Floats  # (n,) surprise under the model
    table: Float32s  # (n, t, v) the model's log-probabilities

    def take(self, at: Array) -> Archive:
        return Archive(**{name: value[at] for name, value in vars(self).items()})

    def join(self, other: Archive) -> Archive:
        theirs = vars(other)
        return Archive(**{name: np.concatenate([value, theirs[name]]) for name, value in vars(self).items()})


def _unique(group: Ints, rows: Rows) -> Ints:
    """Indices of the candidates without duplicates, in order."""
    key = np.column_stack([group, rows])
    first: Ints = np.sort(np.unique(key, axis=0, return_index=True)[1])
    return first


def _cheapest(group: Ints, cost: Floats, count: int) -> Ints:
    """Indices of the `count` cheapest candidates of each group."""
    order = np.lexsort((cost, group))
    chosen: Ints = order[_rank_in_group(group[order]) < count]
    return chosen


def _sampled(group: Ints, count: int, random: np.random.Generator) -> Ints:
    """Indices of `count` candidates of each group, chosen at random."""
    return np.sort(_cheapest(group, random.random(len(group)), count))


_MIX = np.random.default_rng(0).integers(1, 1 << 62, size=1024, dtype=np.uint64) | np.uint64(1)


def fingerprint(rows: Rows) -> npt.NDArray[np.uint64]:
    """(n, t) -> (n,) a hash, the same on every machine."""
    mixed = rows.astype(np.uint64) + np.uint64(1)
    hashes: npt.NDArray[np.uint64] = (mixed * _MIX[: rows.shape[1]]).sum(axis=1, dtype=np.uint64)
    return hashes


def _keys(group: Ints, rows: Rows) -> npt.NDArray[np.uint64]:
    """(n,) groups and (n, t) rows -> (n,) a hash of both."""
    keys: npt.NDArray[np.uint64] = fingerprint(rows) + group.astype(np.uint64) * _MIX[-1]
    return keys
