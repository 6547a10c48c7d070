"""Checkpoints: round trip, every kind of damage by name, and calibrations that can be inverted."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import random_model
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load, save

from arvae_music import library
from arvae_music.errors import CheckpointError, OutputError
from arvae_music.music.attributes import BUILT_IN, PAPER
from arvae_music.music.meter import all_meters
from arvae_music.music.tokens import VOCABULARY_FACTS
from arvae_music.vae import checkpoint
from arvae_music.vae.scales import NOT_CARRIED, QUANTILES

Body = dict[str, Any]


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_model(tmp_path_factory.mktemp("checkpoint") / "tiny.safetensors")


@pytest.fixture
def damaged(model_file: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the model with its metadata or its weights changed."""

    def change(body: Callable[[Body], object] | None = None, weights: Callable[[Body], object] | None = None) -> Path:
        with safe_open(model_file, framework="numpy") as file:
            about = json.loads(file.metadata()["arvae"])
        tensors = {name: value.copy() for name, value in load(model_file.read_bytes()).items()}
        about = (body and body(about)) or about
        if weights:
            del about["weights"]  # their digest
            weights(tensors)
        path = tmp_path / "damaged.safetensors"
        path.write_bytes(save(tensors, metadata={"arvae": json.dumps(about)}))
        return path

    return change


def test_what_is_written_is_read(model_file: Path, tmp_path: Path):
    made = checkpoint.read(model_file)
    assert made.path == model_file
    copy = tmp_path / "copy.safetensors"
    checkpoint.write(copy, made)
    again = checkpoint.read(copy)
    assert again.metadata == made.metadata
    assert again.weights.keys() == made.weights.keys()
    for name, value in made.weights.items():
        assert np.array_equal(value, again.weights[name])
        assert value.dtype == again.weights[name].dtype == np.float32
    assert again.digest == made.digest
    assert checkpoint.describe(copy) == made.metadata
    with pytest.raises(OutputError):
        checkpoint.write(copy, made)
    checkpoint.write(copy, made, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["copy.safetensors"]  # no temporary file stays


def test_weights_are_stored_in_half_precision_where_nothing_is_lost(model_file: Path, tmp_path: Path):
    made = checkpoint.read(model_file)
    fine = {name: checkpoint.halved(value) for name, value in made.weights.items()}
    name = min(fine)
    fine[name] = made.weights[name] + np.float32(1e-6)  # one that half precision does not hold
    path = tmp_path / "mixed.safetensors"
    checkpoint.write(path, replace(made, weights=fine))
    stored, again = load(path.read_bytes()), checkpoint.read(path)
    assert {key for key, value in stored.items() if value.dtype != np.float16} == {name, "combinations"}
    for key, value in fine.items():
        assert again.weights[key].dtype == np.float32
        assert np.array_equal(again.weights[key], value)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_halved_is_the_nearest_half_and_halved_again_the_same(number: float):
    value = np.array([number], dtype=np.float32)
    found = checkpoint.halved(value)
    assert found.dtype == np.float32
    assert np.array_equal(checkpoint.halved(found), found)
    if abs(number) > 65504:
        assert found == np.copysign(65504, value)
    else:
        assert abs(found - value) <= max(2.0**-11 * abs(number), 2.0**-25)


def test_the_metadata_are_readable_and_complete(model_file: Path):
    with safe_open(model_file, framework="numpy") as file:
        body = json.loads(file.metadata()["arvae"])
    assert body["format"] == checkpoint.FORMAT
    assert body["tokens"] == VOCABULARY_FACTS
    found = checkpoint.read(model_file).metadata
    assert found.carried == PAPER
    assert set(found.names) == set(BUILT_IN)
    assert [scale.dimension for scale in found.scales] == [0, 1, 2, 3] + [NOT_CARRIED] * (len(BUILT_IN) - 4)
    assert found.meters == {meter.name: 10 for meter in all_meters()}
    for scale in found.scales:
        assert len(scale.quantiles) == QUANTILES
        assert scale.quantiles[0] <= scale.mean <= scale.quantiles[-1]


def test_a_digest_is_that_of_the_weights_and_gains(model_file: Path, damaged: Callable[..., Path]):
    made = checkpoint.read(model_file)
    assert len(made.digest) == 16
    assert replace(made, metadata=replace(made.metadata, kind="other")).digest == made.digest

    def nudge(tensors: Body) -> None:
        tensors["decoder.to_tokens.bias"][3] += 1e-3

    assert checkpoint.read(damaged(weights=nudge)).digest != made.digest
    louder = [replace(scale, gain=1.1) for scale in made.metadata.scales[:1]]
    scales = (*louder, *made.metadata.scales[1:])
    assert replace(made, metadata=replace(made.metadata, scales=scales)).digest != made.digest  # edits differ


def test_a_run_folder_stands_for_its_model(model_file: Path, tmp_path: Path):
    run = tmp_path / "run"
    run.mkdir()
    (run / checkpoint.MODEL_FILE).write_bytes(model_file.read_bytes())
    assert checkpoint.find(run) == run / checkpoint.MODEL_FILE
    assert checkpoint.read(str(run)).metadata == checkpoint.read(model_file).metadata


# ------------------------------------------------------------------------------------ damage


def put(**changes: object) -> Callable[[Body], Body]:
    return lambda body: {**body, **changes}


def without(key: str) -> Callable[[Body], Body]:
    return lambda body: {name: value for name, value in body.items() if name != key}


def in_scale(**changes: object) -> Callable[[Body], Body]:
    return lambda body: {**body, "scales": [{**body["scales"][0], **changes}, *body["scales"][1:]]}


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (put(format=2, version="9.9"), r"its format is 2, .* reads format 1; use the version .* \(9.9\)"),
        (without("format"), "its format is None"),
        (put(kind="digits"), "a model of 'digits', not of measures or images"),
        (lambda body: [body], "its metadata are not a JSON object"),
        *[(without(key), f"incomplete.*'{key}'") for key in ("dims", "scales", "correlation", "meters", "training")],
        (put(dims=3), "incomplete"),
        (put(meters=["4/4"]), "incomplete"),
        (put(correlation=[[1.0]]), "matrix has the wrong size"),
        (in_scale(values=[1.0]), "incomplete.*calibration of rhythm"),
        (in_scale(quantiles=[0.0, 1.0]), "incomplete.*calibration of rhythm"),
        (in_scale(codes=["many", "more"]), "incomplete"),
        (in_scale(sd=float("nan")), "numbers of rhythm"),
        (in_scale(sd=0.0), "numbers of rhythm"),
        (in_scale(gain=0.0), "numbers of rhythm"),
        (in_scale(gain=float("inf")), "numbers of rhythm"),
        (in_scale(values=[0.0, 0.0], codes=[0.0, 1.0]), "numbers of rhythm"),
        (in_scale(values=[0.0, 1.0], codes=[1.0, 0.0]), "numbers of rhythm"),
        (in_scale(colour="red"), "incomplete.*colour"),
    ],
)
def test_metadata_that_do_not_fit_are_refused(damaged: Callable[..., Path], body, what: str):
    path = damaged(body)
    for reading in (checkpoint.read, checkpoint.describe, library.load):
        with pytest.raises(CheckpointError, match=what) as raised:
            reading(path)
        assert raised.value.where == str(path)
        assert raised.value.remedy


