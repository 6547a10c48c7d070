"""How the studio looks and speaks: light and dark, on a desk and a phone, to the eye, the ear and the keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser_actions import open_song, wait, write, write_song

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIZES = {"desk": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}

FAULTS = (Path(__file__).parent / "looks.js").read_text("utf-8")
NONE = {"faint": [], "cut": [], "nameless": [], "wider": False}


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=list(SIZES))
def looks(request: pytest.FixtureRequest, browser: Browser, address: str, scheme: str) -> Iterator[Page]:
    context = browser.new_context(viewport=SIZES[request.param], color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    page.goto(address)
    page.evaluate("document.fonts.ready.then(() => true)")
    yield page
    context.close()


def test_every_state_is_legible_and_fits(looks: Page, work: Path, tmp_path: Path) -> None:
    def look(state: str) -> None:
        looks.screenshot(path=tmp_path / f"{state}.png", full_page=True)  # to look at after a failure
        assert looks.evaluate(FAULTS) == NONE, state

    look("empty")
    open_song(looks, write_song(work / ("a very long name of a song " * 4 + ".mid"), "A track with a long name, " * 3))
    look("opened")
    looks.locator("#bars").fill("1-4")
    looks.locator("#bars").press("Enter")
    write(looks, "density", "+2notes")
    looks.locator("[data-name=contour] .hold").click()
    looks.locator("#report-box summary").click()
    look("edited")
    looks.locator("#count").fill("2")
    looks.locator("#vary").click()
    wait(looks, "document.querySelectorAll('.card').length === 2")
    look("varied")
    looks.locator("#help-open").click()
    look("help")
    looks.keyboard.press("Escape")
    looks.locator("#save").click()
    look("saving")


def test_each_request_is_read_in_full(page: Page, work: Path) -> None:
    open_song(page, write_song(work / "song.mid"))
    page.evaluate("document.fonts.ready.then(() => true)")
    rooms = page.evaluate(
        """() => [...document.querySelectorAll(".slider:not([hidden])")].map(row => {
        row.classList.add("requested");
        const field = row.querySelector(".wish");
        field.value = `−10.75 ${row.querySelector(".means .soft").textContent}`;
        return [field.value, field.clientWidth - field.scrollWidth]; })"""
    )
    assert len(rooms) > 3
    assert all(room >= 0 for _, room in rooms), rooms


def test_the_keyboard_reaches_everything(page: Page, work: Path) -> None:
    open_song(page, write_song(work / "song.mid"))
    page.locator("#slider-density").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    wait(page, "!document.getElementById('adopt').disabled")
    assert page.locator("[data-name=density] .wish").input_value() == "+1 notes"
    assert "becomes 5" in page.locator("#slider-density").get_attribute("aria-valuetext")
    wait(page, "document.getElementById('spoken').textContent.startsWith('density: 4 becomes 5 notes')")
    page.keyboard.press("Delete")
    assert page.locator("[data-name=density] .wish").input_value() == ""
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    assert page.locator("#save-box").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#save-box").is_hidden()
    page.keyboard.press("l")
    assert page.locator("#loop").get_attribute("aria-pressed") == "true"
    page.locator("#help-open").click()
    page.locator("#keys-on").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("l")  # single letters do nothing now
    assert page.locator("#loop").get_attribute("aria-pressed") == "true"
    page.locator("#bars").focus()
    page.keyboard.type("3-4")
    page.keyboard.press("Tab")
    assert page.locator("#bars").input_value() == "3-4"


def test_nothing_is_fetched_from_elsewhere(browser: Browser, address: str, work: Path) -> None:
    page = browser.new_page()
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(address)
    open_song(page, write_song(work / "song.mid"))
    page.keyboard.press(" ")
    wait(page, "studio.player.started > 0")
    page.close()
    assert fetched
    assert all(url.startswith((address, "blob:", "data:")) for url in fetched)
