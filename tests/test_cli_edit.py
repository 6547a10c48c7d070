"""`arvae edit`, `vary` and `interpolate` as real processes: files, exit codes, seeds, and what is left alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mido
import pytest
from conftest import Run, write_melody

from arvae_music.cli import parallel
from arvae_music.cli.vary import grid_points
from arvae_music.errors import InputError, UsageError
from arvae_music.midi import Song

Arvae = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def arvae(run_arvae: Run, tiny_model_path: Path) -> Arvae:
    """`run_arvae` with the model chosen."""

    def run(command: str, *words: object, **options: Any) -> subprocess.CompletedProcess[str]:
        return run_arvae(command, *words, "--model", tiny_model_path, **options)

    return run


def rich_file(path: Path) -> Path:
    """Two tracks, a tempo map, controllers, lyrics, sysex, release velocities: what must survive."""
    melody = mido.MidiTrack([mido.MetaMessage("track_name", name="Melody")])
    melody.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
    melody.append(mido.MetaMessage("key_signature", key="C"))
    melody.append(mido.Message("program_change", program=40))
    melody.append(mido.Message("sysex", data=(1, 2, 3)))
    for i, pitch in enumerate((60, 62, 64, 65, 67, 69, 71, 72)):
        melody.append(mido.Message("note_on", note=pitch, velocity=70 + i, time=0))
        melody.append(mido.Message("control_change", control=1, value=i, time=240))
        melody.append(mido.MetaMessage("lyrics", text=f"la{i}", time=0))
        melody.append(mido.Message("note_off", note=pitch, velocity=33, time=240))
    bass = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=600000)])
    for pitch in (36, 43):
        bass.append(mido.Message("note_on", channel=1, note=pitch, velocity=50, time=0))
        bass.append(mido.MetaMessage("set_tempo", tempo=550000, time=960))
        bass.append(mido.Message("note_off", channel=1, note=pitch, velocity=0, time=960))
    path.parent.mkdir(parents=True, exist_ok=True)
    mido.MidiFile(type=1, ticks_per_beat=480, tracks=[melody, bass]).save(str(path))
    return path


def other_events(path: Path) -> list[list[tuple[int, str]]]:
    """Every event but the melody's notes, at absolute ticks."""
    tracks = []
    for track in mido.MidiFile(str(path)).tracks:
        tick, found = 0, []
        for message in track:
            tick += message.time
            if not (message.type in ("note_on", "note_off") and message.channel == 0):
                found.append((tick, str(message.copy(time=0))))
        tracks.append(found)
    return tracks


