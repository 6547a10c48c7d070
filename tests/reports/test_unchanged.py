"""Measures that an edit leaves alone are counted with the reason. A request that is too small is not called exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import arvae_music
from arvae_music.editing.edit import EditResult, edit
from arvae_music.editing.request import EditRequest
from arvae_music.io.conversion import from_notes
from arvae_music.library import Model
from arvae_music.music.melody import Melody
from arvae_music.music.sliders import parse
from arvae_music.reports.summaries import edit_json, edit_lines
from arvae_music.reports.unchanged import Tally

ODE = Path(arvae_music.__file__).parent / "data" / "ode_to_joy.mid"
SCALE = (60, 62, 64, 65, 67, 69, 71, 72)
STEP = 1.0  # level: the smallest step of the syncopation of a measure


@pytest.fixture(scope="module")
def model() -> Model:
    return arvae_music.load("bach")


def in_quarters(measures: int, seed: int) -> Melody:
    """A tune of quarter notes in 4/4, without syncopation."""
    pitches = np.random.default_rng(seed).choice(SCALE, 4 * measures)
    return from_notes(pitches, np.arange(len(pitches)), np.ones(len(pitches)), fifths=0).melody


def requested(
    melody: Melody, model: Model, text: str, *, each: bool = False, name: str = "syncopation"
) -> tuple[EditRequest, EditResult]:
    k = model.metadata.names.index(name)
    request = EditRequest({name: parse(text, model.specs[k])}, each=each)
    return request, edit(melody, request, model)


@pytest.mark.parametrize("measures", [8, 16, 24])
@pytest.mark.parametrize("text", ["+1.5", "+3", "+0.25levels"])
def test_a_mean_moves_as_requested_although_no_measure_can_move_by_so_little(
    model: Model, measures: int, text: str
) -> None:
    melody = in_quarters(measures, measures)
    _, result = requested(melody, model, text)
    k = result.names.index("syncopation")
    lacking = sum(bar.asked[k] - bar.achieved[k] for bar in result.bars)
    assert sum(bar.asked[k] - bar.before[k] for bar in result.bars) > STEP / 2
    assert abs(lacking) <= STEP / 2 + 1e-6
    assert all(bar.exact[k] for bar in result.bars)
    assert not any(bar.short.any() for bar in result.bars)


def test_the_mean_of_a_tune_of_a_file_moves_as_requested(model: Model) -> None:
    result = arvae_music.edit(ODE, syncopation=1.5, model=model)["syncopation"]
    assert result.asked is not None
    assert abs(result.achieved - result.asked) <= STEP / 2 / result.measures + 1e-6
    assert result.achieved > result.before


@pytest.mark.parametrize("each", [False, True])
def test_a_request_of_less_than_half_a_step_is_too_small_and_not_exact(model: Model, each: bool) -> None:
    melody = in_quarters(4, 1)
    text = "+1.5" if each else "+0.1levels"
    request, result = requested(melody, model, text, each=each)
    assert not any(bar.changed for bar in result.bars)
    report = edit_lines(result, request, model)
    line = next(line for line in report if line.startswith("syncopation"))
    assert "too small a request for" in line
    assert "exact, " not in line
    assert "exact in 4" not in line
    explanation = "without --each" if each else "the mean of 4 measures moves in steps of 0.25 levels"
    assert any("less than half a step, so nothing changed" in line and explanation in line for line in report)
    assert Tally.of(result).left == {"the request is less than half a step": 4}


def test_one_request_that_is_too_small_does_not_hide_another(model: Model) -> None:
    melody = in_quarters(4, 2)
    names = model.metadata.names
    targets = {
        name: parse(text, model.specs[names.index(name)])
        for name, text in (("syncopation", "+0.1levels"), ("density", "+1notes"))
    }
    request = EditRequest(targets)
    result = edit(melody, request, model)
    assert any(bar.changed for bar in result.bars)
    assert "the request is less than half a step" not in Tally.of(result).left
    report = edit_lines(result, request, model)
    assert "too small" in next(line for line in report if line.startswith("syncopation"))
    assert "exact, the mean" in next(line for line in report if line.startswith("density"))


def test_every_measure_is_counted_once(model: Model) -> None:
    song = arvae_music.read(ODE)
    request, result = requested(song.melody, model, "+1", name="density")
    tally = Tally.of(result)
    assert tally.changed + sum(tally.left.values()) == tally.measures == len(song.melody.bars)
    assert edit_json(song, result, request, model)["left_alone"] == tally.left


def test_tallies_add_up() -> None:
    both = Tally(8, 5, {"pickup": 1, "not selected": 2}) + Tally(4, 3, {"pickup": 1})
    assert both == Tally(12, 8, {"pickup": 2, "not selected": 2})
    assert str(both) == "8 of 12 measures changed; 4 left alone: 2 pickup; 2 not selected"
    assert str(Tally(3, 3)) == "3 of 3 measures changed"
