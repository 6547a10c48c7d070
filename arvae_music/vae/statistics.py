"""Metrics: how a latent space holds attributes, and how a decoder obeys them. Pure functions of arrays.

What the published metrics ask is whether attribute k can be READ from one latent dimension, and from no other:

    interpretability  R2 of the linear regression of the attribute on one dimension (Adel et al. 2018)
    modularity        whether a dimension informs of one attribute only (Ridgeway & Mozer 2018): per dimension
                      1 - sum of the other attributes' squared mutual information / (largest squared * (k - 1));
                      a dimension that informs of nothing scores 0
    MIG               mutual information gap: the most informative dimension's minus the next one's, in units
                      of the attribute's entropy (Chen et al. 2018)
    SAP               the same gap in R2, of the linear regression (Kumar et al. 2018)
    SCC               Spearman's rank correlation of attribute and dimension

`published` computes them as Pati & Lerch (2020) state them: each attribute's dimension is the one that shares
the most mutual information with it, wherever that lies; SCC is the largest absolute value that any dimension has;
modularity is the mean over all dimensions. Pass it sampled z. `strict` holds the model to its word: the dimension is
the one that is REGULARISED for the attribute, gaps are to the best of all others and so may be negative, SCC has its
sign, modularity is that of the regularised dimensions. Pass it posterior means.

Choices, where the literature leaves one:
 1. Mutual information is the plug-in estimate, in nats, from histograms of 20 bins of equal width between the
    smallest and the largest value, for dimensions and attributes alike, as in disentanglement_lib (Locatello et
    al. 2019). It is biased upwards, by about (filled bins - 1)^2 / 2n, and alike for all dimensions: that
    cancels in gaps, and lowers modularity with few examples. Compare figures of equal n only (the oracle has it).
 2. Entropy is that of the same histogram, so that a dimension that equals its attribute has MIG = 1 if no other
    one informs of it. (The reference estimates both with k nearest neighbours, which is ill-defined for attributes
    that take a dozen values.)
 3. Interpretability is taken of the dimension that mutual information chose, not of the best one by its own
    measure; SAP's gap is between the two best by R2, as it is defined.
 4. R2 of a probe is that of held-out rows, 1 - residual / variance: below 0 where a probe does worse than the mean.

What they do not ask is whether the DECODER listens: `first_order` does, by intervention, and so do the
measures of edits at the end, which compare what was requested, what came out, and what else changed.

Nothing to measure. An attribute that is constant has no score: NaN, which the means over attributes leave
out (`mean`). A dimension or an outcome that is constant informs of nothing: R2, rank correlation and mutual
information are 0. Everything else is finite. Shapes: n examples, z dimensions, k attributes, s steps.

No PyTorch, no music. scikit-learn is imported by the probes alone: it takes a second.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays import Array, Floats, Ints

Probe = Literal["mlp", "boosting"]
PROBES: tuple[Probe, ...] = ("mlp", "boosting")
FOLDS = 3
FEWEST = 20  # examples that a probe is fitted on
EPOCHS, ROWS = 120, 300_000  # of an MLP: whichever is more, at most
BINS = 20
LEAST_GROUP = 20  # examples from which a group's rank correlation counts


class Scores(NamedTuple):
    """Of one latent space; each (k,), NaN where the attribute is constant, but for modularity: (dimensions,)."""

    interpretability: Floats
    modularity: Floats
    mig: Floats
    sap: Floats
    scc: Floats

    def means(self) -> dict[str, float]:
        return {name: mean(values) for name, values in self._asdict().items()}


class PriorMatch(NamedTuple):
    overlap: float  # 0 .. 1
    kl: float  # nats
    mean: float
    sd: float


def mean(values: npt.ArrayLike) -> float:
    """Of what is not NaN; NaN where nothing is left."""
    found = np.asarray(values, dtype=np.float64)
    found = found[~np.isnan(found)]
    return float(found.mean()) if found.size else float("nan")


# ------------------------------------------------------------------------------ one with one


def ranks(values: Floats) -> Floats:
    """(n,) -> (n,) ranks from 1, ties sharing their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: Floats = (last - (counts - 1) / 2)[inverse]
    return shared


