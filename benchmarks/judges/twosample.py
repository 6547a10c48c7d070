"""A classifier two-sample test: can edited measures be told from real ones (Lopez-Paz & Oquab 2017)?

Gradient-boosted trees learn to tell edited measures from real ones that match them (matching.py), by their features
(features.py), and are judged on tunes that they did not see. The AUC is the probability that they rate an edited
measure as more likely to be edited than a real one: 0.5 means that nobody can tell, 1 that everybody can. The fewer
measures there are, the less the trees learn, so compare only AUCs of about as many measures.

The test compares engines, and not the tunes: similarity to the original does not count here. It stands in likeness.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .features import INSIDE, features
from .matching import Pool, Triple

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FOLDS = 5
FEWEST = 40  # pairs; with fewer the test says nothing
MODEL = {"max_iter": 80, "learning_rate": 0.1, "max_leaf_nodes": 8, "min_samples_leaf": 10, "l2_regularization": 1.0}


@dataclass(frozen=True)
class TwoSample:
    """The result. `edited` and `real` (p,) are the classifier's scores of each pair, `tune` (p,) the edited tune."""

    edited: Floats
    real: Floats
    tune: Ints
    unmatched: int  # edited measures without a real measure of the same values

    @property
    def auc(self) -> float:
        return auc(self.edited, self.real)

    def draws(self, tunes: Ints) -> Floats:
        """(b, t) resampled numbers of tunes -> (b,) AUCs."""
        where: dict[int, Ints] = {int(tune): np.flatnonzero(self.tune == tune) for tune in np.unique(self.tune)}
        none = np.zeros(0, dtype=np.int64)
        at = [np.concatenate([where.get(tune, none) for tune in some]) for some in tunes.tolist()]
        return np.array([auc(self.edited[i], self.real[i]) for i in at])


def auc(positive: Floats, negative: Floats) -> float:
    """The share of pairs of a positive and a negative in which the positive has the larger score; ties count half. NaN
    without scores."""
    if len(positive) == 0 or len(negative) == 0 or np.isnan(positive).any():
        return float("nan")
    ordered = np.sort(negative)
    below, upto = np.searchsorted(ordered, positive, "left"), np.searchsorted(ordered, positive, "right")
    return float((below + upto).mean() / (2 * len(negative)))


def compare(edited: Sequence[Triple], pool: Pool, seed: int = 0, inside: bool = False) -> TwoSample:
    """Test edited measures against their matches in the pool. With `inside`, the classifier sees the measure alone."""
    matches = pool.match(edited, seed)
    pairs = [(one, other) for one, other in zip(edited, matches, strict=True) if other is not None]
    one, other = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    tune = np.array([triple.tune for triple in one], dtype=np.int64)
    if len(pairs) < FEWEST or len(np.unique(tune)) < FOLDS:
        nothing = np.full(len(pairs), np.nan)
        return TwoSample(nothing, nothing, tune, len(edited) - len(pairs))
    table = np.concatenate([features(one), features(other)])
    scores = judged(
        table[:, INSIDE] if inside else table, len(one), [triple.cluster for triple in (*one, *other)], seed
    )
    return TwoSample(scores[: len(one)], scores[len(one) :], tune, len(edited) - len(pairs))


def judged(table: Floats, positives: int, groups: Sequence[int], seed: int) -> Floats:
    """Features (n, f), of which the first `positives` rows are edited, and the groups (n,) that folds keep together
    -> (n,) scores of trees that saw no row of the same group."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    label = np.arange(len(table)) < positives
    numbers = np.unique(groups, return_inverse=True)[1]
    fold = np.random.default_rng(seed).permutation(numbers.max() + 1)[numbers] % FOLDS
    scores = np.zeros(len(table))
    for k in range(FOLDS):
        here = fold == k
        trees = HistGradientBoostingClassifier(**MODEL, early_stopping=False, random_state=seed)
        # Scores of different folds are compared with each other: their log-odds, and not ranks.
        scores[here] = trees.fit(table[~here], label[~here]).decision_function(table[here])
    return scores
