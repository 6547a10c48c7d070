"""The evaluation of a model in context: each measure among its neighbours; and of a decoder that is given its codes."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest
import torch
from context_cases import HELD_OUT, OPTIONS, SPECS, TUNES, data, plan
from training_cases import SPECS as ROW_SPECS
from training_cases import TRAIN, VALID, saved

from arvae_music.evaluation import coding, control
from arvae_music.evaluation.coding import Material
from arvae_music.evaluation.evaluate import EvaluationOptions, evaluate_model
from arvae_music.evaluation.headline import headline_names
from arvae_music.evaluation.result import Evaluation
from arvae_music.networks.context_runtime import ContextRuntime
from arvae_music.networks.decoding import decode_from
from arvae_music.networks.model import Model, prepare
from arvae_music.networks.passages import Passages
from arvae_music.reports.evaluation_tables import tables
from arvae_music.system.executors import Processes
from arvae_music.training import context_recipe
from arvae_music.training.music_recipe import MEASURES

TINY = EvaluationOptions(
    measures=40, requests=40, guided=4, traversals=1, probe_rows=40, contexts=4, samples=20, proposals=4
)
TRAINING, PART = Passages.of(TUNES, SPECS), Passages.of(HELD_OUT, SPECS)


@functools.cache
def model() -> Model:
    torch.manual_seed(0)
    trainer = MEASURES.trainer(plan(OPTIONS), data(), torch.device("cpu"))
    for parameter in trainer.model.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    made = prepare(context_recipe.checkpoint(plan(), data(), trainer, {}, {}))
    return made.restricted(made.metadata.carried)


def material() -> Material:
    return Material.of(model(), PART.examples, HELD_OUT)


def by_hand() -> list[tuple[np.ndarray, object, object]]:
    """Each counted measure with its meter and its context, from the runtime."""
    runtime, found = model().runtime, []
    assert isinstance(runtime, ContextRuntime)
    for tune in HELD_OUT:
        contexts = runtime.contexts(tune.rows, tune.meters)
        found += [(tune.rows[i], tune.meters[i], contexts.of([i])) for i, c in enumerate(tune.counted) if c]
    return found


def test_measures_are_encoded_and_decoded_in_their_contexts():
    runtime, inputs = model().runtime, PART.examples.inputs.astype(np.int16)
    contexts = material().contexts(model())
    mean, log_variance = coding.posterior(model(), inputs, contexts)
    decoded, nats = coding.decoded(model(), inputs, mean, contexts), coding.nats(model(), inputs, contexts)
    for at, (row, meter, context) in enumerate(by_hand()):
        own, variance = runtime.posterior(row[None], meter, context)
        np.testing.assert_allclose(mean[at], own[0], atol=1e-5)
        np.testing.assert_allclose(log_variance[at], variance[0], atol=1e-5)
        out = decode_from(runtime, runtime.start(own, meter, context), np.arange(1), meter)[0]
        assert decoded[at, 1 : 1 + meter.ticks].tolist() == out.tolist()
        assert nats[at] > 0
    alone = coding.posterior(model(), inputs)[0]
    assert np.abs(alone - mean).max() > 1e-3
    assert not np.allclose(coding.nats(model(), inputs), nats)


def test_a_request_is_answered_in_the_context():
    inputs = PART.examples.inputs.astype(np.int16)
    requested = np.full(len(inputs), np.nan)
    requested[[2, 5]] = PART.examples.attributes[[4, 7], 2]
    found = control.outcome(model(), inputs, 2, requested, control.latent, material().contexts(model()))
    runtime = model().runtime
    for i, at in enumerate((2, 5)):
        row, meter, context = by_hand()[at]
        z = runtime.encode(row[None], meter, context)
        wanted = np.full((1, 4), np.nan)
        wanted[0, 2] = requested[at]
        z = model().moved(z, found.before[i : i + 1], wanted, meter)
        out = decode_from(runtime, runtime.start(z, meter, context), np.arange(1), meter)[0]
        assert found.outputs[i, 1 : 1 + meter.ticks].tolist() == out.tolist()


def test_tunes_of_other_examples_are_refused():
    with pytest.raises(ValueError, match="measures that count"):
        Material.of(model(), PART.examples, TUNES)


@functools.cache
def result() -> Evaluation:
    return evaluate_model(model(), TRAINING.examples, PART.examples, TINY, tunes=(TUNES, HELD_OUT))


def test_an_evaluation_in_context_has_all_figures():
    found = result()
    assert found.given == ()
    assert set(headline_names(found.attributes)) == set(found.headline)
    assert 0 < found.headline["nats"] < 1000
    inputs = found.evidence.coded.inputs
    assert found.headline["nats"] == pytest.approx(
        coding.nats(model(), inputs, found.evidence.coded.contexts).mean(), rel=1e-5
    )
    assert np.isfinite(found.representation["strict"]["scc"])


@pytest.mark.process
def test_other_processes_find_the_same():
    found = evaluate_model(
        model(), TRAINING.examples, PART.examples, TINY, tunes=(TUNES, HELD_OUT), executor=Processes(2)
    )
    one, two = ({**each.to_json(), "seconds": {}} for each in (result(), found))
    assert json.dumps(one) == json.dumps(two)


def test_metrics_of_given_codes_are_not_reported():
    made = prepare(saved("given"))
    found = evaluate_model(made, TRAIN, VALID, TINY)
    assert found.given == tuple(spec.name for spec in ROW_SPECS)
    for row in ("strict", "paper's protocol"):
        assert np.isnan(list(found.representation[row].values())).all()
    assert np.isfinite(found.representation["strict, oracle"]["scc"])
    assert np.isnan(found.headline["scc"])
    (rows,) = [table.rows for table in tables(found) if table.title == "Attributes in the latent space"]
    texts = {row[0]: row[1:] for row in rows}
    assert texts["strict"][:5] == ("given",) * 5
    assert texts["strict"][5] not in ("given", "-")
    trained = evaluate_model(prepare(saved("trained")), TRAIN, VALID, TINY)
    assert np.isfinite(trained.headline["scc"])
    assert trained.given == ()
