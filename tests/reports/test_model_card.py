"""Evaluations kept beside models, what the commands show of them, and the model card."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY, Run, random_model

from arvae_music.cli.main import main
from arvae_music.cli.shared import common
from arvae_music.errors import CheckpointError
from arvae_music.evaluation.headline import headline_names
from arvae_music.images.evaluation import headline_names as headline_names_of_images
from arvae_music.reports import model_card as card
from arvae_music.reports import model_listing
from arvae_music.reports.model_card import SHOWN, evaluation_of, evaluation_path
from arvae_music.vae import checkpoint


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> checkpoint.Checkpoint:
    return checkpoint.read(random_model(tmp_path_factory.mktemp("card") / "tiny.safetensors"))


def evaluation(digest: str, **figures: float | None) -> str:
    """As `arvae evaluate --json` prints it, as far as it is read."""
    headline = {name: round(0.01 * i, 2) for i, name in enumerate(headline_names(("rhythm", "density")))} | figures
    about = {"model": "tiny", "digest": digest, "corpus": "tunes", "part": "test"}
    return json.dumps({"about": about, "counts": {"evaluated": 321, "unseen": 123}, "headline": headline})


@pytest.fixture
def judged(model: checkpoint.Checkpoint):
    """Keeps an evaluation beside the model for one test."""
    path = evaluation_path(model.path)
    path.write_text(evaluation(model.digest, tokens=0.9876, leakage=None))
    yield path
    path.unlink()


def test_what_is_shown_is_in_every_headline():
    names = headline_names(("rhythm", "density"))
    assert set(SHOWN) - {"pixels", "kept"} <= set(names)
    assert {"pixels", "kept"} <= set(headline_names_of_images(("area",), digits=True))
    assert {f"{key}.rhythm" for key in card.EACH} <= set(names)


def test_an_evaluation_lies_beside_its_model():
    assert evaluation_path(Path("a/bach.safetensors")) == Path("a/bach.evaluation.json")
    assert evaluation_path(Path("runs/x/model.safetensors")) == Path("runs/x/evaluation.json")


def test_an_evaluation_counts_for_the_weights_that_were_evaluated(model: checkpoint.Checkpoint, judged: Path):
    found = evaluation_of(model)
    assert found is not None
    assert (found.corpus, found.part, found.counts["unseen"]) == ("tunes", "test", 123)
    assert found.headline["tokens"] == 0.9876
    judged.write_text(evaluation("0" * 16))
    assert evaluation_of(model) is None


def test_a_model_without_an_evaluation_has_none(model: checkpoint.Checkpoint):
    assert evaluation_of(model) is None
    assert evaluation_of(checkpoint.Checkpoint(model.metadata, model.weights)) is None


@pytest.mark.parametrize("text", ["", "[]", '{"about": {}}', '{"about": {"digest": 1}, "counts": 3}'])
def test_a_file_that_is_no_evaluation_is_named(model: checkpoint.Checkpoint, judged: Path, text: str):
    judged.write_text(text)
    with pytest.raises(CheckpointError, match=r"tiny\.evaluation\.json: it is not an evaluation .*evaluate --json"):
        evaluation_of(model)


def test_models_info_shows_it(run_arvae: Run, model: checkpoint.Checkpoint, judged: Path):
    done = run_arvae("models", "info", model.path)
    assert done.returncode == 0, done.stderr
    text = done.stdout[done.stdout.index("evaluation on tunes, test") :]
    assert f"  {SHOWN['tokens']}: 0.988\n" in text
    assert f"  {SHOWN['leakage']}: -\n" in text
    body = json.loads(run_arvae("models", "info", model.path, "--json").stdout)
    assert body["evaluation"]["headline"]["tokens"] == 0.9876
    assert body["evaluation"]["counts"] == {"evaluated": 321, "unseen": 123}


def test_models_info_says_where_there_is_none(run_arvae: Run, model: checkpoint.Checkpoint):
    assert f"not evaluated: arvae evaluate {model.path}" in run_arvae("models", "info", model.path).stdout
    assert json.loads(run_arvae("models", "info", model.path, "--json").stdout)["evaluation"] is None


def test_models_list_has_a_quality_for_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: checkpoint.Checkpoint, judged: Path
):
    assert model.path is not None
    monkeypatch.setattr(common.state, "quiet", False)  # another test's --quiet, in this process
    monkeypatch.setattr(checkpoint, "PACKAGED", model.path.parent)
    assert main(["models", "list"]) == 0
    heading, row = capsys.readouterr().out.splitlines()[:2]
    assert "reconstruction" in heading
    assert "0.988" in row
    assert main(["models", "list", "--json"]) == 0
    (body,) = json.loads(capsys.readouterr().out)
    assert body["evaluation"]["part"] == "test"
    judged.unlink()
    assert main(["models", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[-3:] == ["-", "-", "-"]
    judged.touch()
    judged.write_text(evaluation(model.digest))


def test_a_card_has_the_sliders_and_the_figures(model: checkpoint.Checkpoint, judged: Path):
    text = card.card("tiny", model, evaluation_of(model))
    lines = text.splitlines()
    assert lines[0] == "## tiny"
    assert f"- digest: {model.digest}" in lines
    assert f"| {SHOWN['tokens']} | 0.988 |" in lines
    assert "321 distinct examples of the test part of tunes, 123 of which" in text
    rows = {line.split("|")[1].strip(): line for line in lines if line.startswith("|")}
    assert list(rows)[:6] == ["slider", "---", "rhythm", "range", "density", "contour"]
    control = evaluation_of(model).headline["control.density"]
    assert f" {control:.3f} " in rows["density"]
    assert "Measured only, moved by the guided mode: syncopation, pitch, repetition, steps." in lines


@pytest.mark.parametrize(
    ("more", "last"),
    [
        ({}, "the decoder alone"),
        ({"weights": {"flow": 0.0}}, "the decoder alone"),
        ({"weights": {"flow": 1.0}}, "decoder and flow"),
    ],
)
def test_a_card_lists_later_training_rounds(model: checkpoint.Checkpoint, more: dict[str, Any], last: str):
    done = {"minutes": 0.0, "flow_minutes": 7.0, "decoder_minutes": 15.0, "batch": 1024, **more}
    whole = {"minutes": 12.5, "flow_minutes": 0.0, "batch": 512}  # from before there was more to say
    trained = replace(model, metadata=replace(model.metadata, training={"refined": [whole, done]}))
    expected = f"all of it 12.5 minutes, steps of 512; the flow alone 7 minutes, {last} 15 minutes, steps of 1024"
    assert f"- then, on a CPU: {expected}" in card.card("tiny", trained, None).splitlines()


def test_metrics_of_given_codes_are_not_shown(model: checkpoint.Checkpoint, judged: Path):
    scales = tuple(replace(scale, given=True) for scale in model.metadata.scales)
    conditional = replace(model, metadata=replace(model.metadata, scales=scales))
    judged.write_text(evaluation(conditional.digest))
    found = evaluation_of(conditional)
    assert found is not None
    shown = card.figures(found)
    assert [shown[SHOWN[name]] for name in ("paper.scc", "paper.interpretability", "paper.mig")] == ["given"] * 3
    assert shown[SHOWN["control"]] == f"{found.headline['control']:.3f}"


def test_a_card_adds_the_minutes_of_both_stages_of_training(model: checkpoint.Checkpoint):
    training = {"minutes": 27.0, "align_minutes": 13.0, "steps": 16140, "seed": 0}
    trained = replace(model, metadata=replace(model.metadata, training=training))
    assert "- training: 16140 steps, 40 minutes, seed 0," in card.card("tiny", trained, None)


def test_a_card_without_an_evaluation_says_so(model: checkpoint.Checkpoint):
    text = card.card("tiny", model, None)
    assert "Not evaluated" in text
    assert "| slider | dimension | mean | +1 is |\n" in text


def test_the_card_in_the_docs_is_that_of_the_models_in_the_package():
    """After new models or evaluations: python scripts/make_model_card.py"""
    program = "import make_model_card; print(make_model_card.text(), end='')"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY / "scripts", capture_output=True, text=True, check=True
    )
    assert done.stdout == (REPOSITORY / "docs/models.md").read_text("utf-8")


def test_models_as_data_and_as_rows_from_python(
    monkeypatch: pytest.MonkeyPatch, model: checkpoint.Checkpoint, judged: Path
):
    assert model.path is not None
    monkeypatch.setattr(checkpoint, "PACKAGED", model.path.parent)
    (row,) = model_listing.models()
    assert (row["path"], row["bytes"]) == (model.path, model.path.stat().st_size)
    (cells,) = model_listing.cells([row])
    assert len(cells) == len(model_listing.HEADINGS)
    assert cells[-3] == "0.988"
    assert [one[0] for one in model_listing.slider_rows(model)] == list(model.metadata.names)
    assert model_listing.describe(model)["evaluation"].part == "test"
    assert model_listing.sections(model, str(model.path))[-1].startswith("\nevaluation on ")