@pytest.mark.parametrize("change", [put(tokens={**VOCABULARY_FACTS, "size": 130}), without("tokens")])
def test_a_model_of_another_vocabulary_is_refused(damaged: Callable[..., Path], change: Callable[[Body], Body]):
    """The checkpoint itself can be read: only what would encode notes with it must know the vocabulary."""
    path = damaged(change)
    with pytest.raises(CheckpointError, match="its vocabulary is ") as raised:
        library.load(path)
    assert raised.value.where == str(path)
    assert raised.value.remedy
    assert checkpoint.read(path).metadata.kind == "measures"


def uncombined(tensors: Body) -> None:
    tensors["combinations"] = tensors["combinations"][:, :-1].copy()


def shorter(tensors: Body) -> None:
    tensors["encoder.beat_inputs.1.bias"] = tensors["encoder.beat_inputs.1.bias"][:-1].copy()


def narrower(tensors: Body) -> None:
    tensors["decoder.sounding_table.weight"] = tensors["decoder.sounding_table.weight"][:, :-1].copy()


def poisoned(tensors: Body) -> None:
    tensors["decoder.tick_input.weight"][1, 1] = np.nan


def lacking(tensors: Body) -> None:
    del tensors["decoder.tick_gru.bias"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (shorter, r"encoder.beat_inputs.1.bias is \(47,\), not \(48,\)"),
        (narrower, r"decoder.sounding_table.weight is \(\d+, 47\), not \(\d+, 48\)"),
        (poisoned, "its tensor decoder.tick_input.weight holds numbers that are not finite"),
        (lacking, "decoder.tick_gru.bias is absent"),
        (uncombined, r"its table of combinations is \(\d+, 8\), which does not fit 8 attributes"),
    ],
)
def test_weights_that_do_not_fit_are_refused(damaged: Callable[..., Path], change: Callable[[Body], None], what: str):
    path = damaged(weights=change)
    with pytest.raises(CheckpointError, match=f"{path.name}: {what}.*train (it again|one|anew)"):
        library.load(path)


