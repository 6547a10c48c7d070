"""`arvae inspect`: a file's voices, the melody and why it was chosen, the chords, and the attributes of every measure.

Inspect a file before you edit it: the table says which measures arvae cannot read, and `arvae edit` leaves these
unchanged. `(C4)` is a note that is tied over from the measure before. --json prints an array with an object for each
file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from ..system import inputs
from .shared import batches, common, sources

if TYPE_CHECKING:
    from ..io.midi import Song
    from ..music.attributes import AttributeSpec

EXAMPLES = (
    ("arvae inspect song.mid", "its tracks, its melody, and a line for each measure"),
    ("arvae inspect song.mid --track Vocals -a syncopation -a pitch", "two attributes of the track Vocals"),
)

Attributes = Annotated[
    list[str] | None,
    common.attributes_option("Show this attribute (repeatable); module:function names one of your own."),
]


def inspect(
    files: common.Inputs,
    *,
    attribute: Attributes = None,
    recursive: common.Recursive = False,
    voice: common.Voice,
    json: common.Json = False,
    quiet: common.Quiet = False,
) -> int:
    """Show a file's tracks, its melody and why it was chosen, and the attributes of every measure."""
    from ..music.attributes import PAPER, find
    from ..reports.summaries import describe

    specs = [find(name) for name in attribute or PAPER]
    places = inputs.expand_inputs(files, recursive=recursive)
    found: list[dict[str, Any]] = []

    def look(place: inputs.Place) -> None:
        song = sources.read_song(place, voice)
        description = describe(song, specs)
        if json:
            found.append(description)
            return
        if len(places) > 1:
            common.report("")
        show(song, description, specs)

    code = batches.run_batch(places, look, fail=batches.failing(found, "file") if json else None)
    if json:
        common.print_json(found)
    return code


def show(song: Song, description: dict[str, Any], specs: Sequence[AttributeSpec]) -> None:
    from rich.table import Table

    from ..reports.summaries import bar_rows, file_lines, voice_rows

    common.report("\n".join([song.name, *(f"  {line}" for line in file_lines(song, description)), ""]))
    if len(song.candidates) > 1:
        voices = Table("", "track", "channel", "name", "notes", "from", "to", "overlapping", "score", box=None)
        for row in voice_rows(song):
            voices.add_row(*row)
        common.report(voices)
        common.report("")
    bars = Table(box=None)
    for heading in ("bar", "meter", *(f"{spec.name}\n({spec.unit.names[0]})" for spec in specs)):
        bars.add_column(heading, justify="right")
    if any(bar["chords"] for bar in description["bars"]):
        bars.add_column("chords")
    bars.add_column("notes")
    for row in bar_rows(description["bars"], specs):
        bars.add_row(*row)
    common.report(bars)
