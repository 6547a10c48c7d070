"""The edit of a whole tune: the mean of an attribute moves by exactly what was requested, and each measure takes the
share that suits it.

Every measure gets candidates at several sizes of step (LEVELS), and its original. Their costs say what suits it. A
price on each requested attribute (a Lagrange multiplier) then moves the tune's sum close to its goal; `best_path`
chooses the candidates under that price, with the barlines. What is left of the request is met by exchanging the
candidates of one measure or of two, and if that fails by a search in single measures.

Shapes: f forms (distinct measures; repeated ones count once), c candidates of a form, k attributes, n measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Floats, Ints, Mask, Row, Rows
from ..music.meter import Meter
from .best_path import Choice, best_path, joins
from .candidates import Pool, fingerprint
from .guided import CHUNK, Setting, searched
from .request import STRENGTH
from .search import Effort, Search
from .ties import EditableMeasure, Key, bound_together, find_each

LEVELS = (0.5, 1.0, 1.6, 2.3)  # factors of the requested step
KEPT = 16  # candidates of a measure for each level
UNEVEN = 2.0  # nats per squared sd by which a measure's share differs from the mean share
STEPS = 30  # of the bisection for a price
ROUNDS = 4  # over the attributes
MARGIN = 1e-3  # nats per sd
STEEPEST = 60.0  # nats per sd: the largest price
SINGLE = 6  # measures that are searched for the rest of a request
PAIRS = 1200  # exchanges of which pairs are formed
EXCHANGES = 8  # at most


@dataclass(frozen=True)
class Form:
    """The candidates of measures that get the same row."""

    measure: EditableMeasure  # the first of them
    at: tuple[int, ...]  # the indices of the measures in the melody
    rows: Rows  # (c, t), without duplicates
    cost: Floats  # (c,)
    values: Floats  # (c, k)


def found(setting: Setting, measures: Sequence[EditableMeasure], before: Floats, tolerance: Floats) -> dict[int, Row]:
    """The new rows of measures, by their indices.

    The goals of the measures are their even shares of the request; `before` (n, k) are their values, and `tolerance`
    (k,) is how far the sum over the measures may be from the goals' sum.
    """
    goals = np.stack([measure.goal for measure in measures])
    requested = ~np.isnan(goals).all(axis=0) & ~setting.kept
    goal = np.nansum(np.where(np.isnan(goals), before, goals), axis=0)[requested]
    barely = setting.request.strength < STRENGTH
    bound = bound_together(measures) if setting.request.form else list(measures)
    forms = _forms(setting, bound, requested)
    tolerance = tolerance[requested]
    search = _Choice(setting, forms, goal, requested, tolerance)
    chosen = search.run()
    attempts = [(_even_goals, setting), (_rest_goals, setting)]
    if barely:
        attempts.append((_rest_goals, setting.freely))
    for goals_of, within in attempts:
        if search.met(chosen):
            break
        forms = _with_search(within, forms, goals_of(search, chosen))
        search = _Choice(setting, forms, goal, requested, tolerance)
        chosen = search.run()
    return {i: form.rows[c] for form, c in zip(forms, chosen.tolist(), strict=True) for i in form.at}


def _forms(setting: Setting, measures: Sequence[EditableMeasure], requested: Mask) -> list[Form]:
    def pools(some: Sequence[EditableMeasure], meter: Meter, _start: int) -> list[Pool]:
        return _levels(setting, some, meter, requested)

    places: dict[Key, list[int]] = {}
    for measure in measures:
        places.setdefault(measure.key, []).append(measure.index)
    first = {measure.key: measure for measure in reversed(measures)}
    sd, forms = setting.model.sd, []
    for key, pool in find_each(measures, CHUNK, pools).items():
        off = (pool.values - first[key].goal)[:, requested] / sd[requested]
        cost = pool.cost + UNEVEN * (off**2).sum(axis=1)
        forms.append(Form(first[key], tuple(places[key]), pool.rows, cost, pool.values))
    if setting.request.form:
        return forms
    own = {measure.index: measure for measure in measures}
    return [replace(form, measure=own[i], at=(i,)) for form in forms for i in form.at]


def _levels(setting: Setting, measures: Sequence[EditableMeasure], meter: Meter, requested: Mask) -> list[Pool]:
    """The candidates of each measure at all levels. Its original comes first."""
    judge, kept = setting.judge(meter), setting.kept
    judge = replace(judge, kept=kept) if kept.any() else judge
    free = [replace(measure, goal=np.where(requested, np.nan, measure.goal)) for measure in measures]
    problem, count = setting.problem(free), KEPT * len(LEVELS)
    search = Search(problem, judge, setting.tables(free), Effort(kept=count, evaluated=count), requested)
    if setting.request.proposals:
        goals, values = np.stack([measure.goal for measure in measures]), search.original
        wanted = np.where(np.isnan(goals), np.nan, values + np.reshape(LEVELS, (-1, 1, 1)) * (goals - values))
        fewer = max(setting.request.proposals // len(LEVELS), 1)
        search.add(*setting.proposed(problem, values, wanted, setting.context(free), fewer))
    pool = search.pool
    if setting.request.strength < STRENGTH:  # not without the decodes, whose various values help to meet the sum
        pool = search.run().join(pool)
    return [_merged(pool.take(pool.group == g), problem.rows[g]) for g in range(len(measures))]


def _merged(pool: Pool, original: Row) -> Pool:
    """The candidates of a measure without duplicates, after its original."""
    same = (pool.rows == original).all(axis=1)
    pool = pool.take(np.concatenate([np.flatnonzero(same)[:1], np.flatnonzero(~same)]))
    return pool.take(np.sort(np.unique(fingerprint(pool.rows), return_index=True)[1]))


class _Choice:
    """The choice of one candidate for every form, so that the sums of the requested attributes meet their goals."""

    def __init__(
        self, setting: Setting, forms: Sequence[Form], goal: Floats, requested: Mask, tolerance: Floats
    ) -> None:
        self.setting, self.forms, self.goal, self.tolerance = setting, forms, goal, tolerance
        self.requested = requested
        self.sd = setting.model.sd[requested]
        self.times = np.array([len(form.at) for form in forms])
        width = max(len(form.cost) for form in forms)
        self.cost = np.full((len(forms), width), np.inf)
        self.values = np.zeros((len(forms), width, len(goal)))
        for f, form in enumerate(forms):
            self.cost[f, : len(form.cost)] = form.cost
            self.values[f, : len(form.cost)] = form.values[:, requested]
        noise = np.random.default_rng(setting.request.seed).gumbel(size=self.cost.shape)
        self.cost -= setting.looseness * noise
        self.form_of = {i: f for f, form in enumerate(forms) for i in form.at}

    def run(self) -> Ints:
        """(f,) the index of each form's candidate."""
        price = self._price()
        chosen = self._path(price)
        for _ in range(EXCHANGES):
            rest = self.rest(chosen)
            if self._near(rest):
                break
            better = self._exchanged(chosen, rest)
            if better is None:
                break
            chosen = better
        return chosen

    def met(self, chosen: Ints) -> bool:
        return bool(self._near(self.rest(chosen)))

    def rest(self, chosen: Ints) -> Floats:
        """(k,) what the sums lack."""
        every = np.arange(len(chosen))
        rest: Floats = self.goal - self.times @ self.values[every, chosen]
        return rest

    def _near(self, rest: Floats) -> Mask:
        near: Mask = np.all(np.abs(rest) <= self.tolerance, axis=-1)
        return near

    def _price(self) -> Floats:
        """(k,) nats per sd, by bisection for one attribute after the other."""
        price = np.zeros(len(self.goal))
        for _ in range(ROUNDS if len(self.goal) > 1 else 1):
            for k in range(len(self.goal)):
                low, high = -STEEPEST, STEEPEST
                for _ in range(STEPS):
                    price[k] = (low + high) / 2
                    if self.rest((self.cost - self.values / self.sd @ price).argmin(axis=1))[k] > 0:
                        low = price[k]
                    else:
                        high = price[k]
                # The bisection ends where two choices cost the same; a little below, rounding errors decide nothing.
                price[k] = low - MARGIN
        return price

    def _path(self, price: Floats) -> Ints:
        priced = self.cost - self.values / self.sd @ price
        choices: list[Choice | None] = []
        for i, row in enumerate(self.setting.melody.rows):
            f = self.form_of.get(i)
            if row is None:
                choices.append(None)
            elif f is None:
                choices.append(Choice(row, row[None], np.zeros(1), -1))
            else:
                form = self.forms[f]
                choices.append(Choice(row, form.rows, priced[f, : len(form.cost)], f))
        self.choices = choices
        self.steps = joins(choices, self.setting.prices)
        path = best_path(choices, self.steps)
        return np.array([path[form.at[0]] for form in self.forms])

    def _exchanged(self, chosen: Ints, rest: Floats) -> Ints | None:
        """The choice with one or two other candidates that brings the rest nearest to nothing; None if none does."""
        form, candidate, cost, change = self._exchanges(chosen)
        after = np.abs(rest - change) / self.sd
        if self._near(rest - change).any():
            at = np.flatnonzero(self._near(rest - change))
            best = at[cost[at].argmin()]
            return self._with(chosen, (form[best], candidate[best]))
        order = np.argsort(cost + after.sum(axis=1))[:PAIRS]
        form, candidate, cost, change = form[order], candidate[order], cost[order], change[order]
        both = rest - change[:, None] - change[None]
        fine = self._near(both) & (form[:, None] != form[None])
        if fine.any():
            total = np.where(fine, cost[:, None] + cost[None], np.inf)
            one, other = np.unravel_index(total.argmin(), total.shape)
            return self._with(chosen, (form[one], candidate[one]), (form[other], candidate[other]))
        gain = np.abs(rest / self.sd).sum() - np.abs((rest - change) / self.sd).sum(axis=1)
        if gain.max(initial=0.0) <= 1e-9:
            return None
        best = np.where(gain > 1e-9, cost / np.maximum(gain, 1e-9), np.inf).argmin()
        return self._with(chosen, (form[best], candidate[best]))

    @staticmethod
    def _with(chosen: Ints, *changes: tuple[int, int]) -> Ints:
        made = chosen.copy()
        for form, candidate in changes:
            made[form] = candidate
        return made

    def _exchanges(self, chosen: Ints) -> tuple[Ints, Ints, Floats, Floats]:
        """All single exchanges: form and candidate (m,), the additional cost (m,) and the change of the sums (m, k)."""
        forms, candidates, costs, changes = [], [], [], []
        for f, form in enumerate(self.forms):
            count, now = len(form.cost), chosen[f]
            cost = self.times[f] * (self.cost[f, :count] - self.cost[f, now])
            for i in form.at:
                cost = cost + self._joined(i, chosen)
            other = np.flatnonzero((np.arange(count) != now) & np.isfinite(cost) & (cost < 1e5))
            forms.append(np.full(len(other), f))
            candidates.append(other)
            costs.append(cost[other])
            changes.append(self.times[f] * (self.values[f, other] - self.values[f, now]))
        return np.concatenate(forms), np.concatenate(candidates), np.concatenate(costs), np.concatenate(changes)

    def _joined(self, i: int, chosen: Ints) -> Floats:
        """(c,) the additional cost of the barlines of measure i for each of its candidates."""
        own = chosen[self.form_of[i]]
        cost = np.zeros(len(self.forms[self.form_of[i]].cost))
        if i > 0 and (step := self.steps[i - 1]) is not None:
            before = self.form_of.get(i - 1)
            line = step[0 if before is None else chosen[before]]
            cost = cost + line - line[own]
        if i < len(self.steps) and (step := self.steps[i]) is not None:
            after = self.form_of.get(i + 1)
            line = step[:, 0 if after is None else chosen[after]]
            cost = cost + line - line[own]
        return cost


