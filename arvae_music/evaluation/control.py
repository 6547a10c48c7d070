"""Requests and what comes of them: does the decoder obey, and what else does it change?

A request asks one attribute of one measure to take a value. Values are drawn from OTHER measures of the same
meter, so that they are distributed as the corpus is (quantile targets) and a measure can hold them: within each meter
every value is handed on to another measure, the same number of times as it occurs. Each mode answers it its way:

    latent   the paper's traversal: encode, move the code to the value's (those of the other attributes go to the
             nearest combination: combinations.py), one decode, the most likely tokens
    guided   the edit engine (edit.py), as users run it: propose, measure, choose, refine

A guided request is made as in a melody of one measure: the neighbours pass through, so that a measure that is tied
into stays tied into.

`summary` says of the outcomes, over all requests unless stated:

    rho         Spearman(requested, realised), within meters, the meters' mean weighted by size
    exact       share of the requests that ask for a change which are met within half a grain: to the note, the
                semitone, for rhythm to half the weight of an eighth
    error       mean |requested - realised|, in sd of the model's corpus
    monotone    mean rank correlation along traversals: one measure asked for STEPS quantiles in turn
    onset_f1, pitches, ticks    what is kept of the measures that are asked to change (metrics.content)
    drift       by other attribute: mean |change| in sd, and |rho| less what is chance (metrics.drift_rho);
                `drift_plain` is |Spearman(requested, realised other)| with it

Shapes: m requests, k attributes, s steps; measures are packed rows (attributes.pack).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Array, Floats, Mask, Rows
from ..editing.edit import EditRequest, edit
from ..music.attributes import evaluate_mixed
from ..music.melody import Bar, Melody
from ..music.meter import Meter
from ..music.sliders import Change, Target
from ..music.tokens import FIRST_PITCH, PAD, by_meter
from ..networks.decoding import decode
from ..networks.model import Model
from ..vae.scales import STRONG
from ..vae.statistics import mean
from . import metrics

Answer = Callable[[Model, Rows, Floats, int, Floats], Rows]

STEPS = np.linspace(0.02, 0.98, 9)  # quantiles along a traversal


@dataclass(frozen=True)
class Outcome:
    """What was asked of attribute `asked` and what came of it; values in the order of the model's attributes."""

    asked: int
    requested: Floats  # (m,)
    inputs: Rows  # (m, 1 + width) before
    outputs: Rows
    before: Floats  # (m, k)
    after: Floats

    def take(self, at: Array) -> Outcome:
        arrays = {name: value[at] for name, value in vars(self).items() if name != "asked"}
        return replace(self, **arrays)

    @property
    def realised(self) -> Floats:
        return self.after[:, self.asked]

    @property
    def meters(self) -> Rows:
        return self.inputs[:, 0]


def draw(inputs: Rows, values: Floats, random: np.random.Generator) -> Floats:
    """(m, 1 + width), (m, k) -> (m, k) values of other measures of the same meter; NaN where there is none."""
    drawn = np.full(values.shape, np.nan)
    for _, at in by_meter(inputs):
        if len(at) > 1:
            for k in range(values.shape[1]):
                order = random.permutation(at)
                drawn[order, k] = values[np.roll(order, 1), k]
    return drawn


def outcome(model: Model, inputs: Rows, asked: int, requested: Floats, answer: Answer) -> Outcome:
    """Ask attribute number `asked` of every measure to be `requested`; NaN requests are left out."""
    real = ~np.isnan(requested)
    inputs, requested = inputs[real], requested[real]
    before = evaluate_mixed(model.specs, inputs)
    outputs = answer(model, inputs, before, asked, requested) if len(inputs) else inputs.copy()
    return Outcome(asked, requested, inputs, outputs, before, evaluate_mixed(model.specs, outputs))


def latent(model: Model, inputs: Rows, before: Floats, asked: int, requested: Floats) -> Rows:
    """One decode of the moved code."""
    wanted = np.full(before.shape, np.nan)
    wanted[:, asked] = requested
    outputs = inputs.copy()
    for meter, at in by_meter(inputs):
        z = model.runtime.encode(inputs[at, 1 : 1 + meter.ticks], meter)
        outputs[at, 1 : 1 + meter.ticks] = decode(model.runtime, model.moved(z, before[at], wanted[at], meter), meter)
    return outputs


