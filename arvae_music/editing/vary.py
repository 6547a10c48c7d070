"""Variations: n different versions of a melody that keep its attributes and lie as far apart as possible.

    request = VaryRequest(EditRequest({}), count=16, amount=0.5)
    result = vary(melody, request, model)     # result.variations: melody, amount; result.base

What stays. Every attribute that the model knows keeps its value in every measure, and so does every attribute in
`keep`. Counts stay to the note and intervals to the semitone; a continuous attribute stays within half a grain, the
smallest step of an attribute (half of it is 0.05 sd, where an sd is a standard deviation in the model's corpus). With
targets, the melody is edited first (edit.py), and the variations keep the values of the edited melody.

Amount. The share of the notes that get another pitch or another onset, in the measures that may change: 0.5 replaces
every second note. If the number of notes changes, the larger of the removed and the added notes counts. The amount is
an average over the melody and is met as nearly as whole notes allow; `Variation.amount` is the amount of one variation.
The distance between two variations is the same share, counted between them.

How. Each distinct measure is explored by random changes (explore.py). The exploration starts from decodes at the
measure's attributes in its context; a model that knows no context decodes the measure's latent point, shifted in the
dimensions that belong to no attribute. It collects measures that keep the attributes, at all distances up to the amount
and a little beyond. Their costs are those of an edit (cost.py) whose strength is the amount. The ends of phrases stay,
with every model. Each variation is a best path through the collected measures (best_path.py). The first is the most
natural one for the model. Each further one lies as far as possible from the nearest variation before it. No variation
occurs twice. Repeated measures stay equal (form).

A melody of few notes may have fewer variations than requested; then `VaryResult.short` is greater than 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Floats, Ints, Mask, Row, Rows
from ..errors import UsageError
from ..music.attributes import evaluate_bars
from ..music.keys import pitches_for
from ..music.melody import Melody
from ..music.meter import Meter
from ..music.tokens import HOLD, onsets
from ..networks.decoding import decode, surprise
from ..networks.model import Model
from ..system import stopping
from ..vae.scales import NOT_CARRIED
from .best_path import BAN, best_path, choices_of, joins
from .candidates import Archive
from .cost import Cost
from .edit import EditResult, edit
from .explore import CHUNK, LEEWAY, Explorer
from .guided import Setting, setting_of
from .harmony import of_bar
from .phrases import resting
from .request import EditRequest
from .ties import EditableMeasure, Key, Ties, bound_together, canonical, find_each

COUNT, AMOUNT = 16, 0.5
RADII = (0.6, 1.0, 1.5)  # standard deviations of the random shifts in the latent dimensions without an attribute
BONUSES = (0.0, 1.0, 2.5)  # added to the logit of the original's token
DECODES = 24  # decodes of each measure that the exploration starts from
EVEN = 3.0  # per note, times the squared difference between a measure's share of new notes and the amount
UNLIKE = 2.0  # gain per note by which a candidate differs from the most similar candidate of its measure
APART = 5.0  # gain per note by which a variation differs from the others; the most similar weigh most
WIDTH = 12  # candidates that the exploration keeps of each measure at each distance
POOL = 40  # candidates of each measure to choose from
BEYOND = 0.3  # a single measure may exceed the amount by this share of its notes

REWEIGHTINGS = 5  # how often the nearest of the earlier variations get more weight
AMOUNT_STEPS = 8  # steps of the bisection for the amount
SETTLED = 0.015  # the bisection ends when the amount is this close
MOST_PULL = 24.0  # the largest pull: the cost or gain per changed note that brings a path to the amount


@dataclass(frozen=True)
class VaryRequest:
    editing: EditRequest  # applied first; its measures, locks, form and seed hold for the variations too
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
    amount: float  # share of the base's notes that differ

    @property
    def melody(self) -> Melody:
        return self.result.melody


@dataclass(frozen=True)
class VaryResult:
    base: EditResult  # the melody that is varied: the input, or the input edited to the targets
    variations: tuple[Variation, ...]
    wanted: int  # how many variations were requested

    @property
    def short(self) -> int:
        """How many of the requested variations are missing."""
        return self.wanted - len(self.variations)


def vary(melody: Melody, request: VaryRequest, model: Model) -> VaryResult:
    """Make variations of a melody.

    Raises CheckpointError for an attribute that the model does not know, UsageError if the request selects no measure.
    """
    base, found = variations_of(melody, request, model)
    return VaryResult(base, tuple(found), request.count)


def variations_of(melody: Melody, request: VaryRequest, model: Model) -> tuple[EditResult, Iterator[Variation]]:
    """The melody that is varied, and its variations, each as soon as it is found. Raises the errors of `vary`."""
    base = edit(melody, request.editing, model)
    return base, _found(base, request, model)


def _found(base: EditResult, request: VaryRequest, model: Model) -> Iterator[Variation]:
    restricted = model.restricted(base.names)
    measures = _editable_measures(base, request.editing.harmony)
    # The amount is also the dial of what changes cost, as the strength of an edit is.
    freely = replace(request.editing, mode="guided", strength=request.amount)
    setting = setting_of(base.melody, freely, restricted)
    if not request.editing.free_ends:
        setting = replace(setting, resting=resting(base.melody.bars))

    def collect(some: Sequence[EditableMeasure], meter: Meter, start: int) -> list[_Pool]:
        return _Collector(some, meter, start, setting).pools()

    ensemble = _Ensemble(setting, measures, find_each(measures, CHUNK, collect))
    for _ in range(request.count):
        stopping.check()
        if (chosen := ensemble.next()) is None:
            return
        yield _variation(base, chosen, ensemble.amount_of(chosen), ensemble.pools, restricted)


def notes_apart(one: Rows, other: Rows) -> Ints:
    """(..., t) twice -> (...) how many notes were removed or added, whichever number is larger."""
    differ = one != other
    removed, added = (onsets(one) & differ).sum(axis=-1), (onsets(other) & differ).sum(axis=-1)
    more: Ints = np.maximum(removed, added)
    return more


# ------------------------------------------------------------------------------------ candidates


@dataclass(frozen=True)
class _Pool:
    """The candidates for one distinct measure. The first is the measure itself, as in the base."""

    rows: Rows  # (n, t)
    cost: Floats  # (n,)
    apart: Ints  # (n, n) how many notes differ between two candidates
    notes: int  # how many notes the measure has in the base


def _editable_measures(base: EditResult, harmony: bool) -> list[EditableMeasure]:
    """The measures that may change. The goal of each is to keep its attributes."""
    melody, editable = base.melody, {bar.index for bar in base.bars}
    ties, measures = Ties(melody, editable), []
    for bar in base.bars:
        row = melody.bars[bar.index].tokens
        if row is not None:
            chords = of_bar(melody.bars[bar.index], melody.shift, harmony)
            key = melody.relative_key(bar.index)
            own = EditableMeasure(bar.index, bar.meter, row, bar.achieved, harmony=chords, fifths=key)
            measures.append(ties.bind(own))
    return bound_together(measures)


class _Collector:
    """Explores some measures of one meter, and collects candidates that keep their attributes."""

    def __init__(self, measures: Sequence[EditableMeasure], meter: Meter, start: int, setting: Setting) -> None:
        self.setting, self.measures, self.meter = setting, measures, meter
        self.amount, self.model = setting.request.strength, setting.model
        judge = setting.judge(meter)
        self.judge = replace(judge, prices=judge.prices.exploring)
        self.problem = setting.problem(measures)
        self.cost = Cost(self.problem, self.judge)
        self.random = np.random.default_rng([setting.request.seed, meter.code, start])
        self.rows = self.problem.rows
        self.notes = onsets(self.rows).sum(axis=1)
        locks = setting.locks
        self.pitches = pitches_for(self.rows, locks.lowest - LEEWAY, locks.highest + LEEWAY, self.problem.keys)
        self.most_apart = np.ceil(np.minimum(self.amount + BEYOND, 1.0) * self.notes)
        self.tables = setting.tables(measures)
        every = np.arange(len(self.rows))
        self.nats = surprise(self.tables.at(self.tables.look(every, self.rows)), self.rows)

    def pools(self) -> list[_Pool]:
        harmony = self.cost.harmony
        archive = Explorer(
            self.meter, self.rows, self._decodes(), self.pitches, self.price,
            self.tables, self.random, WIDTH, self.allow, None if harmony is None else harmony.preference,
        ).run()  # fmt: skip
        values = self.judge.values(archive.rows, self.meter)
        exact = ~self.judge.misses(values, self.problem.wanted[archive.group]).any(axis=1)
        exact &= self.allow(archive.group, archive.rows)
        groups = range(len(self.rows))
        return [self._pool(g, archive.take(exact & (archive.group == g))) for g in groups]

    def _decodes(self) -> Rows:
        """(g, DECODES, t) decodes of each measure at its attributes."""
        context, values = self.setting.context(self.measures), self.cost.original
        if context is None:
            rows = self._shifted()
        else:
            _, rows = self.setting.proposed(self.problem, values, values[None], context, DECODES)
        return rows.reshape(len(self.rows), DECODES, -1)

    def _shifted(self) -> Rows:
        """(g * DECODES, t) decodes of each measure's latent point, shifted in the dimensions without an attribute."""
        runtime, count = self.model.runtime, DECODES
        z = np.repeat(runtime.encode(self.rows, self.meter), count, axis=0)
        free = np.ones(runtime.latent, dtype=np.bool_)
        free[[s.dimension for s in self.model.metadata.scales if s.dimension != NOT_CARRIED]] = False
        number = np.tile(np.arange(count), len(self.rows))
        radius = np.array(RADII)[number % len(RADII)][:, None]
        shift = self.random.standard_normal(z.shape) * radius * free
        bonus = np.array(BONUSES, dtype=np.float32)[number // len(RADII) % len(BONUSES)]
        originals = np.repeat(self.rows, count, axis=0)
        return decode(runtime, (z + shift).astype(np.float32), self.meter, originals, bonus)

    def allow(self, group: Ints, rows: Rows) -> Mask:
        """(n,) whether a candidate obeys the locks and keeps what must stay."""
        fine = self.problem.allows(group, rows)
        return fine & self.setting.locks.allow(self.rows[group], rows, self.problem.keys[group])

    def price(self, group: Ints, rows: Rows, nats: Floats) -> tuple[Floats, Ints]:
        """(n,) the cost of each candidate during the exploration, and (n,) its niche: how many of its notes differ."""
        apart = notes_apart(self.rows[group], rows)
        cost = self.cost.total(group, rows, self.judge.values(rows, self.meter), nats - self.nats[group])
        return np.where(apart > self.most_apart[group], np.inf, cost), apart

    def _pool(self, g: int, archive: Archive) -> _Pool:
        """The base's row and at most POOL candidates. Each is the best by its cost and its distance from those
        before."""
        row = self.rows[g]
        archive = archive.take((archive.niche > 0) & (archive.rows != row).any(axis=1))
        apart = notes_apart(archive.rows[:, None], archive.rows[None])
        share = archive.niche / max(int(self.notes[g]), 1)
        merit = archive.cost + EVEN * self.notes[g] * np.square(share - self.amount)
        chosen: list[int] = []
        nearest = np.full(len(archive.rows), float(self.notes[g]))
        while len(chosen) < min(POOL, len(archive.rows)):
            score = merit - UNLIKE * nearest
            score[chosen] = np.inf
            chosen.append(int(score.argmin()))
            nearest = np.minimum(nearest, apart[:, chosen[-1]])
        rows = np.concatenate([row[None], archive.rows[chosen]])
        cost = np.concatenate([[0.0], archive.cost[chosen]])
        return _Pool(rows, cost, notes_apart(rows[:, None], rows[None]), int(self.notes[g]))


# ------------------------------------------------------------------------------------ whole melodies


class _Ensemble:
    """The variations chosen so far. Each is a path: the index of a measure -> the index of its candidate."""

    def __init__(self, setting: Setting, measures: Sequence[EditableMeasure], pool_of: Mapping[Key, _Pool]) -> None:
        pools = {measure.index: pool_of[measure.key] for measure in measures}
        self.pools, self.amount = pools, setting.request.strength
        self.choices = choices_of(setting.melody.rows, measures, pool_of, setting.request.form)
        self.joins = joins(self.choices, setting.prices)
        self.notes = max(sum(pool.notes for pool in pools.values()), 1)
        self.chosen: list[dict[int, int]] = []
        self.seen: set[tuple[bytes, ...]] = set()
        self._remember(dict.fromkeys(pools, 0))
        self.pull = 0.0

    def next(self) -> dict[int, int] | None:
        """Choose one more variation. Returns its path, or None if there is no other variation."""
        weights = np.full(len(self.chosen), 1.0 / max(len(self.chosen), 1))
        best: dict[int, int] | None = None
        widest = -1.0
        for _ in range(REWEIGHTINGS if self.chosen else 1):
            path = self._at_amount(weights)
            gaps = np.array([self._apart(path, other) for other in self.chosen])
            width = float(gaps.min()) if len(gaps) else 0.0
            if width > widest and not self._is_chosen(path):
                best, widest = path, width
            if len(gaps):
                weights = weights * np.exp(-4 * (gaps - gaps.min()) / max(float(gaps.max() - gaps.min()), 0.05))
                weights /= weights.sum()
        best = best or self._another(weights)
        if best is not None:
            self.chosen.append(best)
            self._remember(best)
        return best

    def amount_of(self, path: Mapping[int, int]) -> float:
        return self._apart(path, dict.fromkeys(path, 0))

    def _apart(self, one: Mapping[int, int], other: Mapping[int, int]) -> float:
        return sum(int(self.pools[i].apart[c, other[i]]) for i, c in one.items()) / self.notes

    def _at_amount(self, weights: Floats) -> dict[int, int]:
        """The best path whose amount is the requested one. A bisection finds the cost per changed note (the pull) that
        brings the path there."""
        costs = self._costs(weights)
        low, high = -MOST_PULL, MOST_PULL
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
            cost = pool.cost + EVEN * pool.notes * np.square(share - self.amount)
            if self.chosen:
                cost = cost - APART * pool.apart[:, [other[i] for other in self.chosen]] @ weights
            costs[i] = cost
        return costs

    def _path(self, costs: Mapping[int, Floats], pull: float) -> dict[int, int]:
        choices = [*self.choices]
        for i, cost in costs.items():
            choice = choices[i]
            choices[i] = choice and replace(choice, cost=cost + pull * self.pools[i].apart[0])
        path = best_path(choices, self.joins)
        return {i: path[i] for i in self.pools}

    def _another(self, weights: Floats) -> dict[int, int] | None:
        """A path that has not been chosen yet. One measure after the other is denied the candidates of chosen paths."""
        costs = self._costs(weights)
        for pool in {id(pool): pool for pool in self.pools.values()}.values():
            of_pool = [i for i, other in self.pools.items() if other is pool]
            denied = {i: cost.copy() if i in of_pool else cost for i, cost in costs.items()}
            for _ in range(len(pool.rows)):
                path = self._path(denied, self.pull)
                if not self._is_chosen(path):
                    return path
                for i in of_pool:
                    denied[i][path[i]] += BAN
        return None

    def _remember(self, path: Mapping[int, int]) -> None:
        self.seen.add(self._notes_of(path))

    def _is_chosen(self, path: Mapping[int, int]) -> bool:
        return self._notes_of(path) in self.seen

    def _notes_of(self, path: Mapping[int, int]) -> tuple[bytes, ...]:
        """The onsets and pitches of a path. Two variations that differ only in the lengths of notes count as equal."""
        rows = (self.pools[i].rows[c] for i, c in path.items())
        return tuple(np.where(onsets(row), row, HOLD).tobytes() for row in rows)


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
        wanted = np.where(np.isnan(bar.asked) | (not bar.each), bar.achieved, bar.wanted)
        hits = model.hits(bar.meter, achieved, wanted)
        new = bar.changed or bar.index in changed
        bars.append(replace(bar, wanted=wanted, achieved=achieved, hits=hits, changed=new))
    return Variation(EditResult(melody, base.names, tuple(bars), base.skipped), amount)
