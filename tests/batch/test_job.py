"""The memory of a batch: killed and continued at any moment, it does each input once."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pytest

from arvae_music.batch.job import Job, Settings
from arvae_music.batch.journal import FOLDER, MOST_INPUTS, Journal, Line, Share
from arvae_music.batch.target import Target, expect_target
from arvae_music.errors import OutputError, StorageError, UsageError


@dataclass(frozen=True)
class One:
    n: int


class Killed(BaseException):
    pass


ITEMS = [One(n) for n in range(1, 601)]
SPEC = {"request": "density+1"}


def run(
    root: Path | str,
    *,
    stop: int | None = None,
    spec: dict[str, Any] = SPEC,
    table: bool = False,
    fails: int = 7,
    **settings: Any,
) -> tuple[Job, list[int]]:
    """A batch that is killed at input `stop`, and the numbers of the inputs that it did. One input fails."""
    write: Callable[..., None] | None = None
    if table:

        def write(place: Path, lines: Any) -> None:
            place.write_bytes(b"".join(content for line in lines for content in line.contents))

    job = Job(Target(root, table), len(ITEMS), spec, Settings(**settings), write)
    did = []
    try:
        with job.running():
            for item in job.pending(ITEMS):
                if item.n == stop:
                    raise Killed
                problem = "no notes" if item.n == fails else None
                content = [f"<{item.n}>".encode()] if table and problem is None else []
                rows = [{"file": item.n}] if problem is None else []
                job.record(Line(item.n, f"{item.n}.mid", rows, content, problem))
                did.append(item.n)
    except Killed:
        pass
    return job, did


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("remote", [False, True])
def test_a_killed_batch_goes_on_where_it_was(tmp_path: Path, table: bool, remote: bool) -> None:
    if table and remote:
        return  # the part's writer above writes paths
    root: Path | str = f"memory://{tmp_path.name}-{table}" if remote else tmp_path / "out"
    _, first = run(root, stop=3, table=table)
    _, second = run(root, stop=597, table=table, resume=True)
    job, third = run(root, table=table, resume=True)
    assert first + second + third == [one.n for one in ITEMS]
    assert (job.resumed, job.failed) == (596, 1)
    rows: list[int] = []
    assert job.finish(lambda lines: rows.extend(row["file"] for row in lines()), keep=True)
    if table:
        data = b"".join(path.read_bytes() for path in sorted(Path(root).glob("part-*")))
        assert data == b"".join(f"<{one.n}>".encode() for one in ITEMS if one.n != 7)
    else:
        assert rows == [one.n for one in ITEMS if one.n != 7]
    job, fourth = run(root, table=table, resume=True)
    assert fourth == []
    assert (job.finished, job.resumed, job.failed) == (True, 600, 1)
    failed = fsspec.filesystem("memory").cat_file(job.target.failed) if remote else Path(job.target.failed).read_bytes()
    assert failed == b"# no notes\n7.mid\n"


@pytest.mark.parametrize("killed", [False, True])
def test_the_list_of_failures_is_that_of_the_last_batch(tmp_path: Path, killed: bool) -> None:
    other = {"request": "range+1"}
    job, _ = run(tmp_path)
    assert job.finish(keep=True)
    assert (tmp_path / "failed.txt").read_bytes() == b"# no notes\n7.mid\n"
    if killed:
        run(tmp_path, spec=other, fails=0, restart=True, stop=3)
    job, _ = run(tmp_path, spec=other, fails=0, restart=not killed, resume=killed)
    assert job.finish(keep=True)
    assert not (tmp_path / "failed.txt").exists()
    (tmp_path / "failed.txt").write_text("mine")
    job, _ = run(tmp_path, fails=0, restart=True)
    assert job.finish(keep=True)
    assert (tmp_path / "failed.txt").read_text() == "mine"


def test_a_line_that_is_cut_is_done_again(tmp_path: Path) -> None:
    run(tmp_path, stop=3)
    part = tmp_path / FOLDER / "parts" / "00000.jsonl"
    whole = part.read_bytes()
    for cut in range(len(whole) - 1, len(whole) - 20, -1):
        part.write_bytes(whole[:cut])
        _, did = run(tmp_path, stop=5, resume=True)
        assert did == [2, 3, 4]
        assert [json.loads(line)["n"] for line in part.read_bytes().splitlines()] == [1, 2, 3]
        (tmp_path / FOLDER / "parts" / "00001.jsonl").unlink()


def test_a_part_without_its_file_gets_it(tmp_path: Path) -> None:
    run(tmp_path, table=True)
    file = tmp_path / "part-00001.parquet"
    journal = Journal(tmp_path, len(ITEMS), MOST_INPUTS)
    lines = [Line(n, f"{n}.mid", [{}], [f"<{n}>".encode()]) for n in journal.numbers(1)]
    data = file.read_bytes()
    file.unlink()
    (tmp_path / FOLDER / "parts" / "00001.jsonl").write_bytes(b"".join(line.to_json() for line in lines))
    assert run(tmp_path, table=True, resume=True)[1] == []
    assert file.read_bytes() == data


def test_shares_are_disjoint_and_the_last_one_ends_the_batch(tmp_path: Path) -> None:
    ended, done, rows = [], set[int](), list[int]()
    for number in (2, 3, 1):
        job, did = run(tmp_path, share=Share(number, 3))
        assert job.total == len(did)
        assert not done & set(did)
        done |= set(did)
        ended.append(job.finish(lambda lines: rows.extend(row["file"] for row in lines()), keep=True))
    assert ended == [False, False, True]
    assert done == {one.n for one in ITEMS}
    assert rows == [one.n for one in ITEMS if one.n != 7]
    assert run(tmp_path, share=Share(2, 3))[1] == []


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "a/b", "1/0", "-1/2", "1/2/3"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a share"):
        Share.parse(text)


def test_another_batch_is_not_mixed_in(tmp_path: Path) -> None:
    run(tmp_path, stop=3)
    with pytest.raises(OutputError, match="is not finished; give resume"):
        run(tmp_path)
    for settings in ({}, {"resume": True}):
        with pytest.raises(OutputError, match="another batch that is not finished; these differ: request"):
            run(tmp_path, spec={"request": "range+1"}, **settings)
    assert len(run(tmp_path, spec={"request": "range+1"}, restart=True)[1]) == len(ITEMS)


def test_files_that_are_there_stay(tmp_path: Path) -> None:
    (tmp_path / "mine.mid").write_bytes(b"mine")
    with pytest.raises(OutputError, match="holds files already"):
        run(tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and path.name != "lock"] == ["mine.mid"]


def test_one_run_at_a_time(tmp_path: Path) -> None:
    job = Job(Target(tmp_path, False), len(ITEMS), SPEC, Settings())
    with job.running():
        for settings in ({}, {"resume": True}, {"restart": True}, {"share": Share(1, 2)}):
            with pytest.raises(OutputError, match="another run is writing there"):
                run(tmp_path, **settings)
    assert len(run(tmp_path, resume=True)[1]) == len(ITEMS)


def test_temporary_files_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    run(tmp_path, stop=3)
    (tmp_path / "sub").mkdir()
    for name in (".a.mid.x1y2z3_4.part", "sub/.b.mid.abcdefgh.part"):
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / ".mine.part").write_bytes(b"mine")
    run(tmp_path, stop=5, resume=True)
    assert sorted(path.name for path in tmp_path.rglob("*.part")) == [".mine.part"]


def test_the_target_of_an_output(tmp_path: Path) -> None:
    assert Target.of("x.parquet/") == Target.of("x.parquet") == Target(Path("x.parquet"), True)
    assert Target.of("memory://a/b/") == Target("memory://a/b", False)
    assert Target.of("s3://a/b.parquet") == Target("s3://a/b.parquet", True)
    assert Target.of(f"{tmp_path}") == Target.of(f"{tmp_path}/") == Target(tmp_path, False)
    for output in (None, "-", "a.mid", "{stem}.mid"):
        assert Target.of(output) is None
    with pytest.raises(UsageError, match="need a folder"):
        expect_target(None, True)


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full")
def test_a_full_disk_ends_a_batch_which_can_be_continued(tmp_path: Path) -> None:
    job = Job(Target(tmp_path, False), len(ITEMS), SPEC, Settings())
    with job.running():
        job.record(Line(1, "1.mid"))
        assert job.journal._file is not None
        job.journal._file.close()
        job.journal._file = Path("/dev/full").open("ab", buffering=0)  # noqa: SIM115 -- the journal closes it
        with pytest.raises(StorageError, match="No space left"):
            job.record(Line(2, "2.mid"))
    assert run(tmp_path, resume=True)[1] == [one.n for one in ITEMS[1:]]


def test_lines_without_their_batch_are_forgotten(tmp_path: Path) -> None:
    run(tmp_path / "out", stop=300)
    (tmp_path / "out" / FOLDER / "job.json").unlink()
    assert run(tmp_path / "out", spec={"request": "range+1"}, resume=True)[1] == [one.n for one in ITEMS]


def test_only_the_files_of_a_table_are_replaced(tmp_path: Path) -> None:
    root = tmp_path / "out.parquet"
    run(root, table=True)
    (root / "notes.txt").write_text("mine")
    (root / "part-00009.parquet").write_bytes(b"of more inputs")
    assert run(root, table=True, restart=True)[1] == [one.n for one in ITEMS]
    names = sorted(path.name for path in root.glob("*"))
    assert names == [FOLDER, "notes.txt", "part-00000.parquet", "part-00001.parquet"]


def test_a_finished_table_gets_no_empty_part(tmp_path: Path) -> None:
    job, _ = run(tmp_path, table=True)
    assert job.finish(keep=True)
    (tmp_path / "part-00001.parquet").unlink()
    assert run(tmp_path, table=True, resume=True)[1] == []
    assert not (tmp_path / "part-00001.parquet").exists()


def test_a_part_in_a_store_is_written_once_when_it_is_complete(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    written: list[str] = []
    memory = fsspec.filesystem("memory")
    pipe = memory.pipe_file

    def counted(path: str, data: bytes, **options: Any) -> None:
        written.append(path.rpartition("/")[2])
        pipe(path, data, **options)

    monkeypatch.setattr(type(memory), "pipe_file", lambda self, *words, **options: counted(*words, **options))
    job, did = run(f"memory://{tmp_path.name}-once")
    assert len(did) == len(ITEMS)
    assert sorted(written) == sorted(["job.json", *(f"{part:05}.jsonl" for part in range(job.journal.parts))])
