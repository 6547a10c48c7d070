"""`arvae vary`, `interpolate` and `demo` as processes of their own: what is written, and that it is what it says."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import mido
import pytest
from conftest import Run, write_melody
from rich_files import files_in, other_events, rich_file

import arvae_music
from arvae_music.errors import UsageError
from arvae_music.io.midi import Song
from arvae_music.io.scores import read_score
from arvae_music.music.sliders import grid_points
from arvae_music.reports.score_lines import MELODY_ALONE


def notes(path: Path) -> list[tuple[int, int, int]]:
    """(start, end, pitch) of a file's notes, by mido: an independent oracle."""
    file, found = mido.MidiFile(str(path)), []
    for track in file.tracks:
        tick = 0
        open_: dict[int, int] = {}
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity:
                open_[message.note] = tick
            elif message.type in ("note_on", "note_off"):
                found.append((open_.pop(message.note), tick, message.note))
    return sorted(found)


ABC = "X:1\nT:Tune\nM:4/4\nL:1/4\nK:G\n|:G A B c|d c B A:|G4|]\n"


# ------------------------------------------------------------------------- vary


@pytest.mark.parametrize("suffix", [".musicxml", ".mxl", ".abc"])
def test_variations_are_written_as_scores(arvae: Run, work: Path, suffix: str) -> None:
    (work / "tune.abc").write_text(ABC)
    words = ("vary", "tune.abc", "-n", "2", "--format", suffix[1:])
    done = arvae(*words)
    assert done.returncode == 0
    assert "  measures: those on the page, 3; as played there are 5 (--unfold)\n" in done.stdout
    varied = [arvae_music.read(work / "tune.variations" / f"tune.vary.0{n}{suffix}") for n in (1, 2)]
    assert all(len(song.melody.bars) == 3 and song.score is not None and song.score.has_repeats for song in varied)
    assert varied[0].melody.notes != varied[1].melody.notes
    assert "skipped, all 2 files exist" in arvae(*words, "--skip-existing").stdout


def test_scores_of_a_midi_file_hold_the_melody_and_the_report_says_so(arvae: Run, work: Path) -> None:
    rich_file(work / "rich.mid")
    words = ("vary", "rich.mid", "-n", "1", "--format", "abc")
    assert MELODY_ALONE in arvae(*words).stdout
    (part,) = read_score((work / "rich.variations/rich.vary.01.abc").read_bytes(), "x").parts
    assert len(part.sounds) == len(Song.read(work / "rich.mid").melody.notes)
    assert "skipped, all 1 files exist" in arvae(*words, "--skip-existing").stdout
    assert MELODY_ALONE in arvae("edit", "rich.mid", "--density", "+1", "-o", "x.musicxml", "--dry-run").stdout
    assert MELODY_ALONE not in arvae("edit", "rich.mid", "--density", "+1", "-o", "x.mid", "--dry-run").stdout


def test_a_format_that_does_not_exist_is_exit_2(arvae: Run, melody: Path) -> None:
    for words in (("vary", melody), ("interpolate", melody, melody)):
        done = arvae(*words, "--format", "musicml")
        assert (done.returncode, done.stdout) == (2, "")
        assert "there is no format 'musicml'; did you mean musicxml?" in done.stderr


def test_variations_with_manifest_and_sheet(arvae: Run, work: Path) -> None:
    source = rich_file(work / "rich.mid")
    done = arvae("vary", source, "-n", "4", "--seed", "4", fresh=True)
    assert done.returncode == 0
    folder = work / "rich.variations"
    names = sorted(files_in(folder))
    midis = [name for name in names if name.endswith(".mid")]
    assert names == sorted([*midis, "index.html", "manifest.csv", "manifest.json"])
    rows = json.loads((folder / "manifest.json").read_text())["files"]
    assert [row["file"] for row in rows] == midis
    assert all(row["exact"] and row["seed"] == 4 for row in rows)
    table = list(csv.DictReader((folder / "manifest.csv").read_text().splitlines()))
    assert [row["file"] for row in table] == midis
    page = (folder / "index.html").read_text()
    assert page.count("<article") == 4
    assert all(f'href="{name}"' in page for name in midis)
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", page)
    assert len({(folder / name).read_bytes() for name in midis}) == len(midis) == 4
    for name in midis:
        assert other_events(folder / name) == other_events(source)
        assert len(Song.read(folder / name).melody.notes) == 8


