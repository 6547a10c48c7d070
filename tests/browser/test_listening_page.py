"""The page of `--listen` and the contact sheet, opened from the disk in Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser_actions import wait
from midi_files import END, chords, conductor, drums, name, save, track, tune

import arvae_music
from arvae_music.io.midi import Song
from arvae_music.io.score_output import file_of
from arvae_music.reports.cards import make_card, with_scores
from arvae_music.reports.contact_sheet import write
from arvae_music.reports.manifest import entry

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HOSTILE = "</script><img src=x onerror=document.title='hacked'>&\"'"
Opened = Callable[..., "Page"]

# Counts what is played: oscillators by their frequencies, and noise.
SPY = """
window.played = { tones: [], noise: 0 };
const tone = OscillatorNode.prototype.start, noise = AudioBufferSourceNode.prototype.start;
OscillatorNode.prototype.start = function (at) {
  played.tones.push(Math.round(this.frequency.value));
  tone.call(this, at);
};
AudioBufferSourceNode.prototype.start = function (at) { played.noise++; noise.call(this, at); };
"""
SMALLEST_TEXT = """() => Math.min(...[...document.querySelectorAll("body *")]
  .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) && e.checkVisibility())
  .map(e => parseFloat(getComputedStyle(e).fontSize)))"""
COLOURS = """() => { const c = document.querySelector("canvas");
  const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
  const seen = new Set(); for (let i = 0; i < d.length; i += 4) seen.add(`${d[i]},${d[i + 1]},${d[i + 2]}`);
  return [...seen]; }"""


@pytest.fixture(scope="module")
def song() -> Song:
    tracks = [conductor(), track([(0, name(HOSTILE)), *tune()], END), track([(0, name("Chords")), *chords()]),
              track([(0, name("Kit")), *drums()])]  # fmt: skip
    return Song.read(save(tracks), name=HOSTILE, track=2)


@pytest.fixture(scope="module")
def write_page(song: Song, tiny_model_path: Path) -> Callable[..., None]:
    """Writes a page with an edit at each of some (density, contour), in sd."""
    model = arvae_music.load(tiny_model_path)

    def make(path: Path, *points: tuple[float, float], axes: tuple[str, ...] = ()) -> None:
        cards = []
        for n, (density, contour) in enumerate(points, 1):
            result = model.edit(song, density=density, contour=contour)
            row = entry(file=f"{n}{HOSTILE}", source=HOSTILE, n=n, seed=0, model=model, result=result,
                        targets={"density": f"{density:+g}", "contour": f"{contour:+g}"})  # fmt: skip
            card = make_card(row, song, file_of(song, result.melody, ".mid"), path.with_name("out.mid"), [HOSTILE])
            cards.append(with_scores(card, song, song.melody, result.melody))
        write(path, cards, HOSTILE, axes=axes)

    return make


@pytest.fixture
def opened(browser: Browser, tmp_path: Path, write_page: Callable[..., None]) -> Iterator[Opened]:
    """Opens a page from the disk, and checks at the end that it had no errors and loaded nothing."""
    faults: list[str] = []
    pages: list[Page] = []

    def open_(*points: tuple[float, float], axes: tuple[str, ...] = (), **options: Any) -> Page:
        path = tmp_path / "page.html"
        write_page(path, *points, axes=axes)
        page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}, **options})
        pages.append(page)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: faults.append(request.url) if request.url.startswith("http") else None)
        page.add_init_script(SPY)
        page.goto(path.as_uri())
        return page

    yield open_
    for page in pages:
        page.close()
    assert faults == []


def frequency(pitch: int) -> int:
    return round(440 * 2 ** ((pitch - 69) / 12))


def test_it_shows_and_plays_all_tracks(opened: Opened) -> None:
    page = opened((1, 0))
    assert page.title() == HOSTILE
    assert page.locator("article").count() == 1
    assert page.locator(".score img:visible").count() == 1
    assert len(page.evaluate(COLOURS)) > 6  # kept, new, removed and other notes, lines and paper
    page.click("[data-do=play]")
    wait(page, "played.noise > 2 && played.tones.length > 8")
    tones = set(page.evaluate("played.tones"))
    assert frequency(67) in tones  # the melody
    assert {frequency(pitch) for pitch in (48, 52, 55)} <= tones  # the chords
    wait(page, "Number(document.querySelector('[data-do=position]').value) > 0.3")
    assert page.locator(".head").is_visible()
    assert page.locator("[data-do=play]").get_attribute("aria-pressed") == "true"
    page.keyboard.press("Escape")
    assert page.locator("[data-do=play]").inner_text() == "Play"


def test_muted_tracks_are_silent(opened: Opened) -> None:
    page = opened((1, 0))
    page.locator(".tracks summary").click()
    labels = page.locator(".tracks label").all_inner_texts()
    assert [label.strip() for label in labels] == [HOSTILE, "Chords", "Kit (drums)"]
    page.locator(".tracks input").nth(1).uncheck()
    page.click("[data-do=play]")
    gains = page.evaluate("player.run.parts.map(part => [part.track.name, part.gain.gain.value])")
    assert [gain for label, gain in gains if label == "Chords"] == [0]
    page.locator(".tracks input").nth(2).uncheck()
    wait(page, "player.run.parts[2].gain.gain.value < 0.01")


def test_before_and_after_are_compared_without_a_stop(opened: Opened) -> None:
    page = opened((1, 0))
    page.click("[data-do=play]")
    wait(page, "player.position() > 0.5")
    page.keyboard.press("Tab")
    page.locator("h1").click()
    page.keyboard.press("b")
    assert page.locator("[data-do=before]").get_attribute("aria-pressed") == "true"
    assert page.locator(".score img:visible").get_attribute("data-side") == "before"
    assert page.evaluate("player.position()") > 0.4
    assert page.evaluate("player.run.parts[0].track === [...cards.values()][0].sides.before[0]")


def test_measures_loop(opened: Opened) -> None:
    page = opened((1, 0))
    box = page.locator(".roll").bounding_box()
    assert box is not None
    second = page.evaluate("[...cards.values()][0].roll.x(2.2)")  # in the second measure, which lasts from 2 to 4 s
    page.mouse.move(box["x"] + second, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + second + 40, box["y"] + 50, steps=4)
    page.mouse.up()
    assert page.evaluate("[...cards.values()][0].roll.region") == [2, 4]
    assert page.locator("[data-do=loop]").get_attribute("aria-pressed") == "true"
    page.evaluate("[...cards.values()][0].seek(3.7)")
    page.click("[data-do=play]")
    wait(page, "player.run.cycle > 0 && player.position() < 3")
    assert page.evaluate("player.position()") >= 2


def test_a_click_moves_the_playhead(opened: Opened) -> None:
    page = opened((1, 0))
    x = page.evaluate("[...cards.values()][0].roll.x(6)")
    page.locator(".roll").click(position={"x": x, "y": 60})
    assert float(page.locator("[data-do=position]").input_value()) == pytest.approx(6, abs=0.1)
    assert page.locator("[data-do=clock]").inner_text().startswith("0:06 / 0:10")


def test_it_stops_at_the_end(opened: Opened) -> None:
    page = opened((1, 0))
    page.evaluate("[...cards.values()][0].seek(9.6)")
    page.click("[data-do=play]")
    wait(page, "player.run === null")
    assert page.locator("[data-do=play]").inner_text() == "Play"


def test_a_grid_is_a_grid_until_it_is_sorted(opened: Opened) -> None:
    points = [(density, contour) for density in (-1.0, 1.0) for contour in (-2.0, 0.0, 2.0)]
    page = opened(*points, axes=("density", "contour"))
    places = [page.locator("article").nth(i).bounding_box() for i in range(6)]
    corners = [(box["x"], box["y"]) for box in places if box is not None]
    assert len(corners) == 6
    assert len({round(x) for x, _ in corners}) == 3
    assert corners[0][1] == corners[2][1] < corners[3][1]
    assert corners[0][0] == corners[3][0] < corners[4][0]
    page.select_option("#sort", "density")
    assert page.locator("#cards article").count() == 6
    assert not page.locator(".grid-part").is_visible()
    page.select_option("#sort", "")
    assert page.locator(".grid article").count() == 6
    page.fill("#filter", "3")
    assert page.locator("article:visible").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_every_window_and_its_texts_can_be_read(opened: Opened, scheme: str, width: int) -> None:
    page = opened((1, 0), (-1, 0), viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(SMALLEST_TEXT) >= 9
    assert page.evaluate("parseFloat(LABEL)") >= 9
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 27)")
    new = "0,114,178" if scheme == "light" else "77,177,240"
    assert new in page.evaluate(COLOURS)


def test_a_long_song_scrolls(opened: Opened) -> None:
    """The canvas is no larger than the window, since browsers limit its size."""
    page = opened((1, 0))
    page.evaluate("""() => { const roll = [...cards.values()][0].roll; roll.duration = 1800; roll.draw();
      roll.point(1700); }""")
    assert page.evaluate("document.querySelector('canvas').width") <= 2 * 1280
    assert page.evaluate("document.querySelector('.roll').scrollLeft") > 10_000
