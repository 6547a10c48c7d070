"""Write the files of variations, or of a grid of edits.

    job = Variations(requests, varied=True, folder=Path("out"))
    items = job.plan(listing(["a.mid"]))                      choose the paths of all files
    made, lines = job.make(items[0], song, model)             write the files; return their rows and the report
    report = job.work(items[0], load, {"track": 2})           the same for a batch, in any process

`contact_sheet.write_index` then writes the manifest and the page that shows and plays the files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from ..batch.listing import Entry, Listing
from ..batch.plans import Items
from ..batch.target import Target
from ..editing.edit import EditResult, edit, expect_editable
from ..editing.vary import VaryRequest, vary
from ..errors import InputError, OutputError
from ..io.midi import Song
from ..io.score_output import file_of
from ..io.scores import read_any, read_place
from ..music.melody import Melody
from ..networks.model import Model
from ..system import storage
from ..system.inputs import MIDI_SUFFIXES
from ..system.outputs import (
    MIDI,
    SCORE_SUFFIXES,
    Planned,
    Request,
    label,
    name_in,
    plan_outputs,
    planned_in,
    refuse_clashes,
    refuse_one_file,
    suffix_of_format,
)
from ..system.storage import Place
from .cards import Card, make_card, with_scores
from .item_report import ItemReport, wrote
from .manifest import Row, entry_of_edit
from .score_lines import score_lines


@dataclass(frozen=True)
class Item:
    """An input with its number, from 1, and its outputs."""

    n: int
    place: Place  # the input
    plans: tuple[Planned, ...]  # for each point of the grid, all its variations
    data: bytes | None = None  # of the input, if they are known already


def folder_for(output: str | None, found: Listing) -> Path:
    """The folder of all outputs: `output`, or melody.variations/ beside a single input, or variations/.

    Raises UsageError for stdout and for the name of a file, and OutputError where the folder is a file."""
    refuse_one_file(output, "give a folder with output=...")
    if output is not None:
        folder = Path(output).expanduser()
    else:
        folder = Path("variations")
        first = next(entry.place for entry in found.names())
        if len(found) == 1 and isinstance(first, Path):
            folder = first.with_name(f"{first.stem}.variations")
    if folder.exists() and not folder.is_dir():
        raise OutputError("is a file", where=str(folder), remedy="name a folder with output=...")
    return folder


@dataclass(frozen=True)
class Made:
    """A file that was made, or a row of a table, which has its bytes as `content`."""

    row: Row
    content: bytes | None
    card: Card | None


@dataclass(frozen=True)
class Variations:
    """The job for all inputs. With `varied`, each request makes its `count` variations; otherwise it makes its edit.

    `earlier` are the rows of a manifest in `folder`, by file. With `dry_run` nothing is written. `format` is one of
    outputs.FORMATS. With `scores` the cards have scores."""

    requests: Sequence[VaryRequest]
    varied: bool
    folder: Place
    earlier: Mapping[str, Row] = field(default_factory=dict)
    dry_run: bool = False
    format: str = "mid"
    scores: bool = False
    sheet: bool = True  # whether cards are made

    @property
    def suffix(self) -> str:
        """Of the files. Raises UsageError for a format that does not exist."""
        return suffix_of_format(self.format)

    def plan(
        self, found: Iterable[Entry], *, overwrite: bool = False, skip_existing: bool = False
    ) -> list[Item]:
        """Choose the path of every output. Raises the errors of `plan_outputs`."""
        entries = list(found)
        planned = iter(
            plan_outputs(
                [request for entry in entries for request in self._requests_of(entry)],
                f"{self.folder}/",
                overwrite=overwrite,
                skip_existing=skip_existing,
                template=self._template,
                suffixes=MIDI_SUFFIXES if self.suffix == MIDI else (self.suffix,),
            )
        )
        each = self._each * len(self.requests)
        return [Item(entry.n, entry.place, tuple(islice(planned, each)), entry.data) for entry in entries]

    def plan_later(
        self, found: Listing, target: Target, *, overwrite: bool = False, skip_existing: bool = False
    ) -> Items[Item]:
        """The same for a large batch. Raises UsageError if two outputs of a folder have the same name, or one is an
        input."""
        usual = partial(planned_in, target.root, template=self._template, row=target.table, overwrite=overwrite)

        def item_of(entry: Entry) -> Item:
            plans = (usual(request, skip_existing=skip_existing) for request in self._requests_of(entry))
            return Item(entry.n, entry.place, tuple(plans), entry.data)

        if not target.table:
            refuse_clashes(lambda: (usual(one) for entry in found.names() for one in self._requests_of(entry)))
        return Items(found, item_of)

    @property
    def _template(self) -> str:
        return ("{stem}.{edit}.{n:02}" if self.varied else "{stem}.{edit}") + self.suffix

    @property
    def _each(self) -> int:
        """The number of files for each request."""
        return self.requests[0].count if self.varied else 1

    def _requests_of(self, entry: Entry) -> list[Request]:
        return [
            Request(entry.place, label(one.editing.targets) or "vary", one.editing.seed, n, entry.below)
            for one in self.requests
            for n in range(1, self._each + 1)
        ]

    def work(self, item: Item, load: Callable[[], Model], voice: Mapping[str, Any]) -> ItemReport:
        """The work on one input: `load` gives the model, and `voice` has parameters of `io.scores.read_any`.

        Raises the errors of `make`."""
        from .summaries import melody_line  # with the deepest imports of this package

        song = read_place(item.place, item.data, **voice)
        recalled = self.recall(item, song)
        if recalled is not None:
            rows = [card.row for card in recalled]
            return ItemReport([f"{song.name}: skipped, all {len(rows)} files exist"], rows, rows=rows, cards=recalled)
        model = load()
        made, lines = self.make(item, song, model)
        count = f"{len(made)} file{'s' if len(made) != 1 else ''}"
        source = [f"melody: {melody_line(song)}", *score_lines(song, self.suffix)]
        lines = [*source, f"model: {model.name}", *lines, wrote(f"{count} to {self.folder}/", self.dry_run)]
        rows = [one.row for one in made]
        contents = [one.content for one in made if one.content is not None]
        cards = [one.card for one in made if one.card is not None]
        return ItemReport([song.name, *(f"  {line}" for line in lines)], rows, False, rows, contents, cards)

    def make(self, item: Item, song: Song, model: Model) -> tuple[list[Made], list[str]]:
        """Write the files of an input, except those to skip. Returns what was made, and the lines of the report.

        Raises InputError if no measure can be edited, or if no variation keeps everything that must stay."""
        found: list[Made] = []
        lines: list[str] = []
        each = len(item.plans) // len(self.requests)
        for at, request in enumerate(self.requests):
            results, short = self._results(song, request, model)
            plans = item.plans[at * each : (at + 1) * each]
            made = [
                self._write(plan, song, request, result, amount, model)
                for plan, (result, amount) in zip(plans, results, strict=False)
            ]
            found += made
            lines += request_lines(request, [one.row for one in made], short)
        if not found:
            raise InputError(
                "no variation keeps everything that must stay",
                where=song.name,
                remedy="give a larger amount=..., or fewer names in keep=... and lock=...",
            )
        return found, lines

    def recall(self, item: Item, song: Song) -> list[Card] | None:
        """The cards of an input if all its files exist and are skipped, drawn from these files; otherwise None."""
        rows = [self.earlier.get(self._name(plan)) if plan.skip else None for plan in item.plans]
        found = [row for row in rows if row is not None]
        if len(found) < len(rows):
            return None
        place: dict[str, Any] = {"track": str(song.found.track), "channel": song.found.channel}
        if song.score is None and self.suffix in SCORE_SUFFIXES:
            place = {}  # the score of a MIDI file holds the melody alone
        elif song.found.voice is not None:
            place["voice"] = song.found.voice
        cards = []
        for row, plan in zip(found, item.plans, strict=True):
            after = read_any(Path(plan.place), **place, pickup=song.pickup)
            cards.append(self._scored(make_card(row, song, after.midi, Path(plan.place)), song, after.melody))
        return cards

    def _scored(self, card: Card, song: Song, after: Melody) -> Card:
        return with_scores(card, song, song.melody, after) if self.scores else card

    def _results(
        self, song: Song, request: VaryRequest, model: Model
    ) -> tuple[list[tuple[EditResult, float | None]], int]:
        """The results, each with the share of its notes that differ, and how many variations are missing."""
        if not self.varied:
            result = edit(song.melody, request.editing, model)
            expect_editable(result, song.name)
            return [(result, None)], 0
        made = vary(song.melody, request, model)
        expect_editable(made.base, song.name)
        return [(variation.result, variation.amount) for variation in made.variations], made.short

    def _write(
        self, plan: Planned, song: Song, request: VaryRequest, result: EditResult, amount: float | None, model: Model
    ) -> Made:
        content = b"" if self.dry_run or plan.skip else file_of(song, result.melody, self.suffix)
        if content and not plan.row:
            storage.write(plan.place, content, overwrite=plan.overwrite)
        row = entry_of_edit(plan, self.folder, request.editing, result, model, amount)
        card = None
        if self.sheet:
            card = make_card(row, song, file_of(song, result.melody, MIDI), Path(plan.place))
            card = self._scored(card, song, result.melody)
        return Made(row, content if plan.row else None, card)

    def _name(self, plan: Planned) -> str:
        return name_in(self.folder, plan)


def request_lines(request: VaryRequest, rows: Sequence[Row], short: int) -> list[str]:
    """The lines of the report for one request. `short` is the number of missing variations."""
    targets = request.editing.targets
    head = f"{label(targets)}: " if targets else ""
    shares = [row["amount"] for row in rows if row["amount"] is not None]
    exact = f"{sum(row['exact'] for row in rows)} exact in every measure"
    mean = f"{100 * sum(shares) / len(shares):.0f}%" if shares else ""
    amount = f"; on average {mean} of the notes differ from the original" if shares else ""
    lines = [f"{head}{len(rows)} of {len(rows) + short} files; {exact}{amount}; seed {request.editing.seed}"]
    if short:
        lines.append(f"{head}only {len(rows)} different variations at this --amount keep everything that must stay")
    return lines
