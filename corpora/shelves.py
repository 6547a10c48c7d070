"""Corpus files in memory, tune by tune; several of them without twins in different parts of the split.

    open_shelf      a corpus file -> Shelf
    without_twins   shelves -> the same shelves, without the tunes that another shelf's held-out tunes resemble

Each corpus has its own clusters, so that a tune is in the same part of the split whether its corpus is used alone or
joined with others. A tune of one corpus may have a twin in another corpus, in another part. Then the held-out tune
stays, and the other one is left out of the joined corpora: a test tune stays before a validation tune, and that before
a training tune.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Ints, Mask
from ..music.meter import Meter
from ..vae.examples import PARTS, part_of
from . import store
from .clusters import Sketch, cluster_number, clusters_of, sketch_of
from .corpus import Bar, Tune, hashed
from .store import Facts


@dataclass(frozen=True)
class WholeTune:
    """A tune of a built corpus, with the part of the split that it is in: "train", "valid" or "test"."""

    corpus: str
    tune: Tune
    cluster: int  # the same for nearly equal tunes, which are in the same part
    part: str


@dataclass(frozen=True, eq=False)
class Shelf:
    """A corpus file: its table of measures, and its tunes in order."""

    facts: Facts
    table: Any  # Arrow; the columns are those of store.py
    starts: Ints  # (tunes + 1,) the first row of each tune, and the number of rows
    ids: list[str]
    titles: list[str]
    pieces: Ints  # (tunes,) hash of the id
    clusters: Ints  # (tunes,) `cluster_number` of the cluster's name

    @cached_property
    def _is_example(self) -> Mask:
        """(rows,) whether the measure is an example of training."""
        import pyarrow.compute as pc

        equal: Mask = pc.equal(self.table["left_out"], "").to_numpy()
        return equal

    @property
    def examples_of_tunes(self) -> Ints:
        """(tunes,) the number of examples of each tune."""
        counted = np.concatenate([[0], np.cumsum(self._is_example)])
        return np.diff(counted[self.starts]).astype(np.int64)

    def examples(self) -> Any:
        """The rows of the table that are examples of training."""
        return self.table.filter(self._is_example)

    def sketches(self) -> list[Sketch]:
        """The sketch of each tune."""
        tokens = self.table["tokens"].combine_chunks()
        flat = tokens.flatten().to_numpy(zero_copy_only=False)
        ends = np.concatenate([[0], np.cumsum(tokens.value_lengths().to_numpy(zero_copy_only=False))])[self.starts]
        return [sketch_of([flat[start:end]]) for start, end in pairwise(ends.tolist())]

    def parts(self) -> list[str]:
        """The part of the split that each tune is in."""
        return [part_of(cluster) for cluster in self.clusters.tolist()]

    def without(self, tunes: Mask) -> Shelf:
        """The shelf without some of its tunes (tunes,)."""
        if not tunes.any():
            return self
        kept = np.flatnonzero(~tunes)
        sizes = np.diff(self.starts)
        return replace(
            self,
            table=self.table.filter(np.repeat(~tunes, sizes)),
            starts=np.concatenate([[0], np.cumsum(sizes[kept])]),
            ids=[self.ids[at] for at in kept.tolist()],
            titles=[self.titles[at] for at in kept.tolist()],
            pieces=self.pieces[kept],
            clusters=self.clusters[kept],
        )

    def tunes(self) -> Iterator[WholeTune]:
        """The tunes in order."""
        rows_of_all = zip(*(self.table[name].to_pylist() for name in _OF_BARS), strict=True)
        named_rows = [dict(zip(_OF_BARS, row, strict=True)) for row in rows_of_all]
        for at, (start, end) in enumerate(pairwise(self.starts.tolist())):
            rows = named_rows[start:end]
            first, cluster = rows[0], int(self.clusters[at])
            tune = Tune(
                self.ids[at], self.titles[at], first["source"], first["shift"], first["fifths"],
                tuple(map(_bar, rows)), bool(first["minor"]), bool(first["phrased"]),
            )  # fmt: skip
            yield WholeTune(self.facts.name, tune, cluster, part_of(cluster))


_OF_BARS = (
    "source", "measure", "meter", "tokens", "left_out", "phrase_ends", "phrased", "shift", "fifths", "minor",
)  # fmt: skip


def _bar(row: dict[str, Any]) -> Bar:
    meter = Meter.from_code(row["meter"]) if row["meter"] else None
    tokens = np.array(row["tokens"], dtype=np.int16) if row["tokens"] else None
    return Bar(row["measure"], meter, tokens, row["left_out"], tuple(row["phrase_ends"]))


def open_shelf(path: Path) -> Shelf:
    """Read a corpus file. Raises CorpusError."""
    facts, clusters = store.read_facts(path), store.read_clusters(path)
    table = store.read_table(path)
    position = table["position"].to_numpy()
    starts = np.flatnonzero(position == 0)
    ids, titles = (table[name].take(starts).to_pylist() for name in ("piece", "title"))
    pieces = np.array([piece_number(piece) for piece in ids], dtype=np.int64)
    own = np.array([cluster_number(clusters.get(piece, piece)) for piece in ids], dtype=np.int64)
    return Shelf(facts, table, np.append(starts, len(table)), ids, titles, pieces, own)


def without_twins(shelves: Sequence[Shelf]) -> list[Shelf]:
    """The shelves without the tunes that have a twin in a part that goes before theirs, on any shelf."""
    if len(shelves) < 2:
        return list(shelves)
    joint = clusters_of([sketch for shelf in shelves for sketch in shelf.sketches()])
    rank = np.array([PARTS.index(part) for shelf in shelves for part in shelf.parts()])
    best = np.zeros(len(joint), dtype=np.int64)
    np.maximum.at(best, joint, rank)
    dropped = best[joint] > rank
    ends = np.cumsum([len(shelf.ids) for shelf in shelves])
    return [shelf.without(own) for shelf, own in zip(shelves, np.split(dropped, ends[:-1]), strict=True)]


@lru_cache(maxsize=1 << 16)
def piece_number(piece: str) -> int:
    """The number that stands for a piece's id in arrays."""
    return hashed(piece.encode())
