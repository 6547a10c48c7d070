"""The description of the API for programs (OpenAPI 3.1), and for people, as a page made from it.

    document()      the description as plain data
    page()          the same as HTML
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from ..version import __version__

Plain = dict[str, Any]

TEXT, NUMBER, WHOLE, FLAG = ({"type": name} for name in ("string", "number", "integer", "boolean"))
TEXTS = {"type": "array", "items": TEXT}
SETTINGS: Plain = {
    "sliders": {
        "type": "object",
        "additionalProperties": TEXT,
        "description": 'attribute and request, as in {"density": "+2notes"}',
    },
    "bars": {"type": ["string", "null"], "description": "only these measures, as in 1-4,7,12-"},
    "keep": TEXTS | {"description": "attributes that must keep their values"},
    "locks": TEXTS | {"description": "onsets, pitches, key, range, first, last"},
    "harmony": FLAG | {"description": "whether new notes fit the chords"},
    "chords": {"type": ["string", "null"], "description": "a chart instead of the song's own chords: C | F G7 | %"},
    "strength": {"type": ["number", "null"], "description": "from 0, the fewest changes, to 1, free composition"},
    "seed": WHOLE | {"description": "the same seed gives the same result"},
    "each": FLAG | {"description": "hold every measure to the request, not only the mean"},
    "free_ends": FLAG | {"description": "let the last notes of phrases change like others"},
    "form": FLAG | {"description": "edit repeated measures in the same way"},
    "proposals": {"type": ["integer", "null"], "description": "decodes of each measure; fewer are faster"},
    "model": {"type": ["string", "null"], "description": "one of the models that the state lists"},
}
VARIATIONS: Plain = {
    "count": WHOLE | {"description": "how many"},
    "amount": NUMBER | {"description": "the share of the notes that differ, above 0, at most 1"},
    "near": {"type": ["string", "null"], "description": "the id of an edit to vary; its sliders are not moved again"},
}
JSON, LINES, BYTES, HTML = "application/json", "application/x-ndjson", "application/octet-stream", "text/html"
FORMAT = ("format", "mid, musicxml, abc or wav")
PAGE = ("page", "a number from 1")


@dataclass(frozen=True)
class Operation:
    method: str
    path: str  # below the address of the API
    summary: str
    query: tuple[tuple[str, str], ...] = ()  # name and description
    takes: str | None = None  # a schema of SCHEMAS, or BYTES
    gives: str = JSON
    status: int = 200


SESSION: Plain = {
    "title": TEXT | {"description": "what the list of sessions shows"},
    "songs": TEXTS | {"description": "ids of the songs: the disk gets their files"},
    "edits": TEXTS | {"description": "ids of edits that must stay in memory"},
    "page": {"description": "any JSON, such as settings, which is kept as it is"},
}
SCHEMAS = {"Session": SESSION, "Settings": SETTINGS, "VariationSettings": {**SETTINGS, **VARIATIONS}}
OPERATIONS = (
    Operation("get", "/state", "The models, the sliders, and the song that the command opened"),
    Operation(
        "post", "/songs", "Open a file: its bytes are the body, its name is in the header X-File-Name (URL-encoded)",
        (
            ("track", "a number or a name"),
            ("voice", "top, bottom, or a number"),
            ("demo", "1 opens the demo instead"),
            ("again", "the id of a song, which is read again with this track and voice, instead of a body"),
        ),
        takes=BYTES, status=201,
    ),
    Operation("get", "/songs/{song}", "A song: tracks and notes in seconds, measures, chords, sliders"),
    Operation("post", "/songs/{song}/edits", "Edit a song", takes="Settings", status=201),
    Operation(
        "post", "/songs/{song}/variations", "Vary a song: one line of JSON for each variation, as it is found",
        takes="VariationSettings", gives=LINES,
    ),
    Operation("get", "/songs/{song}/file", "The file of a song", (FORMAT,), gives=BYTES),
    Operation("get", "/songs/{song}/score", "A page of its engraved score, as SVG", (PAGE,)),
    Operation("get", "/edits/{edit}", "An edit that was made"),
    Operation("post", "/edits/{edit}/song", "Go on from an edit: it becomes a song", status=201),
    Operation("get", "/edits/{edit}/file", "The file that arvae edit writes", (FORMAT,), gives=BYTES),
    Operation("get", "/edits/{edit}/score", "A page of its engraved score, as SVG", (PAGE,)),
    Operation("get", "/sessions", "The sessions that are kept on the disk, the latest first"),
    Operation("get", "/sessions/{session}", "A session; its songs are opened again unless they are in memory"),
    Operation("put", "/sessions/{session}", "Keep a session on the disk", takes="Session", status=204),
    Operation("delete", "/sessions/{session}", "Forget a session", status=204),
    Operation("get", "/soundfont", "The SoundFont of the instruments", gives=BYTES),
    Operation("get", "/openapi.json", "This description"),
    Operation("get", "/docs", "This description, as a page", gives=HTML),
)  # fmt: skip


def document() -> Plain:
    """The description. Its server's address is relative, so that it does not hold the token."""
    paths: dict[str, Plain] = {}
    for one in OPERATIONS:
        paths.setdefault(one.path, {})[one.method] = _operation(one)
    schemas: Plain = {
        name: {"type": "object", "properties": fields, "additionalProperties": False}
        for name, fields in SCHEMAS.items()
    }
    error = {"type": "object", "properties": dict.fromkeys(("what", "where", "remedy"), TEXT)}
    schemas["Problem"] = {"type": "object", "properties": {"error": error}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "arvae studio", "version": "1", "summary": f"The API of arvae studio {__version__}"},
        "servers": [{"url": "."}],
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _operation(one: Operation) -> Plain:
    binary = {"schema": {"type": "string", "format": "binary"}}
    done = {JSON: {"schema": {"type": "object"}}} if one.gives == JSON else {one.gives: binary}
    problem = {JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    names = [part[1:-1] for part in one.path.split("/") if part.startswith("{")]
    found: Plain = {
        "summary": one.summary,
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": TEXT} for name in names),
            *({"name": name, "in": "query", "description": text, "schema": TEXT} for name, text in one.query),
        ],
        "responses": {
            str(one.status): {"description": "done", "content": done},
            "4XX": {"description": "what is wrong, and what to do", "content": problem},
        },
    }
    if one.takes is not None:
        settings = {JSON: {"schema": {"$ref": f"#/components/schemas/{one.takes}"}}}
        found["requestBody"] = {"content": {BYTES: binary} if one.takes == BYTES else settings}
    return found


def page() -> str:
    """The description as HTML, without scripts and styles."""
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>arvae studio: API</title>',
        "<h1>The API of arvae studio, version 1</h1>",
        "<p>All addresses are below the one of this page. Answers are JSON; an error is "
        '<code>{"error": {"what", "where", "remedy"}}</code>. <a href="openapi.json">openapi.json</a> says the same '
        "for programs.</p>",
    ]
    for one in OPERATIONS:
        parts.append(f"<h2><code>{one.method.upper()} {escape(one.path)}</code></h2><p>{escape(one.summary)}.</p>")
        fields = SCHEMAS.get(one.takes or "", {})
        parts += _list("Query", one.query)
        parts += _list("Body (all of it may be left out)", [(name, own["description"]) for name, own in fields.items()])
    return "\n".join(parts)


def _list(title: str, items: Sequence[tuple[str, str]]) -> list[str]:
    rows = [f"<li><code>{escape(name)}</code>: {escape(text)}</li>" for name, text in items]
    return [f"<p>{title}:</p><ul>", *rows, "</ul>"] if items else []
