"""Clusters of tunes that are equal or nearly equal, so that no split separates them.

Collections contain the same melody many times: chorales harmonised twice, settings of one reel, variants of a song. A
model that is tested on a tune whose twin it saw in training is tested on its memory.

    sketch_of       a tune -> its hashed runs of intervals
    clusters_of     the sketches of tunes -> the cluster of each tune
    Sketch          what `clusters_of` needs to know of a tune

Two tunes are twins if they share enough of the weight of the shorter one's runs. There are two kinds of runs, and
either kind is enough:

    notes    RUN_OF_NOTES intervals in succession with the ratios of their durations, so that transposed tunes and tunes
             in other note values agree
    beats    RUN_OF_BEATS intervals between the notes that sound on the beats, where ornamented variants agree

The weight of a run is its information, log(1 + tunes / tunes that have it): a scale, which every reel contains, says
little. A cluster is a connected component of twins.

The least shares were chosen by reading pairs and by recall. Of the pairs just above them, about two in three are
variants of one tune, in Bach and in folk. Together they find 0.95 of Bach's pairs and 0.8 of folk's that an alignment
of whole tunes calls twins. With lower shares, formulas chain unrelated tunes to clusters of hundreds. German folk songs
consist of such formulas, so one cluster of Essen is that large in any case; it is put into training.

`benchmarks/twins.py` measures with another similarity how many twins a split separates.

Shapes: n notes, r runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from ..arrays import Float64s, Ints, Row
from ..music.meter import TICKS_PER_BEAT
from ..music.tokens import HOLD, onsets
from ..vae.examples import PARTS, part_of
from .corpus import hashed

RUN_OF_NOTES = 5  # intervals
RUN_OF_BEATS = 7
SHARED_NOTES = 0.2  # the least share of the weight of the runs that makes two tunes twins
SHARED_BEATS = 0.15
FEWEST = 5  # shared runs
MOST_OF_IT = 0.8  # the share from which fewer shared runs will do
SALT = 178  # of clusters' numbers, chosen so that the parts of every corpus have about their share of the measures
LARGE = 0.03  # the share of all tunes from which on a cluster is large
TOGETHER = 2**14  # runs whose tunes are compared with others at a time, so that memory does not grow with the pairs
NEAR = 48  # tunes with the same run, in their order, that are compared with each tune that has it

_PRIME = np.uint64(1_000_003)

Hashes = npt.NDArray[np.uint64]


class Sketch(NamedTuple):
    """The sorted distinct hashes (r,) of a tune's runs of intervals."""

    notes: Hashes
    beats: Hashes


def sketch_of(rows: Sequence[Row]) -> Sketch:
    """The sketch of a tune, from the tokens of its measures in order."""
    tokens = np.concatenate([*rows, np.zeros(0, dtype=np.int16)]).astype(np.int64)
    starts = np.flatnonzero(onsets(tokens))
    between = np.diff(starts)  # ticks
    ratios = np.round(2 * np.log2(between[1:] / between[:-1])).astype(np.int64)
    pitches = tokens[starts]
    return Sketch(_runs(pitches, RUN_OF_NOTES, ratios), _runs(_on_beats(tokens), RUN_OF_BEATS))


def _on_beats(tokens: Ints) -> Ints:
    """The pitches of the notes that sound on the beats. Every measure has a whole number of beats."""
    latest = np.maximum.accumulate(np.where(tokens == HOLD, 0, np.arange(len(tokens))))
    on_beats: Ints = tokens[np.unique(latest[::TICKS_PER_BEAT])]
    return on_beats[onsets(on_beats)]


def _runs(pitches: Ints, length: int, ratios: Ints | None = None) -> Hashes:
    """The hashes of all runs of `length` intervals, with the ratios of successive durations if they are given. Runs
    that stay on one pitch say nothing and are left out."""
    intervals = np.diff(pitches)
    if len(intervals) < length:
        return np.zeros(0, dtype=np.uint64)
    windows = sliding_window_view(intervals, length)
    moving = (windows != 0).any(axis=1)
    if ratios is not None:
        windows = np.concatenate([windows, sliding_window_view(ratios, length - 1)], axis=1)
    hashes = np.zeros(int(moving.sum()), dtype=np.uint64)
    for column in windows[moving].T.astype(np.uint64):
        hashes = hashes * _PRIME + column  # wraps
    return np.unique(hashes)


