"""`import arvae_music`: what it exports, what that costs, and its functions on files, songs and melodies."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import arvae_music
from arvae_music import library
from arvae_music.errors import UsageError
from arvae_music.music.sliders import parse

ODE = Path(arvae_music.__file__).parent / "data" / "ode_to_joy.mid"


def rows(melody):
    return [row.tolist() for row in melody.rows]


def test_everything_exported_is_there():
    for name in arvae_music.__all__:
        assert getattr(arvae_music, name) is not None
        assert name in dir(arvae_music)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        arvae_music.nothing  # noqa: B018


def test_the_import_alone_loads_nothing():
    code = "import sys, arvae_music; print([m for m in ('numpy', 'mido', 'threadpoolctl') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("function", [arvae_music.edit, arvae_music.vary, library.Model.edit, library.Model.vary])
def test_every_parameter_is_spelt_out_and_typed(function):
    parameters = inspect.signature(function).parameters
    assert {"density", "rhythm", "range", "contour", "syncopation", "pitch", "repetition", "steps"} < set(parameters)
    for parameter in parameters.values():
        assert parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        assert parameter.name == "self" or parameter.annotation not in (parameter.empty, "Any")


def test_files_songs_and_melodies_are_edited_alike():
    song = arvae_music.read(ODE)
    model = arvae_music.load("bach")
    hold = {"density": "+1notes", "bars": "1-2", "proposals": 4, "keep": "contour", "lock": "key"}
    expected = rows(model.edit(song.melody, **hold).melody)
    for melody in (ODE, str(ODE), song, song.melody):
        assert rows(arvae_music.edit(melody, model="bach", **hold).melody) == expected
    assert rows(arvae_music.edit(song, model=model, **hold).melody) == expected
    assert expected != rows(song.melody)


NAMES = ["density", "rhythm", "range", "contour", "syncopation", "pitch", "repetition", "steps"]


@pytest.mark.parametrize("name", NAMES)
def test_an_attribute_by_name_is_the_same_as_in_targets(name: str):
    model = arvae_music.load("bach")
    by_name = model.request(**{name: "+1"})
    assert by_name == model.request({name: "+1"})
    assert by_name.targets == {name: parse("+1", model.specs[model.metadata.names.index(name)])}
    with pytest.raises(UsageError, match=f"{name} is given twice"):
        model.request({name: 1}, **{name: 1})


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_reaches_the_engine(name: str, monkeypatch: pytest.MonkeyPatch):
    """A forgotten one would be ignored silently."""
    seen = []

    def stop(melody, request, model):
        seen.append(request)
        raise KeyboardInterrupt

    monkeypatch.setattr(library.editing, "edit", stop)
    monkeypatch.setattr(library.varying, "vary", stop)
    other = {
        "keep": "pitch" if name != "pitch" else "steps", "lock": ["key"], "bars": "2-3", "form": False,
        "strength": 0.5, "proposals": 3, "seed": 9,
    }  # fmt: skip
    for function, arguments in ((arvae_music.edit, {}), (arvae_music.vary, {"count": 7, "amount": 0.25})):
        with pytest.raises(KeyboardInterrupt):
            function(ODE, model="bach", **{name: "+1"}, **other, **arguments)
    expected = arvae_music.load("bach").request({name: "+1"}, **other)
    assert seen[0] == seen[1].editing == expected
    assert (seen[1].count, seen[1].amount) == (7, 0.25)
    with pytest.raises(KeyboardInterrupt):
        arvae_music.edit(ODE, {name: 1}, model="bach", mode="latent")
    assert seen[2].mode == "latent"


def test_variations_and_interpolations_of_files():
    found = arvae_music.vary(ODE, 2, model="bach", bars="1-4", proposals=4)
    assert len(list(found)) == 2
    for variation in found:
        changed = sum(bar.changed for bar in variation.result.bars)
        assert changed > 0
        assert variation.result["density"].unit == "notes"
        assert variation.result.song is not None
    assert repr(found) == "<VaryResult: 2 variations of 'ode_to_joy'>"
    path = arvae_music.interpolate([ODE, found.variations[0].melody], 3, model="bach")
    assert rows(next(iter(path))) == rows(arvae_music.read(ODE).melody)
    assert len(path.results) == len(path.melodies) == 3
    assert path.results[2]["density"].before == path.results[0]["density"].before
    assert len(repr(path)) < 200


def test_inspecting():
    found = arvae_music.inspect(ODE)
    assert list(found) == ["rhythm", "range", "density", "contour"]
    assert found["density"].tolist()[:2] == pytest.approx([4, 4])  # E E F G | G F E D
    assert found["range"].tolist()[0] == pytest.approx(3)
    assert found["contour"].tolist()[:2] == pytest.approx([3, -5])
    assert found.song.found.track == 2
    assert len(found.to_frame()) == 4 * len(found.melody.bars)
    assert np.isfinite(arvae_music.inspect(arvae_music.read(ODE).melody, ["steps"])["steps"]).all()
    with pytest.raises(KeyError, match="has steps"):
        arvae_music.inspect(ODE, ["steps"])["density"]


def test_a_voice_can_only_be_chosen_from_a_file():
    with pytest.raises(UsageError, match="read already"):
        arvae_music.edit(arvae_music.read(ODE), track=1, density=1)


def test_blas_runs_in_one_thread_and_then_as_before(monkeypatch: pytest.MonkeyPatch):
    from threadpoolctl import threadpool_info

    def threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    with library._blas().limit(limits=2, user_api="blas"):
        assert set(threads()) == {2}
        with library.one_thread():
            assert set(threads()) == {1}
        assert set(threads()) == {2}
