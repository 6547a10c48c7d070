"""From a PyTorch model to a checkpoint: where attributes lie that no dimension was trained for, and given codes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from training_cases import DIMS, SPECS, TRAIN, model, saved

from arvae_music.evaluation import control
from arvae_music.music.attributes import PAPER, evaluate, evaluate_mixed, find
from arvae_music.music.meter import Meter
from arvae_music.music.tokens import HOLD, by_meter, token_of
from arvae_music.networks.hierarchical import build, from_checkpoint, mirrored
from arvae_music.networks.model import prepare
from arvae_music.networks.numpy_runtime import NumpyRuntime
from arvae_music.training.calibration import find_dimensions
from arvae_music.training.joint_values import _distinct_rows, combinations_of
from arvae_music.training.music_recipe import to_checkpoint
from arvae_music.vae.checkpoint import read, write
from arvae_music.vae.examples import Examples
from arvae_music.vae.model import posteriors
from arvae_music.vae.normal_scores import Codes
from arvae_music.vae.scales import NOT_CARRIED

# ------------------------------------------------------------------------------------ found


def test_each_attribute_gets_the_dimension_that_tells_most_of_it_and_its_own():
    random = np.random.default_rng(0)
    values = random.standard_normal((4000, 3))
    codes = random.standard_normal((4000, 6))
    codes[:, 4] = values[:, 0] + 0.1 * codes[:, 4]
    codes[:, 1] = -values[:, 1] + 0.5 * codes[:, 1]
    codes[:, 2] = values[:, 2] + 0.5 * codes[:, 2]
    assert find_dimensions(codes, values) == ((4, 1, 2), (1,))
    values[:, 2] = values[:, 0] + 0.3 * random.standard_normal(4000)  # its best dimension is taken
    codes[:, 2] = -values[:, 0] + 2 * random.standard_normal(4000)
    assert find_dimensions(codes, values) == ((4, 1, 2), (1, 2))


@pytest.mark.parametrize("wide", [0, 5])
def test_mirrored_weights_are_the_same_model_with_codes_turned_round(wide: int):
    dims = replace(DIMS, wide=wide)
    plain, inputs = model(dims=dims), torch.from_numpy(TRAIN.inputs)
    weights = {name: value.numpy() for name, value in plain.state_dict().items()}
    other = build(dims).eval()
    other.load_state_dict({n: torch.from_numpy(v.copy()) for n, v in mirrored(weights, [1, 3], 6).items()})
    sign = torch.tensor([1.0, -1, 1, -1, 1, 1])
    with torch.no_grad():
        mine, theirs = plain.posterior(inputs), other.posterior(inputs)
    torch.testing.assert_close(theirs.mean, mine.mean * sign)
    torch.testing.assert_close(theirs.log_variance, mine.log_variance)
    assert torch.equal(plain.decoder.generate(mine.mean, inputs), other.decoder.generate(mine.mean * sign, inputs))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_found_attributes_rise_with_their_codes(seed: int):
    made = saved("found", seed)
    own = made.metadata.scales[:4]
    dimensions = [scale.dimension for scale in own]
    assert len(set(dimensions)) == 4
    codes = posteriors(from_checkpoint(made), TRAIN.inputs)[0][:, dimensions]
    for k, scale in enumerate(own):
        assert scale.codes[0] < scale.codes[-1]
        assert scale.code_sd == pytest.approx(codes[:, k].std(), rel=1e-4)
    assert [scale.dimension for scale in made.metadata.scales[4:]] == [NOT_CARRIED] * 4


def test_looking_for_dimensions_leaves_the_model_in_training_as_it_was():
    plain = model()
    before = {name: value.clone() for name, value in plain.state_dict().items()}
    to_checkpoint(plain, DIMS, TRAIN, SPECS, [""] * 4, {}, {}, "found")
    assert all(torch.equal(value, before[name]) for name, value in plain.state_dict().items())


# ------------------------------------------------------------------------------------ given


def test_given_codes_are_normal_scores_and_survive_the_file(tmp_path):
    write(tmp_path / "given.safetensors", saved("given"))
    made = read(tmp_path / "given.safetensors")
    values = TRAIN.attributes.astype(np.float64)
    for k, scale in enumerate(made.metadata.scales[:4]):
        assert scale.given
        known = Codes.of_examples(TRAIN).scores[k]
        np.testing.assert_allclose(scale.code(values[:, k]), known.code(values[:, k]), atol=1e-9)
        np.testing.assert_allclose(scale.value(scale.code(values[:, k])), values[:, k], atol=1e-9)
        np.testing.assert_allclose(scale.log_variance(known.levels), 2 * np.log(known.sd), atol=1e-9)
    assert not any(scale.given for scale in made.metadata.scales[4:])


def test_encoding_a_measure_measures_it():
    made = saved("given")
    prepared, bare = prepare(made), NumpyRuntime(made)
    for meter, at in by_meter(TRAIN.inputs):
        rows = TRAIN.inputs[at, 1 : 1 + meter.ticks]
        mean, log_variance = prepared.runtime.posterior(rows, meter)
        values = evaluate(SPECS, rows, meter)
        for k, scale in enumerate(made.metadata.scales[:4]):
            np.testing.assert_allclose(mean[:, k], scale.code(values[:, k]), rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(log_variance[:, k], scale.log_variance(values[:, k]), rtol=1e-5)
        np.testing.assert_array_equal(mean[:, 4:], bare.encode(rows, meter)[:, 4:])
        np.testing.assert_array_equal(log_variance[:, 4:], bare.posterior(rows, meter)[1][:, 4:])
        np.testing.assert_array_equal(prepared.runtime.encode(rows, meter), mean)


def test_a_latent_edit_gives_the_decoder_the_requested_value():
    """Weights that spell an attribute out are not needed: what reaches the decoder is what counts."""
    prepared = prepare(saved("given"))
    engine = prepared.restricted(PAPER)
    before = evaluate_mixed(engine.specs, TRAIN.inputs)
    wanted = np.full(before.shape, np.nan)
    wanted[:, 1] = before[::-1, 1]
    for meter, at in by_meter(TRAIN.inputs):
        z = engine.runtime.encode(TRAIN.inputs[at, 1 : 1 + meter.ticks], meter)
        moved = engine.moved(z, before[at], wanted[at], meter)
        expected = engine.metadata.scales[1].code(wanted[at, 1])
        np.testing.assert_allclose(moved[:, 1], expected, rtol=1e-4, atol=1e-5)
    outcome = control.outcome(engine, TRAIN.inputs, 1, before[::-1, 1], control.latent)
    assert outcome.outputs.shape == TRAIN.inputs.shape


def test_trained_attributes_lie_in_the_first_dimensions():
    made = saved("trained")
    assert [scale.dimension for scale in made.metadata.scales] == [0, 1, 2, 3] + [NOT_CARRIED] * 4
    assert not any(scale.given for scale in made.metadata.scales)


# ------------------------------------------------------------------------------------ combinations


def test_the_corpuss_combinations_are_known_each_once_and_further_ones_of_its_meters():
    known, again = combinations_of(TRAIN, SPECS), combinations_of(TRAIN, SPECS)
    np.testing.assert_array_equal(known.table, again.table)
    found = {tuple(row) for row in known.table[:, :5].tolist()}
    assert len(found) == len(known.groups)
    own = {tuple(row) for row in np.column_stack([TRAIN.inputs[:, 0], TRAIN.attributes]).astype(np.float32).tolist()}
    assert own < found
    assert set(known.groups.tolist()) == set(TRAIN.inputs[:, 0].tolist())


def test_combinations_are_of_measures_where_they_stand():
    """Of one measure nothing else can be mixed: moved along the scale, a third would be a semitone less."""
    row = np.full(13, HOLD, dtype=np.int16)
    row[[0, 1, 7]] = Meter(2).code, token_of(60), token_of(64)
    rows = np.repeat(row[None], 3, axis=0)
    alone = Examples(rows, evaluate_mixed(SPECS, rows).astype(np.float32), PAPER, np.arange(3))
    found = combinations_of(alone, SPECS).values[:, PAPER.index("contour")]
    assert found == pytest.approx([alone.column("contour")[0]])


def test_what_no_code_carries_does_not_decide_which_combination_is_nearest():
    made = saved("given").metadata
    rows = TRAIN.inputs[:20]
    before = evaluate_mixed([find(name) for name in made.names], rows)
    wanted = np.full(before.shape, np.nan)
    wanted[:, 2] = before[::-1, 2]
    other = before.copy()
    other[:, 4:] = before[::-1, 4:]  # of those that are only measured
    z, groups = np.zeros((20, DIMS.latent)), rows[:, 0].astype(np.int64)
    moved = made.moved(z, before, wanted, groups=groups)
    np.testing.assert_array_equal(made.moved(z, other, wanted, groups=groups), moved)
    assert (moved != 0).any()


def test_distinct_rows_are_those_of_numpy_in_its_order():
    rows = np.random.default_rng(0).integers(-2, 2, (500, 4)).astype(np.int16) * 301
    np.testing.assert_array_equal(_distinct_rows(rows), np.unique(rows, axis=0))
