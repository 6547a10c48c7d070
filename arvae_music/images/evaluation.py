"""The evaluation of a model of images, with the paper's figures and others, as evaluation/evaluate.py for measures.

    result = evaluate_model(model, train, part, digits)
    result.headline["paper.scc"], result.to_json()

Nothing is fitted to `part`. It should be the validation part as long as anything is being chosen, and the test part for
reported figures. Sections:

 1. representation  the published metrics in the paper's protocol and in the strict one (evaluation/metrics.py), of this
                    model and of the ORACLE, whose latents are the attributes, made normal by their ranks, and
                    independent noise in the other dimensions
 2. reconstruction  decoded from the posterior mean: the share of pixels that are white in both pictures or in neither
 (as
                    published), and of images in which all are
 3. control         the code of an attribute is moved to the value of another image and decoded once, and the picture is
                    MEASURED: rho (Spearman of requested and realised), error (mean |difference| in sd, standard
                    deviations), drift of the attributes that are not strongly correlated with it (|rho|, sd)
 4. digits          how often a classifier trained on `train` (classifier.py) recognises the digit in the image, in its
                    reconstruction, and, as `kept`, in decodes of a sampled z whose dimension of one attribute is set to
                    each value of TRAVERSED, as published
 5. leakage         the R2 of probes that predict each attribute from the dimensions without an attribute
 6. prior           how each attribute's dimension compares with N(0, 1)

The published values are medians of ten seeds, read from the plots of Pati & Lerch (2020), figs. 4-8, for all of MNIST
and of dSprites after 100 epochs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Floats, Ints
from ..evaluation import headline, metrics, sections
from ..evaluation.probes import probes
from ..evaluation.published import METRICS
from ..evaluation.result import metrics_table, short_repr, title
from ..evaluation.sections import Figures, Progress
from ..vae import statistics
from ..vae.examples import Examples, spread
from ..vae.scales import STRONG
from .classifier import train as train_classifier
from .model import ImageModel
from .networks import accuracy_of

_FIGURES = (*METRICS, "pixels", "kept")
PUBLISHED: dict[str, dict[str, Figures]] = {
    "mnist": {
        "AR-VAE, published": dict(zip(_FIGURES, (0.852, 0.842, 0.137, 0.545, 0.958, 0.9703, 0.798), strict=True)),
        "beta-VAE, published": dict(zip(_FIGURES, (0.407, 0.849, 0.029, 0.282, 0.628, 0.9423, 0.500), strict=True)),
    },
    "sprites": {
        "AR-VAE, published": dict(zip(_FIGURES[:-1], (0.848, 0.961, 0.687, 0.848, 0.888, 0.9989), strict=True)),
        "beta-VAE, published": dict(zip(_FIGURES[:-1], (0.448, 0.913, 0.328, 0.400, 0.616, 0.9976), strict=True)),
    },
}
_SHOWN = ("pixels", "control", "drift", "leakage")  # figures of the headline in the short repr
TRAVERSED = np.linspace(-4, 4, 10)  # the codes of a traversal, as published


@dataclass(frozen=True)
class EvaluationOptions:
    seed: int = 0
    images: int = 5000  # the most images of the part that are evaluated, evenly spread
    controlled: int = 600  # requests for each attribute
    traversed: int = 500  # the most digits that are traversed
    probe_rows: int = 5000  # the most training images that probes are fitted on

    @classmethod
    def quick(cls, seed: int = 0) -> EvaluationOptions:
        return cls(seed, images=1500, controlled=150, traversed=100, probe_rows=1500)


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """All figures, as mappings from names in a fixed order; NaN for a figure that could not be measured."""

    about: Mapping[str, Any]
    attributes: tuple[str, ...]
    dimensions: tuple[int, ...]
    counts: Mapping[str, int]
    representation: Mapping[str, Figures]  # row -> metric -> mean over attributes
    by_attribute: Mapping[str, Mapping[str, Figures]]  # row -> metric -> attribute
    reconstruction: Figures
    control: Mapping[str, Figures]  # attribute
    digits: Figures  # empty if the images are not digits
    leakage: Mapping[str, Figures]  # attribute
    prior: Mapping[str, Figures]  # attribute
    headline: Figures
    seconds: Figures

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))

    def __repr__(self) -> str:
        return short_repr(self.about, self.headline, _SHOWN)

    def _repr_html_(self) -> str:
        """The paper's metrics as a table, for notebooks."""
        known = PUBLISHED.get(str(self.about.get("corpus")), {})
        return metrics_table(title(self.about), {**self.representation, **known})


