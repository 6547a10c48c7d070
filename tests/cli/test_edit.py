"""`arvae edit` and batches as processes of their own: files, exit codes, seeds, and what is left alone."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mido
import pytest
from conftest import Run, write_melody
from midi_files import BAR, FOUR, KNOWN_HARD, TUNE, Performed, exact, note_messages, save, signature, track
from mido.midifiles.meta import encode_variable_int
from process_groups import ended
from rich_files import files_in, other_events, rich_file

from arvae_music.batch.work import outcomes
from arvae_music.errors import InputError
from arvae_music.io.midi import Song
from arvae_music.system.executors import Processes, chosen
from arvae_music.system.machine import cores

# ------------------------------------------------------------------------- edit


def test_an_edit_is_written_beside_its_input_and_reported(arvae: Run, melody: Path, work: Path) -> None:
    before = melody.read_bytes()
    done = arvae("edit", melody, "--density", "+2notes", fresh=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "density" in done.stdout
    assert "2 of 2 measures" in done.stdout
    assert "seed 0" in done.stdout
    out = work / "melody.density+2notes.mid"
    assert melody.read_bytes() == before
    assert len(Song.read(out).melody.notes) == len(Song.read(melody).melody.notes) + 4


@pytest.mark.parametrize("target", ["+0", "x1", "+0notes", "1:+0,8:+0"])
def test_an_edit_of_zero_is_the_input_bit_for_bit(arvae: Run, work: Path, target: str) -> None:
    source = rich_file(work / "rich.mid")
    assert arvae("edit", source, "--density", target, "-o", "out.mid").returncode == 0
    assert (work / "out.mid").read_bytes() == source.read_bytes()


def test_every_other_event_is_as_it_was(arvae: Run, work: Path) -> None:
    source = rich_file(work / "rich.mid")
    assert arvae("edit", source, "--density", "+2notes", "--contour", "=2st", "-o", "out.mid").returncode == 0
    assert (work / "out.mid").read_bytes() != source.read_bytes()
    assert other_events(work / "out.mid") == other_events(source)


# ------------------------------------------------- what an edit leaves alone, with mido as the oracle

Timed = list[tuple[int, mido.Message | mido.MetaMessage]]
EDITED = (2, 4)  # measures


def with_running_status(tracks: Sequence[mido.MidiTrack], kind: int) -> bytes:
    """As mido saves, but a status byte only where it changes."""
    data = b"MThd" + struct.pack(">IHHH", 6, kind, len(tracks), 480)
    for one in tracks:
        body, last = bytearray(), None
        for message in one:
            raw = message.bytes()
            body += bytes(encode_variable_int(message.time))
            if message.is_meta:
                body, last = body + bytes(raw), None
            elif message.type == "sysex":
                body, last = body + b"\xf0" + bytes(encode_variable_int(len(raw) - 1)) + bytes(raw[1:]), None
            else:
                body += bytes(raw[1:] if raw[0] == last else raw)
                last = raw[0]
        data += b"MTrk" + struct.pack(">I", len(body)) + bytes(body)
    return data


def all_at_once(kind: int) -> bytes:
    """Tempo map, change of meter, sysex, aftertouch, lyrics, running status, other tracks or channels."""
    end = len(TUNE) * BAR
    meta: Timed = [(0, signature(4, 4)), (end, signature(3, 4))]
    meta += [(tick, mido.MetaMessage("set_tempo", tempo=400001 + tick)) for tick in range(0, end, 700)]
    waltz = [Performed(end + 480 * i, end + 480 * (i + 1), 67 + i) for i in range(6)]
    solo: Timed = [(0, mido.MetaMessage("track_name", name="Melody")), (0, mido.Message("program_change", program=73))]
    solo += [*note_messages([*exact(TUNE, [FOUR] * len(TUNE)), *waltz], zero=True)]
    for i, tick in enumerate(range(0, end, 240)):
        solo += [
            (tick, mido.MetaMessage("lyrics", text=f"la{i}")),
            (tick + 3, mido.Message("sysex", data=(0x7E, i % 128))),
            (tick + 5, mido.Message("aftertouch", value=i % 128)),
            (tick + 6, mido.Message("polytouch", note=67, value=i % 128)),
            (tick + 7, mido.Message("pitchwheel", pitch=i)),
        ]
    bass: Timed = [*note_messages([Performed(bar * BAR, bar * BAR + 900, 40 + bar) for bar in range(5)], channel=1)]
    if kind == 0:
        return with_running_status([track([*meta, *solo, *bass])], 0)
    return with_running_status([track(meta), track(solo), track(bass)], 1)


def parsed(data: bytes) -> mido.MidiFile:
    """By mido, which knows neither RIFF nor chunks of other kinds."""
    at, kept = data.index(b"MThd"), b""
    while data[at : at + 4].isalpha() and at + 8 <= len(data):
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
        if data[at : at + 4] in (b"MThd", b"MTrk"):
            kept += data[at:end]
        at = end
    return mido.MidiFile(file=io.BytesIO(kept))


def apart(file: mido.MidiFile, number: int, channel: int) -> tuple[list[Any], list[Any], list[Any]]:
    """Every event but the melody's notes as (track, tick, bytes); the melody's note-ons; and its note-offs."""
    others, ons, offs = [], [], []
    for index, one in enumerate(file.tracks, start=1):
        tick = 0
        for message in one:
            tick += message.time
            event = (index, tick, bytes(message.bytes()))
            if index != number or message.type not in ("note_on", "note_off") or message.channel != channel - 1:
                others.append(event)
            elif message.type == "note_on" and message.velocity:
                ons.append(event)
            else:
                offs.append(event)
    return others, ons, offs


def test_every_event_but_the_notes_of_changed_measures_is_as_it_was(arvae: Run, work: Path) -> None:
    sources = {name: build() for name, build in KNOWN_HARD.items()}
    sources |= {"all_type_0": all_at_once(0), "all_type_1": all_at_once(1)}
    (work / "in").mkdir()
    for name, data in sources.items():
        (work / "in" / f"{name}.mid").write_bytes(data)
    bars = ",".join(map(str, EDITED))
    done = arvae("edit", "in", "-r", "--density", "+2notes", "--bars", bars, "-o", "out/{stem}.mid", "--json", "-j", 1)
    assert done.returncode == 0, done.stderr
    told = {Path(one["input"]).stem: one for one in json.loads(done.stdout)}
    assert set(told) == set(sources)
    for name, one in told.items():
        before, after = sources[name], (work / "out" / f"{name}.mid").read_bytes()
        changed = [measure["number"] for measure in one["measures"] if measure["changed"]]
        assert changed == list(EDITED), name
        old, new = parsed(before), parsed(after)
        assert (new.type, new.ticks_per_beat, len(new.tracks)) == (old.type, old.ticks_per_beat, len(old.tracks)), name
        place = one["melody"]["track"], one["melody"]["channel"]
        (kept, ons, offs), (still, new_ons, new_offs) = apart(old, *place), apart(new, *place)
        if name == "no_end_of_track":
            assert still.pop()[2] == b"\xff\x2f\x00"  # the one repair: the format demands it
        assert still == kept, name
        bar = 4 * old.ticks_per_beat
        inside = [range((n - 1) * bar, n * bar) for n in changed]
        late = bar // 40  # a performed note may end a little after the bar line
        around = [range(r.start, r.stop + late + 1) for r in inside]
        elsewhere = lambda events, ranges: [e for e in events if not any(e[1] in r for r in ranges)]  # noqa: E731
        assert elsewhere(new_ons, inside) == elsewhere(ons, inside), name
        assert elsewhere(new_offs, around) == elsewhere(offs, around), name
        assert len(new_ons) == len(new_offs) == len(ons) + 2 * len(EDITED), name
    for name in ("running_status", "rmi"):  # what is no track
        before, after = sources[name], (work / "out" / f"{name}.mid").read_bytes()
        assert after[: after.index(b"MTrk")][12:] == before[: before.index(b"MTrk")][12:] or name == "rmi"
        ends = (before[-8:], before[-7:] + b"\0") if name == "rmi" else (before[-8:],)  # RIFF pads odd chunks
        assert after[-8:] in ends


def test_an_edit_of_zero_is_every_known_hard_file_byte_for_byte(arvae: Run, work: Path) -> None:
    sources = {f"{name}.mid": build() for name, build in KNOWN_HARD.items()}
    sources |= {"all_type_0.mid": all_at_once(0), "all_type_1.mid": all_at_once(1)}
    (work / "in").mkdir()
    for name, data in sources.items():
        (work / "in" / name).write_bytes(data)
    assert arvae("edit", "in", "-r", "--density", "+0", "-o", "out/{stem}.mid", "-j", 1).returncode == 0
    assert files_in(work / "out") == sources


def test_nothing_is_overwritten_unless_asked(arvae: Run, melody: Path, work: Path) -> None:
    out = work / "out.mid"
    out.write_bytes(b"mine")
    done = arvae("edit", melody, "--density", "+1", "-o", out)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--overwrite" in done.stderr
    assert arvae("edit", melody, "--density", "+1", "-o", out, "--skip-existing").returncode == 0
    assert out.read_bytes() == b"mine"
    assert arvae("edit", melody, "--density", "+1", "-o", out, "--overwrite").returncode == 0
    assert out.read_bytes()[:4] == b"MThd"
    assert not list(work.glob(".*"))


def test_a_dry_run_writes_nothing(arvae: Run, melody: Path, work: Path) -> None:
    before = files_in(work)
    for words in (
        ("edit", melody, "--density", "+1", "--roll"),
        ("vary", melody, "-n", "2"),
        ("interpolate", melody, write_melody(work / "b.mid", (72, 71, 69, 67)), "--steps", "3"),
    ):
        done = arvae(*words, "--dry-run")
        assert done.returncode == 0
        assert "would write" in done.stdout
    assert files_in(work) == before | {"b.mid": (work / "b.mid").read_bytes()}


def test_json_says_what_was_done(arvae: Run, melody: Path) -> None:
    done = arvae("edit", melody, "--density", "+1notes", "--seed", "5", "--json")
    (told,) = json.loads(done.stdout)
    assert told["seed"] == 5
    assert told["targets"] == {"density": "+1notes"}
    assert told["output"].endswith("melody.density+1notes.mid")
    density = next(a for a in told["attributes"] if a["name"] == "density")
    assert (density["before"], density["asked"], density["hits"]) == (4, 5, 2)
    assert [m["number"] for m in told["measures"]] == [1, 2]


def test_the_report_names_the_melody_and_begins_with_what_was_requested(arvae: Run, work: Path) -> None:
    source = rich_file(work / "rich.mid")
    lines = arvae("edit", source, "--contour", "+1st", "--keep", "density", "--dry-run").stdout.splitlines()
    assert lines[1].startswith("  melody: track 1 'Melody', channel 1 (")
    assert lines[2].split() == ["before", "requested", "goal", "achieved"]
    assert [line.split()[0] for line in lines[3:6]] == ["contour", "density", "not"]
    assert {line.split()[0] for line in lines[6:8]} == {"rhythm", "range"}


def test_the_report_counts_every_measure_and_says_why_some_are_left_alone(arvae: Run, work: Path) -> None:
    write_melody(work / "long.mid", (60, 62, 64, 65) * 10)
    done = arvae("edit", "long.mid", "--density", "+1notes", "--bars", "2-3", "--dry-run")
    assert "  2 of 10 measures changed; 8 left alone: not selected\n" in done.stdout
    done = arvae("edit", "long.mid", "--density", "=4notes", "--bars", "2-3", "--dry-run")
    assert "  0 of 10 measures changed; 10 left alone: 8 not selected; 2 already as requested\n" in done.stdout


def test_the_goal_is_the_nearest_value_that_a_measure_can_have(arvae: Run, melody: Path) -> None:
    words = ("edit", melody, "--density", "=5.7notes", "--each", "--dry-run")
    told = arvae(*words).stdout
    assert re.search(r"density +4 +5\.7 +6 +6 +notes +exact in 2 of 2 measures\n", told)
    assert "the goal is the nearest value that each measure can have" in told
    (found,) = json.loads(arvae(*words, "--json").stdout)
    parts = {"before": 4, "asked": 5.7, "wanted": 5.7, "goal": 6, "achieved": 6}
    assert [bar["attributes"]["density"] for bar in found["measures"]] == [parts] * 2
    assert "goal is" not in arvae("edit", melody, "--density", "=6notes", "--dry-run").stdout


def test_numbers_in_json_are_without_rounding_noise(arvae: Run, melody: Path) -> None:
    (found,) = json.loads(arvae("edit", melody, "--density", "+1.3", "--pitch", "+1st", "--json").stdout)
    for bar in found["measures"]:
        for parts in bar["attributes"].values():
            assert all(value is None or value == round(value, 9) for value in parts.values())


def test_a_second_bars_adds_measures(arvae: Run, work: Path) -> None:
    write_melody(work / "long.mid", (60, 62, 64, 65) * 6)
    words = ("edit", "long.mid", "--density", "+1notes", "--bars", "1", "--bars", "3-4,6", "--json", "--dry-run")
    (found,) = json.loads(arvae(*words).stdout)
    assert [bar["number"] for bar in found["measures"]] == [1, 3, 4, 6]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--density", "=100notes", "--each"), "density is not exact: measures 1, 2"),
        (("--density", "=100notes"), "density is not exact: the mean of the measures"),
        (("--contour", "=12st", "--lock", "range,first", "--bars", "2"), "no measure meets the request within"),
        (("--density", "+2notes", "--keep", "rhythm", "--mode", "latent"), "rhythm changed in spite of --keep"),
    ],
)
def test_strict_is_exit_1_when_an_edit_is_not_exact(
    arvae: Run, melody: Path, words: tuple[str, ...], said: str
) -> None:
    assert arvae("edit", melody, *words, "--dry-run").returncode == 0
    done = arvae("edit", melody, *words, "--strict", "--dry-run")
    assert done.returncode == 1
    assert f"arvae: {melody}: " in done.stderr
    assert said in done.stderr


def test_strict_is_exit_0_when_all_is_exact(arvae: Run, melody: Path) -> None:
    assert arvae("edit", melody, "--density", "+2notes", "--strict").returncode == 0


def test_a_lock_that_leaves_nothing_to_do_is_reported(arvae: Run, melody: Path) -> None:
    done = arvae("edit", melody, "--contour", "=12st", "--lock", "range,first", "--bars", "2", "--dry-run")
    assert "nothing changed: no measure meets the request within --lock first" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX terminals")
def test_a_file_is_not_written_to_a_terminal(home: dict[str, str], melody: Path, tiny_model_path: Path) -> None:
    import pty

    ours, terminal = pty.openpty()
    command = [sys.executable, "-m", "arvae_music.cli", "edit", str(melody), "--density", "+1notes", "-o", "-"]
    command += ["--model", str(tiny_model_path)]
    done = subprocess.run(command, env=home, stdout=terminal, stderr=subprocess.PIPE, timeout=120)
    os.close(terminal)
    assert done.returncode == 2
    assert b"stdout is a terminal" in done.stderr
    with contextlib.suppress(OSError):  # Linux: all that was written has been read
        assert os.read(ours, 100) == b""
    os.close(ours)


def test_the_seed_decides(arvae: Run, melody: Path, work: Path) -> None:
    for out in ("a.mid", "b.mid"):
        assert arvae("edit", melody, "--density", "+1.5", "--seed", "3", "-o", out).returncode == 0
    assert (work / "a.mid").read_bytes() == (work / "b.mid").read_bytes()


def test_stdin_to_stdout(arvae: Run, melody: Path, home: dict[str, str], work: Path, tiny_model_path: Path) -> None:
    command = [sys.executable, "-m", "arvae_music.cli", "edit", "-", "--density", "+0", "--model", str(tiny_model_path)]
    done = subprocess.run(command, input=melody.read_bytes(), capture_output=True, env=home, cwd=work, timeout=120)
    assert done.returncode == 0
    assert done.stdout == melody.read_bytes()
    assert b"wrote stdout" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--density", "lots"), "this is not a valid target"),
        (("--set", "density"), "is not NAME=TARGET"),
        (("--set", "densty=+1"), "did you mean density?"),
        (("--set", "density=+1nots"), "it has no unit 'nots'; its unit is 'notes'"),
        (("--densty", "+1"), "did you mean --density?"),
        (("--density", "+1", "--keep", "rythm"), "did you mean rhythm?"),
        (("--density", "+1", "--bars", "3-1"), "runs backwards"),
        (("--density", "+1", "--keep", "density"), "cannot be both changed and kept"),
        (("--density", "+1", "--lock", "onset"), "did you mean onsets?"),
        (("--density", "+1", "--bars", "90-"), "no measure of the melody is selected"),
        (("--density", "+1", "--mode", "magic"), "there is no mode"),
        ((), "nothing to change"),
    ],
)
def test_edits_that_make_no_sense_are_exit_2(arvae: Run, melody: Path, words: tuple[str, ...], said: str) -> None:
    done = arvae("edit", melody, *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert list(files_in(melody.parent)) == ["melody.mid"]


# ------------------------------------------------------------------------- input that is of no use


def smpte() -> bytes:
    data = bytearray(save([track([(0, mido.Message("note_on", note=60)), (99, mido.Message("note_off", note=60))])]))
    data[12:14] = bytes([0xE7, 40])
    return bytes(data)


BAD: dict[str, tuple[bytes, str]] = {
    "text.mid": (b"no MIDI at all", "neither a MIDI file nor a score"),
    "empty.mid": (b"", "it is empty"),
    "cut.mid": (KNOWN_HARD["type_1"]()[:90], "damaged part of the file"),
    "short.mid": (KNOWN_HARD["type_1"]()[:10], "truncated"),
    "silent.mid": (save([track([(0, signature(4, 4))], BAR)]), "holds no notes"),
    "drums.mid": (save([track(note_messages([Performed(0, 60, 36), Performed(480, 540, 38)], 9), BAR)]), "only drums"),
    "smpte.mid": (smpte(), "SMPTE"),
}


def test_files_of_no_use_are_told_apart_and_nothing_is_written(arvae: Run, work: Path) -> None:
    (work / "in").mkdir()
    for name, (data, _) in BAD.items():
        (work / "in" / name).write_bytes(data)
    before = files_in(work)
    done = arvae("edit", "in", "-r", "--density", "+1")
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert len(lines) == len(BAD) + 1
    for name, (_, said) in BAD.items():
        (line,) = [line for line in lines[:-1] if name in line]
        assert line.startswith("arvae: ")
        assert said in line
    assert f"0 done, {len(BAD)} failed" in lines[-1]
    assert files_in(work) == before


@pytest.mark.parametrize("name", ["text.mid", "drums.mid"])
def test_a_single_file_of_no_use_is_exit_1(arvae: Run, work: Path, name: str) -> None:
    data, said = BAD[name]
    (work / name).write_bytes(data)
    done = arvae("edit", name, "--density", "+1")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert f"arvae: {name}: " in done.stderr
    assert said in done.stderr
    assert files_in(work) == {name: data}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("meldy.mid",), "meldy.mid: no such file; did you mean melody.mid?"),
        (("..",), "is a folder; give -r"),
        (("melody.mid", "-o", "melody.mid/out.mid"), "cannot write there"),
        (("melody.mid", "-o", "out"), "has no suffix"),
        (("melody.mid", "-o", "{stm}.mid"), "did you mean {stem}?"),
        (("melody.mid", "-o", "melody.mid"), "is the input itself"),
    ],
)
def test_places_of_no_use_are_exit_2(arvae: Run, melody: Path, work: Path, words: tuple[str, ...], said: str) -> None:
    before = files_in(work)
    done = arvae("edit", *words, "--density", "+1")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr
    assert files_in(work) == before


def test_a_score_in_is_a_midi_file_out(arvae: Run, work: Path) -> None:
    (work / "tune.abc").write_text("X:1\nT:tune\nM:4/4\nL:1/4\nK:G\nGABc|d2B2|\n")
    assert arvae("edit", "tune.abc", "--density", "+1notes").returncode == 0
    file = mido.MidiFile(str(work / "tune.density+1notes.mid"))
    assert sum(m.type == "note_on" and m.velocity > 0 for m in file) == 8


# ------------------------------------------------------------------------- batches


def several(work: Path) -> Path:
    folder = work / "tunes"
    for i in range(5):
        write_melody(folder / f"t{i}.mid", (60 + i, 62, 64, 65 + i, 67, 69, 71 - i, 72))
    (folder / "bad.mid").write_bytes(b"no MIDI at all")
    return folder


def test_one_file_that_fails_stops_nobody_and_jobs_change_nothing(arvae: Run, work: Path) -> None:
    folder = several(work)
    told = []
    for jobs in (1, 3):
        done = arvae("edit", folder, "-r", "--density", "+1", "-o", f"out{jobs}/", "-j", jobs, "--json")
        assert done.returncode == 1
        assert "5 done, 1 failed" in done.stderr
        assert re.search(r"\d+ of 10 measures changed", done.stderr)
        assert "bad.mid" in done.stderr
        told.append(json.loads(done.stdout))
    assert [Path(t["input"]).name for t in told[1]] == ["bad.mid", *(f"t{i}.mid" for i in range(5))]
    assert "error" in told[1][0]
    assert [t.get("attributes") for t in told[0]] == [t.get("attributes") for t in told[1]]
    found = files_in(work / "out1")
    assert found == files_in(work / "out3")
    assert [name for name in found if not name.endswith(".mid")] == ["manifest.csv", "manifest.json"]
    rows = json.loads(found["manifest.json"])["files"]
    assert [row["file"] for row in rows] == [name for name in sorted(found) if name.endswith(".mid")]
    assert [row["input"] for row in rows] == [str(folder / f"t{i}.mid") for i in range(5)]
    assert rows[0]["targets"] == {"density": "+1"}


def test_a_tree_goes_into_a_folder_as_a_tree(arvae: Run, work: Path) -> None:
    for name in ("a/m.mid", "b/m.mid", "m.mid"):
        write_melody(work / "in" / name)
    assert arvae("edit", "in", "-r", "--density", "+1", "-o", "out/").returncode == 0
    made = {f"{at}m.density+1.mid" for at in ("a/", "b/", "")}
    assert set(files_in(work / "out")) == made | {"manifest.csv", "manifest.json"}
    done = arvae("edit", "in/a/m.mid", "in/b/m.mid", "--density", "+1", "-o", "out2/")
    assert done.returncode == 2
    assert "template with {n}, which counts them: 'folder/{stem}.{n}.mid'" in done.stderr
    assert arvae("edit", "in/a/m.mid", "in/b/m.mid", "--density", "+1", "-o", "out2/{stem}.{n}.mid").returncode == 0
    assert set(files_in(work / "out2")) == {"m.1.mid", "m.2.mid"}


def test_a_batch_is_taken_up_where_it_stopped(arvae: Run, work: Path) -> None:
    folder = several(work)
    (folder / "bad.mid").unlink()
    assert arvae("edit", folder, "-r", "--density", "+1", "-o", "out/").returncode == 0
    whole = files_in(work / "out")
    (work / "out" / "t2.density+1.mid").unlink()
    done = arvae("edit", folder, "-r", "--density", "+1", "-o", "out/", "--skip-existing")
    assert done.returncode == 0
    assert "1 done, 4 skipped" in done.stderr
    assert files_in(work / "out") == whole


def test_a_manifest_keeps_the_files_of_earlier_edits(arvae: Run, work: Path) -> None:
    for name in ("a", "b"):
        write_melody(work / "in" / f"{name}.mid")
    for target in ("+1notes", "+2notes"):
        assert arvae("edit", "in", "-r", "--density", target, "-o", "out/").returncode == 0
    (work / "out" / "a.density+1notes.mid").unlink()
    assert arvae("edit", "in", "-r", "--density", "+2notes", "-o", "out/", "--overwrite").returncode == 0
    rows = json.loads((work / "out" / "manifest.json").read_text())["files"]
    kept = ["b.density+1notes.mid", "a.density+2notes.mid", "b.density+2notes.mid"]
    assert [row["file"] for row in rows] == kept
    table = list(csv.DictReader((work / "out" / "manifest.csv").read_text().splitlines()))
    assert [row["file"] for row in table] == kept
    assert [row["density_achieved"] for row in table] == ["5.0", "6.0", "6.0"]
    (work / "out" / "manifest.json").write_text("mine")
    refused = arvae("edit", "in", "-r", "--density", "+3notes", "-o", "out/")
    assert (refused.returncode, (work / "out" / "manifest.json").read_text()) == (2, "mine")
    assert "not a manifest of arvae" in refused.stderr


def test_two_inputs_with_one_output_are_an_error_before_any_work(arvae: Run, work: Path) -> None:
    several(work)
    done = arvae("edit", "tunes/t*.mid", "--density", "+1", "-o", "one.mid")
    assert done.returncode == 2
    assert not (work / "one.mid").exists()


def batch(home: dict[str, str], work: Path, model: Path) -> subprocess.Popen[bytes]:
    """A long batch with two workers, in a session of its own, that has written its first file."""
    for i in range(40):
        write_melody(work / "tunes" / f"t{i}.mid", tuple(60 + (7 * k + i) % 12 for k in range(200)))
    command = [sys.executable, "-m", "arvae_music.cli", "vary", "tunes", "-r", "-j", "2", "--no-form", "-o", "out"]
    command += ["--model", str(model)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=home, cwd=work, stdout=pipe, stderr=pipe, start_new_session=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list((work / "out").rglob("*.mid")):
        time.sleep(0.1)
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_interrupt_ends_the_workers_too(home: dict[str, str], work: Path, tiny_model_path: Path) -> None:
    with batch(home, work, tiny_model_path) as process:
        os.killpg(process.pid, signal.SIGINT)  # its workers get the signal too, as on a terminal
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.decode() == "arvae: interrupted\n"
    assert ended(process.pid)
    for path in (work / "out").rglob("*.mid"):
        assert path.read_bytes()[:4] == b"MThd"
        if not path.name.startswith("."):
            Song.read(path)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_termination_of_the_parent_ends_the_workers_too(
    home: dict[str, str], work: Path, tiny_model_path: Path
) -> None:
    with batch(home, work, tiny_model_path) as process:
        process.terminate()  # the parent alone gets the signal, as from `kill`
        _, said = process.communicate(timeout=60)
    assert process.returncode == 143
    assert said.decode() == "arvae: terminated\n"
    assert ended(process.pid)


def double(item: int) -> int:
    """Work for workers: 13 kills its process, 7 is strange."""
    if item == 13:
        os._exit(1)
    if item == 7:
        raise InputError("strange", where="seven")
    return 2 * item


def test_a_worker_that_dies_fails_its_input_alone() -> None:
    items = [1, 13, 7, 4, 5, 6]
    found = list(outcomes(items, double, Processes(2)))
    assert [outcome.value for outcome in found] == [2, None, None, 8, 10, 12]
    assert isinstance(found[1].problem, InputError)
    assert str(found[2].problem) == "seven: strange"


def test_few_files_need_no_workers() -> None:
    assert chosen(None, 1) == chosen(None, 2) == Processes(1)
    assert chosen(3, 100) == Processes(3)
    assert chosen(8, 2) == Processes(2)
    assert chosen(None, 1000) == Processes(cores())


def test_the_report_names_the_meters_that_stand_in(arvae: Run, work: Path) -> None:
    five = mido.MidiFile(str(write_melody(work / "five.mid", (60, 62, 64, 65, 67) * 4)))
    five.tracks[0][1] = mido.MetaMessage("time_signature", numerator=5, denominator=4)
    five.save(str(work / "five.mid"))
    done = arvae("edit", "five.mid", "--density", "+1notes", "-o", "more.mid")
    assert done.returncode == 0
    assert "exact, the mean of 4 measures" in done.stdout
    assert "was not trained on 5/4; it treats such a measure like 3/4 + 3/4" in done.stdout.replace("\n", " ")
    (found,) = json.loads(arvae("edit", "five.mid", "--density", "+1notes", "-o", "json.mid", "--json").stdout)
    assert found["stand_ins"] == {"5/4": ["3/4", "3/4"]}
    assert (work / "json.mid").read_bytes() == (work / "more.mid").read_bytes()
    for words in (("-n", "2", "-o", "out"), ("--grid", "density=-1:1:2", "-o", "grid")):
        assert arvae("vary", "five.mid", *words).returncode == 0


def test_exact_is_what_was_asked_and_not_the_nearest_there_is(arvae: Run, melody: Path) -> None:
    (found,) = json.loads(arvae("edit", melody, "--density", "=100notes", "--each", "--json").stdout)
    density = next(one for one in found["attributes"] if one["name"] == "density")
    assert (density["asked"], density["hits"]) == (100, 0)
    assert all(bar["clamped"] and not bar["hit"] for bar in found["measures"])
    done = arvae("edit", melody, "--density", "+0.4notes", "--each", "-o", "little.mid")
    assert "the request is less than half a step, so nothing changed: measures 1, 2" in done.stdout
    assert "nearest" not in done.stdout
    assert "new notes" not in done.stdout  # there are none


def test_chords_are_given_ignored_or_refused(arvae: Run, melody: Path, work: Path) -> None:
    measures = len(Song.read(melody).melody.bars)
    edited = ["edit", str(melody), "--density", "+1notes"]
    given = arvae(*edited, "--chords", "F#", "-o", str(work / "given.mid"))
    assert (given.returncode, given.stderr) == (0, "")
    assert "new notes fit the chords from the given chart" in given.stdout
    free = arvae(*edited, "--ignore-harmony", "-o", str(work / "free.mid"))
    assert (free.returncode, "new notes fit" in free.stdout) == (0, False)
    assert (work / "given.mid").read_bytes() != (work / "free.mid").read_bytes()
    both = arvae(*edited, "--chords", "C", "--ignore-harmony")
    assert both.returncode == 2
    assert "leave out --chords or --ignore-harmony" in both.stderr
    long = arvae(*edited, "--chords", " ".join(["C"] * (measures + 1)))
    assert long.returncode != 0
    assert f"the chart has {measures + 1} measures" in long.stderr
