"""Write the files of variations, or of a grid of edits.

    job = Variations(requests, varied=True, folder=Path("out"))
    items = job.plan([Path("a.mid")])                         choose the paths of all files
    cards, lines = job.make(items[0], song, model)            write the files; return their cards and the report

`contact_sheet.write_index` then writes the manifest and the page that shows and plays the files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..editing.edit import EditResult, edit, expect_editable
from ..editing.vary import VaryRequest, vary
from ..errors import InputError, OutputError, UsageError
from ..io.midi import Song
from ..io.score_output import file_of
from ..io.scores import read_any
from ..music.melody import Melody
from ..networks.model import Model
from ..system.files import write_whole
from ..system.inputs import MIDI_SUFFIXES, Place, below, folders_in
from ..system.outputs import MIDI, SCORE_SUFFIXES, Planned, Request, label, plan_outputs, suffix_of_format
from .cards import Card, make_card, with_scores
from .manifest import Row, entry_of_edit


@dataclass(frozen=True)
class Item:
    """An input and its outputs."""

    place: Place  # the input
    plans: tuple[Planned, ...]  # for each point of the grid, all its variations


def folder_for(output: str | None, places: Sequence[Place]) -> Path:
    """The folder of all outputs: `output`, or melody.variations/ beside a single input, or variations/.

    Raises UsageError for stdout, and OutputError where the folder is a file."""
    if output == "-":
        raise UsageError("many files cannot go to stdout", remedy="give a folder with output=...")
    if output is not None:
        folder = Path(output).expanduser()
    elif len(places) == 1 and places[0] != "-":
        folder = Path(places[0]).with_name(f"{Path(places[0]).stem}.variations")
    else:
        folder = Path("variations")
    if folder.exists() and not folder.is_dir():
        raise OutputError("is a file", where=str(folder), remedy="name a folder with output=...")
    return folder


@dataclass(frozen=True)
class Variations:
    """The job for all inputs. With `varied`, each request makes its `count` variations; otherwise it makes its edit.

    `earlier` are the rows of a manifest in `folder`, by file. With `dry_run` nothing is written. `format` is one of
    outputs.FORMATS. With `scores` the cards have scores."""

    requests: Sequence[VaryRequest]
    varied: bool
    folder: Path
    earlier: Mapping[str, Row] = field(default_factory=dict)
    dry_run: bool = False
    format: str = "mid"
    scores: bool = False

    @property
    def suffix(self) -> str:
        """Of the files. Raises UsageError for a format that does not exist."""
        return suffix_of_format(self.format)

    def plan(
        self,
        places: Sequence[Place],
        arguments: Sequence[str] = (),
        *,
        overwrite: bool = False,
        skip_existing: bool = False,
    ) -> list[Item]:
        """Choose the path of every output. Inputs found in a folder of `arguments` keep their sub-folders.

        Raises the errors of `plan_outputs`."""
        template = ("{stem}.{edit}.{n:02}" if self.varied else "{stem}.{edit}") + self.suffix
        folders = folders_in(arguments)
        wanted = [
            Request(place, label(request.editing.targets) or "vary", request.editing.seed, n, below(place, folders))
            for place in places
            for request in self.requests
            for n in range(1, request.count + 1 if self.varied else 2)
        ]
        planned = plan_outputs(
            wanted,
            f"{self.folder}/",
            overwrite=overwrite,
            skip_existing=skip_existing,
            template=template,
            suffixes=MIDI_SUFFIXES if self.suffix == MIDI else (self.suffix,),
        )
        plans: dict[Place, list[Planned]] = {}
        for plan in planned:
            plans.setdefault(plan.request.source, []).append(plan)
        return [Item(place, tuple(plans[place])) for place in places]

    def make(self, item: Item, song: Song, model: Model) -> tuple[list[Card], list[str]]:
        """Write the files of an input, except those to skip. Returns their cards, and the lines of the report.

        Raises InputError if no measure can be edited, or if no variation keeps everything that must stay."""
        cards: list[Card] = []
        lines: list[str] = []
        each = len(item.plans) // len(self.requests)
        for at, request in enumerate(self.requests):
            results, short = self._results(song, request, model)
            plans = item.plans[at * each : (at + 1) * each]
            made = [
                self._write(plan, song, request, result, amount, model)
                for plan, (result, amount) in zip(plans, results, strict=False)
            ]
            cards += made
            lines += request_lines(request, [card.row for card in made], short)
        if not cards:
            raise InputError(
                "no variation keeps everything that must stay",
                where=song.name,
                remedy="give a larger amount=..., or fewer names in keep=... and lock=...",
            )
        return cards, lines

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
    ) -> Card:
        if not self.dry_run and not plan.skip:
            place = Path(plan.place)
            write_whole(place, file_of(song, result.melody, place.suffix), overwrite=plan.overwrite)
        row = entry_of_edit(plan, self.folder, request.editing, result, model, amount)
        card = make_card(row, song, file_of(song, result.melody, MIDI), Path(plan.place))
        return self._scored(card, song, result.melody)

    def _name(self, plan: Planned) -> str:
        return Path(plan.place).relative_to(self.folder).as_posix()


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
