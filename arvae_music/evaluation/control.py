"""Control: how well edits meet requests, and what else they change.

A request names a value that one attribute of one measure should take. The values are those of OTHER measures of the
same meter: within each meter all values of an attribute are permuted among the measures. They are therefore distributed
as in the corpus, and a measure can have them. There are two modes of answering a request:

    latent   the paper's traversal: encode the measure, move the code of the attribute to that of the value, and decode
             the most likely tokens once. The codes of the other attributes move to the nearest combination
             (vae/combinations.py)
    guided   the edit engine (editing/edit.py), as users run it: it searches among many decodes

In latent mode a model in context encodes and decodes each measure in its context. In guided mode each measure is edited
alone, between measures that are not edited, so that a note tied into it stays.

`summary` computes these figures, over all requests unless stated otherwise:

    rho         Spearman(requested, realised) within each meter, averaged over the meters, weighted by their size
    exact       the share of the requests for a change that are met within half a grain: exactly for notes and
                semitones, for rhythm to half the weight of an eighth
    error       mean |requested - realised|, in sd (standard deviations) of the model's corpus
    monotone    mean rank correlation along traversals, in which a measure gets requests for STEPS quantiles in turn
    onset_f1, pitches, ticks    how much is kept of the measures with a request for a change (metrics.content)
    drift       of each other attribute: mean |change| in sd (`drift_sd`), and |rho| minus what chance gives
                (`drift_rho`, metrics.drift_rho); `drift_plain` is |Spearman(requested, realised other)| without the
                correction

Shapes: m requests, k attributes, s steps; measures are packed rows (music/tokens.py, pack).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..arrays import Array, Floats, Mask, Rows
from ..editing.edit import edit
from ..editing.request import EditRequest
from ..music.attributes import evaluate_mixed
from ..music.melody import Bar, Melody
from ..music.meter import Meter
from ..music.reasons import Reason
from ..music.sliders import Change, Target
from ..music.tokens import FIRST_PITCH, PAD, by_meter
from ..networks.context_runtime import Contexts
from ..networks.model import Model
from ..system.executors import Executor, all_of
from ..vae.scales import STRONG
from ..vae.statistics import mean
from . import coding, metrics

# model, measures (m, 1 + width), their values (m, k), the attribute's index, requested values (m,), and the measures'
# contexts, for a model in context -> edited measures
Answer = Callable[[Model, Rows, Floats, int, Floats, Contexts | None], Rows]

STEPS = np.linspace(0.02, 0.98, 9)  # the quantiles that a traversal requests


@dataclass(frozen=True)
class Outcome:
    """Requests for one attribute and their results. Values are in the order of the model's attributes."""

    attribute: int  # the index of the requested attribute
    requested: Floats  # (m,) requested values
    inputs: Rows  # (m, 1 + width) measures before
    outputs: Rows  # (m, 1 + width) measures after
    before: Floats  # (m, k) values before
    after: Floats  # (m, k) values after

    def take(self, at: Array) -> Outcome:
        """The outcomes of some of the requests."""
        arrays = {name: value[at] for name, value in vars(self).items() if name != "attribute"}
        return replace(self, **arrays)

    @property
    def realised(self) -> Floats:
        return self.after[:, self.attribute]

    @property
    def meters(self) -> Rows:
        return self.inputs[:, 0]


def draw(inputs: Rows, values: Floats, random: np.random.Generator) -> Floats:
    """(m, 1 + width) measures and (m, k) values -> (m, k) values of other measures of the same meter, NaN for a measure
    that is the only one of its meter."""
    drawn = np.full(values.shape, np.nan)
    for _, at in by_meter(inputs):
        if len(at) > 1:
            for k in range(values.shape[1]):
                order = random.permutation(at)
                drawn[order, k] = values[np.roll(order, 1), k]
    return drawn


def outcome(
    model: Model, inputs: Rows, attribute: int, requested: Floats, answer: Answer, contexts: Contexts | None = None
) -> Outcome:
    """The outcome of requesting the (m,) values `requested` for the attribute of that index; NaN makes no request."""
    given = ~np.isnan(requested)
    inputs, requested = inputs[given], requested[given]
    contexts = None if contexts is None else contexts.take(np.flatnonzero(given))
    before = evaluate_mixed(model.specs, inputs)
    outputs = answer(model, inputs, before, attribute, requested, contexts) if len(inputs) else inputs.copy()
    return Outcome(attribute, requested, inputs, outputs, before, evaluate_mixed(model.specs, outputs))


def latent(
    model: Model, inputs: Rows, before: Floats, attribute: int, requested: Floats, contexts: Contexts | None = None
) -> Rows:
    """Answer requests with the most likely decode of the shifted codes. This function is an `Answer`."""
    wanted = np.full(before.shape, np.nan)
    wanted[:, attribute] = requested
    z = coding.posterior(model, inputs, contexts)[0].astype(np.float32)
    for meter, at in by_meter(inputs):
        z[at] = model.moved(z[at], before[at], wanted[at], meter)
    return coding.decoded(model, inputs, z, contexts)


