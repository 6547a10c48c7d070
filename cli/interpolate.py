"""`arvae interpolate`: the melodies between melodies.

    arvae interpolate a.mid b.mid                   a-b.steps/a-b.01.mid ... 08.mid, and a contact sheet
    arvae interpolate a.mid b.mid --steps 16 --one  a-b.mid: one long file, step after step
    arvae interpolate a.mid b.mid c.mid             from a to b, and on from b to c
    arvae interpolate a.mid b.mid --bars 1-8        the first eight measures of each
    arvae interpolate a.png b.png -o way.gif        pictures, as a strip or a GIF: see pictures.py

The first and the last step are the inputs, note for note; --steps counts both. Every step is a new file of one
track with the tempo, the meter and the instrument of the first input: its other tracks would not go with the second
melody. How loud it is goes from one input's median velocity to the next one's. Notes stand on the grid, as written; a
pickup and an incomplete last measure are filled up with rests. How measures, lengths and keys are matched, and what is
refused, is said in `arvae_music.interpolate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from . import edit, pictures
from .shared import common, placing, sources
from .shared.placing import Planned
from .shared.sources import Place
from .vary import earlier_rows

if TYPE_CHECKING:
    from ..io.midi import Song
    from ..library import Model
    from ..music.melody import Melody
    from ..reports.manifest import Row
    from ..results import Interpolation

STEPS = 8
NAMED = 3  # inputs in the outputs' name

Steps = Annotated[
    int,
    typer.Option(min=3, metavar="N", help="Melodies from each input to the next, both included."),
]
One = Annotated[
    bool, typer.Option("--one", help="One long file, step after step, in place of a folder.", rich_help_panel="Output")
]


def interpolate(
    ctx: typer.Context,
    files: common.Inputs,
    steps: Steps = STEPS,
    bars: Annotated[str | None, typer.Option(metavar="1-4,7", help="Only these measures of each input.")] = None,
    form: edit.Form = True,
    model: common.Model = None,
    runtime: common.Runtime = common.RUNTIME,
    seed: common.Seed = 0,
    track: common.Track = None,
    channel: common.Channel = None,
    pickup: common.Pickup = None,
    one: One = False,
    output: common.Output = None,
    overwrite: common.Overwrite = False,
    skip_existing: common.SkipExisting = False,
    dry_run: common.DryRun = False,
    json: common.Json = False,
    quiet: common.Quiet = False,
) -> int:
    """Write the melodies that lie between two, or among several, in order."""
    sources.expand_inputs(files)  # names all that are missing at once
    places = [place for argument in files for place in sources.expand_inputs([argument])]  # a melody may come again
    if len(places) < 2:
        raise UsageError("one melody cannot be interpolated", remedy="name two or more")
    if pictures.are_pictures(places):
        pictures.refuse(ctx, "bars", "form", "one", "runtime", "track", "channel", "pickup")
        return pictures.interpolate(
            places,
            steps,
            model=common.on_line(ctx, "model", model),
            seed=seed,
            output=common.on_line(ctx, "output", output),
            overwrite=overwrite,
            skip_existing=skip_existing,
            dry_run=dry_run,
            json=json,
        )
    plans = _plan(places, steps, seed, output, one, overwrite=overwrite, skip_existing=skip_existing)
    if json and not dry_run:
        placing.refuse_json(plans)
    if all(plan.skip for plan in plans):
        common.say(f"{plans[0].place}: skipped")
        return 0
    songs = [sources.read_song(place, track=track, channel=channel, pickup=pickup) for place in places]
    trained, title = sources.model_for(model, songs[0].melody, runtime)
    path = trained.interpolate([_chosen(song, bars) for song in songs], steps, form=form, seed=seed)
    rows = _rows(path, plans, places, trained, seed, one)
    if not dry_run:
        _write(path, plans, rows, songs, one)
    _report(songs, path, plans, rows, title, dry_run=dry_run, json=json)
    return 0


def _chosen(song: Song, bars: str | None) -> Melody:
    from ..editing.interpolate import excerpt
    from ..music.sliders import numbers_in

    melody = replace(song.whole(), name=song.name)
    if bars is None:
        return melody
    part = excerpt(melody, numbers_in(bars))
    first = 0 if part.bars[0].number == 0 else 1
    return replace(part, bars=tuple(replace(bar, number=first + i) for i, bar in enumerate(part.bars)))


def _plan(
    places: Sequence[Place],
    steps: int,
    seed: int,
    output: str | None,
    one: bool,
    *,
    overwrite: bool,
    skip_existing: bool,
) -> list[Planned]:
    """The one file's place, or every step's. The name is the inputs' names."""
    stems = ["stdin" if place == "-" else Path(place).stem for place in places]
    name = "-".join(stems[:NAMED]) + (f"-and-{len(stems) - NAMED}-more" if len(stems) > NAMED else "")
    source = Path(name) if places[0] == "-" else Path(places[0]).parent / name
    count = 1 if one else (len(places) - 1) * (steps - 1) + 1
    requests = [placing.Request(source.with_name(f"{name}.mid"), f"{steps}-steps", seed, n + 1) for n in range(count)]
    if not one:
        if output == "-":
            raise UsageError("many files cannot go to stdout", remedy="give --one, or a folder with -o")
        folder = f"{source}.steps/" if output is None else output
        output = folder if "{" in folder or folder.endswith("/") else f"{folder}/"
    elif output is None:
        output = str(source.with_name(f"{name}.{{edit}}.mid"))
    template = "{stem}.{edit}.mid" if one else "{stem}.{n:02}.mid"
    plans = placing.plan_outputs(requests, output, overwrite=overwrite, skip_existing=skip_existing, template=template)
    if not one:
        earlier_rows(Path(plans[0].place).parent, overwrite=overwrite, skip_existing=skip_existing)
    return plans


