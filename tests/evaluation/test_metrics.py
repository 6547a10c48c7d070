"""Metrics against hand-computed cases, scikit-learn and scipy, and plain re-implementations, never themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm, spearmanr
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mutual_info_score

from arvae_music.evaluation import metrics
from arvae_music.evaluation.probes import PROBES, crossed_r2, probe_r2, probes
from arvae_music.vae import statistics

RANDOM = np.random.default_rng(7)
COLUMNS = st.lists(st.integers(-5, 5), min_size=3, max_size=30)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


# ------------------------------------------------------------------------- one with one


@given(COLUMNS, st.randoms())
def test_spearman_is_scipys(column, random):
    x = np.array(column, dtype=float)
    y = np.array([random.randint(-3, 3) for _ in column], dtype=float)
    mine = statistics.spearman(x, y)
    if np.ptp(x) == 0:
        assert math.isnan(mine)
    elif np.ptp(y) == 0:
        assert mine == 0
    else:
        assert mine == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)


def test_spearman_by_hand():
    assert statistics.spearman(np.array([1, 2, 3, 4.0]), np.array([1, 4, 9, 16.0])) == 1
    assert statistics.spearman(np.array([1, 2, 3, 4.0]), np.array([1, 2, 4, 3.0])) == pytest.approx(0.8)  # 1 - 6*2/60


def test_ranks_share_ties():
    assert statistics.ranked(np.array([5, 1, 5, 7.0])).tolist() == [2.5, 1, 2.5, 4]


def test_rank_normal_is_symmetric_increasing_and_unit():
    values = RANDOM.exponential(size=999)
    scores = metrics.rank_normal(values)
    assert np.array_equal(np.argsort(scores), np.argsort(values))
    assert scores.mean() == pytest.approx(0, abs=1e-9)
    assert scores.std() == pytest.approx(1, abs=0.02)
    assert scores[values.argmax()] == pytest.approx(norm.ppf(999 / 1000))


def test_meters_do_not_make_a_correlation_by_themselves():
    groups = np.repeat([6, 8], 200)
    requested = np.concatenate([noise(200), 10 + noise(200, seed=1)])
    realised = np.concatenate([noise(200, seed=2), 10 + noise(200, seed=3)])
    assert statistics.spearman(requested, realised) > 0.7
    assert abs(metrics.grouped_spearman(requested, realised, groups)) < 0.15


def test_small_groups_are_left_out_unless_there_is_no_other():
    x, groups = np.arange(53.0), np.array([6] * 50 + [8] * 3)
    y = np.concatenate([x[:50], [3, 2, 1]])
    assert metrics.grouped_spearman(x, y, groups) == pytest.approx(1)
    assert metrics.grouped_spearman(x[50:], y[50:], groups[50:]) == pytest.approx(-1)
    assert math.isnan(metrics.grouped_spearman(x[:0], y[:0], groups[:0]))


def test_the_mean_leaves_out_what_could_not_be_measured():
    assert statistics.mean([1, np.nan, 3]) == 2
    assert math.isnan(statistics.mean([np.nan]))
    assert math.isnan(statistics.mean([]))


# ------------------------------------------------------------------------- information


def disentanglement_lib_bins(column: np.ndarray) -> np.ndarray:
    """As Locatello et al.'s `_histogram_discretize` states it."""
    return np.digitize(column, np.histogram(column, 20)[1][:-1])


@pytest.mark.parametrize("make", [lambda: noise(500, 5), lambda: RANDOM.integers(0, 9, (500, 5)).astype(float)])
def test_mutual_information_is_scikit_learns_on_the_traditions_bins(make):
    codes, values = make(), np.stack([noise(500, seed=9), RANDOM.integers(0, 4, 500)], axis=1)
    values[:, 0] += codes[:, 2]
    table = statistics.mutual_information(codes, values)
    for d in range(5):
        for k in range(2):
            binned = disentanglement_lib_bins(codes[:, d]), disentanglement_lib_bins(values[:, k])
            assert table[d, k] == pytest.approx(mutual_info_score(*binned), abs=1e-9)


def test_entropy_by_hand():
    fair = np.array([0.0, 1] * 50)
    assert metrics.entropies(np.stack([fair, np.ones(100)], axis=1)) == pytest.approx([math.log(2), 0])


