"""`arvae vary`: variations of a melody that keep its attributes, or a grid of edits.

The output folder holds manifest.json and manifest.csv (how each file was made, with its attributes) and index.html, a
contact sheet that shows and plays the files without a network. Without -o it is melody.variations/ beside a single
input, and variations/ for several. With --grid, -n is the number of variations at each point; without -n the point
itself is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import InputError, OutputError, UsageError
from . import edit
from .shared import batches, common, placing, sources
from .shared.parallel import workers
from .shared.placing import Planned
from .shared.sources import Place

if TYPE_CHECKING:
    from ..editing.edit import EditResult
    from ..editing.vary import VaryRequest
    from ..io.midi import Song
    from ..library import Model
    from ..reports.contact_sheet import Card
    from ..reports.manifest import Row

COUNT, AMOUNT = 16, 0.5
EXAMPLES = (
    ("arvae vary melody.mid -n 16 --amount 0.5", "16 variations that replace half of the notes"),
    ("arvae vary melody.mid -n 8 --density +2notes", "8 variations with two more notes in each measure"),
    ("arvae vary melody.mid --grid density=-1:1:5,contour=-2:2:5", "25 edits, one for each pair of values (in sd)"),
    ("arvae vary tunes/ -r -n 4 -o varied/", "a folder in, a folder with the same sub-folders out"),
)

Count = Annotated[
    int | None,
    typer.Option(
        "--count", "-n", min=1, metavar="N", help=f"How many.  [default: {COUNT}]", rich_help_panel=common.HOW
    ),
]
Amount = Annotated[
    float,
    typer.Option(metavar="SHARE", help="Share of the notes that are replaced, up to 1.", rich_help_panel=common.HOW),
]
Grid = Annotated[
    str | None,
    typer.Option(
        metavar="NAME=LO:HI:COUNT,...",
        help="Edits at every point of a grid, in sd: density=-1:1:5,contour=-2:2:5.",
        rich_help_panel=common.HOW,
    ),
]
Folder = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FOLDER",
        help="The folder of all outputs.  [default: melody.variations/ beside melody.mid]",
        rich_help_panel="Output",
    ),
]


def vary(
    files: common.Inputs,
    count: Count = None,
    amount: Amount = AMOUNT,
    grid: Grid = None,
    density: edit.Density = None,
    rhythm: edit.Rhythm = None,
    range_: edit.Range = None,
    contour: edit.Contour = None,
    syncopation: edit.Syncopation = None,
    pitch: edit.Pitch = None,
    repetition: edit.Repetition = None,
    steps: edit.Steps = None,
    set_: common.Set = None,
    bars: edit.Bars = None,
    keep: common.Keep = None,
    lock: edit.Lock = None,
    form: edit.Form = True,
    model: common.Model = None,
    runtime: common.Runtime = common.RUNTIME,
    seed: common.Seed = 0,
    recursive: common.Recursive = False,
    track: common.Track = None,
    channel: common.Channel = None,
    pickup: common.Pickup = None,
    output: Folder = None,
    overwrite: common.Overwrite = False,
    skip_existing: common.SkipExisting = False,
    jobs: common.Jobs = None,
    dry_run: common.DryRun = False,
    json: common.Json = False,
    quiet: common.Quiet = False,
) -> int:
    """Write variations of a melody that keep its character, or a grid of edits.

    Sliders shift all variations. A TARGET is written as for arvae edit; sd means standard deviations of the corpus.
    """
    named = (density, rhythm, range_, contour, syncopation, pitch, repetition, steps)
    sliders = common.chosen(edit.SLIDERS, named, set_)
    places = sources.expand_inputs(files, recursive=recursive)
    from ..editing.vary import VaryRequest
    from ..music.sliders import grid_points

    trained = sources.load_model(model, runtime=runtime)
    points = grid_points(grid) if grid is not None else [{}]
    both = sorted(set(points[0]) & set(sliders))
    if both:
        raise UsageError(f"{both[0]} is in --grid and a slider too", remedy="leave out one of the two")
    hold: dict[str, Any] = {"keep": common.split_names(keep), "lock": lock or [], "bars": edit.joined(bars)}
    edits = [trained.request({**sliders, **point}, **hold, form=form, seed=seed) for point in points]
    requests = [VaryRequest(editing, count or COUNT, amount) for editing in edits]
    varied = grid is None or count is not None
    folder = _folder(output, places)
    items = _plan(places, files, folder, requests, varied, overwrite=overwrite, skip_existing=skip_existing)
    earlier = earlier_rows(folder, overwrite=overwrite, skip_existing=skip_existing)
    reading = {"track": track, "channel": channel, "pickup": pickup}
    work = _Work(model, runtime, requests, varied, reading, folder, earlier, dry_run)
    return _run(work, items, jobs, json=json)


# ------------------------------------------------------------------------------------------ places


@dataclass(frozen=True)
class _Item:
    """An input and its outputs."""

    place: Place
    plans: tuple[Planned, ...]  # point by point, variation by variation


def _folder(output: str | None, places: Sequence[Place]) -> Path:
    if output == "-":
        raise UsageError("many files cannot go to stdout", remedy="give a folder with -o")
    if output is not None:
        folder = Path(output).expanduser()
    elif len(places) == 1 and places[0] != "-":
        folder = Path(places[0]).with_name(f"{Path(places[0]).stem}.variations")
    else:
        folder = Path("variations")
    if folder.exists() and not folder.is_dir():
        raise OutputError("is a file", where=str(folder), remedy="name a folder with -o")
    return folder


def _plan(
    places: Sequence[Place],
    arguments: Sequence[str],
    folder: Path,
    requests: Sequence[VaryRequest],
    varied: bool,
    *,
    overwrite: bool,
    skip_existing: bool,
) -> list[_Item]:
    """The place of every output. Sub-folders of an input folder are kept."""
    template = "{stem}.{edit}.{n:02}.mid" if varied else "{stem}.{edit}.mid"
    by_folder: dict[Path, list[Place]] = {}
    for place in places:
        by_folder.setdefault(folder / sources.below(place, arguments), []).append(place)
    plans: dict[Place, list[Planned]] = {}
    for where, inside in by_folder.items():
        wanted = [
            placing.Request(place, placing.label(request.editing.targets) or "vary", request.editing.seed, n)
            for place in inside
            for request in requests
            for n in range(1, request.count + 1 if varied else 2)
        ]
        for plan in placing.plan_outputs(
            wanted, f"{where}/", overwrite=overwrite, skip_existing=skip_existing, template=template
        ):
            plans.setdefault(plan.request.source, []).append(plan)
    return [_Item(place, tuple(plans[place])) for place in places]


def earlier_rows(folder: Path, *, overwrite: bool, skip_existing: bool) -> dict[str, Row]:
    """The rows of an earlier manifest in the folder. Raises OutputError where a manifest or a contact sheet exists,
    unless --overwrite or --skip-existing is given."""
    from ..reports.contact_sheet import NAME
    from ..reports.manifest import CSV_NAME, JSON_NAME, read

    there = [folder / name for name in (JSON_NAME, CSV_NAME, NAME) if (folder / name).exists()]
    if there and not (overwrite or skip_existing):
        raise OutputError(
            "exists already", where=str(there[0]), remedy="give --overwrite, --skip-existing, or another folder with -o"
        )
    return read(folder)


# ------------------------------------------------------------------------------------------ work


@dataclass(frozen=True)
class _Made:
    """The report on an input, and its outputs' cards."""

    lines: list[str]
    cards: list[Card]


