"""The guided edit: candidates for every measure that meet the request, and the best path through them.

`found` returns the new rows of an edit that holds every measure to the request. `whole.py` has the edit that moves the
mean of the tune.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Float32s, Floats, Ints, Mask, Row, Rows
from ..music.keys import compass_of
from ..music.melody import Melody
from ..music.meter import Meter
from ..music.tokens import VOCABULARY, onsets, playable
from ..networks.context_runtime import Context, Contexts
from ..networks.decoding import Tables, decode, gumbel, tables_of
from ..networks.model import ROUNDING, Model
from . import compose
from .best_path import best_path, choices_of, joins
from .candidates import Pool
from .cost import Judge, Prices, Problem, judge_of, prices_of
from .harmony import stacked
from .locks import Locks
from .phrases import resting
from .request import STRENGTH, EditRequest
from .search import Effort, Search
from .taste import foreign
from .ties import EditableMeasure, bound_together, find_each

CHUNK = 64  # measures searched at a time: memory stays flat however long the melody is
OVERSHOOTS = (0.7, 1.0, 1.4, 2.0)  # factors of the requested step of the latent code
BONUSES = (1.0, 2.5, 4.0, 6.0)  # added to the logit of the original's token
TEMPERATURES = (0.0, 0.5, 0.8, 1.1)  # of the sampling
LOOSENESS = 0.7
EVALUATED = 40  # candidates of a measure whose surprise is computed at a time
KEPT = 24  # candidates of a measure that compete for a place in the melody


@dataclass(frozen=True)
class Setting:
    """Everything that the searches of one edit share."""

    melody: Melody
    request: EditRequest
    model: Model
    locks: Locks
    contexts: Contexts | None  # None for a model that knows no context
    resting: Sequence[Mask | None]  # see phrases.py; empty if the ends of phrases may change

    @property
    def prices(self) -> Prices:
        return prices_of(self.contexts is not None).at(self.request.strength / STRENGTH - 1)

    @property
    def bonus(self) -> float:
        """The factor of the bonuses that draw decodes to the original."""
        return (1 - self.request.strength) / (1 - STRENGTH)

    @property
    def freely(self) -> Setting:
        """The same setting at strength 1, for what cannot be met otherwise."""
        return replace(self, request=replace(self.request, strength=1.0))

    @property
    def refines(self) -> bool:
        """Whether decodes that meet a request are improved by small changes: if few changes are wanted, or if the model
        knows no context and so cannot say what sounds natural."""
        return self.contexts is None or self.request.strength < STRENGTH

    def judge(self, meter: Meter) -> Judge:
        """The judge for measures of a meter. Kept attributes get no tolerance: a rhythm that differs by half a grain is
        a different rhythm."""
        judge = judge_of(self.model, meter, self.locks, self.prices)
        return replace(judge, tolerance=np.where(self.kept, ROUNDING, judge.tolerance))

    @property
    def kept(self) -> Mask:
        """(k,) which attributes are kept."""
        return np.array([name in self.request.keep for name in self.model.metadata.names], dtype=np.bool_)

    def context(self, measures: Sequence[EditableMeasure]) -> Context | None:
        return None if self.contexts is None else self.contexts.of([measure.index for measure in measures])

    def problem(self, measures: Sequence[EditableMeasure], free: bool = False) -> Problem:
        """The problem of measures of one meter. With `free`, the ends of phrases may change."""
        context = self.context(measures)
        harmonies = [measure.harmony for measure in measures]
        fixed = [self.resting[measure.index] for measure in measures] if self.resting and not free else []
        return Problem(
            measures[0].meter,
            np.stack([measure.row for measure in measures]),
            np.stack([measure.goal for measure in measures]),
            np.array([measure.tie for measure in measures], dtype=np.int8),
            np.array([measure.ending for measure in measures]),
            None if context is None else context.entering,
            np.stack([mask for mask in fixed if mask is not None]) if fixed else None,
            None if context is None else self.foreign(measures[0].meter),
            stacked(harmonies, measures[0].meter),
            np.array([measure.fifths for measure in measures]),
        )

    def foreign(self, meter: Meter) -> Mask:
        """(t,) see taste.foreign."""
        return next(foreign(rows, meter) for own, _, rows in self.melody.by_meter() if own == meter)

    def tables(self, measures: Sequence[EditableMeasure]) -> Tables:
        """The model's probabilities for measures of one meter, in the order of the groups of a problem."""
        return tables_of(self.model.runtime, measures[0].meter, self.context(measures))

    @property
    def looseness(self) -> float:
        """Nats of noise on the costs of candidates, by which different seeds find different edits."""
        return LOOSENESS if self.request.seed else 0.0

    def proposed(
        self, problem: Problem, before: Floats, wanted: Floats, context: Context | None, count: int
    ) -> tuple[Ints, Rows]:
        """`count` proposals of the model for each measure at each of l wanted values (l, g, k): groups (n,) and rows
        (n, t)."""
        seed = self.request.seed
        if context is None:
            each = [
                propose(problem.rows, before, one, problem.meter, count, seed, self.model, self.bonus) for one in wanted
            ]
            return np.concatenate([group for group, _ in each]), np.concatenate([rows for _, rows in each])
        return compose.propose(
            problem.rows, before, wanted, problem.meter, context, count, seed, self.model, self.bonus,
            self._preference(problem),
        )  # fmt: skip

    def _preference(self, problem: Problem) -> Float32s | None:
        """(g, t, v) nats by which proposals prefer tokens: chord tones, and ticks of the kinds that the tune uses."""
        harmony, foreign = problem.harmony_cost(self.prices), problem.foreign
        if foreign is None or not foreign.any():
            return None if harmony is None else harmony.preference
        avoided = self.prices.foreign * (foreign[:, None] & onsets(np.arange(VOCABULARY)))
        strange = np.broadcast_to(-avoided.astype(np.float32), (len(problem.rows), *avoided.shape))
        return strange if harmony is None else strange + harmony.preference


