"""Writes edits/: small MIDI files, what the command line makes of them, and what it says of that.

Run `PYTHONPATH=tests python tests/golden/make_edits.py` after adding a case, and read the difference that git shows:
a golden output that changed is an edit that users will hear changed.

    edits/inputs/NAME.mid       built here with mido or byte by byte, never with the code under test
    edits/outputs/CASE/*.mid    what the command line wrote
    edits/cases.json            for each case its words, the digest of every output, and the report

A tune is written in notes of a MIDI number (`r` a rest, several joined by + a chord) and a length in quarter notes.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import struct
import tempfile
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import mido

import arvae_music
from arvae_music.cli.main import main

FOLDER = Path(__file__).with_name("edits")
INPUTS, OUTPUTS, TABLE = FOLDER / "inputs", FOLDER / "outputs", FOLDER / "cases.json"
Timed = list[tuple[int, mido.Message | mido.MetaMessage]]

# ------------------------------------------------------------------------------------ inputs

# All of these are made up for this file.
MARCH = """67:1 64:1/2 65:1/2 67:1 72:1   71:1 69:1/2 67:1/2 69:2     65:1 62:1/2 64:1/2 65:1 69:1   67:2 64:1 r:1
           67:1 64:1/2 65:1/2 67:1 72:1   74:1/2 76:1/2 74:1/2 72:1/2 71:1 69:1   67:3/2 65:1/2 64:1 62:1   60:3 r:1"""
JIG = """74:1/2 78:1/2 81:1/2 78:1/2 76:1/2 74:1/2   76:1 78:1/2 76:1/2 74:1/2 71:1/2   69:1/2 71:1/2 73:1/2 74:1 78:1/2
         76:3/2 76:1 78:1/2   79:1/2 78:1/2 76:1/2 78:1/2 76:1/2 74:1/2   76:1/2 74:1/2 71:1/2 69:1 71:1/2
         74:1/2 73:1/2 74:1/2 76:1/2 73:1/2 69:1/2   74:3/2 74:3/2"""
WALTZ = """62:1   67:1 71:1 74:1   76:1/3 74:1/3 72:1/3 71:1 69:1   66:1 69:1 72:1   71:2 67:1
           64:1 67:1 71:1   72:1/3 71:1/3 69:1/3 67:1 66:1   69:3/2 66:1/2 62:1   67:2 r:1"""
MINOR = """69:1/2 72:1 71:1/2 69:1 64:1   65:1/2 69:1 68:1/2 69:2   71:1 72:1/2 74:1/2 76:1 72:1
           71:1/2 69:1/2 68:1 64:2   77:1/2 76:1 74:1/2 72:1 69:1   71:1/2 74:1 72:1/2 71:1 68:1
           69:1 69:1 72:1/2 71:1/2 68:1   69:3 r:1"""
POLKA = """72:1/4 74:1/4 76:1/2 72:1/2 67:1/2   69:1/4 71:1/4 72:1/2 69:1   67:1/2 65:1/4 64:1/4 62:1/2 64:1/2
           65:1/2 62:1/2 60:1   72:1/4 74:1/4 76:1/2 72:1/2 67:1/2   69:1/4 71:1/4 72:1/2 69:1
           71:1/2 67:1/4 69:1/4 71:1/2 74:1/2   72:1 72:1"""
A = "70:1 74:1 77:1 74:1   75:1/2 74:1/2 72:1 70:2"
B = "79:1/2 77:1/2 75:1 74:1 72:1   77:1 75:1/2 74:1/2 72:1 r:1"
FORM = f"{A} {A}+ {B} {A}".replace(":2+ 79:1/2", ":5/2")  # the second A is held into B
METERS = """62:1 65:1 69:1 67:1   65:1/2 64:1/2 65:1 62:2   64:1 67:1 70:1   69:1 67:1/2 65:1/2 64:1
            65:1 69:1 72:1 70:1   69:1 67:1 65:2"""
AIR = """60:1 62:1/2 64:1/2 67:2   69:1 67:1/2 64:1/2 62:2   60:1/2 62:1/2 64:1 69:1 67:1   64:2 62:1 r:1
         64:1 67:1/2 69:1/2 72:2   69:1/2 67:1/2 64:1 67:2   64:1 62:1/2 60:1/2 62:1 64:1   60:3 r:1"""
TICKS = 480


class Note(NamedTuple):
    start: int
    end: int
    pitch: int


def notes(text: str, tpq: int = TICKS) -> list[Note]:
    found, at = [], Fraction(0)
    for word in text.split():
        pitches, length = word.split(":")
        end = at + Fraction(length)
        found += [Note(round(at * tpq), round(end * tpq), int(p)) for p in pitches.split("+") if p != "r"]
        at = end
    return found


def messages(found: Sequence[Note], channel: int = 0) -> Timed:
    timed: list[tuple[int, int, mido.Message]] = []
    for i, note in enumerate(found):
        timed.append((note.start, 1, mido.Message("note_on", note=note.pitch, velocity=70 + i % 5, channel=channel)))
        timed.append((note.end, 0, mido.Message("note_off", note=note.pitch, velocity=40, channel=channel)))
    return [(tick, message) for tick, _, message in sorted(timed, key=lambda one: one[:2])]


def track(events: Timed) -> mido.MidiTrack:
    """A track from absolute ticks; events at the same tick stay in order."""
    made, last = mido.MidiTrack(), 0
    for tick, message in sorted(events, key=lambda event: event[0]):
        made.append(message.copy(time=tick - last))
        last = tick
    return made


def saved(tracks: Sequence[Timed], kind: int = 1, tpq: int = TICKS) -> bytes:
    out = io.BytesIO()
    mido.MidiFile(type=kind, ticks_per_beat=tpq, tracks=[track(events) for events in tracks]).save(file=out)
    return out.getvalue()


def signature(text: str) -> mido.MetaMessage:
    numerator, denominator = map(int, text.split("/"))
    return mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)


def head(meter: str, key: str | None = None, name: str = "Melody") -> Timed:
    events: Timed = [(0, mido.MetaMessage("track_name", name=name)), (0, signature(meter))]
    return [*events, (0, mido.MetaMessage("key_signature", key=key))] if key else events


def march() -> bytes:
    return saved([[*head("4/4", "C"), *messages(notes(MARCH))]])


def air() -> bytes:
    """A partner for `march` in an interpolation."""
    return saved([[*head("4/4", "C"), *messages(notes(AIR))]])


def jig() -> bytes:
    return saved([[*head("6/8", "D"), *messages(notes(JIG))]])


def waltz_with_pickup() -> bytes:
    """The first measure is one quarter note, written as most programs export it: a 1/4 before the 3/4."""
    opening: Timed = [*head("1/4", "G"), (TICKS, signature("3/4"))]
    return saved([[*opening, *messages(notes(WALTZ))]])


def minor() -> bytes:
    return saved([[*head("4/4", "Am"), *messages(notes(MINOR))]])


def played() -> bytes:
    """`march` as somebody might play it: notes early and late by up to 19 of 480 ticks, and held into each other."""
    found = notes(MARCH)
    late = [(37 * i * i + 11 * i) % 39 - 19 for i in range(len(found) + 1)]
    human = [Note(max(0, n.start + late[i]), n.end + late[i + 1] + 9, n.pitch) for i, n in enumerate(found)]
    return saved([[*head("4/4"), *messages(human)]])


def several_tracks() -> bytes:
    """A conductor, the tune among all kinds of other events, chords, and drums."""
    end = 32 * TICKS
    conductor: Timed = [*head("4/4", "C", "Song"), *_tempi(end), (end // 2, mido.MetaMessage("marker", text="half"))]
    solo: Timed = [(0, mido.MetaMessage("track_name", name="Voice")), (0, mido.Message("program_change", program=73))]
    for i, tick in enumerate(range(0, end, 2 * TICKS)):
        solo += [
            (tick, mido.MetaMessage("lyrics", text=f"la{i}")),
            (tick, mido.Message("control_change", control=11, value=60 + i)),
            (tick + 7, mido.Message("pitchwheel", pitch=50 * i)),
            (tick + 90, mido.Message("sysex", data=(0x7E, 0x7F, i))),
        ]
    chords = notes(" ".join(f"{low}+{low + 4}+{low + 7}:4" for low in (48, 53, 53, 48, 48, 55, 55, 48)))
    beats = [Note(tick, tick + 60, 36 + (tick // TICKS) % 2 * 2) for tick in range(0, end, TICKS)]
    piano: Timed = [(0, mido.MetaMessage("track_name", name="Piano")), *messages(chords, 1)]
    return saved([conductor, [*solo, *messages(notes(MARCH))], piano, messages(beats, 9)])


def _tempi(end: int) -> Timed:
    return [(tick, mido.MetaMessage("set_tempo", tempo=500_000 + tick)) for tick in range(0, end, 5 * TICKS)]


def format_0() -> bytes:
    """One track: the tune on channel 1, a bass on channel 2."""
    bass = notes(" ".join(f"{low}:2" for low in (45, 52, 50, 45, 47, 45, 40, 40, 50, 45, 47, 40, 45, 52, 45, 45)))
    return saved([[*head("4/4", "Am"), *messages(notes(MINOR)), *messages(bass, 1)]], kind=0)


def running_status() -> bytes:
    """Byte by byte: running status, note-offs as note-ons of velocity 0, 96 ticks in a quarter note, a chunk of
    somebody's own."""
    body = bytearray(b"\x00\xff\x03\x05Polka\x00\xff\x58\x04\x02\x02\x18\x08\x00\xff\x59\x02\x00\x00")
    last, status = 0, b"\x90"
    for tick, message in messages(notes(POLKA, 96)):
        delta = tick - last
        body += bytes([0x80 | delta >> 7, delta & 0x7F]) if delta > 127 else bytes([delta])
        body += status + bytes([message.note, message.velocity if message.type == "note_on" else 0])
        last, status = tick, b""
    body += b"\x00\xff\x2f\x00"
    parts = [(b"MThd", struct.pack(">HHH", 1, 1, 96)), (b"XOWN", b"anything"), (b"MTrk", bytes(body))]
    return b"".join(kind + struct.pack(">I", len(content)) + content for kind, content in parts)


