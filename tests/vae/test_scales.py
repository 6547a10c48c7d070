"""Scales: calibrations that can be inverted, isotonic regression and correlations by their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arvae_music.vae.scales import KNOTS, calibrate, correlations

numbers = st.floats(-100, 100, width=32)


@st.composite
def samples(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Values, few or many distinct ones, and codes that go with them, against them, or neither."""
    count = draw(st.integers(1, 300))
    random = np.random.default_rng(draw(st.integers(0, 99)))
    values = draw(st.sampled_from([1, 5, 200])) * random.random(count)
    if draw(st.booleans()):
        values = np.round(values)
    slope = draw(st.sampled_from([-2.0, 0.0, 0.01, 3.0]))
    return values, slope * values + draw(st.sampled_from([0.0, 0.1, 10.0])) * random.standard_normal(count)


@given(samples(), st.lists(numbers, min_size=1, max_size=20))
def test_a_calibration_rises_and_can_be_inverted(sample: tuple[np.ndarray, np.ndarray], at: list[float]):
    values, codes = sample
    scale = calibrate("own", "", 0, values, codes)
    assert np.all(np.diff(scale.values) > 0)
    assert np.all(np.diff(scale.codes) > 0)
    assert len(scale.values) <= max(KNOTS, 2)
    ordered = np.unique(np.clip(at, values.min() - 1, values.max() + 1))
    there = scale.code(ordered)
    assert np.all(np.diff(there) > 0) or len(np.unique(np.round(ordered, 6))) < len(ordered)
    np.testing.assert_allclose(scale.value(scale.code(np.array(scale.values))), scale.values, atol=1e-6, rtol=1e-6)
    assert scale.quantiles[0] == values.min()
    assert scale.quantiles[-1] == values.max()
    assert scale.mean == pytest.approx(values.mean())
    assert scale.sd == pytest.approx(max(values.std(), 1e-6))


def test_a_calibration_is_the_mean_code_at_each_value():
    values = np.repeat([0.0, 1.0, 2.0], 4)
    codes = np.array([-1, -1, -1, -1, 0, 1, 0, 1, 3, 3, 5, 5.0])
    scale = calibrate("own", "mine:own", 2, values, codes)
    assert scale.values == (0, 1, 2)
    assert scale.codes == pytest.approx((-1, 0.5, 4), abs=2e-3)
    assert (scale.name, scale.origin, scale.dimension) == ("own", "mine:own", 2)
    assert scale.code(0.5) == pytest.approx(-0.25, abs=1e-3)
    assert scale.code(4.0) == pytest.approx(4 + 2 * 2.5, abs=1e-2)  # on with the slope of the whole
    assert scale.code(-2.0) == pytest.approx(-1 - 2 * 2.5, abs=1e-2)
    assert scale.value(scale.code(7.3)) == pytest.approx(7.3)


def test_a_constant_attribute_has_a_scale_all_the_same():
    scale = calibrate("flat", "", 0, np.full(5, 3.0), np.zeros(5))
    assert scale.sd == 1e-6
    assert np.isfinite(scale.code(np.array([2.0, 3.0, 4.0]))).all()


def test_correlations_are_spearmans_and_pearsons():
    random = np.random.default_rng(0)
    values = np.round(random.random((60, 3)) * 5)  # with ties
    values[:, 2] = values[:, 0] ** 3 + random.random(60)
    codes = values @ random.standard_normal((3, 3)) + random.standard_normal((60, 3))
    spearman, pearson = map(np.array, correlations(values, codes))

    def shared_ranks(column: np.ndarray) -> np.ndarray:
        return np.array([(column < x).sum() + ((column == x).sum() + 1) / 2 for x in column])

    ranks = np.apply_along_axis(shared_ranks, 0, values)
    np.testing.assert_allclose(spearman, np.corrcoef(ranks.T), atol=1e-12)
    np.testing.assert_allclose(pearson, np.corrcoef(codes.T), atol=1e-12)


def test_a_constant_column_correlates_with_nothing():
    values = np.stack([np.arange(5.0), np.ones(5)], axis=1)
    for matrix in correlations(values, values):
        assert matrix == ((1.0, 0.0), (0.0, 1.0))
