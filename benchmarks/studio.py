"""Measure how long the studio's page takes from the release of a slider to the picture, and where the time goes.

    python benchmarks/studio.py                     32 measures that all differ, density, Chromium without a window
    python benchmarks/studio.py --rest 0.5          the thumb rests before it is released
    python benchmarks/studio.py --json studio.json

It starts `arvae studio`, opens a song of three tracks in Chromium (Playwright drives it, as in the tests), and drags a
slider with the mouse, once a round. Each time is in milliseconds, the median and the slowest of the rounds:

    to request     from the release of the mouse to the request of the edit that stays
    engine         the edit itself, as the studio reports it
    server         the rest of the server's time: HTTP, waiting, the description of the edit, writing JSON
    transfer       from the first to the last byte of the answer
    parse          reading the JSON
    draw           the page's own work until it has drawn everything
    frame          the wait for the next frame, its layout and its painting
    release to picture   all of them

With --rest, the edit may be there before the release. Then only the last line has a value.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import mido
from playwright.sync_api import Page, sync_playwright

OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
STEPS = ("to request", "engine", "server", "transfer", "parse", "draw", "frame", "release to picture")
WATCH = """
window.trips = [];
window.released = 0;
addEventListener("pointerup", () => { released = performance.now(); }, true);
const real = window.fetch;
window.fetch = async (path, options) => {
  if (!String(path).endsWith("/edits")) return real(path, options);
  const trip = { whole: !("proposals" in JSON.parse(options.body)), sent: performance.now() };
  const answer = await real(path, options);
  const json = answer.json.bind(answer);
  answer.json = async () => {
    const text = await answer.text();
    trip.read = performance.now();
    const data = JSON.parse(text);
    trip.parsed = performance.now();
    trip.bytes = text.length;
    trip.engine = data.ms;
    const entry = performance.getEntriesByName(new URL(path, location.href).href).at(-1);
    Object.assign(trip, { start: entry.requestStart, first: entry.responseStart, last: entry.responseEnd });
    requestAnimationFrame(() => {
      const port = new MessageChannel();
      port.port1.onmessage = () => { trip.painted = performance.now(); trips.push(trip); };
      port.port2.postMessage(0);
    });
    setTimeout(() => { trip.drawn = performance.now(); });
    return data;
  };
  return answer;
};
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measures", type=int, default=32)
    parser.add_argument("--slider", default="density", help="the attribute that is moved")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--rest", type=float, default=0.0, metavar="S", help="seconds before the release")
    parser.add_argument("--score", action="store_true", help="show the score instead of the roll")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    command = [sys.executable, "-m", "arvae_music.cli", "studio", "--no-browser", "--json"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as server,
        sync_playwright() as driver,
    ):
        assert server.stdout is not None
        address = json.loads("".join(server.stdout.readline() for _ in range(4)))["address"]
        browser = driver.chromium.launch(executable_path=chromium, args=list(OPTIONS))
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.add_init_script(WATCH)
        page.goto(address)
        song = {"name": "song.mid", "mimeType": "audio/midi", "buffer": song_of(options.measures)}
        page.set_input_files("#file", song)
        page.wait_for_selector("#studio:not([hidden])")
        if options.score:
            page.click("#view-score")
        one(page, options.slider, options.rest, 0)  # warms up
        times = [one(page, options.slider, options.rest, n) for n in range(1, options.rounds + 1)]
        browser.close()
        server.terminate()
    print(f"{options.measures} measures, {options.slider}, {options.rounds} rounds, milliseconds")
    for name in STEPS:
        values = [time[name] for time in times if name in time]
        if values:
            print(f"{name:<20}{median(values):>8.1f}{max(values):>8.1f}")
    if options.json:
        options.json.write_text(json.dumps(times, indent=1))


def one(page: Page, slider: str, rest: float, n: int) -> dict[str, float]:
    """Drag the slider once, by another distance in each round."""
    page.keyboard.press("Escape")
    if page.locator("#reset").is_enabled():
        page.click("#reset")
    page.wait_for_timeout(300)
    thumb = page.locator(f"#slider-{slider}")
    box = thumb.bounding_box()
    assert box is not None
    low, high = (float(thumb.get_attribute(name) or 0) for name in ("min", "max"))
    x, y = box["x"] + 8 - low / (high - low) * (box["width"] - 16), box["y"] + box["height"] / 2
    way = (25 + 3 * n) * (1 if n % 2 else -1)
    page.evaluate("() => { trips.length = 0; released = 0; }")
    page.mouse.move(x, y)
    page.mouse.down()
    for part in range(1, 9):
        page.mouse.move(x + way * part / 8, y)
        page.wait_for_timeout(16)
    page.wait_for_timeout(1000 * rest)
    page.mouse.up()
    while not page.evaluate("trips.some(trip => trip.whole) && !document.getElementById('save').disabled"):
        page.wait_for_timeout(20)
    page.wait_for_timeout(100)
    trip: dict[str, Any] = page.evaluate("trips.findLast(trip => trip.whole)")
    released = float(page.evaluate("released"))
    found = {"release to picture": max(0.0, trip["painted"] - released)}
    if trip["sent"] < released:
        return found
    return found | {
        "to request": trip["sent"] - released,
        "engine": trip["engine"],
        "server": trip["first"] - trip["sent"] - trip["engine"],
        "transfer": trip["read"] - trip["first"],
        "parse": trip["parsed"] - trip["read"],
        "draw": trip["drawn"] - trip["parsed"],
        "frame": trip["painted"] - trip["drawn"],
    }


def song_of(measures: int) -> bytes:
    """Measures of 4/4 in C major that all differ: a melody of eighth and quarter notes, a bass, and drums."""
    choose = random.Random(1)
    head = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000), mido.MetaMessage("time_signature")])
    lead, bass, drums = (mido.MidiTrack([mido.MetaMessage("track_name", name=n)]) for n in ("Lead", "Bass", "Drums"))
    steps, place = (60, 62, 64, 65, 67, 69, 71, 72, 74, 76), 4
    for _ in range(measures):
        left = 8
        while left:
            size = min(left, choose.choice((1, 1, 2, 2, 3)))
            place = min(max(place + choose.choice((-2, -1, -1, 1, 1, 2)), 0), len(steps) - 1)
            _add(lead, 0, steps[place], 240 * size)
            left -= size
        for _ in range(2):
            _add(bass, 1, choose.choice((36, 41, 43)), 960)
        for n in range(8):
            _add(drums, 9, 42 if n % 2 else (36, 38)[n // 2 % 2], 240)
    stream = io.BytesIO()
    mido.MidiFile(ticks_per_beat=480, tracks=[head, lead, bass, drums]).save(file=stream)
    return stream.getvalue()


def _add(track: mido.MidiTrack, channel: int, pitch: int, ticks: int) -> None:
    track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=90))
    track.append(mido.Message("note_off", channel=channel, note=pitch, time=ticks))


if __name__ == "__main__":
    main()
