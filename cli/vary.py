"""`arvae vary`: variations of a melody that keep its attributes, or a grid of edits.

    arvae vary melody.mid -n 16 --amount 0.5            16 variations that replace half of the notes
    arvae vary melody.mid -n 8 --density +1             denser ones
    arvae vary melody.mid --grid density=-1:1:5,contour=-2:2:5      25 edits, one for every pair (sd)
    arvae vary tunes/ -r -n 4 -o varied/                a folder in, a folder out, in the same sub-folders

The folder of the outputs holds manifest.json and manifest.csv (how each was made, what was asked and achieved) and
index.html, a contact sheet that shows and plays them without a network. Without -o it is melody.variations/ beside
a single input, variations/ for several.

With --grid, -n is how many variations of every point of the grid are written; without it, the point itself.
"""

from __future__ import annotations

import itertools
import re
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
MOST_POINTS = 1000  # of a grid
_POINT = re.compile(r"([^=]+)=([+-]?[\d.]+):([+-]?[\d.]+):(\d+)")
_HOW = "How"

Count = Annotated[
    int | None,
    typer.Option("--count", "-n", min=1, metavar="N", help=f"How many.  [default: {COUNT}]", rich_help_panel=_HOW),
]
Amount = Annotated[
    float,
    typer.Option(metavar="SHARE", help="Share of the notes that are replaced, up to 1.", rich_help_panel=_HOW),
]
Grid = Annotated[
    str | None,
    typer.Option(
        metavar="NAME=LO:HI:COUNT,...",
        help="Edits at every point of a grid, in sd: density=-1:1:5,contour=-2:2:5.",
        rich_help_panel=_HOW,
    ),
]
Folder = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FOLDER",
        help="Where all goes.  [default: melody.variations/ beside melody.mid]",
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
    set_: edit.Set = None,
    bars: edit.Bars = None,
    keep: edit.Keep = None,
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
    """Write variations of a melody that keep its character, or a grid of edits."""
    named = (density, rhythm, range_, contour, syncopation, pitch, repetition, steps)
    sliders = edit.chosen(named, set_)
    places = sources.expand_inputs(files, recursive=recursive)
    from ..editing.vary import VaryRequest

    trained = sources.load_model(model, runtime=runtime)
    points = grid_points(grid) if grid is not None else [{}]
    both = sorted(set(points[0]) & set(sliders))
    if both:
        raise UsageError(f"{both[0]} is in --grid and a slider too", remedy="leave out one of the two")
    hold: dict[str, Any] = {"keep": edit.split_names(keep), "lock": lock or [], "bars": bars}
    edits = [trained.request({**sliders, **point}, **hold, form=form, seed=seed) for point in points]
    requests = [VaryRequest(editing, count or COUNT, amount) for editing in edits]
    varied = grid is None or count is not None
    folder = _folder(output, places)
    items = _plan(places, files, folder, requests, varied, overwrite=overwrite, skip_existing=skip_existing)
    earlier = earlier_rows(folder, overwrite=overwrite, skip_existing=skip_existing)
    reading = {"track": track, "channel": channel, "pickup": pickup}
    work = _Work(model, runtime, requests, varied, reading, folder, earlier, dry_run)
    return _run(work, items, jobs, json=json)


def grid_points(text: str) -> list[dict[str, str]]:
    """`density=-1:1:5,contour=-2:2:5` -> every point as sliders; the first attribute changes slowest."""
    axes: dict[str, list[str]] = {}
    for part in text.split(","):
        match = _POINT.fullmatch(part.strip())
        if match is None:
            raise UsageError(f"--grid {part.strip()!r} is not NAME=LO:HI:COUNT", remedy="write density=-1:1:5")
        name, count = match[1].strip(), int(match[4])
        try:
            low, high = float(match[2]), float(match[3])
        except ValueError:
            raise UsageError(f"--grid {part.strip()!r} is no range of numbers", remedy="write density=-1:1:5") from None
        if name in axes:
            raise UsageError(f"--grid has {name} twice")
        if count < 1 or (count > 1 and low == high):
            raise UsageError(f"--grid {part.strip()!r} has no {count} different points", remedy="write density=-1:1:5")
        step = (high - low) / max(count - 1, 1)
        axes[name] = [f"{round(low + i * step, 6):+g}" for i in range(count)]
    points = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    if len(points) > MOST_POINTS:
        raise UsageError(f"--grid has {len(points)} points", remedy=f"ask for at most {MOST_POINTS}")
    return points


# ------------------------------------------------------------------------------------------ places