def test_a_folder_in_is_a_folder_out_with_any_number_of_jobs(arvae: Run, work: Path) -> None:
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


def test_variations_are_taken_up_where_they_stopped(arvae: Run, melody: Path, work: Path) -> None:
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


def test_overwriting_in_a_shared_folder_keeps_the_rows_of_the_other_files(arvae: Run, melody: Path, work: Path) -> None:
    other = write_melody(work / "b.mid", (67, 65, 64, 62))
    assert arvae("vary", melody, "-n", "2", "-o", "out").returncode == 0
    assert arvae("vary", other, "-n", "1", "-o", "out", "--overwrite").returncode == 0
    rows = json.loads((work / "out" / "manifest.json").read_text())["files"]
    assert [row["file"] for row in rows] == ["melody.vary.01.mid", "melody.vary.02.mid", "b.vary.01.mid"]
    page = (work / "out" / "index.html").read_text()
    assert page.count("<article") == 1
    assert "The manifest lists 2 files of earlier runs, too" in page
    (work / "out" / "melody.vary.01.mid").unlink()
    assert arvae("vary", other, "-n", "1", "-o", "out", "--overwrite").returncode == 0
    rows = json.loads((work / "out" / "manifest.json").read_text())["files"]
    assert [row["file"] for row in rows] == ["melody.vary.02.mid", "b.vary.01.mid"]


def test_a_grid_writes_every_point(arvae: Run, melody: Path, work: Path) -> None:
    done = arvae("vary", melody, "--grid", "density=-1:1:3,contour=0:2:2", "-o", "grid", "--json")
    assert done.returncode == 0
    rows = json.loads(done.stdout)
    assert len(rows) == 6
    assert {row["file"] for row in rows} == {p.name for p in (work / "grid").glob("*.mid")}
    assert rows[0]["targets"] == {"density": "-1", "contour": "+0"}
    assert (work / "grid" / "melody.density+0_contour+0.mid").read_bytes() == melody.read_bytes()


