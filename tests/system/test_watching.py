"""Watched folders: which files are found, and when."""

from __future__ import annotations

from pathlib import Path

import pytest

from arvae_music.errors import OutputError
from arvae_music.system.outputs import Request
from arvae_music.system.watching import PATIENCE, SETTLED, Watch


def watch(work: Path, **options: object) -> Watch:
    (work / "in").mkdir(exist_ok=True)
    return Watch([work / "in"], **options)


def settled(found: Watch, now: float = 0.0) -> list[Path]:
    """The files that are found when nothing changes for a while."""
    assert found.poll(now) == []
    return found.poll(now + 2 * SETTLED)


@pytest.mark.parametrize("output", ["out/", "in/out/", "in/", "", "./", "../"])
def test_a_new_file_is_found_wherever_the_results_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    found = watch(work, output=output or f"{work}/")
    song = work / "in" / "song.mid"
    song.write_bytes(b"song")
    assert settled(found) == [song]
    assert settled(found, 10) == []
    song.write_bytes(b"another song")
    assert settled(found, 20) == [song]


def test_results_are_not_found(tmp_path: Path) -> None:
    (tmp_path / "in" / "out").mkdir(parents=True)
    found = watch(tmp_path, output=f"{tmp_path}/in/out/", recursive=True)
    (tmp_path / "in" / "out" / "earlier.mid").write_bytes(b"of an earlier run")
    (tmp_path / "in" / "below").mkdir()
    below = tmp_path / "in" / "below" / "song.mid"
    below.write_bytes(b"song")
    assert settled(found) == [below]

    beside = watch(tmp_path)
    plan = beside.plan(Request(tmp_path / "in" / "song.mid", "density+1"))
    Path(plan.place).write_bytes(b"result")
    beside.wrote(plan)
    assert settled(beside) == []


def test_a_file_is_found_when_it_is_whole_or_does_not_change_any_more(tmp_path: Path) -> None:
    found = watch(tmp_path, whole=lambda data: data.endswith(b"end"))
    song = tmp_path / "in" / "song.mid"
    song.write_bytes(b"begin")
    assert settled(found) == []
    song.write_bytes(b"begin and end")
    assert settled(found, 5) == [song]
    song.write_bytes(b"damaged")
    assert settled(found, 10) == []
    assert found.poll(10 + PATIENCE) == [song]


def test_a_file_that_comes_back_is_new(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    song = tmp_path / "in" / "song.mid"
    song.write_bytes(b"song")
    found = watch(tmp_path)
    assert len(found) == 1
    assert settled(found) == []
    away = song.rename(tmp_path / "song.mid")
    assert found.poll(10) == []
    away.rename(song)  # with its old time
    assert settled(found, 20) == [song]


def test_a_file_of_another_is_not_replaced(tmp_path: Path) -> None:
    found = watch(tmp_path)
    request = Request(tmp_path / "in" / "song.mid", "density+1")
    plan = found.plan(request)
    Path(plan.place).write_bytes(b"result")
    with pytest.raises(OutputError, match="exists already"):
        found.plan(request)
    found.wrote(plan)
    assert found.plan(request) == plan
    Path(plan.place).write_bytes(b"changed by hand")
    with pytest.raises(OutputError, match="exists already"):
        found.plan(request)