@dataclass(frozen=True, eq=False)
class _Coded:
    """The evaluated images and their codes."""

    examples: Examples  # n images
    values: Floats  # (n, k)
    mean: Floats  # (n, z)
    log_variance: Floats

    def sampled(self, random: np.random.Generator) -> Floats:
        """(n, z) codes drawn from the posteriors."""
        return statistics.sampled(self.mean, self.log_variance, random)


def evaluate_model(
    model: ImageModel,
    train: Examples,
    part: Examples,
    options: EvaluationOptions | None = None,
    about: Mapping[str, Any] | None = None,
    digits: Callable[[Examples], Ints] | None = None,
    progress: Progress = lambda section: None,
) -> Evaluation:
    """Evaluate `model` on `part`. `digits` tells which digit each example shows; None if they are not digits.

    Raises ValueError if the attributes of the examples are not the model's, or if there are no examples.
    """
    if part.names != model.metadata.names or train.names != model.metadata.names:
        raise ValueError(f"examples have {part.names}, the model {model.metadata.names}")
    if len(train) == 0 or len(part) == 0:
        raise ValueError("there are no examples to evaluate")
    return _Run(model, train, part, options or EvaluationOptions(), digits, progress).all(about or {})


class _Run:
    """One evaluation, section by section."""

    def __init__(
        self,
        model: ImageModel,
        train: Examples,
        part: Examples,
        options: EvaluationOptions,
        digits: Callable[[Examples], Ints] | None,
        progress: Progress,
    ) -> None:
        self.model, self.train, self.part, self.options = model, train, part, options
        self.digits, self.progress = digits, progress
        self.names, self.dimensions = model.metadata.names, model.dimensions
        self.free = [d for d in range(model.dims.latent) if d not in self.dimensions]
        self.sd = np.array([scale.sd for scale in model.metadata.scales])

    def all(self, about: Mapping[str, Any]) -> Evaluation:
        timed = sections.Clock(self.progress)
        coded = timed("encoding", self._coded, self.part, self.options.images)
        scores = timed(
            "representation", sections.representation, coded.mean, [coded.sampled(self._random(6))], coded.values,
            self.dimensions, self._random(1),
        )  # fmt: skip
        representation = {row: each.means() for row, each in scores.items()}
        reconstruction = timed("reconstruction", self._reconstruction, coded)
        control = timed("control", self._control, coded)
        digits = timed("digits", self._digits, coded) if self.digits else {}
        leakage = timed("leakage", self._leakage, coded)
        prior = {
            name: metrics.prior_match(coded.mean[:, d], coded.log_variance[:, d])._asdict()
            for name, d in zip(self.names, self.dimensions, strict=True)
        }
        return Evaluation(
            about={**about, "options": vars(self.options)},
            attributes=self.names,
            dimensions=self.dimensions,
            counts={"images": len(self.part), "evaluated": len(coded.mean)},
            representation=representation,
            by_attribute=sections.by_attribute(scores, self.names),
            reconstruction=reconstruction,
            control=control,
            digits=digits,
            leakage=leakage,
            prior=prior,
            headline=_headline(representation, reconstruction, control, digits, leakage, prior),
            seconds=timed.seconds,
        )

    def _random(self, section: int) -> np.random.Generator:
        return np.random.default_rng([self.options.seed, section])

    def _coded(self, examples: Examples, most: int) -> _Coded:
        chosen = examples.take(spread(len(examples), most))
        mean, log_variance = self.model.posterior(chosen.inputs)
        return _Coded(chosen, chosen.attributes.astype(np.float64), mean, log_variance)

    def _reconstruction(self, coded: _Coded) -> Figures:
        blocks = _blocks(len(coded.mean))
        each = [accuracy_of(coded.examples.inputs[at], self.model.draw(coded.mean[at])) for at in blocks]
        sizes = [len(at) for at in blocks]
        return {name: float(np.average([one[name] for one in each], weights=sizes)) for name in ("pixels", "images")}

    # ------------------------------------------------------------------------ control

    def _control(self, coded: _Coded) -> dict[str, Figures]:
        """Compares decodes before and after the move, so that errors of reconstruction do not count as drift."""
        random = self._random(2)
        at = spread(len(coded.mean), self.options.controlled)
        z, values = coded.mean[at], coded.values[at]
        before = self._measured(z)
        found: dict[str, Figures] = {}
        for k, name in enumerate(self.names):
            wanted = np.full(values.shape, np.nan)
            wanted[:, k] = random.permutation(values[:, k])
            after = self._measured(self.model.metadata.moved(z, values, wanted))
            found[name] = self._outcome(k, wanted[:, k], before, after)
        return found

    def _measured(self, z: Floats) -> Floats:
        return np.concatenate([self.model.measure(self.model.draw(z[at])) for at in _blocks(len(z))])

    def _outcome(self, k: int, wanted: Floats, before: Floats, after: Floats) -> Figures:
        unrelated = np.abs(np.array(self.model.metadata.correlation)[k]) < STRONG
        alike = np.zeros(len(wanted))  # one group: images have no meters
        rhos = [metrics.drift_rho(wanted, before[:, j], after[:, j], alike) for j in np.flatnonzero(unrelated)]
        return {
            "rho": statistics.spearman(wanted, after[:, k]),
            "error": statistics.mean(np.abs(wanted - after[:, k])) / float(self.sd[k]),
            "drift_rho": statistics.mean(rhos),
            "drift_sd": statistics.mean(metrics.drift(before, after, self.sd)[unrelated]),
        }

    # ------------------------------------------------------------------------ digits

    def _digits(self, coded: _Coded) -> Figures:
        assert self.digits is not None
        classifier = train_classifier(self.train.inputs, self.digits(self.train), self.options.seed)
        at = spread(len(coded.mean), self.options.traversed)
        part = coded.examples.take(at)
        truth, z = self.digits(part), coded.sampled(self._random(3))[at]
        kept = []
        information = statistics.mutual_information(coded.sampled(self._random(1)), coded.values)
        for d in information.argmax(axis=0):  # the dimension that tells most about each attribute, as published
            traversed = np.repeat(z, len(TRAVERSED), axis=0)
            traversed[:, d] = np.tile(TRAVERSED, len(z))
            same = classifier.classify(self.model.draw(traversed)) == np.repeat(truth, len(TRAVERSED))
            kept.append(float(same.mean()))
        return {
            "inputs": float((classifier.classify(part.inputs[:]) == truth).mean()),
            "reconstructions": float((classifier.classify(self.model.draw(z)) == truth).mean()),
            "kept": statistics.mean(kept),
            **{f"kept.{name}": value for name, value in zip(self.names, kept, strict=True)},
        }

    # ------------------------------------------------------------------------ leakage

    def _leakage(self, coded: _Coded) -> dict[str, Figures]:
        fit = self._coded(self.train, self.options.probe_rows)
        found = {}
        for k, name in enumerate(self.names):
            known, judged = ((part.mean[:, self.free], part.values[:, k]) for part in (fit, coded))
            found[name] = probes(known, judged, self.options.seed)
        return found


