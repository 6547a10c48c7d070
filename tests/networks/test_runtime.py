"""The numpy runtime is held to the PyTorch model: codes within 1e-4, and the same tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import random_model

from arvae_music.arrays import Row
from arvae_music.music.meter import FIRST_CODES, MAX_TICKS, Meter, all_meters
from arvae_music.music.tokens import FIRST_PITCH, HOLD, REST, START, VOCABULARY, pack
from arvae_music.networks.decoding import decode, gumbel, log_probabilities, surprise
from arvae_music.networks.hierarchical import from_checkpoint
from arvae_music.networks.numpy_runtime import NumpyRuntime
from arvae_music.vae import checkpoint
from arvae_music.vae.checkpoint import Checkpoint
from arvae_music.vae.model import ArVae, posteriors

EACH = 25  # rows of every meter


@pytest.fixture(scope="module", params=["random", "each tick", "bach", "folk"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A model of random weights, biases included, and the packaged ones, of which folk's decoder has features of z."""
    if request.param not in ("random", "each tick"):
        return checkpoint.read(request.param)
    place = tmp_path_factory.mktemp("runtime") / "tiny.safetensors"
    tiny: Path = random_model(place, each_tick=request.param == "each tick")
    found, random = checkpoint.read(tiny), np.random.default_rng(0)
    weights = {
        name: value + 0.3 * random.standard_normal(value.shape).astype(np.float32)
        for name, value in found.weights.items()
    }
    return Checkpoint(found.metadata, weights, tiny)


@pytest.fixture(scope="module")
def theirs(made: Checkpoint) -> ArVae:
    return from_checkpoint(made)


@pytest.fixture(scope="module")
def ours(made: Checkpoint) -> NumpyRuntime:
    return NumpyRuntime(made)


def rows_of(meter: Meter, count: int = EACH, seed: int = 1) -> Row:
    """(count, ticks) measures of any kind, the odd ones too: all held, all rests."""
    random = np.random.default_rng([seed, meter.code])
    kinds = random.choice(3, size=(count, meter.ticks), p=[0.6, 0.1, 0.3])
    pitches = random.integers(FIRST_PITCH, VOCABULARY, kinds.shape)
    rows: Row = np.select([kinds == 0, kinds == 1], [HOLD, REST], pitches).astype(np.int16)
    rows[0], rows[1, 0], rows[1, 1:] = HOLD, REST, HOLD
    return rows


def packed(rows: Row, meter: Meter) -> torch.Tensor:
    return torch.from_numpy(pack(list(rows), [meter] * len(rows), MAX_TICKS))


# Those that every checkpoint has tables for, and two more. Other meters have stand-ins: see test_stand_ins.py.
FIRST = [meter for meter in all_meters() if meter.code < FIRST_CODES]
METERS = pytest.mark.parametrize("meter", [*FIRST, Meter.parse("7/8"), Meter.parse("12/16")], ids=lambda m: m.name)


@pytest.fixture(autouse=True)
def _known(request: pytest.FixtureRequest) -> None:
    if "meter" in request.fixturenames and "ours" in request.fixturenames:
        meter, ours = request.getfixturevalue("meter"), request.getfixturevalue("ours")
        if meter.code >= ours.dims.codes:
            pytest.skip("the checkpoint has no tables for this meter")


@METERS
def test_codes_are_pytorchs(meter: Meter, ours: NumpyRuntime, theirs: ArVae):
    rows = rows_of(meter)
    with torch.no_grad():
        expected = theirs.posterior(packed(rows, meter))
    mean, log_variance = ours.posterior(rows, meter)
    np.testing.assert_allclose(mean, expected.mean.numpy(), atol=1e-4)
    np.testing.assert_allclose(log_variance, expected.log_variance.numpy(), atol=1e-4)
    assert np.array_equal(ours.encode(rows, meter), mean)
    np.testing.assert_allclose(posteriors(theirs, packed(rows, meter).numpy())[0], mean, atol=1e-4)


@METERS
def test_tokens_are_pytorchs(meter: Meter, ours: NumpyRuntime, theirs: ArVae):
    rows = rows_of(meter)
    z = np.concatenate([ours.encode(rows, meter), np.random.default_rng(2).standard_normal((EACH, ours.latent))])
    z = z.astype(np.float32)
    blank = packed(np.concatenate([rows, rows]), meter)
    expected = theirs.decoder.generate(torch.from_numpy(z), blank)[:, 1 : 1 + meter.ticks].numpy()
    assert np.array_equal(decode(ours, z, meter), expected)
    assert np.array_equal(decode(ours, z, meter), expected)


