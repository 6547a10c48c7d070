"""The search for measures that have the wanted attribute values and differ as little as possible from the originals.

Attributes are black boxes: rows go in, values come out. The search keeps a beam, which is a few candidates for every
measure. It starts from the original and the model's proposals and improves them by small changes: one tick gets
another token, or one onset moves to another tick. Larger changes serve special cases. If a candidate misses the
request, the search also removes one note and adds another, or changes the pitch of all notes of one pitch. If a new
note does not fit the measure, it moves together with another note. The search ends when it has tried to improve every
candidate in the beam, or when the others cost so much more than the best hit that they cannot win.

cost.Prices lists all terms of the cost. Four words in it:

    miss        how far a requested attribute is from its value, in sd (standard deviations in the model's corpus). A
                value within half a grain is a hit; the grain is the smallest step of an attribute, such as one note
    drift       how far the other attributes move, in sd. If an attribute correlates with a requested one (by rho in
                the corpus), its drift is weighted by 1 - rho^2, because it may move along
    tick        the smallest step in time; a tick is changed if its token differs from the original's
    nats        how surprising a measure is to the model: the negative log-probability of its tokens

One pass of the model over a candidate gives the probability of every other token at every tick. The search uses these
to guess which changes are plausible, and measures only those.

Shapes: g groups (distinct measures, all of one meter), n candidates, t ticks, k attributes, v vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Array, Floats, Ints, Mask, Rows
from ..music.keys import OCTAVE
from ..music.tokens import FIRST_PITCH, HOLD, REST, VOCABULARY, onsets
from ..networks.decoding import Tables, surprise
from ..system import stopping
from .candidates import _MIX, Parents, Pool, Unevaluated, _keys, _nth_cost, _rank_in_group, _unseen, fingerprint
from .cost import Cost, Judge, Problem

ALIKE = 2  # at most so many candidates that miss by the same values
MENDING = (-2, -1, 1, 2)  # semitones by which a note that does not fit is moved
LIKELY = 6  # so many times more candidates get the full price than may stay
REACH = 7  # semitones by which a new note may exceed the melody's compass (its lowest to its highest note)


@dataclass(frozen=True)
class Effort:
    """How hard to search."""

    beam: int = 6  # candidates that are improved at a time
    kept: int = 12  # candidates in the result
    evaluated: int = 12  # candidates of a round that the model evaluates
    rounds: int = 14  # at most; a measure usually needs one round for each tick that must change, and one more
    favourites: int = 6  # pitches tried where no note starts: the most probable ones
    repair: bool = False  # whether only measures without a hit are improved
    slack: float = 3.0  # candidates that cost this much more than the best hit are dropped; barlines seldom cost more


class Search:
    """The search for one problem (measures of one meter and their goals) with one judge (attributes and prices)."""

    def __init__(
        self,
        problem: Problem,
        judge: Judge,
        tables: Tables,
        effort: Effort | None = None,
        requested: Mask | None = None,
    ) -> None:
        self.problem, self.judge, self.probabilities = problem, judge, tables
        self.effort = effort or Effort()
        self.cost = Cost(problem, judge, requested)
        self.original = self.cost.original
        self.pitches = self._pitches()
        group = np.arange(len(problem.rows))
        found = self.probabilities.look(group, problem.rows)
        self.nats = surprise(self.probabilities.at(found), problem.rows)
        cost, hit = self.cost.attributes(group, self.original)
        self.first = Pool(group, problem.rows, self.original, cost, self.nats, hit)
        self._set_pool(self.first)
        # By key, what `probabilities.look` found for every candidate that the model has evaluated.
        self.evaluated: dict[int, Ints] = {}
        self.improved: set[int] = set()  # the keys of the candidates whose small changes have been tried
        self._remember(self.first, found)

    def add(self, group: Ints, rows: Rows) -> None:
        """Add proposals to the pool, without those that break a lock."""
        self._admit(Unevaluated(group, rows, self.nats[group], self.cost.tokens(group, rows), _keys(group, rows)))

    def run(self) -> Pool:
        """Improve the pool until no change helps. Returns the `effort.kept` best candidates of each group, in order."""
        # Changes of the originals come first: a hit may be one small change away from an original, but proposals that
        # hit would push the originals out of the beam.
        self._admit(self._small_changes(self.first))
        for _ in range(self.effort.rounds):
            stopping.check()
            beam = self._diverse_best(self.pool, self.effort.beam)
            live = beam.take(self._worth_improving(beam))
            if len(live.group) == 0:
                break
            self._admit(self._small_changes(live))
        return self.pool

    def price(self, group: Ints, rows: Rows, values: Floats, nats: Floats) -> Floats:
        """(n,) the total cost of each candidate."""
        return self.cost.total(group, rows, values, nats - self.nats[group])

    def _fits(self, group: Ints, rows: Rows) -> Mask:
        """(n, t) whether a note of this pitch fits the measure; see taste.fitting."""
        fits: Mask = self.cost.fitting[group[:, None], rows]
        return fits

    def _admit(self, children: Unevaluated) -> None:
        """Add candidates to the pool, without those that break a lock.

        Their cost is first computed with the guessed surprise. The model then computes the exact surprise of the most
        promising ones.
        """
        values = self.judge.values(children.rows, self.problem.meter)
        cost, hit = self.cost.attributes(children.group, values)
        cost += children.token_cost + self.judge.prices.nat * (children.nats - self.nats[children.group])
        at = np.flatnonzero(cost <= self.pool_limits[children.group])
        at = at[_unseen(children.take(at), self.evaluated)]
        at = at[self._allowed(children.group[at], children.rows[at])]
        if self.judge.kept is not None:
            at = at[self.judge.keeps(values[at], self.problem.wanted[children.group[at]])]
        pool = Pool(children.group[at], children.rows[at], values[at], cost[at], children.nats[at], hit[at])
        # The context cost takes long to compute and seldom decides, so it comes after this selection.
        pool = self._diverse_best(pool, LIKELY * self.effort.evaluated, LIKELY)
        pool = replace(pool, cost=pool.cost + self.cost.line(pool.group, pool.rows))
        promising = self._diverse_best(pool, self.effort.evaluated)
        if len(promising.group) == 0:
            return
        found = self.probabilities.look(promising.group, promising.rows)
        nats = surprise(self.probabilities.at(found), promising.rows)
        correction = self.judge.prices.nat * (nats - promising.nats)  # of the cost with the guessed surprise
        exact = replace(promising, nats=nats, cost=promising.cost + correction)
        self._remember(exact, found)
        self._set_pool(self._diverse_best(self.pool.join(exact), self.effort.kept))

    def _set_pool(self, pool: Pool) -> None:
        self.pool = pool
        hits, groups = pool.take(pool.hit), len(self.problem.rows)
        self.pool_limits = _nth_cost(hits, self.effort.kept, groups)  # (g,) what costs more than this is dropped
        self.hit_limits = _nth_cost(hits, 1, groups) + self.effort.slack

    def _remember(self, pool: Pool, found: Ints) -> None:
        self.evaluated.update(zip(_keys(pool.group, pool.rows).tolist(), found, strict=True))

    def _worth_improving(self, beam: Pool) -> Mask:
        """(n,) which candidates have not been improved yet and may still lead to a better one."""
        new = np.array([key not in self.improved for key in _keys(beam.group, beam.rows).tolist()], dtype=np.bool_)
        if self.effort.repair:
            met = np.zeros(len(self.problem.rows), dtype=np.bool_)
            met[self.pool.group[self.pool.hit]] = True
            new &= ~met[beam.group]
        return new & self._promising(beam.group, self._changed(beam.group, beam.rows), beam.nats)

    def _changed(self, group: Ints, rows: Rows) -> Ints:
        """(n,) how many ticks differ from the original."""
        count: Ints = (rows != self.problem.rows[group]).sum(axis=1)
        return count

    def _promising(self, group: Ints, changed: Array, nats: Floats) -> Mask:
        """(n,) groups, changed ticks and nats -> (n,) which candidates may still compete with the best hit. The changed
        ticks and the surprise give a lower bound of the cost, whatever the attributes are."""
        prices = self.judge.prices
        promising: Mask = prices.tick * changed + prices.nat * (nats - self.nats[group]) <= self.hit_limits[group]
        return promising

    def _diverse_best(self, pool: Pool, count: int, alike: int = 1) -> Pool:
        """The best `count` candidates of each group.

        Of candidates with the same number of notes that miss by the same values, at most `alike` * ALIKE are taken.
        Otherwise many similar candidates, all stuck at one value, could push out the one that leads to the request.
        """
        hits = pool.take(pool.hit).best(count)
        at = np.flatnonzero(~pool.hit & (pool.cost <= _nth_cost(hits, count, len(self.problem.rows))[pool.group]))
        if len(at) == 0:
            return hits
        requested = ~np.isnan(self.problem.wanted).all(axis=0)
        wanted = self.problem.wanted[:, requested][pool.group[at]]
        off = np.where(np.isnan(wanted), 0.0, pool.values[at][:, requested] - np.nan_to_num(wanted)).round(6) + 0.0
        notes = onsets(pool.rows[at]).sum(axis=1, keepdims=True)
        label = fingerprint(np.hstack([off.view(np.int64), notes, pool.group[at, None]]))
        order = np.lexsort((pool.cost[at], label))
        few = at[order[_rank_in_group(label[order]) < alike * ALIKE]]
        return hits.join(pool.take(few)).best(count)

    # ------------------------------------------------------------------------------ small changes

    def _small_changes(self, beam: Pool) -> Unevaluated:
        """All candidates that one change of a row in the beam makes, without the hopeless ones."""
        keys = _keys(beam.group, beam.rows)
        self.improved.update(keys.tolist())
        table = self.probabilities.at(np.stack([self.evaluated[key] for key in keys.tolist()]))
        changed, token_cost = self._changed(beam.group, beam.rows), self.cost.tokens(beam.group, beam.rows)
        parents = Parents(beam, keys, changed, token_cost, table)
        kinds = [
            self._with_tokens(parents, *self._token_changes(beam, table)),
            self._with_tokens(parents, *self._onset_shifts(beam)),
        ]
        at = np.flatnonzero(~beam.hit)
        if len(at):
            parent, *changes = self._note_exchanges(beam.take(at), table[at])
            kinds.append(self._with_tokens(parents, at[parent], *changes))
            parent, rows, nats = self._pitch_changes(beam.take(at), table[at])
            kinds.append(self._from_rows(beam.group[at[parent]], rows, nats))
        parent, rows, nats = self._paired_moves(beam, table)
        kinds.append(self._from_rows(beam.group[parent], rows, nats))
        parts = [vars(kind) for kind in kinds]
        return Unevaluated(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})

    def _with_tokens(self, parents: Parents, parent: Ints, *changes: tuple[Ints, Ints]) -> Unevaluated:
        """The promising children of `parent` (n,). Each pair of `changes` gives a tick (n,) and its new token (n,).

        Most children are hopeless. Their cost is therefore computed from their parents' before any row is made.
        """
        beam, ticks = parents.pool, parents.pool.rows.shape[1]
        group, nats, key = beam.group[parent], beam.nats[parent], parents.key[parent]
        changed, token_cost = parents.changed[parent], parents.token_cost[parent]
        for tick, token in changes:
            old, original = beam.rows.take(parent * ticks + tick), self.problem.rows.take(group * ticks + tick)
            in_table, in_prices = (parent * ticks + tick) * VOCABULARY, (group * ticks + tick) * VOCABULARY
            nats += parents.table.take(in_table + old) - parents.table.take(in_table + token)
            token_cost += self.cost.token_prices.take(in_prices + token) - self.cost.token_prices.take(in_prices + old)
            changed += (token != original).astype(np.int64) - (old != original)
            key += (token - old).astype(np.uint64) * _MIX[tick]
        promising = self._promising(group, changed, nats)
        promising &= token_cost + self.judge.prices.nat * (nats - self.nats[group]) <= self.pool_limits[group]
        rows = beam.rows[parent[promising]]
        for tick, token in changes:
            rows[np.arange(len(rows)), tick[promising]] = token[promising]
        return Unevaluated(group[promising], rows, nats[promising], token_cost[promising], key[promising])

    def _from_rows(self, group: Ints, rows: Rows, nats: Floats) -> Unevaluated:
        """The promising ones of some whole rows, whose token cost is not known yet."""
        promising = self._promising(group, self._changed(group, rows), nats)
        group, rows = group[promising], rows[promising]
        return Unevaluated(group, rows, nats[promising], self.cost.tokens(group, rows), _keys(group, rows))

    def _token_changes(self, beam: Pool, table: Floats) -> tuple[Ints, tuple[Ints, Ints]]:
        """Replace the token of one tick. A note gets any pitch in reach, HOLD or REST; a rest gets HOLD or one of the
        most probable pitches; a held tick gets one of the most probable pitches."""
        started = onsets(beam.rows)
        reach = np.broadcast_to(self.pitches, (*beam.rows.shape, VOCABULARY)).copy()
        liked = np.where(reach, self._liked(beam.group, table), -np.inf)
        favourites = self.effort.favourites
        edge = np.partition(liked, -favourites, axis=2)[:, :, -favourites, None]
        reach &= started[:, :, None] | (liked >= edge)
        reach[:, :, HOLD] = beam.rows != HOLD
        reach[:, :, REST] = started
        np.put_along_axis(reach, beam.rows[:, :, None].astype(np.int64), False, axis=2)
        parent, tick, token = np.nonzero(reach)
        return parent, (tick, token)

    def _liked(self, group: Ints, table: Floats) -> Floats:
        """(n, t, v) log-probabilities, less the prices of tokens that do not fit the chords, in nats."""
        if self.cost.harmony is None:
            return table
        liked: Floats = table - self.cost.harmony.token_prices[group] / self.judge.prices.nat
        return liked

    def _onset_shifts(self, beam: Pool) -> tuple[Ints, tuple[Ints, Ints], tuple[Ints, Ints]]:
        """Move one onset to another tick between its neighbouring events. Its old tick becomes HOLD."""
        _b, ticks = beam.rows.shape
        events = beam.rows != HOLD
        index = np.where(events, np.arange(ticks), -1)
        before = np.maximum.accumulate(index, axis=1)  # the event at or before each tick
        parent, old = np.nonzero(onsets(beam.rows))
        parent, old = parent[old > 0], old[old > 0]
        to = np.arange(ticks)[None]
        free = ~events[parent]
        own_length = before[parent] == old[:, None]  # the ticks through which the note itself sounds
        previous = before[parent, old - 1]
        earlier = (before[parent] == previous[:, None]) & (to < old[:, None])
        which, new = np.nonzero(free & (own_length | earlier) & (to > 0))
        parent, old = parent[which], old[which]
        return parent, (old, np.full(len(old), HOLD)), (new, beam.rows[parent, old].astype(np.int64))

    # Two larger changes serve measures that still miss the request. Half of such a change gains nothing.

    def _note_exchanges(self, beam: Pool, table: Floats) -> tuple[Ints, tuple[Ints, Ints], tuple[Ints, Ints]]:
        """Remove one note, and add another on a free tick with the most probable pitch there."""
        parent, old = np.nonzero(onsets(beam.rows))
        parent, old = parent[old > 0], old[old > 0]
        which, new = np.nonzero(beam.rows[parent] == HOLD)
        which, new = which[new > 0], new[new > 0]
        parent, old = parent[which], old[which]
        favourite = np.where(self.pitches, self._liked(beam.group, table), -np.inf).argmax(axis=2)
        return parent, (old, np.full(len(old), HOLD)), (new, favourite[parent, new])

    def _pitch_changes(self, beam: Pool, table: Floats) -> tuple[Ints, Rows, Floats]:
        """Move all notes of one pitch to another pitch, at most an octave away."""
        present = np.zeros((len(beam.rows), VOCABULARY), dtype=np.bool_)
        np.put_along_axis(present, beam.rows.astype(np.int64), True, axis=1)
        present[:, :FIRST_PITCH] = False
        near = np.abs(np.arange(VOCABULARY)[:, None] - np.arange(VOCABULARY)) <= OCTAVE
        np.fill_diagonal(near, False)
        parent, old, new = np.nonzero(present[:, :, None] & near & self.pitches)
        rows = beam.rows[parent]
        where = rows == old[:, None]
        rows = np.where(where, new[:, None], rows).astype(np.int16)
        every, ticks = np.arange(len(rows))[:, None], np.arange(rows.shape[1])[None]
        change = table[parent[every], ticks, old[:, None]] - table[parent[every], ticks, new[:, None]]
        return parent, rows, beam.nats[parent] + np.where(where, change, 0).sum(axis=1)

    def _paired_moves(self, beam: Pool, table: Floats) -> tuple[Ints, Rows, Floats]:
        """Move a new note that does not fit to a pitch that does, together with another note, or with all notes of that
        other note's pitch. Both move by the same interval, so that the interval between them stays."""
        new = onsets(beam.rows) & (beam.rows != self.problem.rows[beam.group])
        parent, unfitting = np.nonzero(new & ~self._fits(beam.group, beam.rows))
        which, other, step = np.nonzero(np.repeat(onsets(beam.rows)[parent, :, None], len(MENDING), axis=2))
        pair = unfitting[which] != other
        which, other, step = which[pair], other[pair], step[pair]
        parent, unfitting, interval = parent[which], unfitting[which], np.array(MENDING, dtype=np.int16)[step]
        ticks, rows = np.arange(beam.rows.shape[1]), beam.rows[parent]
        alike = rows == rows[np.arange(len(rows)), other][:, None]
        moved = np.concatenate([ticks == other[:, None], alike]) | np.tile(ticks == unfitting[:, None], (2, 1))
        parent, rows, interval = np.tile(parent, 2), np.tile(rows, (2, 1)), np.tile(interval, 2)
        fresh = np.clip(rows + interval[:, None] * moved, 0, VOCABULARY - 1)
        fine = np.all(self._fits(beam.group[parent], fresh) | ~moved, axis=1)
        parent, rows, fresh, moved = parent[fine], rows[fine], fresh[fine], moved[fine]
        change = table[parent[:, None], ticks, rows] - table[parent[:, None], ticks, fresh]
        return parent, fresh, beam.nats[parent] + np.where(moved, change, 0).sum(axis=1)

    def _allowed(self, group: Ints, rows: Rows) -> Mask:
        original = self.problem.rows[group]
        fine = self.problem.allows(group, rows)
        notes = onsets(rows) & (rows != original)
        fine &= np.all(self.pitches.take(rows) | ~notes, axis=1)
        return fine & self.judge.locks.allow(original, rows, self.problem.keys[group])

    def _pitches(self) -> Mask:
        """(v,) which pitches a new note may have: at most REACH outside the melody's compass."""
        tokens = np.arange(VOCABULARY)
        locks = self.judge.locks
        inside: Mask = tokens >= max(FIRST_PITCH, locks.lowest - REACH)
        return inside & (tokens <= locks.highest + REACH)
