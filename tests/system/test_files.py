"""Files appear whole or not at all, and never over the user's data."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from arvae_music.errors import OutputError, StorageError
from arvae_music.system.files import write_whole


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.name.endswith(".part"))


def test_a_new_file_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "out.mid"
    write_whole(path, b"\x00MThd")
    assert path.read_bytes() == b"\x00MThd"
    assert [p.name for p in path.parent.iterdir()] == ["out.mid"]


def test_an_empty_file(tmp_path: Path) -> None:
    write_whole(tmp_path / "out.mid", b"")
    assert (tmp_path / "out.mid").read_bytes() == b""


def test_a_name_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_whole(Path("out.mid"), b"new")
    assert (tmp_path / "out.mid").read_bytes() == b"new"


def test_an_existing_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "out.mid"
    path.write_bytes(b"precious")
    with pytest.raises(
        OutputError, match=r"out\.mid: exists already; give overwrite=True, or another name"
    ) as caught:
        write_whole(path, b"new")
    assert caught.value.exit_code == 2
    assert path.read_bytes() == b"precious"
    assert leftovers(tmp_path) == []


def test_overwrite_on_request(tmp_path: Path) -> None:
    path = tmp_path / "out.mid"
    path.write_bytes(b"old and longer")
    write_whole(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_name_appears_only_with_the_whole_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    path = tmp_path / "out.mid"
    seen = []

    def watch(temporary: Path) -> None:
        seen.append((path.exists(), temporary.read_bytes(), temporary.parent))

    link, replace = os.link, Path.replace

    def watched_link(source: Path, target: Path) -> None:
        watch(source)
        link(source, target)

    def watched_replace(source: Path, target: Path) -> None:
        watch(source)
        replace(source, target)

    monkeypatch.setattr(os, "link", watched_link)
    monkeypatch.setattr(Path, "replace", watched_replace)
    write_whole(path, b"x" * 100_000, overwrite=overwrite)
    assert seen == [(False, b"x" * 100_000, tmp_path)]


@pytest.mark.parametrize("stop", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("place", ["chmod", "replace"])
def test_an_interrupted_overwrite_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: BaseException, place: str
) -> None:
    path = tmp_path / "out.mid"
    path.write_bytes(b"precious")

    def fail(*args: object) -> None:
        raise stop

    monkeypatch.setattr(Path, place, fail)
    expected = OutputError if isinstance(stop, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        write_whole(path, b"new", overwrite=True)
    if isinstance(caught.value, OutputError):
        assert "No space left on device" in caught.value.message
        assert caught.value.remedy == "name another place with path=..."
    assert path.read_bytes() == b"precious"
    assert [p.name for p in tmp_path.iterdir()] == ["out.mid"]


@pytest.mark.parametrize("below", ["out.mid", "deeper/out.mid"])
def test_a_folder_that_is_a_file(tmp_path: Path, below: str) -> None:
    (tmp_path / "tune.mid").write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"cannot write there \((.* is a file|Not a directory)\); name another"):
        write_whole(tmp_path / "tune.mid" / below, b"new", overwrite=True)
    assert (tmp_path / "tune.mid").read_bytes() == b"precious"
    assert [p.name for p in tmp_path.iterdir()] == ["tune.mid"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_name_that_is_a_folder(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputError, match="cannot write there" if overwrite else "exists already"):
        write_whole(tmp_path / "out", b"new", overwrite=overwrite)
    assert leftovers(tmp_path) == []


def test_the_longest_name_that_a_file_system_takes(tmp_path: Path) -> None:
    write_whole(tmp_path / ("é" * 125 + ".mid"), b"new")
    with pytest.raises(OutputError, match="cannot write there"):
        write_whole(tmp_path / ("x" * 300), b"new")
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("taken", [False, True])
def test_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: bool) -> None:
    def refuse(*args: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "out.mid"
    if taken:
        path.write_bytes(b"precious")
        with pytest.raises(OutputError, match="exists already"):
            write_whole(path, b"new")
    else:
        write_whole(path, b"new")
    assert path.read_bytes() == (b"precious" if taken else b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["out.mid"]


def test_one_of_many_writers_wins(tmp_path: Path) -> None:
    path = tmp_path / "out.mid"

    def write(number: int) -> int | None:
        try:
            write_whole(path, bytes([number]) * 10_000)
        except OutputError:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        winners = [number for number in pool.map(write, range(16)) if number is not None]
    assert len(winners) == 1
    assert path.read_bytes() == bytes(winners) * 10_000
    assert leftovers(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_the_mode_is_the_umask_s_and_not_the_temporary_file_s(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "out.mid", b"new")
        assert os.umask(0o027) == 0o027  # reading it did not change it
    finally:
        os.umask(before)
    assert (tmp_path / "out.mid").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, StorageError), (errno.EACCES, OutputError)])
def test_a_disk_that_is_full_is_told_from_a_file_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type
) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError) as caught:
        write_whole(tmp_path / "a.mid", b"data")
    assert type(caught.value) is kind
    assert list(tmp_path.iterdir()) == []
