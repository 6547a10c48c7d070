"""`arvae evaluate MODEL`: how well a model's sliders work, in figures, as a table, JSON, and an HTML report.

    arvae evaluate bach --part test
    arvae evaluate runs/bach --html report.html
    arvae evaluate runs/bach --fail-under control=.95 --fail-under measures=.85 --fail-over leakage=.3
    arvae evaluate mnist --part test

What the figures mean is in evaluation.py, control.py and metrics.py, for images in images/evaluation.py. A threshold
names a figure of the headline; exit 1 when one is not kept, after the table, with a message for each. The part defaults
to what was held out for validation: choose and tune on that, and look at `test` when nothing is to be changed any more.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import CorpusError, OutputError, UsageError
from ..system import machine
from .corpus import ensure_built
from .shared import common, completion

if TYPE_CHECKING:
    from ..evaluation.evaluate import Evaluation
    from ..library import Model
    from ..reports.evaluation_tables import Table
    from ..vae.examples import Examples
    from ..vae.metadata import Metadata
    from .domains import Result

PARTS = ("valid", "test")

Name = Annotated[str, typer.Argument(metavar="MODEL", help="A model's name, its file, or a run folder.")]
Corpus = Annotated[
    str | None,
    typer.Option(
        "--corpus", "-c", metavar="NAME", help="A built corpus.  [default: the model's own]",
        autocompletion=completion.corpora,
    ),
]
Part = Annotated[str, typer.Option("--part", metavar="valid|test", help="Which of the tunes held out of training.")]
Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write a report with plots.", rich_help_panel="Output"),
]
Under = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=X", rich_help_panel="Thresholds", help="Exit 1 if a figure is lower (repeatable)."),
]
Over = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=X", rich_help_panel="Thresholds", help="Exit 1 if drift, leakage, ... is higher."),
]
Quick = Annotated[bool, typer.Option("--quick", help="Half the time, rougher figures.")]


@dataclass(frozen=True)
class Threshold:
    name: str
    bound: float
    least: bool  # whether the bound is the least allowed, or the most

    def kept(self, value: float) -> bool:
        """What could not be measured keeps nothing."""
        return value >= self.bound if self.least else value <= self.bound

    def message(self, value: float) -> str:
        if math.isnan(value):
            return f"{self.name} could not be measured, and has a threshold"
        return f"{self.name} is {value:.4g}, {'under' if self.least else 'over'} {self.bound:g}"


def evaluate(
    model: Name,
    corpus: Corpus = None,
    part: Part = "valid",
    html: Html = None,
    fail_under: Under = None,
    fail_over: Over = None,
    quick: Quick = False,
    runtime: common.Runtime = common.RUNTIME,
    seed: common.Seed = 0,
    overwrite: common.Overwrite = False,
    json: common.Json = False,
    quiet: common.Quiet = False,
) -> int:
    """Measure how a model's sliders work: control, drift, leakage, reconstruction, the published metrics."""
    if part not in PARTS:
        raise UsageError(f"there is no part {part!r}", remedy=f"give {' or '.join(PARTS)}")
    if html is not None and html.exists() and not overwrite:
        raise OutputError("exists already", where=str(html), remedy="give --overwrite, or another name with --html")
    machine.patient_threads()
    from .. import library
    from ..evaluation.evaluate import EvaluationOptions, evaluate_model
    from ..evaluation.headline import headline_names
    from ..vae import checkpoint

    metadata = checkpoint.describe(checkpoint.find(model))
    bounds = (fail_under or [], fail_over or [])
    if metadata.kind == "images":
        if html is not None:
            raise UsageError("there is no report of images", remedy=f"draw them: arvae traverse {model}")
        if runtime != common.RUNTIME:
            raise UsageError("models of images have one runtime", remedy="leave out --runtime")
        return _evaluate_images(model, metadata, corpus, part, bounds, quick, seed, as_json=json)
    loaded = library.load(model, runtime=runtime)
    thresholds = _thresholds(*bounds, headline_names(loaded.metadata.carried))
    data = _load(loaded, corpus, part)
    about = {"model": loaded.name, "digest": loaded.checkpoint.digest, "corpus": data.corpus, "part": part}
    options = EvaluationOptions.quick(seed) if quick else EvaluationOptions(seed)
    result = evaluate_model(
        loaded, data.train, data.part, options, about, data.known, lambda section: common.say(f"{section} ...")
    )
    if html is not None:
        _write_report(html, result, loaded, overwrite)
    _show(result, thresholds, as_json=json)
    return _judged(result, thresholds)


def _judged(result: Result, thresholds: Sequence[Threshold]) -> int:
    """The exit code, with a message for each threshold that is not kept."""
    broken = [one for one in thresholds if not one.kept(result.headline[one.name])]
    for one in broken:
        common.complain(one.message(result.headline[one.name]))
    return 1 if broken else 0


def _thresholds(under: Sequence[str], over: Sequence[str], known: Sequence[str]) -> list[Threshold]:
    """For the names that are `known`. Raises UsageError, before any work, with the nearest one."""
    from ..evaluation.headline import lower_is_better

    found = []
    for text, least in [*((text, True) for text in under), *((text, False) for text in over)]:
        option = "--fail-under" if least else "--fail-over"
        name, _, number = text.partition("=")
        try:
            bound = float(number)
        except ValueError:
            raise UsageError(f"{option} {text!r} is no threshold", remedy="write control=.95") from None
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
            raise UsageError(f"{option}: there is no figure {name!r}", remedy=hint)
        if lower_is_better(name) == least:
            other = "--fail-over" if least else "--fail-under"
            raise UsageError(f"{name} is better {'lower' if least else 'higher'}", remedy=f"give {other} {text}")
        found.append(Threshold(name, bound, least))
    return found


