"""`arvae edit`: move a melody's sliders.

    arvae edit melody.mid --density +1.5                    melody.density+1.5.mid, 1.5 sd more notes
    arvae edit melody.mid --contour =5st --keep rhythm      each measure ends a fourth above where it starts
    arvae edit tunes/ -r --density 1:+0,8:+2 -o denser/     a ramp, for every file of a folder
    arvae edit digit.png --thickness +1.5                   a picture: see pictures.py

Prints, for every attribute asked for or kept, its mean before, asked and achieved over the measures it was
asked of, and how many of them hit it exactly. The file that is written is the original but for the notes of
the measures that changed; where nothing changes it is the original, byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import UsageError
from . import pictures
from .shared import batches, common, placing, sources

if TYPE_CHECKING:
    from ..editing.edit import BarResult, EditRequest, EditResult
    from ..io.midi import Song
    from ..library import Model
    from .shared.placing import Planned

SLIDERS = ("density", "rhythm", "range", "contour", "syncopation", "pitch", "repetition", "steps")  # have an option
_SLIDERS = "Sliders: +1.5 (sd), -2notes, +10%, =8notes, x1.5, 1:+0,8:+2 (a ramp over measures)"
_HOLD = "What stays"
_HOW = "How"
PROPOSALS = 64  # decodes of a measure
LISTED = 12  # measures named in the report, at most


_slider = partial(common.slider, _SLIDERS)
Rhythm = Annotated[str | None, _slider("rhythm", "Rhythmic complexity (unit: pt).")]
Range = Annotated[str | None, _slider("range", "Highest minus lowest pitch (unit: st).")]
Density = Annotated[str | None, _slider("density", "Notes in a measure (unit: notes).")]
Contour = Annotated[str | None, _slider("contour", "Last minus first pitch (unit: st).")]
Syncopation = Annotated[str | None, _slider("syncopation", "Notes held over strong ticks (unit: levels).")]
Pitch = Annotated[str | None, _slider("pitch", "Mean pitch (unit: st).")]
Repetition = Annotated[str | None, _slider("repetition", "Share of repeated notes (unit: pt).")]
Steps = Annotated[str | None, _slider("steps", "Share of stepwise intervals (unit: pt).")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=TARGET", help="Any attribute that the model knows.", rich_help_panel=_SLIDERS),
]
Bars = Annotated[
    str | None, typer.Option(metavar="1-4,7,12-", help="Only these measures.  [default: all]", rich_help_panel=_HOLD)
]
Keep = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="An attribute that must not move (repeatable).", rich_help_panel=_HOLD),
]
Lock = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME", help="onsets, pitches, key, range, first, last (repeatable, or a,b).", rich_help_panel=_HOLD
    ),
]
Strength = Annotated[
    float, typer.Option(metavar="SHARE", help="Most of a measure's ticks that may change.", rich_help_panel=_HOLD)
]
Form = Annotated[
    bool,
    typer.Option("--form/--no-form", help="Edit measures that are the same in the same way.", rich_help_panel=_HOLD),
]
Mode = Annotated[
    str,
    typer.Option(
        metavar="MODE",
        help="guided meets the request; latent is the paper's bare traversal, one decode.",
        rich_help_panel=_HOW,
    ),
]
Proposals = Annotated[int, typer.Option(min=0, help="Decodes tried for a measure.", rich_help_panel=_HOW)]
Roll = Annotated[
    bool,
    typer.Option("--roll", help="Write a before/after piano roll (SVG) beside each output.", rich_help_panel="Output"),
]


def edit(
    ctx: typer.Context,
    files: common.Inputs,
    density: Density = None,
    rhythm: Rhythm = None,
    range_: Range = None,
    contour: Contour = None,
    syncopation: Syncopation = None,
    pitch: Pitch = None,
    repetition: Repetition = None,
    steps: Steps = None,
    set_: Set = None,
    area: pictures.Area = None,
    length: pictures.Length = None,
    thickness: pictures.Thickness = None,
    slant: pictures.Slant = None,
    width: pictures.Width = None,
    height: pictures.Height = None,
    shape: pictures.Shape = None,
    scale: pictures.Scale = None,
    orientation: pictures.Orientation = None,
    x: pictures.X = None,
    y: pictures.Y = None,
    bars: Bars = None,
    keep: Keep = None,
    lock: Lock = None,
    strength: Strength = 1.0,
    form: Form = True,
    mode: Mode = "guided",
    proposals: Proposals = PROPOSALS,
    model: common.Model = None,
    runtime: common.Runtime = common.RUNTIME,
    seed: common.Seed = 0,
    recursive: common.Recursive = False,
    track: common.Track = None,
    channel: common.Channel = None,
    pickup: common.Pickup = None,
    output: common.Output = None,
    overwrite: common.Overwrite = False,
    skip_existing: common.SkipExisting = False,
    jobs: common.Jobs = None,
    roll: Roll = False,
    dry_run: common.DryRun = False,
    json: common.Json = False,
    quiet: common.Quiet = False,
) -> int:
    """Move a melody's sliders: the same tune, only denser, wider, calmer. Or a picture's."""
    named = (density, rhythm, range_, contour, syncopation, pitch, repetition, steps)
    drawn = (area, length, thickness, slant, width, height, shape, scale, orientation, x, y)
    sliders = chosen(named, set_) | given(pictures.SLIDERS, drawn)
    if not sliders:
        raise UsageError("nothing to change", remedy="give a slider, for instance --density +1.5")
    places = sources.expand_inputs(files, recursive=recursive)
    if pictures.are_pictures(places):
        pictures.refuse(
            ctx, "bars", "lock", "strength", "form", "proposals", "runtime", "track", "channel", "pickup", "roll"
        )
        return pictures.edit(
            places,
            sliders,
            keep=split_names(keep),
            mode=mode,
            model=common.on_line(ctx, "model", model),
            seed=seed,
            output=common.on_line(ctx, "output", output),
            overwrite=overwrite,
            skip_existing=skip_existing,
            jobs=jobs,
            dry_run=dry_run,
            json=json,
        )
    trained = sources.load_model(model, runtime=runtime)
    request = trained.request(
        dict(sliders),
        keep=split_names(keep),
        lock=lock or [],
        bars=bars,
        mode=mode,  # type: ignore[arg-type]  # the library checks it and names the modes
        form=form,
        strength=strength,
        proposals=proposals,
        seed=seed,
    )
    label = placing.label(request.targets)
    requests = [
        placing.Request(place, label, seed, n, sources.below(place, files)) for n, place in enumerate(places, 1)
    ]
    plans = placing.plan_outputs(requests, output, overwrite=overwrite, skip_existing=skip_existing)
    if json and not dry_run:
        placing.refuse_json(plans)
    reading = {"track": track, "channel": channel, "pickup": pickup}
    work = _Work(model, runtime, request, reading, roll=roll, dry_run=dry_run, json=json)
    return batches.run_told(plans, work, jobs, json=json)


def chosen(named: Sequence[str | None], pairs: Sequence[str] | None) -> dict[str, str]:
    """Name -> target: the options of SLIDERS that were given, in that order, and those of --set."""
    options, assigned = given(SLIDERS, named), assignments(pairs or [])
    both = sorted(set(options) & set(assigned))
    if both:
        raise UsageError(f"{both[0]} is given twice, by --set and by its own option", remedy="leave out one of the two")
    return options | assigned


def given(names: Sequence[str], values: Sequence[str | None]) -> dict[str, str]:
    return {name: target for name, target in zip(names, values, strict=True) if target is not None}


def assignments(pairs: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, target = pair.partition("=")
        if not equals or not name or not target:
            raise UsageError(f"--set {pair!r} is not NAME=TARGET", remedy="write --set density=+1.5")
        found[name] = target
    return found


def split_names(values: Sequence[str] | None) -> list[str]:
    return [part.strip() for value in values or [] for part in value.split(",") if part.strip()]


@dataclass(frozen=True)
class _Work:
    """One command's work on each file, in whatever process."""

    model: str | None
    runtime: str
    request: EditRequest
    reading: dict[str, Any]
    roll: bool
    dry_run: bool
    json: bool

    def __call__(self, plan: Planned) -> batches.Told | Literal[False]:
        from ..editing.edit import edit as edit_melody

        if plan.skip:
            return False
        song = sources.read_song(plan.request.source, **self.reading)
        model, title = sources.model_for(self.model, song.melody, self.runtime)
        result = edit_melody(song.melody, self.request, model)
        sources.expect_editable(song, result)
        if not self.dry_run:
            placing.write_output(plan, song.write(result.melody.rows))
            if self.roll and plan.place != "-":
                self._draw(plan, song, result)
        data = as_json(plan, song, result, self.request, model, self.dry_run) if self.json else {}
        return batches.Told(self._lines(plan, song, result, model, title), data, plan.place == "-")

    def _draw(self, plan: Planned, song: Song, result: EditResult) -> None:
        from ..reports.piano_roll import svg
        from ..system.files import write_whole

        picture = svg(song.melody, result.melody, title=song.melody.name, caption=placing.label(self.request.targets))
        write_whole(Path(plan.place).with_suffix(".svg"), picture.encode(), overwrite=plan.overwrite)

    def _lines(self, plan: Planned, song: Song, result: EditResult, model: Model, title: str) -> list[str]:
        wrote = "would write" if self.dry_run else "wrote"
        return [
            f"{song.name}: {song.found.why}",
            *(f"  {line}" for line in summary(result, self.request, model, title)),
            f"  {wrote} {'stdout' if plan.place == '-' else plan.place}",
        ]


