"""What the browser tests do again and again: make a song, open it, and move a slider."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import mido

if TYPE_CHECKING:
    from playwright.sync_api import Page


DESK = {"width": 1280, "height": 800}
PATIENCE = 60  # seconds, for a machine with other work


@contextmanager
def serving(home: Path, *words: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`arvae studio` as a process, with its address."""
    command = [sys.executable, "-m", "arvae_music.cli", "studio", "--no-browser", "--json", *map(str, words)]
    environment = {**os.environ, "HOME": str(home)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            yield process, json.loads("".join(process.stdout.readline() for _ in range(4)))["address"]
        finally:
            process.kill()


def wait(page: Page, condition: str) -> None:
    """Wait for an expression to become true. Playwright's own way evaluates texts, which the page's policy forbids."""
    end = time.monotonic() + PATIENCE
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(30)


def write_song(path: Path, name: str = "Melody") -> Path:
    """Eight measures of 4/4 in C major: a melody of quarter notes, half notes of a bass, and drums."""
    tune = (60, 62, 64, 65, 67, 69, 67, 65, 64, 65, 67, 69, 71, 72, 71, 67) * 2
    head = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=400_000), mido.MetaMessage("time_signature")])
    tracks = [head, _track(name, 0, 73, tune, 480), _track("Bass", 1, 32, (36, 43, 41, 43) * 4, 960)]
    tracks.append(_track("Drums", 9, 0, (36, 38) * 16, 480))
    mido.MidiFile(ticks_per_beat=480, tracks=tracks).save(str(path))
    return path


def _track(name: str, channel: int, program: int, pitches: tuple[int, ...], ticks: int) -> mido.MidiTrack:
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    track.append(mido.Message("program_change", channel=channel, program=program))
    for pitch in pitches:
        track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=90))
        track.append(mido.Message("note_off", channel=channel, note=pitch, time=ticks))
    return track


def open_song(page: Page, path: Path) -> None:
    page.set_input_files("#file", path)
    page.wait_for_selector("#studio:not([hidden])")
    wait(page, "document.getElementById('busy').hidden")


def settled(page: Page) -> None:
    """Wait until the picture shows the edit of the latest settings."""
    wait(page, "!document.getElementById('adopt').disabled")


def write(page: Page, slider: str, request: str) -> None:
    """Type a request into the field beside a slider."""
    field = page.locator(f"[data-name={slider}] .wish")
    field.fill(request)
    field.press("Enter")
    settled(page)


def drag(page: Page, slider: str, pixels: float) -> str:
    """Drag the thumb of a slider, and return the request that it then makes."""
    thumb = page.locator(f"#slider-{slider}")
    box = thumb.bounding_box()
    assert box is not None
    low, high, value = (float(thumb.get_attribute(name) or 0) for name in ("min", "max", "value"))
    x = box["x"] + 8 + (value - low) / (high - low) * (box["width"] - 16)
    y = box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for part in range(1, 6):
        page.mouse.move(x + pixels * part / 5, y)
    page.mouse.up()
    settled(page)
    return page.locator(f"[data-name={slider}] .wish").input_value()


def save(page: Page, name: str, folder: Path) -> Path:
    page.locator("#save").click()
    with page.expect_download() as found:
        page.locator(f"[data-format={name}]").click()
    page.keyboard.press("Escape")
    path = folder / found.value.suggested_filename
    found.value.save_as(path)
    return path


def picture(page: Page) -> str:
    """The roll as it is after the next frames."""
    return str(page.evaluate(
        """document.fonts.ready.then(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() =>
        done(document.querySelector("#roll canvas").toDataURL())))))"""
    ))  # fmt: skip


def coloured(page: Page) -> int:
    """How many pixels of the roll are in the accent colour, as moved and new notes are."""
    picture(page)
    return int(page.evaluate(
        """() => { const canvas = document.querySelector("#roll canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let found = 0;
        for (let i = 0; i < data.length; i += 4) found += data[i] === 201 && data[i + 1] === 70 && data[i + 2] === 28;
        return found; }"""
    ))  # fmt: skip
