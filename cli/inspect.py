"""`arvae inspect`: a file's voices, the melody and why it was chosen, the chords, and the attributes of every measure.

Inspect a file before you edit it: the table says which measures arvae cannot read, and `arvae edit` leaves these
unchanged. `(C4)` is a note that is tied over from the measure before. A `note:` states what is odd about a file. If no
melody of a file can be edited, its tracks are listed all the same, and the exit code is 1. --json prints an array with
an object for each file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from ..errors import InputError
from ..system import inputs
from ..system.storage import Place
from .shared import batches, common

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
    from ..io.scores import read_any
    from ..music.attributes import PAPER, find
    from ..reports.summaries import describe

    specs = [find(name) for name in attribute or PAPER]
    places = inputs.expand_inputs(files, recursive=recursive)
    found: list[dict[str, Any]] = []
    listed: dict[str, dict[str, Any]] = {}  # the contents of files without a melody

    def look(place: Place) -> None:
        source, name = inputs.source_of(place)
        try:
            song = read_any(source, name=name, **vars(voice))
        except InputError:
            if len(places) > 1 and not json:
                common.report("")
            listed[str(place)] = _list_contents(source, name, quiet=json)
            raise
        description = describe(song, specs)
        if json:
            found.append(description)
            return
        if len(places) > 1:
            common.report("")
        show(song, description, specs)

    def fail(place: Place, message: str) -> None:
        found.append({"file": str(place), "error": message, **listed.get(str(place), {})})

    code = batches.run_batch(places, look, fail=fail if json else None)
    if json:
        common.print_json(found)
    return code


def _list_contents(source: Path | bytes, name: str, *, quiet: bool) -> dict[str, Any]:
    """Show the tracks of a file in which no melody can be edited. Returns them as plain data, too."""
    from ..io.scores import read_contents
    from ..reports.listings import contents_rows, describe_contents, notice_lines

    try:
        contents = read_contents(source, name=name)
    except InputError:  # it is no music at all
        return {}
    if not quiet:
        common.report("\n".join([name, *(f"  {line}" for line in notice_lines(contents.notices)), ""]))
        _show_voices(contents_rows(contents))
    return describe_contents(contents)


def _show_voices(rows: Sequence[tuple[str, ...]]) -> None:
    from ..reports.listings import VOICE_HEADINGS

    common.report(common.listing(VOICE_HEADINGS, rows))
    common.report("")


def show(song: Song, description: dict[str, Any], specs: Sequence[AttributeSpec]) -> None:
    from ..reports.listings import voice_rows
    from ..reports.summaries import bar_headings, bar_rows, file_lines

    common.report("\n".join([song.name, *(f"  {line}" for line in file_lines(song, description)), ""]))
    if len(song.candidates) > 1:
        _show_voices(voice_rows(song.candidates, song.found))
    measures = description["bars"]
    common.report(common.listing(bar_headings(measures, specs), bar_rows(measures, specs), right=2 + len(specs)))