def test_modularity_by_hand():
    information = np.array([[2.0, 0, 0], [1, 1, 0], [1, 1, 1], [0, 0, 0]])
    assert metrics.modularity(information) == pytest.approx([1, 0.5, 0, 0])
    assert np.isnan(metrics.modularity(information[:, :1])).all()


def plain_published(codes: np.ndarray, values: np.ndarray) -> dict[str, float]:
    """Loops and library calls, as the papers put it."""
    n_codes, n_values = codes.shape[1], values.shape[1]
    table = np.zeros((n_codes, n_values))
    r2 = np.zeros_like(table)
    for d in range(n_codes):
        for k in range(n_values):
            x, y = codes[:, d : d + 1], values[:, k]
            table[d, k] = mutual_info_score(disentanglement_lib_bins(codes[:, d]), disentanglement_lib_bins(y))
            r2[d, k] = LinearRegression().fit(x, y).score(x, y)
    mig, sap, scc, interpretability, modular = [], [], [], [], []
    for k in range(n_values):
        best, second = np.sort(table[:, k])[::-1][:2]
        binned = disentanglement_lib_bins(values[:, k])
        mig.append((best - second) / mutual_info_score(binned, binned))
        sap.append(np.diff(np.sort(r2[:, k])[-2:])[0])
        chosen = int(np.argmax(table[:, k]))
        interpretability.append(r2[chosen, k])
        scc.append(max(abs(spearmanr(column, values[:, k]).statistic) for column in codes.T))
    for d in range(n_codes):
        k = int(np.argmax(table[d]))
        others = sum(table[d, j] ** 2 for j in range(n_values) if j != k)
        modular.append(1 - others / (table[d, k] ** 2 * (n_values - 1)))
    return {
        "interpretability": float(np.mean(interpretability)),
        "modularity": float(np.mean(modular)),
        "mig": float(np.mean(mig)),
        "sap": float(np.mean(sap)),
        "scc": float(np.mean(scc)),
    }


@pytest.mark.parametrize("seed", range(3))
def test_published_is_what_the_papers_say(seed):
    codes = noise(400, 6, seed=seed)
    values = np.stack([codes[:, 4] + 0.3 * noise(400, seed=9), codes[:, 1] ** 3, codes[:, 1] + codes[:, 0]], axis=1)
    codes[:, 3] = values[:, 2] ** 2  # informs of it most, and does not order it
    assert metrics.published(codes, values).means() == pytest.approx(plain_published(codes, values), abs=1e-9)


def test_a_perfect_code_scores_one():
    """Independent attributes over a full grid, a dimension each, and no other dimension."""
    grid = np.stack(np.meshgrid(np.arange(10.0), np.arange(10.0), np.arange(10.0)), axis=-1).reshape(-1, 3)
    for scores in (metrics.published(grid, grid), metrics.strict(grid, grid, (0, 1, 2))):
        assert scores.means() == pytest.approx(dict.fromkeys(scores._fields, 1.0), abs=1e-9)


def test_noise_scores_nothing():
    codes, values = noise(20_000, 4), noise(20_000, 3, seed=1)
    for scores in (metrics.published(codes, values), metrics.strict(codes, values, (0, 1, 2))):
        found = scores.means()
        assert found.pop("modularity") < 0.45  # every dimension shares as little with all: chance alone parts them
        assert all(abs(value) < 0.03 for value in found.values()), found


def test_strict_scores_only_the_regularised_dimension():
    codes = noise(1000, 4)
    values = codes[:, [3, 2]]  # carried, but not where they belong
    assert metrics.published(codes, values).means()["scc"] == 1
    strict = metrics.strict(codes, values, (0, 1)).means()
    assert abs(strict["scc"]) < 0.1
    assert strict["mig"] < -0.5
    assert strict["sap"] < -0.9


def test_strict_has_a_sign():
    codes = noise(100, 3)
    assert metrics.strict(codes, -codes[:, :2], (0, 1)).scc == pytest.approx([-1, -1])
    assert metrics.published(codes, -codes[:, :2]).scc == pytest.approx([1, 1])


