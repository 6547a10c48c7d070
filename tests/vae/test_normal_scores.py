"""Normal scores: whatever the values are, their codes are N(0, 1) or near to it, in the values' order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp, kstest, truncnorm

from arvae_music.music.tokens import by_meter
from arvae_music.networks import model
from arvae_music.vae.examples import Examples, LazyRows
from arvae_music.vae.normal_scores import LEVELS, NEAR, Codes, NormalScores

KINDS = {
    "few": lambda random, n: random.integers(0, 5, n).astype(float),
    "skewed": lambda random, n: np.floor(random.exponential(3, n)),
    "many": lambda random, n: random.standard_cauchy(n),
    "two": lambda random, n: (random.random(n) < 0.1).astype(float),
}


@pytest.mark.parametrize("kind", KINDS)
def test_drawn_codes_are_standard_normal(kind: str):
    random = np.random.default_rng(0)
    values = KINDS[kind](random, 20_000)
    codes = NormalScores.of(values, near=1.0).drawn(values, random)
    assert kstest(codes, "norm").pvalue > 1e-3
    known = NormalScores.of(values)
    near = known.drawn(values, np.random.default_rng(1))
    far = NormalScores.of(values, near=1.0).drawn(values, np.random.default_rng(1))
    np.testing.assert_allclose(near - known.code(values), NEAR * (far - known.code(values)))


@given(st.lists(st.integers(-3, 6), min_size=2, max_size=200), st.integers(0, 99))
def test_a_value_has_the_part_of_the_normal_distribution_that_is_its_share(whole: list[int], seed: int):
    values = np.array(whole, dtype=float)
    known, random = NormalScores.of(values), np.random.default_rng(seed)
    assert (np.diff(known.mean) > 0).all()
    assert (np.diff(known.levels) > 0).all()
    below = None
    for level in np.unique(values) if np.ptp(values) else ():
        low, high = (values < level).mean(), (values <= level).mean()
        drawn = known.drawn(np.full(50, level), random)
        assert below is None or drawn.min() >= below - 1e-9
        below = drawn.max()
        part = truncnorm(*(np.clip(_normal(x), -40, 40) for x in (low, high)))
        assert known.code(np.array([level]))[0] == pytest.approx(part.mean(), abs=1e-6)
        assert known.sd[known.levels == level][0] == pytest.approx(NEAR * part.std(), abs=1e-3)


def _normal(share: float) -> float:
    from scipy.stats import norm

    return float(norm.ppf(share))


def test_between_levels_and_beyond_them_it_goes_on():
    known = NormalScores.of(np.array([0.0, 0, 1, 1, 2, 2]))
    codes = known.code(np.array([-5.0, -1, 0, 0.5, 1, 2, 3, 9]))
    assert (np.diff(codes) > 0).all()
    assert codes[3] == pytest.approx((codes[2] + codes[4]) / 2)
    beyond = known.drawn(np.array([9.0, -5.0]), np.random.default_rng(0))
    assert beyond == pytest.approx(codes[[-1, 0]])


def test_a_constant_and_very_many_values():
    constant = NormalScores.of(np.full(9, 3.0))
    assert constant.code(np.array([3.0, 4.0])).tolist() == [0.0, 1.0]
    assert np.isfinite(constant.drawn(np.full(99, 3.0), np.random.default_rng(0))).all()
    assert constant.drawn(np.array([4.0]), np.random.default_rng(0)).tolist() == [1.0]  # a mixed measure may have it
    values = np.random.default_rng(1).standard_normal(5000)
    many = NormalScores.of(values)
    assert len(many.levels) <= LEVELS
    assert np.abs(many.code(values) - values).max() < 0.5
    assert np.abs(many.code(values) - values).mean() < 0.03


def test_each_different_example_counts_once():
    rows = np.array([[0, 0], [0, 0], [0, 0], [1, 1]])
    values = np.array([[0.0], [0.0], [0.0], [1.0]], dtype=np.float32)
    whole = Examples(rows, values, ("a",), np.arange(4))
    assert Codes.of_examples(whole)(values)[[0, 3], 0] == pytest.approx([-0.7979, 0.7979], abs=1e-4)
    made = Examples(LazyRows(lambda at: rows[at], np.arange(4), (2,), rows.dtype), values, ("a",), np.arange(4))
    assert Codes.of_examples(made)(values)[3, 0] == pytest.approx(1.2711, abs=1e-4)


def test_codes_are_of_every_attribute_apart():
    random = np.random.default_rng(0)
    values = np.stack([random.integers(0, 3, 500), random.exponential(1, 500)], axis=1)
    known = Codes.of(values)
    for k, column in enumerate(values.T):
        np.testing.assert_allclose(known(values)[:, k], NormalScores.of(column).code(column), rtol=1e-6)
    drawn = known.drawn(values, np.random.default_rng(3))
    assert drawn.dtype == np.float32
    np.testing.assert_array_equal(drawn, known.drawn(values, np.random.default_rng(3)))


def test_a_model_draws_codes_as_training_does():
    from training.test_music_recipe import saved
    from training_cases import TRAIN

    prepared, known = model.prepare(saved("given")), Codes.of_examples(TRAIN)
    random, others = np.random.default_rng(0), np.random.default_rng(1)
    for meter, at in by_meter(TRAIN.inputs):
        rows = np.repeat(TRAIN.inputs[at, 1 : 1 + meter.ticks], 40, axis=0)
        mine = prepared.runtime.drawn(rows, meter, random)[:, :4]
        theirs = known.drawn(np.repeat(TRAIN.attributes[at], 40, axis=0).astype(float), others)
        for k in range(4):
            assert ks_2samp(mine[:, k], theirs[:, k]).pvalue > 1e-3
            values = np.repeat(TRAIN.attributes[at, k], 40)
            for value in np.unique(values):  # one value's codes are never another's
                here = mine[values == value, k]
                assert here.min() > mine[values < value, k].max(initial=-np.inf)
                assert ks_2samp(here, theirs[values == value, k]).pvalue > 1e-4