def rank_normal(values: Floats) -> Floats:
    """(n,) -> (n,) standard normal scores of the ranks (van der Waerden 1952)."""
    from statistics import NormalDist  # whose import would delay every command that reads a checkpoint

    levels, inverse = np.unique(ranks(values), return_inverse=True)
    normal = NormalDist()
    scores = np.array([normal.inv_cdf(level / (len(values) + 1)) for level in levels.tolist()])
    result: Floats = scores[inverse]
    return result


def correlation(given: Floats, found: Floats) -> float:
    """Pearson's. NaN where `given` is constant, 0 where only `found` is."""
    if len(given) < 2 or np.ptp(given) == 0:
        return float("nan")
    if np.ptp(found) == 0:
        return 0.0
    a, b = given - given.mean(dtype=np.float64), found - found.mean(dtype=np.float64)
    return float(np.clip(a @ b / max(float(np.sqrt((a @ a) * (b @ b))), 1e-300), -1, 1))


def spearman(given: Floats, found: Floats) -> float:
    """Spearman's rank correlation, ties sharing ranks. NaN where `given` is constant, 0 where only `found` is."""
    return correlation(ranks(given), ranks(found))


def grouped_spearman(given: Floats, found: Floats, groups: Array, least: int = LEAST_GROUP) -> float:
    """The mean of the groups' rank correlations, weighted by their sizes.

    Measures of different meters hold different values, which alone makes requests and results correlate. Groups
    below `least` are left out, unless there is no larger one.
    """
    labels, counts = np.unique(groups, return_counts=True)
    enough = counts >= min(least, counts.max(initial=0))
    weighted, weights = 0.0, 0
    for label, count in zip(labels[enough], counts[enough].tolist(), strict=True):
        rho = spearman(given[groups == label], found[groups == label])
        if not np.isnan(rho):
            weighted, weights = weighted + count * rho, weights + count
    return weighted / weights if weights else float("nan")


def histogram_bins(values: Floats, bins: int = BINS) -> Ints:
    """(n,) -> (n,) bin numbers from 0, of equal width between the extremes."""
    if len(values) == 0:
        return np.zeros(0, dtype=np.int64)
    edges = np.histogram_bin_edges(values, bins)
    return np.digitize(values, edges[1:-1]).astype(np.int64)


def _entropy(counts: Array) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum()) + 0.0


# ------------------------------------------------------------------------------ every one with every one


def mutual_information(codes: Floats, values: Floats, bins: int = BINS) -> Floats:
    """(n, z), (n, k) -> (z, k) nats."""
    binned_codes = [histogram_bins(column, bins) for column in codes.T]
    table = np.zeros((codes.shape[1], values.shape[1]))
    for k, column in enumerate(values.T):
        binned = histogram_bins(column, bins)
        for d, code in enumerate(binned_codes):
            joint = np.bincount(code * bins + binned, minlength=bins * bins).reshape(bins, bins)
            apart = _entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1))
            table[d, k] = max(apart - _entropy(joint.reshape(-1)), 0.0)
    return table


def entropies(values: Floats, bins: int = BINS) -> Floats:
    """(n, k) -> (k,) nats of the histograms that `mutual_information` uses."""
    return np.array([_entropy(np.bincount(histogram_bins(column, bins))) for column in values.T])


def correlations(codes: Floats, values: Floats) -> Floats:
    """(n, z), (n, k) -> (z, k); a column is NaN where its attribute is constant."""
    table = [[correlation(value, code) for value in values.T] for code in codes.T]
    return np.array(table).reshape(codes.shape[1], values.shape[1])


