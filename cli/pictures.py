"""The commands on pictures: `arvae edit` and `arvae interpolate` of PNG files, and `arvae traverse`.

    arvae edit digit.png --thickness +1.5                digit.thickness+1.5.png
    arvae interpolate a.png b.png                        a-b.9-steps.png, a strip; -o way.gif is a GIF, there and back
    arvae traverse mnist                                 mnist.traverse.png: attributes by steps

Names of outputs, what is never replaced, exit codes, --json and --dry-run are those of melodies (placing.py). Without
--model the packaged model is taken that draws pictures of the file's size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import InputError, UsageError
from .shared import batches, common, placing
from .shared.batches import Told
from .shared.placing import Planned
from .shared.sources import Place

if TYPE_CHECKING:
    from ..arrays import Bytes
    from ..images.edit import ImageResult, Traversal
    from ..images.model import ImageModel
    from ..music.sliders import Target

SUFFIX, GIF = ".png", ".gif"
SLIDERS = (  # have an option of `arvae edit`
    "area", "length", "thickness", "slant", "width", "height", "shape", "scale", "orientation", "x", "y",
)  # fmt: skip
PANEL = "Sliders of pictures (PNG)"
STEPS = 9

Source = Annotated[str, typer.Argument(metavar="MODEL", help="A model of images: its name, its file, or a run folder.")]
Picture = Annotated[
    Path | None,
    typer.Option("--image", metavar="FILE", help="Start from this picture.  [default: one drawn with --seed]"),
]
Steps = Annotated[int, typer.Option(min=2, metavar="N", help="Pictures of each attribute.")]


slider = partial(common.slider, PANEL)
Area = Annotated[str | None, slider("area", "Digits: pixels of the stroke (unit: px).")]
Length = Annotated[str | None, slider("length", "Digits: length of the stroke (unit: px).")]
Thickness = Annotated[str | None, slider("thickness", "Digits: thickness of the stroke (unit: px).")]
Slant = Annotated[str | None, slider("slant", "Digits: leaning to the right (unit: deg).")]
Width = Annotated[str | None, slider("width", "Digits: width (unit: px).")]
Height = Annotated[str | None, slider("height", "Digits: height (unit: px).")]
Shape = Annotated[str | None, slider("shape", "Sprites: =1raw square, =2raw ellipse, =3raw heart.")]
Scale = Annotated[str | None, slider("scale", "Sprites: size (unit: pt).")]
Orientation = Annotated[str | None, slider("orientation", "Sprites: angle (unit: deg).")]
X = Annotated[str | None, slider("x", "Sprites: place from the left (unit: px).")]
Y = Annotated[str | None, slider("y", "Sprites: place from the top (unit: px).")]


def are_pictures(places: Sequence[Place]) -> bool:
    """Whether the inputs are PNG files. Raises UsageError where some are and some are not."""
    pictures = [place != "-" and Path(place).suffix.lower() == SUFFIX for place in places]
    if any(pictures) and not all(pictures):
        other = places[pictures.index(False)]
        raise UsageError(f"{other} is no picture, and others are", remedy="give melodies and pictures apart")
    return bool(pictures) and all(pictures)


def refuse(ctx: typer.Context, *names: str) -> None:
    """Raises UsageError for options of melodies that stand on the line; what the settings say of them does no harm."""
    found = [f"--{name}" for name in names if common.on_line(ctx, name, True)]
    if found:
        raise UsageError(f"{', '.join(found)}: of melodies, and these are pictures", remedy="leave it out")


@lru_cache(maxsize=4)
def load_model(name: str | None, size: int) -> ImageModel:
    """The model that --model says; else the packaged one that draws pictures of this size. Raises CheckpointError,
    InputError where none does."""
    from ..images.model import load
    from ..vae import checkpoint

    if name is not None and name != "auto":
        return load(name)
    known = {one: checkpoint.describe(checkpoint.find(one)).dims["size"] for one in checkpoint.packaged_names("images")}
    fitting = [one for one, side in known.items() if side == size]
    if not fitting:
        sides = " or ".join(f"{side} x {side} ({one})" for one, side in known.items()) or "none"
        raise InputError(
            f"no model draws pictures of this size; they draw {sides} pixels", remedy="scale it, or give --model"
        )
    return load(fitting[0])


# ------------------------------------------------------------------------------------------ edit


def edit(
    places: Sequence[Place],
    sliders: Mapping[str, str],
    *,
    keep: Sequence[str],
    mode: str,
    model: str | None,
    seed: int,
    output: str | None,
    overwrite: bool,
    skip_existing: bool,
    jobs: int | None,
    dry_run: bool,
    json: bool,
) -> int:
    from ..images.edit import MODES, targets_of

    if mode not in MODES:
        raise UsageError(f"there is no mode {mode!r}", remedy=f"give {' or '.join(MODES)}")
    trained = load_model(model, _size(places[0]))
    targets = targets_of(dict(sliders), trained)
    kept = tuple(trained.metadata.scale(name).name for name in keep)
    label = placing.label(targets)
    plans = _plan([placing.Request(place, label, seed) for place in places], output, overwrite, skip_existing)
    work = _Edit(model, targets, kept, "latent" if mode == "latent" else "guided", seed, dry_run)
    return batches.run_told(plans, work, jobs, json=json)


def _size(place: Place) -> int:
    from ..images.pictures import size_of

    return size_of(Path(place), str(place))


def _plan(
    requests: Sequence[placing.Request], output: str | None, overwrite: bool, skip_existing: bool, *suffixes: str
) -> list[Planned]:
    plans = placing.plan_outputs(
        requests, output, overwrite=overwrite, skip_existing=skip_existing, template=f"{{stem}}.{{edit}}{SUFFIX}",
        suffixes=(SUFFIX, *suffixes),
    )  # fmt: skip
    return plans


@dataclass(frozen=True)
class _Edit:
    """One command's work on each picture, in whatever process."""

    model: str | None
    targets: Mapping[str, Target]
    keep: tuple[str, ...]
    mode: Literal["guided", "latent"]
    seed: int
    dry_run: bool

    def __call__(self, plan: Planned) -> Told | Literal[False]:
        from ..images.edit import edit as edit_picture
        from ..images.pictures import png, read

        if plan.skip:
            return False
        name = str(plan.request.source)
        model = load_model(self.model, _size(plan.request.source))
        picture = read(Path(plan.request.source), name, model.dims.size)
        result = edit_picture(picture, self.targets, model, self.keep, self.mode, self.seed)
        if not self.dry_run:
            data = png(result.image) if result.changed else Path(plan.request.source).read_bytes()
            placing.write_output(plan, data)
        found = rows(result, model)
        lines = self._lines(plan, result, found, model.name)
        return Told(lines, self._json(plan, result, found, model), plan.place == "-")

    def _lines(self, plan: Planned, result: ImageResult, found: list[dict[str, Any]], model: str) -> list[str]:
        wrote = "would write" if self.dry_run else "wrote"
        lines = [f"{plan.request.source}:", f"  {'':11} {'before':>9} {'asked':>9} {'achieved':>9}"]
        for row in found:
            asked = "" if row["asked"] is None else f"{row['asked']:9.4g}"
            met = "" if row["asked"] is None else ("met" if row["met"] else "nearest found")
            numbers = f"{row['before']:9.4g} {asked:>9} {row['achieved']:9.4g}"
            lines.append(f"  {row['name']:11} {numbers}  {row['unit']:4} {met}".rstrip())
        if any(row["clamped"] for row in found):
            lines.append("  asked for more than a picture of the corpus has, and clamped")
        told = "" if result.changed else "not changed; "
        lines.append(f"  {told}model {model}, seed {self.seed}")
        return [*lines, f"  {wrote} {'stdout' if plan.place == '-' else plan.place}"]

    def _json(
        self, plan: Planned, result: ImageResult, found: list[dict[str, Any]], model: ImageModel
    ) -> dict[str, Any]:
        return {
            "input": str(plan.request.source),
            "output": None if self.dry_run else str(plan.place),
            "targets": {name: str(target) for name, target in self.targets.items()},
            "keep": list(self.keep),
            "mode": self.mode,
            "seed": self.seed,
            "model": {"name": model.name, "digest": model.checkpoint.digest},
            "changed": result.changed,
            "attributes": found,
        }