def repeated_form() -> bytes:
    """AABA in B flat, and no key signature says so."""
    return saved([[*head("4/4"), *messages(notes(FORM))]])


def change_of_meter() -> bytes:
    changes: Timed = [(8 * TICKS, signature("3/4")), (14 * TICKS, signature("4/4"))]
    return saved([[*head("4/4", "F"), *changes, *messages(notes(METERS))]])


def ode_to_joy() -> bytes:
    """The melody that arvae brings along, wherever in the package it lies."""
    return next(Path(arvae_music.__file__).parent.rglob("ode_to_joy.mid")).read_bytes()


BUILDERS: tuple[Callable[[], bytes], ...] = (
    march, air, jig, waltz_with_pickup, minor, played, several_tracks, format_0, running_status, repeated_form,
    change_of_meter, ode_to_joy,
)  # fmt: skip


def inputs() -> dict[str, bytes]:
    return {f"{build.__name__}.mid": build() for build in BUILDERS}


# ------------------------------------------------------------------------------------ requests

# Every command gets --json besides, and -o: `out.mid`, or `out` for what writes a folder.
EDITS = {
    "more notes": "edit march.mid --model bach --density +2notes --each",
    "falling, the same rhythm": "edit march.mid --model bach --contour -3st --lock onsets --each",
    "latent, another seed": "edit march.mid --model bach --density +1 --mode latent --seed 3",
    "calmer jig": "edit jig.mid --model folk --rhythm -1 --keep contour --each",
    "wider jig, some bars": "edit jig.mid --model folk --range +1.5 --lock key --bars 2-5 --each",
    "higher waltz": "edit waltz_with_pickup.mid --model folk --pitch +2st --lock onsets --each",
    "syncopated waltz": "edit waltz_with_pickup.mid --model bach --syncopation +1levels --each",
    "minor without repetition": "edit minor.mid --model bach --repetition -20pt --steps +10% --each",
    "minor, ever denser": "edit minor.mid --model folk --density 1:+0.4285714286notes,7:+3notes --each",
    "played, six notes each": "edit played.mid --model bach --density =6notes --each",
    "played, the same pitches": "edit played.mid --model folk --syncopation +2levels --lock pitches --seed 3 --each",
    "among other tracks": "edit several_tracks.mid --model bach --range x1.5 --strength .1 --each",
    "format 0, ends held": "edit format_0.mid --model folk --steps +20pt --lock first,last --each",
    "running status": "edit running_status.mid --model folk --rhythm +10pt --lock range --each",
    "form kept": "edit repeated_form.mid --model bach --rhythm -5pt --contour =0st --each",
    "form not kept": "edit repeated_form.mid --model bach --rhythm -5pt --contour =0st --no-form --each",
    "meters, latent": "edit change_of_meter.mid --model folk --contour =0st --mode latent",
    "ode, model chosen": "edit ode_to_joy.mid --density +1.5 --each",
    "variations": "vary ode_to_joy.mid --model folk -n 3 --seed 3",
    "grid": "vary jig.mid --model folk --grid density=-1:1:2,contour=-1:1:2",
    "between two": "interpolate march.mid air.mid --model bach --steps 4",
}
THROUGH_A_PROCESS = ("more notes", "variations")