@dataclass(frozen=True)
class _Work:
    """The work on each input, in any process."""

    model: str | None
    runtime: str
    requests: list[VaryRequest]
    varied: bool  # variations; otherwise each point of the grid itself
    reading: dict[str, Any]
    folder: Path
    earlier: Mapping[str, Row]
    dry_run: bool

    def __call__(self, item: _Item) -> _Made | Literal[False]:
        from ..reports.summaries import melody_line

        song = sources.read_song(item.place, **self.reading)
        rows = [self.earlier.get(self._name(plan)) for plan in item.plans if plan.skip]
        if len(rows) == len(item.plans) and all(row is not None for row in rows):
            return self._recalled(item, song)
        model, title = sources.model_for(self.model, song.melody, self.runtime)
        lines: list[str] = [f"{song.name}", f"  melody: {melody_line(song)}", f"  model: {title}"]
        cards: list[Card] = []
        each = len(item.plans) // len(self.requests)
        for at, request in enumerate(self.requests):
            plans = item.plans[at * each : (at + 1) * each]
            made, told = self._point(song, request, plans, model)
            cards += made
            lines += [f"  {line}" for line in told]
        if not cards:
            raise InputError(
                "no variation keeps everything that must stay",
                where=song.name,
                remedy="give a larger --amount, or fewer --keep and --lock",
            )
        count = f"{len(cards)} file{'s' if len(cards) != 1 else ''}"
        lines.append(f"  {placing.wrote(f'{count} to {self.folder}/', self.dry_run)}")
        return _Made(lines, cards)

    def _point(
        self, song: Song, request: VaryRequest, plans: Sequence[Planned], model: Model
    ) -> tuple[list[Card], list[str]]:
        """The outputs of one request: the edit itself, or its variations."""
        from ..editing.edit import edit as edit_melody
        from ..editing.vary import vary as vary_melody
        from ..reports.contact_sheet import make_card
        from ..reports.manifest import entry

        short = 0
        results: list[tuple[EditResult, float | None]]
        if self.varied:
            made = vary_melody(song.melody, request, model)
            sources.expect_editable(song, made.base)
            results = [(variation.result, variation.amount) for variation in made.variations]
            short = made.short
        else:
            results = [(edit_melody(song.melody, request.editing, model), None)]
            sources.expect_editable(song, results[0][0])
        tempo, cards = round(song.tempo, 2), []
        for plan, (result, amount) in zip(plans, results, strict=False):
            if not self.dry_run and not plan.skip:
                placing.write_output(plan, song.write(result.melody.rows))
            row = entry(
                file=self._name(plan), source=str(plan.request.source), n=plan.request.n, seed=request.editing.seed,
                model=model, result=result, targets=request.editing.targets, keep=request.editing.keep, amount=amount,
            )  # fmt: skip
            cards.append(make_card(row, song.melody, result.melody, tempo))
        return cards, _told(request, [card.row for card in cards], short)

    def _recalled(self, item: _Item, song: Song) -> _Made:
        """All outputs exist: their cards are drawn from the files."""
        from ..reports.contact_sheet import make_card

        tempo, cards = round(song.tempo, 2), []
        for plan in item.plans:
            after = sources.read_song(plan.place, track=str(song.found.track), channel=song.found.channel,
                                     pickup=song.pickup)  # fmt: skip
            cards.append(make_card(self.earlier[self._name(plan)], song.melody, after.melody, tempo))
        return _Made([f"{song.name}: skipped, all {len(cards)} files exist"], cards)

    def _name(self, plan: Planned) -> str:
        return Path(plan.place).relative_to(self.folder).as_posix()


