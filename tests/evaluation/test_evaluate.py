"""The evaluation, on models whose answers are known: one that obeys its codes, and one that is deaf to them."""

from __future__ import annotations

import json
import math
import re
import sys
from dataclasses import replace
from fractions import Fraction
from html import escape as html_escape

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arvae_music.cli.shared.common import print_json
from arvae_music.errors import ExtraError
from arvae_music.evaluation import control
from arvae_music.evaluation.evaluate import EvaluationOptions, evaluate_model, spelt
from arvae_music.evaluation.headline import headline_names, lower_is_better
from arvae_music.evaluation.published import PUBLISHED
from arvae_music.evaluation.result import Evaluation
from arvae_music.library import Model
from arvae_music.music import attributes, tokens
from arvae_music.music.attributes import evaluate_mixed
from arvae_music.music.meter import MAX_TICKS, TICKS_PER_BEAT, Meter
from arvae_music.music.tokens import CENTRE, FIRST_PITCH, HOLD, REST, VOCABULARY, Timed, cut, notes_of, pack, token_of
from arvae_music.networks.runtime import State
from arvae_music.reports import evaluation_page
from arvae_music.reports import evaluation_tables as report
from arvae_music.reports.evaluation_verdict import Level, verdict
from arvae_music.training import music_recipe
from arvae_music.vae.checkpoint import Checkpoint
from arvae_music.vae.examples import Examples
from arvae_music.vae.metadata import Metadata
from arvae_music.vae.scales import calibrate, correlations
from arvae_music.vae.statistics import sampled

NAMES = ("density", "contour")
SPECS = [attributes.BUILT_IN[name] for name in NAMES]
LATENT = 6
BASE = token_of(CENTRE)
FEW = EvaluationOptions(requests=300, guided=24, traversals=3, probe_rows=600, contexts=16, samples=60, proposals=8)


def row_of(notes: int, step: int, meter: Meter, start: int = BASE) -> np.ndarray:
    """`notes` onsets on the first ticks, of one pitch but for the last, which is `step` semitones higher."""
    row = np.full(meter.ticks, HOLD, dtype=np.int16)
    row[:notes] = start
    row[notes - 1] += step if notes > 1 else 0
    return row