# ------------------------------------------------------------------------------------------ files


def _write(
    path: Interpolation, plans: Sequence[Planned], rows: Sequence[Row], songs: Sequence[Song], one: bool
) -> None:
    """The MIDI files; beside several a manifest and a contact sheet."""
    look: dict[str, Any] = {"tempo": songs[0].tempo, "program": songs[0].found.program or 0}
    steps = list(zip(path.melodies, _velocities(path, songs), strict=True))
    for plan, content in zip(plans, [steps] if one else [[step] for step in steps], strict=True):
        if not plan.skip:
            placing.write_output(plan, _midi(content, look))
    if not one:
        _conclude(path, plans, rows, round(songs[0].tempo, 2))


def _velocities(path: Interpolation, songs: Sequence[Song]) -> list[int]:
    """Every step's, on the line between the inputs around it."""
    import numpy as np

    line = np.interp(range(len(path.melodies)), path.ends, [song.velocity for song in songs])
    return [round(velocity) for velocity in line.tolist()]


def _midi(steps: Sequence[tuple[Melody, int]], look: dict[str, Any]) -> bytes:
    """Melodies with their velocities, one after another."""
    from ..io.midi import new_midi

    bars = [(melody, velocity, bar) for melody, velocity in steps for bar in melody.bars]
    return new_midi(
        [bar.tokens for _, _, bar in bars],
        [bar.meter for _, _, bar in bars if bar.meter is not None],
        shift=[melody.shift for melody, _, _ in bars],
        fifths=[melody.fifths for melody, _, _ in bars],
        velocity=[velocity for _, velocity, _ in bars],
        signatures=[bar.signature for _, _, bar in bars],
        **look,
    )


def _conclude(path: Interpolation, plans: Sequence[Planned], rows: Sequence[Row], tempo: float) -> None:
    from ..reports.contact_sheet import NAME, make_card, page
    from ..reports.manifest import CSV_NAME, JSON_NAME, to_csv, to_json
    from ..system.files import write_whole

    folder = Path(plans[0].place).parent
    cards = [make_card(row, path.melodies[0], m, tempo) for row, m in zip(rows, path.melodies, strict=True)]
    sheet = page(cards, f"Interpolation: {folder.name}", f"model {rows[0]['model']}")
    for name, data in ((JSON_NAME, to_json(rows)), (CSV_NAME, to_csv(rows)), (NAME, sheet.encode())):
        write_whole(folder / name, data, overwrite=True)
    common.say(f"{folder / NAME} shows and plays them")


def _rows(
    path: Interpolation, plans: Sequence[Planned], places: Sequence[Place], model: Model, seed: int, one: bool
) -> list[Row]:
    """The manifest's row of every step: asked is the line between the inputs around it."""
    from ..reports.manifest import entry

    rows = []
    for n, result in enumerate(path.results):
        plan = plans[0 if one else n]
        targets = dict.fromkeys(result.names, f"step {n + 1} of {len(path.melodies)}")
        file = "stdout" if plan.place == "-" else Path(plan.place).name
        source = ", ".join(map(str, places))
        rows.append(entry(file=file, source=source, n=n + 1, seed=seed, model=model, result=result, targets=targets))
    return rows


# ------------------------------------------------------------------------------------------ report


def _report(
    songs: Sequence[Song],
    path: Interpolation,
    plans: Sequence[Planned],
    rows: Sequence[Row],
    title: str,
    *,
    dry_run: bool,
    json: bool,
) -> None:
    if json:
        common.print_json({"outputs": [] if dry_run else [str(plan.place) for plan in plans], "steps": rows})
        return
    say = common.say if plans[0].place == "-" else common.report
    for song in songs:
        say(f"{song.name}: {song.found.why}")
    say(f"model {title}")
    names = [attribute["name"] for attribute in rows[0]["attributes"]]
    say("step   " + "".join(f"{name:>16}" for name in names))
    for row in rows:
        cells = (f"{a['achieved']:.3g} {a['unit']}" for a in row["attributes"])
        at = "  an input" if row["n"] - 1 in path.ends else ""
        say(f"{row['n']:4}   " + "".join(f"{cell:>16}" for cell in cells) + at)
    place = plans[0].place if len(plans) == 1 else f"{Path(plans[0].place).parent}/ ({len(plans)} files)"
    say(f"{'would write' if dry_run else 'wrote'} {'stdout' if place == '-' else place}")
