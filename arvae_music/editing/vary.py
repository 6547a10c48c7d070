"""Variations: n different versions of a melody that keep its attributes and lie as far apart as possible.

    request = VaryRequest(EditRequest({}), count=16, amount=0.5)
    result = vary(melody, request, model)     # result.variations: melody, amount; result.base

What stays. Every attribute that the model knows keeps its value in every measure, as do those in `keep`: exactly, which
means to the note and to the semitone, or within half a grain (0.05 sd) where the attribute is continuous. With
targets, the melody is edited first (edit.py), and the variations keep the values of the edited melody.

Amount. The share of the notes, in the measures that may change, that are not where they were at the pitch they
had: 0.5 replaces every second note. Where the number of notes changes, the larger of the notes gone and the notes
come counts. It is an average over the melody, met as nearly as whole notes allow; what a variation has is
in `Variation.amount`. The same share between two variations is their distance.

How. For every distinct measure a walk (explore.py) from decodes of its latent point, moved where no attribute
lies, collects measures that keep the attributes, at all distances up to the amount and a little beyond. The
variations are then best paths through these (best_path.py): one after the other, each as far as it can be from the
nearest of those before it, none twice. The first is the one that the model finds most natural. Measures that are
the same stay the same (form).

A melody of few notes may not have so many variations: then there are fewer, and `VaryResult.short` says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Floats, Ints, Mask, Row, Rows
from ..errors import UsageError
from ..music.attributes import evaluate_bars
from ..music.keys import compass_of, pitches_for
from ..music.melody import Melody
from ..music.meter import Meter
from ..music.tokens import HOLD, REST, ends_in, onsets
from ..networks.decoding import decode
from ..networks.model import Model
from ..vae.scales import NOT_CARRIED
from .best_path import BAN, best_path, choices_of, joins
from .candidates import Found
from .cost import VARIATION, Judge, awkward, judge_of
from .edit import EditRequest, EditResult, edit
from .explore import CHUNK, LEEWAY, Walk
from .locks import Locks
from .taste import largest_leap
from .ties import Key, Place, bound_together, canonical, find_each, leave_of, opening_allowed, tie_of

COUNT, AMOUNT = 16, 0.5
RADII = (0.6, 1.0, 1.5)  # of the moves in the free latent dimensions, in posterior units
BONUSES = (0.0, 1.0, 2.5)  # logits for the original's token
SEEDS = 24  # decodes of each measure that the walk starts from
WIDTH = 12  # candidates kept of each measure at each distance, while walking
POOL = 40  # of each measure, to choose from
BEYOND = 0.3  # share of a measure's notes beyond the amount that may change in it

PULLS = 5  # times that the nearest of the others are made to weigh more
AMOUNT_STEPS = 6  # of the bisection for the amount
SETTLED = 0.015  # of the amount: near enough
FULL_PULL = 6.0  # cost per note by which the amount can be pulled, at most


@dataclass(frozen=True)
class VaryRequest:
    editing: EditRequest  # made first; its measures, locks, form and seed hold for the variations too
    count: int = COUNT
    amount: float = AMOUNT

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError(f"{self.count} variations", remedy="give count=1 or more")
        if not 0 < self.amount <= 1:
            raise UsageError(f"the amount is {self.amount:g}", remedy="give a share of the notes, above 0, at most 1")


@dataclass(frozen=True)
class Variation:
    """`result` says what was requested and achieved in each measure, as for an edit."""

    result: EditResult
    amount: float  # share of the base's notes that are others

    @property
    def melody(self) -> Melody:
        return self.result.melody


@dataclass(frozen=True)
class VaryResult:
    base: EditResult  # what the variations are of: the melody itself, or edited to the targets
    variations: tuple[Variation, ...]
    wanted: int

    @property
    def short(self) -> int:
        """By how many the variations fall short of the requested number."""
        return self.wanted - len(self.variations)


def vary(melody: Melody, request: VaryRequest, model: Model) -> VaryResult:
    """Raises CheckpointError for an attribute that the model does not know, UsageError for no such measures."""
    base = edit(melody, request.editing, model)
    known = model.restricted(base.names)
    places = _places(base)
    locks = Locks(request.editing.locks, *compass_of(base.melody.rows))

    def collect(some: Sequence[Place], meter: Meter, start: int) -> list[_Pool]:
        seed = [request.editing.seed, meter.code, start]
        return _Collector(some, meter, locks, request.amount, known, seed).pools()

    ensemble = _Ensemble(base.melody, places, find_each(places, CHUNK, collect), request)
    variations = []
    for _ in range(request.count):
        chosen = ensemble.next()
        if chosen is None:
            break
        variations.append(_variation(base, chosen, ensemble.amount_of(chosen), ensemble.pools, known))
    return VaryResult(base, tuple(variations), request.count)


def notes_apart(one: Rows, other: Rows) -> Ints:
    """(..., t) twice -> (...) notes gone or notes come, whichever are more."""
    differ = one != other
    gone, come = (onsets(one) & differ).sum(axis=-1), (onsets(other) & differ).sum(axis=-1)
    more: Ints = np.maximum(gone, come)
    return more


# ------------------------------------------------------------------------------------ candidates


@dataclass(frozen=True)
class _Pool:
    """What one distinct measure may become: the base's row first."""

    rows: Rows  # (n, t)
    cost: Floats  # (n,) surprise and taste
    apart: Ints  # (n, n) notes
    notes: int  # of the base's row


