"""The best path through a melody: one candidate for every measure, chosen so that neighbours join over the barlines.

The search gives each candidate a cost. `transition` adds a cost for each pair of neighbours: for a tie over the barline
that is broken or made, for a new leap, for a note that is newly repeated. `best_path` finds the cheapest path with
Viterbi's algorithm (1967).

Measures of one form (repeated measures) must get the same candidate. Each form takes the candidate whose best paths
through all its measures have the least total cost; the rest is then solved again. If a form still ends up with
different candidates, because two forms do not join with the candidates that they took, that form chooses first.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..arrays import Floats, Ints, Row, Rows
from ..music.tokens import FIRST_PITCH, HOLD, ends_in
from .cost import EDIT, Prices
from .taste import SHARP_LEAP
from .ties import EditableMeasure, Key

IMPOSSIBLE = 1e9  # the cost of a tie to nothing
BAN = 1e6  # the cost of a candidate that may be chosen only if there is no other
EASY_LEAP = 4  # semitones; a leap over the barline up to this size is free


@dataclass(frozen=True)
class Choice:
    """The candidates of one measure."""

    original: Rows  # (t,) the measure in the input melody, which need not be a candidate
    rows: Rows  # (n, t)
    cost: Floats  # (n,)
    form: int  # measures of equal `form` get the same candidate; -1 for none

    @property
    def kind(self) -> object:
        """Equal only for measures with the same original and the same candidates."""
        return self.form if self.form >= 0 else (self.original.tobytes(), self.rows.tobytes())


class Candidates(Protocol):
    """Candidates of a measure with their costs."""

    @property
    def rows(self) -> Rows: ...  # (n, t)
    @property
    def cost(self) -> Floats: ...  # (n,)


def choices_of(
    rows: Sequence[Row | None], measures: Iterable[EditableMeasure], candidates_of: Mapping[Key, Candidates], form: bool
) -> list[Choice | None]:
    """The choices for every measure of a melody, from its rows and the candidates by the keys of the measures that may
    change. A measure that may not change has its row as the only candidate. With `form`, measures of one form must get
    the same candidate."""
    numbers = {key: n for n, key in enumerate(candidates_of)}
    keys = {measure.index: measure.key for measure in measures}
    choices: list[Choice | None] = []
    for i, row in enumerate(rows):
        if row is None:
            choices.append(None)
        elif i not in keys:
            choices.append(Choice(row, row[None], np.zeros(1), -1))
        else:
            candidates = candidates_of[keys[i]]
            choices.append(Choice(row, candidates.rows, candidates.cost, numbers[keys[i]] if form else -1))
    return choices


def transition(before: Choice, after: Choice, prices: Prices = EDIT) -> Floats:
    """(n before, n after): the cost of the barline between each pair of candidates."""
    leaves, enters = ends_in(before.rows)[:, None], after.rows[:, 0].astype(np.int64)[None]
    ending_before, entered = int(ends_in(before.original[None])[0]), int(after.original[0])
    both = (leaves >= FIRST_PITCH) & (enters >= FIRST_PITCH)
    gap = np.abs(enters - leaves)
    had = abs(entered - ending_before) if ending_before >= FIRST_PITCH and entered >= FIRST_PITCH else 0
    cost = np.where(both, prices.wide_barline * np.maximum(gap - max(had, EASY_LEAP), 0), 0.0)
    cost += np.where(both, prices.leap * np.maximum(gap - max(had, SHARP_LEAP), 0), 0.0)
    cost += np.where(both & (gap == 0) & (had > 0), prices.struck_again, 0.0)
    tied = enters == HOLD
    if entered == HOLD:
        cost += np.where(tied, np.where(leaves == ending_before, 0.0, prices.moved_tie), prices.broken_tie)
    else:
        cost += np.where(tied, prices.new_tie, 0.0)
    nothing_to_tie = tied & (leaves < FIRST_PITCH) & (leaves != HOLD)
    result: Floats = np.where(nothing_to_tie, IMPOSSIBLE, cost)
    return result


def joins(choices: Sequence[Choice | None], prices: Prices = EDIT) -> list[Floats | None]:
    """The costs of all barlines. Pass them to `best_path` to solve several times with different costs of candidates."""
    steps: list[Floats | None] = []
    known: dict[tuple[object, object], Floats] = {}
    for a, b in itertools.pairwise(choices):
        if a is None or b is None:
            steps.append(None)
            continue
        if (a.kind, b.kind) not in known:
            known[a.kind, b.kind] = transition(a, b, prices)
        steps.append(known[a.kind, b.kind])
    return steps


def best_path(choices: Sequence[Choice | None], steps: Sequence[Floats | None] | None = None) -> list[int]:
    """The index of the best candidate of each measure. For None, a measure that arvae cannot read, the index is 0."""
    steps = joins(choices) if steps is None else steps
    costs: list[Floats] = [np.zeros(1) if choice is None else choice.cost.astype(np.float64) for choice in choices]
    repeated = _repeated(choices)
    while True:
        settled, through = costs, _min_marginals(costs, steps) if repeated else []
        for at in repeated.values():
            settled = _with_choice(settled, at, np.sum([through[i] for i in at], axis=0))
        path = _viterbi(settled, steps)
        split = next((form for form, at in repeated.items() if len({path[i] for i in at}) > 1), None)
        if split is None:
            return path
        at = repeated.pop(split)  # this form now chooses first, among candidates that fit all its measures at once
        costs = _with_choice(costs, at, _joint_costs(at, costs, steps))


def _repeated(choices: Sequence[Choice | None]) -> dict[int, list[int]]:
    """The indices of the measures of each form that occurs more than once."""
    measures: dict[int, list[int]] = {}
    for i, choice in enumerate(choices):
        if choice is not None and choice.form >= 0:
            measures.setdefault(choice.form, []).append(i)
    return {form: at for form, at in measures.items() if len(at) > 1}


def _with_choice(costs: Sequence[Floats], at: Sequence[int], price: Floats) -> list[Floats]:
    """The costs after a form has chosen: in all its measures, every candidate but the one with the least `price` is
    banned."""
    raised = BAN * (np.arange(len(price)) != np.argmin(price))
    measures = set(at)
    return [cost + raised if i in measures else cost for i, cost in enumerate(costs)]


def _joint_costs(at: Sequence[int], costs: Sequence[Floats], steps: Sequence[Floats | None]) -> Floats:
    """For each candidate of a form, the cost of the best path that has it in all measures of the form. The sum of its
    best paths through the single measures can be wrong, because a candidate may not join with itself."""
    prices = []
    for candidate in range(len(costs[at[0]])):
        fixed = list(costs)
        for i in at:
            fixed[i] = np.where(np.arange(len(costs[i])) == candidate, costs[i], np.inf)
        prices.append(float(_sweep(fixed, steps)[0][-1].min()))
    return np.array(prices)


def _min_marginals(costs: Sequence[Floats], steps: Sequence[Floats | None]) -> list[Floats]:
    """For each candidate, the cost of the best path through it."""
    ahead, _ = _sweep(costs, steps)
    flipped = [None if step is None else step.T for step in reversed(steps)]
    behind, _ = _sweep(list(reversed(costs)), flipped)
    return [f + b - c for f, b, c in zip(ahead, reversed(behind), costs, strict=True)]


def _viterbi(costs: Sequence[Floats], steps: Sequence[Floats | None]) -> list[int]:
    totals, origins = _sweep(costs, steps)
    if not totals:
        return []
    path = [int(np.argmin(totals[-1]))]
    for origin in reversed(origins):
        path.append(int(origin[path[-1]]))
    return path[::-1]


def _sweep(costs: Sequence[Floats], steps: Sequence[Floats | None]) -> tuple[list[Floats], list[Ints]]:
    """For each candidate, the cost of the cheapest path up to it, and the candidate before it on that path."""
    totals: list[Floats] = []
    origins: list[Ints] = []
    for i, cost in enumerate(costs):
        if i == 0:
            totals.append(cost)
            continue
        step = steps[i - 1]
        joined = totals[-1][:, None] + (np.zeros((len(totals[-1]), len(cost))) if step is None else step)
        origins.append(joined.argmin(axis=0))
        totals.append(joined.min(axis=0) + cost)
    return totals, origins