# ------------------------------------------------------------------------------------------ reports


def summary(result: EditResult, request: EditRequest, model: Model, title: str | None = None) -> list[str]:
    """The report's lines: a table of attributes, then what could not be done. `title` is what to call the model."""
    from ..reports.manifest import attribute_rows

    lines = [f"{'':11} {'before':>9} {'asked':>9} {'achieved':>9}  {'':6} exact in"]
    for row in attribute_rows(result, request.targets, request.keep, model):
        asked = "" if row["asked"] is None else f"{row['asked']:9.3g}"
        hits = "" if row["asked"] is None else f"{row['hits']} of {row['measures']} measures"
        lines.append(
            f"{row['name']:11} {row['before']:9.3g} {asked:>9} {row['achieved']:9.3g}  {row['unit']:6} {hits}".rstrip()
        )
    changed = sum(bar.changed for bar in result.bars)
    lines.append(f"{changed} of {len(result.bars)} measures changed; seed {request.seed}; model {title or model.name}")
    for reason, count in result.skipped.items():
        lines.append(f"{count} measure{'s' if count > 1 else ''} left alone: {reason}")
    beyond = [bar for bar in result.bars if bar.clamped.any()]
    if beyond:
        lines.append(f"asked for what no measure of the corpus has, and given the nearest: {_numbers(beyond)}")
    small = [bar for bar in result.bars if bar.short.any()]
    if small:
        lines.append(f"asked for less than half a step, and left as it was: {_numbers(small)}")
    missed = [bar for bar in result.bars if not bar.hit]
    if missed:
        lines.append(f"nearest value found, not exact: {_numbers(missed)}")
    return lines


