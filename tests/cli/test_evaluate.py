"""`arvae evaluate`, in real processes: a corpus is built, a model is trained for a moment, and judged."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from forked import Server

Result = subprocess.CompletedProcess[str]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("ARVAE_", "_ARVAE"))}


def python(folder: Path, *words: object) -> Result:
    """A Python of its own, in `folder`."""
    return subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(folder),
        timeout=300,
    )


def environment(folder: Path) -> dict[str, str]:
    return {**CLEAN, "ARVAE_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}


def write_tunes(path: Path, count: int) -> None:
    chance = random.Random(0)
    tunes = []
    for n in range(count):
        bars = ["".join(chance.choice(["C2", "D2", "EF", "G2", "AB", "c2"]) for _ in range(2)) for _ in range(4)]
        tunes.append(f"X:{n + 1}\nT:Tune {n + 1}\nM:2/4\nL:1/8\nK:C\n{'|'.join(bars)}|\n\n")
    path.write_text("".join(tunes))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, fork_server: Server) -> Path:
    """A folder with the corpus `tunes`, and the run `small` of a model of it."""
    place = tmp_path_factory.mktemp("evaluate")
    (place / "tunes").mkdir()
    write_tunes(place / "tunes" / "all.abc", 120)
    built = fork_server.run(["corpus", "build", "tunes", "-j", 1], place, environment(place))
    assert built.returncode == 0, built.stderr
    shape = ("--latent", 8, "--hidden", 16, "--tick-hidden", 8)
    training = ["train", "tunes", "-o", "small", "--epochs", 4, "--batch", 32, *shape, "-q"]
    trained = fork_server.run(training, place, environment(place))
    assert trained.returncode == 0, trained.stderr
    return place


@pytest.fixture(scope="module")
def run(folder: Path, fork_server: Server) -> Callable[..., Result]:
    return lambda *words: fork_server.run(["evaluate", *words], folder, environment(folder))


@pytest.fixture(scope="module")
def judged(folder: Path) -> Result:
    """By a Python of its own, with JSON, a page, a threshold that holds and two that do not."""
    return python(
        folder, "-m", "arvae_music.cli", "evaluate", "small",
        "--quick", "--json", "--html", "page.html", "--seed", 3,
        "--fail-under", "valid=0", "--fail-under", "guided.control=1.5", "--fail-over", "leakage.density=-9",
    )  # fmt: skip


def test_a_threshold_that_is_not_kept_is_exit_1_and_named(judged):
    assert judged.returncode == 1
    complaints = [line for line in judged.stderr.splitlines() if line.startswith("arvae: ")]
    assert len(complaints) == 2
    assert complaints[0].startswith("arvae: guided.control is ")
    assert complaints[0].endswith("under 1.5")
    assert complaints[1].endswith("over -9")


def test_json_is_all_of_stdout(judged):
    read = json.loads(judged.stdout)
    about = read["about"]
    assert (about["model"], about["corpus"], about["part"]) == ("small", "tunes", "valid")
    assert about["options"]["seed"] == 3
    assert read["attributes"] == ["rhythm", "range", "density", "contour"]
    assert [one["kept"] for one in read["thresholds"]] == [True, False, False]
    assert read["counts"]["evaluated"] > 10
    assert -1 <= read["headline"]["control"] <= 1


def test_the_page_is_written_once(judged, run, folder):
    page = (folder / "page.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "small on tunes" in page
    again = run("small", "--html", "page.html")
    assert again.returncode == 2
    assert again.stderr == "arvae: page.html: exists already; give --overwrite, or another name with --html\n"


def test_a_table_for_people_and_quiet(run):
    done = run("small", "--quick", "--part", "test", "--corpus", "tunes", "--fail-under", "valid=0")
    assert done.returncode == 0, done.stderr
    for words in ("tunes, test", "strict, oracle", "Control, latent", "Control, guided", "Leakage", "contour"):
        assert words in done.stdout
    assert "nan" not in done.stdout
    assert "\x1b" not in done.stdout
    assert "measuring control, guided ..." in done.stderr


def test_quiet_says_nothing_but_what_fails(run):
    done = run("small", "--quick", "-q", "--fail-under", "measures=1.1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("arvae: measures is ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nosuch",), "there is no model 'nosuch'"),
        (("mnist", "--runtime", "torch"), "models of images have only one runtime; leave out --runtime"),
        (("small", "--runtime", "tf"), "there is no runtime 'tf'"),
        (("small", "--part", "train"), "there is no part 'train'; give valid or test"),
        (("small", "--corpus", "nosuch"), "no corpus is called 'nosuch'"),
        (("small", "--fail-under", "control"), "is not a valid threshold; write control=0.95"),
        (("small", "--fail-under", "contrl=.9"), "did you mean control?"),
        (("small", "--fail-under", "control.tempo=.9"), "there is no figure 'control.tempo'"),
        (("small", "--fail-under", "foo=1"), 'lists all figures under "headline"'),
        (("small", "--fail-under", "leakage=.3"), "leakage is better lower; give --fail-over leakage=.3"),
        (("small", "--fail-over", "control=.3"), "control is better higher; give --fail-under control=.3"),
    ],
)
def test_what_cannot_be_asked_is_exit_2_before_any_work(run, words, said):
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) < 200  # and not a list of 130 names


@pytest.mark.slow
def test_a_cluster_finds_the_same(folder, judged):
    pytest.importorskip("ray")
    words = ("evaluate", "small", "--quick", "--json", "--seed", 3, "--ray", "local")
    done = python(folder, "-m", "arvae_music.cli", *words)
    assert done.returncode == 0, done.stderr
    one, two = ({**json.loads(each.stdout), "seconds": 0, "thresholds": 0} for each in (judged, done))
    assert one == two


def test_python_gets_the_same_evaluation(folder, judged):
    program = (
        "import json, sys; from arvae_music.assessment import evaluate\n"
        "found = evaluate(sys.argv[1], seed=3, quick=True)\n"
        "print(json.dumps([found.headline, repr(found), found._repr_html_()]))"
    )
    done = python(folder, "-c", program, "small")
    assert done.returncode == 0, done.stderr
    headline, short, table = json.loads(done.stdout)
    expected = {name: value for name, value in json.loads(judged.stdout)["headline"].items() if value is not None}
    assert {name: headline[name] for name in expected} == expected
    assert short.startswith("<Evaluation of small on tunes, valid: measures ")
    assert len(short) < 200
    assert "<caption>small on tunes, valid</caption>" in table
    assert "<th>paper&#x27;s protocol</th>" in table
