"""Candidates for measures from a model in context: decodes at the requested attributes, chosen by how they sound.

A model in context (networks/context_runtime.py) proposes rows for every measure in three ways, which trade likeness for
freedom: it decodes the measure's own latent point with moved attribute codes; the same with noise on the other
dimensions; and the requested attributes alone, with a bonus for the original's tokens on strong beats. The search then
measures the proposals. Its cost is the surprise of a measure given its neighbours, plus its distance from the original.

Shapes: g measures of one meter, k attributes, n proposals, t ticks.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Floats, Ints, Mask, Rows
from ..music.meter import Meter
from ..networks.context_runtime import Context, ContextRuntime
from ..networks.decoding import decode_from, gumbel
from ..networks.model import Model
from .likeness import strengths

STEPS = (1.0, 0.75, 1.3)  # factors of the requested step of the codes
NOISE = (0.0, 0.6, 1.0)  # standard deviations of the noise on the other dimensions, in their posterior sd and more
TEMPERATURES = (0.5, 0.7, 0.85, 1.0)
BONUS = 2.5  # added to the logit of the original's token on the downbeat, and less on weaker beats


def propose(
    rows: Rows,
    before: Floats,
    wanted: Floats,
    meter: Meter,
    context: Context,
    count: int,
    seed: int,
    model: Model,
) -> tuple[Ints, Rows]:
    """(g, t) measures -> (g * count,) which measure each proposal is for, and (g * count, t) the proposals."""
    runtime = model.runtime
    assert isinstance(runtime, ContextRuntime)
    groups, k = len(rows), runtime.attributes
    random = np.random.default_rng(seed)
    mean, _ = runtime.posterior(rows, meter, context)
    step = model.moved(mean, before, wanted, meter) - mean
    requested = _requested(wanted, model, k)
    points, shown, which = [], [], []
    each = np.arange(groups)
    for factor in STEPS:
        for noise in NOISE:
            z = mean + factor * step
            z[:, k:] += noise * random.standard_normal((groups, z.shape[1] - k)).astype(np.float32)
            points.append(z)
            shown.append(np.ones((groups, k + 1), dtype=np.bool_))
            which.append(each)
        points.append(mean + factor * step)
        shown.append(np.concatenate([requested, np.zeros((groups, 1), dtype=np.bool_)], axis=1))
        which.append(each)
    kinds = len(points)
    state = runtime.start(
        np.concatenate(points).astype(np.float32), meter, context, np.concatenate(which), np.concatenate(shown)
    )
    group = np.repeat(each, count)
    number = np.tile(np.arange(count), groups)
    kind = number % kinds
    free = kind % (len(NOISE) + 1) == len(NOISE)
    bonus = np.where(free[:, None], BONUS * strengths(meter), 0.3 * BONUS * strengths(meter)).astype(np.float32)
    temperature = np.array(TEMPERATURES, dtype=np.float32)[number // kinds % len(TEMPERATURES)]
    noise_table = np.tile(gumbel(seed, meter.ticks, count), (1, groups, 1)) * temperature[:, None]
    decoded = decode_from(runtime, state, kind * groups + group, meter, rows[group], bonus, noise_table)
    return group, decoded


def _requested(wanted: Floats, model: Model, k: int) -> Mask:
    """(g, k) which of the attributes that have a dimension are requested or kept."""
    shown = np.zeros((len(wanted), k), dtype=np.bool_)
    for column, scale in enumerate(model.metadata.scales):
        if 0 <= scale.dimension < k:
            shown[:, scale.dimension] = ~np.isnan(wanted[:, column])
    return shown