def modularity(information: Floats) -> Floats:
    """(z, k) mutual information -> (z,) of each dimension; NaN with a single attribute, where nothing is apart."""
    if information.shape[1] < 2:
        return np.full(len(information), np.nan)
    squared = np.square(information)
    largest = squared.max(axis=1)
    others = (squared.sum(axis=1) - largest) / (np.maximum(largest, 1e-300) * (information.shape[1] - 1))
    result: Floats = np.where(largest > 0, 1 - others, 0.0)
    return result


def published(codes: Floats, values: Floats, bins: int = BINS) -> Scores:
    """(n, z) sampled codes, (n, k) attribute values -> scores after Pati & Lerch (2020)."""
    information = mutual_information(codes, values, bins)
    best, every = information.argmax(axis=0), np.arange(values.shape[1])
    explained = np.square(correlations(codes, values))
    orders = np.abs(correlations(ranked(codes), ranked(values)))
    return Scores(
        explained[best, every],
        modularity(information),
        _gaps(information, best) / _or_nan(entropies(values, bins)),
        _gaps(explained, explained.argmax(axis=0)),
        orders.max(axis=0, initial=0.0),
    )


def strict(codes: Floats, values: Floats, dimensions: Sequence[int], bins: int = BINS) -> Scores:
    """(n, z) posterior means, (n, k) values, the k regularised dimensions -> scores of just these."""
    own, every = np.asarray(dimensions), np.arange(values.shape[1])
    information = mutual_information(codes, values, bins)
    explained = np.square(correlations(codes, values))
    orders = correlations(ranked(codes), ranked(values))
    return Scores(
        explained[own, every],
        modularity(information[own]),
        _gaps(information, own) / _or_nan(entropies(values, bins)),
        _gaps(explained, own),
        orders[own, every],
    )


def ranked(table: Floats) -> Floats:
    """`ranks`, column by column."""
    return np.stack([ranks(column) for column in table.T], axis=1)


def _gaps(table: Floats, own: Ints) -> Floats:
    """(z, k) -> (k,): an attribute's own dimension's less the best of the others, 0 if there is no other."""
    every = np.arange(table.shape[1])
    others = table.copy()
    others[own, every] = -np.inf
    next_best = others.max(axis=0)
    result: Floats = table[own, every] - np.where(np.isneginf(next_best), 0.0, next_best)
    return result


def _or_nan(values: Floats) -> Floats:
    return np.where(values > 0, values, np.nan)


# ------------------------------------------------------------------------------ leakage


def sampled(mean: Floats, log_variance: Floats, random: np.random.Generator) -> Floats:
    """(n, z) twice -> (n, z) drawn from the posterior, in the precision of the means."""
    noise = random.standard_normal(mean.shape, dtype=mean.dtype.type)
    found: Floats = (mean + noise * np.exp(0.5 * log_variance)).astype(mean.dtype)
    return found


def probes(
    fit: tuple[Floats, Floats], judge: tuple[Floats, Floats], seed: int = 0, pieces: Array | None = None
) -> dict[str, float]:
    """`probe_r2` of every kind, and `crossed_r2` of what is judged, if its (n,) pieces are given."""
    found: dict[str, float] = {kind: probe_r2(fit, judge, kind, seed) for kind in PROBES}
    if pieces is not None:
        found |= {f"{kind}_crossed": crossed_r2(*judge, pieces, kind, seed) for kind in PROBES}
    return found


def probe_r2(fit: tuple[Floats, Floats], judge: tuple[Floats, Floats], kind: Probe = "mlp", seed: int = 0) -> float:
    """How well a fresh probe, fitted on `fit` (codes (n, d), values (n,)), tells the values of `judge`: R2.

    `mlp` has two hidden layers of 64 and stops early, `boosting` is histogram gradient boosting; both are
    scikit-learn's. The two sets hold different pieces, so that no probe is judged on what it was fitted to.
    NaN where the values to be told are constant, 0 where there is no dimension to tell them from.
    """
    (codes, values), (new_codes, new_values) = fit, judge
    if len(new_values) < 2 or np.ptp(new_values) == 0 or len(values) < FEWEST:
        return float("nan")
    if codes.shape[1] == 0 or np.ptp(values) == 0:
        return 0.0
    return _explained(new_values, _told(fit, new_codes, kind, seed))


