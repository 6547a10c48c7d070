"""Proposals: where the codes go, and that each measure's are its own. Decoding itself: test_runtime.py."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import arvae_music
from arvae_music.arrays import Row
from arvae_music.editing.guided import BONUSES, OVERSHOOTS, TEMPERATURES, propose
from arvae_music.library import Model
from arvae_music.music.attributes import PAPER, evaluate
from arvae_music.music.meter import Meter
from arvae_music.music.tokens import FIRST_PITCH, HOLD, REST, START, token_of
from arvae_music.networks.decoding import ProbabilityCache, _distinct
from arvae_music.networks.model import Model as EngineModel
from arvae_music.vae.combinations import Combinations
from arvae_music.vae.metadata import Metadata
from arvae_music.vae.scales import NOT_CARRIED, STRONG, Scale

FOUR = Meter(4)
COUNT = len(OVERSHOOTS) * len(BONUSES) * len(TEMPERATURES)


@lru_cache
def model() -> EngineModel:
    found: Model = arvae_music.load("bach")
    return found.restricted(PAPER)


def row(*pitches: int) -> Row:
    """Evenly spread notes."""
    made = np.full(24, HOLD, dtype=np.int16)
    made[:: 24 // len(pitches)] = [token_of(pitch) for pitch in pitches]
    return made


ROWS = np.stack([row(72, 74, 76, 77), row(79, 76), row(72, 71, 72, 74, 76, 74, 72, 71)])


def asked(**steps: float) -> tuple[np.ndarray, np.ndarray]:
    """Values now and wanted, steps in sd."""
    before = evaluate(model().specs, ROWS, FOUR)
    wanted = np.full_like(before, np.nan)
    for name, step in steps.items():
        k = model().metadata.names.index(name)
        wanted[:, k] = before[:, k] + step * model().metadata.scales[k].sd
    return before, wanted


# ------------------------------------------------------------------------------------ where codes go


def line(name: str, dimension: int, slope: float, code_sd: float = 1.0) -> Scale:
    """An attribute whose code is its value times `slope`."""
    return Scale(name, "", dimension, 0.0, 1.0, (0.0,) * 101, (0.0, 1.0), (0.0, slope), code_sd)


def made_up(rho: float, second: int = 4) -> EngineModel:
    """Two attributes in dimensions 2 and `second`, with codes of sd 2 and 6 that correlate by rho."""
    scales = (line("a", 2, 2.0, code_sd=2.0), line("b", second, 3.0, code_sd=6.0))
    square = ((1.0, rho), (rho, 1.0))
    return replace(
        model(), metadata=Metadata("measures", {}, scales, square, square, {}), specs=model().specs[:2]
    )


NAN = np.nan


def test_a_code_moves_by_what_the_calibration_says():
    z = np.zeros((2, 6), dtype=np.float32)
    before, wanted = np.array([[1.0, 5.0], [0.0, 5.0]]), np.array([[1.5, NAN], [-1.0, NAN]])
    moved = made_up(rho=0.0).metadata.moved(z, before, wanted)
    np.testing.assert_allclose(moved, [[0, 0, 1, 0, 0, 0], [0, 0, -2, 0, 0, 0]])
    assert not z.any()
    again = made_up(rho=0.0).metadata.moved(z, before, wanted, np.array([2.0, 0.5]))
    np.testing.assert_allclose(again[:, 2], [2.0, -1.0])


def test_strongly_correlated_codes_move_to_their_conditional_mean():
    z = np.zeros((1, 6), dtype=np.float32)
    before, wanted = np.zeros((1, 2)), np.array([[1.0, NAN]])
    moved = made_up(rho=0.8).metadata.moved(z, before, wanted)
    assert moved[0].tolist() == pytest.approx([0, 0, 2, 0, 0.8 * 6 / 2 * 2, 0])
    assert made_up(rho=-0.8).metadata.moved(z, before, wanted)[0, 4] == pytest.approx(-4.8)
    assert made_up(rho=STRONG - 0.01).metadata.moved(z, before, wanted)[0, 4] == 0
    both = made_up(rho=0.8).metadata.moved(z, before, np.array([[1.0, -1.0]]))
    assert both[0].tolist() == pytest.approx([0, 0, 2, 0, -3, 0])  # asked for itself: nothing goes along


def test_the_gain_applies_to_the_requested_code_only():
    known = Combinations(np.array([8]), np.array([[1.0, 4.0]]))
    made = made_up(rho=0.8)
    scales = tuple(replace(scale, gain=1.5) for scale in made.metadata.scales)
    made = replace(made, metadata=replace(made.metadata, scales=scales, combinations=known))
    moved = made.moved(np.zeros((1, 6), dtype=np.float32), np.zeros((1, 2)), np.array([[1.0, NAN]]), FOUR)
    np.testing.assert_allclose(moved, [[0, 0, 3, 0, 12, 0]], rtol=1e-6)


def test_the_other_codes_move_to_the_nearest_combination():
    known = Combinations(np.array([8, 8]), np.array([[1.0, 4.0], [3.0, 5.0]]))
    made = made_up(rho=0.8)
    made = replace(made, metadata=replace(made.metadata, combinations=known))
    z, before = np.zeros((2, 6), dtype=np.float32), np.array([[0.0, 0.0], [0.0, 4.0]])
    moved = made.moved(z, before, np.array([[1.0, NAN], [2.9, 0.0]]), FOUR)
    np.testing.assert_allclose(moved, [[0, 0, 2, 0, 12, 0], [0, 0, 5.8, 0, -12, 0]], rtol=1e-6)
    half = made.metadata.moved(z, before, np.array([[1.0, NAN], [2.9, 0.0]]), np.array([1.0, 0.5]), np.full(2, 8))
    np.testing.assert_allclose(half, [[0, 0, 2, 0, 12, 0], [0, 0, 2.9, 0, -6, 0]], rtol=1e-6)
    still = made.moved(z, before, np.array([[1.0, NAN], [NAN, NAN]]), Meter(3))  # no combination of this meter is known
    assert still.tolist() == [[0, 0, 2, 0, 0, 0], [0] * 6]


def test_an_attribute_without_a_dimension_moves_nothing():
    z = np.zeros((1, 6), dtype=np.float32)
    moved = made_up(rho=0.8, second=NOT_CARRIED).metadata.moved(z, np.zeros((1, 2)), np.array([[NAN, 1.0]]))
    assert not moved.any()


# ------------------------------------------------------------------------------------ what is computed once

MEASURES = st.lists(
    st.lists(st.sampled_from([HOLD, HOLD, REST, FIRST_PITCH, FIRST_PITCH + 20]), min_size=12, max_size=12), min_size=1
).map(lambda rows: np.array(rows, dtype=np.int16))


@settings(deadline=None)
@given(st.lists(MEASURES, min_size=1, max_size=3))
def test_the_probability_cache_equals_the_decoder_on_each_measure(asked: list[np.ndarray]):
    meter, runtime = Meter(2, compound=True), model().runtime
    cache = ProbabilityCache(runtime, meter)
    for rows in asked:
        for row, table in zip(rows, cache(rows), strict=True):
            state, sounding = runtime.nowhere(meter), HOLD
            for tick, previous in enumerate([START, *row[:-1].tolist()]):
                sounding = sounding if previous in (HOLD, START) else previous
                logits = runtime.step(state, np.array([previous]), np.array([sounding]))[0]
                np.testing.assert_allclose(table[tick], logits - np.log(np.exp(logits).sum()), atol=1e-4)
    # Once each: a beat is where it is, the token before it, what sounds there, and all its tokens but the last.
    beats = {
        (at, 0 if at == 0 else row[5], sounds(row[:6]) if at else 0, *row[6 * at : 6 * at + 5].tolist())
        for rows in asked for row in rows for at in range(2)
    }  # fmt: skip
    assert len(cache.tables) == len(beats)


def sounds(row: np.ndarray) -> int:
    """What sounds after these ticks."""
    return next((int(token) for token in row[::-1] if token != HOLD), HOLD)


@given(st.lists(st.integers(0, 60)))
def test_distinct_equals_numpys_unique(numbers: list[int]):
    keys = np.array(numbers, dtype=np.int64)
    at, which = _distinct(keys)
    assert np.array_equal(np.sort(keys[at]), np.unique(keys))
    assert np.array_equal(keys[at][which], keys)


# ------------------------------------------------------------------------------------ proposals


def test_every_measure_gets_its_share_in_order():
    before, wanted = asked(density=1.0)
    group, rows = propose(ROWS, before, wanted, FOUR, COUNT, 0, model(), 1.0)
    assert group.tolist() == sorted([0, 1, 2] * COUNT)
    assert rows.shape == (3 * COUNT, 24)


def test_a_measures_proposals_do_not_depend_on_the_others():
    before, wanted = asked(density=1.0)
    group, together = propose(ROWS, before, wanted, FOUR, COUNT, 0, model(), 1.0)
    for m in range(3):
        _, alone = propose(ROWS[m : m + 1], before[m : m + 1], wanted[m : m + 1], FOUR, COUNT, 0, model(), 1.0)
        assert np.array_equal(alone, together[group == m])


def test_seeds_differ_and_repeat():
    before, wanted = asked(density=1.0)
    one, again, other = (propose(ROWS, before, wanted, FOUR, COUNT, seed, model(), 1.0)[1] for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    cold = len(OVERSHOOTS) * len(BONUSES)  # the first are at temperature nil: no dice
    assert TEMPERATURES[0] == 0
    assert np.array_equal(one[:cold], other[:cold])


def test_proposals_move_towards_the_request_and_stay_similar_to_the_melody():
    k = model().metadata.names.index("density")
    before, up = asked(density=1.5)
    _, down = asked(density=-1.5)
    group, more = propose(ROWS, before, up, FOUR, COUNT, 0, model(), 1.0)
    _, fewer = propose(ROWS, before, down, FOUR, COUNT, 0, model(), 1.0)
    for m in range(3):
        dense, sparse = (evaluate(model().specs, rows[group == m], FOUR)[:, k].mean() for rows in (more, fewer))
        assert dense > sparse
    kept = (more == ROWS[group]).mean(axis=1)
    way = np.tile(np.arange(COUNT), 3) // len(OVERSHOOTS) % len(BONUSES)
    by_bonus = [kept[way == bonus].mean() for bonus in range(len(BONUSES))]
    assert by_bonus == sorted(by_bonus)
    assert by_bonus[-1] > 0.8


def test_larger_overshoots_go_further():
    k = model().metadata.names.index("density")
    before, wanted = asked(density=1.0)
    _, rows = propose(ROWS, before, wanted, FOUR, COUNT, 0, model(), 1.0)
    values = evaluate(model().specs, rows, FOUR)[:, k].reshape(-1, len(OVERSHOOTS)).mean(axis=0)
    assert values[0] < values[-1]


def test_grain_of_an_attribute_that_states_none_is_a_tenth_of_its_sd():
    spec = replace(model().specs[0], grain=None)
    bare = replace(model(), specs=(spec, *model().specs[1:]))
    assert bare.grain(FOUR)[0] == pytest.approx(0.1 * bare.metadata.scales[0].sd)
    assert bare.grain(FOUR)[1:].tolist() == model().grain(FOUR)[1:].tolist()
