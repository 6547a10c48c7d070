"""Listening in the studio: the sound of all tracks, loops, variations, and the score to read along."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from browser_actions import open_song, picture, wait, write

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_all_tracks_sound_until_they_are_muted(page: Page, song: Path) -> None:
    open_song(page, song)
    page.keyboard.press(" ")
    wait(page, "studio.player.started > 8 && studio.player.level > 0.003")
    assert page.locator("#play").get_attribute("aria-label") == "Pause"
    for name in ("Melody", "Bass", "Drums"):
        page.get_by_role("button", name=f"Mute {name}").click()
    page.wait_for_timeout(300)
    silent = page.evaluate("studio.player.started")
    page.wait_for_timeout(900)
    assert page.evaluate("studio.player.started") == silent
    page.get_by_role("button", name="Solo Bass").click()
    wait(page, f"studio.player.started > {silent}")
    page.keyboard.press(" ")
    page.wait_for_timeout(200)
    stopped = page.evaluate("studio.player.now")
    page.wait_for_timeout(300)
    assert page.evaluate("studio.player.now") == stopped


def test_a_file_that_only_arvae_can_read_sounds(page: Page, song: Path) -> None:
    data = song.read_bytes()
    song.write_bytes(b"\0" + data)  # a byte before the header, which arvae skips
    open_song(page, song)
    assert "1 notice" in page.locator("#notices-box").inner_text()
    page.locator("#play").click()
    wait(page, "studio.player.started > 8 && studio.player.level > 0.003")


def test_a_loop_stays_in_the_chosen_measures_and_the_sound_follows_the_edit(page: Page, song: Path) -> None:
    open_song(page, song)
    page.locator("#bars").fill("3")
    page.locator("#bars").press("Enter")
    page.locator("#loop").click()
    page.locator("#play").click()
    wait(page, "studio.player.started > 4")
    write(page, "density", "+4notes")
    times = []
    for _ in range(10):
        page.wait_for_timeout(180)
        times.append(page.evaluate("studio.player.now"))
    assert all(3.2 - 0.05 <= time <= 4.8 + 0.25 for time in times)
    assert times != sorted(times)  # it went back


def test_variations_are_heard_starred_refined_and_used(page: Page, song: Path) -> None:
    open_song(page, song)
    page.locator("#count").fill("3")
    page.locator("#vary").click()
    wait(page, "document.getElementById('cards').getAttribute('aria-busy') === 'false'")
    cards = page.locator("#cards .card")
    assert cards.count() == 3
    plain = picture(page)
    cards.nth(1).locator(".picture").click()
    assert "heard" in cards.nth(1).get_attribute("class")
    assert picture(page) != plain
    wait(page, "studio.player.started > 0")
    page.locator("#play").click()
    page.get_by_role("button", name="Star variation 2").click()
    page.get_by_role("button", name="More like variation 1", exact=True).click()
    wait(page, "document.getElementById('cards').getAttribute('aria-busy') === 'false'")
    assert cards.count() == 5  # the starred one, the one that the others are like, and three more
    page.locator("#starred").click()
    assert page.locator("#cards .card:not([hidden])").count() == 1
    page.locator("#starred").click()
    page.get_by_role("button", name="Use variation 1", exact=True).click()
    wait(page, "document.getElementById('undo').disabled === false")
    assert picture(page) != plain
    page.keyboard.press("Control+z")
    assert picture(page) == plain
    assert cards.count() == 5


def test_the_score_is_engraved(page: Page, song: Path) -> None:
    open_song(page, song)
    page.keyboard.press("r")
    wait(page, "document.querySelector('#score-page img')?.naturalWidth > 100")
    write(page, "density", "+2notes")
    wait(page, "document.querySelector('#score-page img')?.naturalWidth > 100")


def test_the_demo_needs_no_file(page: Page) -> None:
    page.locator("#demo").click()
    page.wait_for_selector("#studio:not([hidden])")
    assert "16 measures" in page.locator("#facts").inner_text()