def clusters_of(sketches: Sequence[Sketch]) -> Ints:
    """(tunes,) the cluster of each tune: the index of the first tune in it."""
    parent = np.arange(len(sketches))
    by_notes = _twins([sketch.notes for sketch in sketches], SHARED_NOTES)
    by_beats = _twins([sketch.beats for sketch in sketches], SHARED_BEATS)
    for one, other in [*by_notes.tolist(), *by_beats.tolist()]:
        _join(parent, one, other)
    return np.array([_root(parent, tune) for tune in range(len(sketches))], dtype=np.int64)


def named(ids: Sequence[str], clusters: Ints) -> dict[str, str]:
    """The id of each tune that does not give its cluster its name, and the name: the id of another tune.

    The part of the split follows from the name. It is the first tune's, but that of a large cluster is the first
    one's that belongs to training: a part of a split made of one family of songs would tell little.
    """
    found: dict[str, str] = {}
    for cluster in np.unique(clusters).tolist():
        members = [ids[at] for at in np.flatnonzero(clusters == cluster).tolist()]
        large = len(members) >= LARGE * len(ids)
        training = (one for one in members if part_of(cluster_number(one)) == PARTS[0])
        name = next(training, members[0]) if large else members[0]
        found |= {one: name for one in members if one != name}
    return found


def cluster_number(name: str) -> int:
    """The number that stands for a cluster in arrays, and decides its part of the split."""
    return hashed(f"{SALT}:{name}".encode())


def _twins(runs: Sequence[Hashes], least: float) -> Ints:
    """(p, 2) the pairs of tunes, in order, that share `least` of the weight of these runs."""
    count, lengths = len(runs), np.array([len(own) for own in runs], dtype=np.int64)
    tune = np.repeat(np.arange(count), lengths)
    run = np.concatenate([*runs, np.zeros(0, dtype=np.uint64)])
    order = np.lexsort((tune, run))
    tune, run = tune[order], run[order]
    starts = np.flatnonzero(np.append(True, run[1:] != run[:-1])[: len(run)])  # of each run's occurrences
    sizes = np.diff(np.append(starts, len(run)))
    weight = np.repeat(np.log1p(count / sizes), sizes)  # of each occurrence's run
    whole = np.bincount(tune, weight, minlength=count)
    left = np.repeat(starts + sizes, sizes) - np.arange(len(run)) - 1  # occurrences of the same run after this one
    block = np.repeat((np.cumsum(lengths) - 1) // TOGETHER, lengths)  # of each occurrence, in the order of the tunes
    twins: list[Ints] = []
    for own in np.split(np.argsort(order), np.flatnonzero(np.diff(block)) + 1):
        first = np.sort(own)
        keys, shared = list[Ints](), list[Float64s]()
        for distance in range(1, NEAR + 1):
            at = first[left[first] >= distance]
            keys.append(tune[at] * count + tune[at + distance])
            shared.append(weight[at])
        pairs, found = np.unique(np.concatenate(keys), return_inverse=True)
        total, times = np.bincount(found, np.concatenate(shared), minlength=len(pairs)), np.bincount(found)
        one, other = np.divmod(pairs, max(count, 1))
        share = total / np.maximum(np.minimum(whole[one], whole[other]), 1e-9)
        alike = (share >= least) & ((times >= FEWEST) | (share >= MOST_OF_IT))
        twins.append(np.stack([one[alike], other[alike]], axis=1))
    return np.concatenate(twins)


def _root(parent: Ints, tune: int) -> int:
    while parent[tune] != tune:
        parent[tune] = parent[parent[tune]]
        tune = int(parent[tune])
    return tune


def _join(parent: Ints, one: int, other: int) -> None:
    first, second = sorted((_root(parent, one), _root(parent, other)))
    parent[second] = first
