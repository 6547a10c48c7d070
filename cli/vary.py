"""`arvae vary`: variations of a melody that keep its attributes, or a grid of edits.

The output folder holds manifest.json and manifest.csv (how each file was made, with its attributes) and index.html, a
contact sheet that shows and plays the files without a network. Without -o it is melody.variations/ beside a single
input, and variations/ for several. With --grid, -n is the number of variations at each point; without -n the point
itself is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ..errors import UsageError
from ..system import inputs
from .shared import batches, common, placing, sources
from .shared.sliders import Harmony, Kept, MelodySliders, Set, targets_from

if TYPE_CHECKING:
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

GRID = "Edit at every point of a grid, in sd; density=-1:1:5 is 5 values from -1 to 1."
FOLDER = "The folder of all outputs.  [default: melody.variations/ beside melody.mid]"

Count = Annotated[
    int | None, common.in_how("--count", "-n", min=1, metavar="N", help=f"Number of variations.  [default: {COUNT}]")
]
Amount = Annotated[float, common.in_how(metavar="SHARE", help="Share of the notes that are replaced, up to 1.")]
Grid = Annotated[str | None, common.in_how(metavar="NAME=LO:HI:COUNT,...", help=GRID)]
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
    jobs: common.Jobs = None,
    listen: common.Listen = None,
    format_: common.Format = "mid",
    writing: _Writing,
) -> int:
    """Write variations of a melody that keep its character, or a grid of edits.

    With sliders, the melody is edited first, and the variations are of the edited melody. A TARGET is written as for
    arvae edit; one sd is one standard deviation of the attribute in the model's corpus.
    """
    targets = targets_from(sliders, set_)
    places = inputs.expand_inputs(files, recursive=recursive)
    from ..editing.vary import VaryRequest
    from ..music.sliders import grid_points
    from ..reports.contact_sheet import earlier_rows
    from ..reports.variation_files import Variations, folder_for

    trained = sources.load_model(model, runtime)
    points = grid_points(grid) if grid is not None else [{}]
    both = sorted(set(points[0]) & set(targets))
    if both:
        raise UsageError(f"{both[0]} is in --grid and a slider too", remedy="leave out one of the two")
    stays = {**kept.arguments, **harmony.arguments}
    edits = [trained.request({**targets, **point}, **stays, seed=seed) for point in points]
    requests = [VaryRequest(editing, count or COUNT, amount) for editing in edits]
    folder = folder_for(writing.output, places)
    varied = grid is None or count is not None
    items = Variations(requests, varied, folder, format=format_).plan(places, files, **writing.existing)
    earlier = earlier_rows(folder, **writing.existing)
    page = placing.page_of(listen, writing)
    variations = Variations(requests, varied, folder, earlier, writing.dry_run, format_, page is not None)
    work = _Work(model, runtime, voice, variations)
    axes = () if grid is None else tuple(points[0])
    conclude = None if writing.dry_run else partial(_write_pages, variations, axes, page, writing.overwrite)
    streams = "-" in places

    def name(item: Item) -> str:
        return str(item.place)

    return batches.run_and_report(items, work, jobs, name=name, json=writing.json, streams=streams, conclude=conclude)


@dataclass(frozen=True)
class _Work:
    """The work on each input, in any process."""

    model: str | None
    runtime: str
    voice: common.Voice
    variations: Variations

    def __call__(self, item: Item) -> batches.ItemReport:
        from ..reports.score_lines import score_lines
        from ..reports.summaries import melody_line

        song = sources.read_song(item.place, self.voice)
        recalled = self.variations.recall(item, song)
        if recalled is not None:
            return self._item_report([f"{song.name}: skipped, all {len(recalled)} files exist"], recalled)
        model = sources.load_model(self.model, self.runtime)
        cards, lines = self.variations.make(item, song, model)
        count = f"{len(cards)} file{'s' if len(cards) != 1 else ''}"
        wrote = placing.wrote(f"{count} to {self.variations.folder}/", self.variations.dry_run)
        source = [f"melody: {melody_line(song)}", *score_lines(song, self.variations.suffix)]
        lines = [*source, f"model: {model.name}", *lines, wrote]
        return self._item_report([song.name, *(f"  {line}" for line in lines)], cards)

    def _item_report(self, lines: list[str], cards: list[Card]) -> batches.ItemReport:
        return batches.ItemReport(lines, [card.row for card in cards], made=cards)


def _write_pages(
    variations: Variations, axes: tuple[str, ...], page: Path | None, overwrite: bool, cards: list[Card]
) -> None:
    from ..reports.contact_sheet import write_index, write_listening

    title = "Variations" if variations.varied else "Grid of edits"
    common.say(placing.shows(write_index(variations.folder, cards, title, variations.earlier, axes)))
    if page is not None:
        inputs_ = ", ".join(dict.fromkeys(card.row["input"] for card in cards))
        write_listening(page, cards, f"{title} of {inputs_}", axes=axes, overwrite=overwrite)
        common.say(placing.shows(page))
