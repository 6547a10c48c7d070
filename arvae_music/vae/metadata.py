"""The metadata of a checkpoint: everything but the weights, such as dimensions, attributes, statistics and origin."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Floats, Ints
from ..errors import CheckpointError, nearest_or
from .scales import NOT_CARRIED, STRONG, Scale

if TYPE_CHECKING:
    from .combinations import Combinations


@dataclass(frozen=True)
class Metadata:
    kind: str  # one of checkpoint.KINDS: what a row of the model's data is
    dims: dict[str, Any]
    scales: tuple[Scale, ...]
    correlation: tuple[tuple[float, ...], ...]  # (k, k) Spearman correlations of the values, on the training data
    code_correlation: tuple[tuple[float, ...], ...]  # (k, k) Pearson correlations of the codes
    meters: dict[str, int]  # training measures of each meter; empty for images
    training: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    combinations: Combinations | None = field(default=None, compare=False, repr=False)  # by meter; None for images
    tokens: dict[str, int] = field(default_factory=dict)  # the vocabulary of a model of measures; empty for images

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(scale.name for scale in self.scales)

    @property
    def carried(self) -> tuple[str, ...]:
        """The attributes that have a latent dimension."""
        return tuple(scale.name for scale in self.scales if scale.dimension != NOT_CARRIED)

    def restricted(self, names: Collection[str]) -> Metadata:
        """The same metadata with these attributes only, in their present order."""
        at = [k for k, scale in enumerate(self.scales) if scale.name in names]

        def square(matrix: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
            return tuple(tuple(matrix[i][j] for j in at) for i in at)

        return replace(
            self,
            scales=tuple(self.scales[k] for k in at),
            correlation=square(self.correlation),
            code_correlation=square(self.code_correlation),
            combinations=self.combinations and self.combinations.take(at),
        )

    def moved(
        self,
        z: Floats,
        before: Floats,
        wanted: Floats,
        overshoot: Floats | float = 1.0,
        groups: Ints | None = None,
    ) -> Floats:
        """Shift latent points so that their attribute codes move from those of `before` to those of `wanted`.

        `z` are (m, z) latent points, `before` and `wanted` (m, k) raw values, NaN in `wanted` for a free attribute,
        which no request names; `groups` are (m,) codes of meters. The step of a requested attribute is multiplied by
        its gain, and every step by `overshoot`, a number or (m,) numbers. Returns the shifted points (m, z).

        Free attributes move too. They move to the nearest combination (combinations.py). If the model has no table of
        combinations, those that are strongly correlated with a requested attribute move to their conditional mean.
        """
        if self.combinations is not None and groups is not None:
            # An attribute that has neither a latent dimension nor a request is ignored.
            has_dimension = np.array([scale.dimension != NOT_CARRIED for scale in self.scales])
            at = np.flatnonzero(has_dimension | ~np.isnan(wanted).all(axis=0))
            sd = np.array([self.scales[k].sd for k in at])
            after = before.copy()
            after[:, at] = self.combinations.take(at.tolist()).nearest(before[:, at], wanted[:, at], sd, groups)
            steps = self._steps(before, after)
        else:
            steps = self._steps(before, wanted)
            rho = np.array(self.code_correlation)
            code_sd = np.array([scale.code_sd for scale in self.scales])
            slopes = np.where(np.abs(rho) >= STRONG, rho, 0.0) * code_sd[None] / code_sd[:, None]
            np.fill_diagonal(slopes, 0.0)
            steps += np.where(np.isnan(wanted), steps @ slopes, 0.0)
        gains = np.array([scale.gain for scale in self.scales])
        steps = np.where(np.isnan(wanted), steps, steps * gains)
        shifted, steps = z.copy(), (np.multiply(overshoot, steps.T).T).astype(z.dtype)
        for k, scale in enumerate(self.scales):
            if scale.dimension != NOT_CARRIED:
                shifted[:, scale.dimension] += steps[:, k]
        return shifted

    def _steps(self, before: Floats, after: Floats) -> Floats:
        """(m, k) raw values before and after -> the (m, k) steps of their codes, 0 where a value is NaN."""
        steps = np.zeros_like(before)
        for k, scale in enumerate(self.scales):
            if scale.dimension != NOT_CARRIED:
                steps[:, k] = np.nan_to_num(scale.code(after[:, k]) - scale.code(before[:, k]))
        return steps

    def clamped(self, requested: Floats, before: Floats) -> Floats:
        """(k,) requested values, clamped to the range of the corpus, which is widened to include the present values
        `before`. NaN stays NaN."""
        ends = np.array([(scale.quantiles[0], scale.quantiles[-1]) for scale in self.scales])
        result: Floats = np.clip(requested, np.minimum(ends[:, 0], before), np.maximum(ends[:, 1], before))
        return result

    def scale(self, name: str) -> Scale:
        """The scale of an attribute. Raises CheckpointError, which names the model's attributes, if it has none."""
        for scale in self.scales:
            if scale.name == name:
                return scale
        remedy = nearest_or(name, self.names, f"it was trained with {', '.join(self.names)}")
        raise CheckpointError(f"the model has no attribute {name!r}", remedy=remedy)
