"""A build of a corpus that is killed is continued, and gives the same file."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import write_melody

from arvae_music.corpora import build, folder, spool, store
from arvae_music.corpora.corpus import Extracted, Work
from arvae_music.errors import CorpusError


@pytest.fixture
def tunes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARVAE_CACHE", str(tmp_path / "cache"))
    for i in range(40):
        write_melody(tmp_path / "tunes" / f"t{i:02}.mid", tuple(60 + (5 * k + i * i) % 13 for k in range(32)))
    (tmp_path / "tunes" / "t07.mid").write_bytes(b"no MIDI")
    return tmp_path / "tunes"


def built(tunes: Path, stop: int | None = None, **options: bool) -> bytes:
    """The file of the corpus; a build with `stop` is abandoned after so many reports."""
    corpus = folder.corpus(tunes)
    for n, _ in enumerate(build.build(corpus, jobs=1, rebuild=True, **options)):
        if n == stop:
            return b""
    return store.path_of(corpus.name).read_bytes()


def test_a_build_goes_on_where_it_was(tunes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = built(tunes)
    file = store.path_of("tunes").with_suffix(".spool")
    done: list[list[str]] = []
    usual = build.extract_batch

    def extract_batch(extract: build.Extract, works: list[Work]) -> list[Extracted]:
        done.append([work.id for work in works])
        return usual(extract, works)

    monkeypatch.setattr(build, "extract_batch", extract_batch)
    built(tunes, 2, resume=True)
    size = file.stat().st_size
    with file.open("r+b") as cut:
        cut.truncate(size - 5)  # of the second record
    assert built(tunes, resume=True) == whole
    assert [len(works) for works in done] == [8] * 6
    assert done[1] == done[2]
    assert not file.exists()
    assert sorted(path.name for path in store.cache_folder().iterdir()) == ["tunes.parquet"]


def test_a_spool_of_other_files_is_not_used(tunes: Path) -> None:
    built(tunes, 2, resume=True)
    write_melody(tunes / "t00.mid", (60, 62, 64, 65) * 8)
    continued = built(tunes, resume=True)
    assert continued == built(tunes)


@pytest.mark.parametrize("resume", [False, True])
def test_one_build_at_a_time(tunes: Path, resume: bool) -> None:
    one = build.build(folder.corpus(tunes), jobs=1, resume=resume)
    next(one)
    next(one)
    for other in (False, True):
        with pytest.raises(CorpusError, match="another run is writing there"):
            built(tunes, resume=other)
    one.close()
    assert len(built(tunes, resume=True)) > 0


@pytest.mark.parametrize("resume", [False, True])
def test_temporary_files_of_killed_builds_are_removed(tunes: Path, resume: bool) -> None:
    killed, other = ".tunes.parquet.a1b2c3d4.part", ".more.parquet.a1b2c3d4.part"
    store.cache_folder().mkdir(parents=True)
    for name in (killed, other):
        (store.cache_folder() / name).write_bytes(b"half")
    built(tunes, resume=resume)
    assert sorted(path.name for path in store.cache_folder().iterdir()) == [other, "tunes.parquet"]


def test_records_are_read_back_in_order(tmp_path: Path) -> None:
    works = [Work(tmp_path / "a", "a"), Work(tmp_path / "b", "b")]
    batches = [[Extracted(rejected=str(i))] for i in range(3)]
    first = spool.Spool(tmp_path / "x.spool", works)
    assert list(first.read()) == []
    assert list(first.adding(iter(batches[:2]))) == batches[:2]
    second = spool.Spool(tmp_path / "x.spool", works)
    assert list(second.read()) == batches[:2]
    assert list(second.adding(iter(batches[2:]))) == batches[2:]
    assert list(spool.Spool(tmp_path / "x.spool", works).read()) == batches
    assert list(spool.Spool(tmp_path / "x.spool", works[:1]).read()) == []