@pytest.mark.parametrize("dims", [{"latent": 8, "hidden": 16}, {"latent": "x", "hidden": 16, "tick_hidden": 16}])
def test_dimensions_that_are_none_are_refused(damaged: Callable[..., Path], dims: Body):
    with pytest.raises(CheckpointError, match="its dimensions are"):
        library.load(damaged(put(dims=dims)))


def test_dimensions_of_another_model_are_refused(damaged: Callable[..., Path]):
    with pytest.raises(CheckpointError, match=r"is \(.*\), not \("):
        library.load(damaged(put(dims={"latent": 8, "hidden": 16, "tick_hidden": 18})))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.99])
def test_a_truncated_file_is_refused(model_file: Path, tmp_path: Path, share: float):
    whole, path = model_file.read_bytes(), tmp_path / "half.safetensors"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CheckpointError, match=r"half.safetensors: it is not a complete safetensors file .*model=..."):
        checkpoint.read(path)


@pytest.mark.parametrize("bit", range(8))
def test_a_file_with_one_bit_turned_is_refused(model_file: Path, tmp_path: Path, bit: int):
    data = bytearray(model_file.read_bytes())
    data[-(200 + 37 * bit)] ^= 1 << bit  # the weights stand last
    path = tmp_path / "turned.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"turned.safetensors: .* (do not match its checksum|not finite)"):
        checkpoint.read(path)


def test_anybodys_safetensors_are_refused(tmp_path: Path):
    path = tmp_path / "other.safetensors"
    for metadata in (None, {"format": "pt"}):
        path.write_bytes(save({"x": np.zeros(3)}, metadata=metadata))
        with pytest.raises(CheckpointError, match=r"other.safetensors: .*but not an arvae model"):
            checkpoint.read(path)
    path.write_bytes(save({"x": np.zeros(3)}, metadata={"arvae": "{half"}))
    with pytest.raises(CheckpointError, match="its metadata cannot be read"):
        checkpoint.read(path)


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise SystemExit('unpickled')",)


def test_a_pickle_is_never_opened(tmp_path: Path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(SystemExit):
        pickle.loads(path.read_bytes())
    for model in (path, tmp_path):
        with pytest.raises(CheckpointError, match="not a complete safetensors file"):
            checkpoint.read(model)


def test_a_folder_without_a_model_and_a_name_that_is_none(tmp_path: Path):
    with pytest.raises(CheckpointError, match=f"there is no model '{tmp_path}'.*name a file, a run folder"):
        checkpoint.read(tmp_path)
    with pytest.raises(CheckpointError, match="there is no model 'nosuch'"):
        checkpoint.read("nosuch")


def test_an_unknown_attribute_has_a_nearest(model_file: Path):
    found = checkpoint.read(model_file).metadata
    with pytest.raises(CheckpointError, match="no attribute 'dansity'; did you mean density"):
        found.scale("dansity")
    assert found.scale("density").name == "density"


def test_restricted_keeps_what_belongs_to_the_rest(model_file: Path):
    whole = checkpoint.read(model_file).metadata
    part = whole.restricted(["steps", "range", "density"])
    assert part.names == ("range", "density", "steps")
    for i, one in enumerate(part.names):
        assert part.scale(one) == whole.scale(one)
        for j, other in enumerate(part.names):
            at = whole.names.index(one), whole.names.index(other)
            assert part.correlation[i][j] == whole.correlation[at[0]][at[1]]
            assert part.code_correlation[i][j] == whole.code_correlation[at[0]][at[1]]
    assert part.combinations is not None
    assert whole.combinations is not None
    at = [whole.names.index(name) for name in part.names]
    np.testing.assert_array_equal(part.combinations.values, whole.combinations.values[:, at])
    np.testing.assert_array_equal(part.combinations.groups, whole.combinations.groups)