def test_constant_attributes_have_no_score_and_do_not_spoil_the_others():
    codes = noise(200, 4)
    values = np.stack([codes[:, 0], np.full(200, 3.0), codes[:, 2]], axis=1)
    scores = metrics.strict(codes, values, (0, 1, 2))
    for each in (scores.interpretability, scores.mig, scores.sap, scores.scc):
        assert np.isnan(each).tolist() == [False, True, False]
    assert scores.means()["scc"] == 1


def test_constant_codes_score_zero():
    codes = np.zeros((50, 3))
    scores = metrics.published(codes, noise(50, 2))
    assert scores.means() == dict.fromkeys(scores._fields, 0.0)
    codes[:, 0] = np.arange(50)
    assert not statistics.mutual_information(codes, noise(50, 7))[1:].any()  # exactly: modularity divides by it


# ------------------------------------------------------------------------- leakage


@pytest.mark.parametrize("kind", PROBES)
def test_a_probe_finds_what_leaks_and_nothing_in_noise(kind):
    codes, new = noise(1500, 6), noise(500, 6, seed=1)

    def leaked(z):
        return np.sin(2 * z[:, 1]) + z[:, 2] * z[:, 3]  # no line tells this

    found = probe_r2((codes, leaked(codes)), (new, leaked(new)), kind)
    straight = LinearRegression().fit(codes, leaked(codes)).score(new, leaked(new))
    assert found > 0.75 > 0.3 > straight
    assert probe_r2((codes, noise(1500, seed=2)), (new, noise(500, seed=3)), kind) < 0.1


def test_probes_without_enough_data_are_nan_or_zero():
    codes = noise(100, 3)
    assert math.isnan(probe_r2((codes, codes[:, 0]), (codes, np.ones(100))))
    assert probe_r2((codes[:, :0], codes[:, 0]), (codes[:, :0], codes[:, 0])) == 0


@pytest.mark.process
@pytest.mark.parametrize("kind", PROBES)
def test_a_crossed_probe_is_fitted_on_other_pieces_of_the_same_rows(kind):
    codes, pieces = noise(1800, 4), np.arange(1800) // 3
    told = crossed_r2(codes, codes[:, 1] + codes[:, 2] ** 2, pieces, kind)
    assert told > 0.8
    own = np.random.default_rng(5).permutation(600)[pieces].astype(float)  # a number of each piece: nothing tells it
    codes[:, 0] = pieces  # but the piece itself
    assert crossed_r2(codes, own, pieces, kind) < 0.1
    assert crossed_r2(codes, own, np.arange(1800) % 600, kind) < 0.1


def test_a_crossed_probe_sees_what_training_rows_do_not_show():
    """A model that has learnt its own rows by heart: there the codes tell nothing, elsewhere all."""
    values, judged = noise(900, seed=1), noise(900, seed=2)
    fit, judge = (noise(900, 2), values), (np.stack([judged, noise(900, seed=3)], axis=1), judged)
    found = probes(fit, judge, pieces=np.arange(900))
    assert max(found["mlp"], found["boosting"]) < 0.1
    assert min(found["mlp_crossed"], found["boosting_crossed"]) > 0.9
    assert set(probes(fit, judge)) == set(PROBES)


def test_crossed_probes_without_enough_data_are_nan_or_zero():
    codes = noise(100, 3)
    assert math.isnan(crossed_r2(codes, np.ones(100), np.arange(100)))
    assert math.isnan(crossed_r2(codes, codes[:, 0], np.zeros(100)))
    assert math.isnan(crossed_r2(codes[:30], codes[:30, 0], np.arange(30)))
    assert crossed_r2(codes[:, :0], codes[:, 0], np.arange(100)) == 0


def test_first_order_is_sobols():
    """a = x + 2 y + x y of independent standard normals: Var = 1 + 4 + 1, of which x alone decides 1."""
    x, y = noise(2000), noise(400, seed=1)
    table = x[:, None] + 2 * y + x[:, None] * y
    assert metrics.first_order(table) == pytest.approx(1 / 6, abs=0.03)


