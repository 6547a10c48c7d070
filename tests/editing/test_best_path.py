"""The best path, against all paths."""

from __future__ import annotations

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
import strategies  # noqa: F401  the hypothesis profile
from hypothesis import given

from arvae_music.editing.best_path import IMPOSSIBLE, Choice, best_path, joins
from arvae_music.editing.cost import EDIT
from arvae_music.music.tokens import HOLD, REST

C, D, G, HIGH = 20, 22, 27, 40
TICKS = 3
ROWS = st.lists(st.sampled_from([HOLD, HOLD, REST, C, D, G, HIGH]), min_size=TICKS, max_size=TICKS)
COSTS = st.integers(0, 40).map(lambda n: n / 8)


def choice(rows: list[list[int]], cost: list[float] | None = None, form: int = -1, original=None) -> Choice:
    made = np.array(rows, dtype=np.int16)
    first = made[0] if original is None else np.array(original, dtype=np.int16)
    return Choice(first, made, np.array(cost or [0.0] * len(rows)), form)


@st.composite
def choices(draw: st.DrawFn, form: int = -1) -> Choice:
    rows = draw(st.lists(ROWS, min_size=1, max_size=3))
    return choice(rows, [draw(COSTS) for _ in rows], form, draw(ROWS))


def last_event(row) -> int:
    return next((int(token) for token in row[::-1] if token != HOLD), HOLD)


def barline(a: Choice, b: Choice, i: int, j: int) -> float:
    """The cost of a barline in words: ties broken, made or moved, new leaps, new repeats."""
    left, enters, was_left, was_entered = (
        last_event(a.rows[i]),
        int(b.rows[j][0]),
        last_event(a.original),
        b.original[0],
    )
    if enters == HOLD:
        if left == REST:
            return IMPOSSIBLE
        if was_entered != HOLD:
            return EDIT.new_tie
        return 0.0 if left == was_left else EDIT.moved_tie
    cost = EDIT.broken_tie if was_entered == HOLD else 0.0
    if left > REST and enters > REST:
        had = abs(int(was_entered) - was_left) if was_left > REST and was_entered > REST else 0
        cost += EDIT.wide_barline * max(abs(enters - left) - max(had, 4), 0)
        cost += EDIT.leap * max(abs(enters - left) - max(had, 9), 0)
        cost += EDIT.struck_again if enters == left and had > 0 else 0.0
    return cost


def total(found: list[Choice | None], path) -> float:
    cost = sum(float(c.cost[i]) for c, i in zip(found, path, strict=True) if c is not None)
    for (a, i), (b, j) in itertools.pairwise(zip(found, path, strict=True)):
        if a is not None and b is not None:
            cost += barline(a, b, i, j)
    return cost


def every_path(found: list[Choice | None]):
    return itertools.product(*(range(1 if c is None else len(c.rows)) for c in found))


@given(st.lists(st.none() | choices(), max_size=5))
def test_the_best_path_costs_as_much_as_the_cheapest_of_all_paths(found: list[Choice | None]):
    path = best_path(found)
    assert len(path) == len(found)
    assert all(i == 0 for i, c in zip(path, found, strict=True) if c is None)
    assert total(found, path) == pytest.approx(min(total(found, one) for one in every_path(found)), abs=1e-5)
    assert best_path(found, joins(found)) == path


@given(st.data())
def test_repeated_measures_get_the_candidate_with_the_least_total_cost(data):
    shared, other = data.draw(choices(form=0)), data.draw(choices())
    found = data.draw(st.permutations([shared, shared, other, data.draw(st.none() | choices(form=1))]))
    at = [i for i, c in enumerate(found) if c is shared]
    path = best_path(found)
    everything = [(one, total(found, one)) for one in every_path(found)]

    def together(candidate: int) -> float:
        return sum(min(cost for one, cost in everything if one[i] == candidate) for i in at)

    def jointly(candidate: int) -> float:
        return min(cost for one, cost in everything if all(one[i] == candidate for i in at))

    every = range(len(shared.rows))
    best, cheapest = min(map(together, every)), min(map(jointly, every))
    if path[at[0]] != path[at[1]]:  # no candidate can stand in both places
        assert cheapest >= IMPOSSIBLE
        return
    if together(path[at[0]]) != pytest.approx(best, abs=1e-5):  # what is best in each place cannot stand in both
        assert any(jointly(one) >= IMPOSSIBLE for one in every if together(one) == pytest.approx(best, abs=1e-5))
        assert jointly(path[at[0]]) == pytest.approx(cheapest, abs=1e-5)
    assert total(found, path) == pytest.approx(jointly(path[at[0]]), abs=1e-5)


