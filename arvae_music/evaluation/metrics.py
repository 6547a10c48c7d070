"""Metrics of attributes in a latent space, and of edits. All functions here are pure functions of arrays.

The published metrics measure whether attribute k can be read from one latent dimension, and from no other:

    interpretability  R2 of the linear regression of the attribute on one dimension (Adel et al. 2018)
    modularity        whether a dimension informs about one attribute only (Ridgeway & Mozer 2018): per dimension,
                      1 - sum of the other attributes' squared mutual information / (largest squared * (k - 1));
                      a dimension that informs about no attribute scores 0
    MIG               mutual information gap: the mutual information of the most informative dimension minus that of
                      the next one, divided by the attribute's entropy (Chen et al. 2018)
    SAP               the same gap in R2 of the linear regression (Kumar et al. 2018)
    SCC               Spearman's rank correlation of attribute and dimension

`published` computes them as Pati & Lerch (2020) define them: each attribute's dimension is the one that shares the most
mutual information with it; SCC is the largest absolute value of any dimension; modularity is the mean over all
dimensions. It expects sampled z. `strict` uses the dimension that was REGULARISED for the attribute: gaps are taken to
the best of all other dimensions and may be negative, SCC keeps its sign, and modularity is that of the regularised
dimensions. It expects posterior means.

Choices, where the literature leaves one:
 1. Mutual information is the plug-in estimate, in nats, from histograms of 20 bins of equal width between the
    smallest and the largest value, for dimensions and attributes alike, as in disentanglement_lib (Locatello et
    al. 2019). It is biased upwards by about (filled bins - 1)^2 / 2n. The bias cancels in gaps and lowers modularity
    when there are few examples, so compare only figures of equal n (the oracle has the same n).
 2. Entropy is that of the same histogram. A dimension that equals its attribute therefore has MIG = 1 if no other
    dimension informs about it. (The reference implementation estimates both with k nearest neighbours, which is
    ill-defined for attributes that take a dozen values.)
 3. Interpretability uses the dimension that mutual information chose, not the dimension of largest R2. SAP's gap is
    between the two largest R2, as defined.
 4. R2 of a probe is measured on held-out rows, 1 - residual / variance. It is below 0 where the probe does worse than
    the mean.

The published metrics do not measure whether the DECODER follows the code. `first_order` measures that by
intervention, and the functions at the end compare what an edit requested, what it reached, and what else it changed.

Degenerate cases: a constant attribute has no score, which is NaN, and means over attributes leave it out (`mean`).
A constant dimension or outcome informs about nothing: R2, rank correlation and mutual information are 0. Everything
else is finite. Shapes: n examples, z dimensions, k attributes, s steps.

Leakage probes are in probes.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..arrays import Array, Floats, Ints
from ..vae.statistics import BINS, correlation, mean, mutual_information, ranked, spearman

LEAST_GROUP = 20  # examples; the rank correlation of a smaller group is left out


class Scores(NamedTuple):
    """Scores of one latent space: (k,) each, NaN where the attribute is constant; modularity is (dimensions,)."""

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


def rank_normal(values: Floats) -> Floats:
    """(n,) -> (n,) standard normal scores of the ranks (van der Waerden 1952)."""
    from scipy.special import ndtri

    scores: Floats = ndtri(ranked(values) / (len(values) + 1))
    return scores


def grouped_spearman(given: Floats, found: Floats, groups: Array, least: int = LEAST_GROUP) -> float:
    """The mean of the groups' rank correlations, weighted by their sizes.

    Measures of different meters have different values, which by itself makes requests and results correlate. Groups
    smaller than `least` are left out, unless there is no larger one.
    """
    labels, counts = np.unique(groups, return_counts=True)
    enough = counts >= min(least, counts.max(initial=0))
    rhos = np.array([spearman(given[groups == label], found[groups == label]) for label in labels[enough]])
    known = ~np.isnan(rhos)
    return float(np.average(rhos[known], weights=counts[enough][known])) if known.any() else float("nan")


def entropies(values: Floats, bins: int = BINS) -> Floats:
    """(n, k) -> (k,) nats, of the histograms that `mutual_information` uses."""
    from scipy.stats import entropy

    return np.array([float(entropy(np.histogram(column, bins)[0])) for column in values.T])


def correlations(codes: Floats, values: Floats) -> Floats:
    """(n, z), (n, k) -> (z, k); the column of a constant attribute is NaN."""
    table = [[correlation(value, code) for value in values.T] for code in codes.T]
    return np.array(table).reshape(codes.shape[1], values.shape[1])


def modularity(information: Floats) -> Floats:
    """(z, k) mutual information -> (z,) of each dimension; NaN for a single attribute."""
    if information.shape[1] < 2:
        return np.full(len(information), np.nan)
    squared = np.square(information)
    largest = squared.max(axis=1)
    others = (squared.sum(axis=1) - largest) / (np.maximum(largest, 1e-300) * (information.shape[1] - 1))
    result: Floats = np.where(largest > 0, 1 - others, 0.0)
    return result


def published(codes: Floats, values: Floats, bins: int = BINS) -> Scores:
    """(n, z) sampled codes, (n, k) attribute values -> scores as in Pati & Lerch (2020)."""
    information = mutual_information(codes, values, bins)
    best, columns = information.argmax(axis=0), np.arange(values.shape[1])
    explained = np.square(correlations(codes, values))
    orders = np.abs(correlations(ranked(codes), ranked(values)))
    return Scores(
        explained[best, columns],
        modularity(information),
        _gaps(information, best) / _or_nan(entropies(values, bins)),
        _gaps(explained, explained.argmax(axis=0)),
        orders.max(axis=0, initial=0.0),
    )


def strict(codes: Floats, values: Floats, dimensions: Sequence[int], bins: int = BINS) -> Scores:
    """(n, z) posterior means, (n, k) values, the k regularised dimensions -> scores of these dimensions."""
    regularised, columns = np.asarray(dimensions), np.arange(values.shape[1])
    information = mutual_information(codes, values, bins)
    explained = np.square(correlations(codes, values))
    orders = correlations(ranked(codes), ranked(values))
    return Scores(
        explained[regularised, columns],
        modularity(information[regularised]),
        _gaps(information, regularised) / _or_nan(entropies(values, bins)),
        _gaps(explained, regularised),
        orders[regularised, columns],
    )


def _gaps(table: Floats, dimensions: Ints) -> Floats:
    """(z, k) -> (k,): the value of each attribute's `dimensions` dimension minus the best value of the other
    dimensions, or 0 if there is none."""
    columns = np.arange(table.shape[1])
    others = table.copy()
    others[dimensions, columns] = -np.inf
    next_best = others.max(axis=0)
    result: Floats = table[dimensions, columns] - np.where(np.isneginf(next_best), 0.0, next_best)
    return result


def _or_nan(values: Floats) -> Floats:
    return np.where(values > 0, values, np.nan)


def first_order(outcomes: Floats) -> float:
    """(i, j) outcomes of intervention i in context j -> the share of their variance that the intervention explains.

    This is the first-order index of Sobol (1993), Var(E[a | z_r]) / Var(a), by one-way analysis of variance. The
    variance of the means over j contains some of the variance within, which is subtracted, so that an intervention
    without effect scores 0 on average and may fall just below. Leakage by intervention is 1 minus this. The result is
    NaN where there is one intervention or one context, and 0 where the outcome never varies.
    """
    if min(outcomes.shape) < 2:
        return float("nan")
    within = float(outcomes.var(axis=1, ddof=1).mean())
    between = float(outcomes.mean(axis=1).var(ddof=1)) - within / outcomes.shape[1]
    return between / (between + within) if within + between > 0 else 0.0


# ------------------------------------------------------------------------------ the prior


def prior_match(means: Floats, log_variances: Floats, reach: float = 8.0, points: int = 4001) -> PriorMatch:
    """(n,) posterior means and log-variances of one dimension -> how its codes match N(0, 1).

    The density of the codes is the mean of the posteriors, smoothed with Silverman's bandwidth h = 1.06 sd n^(-1/5)
    and then shrunk so that the smoothing adds no variance (Silverman 1986, section 6.4). The codes of a discrete
    attribute form a comb, whose gaps say nothing about the prior. `overlap` is the integral of the smaller of the two
    densities, which Petteno et al. (2025) report; `kl` is KL(codes || prior). 400 draws of N(0, 1) have an overlap of
    about 0.97.
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
        distances = (grid - centres[at : at + 512, None]) / spreads[at : at + 512, None]
        density += (np.exp(-0.5 * distances**2) / spreads[at : at + 512, None]).sum(axis=0)
    density /= len(centres) * np.sqrt(2 * np.pi)
    log_prior = -0.5 * (grid**2 + np.log(2 * np.pi))
    step = float(grid[1] - grid[0])
    overlap = float(np.minimum(density, np.exp(log_prior)).sum() * step)
    log_ratio = np.log(np.maximum(density, 1e-300)) - log_prior
    return PriorMatch(min(overlap, 1.0), max(float((density * log_ratio).sum() * step), 0.0), level, variance**0.5)


