"""What the commands of `arvae image` share: the PNG files that they read, and how they name and write images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import UsageError
from ...reports.item_report import ItemReport, wrote
from ...system import inputs, outputs
from ...system.outputs import Planned
from ...system.storage import Place
from . import common, completion, placing

if TYPE_CHECKING:
    from ...images.summaries import Row

SUFFIX = ".png"
Pictures = Annotated[
    list[str], typer.Argument(metavar="FILE", help="Grey PNG files, white on black, of the model's size; or globs.")
]
MODEL = "A model's name (arvae models list) or file.  [default: the bundled model for images of this size]"
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="NAME|FILE", help=MODEL, autocompletion=completion.image_models),
]


def expand(arguments: Sequence[str]) -> list[Place]:
    """The inputs. Raises UsageError for one that is not a PNG file."""
    places = inputs.expand_inputs(arguments)
    for place in places:
        if place == "-" or Path(place).suffix.lower() != SUFFIX:
            raise UsageError(f"{place} is not a PNG file", remedy="use arvae edit and arvae interpolate for melodies")
    return places


def plan(requests: Sequence[outputs.Request], writing: common.Writing, *suffixes: str) -> list[Planned]:
    """The planned outputs, which are PNG files or have one of the `suffixes`."""
    template, allowed = f"{{stem}}.{{edit}}{SUFFIX}", (SUFFIX, *suffixes)
    plans = outputs.plan_outputs(requests, writing.output, **writing.existing, template=template, suffixes=allowed)
    placing.refuse_streams(plans, writing)
    return plans


def finish(plan: Planned, image: bytes, lines: Sequence[str], data: Row, writing: common.Writing) -> None:
    """Write the image, unless this is a dry run. Then print `data` as JSON with --json, and otherwise `lines`."""
    if not writing.dry_run:
        plan.write(image)
    about = {**data, "output": None if writing.dry_run else str(plan.place)}
    report = ItemReport([*lines, wrote(plan.place, writing.dry_run)], [about], plan.place == "-")
    placing.show(report, writing.json)