def rows(result: ImageResult, model: ImageModel) -> list[dict[str, Any]]:
    """A row an attribute, in its own unit."""
    from ..images.edit import unit_of

    found = []
    for k, spec in enumerate(model.specs):
        size = unit_of(spec)
        asked, wanted = float(result.asked[k]), float(result.wanted[k])
        found.append(
            {
                "name": spec.name,
                "unit": spec.unit.names[0],
                "before": float(result.before[k]) / size,
                "asked": None if asked != asked else asked / size,
                "achieved": float(result.achieved[k]) / size,
                "clamped": asked == asked and abs(asked - wanted) > 1e-9,
                "met": bool(result.met[k]),
            }
        )
    return found


# ------------------------------------------------------------------------------------------ interpolate


def interpolate(
    places: Sequence[Place],
    steps: int,
    *,
    model: str | None,
    seed: int,
    output: str | None,
    overwrite: bool,
    skip_existing: bool,
    dry_run: bool,
    json: bool,
) -> int:
    from ..images.edit import between
    from ..images.pictures import gif, png, read, strip

    stem = "-".join(Path(place).stem for place in places)
    source = Path(places[0]).with_name(f"{placing.safe_name(stem)}{SUFFIX}")
    plan = _plan([placing.Request(source, f"{steps}-steps", seed)], output, overwrite, skip_existing, GIF)[0]
    if plan.skip:
        common.say(f"{plan.place}: skipped")
        return 0
    trained = load_model(model, _size(places[0]))
    pictures = [read(Path(place), str(place), trained.dims.size) for place in places]
    path = between(pictures, trained, steps)
    if not dry_run:
        moving = plan.place != "-" and Path(plan.place).suffix.lower() == GIF
        placing.write_output(plan, gif(path) if moving else png(strip(path)))
    if json:
        values = trained.measure(_stacked(path))
        about = {"inputs": [str(place) for place in places], "output": None if dry_run else str(plan.place)}
        measured = dict(zip(trained.metadata.names, values.T, strict=True))
        common.print_json({**about, "steps": len(path), "model": trained.name, "attributes": measured})
        return 0
    tell = common.say if plan.place == "-" else common.report
    wrote = "would write" if dry_run else "wrote"
    tell(f"{len(path)} pictures, model {trained.name}\n{wrote} {'stdout' if plan.place == '-' else plan.place}")
    return 0


