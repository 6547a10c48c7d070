"""What outlasts a reload, a second tab, and the end of the studio: songs, steps, settings, variations and stars."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from browser_actions import DESK, open_song, picture, save, serving, settled, wait, write, write_song

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SEARCHED = "document.getElementById('cards').getAttribute('aria-busy') === 'false'"

NAME = "sessionStorage.getItem('arvae-session')"


def kept(page: Page) -> None:
    """Wait until the server has the session as the page shows it."""
    page.evaluate("studio.keeping.now()")


def work(page: Page, song: Path) -> None:
    """Three steps, and three variations, of which the second has a star and the third is like the first."""
    open_song(page, song)
    write(page, "density", "+2notes")
    page.locator("#bars").fill("1-4")
    page.locator("#bars").press("Enter")
    settled(page)
    page.locator("#count").fill("2")
    page.locator("#vary").click()
    wait(page, SEARCHED)
    page.get_by_role("button", name="Star variation 2").click()
    page.locator("#count").fill("1")
    page.get_by_role("button", name="More like variation 1", exact=True).click()
    wait(page, f"{SEARCHED} && document.querySelectorAll('.card').length === 3")
    kept(page)


def cards(page: Page) -> list[tuple[str, bool]]:
    """The words of the variations, and whether each has a star."""
    found = page.locator(".card")
    return [
        (card.locator(".card-words").inner_text(), card.locator(".star").get_attribute("aria-pressed") == "true")
        for card in found.all()
    ]


def expect_the_work(page: Page, words: list[tuple[str, bool]], seen: str) -> None:
    wait(page, f"document.querySelectorAll('.card').length === {len(words)}")
    settled(page)
    assert page.locator("#title").inner_text() == "song.mid"
    assert page.locator("#bars").input_value() == "1-4"
    assert page.locator("[data-name=density] .wish").input_value() == "+2 notes"
    assert picture(page) == seen
    assert cards(page) == words
    page.keyboard.press("Control+z")
    settled(page)
    assert page.locator("#bars").input_value() == ""
    page.keyboard.press("Control+z")
    assert page.locator("#undo").is_disabled()
    page.keyboard.press("Control+Shift+z")
    page.keyboard.press("Control+Shift+z")
    assert page.locator("#redo").is_disabled()
    page.get_by_role("button", name="Use variation 3", exact=True).click()
    wait(page, "document.getElementById('adopt').disabled")


def test_a_reload_keeps_all_work(page: Page, song: Path) -> None:
    work(page, song)
    words, seen = cards(page), picture(page)
    assert [star for _, star in words] == [False, True, False]
    page.reload()
    expect_the_work(page, words, seen)


def test_a_new_studio_goes_on_where_a_killed_one_was(browser: Browser, song: Path, tmp_path: Path) -> None:
    page = browser.new_page(viewport=DESK)
    with serving(tmp_path) as (process, address):
        page.goto(address)
        work(page, song)
        words, seen = cards(page), picture(page)
        process.kill()
    page.locator("#seed-next").click()
    page.wait_for_selector("#problem:not([hidden])")
    assert "there you can go on where you were" in page.locator("#problem").inner_text()
    page.close()
    song.unlink()  # the studio has its bytes
    with serving(tmp_path) as (_, address):
        page = browser.new_page(viewport=DESK)
        page.goto(address)
        page.locator("#earlier-list .quiet").click()
        wait(page, f"{NAME} !== null")
        page.reload()  # before all variations are found again: none is lost
        expect_the_work(page, words, seen)
        assert save(page, "mid", tmp_path).read_bytes().startswith(b"MThd")
        page.close()


def test_the_same_command_offers_the_work_on_its_file(browser: Browser, song: Path, tmp_path: Path) -> None:
    for run in ("first", "second"):
        page = browser.new_page(viewport=DESK)
        with serving(tmp_path, song) as (_, address):
            page.goto(address)
            page.wait_for_selector("#studio:not([hidden])")
            if run == "first":
                assert page.locator("#offer").is_hidden()
                write(page, "density", "+2notes")
                kept(page)
            else:
                assert page.locator("[data-name=density] .wish").input_value() == ""
                page.locator("#offer-go").click()
                settled(page)
                assert page.locator("[data-name=density] .wish").input_value() == "+2 notes"
            page.close()


def test_tabs_do_not_touch_the_work_of_each_other(browser: Browser, address: str, song: Path) -> None:
    context = browser.new_context(viewport=DESK)
    first, second = context.new_page(), context.new_page()
    first.goto(address)
    work(first, song)
    words, seen = cards(first), picture(first)
    second.goto(address)
    open_song(second, write_song(song.with_name("other.mid")))
    write(second, "density", "+3notes")
    kept(second)
    first.reload()
    second.reload()
    settled(second)
    assert second.locator("#title").inner_text() == "other.mid"
    kept(second)
    session = first.evaluate(NAME)
    second.evaluate("id => sessionStorage.setItem('arvae-session', id)", session)  # as in a tab that is duplicated
    second.reload()
    wait(second, "document.querySelectorAll('.card').length === 3")
    settled(second)
    write(second, "density", "+4notes")
    kept(second)
    kept(first)
    assert second.evaluate(NAME) != first.evaluate(NAME)
    first.reload()
    expect_the_work(first, words, seen)
    context.close()


def test_a_session_can_be_forgotten(browser: Browser, song: Path, tmp_path: Path) -> None:
    with serving(tmp_path) as (_, address):
        page = browser.new_page(viewport=DESK)
        page.goto(address)
        open_song(page, song)
        write(page, "density", "+2notes")
        kept(page)
        page.evaluate("sessionStorage.clear()")
        page.goto(address)
        page.get_by_role("button", name="Forget song.mid").click()
        wait(page, "!document.querySelector('#earlier-list li')")
        page.close()
    assert not list(tmp_path.rglob("*.song"))