def crossed_r2(codes: Floats, values: Floats, pieces: Array, kind: Probe = "mlp", seed: int = 0) -> float:
    """The same, of (n, d) and (n,) alone: each of FOLDS parts of the (n,) pieces is told by a probe that is fitted on
    the others. Codes of rows that a model was trained on may lie otherwise than those of others, and a probe that is
    fitted there then tells too little. NaN with fewer rows or pieces than that takes."""
    folds = np.unique(pieces, return_inverse=True)[1].reshape(-1) % FOLDS
    if len(values) < 2 * FEWEST or len(np.unique(folds)) < FOLDS or np.ptp(values) == 0:
        return float("nan")
    if codes.shape[1] == 0:
        return 0.0
    told = np.zeros(len(values))
    for fold in range(FOLDS):
        others = folds != fold
        told[~others] = _told((codes[others], values[others]), codes[~others], kind, seed)
    return _explained(values, told)


def _explained(values: Floats, told: Floats) -> float:
    return 1 - float(np.square(values - told).mean() / np.var(values))


def _told(fit: tuple[Floats, Floats], new_codes: Floats, kind: Probe, seed: int) -> Floats:
    """What a fresh probe, fitted on `fit`, says of (m, d) codes: (m,)."""
    codes, values = fit
    centre, spread = codes.mean(axis=0), np.maximum(codes.std(axis=0), 1e-6)
    level, scale = float(values.mean()), max(float(values.std()), 1e-12)
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    # So few rows gain nothing from threads, which spin, and wait for each other where another program runs. That a
    # probe might learn more yet is no news: EPOCHS are what it has.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = _probe(kind, seed, len(values))
        model.fit((codes - centre) / spread, (values - level) / scale)
        told: Floats = model.predict((new_codes - centre) / spread) * scale + level
    return told