def examples(count: int, seed: int) -> Examples:
    random = np.random.default_rng(seed)
    meters = [Meter(4) if i % 3 else Meter(3) for i in range(count)]
    rows = [
        row_of(int(random.integers(2, 10)), int(random.integers(-6, 7)), meter, BASE + int(random.integers(-4, 5)))
        for meter in meters
    ]
    inputs = pack(rows, meters, MAX_TICKS)
    values = evaluate_mixed(SPECS, inputs).astype(np.float32)
    return Examples(inputs, values, NAMES, np.arange(count, dtype=np.int64) // 4)


class Known:
    """A runtime whose first two dimensions are the attributes and whose third is the first note; the others are noise.

    `obeys` says whether its decoder reads the first two, or copies of them in dimensions 4 and 5, which are there
    only then.
    """

    latent = LATENT

    def __init__(self, *, obeys: bool) -> None:
        self.obeys = obeys

    def posterior(self, rows, meter):
        values = attributes.evaluate(SPECS, rows, meter)
        noise = np.random.default_rng(rows.astype(np.int64).sum(axis=1)).standard_normal((len(rows), LATENT))
        z = noise.astype(np.float32)
        z[:, 0], z[:, 1] = values[:, 0] * 8 - 2, values[:, 1] * 6
        z[:, 2] = (rows[:, 0] - BASE) / 3
        if not self.obeys:
            z[:, 4:6] = z[:, :2]
        return z, np.full_like(z, -9.0)

    def encode(self, rows, meter):
        return self.posterior(rows, meter)[0]

    def drawn(self, rows, meter, random):
        return sampled(*self.posterior(rows, meter), random)

    def start(self, z, meter):
        read = z[:, :2] if self.obeys else z[:, 4:6]
        counts = np.clip(np.round((read[:, 0] + 2) / 8 * meter.ticks), 1, meter.ticks).astype(int)
        steps = np.round(read[:, 1] / 6 * 26).astype(int)
        first = np.round(z[:, 2] * 3).astype(int) + BASE
        rows = np.stack([row_of(n, step, meter, b) for n, step, b in zip(counts, steps, first, strict=True)])
        rows = np.where(rows == HOLD, HOLD, np.clip(rows, FIRST_PITCH, VOCABULARY - 1))
        beats = rows.reshape(len(z), meter.beats, TICKS_PER_BEAT).transpose(1, 0, 2).astype(np.float32)
        return State(meter, beats, np.zeros((meter.beats, len(z), 1)), np.zeros((len(z), 1)), np.arange(len(z)))

    def nowhere(self, meter):
        return self.start(np.zeros((1, LATENT), dtype=np.float32), meter)

    def step(self, state, previous, sounding):
        logits = np.zeros((len(previous), VOCABULARY), dtype=np.float32)
        beat, tick = divmod(state.tick, TICKS_PER_BEAT)
        logits[np.arange(len(previous)), state.beats[beat, state.point, tick].astype(int)] = 8
        state.tick += 1
        return logits


def model_of(runtime: Known, train: Examples, names: tuple[str, ...] = NAMES) -> Model:
    specs = tuple(attributes.BUILT_IN[name] for name in names)
    codes = np.zeros((len(train), LATENT))
    for meter, at in tokens.by_meter(train.inputs):
        codes[at] = runtime.encode(train.inputs[at, 1 : 1 + meter.ticks], meter)
    values = evaluate_mixed(specs, train.inputs)
    scales = tuple(
        calibrate(name, "", NAMES.index(name), values[:, k], codes[:, NAMES.index(name)])
        for k, name in enumerate(names)
    )
    found = correlations(values, codes[:, [NAMES.index(name) for name in names]])
    metadata = Metadata("measures", {"latent": LATENT}, scales, *found, {"4/4": 1, "3/4": 1})
    return Model(runtime, metadata, specs, Checkpoint(metadata, {"w": np.zeros(1)}))


TRAIN, PART = examples(600, 0), examples(240, 1)
ABOUT = {"model": "known", "corpus": "bach", "part": "valid", "digest": "0"}


@pytest.fixture(scope="module")
def obedient() -> Evaluation:
    return evaluate_model(model_of(Known(obeys=True), TRAIN), TRAIN, PART, FEW, ABOUT)


@pytest.fixture(scope="module")
def deaf() -> Evaluation:
    return evaluate_model(model_of(Known(obeys=False), TRAIN), TRAIN, PART, FEW, ABOUT)


# ------------------------------------------------------------------------- gains


class Timid(Known):
    """Obeys, but of the second attribute it takes seven eighths."""

    def start(self, z, meter):
        z = z.copy()
        z[:, 1] *= 0.875
        return super().start(z, meter)


def with_gain(model: Model, name: str, gain: float) -> Model:
    scales = tuple(replace(s, gain=gain if s.name == name else s.gain) for s in model.metadata.scales)
    return replace(model, metadata=replace(model.metadata, scales=scales))


def error_of(model: Model, name: str) -> float:
    k, random = model.metadata.names.index(name), np.random.default_rng(3)
    drawn = control.draw(PART.inputs, evaluate_mixed(model.specs, PART.inputs), random)
    return control.summary(model, control.outcome(model, PART.inputs, k, drawn[:, k], control.latent))["error"]


def test_a_decoder_that_moves_an_attribute_too_little_gets_a_gain():
    model = model_of(Timid(obeys=True), TRAIN)
    found = music_recipe.measured_gains(model, PART)
    assert found["contour"] > 1
    assert found["density"] == 1
    assert error_of(with_gain(model, "contour", found["contour"]), "contour") < error_of(model, "contour")


def test_a_decoder_that_moves_an_attribute_fully_or_not_at_all_gets_no_gain():
    assert music_recipe.measured_gains(model_of(Known(obeys=True), TRAIN), PART) == dict.fromkeys(NAMES, 1.0)
    assert music_recipe.measured_gains(model_of(Known(obeys=False), TRAIN), PART) == dict.fromkeys(NAMES, 1.0)
    assert music_recipe.measured_gains(model_of(Timid(obeys=True), TRAIN), PART.take(np.arange(40))) == {}


# ------------------------------------------------------------------------- what is found


def test_a_decoder_that_follows_the_codes_has_perfect_control(obedient):
    found = obedient.headline
    assert found["control"] > 0.98
    assert found["monotone"] > 0.98
    assert found["exact"] > 0.9
    assert found["drift"] < 0.05
    assert found["leakage"] < 0.2
    assert found["intervention"] < 0.1
    assert found["scc"] > 0.95
    assert (found["tokens"], found["events"], found["measures"], found["valid"]) == (1, 1, 1, 1)


def test_a_decoder_that_ignores_the_codes_has_no_control_but_the_same_encoder_metrics(obedient, deaf):
    found = deaf.headline
    for name in ("interpretability", "scc", "paper.interpretability", "paper.scc", "measures"):
        assert found[name] == pytest.approx(obedient.headline[name], abs=0.02)
    assert found["control"] < 0.1
    assert found["monotone"] == 0
    assert found["exact"] < 0.3
    assert found["leakage"] > 0.9
    assert found["intervention"] > 0.95


def test_the_guided_mode_meets_requests_even_if_the_decoder_ignores_the_codes(deaf):
    assert deaf.headline["guided.control"] > 0.9
    assert deaf.headline["guided.exact"] > 0.9


def test_a_decoder_that_ignores_the_codes_changes_nothing(deaf):
    for figures in deaf.control["latent"]["all"].values():
        assert figures["onset_f1"] == figures["pitches"] == figures["ticks"] == 1
        assert figures["drift_sd"] == figures["drift_rho"] == 0


def test_the_oracle_is_the_attributes_themselves(obedient):
    for row in ("strict, oracle", "paper's protocol, oracle"):
        assert obedient.representation[row]["scc"] == pytest.approx(1)
        assert obedient.representation[row]["mig"] <= 1
    assert obedient.headline["mig_of_oracle"] == pytest.approx(
        obedient.representation["strict"]["mig"] / obedient.representation["strict, oracle"]["mig"]
    )


def test_counts_and_unseen_measures():
    doubled = Examples(
        np.concatenate([PART.inputs, PART.inputs[:9], TRAIN.inputs[:5]]),
        np.concatenate([PART.attributes, PART.attributes[:9], TRAIN.attributes[:5]]),
        NAMES,
        np.arange(len(PART) + 14),
    )
    found = evaluate_model(model_of(Known(obeys=True), TRAIN), TRAIN, doubled, FEW).counts
    known = {row.tobytes() for row in TRAIN.inputs}
    distinct = {row.tobytes() for row in doubled.inputs}
    assert found["measures"] == len(doubled)
    assert found["distinct"] == found["evaluated"] == len(distinct)
    assert found["unseen"] == len(distinct - known)
    assert found["measures in 3/4"] + found["measures in 4/4"] == found["evaluated"]


class Forgetful(Known):
    """Writes a single note where the first dimension is above the middle."""

    def start(self, z, meter):
        z = z.copy()
        z[z[:, 0] > 0.17, 0] = -2 + 8 / meter.ticks  # between two densities
        return super().start(z, meter)


def test_in_the_papers_protocol_a_measure_counts_as_often_as_it_occurs():
    model, few = model_of(Forgetful(obeys=True), TRAIN), replace(FEW, guided=1, traversals=1)
    once = evaluate_model(model, TRAIN, PART, few).reconstruction
    right = PART.attributes[:, 0] * 8 - 2 <= 0.17
    at = np.concatenate([np.arange(len(PART)), *[np.flatnonzero(right)] * 3])
    often = evaluate_model(model, TRAIN, PART.take(at), few).reconstruction
    assert often["drawn"] == once["drawn"]
    assert often["all"] == once["all"]
    rows = {row.tobytes(): fine for row, fine in zip(PART.inputs, right, strict=True)}
    share = np.mean(list(rows.values()))
    assert 0.2 < share < 0.8
    assert once["all"]["measures"] == pytest.approx(share)
    whole = [right[i] for i in at]
    assert often["paper's protocol"]["measures"] == pytest.approx(np.mean(whole), abs=1e-9)


def test_all_of_the_training_part_is_seen():
    model, few = model_of(Known(obeys=True), TRAIN), replace(FEW, guided=2, traversals=1)
    found = evaluate_model(model, PART, PART, few)
    assert found.counts["unseen"] == 0
    assert math.isnan(found.reconstruction["unseen"]["tokens"])
    assert math.isnan(found.headline["unseen.control"])
    assert evaluate_model(model, PART, PART, few, known=TRAIN).counts["unseen"] > 0


def test_the_same_seed_gives_the_same_figures(obedient):
    model = model_of(Known(obeys=True), TRAIN)
    again = evaluate_model(model, TRAIN, PART, FEW, ABOUT)
    assert again.headline == obedient.headline
    assert again.control == obedient.control
    other = replace(FEW, seed=1, guided=2, traversals=1)
    assert evaluate_model(model, TRAIN, PART, other).control["latent"] != obedient.control["latent"]


def test_a_single_attribute_is_enough():
    model = model_of(Known(obeys=True), TRAIN, ("contour",))
    train, part = (Examples(e.inputs, e.attributes[:, 1:], ("contour",), e.pieces) for e in (TRAIN, PART))
    found = evaluate_model(model, train, part, FEW)
    assert math.isnan(found.headline["modularity"])
    assert math.isnan(found.headline["drift"])
    assert found.headline["control"] > 0.98
    assert tuple(found.headline) == headline_names(("contour",))


def test_examples_that_do_not_fit_the_model_are_refused():
    model = model_of(Known(obeys=True), TRAIN, ("contour",))
    with pytest.raises(ValueError, match="examples have"):
        evaluate_model(model, TRAIN, PART, FEW)
    with pytest.raises(ValueError, match="no examples to evaluate"):
        evaluate_model(model_of(Known(obeys=True), TRAIN), TRAIN, PART.take([]), FEW)


def test_headline_names_lists_the_whole_headline(obedient):
    assert tuple(obedient.headline) == headline_names(NAMES)
    assert lower_is_better("leakage.density")
    assert lower_is_better("guided.unseen.drift_sd")
    assert not lower_is_better("guided.control")


def test_json_holds_everything_but_the_evidence(obedient, capsys):
    print_json(obedient.to_json())
    read = json.loads(capsys.readouterr().out)
    assert read["headline"]["control"] == pytest.approx(obedient.headline["control"])
    assert read["about"]["options"]["requests"] == FEW.requests
    assert "evidence" not in read
    assert set(read["control"]["guided"]["all"]) == set(NAMES)


def test_published_values_are_the_papers():
    assert PUBLISHED["bach"]["AR-VAE, published"]["tokens"] == 0.9617
    assert {len(row) for corpus in PUBLISHED.values() for row in corpus.values()} == {6}


# ------------------------------------------------------------------------- its parts


def test_requests_are_other_measures_values_within_a_meter():
    values = np.arange(len(PART) * 2.0).reshape(-1, 2)
    drawn = control.draw(PART.inputs, values, np.random.default_rng(0))
    assert not (drawn == values).any()
    for _, at in tokens.by_meter(PART.inputs):
        for k in range(2):
            assert sorted(drawn[at, k]) == sorted(values[at, k])
    alone = control.draw(PART.inputs[:1], values[:1], np.random.default_rng(0))
    assert np.isnan(alone).all()


def test_levels_are_values_of_the_measures_meter():
    values = PART.attributes[:, 0].astype(float)
    table = control.levels(PART.inputs, values)
    for _, at in tokens.by_meter(PART.inputs):
        assert np.isin(table[at], values[at]).all()
    assert (np.diff(table, axis=1) >= 0).all()


def test_a_request_for_the_present_value_does_not_count_as_exact():
    """They are left out of `exact`: a decoder that copies would look as if it obeyed."""
    model = model_of(Known(obeys=False), TRAIN)
    outcome = control.outcome(model, PART.inputs, 0, PART.attributes[:, 0].astype(float), control.latent)
    assert control.hits(model, outcome).all()
    assert not control.open_requests(model, outcome).any()
    assert math.isnan(control.summary(model, outcome)["exact"])


def test_an_outcome_by_hand():
    model = model_of(Known(obeys=True), TRAIN)
    inputs = pack([row_of(4, 2, Meter(4)), row_of(6, -3, Meter(3))], [Meter(4), Meter(3)], MAX_TICKS)
    asked = np.array([8 / 24, 3 / 18])
    outcome = control.outcome(model, inputs, 0, asked, control.latent)
    assert outcome.outputs[0, 1:25].tolist() == row_of(8, 2, Meter(4)).tolist()
    assert outcome.outputs[1, 1:19].tolist() == row_of(3, -3, Meter(3)).tolist()
    assert outcome.realised == pytest.approx(asked)
    assert control.summary(model, outcome)["exact"] == 1
    assert (outcome.outputs[1, 19:] == inputs[1, 19:]).all()


def test_requests_that_cannot_be_drawn_are_left_out():
    model = model_of(Known(obeys=True), TRAIN)
    outcome = control.outcome(model, PART.inputs[:3], 0, np.full(3, np.nan), control.latent)
    assert len(outcome.requested) == 0
    assert math.isnan(control.summary(model, outcome)["rho"])


@given(st.lists(st.sampled_from([HOLD, HOLD, REST, BASE, BASE + 2]), min_size=12, max_size=12))
def test_valid_measures_survive_conversion_to_notes_and_back(tokens):
    tokens[0] = tokens[0] or REST  # what is tied into the measure is not in its row
    meter = Meter(2)
    row = np.array(tokens, dtype=np.int16)
    places = meter.tick_quarters
    notes = [Timed(places[n.tick], places[n.end_tick], n.pitch) for n in notes_of([row], 0)]
    back = cut(notes, Fraction(0), meter, 0).tokens
    assert back is not None
    assert bool(spelt(pack([row], [meter], MAX_TICKS))[0]) == (back.tolist() == tokens)


# ------------------------------------------------------------------------- the report


def test_tables_show_every_attribute_and_no_nan(obedient):
    found = report.tables(obedient)
    assert len({table.title for table in found}) == len(found)
    for table in found:
        assert all(len(row) == len(table.columns) for row in table.rows), table.title
    text = repr(found)
    assert "nan" not in text
    assert all(name in text for name in NAMES)
    assert "AR-VAE, published" in text
    assert report.number(float("nan")) == "-"
    assert report.number(None) == ""


def test_the_page_needs_nothing_from_elsewhere(deaf):
    named = Evaluation(**{**vars(deaf), "about": {**ABOUT, "model": "<script>alert(1)</script>"}})
    html = evaluation_page.page(named, model_of(Known(obeys=False), TRAIN))
    assert html.startswith("<!doctype html>")
    assert html.count("<figure>") >= 3 + 2 * len(NAMES)
    for outside in ('src="http', 'href="http', "url(http", "<script"):
        assert outside not in html
    assert html.count("data:image/png;base64,") == 3
    assert html.count("<svg") == 2 * len(NAMES)


def test_the_page_begins_with_the_verdict_and_ends_with_tables_that_are_explained(deaf):
    html = evaluation_page.page(deaf, model_of(Known(obeys=False), TRAIN))
    headings = re.findall(r"<h2>([^<]*)</h2>", html)
    assert headings[0] == "Verdict"
    assert headings[-1] == "All figures"
    assert all("<figure>" in part for part in html.split("<h2>")[2:-1])  # no section is empty
    tables = html.split("<h2>All figures</h2>")[1]
    assert html.count("<table>") == tables.count("<table>") == len(report.tables(deaf))
    for table in report.tables(deaf):
        for column in report.explained(table):
            assert f"<dt>{html_escape(column)}</dt>" in tables
    assert set(report.EXPLAINED) == set(report.NAMES)


def test_the_verdict_is_that_of_the_figures(obedient, deaf):
    levels = {one.question: one.level for one in verdict(obedient)}
    assert levels["Do edits reach what is requested?"] is Level.GOOD
    assert levels["Does the network obey without the search?"] is Level.GOOD
    assert {one.question: one.level for one in verdict(deaf)}["Does the network obey without the search?"] is Level.POOR
    silent = Evaluation(**{**vars(deaf), "headline": {**deaf.headline, "leakage": math.nan}})
    assert len(verdict(silent)) == len(verdict(deaf)) - 1


@pytest.mark.parametrize(
    ("figure", "value", "level"),
    [("guided.exact_mean", 0.95, Level.GOOD), ("guided.exact_mean", 0.949, Level.FAIR),
     ("guided.exact_mean", 0.79, Level.POOR), ("guided.drift_sd", 0.2, Level.GOOD),
     ("guided.drift_sd", 0.21, Level.FAIR), ("guided.drift_sd", 0.51, Level.POOR)],
)  # fmt: skip
def test_the_bounds_of_the_verdict(deaf, figure, value, level):
    result = Evaluation(**{**vars(deaf), "headline": {figure: value}})
    (finding,) = verdict(result)
    assert finding.level is level
    assert (f"{value:.0%}" if "exact" in figure else f"{value:.2f}") in finding.answer


def test_traversals_are_engraved(obedient):
    html = evaluation_page.page(obedient, model_of(Known(obeys=True), TRAIN))
    assert html.count("data:image/svg+xml;base64,") == 2 * len(NAMES)


def test_without_verovio_the_error_says_how_to_get_it(obedient, monkeypatch):
    monkeypatch.setitem(sys.modules, "verovio", None)
    with pytest.raises(ExtraError, match=r"needs verovio, which is not installed.*arvae\[report\]"):
        evaluation_page.page(obedient, model_of(Known(obeys=True), TRAIN))
