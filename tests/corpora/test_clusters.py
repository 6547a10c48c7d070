"""Clusters of nearly equal tunes, and what a split and a joined corpus make of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from arvae_music.corpora import build, clusters, registry, store
from arvae_music.corpora.corpus import Bar, Corpus, Extracted, Tune, Work
from arvae_music.music.attributes import find
from arvae_music.music.meter import Meter
from arvae_music.music.tokens import HOLD
from arvae_music.vae.examples import PARTS, part_of, split

FOUR = Meter(4)
QUARTERS = (0, 6, 12, 18)
EIGHTHS = (0, 3, 6, 9, 12, 15, 18, 21)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARVAE_CACHE", str(tmp_path / "cache"))


def drawn(seed: int, measures: int = 12, ticks: Sequence[int] = QUARTERS) -> list[np.ndarray]:
    """Measures with a random walk through the scale."""
    random = np.random.default_rng(seed)
    scale = np.array([15, 17, 19, 20, 22, 24, 26, 27, 29, 31, 32, 34, 36, 38, 39])
    place, rows = 7, []
    for _ in range(measures):
        row = np.full(FOUR.ticks, HOLD, dtype=np.int16)
        for tick in ticks:
            place = int(np.clip(place + random.integers(-3, 4), 0, len(scale) - 1))
            row[tick] = scale[place]
        rows.append(row)
    return rows


def moved(rows: Sequence[np.ndarray], semitones: int) -> list[np.ndarray]:
    return [np.where(row >= 2, row + semitones, row).astype(np.int16) for row in rows]


def ornamented(rows: Sequence[np.ndarray]) -> list[np.ndarray]:
    """With a neighbour note between every two quarters."""
    found = [row.copy() for row in rows]
    for row in found:
        row[np.array(QUARTERS) + 3] = row[list(QUARTERS)] + 1
    return found


def augmented(rows: Sequence[np.ndarray]) -> list[np.ndarray]:
    """In notes twice as long: each measure makes two."""
    found = []
    for row in rows:
        for half in (row[:12], row[12:]):
            longer = np.full(24, HOLD, dtype=np.int16)
            longer[::12] = half[::6]
            found.append(longer)
    return found


def clustered(*tunes: Sequence[np.ndarray]) -> list[int]:
    """The clusters of the tunes, among forty others."""
    others = [drawn(1000 + n) for n in range(40)]
    return clusters.clusters_of([clusters.sketch_of(rows) for rows in (*tunes, *others)]).tolist()


@pytest.mark.parametrize(
    "vary",
    [
        lambda rows: rows,
        lambda rows: moved(rows, 5),
        lambda rows: rows[: len(rows) // 2],
        lambda rows: [*drawn(99, 6), *rows],
        ornamented,
        augmented,
        lambda rows: [row if n % 4 else drawn(77, 1)[0] for n, row in enumerate(rows)],
    ],
    ids=["equal", "transposed", "its first half", "inside a longer tune", "ornamented", "augmented", "a measure in 4"],
)
def test_variants_of_a_tune_share_its_cluster(vary) -> None:
    tune = drawn(1)
    found = clustered(drawn(2), tune, vary(tune))
    assert found[:3] == [0, 1, 1]
    assert found[3:] == list(range(3, 43))  # the others are alone


def test_tunes_that_share_scales_are_not_twins() -> None:
    """A scale that every tune runs through says nothing."""
    scale = np.full(24, HOLD, dtype=np.int16)
    scale[list(EIGHTHS)] = [15, 17, 19, 20, 22, 24, 26, 27]
    tunes = [[*drawn(n, 6, EIGHTHS), scale, scale] for n in range(30)]
    assert clusters.clusters_of([clusters.sketch_of(rows) for rows in tunes]).tolist() == list(range(30))


def test_a_chain_of_twins_is_one_cluster() -> None:
    a, b, c = drawn(1), drawn(2), drawn(3)
    assert clustered([*a, *b], [*b, *c], [*c, *drawn(4)])[:3] == [0, 0, 0]


@pytest.mark.parametrize("together", [1, 20])
def test_tunes_are_compared_a_few_at_a_time(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tunes = [drawn(0), drawn(1), moved(drawn(0), 2), ornamented(drawn(1)), drawn(0)[:8] + drawn(1)[4:]]
    expected = clustered(*tunes)
    assert len(set(expected[:5])) == 1
    monkeypatch.setattr(clusters, "TOGETHER", together)
    assert clustered(*tunes) == expected


def test_tunes_without_notes_are_alone() -> None:
    assert clusters.clusters_of([]).tolist() == []
    assert clusters.clusters_of([clusters.sketch_of([]), clusters.sketch_of(drawn(1, 1))]).tolist() == [0, 1]


def test_hundreds_of_copies_are_one_cluster() -> None:
    """More than are compared with one another directly."""
    copies = [clusters.sketch_of(drawn(1)) for _ in range(5 * clusters.NEAR)]
    assert set(clusters.clusters_of(copies).tolist()) == {0}


def test_a_large_cluster_belongs_to_training() -> None:
    ids = [f"x/{n}" for n in range(50)]
    for start in range(20):
        found = np.arange(50)
        found[start : start + 10] = start
        names = clusters.named(ids, found)
        (name,) = {names.get(one, one) for one in ids[start : start + 10]}
        assert part_of(clusters.cluster_number(name)) == PARTS[0]
        assert set(names) <= set(ids[start : start + 10])


# ------------------------------------------------------------------------------------- splits


def corpus(name: str, tunes: dict[str, Sequence[np.ndarray]]) -> None:
    """Build a corpus of these tunes."""

    def extract(work: Work) -> Extracted:
        bars = tuple(Bar(n, FOUR, row) for n, row in enumerate(tunes[work.id], 1))
        return Extracted(Tune(work.id, work.id, "file", 0, 0, bars))

    whole = Corpus(name, "", "here", "", "", lambda: [Work(Path("x"), one) for one in tunes], extract)
    for _ in build.build(whole, jobs=1):
        pass


def test_no_cluster_is_in_two_parts_and_every_tune_in_one() -> None:
    tunes = {f"a/{n}-{twin}": moved(drawn(n), twin) for n in range(60) for twin in range(3)}
    tunes = {name: [*rows, *drawn(500 + at, 1)] for at, (name, rows) in enumerate(tunes.items())}  # no copies
    corpus("a", tunes)
    data = registry.load("a")
    parts = split(data.examples([find("density")]))
    of_part = {
        part: {data.piece_names[piece] for piece in getattr(parts, part).pieces.tolist()} for part in PARTS
    }
    assert sorted(one for part in of_part.values() for one in part) == sorted(tunes)
    for n in range(60):
        assert sum(any(one.startswith(f"a/{n}-") for one in part) for part in of_part.values()) == 1
    assert all(of_part.values())


def test_a_training_tune_with_a_twin_that_another_corpus_tests_is_left_out() -> None:
    own = {f"a/{n}": drawn(n) for n in range(40)}
    corpus("a", own)
    part = {whole.tune.id: whole.part for whole in registry.tunes("a")}
    twins = {f"b/{n}": moved(rows, 2)[1:] for n, rows in enumerate(own.values())}
    corpus("b", twins)
    other = {whole.tune.id: whole.part for whole in registry.tunes("b")}
    rank = {name: at for at, name in enumerate(PARTS)}
    joined = {whole.tune.id: whole.part for whole in registry.tunes("a+b")}
    for n in range(40):
        here, there = part[f"a/{n}"], other[f"b/{n}"]
        assert joined.get(f"a/{n}") == (here if rank[here] >= rank[there] else None)
        assert joined.get(f"b/{n}") == (there if rank[there] >= rank[here] else None)
    assert len(joined) < 80
    data = registry.load("a+b")
    assert set(data.piece_names.values()) == set(joined)
    assert len(data) == sum(len(rows) for name, rows in (own | twins).items() if name in joined)


def test_the_clusters_are_in_the_file() -> None:
    tune = drawn(1)
    others = {f"a/{n}": drawn(n) for n in range(10, 50)}
    corpus("a", {"a/first": tune, **others, "a/second": moved(tune, 3)[1:]})
    assert store.read_clusters(store.path_of("a")) == {"a/second": "a/first"}
