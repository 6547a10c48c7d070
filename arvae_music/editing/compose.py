"""Candidates for measures from a model in context: decodes at the requested attributes, chosen by how they sound.

A model in context (networks/context_runtime.py) proposes rows for every measure in two ways: it decodes the measure's
own latent point with moved attribute codes, and it decodes the requested attributes alone, with a bonus for the
original's notes on strong beats. The search then measures the proposals. Its cost is the surprise of a measure given
its neighbours, plus its distance from the original.

Shapes: g measures of one meter, k attributes, n proposals, t ticks.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Float32s, Floats, Ints, Mask, Rows
from ..music.meter import Meter
from ..music.tokens import onsets
from ..networks.context_runtime import Context, ContextRuntime
from ..networks.decoding import decode_from, gumbel
from ..networks.model import Model
from .likeness import strengths

KINDS = (  # factor of the requested step of the codes, whether the other dimensions are given, bonus
    (1.0, False, 1.0), (1.0, False, 2.5), (1.0, False, 4.0), (1.3, False, 1.0), (1.3, False, 2.5), (1.3, False, 4.0),
    (1.0, True, 1.0), (1.4, True, 0.0),
)  # fmt: skip
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
    """(g, t) measures -> (g * count,) which measure each proposal is for, and (g * count, t) the proposals.

    `factor` multiplies the bonus for the original's notes. `preference` (g, t, v) is added to the logits of each token.
    """
    runtime = model.runtime
    assert isinstance(runtime, ContextRuntime)
    groups, k = len(rows), runtime.attributes
    mean, _ = runtime.posterior(rows, meter, context)
    step = model.moved(mean, before, wanted, meter) - mean
    some = np.concatenate([_requested(wanted, model, k), np.zeros((groups, 1), dtype=np.bool_)], axis=1)
    points = np.concatenate([mean + factor * step for factor, _, _ in KINDS]).astype(np.float32)
    shown = np.concatenate([np.ones_like(some) if whole else some for _, whole, _ in KINDS])
    each = np.arange(groups)
    state = runtime.start(points, meter, context, np.tile(each, len(KINDS)), shown)
    group, number = np.repeat(each, count), np.tile(np.arange(count), groups)
    kind = number % len(KINDS)
    strength = np.array([bonus for _, _, bonus in KINDS], dtype=np.float32)[kind]
    bonus = factor * strength[:, None] * (strengths(meter) * onsets(rows))[group].astype(np.float32)
    temperature = np.array(TEMPERATURES, dtype=np.float32)[number // len(KINDS) % len(TEMPERATURES)]
    noise = np.tile(gumbel(seed, meter.ticks, count), (1, groups, 1)) * temperature[:, None]
    if preference is not None:
        noise += preference[group].transpose(1, 0, 2)
    return group, decode_from(runtime, state, kind * groups + group, meter, rows[group], bonus, noise)


def _requested(wanted: Floats, model: Model, k: int) -> Mask:
    """(g, k) which of the attributes that have a dimension are requested or kept."""
    shown = np.zeros((len(wanted), k), dtype=np.bool_)
    for column, scale in enumerate(model.metadata.scales):
        if 0 <= scale.dimension < k:
            shown[:, scale.dimension] = ~np.isnan(wanted[:, column])
    return shown
