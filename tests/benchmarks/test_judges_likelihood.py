"""The judges of likelihood: what they read, that their probabilities add up to one, and that vandalism costs bits."""

from __future__ import annotations

import numpy as np
import pytest
from judging import judges, melody, quarters, row, vandalised, walks

from arvae_music.music.meter import Meter

events, ngram, recurrent = judges("events"), judges("ngram"), judges("recurrent")


def test_events_are_notes_and_rests_with_lengths_over_the_barlines():
    held = np.zeros(24, dtype=np.int16)
    found = events.events_of(melody(row("60 - - - - - 62 - - - - - r"), held, quarters(64)))
    assert found.pitch.tolist() == [60, 62, events.SILENCE, 64]
    assert found.length.tolist() == [12, 12, 24 + 48, 48]
    assert found.place.tolist() == [0, 12, 24, 0]
    assert found.measure.tolist() == [0, 0, 0, 2]
    assert found.first.tolist() == [True, False, False, False]


def test_lengths_count_twelfths_of_a_quarter_in_every_meter():
    triplet = events.events_of(melody(row("60 - 62 - 64 -", Meter(1)), meter=Meter(1)))
    assert triplet.length.tolist() == [4, 4, 4]
    jig = Meter(2, compound=True)
    assert events.events_of(melody(row("60 - 62 - 64 - 65", jig), meter=jig)).length.tolist() == [6, 6, 6, 18]


def test_silence_before_the_first_note_and_after_the_last_is_no_event():
    found = events.events_of(melody(row("r - - - - - 60 - - - - - r"), row("r")))
    assert found.pitch.tolist() == [60]


def test_a_gap_begins_a_new_sequence():
    found = events.events_of(melody(quarters(60, 62), None, quarters(64, 65)))
    assert found.first.tolist() == [True, False, True, False]
    assert found.previous_pitch.tolist() == [71, 60, 71, 64]
    assert found.before(found.pitch, 1, -7).tolist() == [-7, 60, -7, 64]
    assert found.length.tolist() == [12, 36, 12, 36]


@pytest.mark.parametrize("step", [0, 1])
def test_the_probabilities_of_all_outcomes_add_up_to_one(step: int):
    train = [events.events_of(tune) for tune in walks(20)]
    make, outcomes = ngram._STEPS[step]
    chain = ngram.Chain.of(*make(ngram.join(train)), outcomes)
    _, contexts = make(events.events_of(vandalised(walks(1, seed=5)[0], np.random.default_rng(0))))
    for context in contexts[:40]:
        every = chain.probability(np.arange(outcomes), np.repeat(context[None], outcomes, axis=0))
        assert every.min() > 0
        assert every.sum() == pytest.approx(1, abs=1e-9)


def test_a_chain_is_interpolated_as_witten_and_bell_say():
    contexts = np.zeros((4, 1), dtype=np.uint64)  # one context; the outcomes are 0, 0, 0 and 1 of ten
    chain = ngram.Chain.of(np.array([0, 0, 0, 1]), contexts, 10)
    found = chain.probability(np.array([0, 1, 2]), contexts[:3])
    assert found == pytest.approx([(3 + 2 * 0.1) / 6, (1 + 2 * 0.1) / 6, 2 * 0.1 / 6])


def test_bits_rise_under_vandalism():
    train = [events.events_of(tune) for tune in walks(60)]
    new = walks(8, seed=1)
    random = np.random.default_rng(3)
    broken = [vandalised(tune, random) for tune in new]
    judge = ngram.train(train, [])
    before, after = (_mean(judge.bits([events.events_of(tune) for tune in some])) for some in (new, broken))
    assert before < 2.5  # about one bit for the length, one for the step up or down
    assert after > before + 2


def test_another_corpus_helps_only_as_far_as_it_is_alike():
    own, new = ([events.events_of(tune) for tune in walks(n, seed=s)] for n, s in ((4, 0), (8, 1)))
    alike = [events.events_of(tune) for tune in walks(60, seed=2)]
    random = np.random.default_rng(0)
    other = [events.events_of(vandalised(tune, random)) for tune in walks(60, seed=2)]
    alone, helped, misled = (_mean(ngram.train(own, some).bits(new)) for some in ([], alike, other))
    assert helped < alone
    assert misled < alone + 0.3


@pytest.mark.process
def test_the_recurrent_judge_agrees_and_is_normalised():
    train = [events.events_of(tune) for tune in walks(60)]
    judge = recurrent.train({"walks": train}, epochs=8)
    new = walks(8, seed=1)
    random = np.random.default_rng(3)
    broken = [vandalised(tune, random) for tune in new]
    before, after = (_mean(judge.bits([events.events_of(tune) for tune in some], "walks")) for some in (new, broken))
    assert before < 3
    assert after > before + 1.5
    import torch

    table = torch.from_numpy(recurrent.columns_of(events.events_of(new[0]))[None, :5].repeat(ngram.STEPS, axis=0))
    table[:, 4, 1] = torch.arange(ngram.STEPS)  # every step of the fifth event
    with torch.no_grad():
        _, step = judge.net(table, torch.zeros(ngram.STEPS, dtype=torch.long))
    assert float(step[:, 4].exp().sum()) == pytest.approx(1, abs=1e-4)


def test_the_recurrent_judge_is_found_again(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setattr(recurrent, "cache_folder", lambda: tmp_path / "corpora")
    monkeypatch.setattr(recurrent, "EPOCHS", 1)
    train = {"walks": [events.events_of(tune) for tune in walks(4)]}
    trained = []
    real = recurrent.train
    monkeypatch.setattr(recurrent, "train", lambda some, seed: trained.append(seed) or real(some, seed, epochs=1))
    first, again = recurrent.cached(train), recurrent.cached(train)
    assert trained == [0]
    assert np.array_equal(first.bits(train["walks"], "walks")[0], again.bits(train["walks"], "walks")[0])
    recurrent.cached({"walks": [events.events_of(tune) for tune in walks(4, seed=9)]})
    assert trained == [0, 0]


def _mean(bits: list[np.ndarray]) -> float:
    return float(np.concatenate(bits).mean())
