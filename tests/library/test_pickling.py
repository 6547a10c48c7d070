"""Models and results in other processes."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

import arvae_music

ODE = Path(arvae_music.__file__).parent / "data" / "ode_to_joy.mid"
HOLD = {"density": "+1notes", "bars": "1-2", "proposals": 4}


def rows(melody):
    return [row.tolist() for row in melody.rows]


@pytest.mark.parametrize("name", ["bach", "folk"])
@pytest.mark.parametrize("copied", [lambda thing: pickle.loads(pickle.dumps(thing)), copy.deepcopy])
def test_a_copy_edits_alike(name: str, copied):
    model = arvae_music.load(name)
    twin = copied(model)
    assert type(twin) is type(model)
    assert twin.metadata.names == model.metadata.names
    assert twin.checkpoint.digest == model.checkpoint.digest
    melody = arvae_music.read(ODE).melody
    assert rows(twin.edit(melody, **HOLD).melody) == rows(model.edit(melody, **HOLD).melody)
    few = copied(model.restricted(["density", "range"]))
    assert few.metadata.names == ("range", "density")
    assert len(few.specs) == 2


def test_a_model_that_lies_in_no_file_is_copied_too():
    model = arvae_music.load("bach")
    unsaved = replace(model, checkpoint=replace(model.checkpoint, path=None))
    assert pickle.loads(pickle.dumps(unsaved)).checkpoint.digest == model.checkpoint.digest


def test_a_torch_model_stays_one():
    model = arvae_music.load("bach", runtime="torch")
    assert type(pickle.loads(pickle.dumps(model)).runtime.inner) is type(model.runtime.inner)


def test_results_can_be_sent_back():
    result = arvae_music.edit(ODE, model="bach", **HOLD)
    twin = pickle.loads(pickle.dumps(result))
    assert twin["density"] == result["density"]
    assert twin.song.write(twin.melody.rows) == result.song.write(result.melody.rows)


def test_processes_that_are_spawned_edit_alike(monkeypatch: pytest.MonkeyPatch):
    """The model's own method as the work: the child unpickles the model and sends the result back."""
    model, melody = arvae_music.load("bach"), arvae_music.read(ODE).melody
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        result = pool.apply(model.edit, (melody,), HOLD)
    assert rows(result.melody) == rows(model.edit(melody, **HOLD).melody)
    assert result["density"].exact
