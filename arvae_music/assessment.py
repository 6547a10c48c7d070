"""Evaluate a model on a built corpus, as `arvae evaluate` does.

    from arvae_music.assessment import evaluate

    result = evaluate("bach", part="test")
    result.headline["control"], result.to_json(), tables(result)

The figures are explained in evaluation/ (evaluate.py, control.py, metrics.py), and for images in images/evaluation.py.
Modules are imported where they are used: a model of images needs PyTorch, and a corpus of melodies needs pyarrow.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

from .errors import CorpusError, UsageError
from .evaluation.parts import expect_part
from .system.extras import need

if TYPE_CHECKING:
    from .evaluation.result import Evaluation
    from .images.evaluation import Evaluation as ImageEvaluation
    from .images.model import ImageModel
    from .networks.model import Model
    from .networks.passages import TuneRows
    from .reports.evaluation_tables import Table
    from .vae.examples import Examples
    from .vae.metadata import Metadata


def _ignore(section: str) -> None:
    pass


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=4)


@overload
def evaluate(
    model: Model, corpus: str | None = None, part: str = "valid", *, seed: int = 0, quick: bool = False,
    ray: str | None = None, progress: Callable[[str], None] = _ignore, warn: Callable[[str], None] = _warn,
) -> Evaluation: ...  # fmt: skip
@overload
def evaluate(
    model: ImageModel, corpus: str | None = None, part: str = "valid", *, seed: int = 0, quick: bool = False,
    ray: str | None = None, progress: Callable[[str], None] = _ignore, warn: Callable[[str], None] = _warn,
) -> ImageEvaluation: ...  # fmt: skip
@overload
def evaluate(
    model: str | Path, corpus: str | None = None, part: str = "valid", *, seed: int = 0, quick: bool = False,
    ray: str | None = None, progress: Callable[[str], None] = _ignore, warn: Callable[[str], None] = _warn,
) -> Evaluation | ImageEvaluation: ...  # fmt: skip


def evaluate(
    model: str | Path | Model | ImageModel,
    corpus: str | None = None,
    part: str = "valid",
    *,
    seed: int = 0,
    quick: bool = False,
    ray: str | None = None,
    progress: Callable[[str], None] = _ignore,
    warn: Callable[[str], None] = _warn,
) -> Evaluation | ImageEvaluation:
    """Evaluate a model on a part of a built corpus. The model may be given by name, as a file or as a run folder.

    By default, `corpus` is the one that the model was trained on. `part` is "valid" or "test": choose and tune on
    "valid", and report "test". `quick` takes about half the time and gives rougher figures. `ray` is the address of
    a Ray cluster that does the work on each attribute of melodies (system/executors.py), with the same result.
    `progress` is called with the name of each section, and `warn` with each message about a limit of the result. Raises
    UsageError for an unknown part or corpus, or a cluster that does not answer, CheckpointError for a model that cannot
    be read, CorpusError for a corpus that is not built or has no examples in this part, and ExtraError without the
    libraries of the extra "train".
    """
    from .networks.model import Model

    expect_part(part)
    need("train", "an evaluation", "scipy", "sklearn", "pyarrow")
    if isinstance(model, str | Path):
        model = load(model)
    if isinstance(model, Model):
        return _evaluate_melodies(model, corpus, part, seed, quick, ray, progress, warn)
    if ray is not None:
        raise UsageError("models of images are evaluated in one process", remedy="leave out ray=...")
    return _evaluate_images(model, corpus, part, seed, quick, progress)


def tables(result: Evaluation | ImageEvaluation) -> tuple[str, list[Table]]:
    """What was evaluated, and all its figures as tables of text."""
    from .evaluation.result import Evaluation

    if isinstance(result, Evaluation):
        from .reports import evaluation_tables as of_melodies

        return of_melodies.heading(result), of_melodies.tables(result)
    from .images import report as of_images

    return of_images.heading(result), of_images.tables(result)


def figure_names(metadata: Metadata, corpus: str | None = None) -> tuple[str, ...]:
    """The names in the headline of an evaluation of this model, in order. Raises UsageError for an unusable corpus."""
    if metadata.kind == "images":
        from .corpora import morpho_mnist
        from .images.evaluation import headline_names as names_of_images

        return names_of_images(metadata.names, corpus_of(metadata, corpus) == morpho_mnist.NAME)
    from .evaluation.headline import headline_names

    return headline_names(metadata.carried)


def corpus_of(metadata: Metadata, corpus: str | None = None) -> str:
    """The corpus to evaluate a model on: `corpus`, or the one it was trained on. Raises UsageError."""
    name = corpus or metadata.provenance.get("corpus")
    if metadata.kind == "images":
        from .corpora import images

        if name not in images.NAMES:
            sets = " or ".join(f'corpus="{known}"' for known in images.NAMES)
            raise UsageError(f"{name!r} is not a set of images", remedy=f"give {sets}")
    if not name:
        raise UsageError("the model does not record its training corpus", remedy="give corpus=...")
    return str(name)


def load(model: str | Path, runtime: str | None = None) -> Model | ImageModel:
    """A model of melodies or of images, by name, file or run folder; of melodies in one of library.RUNTIMES.

    Raises CheckpointError, and UsageError for a runtime that does not exist, and for any with a model of images.
    """
    from . import library
    from .vae import checkpoint

    path = checkpoint.find(model)
    if checkpoint.describe(path).kind == "images":
        from .images import model as images

        if runtime not in (None, library.RUNTIMES[0]):
            raise UsageError("models of images have only one runtime", remedy="leave out runtime=...")
        return images.load(path)
    return library.load(path, runtime=runtime or library.RUNTIMES[0])


# ------------------------------------------------------------------------------------ images


def _evaluate_images(
    model: ImageModel, corpus: str | None, part: str, seed: int, quick: bool, progress: Callable[[str], None]
) -> ImageEvaluation:
    from .corpora import images
    from .images.evaluation import EvaluationOptions, evaluate_model
    from .vae.examples import split

    name = corpus_of(model.metadata, corpus)
    data = images.load(name)
    side = data.examples.inputs.shape[1]
    if side != model.dims.size:  # check this before attributes are measured
        raise UsageError(
            f"{name} has images of {side} x {side} pixels, and the model needs {model.dims.size} x {model.dims.size}",
            remedy="leave out corpus=...",
        )
    data = images.load(name, tuple(scale.origin or scale.name for scale in model.metadata.scales))
    parts = split(data.examples)
    held_out: Examples = getattr(parts, part)
    if len(held_out) == 0:
        raise CorpusError(f"{name} has no images in its part {part}", remedy="build it from more images")
    about = _about(model, name, part, {"data": data.source})
    options = EvaluationOptions.quick(seed) if quick else EvaluationOptions(seed)
    digits = data.digits_of if data.digits else None
    return evaluate_model(model, parts.train, held_out, options, about, digits, progress)


# ------------------------------------------------------------------------------------ melodies


def _evaluate_melodies(
    model: Model,
    corpus: str | None,
    part: str,
    seed: int,
    quick: bool,
    ray: str | None,
    progress: Callable[[str], None],
    warn: Callable[[str], None],
) -> Evaluation:
    from .evaluation.evaluate import EvaluationOptions, evaluate_model
    from .system.executors import OnRay, connected

    name = corpus_of(model.metadata, corpus)
    train, held_out = _split(model, name, part)
    tunes = _tunes(model, name, part)
    if len(held_out) == 0:
        raise CorpusError(f"{name} has no tunes in its part {part}", remedy="name a larger corpus with corpus=...")
    known = _trained_on(model, name, part, warn)
    options = EvaluationOptions.quick(seed) if quick else EvaluationOptions(seed)
    about = _about(model, name, part)
    if ray is None:
        return evaluate_model(model, train, held_out, options, about, known, progress, tunes)
    with connected(ray):
        work = OnRay(ray, together=1)
        return evaluate_model(model, train, held_out, options, about, known, progress, tunes, work)


def _trained_on(model: Model, corpus: str, part: str, warn: Callable[[str], None]) -> Examples | None:
    """The model's training examples, if they come from another corpus than `corpus`."""
    trained_on = model.metadata.provenance.get("corpus")
    if trained_on == corpus:
        return None
    instead = f"measures count as unseen if they are not in the training part of {corpus}"
    if not trained_on:
        warn(f"the model does not record its training corpus: {instead}")
        return None
    try:
        return _split(model, trained_on, part)[0]
    except CorpusError:
        warn(f"the model's training corpus {trained_on} is not built: {instead}")
        return None


def _split(model: Model, corpus: str, part: str) -> tuple[Examples, Examples]:
    """The training part and `part`, split as `arvae train` does, in the meters that the model supports."""
    from .corpora import registry
    from .music.meter import Meter
    from .vae.examples import split

    specs = [spec for spec in model.specs if spec.name in model.metadata.carried]
    meters = [Meter.parse(name) for name in model.metadata.meters]
    parts = split(registry.load(corpus).examples(specs, meters))
    held_out: Examples = getattr(parts, part)
    return parts.train, held_out


def _tunes(model: Model, corpus: str, part: str) -> tuple[Sequence[TuneRows], Sequence[TuneRows]] | None:
    """The whole tunes of the training part and of `part`, for a model in context."""
    from .corpora import datasets
    from .networks.context_runtime import ContextRuntime

    if not isinstance(model.runtime, ContextRuntime):
        return None
    found = datasets.tunes(corpus)
    return found["train"], found[part]


def _about(model: Model | ImageModel, corpus: str, part: str, more: dict[str, str] | None = None) -> dict[str, str]:
    own = {"model": model.name, "digest": model.checkpoint.digest, "corpus": corpus}
    return {**own, **(more or {}), "part": part}
