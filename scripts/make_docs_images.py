"""Write the pictures and sounds of README.md and docs/ into docs/images/ and docs/sounds/.

    python scripts/make_docs_images.py

    edit.svg        a piano roll of Ode to Joy with two more notes a measure in measures 1 to 4: the README's first edit
    tokens.svg      the first measure of that tune as the model reads it, one token for each tick
    shares.svg      how the measures of the tune share a request for two more notes a measure
    codes.png       test measures of Bach: attributes against the codes that the encoder gives them
    before.wav      the first four measures of Ode to Joy, and after.wav the same after the README's first edit
    requests.png    test measures of Bach: requested against realised values, of one decode and of edits

The last two need the corpus (`arvae corpus build bach`) and half a minute. Existing files are replaced.
"""

from __future__ import annotations

import argparse
import base64
import io
import re
import wave
from pathlib import Path

import numpy as np

import arvae_music
from arvae_music.io import audio
from arvae_music.io.midi import Song
from arvae_music.music.keys import pitch_name
from arvae_music.music.meter import TICKS_PER_BEAT
from arvae_music.music.tokens import HOLD, REST, pitch_of
from arvae_music.reports import evaluation_plots, piano_roll
from arvae_music.reports.piano_roll import KEPT, NEW, PAPER, UNTOUCHED
from arvae_music.reports.shapes import INK, SOFT, Rect, Scene, Stroke, Text
from arvae_music.results import EditResult

ODE = Path(arvae_music.__file__).parent / "data" / "ode_to_joy.mid"
BOX = 37  # pixels of a tick
DOCS = Path(__file__).parent.parent / "docs"
IMAGES, SOUNDS = DOCS / "images", DOCS / "sounds"
SECONDS = 8.6  # of four measures
EVERY = 4  # of the samples is kept, as a byte: small files


def first_edit() -> tuple[Song, EditResult]:
    song = arvae_music.read(ODE)
    return song, arvae_music.edit(song, density="+2notes", bars="1-4")


def edit_roll() -> bytes:
    song, result = first_edit()
    caption = "density +2notes, bars 1-4"
    return piano_roll.svg(song.melody, result.melody, title="Ode to Joy", caption=caption).encode()


def sound(data: bytes) -> bytes:
    """The first SECONDS of a MIDI file, as a mono WAV file of 8 bits."""
    with wave.open(io.BytesIO(audio.wav(data))) as whole:
        rate = whole.getframerate()
        samples = np.frombuffer(whole.readframes(int(SECONDS * rate)), np.int16)
    means = samples[: len(samples) // EVERY * EVERY].reshape(-1, EVERY).mean(axis=1)
    written = io.BytesIO()
    with wave.open(written, "wb") as small:
        small.setnchannels(1)
        small.setsampwidth(1)
        small.setframerate(rate // EVERY)
        small.writeframes((means / 256 + 128).astype(np.uint8).tobytes())
    return written.getvalue()


def tokens() -> bytes:
    """A measure as a row of boxes, one a tick, with the token's meaning in each box."""
    row = arvae_music.read(ODE).melody.bars[0].tokens
    assert row is not None
    scene = _sheet(len(row) * BOX + 2, 62, "A measure as 24 tokens")
    for tick, token in enumerate(row.tolist()):
        x, starts = 1 + tick * BOX, token > REST
        name = pitch_name(pitch_of(token)) if starts else {HOLD: "hold", REST: "rest"}[token]
        scene.shapes.append(Rect(x, 24, BOX - 2, 34, NEW if starts else UNTOUCHED, radius=3))
        middle, colour = x + BOX / 2 - 1, "#ffffff" if starts else SOFT
        scene.shapes.append(Text(middle, 45, name, 12, colour, anchor="middle", bold=starts))
        if tick % TICKS_PER_BEAT == 0:
            scene.shapes.append(Text(x, 16, f"beat {tick // TICKS_PER_BEAT + 1}", 12, INK))
    return scene.svg().encode()


def shares() -> bytes:
    """A grey bar for the notes of each measure before, and a blue one after."""
    result = arvae_music.edit(ODE, density="+2notes")
    k = result.names.index("density")
    left, base, step, high = 70, 190, 46, 20  # pixels; `high` for each note
    scene = _sheet(left + step * len(result.bars) + 10, 240, "Notes in each measure before and after")
    for notes in range(0, 9, 2):
        y = base - notes * high
        scene.shapes += [Stroke(left, y, scene.width - 10, y, UNTOUCHED, 1), Text(left - 20, y + 4, str(notes), 12)]
    for at, (bar, size) in enumerate(zip(result.bars, result.sizes[:, k].tolist(), strict=True)):
        x = left + step * at + 6
        for shift, value, colour in ((0, bar.before[k], KEPT), (15, bar.achieved[k], NEW)):
            height = float(value) / size * high
            scene.shapes.append(Rect(x + shift, base - height, 14, height, colour))
        scene.shapes.append(Text(x + 15, base + 18, str(bar.number), 12, anchor="middle"))
    means = result["density"]
    words = f"notes in each measure, before (grey, mean {means.before:.3g}) and after (blue, mean {means.achieved:.3g})"
    scene.shapes.append(Text(left, base + 40, words, 12, INK))
    return scene.svg().encode()


def _sheet(width: float, height: float, title: str) -> Scene:
    """An empty picture on white, for readers with a dark page."""
    return Scene(width, height, title, [Rect(0, 0, width, height, PAPER)])


def plots_of_bach() -> dict[str, bytes]:
    result = arvae_music.evaluate("all", corpus="bach", part="test", quick=True)
    model = arvae_music.load("all")
    engine = model.restricted(model.metadata.carried)
    pictures = {"codes.png": evaluation_plots.along, "requests.png": evaluation_plots.requests}
    return {name: _png_in(draw(result, engine)[0]) for name, draw in pictures.items()}


def _png_in(element: str) -> bytes:
    found = re.search(r'base64,([^"]+)"', element)
    assert found is not None
    return base64.b64decode(found[1])


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter).parse_args()
    made = {"edit.svg": edit_roll(), "tokens.svg": tokens(), "shares.svg": shares(), **plots_of_bach()}
    for name, data in made.items():
        (IMAGES / name).write_bytes(data)
        print(f"wrote {IMAGES / name}")
    before, edited = first_edit()
    for name, rows in (("before.wav", before.melody.rows), ("after.wav", edited.melody.rows)):
        (SOUNDS / name).write_bytes(sound(before.write(rows)))
        print(f"wrote {SOUNDS / name}")
