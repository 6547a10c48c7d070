"""`--listen`, `--wav`, `-o x.wav` and `--watch`, as processes of their own."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Run, write_melody

from arvae_music.io.audio import wav

TUNE = (60, 64, 62, 67, 65, 69, 67, 72)


def seconds(path: Path) -> float:
    with wave.open(io.BytesIO(path.read_bytes())) as file:
        return file.getnframes() / file.getframerate()


# ------------------------------------------------------------------------- pages


def test_an_edit_has_a_page_and_its_sound(arvae: Run, work: Path, melody: Path) -> None:
    done = arvae("edit", melody.name, "--density", "+1notes", "-o", "out/x.mid", "--listen", "pages/x.html",
                 "--wav", "sound/x.wav")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "pages/x.html shows and plays the files" in done.stderr
    assert "wrote sound/x.wav" in done.stdout
    text = (work / "pages" / "x.html").read_text("utf-8")
    assert 'href="../out/x.mid"' in text
    assert "seed 0; model:" in text  # the report
    assert (work / "sound" / "x.wav").read_bytes() == wav((work / "out" / "x.mid").read_bytes())
    assert seconds(work / "sound" / "x.wav") == pytest.approx(5, abs=0.1)  # eight quarters and a second


def test_sound_alone_and_of_many_files(arvae: Run, work: Path, melody: Path) -> None:
    write_melody(work / "in" / "a.mid", TUNE)
    write_melody(work / "in" / "b.mid")
    assert arvae("edit", melody.name, "--density", "+1notes", "-o", "x.wav").returncode == 0
    assert seconds(work / "x.wav") == pytest.approx(5, abs=0.1)
    done = arvae("edit", "in", "-r", "--density", "+1notes", "-o", "out/", "--wav", "out/", "--listen", "all.html")
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (work / "out").glob("*.wav"))
    assert names == ["a.density+1notes.wav", "b.density+1notes.wav"]
    text = (work / "all.html").read_text("utf-8")
    assert text.count("<article") == 2
    assert 'href="out/a.density%2B1notes.mid"' in text
    assert (work / "out" / "manifest.json").exists()
    unequal = [(work / "out" / name).read_bytes() for name in names]
    assert unequal[0] != unequal[1]


def test_scores_and_stdout_have_pages_too(arvae: Run, work: Path, melody: Path) -> None:
    (work / "tune.abc").write_text("X:1\nT:Tune\nM:4/4\nL:1/4\nK:G\nG A B c|d c B A|G4|]\n")
    done = arvae("edit", "tune.abc", "--density", "+1notes", "-o", "out.abc", "--listen", "x.html", "--wav", "x.wav")
    assert done.returncode == 0, done.stderr
    assert (work / "x.html").read_text("utf-8").count("<article") == 1
    assert seconds(work / "x.wav") > 6
    done = arvae("edit", "-", "--density", "+1notes", "--listen", "y.html", stdin=melody.read_bytes())
    assert done.returncode == 0, done.stderr
    assert "<a href" not in (work / "y.html").read_text("utf-8")


def test_variations_and_steps_have_pages(arvae: Run, work: Path, melody: Path) -> None:
    write_melody(work / "b.mid", TUNE)
    assert arvae("vary", melody.name, "-n", "2", "-o", "v/", "--listen", "v.html").returncode == 0
    assert (work / "v.html").read_text("utf-8").count("<article") == 2
    assert 'href="v/melody.vary.01.mid"' in (work / "v.html").read_text("utf-8")
    assert "<svg" not in (work / "v" / "index.html").read_text("utf-8")
    done = arvae("interpolate", melody.name, "b.mid", "--steps", "4", "--one", "-o", "s.wav", "--listen", "s.html")
    assert done.returncode == 0, done.stderr
    text = (work / "s.html").read_text("utf-8")
    assert text.count("<article") == 4
    assert "not exact" not in text
    assert seconds(work / "s.wav") == pytest.approx(17, abs=0.2)
    grid = arvae("vary", melody.name, "--grid", "density=-1:1:2,contour=-1:1:3", "-o", "g/")
    assert grid.returncode == 0, grid.stderr
    assert 'style="--columns: 3"' in (work / "g" / "index.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--listen", "page.pdf"], "page.pdf: the page is an HTML file; name it page.html"),
        (["--listen", "there.html"], "there.html: exists already; give --overwrite, or another name for the page"),
        (["--listen", "folder"], "folder: the page is an HTML file"),
        (["--wav", "there.wav"], "there.wav: exists already; give --overwrite"),
        (["--wav", "x.mp3"], "x.mp3: the output has none of the suffixes .wav"),
        (["--wav", "-"], "--wav needs a file; name a .wav file; -o x.wav writes the sound alone"),
        (["--watch"], "melody.mid: is not a folder"),
        (["--watch", "--json"], "--watch and --json exclude each other"),
        (["--watch", "--listen", "x.html"], "--watch writes no pages"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(
    arvae: Run, work: Path, melody: Path, words: list[str], message: str
) -> None:
    (work / "folder").mkdir()
    for name in ("there.html", "there.wav"):
        (work / name).write_text("mine")
    done = arvae("edit", melody.name, "--density", "+1notes", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert sorted(path.name for path in work.iterdir()) == ["folder", "melody.mid", "there.html", "there.wav"]
    assert (work / "there.html").read_text() == "mine"


def test_one_sound_file_cannot_hold_two_edits(arvae: Run, work: Path, melody: Path) -> None:
    write_melody(work / "b.mid", TUNE)
    done = arvae("edit", melody.name, "b.mid", "--density", "+1notes", "-o", "out/", "--wav", "x.wav")
    assert done.returncode == 2
    assert "melody.mid and b.mid would both be written to x.wav" in done.stderr
    assert not (work / "out").exists()


def test_existing_pages_are_replaced_skipped_or_not_written(arvae: Run, work: Path, melody: Path) -> None:
    (work / "x.html").write_text("mine")
    words = ("edit", melody.name, "--density", "+1notes", "-o", "x.mid", "--listen", "x.html", "--wav", "x.wav")
    assert arvae(*words, "--skip-existing").returncode == 0
    assert (work / "x.html").read_text() == "mine"
    assert arvae(*words, "--overwrite").returncode == 0
    assert (work / "x.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    (work / "x.html").unlink()
    assert arvae(*words, "--overwrite", "--dry-run").returncode == 0
    assert not (work / "x.html").exists()


# ------------------------------------------------------------------------- watched folders


class Watcher:
    """`arvae edit --watch` in the background. Its output is in two files."""

    def __init__(self, words: list[object], work: Path, env: dict[str, str]) -> None:
        self.out, self.err = work.parent / "stdout", work.parent / "stderr"
        command = [sys.executable, "-m", "arvae_music.cli", "edit", *map(str, words)]
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(command, cwd=work, env=env, stdout=out, stderr=err)
        self.until(lambda: "Ctrl-C ends" in self.err.read_text())

    def until(self, condition: Callable[[], object], timeout: float = 60) -> None:
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, (self.out.read_text(), self.err.read_text())
            assert self.process.poll() is None, self.err.read_text()
            time.sleep(0.05)

    def lines(self) -> list[str]:
        return self.out.read_text().splitlines()

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=30)


@pytest.fixture
def watch(work: Path, home: dict[str, str], tiny_model_path: Path) -> Iterator[Callable[..., Watcher]]:
    started: list[Watcher] = []

    def start(*words: object) -> Watcher:
        more = ["--density", "+1notes", "--watch", "--model", tiny_model_path]
        started.append(Watcher([*words, *more], work, home))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def test_new_and_changed_files_are_edited_once_each(watch: Callable[..., Watcher], work: Path) -> None:
    write_melody(work / "in" / "old.mid")
    watcher = watch("in", "-o", "out/")
    assert "watching in (1 file there already, left alone until changed)" in watcher.err.read_text()
    write_melody(work / "in" / "new.mid", TUNE)
    (work / "in" / "notes.txt").write_text("no music")
    watcher.until(lambda: len(watcher.lines()) == 1)
    result = work / "out" / "new.density+1notes.mid"
    first = result.read_bytes()
    assert watcher.lines()[0].startswith("in/new.mid -> out/new.density+1notes.mid: density 4 to 5 notes; 2 of 2 meas")
    write_melody(work / "in" / "new.mid", (72, 60) * 4)  # the DAW exports it again
    watcher.until(lambda: len(watcher.lines()) == 2)
    assert result.read_bytes() != first
    time.sleep(1.5)
    assert len(watcher.lines()) == 2
    assert watcher.end() == 130
    assert "2 edited, 0 failed" in watcher.err.read_text()
    assert sorted(path.name for path in (work / "out").iterdir()) == [result.name]


def test_a_file_that_grows_is_edited_when_it_is_complete(watch: Callable[..., Watcher], work: Path) -> None:
    whole = write_melody(work / "whole.mid", TUNE).read_bytes()
    (work / "in").mkdir()
    watcher = watch("in", "-o", "out/")
    with (work / "in" / "slow.mid").open("wb") as file:
        for at in range(0, len(whole), 30):
            file.write(whole[at : at + 30])
            file.flush()
            time.sleep(0.9 if at == 60 else 0.1)  # longer than an unchanged file waits
    watcher.until(lambda: watcher.lines())
    assert "2 of 2 measures changed" in watcher.lines()[0]
    time.sleep(1)
    assert len(watcher.lines()) == 1


def test_bad_files_do_not_end_the_watch(watch: Callable[..., Watcher], work: Path) -> None:
    (work / "in").mkdir()
    watcher = watch("in", "-o", "out/")
    (work / "in" / "bad.abc").write_text("no music")
    watcher.until(lambda: "bad.abc" in watcher.err.read_text())
    (work / "in" / "bad.xml").write_bytes(b"\xff<score")
    write_melody(work / "in" / "good.mid", TUNE)
    watcher.until(lambda: watcher.lines())
    watcher.until(lambda: "bad.xml" in watcher.err.read_text())
    assert watcher.end() == 130
    assert "1 edited, 2 failed" in watcher.err.read_text()


def test_results_in_the_watched_folder_are_not_edited_again(watch: Callable[..., Watcher], work: Path) -> None:
    (work / "in").mkdir()
    watcher = watch("in")
    write_melody(work / "in" / "a.mid", TUNE)
    watcher.until(lambda: watcher.lines())
    time.sleep(2)
    assert len(watcher.lines()) == 1
    assert sorted(path.name for path in (work / "in").iterdir()) == ["a.density+1notes.mid", "a.mid"]


def test_files_of_the_user_are_not_replaced(watch: Callable[..., Watcher], work: Path) -> None:
    (work / "in").mkdir()
    (work / "out").mkdir()
    result = work / "out" / "a.density+1notes.mid"
    result.write_text("mine")
    watcher = watch("in", "-o", "out")
    write_melody(work / "in" / "a.mid", TUNE)
    watcher.until(lambda: "exists already, and is not the result of this file" in watcher.err.read_text())
    assert result.read_text() == "mine"
    result.unlink()
    os.utime(work / "in" / "a.mid", (1, 1))
    watcher.until(lambda: watcher.lines())
    result.write_text("changed by hand")
    write_melody(work / "in" / "a.mid", (72, 60) * 4)
    watcher.until(lambda: watcher.err.read_text().count("exists already") == 2)
    assert result.read_text() == "changed by hand"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere: no such folder; make it, or check the name"),
        (["in", "-o", "x.mid"], "x.mid: the results of a watched folder are many files; give a folder/ with -o"),
        (["in", "-o", "-"], "-: the results of a watched folder are many files"),
        (["in", "-o", "{name}.mid"], "output template has no field {name}"),
    ],
)
def test_a_watch_that_cannot_work_does_not_begin(arvae: Run, work: Path, words: list[str], message: str) -> None:
    (work / "in").mkdir()
    done = arvae("edit", *words, "--watch", "--density", "+1notes", timeout=30)
    assert done.returncode == 2
    assert message in done.stderr
