"""The page that shows and plays files: whole, without a network, all names escaped; and the manifest."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import mido
import pytest
from midi_files import END, chords, conductor, drums, name, save, track, tune

from arvae_music import library
from arvae_music.errors import OutputError, UsageError
from arvae_music.io.midi import Song
from arvae_music.io.score_output import file_of
from arvae_music.library import Model
from arvae_music.reports import cards as making
from arvae_music.reports import manifest
from arvae_music.reports.cards import Card, make_card, step_card, with_scores
from arvae_music.reports.contact_sheet import MOST, MOST_SCORED, expect_free, page, write_listening

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
def song() -> Song:
    """A melody with a hostile name, chords and drums; the tempo doubles after the first measure."""
    faster = mido.MetaMessage("set_tempo", tempo=250_000)
    tracks = [conductor((0, mido.MetaMessage("set_tempo", tempo=500_000)), (1920, faster)),
              track([(0, name(HOSTILE)), *tune(), (END, mido.Message("control_change", control=7, value=1))], END),
              track([(0, name("Chords")), (0, mido.Message("control_change", channel=1, control=7, value=50)),
                     *chords()]),
              track(drums())]  # fmt: skip
    return Song.read(save(tracks), track=2)


@pytest.fixture(scope="module")
def rows_and_cards(model: Model, song: Song) -> tuple[list[dict[str, Any]], list[Card]]:
    made = model.vary(song.melody, 3)
    rows = [
        manifest.entry(file=f"{n}{HOSTILE}" if n == 1 else f"{n}.mid", source=HOSTILE, n=n, seed=7, model=model,
                       result=variation.result, targets={}, amount=variation.amount)
        for n, variation in enumerate(made.variations, start=1)
    ]  # fmt: skip
    cards = [
        make_card(r, song, file_of(song, v.melody, ".mid"), Path("out") / r["file"], [f"report of {HOSTILE}"])
        for r, v in zip(rows, made.variations, strict=True)
    ]
    return rows, cards


def music(text: str) -> Any:
    reader = read(text)
    return json.loads(next(t for tag, t in reader.texts if tag == "script" and t.startswith('{"parts"')))


def test_every_file_has_a_card_with_a_roll_values_and_a_player(rows_and_cards: tuple[list[Any], list[Card]]) -> None:
    _, cards = rows_and_cards
    reader = read(page(cards, "Variations of <a & b>"))
    assert len(reader.all("article")) == 3
    assert len([d for d in reader.all("div") if d.get("class") == "roll"]) == 3
    buttons = [b["data-do"] for b in reader.all("button")]
    assert buttons == ["play", "before", "after", "loop"] * 3
    values = json.loads(reader.all("article")[0]["data-values"] or "")
    assert values["file"] == f"1{HOSTILE}"
    assert {"density", "rhythm", "range", "contour", "amount"} <= set(values)
    sorts = [o["value"] for o in reader.all("option")]
    assert sorts[:3] == ["", "file", "amount"]
    assert "density" in sorts
    assert ("title", "Variations of <a & b>") in reader.texts
    headings = [text for tag, text in reader.texts if tag == "th"]
    assert headings[:3] == ["attribute", "before", "achieved"]  # nothing was requested
    rows = [{**a, "asked": 5.0 if a["name"] == "density" else None} for a in cards[0].row["attributes"]]
    asked = read(page([replace(cards[0], row={**cards[0].row, "attributes": rows})], "x"))
    headings = [text for tag, text in asked.texts if tag == "th"]
    assert headings[:5] == ["attribute", "before", "requested", "achieved", "exact in"]
    assert ("td", "5 notes") in asked.texts


def test_names_of_files_and_tracks_are_escaped(rows_and_cards: tuple[list[Any], list[Card]]) -> None:
    _, cards = rows_and_cards
    text = page(cards, HOSTILE, HOSTILE, folder=Path())
    reader = read(text)
    assert reader.all("img") == []
    assert len(reader.all("script")) == 2
    assert len(reader.all("article")) == 3  # a mark of the template in a name is no mark
    link = reader.all("a")[0]["href"] or ""
    assert re.fullmatch(r"out/[\w.%/~-]+", link)
    assert HOSTILE in {part["name"] for part in music(text)["parts"] if isinstance(part, dict)}
    assert HOSTILE not in text


def test_a_file_on_another_drive_has_its_whole_address(
    rows_and_cards: tuple[list[Any], list[Card]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_another_drive(*_: object) -> str:
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr("os.path.relpath", on_another_drive)
    card = replace(rows_and_cards[1][0], place=Path("out") / "a b.mid")
    assert read(page([card], "x", folder=Path())).all("a")[0]["href"] == Path("out/a b.mid").resolve().as_uri()


def test_nothing_is_loaded_from_anywhere(rows_and_cards: tuple[list[Any], list[Card]]) -> None:
    text = page(rows_and_cards[1], "x")
    reader = read(text)
    policy = next(m["content"] for m in reader.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert "default-src 'none'" in policy
    assert not any("src" in attributes for _, attributes in reader.elements)
    assert not re.findall(r"https?://[^\s\"'<]+", text)


def test_everything_can_be_reached_and_read(rows_and_cards: tuple[list[Any], list[Card]]) -> None:
    reader = read(page(rows_and_cards[1], "x"))
    html = reader.all("html")[0]
    assert html["lang"] == "en"
    assert all(b.get("type") == "button" for b in reader.all("button"))
    rolls = [d for d in reader.all("div") if d.get("class") == "roll"]
    assert all(roll.get("role") == "img" and roll.get("aria-label") for roll in rolls)
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(article["aria-labelledby"] in ids for article in reader.all("article"))


def test_all_tracks_are_there_and_equal_ones_once(rows_and_cards: tuple[list[Any], list[Card]], song: Song) -> None:
    data = music(page(rows_and_cards[1], "x"))
    parts, cards = data["parts"], data["cards"]
    before = [parts[i] for i in cards[0]["before"]]
    assert [(t["number"], t["channel"], t["volume"]) for t in before] == [(2, 1, 1), (3, 2, 0.5), (4, 10, 1)]
    assert [len(t["notes"]) for t in before] == [len(song.notes), 15, 40]
    assert before[0]["notes"][0] == [0, 0.5, 67, 60]
    assert before[1]["notes"][3][:2] == [2, 1]  # the second measure is twice as fast
    for card in cards:
        assert card["before"] == cards[0]["before"]
        assert card["after"][1:] == card["before"][1:]
        assert card["after"][0] != card["before"][0]
        assert parts[card["melody"]] == [[note[0], note[2]] for note in before[0]["notes"]]
    assert parts[cards[0]["measures"]] == [[1, 0, 2, None], [2, 2, 3, None], [3, 3, 4, None], [4, 4, 5, None],
                                           [5, 5, 6, None]]  # fmt: skip


def test_one_file_has_a_wide_page_with_its_report_and_scores(
    rows_and_cards: tuple[list[Any], list[Card]], song: Song
) -> None:
    card = rows_and_cards[1][1]
    reader = read(page([with_scores(card, song, song.melody, song.melody)], "x"))
    assert reader.all("body")[0]["class"] == "single"
    assert reader.all("form") == []
    assert ("pre", f"report of {HOSTILE}") in reader.texts
    assert "score" in [d["class"] for d in reader.all("details")]


def test_without_verovio_there_is_no_score_and_the_page_says_so(
    rows_and_cards: tuple[list[Any], list[Card]], song: Song, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (making, "arvae_music.reports.contact_sheet"):
        monkeypatch.setattr(f"{module if isinstance(module, str) else module.__name__}.available", lambda: False)
    card = with_scores(rows_and_cards[1][1], song, song.melody, song.melody)
    assert card.scores == ()
    write_listening(tmp_path / "x.html", [card], "x")
    assert "For scores, install verovio: pip install" in (tmp_path / "x.html").read_text()


def test_a_page_of_many_files_has_no_scores_and_a_short_title(
    rows_and_cards: tuple[list[Any], list[Card]], tmp_path: Path
) -> None:
    card = replace(rows_and_cards[1][1], scores=("<svg/>", "<svg/>"))
    cards = [replace(card, row={**card.row, "input": f"{n}.mid"}) for n in range(MOST_SCORED + 1)]
    write_listening(tmp_path / "many.html", cards, "density+1notes")
    write_listening(tmp_path / "few.html", cards[1:], "density+1notes")
    many, few = ((tmp_path / name).read_text("utf-8") for name in ("many.html", "few.html"))
    assert ("title", "density+1notes: 0.mid, 1.mid, 2.mid and 22 more") in read(many).texts
    assert music(many)["cards"][0]["scores"] == []
    assert f"A page of up to {MOST_SCORED} files has scores. {MOST_SCORED + 1} files." in many
    assert len(music(few)["cards"][0]["scores"]) == 2


def test_a_grid_is_drawn_as_a_grid(rows_and_cards: tuple[list[Any], list[Card]]) -> None:
    card = rows_and_cards[1][1]

    def at(density: str, contour: str, range_: str) -> Card:
        targets = {"range": range_, "density": density, "contour": contour, "pitch": "+1"}
        return replace(card, row={**card.row, "targets": targets, "input": "<a>.mid"})

    points = [at(d, c, r) for r in ("+0", "+1") for d in ("-1", "+1") for c in ("-2", "+0", "+2")]
    reader = read(page(points, "x", axes=("range", "density", "contour")))
    grids = [d for d in reader.all("div") if d.get("class") == "grid"]
    assert [d["style"] for d in grids] == ["--columns: 3"] * 2
    assert [t for tag, t in reader.texts if tag == "h2" and "range" in t] == [
        "<a>.mid, range +0 sd", "<a>.mid, range +1 sd"
    ]  # fmt: skip
    axes = [t for tag, t in reader.texts if tag == "div" and t.endswith(" sd")]
    across = ["contour -2 sd", "contour +0 sd", "contour +2 sd"]
    assert axes == [*across, "density -1 sd", "density +1 sd"] * 2
    assert len([d for d in reader.all("div") if d.get("class") == "cell"]) == 12
    assert len(reader.all("article")) == 12
    row = read(page(points[:3], "x", axes=("contour",)))
    assert [t for tag, t in row.texts if tag == "div" and t.endswith(" sd")] == across


def test_a_step_is_neither_exact_nor_inexact(rows_and_cards: tuple[list[Any], list[Card]], song: Song) -> None:
    row = {**rows_and_cards[0][1], "exact": False}
    card = step_card(row, song.midi, song.midi, song.melody)
    text = page([card, card], "x")
    assert "exact" not in "".join(t for tag, t in read(text).texts if tag != "script")
    assert ("th", "first step") in read(text).texts
    assert music(text)["cards"][0]["before"] == music(text)["cards"][0]["after"]


def test_a_sheet_of_thousands_of_files_shows_the_first(rows_and_cards: tuple[list[Any], list[Card]]) -> None:
    card = rows_and_cards[1][1]
    text = page([card] * (MOST + 5), "x")
    reader = read(text)
    assert len(reader.all("article")) == MOST
    assert any(f"{MOST + 5} files; the first {MOST} are shown, 5 more" in t for _, t in reader.texts)
    assert len(text) < 2_000_000


def test_an_empty_sheet_is_one_too() -> None:
    assert read(page([], "x")).all("article") == []


def test_the_place_of_a_page_is_checked(tmp_path: Path) -> None:
    expect_free(tmp_path / "new.HTM")
    (tmp_path / "old.html").touch()
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(UsageError, match=r"the page is an HTML file; name it x\.html"):
        expect_free(tmp_path / "x.pdf")
    with pytest.raises(OutputError, match="exists already; give overwrite=True"):
        expect_free(tmp_path / "old.html")
    with pytest.raises(OutputError, match="is a folder"):
        expect_free(tmp_path / "folder.html", overwrite=True)
    expect_free(tmp_path / "old.html", overwrite=True)
    expect_free(tmp_path / "old.html", skip_existing=True)


# ------------------------------------------------------------------------- manifest


def test_a_manifest_reads_back(rows_and_cards: tuple[list[Any], list[Card]], model: Model) -> None:
    rows, _ = rows_and_cards
    assert manifest.from_json("".join(manifest.json_parts(rows)).encode()) == rows
    assert rows[0]["digest"] == model.checkpoint.digest
    assert [a["name"] for a in rows[0]["attributes"]] == list(model.metadata.carried)
    table = list(csv.DictReader(io.StringIO("".join(manifest.csv_parts(lambda: rows)))))
    assert [r["file"] for r in table] == [r["file"] for r in rows]
    assert float(table[0]["density_before"]) == rows[0]["attributes"][2]["before"]
    assert table[0]["density_asked"] == ""
    assert table[0]["seed"] == "7"


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b"{}", b'{"format": 99, "files": []}', b'{"format": 1}'])
def test_another_programs_manifest_is_none(data: bytes) -> None:
    assert manifest.from_json(data) == []


def test_of_no_files_there_is_a_manifest_too() -> None:
    assert manifest.from_json("".join(manifest.json_parts([])).encode()) == []
    assert "".join(manifest.csv_parts(list)).startswith("file,input,n,seed")
