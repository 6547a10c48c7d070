"""The contact sheet: whole, without a network, escaped whatever a file is called; and the manifest beside it."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from melodies import EIGHT, melody_of
from midi_files import FOUR, row

from arvae_music import library
from arvae_music.library import Model
from arvae_music.reports import manifest
from arvae_music.reports.contact_sheet import MOST, Card, make_card, page, timed

HOSTILE = "</script><img src=x onerror=alert(1)>&\"'<!--cards-->.mid"
VOID = {"meta", "input", "link", "img", "br"}


class Reader(HTMLParser):
    """Elements, and whether they are nested as they should be."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.append((self.open[-1], data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def model(tiny_model_path: Path) -> Model:
    return library.load(tiny_model_path)


@pytest.fixture(scope="module")
def rows_and_cards(model: Model) -> tuple[list[dict[str, Any]], list[Card]]:
    made = model.vary(EIGHT, 3)
    rows = [
        manifest.entry(file=f"{n}{HOSTILE}" if n == 1 else f"{n}.mid", source=HOSTILE, n=n, seed=7, model=model,
                       result=variation.result, targets={}, amount=variation.amount)
        for n, variation in enumerate(made.variations, start=1)
    ]  # fmt: skip
    cards = [make_card(r, EIGHT, v.melody, 96) for r, v in zip(rows, made.variations, strict=True)]
    return rows, cards


def test_every_file_has_a_card_with_rolls_values_and_playback(rows_and_cards: tuple[list[Any], list[Card]]) -> None:
    _, cards = rows_and_cards
    reader = read(page(cards, "Variations of <a & b>"))
    assert len(reader.all("article")) == 3
    assert len(reader.all("svg")) == 3
    assert len([b for b in reader.all("button") if "data-play" in b]) == 6
    values = json.loads(reader.all("article")[0]["data-values"] or "")
    assert values["file"] == f"1{HOSTILE}"
    assert {"density", "rhythm", "range", "contour", "amount"} <= set(values)
    sorts = [o["value"] for o in reader.all("option")]
    assert sorts[:3] == ["", "file", "amount"]
    assert "density" in sorts
    assert ("title", "Variations of <a & b>") in reader.texts


def test_file_names_are_escaped(rows_and_cards: tuple[list[Any], list[Card]]) -> None:
    _, cards = rows_and_cards
    text = page(cards, HOSTILE, HOSTILE)
    reader = read(text)
    assert reader.all("img") == []
    assert len(reader.all("script")) == 2
    assert len(reader.all("article")) == 3  # a mark of the template in a name is no mark
    link = reader.all("a")[0]["href"] or ""
    assert re.fullmatch(r"[\w.%/~-]+", link)


def test_nothing_is_loaded_from_anywhere(rows_and_cards: tuple[list[Any], list[Card]]) -> None:
    text = page(rows_and_cards[1], "x")
    reader = read(text)
    policy = next(m["content"] for m in reader.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert "default-src 'none'" in policy
    assert not any("src" in attributes for _, attributes in reader.elements)
    urls = set(re.findall(r"https?://[^\s\"'<]+", text))
    assert urls <= {"http://www.w3.org/2000/svg"}


def test_everything_can_be_reached_and_read(rows_and_cards: tuple[list[Any], list[Card]]) -> None:
    reader = read(page(rows_and_cards[1], "x"))
    html = reader.all("html")[0]
    assert html["lang"] == "en"
    assert all(b.get("type") == "button" for b in reader.all("button"))
    assert all(svg.get("role") == "img" for svg in reader.all("svg"))
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(article["aria-labelledby"] in ids for article in reader.all("article"))


def test_the_notes_are_the_melodys(rows_and_cards: tuple[list[Any], list[Card]]) -> None:
    reader = read(page(rows_and_cards[1], "x"))
    text = next(t for tag, t in reader.texts if tag == "script" and t.startswith("["))
    tempo, before, after = json.loads(text)[0]
    assert tempo == 96
    assert before[:2] == [[0, 1, 67], [1, 1, 69]]
    assert before != after


def test_notes_in_quarters_with_a_measure_that_passes_through() -> None:
    melody = melody_of([row(FOUR, t0=67, t18=69), None, row(FOUR, t0=None, t2=60, t3=None)])
    assert timed(melody) == [[0, 3, 67], [3, 1, 69], [round(8 + 1 / 3, 4), round(1 / 6, 4), 60]]


def test_a_sheet_of_thousands_of_files_shows_the_first(rows_and_cards: tuple[list[Any], list[Card]]) -> None:
    card = rows_and_cards[1][1]
    reader = read(page([Card(card.row, "", [], [], 120)] * (MOST + 5), "x"))
    assert len(reader.all("article")) == MOST
    assert any(f"{MOST + 5} files; the first {MOST} are shown, 5 more" in t for _, t in reader.texts)


def test_an_empty_sheet_is_one_too() -> None:
    assert read(page([], "x")).all("article") == []


# ------------------------------------------------------------------------- manifest


def test_a_manifest_reads_back(rows_and_cards: tuple[list[Any], list[Card]], model: Model) -> None:
    rows, _ = rows_and_cards
    assert manifest.from_json(manifest.to_json(rows)) == rows
    assert rows[0]["digest"] == model.checkpoint.digest
    assert [a["name"] for a in rows[0]["attributes"]] == list(model.metadata.carried)
    table = list(csv.DictReader(io.StringIO(manifest.to_csv(rows).decode())))
    assert [r["file"] for r in table] == [r["file"] for r in rows]
    assert float(table[0]["density_before"]) == rows[0]["attributes"][2]["before"]
    assert table[0]["density_asked"] == ""
    assert table[0]["seed"] == "7"


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b"{}", b'{"format": 99, "files": []}', b'{"format": 1}'])
def test_another_programs_manifest_is_none(data: bytes) -> None:
    assert manifest.from_json(data) == []


def test_of_no_files_there_is_a_manifest_too() -> None:
    assert manifest.from_json(manifest.to_json([])) == []
    assert manifest.to_csv([]).decode().startswith("file,input,n,seed")
