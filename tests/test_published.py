"""The packaged models still reach the figures that were published with them (models/*.evaluation.json).

On the corpus that a figure was measured on, built anew from what is installed; and at once, on a handful of measures
made up here, where a bound stands in for the corpus.

Nothing in an evaluation is drawn without a seed, and on the processor that the figures come from those of music come
out to the last digit. Elsewhere sums of float32 are rounded otherwise, and now and then a decode takes another token
where two are as good. Of the 160 guided requests of an attribute some 66 are of bach's unseen measures: one of those
that ends otherwise moves a share by .015, which is allowed, and two are not. Other figures are of hundreds of measures.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Run
from golden.make_edits import INPUTS
from scipy.stats import spearmanr

import arvae_music
from arvae_music.networks.decoding import decode

TOLERANCE, TOLERANCE_GUIDED = 0.01, 0.02
MODELS = Path(arvae_music.__file__).parent
PARTS = ("about", "counts", "attributes", "dimensions")  # of an evaluation: what it was made of, to be the same
MUSIC = {"bach": ("march", "air", "minor", "repeated_form"), "folk": ("jig", "running_status", "waltz_with_pickup")}
AMOUNTS = (-1.0, -0.5, 0.5, 1.0)  # standard deviations


def published(model: str) -> dict[str, Any]:
    (path,) = MODELS.rglob(f"{model}.evaluation.json")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def expect_published(run_arvae: Run, model: str, timeout: float) -> None:
    built = run_arvae("corpus", "build", model, timeout=timeout)
    assert built.returncode == 0, built.stderr
    done = run_arvae("evaluate", model, "--part", "test", "--json", timeout=timeout)
    assert done.returncode == 0, done.stderr
    found, known = json.loads(done.stdout), published(model)
    for part in PARTS:
        assert found.get(part) == known.get(part)
    assert found["headline"].keys() == known["headline"].keys()
    off = {}
    for name, value in known["headline"].items():
        here = found["headline"][name]
        if value is None or here is None:  # codes that a decoder is given have no such figure
            assert here is value, name
            continue
        tolerance = TOLERANCE_GUIDED if name.startswith("guided.") else TOLERANCE
        if here != pytest.approx(value, rel=0, abs=tolerance, nan_ok=True):
            off[name] = f"{here:.4f}, published {value:.4f}"
    assert not off


@pytest.mark.slow
@pytest.mark.published
def test_bach_reaches_its_published_figures(run_arvae: Run) -> None:
    expect_published(run_arvae, "bach", timeout=80)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["folk", "mnist", "sprites"])
def test_a_model_reaches_its_published_figures(model: str, run_arvae: Run) -> None:
    expect_published(run_arvae, model, timeout=1200)


@pytest.mark.parametrize("model", ["bach", "folk", "mnist", "sprites"])
def test_the_published_figures_are_those_of_the_packaged_model(model: str, run_arvae: Run) -> None:
    done = run_arvae("models", "info", model, "--json")
    assert done.returncode == 0, done.stderr
    about = published(model)["about"]
    assert about["model"] == model
    assert about["part"] == "test"
    assert about["digest"] in done.stdout


# ------------------------------------------------------------------------- measures made up here


@pytest.mark.parametrize("model", MUSIC)
def test_measures_that_it_never_saw_come_back(model: str) -> None:
    """Published for those: .983 and .989 of the tokens."""
    loaded, right = arvae_music.load(model), []
    for name in MUSIC[model]:
        for bar in arvae_music.read(INPUTS / f"{name}.mid").melody.bars:
            if bar.tokens is not None and bar.meter is not None:
                row = bar.tokens[None]
                back = decode(loaded.runtime, loaded.runtime.encode(row, bar.meter), bar.meter)
                right += (back == row)[0].tolist()
    assert len(right) > 300
    assert np.mean(right) > 0.93


@pytest.mark.parametrize("model", MUSIC)
def test_one_decode_does_what_is_asked(model: str) -> None:
    """The published rank correlations of what is asked with what one decode makes of it are .95 and more."""
    loaded = arvae_music.load(model)
    for attribute in loaded.metadata.carried:
        asked, made = [], []
        for name in MUSIC[model]:
            melody = arvae_music.read(INPUTS / f"{name}.mid").melody
            for amount in AMOUNTS:
                result = loaded.edit(melody, targets={attribute: amount}, mode="latent", form=False)
                at = result.names.index(attribute)
                asked += [float(bar.asked[at]) for bar in result.bars]
                made += [float(bar.achieved[at]) for bar in result.bars]
        assert len(asked) > 80
        assert spearmanr(asked, made).statistic > 0.9, attribute


@pytest.mark.parametrize("model", ["bach", "mnist"])
def test_the_description_of_a_model_has_no_python_in_it(model: str, run_arvae: Run) -> None:
    done = run_arvae("models", "info", model)
    assert done.returncode == 0, done.stderr
    assert not set("{}[]") & set(done.stdout)
