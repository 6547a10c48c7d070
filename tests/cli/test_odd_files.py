"""Unusual files on the command line: what inspect lists, what the reports tell, and how outputs are named."""

from __future__ import annotations

import json
from pathlib import Path

import midi_files as files
import pytest
from conftest import Run
from midi_files import Performed

from arvae_music.io import chunks
from arvae_music.io.midi import Song


def chordal(work: Path) -> Path:
    """A track named Melody that plays two notes at once, and an empty track."""
    both = [*files.note_messages([Performed(t, t + 400, p) for t in range(0, files.END, 480) for p in (60, 64)])]
    path = work / "two.mid"
    path.write_bytes(files.save([
        files.conductor(), files.track([(0, files.name("Chords")), *both]), files.track([(0, files.name("Empty"))])
    ]))  # fmt: skip
    return path


def drums_only(work: Path) -> Path:
    path = work / "drums.mid"
    path.write_bytes(files.save([files.track([(0, files.name("Kit")), *files.drums()])]))
    return path


def test_inspect_lists_the_tracks_of_a_file_without_a_melody(run_arvae: Run, work: Path) -> None:
    done = run_arvae("inspect", drums_only(work))
    assert done.returncode == 1
    assert "Kit" in done.stdout
    assert "10, drums" in done.stdout
    assert "only drums" in done.stderr
    data = json.loads(run_arvae("inspect", "--json", drums_only(work)).stdout)
    assert data[0]["tracks"] == [{"track": 1, "name": "Kit", "notes": len(files.drums()) // 2}]
    assert data[0]["voices"][0]["channel"] == 10
    assert "only drums" in data[0]["error"]


def test_inspect_of_several_files_lists_each(run_arvae: Run, work: Path) -> None:
    (work / "good.mid").write_bytes(files.type_1())
    (work / "no.mid").write_bytes(b"no music")
    done = run_arvae("inspect", drums_only(work), work / "good.mid", work / "no.mid")
    assert done.returncode == 1
    assert "Kit" in done.stdout
    assert "Flute" in done.stdout
    assert "not a MIDI file" in done.stderr or "neither a MIDI file" in done.stderr


def test_oddities_are_in_the_reports(arvae: Run, run_arvae: Run, work: Path) -> None:
    path = work / "odd.mid"
    path.write_bytes(files.type_1() + b"\0" * 9)
    told = "note: 9 bytes follow the last chunk"
    assert told in run_arvae("inspect", path).stdout
    assert json.loads(run_arvae("inspect", "--json", path).stdout)[0]["notices"][0]["oddity"] == "after_chunks"
    done = arvae("edit", path, "--density", "+1notes", "--json")
    assert json.loads(done.stdout)[0]["notices"][0]["count"] == 9
    assert told in arvae("edit", path, "--density", "+1notes", "--overwrite").stdout


def test_a_wrapped_file_with_macbinary_is_inspected(run_arvae: Run, work: Path) -> None:
    path = work / "mac.mid"
    path.write_bytes(b"\0\3mac" + bytes(123) + files.type_1())
    done = run_arvae("inspect", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "MacBinary" in done.stdout


@pytest.mark.parametrize("evil", ["\x1b[31mred\x07", "\x1b]0;title\x07x", "a\x9b2Jb", "[bold]x[/]", "a\u202eb"])
def test_names_reach_the_terminal_without_codes(arvae: Run, run_arvae: Run, work: Path, evil: str) -> None:
    named = files.name("Evil").copy()
    named.name = evil if evil.isascii() else evil.encode().decode("latin-1")
    path = work / "evil.mid"
    path.write_bytes(files.save([files.conductor(), files.track([(0, named), *files.tune()]),
                                 files.track([(0, files.name("Other")), *files.chords()])]))  # fmt: skip
    shown = [run_arvae("inspect", path), run_arvae("inspect", path, "--track", "zz")]
    shown.append(arvae("edit", path, "--density", "+1notes", "--dry-run"))
    for done in shown:
        text = done.stdout + done.stderr
        assert not [c for c in text if not c.isprintable() and c != "\n"]
    assert "[bold]x[/]" in run_arvae("inspect", path).stdout or "[bold]" not in evil


# Names and wrappers


def wrapped(work: Path, name: str) -> Path:
    path = work / name
    path.write_bytes(files.rmi())
    return path


def test_the_output_is_named_after_the_kind_of_the_input(arvae: Run, work: Path) -> None:
    assert arvae("edit", wrapped(work, "a.rmi"), "--density", "+1notes").returncode == 0
    assert (work / "a.density+1notes.rmi").read_bytes()[:4] == b"RIFF"
    (work / "b.kar").write_bytes(files.type_1())
    assert arvae("edit", work / "b.kar", "--density", "+1notes").returncode == 0
    assert (work / "b.density+1notes.kar").read_bytes()[:4] == b"MThd"
    assert arvae("edit", work / "b.kar", work / "a.rmi", "--density", "+1notes", "-o", "out/").returncode == 0
    assert {path.suffix for path in (work / "out").iterdir()} >= {".kar", ".rmi"}
    assert arvae("vary", work / "a.rmi", "-n", "2", "-o", "many/").returncode == 0
    assert len(list((work / "many").glob("*.rmi"))) == 2


def test_the_suffix_of_the_output_decides_about_the_wrapper(arvae: Run, work: Path) -> None:
    source = wrapped(work, "a.rmi")
    assert arvae("edit", source, "--density", "+0", "-o", "plain.mid").returncode == 0
    assert (work / "plain.mid").read_bytes() == chunks.plain(source.read_bytes())
    assert arvae("edit", work / "plain.mid", "--density", "+0", "-o", "again.rmi").returncode == 0
    assert (work / "again.rmi").read_bytes() == chunks.riff((work / "plain.mid").read_bytes())
    hidden = wrapped(work, "hidden.mid")  # RIFF data under another name stay as they are
    assert arvae("edit", hidden, "--density", "+0", "-o", "same.mid").returncode == 0
    assert (work / "same.mid").read_bytes() == hidden.read_bytes()


def test_the_library_writes_the_wrapper_too(work: Path) -> None:
    song = Song.read(files.rmi(), name="x.rmi")
    assert song.write(song.melody.rows, ".mid")[:4] == b"MThd"
    assert song.write(song.melody.rows, ".rmi") == files.rmi()
    assert song.write(song.melody.rows) == files.rmi()