def setting_of(melody: Melody, request: EditRequest, model: Model) -> Setting:
    contexts = model.contexts(melody.rows, [bar.meter for bar in melody.bars])
    ends: Sequence[Mask | None] = []
    if contexts is not None and not request.free_ends:
        ends = resting(melody.bars)
    locks = Locks(request.locks, *compass_of(melody.rows), *playable(melody.shift))
    return Setting(melody, request, model, locks, contexts, ends)


def found(setting: Setting, measures: Sequence[EditableMeasure]) -> dict[int, Row]:
    """The new rows of measures, by their indices: each meets its goal where possible."""

    def search(some: Sequence[EditableMeasure], meter: Meter, _start: int) -> list[Pool]:
        judge, kept = setting.judge(meter), setting.kept
        pools = searched(some, judge, setting)
        if setting.resting:  # the ends of phrases change only where the request cannot be met otherwise
            _again(pools, some, judge, setting, free=True)
        if setting.request.strength < 1:
            _again(pools, some, setting.freely.judge(meter), setting.freely, free=True, hits_only=True)
        if not kept.any():
            return pools
        # Where no candidate meets the whole request, a further search drops candidates that change a kept attribute.
        strict = replace(judge, kept=kept)
        _again(pools, some, strict, setting, free=True)
        return [pool.take(strict.keeps(pool.values, measure.goal)) for measure, pool in zip(some, pools, strict=True)]

    form = setting.request.form
    measures = bound_together(measures) if form else measures
    pools = find_each(measures, CHUNK, search)
    if setting.looseness:
        random = np.random.default_rng(setting.request.seed)
        pools = {key: _shaken(pool, setting.looseness, random) for key, pool in pools.items()}
    choices = choices_of(setting.melody.rows, measures, pools, form)
    path = best_path(choices, joins(choices, setting.prices))
    indices = (measure.index for measure in measures)
    return {i: choice.rows[path[i]] for i in indices if (choice := choices[i]) is not None}


def _shaken(pool: Pool, looseness: float, random: np.random.Generator) -> Pool:
    """The hits of a pool, or all of it if it has none, with noise on their costs."""
    pool = pool.take(pool.hit) if pool.hit.any() else pool
    return replace(pool, cost=pool.cost - looseness * random.gumbel(size=len(pool.cost)))


def _again(
    pools: list[Pool],
    measures: Sequence[EditableMeasure],
    judge: Judge,
    setting: Setting,
    *,
    free: bool,
    hits_only: bool = False,
) -> None:
    """Search again for the measures without a hit, and replace their pools; with `hits_only`, only by one with a
    hit."""
    missed = [g for g, pool in enumerate(pools) if not pool.hit.any()]
    if missed:
        for g, pool in zip(missed, searched([measures[g] for g in missed], judge, setting, free=free), strict=True):
            if pool.hit.any() or not hits_only:
                pools[g] = pool


def searched(measures: Sequence[EditableMeasure], judge: Judge, setting: Setting, *, free: bool = False) -> list[Pool]:
    """The best candidates of each measure. All measures have one meter."""
    problem, context = setting.problem(measures, free), setting.context(measures)
    effort = Effort() if context is None else Effort(kept=KEPT, evaluated=EVALUATED, repair=not setting.refines)
    search = Search(problem, judge, setting.tables(measures), effort)
    if setting.request.proposals:
        wanted = problem.wanted[None]
        search.add(*setting.proposed(problem, search.original, wanted, context, setting.request.proposals))
    pool = search.run()
    return [pool.take(pool.group == g) for g in range(len(measures))]


def propose(
    rows: Rows,
    before: Floats,
    wanted: Floats,
    meter: Meter,
    count: int,
    seed: int,
    model: Model,
    factor: float,
) -> tuple[Ints, Rows]:
    """(m, t) measures -> (m * count,) which measure each proposal is for, and (m * count, t) the proposals.

    Each measure gets `count` decodes. They run through all combinations of an overshoot (a factor of the requested step
    of the latent code), a bonus for the original's tokens, times `factor`, and a temperature.
    """
    number = np.arange(count)
    overshoot = np.tile(np.array(OVERSHOOTS), len(rows))
    bonus = factor * np.array(BONUSES, dtype=np.float32)[number // len(OVERSHOOTS) % len(BONUSES)]
    of_temperature = number // (len(OVERSHOOTS) * len(BONUSES)) % len(TEMPERATURES)
    temperature = np.array(TEMPERATURES, dtype=np.float32)[of_temperature]
    each = np.repeat(np.arange(len(rows)), len(OVERSHOOTS))
    original = model.runtime.encode(rows, meter)
    step = model.moved(original, before, wanted, meter) - original
    z = original[each] + overshoot.astype(np.float32)[:, None] * step[each]
    group = np.repeat(np.arange(len(rows)), count)
    point = group * len(OVERSHOOTS) + np.tile(number % len(OVERSHOOTS), len(rows))
    noise = np.tile(gumbel(seed, meter.ticks, count) * temperature[:, None], (1, len(rows), 1))
    decoded = decode(model.runtime, z, meter, rows[group], np.tile(bonus, len(rows)), noise, point)
    return group, decoded