def _even_goals(choice: _Choice, chosen: Ints) -> dict[int, Floats]:
    """The goal (k,) of every form: its even share of the request."""
    return {f: form.measure.goal for f, form in enumerate(choice.forms)}


def _rest_goals(choice: _Choice, chosen: Ints) -> dict[int, Floats]:
    """The goals (k,) with which each of a few forms alone would meet the rest of the request."""
    rest, goals = choice.rest(chosen), {}
    for f in np.argsort(choice.times, kind="stable")[:SINGLE].tolist():
        form = choice.forms[f]
        goals[f] = np.where(choice.setting.kept, form.measure.goal, np.nan)
        goals[f][choice.requested] = form.values[chosen[f]][choice.requested] + rest / choice.times[f]
    return goals


def _with_search(setting: Setting, forms: Sequence[Form], goals: Mapping[int, Floats]) -> list[Form]:
    """The forms with further candidates, which a search finds for the goals of some of them, by their indices."""
    more = list(forms)
    for f, goal in goals.items():
        form = forms[f]
        (pool,) = searched([replace(form.measure, goal=goal)], setting.judge(form.measure.meter), setting)
        new = pool.take(pool.hit & ~(pool.rows[:, None] == form.rows[None]).all(axis=2).any(axis=1))
        more[f] = replace(
            form,
            rows=np.concatenate([form.rows, new.rows]),
            cost=np.concatenate([form.cost, new.cost]),
            values=np.concatenate([form.values, new.values]),
        )
    return more