@METERS
def test_log_probabilities_are_those_of_teacher_forcing(meter: Meter, ours: NumpyRuntime, theirs: ArVae):
    rows = rows_of(meter, 6)
    for z in (None, ours.encode(rows, meter)):
        points = torch.zeros(6, ours.latent) if z is None else torch.from_numpy(z)
        with torch.no_grad():
            logits = theirs.decoder(points, packed(rows, meter)).distribution.logits  # (6, B, v)
        expected = logits.log_softmax(dim=2).transpose(0, 1).reshape(6, meter.ticks, VOCABULARY).numpy()
        table = log_probabilities(ours, rows, meter, z)
        np.testing.assert_allclose(table, expected, atol=2e-3)
        by_hand = [-sum(expected[m, t, rows[m, t]] for t in range(meter.ticks)) for m in range(6)]
        np.testing.assert_allclose(surprise(table, rows), by_hand, rtol=1e-3, atol=1e-2)


def test_many_decodes_of_one_point_start_from_one_pass(ours: NumpyRuntime):
    meter, z = Meter(3), np.random.default_rng(0).standard_normal((3, ours.latent)).astype(np.float32)
    which = np.array([2, 0, 0, 1, 2])
    assert np.array_equal(decode(ours, z, meter, which=which), decode(ours, z[which], meter))


def test_a_large_bonus_brings_the_original_back_and_none_changes_nothing(ours: NumpyRuntime):
    meter, rows = Meter(4), rows_of(Meter(4))
    z = np.zeros((EACH, ours.latent), dtype=np.float32)
    bonus = np.zeros(EACH, dtype=np.float32)
    bonus[::2] = 1e4
    found = decode(ours, z, meter, rows, bonus)
    assert np.array_equal(found[::2], rows[::2])
    assert np.array_equal(found[1::2], decode(ours, z, meter)[1::2])


def test_gumbel_noise_samples_from_the_models_own_distribution(ours: NumpyRuntime):
    """Chi-squared of the first token over many draws from one point."""
    meter, count = Meter(2), 4000
    z = np.zeros((1, ours.latent), dtype=np.float32)
    which = np.zeros(count, dtype=np.int64)
    drawn = decode(ours, z, meter, noise=gumbel(3, meter.ticks, count), which=which)[:, 0]
    logits = ours.step(ours.start(z, meter), np.array([START]), np.array([HOLD]))[0].astype(np.float64)
    share = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    likely = share > 0.005
    off = np.bincount(drawn, minlength=VOCABULARY)[likely] - count * share[likely]
    assert (off**2 / (count * share[likely])).sum() < likely.sum() + 5 * np.sqrt(2 * likely.sum())
    assert len(np.unique(drawn)) > 1


def test_noise_is_one_table_a_seed():
    assert np.array_equal(gumbel(1, 6, 4), gumbel(1, 6, 4))
    assert not np.array_equal(gumbel(1, 6, 4), gumbel(2, 6, 4))
    with pytest.raises(ValueError, match="read-only"):
        gumbel(1, 6, 4)[0, 0, 0] = 1
    assert np.isfinite(gumbel(1, 24, 64)).all()


def test_weights_of_any_size_cannot_overflow(made: Checkpoint):
    large = Checkpoint(made.metadata, {name: value * np.float32(50) for name, value in made.weights.items()})
    runtime = NumpyRuntime(large)
    with np.errstate(over="raise", invalid="raise"):
        z = runtime.encode(rows_of(Meter(4)), Meter(4))
        decode(runtime, z, Meter(4))
    assert np.isfinite(z).all()


@METERS
def test_no_rows_have_no_codes_and_no_tokens(meter: Meter, ours: NumpyRuntime):
    assert ours.encode(rows_of(meter)[:0], meter).shape == (0, ours.latent)
    assert decode(ours, np.zeros((0, ours.latent), dtype=np.float32), meter).shape == (0, meter.ticks)


@pytest.mark.parametrize("ticks", [0, 4, 6, 11], ids=lambda n: f"after {n}")  # within a beat and between two
def test_rows_taken_from_a_state_continue_unchanged(ticks: int, ours: NumpyRuntime):
    meter, at = Meter(2, compound=True), np.array([2, 0, 2, 1])
    z = np.random.default_rng(8).standard_normal((3, ours.latent)).astype(np.float32)
    tokens = rows_of(meter, 3).astype(np.int64)
    state = ours.start(z, meter)
    for tick in range(ticks):
        ours.step(state, tokens[:, tick], tokens[:, tick])
    taken = state.take(at)
    assert taken.tick == state.tick == ticks
    for tick in range(ticks, meter.ticks):  # the whole goes on first: what was taken must not notice
        expected = ours.step(state, tokens[:, tick], tokens[:, tick])[at]
        found = ours.step(taken, tokens[at, tick], tokens[at, tick])
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