class Outcome(NamedTuple):
    code: int
    stdout: str
    stderr: str
    files: dict[str, bytes]  # by their paths below the folder, without the inputs


def words(case: str) -> list[str]:
    line = shlex.split(EDITS[case])
    return [*line, "--json", "-o", "out.mid" if line[0] == "edit" else "out"]


def lay_out(folder: Path) -> None:
    """The inputs, as they were committed."""
    for path in INPUTS.glob("*.mid"):
        shutil.copy(path, folder)


def outputs_in(folder: Path) -> dict[str, bytes]:
    """The MIDI files that are no inputs."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.mid"))}
    return {name: data for name, data in found.items() if not (INPUTS / name).is_file()}


def carry_out(case: str, folder: Path, *more: str) -> Outcome:
    """One command line, with `more` words, in this process, in `folder`, where the inputs are."""
    before, stdout, stderr = Path.cwd(), io.StringIO(), io.StringIO()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            code = main([*words(case), *more])
    finally:
        os.chdir(before)
    return Outcome(code, stdout.getvalue(), stderr.getvalue(), outputs_in(folder))


def report(stdout: str) -> Any:
    """What --json says, but for the long parts: single measures are in the outputs themselves."""
    return _trimmed(json.loads(stdout))


def _trimmed(data: Any) -> Any:
    left_out = ("measures", "melody", "version")
    if isinstance(data, dict):
        kept = {key: value for key, value in data.items() if key not in left_out or not isinstance(value, (list, dict))}
        return {key: _trimmed(value) for key, value in kept.items()}
    if isinstance(data, list):
        return [_trimmed(value) for value in data]
    return round(data, 9) if isinstance(data, float) else data


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def expected(case: str) -> dict[str, bytes]:
    """The golden outputs, as `outputs_in` names them."""
    folder = OUTPUTS / slug(case)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.mid"))}


def slug(case: str) -> str:
    return case.replace(",", "").replace(" ", "_")


# ------------------------------------------------------------------------------------ differences


def events(data: bytes) -> list[str]:
    """A MIDI file's events as lines, a note in one."""
    lines: list[tuple[int, int, str]] = []
    for number, one in enumerate(mido.MidiFile(file=io.BytesIO(data)).tracks):
        tick, open_ = 0, {}
        for message in one:
            tick += message.time
            sounding = message.type == "note_on" and message.velocity > 0
            if sounding:
                open_.setdefault((message.channel, message.note), []).append((tick, message.velocity))
            elif message.type in ("note_on", "note_off") and open_.get((message.channel, message.note)):
                start, velocity = open_[message.channel, message.note].pop(0)
                text = f"note {message.note} for {tick - start} ticks, velocity {velocity}, channel {message.channel}"
                lines.append((number, start, text))
            else:
                lines.append((number, tick, str(message.copy(time=0))))
    return [f"track {number}, tick {tick}: {text}" for number, tick, text in sorted(lines)]


def difference(wanted: bytes, found: bytes) -> str:
    """What is different between two MIDI files, event by event; empty if nothing is."""
    if wanted == found:
        return ""
    lines = list(difflib.unified_diff(events(wanted), events(found), "golden", "found", lineterm="", n=1))
    return "\n".join(lines) or f"the same events in other bytes: {len(wanted)} and {len(found)} of them"


def write() -> None:
    for folder in (INPUTS, OUTPUTS):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for name, data in inputs().items():
        (INPUTS / name).write_bytes(data)
    table = {}
    for case in EDITS:
        with tempfile.TemporaryDirectory() as place:
            lay_out(Path(place))
            done = carry_out(case, Path(place))
        assert done.code == 0, done.stderr
        assert done.files, case
        for name, data in done.files.items():
            path = OUTPUTS / slug(case) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        digests = {name: digest(data) for name, data in done.files.items()}
        table[case] = {"words": shlex.join(words(case)), "sha256": digests, "report": report(done.stdout)}
    # innermost lists and objects on a line each
    lines = re.sub(r"[\[{][^\[\]{}]*[\]}]", lambda found: re.sub(r"\n *", " ", found[0]), json.dumps(table, indent=1))
    TABLE.write_text(lines + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
