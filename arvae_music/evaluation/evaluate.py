"""The evaluation of a model of measures: all figures that `arvae evaluate` reports, as one frozen result.

    result = evaluate_model(model, train, part, EvaluationOptions())
    result.headline["control"], result.to_json(), result.evidence       # evidence is what the plots of the report draw

`train` and `part` are Examples of the same corpus with the model's attributes. Nothing is fitted to `part`, except for
crossed probes. `part` should be the validation part as long as anything is being chosen (as the gains of a model are,
training/music_recipe.py), and the test part for reported figures. Each DISTINCT measure of `part` counts once, unless
stated otherwise. Figures of the decoder are given for `all` measures and for those `unseen` in training.

Sections:
 0. A model in context (networks/context_runtime.py) encodes and decodes each measure among its neighbours: those of the
                    first occurrence in `part`. Figures are then of the measure in this context, unless stated otherwise
 1. representation  the published metrics, in the paper's protocol and in the strict one (metrics.py), for this
                    model, for the ORACLE, and as published. The oracle's latents are the attributes of the same
                    measures, made normal by their ranks, and independent noise in the other dimensions. Its scores
                    are the upper bound that the correlations between the attributes allow. Where training gave the
                    decoder codes that are computed from the values, the model's own rows are NaN: they hold by
                    construction
 2. reconstruction  the share of tokens (with holds, as published), of events (tokens that are no holds) and of whole
                    measures that a free decode of the most likely tokens reproduces. `all` and `unseen` decode the
                    posterior mean; `drawn` decodes points drawn from the posterior, averaged over DRAWS of them; the
                    paper's protocol does the same, but each measure counts as often as it occurs
 3. control         by mode and attribute: control.py
 4. leakage         how well the dimensions WITHOUT an attribute predict each attribute, as the decoder's network gets
                    them: the R2 on `part` of probes that are fitted on `train` or, `crossed`, on the other pieces of
                    `part`. `all_others` is that of all dimensions but the attribute's own, which include those of
                    correlated attributes, that must be informative.
                    `intervention` decodes the code of one measure with all other dimensions of another, and is
                    1 - Var(E[a | code]) / Var(a); `intervention_with` also takes the codes of strongly correlated
                    attributes from the first measure
 5. prior           how each attribute's dimension compares with N(0, 1) (metrics.prior_match), and how many decoded
                    samples of the prior are `valid` measures, in which no rest follows a rest
 6. nats            the mean negative log-likelihood of a measure for the decoder without information about it: of a
                    single measure, or of a measure given its context. Only in the headline
 7. headline        the most important figures, flat, which `--fail-under` and `--fail-over` can name

The published values are medians of ten seeds, read from the plots of Pati & Lerch (2020), arXiv:2004.05485, figs. 4-8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..arrays import Floats, Ints, Mask, Rows
from ..editing.request import PROPOSALS
from ..music.attributes import evaluate, evaluate_mixed
from ..music.keys import in_key
from ..music.tokens import FIRST_PITCH, HOLD, PAD, REST, by_meter, onsets, sounding
from ..networks.model import Model
from ..networks.passages import TuneRows
from ..system.executors import Executor, Processes, all_of
from ..vae.examples import Examples, counted, distinct, seen_in, spread
from ..vae.scales import STRONG
from ..vae.statistics import mean
from . import coding, control, metrics, sections
from .coding import Material
from .control import Outcome
from .headline import headline
from .metrics import Scores
from .probes import crossed_r2, probes
from .result import Coded, Evaluation, Evidence, Mode
from .sections import Figures, Progress

HERE = Processes(1)
DRAWS = 8  # points drawn from each posterior; with a single one the share of whole measures varies by 0.02


@dataclass(frozen=True)
class EvaluationOptions:
    seed: int = 0
    measures: int = 3000  # the most distinct measures of the part that are evaluated, evenly spread
    requests: int = 2400  # latent requests per attribute; if there are fewer measures, each gets several
    guided: int = 160  # guided requests per attribute
    traversals: int = 16  # measures that are traversed, per attribute and mode
    probe_rows: int = 5000  # the most training measures that probes are fitted on
    contexts: int = 40  # measures whose codes the intervention combines with the other dimensions of as many
    samples: int = 1000  # samples of the prior
    proposals: int = PROPOSALS  # decodes that a guided edit proposes

    @classmethod
    def quick(cls, seed: int = 0) -> EvaluationOptions:
        """Options for a quick look, in half the time: the guided figures are rough."""
        return cls(seed, measures=800, requests=800, guided=32, traversals=4, probe_rows=1500, contexts=20, samples=300)


def evaluate_model(
    model: Model,
    train: Examples,
    part: Examples,
    options: EvaluationOptions | None = None,
    about: Mapping[str, Any] | None = None,
    known: Examples | None = None,
    progress: Progress = lambda section: None,
    tunes: tuple[Sequence[TuneRows], Sequence[TuneRows]] | None = None,
    executor: Executor = HERE,
) -> Evaluation:
    """Evaluate `model` on `part`.

    `known` are the examples that the model was trained on, if these are not `train` (a model of another corpus); they
    decide which measures are `unseen`. `tunes` are the whole tunes of `train` and of `part`: a model in context encodes
    and decodes each measure among its neighbours there, and without them each measure alone. `about` is added to the
    result. `progress` is called with the name of each section. The executor does the work on each attribute; it does
    not change the result. Raises ValueError if the attributes of the examples are
    not the model's, if there are no examples, or if the tunes are not those of the examples.
    """
    options = options or EvaluationOptions()
    engine = model.restricted(model.metadata.carried)
    if part.names != engine.metadata.names or train.names != engine.metadata.names:
        raise ValueError(f"examples have {part.names}, the model {engine.metadata.names}")
    if len(train) == 0 or len(part) == 0:
        raise ValueError("there are no examples to evaluate")
    whole = tunes or (None, None)
    materials = tuple(Material.of(engine, one, own) for one, own in zip((train, part), whole, strict=True))
    return _Run(engine, materials[0], materials[1], options, known or train, executor).all(about or {}, progress)


class _Run:
    """One evaluation, section by section."""

    def __init__(
        self,
        model: Model,
        train: Material,
        part: Material,
        options: EvaluationOptions,
        known: Examples,
        executor: Executor,
    ) -> None:
        self.model, self.train, self.part, self.options, self.known = model, train, part, options, known
        self.given = tuple(scale.name for scale in model.metadata.scales if scale.given)
        self.executor = executor
        self.names = model.metadata.names
        self.dimensions = tuple(scale.dimension for scale in model.metadata.scales)

    def all(self, about: Mapping[str, Any], progress: Progress) -> Evaluation:
        timed = sections.Clock(progress)
        coded = timed("encoding", self._coded, self.part, self.options.measures)
        draws = timed("drawing", self._draws, coded)
        scores = timed(
            "representation", sections.representation, coded.mean, draws, coded.values, self.dimensions,
            self._random(1),
        )  # fmt: skip
        scores = {row: each if row.endswith("oracle") else self._own(each) for row, each in scores.items()}
        representation = {row: each.means() for row, each in scores.items()}
        reconstruction = timed("reconstruction", self._reconstruction, coded, draws)
        outcomes = {mode: timed(f"control, {mode}", self._outcomes, coded, mode) for mode in _MODES}
        steps = {mode: timed(f"traversals, {mode}", self._steps, coded, mode) for mode in _MODES}
        figures = {str(mode): self._control(coded, outcomes[mode], steps[mode]) for mode in _MODES}
        leakage = timed("leakage", self._leakage, coded)
        prior = {name: self._prior(coded, d) for name, d in zip(self.names, self.dimensions, strict=True)}
        samples = timed("prior samples", self._samples, coded)
        unaided = timed("likelihood", lambda: mean(coding.nats(self.model, coded.inputs, coded.contexts)))
        summary = headline(representation, reconstruction, figures, leakage, prior, samples, unaided)
        return Evaluation(
            about={**about, "options": vars(self.options)},
            attributes=self.names,
            dimensions=self.dimensions,
            given=self.given,
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

    def _own(self, scores: Scores) -> Scores:
        """The scores of the encoder's dimensions; NaN if codes that are computed from the values stand there: their
        scores hold by construction."""
        return Scores(*(np.full(len(each), np.nan) for each in scores)) if self.given else scores

    def _random(self, section: int) -> np.random.Generator:
        """A generator for each section, so that none depends on how many numbers another drew."""
        return np.random.default_rng([self.options.seed, section])

    def _counts(self, coded: Coded) -> dict[str, int]:
        meters = {f"measures in {meter.name}": len(at) for meter, at in by_meter(coded.inputs)}
        return {
            "measures": len(self.part.examples),
            "distinct": len(distinct(self.part.examples)),
            "evaluated": len(coded.inputs),
            "unseen": int((~coded.seen).sum()),
            **meters,
        }

    # ------------------------------------------------------------------------ representation

    def _coded(self, material: Material, most: int) -> Coded:
        at, count = counted(material.examples)
        some = spread(len(at), most)
        taken = material.take(at[some])
        chosen, contexts = taken.examples, taken.contexts(self.model)
        inputs = chosen.inputs.astype(np.int16)
        mean, log_variance = coding.posterior(self.model, inputs, contexts)
        values = evaluate_mixed(self.model.specs, inputs)
        seen = seen_in(self.known, chosen)
        return Coded(inputs, values, mean, log_variance, chosen.pieces, count[some], seen, contexts)

    def _draws(self, coded: Coded) -> list[Floats]:
        """DRAWS arrays (n, z), each with a point drawn from each posterior."""
        random = self._random(5)
        return [coding.drawn(self.model, coded.inputs, coded.contexts, random) for _ in range(DRAWS)]

    def _reconstruction(self, coded: Coded, draws: Sequence[Floats]) -> dict[str, Figures]:
        strict = coding.decoded(self.model, coded.inputs, coded.mean, coded.contexts)
        found = {name: _accuracy(coded.inputs[at], strict[at]) for name, at in _parts(coded).items()}
        decoded = [coding.decoded(self.model, coded.inputs, z, coded.contexts) for z in draws]
        for name, count in (("drawn", None), ("paper's protocol", coded.count)):
            each = [_accuracy(coded.inputs, outputs, count) for outputs in decoded]
            found[name] = {key: mean([one[key] for one in each]) for key in each[0]}
        return found

    # ------------------------------------------------------------------------ control

    def _outcomes(self, coded: Coded, mode: Mode) -> tuple[Outcome, ...]:
        random = self._random(2)
        inputs, values = coded.inputs, coded.values
        if mode == "guided":
            at = spread(len(inputs), self.options.guided)
            drawn = control.draw(inputs, values, random)[at]
        else:
            times = max(1, -(-self.options.requests // len(inputs)))
            drawn = np.concatenate([control.draw(inputs, values, random) for _ in range(times)])
            at = np.tile(np.arange(len(inputs)), times)
        answer, contexts = self._answer(mode), None if coded.contexts is None else coded.contexts.take(at)
        return control.outcomes(self.model, inputs[at], drawn, answer, contexts, self.executor)

    def _steps(self, coded: Coded, mode: Mode) -> tuple[Outcome, ...]:
        at = spread(len(coded.inputs), self.options.traversals)
        answer, contexts = self._answer(mode), None if coded.contexts is None else coded.contexts.take(at)
        levels = np.stack([control.levels(coded.inputs, values)[at] for values in coded.values.T], axis=2)
        return control.traversals(self.model, coded.inputs[at], levels, answer, contexts, self.executor)

    def _answer(self, mode: Mode) -> control.Answer:
        return control.latent if mode == "latent" else control.Guided(self.options.proposals, self.options.seed)

    def _control(
        self, coded: Coded, outcomes: tuple[Outcome, ...], steps: tuple[Outcome, ...]
    ) -> dict[str, dict[str, Figures]]:
        found: dict[str, dict[str, Figures]] = {"all": {}, "unseen": {}}
        for name, one, traversed in zip(self.names, outcomes, steps, strict=True):
            unseen = ~_contained_in(one.inputs, coded.inputs[coded.seen])
            found["all"][name] = control.summary(self.model, one, traversed)
            found["unseen"][name] = control.summary(self.model, one.take(unseen))
        return found

    # ------------------------------------------------------------------------ leakage

    def _leakage(self, coded: Coded) -> dict[str, Figures]:
        new = ~_contained_in(self.train.examples.inputs.astype(np.int16), coded.inputs)
        fit = self._coded(self.train.take(np.flatnonzero(new)), self.options.probe_rows)
        inputs = [coding.decoder_input(self.model, part.inputs, part.mean) for part in (fit, coded)]
        work = partial(self._leakage_of, fit, coded, inputs)
        return dict(zip(self.names, all_of(self.executor, work, range(len(self.names))), strict=True))

    def _leakage_of(self, fit: Coded, coded: Coded, inputs: Sequence[Floats], k: int) -> Figures:
        """The leakage of attribute k. `inputs` are the decoder's inputs for `fit` and for `coded`."""
        free = [d for d in range(coded.mean.shape[1]) if d not in self.dimensions]
        values = [part.values[:, k] for part in (fit, coded)]
        known, tested = ((z[:, free], each) for z, each in zip(inputs, values, strict=True))
        figures = probes(known, tested, self.options.seed, coded.pieces)
        others = np.delete(inputs[1], self.dimensions[k], axis=1)
        figures["all_others"] = crossed_r2(others, values[1], coded.pieces, "boosting", self.options.seed)
        along = np.abs(np.array(self.model.metadata.code_correlation)[k]) >= STRONG
        alone = np.arange(len(self.names)) == k
        figures["intervention"] = 1 - self._first_order(coded, k, alone)
        figures["intervention_with"] = 1 - self._first_order(coded, k, along | alone)
        return figures

    def _first_order(self, coded: Coded, k: int, from_donor: Mask) -> float:
        """Var(E[a | codes]) / Var(a) of attribute k. Only the codes of the attributes `from_donor` come from one
        measure (the donor); all other dimensions come from another (the context)."""
        random, count = self._random(3), self.options.contexts
        dims = np.array(self.dimensions)[from_donor]
        found, weights = [], []
        for meter, at in by_meter(coded.inputs):
            if len(at) < 4 or (len(at) < metrics.LEAST_GROUP and len(at) < len(coded.inputs)):
                continue
            donors, contexts = (random.permutation(at)[:count] for _ in range(2))
            z = np.tile(coded.mean[contexts], (len(donors), 1))
            z[:, dims] = np.repeat(coded.mean[donors][:, dims], len(contexts), axis=0)
            which = np.tile(contexts, len(donors))
            own = None if coded.contexts is None else coded.contexts.take(which)
            rows = coding.decoded(self.model, coded.inputs[which], z, own)[:, 1 : 1 + meter.ticks]
            outcome = evaluate(self.model.specs[k : k + 1], rows, meter)[:, 0]
            found.append(metrics.first_order(outcome.reshape(len(donors), len(contexts))))
            weights.append(len(at))
        return float(np.average(found, weights=weights)) if found else float("nan")

    # ------------------------------------------------------------------------ the prior

    def _prior(self, coded: Coded, dimension: int) -> Figures:
        return metrics.prior_match(coded.mean[:, dimension], coded.log_variance[:, dimension])._asdict()

    def _samples(self, coded: Coded) -> Figures:
        """Figures of decoded samples of the prior, with the meters in proportion to the part."""
        random = self._random(4)
        rows: list[Rows] = []
        for _, at in by_meter(coded.inputs):
            count = max(1, round(self.options.samples * len(at) / len(coded.inputs)))
            z = random.standard_normal((count, coded.mean.shape[1])).astype(np.float32)
            which = at[np.arange(count) % len(at)]
            contexts = None if coded.contexts is None else coded.contexts.take(which)
            rows.append(coding.decoded(self.model, coded.inputs[which], z, contexts))
        decoded = np.concatenate(rows)
        return {
            "valid": mean(spelt(decoded)),
            "distinct": len(np.unique(decoded, axis=0)) / len(decoded),
            "new": mean(~_contained_in(decoded, self.known.inputs.astype(np.int16))),
            "in_key": _in_key(decoded),
            "corpus_in_key": _in_key(coded.inputs),
        }


