"""The best way through a melody: one candidate for every measure, chosen so that the measures still join.

The search prices each candidate. `transition` adds a price for what a pair of neighbours does to the barline between
them: a tie that is broken or made, a new leap, a note that is newly repeated. `best_path` finds the cheapest way with
Viterbi's algorithm (1967). Measures of one form get the same candidate: each set of them takes the one whose best paths
through all its places cost least together, and then the rest is solved again. Where two sets cannot stand beside each
other with what they took, the set that could not stay together chooses first.
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
from .ties import EditableMeasure, Key

IMPOSSIBLE = 1e9  # a tie to nothing
BAN = 1e6  # for what may be chosen only where there is nothing else
EASY_LEAP = 4  # semitones


@dataclass(frozen=True)
class Choice:
    """One measure's candidates: rows (n, t), the first of `rows` need not be the original; cost (n,)."""

    original: Rows  # (t,)
    rows: Rows  # (n, t)
    cost: Floats  # (n,)
    form: int  # measures of equal `form` get the same candidate; -1 for none


class Candidates(Protocol):
    """What a measure may become."""

    @property
    def rows(self) -> Rows: ...  # (n, t)
    @property
    def cost(self) -> Floats: ...  # (n,)


def choices_of(
    rows: Sequence[Row | None], measures: Iterable[EditableMeasure], found: Mapping[Key, Candidates], form: bool
) -> list[Choice | None]:
    """A melody's rows, and candidates by the keys of the places where it may change; elsewhere the row is the only
    candidate. With `form`, measures of one form get the same candidate."""
    numbers = {key: n for n, key in enumerate(found)}
    keys = {measure.index: measure.key for measure in measures}
    choices: list[Choice | None] = []
    for i, row in enumerate(rows):
        if row is None:
            choices.append(None)
        elif i not in keys:
            choices.append(Choice(row, row[None], np.zeros(1), -1))
        else:
            here = found[keys[i]]
            choices.append(Choice(row, here.rows, here.cost, numbers[keys[i]] if form else -1))
    return choices


def transition(before: Choice, after: Choice, prices: Prices = EDIT) -> Floats:
    """(n before, n after): what the barline between them costs."""
    leaves, enters = ends_in(before.rows)[:, None], after.rows[:, 0].astype(np.int64)[None]
    ending_before, entered = int(ends_in(before.original[None])[0]), int(after.original[0])
    both = (leaves >= FIRST_PITCH) & (enters >= FIRST_PITCH)
    gap = np.abs(enters - leaves)
    had = abs(entered - ending_before) if ending_before >= FIRST_PITCH and entered >= FIRST_PITCH else 0
    cost = np.where(both, prices.wide_barline * np.maximum(gap - max(had, EASY_LEAP), 0), 0.0)
    cost += np.where(both & (gap == 0) & (had > 0), prices.struck_again, 0.0)
    held = enters == HOLD
    if entered == HOLD:
        cost += np.where(held, np.where(leaves == ending_before, 0.0, prices.moved_tie), prices.broken_tie)
    else:
        cost += np.where(held, prices.new_tie, 0.0)
    nothing_to_tie = held & (leaves < FIRST_PITCH) & (leaves != HOLD)
    result: Floats = np.where(nothing_to_tie, IMPOSSIBLE, cost)
    return result


def joins(choices: Sequence[Choice | None]) -> list[Floats | None]:
    """What every barline costs: to be handed to `best_path` where only the candidates' own costs change."""
    return [transition(a, b) if a is not None and b is not None else None for a, b in itertools.pairwise(choices)]


def best_path(choices: Sequence[Choice | None], steps: Sequence[Floats | None] | None = None) -> list[int]:
    """Which candidate of each measure; 0 for None, a measure that passes through and joins nothing."""
    steps = joins(choices) if steps is None else steps
    costs: list[Floats] = [np.zeros(1) if choice is None else choice.cost.astype(np.float64) for choice in choices]
    repeated = _repeated(choices)
    while True:
        settled, through = costs, _min_marginals(costs, steps) if repeated else []
        for at in repeated.values():
            settled = _fixed(settled, at, np.sum([through[i] for i in at], axis=0))
        path = _viterbi(settled, steps)
        parted = next((form for form, at in repeated.items() if len({path[i] for i in at}) > 1), None)
        if parted is None:
            return path
        at = repeated.pop(parted)  # it chooses before the others, what can stand in all its places
        costs = _fixed(costs, at, _jointly(at, costs, steps))


def _repeated(choices: Sequence[Choice | None]) -> dict[int, list[int]]:
    """Where every form stands that occurs more than once."""
    measures: dict[int, list[int]] = {}
    for i, choice in enumerate(choices):
        if choice is not None and choice.form >= 0:
            measures.setdefault(choice.form, []).append(i)
    return {form: at for form, at in measures.items() if len(at) > 1}


def _fixed(costs: Sequence[Floats], at: Sequence[int], price: Floats) -> list[Floats]:
    """The costs with those of all but the candidate of least `price` raised, in all places of a form."""
    raised = BAN * (np.arange(len(price)) != np.argmin(price))
    measures = set(at)
    return [cost + raised if i in measures else cost for i, cost in enumerate(costs)]


def _jointly(at: Sequence[int], costs: Sequence[Floats], steps: Sequence[Floats | None]) -> Floats:
    """For each candidate of a form, the cost of the best path that has it in all its places. What is best in each
    place, the others being free, may be what cannot stand beside itself."""
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
    """Cheapest cost up to each candidate, and which candidate before it that comes from."""
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
