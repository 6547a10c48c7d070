"""Inputs of large batches: lists, tables and stores, read one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arvae_music.batch.listing import listing
from arvae_music.errors import InputError, UsageError


def tree(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def table(path: Path, /, **columns: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return path


def found(*arguments: object, **options: bool) -> list[tuple[int, str, str, bytes | None]]:
    entries = listing([str(one) for one in arguments], **options)
    seen = [(entry.n, str(entry.place), entry.below.as_posix(), entry.data) for entry in entries]
    assert len(entries) == len(seen)
    assert [(entry.n, str(entry.place)) for entry in entries.names()] == [row[:2] for row in seen]
    return seen


def test_a_list_is_relative_to_itself_and_keeps_the_folders_below_the_one_that_is_shared(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("# mine\n\nx/a/one.mid\n  x/b/c/two.mid \n", "utf-8")
    x = tmp_path / "x"
    assert found(tmp_path / "list.txt") == [
        (1, f"{x}/a/one.mid", "a", None), (2, f"{x}/b/c/two.mid", "b/c", None)
    ]  # fmt: skip
    (tmp_path / "whole.txt").write_text(f"{x}/a/one.mid\n{x}/a/two.mid\ns3://y/a/three.mid\n", "utf-8")
    assert [row[1] for row in found(tmp_path / "whole.txt")][2] == "s3://y/a/three.mid"


def test_a_table_has_bytes_or_paths(tmp_path: Path) -> None:
    data = table(tmp_path / "d.parquet", md5=["k1", "k2", None], extra=[1, 2, 3], midi=[b"a", b"b", None])
    assert found(data) == [(1, "k1", ".", b"a"), (2, "k2", ".", b"b"), (3, "d-00000002", ".", b"")]
    assert [row[1] for row in found(table(tmp_path / "e.parquet", midi=[b"a"]))] == ["e-00000000"]
    names = table(tmp_path / "n.parquet", path=["q/a.mid", "q/r/b.mid"])
    assert found(names) == [(1, f"{tmp_path}/q/a.mid", ".", None), (2, f"{tmp_path}/q/r/b.mid", "r", None)]


def test_a_folder_of_tables_is_one_table(tmp_path: Path) -> None:
    for i in (1, 0):
        table(tmp_path / "d.parquet" / f"part-{i}.parquet", file=[f"u/{i}.mid"], data=[str(i).encode()])
    (tmp_path / "d.parquet" / "_failed.txt").write_text("x")
    assert [row[1:] for row in found(tmp_path / "d.parquet")] == [("u/0.mid", ".", b"0"), ("u/1.mid", ".", b"1")]


def test_ordinary_files_and_tables_count_on(tmp_path: Path) -> None:
    tree(tmp_path, "in/b.mid", "in/s/a.mid")
    data = table(tmp_path / "d.parquet", name=["c.mid"], x=[b"c"])
    rows = found(tmp_path / "in", data, recursive=True)
    assert [(n, Path(name).name, below) for n, name, below, _ in rows] == [
        (1, "b.mid", "."), (2, "a.mid", "s"), (3, "c.mid", ".")
    ]  # fmt: skip


def test_a_store_has_files_folders_globs_and_lists() -> None:
    system = fsspec.filesystem("memory")
    for name in ("/lst/a.mid", "/lst/s/b.abc", "/lst/.hidden.mid", "/lst/c.doc"):
        system.pipe_file(name, b"x")
    system.pipe_file("/lst/l.txt", b"a.mid\ns/b.abc\n")
    assert [row[1:3] for row in found("memory://lst/a.mid")] == [("memory://lst/a.mid", ".")]
    assert [row[1:3] for row in found("memory://lst/", recursive=True)] == [
        ("memory://lst/a.mid", "."), ("memory://lst/s/b.abc", "s")
    ]  # fmt: skip
    assert [row[1] for row in found("memory://lst/*.mid")][-1].endswith("lst/a.mid")
    assert [row[1:3] for row in found("memory://lst/l.txt")] == [
        ("memory://lst/a.mid", "."), ("memory://lst/s/b.abc", "s")
    ]  # fmt: skip
    for wrong in ("memory://lst/no.mid", "memory://lst/*.krn", "nostore://x/a.mid"):
        with pytest.raises(UsageError):
            listing([wrong])
    with pytest.raises(UsageError, match="is a folder"):
        listing(["memory://lst"])


def test_what_is_no_list_and_no_table_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"not a table")
    with pytest.raises(InputError, match=r"a\.parquet: is not a readable Parquet file"):
        listing([str(tmp_path / "a.parquet")])
    with pytest.raises(InputError, match="has the columns q; give it a column of bytes"):
        listing([str(table(tmp_path / "b.parquet", q=[1]))])
    (tmp_path / "l.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="is not a readable list"):
        listing([str(tmp_path / "l.txt")])
    with pytest.raises(UsageError, match="no such file"):
        listing([str(tmp_path / "missing.txt")])


@pytest.mark.parametrize(("url", "asked"), [("a.mid", "isdir"), ("*.mid", "glob"), ("", "find"), ("a.mid", "exists")])
def test_a_store_that_does_not_answer_is_one_error(monkeypatch: pytest.MonkeyPatch, url: str, asked: str) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "access denied")

    memory = fsspec.filesystem("memory")
    memory.pipe_file("/refused/b.mid", b"")
    monkeypatch.setattr(type(memory), asked, refuse)
    with pytest.raises(InputError, match=r"cannot be reached \(access denied\)"):
        listing([f"memory://refused/{url}"], recursive=True)