def files_in(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# ------------------------------------------------------------------------- edit


def test_an_edit_is_written_beside_its_input_and_reported(arvae: Arvae, melody: Path, work: Path) -> None:
    before = melody.read_bytes()
    done = arvae("edit", melody, "--density", "+2notes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "density" in done.stdout
    assert "2 of 2 measures" in done.stdout
    assert "seed 0" in done.stdout
    out = work / "melody.density+2notes.mid"
    assert melody.read_bytes() == before
    assert len(Song.read(out).melody.notes) == len(Song.read(melody).melody.notes) + 4


@pytest.mark.parametrize("target", ["+0", "x1", "+0notes", "0:+0,8:+0"])
def test_an_edit_of_zero_is_the_input_bit_for_bit(arvae: Arvae, work: Path, target: str) -> None:
    source = rich_file(work / "rich.mid")
    assert arvae("edit", source, "--density", target, "-o", "out.mid").returncode == 0
    assert (work / "out.mid").read_bytes() == source.read_bytes()


def test_every_other_event_is_as_it_was(arvae: Arvae, work: Path) -> None:
    source = rich_file(work / "rich.mid")
    assert arvae("edit", source, "--density", "+2notes", "--contour", "=2st", "-o", "out.mid").returncode == 0
    assert (work / "out.mid").read_bytes() != source.read_bytes()
    assert other_events(work / "out.mid") == other_events(source)


def test_nothing_is_overwritten_unless_asked(arvae: Arvae, melody: Path, work: Path) -> None:
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


def test_a_dry_run_writes_nothing(arvae: Arvae, melody: Path, work: Path) -> None:
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


def test_json_says_what_was_done(arvae: Arvae, melody: Path) -> None:
    done = arvae("edit", melody, "--density", "+1notes", "--seed", "5", "--json")
    (told,) = json.loads(done.stdout)
    assert told["seed"] == 5
    assert told["targets"] == {"density": "+1notes"}
    assert told["output"].endswith("melody.density+1notes.mid")
    density = next(a for a in told["attributes"] if a["name"] == "density")
    assert (density["before"], density["asked"], density["hits"]) == (4, 5, 2)
    assert [m["number"] for m in told["measures"]] == [1, 2]


def test_the_seed_decides(arvae: Arvae, melody: Path, work: Path) -> None:
    for out in ("a.mid", "b.mid"):
        assert arvae("edit", melody, "--density", "+1.5", "--seed", "3", "-o", out).returncode == 0
    assert (work / "a.mid").read_bytes() == (work / "b.mid").read_bytes()


def test_stdin_to_stdout(arvae: Arvae, melody: Path, home: dict[str, str], work: Path, tiny_model_path: Path) -> None:
    command = [sys.executable, "-m", "arvae_music.cli", "edit", "-", "--density", "+0", "--model", str(tiny_model_path)]
    done = subprocess.run(command, input=melody.read_bytes(), capture_output=True, env=home, cwd=work, timeout=120)
    assert done.returncode == 0
    assert done.stdout == melody.read_bytes()
    assert b"wrote stdout" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--density", "lots"), "this is no target"),
        (("--set", "density"), "is not NAME=TARGET"),
        (("--set", "densty=+1"), "did you mean density?"),
        (("--density", "+1", "--keep", "density"), "cannot be both changed and kept"),
        (("--density", "+1", "--lock", "onset"), "did you mean onsets?"),
        (("--density", "+1", "--bars", "90-"), "no measure of the melody is selected"),
        (("--density", "+1", "--mode", "magic"), "there is no mode"),
        ((), "nothing to change"),
    ],
)
def test_edits_that_make_no_sense_are_exit_2(arvae: Arvae, melody: Path, words: tuple[str, ...], said: str) -> None:
    done = arvae("edit", melody, *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


# ------------------------------------------------------------------------- batches


def several(work: Path) -> Path:
    folder = work / "tunes"
    for i in range(5):
        write_melody(folder / f"t{i}.mid", (60 + i, 62, 64, 65 + i, 67, 69, 71 - i, 72))
    (folder / "bad.mid").write_bytes(b"no MIDI at all")
    return folder


def test_one_file_that_fails_stops_nobody_and_jobs_change_nothing(arvae: Arvae, work: Path) -> None:
    folder = several(work)
    told = []
    for jobs in (1, 3):
        done = arvae("edit", folder, "-r", "--density", "+1", "-o", f"out{jobs}/", "-j", jobs, "--json")
        assert done.returncode == 1
        assert "5 done, 1 failed" in done.stderr
        assert "bad.mid" in done.stderr
        told.append(json.loads(done.stdout))
    assert [Path(t["input"]).name for t in told[1]] == [f"t{i}.mid" for i in range(5)]
    assert [t["attributes"] for t in told[0]] == [t["attributes"] for t in told[1]]
    assert files_in(work / "out1") == files_in(work / "out3")
    assert len(files_in(work / "out1")) == 5


def test_a_batch_is_taken_up_where_it_stopped(arvae: Arvae, work: Path) -> None:
    folder = several(work)
    (folder / "bad.mid").unlink()
    assert arvae("edit", folder, "-r", "--density", "+1", "-o", "out/").returncode == 0
    whole = files_in(work / "out")
    (work / "out" / "t2.density+1.mid").unlink()
    done = arvae("edit", folder, "-r", "--density", "+1", "-o", "out/", "--skip-existing")
    assert done.returncode == 0
    assert "1 done, 4 skipped" in done.stderr
    assert files_in(work / "out") == whole


def test_two_inputs_with_one_output_are_an_error_before_any_work(arvae: Arvae, work: Path) -> None:
    several(work)
    done = arvae("edit", "tunes/t*.mid", "--density", "+1", "-o", "one.mid")
    assert done.returncode == 2
    assert not (work / "one.mid").exists()


def gone(group: int) -> bool:
    """Whether all processes of a group end soon: multiprocessing's own helper outlives the parent by a moment."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_interrupt_ends_the_workers_too(home: dict[str, str], work: Path, tiny_model_path: Path) -> None:
    for i in range(40):
        write_melody(work / "tunes" / f"t{i}.mid", tuple(60 + (7 * k + i) % 12 for k in range(200)))
    command = [sys.executable, "-m", "arvae_music.cli", "vary", "tunes", "-r", "-j", "2", "--no-form", "-o", "out"]
    command += ["--model", str(tiny_model_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=home, cwd=work, stdout=pipe, stderr=pipe, start_new_session=True
    ) as process:  # a session of its own: its workers get the signal too, as on a terminal
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not list((work / "out").rglob("*.mid")):
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.decode() == "arvae: interrupted\n"
    assert gone(process.pid)
    for path in (work / "out").rglob("*.mid"):
        assert path.read_bytes()[:4] == b"MThd"
        if not path.name.startswith("."):
            Song.read(path)


def double(item: int) -> int:
    """Work for workers: 13 kills its process, 7 is strange."""
    if item == 13:
        os._exit(1)
    if item == 7:
        raise InputError("strange", where="seven")
    return 2 * item


def test_a_worker_that_dies_fails_its_input_alone() -> None:
    items = [1, 13, 7, 4, 5, 6]
    found = list(parallel.outcomes(items, double, 2))
    assert [outcome.value for outcome in found] == [2, None, None, 8, 10, 12]
    assert isinstance(found[1].problem, InputError)
    assert str(found[2].problem) == "seven: strange"


def test_few_files_need_no_workers() -> None:
    assert parallel.workers(None, 1) == parallel.workers(None, 2) == 1
    assert parallel.workers(3, 100) == 3
    assert parallel.workers(8, 2) == 2
    assert 1 <= parallel.workers(None, 1000) <= parallel.cores()


# ------------------------------------------------------------------------- vary


def test_variations_with_manifest_and_sheet(arvae: Arvae, work: Path) -> None:
    source = rich_file(work / "rich.mid")
    done = arvae("vary", source, "-n", "3", "--seed", "4")
    assert done.returncode == 0
    folder = work / "rich.variations"
    names = sorted(files_in(folder))
    midis = [name for name in names if name.endswith(".mid")]
    assert names == sorted([*midis, "index.html", "manifest.csv", "manifest.json"])
    rows = json.loads((folder / "manifest.json").read_text())["files"]
    assert [row["file"] for row in rows] == midis
    assert all(row["exact"] and row["seed"] == 4 for row in rows)
    assert len({(folder / name).read_bytes() for name in midis}) == len(midis) >= 2
    for name in midis:
        assert other_events(folder / name) == other_events(source)
        assert len(Song.read(folder / name).melody.notes) == 8


def test_a_folder_in_is_a_folder_out_with_any_number_of_jobs(arvae: Arvae, work: Path) -> None:
    for i in range(4):
        write_melody(work / "in" / ("deep" if i % 2 else ".") / "x" / f"t{i}.mid", (60 + i, 64, 67, 72, 71, 69, 67, 65))
    for jobs in (1, 2):
        assert arvae("vary", "in", "-r", "-n", "2", "-o", f"out{jobs}", "-j", jobs).returncode == 0
    first, second = files_in(work / "out1"), files_in(work / "out2")
    assert {name for name in first if name.endswith(".mid")} == {
        f"{where}x/t{i}.vary.0{n}.mid" for i, where in enumerate(("", "deep/", "", "deep/")) for n in (1, 2)
    }
    page = first.pop("index.html")
    assert page.replace(b"out1", b"out2") == second.pop("index.html")
    assert first == second


def test_variations_are_taken_up_where_they_stopped(arvae: Arvae, melody: Path, work: Path) -> None:
    words = ("vary", melody, write_melody(work / "b.mid", (67, 65, 64, 62)), "-n", "2", "-o", "out")
    assert arvae(*words).returncode == 0
    whole = files_in(work / "out")
    refused = arvae(*words)
    assert refused.returncode == 2
    assert "--skip-existing" in refused.stderr
    (work / "out" / "melody.vary.01.mid").unlink()
    (work / "out" / "index.html").unlink()
    assert arvae(*words, "--skip-existing").returncode == 0
    assert files_in(work / "out") == whole
    assert arvae(*words, "--overwrite", "--json").returncode == 0
    assert files_in(work / "out") == whole


def test_a_grid_writes_every_point(arvae: Arvae, melody: Path, work: Path) -> None:
    done = arvae("vary", melody, "--grid", "density=-1:1:3,contour=0:2:2", "-o", "grid", "--json")
    assert done.returncode == 0
    rows = json.loads(done.stdout)
    assert len(rows) == 6
    assert {row["file"] for row in rows} == {p.name for p in (work / "grid").glob("*.mid")}
    assert rows[0]["targets"] == {"density": "-1", "contour": "+0"}
    assert (work / "grid" / "melody.density+0_contour+0.mid").read_bytes() == melody.read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--amount", "0"), "the amount is 0"),
        (("--amount", "1.2"), "the amount is 1.2"),
        (("-n", "0"), "'--count'"),
        (("--grid", "density"), "is not NAME=LO:HI:COUNT"),
        (("--grid", "densty=-1:1:3"), "did you mean density?"),
        (("--grid", "density=-1:1:3", "--density", "+1"), "is in --grid and a slider too"),
        (("-o", "-"), "cannot go to stdout"),
        (("-o", "melody.mid"), "is a file"),
    ],
)
def test_variations_that_make_no_sense_are_exit_2(
    arvae: Arvae, melody: Path, words: tuple[str, ...], said: str
) -> None:
    done = arvae("vary", melody, *words)
    assert done.returncode == 2
    assert said in done.stderr


def test_points_of_a_grid() -> None:
    assert grid_points("a=-1:1:3") == [{"a": "-1"}, {"a": "+0"}, {"a": "+1"}]
    assert grid_points("a=0:1:2, b=2:2:1") == [{"a": "+0", "b": "+2"}, {"a": "+1", "b": "+2"}]
    for wrong in ("a=1:1:2", "a=0:1:0", "a=0:1:2,a=0:1:2", "a=0:1:2000", "", "a=.:1:2"):
        with pytest.raises(UsageError):
            grid_points(wrong)


# ------------------------------------------------------------------------- interpolate


@pytest.fixture
def two(work: Path) -> tuple[Path, Path]:
    return (
        write_melody(work / "a.mid"),
        write_melody(work / "b.mid", (72, 71, 69, 67, 76, 74, 72, 71, 67, 69, 71, 72)),
    )


def test_steps_are_files_whose_ends_are_the_inputs(arvae: Arvae, two: tuple[Path, Path], work: Path) -> None:
    assert arvae("interpolate", *two, "--steps", "4").returncode == 0
    folder = work / "a-b.steps"
    songs = [Song.read(folder / f"a-b.0{n}.mid") for n in (1, 2, 3, 4)]
    pitches = [[n.pitch for n in song.melody.notes] for song in songs]
    a, b = ([n.pitch for n in Song.read(path).melody.notes] for path in two)
    assert pitches[0] == [*a, *a[:4]]  # the shorter is played again
    assert pitches[3] == b
    assert len({(folder / f"a-b.0{n}.mid").read_bytes() for n in (1, 2, 3, 4)}) == 4
    assert (folder / "index.html").exists()
    assert len(json.loads((folder / "manifest.json").read_text())["files"]) == 4


def test_one_long_file(arvae: Arvae, two: tuple[Path, Path], work: Path) -> None:
    assert arvae("interpolate", *two, two[0], "--steps", "3", "--one", "-o", "long.mid").returncode == 0
    assert len(Song.read(work / "long.mid").melody.bars) == 5 * 3
    assert arvae("interpolate", *two, "--steps", "3", "--one", "-o", "long.mid").returncode == 2
    assert arvae("interpolate", *two, "--steps", "3", "--one").returncode == 0
    assert (work / "a-b.3-steps.mid").exists()


def test_the_first_inputs_instrument_stays(arvae: Arvae, work: Path, melody: Path) -> None:
    rich = rich_file(work / "rich.mid")
    words = ("--steps", "3", "--one", "-o", "x.mid", "--track", "Melody")
    assert arvae("interpolate", rich, melody, *words).returncode == 0
    messages = [message for track in mido.MidiFile(str(work / "x.mid")).tracks for message in track]
    assert next(m.program for m in messages if m.type == "program_change") == 40


def test_the_same_steps_twice(arvae: Arvae, two: tuple[Path, Path], work: Path) -> None:
    for out in ("x", "y"):
        assert arvae("interpolate", *two, "--steps", "4", "-o", out, "--seed", "9").returncode == 0
    x, y = files_in(work / "x"), files_in(work / "y")
    assert {name: x[name] for name in x if name != "index.html"} == {n: y[n] for n in y if n != "index.html"}
    refused = arvae("interpolate", *two, "--steps", "4", "-o", "x")
    assert refused.returncode == 2
    assert arvae("interpolate", *two, "--steps", "4", "-o", "x", "--skip-existing").returncode == 0


def test_melodies_that_do_not_fit_are_refused_with_the_reason(arvae: Arvae, work: Path, melody: Path) -> None:
    track = mido.MidiTrack([mido.MetaMessage("time_signature", numerator=3, denominator=4)])
    for pitch in (60, 62, 64) * 3:
        track.append(mido.Message("note_on", note=pitch, velocity=80, time=0))
        track.append(mido.Message("note_off", note=pitch, velocity=0, time=480))
    mido.MidiFile(ticks_per_beat=480, tracks=[track]).save(str(work / "waltz.mid"))
    done = arvae("interpolate", melody, "waltz.mid")
    assert done.returncode == 1
    assert "measure 1 is in 4/4" in done.stderr
    assert "waltz.mid" in done.stderr
    assert arvae("interpolate", melody).returncode == 2
    assert arvae("interpolate", melody, melody, "-o", "-").returncode == 2
