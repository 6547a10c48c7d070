"""Both runtimes give the same: tokens on tunes that no packaged model was trained on, and bytes on the command line."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from conftest import Run

from arvae_music import library
from arvae_music.arrays import Row
from arvae_music.corpora import bach
from arvae_music.corpora.corpus import Work
from arvae_music.corpora.shelves import piece_number
from arvae_music.errors import CheckpointError, UsageError
from arvae_music.music.meter import Meter
from arvae_music.networks import model
from arvae_music.networks.context_runtime import ContextRuntime
from arvae_music.networks.decoding import decode, decode_from, gumbel, log_probabilities
from arvae_music.networks.numpy_runtime import NumpyRuntime
from arvae_music.networks.runtime import Runtime, Wrapped
from arvae_music.networks.torch_runtime import TorchRuntime, torch_runtime_of
from arvae_music.vae import checkpoint
from arvae_music.vae.checkpoint import Checkpoint
from arvae_music.vae.examples import Examples, split

pytestmark = pytest.mark.process  # scores are read, the command line is run: six seconds

TUNES = 6  # of the test part of Bach: a score takes a quarter of a second to read
EACH = 8  # decodes of a measure, from sampled points


def test_works() -> list[Work]:
    """The works whose tunes are in the test part."""
    works = bach.works()
    pieces = np.array([piece_number(work.id) for work in works])
    every = Examples(np.arange(len(works))[:, None], np.zeros((len(works), 0), np.float32), (), pieces)
    return [works[at] for at in split(every).test.inputs[:, 0]]


test_works.__test__ = False  # its name begins as a test's does


@pytest.fixture(scope="module")
def rows() -> dict[Meter, Row]:
    """The measures of TUNES test tunes."""
    tunes = [found.tune for work in test_works() if (found := bach.extract(work)).tune is not None][:TUNES]
    assert len(tunes) == TUNES
    by_meter: dict[Meter, list[Row]] = {}
    for bar in (bar for tune in tunes for bar in tune.bars):
        by_meter.setdefault(bar.meter, []).append(bar.tokens)
    return {meter: np.stack(found) for meter, found in by_meter.items()}


@pytest.fixture(scope="module", params=checkpoint.packaged_names("measures"))
def runtimes(request: pytest.FixtureRequest) -> tuple[Runtime, Runtime]:
    made = checkpoint.read(request.param)
    return model.prepare(made).runtime, model.prepare(made, torch_runtime_of).runtime


def test_the_tokens_of_test_tunes_are_the_same(rows: dict[Meter, Row], runtimes: tuple[Runtime, Runtime]) -> None:
    ours, theirs = runtimes
    for meter, inputs in rows.items():
        z, log_variance = ours.posterior(inputs, meter)
        for mine, other in zip((z, log_variance), theirs.posterior(inputs, meter), strict=True):
            np.testing.assert_allclose(mine, other, atol=1e-4)
        assert np.array_equal(decode(ours, z, meter), decode(theirs, z, meter))
        which = np.repeat(np.arange(len(z)), EACH)
        noise = np.concatenate([gumbel(seed, meter.ticks, len(z)) for seed in range(EACH)], axis=1) * np.float32(0.5)
        bonus = np.linspace(0, 2, len(which), dtype=np.float32)
        drawn = [decode(runtime, z, meter, inputs[which], bonus, noise, which) for runtime in runtimes]
        assert np.array_equal(*drawn)
        np.testing.assert_allclose(*(log_probabilities(one, inputs, meter) for one in runtimes), atol=2e-3)


@pytest.mark.parametrize("meter", ["1/4", "3/4", "4/4", "6/8", "7/8", "8/4", "12/16"])
def test_any_meter_and_no_rows_at_all(meter: str, runtimes: tuple[Runtime, Runtime]) -> None:
    measure = Meter.parse(meter)
    z = np.random.default_rng(measure.code).standard_normal((20, runtimes[0].latent)).astype(np.float32)
    made, other = (decode(one, z, measure) for one in runtimes)
    assert np.array_equal(made, other)
    for mine, theirs in zip(*(one.posterior(made, measure) for one in runtimes), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)
    in_context = [one for one in runtimes if isinstance(one, ContextRuntime)]
    around = [one.contexts(list(made), [measure] * len(made)).of(range(len(made))) for one in in_context]
    for here, there in itertools.pairwise(around):
        np.testing.assert_allclose(here.state, there.state, atol=1e-4)
        np.testing.assert_allclose(here.memory, there.memory, atol=1e-4)
        starts = [one.start(z, measure, here) for one in in_context]
        drawn = [
            decode_from(one, start, np.arange(len(z)), measure) for one, start in zip(in_context, starts, strict=True)
        ]
        assert np.array_equal(*drawn)
    empty = np.zeros((0, measure.ticks), dtype=np.int16)
    for one in runtimes:
        assert one.encode(empty, measure).shape == (0, one.latent)


def innermost(runtime: Runtime) -> Runtime:
    """What runs the networks: a flow and exact codes are the same around both."""
    while isinstance(runtime, Wrapped):
        runtime = runtime.inner
    return runtime


def test_a_model_is_loaded_once_in_each_runtime() -> None:
    both = [library.load("bach", runtime=name) for name in library.RUNTIMES]
    assert [type(innermost(model.runtime)) for model in both] == [NumpyRuntime, TorchRuntime]
    assert library.load("bach", runtime="torch") is both[1]
    with pytest.raises(UsageError, match=r"no runtime 'onnx'; give numpy or torch"):
        library.load("bach", runtime="onnx")


def test_weights_that_do_not_fit_are_refused() -> None:
    made = checkpoint.read("bach")
    weights = dict(made.weights)
    del weights["decoder.tick_gru.bias"]
    with pytest.raises(CheckpointError, match="do not fit its dimensions"):
        TorchRuntime(Checkpoint(made.metadata, weights))


@pytest.mark.parametrize("command", [("edit", "--density", "+1.5"), ("vary", "-n", "2")])
def test_the_command_line_writes_the_same_bytes(
    command: tuple[str, ...], run_arvae: Run, melody: Path, work: Path
) -> None:
    written = []
    for runtime in library.RUNTIMES:
        folder = work / runtime
        done = run_arvae(*command, melody, "--runtime", runtime, "-o", f"{folder}/")
        assert done.returncode == 0, done.stderr
        written.append({path.name: path.read_bytes() for path in folder.glob("*.mid")})
    assert written[0] == written[1] != {}
    done = run_arvae(*command, melody, "--runtime", "onnx", "-o", f"{work / 'none'}/")
    assert (done.returncode, (work / "none").exists()) == (2, False)
