"""Candidates for measures from a model in context: decodes at the requested attributes, chosen by how they sound.

A model in context (networks/context_runtime.py) proposes rows for every measure in three ways: it decodes the measure's
own latent point with moved attribute codes, a sketch of this point, in which the other dimensions are mixed with noise,
and the requested attributes alone. A bonus draws the decodes to the original's notes on strong beats. The search then
measures the proposals. Its cost is the surprise of a measure given its neighbours, plus its distance from the original.

Shapes: g measures of one meter, k attributes, l requests, t ticks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Float32s, Floats, Ints, Mask, Rows
from ..music.meter import Meter
from ..music.tokens import onsets
from ..networks.context_runtime import Context, ContextRuntime
from ..networks.decoding import decode_from, gumbel
from ..networks.model import Model
from .likeness import strengths

# The factor of the requested step of the attribute codes, and the level at which the decoder gets the other dimensions
# of z: 0 for the attributes alone, 1 for everything, and between them a sketch of the original.
POINTS = ((1.0, 0.0), (1.3, 0.0), (1.0, 0.4), (1.2, 0.6), (1.2, 0.8), (1.0, 1.0), (1.4, 1.0))
# The number of the point, and the bonus.
KINDS = ((0, 1.0), (0, 4.0), (1, 2.5), (4, 1.0), (3, 1.0), (2, 2.5), (5, 1.0), (6, 0.0))
TEMPERATURES = (0.6, 0.75, 0.9, 1.0)


def propose(
    rows: Rows,
    before: Floats,
    wanted: Floats,
    meter: Meter,
    context: Context,
    count: int,
    seed: int,
    model: Model,
    factor: float = 1.0,
    preference: Float32s | None = None,
) -> tuple[Ints, Rows]:
    """Measures (g, t) and l requests for each of them (l, g, k) -> (l * g * count,) which measure each proposal is for,
    and (l * g * count, t) the proposals.

    `factor` multiplies the bonus for the original's notes. `preference` (g, t, v) is added to the logits of each token.
    """
    runtime = model.runtime
    assert isinstance(runtime, ContextRuntime)
    requests, groups, k = len(wanted), len(rows), runtime.attributes
    own, _ = runtime.posterior(rows, meter, context)
    mean, before = np.tile(own, (requests, 1)), np.tile(before, (requests, 1))
    steps = (model.moved(mean, before, wanted.reshape(-1, wanted.shape[2]), meter) - mean).reshape(requests, groups, -1)
    some = _requested(wanted[0], model, k)
    # A row's point has the number (request * points + point) * groups + group.
    blurs = _blurs(seed, own.shape[1], k)
    points = np.concatenate([
        own + far * step + blur for step in steps for (far, _), blur in zip(POINTS, blurs, strict=True)
    ]).astype(np.float32)  # fmt: skip
    given = np.concatenate([_given(some, level) for _, level in POINTS] * requests)
    each = np.arange(groups)
    state = runtime.start(points, meter, context, np.tile(each, len(POINTS) * requests), given)
    number, group = np.tile(np.arange(count), groups * requests), np.tile(np.repeat(each, count), requests)
    request, kind = np.repeat(np.arange(requests), groups * count), number % len(KINDS)
    point = np.array([point for point, _ in KINDS])[kind]
    strength = np.array([bonus for _, bonus in KINDS], dtype=np.float32)[kind]
    bonus = factor * strength[:, None] * (strengths(meter) * onsets(rows))[group].astype(np.float32)
    temperature = np.array(TEMPERATURES, dtype=np.float32)[number // len(KINDS) % len(TEMPERATURES)]
    noise = _Noise(gumbel(seed, meter.ticks, count) * temperature[:count, None], number, preference, group)
    which = (request * len(POINTS) + point) * groups + group
    return group, decode_from(runtime, state, which, meter, rows[group], bonus, noise)


@dataclass(frozen=True)
class _Noise:
    """The noise of n decodes and their preferences, tick by tick: whole tables of a long tune would not fit into the
    processor's cache."""

    drawn: Float32s  # (t, count, v)
    number: Ints  # (n,) of each decode's noise
    preference: Float32s | None  # (g, t, v)
    group: Ints  # (n,)

    def __getitem__(self, tick: int, /) -> Float32s:
        noise: Float32s = self.drawn[tick].take(self.number, axis=0)
        if self.preference is not None:
            noise += self.preference[:, tick].take(self.group, axis=0)
        return noise


def _requested(wanted: Floats, model: Model, k: int) -> Mask:
    """(g, k) which of the attributes that have a dimension are requested or kept."""
    shown = np.zeros((len(wanted), k), dtype=np.bool_)
    for column, scale in enumerate(model.metadata.scales):
        if 0 <= scale.dimension < k:
            shown[:, scale.dimension] = ~np.isnan(wanted[:, column])
    return shown


def _given(requested: Mask, level: float) -> Float32s:
    """(g, k + 1): what the decoder gets of z, see ContextRuntime.start. It gets the attributes that are not requested
    only together with the other dimensions."""
    attributes = np.ones_like(requested) if level else requested
    return np.concatenate([attributes, np.full((len(requested), 1), level)], axis=1).astype(np.float32)


def _blurs(seed: int, latent: int, k: int) -> Float32s:
    """(points, z): what is added to the other dimensions for a sketch of level l. Training mixed sketches as
    l z + sqrt(1 - l^2) noise, and the decoder multiplies by l."""
    blurs = np.random.default_rng(seed).standard_normal((len(POINTS), latent)).astype(np.float32)
    blurs[:, :k] = 0
    for blur, (_, level) in zip(blurs, POINTS, strict=True):
        blur *= np.sqrt(1 - level**2) / level if level else 0
    return blurs
