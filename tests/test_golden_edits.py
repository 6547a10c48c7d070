"""Golden edits: command lines on committed MIDI files, compared byte by byte with committed outputs.

A change of code that is meant to change nothing must leave all of these as they are. Where an edit is meant to
change, write them anew (golden/make_edits.py) and listen to the difference.

The search compares sums of float32 numbers, so that a processor or a numpy that rounds otherwise could in principle
choose another measure. It did not with OpenBLAS's kernels for Haswell, SkylakeX, Sandybridge, Nehalem and Katmai.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from golden import make_edits as golden

CASES: dict[str, dict[str, Any]] = json.loads(golden.TABLE.read_text(encoding="utf-8"))
SLIDERS = ("density", "rhythm", "range", "contour", "syncopation", "pitch", "repetition", "steps")
OPTIONS = ("--bars", "--keep", "--strength", "--no-form", "--mode latent", "--seed", "--grid", "vary", "interpolate")
LOCKS = ("onsets", "pitches", "key", "range", "first", "last")


def close(data: Any) -> Any:
    """`data` with its numbers approximate: sums may be rounded otherwise elsewhere."""
    if isinstance(data, dict):
        return {key: close(value) for key, value in data.items()}
    if isinstance(data, list):
        return [close(value) for value in data]
    return pytest.approx(data, rel=1e-6, abs=1e-6) if isinstance(data, float) else data


def expect(case: str, code: int, stdout: str, stderr: str, found: dict[str, bytes]) -> None:
    assert code == 0, stderr
    wanted = golden.expected(case)
    assert sorted(found) == sorted(wanted)
    changed = {name: golden.difference(data, found[name]) for name, data in wanted.items()}
    told = "\n\n".join(f"{name}:\n{lines}" for name, lines in changed.items() if lines)
    assert not told, f"arvae {CASES[case]['words']}\n\n{told}"
    assert golden.report(stdout) == close(CASES[case]["report"])


def test_the_golden_set_is_whole() -> None:
    assert len(CASES) >= 20
    assert list(CASES) == list(golden.EDITS), "run golden/make_edits.py"
    assert {path.name for path in golden.OUTPUTS.iterdir()} == {golden.slug(case) for case in CASES}
    asked = " ".join(golden.EDITS.values())
    assert all(f"--{slider} " in asked for slider in SLIDERS)
    locked = re.findall(r"--lock ([a-z,]+)", asked)
    assert set(",".join(locked).split(",")) == set(LOCKS)
    for word in OPTIONS:
        assert word in asked


def test_the_inputs_are_what_their_generator_writes() -> None:
    written = {path.name: path.read_bytes() for path in golden.INPUTS.iterdir()}
    made = golden.inputs()
    assert sorted(written) == sorted(made)
    for name, data in made.items():
        assert not golden.difference(written[name], data), name


@pytest.mark.parametrize("case", CASES)
def test_the_outputs_are_those_that_were_digested(case: str) -> None:
    outputs = golden.expected(case)
    assert outputs
    assert {name: golden.digest(data) for name, data in outputs.items()} == CASES[case]["sha256"]
    assert CASES[case]["words"] == shlex.join(golden.words(case))


def test_every_case_changes_something_and_no_two_are_the_same() -> None:
    seen: dict[str, str] = {}
    for case, known in CASES.items():
        source = (golden.INPUTS / golden.words(case)[1]).read_bytes()
        digests = list(known["sha256"].values())
        assert golden.words(case)[0] == "interpolate" or golden.digest(source) not in digests, case
        for digest in digests:
            assert digest not in seen, f"{case} gives what {seen[digest]} gives"
            seen[digest] = case


@pytest.mark.parametrize("case", CASES)
def test_golden_edit(case: str, home: dict[str, str], work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, home[name])
    golden.lay_out(work)
    done = golden.carry_out(case, work)
    expect(case, done.code, done.stdout, done.stderr, done.files)


@pytest.mark.parametrize("case", golden.THROUGH_A_PROCESS)
def test_golden_edit_through_a_process(case: str, run_arvae: Run, work: Path) -> None:
    golden.lay_out(work)
    done = run_arvae(*golden.words(case))
    expect(case, done.returncode, done.stdout, done.stderr, golden.outputs_in(work))


def test_torch_gives_the_same(work: Path) -> None:
    """As `--runtime` promises."""
    golden.lay_out(work)
    case = "latent, another seed"
    done = golden.carry_out(case, work, "--runtime", "torch")
    expect(case, done.code, done.stdout, done.stderr, done.files)


def test_a_difference_is_told_note_by_note() -> None:
    before, after = golden.march(), golden.march().replace(bytes([0x90, 67, 70]), bytes([0x90, 66, 70]), 1)
    told = golden.difference(before, after)
    assert "-track 0, tick 0: note 67 for 480 ticks, velocity 70, channel 0" in told
    assert golden.difference(before, before) == ""
