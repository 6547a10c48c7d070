"""A page that shows and plays files: one HTML file without a network, for one edit or for all files of a folder.

    card = make_card(row, song, midi, place)                 the music and the manifest's row of a file (cards.py)
    page([card, ...], title) -> str                          the whole page
    write_listening(path, [card, ...], what)                 the page as a file
    write_index(folder, [card, ...], title, earlier)         the page and the manifest of a folder

data/contact_sheet.html is the page without cards. Its scripts are data/player.js, a synthesiser for all tracks,
data/roll.js, the piano roll before and after, and data/sheet.js, which filters, sorts and connects the cards. The page
of a single file is wide and shows the report and the score. A grid of edits is drawn as a grid.

Everything that comes from files (names, notes) is escaped. The page loads nothing, which its content security policy
enforces, and works from file://, in light and dark mode, by keyboard, and in print. It shows at most MOST cards, since
a browser cannot handle thousands of drawings; the manifest lists all files.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..errors import OutputError, UsageError
from ..system.files import write_whole
from . import manifest
from .cards import Card
from .engraved import REMEDY, available
from .manifest import Row

NAME = "index.html"
SUFFIXES = (".html", ".htm")
MOST = 400  # cards on a page
MOST_SCORED = 24  # cards on a page with scores, which take ten times as much space as everything else
NAMED = 3  # inputs in a title
DIGITS = 3  # of the values on a card
SCRIPTS = ("player.js", "roll.js", "sheet.js")


def page(
    cards: Sequence[Card], title: str, note: str = "", *, folder: Path | None = None, axes: Sequence[str] = ()
) -> str:
    """The page as HTML. `note` is printed under the title, before the number of files.

    The cards link to their files from `folder`, in which the page will lie. `axes` are the attributes of a grid of
    edits, the slowest first: the last one runs from left to right, the one before it downwards.
    """
    data = files("arvae_music").joinpath("data")
    shown, single = cards[:MOST], len(cards) == 1
    count = "" if single else f"{len(cards)} files"
    if len(cards) > MOST:
        count += f"; the first {MOST} are shown, {len(cards) - MOST} more are in the manifest"
    texts = [_card(i, card, folder, values=not axes, score=single) for i, card in enumerate(shown)]
    parts = {
        "title": escape(title),
        "note": escape(". ".join(filter(None, (note, count))) + "." if note or count else ""),
        "kind": "single" if single else "many",
        "form": "" if single else _form(shown),
        "grids": _grids(shown, texts, axes) if axes else "",
        "cards": "" if axes else "\n".join(texts),
        "music": _music(shown),
        "script": "\n".join(data.joinpath(name).read_text("utf-8") for name in SCRIPTS),
    }
    # One pass, so that the inserted text is not searched for marks again.
    return re.sub(r"<!--(\w+)-->", lambda mark: parts[mark[1]], data.joinpath("contact_sheet.html").read_text("utf-8"))


def expect_free(path: Path, *, overwrite: bool = False, skip_existing: bool = False) -> None:
    """Check the path of a page before the work. Raises UsageError for another suffix than .html, and OutputError if the
    file exists, unless `overwrite` or `skip_existing` is given."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError("the page is an HTML file", where=str(path), remedy=f"name it {path.stem or 'page'}.html")
    if path.is_dir():
        raise OutputError("is a folder", where=str(path), remedy="name a file")
    if path.exists() and not (overwrite or skip_existing):
        remedy = "give overwrite=True, or another name for the page"
        raise OutputError("exists already", where=str(path), remedy=remedy)


def write(
    path: Path, cards: Sequence[Card], title: str, note: str = "", *, axes: Sequence[str] = (), overwrite: bool = False
) -> None:
    """Write the page. Raises OutputError if the file exists and `overwrite` is False."""
    text = page(cards, title, note, folder=path.parent, axes=axes)
    write_whole(path, text.encode(), overwrite=overwrite)


def write_listening(
    path: Path, cards: Sequence[Card], what: str, *, axes: Sequence[str] = (), overwrite: bool = False
) -> None:
    """Write the page that --listen names. Its title is `what` and the names of the inputs. It has the scores of the
    cards, if there are at most MOST_SCORED, and says how to get them if verovio is missing."""
    inputs = list(dict.fromkeys(str(card.row["input"]) for card in cards))
    more = f" and {len(inputs) - NAMED} more" if len(inputs) > NAMED else ""
    note = "" if available() else f"For scores, {REMEDY}"
    if len(cards) > MOST_SCORED:
        cards, note = [replace(card, scores=()) for card in cards], f"A page of up to {MOST_SCORED} files has scores"
    write(path, cards, f"{what}: {', '.join(inputs[:NAMED])}{more}", note, axes=axes, overwrite=overwrite)