def test_a_grid_may_be_given_in_parts(arvae: Run, melody: Path, work: Path) -> None:
    done = arvae("vary", melody, "--grid", "density=-1:1:3", "--grid", "contour=0:2:2", "-o", "grid", "--json")
    assert done.returncode == 0
    assert [row["targets"] for row in json.loads(done.stdout)][:2] == [
        {"density": "-1", "contour": "+0"}, {"density": "-1", "contour": "+2"}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--amount", "0"), "the amount is 0"),
        (("--amount", "1.2"), "the amount is 1.2"),
        (("-n", "0"), "'--count'"),
        (("--grid", "density"), "the grid 'density' is not NAME=LO:HI:COUNT; write --grid density=-1:1:5"),
        (("--grid", "densty=-1:1:3"), "did you mean density?"),
        (("--grid", "density=-1:1:3", "--density", "+1"), "is in --grid and a slider too"),
        (("-o", "-"), "cannot go to stdout"),
        (("-o", "melody.mid"), "is a file"),
        (("-o", "new.mid"), "new.mid: many files cannot go into one; give a folder with -o"),
    ],
)
def test_variations_that_make_no_sense_are_exit_2(
    arvae: Run, melody: Path, words: tuple[str, ...], said: str
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


def test_steps_are_files_whose_ends_are_the_inputs(arvae: Run, two: tuple[Path, Path], work: Path) -> None:
    assert arvae("interpolate", *two, "--steps", "4", fresh=True).returncode == 0
    folder = work / "a-b.steps"
    songs = [Song.read(folder / f"a-b.0{n}.mid") for n in (1, 2, 3, 4)]
    pitches = [[n.pitch for n in song.melody.notes] for song in songs]
    a, b = ([n.pitch for n in Song.read(path).melody.notes] for path in two)
    assert pitches[0] == [*a, *a[:4]]  # the shorter is played again
    assert pitches[3] == b
    assert len({(folder / f"a-b.0{n}.mid").read_bytes() for n in (1, 2, 3, 4)}) == 4
    assert [n[2] for n in notes(folder / "a-b.04.mid")] == b
    length = mido.MidiFile(str(folder / "a-b.04.mid")).ticks_per_beat
    assert [n[0] for n in notes(folder / "a-b.04.mid")] == [length * i for i in range(len(b))]
    assert [n[1] for n in notes(folder / "a-b.04.mid")] == [length * (i + 1) for i in range(len(b))]
    assert (folder / "index.html").exists()
    assert len(json.loads((folder / "manifest.json").read_text())["files"]) == 4


@pytest.mark.parametrize("words", [("--format", "abc"), ("-o", "tune-tune.steps/tune-tune.{n:02}.abc")])
def test_steps_are_written_as_scores(arvae: Run, work: Path, words: tuple[str, ...]) -> None:
    (work / "tune.abc").write_text(ABC)
    assert arvae("interpolate", "tune.abc", "tune.abc", "--steps", "3", *words).returncode == 0
    expected = [67, 69, 71, 72, 74, 72, 71, 69, 67]
    for n in (1, 3):
        song = arvae_music.read(work / f"tune-tune.steps/tune-tune.0{n}.abc")
        assert [note.pitch for note in song.melody.notes] == expected
    assert arvae("interpolate", "tune.abc", "tune.abc", "--steps", "3", "--one", "-o", "all.musicxml").returncode == 0
    song = arvae_music.read(work / "all.musicxml")
    assert [bar.number for bar in song.melody.bars] == list(range(1, 10))
    pitches = [note.pitch for note in song.melody.notes]
    assert (pitches[:9], pitches[-9:]) == (expected, expected)


def test_one_long_file(arvae: Run, two: tuple[Path, Path], work: Path) -> None:
    assert arvae("interpolate", *two, two[0], "--steps", "3", "--one", "-o", "long.mid").returncode == 0
    assert len(Song.read(work / "long.mid").melody.bars) == 5 * 3
    assert arvae("interpolate", *two, "--steps", "3", "--one", "-o", "long.mid").returncode == 2
    assert arvae("interpolate", *two, "--steps", "3", "--one").returncode == 0
    done = arvae("interpolate", *two, "--steps", "3", "-o", "steps.mid")
    assert done.returncode == 2
    assert "steps.mid: many files cannot go into one; give --one, or a folder with -o" in done.stderr
    assert (work / "a-b.3-steps.mid").exists()


def test_the_first_inputs_tempo_and_instrument_stay(arvae: Run, work: Path, melody: Path) -> None:
    rich = rich_file(work / "rich.mid")
    words = ("--steps", "3", "--one", "-o", "x.mid", "--track", "Melody")
    assert arvae("interpolate", rich, melody, *words).returncode == 0
    messages = [message for track in mido.MidiFile(str(work / "x.mid")).tracks for message in track]
    assert [m.tempo for m in messages if m.type == "set_tempo"] == [600000]
    assert next(m.program for m in messages if m.type == "program_change") == 40


def test_the_report_counts_what_the_steps_leave_behind(arvae: Run, work: Path, melody: Path) -> None:
    rich = mido.MidiFile(type=1, ticks_per_beat=480)
    lead = mido.MidiTrack([mido.MetaMessage("track_name", name="Melody"), mido.MetaMessage("set_tempo", tempo=500000)])
    for pitch in (60, 62, 64, 65, 67, 65, 64, 62):
        lead.append(mido.MetaMessage("lyrics", text="la", time=0))
        lead.append(mido.Message("control_change", control=11, value=pitch, time=0))
        lead.append(mido.Message("note_on", note=pitch, velocity=80, time=0))
        lead.append(mido.Message("note_off", note=pitch, velocity=0, time=480))
    lead.append(mido.MetaMessage("set_tempo", tempo=400000))
    bass = mido.MidiTrack([mido.MetaMessage("track_name", name="Bass")])
    for pitch in (36, 43):
        bass.append(mido.Message("note_on", channel=1, note=pitch, velocity=80, time=0))
        bass.append(mido.Message("note_off", channel=1, note=pitch, velocity=0, time=1920))
    rich.tracks.extend([lead, bass])
    rich.save(str(work / "sung.mid"))
    words = ("interpolate", "sung.mid", melody, "--steps", "3", "--bars", "1")
    found = json.loads(arvae(*words, "-o", "a", "--json").stdout)["left_behind"]
    counts = {"other_notes": 2, "lyrics": 8, "tempi": 1, "controls": 8, "not_selected": 1}
    assert found == [{"input": "sung.mid", **counts}, {"input": str(melody), "not_selected": 1}]
    said = arvae(*words, "-o", "b").stdout
    assert "sung.mid: the steps leave behind notes of other tracks and voices (2), lyrics (8), tempo changes" in said


def test_the_signature_as_written_and_the_velocity_of_both(arvae: Run, work: Path) -> None:
    for name, (signature, velocity) in {"soft": ((2, 2), 40), "loud": ((4, 4), 100)}.items():
        track = mido.MidiTrack([mido.MetaMessage("time_signature", numerator=signature[0], denominator=signature[1])])
        for pitch in (72, 74, 76, 77) if name == "soft" else (77, 76, 72, 71):
            track.append(mido.Message("note_on", note=pitch, velocity=velocity, time=0))
            track.append(mido.Message("note_off", note=pitch, velocity=0, time=480))
        mido.MidiFile(ticks_per_beat=480, tracks=[track]).save(str(work / f"{name}.mid"))
    assert arvae("interpolate", "soft.mid", "loud.mid", "--steps", "3", "-o", "out").returncode == 0
    loud, written = [], []
    for file in sorted((work / "out").glob("*.mid")):
        messages = [message for track in mido.MidiFile(str(file)).tracks for message in track]
        loud.append({m.velocity for m in messages if m.type == "note_on" and m.velocity})
        written.append([(m.numerator, m.denominator) for m in messages if m.type == "time_signature"])
    assert loud == [{40}, {70}, {100}]
    assert written == [[(2, 2)], [(2, 2)], [(4, 4)]]


def test_the_same_steps_twice(arvae: Run, two: tuple[Path, Path], work: Path) -> None:
    for out in ("x", "y"):
        assert arvae("interpolate", *two, "--steps", "4", "-o", out, "--seed", "9").returncode == 0
    x, y = files_in(work / "x"), files_in(work / "y")
    assert {name: x[name] for name in x if name != "index.html"} == {n: y[n] for n in y if n != "index.html"}
    refused = arvae("interpolate", *two, "--steps", "4", "-o", "x")
    assert refused.returncode == 2
    assert arvae("interpolate", *two, "--steps", "4", "-o", "x", "--skip-existing").returncode == 0


def test_melodies_that_do_not_fit_are_refused_with_the_reason(arvae: Run, work: Path, melody: Path) -> None:
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


# ------------------------------------------------------------------------- demo


def test_the_demo_writes_a_melody_its_edit_and_both_pictures(arvae: Run, work: Path) -> None:
    done = arvae("demo", "-o", "shown", fresh=True)
    assert (done.returncode, done.stderr) == (0, "")
    folder = work / "shown"
    found = files_in(folder)
    assert set(found) == {"ode_to_joy.mid", "ode_to_joy.density+1.5.mid", "ode_to_joy.svg", "ode_to_joy.png"}
    assert all(f"wrote {Path('shown') / name}" in done.stdout for name in found)
    assert len(notes(folder / "ode_to_joy.density+1.5.mid")) > len(notes(folder / "ode_to_joy.mid"))
    assert found["ode_to_joy.svg"].startswith(b"<svg")
    assert found["ode_to_joy.png"].startswith(b"\x89PNG")
    assert arvae("demo", "-o", "shown", "-q").stdout == ""  # and again, over its own files
    assert files_in(folder) == found
    (folder / "ode_to_joy.svg").write_text("mine")
    refused = arvae("demo", "-o", "shown")
    assert refused.returncode == 2
    assert "ode_to_joy.svg: exists already; give --overwrite" in refused.stderr
    assert (folder / "ode_to_joy.svg").read_text() == "mine"
    assert arvae("demo", "-o", "shown", "--overwrite").returncode == 0
    assert files_in(folder) == found
