"""Writes corpus/: a folder of small scores, what a corpus built from it holds, and a digest of the corpus `bach`.

Run `PYTHONPATH=tests python tests/golden/make_corpus.py` after adding a score; with --bach also for the digest of the
chorales, which takes half a minute and wants the music21 of constraints.txt.

    corpus/scores/*         ABC and MusicXML from the texts below, MIDI files of make_edits.py; all made up
    corpus/expected.json    the corpus that `arvae corpus build` makes of them, and what `arvae_music.read` reads
    corpus/bach.json        how many tunes and measures of chorales there are, and a digest of them

A corpus is read back with pyarrow, by the columns that its format promises, not with the code under test.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from golden import make_edits

import arvae_music
from arvae_music.cli.main import main

FOLDER = Path(__file__).with_name("corpus")
SCORES, TABLE, BACH = FOLDER / "scores", FOLDER / "expected.json", FOLDER / "bach.json"
FACTS = ("name", "format", "tunes", "measures", "skips", "rejected", "examples_of_rejected")
SPELT = ("measure", "meter", "tokens", "left_out")
MIDI = ("march", "played", "several_tracks", "waltz_with_pickup", "change_of_meter", "format_0")

ABC = {
    "two_tunes.abc": """%abc
L:1/8

X:1
T:The Made-up Reel
M:4/4
K:G
GA|B2 dB A2 cA|G>A B<d (3efg fe|d2 ^c=c B4-|B2 AG E2 D2|G2 {a}G2 "Em"E2 z2||

X:2
T:Nobody's Jig
M:6/8
K:Ador
A2 B c2 d|e f/g/ e dcB|A3- A2 G|[1 E3 E3:|[2 A6|]
""",
    "voices.abc": """X:1
T:Two voices
M:3/4
L:1/4
K:Bb
[V:1 name="Flute"] B c d|e3|d2 c|B3|
[V:2 name="Bass"] B, B, B,|E,3|F,3|B,3|
""",
    "odd_measures.abc": """X:1
T:What does not fit
M:2/4
L:1/8
K:C
C2E2|C/4D/4E/4F/4 G3|[CE]4|CDEFG|z4|
M:5/8
CDEFG|
M:2/4
G2E2|C4|
""",
    "silence.abc": "X:1\nT:Silence\nM:2/4\nL:1/8\nK:C\nz4|z4|\n",
}


def note(pitch: str, length: int, kind: str = "") -> str:
    """`F#4`, or a rest where the pitch is empty; the length in sixths of a quarter note."""
    found = re.fullmatch(r"([A-G])([#b]?)(\d)", pitch)
    what = "<rest/>"
    if found:
        alter = {"#": "<alter>1</alter>", "b": "<alter>-1</alter>", "": ""}[found[2]]
        what = f"<pitch><step>{found[1]}</step>{alter}<octave>{found[3]}</octave></pitch>"
    tie = f'<tie type="{kind}"/>' if kind else ""
    return f"<note>{what}<duration>{length}</duration>{tie}<voice>1</voice></note>"


def musicxml(title: str, parts: dict[str, Sequence[str]], key: int, beats: int) -> str:
    listed = "".join(
        f'<score-part id="P{n}"><part-name>{name}</part-name></score-part>' for n, name in enumerate(parts, 1)
    )
    signature = (
        f"<attributes><divisions>6</divisions><key><fifths>{key}</fifths></key>"
        f"<time><beats>{beats}</beats><beat-type>4</beat-type></time></attributes>"
    )
    body = ""
    for n, measures in enumerate(parts.values(), 1):
        inside = "\n".join(
            f'<measure number="{m}">{signature if m == 1 else ""}{content}</measure>'
            for m, content in enumerate(measures, 1)
        )
        body += f'<part id="P{n}">\n{inside}\n</part>\n'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<score-partwise version="3.1">\n'
        f"<work><work-title>{title}</work-title></work>\n<part-list>{listed}</part-list>\n{body}</score-partwise>\n"
    )


def minuet() -> str:
    """A tune over a bass, in 3/4 and two sharps; dotted, in triplets, tied over a barline."""
    tune = [
        note("A4", 6) + note("D5", 6) + note("F#5", 6),
        note("E5", 9) + note("D5", 3) + note("C#5", 6),
        note("D5", 2) + note("E5", 2) + note("F#5", 2) + note("G5", 12, "start"),
        note("G5", 6, "stop") + note("F#5", 6) + note("", 6),
        note("E5", 6) + note("C#5", 6) + note("A4", 6),
        note("D5", 18),
    ]
    bass = [note(pitch, 18) for pitch in ("D3", "A2", "D3", "G2", "A2", "D3")]
    return musicxml("Made-up minuet", {"Oboe": tune, "Cello": bass}, key=2, beats=3)


def song() -> str:
    """One part, in E flat and 4/4, with an accidental and a natural."""
    measures = [
        note("Eb4", 6) + note("G4", 6) + note("Bb4", 12),
        note("Ab4", 3) + note("G4", 3) + note("F#4", 6) + note("G4", 12),
        note("", 12) + note("C5", 6) + note("B4", 6),
        note("Bb4", 6) + note("Ab4", 6) + note("F4", 6) + note("D4", 6),
        note("Eb4", 24),
    ]
    return musicxml("Made-up song", {"Voice": measures}, key=-3, beats=4)


def higher() -> bytes:
    """`march` a whole tone higher: the same tune, which a corpus holds once."""
    text = re.sub(r"\b(\d\d):", lambda found: f"{int(found[1]) + 2}:", make_edits.MARCH)
    return make_edits.saved([[*make_edits.head("4/4", "D"), *make_edits.messages(make_edits.notes(text))]])


def scores() -> dict[str, bytes]:
    built = make_edits.inputs()
    texts = {**ABC, "minuet.musicxml": minuet(), "song.xml": song(), "broken.xml": "<score-partwise>"}
    return {
        **{name: text.encode() for name, text in texts.items()},
        **{f"{name}.mid": built[f"{name}.mid"] for name in MIDI},
        "march_in_d.mid": higher(),
        "no_notes.mid": make_edits.saved([make_edits.head("4/4", "C")]),
    }


# ------------------------------------------------------------------------------------ what is in a corpus


def built(what: str, cache: Path, *more: str) -> Path:
    """The file of a corpus that the command line builds into `cache`, in this process."""
    before = os.environ.get("ARVAE_CACHE")
    os.environ["ARVAE_CACHE"] = str(cache)
    told = io.StringIO()
    try:
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            code = main(["corpus", "build", what, *more])
    finally:
        os.environ.pop("ARVAE_CACHE")
        if before is not None:
            os.environ["ARVAE_CACHE"] = before
    assert code == 0, told.getvalue()
    (path,) = cache.rglob("*.parquet")
    return path


def facts(path: Path) -> dict[str, Any]:
    found = json.loads(pq.read_metadata(path).metadata[b"arvae"])
    return {name: found[name] for name in FACTS}


def rows(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.ParquetFile(path).read().to_pylist()
    return found


def contents(path: Path) -> dict[str, Any]:
    """Facts and tunes, a measure as `NUMBER METER: TOKENS (WHY IT IS NO EXAMPLE)`."""
    tunes = {}
    for piece, measures in groupby(rows(path), key=lambda row: str(row["piece"])):
        found = list(measures)
        about = {name: found[0][name] for name in ("title", "source", "shift", "fifths")}
        tunes[piece] = {**about, "measures": [_spelt(**{name: row[name] for name in SPELT}) for row in found]}
    return {"facts": facts(path), "tunes": tunes}


def _spelt(measure: int, meter: int, tokens: Sequence[int], left_out: str) -> str:
    return f"{measure} {meter}: {' '.join(map(str, tokens))}" + (f" ({left_out})" if left_out else "")


def digest(path: Path) -> str:
    """Of all that a model learns from, in order."""
    found = hashlib.sha256()
    for row in rows(path):
        found.update(f"{row['piece']} {row['measure']} {row['meter']} {row['shift']} {row['fifths']} ".encode())
        found.update(f"{row['position']} {row['minor']} {row['left_out']} {row['phrase_ends']} ".encode())
        found.update(np.array(row["tokens"], dtype=np.int8).tobytes())
    return found.hexdigest()


def summary(path: Path) -> dict[str, Any]:
    """What there is to say of a corpus that is not ours to copy."""
    music21 = json.loads(pq.read_metadata(path).metadata[b"arvae"])["music21"]
    return {"music21": music21, **facts(path), "sha256": digest(path)}


def melodies() -> dict[str, Any]:
    """What `arvae_music.read` reads of each score, and a digest of what `save` writes of that."""
    return {path.name: _melody(path) for path in sorted(SCORES.iterdir())}


def _melody(path: Path) -> Any:
    try:
        song = arvae_music.read(path)
    except Exception as error:  # of arvae's own: a name will do, for the rest may be music21's words
        return type(error).__name__
    melody = song.melody
    with tempfile.TemporaryDirectory() as place:
        arvae_music.save(Path(place) / "out.mid", song, melody)
        saved = (Path(place) / "out.mid").read_bytes()
    return {
        "name": melody.name,
        "shift": melody.shift,
        "fifths": melody.fifths,
        "key": melody.key_origin,
        "measures": list(_measures(melody.bars)),
        "sha256": hashlib.sha256(saved).hexdigest(),
    }


def _measures(bars: Sequence[Any]) -> Iterator[str]:
    for bar in bars:
        tokens = bar.why if bar.tokens is None else " ".join(map(str, bar.tokens.tolist()))
        yield f"{bar.number} {bar.signature}: {tokens}"


def golden() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as cache:
        return {
            "corpus": contents(built(str(SCORES), Path(cache), "--name", "golden", "-j", "1")),
            "read": melodies(),
        }


if __name__ == "__main__":
    shutil.rmtree(SCORES, ignore_errors=True)
    SCORES.mkdir(parents=True)
    for name, data in scores().items():
        (SCORES / name).write_bytes(data)
    TABLE.write_text(json.dumps(golden(), indent=1) + "\n", encoding="utf-8")
    if "--bach" in sys.argv:
        with tempfile.TemporaryDirectory() as place:
            text = json.dumps(summary(built("bach", Path(place))), indent=1)
        BACH.write_text(text + "\n", encoding="utf-8")
