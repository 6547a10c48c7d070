"""`arvae corpus`: build once, show what is in it, and leave nothing half done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from process_groups import ended

from arvae_music.cli.main import COMMANDS, main
from arvae_music.cli.shared import common

TUNE = "X:{n}\nT:Tune {n}\nM:2/4\nL:1/8\nK:C\n{notes}|\n\n"
NOTES = "CDEFGABc"


def write_tunes(path: Path, count: int) -> None:
    """`count` tunes of four measures each, no two the same."""
    tunes = []
    for n in range(count):
        letters = [NOTES[n // 8**i % 8] for i in range(4)]
        tunes.append(TUNE.format(n=n + 1, notes="|".join(f"{a}2 {a}{b}" for a, b in zip(letters, NOTES, strict=False))))
    path.write_text("".join(tunes))


@pytest.fixture
def tunes(work: Path) -> Path:
    folder = work / "tunes"
    folder.mkdir()
    write_tunes(folder / "forty.abc", 40)
    (folder / "broken.mid").write_bytes(b"no MIDI")
    return folder


@pytest.fixture
def cache(work: Path) -> Path:
    return work.parent / "arvae cache"


@pytest.fixture
def run(monkeypatch, capsys, work, cache):
    """`arvae` in this process, in `work`: exit code, stdout and stderr."""
    monkeypatch.chdir(work)
    monkeypatch.setenv("ARVAE_CACHE", str(cache))

    def call(*words: object) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(common.state, "quiet", False)
        code = main([str(word) for word in words])
        return subprocess.CompletedProcess(words, code, *capsys.readouterr())

    return call


def test_the_command_is_in_the_table():
    assert COMMANDS["corpus"].target == ".corpus:corpus_app"


def test_build_once_then_info(run, tunes, cache):
    done = run("corpus", "build", tunes, "-j", 1)
    assert done.returncode == 0, done.stderr
    assert "tunes: 160 measures of 40 tunes" in done.stderr
    assert "broken.mid" in done.stderr
    assert "\x1b" not in done.stderr  # no bar off a terminal
    assert done.stdout == ""
    (path,) = cache.rglob("*.parquet")
    written = path.stat().st_mtime_ns

    again = run("corpus", "build", tunes)
    assert again.returncode == 0
    assert "is built already" in again.stderr
    assert path.stat().st_mtime_ns == written
    assert run("corpus", "build", tunes, "--rebuild", "-j", 1, "--quiet").stderr == ""
    assert path.stat().st_mtime_ns > written

    text = run("corpus", "info", "tunes").stdout
    for part in ("160 measures of 40 tunes", "2/4 160", "density", "correlation", "licence", "also occur in train"):
        assert part in text
    facts = json.loads(run("corpus", "info", "tunes", "--json", "-a", "steps").stdout)
    assert facts["description"]["meters"] == {"2/4": 160}
    assert [a["name"] for a in facts["description"]["attributes"]] == ["steps"]
    assert sum(part["tunes"] for part in facts["description"]["split"].values()) == 40
    assert facts["facts"][0]["tunes"] == 40


def test_list_names_what_can_be_built_and_what_is(run, tunes):
    run("corpus", "build", tunes, "--name", "mine", "-j", 1)
    text = run("corpus", "list").stdout
    names = ["bach", "folk", "essen", "misc", "mine", "sprites", "mnist"]
    assert [line.split()[0] for line in text.splitlines()[1:]] == names
    listed = {entry["name"]: entry for entry in json.loads(run("corpus", "list", "--json").stdout)}
    assert listed["bach"]["built"] is False
    assert listed["mine"]["facts"]["measures"] == 160


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("info", "bach"), "run: arvae corpus build bach"),
        (("info", "bahc"), "did you mean bach?"),
        (("build", "nowhere"), "no corpus or folder is called 'nowhere'"),
        (("build", "tunes", "--name", "a/b"), "is not a valid name for a corpus"),
        (("build", "tunes", "--name", "folk"), "give another --name"),
        (("build", "tunes", "-j", "0"), "-j"),
    ],
)
def test_what_cannot_be_done_is_exit_2(run, tunes, cache, words, message):
    done = run("corpus", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(cache.rglob("*.parquet"))


def test_an_attribute_that_does_not_exist(run, tunes):
    run("corpus", "build", tunes, "-j", 1, "-q")
    done = run("corpus", "info", "tunes", "-a", "densty")
    assert done.returncode == 2
    assert "did you mean density?" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("processes", "after"),  # seconds: while the workers' server starts, while they start, and when they are at work
    [(2, 0.0), (4, 0.0), (4, 0.3), (4, 1.0)],
)
def test_ctrl_c_ends_the_workers_and_leaves_nothing(home, work, cache, processes, after):
    """SIGINT goes to the whole process group, as from a terminal."""
    folder = work / "many"
    folder.mkdir()
    write_tunes(folder / "many.abc", 3000)
    process = subprocess.Popen(
        [sys.executable, "-m", "arvae_music.cli", "corpus", "build", str(folder), "-j", "2"],
        env={**home, "ARVAE_CACHE": str(cache)},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    wait_for_descendants(process.pid, processes)  # resource tracker, server, and its two workers
    time.sleep(after)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert b"Traceback" not in errors
    assert not [path for path in cache.rglob("*") if path.is_file()]
    assert ended(process.pid)  # workers and all


def wait_for_descendants(pid: int, count: int) -> None:
    """Until a process, its children and theirs have so many; where /proc does not tell, a while."""
    if not Path(f"/proc/{pid}/task/{pid}/children").exists():
        time.sleep(3)
        return
    deadline = time.monotonic() + 60
    while len(descendants(pid)) < count:
        assert time.monotonic() < deadline, "no workers were started"
        time.sleep(0.02)


def descendants(pid: int) -> list[int]:
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:  # it has ended
        return []
    return children + [below for child in children for below in descendants(child)]
