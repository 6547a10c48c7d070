"""Statistics that the VAE, its training and its evaluation share: ranks, correlations, mutual information, sampling.

scipy and scikit-learn are imported where they are used, because an edit needs neither. A constant has no defined
correlation: the result is NaN if the values to explain are constant, and 0 if only the codes are constant.

Shapes: n examples, z dimensions, k attributes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..arrays import Floats

BINS = 20  # of a histogram


def mean(values: npt.ArrayLike) -> float:
    """The mean of all values that are not NaN; NaN if there are none."""
    found = np.asarray(values, dtype=np.float64)
    found = found[~np.isnan(found)]
    return float(found.mean()) if found.size else float("nan")


def ranked(table: Floats) -> Floats:
    """(n,) or (n, k) -> ranks from 1 within each column; ties share their mean rank."""
    from scipy.stats import rankdata

    ranks: Floats = rankdata(table, axis=0)
    return ranks


def correlation(given: Floats, found: Floats) -> float:
    """Pearson's correlation. NaN if `given` is constant, 0 if only `found` is."""
    if len(given) < 2 or np.ptp(given) == 0:
        return float("nan")
    if np.ptp(found) == 0:
        return 0.0
    return float(np.corrcoef(given, found, dtype=np.float64)[0, 1])


def spearman(given: Floats, found: Floats) -> float:
    """Spearman's rank correlation. NaN if `given` is constant, 0 if only `found` is."""
    return correlation(ranked(given), ranked(found))


def mutual_information(codes: Floats, values: Floats, bins: int = BINS) -> Floats:
    """(n, z), (n, k) -> (z, k) nats, estimated from histograms of `bins` bins of equal width (choice 1 in
    evaluation/metrics.py)."""
    from sklearn.metrics import mutual_info_score

    def shared(code: Floats, column: Floats) -> float:
        joint = np.histogram2d(code, column, bins)[0]
        filled = joint[joint.any(axis=1)][:, joint.any(axis=0)]  # a constant leaves one row, which gives exactly 0
        return float(mutual_info_score(None, None, contingency=filled))

    table = [[shared(code, column) for column in values.T] for code in codes.T]
    return np.array(table).reshape(codes.shape[1], values.shape[1])


def sampled(mean: Floats, log_variance: Floats, random: np.random.Generator) -> Floats:
    """(n, z) means and log-variances -> (n, z) draws from the posteriors, in the precision of the means."""
    noise = random.standard_normal(mean.shape, dtype=mean.dtype.type)
    found: Floats = (mean + noise * np.exp(0.5 * log_variance)).astype(mean.dtype)
    return found
