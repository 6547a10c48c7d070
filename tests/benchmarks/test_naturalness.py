"""benchmarks/naturalness.py from end to end on made-up tunes, and the engines that stand beside the product's."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from judging import FOUR, judges, melody, quarters, row, walks

import arvae_music
from arvae_music.music.attributes import PAPER
from arvae_music.music.keys import in_key
from arvae_music.music.melody import Melody
from arvae_music.music.tokens import HOLD, REST, VOCABULARY, onsets, token_of

tunes, engines, likeness, tables = judges("tunes"), judges("engines"), judges("likeness"), judges("tables")
naturalness, recurrent, phrases = judges("naturalness"), judges("recurrent"), judges("phrases")


def some_tunes(count: int, first: int = 0) -> list:
    """Tunes in all parts, one of each cluster."""
    parts = ("train", "valid", "test", "test")
    return [
        tunes.Tune(first + i, f"tune {i}", tune, first + i, parts[i % 4], tuple(phrases.usual_ends(tune)))
        for i, tune in enumerate(walks(count, seed=first, measures=10))
    ]


@pytest.fixture
def setting() -> object:
    return engines.Setting(arvae_music.load("bach"), tunes.training_rows(some_tunes(16)))


def asked(tune: object, name: str = "density", step: float = 1.5) -> object:
    return likeness.Ask(name, step, tuple(tune.editable))


@pytest.mark.parametrize("name", engines.ENGINES)
def test_every_engine_edits_only_what_it_was_asked_to(name: str, setting: object):
    tune = some_tunes(1)[0]
    ask = likeness.Ask("density", 1.5, (2, 6))
    after = engines.ENGINES[name](setting)(tune, ask)
    changed = [i for i in range(10) if not np.array_equal(after.bars[i].tokens, tune.melody.bars[i].tokens)]
    assert set(changed) <= {2, 6}
    assert bool(changed) == (name != "unedited")
    again = engines.ENGINES[name](setting)(tune, ask)
    assert all(np.array_equal(a.tokens, b.tokens) for a, b in zip(after.bars, again.bars, strict=True))


def test_samples_of_the_prior_do_not_depend_on_the_request_but_on_their_neighbours():
    tune, other = some_tunes(2)
    at, made = (2, 4, 6, 8), engines.prior(engines.Setting(arvae_music.load("all"), {}))

    def sampled(melody: Melody, name: str, step: float) -> np.ndarray:
        after = made(replace(tune, melody=melody), likeness.Ask(name, step, at))
        return np.stack([after.bars[i].tokens for i in at])

    found = sampled(tune.melody, "density", 1.5)
    assert np.array_equal(found, sampled(tune.melody, "contour", -0.5))
    moved = tune.melody.with_rows({i: other.melody.bars[i].tokens for i in range(1, 10, 2)})
    assert not np.array_equal(found, sampled(moved, "density", 1.5))


@pytest.mark.parametrize("name", PAPER)
def test_random_edits_come_near_the_request_within_the_key(name: str, setting: object):
    hits, new = [], []
    for tune in some_tunes(6):
        ask = asked(tune, name)
        after = engines.ENGINES["random"](setting)(tune, ask)
        goal = likeness.goal_of(setting.model, tune.melody, ask)
        hits.append(likeness.exact(goal, likeness.achieved(setting.model, after, ask)))
        new += [b.tokens[b.tokens != a.tokens] for a, b in zip(tune.melody.bars, after.bars, strict=True)]
    tokens = np.concatenate(new)
    assert in_key(tokens[tokens > REST]).all()
    assert (tokens != REST).all()
    assert sum(hit for hit, _ in hits) > 0.6 * sum(count for _, count in hits)


def test_the_table_of_counts_is_a_distribution_of_what_was_counted():
    table = engines.counted(np.stack([row("60 - - 62"), row("60 - - 64"), row("60 - - 62")]))
    assert table.shape == (24, VOCABULARY, VOCABULARY)
    assert np.exp(table).sum(axis=2) == pytest.approx(1, abs=1e-4)
    after = table[3, token_of(60)]
    assert after[token_of(62)] > after[token_of(64)] > after[token_of(65)]
    assert table[4, token_of(62)].argmax() == HOLD


def test_shuffled_weights_are_the_same_numbers_elsewhere(setting: object):
    kept = setting.model.checkpoint.weights["decoder.tick_gru.weight"]
    model = engines.shuffled(setting).keywords["model"]
    mixed = model.checkpoint.weights["decoder.tick_gru.weight"]
    assert not np.array_equal(kept, mixed)
    assert np.array_equal(np.sort(kept, axis=None), np.sort(mixed, axis=None))


def test_halves_keep_clusters_together_and_twins_of_other_corpora_are_left_out():
    some = some_tunes(40)
    assert {tune.half for tune in some} == {0, 1}
    twin = tunes.Tune(99, "twin", some[0].melody, 99, "test", ())
    assert tunes.without_twins([twin, *some[1:3]], some[:1]) == some[1:3]


def test_one_tune_of_each_cluster_is_chosen():
    some = some_tunes(16)
    double = tunes.Tune(99, "double", some[2].melody, some[2].cluster, "test", ())
    short = tunes.Tune(98, "short", melody(quarters(60), quarters(62)), 98, "test", ())
    found = tunes.chosen([*some, double, short], "test")
    assert found == [tune for tune in some if tune.part == "test"]
    assert len(tunes.chosen(some, "test", 3)) == 3


def test_inner_measures_stand_between_whole_ones():
    tune = some_tunes(1)[0]
    assert tune.inner == list(range(1, 9))
    upbeat = tunes.Tune(0, "upbeat", tune.melody, 0, "test", (), partial=frozenset({0, 9}))
    assert upbeat.inner == list(range(2, 8))


def test_intervals_pair_the_tunes():
    random = np.random.default_rng(0)
    difficulty = random.normal(0, 5, 50)
    cells = []
    for better in (0.5, 0.0):
        cell = tables.Cell(50)
        for t in range(50):
            cell.add("bits", t, phrases.Share(10 + difficulty[t] - better + random.normal(0, 0.1), 1))
        cells.append(cell)
    draws = tables.drawn_tunes(50, 0)
    found = tables.difference(cells[:1], cells[1:], "bits", draws)
    assert found.value == pytest.approx(-0.5, abs=0.1)
    assert found.excludes_zero
    alone = tables.mean(cells[:1], "bits", draws)
    assert alone.high - alone.low > 1
    copies = tables.drawn_tunes(8, 0, copies=4)
    assert copies.shape == (tables.DRAWS, 8)
    assert (copies[:, 1:4] == copies[:, :1] + np.arange(1, 4)).all()


@pytest.mark.process
def test_a_run_writes_tables_and_is_the_same_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(naturalness.tunes, "load", lambda corpus: some_tunes(24))
    monkeypatch.setattr(naturalness.registry, "built", lambda: {})
    monkeypatch.setattr(recurrent, "cache_folder", lambda: tmp_path / "corpora")
    monkeypatch.setattr(recurrent.train, "__defaults__", (0, 1))
    arguments = ["--corpus", "walks", "--model", "bach", "--part", "test", "--quick", "--attributes", "density"]
    arguments += ["--tasks", "fourth,every,vary,interpolate"]
    found = []
    for name in ("one", "two"):
        places = [str(tmp_path / f"{name}.{suffix}") for suffix in ("json", "md")]
        monkeypatch.setattr(
            sys, "argv", ["naturalness.py", *arguments, "--engines", "guided,random", "--json", places[0]]
        )
        naturalness.main()
        found.append(json.loads(Path(places[0]).read_text()))
    assert found[0]["figures"] == found[1]["figures"]
    fourth = found[0]["figures"]["fourth"]
    assert fourth["guided"]["all"]["exact"][0] > 0.99
    assert fourth["guided"]["all"]["final"][0] == 1
    assert fourth["random"]["all"]["ngram"][0] > fourth["random"]["all"]["ngram_before"][0]
    assert found[0]["differences"]["every"]["guided - random"]["gru"][2] is not None
    out = capsys.readouterr().out
    assert "| engine | met |" in out
    assert "|  | vary | interpolate |" in out
    assert "| kept | 1.000 |" in out  # every variation keeps every attribute
    forward = next(float(line.split("|")[3]) for line in out.splitlines() if line.startswith("| forward "))
    assert 0.8 < forward <= 1


def test_print_shows_tunes_in_notation(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(naturalness.tunes, "load", lambda corpus: some_tunes(12))
    monkeypatch.setattr(
        sys,
        "argv",
        ["naturalness.py", "--corpus", "walks", "--model", "bach", "--print", "2", "--attributes", "density"],
    )
    naturalness.main()
    out = capsys.readouterr().out
    assert out.count("guided, fourth, density +1.5 sd") == 2
    assert any(line.startswith("*") and "|" in line for line in out.splitlines())


def test_unknown_names_are_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    for argument in (["--engines", "guided,lucky"], ["--tasks", "fifth"]):
        monkeypatch.setattr(sys, "argv", ["naturalness.py", *argument])
        with pytest.raises(SystemExit):
            naturalness.main()
    assert "unknown lucky" in capsys.readouterr().err


def test_an_engine_of_counts_knows_where_it_is_in_the_measure():
    table = engines.counted(np.stack([quarters(60, 62, 64, 65)] * 3))
    runtime = engines.Counts(8, {FOUR: table})
    from arvae_music.networks.decoding import decode, log_probabilities

    assert decode(runtime, np.zeros((1, 8), np.float32), FOUR)[0].tolist() == quarters(60, 62, 64, 65).tolist()
    one = log_probabilities(runtime, quarters(60, 62, 64, 65)[None], FOUR)
    assert onsets(one[0].argmax(axis=1)).nonzero()[0].tolist() == [0, 6, 12, 18]
