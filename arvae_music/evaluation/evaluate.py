"""Evaluation: everything that `arvae evaluate` says of a model, as one frozen result.

    result = evaluate(model, train, part, EvaluationOptions())
    result.headline["control"], result.to_json(), result.evidence       # the last for plots (report.py)

`train` and `part` are Examples of the same corpus with the model's attributes; nothing is fitted to `part` here, but
for crossed probes. It is `valid` while anything is being chosen (as the gains of a model are, gains.py), `test` to
report. Of `part` the DISTINCT measures count, once each but where it says otherwise, and every section that judges the
decoder is given for `all` and for `unseen`: those that are not in the training part.

Sections:
 1. representation  the published metrics, in the paper's protocol and in the strict one (metrics.py), for this
                    model, for the ORACLE, and as published. The oracle's latents are the attributes themselves,
                    rank-normal, and independent noise in the other dimensions, over the same measures: what it
                    scores is what the attributes' own correlations leave to be had
 2. reconstruction  free-running, the most likely tokens: of tokens (holds included, as published), of events
                    (non-hold tokens), of whole measures. From the posterior mean; `drawn`, from a point of the
                    posterior, mean of DRAWS; and so in the paper's protocol, where every measure counts as often
                    as it occurs
 3. control         by mode and attribute: control.py
 4. leakage         what the dimensions that carry NO attribute tell of each: R2 of fresh probes, judged on `part`,
                    fitted on `train`, and, `crossed`, on the other pieces of `part`. (Dimensions of other attributes
                    are not counted: those of a correlated attribute tell of this one by right.) And by
                    intervention: the code from one measure, all other dimensions from another, decoded:
                    1 - Var(E[a | code]) / Var(a); `intervention_with` hands over the codes of strongly correlated
                    attributes too
 5. prior           each regularised dimension against N(0, 1) (metrics.prior_match), and whether decoded prior
                    samples are measures: `valid` rows spell their notes and rests in the one way there is
 6. headline        the figures to hold a model to, flat: what `--fail-under` and `--fail-over` name

The published values are medians of ten seeds, read off the plots of Pati & Lerch (2020), arXiv:2004.05485, figs. 4-8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Floats, Ints, Mask, Rows
from ..editing.edit import PROPOSALS
from ..music.attributes import evaluate, evaluate_mixed
from ..music.keys import in_key
from ..music.tokens import FIRST_PITCH, HOLD, PAD, REST, by_meter, onsets, sounding
from ..networks.decoding import decode
from ..networks.model import Model
from ..vae.examples import Examples, counted, distinct, seen_in, spread
from ..vae.scales import STRONG
from ..vae.statistics import mean
from . import control, metrics, sections
from .control import Outcome
from .headline import headline
from .probes import probes
from .result import Coded, Evaluation, Evidence, Mode
from .sections import Figures, Progress

DRAWS = 8  # of each posterior: a single one varies by .02 in whole measures


@dataclass(frozen=True)
class EvaluationOptions:
    seed: int = 0
    measures: int = 3000  # distinct measures of the part, at most, evenly spread
    requests: int = 2400  # per attribute, latent: measures are asked several times if there are fewer
    guided: int = 160  # per attribute
    traversals: int = 16  # measures that are traversed, per attribute and mode
    probe_rows: int = 5000  # training measures that probes are fitted on, at most
    contexts: int = 40  # measures by measures, of the intervention
    samples: int = 1000  # of the prior
    proposals: int = PROPOSALS  # of a guided edit

    @classmethod
    def quick(cls, seed: int = 0) -> EvaluationOptions:
        """Half the time, for a look in between: guided figures are rough."""
        return cls(seed, measures=800, requests=800, guided=32, traversals=4, probe_rows=1500, contexts=20, samples=300)


def evaluate_model(
    model: Model,
    train: Examples,
    part: Examples,
    options: EvaluationOptions | None = None,
    about: Mapping[str, Any] | None = None,
    known: Examples | None = None,
    progress: Progress = lambda section: None,
) -> Evaluation:
    """Evaluate `model` on `part`.

    `known` is what the model was trained on, where that is not `train` (a model of another corpus): it decides
    what is `unseen`. `about` is passed through. Raises ValueError where `part` has other attributes than the model.
    """
    options = options or EvaluationOptions()
    engine = model.restricted(model.metadata.carried)
    if part.names != engine.metadata.names or train.names != engine.metadata.names:
        raise ValueError(f"examples have {part.names}, the model {engine.metadata.names}")
    if len(train) == 0 or len(part) == 0:
        raise ValueError("there is nothing to evaluate")
    return _Run(engine, train, part, options, known or train, progress).all(about or {})


class _Run:
    """One evaluation, section by section."""

    def __init__(
        self,
        model: Model,
        train: Examples,
        part: Examples,
        options: EvaluationOptions,
        known: Examples,
        progress: Progress,
    ) -> None:
        self.model, self.train, self.part, self.options, self.known = model, train, part, options, known
        self.progress = progress
        self.names = model.metadata.names
        self.dimensions = tuple(scale.dimension for scale in model.metadata.scales)

    def all(self, about: Mapping[str, Any]) -> Evaluation:
        timed = sections.Clock(self.progress)
        coded = timed("encoding", self._coded, self.part, self.options.measures)
        draws = timed("drawing", self._draws, coded)
        scores = timed(
            "representation", sections.representation, coded.mean, draws, coded.values, self.dimensions,
            self._random(1),
        )  # fmt: skip
        representation = {row: each.means() for row, each in scores.items()}
        reconstruction = timed("reconstruction", self._reconstruction, coded, draws)
        outcomes = {mode: timed(f"control, {mode}", self._outcomes, coded, mode) for mode in _MODES}
        steps = {mode: timed(f"traversals, {mode}", self._steps, coded, mode) for mode in _MODES}
        figures = {str(mode): self._control(coded, outcomes[mode], steps[mode]) for mode in _MODES}
        leakage = timed("leakage", self._leakage, coded)
        prior = {name: self._prior(coded, d) for name, d in zip(self.names, self.dimensions, strict=True)}
        samples = timed("prior samples", self._samples, coded)
        summary = headline(representation, reconstruction, figures, leakage, prior, samples)
        return Evaluation(
            about={**about, "options": vars(self.options)},
            attributes=self.names,
            dimensions=self.dimensions,
            counts=self._counts(coded),
            representation=representation,
            by_attribute=sections.by_attribute(scores, self.names),
            reconstruction=reconstruction,
            control=figures,
            leakage=leakage,
            prior=prior,
            samples=samples,
            headline=summary,
            seconds=timed.seconds,
            evidence=Evidence(coded, outcomes, steps),
        )

    def _random(self, section: int) -> np.random.Generator:
        """Of its own for each section, so that none depends on how much another drew."""
        return np.random.default_rng([self.options.seed, section])

    def _counts(self, coded: Coded) -> dict[str, int]:
        meters = {f"measures in {meter.name}": len(at) for meter, at in by_meter(coded.inputs)}
        return {
            "measures": len(self.part),
            "distinct": len(distinct(self.part)),
            "evaluated": len(coded.inputs),
            "unseen": int((~coded.seen).sum()),
            **meters,
        }

    # ------------------------------------------------------------------------ representation

    def _coded(self, examples: Examples, most: int) -> Coded:
        at, count = counted(examples)
        some = spread(len(at), most)
        chosen = examples.take(at[some])
        inputs = chosen.inputs.astype(np.int16)
        mean = np.zeros((len(inputs), self.model.runtime.latent))
        log_variance = np.zeros_like(mean)
        for meter, here in by_meter(inputs):
            mean[here], log_variance[here] = self.model.runtime.posterior(inputs[here, 1 : 1 + meter.ticks], meter)
        values = evaluate_mixed(self.model.specs, inputs)
        return Coded(inputs, values, mean, log_variance, chosen.pieces, count[some], seen_in(self.known, chosen))

    def _draws(self, coded: Coded) -> list[Floats]:
        """DRAWS times (n, z), a point of each posterior."""
        random = self._random(5)
        return [self._drawn(coded, random) for _ in range(DRAWS)]

    def _drawn(self, coded: Coded, random: np.random.Generator) -> Floats:
        found = np.zeros_like(coded.mean)
        for meter, at in by_meter(coded.inputs):
            found[at] = self.model.runtime.drawn(coded.inputs[at, 1 : 1 + meter.ticks], meter, random)
        return found

    def _reconstruction(self, coded: Coded, draws: Sequence[Floats]) -> dict[str, Figures]:
        strict = self._decoded(coded.inputs, coded.mean)
        found = {name: _accuracy(coded.inputs[at], strict[at]) for name, at in _parts(coded).items()}
        decoded = [self._decoded(coded.inputs, z) for z in draws]
        for name, count in (("drawn", None), ("paper's protocol", coded.count)):
            each = [_accuracy(coded.inputs, outputs, count) for outputs in decoded]
            found[name] = {key: mean([one[key] for one in each]) for key in each[0]}
        return found

    def _decoded(self, inputs: Rows, z: Floats) -> Rows:
        outputs = inputs.copy()
        for meter, at in by_meter(inputs):
            outputs[at, 1 : 1 + meter.ticks] = decode(self.model.runtime, z[at].astype(np.float32), meter)
        return outputs

    # ------------------------------------------------------------------------ control

    def _outcomes(self, coded: Coded, mode: Mode) -> tuple[Outcome, ...]:
        random = self._random(2)
        inputs, values = coded.inputs, coded.values
        if mode == "guided":
            at = spread(len(inputs), self.options.guided)
            drawn = control.draw(inputs, values, random)[at]
            inputs = inputs[at]
        else:
            times = max(1, -(-self.options.requests // len(inputs)))
            drawn = np.concatenate([control.draw(inputs, values, random) for _ in range(times)])
            inputs = np.tile(inputs, (times, 1))
        answer = self._answer(mode)
        ask = range(len(self.names))
        return tuple(control.outcome(self.model, inputs, k, drawn[:, k], answer) for k in ask)

    def _steps(self, coded: Coded, mode: Mode) -> tuple[Outcome, ...]:
        at = spread(len(coded.inputs), self.options.traversals)
        answer, found = self._answer(mode), []
        for k in range(len(self.names)):
            levels = control.levels(coded.inputs, coded.values[:, k])[at]
            found.append(control.traversals(self.model, coded.inputs[at], k, levels, answer))
        return tuple(found)

    def _answer(self, mode: Mode) -> control.Answer:
        return control.latent if mode == "latent" else control.Guided(self.options.proposals, self.options.seed)

    def _control(
        self, coded: Coded, outcomes: tuple[Outcome, ...], steps: tuple[Outcome, ...]
    ) -> dict[str, dict[str, Figures]]:
        found: dict[str, dict[str, Figures]] = {"all": {}, "unseen": {}}
        for name, one, traversed in zip(self.names, outcomes, steps, strict=True):
            fresh = ~_among(one.inputs, coded.inputs[coded.seen])
            found["all"][name] = control.summary(self.model, one, traversed)
            found["unseen"][name] = control.summary(self.model, one.take(fresh))
        return found

    # ------------------------------------------------------------------------ leakage

    def _leakage(self, coded: Coded) -> dict[str, Figures]:
        new = ~_among(self.train.inputs.astype(np.int16), coded.inputs)
        fit = self._coded(self.train.take(new), self.options.probe_rows)
        free = [d for d in range(coded.mean.shape[1]) if d not in self.dimensions]
        found: dict[str, Figures] = {}
        for k, name in enumerate(self.names):
            known, judged = ((part.mean[:, free], part.values[:, k]) for part in (fit, coded))
            figures = probes(known, judged, self.options.seed, coded.pieces)
            along = np.abs(np.array(self.model.metadata.code_correlation)[k]) >= STRONG
            alone = np.arange(len(self.names)) == k
            figures["intervention"] = 1 - self._first_order(coded, k, alone)
            figures["intervention_with"] = 1 - self._first_order(coded, k, along | alone)
            found[name] = figures
        return found

    def _first_order(self, coded: Coded, k: int, handed: Mask) -> float:
        """How far the codes of the `handed` attributes decide attribute k, when all else is another measure's."""
        random, count = self._random(3), self.options.contexts
        dims = np.array(self.dimensions)[handed]
        found, weights = [], []
        for meter, at in by_meter(coded.inputs):
            if len(at) < 4 or (len(at) < metrics.LEAST_GROUP and len(at) < len(coded.inputs)):
                continue
            donors, contexts = (random.permutation(at)[:count] for _ in range(2))
            z = np.tile(coded.mean[contexts], (len(donors), 1))
            z[:, dims] = np.repeat(coded.mean[donors][:, dims], len(contexts), axis=0)
            rows = decode(self.model.runtime, z.astype(np.float32), meter)
            outcome = evaluate(self.model.specs[k : k + 1], rows, meter)[:, 0]
            found.append(metrics.first_order(outcome.reshape(len(donors), len(contexts))))
            weights.append(len(at))
        return float(np.average(found, weights=weights)) if found else float("nan")

    # ------------------------------------------------------------------------ the prior

    def _prior(self, coded: Coded, dimension: int) -> Figures:
        return metrics.prior_match(coded.mean[:, dimension], coded.log_variance[:, dimension])._asdict()

    def _samples(self, coded: Coded) -> Figures:
        """Decodes of the prior, each meter as often as the part has it."""
        random = self._random(4)
        rows: list[Rows] = []
        for meter, at in by_meter(coded.inputs):
            count = max(1, round(self.options.samples * len(at) / len(coded.inputs)))
            z = random.standard_normal((count, coded.mean.shape[1])).astype(np.float32)
            packed = np.full((count, coded.inputs.shape[1]), PAD, dtype=np.int16)
            packed[:, 0], packed[:, 1 : 1 + meter.ticks] = meter.code, decode(self.model.runtime, z, meter)
            rows.append(packed)
        made = np.concatenate(rows)
        return {
            "valid": mean(spelt(made)),
            "distinct": len(np.unique(made, axis=0)) / len(made),
            "new": mean(~_among(made, self.known.inputs.astype(np.int16))),
            "in_key": _in_key(made),
            "corpus_in_key": _in_key(coded.inputs),
        }