@dataclass(frozen=True)
class Guided:
    """Answers requests with the edit engine. An instance is an `Answer`."""

    proposals: int
    seed: int

    def __call__(
        self,
        model: Model,
        inputs: Rows,
        before: Floats,
        attribute: int,
        requested: Floats,
        contexts: Contexts | None = None,
    ) -> Rows:
        scale = model.metadata.scales[attribute]
        meters = [scale.in_meter(Meter.from_code(code).name) for code in inputs[:, 0].tolist()]
        amounts = [(float(value) - mean) / sd for value, (mean, sd) in zip(requested, meters, strict=True)]
        target = Target(tuple((float(i), Change("set", amount)) for i, amount in enumerate(amounts)), curve=True)
        request = EditRequest({scale.name: target}, each=True, proposals=self.proposals, seed=self.seed)
        edited = edit(_separated(inputs), request, model).melody
        outputs = inputs.copy()
        for row, bar in zip(outputs, edited.bars[::2], strict=True):
            assert bar.tokens is not None
            row[1 : 1 + len(bar.tokens)] = bar.tokens
        return outputs


def _separated(inputs: Rows) -> Melody:
    """The measures as one melody, numbered from 0. After each follows a measure that cannot be edited, which separates
    them."""
    bars: list[Bar] = []
    for i, row in enumerate(inputs):
        meter = Meter.from_code(int(row[0]))
        bars.append(Bar(i, meter.name, 0, 0, meter, row[1 : 1 + meter.ticks]))
        bars.append(Bar(i, meter.name, 0, 0, reason=Reason.APART))
    return Melody("requests", tuple(bars), 0, 0)


def outcomes(
    model: Model, inputs: Rows, requested: Floats, answer: Answer, contexts: Contexts | None, executor: Executor
) -> tuple[Outcome, ...]:
    """The outcomes of requesting the (m, k) values, attribute by attribute."""
    work = partial(_outcome, model, inputs, answer, contexts)
    return tuple(all_of(executor, work, enumerate(requested.T)))


def _outcome(
    model: Model, inputs: Rows, answer: Answer, contexts: Contexts | None, request: tuple[int, Floats]
) -> Outcome:
    return outcome(model, inputs, *request, answer, contexts)


def traversals(
    model: Model, inputs: Rows, levels: Floats, answer: Answer, contexts: Contexts | None, executor: Executor
) -> tuple[Outcome, ...]:
    """The outcomes of m * s requests for each attribute: each measure is requested to take each of its (m, s, k)
    `levels`."""
    which = np.repeat(np.arange(len(inputs)), levels.shape[1])
    contexts = None if contexts is None else contexts.take(which)
    return outcomes(model, inputs[which], levels.reshape(len(which), -1), answer, contexts, executor)


def levels(inputs: Rows, values: Floats) -> Floats:
    """(m, 1 + width) measures and (m,) values -> (m, s) quantiles STEPS of the values within each measure's meter."""
    table = np.zeros((len(inputs), len(STEPS)))
    for _, at in by_meter(inputs):
        table[at] = np.quantile(values[at], STEPS, method="inverted_cdf")
    return table


def open_requests(model: Model, results: Outcome) -> Mask:
    """(m,) whether each request differs from the value before by more than half a grain."""
    return np.abs(results.before[:, results.attribute] - results.requested) > _tolerance(model, results)


def hits(model: Model, results: Outcome) -> Mask:
    """(m,) whether each request is met within half a grain."""
    return np.abs(results.realised - results.requested) <= _tolerance(model, results)


def _tolerance(model: Model, results: Outcome) -> Floats:
    tolerance = np.zeros(len(results.requested))
    for meter, at in by_meter(results.inputs):
        tolerance[at] = (model.tolerance(meter) * model.sd)[results.attribute]
    return tolerance


def summary(model: Model, results: Outcome, steps: Outcome | None = None) -> dict[str, float]:
    """The figures of one attribute, as this module's docstring explains. `steps` are traversals, for `monotone`."""
    k, sd = results.attribute, model.sd
    is_open = open_requests(model, results)
    changed = results.take(is_open)
    kept = metrics.content(changed.inputs[:, 1:], changed.outputs[:, 1:], FIRST_PITCH, PAD)
    figures = {
        "rho": metrics.grouped_spearman(results.requested, results.realised, results.meters),
        "exact": mean(hits(model, results)[is_open]),
        "error": mean(np.abs(results.realised - results.requested)) / sd[k],
    }
    if steps is not None:
        shape = (-1, len(STEPS))
        figures["monotone"] = metrics.monotonicity(steps.requested.reshape(shape), steps.realised.reshape(shape))
    figures |= kept._asdict()
    moved = metrics.drift(changed.before, changed.after, sd)
    unrelated = np.abs(np.array(model.metadata.correlation)[k]) < STRONG
    rhos = np.array([_drift_rho(results, j) for j in range(len(sd))])
    figures["drift_sd"] = mean(moved[unrelated])
    figures["drift_rho"] = mean(rhos[unrelated])
    plain = [abs(metrics.grouped_spearman(results.requested, column, results.meters)) for column in results.after.T]
    figures["drift_plain"] = mean(np.array(plain)[unrelated])
    for j, name in enumerate(model.metadata.names):
        if j != k:
            figures[f"drift_sd.{name}"], figures[f"drift_rho.{name}"] = float(moved[j]), float(rhos[j])
    return figures


def _drift_rho(results: Outcome, other: int) -> float:
    return metrics.drift_rho(results.requested, results.before[:, other], results.after[:, other], results.meters)
