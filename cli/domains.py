"""What differs between training on measures and on images. All else is train.py's, and benchmark.py's.

domain_of("bach") is MEASURES        domain_of("mnist") is IMAGES
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import CorpusError
from ..training.objectives import DEFAULT, entry

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from ..arrays import Ints
    from ..images.networks import ImageDims
    from ..networks.hierarchical import MeasureDims
    from ..training.trainer import Trainer, TrainingOptions
    from ..vae.checkpoint import Checkpoint
    from ..vae.combinations import Combinations
    from ..vae.examples import Examples, Split

BATCH = 128
STEPS = 6000  # of a corpus of music that has no entry in EPOCHS
FLOW_LAYERS = 6  # of an aligned model
WIDE = 64  # features of z for its decoder
EPOCHS = {"bach": 400, "folk": 36}  # 15 to 30 minutes on one core
IMAGE_ROWS = {"sprites": 1_770_000, "mnist": 1_000_000}  # drawn in training: 15 minutes on two cores


@dataclass(frozen=True)
class Data:
    """What a run trains on. `source` is for people: what its figures are said to be of."""

    split: Split
    licence: str
    source: str
    more: Examples | None = None  # the training part and further material, where there is some
    digits: Callable[[Examples], Ints] | None = None  # which digit each is, where they are digits
    combine: Callable[[], Combinations] | None = None

    @cached_property
    def combinations(self) -> Combinations | None:
        """Which values of the attributes go together, where that is known."""
        return self.combine() if self.combine else None

    @property
    def rows(self) -> int:
        """That are trained on."""
        return len(self.more or self.split.train)


@dataclass(frozen=True)
class Defaults:
    """What an option is where nobody gave it; None: there is no such option for this domain."""

    epochs: int
    batch: int
    learning_rate: float
    beta: float
    gamma: float
    delta: float
    clip: float
    latent: int
    hidden: int
    tick_hidden: int | None = None
    token_dropout: float | None = None
    mix: float | None = None


IMAGE_DEFAULTS = {
    "sprites": Defaults(0, 64, 2e-3, 2.0, 200.0, 2.0, 1e4, 10, 256),
    "mnist": Defaults(0, 128, 2e-3, 1.0, 60.0, 1.0, 1e4, 16, 256),
}
IMAGE_BETAS = {"beta-vae": 4.0}  # Pati & Lerch (2020), for images


@dataclass(frozen=True)
class Plan:
    """What a run is: all of it goes into config.json."""

    corpus: str
    attributes: tuple[str, ...]
    dims: Any  # MeasureDims or ImageDims
    options: TrainingOptions
    mix: float = 0.0  # share of mixed measures in a batch

    @property
    def domain(self) -> Domain:
        return domain_of(self.corpus)

    def to_json(self) -> dict[str, Any]:
        return {
            "corpus": self.corpus,
            "attributes": list(self.attributes),
            "dims": self.dims.to_json(),
            "options": self.options.to_json(),
            "mix": self.mix,
        }


class Result(Protocol):
    """An evaluation, of measures or of images."""

    @property
    def headline(self) -> dict[str, float]: ...
    def to_json(self) -> dict[str, Any]: ...


class Domain(Protocol):
    objective: str  # where nobody names another
    unit: str  # what a row is
    held_out: str  # what is parted
    trial: str  # what to do with a model, {run} its folder

    def attributes(self, corpus: str) -> tuple[str, ...]:
        """Those that are carried where nobody names others."""

    def load(self, corpus: str, attributes: tuple[str, ...]) -> Data:
        """A corpus that is built, split by piece. Raises CorpusError, and UsageError for an unknown attribute."""

    def defaults(self, corpus: str, rows: int, objective: str, batch: int = BATCH) -> Defaults:
        """For so many rows to train on, and batches of so many."""

    def dims(self, corpus: str, options: Mapping[str, Any]) -> Any: ...
    def read_dims(self, body: Mapping[str, Any]) -> Any:
        """What `dims.to_json` wrote."""

    def trainer(self, plan: Plan, data: Data, device: torch.device) -> Trainer: ...

    def checkpoint(
        self, plan: Plan, data: Data, trainer: Trainer, training: dict[str, Any], provenance: dict[str, Any]
    ) -> Checkpoint: ...

    def judged(self, valid: Mapping[str, float]) -> str:
        """What was found on held-out rows, for people."""

    def evaluation_options(self, quick: bool) -> Any: ...
    def evaluate(self, run: Path, data: Data, held_out: Examples, options: Any, about: Mapping[str, Any]) -> Result:
        """The evaluation of the model in a run's folder."""

    def published(self, corpus: str) -> Mapping[str, Mapping[str, float]]:
        """Rows of published values, in the paper's protocol."""


