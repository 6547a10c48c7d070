"""The search for measures that have the wanted attribute values and differ as little as possible from the originals.

Attributes are black boxes: rows go in, values come out. The search keeps a beam, which is a few candidates for every
measure. It starts from the original and the model's proposals and improves them by small changes: one tick gets
another token, or one onset moves to another tick. Where a candidate still misses, a note is given up for another, or
all notes of a pitch move; where a new note does not fit, it moves together with another. The search ends when every
candidate in the beam has been tried, or costs so much more than the best hit that it cannot matter.

cost.Prices names what counts. Four words of it:

    miss        how far a wanted attribute is off, in sd (standard deviations in the model's corpus). A value within
                half a grain is a hit; the grain is the smallest difference that counts, such as one note
    drift       how far the other attributes move, in sd. An attribute that correlates with a wanted one (by rho in
                the corpus) weighs 1 - rho^2, since it may move along
    tick        the smallest step in time; a tick is changed if its token is another
    nats        how surprising a measure is to the model

One pass of the model over a candidate says how likely every other token would be at every tick, so that only the
likely ones need to be measured.

Shapes: g groups (distinct measures, all of one meter), n candidates, t ticks, k attributes, v vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..arrays import Array, Floats, Ints, Mask, Rows
from ..music.keys import OCTAVE
from ..music.tokens import FIRST_PITCH, HOLD, REST, VOCABULARY, ends_in, onsets
from ..networks.decoding import Beliefs, surprise
from ..networks.runtime import Runtime
from .candidates import _MIX, Pool, _fingerprint, _keys, _nth, _rank
from .cost import Judge, Problem
from .taste import crooked, fitting, leaps, repeats
from .ties import opening_allowed

ALIKE = 2  # candidates that miss by the same values, at most
MENDING = (-2, -1, 1, 2)  # semitones by which a note that does not fit is moved
LIKELY = 6  # times as many candidates are looked at closely as may be taken
REACH = 7  # semitones beyond the melody's compass that a note may go


@dataclass(frozen=True)
class Effort:
    """How hard to search."""

    beam: int = 6  # candidates that are improved at a time
    kept: int = 12  # candidates that are handed on
    rounds: int = 14  # at most; most measures need as many as ticks must change, and one more
    favourites: int = 6  # pitches tried where no note starts
    slack: float = 3.0  # cost beyond the best hit from which nothing is worth a look; a barline seldom costs more


@dataclass(frozen=True)
class _Moves:
    """Candidates of which only the tokens have been looked at."""

    group: Ints  # (n,)
    rows: Rows  # (n, t)
    nats: Floats  # (n,) guessed surprise
    spent: Floats  # (n,) what their tokens cost
    key: npt.NDArray[np.uint64]  # (n,)

    def take(self, at: Array) -> _Moves:
        return _Moves(self.group[at], self.rows[at], self.nats[at], self.spent[at], self.key[at])


@dataclass(frozen=True)
class _Parents:
    """Candidates that the model has judged, about to be changed."""

    pool: Pool
    key: npt.NDArray[np.uint64]  # (n,)
    changed: Ints  # (n,) ticks
    spent: Floats  # (n,) what their tokens cost
    table: Floats  # (n, t, v) log-probabilities


class Search:
    """One problem, one judge, one model."""

    def __init__(self, problem: Problem, judge: Judge, runtime: Runtime, effort: Effort | None = None) -> None:
        self.problem, self.judge, self.runtime = problem, judge, runtime
        self.effort = effort or Effort()
        self.original = judge.values(problem.rows, problem.meter)
        self.drift = judge.prices.drift * judge.drift_weights(problem.wanted) / judge.sd
        self.pitches = self._pitches()
        self.repeats, self.leaps = repeats(problem.rows), leaps(problem.rows)
        self.crooked, self.fitting = crooked(problem.rows, problem.meter), fitting(problem.rows)
        self.tokens = self._tokens()
        self.beliefs = Beliefs(runtime, problem.meter)
        beats = self.beliefs.beats(problem.rows)
        self.nats = surprise(self.beliefs.at(beats), problem.rows)
        group = np.arange(len(problem.rows))
        cost, hit = self._attributes(group, self.original)
        self.first = Pool(group, problem.rows, self.original, cost, self.nats, hit)
        self._keep(self.first)
        self.judged: dict[int, Ints] = {}  # the beats, to `beliefs`, of every candidate that the model has judged
        self.expanded: set[int] = set()
        self._remember(self.first, beats)

    def add(self, group: Ints, rows: Rows) -> None:
        """Put proposals into the pool; what breaks a lock is dropped."""
        self._admit(_Moves(group, rows, self.nats[group], self._spent(group, rows), _keys(group, rows)))

    def run(self) -> Pool:
        """Improve the pool until nothing helps; the best `effort.kept` of each group, best first."""
        # The originals first: proposals that hit would crowd them out, and a hit may be one small change away.
        self._admit(self._moves(self.first))
        for _ in range(self.effort.rounds):
            beam = self._varied(self.pool, self.effort.beam)
            live = beam.take(self._open(beam))
            if len(live.group) == 0:
                break
            self._admit(self._moves(live))
        return self.pool

    # ------------------------------------------------------------------------------ prices

    def price(self, group: Ints, rows: Rows, values: Floats, nats: Floats) -> Floats:
        """(n,) what each candidate costs."""
        tokens = self._spent(group, rows) + self.judge.prices.nat * (nats - self.nats[group])
        return tokens + self._attributes(group, values)[0] + self._taste(group, rows)

    def _attributes(self, group: Ints, values: Floats) -> tuple[Floats, Mask]:
        """(n,) what missing and drifting costs, and (n,) whether nothing is missed."""
        prices = self.judge.prices
        misses = self.judge.misses(values, self.problem.wanted[group])
        missed = (misses > 0).sum(axis=1)
        off = np.abs(values - self.original[group])
        cost = prices.missed * missed + prices.miss * misses.sum(axis=1)
        cost += np.einsum("nk,nk->n", off, self.drift[group])
        return cost, missed == 0

    def _taste(self, group: Ints, rows: Rows) -> Floats:
        """(n,) what tokens cost by what they stand beside."""
        prices = self.judge.prices
        cost = prices.leap * np.maximum(leaps(rows) - self.leaps[group], 0)
        cost += prices.crooked * np.maximum(crooked(rows, self.problem.meter) - self.crooked[group], 0)
        total: Floats = cost + prices.repeat * np.maximum(repeats(rows) - self.repeats[group], 0)
        return total

    def _tokens(self) -> Floats:
        """(g, t, v) what each token costs by itself, wherever else the candidate differs from the original."""
        prices, old, new = self.judge.prices, self.problem.rows[:, :, None], np.arange(VOCABULARY)
        cost = prices.tick + prices.rest * (new == REST)
        cost = cost + prices.semitone * np.abs(new - old) * (onsets(new) & onsets(old))
        cost += prices.outside * (onsets(new) & ~self.fitting[:, None])
        cost[:, 0] += prices.tie * ((new == HOLD) != (old[:, 0] == HOLD))
        each: Floats = np.where(new == old, 0.0, cost)
        return each

    def _spent(self, group: Ints, rows: Rows) -> Floats:
        """(n,) what the tokens of each candidate cost."""
        ticks = rows.shape[1]
        total: Floats = self.tokens.take((group[:, None] * ticks + np.arange(ticks)) * VOCABULARY + rows).sum(axis=1)
        return total

    def _fits(self, group: Ints, rows: Rows) -> Mask:
        """(n, t) whether a note of that pitch belongs in its measure."""
        fits: Mask = self.fitting[group[:, None], rows]
        return fits

    def _admit(self, moves: _Moves) -> None:
        """Price candidates by guessed surprise, the promising ones again by the model's, into the pool; what breaks a
        lock is dropped."""
        values = self.judge.values(moves.rows, self.problem.meter)
        cost, hit = self._attributes(moves.group, values)
        cost += moves.spent + self.judge.prices.nat * (moves.nats - self.nats[moves.group])
        at = np.flatnonzero(cost <= self.full[moves.group])
        at = at[self._unseen(moves.take(at))]
        at = at[self._allowed(moves.group[at], moves.rows[at])]
        if self.judge.kept is not None:
            at = at[self.judge.keeps(values[at], self.problem.wanted[moves.group[at]])]
        pool = Pool(moves.group[at], moves.rows[at], values[at], cost[at], moves.nats[at], hit[at])
        pool = self._varied(pool, 2 * LIKELY * self.effort.beam, LIKELY)  # taste is dear to look at, and seldom decides
        pool = replace(pool, cost=pool.cost + self._taste(pool.group, pool.rows))
        promising = self._varied(pool, 2 * self.effort.beam)
        if len(promising.group) == 0:
            return
        beats = self.beliefs.beats(promising.rows)
        nats = surprise(self.beliefs.at(beats), promising.rows)
        dearer = self.judge.prices.nat * (nats - promising.nats)  # all else is priced already
        exact = replace(promising, nats=nats, cost=promising.cost + dearer)
        self._remember(exact, beats)
        self._keep(self._varied(self.pool.join(exact), self.effort.kept))

    def _keep(self, pool: Pool) -> None:
        self.pool = pool
        hits, groups = pool.take(pool.hit), len(self.problem.rows)
        self.full = _nth(hits, self.effort.kept, groups)  # what costs more cannot come into the pool
        self.limits = _nth(hits, 1, groups) + self.effort.slack

    def _unseen(self, moves: _Moves) -> Ints:
        """Indices of those that the model has not judged, each once: by its best guess."""
        known = np.sort(np.fromiter(self.judged, dtype=np.uint64, count=len(self.judged)))
        order = np.argsort(moves.key)
        key = moves.key[order]
        fresh = known.take(np.searchsorted(known, key), mode="clip") != key
        twin = np.zeros(len(key), dtype=np.bool_)
        twin[1:] = key[1:] == key[:-1]
        twin[:-1] |= twin[1:]
        alone, twins = order[fresh & ~twin], order[fresh & twin]
        twins = twins[np.lexsort((moves.nats[twins], moves.key[twins]))]
        first: Ints = np.sort(np.concatenate([alone, twins[_rank(moves.key[twins]) == 0]]))
        return first

    def _remember(self, pool: Pool, beats: Ints) -> None:
        self.judged.update(zip(_keys(pool.group, pool.rows).tolist(), beats, strict=True))

    def _open(self, beam: Pool) -> Mask:
        """(n,) which have not been improved on yet, and may lead to something."""
        new = np.array([key not in self.expanded for key in _keys(beam.group, beam.rows).tolist()], dtype=np.bool_)
        return new & self._near(beam.group, self._changed(beam.group, beam.rows), beam.nats)

    def _changed(self, group: Ints, rows: Rows) -> Ints:
        """(n,) how many ticks differ from the original."""
        count: Ints = (rows != self.problem.rows[group]).sum(axis=1)
        return count

    def _near(self, group: Ints, changed: Array, nats: Floats) -> Mask:
        """(n,) groups, ticks changed, nats -> which may be as good as the best that hits: with what they cost at least,
        whatever their attributes are."""
        prices = self.judge.prices
        near: Mask = prices.tick * changed + prices.nat * (nats - self.nats[group]) <= self.limits[group]
        return near

    def _varied(self, pool: Pool, count: int, alike: int = 1) -> Pool:
        """The best `count` of each group; of those with as many notes that miss by the same values no more than
        `alike` times ALIKE: what leads to the target may lie behind many that are nearer to it, and all stuck at one
        value."""
        hits = pool.take(pool.hit).best(count)
        at = np.flatnonzero(~pool.hit & (pool.cost <= _nth(hits, count, len(self.problem.rows))[pool.group]))
        if len(at) == 0:
            return hits
        asked = ~np.isnan(self.problem.wanted).all(axis=0)
        wanted = self.problem.wanted[:, asked][pool.group[at]]
        off = np.where(np.isnan(wanted), 0.0, pool.values[at][:, asked] - np.nan_to_num(wanted)).round(6) + 0.0
        notes = onsets(pool.rows[at]).sum(axis=1, keepdims=True)
        label = _fingerprint(np.hstack([off.view(np.int64), notes, pool.group[at, None]]))
        order = np.lexsort((pool.cost[at], label))
        few = at[order[_rank(label[order]) < alike * ALIKE]]
        return hits.join(pool.take(few)).best(count)

    # ------------------------------------------------------------------------------ small changes

    def _moves(self, beam: Pool) -> _Moves:
        """Every small change of the beam's rows."""
        keys = _keys(beam.group, beam.rows)
        self.expanded.update(keys.tolist())
        table = self.beliefs.at(np.stack([self.judged[key] for key in keys.tolist()]))
        of = _Parents(beam, keys, self._changed(beam.group, beam.rows), self._spent(beam.group, beam.rows), table)
        kinds = [self._altered(of, *self._single(beam, table)), self._altered(of, *self._shifted(beam))]
        at = np.flatnonzero(~beam.hit)
        if len(at):
            parent, *changes = self._exchanged(beam.take(at), table[at])
            kinds.append(self._altered(of, at[parent], *changes))
            parent, rows, nats = self._repitched(beam.take(at), table[at])
            kinds.append(self._whole(beam.group[at[parent]], rows, nats))
        parent, rows, nats = self._mended(beam, table)
        kinds.append(self._whole(beam.group[parent], rows, nats))
        parts = [vars(kind) for kind in kinds]
        return _Moves(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})

    def _altered(self, of: _Parents, parent: Ints, *changes: tuple[Ints, Ints]) -> _Moves:
        """Children of `parent` (n,), each with some ticks' tokens (n,) replaced: those worth a look. Most are not, so
        that what they cost is reckoned from their parents' before they are made."""
        beam, ticks = of.pool, of.pool.rows.shape[1]
        group, nats, spent, key = beam.group[parent], beam.nats[parent], of.spent[parent], of.key[parent]
        changed = of.changed[parent]
        for tick, token in changes:
            old, original = beam.rows.take(parent * ticks + tick), self.problem.rows.take(group * ticks + tick)
            believed, priced = (parent * ticks + tick) * VOCABULARY, (group * ticks + tick) * VOCABULARY
            nats += of.table.take(believed + old) - of.table.take(believed + token)
            spent += self.tokens.take(priced + token) - self.tokens.take(priced + old)
            changed += (token != original).astype(np.int64) - (old != original)
            key += (token - old).astype(np.uint64) * _MIX[tick]
        near = self._near(group, changed, nats)
        near &= spent + self.judge.prices.nat * (nats - self.nats[group]) <= self.full[group]
        rows = beam.rows[parent[near]]
        for tick, token in changes:
            rows[np.arange(len(rows)), tick[near]] = token[near]
        return _Moves(group[near], rows, nats[near], spent[near], key[near])

    def _whole(self, group: Ints, rows: Rows, nats: Floats) -> _Moves:
        """Candidates that were made without reckoning: those worth a look."""
        near = self._near(group, self._changed(group, rows), nats)
        group, rows = group[near], rows[near]
        return _Moves(group, rows, nats[near], self._spent(group, rows), _keys(group, rows))

    def _single(self, beam: Pool, table: Floats) -> tuple[Ints, tuple[Ints, Ints]]:
        """One tick's token replaced: any pitch in reach where a note starts, the model's favourites elsewhere,
        a HOLD or a REST in the place of a note, a HOLD in the place of a rest."""
        started = onsets(beam.rows)
        reach = np.broadcast_to(self.pitches, (*beam.rows.shape, VOCABULARY)).copy()
        liked = np.where(reach, table, -np.inf)
        favourites = self.effort.favourites
        edge = np.partition(liked, -favourites, axis=2)[:, :, -favourites, None]
        reach &= started[:, :, None] | (liked >= edge)
        reach[:, :, HOLD] = beam.rows != HOLD
        reach[:, :, REST] = started
        np.put_along_axis(reach, beam.rows[:, :, None].astype(np.int64), False, axis=2)
        parent, tick, token = np.nonzero(reach)
        return parent, (tick, token)

    def _shifted(self, beam: Pool) -> tuple[Ints, tuple[Ints, Ints], tuple[Ints, Ints]]:
        """One onset moved to a tick between its neighbours, its old place held."""
        _b, ticks = beam.rows.shape
        events = beam.rows != HOLD
        index = np.where(events, np.arange(ticks), -1)
        before = np.maximum.accumulate(index, axis=1)  # the event at or before each tick
        parent, old = np.nonzero(onsets(beam.rows))
        parent, old = parent[old > 0], old[old > 0]
        to = np.arange(ticks)[None]
        held = ~events[parent]
        own = before[parent] == old[:, None]
        previous = before[parent, old - 1]
        earlier = (before[parent] == previous[:, None]) & (to < old[:, None])
        which, new = np.nonzero(held & (own | earlier) & (to > 0))
        parent, old = parent[which], old[which]
        return parent, (old, np.full(len(old), HOLD)), (new, beam.rows[parent, old].astype(np.int64))

    # Of a measure that still misses, two bolder changes: each is worth nothing until all of it is done, so that
    # small steps never come to it.

    def _exchanged(self, beam: Pool, table: Floats) -> tuple[Ints, tuple[Ints, Ints], tuple[Ints, Ints]]:
        """One note given up, and another, the model's favourite there, struck on any free tick."""
        parent, old = np.nonzero(onsets(beam.rows))
        parent, old = parent[old > 0], old[old > 0]
        which, new = np.nonzero(beam.rows[parent] == HOLD)
        which, new = which[new > 0], new[new > 0]
        parent, old = parent[which], old[which]
        favourite = np.where(self.pitches, table, -np.inf).argmax(axis=2)
        return parent, (old, np.full(len(old), HOLD)), (new, favourite[parent, new])

    def _repitched(self, beam: Pool, table: Floats) -> tuple[Ints, Rows, Floats]:
        """All notes of one pitch moved to another, an octave away at most."""
        there = np.zeros((len(beam.rows), VOCABULARY), dtype=np.bool_)
        np.put_along_axis(there, beam.rows.astype(np.int64), True, axis=1)
        there[:, :FIRST_PITCH] = False
        near = np.abs(np.arange(VOCABULARY)[:, None] - np.arange(VOCABULARY)) <= OCTAVE
        np.fill_diagonal(near, False)
        parent, old, new = np.nonzero(there[:, :, None] & near & self.pitches)
        rows = beam.rows[parent]
        where = rows == old[:, None]
        rows = np.where(where, new[:, None], rows).astype(np.int16)
        every, ticks = np.arange(len(rows))[:, None], np.arange(rows.shape[1])[None]
        change = table[parent[every], ticks, old[:, None]] - table[parent[every], ticks, new[:, None]]
        return parent, rows, beam.nats[parent] + np.where(where, change, 0).sum(axis=1)

    def _mended(self, beam: Pool, table: Floats) -> tuple[Ints, Rows, Floats]:
        """A new note that does not fit moved to where it does, and another, or all of a pitch, by the same interval:
        what is between them stays."""
        new = onsets(beam.rows) & (beam.rows != self.problem.rows[beam.group])
        parent, foul = np.nonzero(new & ~self._fits(beam.group, beam.rows))
        which, other, step = np.nonzero(np.repeat(onsets(beam.rows)[parent, :, None], len(MENDING), axis=2))
        pair = foul[which] != other
        which, other, step = which[pair], other[pair], step[pair]
        parent, foul, interval = parent[which], foul[which], np.array(MENDING, dtype=np.int16)[step]
        ticks, rows = np.arange(beam.rows.shape[1]), beam.rows[parent]
        alike = rows == rows[np.arange(len(rows)), other][:, None]
        moved = np.concatenate([ticks == other[:, None], alike]) | np.tile(ticks == foul[:, None], (2, 1))
        parent, rows, interval = np.tile(parent, 2), np.tile(rows, (2, 1)), np.tile(interval, 2)
        fresh = np.clip(rows + interval[:, None] * moved, 0, VOCABULARY - 1)
        fine = np.all(self._fits(beam.group[parent], fresh) | ~moved, axis=1)
        parent, rows, fresh, moved = parent[fine], rows[fine], fresh[fine], moved[fine]
        change = table[parent[:, None], ticks, rows] - table[parent[:, None], ticks, fresh]
        return parent, fresh, beam.nats[parent] + np.where(moved, change, 0).sum(axis=1)

    def _allowed(self, group: Ints, rows: Rows) -> Mask:
        original = self.problem.rows[group]
        fine = opening_allowed(rows, self.problem.tie[group])
        if self.judge.limit < 1:
            fine &= (rows != original).mean(axis=1) <= self.judge.limit
        notes = onsets(rows) & (rows != original)
        fine &= np.all(self.pitches.take(rows) | ~notes, axis=1)
        leave = self.problem.leave[group]
        if (leave >= 0).any():
            fine &= (leave < 0) | (ends_in(rows) == leave)
        return fine & self.judge.locks.allow(original, rows)

    def _pitches(self) -> Mask:
        """(v,) which pitches a new note may have: the melody's compass and REACH around it."""
        tokens = np.arange(VOCABULARY)
        locks = self.judge.locks
        inside: Mask = tokens >= max(FIRST_PITCH, locks.lowest - REACH)
        return inside & (tokens <= locks.highest + REACH)
