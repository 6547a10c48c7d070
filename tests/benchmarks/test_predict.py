"""benchmarks/predict.py: which measures count, and what an n-gram is charged for."""

from __future__ import annotations

import numpy as np
import pytest
from judging import judges, walks

import arvae_music

predict, tunes, phrases = judges("predict"), judges("tunes"), judges("phrases")


def some_tunes(count: int) -> list:
    return [tunes.Tune(i, f"tune {i}", tune, i, "test", ()) for i, tune in enumerate(walks(count, measures=6))]


def test_each_distinct_measure_counts_once():
    one = some_tunes(1)[0]
    assert predict.distinct([one, one]) == predict.distinct([one])
    rows = {(bar.meter, bar.tokens.tobytes()) for bar in one.melody.bars}
    assert len(predict.distinct([one])) == len(rows)


def test_the_nats_of_both_judges_add_up_to_those_of_the_tunes():
    some = some_tunes(12)
    judge = predict.ngram.train([predict.events_of(tune.melody) for tune in some], [])
    for tune, nats in zip(some, predict.of_ngram(judge, some), strict=True):
        (bits,) = judge.bits([predict.events_of(tune.melody)])
        assert sum(nats.values()) == pytest.approx(bits.sum() * np.log(2))
    model = arvae_music.load("all")
    (found,) = predict.of_model(model, some[:1])
    assert sorted(found) == list(range(6))
    assert min(found.values()) > 0
