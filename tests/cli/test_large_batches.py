"""Large batches as processes of their own: lists, tables, stores, job arrays, and what a killed run leaves."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Run, write_melody
from process_groups import ended
from rich_files import files_in

from arvae_music.io.midi import Song

EDIT = ("edit", "list.txt", "--density", "+1notes")
FILES = 24


@pytest.fixture
def tunes(work: Path) -> list[str]:
    """A list of melodies in two folders, of which one file is no MIDI file."""
    names = [f"tunes/{'ab'[i % 2]}/t{i:02}.mid" for i in range(FILES)]
    for i, name in enumerate(names):
        write_melody(work / name, tuple(60 + (7 * k + i) % 12 for k in range(16)))
    (work / names[5]).write_bytes(b"no MIDI at all")
    (work / "list.txt").write_text("\n".join(names) + "\n")
    return names


def visible(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in files_in(folder).items() if not name.startswith(".")}


def rows_of(folder: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.ParquetDataset(folder).read().to_pylist()
    return rows


def test_a_list_goes_into_a_folder_or_a_table_with_any_number_of_runs(arvae: Run, work: Path, tunes: list[str]) -> None:
    done = arvae(*EDIT, "-o", "out/", "-j", 2)
    assert done.returncode == 1
    assert f"{FILES - 1} done, 1 failed" in done.stderr
    assert done.stdout == ""
    whole = visible(work / "out")
    assert {"manifest.json", "manifest.csv", "failed.txt", "a/t00.density+1notes.mid"} <= set(whole)
    assert whole["failed.txt"].decode().splitlines()[1] == str(work / tunes[5])
    again = arvae("edit", "out/failed.txt", "--density", "+1notes", "-o", "retried/")
    assert (again.returncode, again.stderr.count("0 done, 1 failed")) == (1, 1)
    rows = json.loads(whole["manifest.json"])["files"]
    assert [row["input"] for row in rows] == [name for name in tunes if name != tunes[5]]
    for share in (2, 3, 1):
        assert arvae(*EDIT, "-o", "array/", "--shard", f"{share}/3").returncode == int(share == 3)
    assert visible(work / "array") == whole
    assert arvae(*EDIT, "-o", "out.parquet", "-j", 2).returncode == 1
    found = rows_of(work / "out.parquet")
    assert {row["file"]: row["data"] for row in found} == {n: d for n, d in whole.items() if n.endswith(".mid")}
    assert [row["density_achieved"] for row in found] == [
        next(a["achieved"] for a in row["attributes"] if a["name"] == "density") for row in rows
    ]
    assert {row["digest"] for row in found} == {row["digest"] for row in rows}
    assert arvae("edit", "out.parquet", "--range", "+2st", "-o", "again/").returncode == 0
    assert len([name for name in visible(work / "again") if name.endswith(".mid")]) == FILES - 1


def test_bytes_of_a_table_and_of_a_file_give_the_same_output(arvae: Run, work: Path, tunes: list[str]) -> None:
    data = [(work / name).read_bytes() for name in tunes]
    pq.write_table(pa.table({"path": tunes, "midi": data}), work / "in.parquet")
    arvae(*EDIT, "-o", "out/")
    arvae("edit", "in.parquet", "--density", "+1notes", "-o", "out2/")
    files = {name: data for name, data in visible(work / "out").items() if name.endswith(".mid")}
    assert {name: data for name, data in visible(work / "out2").items() if name.endswith(".mid")} == files
    assert len(files) == FILES - 1


def test_variations_go_into_a_table(arvae: Run, work: Path, tunes: list[str]) -> None:
    words = ("vary", "list.txt", "-n", 2, "--density", "+1notes")
    assert arvae(*words, "-o", "v.parquet").returncode == 1
    assert arvae(*words, "-o", "v/").returncode == 1
    files = {name: data for name, data in visible(work / "v").items() if name.endswith(".mid")}
    found = rows_of(work / "v.parquet")
    assert {row["file"]: row["data"] for row in found} == files
    assert len(files) == 2 * (FILES - 1)
    assert [row["n"] for row in found[:4]] == [1, 2, 1, 2]
    assert not (work / "v" / "index.html").exists()


def test_a_large_batch_needs_a_folder(arvae: Run, work: Path, tunes: list[str]) -> None:
    for words in ((), ("-o", "a.mid"), ("-o", "{stem}.{n}.mid")):
        done = arvae(*EDIT, *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert "need a folder for the output; give -o a folder/" in done.stderr
    (work / "list.txt").write_text("tunes/a/t00.mid\ntunes/a/t00.mid\n")
    done = arvae(*EDIT, "-o", "out/")
    assert done.returncode == 2
    assert "would both be written to" in done.stderr


def test_a_table_that_exists_is_not_lost(arvae: Run, work: Path, tunes: list[str]) -> None:
    assert arvae(*EDIT, "-o", "out.parquet").returncode == 1
    before = files_in(work / "out.parquet")
    own = ("edit", "out.parquet", "--range", "+2st", "-o", "out.parquet", "--overwrite")
    for words in (own, ("edit", "out.parquet/part-00000.parquet", *own[2:]), ("vary", *own[1:])):
        done = arvae(*words)
        assert done.returncode == 2
        assert "out.parquet is an input of the batch, too" in done.stderr.replace(":", "")
    done = arvae(*EDIT, "-o", "out.parquet", "--skip-existing")
    assert done.returncode == 2
    assert "a table has no outputs to skip; give --resume" in done.stderr
    assert files_in(work / "out.parquet") == before


@pytest.mark.parametrize(
    ("words", "name"), [(EDIT, "density+1notes"), (("vary", *EDIT[1:], "-n", "1"), "density+1notes.01")]
)
@pytest.mark.parametrize("link", [False, True])
def test_no_output_replaces_another_input(
    arvae: Run, work: Path, tunes: list[str], words: tuple[str, ...], name: str, link: bool
) -> None:
    """Neither by its name, nor as the file that a link in the list stands for."""
    other, listed = work / "out" / "tunes" / "a" / f"t00.{name}.mid", work / "link.mid"
    write_melody(other, (60, 62, 64, 65))
    if link:
        listed.symlink_to(other)
    before = other.read_bytes()
    (work / "list.txt").write_text(f"tunes/a/t00.mid\ntunes/b/t01.mid\n{listed if link else other}\n")
    done = arvae(*words, "-o", "out/", "--overwrite")
    assert done.returncode == 2
    assert "an input too; write it elsewhere with -o" in done.stderr
    assert other.read_bytes() == before


def start(home: dict[str, str], work: Path, model: Path, *words: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "arvae_music.cli", *map(str, words), "--model", str(model)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=home, cwd=work, stdout=pipe, stderr=pipe, start_new_session=True)


def recorded(folder: Path) -> int:
    """The size of the journal."""
    return sum(path.stat().st_size for path in (folder / ".arvae" / "parts").glob("*"))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("output", ["out/", "out.parquet"])
def test_a_batch_that_is_ended_at_any_moment_is_continued(
    arvae: Run, home: dict[str, str], work: Path, tunes: list[str], tiny_model_path: Path, kind: int, output: str
) -> None:
    """Nothing is half-written, no process stays, and the continued batch is the same as one that nobody ended."""
    assert arvae(*EDIT, "-o", f"whole{output[3:]}").returncode == 1
    expected = visible(work / f"whole{output[3:]}")
    chance = random.Random(f"{kind}{output}")
    for _ in range(2):
        folder, deadline = work / output, time.monotonic() + 60
        before = recorded(folder)
        with start(home, work, tiny_model_path, *EDIT, "-o", output, "--resume", "-j", 2) as process:
            while process.poll() is None and recorded(folder) == before and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(chance.uniform(0, 0.3))
            process.send_signal(kind)
            _, said = process.communicate(timeout=60)
        # The program may be done, or be ending: then the signal ends the interpreter itself.
        assert process.returncode in (1, -kind, {signal.SIGINT: 130, signal.SIGTERM: 143}.get(signal.Signals(kind)))
        assert b"Traceback" not in said
        assert ended(process.pid)
        for name, data in visible(folder).items():
            if name.endswith(".mid"):
                assert data == expected[name]
    done = arvae(*EDIT, "-o", output, "--resume")
    assert done.returncode == 1, done.stderr
    assert visible(work / output) == expected
    assert not list((work / output).rglob("*.part"))


def test_a_batch_without_resume_is_not_mixed_with_a_killed_one(
    arvae: Run, home: dict[str, str], work: Path, tunes: list[str], tiny_model_path: Path
) -> None:
    with start(home, work, tiny_model_path, "edit", "tunes", "-r", "--density", "+1notes", "-o", "out/") as process:
        deadline = time.monotonic() + 60
        while not list((work / "out").rglob("*.mid")) and time.monotonic() < deadline:
            time.sleep(0.02)
        busy = arvae("edit", "tunes", "-r", "--density", "+1notes", "-o", "out/", "--overwrite")
        process.kill()
        process.communicate(timeout=60)
    if process.returncode != 1:
        assert busy.returncode == 2
        assert "another run is writing there" in busy.stderr
    done = arvae("edit", "tunes", "-r", "--density", "+1notes", "-o", "out/", "--resume")
    assert done.returncode == 1
    names = [name for name in visible(work / "out") if name.endswith(".mid")]
    assert len(names) == len(json.loads((work / "out" / "manifest.json").read_text())["files"]) == FILES - 1
    for name in names:
        Song.read(work / "out" / name)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only_is_one_error(arvae: Run, work: Path, tunes: list[str]) -> None:
    (work / "out").mkdir(mode=0o555)
    done = arvae(*EDIT, "-o", "out/")
    assert done.returncode == 2
    assert done.stderr.count("cannot write there") == 1
