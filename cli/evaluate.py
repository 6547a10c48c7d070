"""`arvae evaluate MODEL`: how well a model's sliders work, as a table, JSON, and an HTML report.

    arvae evaluate bach --part test
    arvae evaluate runs/bach --html report.html
    arvae evaluate runs/bach --fail-under control=0.95 --fail-under measures=0.85 --fail-over leakage=0.3
    arvae evaluate mnist --part test

evaluation/ explains the figures (evaluate.py, control.py, metrics.py), and images/evaluation.py those of images.
A threshold names a figure of the headline. If the model fails a threshold, the exit code is 1, and a message after the
table names the threshold. The default part is the validation part: choose and tune on that, and use `test` for the
final report.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import OutputError, UsageError
from ..evaluation.parts import expect_part
from ..system import machine
from .corpus import ensure_built
from .shared import common
from .shared.scaling import Ray

if TYPE_CHECKING:
    from ..evaluation.result import Evaluation
    from ..evaluation.thresholds import Threshold
    from ..images.evaluation import Evaluation as ImageEvaluation

    Result = Evaluation | ImageEvaluation

Name = Annotated[str, typer.Argument(metavar="MODEL", help="A model's name, its file, or a run folder.")]
Corpus = Annotated[str | None, common.corpus_option("A built corpus.  [default: the model's own]")]
Html = Annotated[Path | None, common.in_output("--html", metavar="FILE", help="Write a report with plots.")]

_threshold = partial(typer.Option, metavar="NAME=X", rich_help_panel="Thresholds")
Under = Annotated[
    list[str] | None, _threshold(help="Exit with 1 if this figure, such as control, is lower (repeatable).")
]
Over = Annotated[
    list[str] | None, _threshold(help="Exit with 1 if this figure, such as drift, is higher (repeatable).")
]


def evaluate(
    model: Name,
    corpus: Corpus = None,
    part: common.Part = "valid",
    html: Html = None,
    fail_under: Under = None,
    fail_over: Over = None,
    quick: common.Quick = False,
    runtime: common.Runtime = common.RUNTIME,
    ray: Ray = None,
    seed: common.Seed = 0,
    overwrite: common.Overwrite = False,
    json: common.Json = False,
    quiet: common.Quiet = False,
) -> int:
    """Measure how well a model's sliders work.

    Control is the correlation of requested with achieved values, drift the change of other attributes, and leakage how
    well the latent dimensions without an attribute predict the attributes. Reconstruction and the metrics of the paper
    are measured too.
    """
    expect_part(part)
    if html is not None and html.exists() and not overwrite:
        raise OutputError("exists already", where=str(html), remedy="give --overwrite, or another name with --html")
    machine.patient_threads()
    from .. import assessment
    from ..evaluation.result import Evaluation
    from ..evaluation.thresholds import checked, parse_thresholds
    from ..networks.model import Model
    from ..reports.evaluation_page import need_plots, page
    from ..system.files import write_whole
    from ..vae import checkpoint

    metadata = checkpoint.describe(checkpoint.find(model))
    of_images = metadata.kind == "images"
    if of_images and html is not None:
        raise UsageError("there is no HTML report for models of images", remedy=f"draw them: arvae traverse {model}")
    if html is not None:
        need_plots()
    loaded = assessment.load(model, runtime)
    thresholds = parse_thresholds(fail_under or [], fail_over or [], assessment.figure_names(metadata, corpus))
    if of_images:
        ensure_built(assessment.corpus_of(metadata, corpus))

    def begin(section: str) -> None:
        common.say(f"{section} ...")

    result = assessment.evaluate(
        loaded, corpus, part, seed=seed, quick=quick, ray=ray, progress=begin, warn=common.warn
    )
    if html is not None and isinstance(result, Evaluation) and isinstance(loaded, Model):
        common.say("writing the report ...")
        write_whole(html, page(result, loaded).encode(), overwrite=overwrite)
        common.say(f"wrote {html}")
    if json:
        common.print_json({**result.to_json(), "thresholds": checked(thresholds, result.headline)})
    else:
        _show(result)
    return _judged(result, thresholds)


def _judged(result: Result, thresholds: Sequence[Threshold]) -> int:
    """The exit code, with a message for each threshold that is not kept."""
    broken = [one for one in thresholds if not one.kept(result.headline[one.name])]
    for one in broken:
        common.complain(one.message(result.headline[one.name]))
    return 1 if broken else 0


def _show(result: Result) -> None:
    from .. import assessment

    heading, tables = assessment.tables(result)
    common.report(heading)
    for table in tables:
        common.report("")
        common.report(common.table(table.columns, table.rows, numbers=True, title=table.title))
        if table.note:
            common.report(table.note)
