"""The network in context: its windows, what it may know of a measure, and the same numbers in PyTorch and in numpy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from context_cases import DIMS, HELD_OUT, SPECS, TUNES, network, tune
from hypothesis import given, settings
from hypothesis import strategies as st

from arvae_music.errors import CheckpointError
from arvae_music.music.meter import MAX_TICKS, Meter
from arvae_music.music.tokens import FIRST_PITCH, HOLD, REST, START
from arvae_music.networks.context import (
    AFTER_END,
    NO_MODE,
    PLACE_LIMIT,
    WINDOW,
    ContextDims,
    situation,
    weight_shapes,
    windows,
)
from arvae_music.networks.context_runtime import ContextRuntime
from arvae_music.networks.contextual import Given, Window, nats
from arvae_music.networks.decoding import decode, decode_from
from arvae_music.networks.passages import ABSENT, SIDE, Passages
from arvae_music.networks.torch_context_runtime import TorchContextRuntime
from arvae_music.vae.checkpoint import Checkpoint
from arvae_music.vae.metadata import Metadata

PASSAGES = Passages.of(TUNES, SPECS)


def checkpoint(seed: int = 0) -> Checkpoint:
    weights = {name: value.numpy() for name, value in network(seed).state_dict().items()}
    return Checkpoint(Metadata("measures", DIMS.to_json(), (), (), (), {}, {}, {}, None, {}), weights)


def one_window(passages: Passages, run: int, offset: int = 0) -> Window:
    at, here = passages.window(np.array([run]), np.array([offset]))
    return Window.of_packed(torch.from_numpy(passages.packed(at, here)))


# ------------------------------------------------------------------------------------ tunes and windows


@settings(max_examples=30)
@given(st.lists(st.integers(0, 60), max_size=5), st.integers(4, 20))
def test_windows_read_every_measure_once_in_its_widest_context(lengths: list[int], width: int):
    ends = np.cumsum([0, *lengths]).tolist()
    runs = [(a, b) for a, b in pairwise(ends) if b > a]
    read = [i for _, _, begin, end in windows(runs, width) for i in range(begin, end)]
    assert sorted(read) == list(range(ends[-1]))
    for first, last, begin, end in windows(runs, width):
        (run,) = [run for run in runs if run[0] <= first < run[1]]
        assert run[0] <= first <= begin < end <= last <= min(run[1], first + width)
        assert first == run[0] or begin - first >= width // 4
        assert last == run[1] or last - end >= width // 4


def test_a_gap_and_a_change_of_meter_part_a_run():
    rows, meters = TUNES[2].rows, TUNES[2].meters
    assert situation(rows, meters).runs == ((0, 7), (8, 20))
    changing = tune(3, 18, changes=True)
    assert situation(changing.rows, changing.meters).runs == ((0, 9), (9, 18))


def test_the_situation_of_a_short_tune():
    four = Meter(4)
    rows = [np.full(24, HOLD, dtype=np.int16) for _ in range(4)]
    rows[0][[0, 12]] = 30, 31
    rows[2][[0, 6]] = REST, FIRST_PITCH  # of pitch class 11
    found = situation(rows, [four] * 4)
    assert found.places.tolist() == [[0, 3, 0], [1, 2, 1], [2, 1, 2], [3, 0, 3]]
    assert found.entering.tolist() == [REST, 31, 31, FIRST_PITCH]
    assert found.after.tolist() == [HOLD, REST, HOLD, AFTER_END]
    assert found.mode == 11
    assert situation(rows[1:2], [four]).mode == NO_MODE
    long = situation(rows * 10, [four] * 40).places
    assert long[:, 0].max() == long[:, 1].max() == PLACE_LIMIT


def test_passages_hold_the_measures_that_have_tokens():
    every = [(t, i) for t, own in enumerate(TUNES) for i, row in enumerate(own.rows) if row is not None]
    assert list(zip(PASSAGES.tune.tolist(), PASSAGES.place.tolist(), strict=True)) == every
    for at, (t, i) in enumerate(every):
        row, meter = TUNES[t].rows[i], TUNES[t].meters[i]
        assert PASSAGES.inputs[at, 0] == meter.code
        assert PASSAGES.inputs[at, 1 : 1 + meter.ticks].tolist() == row.tolist()
        assert PASSAGES.counted[at] == TUNES[t].counted[i]
    assert len(PASSAGES.examples) == sum(sum(own.counted) for own in TUNES)
    assert PASSAGES.lengths.sum() == len(PASSAGES)
    assert (PASSAGES.ticks[PASSAGES.runs[:, 0]] == PASSAGES.ticks[PASSAGES.runs[:, 1] - 1]).all()


def test_a_packed_window_is_what_the_situation_says():
    own = TUNES[2]
    place = situation(own.rows, own.meters)
    run = int(np.flatnonzero(PASSAGES.tune[PASSAGES.runs[:, 0]] == 2)[1])  # measures 8 to 19
    at, here = PASSAGES.window(np.array([run]), np.array([-3]))
    packed = PASSAGES.packed(at, here)
    assert packed.shape == (1, WINDOW, 1 + 24 + SIDE)
    assert (packed[0, :3, 0] == ABSENT).all()
    assert (packed[0, :3, 1:25] == HOLD).all()
    at, here = PASSAGES.window(np.array([run]), np.array([0]))
    window = Window.of_packed(torch.from_numpy(PASSAGES.packed(at, here)))
    assert window.here[0].tolist() == [True] * 12 + [False] * 4
    assert window.rows[0, :12].tolist() == [row.tolist() for row in own.rows[8:]]
    assert window.places[0, :12].tolist() == place.places[8:].tolist()
    assert window.entering[0, :12].tolist() == place.entering[8:].tolist()
    assert window.after[0, :12].tolist() == place.after[8:].tolist()
    assert (window.modes.tolist(), window.codes.tolist()) == ([place.mode], [own.meters[8].code])


# ------------------------------------------------------------------------------------ what a measure's context knows


@pytest.mark.parametrize("at", [0, 1, 5, 15])
def test_the_context_of_a_measure_does_not_depend_on_the_measure(at: int):
    """Else the likelihood of a measure given its neighbours would be no likelihood."""
    net = network()
    window = one_window(PASSAGES, int(np.flatnonzero(PASSAGES.lengths >= WINDOW)[0]))
    changed = window.rows.clone()
    changed[0, at, 1:] = (changed[0, at, 1:] + 7) % (FIRST_PITCH + 40)
    with torch.no_grad():
        before, after = (net.read(window._replace(rows=rows))[1] for rows in (window.rows, changed))
    torch.testing.assert_close(before.state[at], after.state[at])
    torch.testing.assert_close(before.memory[at], after.memory[at])
    others = torch.arange(WINDOW) != at
    here = window.here[0] & others
    assert (before.state[here] - after.state[here]).abs().max() > 1e-4


def test_measures_that_are_not_there_change_nothing():
    net = network()
    window = one_window(PASSAGES, int(np.flatnonzero(PASSAGES.tune[PASSAGES.runs[:, 0]] == 0)[0]))
    assert window.here.sum() == 5
    short = Window(
        window.rows[:, :5], window.codes, window.here[:, :5], window.places[:, :5], window.modes,
        window.entering[:, :5], window.after[:, :5],
    )  # fmt: skip
    with torch.no_grad():
        (_, long), (_, exact) = net.read(window), net.read(short)
    torch.testing.assert_close(long.state[:5], exact.state)
    torch.testing.assert_close(long.memory[:5], exact.memory)


def test_what_is_not_given_is_not_seen():
    z = torch.randn(3, 6)
    seen = Given(torch.tensor([[1.0, 0, 0, 1]] * 3), torch.zeros(3, 1)).seen(z)
    assert seen.tolist() == torch.cat(
        [z[:, :1], torch.zeros(3, 2), z[:, 3:4], torch.zeros(3, 2), torch.tensor([[1.0, 0, 0, 1, 0]] * 3)], dim=1
    ).tolist()
    assert Given.nothing(z, 4).seen(z).abs().sum() == 0
    assert Given.all(z, 4).seen(z).tolist() == torch.cat([z, torch.ones(3, 5)], dim=1).tolist()


def test_nats_are_those_of_the_tokens():
    logits = torch.randn(5, 2, 9)
    rows = torch.randint(0, 9, (2, 5))
    logs = logits.log_softmax(dim=2)
    expected = [-sum(float(logs[t, b, rows[b, t]]) for t in range(5)) for b in range(2)]
    assert nats(logits, rows).tolist() == pytest.approx(expected, rel=1e-5)


# ------------------------------------------------------------------------------------ PyTorch and numpy


def close(one: np.ndarray, other: np.ndarray) -> None:
    np.testing.assert_allclose(one, other, atol=2e-5)


def test_all_weights_have_the_shapes_that_are_stated():
    assert {name: tuple(value.shape) for name, value in network().state_dict().items()} == weight_shapes(DIMS)
    assert ContextDims.from_json(DIMS.to_json()) == DIMS


@pytest.mark.parametrize("own", [TUNES[1], TUNES[2], TUNES[3], TUNES[4], HELD_OUT[0]], ids=range(5))
def test_numpy_and_pytorch_agree(own):
    made = checkpoint()
    numpy, pytorch = ContextRuntime(made), TorchContextRuntime(made)
    both = [runtime.contexts(own.rows, own.meters) for runtime in (numpy, pytorch)]
    assert both[0].entering.tolist() == both[1].entering.tolist()
    for meter in {meter for meter in own.meters if meter}:
        at = [i for i, other in enumerate(own.meters) if other == meter]
        rows = np.stack([own.rows[i] for i in at])
        one, other = both[0].of(at), both[1].of(at)
        close(one.state, other.state)
        close(one.memory, other.memory)
        points = [r.posterior(rows, meter, c) for r, c in ((numpy, one), (pytorch, other))]
        close(points[0][0], points[1][0])
        close(points[0][1], points[1][1])
        close(numpy.encode(rows, meter), pytorch.encode(rows, meter))  # without a context
        shown = np.random.default_rng(0).random((len(at), 5)) < 0.5
        every = np.arange(len(at))
        decoded = [
            [decode_from(r, r.start(points[0][0], meter, c, every, g), every, meter) for g in (None, shown)]
            for r, c in ((numpy, one), (pytorch, other))
        ]
        assert (np.array(decoded[0]) == np.array(decoded[1])).all()
        assert (decode(numpy, points[0][0], meter) == decode(pytorch, points[0][0], meter)).all()


def test_the_runtime_gives_the_logits_of_training():
    own, net, numpy = TUNES[6], network(), ContextRuntime(checkpoint())  # one whole window
    window = one_window(PASSAGES, int(np.flatnonzero(PASSAGES.tune[PASSAGES.runs[:, 0]] == 6)[0]))
    with torch.no_grad():
        summary, context = net.read(window)
        mean = net.posterior(summary, context).mean
        logits = net.decoder(Given.all(mean, 4).seen(mean), context, window.rows[0]).numpy()
        free = net.decoder.free(Given.all(mean, 4).seen(mean), context).numpy()
    here = numpy.contexts(own.rows, own.meters).of(range(16))
    meter, rows = own.meters[0], np.stack(own.rows)
    state = numpy.start(mean.numpy(), meter, here)
    previous, sounding = np.full(16, START), here.entering
    assert decode_from(numpy, numpy.start(mean.numpy(), meter, here), np.arange(16), meter).tolist() == free.tolist()
    for tick in range(meter.ticks):
        close(numpy.step(state, previous, sounding), logits[tick])
        previous = rows[:, tick].astype(np.int64)
        sounding = np.where(previous == HOLD, sounding, previous)


def test_weights_of_other_dimensions_are_refused():
    made = checkpoint()
    weights = {**made.weights, "decoder.to_tokens.bias": np.zeros(3, np.float32)}
    for runtime in (ContextRuntime, TorchContextRuntime):
        with pytest.raises(CheckpointError, match="train anew"):
            runtime(Checkpoint(made.metadata, weights))


def test_no_measures_at_all():
    assert len(Passages.of([], SPECS)) == 0
    assert Passages.of([], SPECS).stretches() == []
    assert PASSAGES.inputs.shape[1] == 1 + MAX_TICKS