_MODES: tuple[Mode, ...] = ("latent", "guided")


def _contained_in(rows: Rows, others: Rows) -> Mask:
    """(n, 1 + width) rows and (m, 1 + width) others -> (n,) whether each row is among the others."""
    known = {row.tobytes() for row in others}
    return np.array([row.tobytes() in known for row in rows], dtype=np.bool_)


def spelt(inputs: Rows) -> Mask:
    """(n,) whether each packed measure is valid, which means that no rest follows a rest, as in every corpus."""
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
    """The shares of tokens, events and measures that `outputs` reproduce. Row i of the (n, 1 + width) inputs counts
    count[i] times, or once if `count` is None."""
    count = np.ones(len(inputs), dtype=np.int64) if count is None else count
    wanted, right = inputs[:, 1:], inputs[:, 1:] == outputs[:, 1:]
    real = wanted != PAD
    return {
        "tokens": _share(right, real, count),
        "events": _share(right, (wanted == REST) | (wanted >= FIRST_PITCH), count),
        "measures": _share((right | ~real).all(axis=1, keepdims=True), np.ones((len(inputs), 1), dtype=bool), count),
    }


def _share(right: Mask, among: Mask, count: Ints) -> float:
    """The share of (n, m) entries in `among` that are `right`, with rows weighted by `count`; NaN if there are none."""
    whole = (among * count[:, None]).sum()
    return float((right & among).sum(axis=1) @ count / whole) if whole else float("nan")


def _parts(coded: Coded) -> dict[str, Mask]:
    return {"all": np.ones(len(coded.inputs), dtype=np.bool_), "unseen": ~coded.seen}
