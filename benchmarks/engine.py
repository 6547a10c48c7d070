"""Measure the time and memory of an edit for different numbers of measures and of proposals (decoded candidates).

    OPENBLAS_NUM_THREADS=1 python benchmarks/engine.py [--model bach] [--corpus bach]

The melody consists of different 4/4 measures of training tunes. The request is density +1.5 sd. The time of loading the
model does not count. Times are medians of --rounds runs. Peak memory is that of the process, minus its peak before the
first edit.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator

import numpy as np

import arvae_music
from arvae_music.corpora import registry
from arvae_music.editing.edit import edit
from arvae_music.editing.request import EditRequest
from arvae_music.library import Model
from arvae_music.music import attributes
from arvae_music.music.melody import Bar, Melody
from arvae_music.music.meter import Meter
from arvae_music.vae.examples import distinct

SIZES = ((16, 0), (16, 64), (16, 256), (10, 64), (100, 64), (1000, 64))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="bach", help="a bundled model, a file or a run folder")
    parser.add_argument("--corpus", default="bach", help="the corpus whose measures make the melody")
    parser.add_argument("--rounds", type=int, default=5, help="runs whose median is taken")
    options = parser.parse_args()
    print("| measures | proposals | ms | ms a measure | peak MB beyond the start |\n|---|---|---|---|---|")
    for count, proposals, ms, memory in costs(options.model, options.corpus, options.rounds):
        print(f"| {count} | {proposals} | {ms:.0f} | {ms / count:.1f} | {memory:.0f} |", flush=True)


def costs(name: str, corpus: str, rounds: int) -> Iterator[tuple[int, int, float, float]]:
    """(measures, proposals, median ms, peak MB beyond the start) for each of SIZES."""
    model = arvae_music.load(name)
    examples = registry.load(corpus).examples([attributes.find("density")], [Meter(4)])
    rows = examples.inputs[distinct(examples), 1:25]
    start = _memory()
    for count, proposals in SIZES:
        melody = _melody(np.resize(rows, (count, 24)))
        request = model.request({"density": 1.5}, proposals=proposals)
        times = [_seconds(melody, request, model) for _ in range(rounds if count < 1000 else 1)]
        yield count, proposals, 1000 * float(np.median(times)), _memory() - start


def _melody(rows: np.ndarray) -> Melody:
    bars = tuple(Bar(i + 1, "4/4", 0, 0, Meter(4), row) for i, row in enumerate(rows))
    return Melody("benchmark", bars, 0, 0)


def _seconds(melody: Melody, request: EditRequest, model: Model) -> float:
    started = time.perf_counter()
    edit(melody, request, model)
    return time.perf_counter() - started


def _memory() -> float:
    """The peak memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
