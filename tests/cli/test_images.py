"""The commands on images, as processes and in this one: training, building, and what goes wrong."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Run
from PIL import Image

from arvae_music.cli.main import main
from arvae_music.cli.shared import common
from arvae_music.vae import checkpoint

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], work: Path) -> Call:
    """`arvae` in this process, in `work`: exit code, stdout and stderr."""
    monkeypatch.chdir(work)
    monkeypatch.setenv("ARVAE_CACHE", str(work.parent / "cache"))

    def call(*words: object) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(common.state, "quiet", False)
        code = main([str(word) for word in words])
        return subprocess.CompletedProcess(words, code, *capsys.readouterr())

    return call


# ------------------------------------------------------------------------------------ training


def test_training_on_sprites_leaves_a_model_of_images(run: Call, work: Path) -> None:
    done = run("train", "sprites", "--minutes", 0.01, "--hidden", 8, "--batch", 16)
    assert done.returncode == 0, done.stderr
    assert "try `arvae traverse runs/sprites`" in done.stderr
    made = checkpoint.read("runs/sprites")
    assert made.metadata.kind == "images"
    assert made.metadata.names == ("shape", "scale", "orientation", "x", "y")
    assert made.metadata.provenance["source"].startswith("the 737,280 sprites")
    assert json.loads((work / "runs/sprites/config.json").read_text())["dims"]["size"] == 64


@pytest.mark.parametrize("option", [("--mix", 0.5), ("--tick-hidden", 8), ("--token-dropout", 0.2)])
def test_what_only_music_has_is_refused(run: Call, work: Path, option: tuple[str, float]) -> None:
    done = run("train", "sprites", *option)
    assert done.returncode == 2
    assert f"there is no {option[0]} for sprites" in done.stderr
    assert not (work / "runs").exists()


# ------------------------------------------------------------------------------------ pictures


def picture(
    path: Path, mode: str = "L", size: int = 28, invert: bool = False, blank: bool = False, lean: int = 3
) -> Path:
    """A slanted stroke, as of a 1."""
    pixels = np.zeros((size, size), dtype=np.uint8)
    for row in range(size // 5, size - size // 5):
        left = size // 2 - (row - size // 2) // lean
        pixels[row, left - 1 : left + 2] = 0 if blank else 250
    Image.fromarray(255 - pixels if invert else pixels).convert(mode).save(path)
    return path


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as file:
        return file.size


def test_edit_writes_a_picture_and_says_what_came_of_it(run_arvae: Run, work: Path) -> None:
    picture(work / "digit.png")
    words = ("image", "edit", "digit.png", "--thickness", "+1", "--slant", "-10deg", "-o", "out.png")
    done = run_arvae(*words, fresh=True)
    assert done.returncode == 0, done.stderr
    assert "thickness" in done.stdout
    assert "wrote out.png" in done.stdout
    assert size_of(work / "out.png") == (28, 28)
    told = json.loads(run_arvae("image", "edit", "digit.png", "--thickness", "+1", "-o", "b.png", "--json").stdout)[0]
    thickness = next(row for row in told["attributes"] if row["name"] == "thickness")
    assert abs(thickness["achieved"] - thickness["asked"]) < abs(thickness["before"] - thickness["asked"]) / 4
    again = run_arvae("image", "edit", "digit.png", "--thickness", "+1", "-o", "c.png")
    assert again.returncode == 0
    assert (work / "b.png").read_bytes() == (work / "c.png").read_bytes()


def test_the_earlier_commands_on_images_still_work_and_name_the_new_ones(run_arvae: Run, work: Path) -> None:
    picture(work / "digit.png")
    for words, place in (
        (("edit", "digit.png", "--thickness", "+1"), "digit.thickness+1.png"),
        (("interpolate", "digit.png", "digit.png", "--steps", "3"), "digit-digit.3-steps.png"),
        (("traverse", "mnist", "--steps", "2", "-o", "grid.png"), "grid.png"),
    ):
        done = run_arvae(*words)
        assert done.returncode == 0, done.stderr
        assert done.stderr == f"image sliders live in `arvae image {words[0]}`, which runs now\n"
        assert (work / place).read_bytes()[:4] == b"\x89PNG"
    assert run_arvae("edit", "digit.png", "--thickness", "+1", "-o", "q.png", "-q").stderr == ""


def test_the_help_of_edit_is_about_melodies(run_arvae: Run) -> None:
    told = run_arvae("edit", "--help").stdout
    for word in ("--thickness", "--orientation", "picture", "image", "PNG"):
        assert word not in told
    assert "--thickness" in run_arvae("image", "edit", "--help").stdout


def test_settings_for_melodies_do_not_stop_a_picture(
    run_arvae: Run, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(work / "d.png")
    monkeypatch.setenv("ARVAE_MODEL", "bach")
    monkeypatch.setenv("ARVAE_OUTPUT", "{stem}_{edit}.mid")
    done = run_arvae("image", "edit", "d.png", "--thickness", "+0.5")
    assert done.returncode == 0, done.stderr
    assert (work / "d.thickness+0.5.png").exists()


def test_an_edit_of_nothing_is_the_file_itself(run_arvae: Run, work: Path) -> None:
    source = picture(work / "digit.png")
    done = run_arvae("image", "edit", "digit.png", "--slant", "+0")
    assert "not changed" in done.stdout
    assert (work / "digit.slant+0.png").read_bytes() == source.read_bytes()


def test_outputs_keep_the_rules_of_melodies(run_arvae: Run, work: Path) -> None:
    picture(work / "digit.png")
    assert run_arvae("image", "edit", "digit.png", "--slant", "+1", "--dry-run").returncode == 0
    assert [path.name for path in work.iterdir()] == ["digit.png"]
    (work / "digit.slant+1.png").write_text("mine")
    refused = run_arvae("image", "edit", "digit.png", "--slant", "+1")
    assert (refused.returncode, (work / "digit.slant+1.png").read_text()) == (2, "mine")
    assert "exists already" in refused.stderr
    assert run_arvae("image", "edit", "digit.png", "--slant", "+1", "--skip-existing").returncode == 0
    assert run_arvae("image", "edit", "digit.png", "--slant", "+1", "-o", "a.mid").returncode == 2
    assert run_arvae("image", "edit", "digit.png", "--slant", "+1", "--overwrite").returncode == 0
    assert size_of(work / "digit.slant+1.png") == (28, 28)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mode": "RGB"}, "mode is RGB"),
        ({"size": 30}, "the bundled models draw 28 x 28 (mnist) or 64 x 64 (sprites)"),
        ({"blank": True}, "is blank"),
        ({"invert": True}, "mostly white"),
    ],
)
def test_a_bad_picture_is_told_and_nothing_is_written(run_arvae: Run, work: Path, options: Any, said: str) -> None:
    picture(work / "digit.png", **options)
    for words in (("edit", "digit.png", "--slant", "+1"), ("interpolate", "digit.png", "digit.png")):
        done = run_arvae(*words)
        assert done.returncode == 1
        assert said in done.stderr
    assert [path.name for path in work.iterdir()] == ["digit.png"]


def test_one_bad_picture_stops_no_other(run_arvae: Run, work: Path) -> None:
    picture(work / "a.png")
    (work / "b.png").write_bytes((work / "a.png").read_bytes()[:50])
    picture(work / "c.png")
    done = run_arvae("image", "edit", "a.png", "b.png", "c.png", "--area", "+10%", "-o", "out/")
    assert done.returncode == 1
    assert "b.png: cannot be read" in done.stderr
    assert sorted(path.name for path in (work / "out").iterdir()) == ["a.area+10%.png", "c.area+10%.png"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("edit", "digit.png", "--density", "+1"), "No such option: --density"),
        (("image", "edit", "digit.png", "--set", "density=+1"), "no attribute 'density'"),
        (("image", "edit", "digit.png"), "nothing to change"),
        (("edit", "digit.png", "--slant", "0:+0,8:+2"), "which a picture does not have"),
        (("edit", "digit.png", "--slant", "+1", "--bars", "1-4"), "No such option: --bars"),
        (("edit", "digit.png", "--slant", "+1", "--lock", "key"), "No such option: --lock"),
        (("edit", "digit.png", "--slant", "+1", "--mode", "none"), "no mode 'none'"),
        (("edit", "digit.png", "melody.mid", "--slant", "+1"), "melody.mid is not a PNG file"),
        (("edit", "digit.png", "--slant", "+1", "--model", "bach"), "but this needs a model of images"),
        (
            ("edit", "melody.mid", "--density", "+1", "--model", "mnist"),
            "a model of images, but this needs a model of measure",
        ),
        (("edit", "melody.mid", "--thickness", "+1", "--model", "bach"), "No such option: --thickness"),
        (("image", "interpolate", "digit.png"), "one image cannot be interpolated"),
        (("interpolate", "digit.png", "digit.png", "--one"), "No such option: --one"),
        (("traverse", "bach"), "a model of measures"),
        (("traverse", "mnits"), "did you mean mnist"),
        (("evaluate", "mnist", "--html", "a.html"), "no HTML report"),
        (("evaluate", "mnist", "--corpus", "bach"), "not a set of images"),
    ],
)
def test_requests_that_make_no_sense(
    run_arvae: Run, work: Path, melody: Path, words: tuple[str, ...], said: str
) -> None:
    picture(work / "digit.png")
    before = {path.name for path in work.iterdir()}
    done = run_arvae(*words)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert {path.name for path in work.iterdir()} == before


def test_interpolate_writes_a_strip_or_a_gif(run_arvae: Run, work: Path) -> None:
    picture(work / "a.png")
    picture(work / "b.png", lean=-4)
    done = run_arvae("image", "interpolate", "a.png", "b.png", "--steps", "5", fresh=True)
    assert done.returncode == 0, done.stderr
    assert size_of(work / "a-b.5-steps.png") == (4 * (5 * 30 + 2), 4 * (30 + 2))
    assert run_arvae("image", "interpolate", "a.png", "b.png", "--steps", "4", "-o", "way.gif").returncode == 0
    with Image.open(work / "way.gif") as file:
        assert (file.format, getattr(file, "n_frames", 1)) == ("GIF", 6)
    told = json.loads(run_arvae("image", "interpolate", "a.png", "b.png", "--dry-run", "--json").stdout)
    assert told["steps"] == len(told["attributes"]["area"]) == 8
    assert told["output"] is None


def test_traverse_draws_attributes_by_steps(run_arvae: Run, work: Path) -> None:
    done = run_arvae("image", "traverse", "mnist", "--steps", "6", fresh=True)
    assert done.returncode == 0, done.stderr
    width, height = size_of(work / "mnist.traverse.png")
    assert height == 4 * (6 * 30 + 2)
    assert width > 4 * (6 * 30 + 2)  # the names stand beside
    picture(work / "digit.png")
    told = json.loads(run_arvae("image", "traverse", "mnist", "--image", "digit.png", "--json", "-o", "t.png").stdout)
    slant = next(one for one in told["traversals"] if one["name"] == "slant")
    assert slant["realised"] == sorted(slant["realised"])


@pytest.mark.slow
def test_evaluate_and_its_thresholds(run: Call, work: Path) -> None:
    done = run("evaluate", "sprites", "--quick", "--json", "--fail-under", "paper.scc=.5", "--fail-under", "pixels=1")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["headline"]["pixels"] > 0.99
    assert [one["kept"] for one in found["thresholds"]] == [True, False]
    assert "pixels is" in done.stderr


# ------------------------------------------------------------------------------------ corpora


def test_a_set_of_pictures_of_another_size_is_refused(run: Call, work: Path) -> None:
    done = run("evaluate", "mnist", "--corpus", "sprites", "--quick")
    assert done.returncode == 2
    assert "sprites has images of 64 x 64 pixels, and the model needs 28 x 28" in done.stderr


def test_building_mnist_says_what_is_wrong(run: Call, work: Path) -> None:
    (work / "idx").mkdir()
    for kind in ("images-idx3", "labels-idx1"):
        (work / "idx" / f"train-{kind}-ubyte").write_bytes(b"no idx file at all")
    done = run("corpus", "build", "mnist", "--mnist-dir", "idx")
    assert done.returncode == 1
    assert "its magic number is 0x6e6f2069, not 0x00000803" in done.stderr
    for words, said in (
        (("bach", "--fetch"), "are for mnist"),
        (("sprites", "--fetch"), "are for mnist"),
        (("mnist", "--fetch", "--mnist-dir", "idx"), "exclude each other"),
        (("mnist", "--name", "other"), "keeps its name"),
    ):
        refused = run("corpus", "build", *words)
        assert refused.returncode == 2
        assert said in refused.stderr
    assert "nothing to build" in run("corpus", "build", "sprites").stderr
