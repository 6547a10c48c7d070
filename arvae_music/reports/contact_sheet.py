"""A contact sheet: one HTML page that shows and plays the files of a folder, without a network.

    card = make_card(row, before, after, tempo)      before/after piano roll as SVG, the notes, the manifest's row
    page([card, ...], title) -> str                  the whole page: data/contact_sheet.html with the cards
    write(folder, [card, ...], title) -> Path        the page as a file in the folder
    write_index(folder, [card, ...], title, earlier) -> Path     the page and the manifest

Everything that comes from files (names, notes) is escaped. The page loads nothing, which its content security policy
enforces, and works from file://, in light and dark mode, by keyboard, and in print. It shows at most MOST cards, since
a browser cannot handle thousands of drawings; the manifest lists all files.

Playback is a triangle wave for the melody alone. Measures that cannot be edited are silent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from importlib.resources import files
from itertools import accumulate
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..errors import OutputError
from ..music.melody import Melody
from ..system.files import write_whole
from . import manifest
from .manifest import Row
from .piano_roll import svg

NAME = "index.html"
MOST = 400  # cards on a page
DIGITS = 3  # of the values on a card


@dataclass(frozen=True)
class Card:
    """One file on the sheet. `before` and `after`: [start, length, MIDI pitch], in quarter notes."""

    row: Row
    picture: str  # SVG
    before: list[list[float]]
    after: list[list[float]]
    tempo: float  # quarter notes per minute


def make_card(row: Row, before: Melody, after: Melody, tempo: float) -> Card:
    """Make the card of a file. Raises ValueError if the melodies do not have the same measures."""
    return Card(row, svg(before, after), timed(before), timed(after), tempo)


def timed(melody: Melody) -> list[list[float]]:
    """The melody's notes as [start, length, MIDI pitch], in quarter notes from the start."""
    starts = [Fraction(0), *accumulate(bar.quarters for bar in melody.bars)]

    def place(measure: int, tick: int) -> Fraction:
        meter = melody.bars[measure].meter
        return starts[measure] + (meter.tick_quarters[tick] if meter is not None else 0)

    found = []
    for note in melody.notes:
        start, end = place(note.measure, note.tick), place(note.end_measure, note.end_tick)
        found.append([round(float(start), 4), round(float(end - start), 4), float(note.pitch)])
    return found


def page(cards: Sequence[Card], title: str, note: str = "") -> str:
    """The page as HTML. `note` is printed under the title, before the number of files."""
    template = files("arvae_music").joinpath("data/contact_sheet.html").read_text("utf-8")
    shown = cards[:MOST]
    count = f"{len(cards)} file{'s' if len(cards) != 1 else ''}"
    more = f"; the first {MOST} are shown, {len(cards) - MOST} more are in the manifest" if len(cards) > MOST else ""
    names = list(dict.fromkeys(a["name"] for card in shown for a in card.row["attributes"]))
    notes = [[card.tempo, card.before, card.after] for card in shown]
    parts = {
        "title": escape(title),
        "note": escape(f"{note}. {count}{more}." if note else f"{count}{more}."),
        "sorts": "\n".join(f'<option value="{escape(n)}">{escape(n)}</option>' for n in names),
        "cards": "\n".join(_card(i, card) for i, card in enumerate(shown)),
        "notes": _script_safe(notes),
    }
    # One pass, so that the inserted text is not searched for marks again.
    return re.sub(r"<!--(\w+)-->", lambda mark: parts[mark[1]], template)


def write(folder: Path, cards: Sequence[Card], title: str, note: str = "") -> Path:
    """Write the page into a folder, where it replaces an earlier page; return its path."""
    path = folder / NAME
    write_whole(path, page(cards, title, note).encode(), overwrite=True)
    return path


def earlier_rows(folder: Path, *, overwrite: bool, skip_existing: bool) -> dict[str, Row]:
    """The rows of an earlier manifest in the folder. Raises OutputError if a manifest or a contact sheet exists, unless
    `overwrite` or `skip_existing` is given."""
    names = (manifest.JSON_NAME, manifest.CSV_NAME, NAME)
    there = [folder / name for name in names if (folder / name).exists()]
    if there and not (overwrite or skip_existing):
        remedy = "give overwrite=True, or another folder with output=..."
        raise OutputError("exists already", where=str(there[0]), remedy=remedy)
    return manifest.read(folder)


def write_index(folder: Path, cards: Sequence[Card], title: str, earlier: Mapping[str, Row]) -> Path:
    """Write the contact sheet, and the manifest with the rows of an earlier run whose files still exist.

    Returns the path of the page."""
    others = manifest.write(folder, [card.row for card in cards], earlier)
    note = f"model {', '.join(dict.fromkeys(str(card.row['model']) for card in cards))}"
    if others:
        note += f". The manifest lists {others} file{'s' if others != 1 else ''} of earlier runs, too"
    return write(folder, cards, f"{title}: {folder.name}", note)


def _card(i: int, card: Card) -> str:
    row = card.row
    values = {a["name"]: a["achieved"] for a in row["attributes"]}
    data = escape(json.dumps({"file": row["file"], "amount": row["amount"], **values}), quote=True)
    state = "exact" if row["exact"] else "not exact"
    facts = [f"seed {row['seed']}", f"no. {row['n']}", f"{row['changed']} of {row['measures']} measures changed"]
    if row["amount"] is not None:
        facts.insert(0, f"{100 * row['amount']:.0f}% of the notes differ")
    return f"""<article class="card" data-values="{data}" data-exact="{int(row["exact"])}" aria-labelledby="name{i}">
<header><h2 id="name{i}"><a href="{escape(quote(row["file"]), quote=True)}">{escape(row["file"])}</a></h2>
<p class="state {"ok" if row["exact"] else "off"}">{state}</p></header>
<p class="facts">{escape(" · ".join(facts))}</p>
<div class="roll">{card.picture}</div>
<p class="play"><button type="button" data-play="{i}" data-which="1">Play before</button>
<button type="button" data-play="{i}" data-which="2">Play after</button></p>
<table><thead><tr><th scope="col">attribute</th><th scope="col">before</th><th scope="col">requested</th>
<th scope="col">achieved</th><th scope="col">exact in</th></tr></thead>
<tbody>{"".join(map(_value_row, row["attributes"]))}</tbody></table>
</article>"""


def _value_row(attribute: dict[str, Any]) -> str:
    unit = escape(str(attribute["unit"]))
    values = (attribute["before"], attribute["asked"], attribute["achieved"])
    cells = "".join(f"<td>{'' if v is None else f'{v:.{DIGITS}g} {unit}'}</td>" for v in values)
    hits = f"{attribute['hits']} of {attribute['measures']}"
    return f'<tr><th scope="row">{escape(str(attribute["name"]))}</th>{cells}<td>{hits}</td></tr>'


def _script_safe(data: object) -> str:
    """JSON in which no text can end the surrounding script element."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
