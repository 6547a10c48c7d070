"""What a user does in the studio: open a song, move sliders, choose measures, undo, and save."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import forked
import mido
from browser_actions import coloured, drag, open_song, picture, save, settled, wait, write, write_song

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


def at(page: Page, measure: int) -> tuple[float, float]:
    """A point of the roll in the middle of a measure, in px of the page."""
    box = page.locator("#roll").bounding_box()
    assert box is not None
    x = page.evaluate("seconds => studio.roll.x(seconds)", (measure - 0.5) * 1.6)
    return box["x"] + x, box["y"] + box["height"] / 2


def bars(page: Page) -> str:
    return page.locator("#bars").input_value()


def expect_refusals(faults: list[str]) -> None:
    """Chromium writes each answer with an error status to its console."""
    assert any("status of 4" in fault for fault in faults)
    faults[:] = [fault for fault in faults if "status of 4" not in fault]


def test_a_dragged_slider_gives_the_bytes_of_the_command_line(
    page: Page, song: Path, home: dict[str, str], tmp_path: Path
) -> None:
    open_song(page, song)
    before = picture(page)
    wish = drag(page, "density", 30)
    assert re.fullmatch(r"\+[\d.]+ notes", wish)
    assert picture(page) != before
    assert "exact" not in page.locator("[data-name=density] .note").inner_text()
    assert int(page.locator("#ms").inner_text().removesuffix(" ms")) < 3000
    mine = save(page, "mid", tmp_path)
    done = forked.start(["edit", song, "--density", wish.replace(" ", "")], song.parent, home)
    assert done.returncode == 0, done.stderr
    theirs = song.with_name(mine.name)  # the command line's name, too
    assert mine.read_bytes() == theirs.read_bytes() != song.read_bytes()

    page.keyboard.press("Control+z")
    wait(page, "document.getElementById('adopt').disabled")
    assert picture(page) == before
    assert page.locator("#undo").is_disabled()
    page.keyboard.press("Control+Shift+z")
    settled(page)
    assert page.locator("[data-name=density] .wish").input_value() == wish
    assert save(page, "mid", tmp_path).read_bytes() == mine.read_bytes()


def test_a_slider_that_moves_shows_previews_which_are_not_saved(page: Page, song: Path) -> None:
    open_song(page, song)
    edits: list[dict[str, Any]] = []
    page.on("request", lambda sent: edits.append(json.loads(sent.post_data)) if sent.url.endswith("/edits") else None)
    before = picture(page)
    thumb = page.locator("#slider-density")
    box = thumb.bounding_box()
    low, high = (float(thumb.get_attribute(name) or 0) for name in ("min", "max"))
    assert box is not None
    x, y = box["x"] + 8 - low / (high - low) * (box["width"] - 16), box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y, steps=4)
    wait(page, "document.getElementById('outcome').textContent.includes('changed')")
    assert picture(page) != before
    assert page.locator("#save").is_disabled()
    assert edits[0]["proposals"] == 16
    wait(page, "studio.session.edit !== null")  # the slider rests, so the whole edit follows
    assert page.locator("#save").is_disabled()
    assert "proposals" not in edits[-1]
    rested = picture(page)
    made = len(edits)
    page.mouse.up()
    settled(page)
    assert len(edits) == made
    assert picture(page) == rested
    assert edits[-1]["sliders"] == {"density": f"+{float(thumb.input_value()):g}notes"}
    assert page.locator("#save").is_enabled()

    page.mouse.move(x + 40, y)
    page.mouse.down()
    page.mouse.move(x + 70, y, steps=3)
    page.mouse.move(x + 40, y)
    page.mouse.up()  # where it was: its edit is known
    assert page.locator("#save").is_enabled()
    page.keyboard.press("Control+z")
    assert picture(page) == before


def test_a_dropped_file_opens(page: Page, song: Path) -> None:
    transfer = page.evaluate_handle(
        """bytes => { const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(bytes)], "dropped.mid")); return transfer; }""",
        list(song.read_bytes()),
    )
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    page.wait_for_selector("#studio:not([hidden])")
    assert page.locator("#title").inner_text() == "dropped.mid"
    assert "8 measures" in page.locator("#facts").inner_text()


def test_measures_are_chosen_by_dragging_and_by_keys(page: Page, song: Path) -> None:
    open_song(page, song)
    page.mouse.move(*at(page, 2))
    page.mouse.down()
    page.mouse.move(*at(page, 4), steps=4)
    page.mouse.up()
    assert bars(page) == "2-4"
    page.keyboard.down("Shift")
    page.mouse.click(*at(page, 7))
    page.keyboard.up("Shift")
    assert bars(page) == "2-4,7"
    write(page, "density", "+1notes")
    assert re.fullmatch(r"[1-4] of 8 measures changed\.", page.locator("#outcome").inner_text())
    page.locator("#roll").focus()
    page.keyboard.press("Escape")
    assert bars(page) == ""
    page.keyboard.press("Home")
    page.keyboard.press("Shift+ArrowRight")
    assert bars(page) == "1-2"
    page.locator("#bars").fill("12")
    page.locator("#bars").press("Enter")
    assert "The song has no measure 12. Its measures are 1 to 8." in page.locator("#problem").inner_text()


def test_a_slider_that_is_put_back_requests_nothing(page: Page, song: Path) -> None:
    open_song(page, song)
    sliders = page.locator("#sliders input[type=range]")
    assert set(sliders.evaluate_all("all => all.map(slider => Number(slider.value))")) == {0}
    for name in ("pitch", "contour", "rhythm"):
        page.locator(f"#slider-{name}").focus()
        page.keyboard.press("Home")
        settled(page)
        low = float(page.locator(f"#slider-{name}").input_value())
        steps = round(-low / float(page.locator(f"#slider-{name}").get_attribute("step") or 1))
        for _ in range(steps):
            page.keyboard.press("ArrowRight")
        assert page.locator(f"[data-name={name}] .wish").input_value() == ""
    assert page.locator("#reset").is_disabled()


def test_before_and_after_by_one_key(page: Page, song: Path) -> None:
    open_song(page, song)
    assert coloured(page) == 0
    write(page, "contour", "+3st")
    after = coloured(page)
    assert after > 100
    page.keyboard.press("a")
    assert page.locator("#side-before").get_attribute("aria-pressed") == "true"
    assert coloured(page) == 0
    page.keyboard.press("a")
    assert coloured(page) == after


def test_seeds_locks_and_keeping_are_steps_that_can_be_undone(page: Page, song: Path) -> None:
    open_song(page, song)
    write(page, "density", "+3notes")
    first = picture(page)
    page.keyboard.press("n")
    settled(page)
    assert page.locator("#seed").input_value() == "1"
    second = picture(page)
    assert second != first
    page.get_by_role("button", name="Key", exact=True).click()
    page.get_by_role("button", name="Keep contour").click()
    settled(page)
    assert page.locator("#slider-contour").is_disabled()
    assert "keep" in page.locator("#report").text_content()
    for _ in range(3):
        page.keyboard.press("Control+z")
    settled(page)
    assert picture(page) == first
    assert page.get_by_role("button", name="Key", exact=True).get_attribute("aria-pressed") == "false"


def test_an_edit_becomes_the_song(page: Page, song: Path, tmp_path: Path) -> None:
    open_song(page, song)
    write(page, "density", "+2notes")
    edited = save(page, "mid", tmp_path).read_bytes()
    page.locator("#adopt").click()
    wait(page, "document.getElementById('adopt').disabled")
    means = page.locator("[data-name=density] .means")
    assert means.inner_text().split()[0] == "6"
    assert page.locator("[data-name=density] .wish").input_value() == ""
    assert save(page, "mid", tmp_path).read_bytes() == edited
    page.keyboard.press("Control+z")
    settled(page)
    assert "→" in means.inner_text()


def test_another_track_can_be_the_melody(page: Page, song: Path) -> None:
    open_song(page, song)
    page.get_by_role("button", name="Bass", exact=True).click()
    wait(page, "document.querySelector('#tracks [aria-pressed=true]').textContent === 'Bass'")
    assert page.locator("[data-name=density] .means").inner_text().split()[0] == "2"
    page.keyboard.press("Control+z")
    assert page.locator("[data-name=density] .means").inner_text().split()[0] == "4"


def test_fingers_choose_measures(browser: Browser, address: str, song: Path) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(address)
    open_song(page, song)
    for measure, chosen in ((2, "2"), (4, "2-4"), (3, "")):
        page.touchscreen.tap(*at(page, measure))
        assert bars(page) == chosen
    context.close()


def test_other_formats_are_saved(page: Page, song: Path, tmp_path: Path) -> None:
    open_song(page, song)
    write(page, "density", "+1notes")
    for kind, start in (("musicxml", b"<?xml"), ("abc", b"%abc"), ("wav", b"RIFF")):
        path = save(page, kind, tmp_path)
        assert path.name == f"song.density+1notes.{kind}"
        assert path.read_bytes().startswith(start)


def test_a_format_can_be_dragged_out(page: Page, song: Path) -> None:
    open_song(page, song)
    write(page, "density", "+1notes")
    page.locator("#save").click()
    kind, name, address = page.evaluate(
        """() => { const event = new DragEvent("dragstart", { dataTransfer: new DataTransfer(), bubbles: true });
        document.querySelector("[data-format=mid]").dispatchEvent(event);
        return event.dataTransfer.getData("DownloadURL"); }"""
    ).split(":", 2)
    assert (kind, name) == ("audio/midi", "song.density+1notes.mid")
    assert page.request.get(address).body().startswith(b"MThd")


def test_names_of_tracks_and_files_are_text(page: Page, work: Path) -> None:
    name = "<img src=x onerror=alert(1)>"
    open_song(page, write_song(work / "song.mid", name))
    assert page.locator("#tracks").inner_text().startswith(name)
    assert page.locator("#tracks img").count() == 0


def test_errors_are_sentences_with_a_remedy(page: Page, work: Path, song: Path, faults: list[str]) -> None:
    path = work / "notes.mid"
    path.write_bytes(b"no music at all")
    page.set_input_files("#file", path)
    page.wait_for_selector("#problem:not([hidden])")
    assert re.search(r"[A-Z].*\.", page.locator("#problem-what").inner_text())
    assert page.locator("#problem-remedy").inner_text()
    open_song(page, song)
    assert page.locator("#problem").is_hidden()
    field = page.locator("[data-name=density] .wish")
    field.fill("2")  # a number without a sign
    field.press("Enter")
    page.wait_for_selector("#problem:not([hidden])")
    assert "=" in page.locator("#problem").inner_text()
    assert page.locator("#save").is_disabled()
    page.keyboard.press("Control+z")
    assert page.locator("#save").is_enabled()
    expect_refusals(faults)


def test_no_melody_is_an_error_and_not_a_blank_page(page: Page, work: Path, faults: list[str]) -> None:
    mido.MidiFile(tracks=[mido.MidiTrack()]).save(str(work / "silent.mid"))
    page.set_input_files("#file", work / "silent.mid")
    page.wait_for_selector("#problem:not([hidden])")
    assert page.locator("#empty").is_visible()
    expect_refusals(faults)