@dataclass(frozen=True)
class Guided:
    """The edit engine's answer: an `Answer`."""

    proposals: int
    seed: int

    def __call__(self, model: Model, inputs: Rows, before: Floats, asked: int, requested: Floats) -> Rows:
        scale = model.metadata.scales[asked]
        amounts = ((requested - scale.mean) / scale.sd).tolist()
        target = Target(tuple((float(i), Change("set", amount)) for i, amount in enumerate(amounts)), curve=True)
        request = EditRequest({scale.name: target}, proposals=self.proposals, seed=self.seed)
        edited = edit(_apart(inputs), request, model).melody
        outputs = inputs.copy()
        for row, bar in zip(outputs, edited.bars[::2], strict=True):
            assert bar.tokens is not None
            row[1 : 1 + len(bar.tokens)] = bar.tokens
        return outputs


def _apart(inputs: Rows) -> Melody:
    """The measures as one melody in which each stands alone, numbered from 0."""
    bars: list[Bar] = []
    for i, row in enumerate(inputs):
        meter = Meter.from_code(int(row[0]))
        bars.append(Bar(i, meter.name, 0, 0, meter, row[1 : 1 + meter.ticks]))
        bars.append(Bar(i, meter.name, 0, 0, reason="apart"))
    return Melody("requests", tuple(bars), 0, 0)


def traversals(model: Model, inputs: Rows, asked: int, levels: Floats, answer: Answer) -> Outcome:
    """Every measure asked for each of `levels` (m, s) of the attribute, in turn: m * s requests."""
    return outcome(model, np.repeat(inputs, levels.shape[1], axis=0), asked, levels.reshape(-1), answer)


def levels(inputs: Rows, values: Floats) -> Floats:
    """(m, 1 + width), (m,) values -> (m, s) quantiles of the attribute in the measure's meter."""
    table = np.zeros((len(inputs), len(STEPS)))
    for _, at in by_meter(inputs):
        table[at] = np.quantile(values[at], STEPS, method="inverted_cdf")
    return table


def open_requests(model: Model, found: Outcome) -> Mask:
    """(m,) which requests ask for a change."""
    return np.abs(found.before[:, found.asked] - found.requested) > _tolerance(model, found)


def hits(model: Model, found: Outcome) -> Mask:
    """(m,) which requests are met within half a grain."""
    return np.abs(found.realised - found.requested) <= _tolerance(model, found)


def _tolerance(model: Model, found: Outcome) -> Floats:
    tolerance = np.zeros(len(found.requested))
    for meter, at in by_meter(found.inputs):
        tolerance[at] = (model.tolerance(meter) * model.sd)[found.asked]
    return tolerance


def summary(model: Model, found: Outcome, steps: Outcome | None = None) -> dict[str, float]:
    """The figures of one attribute: see above. `steps` are traversals, for `monotone`."""
    k, sd = found.asked, model.sd
    asking = open_requests(model, found)
    changed = found.take(asking)
    kept = metrics.content(changed.inputs[:, 1:], changed.outputs[:, 1:], FIRST_PITCH, PAD)
    figures = {
        "rho": metrics.grouped_spearman(found.requested, found.realised, found.meters),
        "exact": mean(hits(model, found)[asking]),
        "error": mean(np.abs(found.realised - found.requested)) / sd[k],
    }
    if steps is not None:
        shape = (-1, len(STEPS))
        figures["monotone"] = metrics.monotonicity(steps.requested.reshape(shape), steps.realised.reshape(shape))
    figures |= kept._asdict()
    moved = metrics.drift(changed.before, changed.after, sd)
    unrelated = np.abs(np.array(model.metadata.correlation)[k]) < STRONG
    rhos = np.array([_drift_rho(found, j) for j in range(len(sd))])
    figures["drift_sd"] = mean(moved[unrelated])
    figures["drift_rho"] = mean(rhos[unrelated])
    plain = [abs(metrics.grouped_spearman(found.requested, column, found.meters)) for column in found.after.T]
    figures["drift_plain"] = mean(np.array(plain)[unrelated])
    for j, name in enumerate(model.metadata.names):
        if j != k:
            figures[f"drift_sd.{name}"], figures[f"drift_rho.{name}"] = float(moved[j]), float(rhos[j])
    return figures


def _drift_rho(found: Outcome, other: int) -> float:
    return metrics.drift_rho(found.requested, found.before[:, other], found.after[:, other], found.meters)