def earlier_rows(folder: Path, *, overwrite: bool, skip_existing: bool) -> dict[str, Row]:
    """The rows of an earlier manifest in the folder. Raises OutputError if a manifest or a contact sheet exists, unless
    `overwrite` or `skip_existing` is given."""
    names = (manifest.JSON_NAME, manifest.CSV_NAME, NAME)
    there = [folder / name for name in names if (folder / name).exists()]
    if there and not (overwrite or skip_existing):
        remedy = "give overwrite=True, or another folder with output=..."
        raise OutputError("exists already", where=str(there[0]), remedy=remedy)
    return manifest.read(folder)


def write_index(
    folder: Path, cards: Sequence[Card], title: str, earlier: Mapping[str, Row], axes: Sequence[str] = ()
) -> Path:
    """Write the contact sheet, and the manifest with the rows of an earlier run whose files still exist.

    Returns the path of the page."""
    others = manifest.write(folder, lambda: [card.row for card in cards], earlier)
    note = f"Model {', '.join(dict.fromkeys(str(card.row['model']) for card in cards))}"
    if others:
        note += f". The manifest lists {others} file{'s' if others != 1 else ''} of earlier runs, too"
    cards = [replace(card, scores=()) for card in cards]  # which would make a large page of many files
    write(folder / NAME, cards, f"{title}: {folder.name}", note, axes=axes, overwrite=True)
    return folder / NAME


def _music(cards: Sequence[Card]) -> str:
    """The music of all cards as JSON, in which equal tracks, measures and scores stand once."""
    texts: dict[str, int] = {}

    def at(*of: str) -> list[int]:
        return [texts.setdefault(text, len(texts)) for text in of]

    entries = [
        {
            "before": at(*card.before), "after": at(*card.after), "measures": at(card.measures)[0],
            "melody": at(card.melody)[0], "scores": at(*map(json.dumps, card.scores)),
        }
        for card in cards
    ]  # fmt: skip
    return _script_safe(f'{{"parts":[{",".join(texts)}],"cards":{json.dumps(entries)}}}')


def _script_safe(text: str) -> str:
    """JSON in which no text can end the surrounding script element."""
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


# ------------------------------------------------------------------------------------ elements


def _form(cards: Sequence[Card]) -> str:
    names = dict.fromkeys(attribute["name"] for card in cards for attribute in card.row["attributes"])
    if any(card.row["amount"] is not None for card in cards):
        names = {"amount": None, **names}
    sorts = "".join(f'<option value="{escape(name)}">{escape(name)}</option>' for name in ("file", *names))
    exact = '<label><input type="checkbox" id="exact"> exact only</label>'
    return f"""<form role="search" aria-label="Files">
<label>Filter <input type="search" id="filter" autocomplete="off"></label>
<label>Sort by <select id="sort"><option value="">order of making</option>{sorts}</select></label>
<label><input type="checkbox" id="down"> largest first</label>
{"" if all(card.step for card in cards) else exact}
<output id="shown" aria-live="polite"></output>
</form>"""


def _grids(cards: Sequence[Card], texts: Sequence[str], axes: Sequence[str]) -> str:
    """A grid for each input and each combination of the axes before the last two."""
    *outer, down, across = ["", *axes] if len(axes) == 1 else axes

    def value(card: Card, axis: str) -> str:
        return str(card.row["targets"].get(axis, ""))

    grids: dict[tuple[str, ...], dict[tuple[str, str], list[str]]] = {}
    for card, text in zip(cards, texts, strict=True):
        key = (str(card.row["input"]), *(f"{axis} {value(card, axis)} sd" for axis in outer))
        cells = grids.setdefault(key, {})
        cells.setdefault((value(card, down), value(card, across)), []).append(text)
    return "\n".join(_grid(key, cells, down, across) for key, cells in grids.items())