def _stacked(path: Sequence[Bytes]) -> Bytes:
    import numpy

    return numpy.stack(path)


# ------------------------------------------------------------------------------------------ traverse


def traverse(
    model: Source,
    image: Picture = None,
    steps: Steps = STEPS,
    seed: common.Seed = 0,
    output: common.Output = None,
    overwrite: common.Overwrite = False,
    skip_existing: common.SkipExisting = False,
    dry_run: common.DryRun = False,
    json: common.Json = False,
    quiet: common.Quiet = False,
) -> int:
    """Draw a model of images: a row an attribute, its code moved through the corpus's values, all else held."""
    from ..images.edit import start, traversal
    from ..images.model import load
    from ..images.pictures import grid, png, read

    trained = load(model)
    source = Path(f"{placing.safe_name(trained.name)}{SUFFIX}") if image is None else image
    plan = _plan([placing.Request(source, "traverse", seed)], output, overwrite, skip_existing)[0]
    if plan.skip:
        common.say(f"{plan.place}: skipped")
        return 0
    picture = None if image is None else read(image, str(image), trained.dims.size)
    z = start(trained, seed) if picture is None else trained.encode(picture[None])[0]
    found = traversal(z, trained, steps)
    if not dry_run:
        drawn = grid([list(one.pictures) for one in found], [one.name for one in found])
        placing.write_output(plan, png(drawn))
    if json:
        common.print_json(
            {"model": trained.name, "output": None if dry_run else plan.place, "traversals": _told(found)}
        )
        return 0
    tell = common.say if plan.place == "-" else common.report
    tell("\n".join([*_lines(found, trained), f"{'would write' if dry_run else 'wrote'} {plan.place}"]))
    return 0


def _told(found: Sequence[Traversal]) -> list[dict[str, Any]]:
    return [{"name": one.name, "requested": one.requested, "realised": one.realised} for one in found]


def _lines(found: Sequence[Traversal], model: ImageModel) -> list[str]:
    from ..images.edit import unit_of
    from ..vae.statistics import spearman

    lines = [f"{'':11} {'asked from':>10} {'to':>8} {'drawn from':>11} {'to':>8}  {'':4} rank correlation"]
    for one, spec in zip(found, model.specs, strict=True):
        size = unit_of(spec)
        asked = f"{one.requested[0] / size:10.4g} {one.requested[-1] / size:8.4g}"
        drawn = f"{one.realised[0] / size:11.4g} {one.realised[-1] / size:8.4g}"
        rho = spearman(one.requested, one.realised)
        lines.append(f"{one.name:11} {asked} {drawn}  {spec.unit.names[0]:4} {rho:.3f}")
    return lines