_MODES: tuple[Mode, ...] = ("latent", "guided")


def _among(rows: Rows, others: Rows) -> Mask:
    """(n, 1 + width), (m, 1 + width) -> (n,) which rows are among the others."""
    known = {row.tobytes() for row in others}
    return np.array([row.tobytes() in known for row in rows], dtype=np.bool_)


def spelt(inputs: Rows) -> Mask:
    """(n,) which packed measures are spelt as a corpus's would be: no rest starts while one is on."""
    fine = np.ones(len(inputs), dtype=np.bool_)
    for meter, at in by_meter(inputs):
        rows = inputs[at, 1 : 1 + meter.ticks]
        before = np.pad(sounding(rows)[:, :-1], ((0, 0), (1, 0)), constant_values=HOLD)
        fine[at] = ~((rows == REST) & (before == REST)).any(axis=1)
    return fine


def _in_key(inputs: Rows) -> float:
    notes = inputs[:, 1:][onsets(inputs[:, 1:])]
    return mean(in_key(notes))


def _accuracy(inputs: Rows, outputs: Rows, count: Ints | None = None) -> Figures:
    """Of (n, 1 + width) rows, each so often: (n,); once, where None."""
    count = np.ones(len(inputs), dtype=np.int64) if count is None else count
    wanted, right = inputs[:, 1:], inputs[:, 1:] == outputs[:, 1:]
    real = wanted != PAD
    return {
        "tokens": _share(right, real, count),
        "events": _share(right, (wanted == REST) | (wanted >= FIRST_PITCH), count),
        "measures": _share((right | ~real).all(axis=1, keepdims=True), np.ones((len(inputs), 1), dtype=bool), count),
    }


def _share(right: Mask, among: Mask, count: Ints) -> float:
    """Of (n, m) what is right among some; NaN where there are none."""
    whole = (among * count[:, None]).sum()
    return float((right & among).sum(axis=1) @ count / whole) if whole else float("nan")


def _parts(coded: Coded) -> dict[str, Mask]:
    return {"all": np.ones(len(coded.inputs), dtype=np.bool_), "unseen": ~coded.seen}