@dataclass(frozen=True)
class _Item:
    """One input and everything that is made of it."""

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
    """Every output's place. Those of a folder's files lie in the same sub-folder as these."""
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
    """The rows of the manifest that is there, by file, for what is skipped."""
    from ..reports.contact_sheet import NAME
    from ..reports.manifest import CSV_NAME, JSON_NAME, from_json

    there = [folder / name for name in (JSON_NAME, CSV_NAME, NAME) if (folder / name).exists()]
    if there and not (overwrite or skip_existing):
        raise OutputError(
            "exists already", where=str(there[0]), remedy="give --overwrite, --skip-existing, or another folder with -o"
        )
    path = folder / JSON_NAME
    if not skip_existing or path not in there:
        return {}
    return {str(row["file"]): row for row in from_json(path.read_bytes())}


# ------------------------------------------------------------------------------------------ work


@dataclass(frozen=True)
class _Made:
    """What is told of an input."""

    lines: list[str]
    cards: list[Card]


@dataclass(frozen=True)
class _Work:
    """One command's work on each input, in whatever process."""

    model: str | None
    runtime: str
    requests: list[VaryRequest]
    varied: bool  # else each point of the grid itself
    reading: dict[str, Any]
    folder: Path
    earlier: Mapping[str, Row]
    dry_run: bool

    def __call__(self, item: _Item) -> _Made | Literal[False]:
        song = sources.read_song(item.place, **self.reading)
        rows = [self.earlier.get(self._name(plan)) for plan in item.plans if plan.skip]
        if len(rows) == len(item.plans) and all(row is not None for row in rows):
            return self._recalled(item, song)
        model, title = sources.model_for(self.model, song.melody, self.runtime)
        lines, cards = [f"{song.name}: {song.found.why}; model {title}"], []
        each = len(item.plans) // len(self.requests)
        for at, request in enumerate(self.requests):
            plans = item.plans[at * each : (at + 1) * each]
            made, told = self._point(song, request, plans, model)
            cards += made
            lines += [f"  {line}" for line in told]
        if not cards:
            raise InputError(
                "it has no variation that keeps what is to stay",
                where=song.name,
                remedy="give a larger --amount, or keep and lock less",
            )
        wrote = "would write" if self.dry_run else "wrote"
        lines.append(f"  {wrote} {len(cards)} file{'s' if len(cards) != 1 else ''} to {self.folder}/")
        return _Made(lines, cards)

    def _point(
        self, song: Song, request: VaryRequest, plans: Sequence[Planned], model: Model
    ) -> tuple[list[Card], list[str]]:
        """Everything of one request: the edit itself, or its variations."""
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
        """Everything is there already: the sheet is drawn from the files."""
        from ..reports.contact_sheet import make_card

        tempo, cards = round(song.tempo, 2), []
        for plan in item.plans:
            after = sources.read_song(plan.place, track=str(song.found.track), channel=song.found.channel,
                                     pickup=song.pickup)  # fmt: skip
            cards.append(make_card(self.earlier[self._name(plan)], song.melody, after.melody, tempo))
        return _Made([f"{song.name}: skipped, all {len(cards)} files are there"], cards)

    def _name(self, plan: Planned) -> str:
        return Path(plan.place).relative_to(self.folder).as_posix()


def _told(request: VaryRequest, rows: Sequence[Row], short: int) -> list[str]:
    """The report's lines on one request."""
    exact = sum(row["exact"] for row in rows)
    targets, seed = request.editing.targets, request.editing.seed
    head = f"{placing.label(targets)}: " if targets else ""
    shares = [row["amount"] for row in rows if row["amount"] is not None]
    amount = f", {100 * sum(shares) / len(shares):.0f} % of the notes others on average" if shares else ""
    lines = [f"{head}{len(rows)} of {len(rows) + short}{amount}; {exact} exact in every measure; seed {seed}"]
    if short:
        lines.append(f"{head}no more than {len(rows)} different ones at this amount, with what is to stay")
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
        _conclude(work, cards)
    if json:
        common.print_json([*(card.row for card in cards), *failed])
    return code


def _conclude(work: _Work, cards: Sequence[Card]) -> None:
    """The manifest and the sheet of all that is there; rows of an earlier run that are not made again stay."""
    from ..reports.contact_sheet import NAME, page
    from ..reports.manifest import CSV_NAME, JSON_NAME, to_csv, to_json
    from ..system.files import write_whole

    made = {str(card.row["file"]): card.row for card in cards}
    kept = {name: row for name, row in work.earlier.items() if (work.folder / name).exists()}
    rows = list({**kept, **made}.values())
    write_whole(work.folder / JSON_NAME, to_json(rows), overwrite=True)
    write_whole(work.folder / CSV_NAME, to_csv(rows), overwrite=True)
    title = "Variations" if work.varied else "Grid of edits"
    models = ", ".join(dict.fromkeys(str(card.row["model"]) for card in cards))
    sheet = page(cards, f"{title}: {work.folder.name}", f"model {models}")
    write_whole(work.folder / NAME, sheet.encode(), overwrite=True)
    common.say(f"{work.folder / NAME} shows and plays them")
