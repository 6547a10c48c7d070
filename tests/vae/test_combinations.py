"""Which values go together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arvae_music.vae.combinations import CHUNK, Combinations

NAN = np.nan
# contour, range: no measure that rises by 7 has a range of 2
KNOWN = Combinations(np.array([8, 8, 8, 6]), np.array([[7.0, 7.0], [2.0, 2.0], [-2.0, 2.0], [1.0, 2.0]]))
ONE = np.ones(2)


def nearest(before: list[float], wanted: list[float], group: int = 8, known: Combinations = KNOWN) -> list[float]:
    found: list[float] = known.nearest(np.array([before]), np.array([wanted]), ONE, np.array([group]))[0].tolist()
    return found


def test_values_that_cannot_stay_move_to_an_existing_combination():
    assert nearest([7.0, 7.0], [NAN, 2.0]) == [2.0, 2.0]
    assert nearest([-7.0, 7.0], [NAN, 2.0]) == [-2.0, 2.0]


def test_only_a_measures_own_meter_counts():
    assert nearest([7.0, 7.0], [NAN, 2.0], group=6) == [1.0, 2.0]
    assert nearest([7.0, 7.0], [NAN, 2.0], group=4) == [7.0, 2.0]  # none is known: all else stays


def test_requested_values_are_kept_exactly():
    assert nearest([7.0, 7.0], [NAN, 2.4]) == [2.0, 2.4]
    assert nearest([7.0, 7.0], [3.0, 2.4]) == [3.0, 2.4]


@st.composite
def tables(draw: st.DrawFn) -> tuple[Combinations, np.ndarray, np.ndarray]:
    count, k = draw(st.integers(1, 30)), draw(st.integers(1, 4))
    random = np.random.default_rng(draw(st.integers(0, 999)))
    known = Combinations(random.integers(0, 3, count), random.integers(0, 6, (count, k)).astype(float))
    return known, random.integers(0, 6, (9, k)).astype(float), random.integers(0, 3, 9)


@given(tables())
def test_without_a_request_nothing_moves(case: tuple[Combinations, np.ndarray, np.ndarray]):
    known, before, groups = case
    free = np.full(before.shape, NAN)
    np.testing.assert_array_equal(known.nearest(before, free, np.ones(before.shape[1]), groups), before)


@given(tables(), st.integers(0, 99))
def test_the_others_are_the_nearest_combinations_or_its_own(
    case: tuple[Combinations, np.ndarray, np.ndarray], seed: int
):
    """Held against one measure at a time, and every combination."""
    known, before, groups = case
    random = np.random.default_rng(seed)
    sd = random.uniform(0.5, 2, before.shape[1])
    wanted = np.where(random.random(before.shape) < 0.4, random.integers(0, 6, before.shape), NAN)
    found = known.nearest(before, wanted, sd, groups)
    for own, asked, group, made in zip(before, wanted, groups, found, strict=True):
        free = np.isnan(asked)
        np.testing.assert_array_equal(made[~free], asked[~free])
        choices = [own, *known.values[known.groups == group]]
        costs = [
            sum(
                ((x - (b if f else w)) / s * (1 if f else 10)) ** 2
                for x, b, w, s, f in zip(c, own, asked, sd, free, strict=True)
            )
            for c in choices
        ]
        taken = [cost for c, cost in zip(choices, costs, strict=True) if (c[free] == made[free]).all()]
        assert min(taken) == pytest.approx(min(costs))


def test_many_measures_are_as_each_alone():
    before = np.tile([[7.0, 7.0], [-7.0, 7.0], [0.0, 2.0]], (CHUNK, 1))
    wanted = np.tile([[NAN, 2.0], [NAN, 2.0], [1.0, NAN]], (CHUNK, 1))
    found = KNOWN.nearest(before, wanted, ONE, np.full(len(before), 8))
    np.testing.assert_array_equal(found, np.tile([[2.0, 2.0], [-2.0, 2.0], [1.0, 2.0]], (CHUNK, 1)))


def test_a_table_comes_back_each_combination_once():
    twice = Combinations.of(np.repeat(KNOWN.table, 2, axis=0))
    again = twice.thinned(9)
    assert len(again.groups) == 4
    assert {tuple(row) for row in again.table.tolist()} == {tuple(row) for row in KNOWN.table.tolist()}
    assert len(twice.thinned(3).groups) == 3
    assert KNOWN.take([1]).values.tolist() == [[7.0], [2.0], [2.0], [2.0]]
