"""Leakage: how well fresh probes predict an attribute from latent dimensions that should not encode it.

A probe is a small regression model. R2 is 1 - residual / variance of held-out rows; it is below 0 if a probe does worse
than the mean. scikit-learn is imported when a probe is fitted, since that takes a second.

Shapes: n and m examples, d dimensions.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np

from ..arrays import Array, Floats

Probe = Literal["mlp", "boosting"]
PROBES: tuple[Probe, ...] = ("mlp", "boosting")
FOLDS = 3
FEWEST = 20  # examples to fit a probe on
EPOCHS, ROWS = 120, 300_000  # an MLP runs EPOCHS epochs, or as many as make ROWS rows, whichever is more


def probes(
    train: tuple[Floats, Floats], test: tuple[Floats, Floats], seed: int = 0, pieces: Array | None = None
) -> dict[str, float]:
    """`probe_r2` of every kind of probe, and also `crossed_r2` of `test`, if its (n,) `pieces` are given."""
    found: dict[str, float] = {kind: probe_r2(train, test, kind, seed) for kind in PROBES}
    if pieces is not None:
        found |= {f"{kind}_crossed": crossed_r2(*test, pieces, kind, seed) for kind in PROBES}
    return found


def probe_r2(train: tuple[Floats, Floats], test: tuple[Floats, Floats], kind: Probe = "mlp", seed: int = 0) -> float:
    """R2 on `test` of a fresh probe that is fitted on `train`; both are codes (n, d) and values (n,).

    `mlp` has two hidden layers of 64 units and stops early, `boosting` is histogram gradient boosting; both are
    scikit-learn's. The two sets should hold different pieces. The result is NaN if the values of `test` are constant,
    and 0 if there is no dimension to predict from.
    """
    (codes, values), (new_codes, new_values) = train, test
    if len(new_values) < 2 or np.ptp(new_values) == 0 or len(values) < FEWEST:
        return float("nan")
    if codes.shape[1] == 0 or np.ptp(values) == 0:
        return 0.0
    return _r2(new_values, _predicted(train, new_codes, kind, seed))


def crossed_r2(codes: Floats, values: Floats, pieces: Array, kind: Probe = "mlp", seed: int = 0) -> float:
    """Cross-validated R2 of (n, d) codes and (n,) values, with the (n,) pieces split into FOLDS parts.

    A model may encode the rows that it was trained on differently from others, and a probe that is fitted on those
    rows then finds too little. The result is NaN with fewer rows or pieces than cross-validation takes.
    """
    folds = np.unique(pieces, return_inverse=True)[1].reshape(-1) % FOLDS
    if len(values) < 2 * FEWEST or len(np.unique(folds)) < FOLDS or np.ptp(values) == 0:
        return float("nan")
    if codes.shape[1] == 0:
        return 0.0
    predicted = np.zeros(len(values))
    for fold in range(FOLDS):
        others = folds != fold
        predicted[~others] = _predicted((codes[others], values[others]), codes[~others], kind, seed)
    return _r2(values, predicted)


def _r2(values: Floats, predicted: Floats) -> float:
    return 1 - float(np.square(values - predicted).mean() / np.var(values))


def _predicted(train: tuple[Floats, Floats], new_codes: Floats, kind: Probe, seed: int) -> Floats:
    """(m, d) codes -> (m,) predictions of a fresh probe that is fitted on `train`."""
    codes, values = train
    centre, spread = codes.mean(axis=0), np.maximum(codes.std(axis=0), 1e-6)
    level, scale = float(values.mean()), max(float(values.std()), 1e-12)
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    # With so few rows, threads gain nothing, and they spin and wait for each other where another program runs.
    # Probes are meant to end after EPOCHS, so the warning that they might learn more is ignored.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = _probe(kind, seed, len(values))
        model.fit((codes - centre) / spread, (values - level) / scale)
        predicted: Floats = model.predict((new_codes - centre) / spread) * scale + level
    return predicted


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
