"""`arvae image`: the sliders of an image model, for PNG files of handwritten digits and of sprites.

Names of outputs, overwriting, exit codes, --json and --dry-run work as for melodies (shared/placing.py). Without
--model, the commands use the bundled model for images of the file's size.
"""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from ..system import outputs
from ..system.executors import chosen
from .shared import batches, common, completion, pictures
from .shared.sliders import ImageSliders, Set, targets_from

GIF = ".gif"
TRAVERSAL_STEPS, INTERPOLATION_STEPS = 9, 8  # the default numbers of images

image_app = typer.Typer(no_args_is_help=True, help="Edit, interpolate and traverse images: digits and sprites.")

Source = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="An image model: its name, its file, or a run folder.",
        autocompletion=completion.image_models,
    ),
]
Start = Annotated[
    Path | None,
    typer.Option("--image", metavar="FILE", help="Start from this image.  [default: an image drawn with --seed]"),
]
TraversalSteps = Annotated[int, typer.Option(min=2, metavar="N", help="Images for each attribute.")]
InterpolationSteps = Annotated[
    int, typer.Option("--steps", min=3, metavar="N", help="Images from each input to the next, including both.")
]

EXAMPLES = {
    "edit": (
        ("arvae image edit digit.png --thickness +1.5", "1.5 sd thicker: digit.thickness+1.5.png"),
        ("arvae image edit digit.png --slant -10deg --keep area", "10 degrees to the left, with the same area"),
    ),
    "interpolate": (
        ("arvae image interpolate a.png b.png", "a row of images in one file: a-b.8-steps.png"),
        ("arvae image interpolate a.png b.png -o way.gif", "an animation that runs from a to b and back"),
    ),
    "traverse": (("arvae image traverse mnist", "one row for each attribute: mnist.traverse.png"),),
}


@image_app.command()
def edit(
    ctx: typer.Context,
    files: pictures.Pictures,
    *,
    sliders: ImageSliders,
    set_: Set = None,
    keep: common.Keep = None,
    mode: common.Mode = "guided",
    model: pictures.Model = None,
    seed: common.Seed = 0,
    jobs: common.Jobs = None,
    writing: common.Writing,
) -> int:
    """Move the sliders of images. A TARGET is written as for melodies (arvae edit --help)."""
    from ..images.edit import MODES, targets_of
    from ..images.files import EditImages, model_for

    wanted = targets_from(sliders, set_)
    if not wanted:
        raise UsageError("there is nothing to change", remedy="give a slider, for instance --thickness +1.5")
    places = pictures.expand(files)
    if mode not in MODES:
        raise UsageError(f"there is no mode {mode!r}", remedy=f"give {' or '.join(MODES)}")
    name = common.on_line(ctx, "model", model)  # the settings name a model of melodies
    trained = model_for(name, places[0])
    targets = targets_of(wanted, trained)
    kept = tuple(trained.metadata.scale(one).name for one in common.split_names(keep))
    requests = [outputs.Request(place, outputs.label(targets), seed) for place in places]
    plans = pictures.plan(requests, writing)
    work = EditImages(name, targets, kept, mode, seed, writing.dry_run)
    executor = chosen(1 if any(plan.uses_streams for plan in plans) else jobs, len(plans))
    return batches.run_and_report(plans, work, executor, name=attrgetter("source"), json=writing.json)


@image_app.command()
def interpolate(
    ctx: typer.Context,
    files: pictures.Pictures,
    *,
    steps: InterpolationSteps = INTERPOLATION_STEPS,
    model: pictures.Model = None,
    seed: common.Seed = 0,
    writing: common.Writing,
) -> int:
    """Draw the images between two or more images, in a row (PNG) or as an animation (GIF)."""
    from ..images.edit import between
    from ..images.files import model_for
    from ..images.pictures import gif, png, read, strip
    from ..images.summaries import interpolation_json

    places = [Path(place) for argument in files for place in pictures.expand([argument])]  # an image may come again
    if len(places) < 2:
        raise UsageError("one image cannot be interpolated", remedy="name two or more")
    stem = outputs.safe_name("-".join(place.stem for place in places))
    request = outputs.Request(places[0].with_name(f"{stem}{pictures.SUFFIX}"), f"{steps}-steps", seed)
    plan = pictures.plan([request], writing, GIF)[0]
    if plan.skip:
        common.say(f"{plan.place}: skipped")
        return 0
    trained = model_for(common.on_line(ctx, "model", model), places[0])
    path = between([read(place, str(place), trained.dims.size) for place in places], trained, steps)
    moving = plan.place != "-" and Path(plan.place).suffix.lower() == GIF
    found = interpolation_json(path, trained) if writing.json else {}  # measures all images
    data = {"inputs": [str(place) for place in places], **found}
    lines = [f"{len(path)} images; model {trained.name}"]
    pictures.finish(plan, gif(path) if moving else png(strip(path)), lines, data, writing)
    return 0


@image_app.command()
def traverse(
    model: Source,
    *,
    image: Start = None,
    steps: TraversalSteps = TRAVERSAL_STEPS,
    seed: common.Seed = 0,
    writing: common.Writing,
) -> int:
    """Draw a grid of images. In each row, one attribute runs through the values of the corpus."""
    from ..images.edit import start, traversal
    from ..images.model import load
    from ..images.pictures import grid, png, read
    from ..images.summaries import traversal_json, traversal_lines

    trained = load(model)
    source = Path(f"{outputs.safe_name(trained.name)}{pictures.SUFFIX}") if image is None else image
    plan = pictures.plan([outputs.Request(source, "traverse", seed)], writing)[0]
    if plan.skip:
        common.say(f"{plan.place}: skipped")
        return 0
    picture = None if image is None else read(image, str(image), trained.dims.size)
    z = start(trained, seed) if picture is None else trained.encode(picture[None])[0]
    found = traversal(z, trained, steps)
    drawn = png(grid([list(one.pictures) for one in found], [one.name for one in found]))
    pictures.finish(plan, drawn, traversal_lines(found, trained), traversal_json(found, trained), writing)
    return 0
