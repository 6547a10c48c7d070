"""Variations: n different ones of a melody, that keep its attributes, as far apart as they can be.

    request = VaryRequest(EditRequest({}), count=16, amount=0.5)
    result = vary(melody, request, model)     # result.variations: melody, amount; result.base

What stays. Every attribute that the model carries has in every measure the value it had, exactly (to the note, to
the semitone; within half a grain where it is continuous), as have those in `keep`. With targets the melody is
edited first (edit.py), and the variations are of the edited melody: they keep ITS values, so that what the edit
met they meet too.

Amount. The share of the notes, in the measures that may change, that are not where they were at the pitch they
had: 0.5 replaces every second note. Where the number of notes changes, the larger of the notes gone and the notes
come counts. It is an average over the melody, met as nearly as whole notes allow; what a variation has is
in `Variation.amount`. The same share between two variations is their distance.

How. For every distinct measure a walk (walk.py) from decodes of its latent point, moved where no attribute
lies, collects measures that keep the attributes, at all distances up to the amount and a little beyond. The
variations are then best paths through these (path.py): one after the other, each as far as it can be from the
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
from ..music.keys import pitches_for
from ..music.melody import Melody
from ..music.meter import Meter
from ..music.tokens import FIRST_PITCH, HOLD, REST, ends_in, onsets
from ..networks.decoding import decode
from ..networks.model import Model, values_of
from ..vae.scales import NOT_CARRIED
from .best_path import Choice, best_path, joins
from .candidates import Found
from .cost import Judge, judge_of
from .edit import EditRequest, EditResult, edit
from .explore import Walk
from .locks import Locks
from .taste import awkward, largest_leap
from .ties import canonical, leave_of, opening_allowed, tie_of

COUNT, AMOUNT = 16, 0.5
CHUNK = 24  # measures walked at a time: memory stays flat however long the melody is
LEEWAY = 2  # semitones beyond the melody's compass that a variation may go
RADII = (0.6, 1.0, 1.5)  # of the moves in the free latent dimensions, in posterior units
BONUSES = (0.0, 1.0, 2.5)  # logits for the original's token
SEEDS = 24  # decodes of each measure that the walk starts from
WIDTH = 12  # candidates kept of each measure at each distance, while walking
POOL = 40  # of each measure, to choose from
BEYOND = 0.3  # share of a measure's notes beyond the amount that may change in it

# what things cost when measures are chosen
MISS = 30.0  # per sd that an attribute is off: only while walking
NAT = 0.15
EVEN = 3.0  # per note, times the squared difference between a measure's share and the amount
UNLIKE = 2.0  # per note by which a candidate differs from the nearest other of its pool
APART = 5.0  # per note by which a variation differs from others, the nearest of which weigh most
CLOSING = 4.0  # for another last note of the melody: a tune that does not come home is no variation
OUTER_LEAP = 0.3  # per semitone by which the largest leap of a measure grows
PULLS = 5  # times that the nearest of the others are made to weigh more
AMOUNT_STEPS = 6  # of the bisection for the amount
SETTLED = 0.015  # of the amount: near enough
FULL_PULL = 6.0  # cost per note by which the amount can be pulled, at most
BAN = 1e6


@dataclass(frozen=True)
class VaryRequest:
    editing: EditRequest  # what is done before anything is varied; its measures, locks, form and seed hold on
    count: int = COUNT
    amount: float = AMOUNT

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError(f"{self.count} variations", remedy="give count=1 or more")
        if not 0 < self.amount <= 1:
            raise UsageError(f"the amount is {self.amount:g}", remedy="give a share of the notes, above 0, at most 1")


@dataclass(frozen=True)
class Variation:
    """`result` as of an edit: what was asked and what is achieved, measure by measure."""

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
        """How many fewer than asked for there are."""
        return self.wanted - len(self.variations)


def vary(melody: Melody, request: VaryRequest, model: Model) -> VaryResult:
    """Raises CheckpointError for an attribute that the model does not know, UsageError for no such measures."""
    base = edit(melody, request.editing, model)
    known = model.restricted(base.names)
    pools = _pools(base, request, known)
    ensemble = _Ensemble(base.melody, pools, request)
    variations = []
    for _ in range(request.count):
        chosen = ensemble.next()
        if chosen is None:
            break
        variations.append(_variation(base, chosen, ensemble.amount_of(chosen), pools, known))
    return VaryResult(base, tuple(variations), request.count)


def notes_apart(one: Rows, other: Rows) -> Ints:
    """(..., t) twice -> (...) notes gone or notes come, whichever are more."""
    differ = one != other
    gone, come = (onsets(one) & differ).sum(axis=-1), (onsets(other) & differ).sum(axis=-1)
    more: Ints = np.maximum(gone, come)
    return more


# ------------------------------------------------------------------------------------ candidates


@dataclass(frozen=True)
class _Spot:
    """One measure that may change."""

    index: int
    meter: Meter
    row: Row
    wanted: Floats  # (k,) the values to keep
    tie: int  # locks.opening_allowed
    leave: int  # search.Problem.leave

    @property
    def key(self) -> tuple[object, ...]:
        return (self.meter, self.row.tobytes())

    def bound_as(self, other: _Spot) -> _Spot:
        """Bound to its neighbours as another place of the same measure is too: one variation must suit both."""
        # Of one row, ties are 0 and -1, or 0 and 1; and what it leaves is -1 or what it ends in.
        return replace(self, tie=self.tie or other.tie, leave=max(self.leave, other.leave))


@dataclass(frozen=True)
class _Pool:
    """What one distinct measure may become: the base's row first."""

    rows: Rows  # (n, t)
    cost: Floats  # (n,) surprise and taste
    apart: Ints  # (n, n) notes
    notes: int  # of the base's row


