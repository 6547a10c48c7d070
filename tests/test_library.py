"""The library's front door: the README's example run for real, models found and refused, requests as people write."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import mido
import pytest

import arvae_music
from arvae_music import library
from arvae_music.errors import CheckpointError, InputError, OutputError, UsageError
from arvae_music.music.attributes import find
from arvae_music.music.sliders import parse
from arvae_music.networks import model
from arvae_music.vae import checkpoint

ODE = Path(arvae_music.__file__).parent / "data" / "ode_to_joy.mid"


def jig(path: Path) -> Path:
    """Four measures of 6/8 in eighths, at 480 ticks to the quarter."""
    track = mido.MidiTrack([mido.MetaMessage("time_signature", numerator=6, denominator=8)])
    track.append(mido.MetaMessage("key_signature", key="G"))
    for pitch in (67, 71, 74, 79, 74, 71, 69, 72, 76, 81, 76, 72, 67, 71, 74, 79, 78, 76, 74, 72, 71, 69, 67, 67):
        track.append(mido.Message("note_on", note=pitch, velocity=80))
        track.append(mido.Message("note_off", note=pitch, time=240))
    mido.MidiFile(ticks_per_beat=480, tracks=[track]).save(str(path))
    return path


# ------------------------------------------------------------------------------------ the examples


@pytest.mark.parametrize("module", [arvae_music, library])
def test_the_docstrings_examples_run(module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    quick = module.__doc__.partition("Models are trained")[0]  # training takes minutes: test_research.py
    lines = [line[4:] for line in quick.splitlines() if line.startswith("    ")]
    shutil.copy(ODE, tmp_path / "melody.mid")
    monkeypatch.chdir(tmp_path)
    exec("\n".join(lines), {})
    assert (tmp_path / "denser.mid").is_file()


def test_saving_never_replaces_a_file_unasked(tmp_path: Path):
    song, out = arvae_music.read(ODE), tmp_path / "out.mid"
    arvae_music.save(out, song, song.melody)
    assert out.read_bytes() == ODE.read_bytes()
    with pytest.raises(OutputError):
        arvae_music.save(out, song, song.melody)
    arvae_music.save(out, song, song.melody, overwrite=True)


def test_reading_what_is_not_there():
    with pytest.raises(InputError):
        arvae_music.read("nowhere.mid")


# ------------------------------------------------------------------------------------ load


def test_the_default_model_is_of_all_corpora():
    assert arvae_music.load().name == arvae_music.load("auto").name == "all"


def test_a_model_by_name_by_file_and_by_folder(tmp_path: Path):
    packaged = checkpoint.PACKAGED / "bach.safetensors"
    folder = tmp_path / "my_run"
    folder.mkdir()
    shutil.copy(packaged, folder / checkpoint.MODEL_FILE)
    named, filed, run = arvae_music.load("bach"), arvae_music.load(packaged), arvae_music.load(folder)
    assert (named.name, filed.name, run.name) == ("bach", "bach", "my_run")
    assert named.checkpoint.digest == filed.checkpoint.digest == run.checkpoint.digest
    assert model.prepare(replace(named.checkpoint, path=None)).name == "unsaved"


def test_models_that_cannot_be_loaded(tmp_path: Path):
    with pytest.raises(CheckpointError, match="there is no model 'bahc'") as raised:
        arvae_music.load("bahc")
    assert "bach" in raised.value.remedy
    with pytest.raises(CheckpointError):
        arvae_music.load(tmp_path)  # a folder without a model
    whole = (checkpoint.PACKAGED / "bach.safetensors").read_bytes()
    for name, content in (("empty", b""), ("text", b"not a model" * 9), ("half", whole[: len(whole) // 2])):
        broken = tmp_path / f"{name}.safetensors"
        broken.write_bytes(content)
        with pytest.raises(CheckpointError, match=broken.name):
            arvae_music.load(broken)


def test_an_installation_without_models_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checkpoint, "PACKAGED", tmp_path)
    with pytest.raises(CheckpointError, match="no model 'all'"):
        arvae_music.load()


def test_an_attribute_that_is_not_to_be_had_here():
    scales = arvae_music.load("bach").metadata.scales
    assert checkpoint.specs_of(scales[:2], find) == (find(scales[0].name), find(scales[1].name))
    lost = replace(scales[0], name="mine", origin="no_such_module:mine")
    with pytest.raises(CheckpointError, match="trained with the attribute 'mine', which cannot be imported") as raised:
        checkpoint.specs_of([lost], find)
    assert "can be imported" in raised.value.remedy


# ------------------------------------------------------------------------------------ requests


@pytest.mark.parametrize(
    ("written", "text"),
    [(1.5, "+1.5"), (-2, "-2"), (0, "+0"), (1e-6, "+0.000001"), (1.23456789, "+1.23456789"), (2e7, "+20000000"),
     ("=8notes", "=8notes"), (parse("x2", find("density")), "x2")],
)  # fmt: skip
def test_numbers_and_texts_and_targets_ask_for_the_same(written, text: str):
    target = arvae_music.load("bach").target("density", written)
    assert target == parse(text, find("density"))


def test_keywords_are_what_the_command_line_parses():
    model = arvae_music.load("bach")
    request = model.request(
        {"density": 1.5}, keep=["contour"], lock=["key,range", "first"], bars="1-4,7-", strength=0.5, proposals=3
    )
    assert request.targets == {"density": parse("+1.5", find("density"))}
    assert request.keep == {"contour"}
    assert request.locks == {"key", "range", "first"}
    assert request.bars == [(1, 4), (7, None)]
    assert (request.mode, request.form, request.strength, request.proposals) == ("guided", True, 0.5, 3)
    assert model.request({}).bars is None
    melody = arvae_music.read(ODE).melody
    by_keyword, by_text = (model.edit(melody, bars="1-3", density=d, proposals=8) for d in (1.5, "+1.5"))
    assert [bar.achieved.tolist() for bar in by_keyword.bars] == [bar.achieved.tolist() for bar in by_text.bars]


@pytest.mark.parametrize(
    ("request_", "error", "what"),
    [
        ({"density": "lots"}, UsageError, "this is not a valid target"),
        ({"density": float("nan")}, UsageError, "this is not a valid target"),
        ({"density": float("inf")}, UsageError, "this is not a valid target"),
        ({"targets": {"densty": 1}}, CheckpointError, "did you mean density"),
        ({"keep": ["contuor"]}, CheckpointError, "did you mean contour"),
        ({"lock": ["keys"]}, UsageError, "did you mean key"),
        ({"bars": "4-1"}, UsageError, "runs backwards"),
        ({"mode": "guide"}, UsageError, "no mode 'guide'; give mode=\"guided\" or mode=\"latent\""),
        ({"strength": 2}, UsageError, "strength is 2"),
    ],
)
def test_requests_that_make_no_sense(request_: dict[str, object], error: type[Exception], what: str):
    with pytest.raises(error, match=what):
        arvae_music.load("bach").edit(arvae_music.read(ODE).melody, **request_)


def test_a_model_that_was_written_anew_is_read_anew(tmp_path: Path):
    path = tmp_path / "mine.safetensors"
    shutil.copy(checkpoint.PACKAGED / "bach.safetensors", path)
    bach = arvae_music.load(path)
    assert arvae_music.load(str(path)) is bach
    shutil.copy(checkpoint.PACKAGED / "folk.safetensors", path)
    assert arvae_music.load(path).checkpoint.digest == arvae_music.load("folk").checkpoint.digest
