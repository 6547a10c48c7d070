"""The search: prices by hand, moves that are what they say, and results against brute force."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import arvae_music
from arvae_music.arrays import Row
from arvae_music.editing.candidates import Pool, Unevaluated, _keys, _nth_cost, _unseen
from arvae_music.editing.cost import Judge, Prices, Problem, judge_of
from arvae_music.editing.locks import Locks
from arvae_music.editing.search import REACH, Effort, Search
from arvae_music.library import Model
from arvae_music.music.attributes import PAPER, evaluate
from arvae_music.music.keys import in_key
from arvae_music.music.meter import Meter
from arvae_music.music.tokens import FIRST_PITCH, HOLD, REST, VOCABULARY, token_of
from arvae_music.networks.decoding import ProbabilityCache, log_probabilities, surprise

ONE, TWO = Meter(1), Meter(2)
C, D, E, F, FIS, G = (token_of(pitch) for pitch in (72, 74, 76, 77, 78, 79))
COMPASS = Locks(frozenset(), C, G)


@lru_cache
def model() -> Model:
    found = arvae_music.load("folk")
    return found.restricted(PAPER)


def problem(
    rows: list[list[int]], wanted: dict[str, float], meter: Meter = TWO, tie: int = 0, leave: int = -1
) -> Problem:
    table = np.full((len(rows), len(PAPER)), np.nan)
    for name, value in wanted.items():
        table[:, model().metadata.names.index(name)] = value
    count = len(rows)
    return Problem(
        meter, np.array(rows, dtype=np.int16), table, np.full(count, tie, dtype=np.int8), np.full(count, leave)
    )


def judge(meter: Meter = TWO, locks: Locks = COMPASS, **prices: float) -> Judge:
    return replace(judge_of(model(), meter, locks), prices=replace(Prices(), **prices))


def search(asked: Problem, by: Judge | None = None, effort: Effort | None = None) -> Search:
    return Search(asked, by or judge(asked.meter), ProbabilityCache(model().runtime, asked.meter), effort)


def price(asked: Problem, row: list[int], by: Judge, nats: float | None = None) -> float:
    """What one candidate for the first measure costs; `nats` more surprising than the original."""
    made = search(asked, by)
    rows, group = np.array([row], dtype=np.int16), np.zeros(1, dtype=np.int64)
    values = evaluate(model().specs, rows, asked.meter)
    return float(made.price(group, rows, values, made.nats[group] + (nats or 0.0))[0])


ROW = [C, HOLD, HOLD, D, HOLD, HOLD, E, HOLD, HOLD, HOLD, HOLD, HOLD]
NOTHING = dict.fromkeys(
    (
        "miss", "missed", "drift", "tick", "semitone", "nat", "outside", "rest", "leap", "mixed_beats", "tie", "repeat",
    ),
    0.0,
)  # fmt: skip


def changed(**ticks: int) -> list[int]:
    row = ROW.copy()
    for tick, token in ticks.items():
        row[int(tick[1:])] = token
    return row


# ------------------------------------------------------------------------------------ prices


def test_the_cost_of_the_original_is_that_of_its_misses():
    asked = problem([ROW], {"density": 5 / 12})
    density_sd = model().metadata.scale("density").sd
    expected = Prices().miss * (2 / 12) / density_sd + Prices().missed
    assert price(asked, ROW, judge()) == pytest.approx(expected)
    assert price(problem([ROW], {"density": 3 / 12}), ROW, judge()) == 0
    assert price(problem([ROW], {}), ROW, judge()) == 0


@pytest.mark.parametrize(
    ("weight", "row", "expected"),
    [
        ("tick", changed(t1=REST, t3=E), 2),
        ("semitone", changed(t0=F), 5),  # the same note elsewhere
        ("semitone", changed(t9=G), 0),  # a new note has moved from nowhere
        ("semitone", changed(t0=REST, t3=HOLD), 0),
        ("nat", ROW, 7),
        ("outside", changed(t3=FIS), 1),
        ("outside", changed(t3=FIS, t9=FIS), 2),
        ("outside", changed(t9=G), 0),
        ("mixed_beats", changed(t2=E, t3=HOLD), 0),  # thirds alone
        ("mixed_beats", changed(t2=E), 1),  # a third and two quarters
        ("mixed_beats", changed(t1=E, t2=REST, t3=HOLD, t8=D, t11=D), 2),
        ("rest", changed(t3=REST, t9=REST), 2),
        ("rest", changed(t3=HOLD), 0),
        ("leap", changed(t9=C - 8), 3),  # a twelfth down, nine are easy
        ("leap", changed(t3=C + 12, t6=C), 6),  # an octave up and one down
        ("leap", changed(t9=E - 9), 0),
        ("tie", changed(t0=HOLD), 1),
        ("tie", changed(t0=D), 0),
        ("repeat", changed(t3=C), 1),
        ("repeat", changed(t1=C, t2=C), 2),
        ("repeat", changed(t2=REST, t3=C), 0),  # a rest between
        ("repeat", changed(t9=G), 0),
    ],
)
def test_each_price_equals_a_value_by_hand(weight: str, row: list[int], expected: float):
    by = judge(**{**NOTHING, weight: 1.0})
    assert price(problem([ROW], {}), row, by, nats=7.0 if weight == "nat" else 0.0) == pytest.approx(expected)


def test_removing_a_repeated_note_is_no_gain():
    row = changed(t3=C)
    assert price(problem([row], {}), ROW, judge(**{**NOTHING, "repeat": 1.0})) == 0


def test_drift_equals_a_value_by_hand():
    """One note fewer, contour asked for: density drifts by 1/12, weighed by 1 - rho^2; rhythm and range likewise."""
    asked, row = problem([ROW], {"contour": 4 / 26}), changed(t3=HOLD)
    names, related = model().metadata.names, np.array(model().metadata.correlation) ** 2
    before, after = (evaluate(model().specs, np.array([r], dtype=np.int16), TWO)[0] for r in (ROW, row))
    expected = 0.0
    for k, name in enumerate(names):
        if name != "contour":
            off = abs(after[k] - before[k]) / model().metadata.scale(name).sd
            expected += off * (1 - related[names.index("contour"), k])
    assert after[names.index("density")] != before[names.index("density")]
    assert price(asked, row, judge(**{**NOTHING, "drift": 1.0})) == pytest.approx(expected)


def test_drift_weights_are_products_over_all_requested_attributes():
    related = np.array([[1.0, 0.5, 0.2], [0.5, 1.0, 0.0], [0.2, 0.0, 1.0]])
    by = replace(judge(), related=related)
    wanted = np.array([[1.0, np.nan, np.nan], [1.0, np.nan, 1.0], [np.nan, np.nan, np.nan]])
    np.testing.assert_allclose(by.drift_weights(wanted), [[0, 0.5, 0.8], [0, 0.5, 0], [1, 1, 1]])


def test_a_value_within_half_a_grain_is_a_hit_and_beyond_it_a_full_miss():
    by = replace(judge(), sd=np.array([2.0]), tolerance=np.array([0.25]))
    values, wanted = np.array([[4.0], [4.5], [4.6], [3.4], [9.0]]), np.array([[4.0], [4.0], [4.0], [4.0], [np.nan]])
    np.testing.assert_allclose(by.misses(values, wanted), [[0], [0], [0.3], [0.3], [0]])


def test_removing_a_leap_is_no_gain_and_keeping_it_costs_nothing():
    by, wild = judge(**{**NOTHING, "leap": 1.0}), changed(t9=C - 8)
    assert price(problem([wild], {}), ROW, by) == 0
    assert price(problem([wild], {}), changed(t9=C - 8, t3=E), by) == 0


# ------------------------------------------------------------------------------------ the pool


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), max_size=30), st.integers(1, 4))
def test_best_takes_the_cheapest_candidates_of_each_group(drawn: list[tuple[int, int]], count: int):
    group, cost = (np.array([pair[part] for pair in drawn], dtype=np.int64) for part in range(2))
    rows = np.arange(2 * len(drawn), dtype=np.int16).reshape(-1, 2)
    pool = Pool(group, rows, np.zeros((len(rows), 1)), cost.astype(np.float64), np.zeros(len(rows)), cost == 0)
    found = pool.best(count)
    for g in range(3):
        expected = sorted(c for which, c in drawn if which == g)[:count]
        assert found.take(found.group == g).cost.tolist() == expected
    assert np.all(np.diff(found.group) >= 0)


def test_equal_candidates_are_evaluated_once_with_the_least_guessed_surprise():
    made = search(problem([ROW, ROW], {"density": 4 / 12}))
    one, other = changed(t9=G), changed(t9=F)
    rows = np.array([one, other, one, ROW, one, other], dtype=np.int16)
    group, guess = np.array([0, 0, 0, 0, 1, 1]), np.array([3.0, 2.0, 1.0, 0.0, 5.0, 4.0])
    moves = Unevaluated(group, rows, guess, guess, _keys(group, rows))
    assert _unseen(moves, made.evaluated).tolist() == [1, 2, 4, 5]
    made.add(group[:1], rows[:1])
    assert _unseen(moves, made.evaluated).tolist() == [1, 4, 5]


def test_changes_that_cannot_compete_with_the_best_hit_are_dropped():
    """Of a measure that has what is wanted: every change costs its ticks, and no attribute can make that good."""
    made = search(problem([ROW], {}), judge(tick=10.0, nat=0.0))
    assert len(made._small_changes(made.first).rows) == 0
    assert len(search(problem([ROW], {}), judge(tick=2.9, nat=0.0))._small_changes(made.first).rows) > 100
    denser = search(problem([ROW], {"density": 1.0}), judge(tick=10.0, nat=0.0))
    assert len(denser._small_changes(made.first).rows) > 100


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), max_size=30), st.integers(1, 4))
def test_nth_cost_of_each_group(drawn: list[tuple[int, int]], n: int):
    group, cost = (np.array([pair[part] for pair in sorted(drawn)], dtype=np.int64) for part in range(2))
    none = np.zeros((len(group), 1))
    found = _nth_cost(Pool(group, none.astype(np.int16), none, cost.astype(np.float64), none[:, 0], cost == 0), n, 3)
    for g in range(3):
        own = cost[group == g]
        assert found[g] == (own[n - 1] if len(own) >= n else np.inf)


def test_changes_that_cost_more_than_a_full_pool_of_hits_are_dropped():
    """Every fifth of a semitone is a hit here; the pool takes the two nearest, and then none that is farther."""
    made = search(problem([ROW], {}), judge(**{**NOTHING, "semitone": 1.0}), Effort(kept=2))
    assert made.pool_limits.tolist() == [np.inf]
    rows = np.array([changed(t6=pitch) for pitch in (F, G)], dtype=np.int16)
    made.add(np.zeros(2, dtype=np.int64), rows)
    assert made.pool.cost.tolist() == [0, 1]
    assert made.pool_limits.tolist() == [1]
    assert made._small_changes(made.first).token_cost.max() == 1


@pytest.mark.parametrize("wanted", [{"density": 5 / 12}, {"contour": 5 / 26, "density": 2 / 12}, {"rhythm": 0.6}])
def test_selection_before_the_context_cost_hardly_changes_the_result(
    wanted: dict[str, float], monkeypatch: pytest.MonkeyPatch
):
    asked = problem([ROW, changed(t4=G)], wanted)
    usual = search(asked).run()
    monkeypatch.setattr("arvae_music.editing.search.LIKELY", 1000)
    full = search(asked).run()
    np.testing.assert_array_equal(full.group, usual.group)
    first = np.unique(full.group, return_index=True)[1]
    np.testing.assert_array_equal(full.rows[first], usual.rows[first])
    np.testing.assert_allclose(full.cost, usual.cost, atol=0.1)  # others may lose a shade; a changed tick costs 4.5


# ------------------------------------------------------------------------------------ small changes


@settings(deadline=None)
@given(st.lists(st.sampled_from([HOLD, HOLD, REST, C, E, FIS]), min_size=12, max_size=12), st.data())
def test_costs_computed_from_a_parent_equal_those_of_the_whole_row(row: list[int], data: st.DataObject):
    made = search(problem([ROW, row], {"density": 6 / 12, "contour": 4 / 26}))
    parents = np.array([ROW, data.draw(st.permutations(row))], dtype=np.int16)
    made.add(np.arange(2), parents)
    moves = made._small_changes(made.pool)
    np.testing.assert_allclose(moves.token_cost, made.cost.tokens(moves.group, moves.rows), atol=1e-9)
    assert np.array_equal(moves.key, _keys(moves.group, moves.rows))


def moved(made: Search) -> tuple[npt.NDArray[np.int64], Row, npt.NDArray[np.floating]]:
    moves = made._small_changes(made.pool.best(6))
    moves = moves.take(made._allowed(moves.group, moves.rows))
    return moves.group, moves.rows, moves.nats


def test_a_measure_that_misses_also_gets_note_exchanges_and_pitch_changes():
    twice = changed(t6=D)  # C, D, D
    small = {row.tobytes() for row in moved(search(problem([twice], {}), effort=Effort(slack=np.inf)))[1]}
    bold = [row for row in moved(search(problem([twice], {"density": 0.9})))[1] if row.tobytes() not in small]
    differ = [np.flatnonzero(row != twice).tolist() for row in bold]
    together = [row for row, at in zip(bold, differ, strict=True) if at == [3, 6] and row[3] == row[6] != HOLD]
    assert {int(row[3]) for row in together} >= {D - 1, D + 1, D + 3}
    exchanged = [row for row, at in zip(bold, differ, strict=True) if HOLD in (row[3], row[6]) and len(at) == 2]
    assert any(row[3] == HOLD and row[9] >= FIRST_PITCH for row in exchanged)  # past the note at 6
    assert all((row >= FIRST_PITCH).sum() == 3 for row in exchanged)


def test_a_new_note_outside_the_key_moves_together_with_another_note():
    """F sharp up to G, or down to F, and another note by as much, so that the interval between them stays."""
    made = search(problem([ROW], {}), effort=Effort(slack=np.inf))
    unfitting = changed(t9=FIS)
    made.add(np.zeros(1, dtype=np.int64), np.array([unfitting], dtype=np.int16))
    _, rows, _ = made._paired_moves(made.pool.take(made.pool.cost > 0), np.zeros((1, 12, VOCABULARY), dtype=np.float32))
    expected = [
        changed(t9=F, t6=E - 1), changed(t9=F, t0=C - 1), changed(t9=G, t6=F), changed(t9=E, t3=C), changed(t9=E, t6=D),
        changed(t9=E, t0=C - 2), changed(t9=FIS + 2, t0=D), changed(t9=FIS + 2, t3=E), changed(t9=FIS + 2, t6=FIS),
    ]  # fmt: skip
    white = [row for row in expected if all(in_key(np.array([token for token in row if token >= FIRST_PITCH])))]
    assert {tuple(row) for row in rows.tolist()} == {tuple(row) for row in white}
    kept, fine = problem([unfitting], {}), changed(t9=G)  # what was there already is nobody's mistake
    for original, candidate in ((kept, unfitting), (problem([ROW], {}), fine)):
        pool = search(original).first
        pool = replace(pool, rows=np.array([candidate], dtype=np.int16))
        assert len(search(original)._paired_moves(pool, np.zeros((1, 12, VOCABULARY), dtype=np.float32))[1]) == 0


def test_all_notes_of_a_pitch_move_together_with_a_new_note():
    """C, C and F sharp: up by one, all of them, and by two neither is white."""
    twice = [C, HOLD, HOLD, C, HOLD, HOLD, E, *[HOLD] * 5]
    made = search(problem([twice], {}), effort=Effort(slack=np.inf))
    unfitting = [*twice[:9], FIS, HOLD, HOLD]
    made.add(np.zeros(1, dtype=np.int64), np.array([unfitting], dtype=np.int16))
    _, rows, _ = made._paired_moves(made.pool.take(made.pool.cost > 0), np.zeros((1, 12, VOCABULARY), dtype=np.float32))
    down = [C - 1, HOLD, HOLD, C - 1, HOLD, HOLD, E, HOLD, HOLD, F, HOLD, HOLD]
    assert down in rows.tolist()
    assert [down[0], *twice[1:9], F, HOLD, HOLD] in rows.tolist()  # or one of them


def test_the_guessed_surprise_of_a_paired_move_is_the_difference_of_its_tokens():
    made = search(problem([ROW], {}), effort=Effort(slack=np.inf))
    unfitting = np.array([changed(t9=FIS)], dtype=np.int16)
    made.add(np.zeros(1, dtype=np.int64), unfitting)
    beam = made.pool.take(made.pool.cost > 0)
    table = np.random.default_rng(0).standard_normal((1, 12, VOCABULARY)).astype(np.float32)
    parent, rows, nats = made._paired_moves(beam, table)
    assert len(rows) == len(parent) > 1
    for row, guess in zip(rows, nats, strict=True):
        change = sum(table[0, t, unfitting[0, t]] - table[0, t, row[t]] for t in np.flatnonzero(row != unfitting[0]))
        assert guess == pytest.approx(beam.nats[0] + change, abs=1e-4)


def test_a_small_change_is_one_tick_or_one_note_that_moves():
    asked = problem([ROW, changed(t6=REST)], {})  # nothing is missed: small changes alone
    group, rows, _ = moved(search(asked, effort=Effort(slack=np.inf)))
    singles, shifts = set(), set()
    for g, row in zip(group.tolist(), rows.tolist(), strict=True):
        before = asked.rows[g].tolist()
        differ = [tick for tick in range(12) if before[tick] != row[tick]]
        if len(differ) == 1:
            (tick,) = differ
            singles.add((g, tick, row[tick]))
            assert row[tick] != REST or before[tick] >= FIRST_PITCH  # a rest takes the place of a note
            continue
        old, new = differ if before[differ[0]] >= FIRST_PITCH else differ[::-1]
        shifts.add((g, old, new))
        assert before[old] >= FIRST_PITCH
        assert (row[old], row[new], before[new]) == (HOLD, before[old], HOLD)
        between = before[min(old, new) + 1 : max(old, new)]
        assert all(token == HOLD for token in between)
    # By hand: D at 3 may move to 1, 2, 4, 5; E at 6 to 4, 5, 7 and on; the downbeat stays.
    assert {(old, new) for g, old, new in shifts if g == 0} == {
        *((3, new) for new in (1, 2, 4, 5)), *((6, new) for new in (4, 5, 7, 8, 9, 10, 11)),
    }  # fmt: skip
    reach = set(range(C - REACH, G + REACH + 1))
    for tick, token in ((0, C), (3, D), (6, E)):  # a note may take any pitch in reach, or go
        assert {t for g, at, t in singles if (g, at) == (0, tick)} == (reach | {HOLD, REST}) - {token}
    for tick in (1, 4, 9):  # a note may come, of the likeliest pitches
        assert len({t for g, at, t in singles if (g, at) == (0, tick)}) == Effort().favourites
    assert (1, 6, HOLD) in singles  # a rest may go


@pytest.mark.parametrize("row", [ROW, changed(t9=D)])
def test_the_guessed_surprise_ignores_only_the_tokens_after_a_change(row: list[int]):
    """By hand, from the table of the original: what goes minus what comes, tick by tick; bold changes too."""
    asked = problem([row], {"density": 0.5})
    made = search(asked)
    (table,) = log_probabilities(model().runtime, asked.rows, TWO)
    for _, candidate, guess in zip(*moved(made), strict=True):
        ticks = np.flatnonzero(candidate != asked.rows[0])
        change = sum(table[t, asked.rows[0, t]] - table[t, candidate[t]] for t in ticks)
        assert guess == pytest.approx(made.nats[0] + change, abs=1e-3)


def test_the_guessed_surprise_is_exact_for_a_change_of_the_last_tick():
    """At the last tick nothing comes after: the guess is exact."""
    asked = problem([ROW], {"density": 0.5})
    made = search(asked)
    _, rows, guess = moved(made)
    last = [at for at, row in enumerate(rows) if (np.flatnonzero(row != asked.rows[0]) == [11]).all()]
    exact = surprise(log_probabilities(model().runtime, rows[last], TWO), rows[last])
    np.testing.assert_allclose(guess[last], exact, atol=1e-2)
    assert len(last) == Effort().favourites


@pytest.mark.parametrize(
    ("tie", "leave", "fine"),
    [
        (-1, -1, lambda row: row[0] != HOLD),
        (1, -1, lambda row: row[0] == HOLD),
        (0, E, lambda row: [token for token in row if token != HOLD][-1:] == [E]),
    ],
)
def test_ties_restrict_the_candidates(tie: int, leave: int, fine):
    row = changed(t0=HOLD) if tie == 1 else ROW
    asked = problem([row], {"density": 0.5}, tie=tie, leave=leave)
    made = search(asked)
    for candidate in moved(made)[1].tolist():
        assert fine(candidate)
    everything = np.random.default_rng(0).choice([HOLD, HOLD, REST, C, E], (300, 12)).astype(np.int16)
    made.add(np.zeros(300, dtype=np.int64), everything)
    for candidate in made.run().rows.tolist():
        assert fine(candidate)


def test_new_notes_stay_in_reach():
    row = np.full((1, 12), HOLD, dtype=np.int16)
    for token, fine in ((G + REACH, True), (G + REACH + 1, False), (C - REACH, True), (C - REACH - 1, False)):
        row[0, 0] = token
        assert search(problem([ROW], {}))._allowed(np.zeros(1, dtype=np.int64), row)[0] == fine
    low = changed(t0=C - 12)  # what is there already may stay
    assert search(problem([low], {}))._allowed(np.zeros(1, dtype=np.int64), np.array([low], dtype=np.int16))[0]


# ------------------------------------------------------------------------------------ the search


def test_a_measure_that_meets_the_request_stays_the_best_candidate():
    found = search(problem([ROW], {"density": 3 / 12})).run()
    assert found.rows[0].tolist() == ROW
    assert found.cost[0] == 0


def test_results_are_sorted_distinct_and_priced_by_the_exact_surprise():
    asked = problem([ROW, changed(t3=F)], {"density": 5 / 12, "contour": 2 / 26})
    made = search(asked)
    found = made.run()
    for g in range(2):
        mine = found.take(found.group == g)
        assert 1 < len(mine.cost) <= Effort().kept
        assert np.all(np.diff(mine.cost) >= 0)
        assert len({row.tobytes() for row in mine.rows}) == len(mine.rows)
    np.testing.assert_allclose(found.values, evaluate(model().specs, found.rows, TWO))
    nats = surprise(log_probabilities(model().runtime, found.rows, TWO), found.rows)
    np.testing.assert_allclose(found.nats, nats, atol=1e-3)
    np.testing.assert_allclose(found.cost, made.price(found.group, found.rows, found.values, nats), atol=1e-2)


def test_measures_do_not_disturb_each_other():
    rows = [ROW, changed(t3=F), changed(t0=G, t6=HOLD), [REST, *[HOLD] * 11]]
    together = search(problem(rows, {"density": 4 / 12, "contour": 2 / 26})).run()
    for g, row in enumerate(rows):
        alone = search(problem([row], {"density": 4 / 12, "contour": 2 / 26})).run()
        mine = together.take(together.group == g)
        assert mine.rows.tolist() == alone.rows.tolist()


def neighbours(row: list[int], changes: int) -> Row:
    """Every row that differs from this one in at most so many ticks: holds, rests, and notes in reach."""
    tokens = [HOLD, REST, *range(C - REACH, G + REACH + 1)]
    found = {tuple(row)}
    for places in itertools.combinations(range(len(row)), changes):
        for fill in itertools.product(tokens, repeat=changes):
            one = list(row)
            for tick, token in zip(places, fill, strict=True):
                one[tick] = token
            found.add(tuple(one))
    return np.array(sorted(found), dtype=np.int16)


@pytest.mark.parametrize("row", [[C, HOLD, HOLD, D, HOLD, HOLD], [E, HOLD, REST, G, HOLD, D], [REST, *[HOLD] * 5]])
@pytest.mark.parametrize(
    "wanted", [{"density": 3 / 6}, {"density": 1 / 6, "contour": 0.0}, {"range": 5 / 26}, {"contour": -3 / 26}]
)
def test_as_good_as_brute_force_over_all_changes_of_two_ticks(row: list[int], wanted: dict[str, float]):
    asked = problem([row], wanted, ONE)
    made = search(asked)
    every = neighbours(row, 2)
    group = np.zeros(len(every), dtype=np.int64)
    every = every[made._allowed(group, every)]
    group = group[: len(every)]
    values = evaluate(model().specs, every, ONE)
    nats = surprise(log_probabilities(model().runtime, every, ONE), every)
    best = float(made.price(group, every, values, nats).min())
    found = float(made.run().cost[0])
    assert found <= best + 0.5  # half a changed tick: a beam may miss a shade
    hits = (made.judge.misses(values, np.repeat(asked.wanted, len(every), axis=0)) == 0).all(axis=1)
    if hits.any():
        assert (made.judge.misses(made.pool.values[:1], asked.wanted) == 0).all()


def test_a_proposal_that_is_better_is_taken_and_one_that_breaks_a_lock_never():
    locks = replace(COMPASS, names=frozenset({"key"}))
    asked = problem([ROW], {"density": 7 / 12})
    good = changed(t1=D, t5=E, t7=F, t9=G)
    bad = changed(t1=FIS, t5=E, t7=F, t9=G)
    made = search(asked, judge(locks=locks), Effort(rounds=0))
    made.add(np.zeros(2, dtype=np.int64), np.array([good, bad], dtype=np.int16))
    found = made.run().rows.tolist()
    assert found[0] == good
    assert bad not in found
    free = search(asked, judge(), Effort(rounds=0))
    free.add(np.zeros(2, dtype=np.int64), np.array([good, bad], dtype=np.int16))
    assert bad in free.run().rows.tolist()  # it is the lock alone that keeps it out


def test_proposals_that_hit_do_not_push_out_nearer_candidates():
    """E to G at the end is all it takes, however many others there are."""
    asked = problem([ROW], {"contour": 7 / 26})
    alone = search(asked).run()
    made = search(asked)
    pairs = [(C + d, C + d + 7) for d in range(-6, 7) if d]
    others = np.array([[a, HOLD, HOLD, D, HOLD, a + 3, b, *[HOLD] * 5] for a, b in pairs], dtype=np.int16)
    made.add(np.zeros(len(others), dtype=np.int64), others)
    assert made.run().cost[0] <= alone.cost[0] + 1e-6


def test_a_harder_search_is_never_worse():
    asked = problem([ROW], {"density": 8 / 12, "range": 9 / 26, "contour": -5 / 26})
    costs = [float(search(asked, effort=Effort(rounds=rounds)).run().cost[0]) for rounds in (0, 1, 3, 8, 14)]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < costs[1]


def test_every_token_is_one_of_the_vocabulary():
    found = search(problem([ROW], {"contour": -20 / 26})).run()
    assert found.rows.min() >= 0
    assert found.rows.max() < VOCABULARY