@given(st.data())
def test_forms_whose_choices_do_not_join_choose_again(data):
    """The cheaper candidate of one ends in silence, that of the other begins with a tie."""
    low, high = data.draw(COSTS), data.draw(COSTS)
    ends = choice([[C, 0, REST], [C, 0, D]], [0.0, low], 0, original=[C, 0, 0])
    begins = choice([[HOLD, 0, G], [D, 0, G]], [0.0, high], 1, original=[D, 0, G])
    found = data.draw(st.permutations([ends, begins, ends, begins, None]))
    path = best_path(found)
    assert total(found, path) < IMPOSSIBLE
    for form in (ends, begins):
        first, second = (i for i, c in zip(path, found, strict=True) if c is form)
        assert first == second


def test_an_impossible_tie_costs_more_than_unequal_repeated_measures():
    either = choice([[HOLD, 0, C], [D, 0, REST]], form=0, original=[D, 0, C])
    silent, tied = choice([[C, 0, REST]]), choice([[HOLD, D, 0]])
    found = [silent, either, None, either, tied]
    assert best_path(found) == [0, 1, 0, 0, 0]


def test_without_form_each_measure_takes_its_own_best_candidate():
    """The same two candidates: C or high; the neighbours pull one way and the other."""
    low, high = choice([[C, C, C]]), choice([[HIGH, HIGH, HIGH]], original=[C, C, C])
    either = choice([[C, 0, 0], [HIGH, 0, 0]], [0.0, 0.1], original=[C, 0, 0])
    assert best_path([low, either, None, high, either]) == [0, 0, 0, 0, 1]
    formed = choice([[C, 0, 0], [HIGH, 0, 0]], [0.0, 0.1], form=3, original=[C, 0, 0])
    path = best_path([low, formed, None, high, formed])
    assert path[1] == path[4]


def test_no_measures_and_unreadable_measures():
    assert best_path([]) == []
    assert best_path([None, None]) == [0, 0]


def test_a_tie_after_a_rest_is_chosen_only_if_there_is_no_other_path():
    silent = choice([[REST, 0, 0]])
    tied = choice([[HOLD, 0, 0], [D, 0, 0]], [0.0, 50.0])
    assert best_path([silent, tied]) == [0, 1]
    assert best_path([silent, None, tied]) == [0, 0, 0]  # what passes through joins nothing


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [  # a barline is (original, candidate) on either side
        (([C, 0, 0], [C, 0, 0]), ([0, D, 0], [0, D, 0]), 0),  # a tie that stays
        (([C, 0, 0], [D, 0, 0]), ([0, D, 0], [0, D, 0]), EDIT.moved_tie),
        (([C, 0, 0], [C, 0, 0]), ([0, D, 0], [D, 0, 0]), EDIT.broken_tie),
        (([C, 0, 0], [C, 0, 0]), ([D, 0, 0], [0, D, 0]), EDIT.new_tie),
        (([C, 0, 0], [C, REST, 0]), ([0, D, 0], [0, D, 0]), IMPOSSIBLE),
        (([C, 0, 0], [C, 0, 0]), ([D, 0, 0], [C, 0, 0]), EDIT.struck_again),
        (([C, 0, 0], [C, 0, 0]), ([C, 0, 0], [C, 0, 0]), 0),  # it was one
        (([C, 0, 0], [C, 0, 0]), ([D, 0, 0], [G, 0, 0]), EDIT.wide_barline * 3),  # seven semitones, four are easy
        (([C, 0, 0], [C, 0, 0]), ([G, 0, 0], [HIGH, 0, 0]), EDIT.wide_barline * 13 + EDIT.leap * 11),  # it leapt 7
        (([C, 0, 0], [C, 0, 0]), ([HIGH, 0, 0], [G, 0, 0]), 0),
        (([C, 0, 0], [C, REST, 0]), ([D, 0, 0], [HIGH, 0, 0]), 0),  # after a rest any leap is fine
    ],
)
def test_the_cost_of_barlines_equals_values_by_hand(before, after, expected: float):
    a, b = (choice([candidate], original=original) for original, candidate in (before, after))
    (cost,) = joins([a, b])
    assert float(cost[0, 0]) == pytest.approx(expected)


def test_the_cost_of_a_repeated_candidate_counts_once_per_measure():
    """A candidate that is worth its price is taken, also by a sum over the places of its form."""
    pull = choice([[HIGH, 0, 0]], original=[C, 0, 0])  # far from C: a leap, priced per semitone
    leap = EDIT.wide_barline * (HIGH - C - 4) + EDIT.leap * (HIGH - C - 9)
    # High is better beside `pull`, and would not be at twice its cost.
    either = choice([[C, 0, 0], [HIGH, 0, 0]], [0.0, 0.75 * leap], form=3, original=[C, 0, 0])
    assert best_path([pull, either, None, pull, either]) == [0, 1, 0, 0, 1]
