"""Proposals of a model in context: what each depends on, and how near to the original they stay."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import arvae_music
from arvae_music.editing import compose
from arvae_music.editing.likeness import Likeness
from arvae_music.music.attributes import evaluate
from arvae_music.music.meter import Meter
from arvae_music.music.tokens import FIRST_PITCH, HOLD, VOCABULARY
from arvae_music.networks.context_runtime import ContextRuntime
from arvae_music.networks.contextual import Given

FOUR, COUNT = Meter(4), 16


@pytest.fixture(scope="module")
def model():
    return arvae_music.load("all")


@pytest.fixture(scope="module")
def rows():
    """Five measures of quarters and eighths, which walk by steps in C major."""
    random, rows, degree = np.random.default_rng(1), np.full((5, FOUR.ticks), HOLD, dtype=np.int16), 4
    for row in rows:
        for tick in [0, *(1 + np.flatnonzero(random.random(7) < 0.7)) * 3]:
            degree = min(max(degree + random.choice([-1, 1]), 0), 9)
            row[tick] = FIRST_PITCH + 12 * (1 + degree // 7) + (0, 2, 4, 5, 7, 9, 11)[degree % 7]
    return rows


def proposed(model, rows, wanted, which=slice(None), seed=0, preference=None):
    context = model.runtime.contexts(list(rows), [FOUR] * len(rows)).of(list(range(len(rows))))
    before = evaluate(model.specs, rows, FOUR)[which]
    return compose.propose(
        rows[which], before, wanted[:, which], FOUR, context.take(np.arange(len(rows))[which]), COUNT, seed, model,
        preference=preference,
    )  # fmt: skip


def requests(model, rows, *steps):
    values = evaluate(model.specs, rows, FOUR)
    wanted = np.full((len(steps), *values.shape), np.nan)
    k = model.metadata.names.index("density")
    wanted[:, :, k] = values[:, k] + np.array(steps)[:, None]
    return wanted


def test_proposals_do_not_depend_on_other_measures_or_requests(model, rows):
    wanted = requests(model, rows, 1.0, 3.0)
    group, together = proposed(model, rows, wanted)
    together = together.reshape(2, len(rows), COUNT, -1)
    assert group.reshape(2, len(rows), COUNT)[:, 2].tolist() == [[2] * COUNT] * 2
    for request in range(2):
        _, alone = proposed(model, rows, wanted[request : request + 1], slice(2, 3))
        assert (together[request, 2] == alone).mean() > 0.99  # products of few rows are rounded in another way


def test_more_requested_notes_are_more_proposed_notes(model, rows):
    _, found = proposed(model, rows, requests(model, rows, -2.0, 2.0))
    notes = (found >= FIRST_PITCH).sum(axis=1).reshape(2, -1)
    assert notes[1].mean() > notes[0].mean() + 2


def test_the_seed_decides(model, rows):
    wanted = requests(model, rows, 1.0)
    one, again, other = (proposed(model, rows, wanted, seed=seed)[1] for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_preferred_tokens_are_proposed(model, rows):
    preference = np.zeros((len(rows), FOUR.ticks, VOCABULARY), dtype=np.float32)
    preference[2, 12, FIRST_PITCH + 14] = 50
    group, found = proposed(model, rows, requests(model, rows, 1.0), preference=preference)
    assert (found[group == 2, 12] == FIRST_PITCH + 14).all()
    assert not (found[group != 2, 12] == FIRST_PITCH + 14).all()


def test_decodes_with_more_of_the_original_are_nearer_to_it(model, rows):
    group, found = proposed(model, rows, requests(model, rows, 1.0))
    apart = Likeness(FOUR, rows, np.full(len(rows), HOLD)).curve(group, found).reshape(len(rows), -1)
    kind = np.arange(COUNT) % len(compose.KINDS)
    level, bonus = (np.array(each)[kind] for each in ([compose.POINTS[p][1] for p, _ in compose.KINDS],
                                                      [bonus for _, bonus in compose.KINDS]))  # fmt: skip
    assert apart[:, (level > 0.5) & (bonus == 1)].mean() < apart[:, (level == 0) & (bonus == 1)].mean()


def test_sketches_are_mixed_as_in_training(model, monkeypatch):
    runtime, k = model.runtime, model.runtime.attributes
    assert isinstance(runtime, ContextRuntime)
    z = np.random.default_rng(0).standard_normal((len(compose.POINTS), runtime.latent)).astype(np.float32)
    blurs, levels = compose._blurs(3, runtime.latent, k), [[level] for _, level in compose.POINTS]
    requested = np.zeros((1, k), dtype=np.bool_)
    given = np.concatenate([compose._given(requested, level) for (level,) in levels])
    ours = runtime._seen(z + blurs, given)
    noise = np.random.default_rng(3).standard_normal(blurs.shape).astype(np.float32)[:, k:]
    torch_given = Given(torch.from_numpy(given[:, :k]), torch.tensor(levels))
    monkeypatch.setattr(torch, "randn_like", lambda like: torch.from_numpy(noise))  # the same noise for both
    theirs = torch_given.seen(torch.from_numpy(z)).numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