class Measures:
    objective = "aligned"
    unit = "measures"
    held_out = "tunes"
    trial = "arvae edit melody.mid --density +1.5 --model {run}"

    def attributes(self, corpus: str) -> tuple[str, ...]:
        from ..music.attributes import PAPER

        return PAPER

    def load(self, corpus: str, attributes: tuple[str, ...]) -> Data:
        from ..corpora import registry
        from ..music.attributes import each_once, find
        from ..training.music_recipe import combinations_of
        from ..vae.examples import split

        data = registry.load(corpus)
        specs = each_once([find(name) for name in attributes])
        parts = split(data.examples(specs))
        if len(parts.valid) == 0:
            raise CorpusError(
                f"{corpus} is too small to hold a tune out", remedy="add tunes, or join it to another with +"
            )
        licence, source = ("; ".join(getattr(facts, key) for facts in data.facts) for key in ("licence", "source"))
        return Data(parts, licence, source, combine=partial(combinations_of, parts.train, specs))

    def defaults(self, corpus: str, rows: int, objective: str, batch: int = BATCH) -> Defaults:
        epochs = EPOCHS.get(corpus) or max(STEPS * batch // max(rows, 1), 1)
        usual = entry(objective)
        return Defaults(
            epochs, batch, 4e-3, usual.beta, usual.gamma, 10.0, 1.0, 32, 128, tick_hidden=64, token_dropout=0.1, mix=0.5
        )

    def dims(self, corpus: str, options: Mapping[str, Any]) -> MeasureDims:
        from ..networks.hierarchical import MeasureDims

        own = {name: options[name] for name in ("latent", "hidden", "tick_hidden", "token_dropout")}
        attributes = len(options["attributes"])
        flow = FLOW_LAYERS if options["objective"] == "aligned" and attributes < options["latent"] else 0
        if not flow:
            return MeasureDims(**own)
        return MeasureDims(**own, flow_layers=flow, attributes=attributes, wide=WIDE, each_tick=True)

    def read_dims(self, body: Mapping[str, Any]) -> MeasureDims:
        from ..networks.hierarchical import MeasureDims

        return MeasureDims(**body)

    def trainer(self, plan: Plan, data: Data, device: torch.device) -> Trainer:
        from ..music.attributes import evaluate_mixed, find
        from ..networks.hierarchical import accuracy, build
        from ..training.augmentation import Mixer
        from ..training.objectives import make
        from ..training.trainer import Trainer

        model, split = build(plan.dims).to(device), data.split
        specs = [find(name) for name in plan.attributes]
        measure = partial(evaluate_mixed, specs)
        setting = plan.options.setting(model.latent, split.train, measure, data.combinations)
        objective, mixer = make(plan.options.objective, setting), Mixer(specs, plan.mix)
        return Trainer(model, split.train, split.valid, plan.options, accuracy, mixer, objective)

    def checkpoint(
        self, plan: Plan, data: Data, trainer: Trainer, training: dict[str, Any], provenance: dict[str, Any]
    ) -> Checkpoint:
        from ..music.attributes import find
        from ..training.music_recipe import origin_of, to_checkpoint, with_gains

        made = to_checkpoint(
            trainer.model,
            plan.dims,
            data.split.train,
            [find(name) for name in plan.attributes],
            [origin_of(name) for name in plan.attributes],
            {**training, "mix": plan.mix},
            provenance,
            trainer.objective.carriage,
            data.combinations,
        )
        # the published methods are left as they are published
        return with_gains(made, data.split.valid) if plan.options.objective == "aligned" else made

    def judged(self, valid: Mapping[str, float]) -> str:
        return f"tokens {valid.get('tokens', 0):.4f}, whole measures {valid.get('measures', 0):.3f}"

    def evaluation_options(self, quick: bool) -> Any:
        from ..evaluation.evaluate import EvaluationOptions

        return EvaluationOptions.quick() if quick else EvaluationOptions()

    def evaluate(self, run: Path, data: Data, held_out: Examples, options: Any, about: Mapping[str, Any]) -> Result:
        from .. import library
        from ..evaluation.evaluate import evaluate_model

        model = library.load(run)
        digest = {"digest": model.checkpoint.digest}
        result: Result = evaluate_model(model, data.split.train, held_out, options, {**about, **digest})
        return result

    def published(self, corpus: str) -> Mapping[str, Mapping[str, float]]:
        from ..evaluation.published import PUBLISHED

        return PUBLISHED.get(corpus, {})


class Images:
    objective = DEFAULT
    unit = "images"
    held_out = "images"
    trial = "arvae traverse {run}"

    def attributes(self, corpus: str) -> tuple[str, ...]:
        from ..corpora.images import ATTRIBUTES

        return ATTRIBUTES[corpus]

    def load(self, corpus: str, attributes: tuple[str, ...]) -> Data:
        from ..corpora import images
        from ..vae.examples import split

        data = images.load(corpus, attributes)
        parts = split(data.examples)
        if len(parts.valid) == 0:
            raise CorpusError(f"{corpus} is too small to hold an image out", remedy="build it of more images")
        source = images.variants(data, parts.train)
        more = None if source is None else images.with_variants(source, parts.train, attributes)
        digits = data.digits_of if data.digits else None
        return Data(parts, data.licence, data.source, more, digits)

    def defaults(self, corpus: str, rows: int, objective: str, batch: int = BATCH) -> Defaults:
        usual = IMAGE_DEFAULTS[corpus]
        if objective != DEFAULT:  # of images the reconstruction is a sum: its nats are the KL's own
            weights, nat = entry(objective), 1 / entry(DEFAULT).beta
            beta = IMAGE_BETAS.get(objective, nat * weights.beta)
            usual = replace(usual, beta=beta, gamma=nat * weights.gamma)
        return replace(usual, epochs=max(round(IMAGE_ROWS[corpus] / max(rows, 1)), 1))

    def dims(self, corpus: str, options: Mapping[str, Any]) -> ImageDims:
        from ..images.networks import ImageDims

        size, patch = {"sprites": (64, 4), "mnist": (28, 2)}[corpus]
        return ImageDims(size, patch, options["latent"], hidden=options["hidden"])

    def read_dims(self, body: Mapping[str, Any]) -> ImageDims:
        from ..images.networks import ImageDims

        return ImageDims(**body)

    def trainer(self, plan: Plan, data: Data, device: torch.device) -> Trainer:
        from ..images.attributes import evaluate, find
        from ..images.networks import accuracy, build
        from ..training.objectives import make
        from ..training.trainer import Trainer

        model, split = build(plan.dims).to(device), data.split
        measure = partial(evaluate, [find(name) for name in plan.attributes])
        train = data.more or split.train
        objective = make(plan.options.objective, plan.options.setting(model.latent, train, measure))
        return Trainer(model, train, split.valid, plan.options, accuracy, None, objective)

    def checkpoint(
        self, plan: Plan, data: Data, trainer: Trainer, training: dict[str, Any], provenance: dict[str, Any]
    ) -> Checkpoint:
        from ..training.image_recipe import origin_of, to_checkpoint

        origins = [origin_of(name) for name in plan.attributes]
        return to_checkpoint(
            trainer.model, plan.dims, data.split.train, origins, training, provenance, trainer.objective.carriage
        )

    def judged(self, valid: Mapping[str, float]) -> str:
        return f"pixels {valid.get('pixels', 0):.4f}, whole images {valid.get('images', 0):.3f}"

    def evaluation_options(self, quick: bool) -> Any:
        from ..images.evaluation import EvaluationOptions

        return EvaluationOptions.quick() if quick else EvaluationOptions()

    def evaluate(self, run: Path, data: Data, held_out: Examples, options: Any, about: Mapping[str, Any]) -> Result:
        from ..images.evaluation import evaluate_model
        from ..images.model import load

        model = load(run)
        told = {**about, "digest": model.checkpoint.digest, "data": data.source}
        result: Result = evaluate_model(model, data.split.train, held_out, options, told, data.digits)
        return result

    def published(self, corpus: str) -> Mapping[str, Mapping[str, float]]:
        from ..images.evaluation import PUBLISHED

        return PUBLISHED[corpus]


MEASURES, IMAGES = Measures(), Images()
IMAGE_SETS = ("sprites", "mnist")  # corpora.images.NAMES, without importing it


def domain_of(corpus: str) -> Domain:
    return IMAGES if corpus in IMAGE_SETS else MEASURES