def _numbers(bars: Sequence[BarResult]) -> str:
    shown = ", ".join(str(bar.number) for bar in bars[:LISTED])
    rest = f" and {len(bars) - LISTED} more" if len(bars) > LISTED else ""
    return f"measure{'s' if len(bars) > 1 else ''} {shown}{rest}"


def as_json(
    plan: Planned, song: Song, result: EditResult, request: EditRequest, model: Model, dry_run: bool
) -> dict[str, Any]:
    from ..music.sliders import to_json
    from ..reports.manifest import attribute_rows

    return {
        "input": str(plan.request.source),
        "output": None if dry_run else str(plan.place),
        "targets": to_json(dict(request.targets)),
        "keep": sorted(request.keep),
        "lock": sorted(request.locks),
        "mode": request.mode,
        "seed": request.seed,
        "model": {"name": model.name, "digest": model.checkpoint.digest},
        "melody": song.found,
        "attributes": attribute_rows(result, request.targets, request.keep, model),
        "measures": [_bar_json(bar, result, model) for bar in result.bars],
        "skipped": dict(result.skipped),
    }


def _bar_json(bar: BarResult, result: EditResult, model: Model) -> dict[str, Any]:
    attributes = {}
    for k, name in enumerate(result.names):
        size = model.specs[model.metadata.names.index(name)].unit.size(bar.meter)
        parts = ("before", "asked", "wanted", "achieved")
        attributes[name] = {part: float(getattr(bar, part)[k]) / size for part in parts}
    return {
        "number": bar.number,
        "meter": bar.meter.name,
        "changed": bar.changed,
        "hit": bool(bar.exact.all()),
        "clamped": bool(bar.clamped.any()),
        "attributes": attributes,
    }