def _blocks(count: int, size: int = 512) -> list[Ints]:
    return [np.arange(start, min(start + size, count)) for start in range(0, count, size)]


# ---------------------------------------------------------------------------------- the headline


def headline_names(attributes: Sequence[str], digits: bool) -> tuple[str, ...]:
    """The names in the headline of a model with these attributes, in its order."""
    return (
        *METRICS, "mig_of_oracle", "sap_of_oracle", *(f"paper.{name}" for name in METRICS), "pixels", "images",
        "control", "control_mean", "error", "drift", "drift_sd", *(f"control.{name}" for name in attributes),
        *(("kept", "digits_of_inputs", "digits_of_reconstructions") if digits else ()),
        "leakage", *(f"leakage.{name}" for name in attributes), "overlap",
        *(f"overlap.{name}" for name in attributes), "kl",
    )  # fmt: skip


def _headline(
    representation: Mapping[str, Figures],
    reconstruction: Figures,
    control: Mapping[str, Figures],
    digits: Figures,
    leakage: Mapping[str, Figures],
    prior: Mapping[str, Figures],
) -> Figures:
    """The headline as a flat table.

    `control` and `overlap` are the figures of the WORST attribute; all others are means over the attributes.
    `NAME.ATTRIBUTE` is the figure of one attribute. The prefix `paper.` stands for the paper's protocol. `leakage` is
    that of the better probe.
    """
    found = headline.of_encoder(representation)
    found |= reconstruction
    rhos = [each["rho"] for each in control.values()]
    found |= {"control": float(np.min(rhos)), "control_mean": statistics.mean(rhos)}
    for key, name in (("error", "error"), ("drift_rho", "drift"), ("drift_sd", "drift_sd")):
        found[name] = statistics.mean([each[key] for each in control.values()])
    found |= {f"control.{name}": each["rho"] for name, each in control.items()}
    if digits:
        found |= {"kept": digits["kept"], "digits_of_inputs": digits["inputs"]}
        found["digits_of_reconstructions"] = digits["reconstructions"]
    return found | headline.of_leakage(leakage) | headline.of_prior(prior)