def _spots(base: EditResult) -> list[_Spot]:
    editable = {bar.index for bar in base.bars}
    spots = []
    for bar in base.bars:
        row = base.melody.bars[bar.index].tokens
        if row is not None:
            tie, leave = tie_of(base.melody, bar.index, editable), leave_of(base.melody, bar.index, editable)
            spots.append(_Spot(bar.index, bar.meter, row, bar.achieved, tie, leave))
    return spots


def _pools(base: EditResult, request: VaryRequest, model: Model) -> dict[int, tuple[int, _Pool]]:
    """By index of the measure: which of the distinct measures it is, and its pool."""
    spots = _spots(base)
    distinct: dict[tuple[object, ...], _Spot] = {}
    for spot in spots:
        distinct[spot.key] = distinct[spot.key].bound_as(spot) if spot.key in distinct else spot
    found: dict[tuple[object, ...], _Pool] = {}
    notes = [token for row in base.melody.rows if row is not None for token in row[onsets(row)].tolist()]
    locks = Locks(request.editing.locks, min(notes, default=FIRST_PITCH), max(notes, default=FIRST_PITCH))
    for meter in sorted({spot.meter for spot in distinct.values()}):
        here = [spot for spot in distinct.values() if spot.meter == meter]
        for start in range(0, len(here), CHUNK):
            chunk = here[start : start + CHUNK]
            seed = [request.editing.seed, meter.code, start]
            pools = _Collector(chunk, meter, locks, request.amount, model, seed).pools()
            found.update(zip((spot.key for spot in chunk), pools, strict=True))
    forms = {key: n for n, key in enumerate(found)}
    return {spot.index: (forms[spot.key], found[spot.key]) for spot in spots}