def _places(base: EditResult) -> list[Place]:
    """The measures that may change, to keep the attributes that they have."""
    melody, editable = base.melody, {bar.index for bar in base.bars}
    places = []
    for bar in base.bars:
        row = melody.bars[bar.index].tokens
        if row is not None:
            tie, leave = tie_of(melody, bar.index, editable), leave_of(melody, bar.index, editable)
            places.append(Place(bar.index, bar.meter, row, bar.achieved, tie, leave))
    return bound_together(places)


class _Collector:
    """Walks from some measures of one meter, and keeps what keeps their attributes."""

    def __init__(
        self, places: Sequence[Place], meter: Meter, locks: Locks, amount: float, model: Model, seed: Sequence[int]
    ) -> None:
        self.meter, self.locks, self.amount, self.model = meter, locks, amount, model
        self.judge: Judge = judge_of(model, meter, locks, prices=VARIATION)
        self.random = np.random.default_rng(list(seed))
        self.rows = np.stack([place.row for place in places])
        self.wanted = np.stack([place.aim for place in places])
        self.tie = np.array([place.tie for place in places], dtype=np.int8)
        self.leave = np.array([place.leave for place in places])
        self.notes = onsets(self.rows).sum(axis=1)
        self.leaps = largest_leap(self.rows)
        self.clumsy = awkward(self.rows, meter, VARIATION)
        self.pitches = pitches_for(self.rows, locks.lowest - LEEWAY, locks.highest + LEEWAY)
        self.farthest = np.ceil(np.minimum(amount + BEYOND, 1.0) * self.notes)

    def pools(self) -> list[_Pool]:
        walk = Walk(
            self.meter, self.rows, self._decodes(), self.pitches, self.price,
            self.model.runtime, self.random, WIDTH, self.allow,
        )  # fmt: skip
        found = walk.run()
        values = self.judge.values(found.rows, self.meter)
        exact = ~self.judge.misses(values, self.wanted[found.group]).any(axis=1)
        exact &= self.allow(found.group, found.rows)
        own = walk.original_nats
        return [self._pool(g, found.take(exact & (found.group == g)), own[g]) for g in range(len(self.rows))]

    def _decodes(self) -> Rows:
        """(g, SEEDS, t) decodes of each measure's latent point, moved where no attribute lies."""
        runtime, count = self.model.runtime, SEEDS
        z = np.repeat(runtime.encode(self.rows, self.meter), count, axis=0)
        free = np.ones(runtime.latent, dtype=np.bool_)
        free[[s.dimension for s in self.model.metadata.scales if s.dimension != NOT_CARRIED]] = False
        way = np.tile(np.arange(count), len(self.rows))
        radius = np.array(RADII)[way % len(RADII)][:, None]
        step = self.random.standard_normal(z.shape) * radius * free
        bonus = np.array(BONUSES, dtype=np.float32)[way // len(RADII) % len(BONUSES)]
        originals = np.repeat(self.rows, count, axis=0)
        rows = decode(runtime, (z + step).astype(np.float32), self.meter, originals, bonus)
        return rows.reshape(len(self.rows), count, -1)

    def allow(self, group: Ints, rows: Rows) -> Mask:
        """What suits the locks and the neighbours."""
        leave, ends = self.leave[group], ends_in(rows)
        fine: Mask = opening_allowed(rows, self.tie[group]) & ((leave < 0) | (ends == leave) | (ends == HOLD))
        return fine & self.locks.allow(self.rows[group], rows)

    def price(self, group: Ints, rows: Rows, nats: Floats) -> tuple[Floats, Ints]:
        """What a candidate costs while walking; its niche is how many notes are others."""
        misses = self.judge.misses(self.judge.values(rows, self.meter), self.wanted[group])
        apart = notes_apart(self.rows[group], rows)
        cost = VARIATION.miss * misses.sum(axis=1) + VARIATION.nat * nats + self._clumsiness(group, rows)
        cost += VARIATION.new_silence * np.abs((rows == REST).sum(axis=1) - (self.rows[group] == REST).sum(axis=1))
        return np.where(apart > self.farthest[group], np.inf, cost), apart

    def _clumsiness(self, group: Ints, rows: Rows) -> Floats:
        """What is worse to sing or play than the original."""
        leap = VARIATION.wider * np.maximum(largest_leap(rows) - self.leaps[group], 0)
        worse: Floats = leap + np.maximum(awkward(rows, self.meter, VARIATION) - self.clumsy[group], 0)
        return worse

    def _pool(self, g: int, found: Found, own_nats: float) -> _Pool:
        """The base's row and POOL others, at all distances, each good and unlike those before it."""
        row = self.rows[g]
        found = found.take((found.niche > 0) & (found.rows != row).any(axis=1))
        apart = notes_apart(found.rows[:, None], found.rows[None])
        share = found.niche / max(int(self.notes[g]), 1)
        merit = found.cost + VARIATION.even * self.notes[g] * np.square(share - self.amount)
        chosen: list[int] = []
        nearest = np.full(len(found.rows), float(self.notes[g]))
        while len(chosen) < min(POOL, len(found.rows)):
            score = merit - VARIATION.unlike * nearest
            score[chosen] = np.inf
            chosen.append(int(score.argmin()))
            nearest = np.minimum(nearest, apart[:, chosen[-1]])
        rows = np.concatenate([row[None], found.rows[chosen]])
        cost = np.concatenate([[VARIATION.nat * own_nats], found.cost[chosen]])
        return _Pool(rows, cost, notes_apart(rows[:, None], rows[None]), int(self.notes[g]))


# ------------------------------------------------------------------------------------ whole melodies


class _Ensemble:
    """The variations chosen so far, as which candidate of every measure."""

    def __init__(
        self, melody: Melody, places: Sequence[Place], found: Mapping[Key, _Pool], request: VaryRequest
    ) -> None:
        pools = {place.index: found[place.key] for place in places}
        self.pools, self.amount = pools, request.amount
        self.choices = choices_of(melody.rows, places, found, request.editing.form)
        self.joins = joins(self.choices)
        self.closing = _closing(pools)
        self.notes = max(sum(pool.notes for pool in pools.values()), 1)
        self.chosen: list[dict[int, int]] = []
        self.seen: set[tuple[bytes, ...]] = set()
        self._see(dict.fromkeys(pools, 0))
        self.pull = 0.0

    def next(self) -> dict[int, int] | None:
        """One more, by index of the measure; None where there is no other."""
        weights = np.full(len(self.chosen), 1.0 / max(len(self.chosen), 1))
        best: dict[int, int] | None = None
        widest = -1.0
        for _ in range(PULLS if self.chosen else 1):
            path = self._at_amount(weights)
            gaps = np.array([self._apart(path, other) for other in self.chosen])
            width = float(gaps.min()) if len(gaps) else 0.0
            if width > widest and not self._known(path):
                best, widest = path, width
            if len(gaps):
                weights = weights * np.exp(-4 * (gaps - gaps.min()) / max(float(gaps.max() - gaps.min()), 0.05))
                weights /= weights.sum()
        best = best or self._another(weights)
        if best is not None:
            self.chosen.append(best)
            self._see(best)
        return best

    def amount_of(self, path: Mapping[int, int]) -> float:
        return sum(int(self.pools[i].apart[0, c]) for i, c in path.items()) / self.notes

    def _apart(self, one: Mapping[int, int], other: Mapping[int, int]) -> float:
        return sum(int(self.pools[i].apart[c, other[i]]) for i, c in one.items()) / self.notes

    def _at_amount(self, weights: Floats) -> dict[int, int]:
        """The best path of the amount: every note that is another costs or pays what it takes."""
        costs = self._costs(weights)
        low, high = -FULL_PULL, FULL_PULL
        path = self._path(costs, self.pull)
        for _ in range(AMOUNT_STEPS):
            off = self.amount_of(path) - self.amount
            if abs(off) <= SETTLED:
                break
            low, high = (self.pull, high) if off > 0 else (low, self.pull)
            self.pull = (low + high) / 2
            path = self._path(costs, self.pull)
        return path

    def _costs(self, weights: Floats) -> dict[int, Floats]:
        costs = {}
        for i, pool in self.pools.items():
            share = pool.apart[0] / max(pool.notes, 1)
            cost = pool.cost + VARIATION.even * pool.notes * np.square(share - self.amount) + self.closing.get(i, 0.0)
            if self.chosen:
                cost = cost - VARIATION.apart * pool.apart[:, [other[i] for other in self.chosen]] @ weights
            costs[i] = cost
        return costs

    def _path(self, costs: Mapping[int, Floats], pull: float) -> dict[int, int]:
        choices = [
            choice if choice is None or i not in costs
            else replace(choice, cost=costs[i] + pull * self.pools[i].apart[0])
            for i, choice in enumerate(self.choices)
        ]  # fmt: skip
        path = best_path(choices, self.joins)
        return {i: path[i] for i in self.pools}

    def _another(self, weights: Floats) -> dict[int, int] | None:
        """A path that is not among the chosen: one measure is denied what it had, until it is."""
        costs = self._costs(weights)
        for pool in {id(pool): pool for pool in self.pools.values()}.values():
            here = [i for i, other in self.pools.items() if other is pool]
            denied = {i: cost.copy() if i in here else cost for i, cost in costs.items()}
            for _ in range(len(pool.rows)):
                path = self._path(denied, self.pull)
                if not self._known(path):
                    return path
                for i in here:
                    denied[i][path[i]] += BAN
        return None

    def _see(self, path: Mapping[int, int]) -> None:
        self.seen.add(self._sound(path))

    def _known(self, path: Mapping[int, int]) -> bool:
        return self._sound(path) in self.seen

    def _sound(self, path: Mapping[int, int]) -> tuple[bytes, ...]:
        """The notes, without where they end."""
        rows = (self.pools[i].rows[c] for i, c in path.items())
        return tuple(np.where(onsets(row), row, HOLD).tobytes() for row in rows)


def _closing(pools: Mapping[int, _Pool]) -> dict[int, Floats]:
    """What the candidates of the last measure with a note cost for ending on another pitch."""
    for i in sorted(pools, reverse=True):
        pool = pools[i]
        if pool.notes:
            ends = np.array([row[onsets(row)][-1] if onsets(row).any() else REST for row in pool.rows])
            return {i: VARIATION.closing * (ends != ends[0])}
    return {}


def _variation(
    base: EditResult, chosen: Mapping[int, int], amount: float, pools: Mapping[int, _Pool], model: Model
) -> Variation:
    rows: list[Row | None] = list(base.melody.rows)
    changed = {i for i, c in chosen.items() if c > 0}
    for i in changed:
        rows[i] = pools[i].rows[chosen[i]]
    melody = base.melody.with_rows(canonical(rows, changed))
    values = evaluate_bars(model.specs, melody, [bar.index for bar in base.bars])
    bars = []
    for bar in base.bars:
        achieved = values[bar.index]
        wanted = np.where(np.isnan(bar.asked), bar.achieved, bar.wanted)
        hits = model.hits(bar.meter, achieved, wanted)
        new = bar.changed or bar.index in changed
        bars.append(replace(bar, wanted=wanted, achieved=achieved, hits=hits, changed=new))
    return Variation(EditResult(melody, base.names, tuple(bars), base.skipped), amount)