def _grid(key: tuple[str, ...], cells: Mapping[tuple[str, str], Sequence[str]], down: str, across: str) -> str:
    rows, columns = (list(dict.fromkeys(place[side] for place in cells)) for side in (0, 1))
    parts = ['<div class="axis"></div>']
    parts += [f'<div class="axis top">{escape(across)} {escape(column)} sd</div>' for column in columns]
    for row in rows:
        parts.append(f'<div class="axis">{f"{escape(down)} {escape(row)} sd" if down else ""}</div>')
        parts += [f'<div class="cell">{"".join(cells.get((row, column), ()))}</div>' for column in columns]
    style = f"--columns: {len(columns)}"
    heading = f"<h2>{escape(', '.join(key))}</h2>"
    return f'<section class="grid-part">{heading}<div class="grid" style="{style}">{"".join(parts)}</div></section>'


def _card(i: int, card: Card, folder: Path | None, *, values: bool, score: bool) -> str:
    """The card as HTML. `values` and `score` say whether these parts are open."""
    row = card.row
    sorted_by = {a["name"]: a["achieved"] for a in row["attributes"]}
    data = escape(json.dumps({"file": row["file"], "amount": row["amount"], **sorted_by}), quote=True)
    name = escape(row["file"])
    if card.place is not None and folder is not None:
        link = _link(card.place, folder)
        name = f'<a href="{escape(link, quote=True)}">{name}</a>'
    state = "exact" if row["exact"] else "not exact"
    states = "" if card.step else f'<p class="state {"ok" if row["exact"] else "off"}">{state}</p>'
    details = [
        ("values", "Values", f'<div class="wide">{_table(card)}</div>', values),
        ("tracks", "Tracks", "<ul></ul>", False),
    ]
    if card.scores:
        details.append(("score", "Score", '<div class="wide"></div>', score))
    if card.report:
        details.append(("report", "Report", f"<pre>{escape(chr(10).join(card.report))}</pre>", False))
    folded = "\n".join(
        f'<details class="{kind}"{" open" if is_open else ""}><summary>{heading}</summary>{body}</details>'
        for kind, heading, body, is_open in details
    )
    return f"""<article class="card" data-card="{i}" data-values="{data}" data-exact="{int(row["exact"])}"
 aria-labelledby="name{i}">
<header><h2 id="name{i}">{name}</h2>{states}</header>
<p class="facts">{escape(" · ".join(_facts(card)))}</p>
<div class="roll" tabindex="0" role="img" aria-label="Piano roll of {escape(row["file"], quote=True)}"></div>
<div class="play"><button type="button" data-do="play">Play</button>
<span class="sides" role="group" aria-label="What sounds"><button type="button" data-do="before">{"First" if card.step
else "Before"}</button><button type="button" data-do="after">{"This" if card.step else "After"}</button></span>
<button type="button" data-do="loop">Loop</button>
<input type="range" data-do="position" min="0" max="1" step="any" value="0" aria-label="Position in seconds">
<span data-do="clock"></span></div>
{folded}
</article>"""


def _link(place: Path, folder: Path) -> str:
    """The address of a file from a page in the folder."""
    try:
        return quote(Path(os.path.relpath(place, folder)).as_posix())
    except ValueError:  # on another drive of Windows
        return place.resolve().as_uri()


def _facts(card: Card) -> list[str]:
    row = card.row
    if card.step:
        return [f"step {row['n']}", f"seed {row['seed']}"]
    facts = [f"{row['changed']} of {row['measures']} measures changed", f"seed {row['seed']}"]
    if row["amount"] is None:
        return facts
    return [f"no. {row['n']}", f"{100 * row['amount']:.0f}% of the notes differ", *facts]


def _table(card: Card) -> str:
    """The attributes: their values, and in how many measures a request is exact."""
    attributes = card.row["attributes"]
    columns = {"before": "first step" if card.step else "before", "achieved": "this step" if card.step else "achieved"}
    if not card.step and any(attribute["asked"] is not None for attribute in attributes):
        columns = {"before": "before", "asked": "requested", "achieved": "achieved", "hits": "exact in"}
    head = "".join(f'<th scope="col">{column}</th>' for column in ("attribute", *columns.values()))
    body = "".join(_value_row(attribute, list(columns)) for attribute in attributes)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _value_row(attribute: dict[str, Any], columns: Sequence[str]) -> str:
    unit, asked = escape(str(attribute["unit"])), attribute["asked"] is not None
    texts = {
        name: "" if attribute[name] is None else f"{attribute[name]:.{DIGITS}g} {unit}"
        for name in ("before", "asked", "achieved")
    }
    texts["hits"] = f"{attribute['hits']} of {attribute['measures']}" if asked else ""
    cells = "".join(f"<td>{texts[name]}</td>" for name in columns)
    return f'<tr><th scope="row">{escape(str(attribute["name"]))}</th>{cells}</tr>'