class _Collector:
    """Walks from some measures of one meter, and keeps what keeps their attributes."""

    def __init__(
        self, spots: Sequence[_Spot], meter: Meter, locks: Locks, amount: float, model: Model, seed: Sequence[int]
    ) -> None:
        self.meter, self.locks, self.amount, self.model = meter, locks, amount, model
        self.judge: Judge = judge_of(model, meter, locks)
        self.random = np.random.default_rng(list(seed))
        self.rows = np.stack([spot.row for spot in spots])
        self.wanted = np.stack([spot.wanted for spot in spots])
        self.tie = np.array([spot.tie for spot in spots], dtype=np.int8)
        self.leave = np.array([spot.leave for spot in spots])
        self.notes = onsets(self.rows).sum(axis=1)
        self.leaps = largest_leap(self.rows)
        self.clumsy = awkward(self.rows, meter)
        self.pitches = pitches_for(self.rows, locks.lowest - LEEWAY, locks.highest + LEEWAY)
        self.farthest = np.ceil(np.minimum(amount + BEYOND, 1.0) * self.notes)

    def pools(self) -> list[_Pool]:
        walk = Walk(
            self.meter, self.rows, self._decodes(), self.pitches, self.allow, self.price,
            self.model.runtime, self.random, WIDTH,
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
        """Locks, neighbours, notes in the key and the compass."""
        original = self.rows[group]
        fine = opening_allowed(rows, self.tie[group])
        new = onsets(rows) & (rows != original)
        inside = np.take_along_axis(self.pitches[group], rows.astype(np.int64), axis=1)
        fine &= np.all(inside | ~new, axis=1)
        leave, ends = self.leave[group], ends_in(rows)
        fine &= (leave < 0) | (ends == leave) | (ends == HOLD)
        return fine & self.locks.allow(original, rows)

    def price(self, group: Ints, rows: Rows, nats: Floats) -> tuple[Floats, Ints]:
        """What a candidate costs while walking; its niche is how many notes are others."""
        misses = self.judge.misses(self.judge.values(rows, self.meter), self.wanted[group])
        apart = notes_apart(self.rows[group], rows)
        cost = MISS * misses.sum(axis=1) + NAT * nats + self._clumsiness(group, rows)
        cost += np.abs((rows == REST).sum(axis=1) - (self.rows[group] == REST).sum(axis=1))
        return np.where(apart > self.farthest[group], np.inf, cost), apart

    def _clumsiness(self, group: Ints, rows: Rows) -> Floats:
        """What is worse to sing or play than the original."""
        leap = OUTER_LEAP * np.maximum(largest_leap(rows) - self.leaps[group], 0)
        worse: Floats = leap + np.maximum(awkward(rows, self.meter) - self.clumsy[group], 0)
        return worse

    def _pool(self, g: int, found: Found, own_nats: float) -> _Pool:
        """The base's row and POOL others, at all distances, each good and unlike those before it."""
        row = self.rows[g]
        found = found.take((found.niche > 0) & (found.rows != row).any(axis=1))
        apart = notes_apart(found.rows[:, None], found.rows[None])
        share = found.niche / max(int(self.notes[g]), 1)
        merit = found.cost + EVEN * self.notes[g] * np.square(share - self.amount)
        chosen: list[int] = []
        nearest = np.full(len(found.rows), float(self.notes[g]))
        while len(chosen) < min(POOL, len(found.rows)):
            score = merit - UNLIKE * nearest
            score[chosen] = np.inf
            chosen.append(int(score.argmin()))
            nearest = np.minimum(nearest, apart[:, chosen[-1]])
        rows = np.concatenate([row[None], found.rows[chosen]])
        cost = np.concatenate([[NAT * own_nats], found.cost[chosen]])
        return _Pool(rows, cost, notes_apart(rows[:, None], rows[None]), int(self.notes[g]))


# ------------------------------------------------------------------------------------ whole melodies


class _Ensemble:
    """The variations chosen so far, as which candidate of every measure."""

    def __init__(self, melody: Melody, pools: Mapping[int, tuple[int, _Pool]], request: VaryRequest) -> None:
        self.pools, self.amount = pools, request.amount
        self.choices: list[Choice | None] = []
        for i, bar in enumerate(melody.bars):
            if bar.tokens is None:
                self.choices.append(None)
            elif i not in pools:
                self.choices.append(Choice(bar.tokens, bar.tokens[None], np.zeros(1), -1))
            else:
                form, pool = pools[i]
                self.choices.append(Choice(bar.tokens, pool.rows, pool.cost, form if request.editing.form else -1))
        self.joins = joins(self.choices)
        self.closing = _closing(pools)
        self.notes = max(sum(pool.notes for _, pool in pools.values()), 1)
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
        return sum(int(self.pools[i][1].apart[0, c]) for i, c in path.items()) / self.notes

    def _apart(self, one: Mapping[int, int], other: Mapping[int, int]) -> float:
        return sum(int(self.pools[i][1].apart[c, other[i]]) for i, c in one.items()) / self.notes

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
        for i, (_, pool) in self.pools.items():
            share = pool.apart[0] / max(pool.notes, 1)
            cost = pool.cost + EVEN * pool.notes * np.square(share - self.amount) + self.closing.get(i, 0.0)
            if self.chosen:
                cost = cost - APART * pool.apart[:, [other[i] for other in self.chosen]] @ weights
            costs[i] = cost
        return costs

    def _path(self, costs: Mapping[int, Floats], pull: float) -> dict[int, int]:
        choices = [
            choice if choice is None or i not in costs
            else replace(choice, cost=costs[i] + pull * self.pools[i][1].apart[0])
            for i, choice in enumerate(self.choices)
        ]  # fmt: skip
        path = best_path(choices, self.joins)
        return {i: path[i] for i in self.pools}

    def _another(self, weights: Floats) -> dict[int, int] | None:
        """A path that is not among the chosen: one measure is denied what it had, until it is."""
        costs = self._costs(weights)
        for form in dict.fromkeys(form for form, _ in self.pools.values()):
            here = [i for i, (other, _) in self.pools.items() if other == form]
            denied = {i: cost.copy() if i in here else cost for i, cost in costs.items()}
            for _ in range(len(self.pools[here[0]][1].rows)):
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
        rows = (self.pools[i][1].rows[c] for i, c in path.items())
        return tuple(np.where(onsets(row), row, HOLD).tobytes() for row in rows)


def _closing(pools: Mapping[int, tuple[int, _Pool]]) -> dict[int, Floats]:
    """What the candidates of the last measure with a note cost for ending on another pitch."""
    for i in sorted(pools, reverse=True):
        pool = pools[i][1]
        if pool.notes:
            ends = np.array([row[onsets(row)][-1] if onsets(row).any() else REST for row in pool.rows])
            return {i: CLOSING * (ends != ends[0])}
    return {}


def _variation(
    base: EditResult, chosen: Mapping[int, int], amount: float, pools: Mapping[int, tuple[int, _Pool]], model: Model
) -> Variation:
    rows: list[Row | None] = list(base.melody.rows)
    changed = {i for i, c in chosen.items() if c > 0}
    for i in changed:
        rows[i] = pools[i][1].rows[chosen[i]]
    melody = base.melody.with_rows(canonical(rows, changed))
    values = values_of(melody, [bar.index for bar in base.bars], model)
    bars = []
    for bar in base.bars:
        achieved = values[bar.index]
        wanted = np.where(np.isnan(bar.asked), bar.achieved, bar.wanted)
        hits = model.hits(bar.meter, achieved, wanted)
        new = bar.changed or bar.index in changed
        bars.append(replace(bar, wanted=wanted, achieved=achieved, hits=hits, changed=new))
    return Variation(EditResult(melody, base.names, tuple(bars), base.skipped), amount)
