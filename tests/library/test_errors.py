"""Remedies are worded for Python in Python, and for the command line there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import Run

import arvae_music
from arvae_music import assessment
from arvae_music.errors import ArvaeError, UsageError, as_options
from arvae_music.music.attributes import PAPER
from arvae_music.music.sliders import grid_points
from arvae_music.training.domains import make_plan
from arvae_music.training.trainer import TrainingOptions

ODE = Path(arvae_music.__file__).parent / "data" / "ode_to_joy.mid"
OPTION = re.compile(r"(^|\s)--?[a-z]")

# What raises an error in Python, and what its remedy is there and on the command line.
CASES = {
    "mode": (
        lambda folder: arvae_music.edit(ODE, syncopation=1, mode="latent"),
        'use mode="guided"', "use --mode guided",
    ),
    "locks": (
        lambda folder: arvae_music.edit(ODE, density=1, lock="key", mode="latent"),
        'use mode="guided", or', "use --mode guided, or",
    ),
    "locked attributes": (
        lambda folder: arvae_music.edit(ODE, density=1, lock="onsets"),
        'leave out density=... or lock="onsets"', "leave out --density or --lock onsets",
    ),
    "bars": (
        lambda folder: arvae_music.edit(ODE, density=1, bars="four"),
        'write bars="1-4,7,12-"', "write --bars 1-4,7,12-",
    ),
    "steps": (lambda folder: arvae_music.interpolate([ODE, ODE], 2), "give steps=3 or more", "give --steps 3 or more"),
    "count": (lambda folder: arvae_music.vary(ODE, 0), "give count=1 or more", "give -n 1 or more"),
    "model": (
        lambda folder: (folder / "x.safetensors").write_bytes(b"x") and arvae_music.load(folder / "x.safetensors"),
        "name another with model=..., or", "name another with --model, or",
    ),
    "overwrite": (
        lambda folder: [arvae_music.edit(ODE).save(folder / "x.mid") for _ in range(2)],
        "give overwrite=True, or another name with path=...",
        "give --overwrite, or another name with -o",
    ),
    "meters": (
        lambda folder: arvae_music.interpolate([ODE, arvae_music.from_notes([60] * 2, [0, 1], [1] * 2, meter="3/4")]),
        "with bars=...", "with --bars",
    ),
    "objectives": (
        lambda folder: make_plan("bach", PAPER, 1, "aligned", None, 0, {"delta": 5.0}),
        "give another objective=...", "give another --objective",
    ),
    "training options": (
        lambda folder: TrainingOptions(epochs=0, minutes=None),
        "epochs, batch, report_steps, valid_steps and valid_rows are 1 or more", "valid_rows are 1 or more",
    ),
    "runtime": (
        lambda folder: assessment.load("mnist", runtime="torch"),
        "leave out runtime=...", "leave out --runtime",
    ),
    "out of range": (
        lambda folder: arvae_music.from_notes([1, 127], [0, 1], [1, 1]),
        "with track=...", "with --track",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_remedies_name_parameters_in_python_and_options_on_the_command_line(name: str, tmp_path: Path):
    fails, in_python, on_command_line = CASES[name]
    with pytest.raises(ArvaeError) as raised:
        fails(tmp_path)
    assert in_python in str(raised.value)
    assert not OPTION.search(str(raised.value))
    assert on_command_line in raised.value.on_command_line
    assert "=" not in raised.value.on_command_line.partition(";")[2]


def test_a_grid_is_named_as_python_and_as_the_command_line_name_it():
    with pytest.raises(UsageError, match=r'^the grid \'density\' is not NAME=LO:HI:COUNT; write grid="') as raised:
        grid_points("density")
    assert raised.value.on_command_line.endswith("write --grid density=-1:1:5")


def test_only_parameters_become_options():
    for text in ("write --set density=+1.5", "write x=1, or modes=2", "write 0:=4notes,8:=9notes", "=8notes", ""):
        assert as_options(text) == text
    assert as_options("arvae_music.inspect() lists them") == "`arvae inspect` lists them"


def test_what_happened_and_where_are_left_as_they_are():
    error = UsageError("track=3 is odd", where="bars=4.mid", remedy="give track=4")
    assert error.message == "bars=4.mid: track=3 is odd; give track=4"
    assert error.on_command_line == "bars=4.mid: track=3 is odd; give --track 4"


def test_the_command_line_says_it_so(run_arvae: Run, tmp_path: Path):
    done = run_arvae("edit", ODE, "--density", "+1", "--bars", "four", "-o", tmp_path / "x.mid")
    assert done.returncode == 2
    assert done.stderr.strip().endswith("write --bars 1-4,7,12-")
    done = run_arvae("interpolate", ODE, ODE, "--bars", "1-2,x")
    assert done.stderr.strip().endswith("write --bars 1-4,7,12-")