def test_first_order_at_its_ends():
    x = noise(40)
    assert metrics.first_order(np.repeat(x[:, None], 8, axis=1)) == pytest.approx(1)
    assert metrics.first_order(np.zeros((4, 4))) == 0
    assert math.isnan(metrics.first_order(np.zeros((1, 9))))
    without = [metrics.first_order(noise(40, 8, seed=seed)) for seed in range(200)]
    assert np.mean(without) == pytest.approx(0, abs=0.01)  # not biased upwards by the noise within


# ------------------------------------------------------------------------- the prior


def test_the_prior_itself_overlaps():
    match = metrics.prior_match(0.8 * noise(1000), np.full(1000, math.log(0.36)))
    assert match.overlap > 0.96
    assert match.kl < 0.01
    assert match.sd == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(("mean", "sd"), [(0.0, 0.5), (1.0, 1.0), (-0.5, 2.0)])
def test_overlap_and_kl_of_a_normal_are_the_closed_ones(mean, sd):
    levels = norm.ppf((np.arange(4000) + 0.5) / 4000)
    match = metrics.prior_match(mean + sd * levels, np.full(4000, -10.0))
    integral = quad(lambda x: min(norm.pdf(x), norm.pdf(x, mean, sd)), -12, 12, limit=200)[0]
    assert match.overlap == pytest.approx(integral, abs=0.01)
    assert match.kl == pytest.approx(math.log(1 / sd) + (sd**2 + mean**2) / 2 - 0.5, rel=0.05)


def test_a_constant_dimension_is_far_from_the_prior():
    match = metrics.prior_match(np.zeros(100), np.full(100, -10.0))
    assert match.overlap < 0.05
    assert match.kl > 2


# ------------------------------------------------------------------------- edits


def test_drift_in_sd():
    before, after = np.array([[1.0, 2], [3, 4]]), np.array([[1.0, 4], [3, 3]])
    found = metrics.drift(before, after, np.array([1.0, 0.5]))
    assert found.tolist() == [0, 3]
    assert np.isnan(metrics.drift(before, after, np.array([0.0, 1]))).tolist() == [True, False]
    assert np.isnan(metrics.drift(before[:0], after[:0], np.ones(2))).all()


def test_drift_rho_is_0_for_an_unchanged_attribute_and_1_for_one_that_follows():
    requested, before, meters = noise(60), noise(60, seed=1), np.full(60, 8)
    assert abs(statistics.spearman(requested, before)) > 0.01  # by chance, and it does not count
    assert metrics.drift_rho(requested, before, before, meters) == pytest.approx(0, abs=1e-12)
    assert metrics.drift_rho(requested, before, requested, meters) > 0.95


def test_drift_rho_is_the_numerator_of_a_partial_correlation_of_ranks():
    """(r_ra - r_rb r_ba), here by scipy's own rank correlations, of an attribute that follows half of the way."""
    requested, before = noise(80), noise(80, seed=1)
    after = before + 0.6 * requested + 0.3 * noise(80, seed=2)
    r_ra, r_rb, r_ba = (spearmanr(*pair)[0] for pair in ((requested, after), (requested, before), (before, after)))
    found = metrics.drift_rho(requested, before, after, np.full(80, 8))
    assert found == pytest.approx(abs(r_ra - r_rb * r_ba))
    assert 0.2 < found < 0.8


def test_monotonicity():
    requested = np.tile(np.arange(5.0), (3, 1))
    assert metrics.monotonicity(requested, requested**3) == pytest.approx(1)
    assert metrics.monotonicity(requested, np.zeros((3, 5))) == 0
    back = np.array([[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 2, 2, 2, 2.0]])
    assert metrics.monotonicity(requested, back) == pytest.approx(0)


def test_content_by_hand():
    """Tokens from 2 up are onsets; -1 is no tick."""
    before = np.array([[5, 0, 7, 0], [0, 0, -1, -1]])
    after = np.array([[5, 0, 8, 9], [0, 0, -1, -1]])
    found = metrics.content(before, after, 2, -1)
    assert found.onset_f1 == pytest.approx((2 * 2 / 5 + 1) / 2)
    assert found.pitches == pytest.approx(1 / 2)
    assert found.ticks == pytest.approx(4 / 6)
    assert all(math.isnan(value) for value in metrics.content(before[:0], after[:0], 2, -1))