def _probe(kind: Probe, seed: int, rows: int) -> Any:
    if kind == "mlp":
        from sklearn.neural_network import MLPRegressor

        return MLPRegressor(
            hidden_layer_sizes=(64, 64),
            early_stopping=True,
            max_iter=max(EPOCHS, ROWS // rows),
            learning_rate_init=3e-3,
            random_state=seed,
        )
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(early_stopping=False, max_iter=120, random_state=seed)


def first_order(outcomes: Floats) -> float:
    """(i, j) outcomes of intervention i in context j -> the share of their variance that the intervention decides.

    The first-order index of Sobol (1993), Var(E[a | z_r]) / Var(a), by the one-way analysis of variance: the
    variance of the means over j holds some of the variance within, which is taken out, so that an intervention
    without effect has 0 on average and may fall just below. Leakage by intervention is 1 minus this. NaN where
    there is one intervention or one context; 0 where the outcome never varies, since nothing then obeys.
    """
    if min(outcomes.shape) < 2:
        return float("nan")
    within = float(outcomes.var(axis=1, ddof=1).mean())
    between = float(outcomes.mean(axis=1).var(ddof=1)) - within / outcomes.shape[1]
    return between / (between + within) if within + between > 0 else 0.0


# ------------------------------------------------------------------------------ the prior


def prior_match(means: Floats, log_variances: Floats, reach: float = 8.0, points: int = 4001) -> PriorMatch:
    """(n,) posterior means and log-variances of one dimension -> how its codes match N(0, 1).

    The codes' density is the mean of the posteriors, smoothed with Silverman's bandwidth h = 1.06 sd n^(-1/5)
    and then shrunk so that the smoothing adds no variance (Silverman 1986, section 6.4): codes of a discrete
    attribute are a comb, whose gaps say nothing about the prior. `overlap` is the integral of the lesser of
    the two densities, which Petteno et al. (2025) report, `kl` is KL(codes || prior). 400 draws of N(0, 1) have an
    overlap of about .97.
    """
    level, inner = float(means.mean()), np.exp(log_variances.astype(np.float64))
    variance = float(means.var() + inner.mean())
    width = 1.06 * np.sqrt(variance) * len(means) ** -0.2
    shrink = np.sqrt(variance / (variance + width**2)) if variance > 0 else 1.0
    centres = level + shrink * (means - level)
    spreads = np.maximum(shrink * np.sqrt(inner + width**2), 1e-3)
    edge = max(reach, float(np.abs(centres).max()) + 5 * float(spreads.max()))
    grid = np.linspace(-edge, edge, points)
    density = np.zeros(points)
    for at in range(0, len(centres), 512):
        here = (grid - centres[at : at + 512, None]) / spreads[at : at + 512, None]
        density += (np.exp(-0.5 * here**2) / spreads[at : at + 512, None]).sum(axis=0)
    density /= len(centres) * np.sqrt(2 * np.pi)
    log_prior = -0.5 * (grid**2 + np.log(2 * np.pi))
    step = float(grid[1] - grid[0])
    overlap = float(np.minimum(density, np.exp(log_prior)).sum() * step)
    log_ratio = np.log(np.maximum(density, 1e-300)) - log_prior
    return PriorMatch(min(overlap, 1.0), max(float((density * log_ratio).sum() * step), 0.0), level, variance**0.5)


# ------------------------------------------------------------------------------ edits


def drift(before: Floats, after: Floats, sd: Floats) -> Floats:
    """(n, k) values before and after, (k,) -> (k,) mean absolute change in sd; NaN without examples or sd."""
    if len(before) == 0:
        return np.full(len(sd), np.nan)
    result: Floats = np.abs(after - before).mean(axis=0) / _or_nan(sd)
    return result


def drift_rho(requested: Floats, before: Floats, after: Floats, groups: Array) -> float:
    """|rank correlation| of a request with what became of ANOTHER attribute, as MuseMorphose reports it.

    Requests are drawn at random, so that what they happen to correlate with the other attribute's value BEFORE the
    edit is chance, and what of it lives on in the value after is taken off: the figure is
    |rho(requested, after) - rho(requested, before) rho(before, after)|, which has the same expectation, less
    noise, and is exactly 0 for an edit that leaves the other attribute alone.
    """
    with_after = grouped_spearman(requested, after, groups)
    chance = grouped_spearman(requested, before, groups) * grouped_spearman(before, after, groups)
    return abs(with_after - (0.0 if np.isnan(chance) else chance))


def monotonicity(requested: Floats, realised: Floats) -> float:
    """(n, s) traversals -> the mean of their rank correlations: 1 when more is always more, 0 when all stay put."""
    return mean([spearman(wanted, got) for wanted, got in zip(requested, realised, strict=True)])


class Content(NamedTuple):
    """What an edit keeps: each 0 .. 1."""

    onset_f1: float  # mean over rows; 1 where neither has an onset
    pitches: float  # share of the onsets that both have whose pitch is the same; NaN without any
    ticks: float  # share of equal tokens


def content(before: Array, after: Array, first_onset: int, absent: int) -> Content:
    """(n, ticks) rows before and after an edit -> what they share; NaN without rows.

    Tokens from `first_onset` up start a note; ticks that hold `absent` in `before` do not belong to their row.
    """
    if len(before) == 0:
        return Content(float("nan"), float("nan"), float("nan"))
    here, there = before >= first_onset, after >= first_onset
    both = here & there
    total = here.sum(axis=1) + there.sum(axis=1)
    f1 = np.where(total > 0, 2 * both.sum(axis=1) / np.maximum(total, 1), 1.0)
    same = before == after
    pitches = float(same[both].mean()) if both.any() else float("nan")
    return Content(float(f1.mean()), pitches, float(same[before != absent].mean()))
