"""Training of a model in context: its batches, its objective, resuming, and the checkpoint that it leaves."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from context_cases import DIMS, HELD_OUT, OPTIONS, SPECS, TUNES, data, network, plan, trainer, tune

from arvae_music.errors import CorpusError
from arvae_music.music.meter import Meter
from arvae_music.music.tokens import PAD
from arvae_music.networks.context import WINDOW
from arvae_music.networks.context_runtime import ContextRuntime
from arvae_music.networks.contextual import Given, Passed, nats
from arvae_music.networks.decoding import decode_from
from arvae_music.networks.model import prepare
from arvae_music.networks.passages import ABSENT, Passages
from arvae_music.training import context_recipe
from arvae_music.training.batches import Rank
from arvae_music.training.losses import attribute_loss
from arvae_music.training.music_recipe import MEASURES
from arvae_music.training.objectives import contextual
from arvae_music.training.objectives.objective import Batch, Setting, Step
from arvae_music.training.trainer import Trainer
from arvae_music.training.window_batches import TICKS, WindowBatches, WindowJudge
from arvae_music.vae import checkpoint
from arvae_music.vae.model import Posterior
from arvae_music.vae.statistics import spearman

CPU = torch.device("cpu")
TRAIN, VALID = Passages.of(TUNES, SPECS), Passages.of(HELD_OUT, SPECS)


def weights(made: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in made.model.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# ------------------------------------------------------------------------------------ batches


def source(batch: int = 64, seed: int = 0, rank: Rank = Rank()) -> WindowBatches:  # noqa: B008  # it is frozen
    return WindowBatches(TRAIN, batch, seed, rank, CPU)


def test_a_batch_has_windows_of_consecutive_measures_of_one_number_of_ticks():
    seen = set()
    made = source()
    for step in range(100):
        batch = made.batch(step)
        w, m, width = batch.inputs.shape
        ticks = width - 1 - 6
        assert (m, len(batch.values)) == (WINDOW, w * m)
        assert w == max(64 * TICKS // (WINDOW * ticks), 1)
        seen.add(ticks)
        for window, values in zip(batch.inputs.numpy(), batch.values.numpy().reshape(w, m, -1), strict=True):
            here = window[:, 0] != ABSENT
            count = int(here.sum())
            assert here[:count].all()
            assert count >= 1
            starts = [
                at for run, (a, b) in enumerate(TRAIN.runs) for at in range(a, b - count + 1)
                if (TRAIN.inputs[at : at + count, : 1 + ticks] == window[:count, : 1 + ticks]).all()
                and (TRAIN.sides[at : at + count] == window[:count, -6:]).all()
            ]  # fmt: skip
            assert len(starts) == 1
            assert (TRAIN.values[starts[0] : starts[0] + count] == values[:count]).all()
            run = int(np.searchsorted(TRAIN.runs[:, 1], starts[0], side="right"))
            assert count == min(TRAIN.lengths[run], WINDOW)  # a window never ends before it must
    assert seen == {12, 18, 24}


def test_measures_that_are_no_examples_may_have_a_meter_of_their_own():
    rare = Meter.parse("7/4")
    upbeat = tune(20, 12)
    rows, meters = [np.zeros(rare.ticks, dtype=np.int16), *upbeat.rows], [rare, *upbeat.meters]
    odd = replace(upbeat, rows=rows, meters=meters, counted=[False, *upbeat.counted])
    made = MEASURES.trainer(plan(), data([*TUNES, odd]), CPU)
    assert made.model.dims.codes > rare.code
    assert (made.source.train.ticks == (made.source.train.inputs[:, 1:] != PAD).sum(axis=1)).all()
    assert list(made.run())[-1].progress == 1


def test_ranks_divide_the_batch_of_a_step():
    for step in range(6):
        whole = source().batch(step)
        halves = [source(rank=Rank(i, 2)).batch(step) for i in range(2)]
        if len(whole.inputs) % 2 == 0:
            assert torch.equal(torch.stack([half.inputs for half in halves], dim=1).flatten(0, 1), whole.inputs)
        assert halves[0].inputs.shape == halves[1].inputs.shape


def test_a_step_has_its_batch_whenever_it_is_drawn():
    one, other = source(), source()
    other.batch(5)
    assert torch.equal(one.batch(3).inputs, other.batch(3).inputs)
    drawn = one.further(3), other.further(3)
    assert torch.equal(drawn[0](64).inputs, drawn[1](64).inputs)
    assert drawn[0](64).inputs.shape[:2] == (4, WINDOW)
    assert any(not torch.equal(source(seed=1).batch(i).inputs, one.batch(i).inputs) for i in range(3))


def test_an_epoch_has_as_many_tokens_as_the_corpus():
    made = source(batch=8)
    assert made.steps_per_epoch == round(int(TRAIN.ticks.sum()) / (8 * TICKS))
    assert made.rows * made.steps_per_epoch == pytest.approx(len(TRAIN))
    assert source(batch=10**6).steps_per_epoch == 1


@pytest.mark.parametrize("tunes", [[], [tune(4, 1), tune(5, 1)], [tune(1, 2, gap=1)]])
def test_a_corpus_without_consecutive_measures_is_refused(tunes):
    with pytest.raises(CorpusError, match=r"no two measures of one meter follow each other.*ar-vae"):
        WindowBatches(Passages.of(tunes, SPECS), 64, 0, Rank(), CPU)


def test_a_corpus_without_a_held_out_tune_is_refused():
    with pytest.raises(CorpusError, match="too small to hold a tune out"):
        context_recipe.trainer(plan(), data(valid=[]), CPU)


# ------------------------------------------------------------------------------------ the objective


def objective() -> contextual.Contextual:
    return contextual.make(Setting(6, TRAIN.values, beta=0.5, gamma=2.0, delta=3.0))


def step_of(batch: Batch, seed: int = 0) -> Step:
    torch.manual_seed(seed)
    rows = batch.inputs.shape[0] * batch.inputs.shape[1]
    mean, log_variance = torch.randn(rows, 6), torch.randn(rows, 6)
    passed = Passed(Posterior(mean, log_variance), torch.randn(rows, 6), torch.rand(rows), None)
    return Step(None, batch, passed, 0.0, None)


def test_the_terms_are_means_over_the_measures_that_are_there():
    batch = next(b for b in (source(16).batch(i) for i in range(100)) if (b.inputs[:, :, 0] != ABSENT).all())
    step, made = step_of(batch), objective()
    found = made.terms(step)
    here = batch.inputs[:, :, 0].flatten() != 0
    (mean, log_variance), z, loss, _ = step.outputs
    kl = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1)[here]
    codes, values = z[here, :4], batch.values[here]
    parts = {
        "reconstruction": loss[here].mean(), "kl": kl[:, 4:].sum(1).mean(), "attribute_kl": kl[:, :4].sum(1).mean(),
        "attribute": attribute_loss(codes, values, 3.0),
    }  # fmt: skip
    assert found.parts.keys() == parts.keys()
    for name, part in parts.items():
        torch.testing.assert_close(found.parts[name], part, msg=name)
    total = parts["reconstruction"] + 0.5 * parts["kl"] + contextual.OWN * 0.5 * parts["attribute_kl"]
    torch.testing.assert_close(found.total, total + 2.0 * parts["attribute"])


def test_measures_that_are_not_there_do_not_count():
    batch = next(b for b in (source(16).batch(i) for i in range(100)) if (b.inputs[:, :, 0] == ABSENT).any())
    step = step_of(batch)
    gone = (batch.inputs[:, :, 0] == ABSENT).flatten()
    changed = Passed(
        Posterior(*(torch.where(gone[:, None], side + 9, side) for side in step.outputs.posterior)),
        torch.where(gone[:, None], step.outputs.z + 9, step.outputs.z),
        torch.where(gone, step.outputs.nats + 9, step.outputs.nats),
        None,
    )
    torch.manual_seed(1)
    before = objective().terms(step)
    torch.manual_seed(1)
    assert float(objective().terms(replace(step, outputs=changed)).total) == pytest.approx(float(before.total))


def test_the_attribute_loss_compares_with_measures_of_earlier_steps():
    made = objective()
    first, second = source(16).batch(0), source(16).batch(1)
    made.terms(step_of(first))
    kept = min(contextual.REMEMBERED, len(first.values))
    assert int(made.memory["count"]) == kept
    memory = made.memory["codes"][:kept].clone(), made.memory["values"][:kept].clone()
    step = step_of(second, 7)
    here = (second.inputs[:, :, 0] != 0).flatten()
    at = here.nonzero()[:, 0][torch.arange(len(here)) % int(here.sum())]
    codes, values = step.outputs.z[at, :4], second.values[at]
    expected = attribute_loss(torch.cat([codes, memory[0]]), torch.cat([values, memory[1]]), 3.0)
    torch.testing.assert_close(made.terms(step).parts["attribute"], expected)
    for i in range(5):
        made.terms(step_of(source(64).batch(i)))
    assert int(made.memory["count"]) == contextual.COMPARED


def test_what_the_decoder_gets_is_drawn_in_the_stated_shares():
    made, batch = objective(), source(400).batch(0)
    torch.manual_seed(0)
    drawn = [made.arguments(batch) for _ in range(60)]
    attributes, others = (torch.cat([getattr(given, name) for _, given, _ in drawn]) for name in Given._fields)
    whole = others[:, 0] > 0
    assert float(whole.float().mean()) == pytest.approx(contextual.EVERYTHING, abs=0.02)
    sketched = others[whole, 0] < 1
    assert float(sketched.float().mean()) == pytest.approx(contextual.SKETCHED, abs=0.02)
    assert (attributes[whole] == 1).all()
    some = (attributes.sum(1) > 0) & ~whole
    share = contextual.SOME * (1 - (1 - contextual.KEPT) ** 4)
    assert float(some.float().mean()) == pytest.approx(share, abs=0.02)
    hidden = torch.cat([one for *_, one in drawn])
    assert (hidden[~whole] == 0).all()
    assert float(hidden[whole].mean()) == pytest.approx(contextual.HIDDEN, abs=0.02)
    alone = [window.here.shape[1] == 1 for window, *_ in drawn]
    assert 0 < sum(alone) < 20


# ------------------------------------------------------------------------------------ runs


@functools.cache
def whole() -> Trainer:
    made = trainer()
    made.reports = list(made.run())
    return made


def test_a_run_learns_and_reports():
    reports, made = whole().reports, whole()
    assert reports[-1].progress == 1
    assert made.step == 2 * made.source.steps_per_epoch
    assert set(reports[0].parts) == {"reconstruction", "kl", "attribute_kl", "attribute"}
    assert set(reports[-1].parts) == {*reports[0].parts, "own_decodes"}
    assert set(reports[-1].valid) == {"nats", "tokens", "events", "measures", "scc"}
    assert reports[-1].valid["nats"] < trainer().judge()["nats"]


def test_a_seed_gives_its_weights_and_another_seed_others():
    again, other = trainer(), trainer(seed=1)
    for made in (again, other):
        for _ in made.run():
            torch.rand(3)  # what is drawn between steps changes nothing
    assert same(weights(whole()), weights(again))
    assert not same(weights(whole()), weights(other))


@pytest.mark.parametrize("at", [1, 5])
def test_a_run_that_was_stopped_goes_on_as_if_it_never_was(at: int):
    first = trainer()
    for report in first.run():
        if report.step == at:
            first.stop()
    second = trainer(start=99)
    second.restore({name: value.clone() for name, value in first.state().items()})
    list(second.run())
    state, expected = second.state(), whole().state()
    assert same(expected | {"clock": state["clock"]}, state)
    assert int(state["memory.count"]) > 0


def test_the_judge_decodes_held_out_measures_in_their_contexts():
    """Against the runtime in numpy, tune by tune."""
    net = network(spread=0.1)
    found = WindowJudge(net, VALID, 10**6)()
    state = {name: value.numpy() for name, value in net.state_dict().items()}
    made = context_recipe.checkpoint(plan(), data(), replace_model(net), {}, {})
    runtime = ContextRuntime(replace(made, weights=state))
    loss, right, tokens, means, values = [], [], [], [], []
    for own in HELD_OUT:
        contexts = runtime.contexts(own.rows, own.meters)
        at = [i for i, counted in enumerate(own.counted) if counted]
        meter, rows = own.meters[at[0]], np.stack([own.rows[i] for i in at])
        context = contexts.of(at)
        mean = runtime.encode(rows, meter, context)
        out = decode_from(runtime, runtime.start(mean, meter, context), np.arange(len(at)), meter)
        right += (out == rows).all(axis=1).tolist()
        tokens += (out == rows).flatten().tolist()
        means.append(mean)
        values.append(np.stack([spec.function(rows, meter) for spec in SPECS], axis=1))
        torch_rows = torch.from_numpy(rows.astype(np.int64))
        logits = teacher_forced(runtime, runtime.nowhere(meter, context), rows, context.entering)
        loss += nats(torch.from_numpy(logits), torch_rows).tolist()
    assert found["nats"] == pytest.approx(np.mean(loss), rel=1e-4)
    assert found["tokens"] == pytest.approx(np.mean(tokens), abs=2e-3)
    assert found["measures"] == pytest.approx(np.mean(right), abs=1e-6)
    own, given = np.concatenate(means), np.concatenate(values)
    assert found["scc"] == pytest.approx(np.mean([spearman(given[:, k], own[:, k]) for k in range(4)]), abs=1e-3)


def teacher_forced(runtime: ContextRuntime, state, rows: np.ndarray, entering: np.ndarray) -> np.ndarray:
    from arvae_music.music.tokens import HOLD, START

    previous, sounding, logits = np.full(len(rows), START), entering, []
    for tick in range(rows.shape[1]):
        logits.append(runtime.step(state, previous, sounding))
        previous = rows[:, tick].astype(np.int64)
        sounding = np.where(previous == HOLD, sounding, previous)
    return np.stack(logits)


def replace_model(net) -> Trainer:
    made = trainer()
    made.model = net
    return made


LONGER = {"batch": 128, "epochs": 12}


def _rank(rank: int, folder: str, ranks: int) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=ranks)
    torch.save(state_and_curve(trainer(**LONGER)), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def state_and_curve(made: Trainer) -> tuple[dict[str, torch.Tensor], list[float]]:
    """The state at the end of the run without its clock, and the reconstruction loss of each step."""
    curve = [report.parts["reconstruction"] for report in made.run()]
    return {name: value for name, value in made.state().items() if name != "clock"}, curve


@pytest.mark.parametrize("ranks", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_several_processes_keep_one_model_and_memory_and_learn_like_one(tmp_path, ranks: int):
    """The ranks draw the windows that one process draws, but other noise, so that the curves are only alike."""
    state, curve = state_and_curve(trainer(**LONGER))
    mp.spawn(_rank, (str(tmp_path), ranks), nprocs=ranks)
    states, curves = zip(*(torch.load(tmp_path / f"{rank}.pt") for rank in range(ranks)), strict=True)
    assert all(same(states[0], other) for other in states[1:])
    assert not same(states[0], state)
    alone, together = np.array(curve), np.mean(curves, axis=0)
    assert len(together) == len(alone)
    assert together[0] == pytest.approx(alone[0], rel=0.02)
    assert together[-5:].mean() == pytest.approx(alone[-5:].mean(), rel=0.05)
    assert alone[-5:].mean() < 0.9 * alone[0]


# ------------------------------------------------------------------------------------ the checkpoint


def test_the_checkpoint_of_a_run_is_a_model_in_context(tmp_path):
    made = context_recipe.checkpoint(plan(), data(), whole(), {"steps": 3}, {"corpus": "tunes"})
    checkpoint.write(tmp_path / "made.safetensors", made)
    model = prepare(checkpoint.read(tmp_path / "made.safetensors"))
    assert isinstance(model.runtime, ContextRuntime)
    assert model.metadata.carried == ("rhythm", "range", "density", "contour")
    assert [scale.dimension for scale in model.metadata.scales[:4]] == [0, 1, 2, 3]
    assert model.metadata.dims == DIMS.to_json()
    counted = Counter(
        meter.name for own in TUNES for meter, counts in zip(own.meters, own.counted, strict=True) if counts
    )
    assert model.metadata.meters == dict(counted)
    counted = TRAIN.values[TRAIN.counted]
    for k, scale in enumerate(model.metadata.scales[:4]):
        assert scale.mean == pytest.approx(counted[:, k].mean(), rel=1e-5)
        assert scale.sd == pytest.approx(counted[:, k].std(), rel=1e-5)
        assert not scale.given
    assert model.checkpoint.digest == made.digest


def test_the_calibration_is_of_codes_in_context():
    made = context_recipe.checkpoint(plan(), data(), whole(), {}, {})
    runtime = ContextRuntime(made)
    codes = []
    for own in TUNES:
        contexts = runtime.contexts(own.rows, own.meters)
        codes += [runtime.encode(own.rows[i][None], own.meters[i], contexts.of([i]))[0]
                  for i, counted in enumerate(own.counted) if counted]  # fmt: skip
    for k in range(4):
        assert made.metadata.scales[k].code_sd == pytest.approx(np.std(np.stack(codes)[:, k]), rel=1e-3)


def test_the_default_network_fits_into_four_megabytes(tmp_path):
    torch.manual_seed(0)
    net = context_recipe.ContextualArVae(context_recipe.DIMS)
    halves = {name: checkpoint.halved(value.numpy()) for name, value in net.state_dict().items()}
    small = context_recipe.checkpoint(plan(), data(), whole(), {}, {})
    checkpoint.write(tmp_path / "large.safetensors", replace(small, weights=halves))
    assert (tmp_path / "large.safetensors").stat().st_size <= 4 * 2**20


def test_the_sizes_follow_the_options():
    usual = context_recipe.defaults(10**5)
    options = {**vars(usual), "attributes": ("a",) * 4}
    assert context_recipe.dims(options) == context_recipe.DIMS
    small = context_recipe.dims({**options, "hidden": 12, "tick_hidden": 10, "latent": 5, "attributes": ("a", "b")})
    assert (small.latent, small.attributes, small.measure_hidden, small.tick_hidden) == (5, 2, 12, 10)
    assert OPTIONS.objective == "contextual"
