"""Compare how well a model in context and an n-gram predict the measures of test tunes.

    python benchmarks/predict.py --model all --corpora folk bach

Both give the surprise of every measure in nats. The model sees the other measures of the tune, before and after, its
place, meter and mode, and nothing of the measure itself. The n-gram (judges/ngram.py) reads the tune from the start,
over its barlines, and was trained on the training tunes of the same corpora as the model. It charges a note that is
held over a barline to the measure in which it begins. A measure that occurs several times in the corpus counts once,
and incomplete measures do not count. Intervals hold 95% of 400 bootstrap draws of tunes.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt
from judges import ngram, tunes
from judges.events import Events, events_of
from judges.tables import markdown
from judges.tunes import Tune

import arvae_music
from arvae_music.corpora import registry
from arvae_music.library import Model
from arvae_music.networks.decoding import surprise, tables_of

Floats = npt.NDArray[np.float64]

DRAWS = 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="all", help="a bundled model that knows contexts, a file or a run folder")
    parser.add_argument("--corpora", nargs="+", default=["folk", "bach"], help="whose test tunes are predicted")
    parser.add_argument("--tunes", type=int, help="the largest number of tunes, evenly spread over the test part")
    options = parser.parse_args()
    model = arvae_music.load(options.model)
    loaded = {name: tunes.load(name) for name in registry.built_in() if name in registry.built()}
    rows = []
    for corpus in options.corpora:
        judged = tunes.chosen(loaded[corpus], "test", options.tunes)
        others = [one for name, some in loaded.items() if name != corpus for one in some]
        baseline = ngram.train(_training(loaded[corpus]), _training(tunes.without_twins(others, judged)))
        at = distinct(judged)
        one, other = of_model(model, judged), of_ngram(baseline, judged)
        pairs = np.array([(one[t][i], other[t][i], t) for t, i in at])
        rows.append([corpus, str(len(pairs)), *_figures(pairs)])
    print(markdown(["corpus", "measures", "model, nats", "n-gram, nats", "model / n-gram"], rows))


def _training(some: Sequence[Tune]) -> list[Events]:
    """The events of the training tunes. Those of meters with short beats, such as 7/8, have no place in the table."""
    training = (tune.melody for tune in some if tune.part == "train")
    found = [events_of(one) for one in training if not any(bar.meter and bar.meter.halved for bar in one.bars)]
    return [events for events in found if len(events)]


def distinct(some: Sequence[Tune]) -> list[tuple[int, int]]:
    """The tune and the index in it of every measure that counts, the first of equal ones."""
    first: dict[tuple[object, bytes], tuple[int, int]] = {}
    for t, tune in enumerate(some):
        for i in tune.editable:
            bar = tune.melody.bars[i]
            if i not in tune.partial and bar.tokens is not None:
                first.setdefault((bar.meter, bar.tokens.tobytes()), (t, i))
    return list(first.values())


def of_model(model: Model, some: Sequence[Tune]) -> list[dict[int, float]]:
    """The nats of the measures of each tune, by their indices, from their contexts alone."""
    found = []
    for tune in some:
        contexts = model.contexts(tune.melody.rows, [bar.meter for bar in tune.melody.bars])
        nats: dict[int, float] = {}
        for meter, indices, rows in tune.melody.by_meter():
            tables = tables_of(model.runtime, meter, None if contexts is None else contexts.of(indices))
            table = tables.at(tables.look(np.arange(len(rows)), rows))
            nats |= dict(zip(indices, surprise(table, rows).tolist(), strict=True))
        found.append(nats)
    return found


def of_ngram(judge: ngram.NGram, some: Sequence[Tune]) -> list[dict[int, float]]:
    """The same under an n-gram."""
    events = [events_of(tune.melody) for tune in some]
    found = []
    for tune, own, bits in zip(some, events, judge.bits(events), strict=True):
        sums = np.bincount(own.measure, bits * np.log(2), minlength=len(tune.melody.bars))
        found.append(dict(enumerate(sums.tolist())))
    return found


def _figures(pairs: Floats) -> list[str]:
    """Means and the quotient, with its interval, of (n, 3): nats of the model, of the n-gram, and the tune."""
    tune = pairs[:, 2].astype(np.int64)
    sums = np.stack([np.bincount(tune, pairs[:, column]) for column in range(2)])
    draws = np.random.default_rng(0).integers(0, sums.shape[1], (DRAWS, sums.shape[1]))
    low, high = np.quantile(sums[0][draws].sum(axis=1) / sums[1][draws].sum(axis=1), [0.025, 0.975])
    quotient = sums[0].sum() / sums[1].sum()
    return [*(f"{mean:.2f}" for mean in pairs[:, :2].mean(axis=0)), f"{quotient:.3f} ({low:.3f} - {high:.3f})"]


if __name__ == "__main__":
    main()