# ------------------------------------------------------------------------------ edits


def drift(before: Floats, after: Floats, sd: Floats) -> Floats:
    """(n, k) values before and after, (k,) standard deviations -> (k,) mean absolute change in sd; NaN without
    examples, or where the sd is 0."""
    if len(before) == 0:
        return np.full(len(sd), np.nan)
    result: Floats = np.abs(after - before).mean(axis=0) / _or_nan(sd)
    return result


def drift_rho(requested: Floats, before: Floats, after: Floats, groups: Array) -> float:
    """|rank correlation| of the requests for one attribute with the resulting values of ANOTHER, as MuseMorphose
    reports it.

    Requests are drawn at random, so any correlation with the other attribute's value BEFORE the edit is chance. The
    part of it that survives in the value afterwards is subtracted. The figure is
    |rho(requested, after) - rho(requested, before) rho(before, after)|. It has the same expectation with less noise,
    and is exactly 0 for an edit that leaves the other attribute alone.
    """
    with_after = grouped_spearman(requested, after, groups)
    chance = grouped_spearman(requested, before, groups) * grouped_spearman(before, after, groups)
    return abs(with_after - (0.0 if np.isnan(chance) else chance))


def monotonicity(requested: Floats, realised: Floats) -> float:
    """(n, s) traversals -> their mean rank correlation: 1 if a higher request always gives a higher value, 0 if no
    value changes."""
    return mean([spearman(wanted, got) for wanted, got in zip(requested, realised, strict=True)])


class Content(NamedTuple):
    """How much an edit keeps, each from 0 to 1."""

    onset_f1: float  # mean over rows; 1 where neither has an onset
    pitches: float  # share of the common onsets whose pitch is the same; NaN without any
    ticks: float  # share of equal tokens


def content(before: Array, after: Array, first_onset: int, absent: int) -> Content:
    """(n, ticks) rows before and after an edit -> what they share; NaN without rows.

    Tokens from `first_onset` up start a note; ticks that hold `absent` in `before` do not belong to their row.
    """
    if len(before) == 0:
        return Content(float("nan"), float("nan"), float("nan"))
    old_onsets, new_onsets = before >= first_onset, after >= first_onset
    both = old_onsets & new_onsets
    total = old_onsets.sum(axis=1) + new_onsets.sum(axis=1)
    f1 = np.where(total > 0, 2 * both.sum(axis=1) / np.maximum(total, 1), 1.0)
    same = before == after
    pitches = float(same[both].mean()) if both.any() else float("nan")
    return Content(float(f1.mean()), pitches, float(same[before != absent].mean()))
