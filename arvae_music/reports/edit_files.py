"""Edit the files of a batch.

    work = EditFiles(partial(library.load, "folk"), model.request({"density": "+2notes"}))
    for plan in plan_outputs([Request(Path("a.mid"))], "denser/"):
        report = work(plan)                                   write the file; return the report and the manifest's row

The work can be sent to other processes, which load the model themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..editing.edit import EditResult, edit, expect_editable
from ..editing.request import EditRequest
from ..io.midi import Song
from ..io.score_output import file_of
from ..io.scores import read_place
from ..networks.model import Model
from ..system.files import write_whole
from ..system.outputs import MIDI, SOUND_SUFFIX, Planned, label
from ..system.storage import Place
from .cards import Card, make_card, with_scores
from .item_report import ItemReport, wrote
from .listings import notice_lines
from .manifest import Row, entry_of_edit
from .piano_roll import svg
from .score_lines import score_lines


@dataclass(frozen=True)
class EditFiles:
    """The work on each file. `load` gives the model, and `voice` has parameters of `io.scores.read_any`.

    With `dry_run` nothing is written; `roll` draws a piano roll beside each output; `cards` makes the cards of a page;
    `data` makes the data for JSON; `strict` finds the flaws of the results. `root` is the folder or the table of a
    batch, and `sounds` has for each input a sound file to write, too, or is empty."""

    load: Callable[[], Model]
    request: EditRequest
    voice: Mapping[str, Any] = field(default_factory=dict)
    dry_run: bool = False
    roll: bool = False
    cards: bool = False
    data: bool = False
    strict: bool = False
    root: Place | None = None
    sounds: tuple[Planned, ...] = ()

    def __call__(self, plan: Planned) -> ItemReport | Literal[False]:
        """Edit one file. Returns False if its output exists already and is skipped.

        Raises InputError for a file without a measure that can be edited, and OutputError."""
        from . import summaries  # with the deepest imports of this package
        from .unchanged import Tally

        if plan.skip:
            return False
        sounds = self.sounds[plan.n - 1 : plan.n]
        song = read_place(plan.request.source, plan.request.data, **self.voice)
        model = self.load()
        result = edit(song.melody, self.request, model)
        expect_editable(result, song.name)
        made = file_of(song, result.melody, plan.suffix)
        if not self.dry_run and not plan.row:
            plan.write(made)
            if self.roll and isinstance(plan.place, Path):
                self._draw(plan.place.with_suffix(".svg"), plan.overwrite, song, result)
            for sound in sounds:
                if not sound.skip:
                    sound.write(file_of(song, result.melody, SOUND_SUFFIX))
        source = [f"melody: {summaries.melody_line(song)}", *score_lines(song, plan.suffix)]
        report = summaries.edit_lines(result, self.request, model)
        ends = [wrote(one.place, self.dry_run) for one in (plan, *sounds)]
        lines = [*source, *notice_lines(song.notices), *report, *ends]
        row = entry_of_edit(plan, self.root, self.request, result, model)
        about = {"input": plan.source, "output": None if self.dry_run else str(plan.place)}
        return ItemReport(
            [song.name, *(f"  {line}" for line in lines)],
            [about | summaries.edit_json(song, result, self.request, model)] if self.data else [],
            plan.place == "-",
            [row],
            [made] if plan.row else [],
            [self._card(plan, song, result, row, lines)] if self.cards else [],
            flaws=[f"{song.name}: {flaw}" for flaw in summaries.flaws(result, self.request)] if self.strict else [],
            tally=Tally.of(result),
        )

    def _card(self, plan: Planned, song: Song, result: EditResult, row: Row, lines: list[str]) -> Card:
        place = None if plan.place == "-" else Path(plan.place)
        card = make_card(row, song, file_of(song, result.melody, MIDI), place, lines)
        return with_scores(card, song, song.melody, result.melody)

    def _draw(self, path: Path, overwrite: bool, song: Song, result: EditResult) -> None:
        picture = svg(song.melody, result.melody, title=song.melody.name, caption=label(self.request.targets))
        write_whole(path, picture.encode(), overwrite=overwrite)
