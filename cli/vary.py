"""`arvae vary`: variations of a melody that keep its attributes, or a grid of edits.

The output folder holds manifest.json and manifest.csv (how each file was made, with its attributes) and index.html, a
contact sheet that shows and plays the files without a network. Without -o it is melody.variations/ beside a single
input, and variations/ for several. With --grid, -n is the number of variations at each point; without -n the point
itself is written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ..batch.listing import listing
from ..batch.target import Target
from ..errors import UsageError
from .shared import batches, common, placing, sources
from .shared.scaling import Scaling
from .shared.sliders import Harmony, Kept, MelodySliders, Set, targets_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..batch.plans import Items
    from ..reports.cards import Card
    from ..reports.variation_files import Item, Variations

COUNT, AMOUNT = 16, 0.5
EXAMPLES = (
    ("arvae vary melody.mid -n 16 --amount 0.5", "16 variations that replace half of the notes"),
    ("arvae vary melody.mid -n 8 --density +2notes", "8 variations with two more notes in each measure"),
    ("arvae vary melody.mid --grid density=-1:1:5,contour=-2:2:5", "25 edits, one for each pair of values (in sd)"),
    ("arvae vary tune.abc -n 4 --format musicxml", "the variations as scores: mid, musicxml, mxl or abc"),
    ("arvae vary tunes/ -r -n 4 -o varied/", "all files of a folder; the output keeps its sub-folders"),
)

GRID = "Edit at every point of a grid, in sd; density=-1:1:5 is 5 values from -1 to 1 (repeatable)."
FOLDER = "The folder of all outputs.  [default: melody.variations/ beside melody.mid]"

Count = Annotated[
    int | None, common.in_how("--count", "-n", min=1, metavar="N", help=f"Number of variations.  [default: {COUNT}]")
]
Amount = Annotated[float, common.in_how(metavar="SHARE", help="Share of the notes that are replaced, up to 1.")]
Grid = Annotated[list[str] | None, common.in_how(metavar="NAME=LO:HI:COUNT,...", help=GRID)]
Folder = Annotated[str | None, common.in_output("--output", "-o", metavar="FOLDER", help=FOLDER)]


@dataclass(frozen=True)
class _Writing(common.Writing):
    output: Folder = None


def vary(
    files: common.Inputs,
    *,
    count: Count = None,
    amount: Amount = AMOUNT,
    grid: Grid = None,
    sliders: MelodySliders,
    set_: Set = None,
    kept: Kept,
    harmony: Harmony,
    model: common.Model = None,
    runtime: common.Runtime = common.RUNTIME,
    seed: common.Seed = 0,
    recursive: common.Recursive = False,
    voice: common.Voice,
    listen: common.Listen = None,
    format_: common.Format = "mid",
    scaling: Scaling,
    writing: _Writing,
) -> int:
    """Write variations of a melody that keep its character, or a grid of edits.

    With sliders, the melody is edited first, and the variations are of the edited melody. A TARGET is written as for
    arvae edit; one sd is one standard deviation of the attribute in the model's corpus.
    """
    targets = targets_from(sliders, set_)
    found = listing(files, recursive=recursive)
    from ..editing.vary import VaryRequest
    from ..music.sliders import grid_points
    from ..reports.contact_sheet import earlier_rows
    from ..reports.jobs import manifest_of
    from ..reports.variation_files import Variations, folder_for

    load = partial(sources.load_model, model, runtime)
    trained = load()
    points = grid_points(",".join(grid)) if grid else [{}]
    both = sorted(set(points[0]) & set(targets))
    if both:
        raise UsageError(f"{both[0]} is in --grid and a slider too", remedy="leave out one of the two")
    stays = {**kept.arguments, **harmony.arguments}
    edits = [trained.request({**targets, **point}, **stays, seed=seed) for point in points]
    requests = [VaryRequest(editing, count or COUNT, amount) for editing in edits]
    varied = not grid or count is not None
    target = Target.of(writing.output and f"{writing.output.rstrip('/')}/")
    large = scaling.is_large(found, target, {"--listen": listen})
    if large and target is not None:
        variations = Variations(requests, varied, target.root, {}, writing.dry_run, format_, sheet=False)
        items: Sequence[Item] | Items[Item] = variations.plan_later(found, target, **writing.existing)
    else:
        target = Target(folder_for(writing.output, found), table=False)
        variations = Variations(requests, varied, target.root, {}, writing.dry_run, format_, listen is not None)
        items = variations.plan(found, **writing.existing)
        variations = replace(variations, earlier=earlier_rows(Path(target.root), **writing.existing))
    page = placing.page_of(listen, writing)
    spec = {"command": "vary", "requests": requests, "varied": varied, "format": format_, "voice": voice}
    spec["model"] = trained.checkpoint.digest
    job = scaling.job(target, found, spec, writing, trained.metadata.names, large=large)
    work = partial(variations.work, load=load, voice=vars(voice))
    axes = () if not grid else tuple(points[0])
    conclude = None if writing.dry_run else partial(_write_pages, variations, axes, page, writing.overwrite)
    manifest = manifest_of(target, common.say, overwrite=writing.overwrite) if large else None
    executor = scaling.executor(len(found), here=any(entry.place == "-" for entry in found.names()))

    def name(item: Item) -> str:
        return str(item.place)

    return batches.run_and_report(
        items, work, executor, name=name, json=writing.json, brief=large, job=job, manifest=manifest, conclude=conclude
    )


def _write_pages(
    variations: Variations, axes: tuple[str, ...], page: Path | None, overwrite: bool, cards: list[Card]
) -> None:
    from ..reports.contact_sheet import write_index

    title = "Variations" if variations.varied else "Grid of edits"
    common.say(placing.shows(write_index(Path(variations.folder), cards, title, variations.earlier, axes)))
    if page is not None:
        placing.write_page(page, title, overwrite, cards, axes)
