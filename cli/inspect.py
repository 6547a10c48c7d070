"""`arvae inspect`: what a file holds, which voice is its melody and why, and every measure's attributes.

Look before you edit: the measures that are listed as untouched are the ones that `arvae edit` leaves alone.
`(C4)` is a note tied over from the measure before. With --json one array with an object for every file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .shared import batches, common, sources

if TYPE_CHECKING:
    from rich.table import Table

    from ..io.midi import Song
    from ..music.attributes import AttributeSpec
    from ..music.melody import Bar, Melody

DEFAULT_TEMPO = 120  # quarter notes a minute, of a MIDI file without a tempo
MAJOR = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")  # 7 flats upwards
MINOR = ("Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#")

Attributes = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute",
        "-a",
        metavar="NAME",
        help="Show this attribute (repeatable; module:function is yours).",
    ),
]


@dataclass(frozen=True)
class Change:
    """From which measure on; `value` is a signature, or quarter notes a minute."""

    bar: int
    value: str | float


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
    """Show a file's tracks, its melody and why it was chosen, and every measure's attributes."""
    from ..music.attributes import PAPER, find

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


# ---------------------------------------------------------------------------------------- describing


def describe(song: Song, specs: Sequence[AttributeSpec]) -> dict[str, Any]:
    """Everything that is known of a song, for JSON; `show` prints most of it."""
    melody = song.melody
    return {
        "file": song.name,
        "melody": song.found,
        "voices": song.candidates,
        "key": {"name": key_name(melody.fifths), "fifths": melody.fifths, "origin": melody.key_origin},
        "shift": melody.shift,
        "pickup": song.pickup,
        "meters": meters(melody),
        "tempi": tempi(song),
        "untouched": sum(bar.reason is not None for bar in melody.bars),
        "bars": bars(melody, specs),
    }


def key_name(fifths: int) -> str:
    """Both keys of a signature: it can't tell which is meant."""
    count = f"{abs(fifths)} {'sharp' if fifths > 0 else 'flat'}{'s' if abs(fifths) > 1 else ''}"
    keys = f"{MAJOR[fifths + 7]} major or {MINOR[fifths + 7]} minor"
    return f"{keys} ({count})" if fifths else keys


def meters(melody: Melody) -> list[Change]:
    written = [(bar.number, bar.signature) for bar in melody.bars]
    return [Change(n, s) for i, (n, s) in enumerate(written) if i == 0 or s != written[i - 1][1]]


def tempi(song: Song) -> list[Change]:
    """Tempo changes by measure, one a measure at most: a ritardando may have hundreds."""
    from ..io.midi_events import TEMPO, parse_track, split

    parts = split(song.write(song.melody.rows), song.name)
    tracks = [parse_track(parts.track(i), song.name).events for i in range(len(parts.tracks))]
    events = sorted((event.tick, event.meta(TEMPO)) for events in tracks for event in events if event.meta(TEMPO))
    by_bar: dict[int, float] = {}
    for tick, payload in events:
        bar = next((bar.number for bar in reversed(song.melody.bars) if bar.start <= tick), 0)
        by_bar[bar] = round(60e6 / max(int.from_bytes(payload or b"", "big"), 1), 2)
    changes: list[Change] = []
    for bar, tempo in by_bar.items():
        if not changes or changes[-1].value != tempo:
            changes.append(Change(bar, tempo))
    return changes


def bars(melody: Melody, specs: Sequence[AttributeSpec]) -> list[dict[str, Any]]:
    names = note_names(melody)
    values = attribute_values(melody, specs)
    return [
        {
            "number": bar.number,
            "meter": bar.signature,
            "notes": names[i],
            "tokens": bar.tokens,
            "attributes": values.get(i),
            "reason": bar.reason,
        }
        for i, bar in enumerate(melody.bars)
    ]


def note_names(melody: Melody) -> list[list[str]]:
    """The notes of every measure; one tied over from the measure before stands in parentheses."""
    from ..music.keys import pitch_name

    names: list[list[str]] = [[] for _ in melody.bars]
    for note in melody.notes:
        name = pitch_name(note.pitch, melody.fifths)
        names[note.measure].append(name)
        for later in range(note.measure + 1, note.end_measure + 1):
            if later < note.end_measure or note.end_tick > 0:
                names[later].insert(0, f"({name})")
    return names


def attribute_values(melody: Melody, specs: Sequence[AttributeSpec]) -> dict[int, dict[str, float]]:
    """From the index of a measure that has tokens to its attributes, in their units."""
    import numpy as np

    from ..music.attributes import evaluate

    by_meter: dict[Any, list[tuple[int, Bar]]] = defaultdict(list)
    for i in melody.editable:
        by_meter[melody.bars[i].meter].append((i, melody.bars[i]))
    values: dict[int, dict[str, float]] = {}
    for meter, members in by_meter.items():
        rows = np.stack([bar.tokens for _, bar in members if bar.tokens is not None])
        sizes = np.array([spec.unit.size(meter) for spec in specs])
        table = evaluate(specs, rows, meter) / sizes
        for (i, _), line in zip(members, table.tolist(), strict=True):
            values[i] = {spec.name: round(value, 6) for spec, value in zip(specs, line, strict=True)}
    return values


# ------------------------------------------------------------------------------------------ printing


def show(song: Song, description: dict[str, Any], specs: Sequence[AttributeSpec]) -> None:
    found, melody = song.found, song.melody
    name = f" {found.name!r}" if found.name else ""
    given = ", ".join(f"{change.value:g} from bar {change.bar}" for change in description["tempi"])
    count = f"{len(melody.bars)}"
    if description["untouched"]:
        count += f", {description['untouched']} of them untouched by an edit"
    lines = {
        "melody": f"track {found.track}{name}, channel {found.channel}: {found.why}",
        "key": f"{description['key']['name']}, {melody.key_origin}; tokens are {melody.shift:+d} semitones",
        "meter": ", ".join(f"{change.value} from bar {change.bar}" for change in description["meters"]),
        "tempo": given or f"{DEFAULT_TEMPO}, since the file gives none",
        "pickup": f"{quarters(song.pickup)} quarters" if song.pickup else "none",
        "measures": count,
    }
    common.report(song.name)
    common.report("\n".join(f"  {title:9} {line}" for title, line in lines.items() if line) + "\n")
    if len(song.candidates) > 1:
        common.report(voice_table(song))
        common.report("")
    common.report(bar_table(description["bars"], specs))


def quarters(length: Fraction) -> str:
    return f"{float(length):g}" if length.denominator in (1, 2, 4, 8) else str(length)


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