def _told(request: VaryRequest, rows: Sequence[Row], short: int) -> list[str]:
    """The report's lines on one request."""
    targets = request.editing.targets
    head = f"{placing.label(targets)}: " if targets else ""
    shares = [row["amount"] for row in rows if row["amount"] is not None]
    exact = f"{sum(row['exact'] for row in rows)} exact in every measure"
    amount = f"; on average {100 * sum(shares) / len(shares):.0f}% of the notes differ" if shares else ""
    lines = [f"{head}{len(rows)} of {len(rows) + short} files; {exact}{amount}; seed {request.editing.seed}"]
    if short:
        lines.append(f"{head}only {len(rows)} different variations exist at this --amount, with what must stay")
    return lines


def _run(work: _Work, items: Sequence[_Item], jobs: int | None, *, json: bool) -> int:
    cards: list[Card] = []

    def then(made: _Made) -> None:
        cards.extend(made.cards)
        if not json:
            common.report("\n".join(made.lines))

    count = 1 if any(item.place == "-" for item in items) else workers(jobs, len(items))
    failed: list[dict[str, Any]] = []
    fail = batches.failing(failed) if json else None
    code = batches.run_batch(items, work, name=lambda item: str(item.place), then=then, fail=fail, jobs=count)
    if cards and not work.dry_run:
        title = "Variations" if work.varied else "Grid of edits"
        conclude(work.folder, cards, title, work.earlier)
    if json:
        common.print_json([*(card.row for card in cards), *failed])
    return code


def conclude(folder: Path, cards: Sequence[Card], title: str, earlier: Mapping[str, Row]) -> None:
    """Write the manifest, with the rows of an earlier run whose files still exist, and the contact sheet."""
    from ..reports import contact_sheet, manifest

    others = manifest.write(folder, [card.row for card in cards], earlier)
    note = f"model {', '.join(dict.fromkeys(str(card.row['model']) for card in cards))}"
    if others:
        note += f". The manifest lists {others} file{'s' if others != 1 else ''} of earlier runs, too"
    page = contact_sheet.write(folder, cards, f"{title}: {folder.name}", note)
    common.say(f"{page} shows and plays the files")
