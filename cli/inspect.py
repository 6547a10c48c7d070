"""`arvae inspect`: a file's voices, the melody and why it was chosen, and the attributes of every measure.

Look before you edit: `arvae edit` leaves the measures alone that are listed as untouched. `(C4)` is a note tied over
from the measure before. --json prints an array with an object for every file.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .shared import batches, common, completion, sources

if TYPE_CHECKING:
    from rich.table import Table

    from ..io.midi import Song
    from ..music.attributes import AttributeSpec

EXAMPLES = (
    ("arvae inspect song.mid", "its tracks, its melody, and a line for each measure"),
    ("arvae inspect song.mid --track Vocals -a syncopation -a pitch", "two attributes of the track Vocals"),
)

Attributes = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute",
        "-a",
        metavar="NAME",
        help="Show this attribute (repeatable); module:function names one of your own.",
        autocompletion=completion.attributes,
    ),
]


def inspect(
    files: common.Inputs,
    attribute: Attributes = None,
    recursive: common.Recursive = False,
    track: common.Track = None,
    channel: common.Channel = None,
    pickup: common.Pickup = None,
    json: common.Json = False,
    quiet: common.Quiet = False,
) -> int:
    """Show a file's tracks, its melody and why it was chosen, and the attributes of every measure."""
    from ..music.attributes import PAPER, find
    from ..reports.summaries import describe

    specs = [find(name) for name in attribute or PAPER]
    places = sources.expand_inputs(files, recursive=recursive)
    found: list[dict[str, Any]] = []

    def look(place: sources.Place) -> None:
        song = sources.read_song(place, track=track, channel=channel, pickup=pickup)
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
    from ..io.midi import DEFAULT_TEMPO
    from ..reports.summaries import melody_line

    melody = song.melody
    given = ", ".join(f"{change.value:g} from bar {change.bar}" for change in description["tempi"])
    count = f"{len(melody.bars)}"
    if description["untouched"]:
        count += f"; an edit leaves {description['untouched']} of them untouched"
    lines = {
        "melody": melody_line(song),
        "key": f"{description['key']['name']}, {melody.key_origin}; normalised by {melody.shift:+d} semitones",
        "meter": ", ".join(f"{change.value} from bar {change.bar}" for change in description["meters"]),
        "tempo": given or f"{DEFAULT_TEMPO:g}, because the file gives none",
        "pickup": quarters(song.pickup) if song.pickup else "none",
        "measures": count,
    }
    common.report(song.name)
    common.report("\n".join(f"  {title:9} {line}" for title, line in lines.items() if line) + "\n")
    if len(song.candidates) > 1:
        common.report(voice_table(song))
        common.report("")
    common.report(bar_table(description["bars"], specs))


def quarters(length: Fraction) -> str:
    number = f"{float(length):g}" if length.denominator in (1, 2, 4, 8) else str(length)
    return f"{number} quarter note{'s' if length > 1 else ''}"


def voice_table(song: Song) -> Table:
    from rich.table import Table

    from ..music.keys import pitch_name

    table = Table("", "track", "channel", "name", "notes", "from", "to", "overlapping", box=None)
    for voice in song.candidates:
        chosen = (voice.track, voice.channel) == (song.found.track, song.found.channel)
        span = (pitch_name(voice.low), pitch_name(voice.high), f"{voice.polyphony:.0%}")
        numbers = (str(voice.track), "10, drums" if voice.drums else str(voice.channel))
        table.add_row("*" if chosen else "", *numbers, voice.name, str(voice.notes), *span)
    return table


def bar_table(rows: Sequence[dict[str, Any]], specs: Sequence[AttributeSpec]) -> Table:
    from rich.table import Table

    table = Table(box=None)
    table.add_column("bar", justify="right")
    table.add_column("meter", justify="right")
    for spec in specs:
        table.add_column(f"{spec.name}\n({spec.unit.names[0]})", justify="right")
    table.add_column("notes")
    for row in rows:
        values = row["attributes"] or {}
        cells = [f"{values[spec.name]:.4g}" if values else "-" for spec in specs]
        notes = " ".join(row["notes"]) if row["reason"] is None else f"untouched: {row['reason']}"
        table.add_row(str(row["number"]), row["meter"], *cells, notes)
    return table