# ------------------------------------------------------------------------------------ images


def _evaluate_images(
    model: str,
    metadata: Metadata,
    corpus: str | None,
    part: str,
    bounds: tuple[list[str], list[str]],
    quick: bool,
    seed: int,
    *,
    as_json: bool,
) -> int:
    from ..corpora import images as corpora
    from ..images.evaluation import EvaluationOptions, evaluate_model, headline_names
    from ..images.model import load
    from ..images.report import tables
    from ..vae.examples import split

    name = str(corpus or metadata.provenance.get("corpus"))
    if name not in corpora.NAMES:
        raise UsageError(f"{name!r} is no set of images", remedy=f"give --corpus {' or '.join(corpora.NAMES)}")
    ensure_built(name)
    loaded, data = load(model), corpora.load(name)
    side = data.examples.inputs.shape[1]
    if side != loaded.dims.size:  # before anything is measured on them
        raise UsageError(
            f"{name} has pictures of {side} x {side} pixels, and the model draws others, of {loaded.dims.size}",
            remedy="leave out --corpus",
        )
    data = corpora.load(name, tuple(scale.origin or scale.name for scale in metadata.scales))
    thresholds = _thresholds(*bounds, headline_names(metadata.names, bool(data.digits)))
    parts = split(data.examples)
    held_out = parts.valid if part == "valid" else parts.test
    if len(held_out) == 0:
        raise CorpusError(f"{name} holds no image out for {part}", remedy="build it of more images")
    about = {
        "model": loaded.name,
        "digest": loaded.checkpoint.digest,
        "corpus": name,
        "data": data.source,
        "part": part,
    }
    options = EvaluationOptions.quick(seed) if quick else EvaluationOptions(seed)
    result = evaluate_model(
        loaded,
        parts.train,
        held_out,
        options,
        about,
        data.digits_of if data.digits else None,
        lambda section: common.say(f"{section} ..."),
    )
    if as_json:
        _print(result, thresholds)
    else:
        evaluated = f"{result.counts['evaluated']:,} images"
        common.report(f"{loaded.name} ({loaded.checkpoint.digest}) on {name}, {part}: {evaluated} of {data.source}")
        _print_tables(tables(result))
    return _judged(result, thresholds)


# ------------------------------------------------------------------------------------ the measures


@dataclass(frozen=True)
class _Data:
    corpus: str
    train: Examples
    part: Examples
    known: Examples | None  # what the model was trained on, where that is another corpus


def _load(model: Model, corpus: str | None, part: str) -> _Data:
    trained_on = model.metadata.provenance.get("corpus")
    name = corpus or trained_on
    if not name:
        raise UsageError("the model does not say what it was trained on", remedy="give --corpus")
    train, held_out = _split(model, name, part)
    if len(held_out) == 0:
        raise CorpusError(f"{name} holds no tune out for {part}", remedy="name a larger corpus with --corpus")
    if not trained_on:
        common.warn(f"the model does not say what it was trained on: unseen means not in the training part of {name}")
    if trained_on and trained_on != name:
        try:
            return _Data(name, train, held_out, _split(model, trained_on, part)[0])
        except CorpusError:
            common.warn(f"{trained_on}, its training corpus, is not built: unseen is by the training part of {name}")
    return _Data(name, train, held_out, None)


def _split(model: Model, corpus: str, part: str) -> tuple[Examples, Examples]:
    """The same split as `arvae train` makes, of the meters that the model knows."""
    from ..corpora import registry
    from ..music.meter import Meter
    from ..vae.examples import split

    specs = [spec for spec in model.specs if spec.name in model.metadata.carried]
    meters = [Meter.parse(name) for name in model.metadata.meters]
    parts = split(registry.load(corpus).examples(specs, meters))
    held_out: Examples = getattr(parts, part)
    return parts.train, held_out


# ------------------------------------------------------------------------------------ what is shown


def _write_report(path: Path, result: Evaluation, model: Model, overwrite: bool) -> None:
    from ..reports.evaluation_page import page
    from ..system.files import write_whole

    common.say("report ...")
    write_whole(path, page(result, model).encode(), overwrite=overwrite)
    common.say(f"wrote {path}")


def _show(result: Evaluation, thresholds: Sequence[Threshold], *, as_json: bool) -> None:
    if as_json:
        _print(result, thresholds)
        return
    from ..reports.evaluation_tables import tables

    about, counts = result.about, result.counts
    common.report(
        f"{about['model']} ({about['digest']}) on {about['corpus']}, {about['part']}: {counts['evaluated']} distinct "
        f"measures, {counts['unseen']} of them not in training"
    )
    _print_tables(tables(result))


def _print(result: Result, thresholds: Sequence[Threshold]) -> None:
    checked = [
        {**vars(one), "value": result.headline[one.name], "kept": one.kept(result.headline[one.name])}
        for one in thresholds
    ]
    common.print_json({**result.to_json(), "thresholds": checked})


def _print_tables(tables: Sequence[Table]) -> None:
    for table in tables:
        common.report("")
        common.report(_rich(table.title, table.columns, table.rows))
        if table.note:
            common.report(table.note)


def _rich(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    from rich.table import Table

    drawn = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for i, column in enumerate(columns):
        drawn.add_column(column, justify="left" if i == 0 else "right", no_wrap=True)
    for row in rows:
        drawn.add_row(*row)
    return drawn
