"""The conventions that every command keeps, by processes; and the naming and batching they share."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Run, write_melody

from arvae_music.cli.shared import common
from arvae_music.cli.shared.batches import run_batch
from arvae_music.errors import CheckpointError, InputError, UsageError
from arvae_music.system.outputs import Request

# ------------------------------------------------------------------------- exit codes and streams


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("--version",), ("inspect", "--help")])
def test_asking_for_help_succeeds_on_stdout(run_arvae: Run, words: tuple[str, ...]) -> None:
    done = run_arvae(*words, fresh=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Usage: arvae"),
        (("inspct", "melody.mid"), "did you mean inspect?"),
        (("inspect", "melody.mid", "--chanel", "1"), "did you mean --channel?"),
        (("inspect", "melody.mid", "--zzz"), "No such option: --zzz"),
        (("inspect",), "Missing argument 'FILE' (see arvae inspect --help)"),
        (("inspect", "melody.mid", "--channel", "17"), "'--channel'"),
        (("inspect", "melody.mid", "--pickup", "x"), "'x' is not a length; write 1, 0.5 or 1/3"),
        (("inspect", "melody.mid", "--attribute", "densty"), "did you mean density?"),
        (("inspect", "meldy.mid"), "did you mean melody.mid?"),
        (("inspect", "*.midi"), "*.midi: matches no file"),
        (("inspect", "."), "give -r to read the files in it"),
        (("config", "shw"), "Did you mean 'show'"),
        (("models", "info", "nosuch"), "there is no model 'nosuch'"),
        (("edit", "melody.mid", "--density", "1", "--set", "density=2"), "given twice"),
        (("edit", "melody.mid", "--density", "+1", "-o", "out.mp3"), "out.mp3: the output has none of the suffixes"),
        (("edit", "melody.mid", "--density", "+1", "-o", "-", "--json"), "would both go to stdout"),
        (("interpolate", "melody.mid", "melody.mid", "--one", "-o", "-", "--json"), "would both go to stdout"),
        (("interpolate", "melody.mid", "melody.mid", "--runtime", "tf"), "there is no runtime 'tf'"),
    ],
)
def test_usage_errors_are_exit_2_and_one_message(
    run_arvae: Run, melody: Path, words: tuple[str, ...], said: str
) -> None:
    done = run_arvae(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    if words:
        assert done.stderr.startswith("arvae: ")
        assert done.stderr.count("\n") == 1


def test_a_command_of_commands_alone_shows_its_help(run_arvae: Run) -> None:
    done = run_arvae("models")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: arvae models")


def test_json_names_what_failed(run_arvae: Run, melody: Path, work: Path) -> None:
    (work / "bad.mid").write_bytes(melody.read_bytes()[:10])
    for words in (("inspect",), ("edit", "--density", "+1"), ("vary", "-n", "1")):
        for files in (("bad.mid",), ("melody.mid", "bad.mid")):
            done = run_arvae(*words, *files, "--json", *(() if words == ("inspect",) else ("--overwrite",)))
            assert done.returncode == 1
            found = json.loads(done.stdout)
            assert "truncated" in found[-1]["error"]
            assert found[-1].get("input", found[-1].get("file")) == "bad.mid"
            assert len(found) == len(files)


def test_all_missing_inputs_are_named_at_once(run_arvae: Run, melody: Path) -> None:
    done = run_arvae("inspect", "one.mid", "melody.mid", "two.mid", fresh=True)
    assert done.returncode == 2
    assert "one.mid" in done.stderr
    assert "two.mid" in done.stderr


def test_an_input_that_fails_is_exit_1_and_the_others_are_done(run_arvae: Run, work: Path) -> None:
    write_melody(work / "a.mid")
    (work / "b.mid").write_bytes(b"no MIDI at all")
    write_melody(work / "c.mid")
    done = run_arvae("inspect", "a.mid", "b.mid", "c.mid", fresh=True)
    assert done.returncode == 1
    assert "a.mid" in done.stdout
    assert "c.mid" in done.stdout
    assert "arvae: 2 done, 1 failed: b.mid" in done.stderr
    assert run_arvae("inspect", "b.mid").returncode == 1


def test_quiet_leaves_stdout_empty_and_errors_in_place(run_arvae: Run, melody: Path) -> None:
    for words in (("-q", "inspect", melody), ("inspect", melody, "-q"), ("config", "show", "--quiet")):
        done = run_arvae(*words)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "no such file" in run_arvae("inspect", "-q", "nosuch.mid").stderr


def test_a_bug_is_one_line_and_a_traceback_with_debug_wherever_it_stands(run_arvae: Run, melody: Path) -> None:
    (melody.parent / "mine.py").write_text("raise ZeroDivisionError('oh')\n")  # nothing expects this of an import
    plain = run_arvae("inspect", melody, "-a", "mine:broken", fresh=True)
    assert plain.returncode == 70
    assert plain.stderr.count("\n") == 1
    assert "--debug" in plain.stderr
    for words in (("--debug", "inspect", melody), ("inspect", melody, "--debug")):
        done = run_arvae(*words, "-a", "mine:broken")
        assert (done.returncode, "Traceback" in done.stderr) == (70, True)


def test_debug_shows_where_an_error_of_the_users_arose(run_arvae: Run) -> None:
    done = run_arvae("inspect", "nosuch.mid", "--debug")
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_an_option_after_two_dashes_is_a_file_name(run_arvae: Run) -> None:
    done = run_arvae("inspect", "--", "--debug")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "--debug: no such file" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_interrupt_is_exit_130(home: dict[str, str], work: Path) -> None:
    """Waiting for stdin, so that there is something to interrupt."""
    command = [sys.executable, "-m", "arvae_music.cli", "inspect", "-"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=home, cwd=work, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.5)
            if "numpy" in Path(f"/proc/{process.pid}/maps").read_text():
                time.sleep(1)
                break
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.decode() == "arvae: interrupted\n"


def test_interrupt_is_exit_130_in_text_that_is_executed_too(run_arvae: Run, melody: Path) -> None:
    """As when Ctrl-C comes while a dataclass is made: Python remembers it, and ended by the signal."""
    (melody.parent / "mine.py").write_text("exec('raise KeyboardInterrupt')\n")
    done = run_arvae("inspect", melody, "-a", "mine:broken", fresh=True)
    assert (done.returncode, done.stderr) == (130, "arvae: interrupted\n")


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes")
def test_a_reader_that_goes_away_is_no_complaint(home: dict[str, str], work: Path) -> None:
    write_melody(work / "melody.mid", tuple(range(48, 84)) * 50)
    shell = f"{sys.executable} -m arvae_music.cli inspect melody.mid --json | head -c 10"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, env=home, cwd=work, timeout=60)
    assert (len(done.stdout), done.stderr) == (10, b"")


@pytest.mark.parametrize("command", [("config", "show"), ("models", "list"), ("inspect", "melody.mid")])
def test_json_is_json_and_alone_on_stdout(run_arvae: Run, melody: Path, command: tuple[str, ...]) -> None:
    done = run_arvae(*command, "--json", fresh=True)
    assert json.loads(done.stdout) is not None
    quiet = run_arvae(*command, "--json", "--quiet")
    assert json.loads(quiet.stdout) is not None  # asked for: --quiet is about messages


def test_off_a_terminal_there_is_no_colour_and_no_progress_bar(run_arvae: Run, work: Path) -> None:
    write_melody(work / "a.mid")
    write_melody(work / "b.mid")
    done = run_arvae("inspect", "a.mid", "b.mid")
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stderr == "2 done\n"


# ------------------------------------------------------------------------------------- completion


def test_commands_are_completed_without_importing_them(run_arvae: Run) -> None:
    words = {"_ARVAE_COMPLETE": "complete_bash", "COMP_WORDS": "arvae ins", "COMP_CWORD": "1"}
    done = run_arvae(env=words, fresh=True)
    assert done.stdout.split() == ["inspect"]


def test_options_are_completed(run_arvae: Run) -> None:
    words = "arvae inspect --cha"
    done = run_arvae(env={"_ARVAE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "2"})
    assert done.stdout.split() == ["--channel"]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("arvae edit --model fo", ["folk"]),
        ("arvae edit --keep rhy", ["rhythm"]),
        ("arvae edit --keep rhythm,den", ["rhythm,density"]),
        ("arvae vary --set syn", ["syncopation="]),
        ("arvae edit --lock p", ["pitches"]),
        ("arvae inspect -a con", ["contour"]),
        ("arvae edit --mode l", ["latent"]),
        ("arvae image traverse mn", ["mnist"]),
        ("arvae image ed", ["edit"]),
        ("arvae train fo", ["folk"]),
        ("arvae evaluate --corpus ba", ["bach"]),
    ],
)
def test_values_are_completed(run_arvae: Run, typed: str, offered: list[str]) -> None:
    count = str(len(typed.split()) - 1)
    done = run_arvae(env={"_ARVAE_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": count})
    assert done.stdout.split() == offered


def test_corpora_are_completed(monkeypatch: pytest.MonkeyPatch, work: Path) -> None:
    from arvae_music.cli.shared import completion

    monkeypatch.setenv("ARVAE_CACHE", str(work))
    assert completion.corpora("ba") == ["bach"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX terminals")
@pytest.mark.parametrize(
    ("env", "coloured"),
    [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_help_has_colour_on_a_terminal_alone(home: dict[str, str], env: dict[str, str], coloured: bool) -> None:
    import pty

    ours, terminal = pty.openpty()
    command = [sys.executable, "-m", "arvae_music.cli", "edit", "--help"]
    with subprocess.Popen(command, env={**home, **env}, stdin=subprocess.DEVNULL, stdout=terminal) as process:
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # Linux's end of file of a terminal
            while data := os.read(ours, 65536):
                shown += data
    os.close(ours)
    assert process.returncode == 0
    assert b"--density" in shown
    assert (b"\x1b[" in shown) == coloured


def test_help_has_examples_that_run(run_arvae: Run, work: Path) -> None:
    told = run_arvae("edit", "--help").stdout
    assert "\nExamples:\n  arvae edit melody.mid --density +2notes\n" in told
    assert "standard deviations (sd)" in told
    write_melody(work / "melody.mid")
    write_melody(work / "tunes" / "a.mid")
    (work / "tune.abc").write_text("X:1\nM:4/4\nL:1/4\nK:C\nC D E F|G A B c|]\n")
    for line in re.findall(r"^  arvae (edit .*)$", told, re.MULTILINE):
        assert run_arvae(*shlex.split(line), "--dry-run").returncode == 0, line


def test_the_completion_script_can_be_shown(run_arvae: Run) -> None:
    disable = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = run_arvae("--show-completion", "bash", env=disable)
    assert (done.returncode, "_ARVAE_COMPLETE" in done.stdout) == (0, True)


# --------------------------------------------------------------------------------------- settings


def shown(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, object]]:
    assert done.returncode == 0, done.stderr
    answer: dict[str, dict[str, object]] = json.loads(done.stdout)
    return answer


def test_precedence_and_origins(run_arvae: Run, work: Path, home: dict[str, str]) -> None:
    show = ("config", "show", "--json")
    assert shown(run_arvae(*show))["seed"] == {"value": 0, "origin": "default"}
    user = Path(home["XDG_CONFIG_HOME"]) / "arvae" / "arvae.toml"
    user.parent.mkdir(parents=True)
    user.write_text("seed = 1\nquiet = false\n")
    if sys.platform == "linux":
        assert shown(run_arvae(*show))["seed"] == {"value": 1, "origin": str(user)}
    (work / "pyproject.toml").write_text("[tool.arvae]\nseed = 2\n")
    assert shown(run_arvae(*show))["seed"] == {"value": 2, "origin": str(work / "pyproject.toml")}
    (work / "arvae.toml").write_text("seed = 3\n")
    inner = work / "songs" / "new"
    inner.mkdir(parents=True)
    assert shown(run_arvae(*show, cwd=inner))["seed"] == {"value": 3, "origin": str(work / "arvae.toml")}
    above = shown(run_arvae(*show, env={"ARVAE_SEED": "4"}))["seed"]
    assert above == {"value": 4, "origin": "environment variable ARVAE_SEED"}


def test_paths_in_a_file_are_relative_to_it(run_arvae: Run, work: Path) -> None:
    (work / "arvae.toml").write_text('cache = "store"\nmodel = "runs/mine.safetensors"\n')
    inner = work / "songs"
    inner.mkdir()
    found = shown(run_arvae("config", "show", "--json", cwd=inner))
    assert found["cache"]["value"] == str(work / "store")
    assert found["model"]["value"] == str(work / "runs" / "mine.safetensors")
    (work / "arvae.toml").write_text('model = "folk"\n')
    assert shown(run_arvae("config", "show", "--json", cwd=inner))["model"]["value"] == "folk"


def test_everything_wrong_with_the_settings_is_said_at_once(run_arvae: Run, work: Path, melody: Path) -> None:
    (work / "arvae.toml").write_text('modle = "folk"\nseed = "x"\nquiet = 1\n')
    done = run_arvae("inspect", melody, env={"ARVAE_SED": "1", "ARVAE_QUIET": "maybe"})
    assert (done.returncode, done.stdout) == (2, "")
    for said in (
        "'modle'; did you mean model?",
        "seed = 'x' is not a whole number",
        "quiet = 1",
        "ARVAE_SEED?",
        "maybe",
    ):
        assert said in done.stderr


def test_a_broken_configuration_does_not_keep_help_from_helping(run_arvae: Run, work: Path) -> None:
    (work / "arvae.toml").write_text("this is no toml\n")
    assert run_arvae("inspect", "--help").returncode == 0
    assert run_arvae("--help").returncode == 0
    assert run_arvae("config", "show").returncode == 2


def test_another_projects_broken_pyproject_is_none_of_our_business(run_arvae: Run, work: Path) -> None:
    (work / "pyproject.toml").write_text("broken = \n")
    assert run_arvae("config", "show").returncode == 0


def test_settings_become_the_defaults_of_options(run_arvae: Run, melody: Path) -> None:
    assert run_arvae("inspect", melody, env={"ARVAE_QUIET": "1"}).stdout == ""
    assert run_arvae("inspect", melody, env={"ARVAE_QUIET": "0"}).stdout != ""


def test_help_shows_the_values_that_would_be_used(run_arvae: Run) -> None:
    assert "1234" in run_arvae("edit", "--help", env={"ARVAE_SEED": "1234"}).stdout


# ---------------------------------------------------------------------------------------- outputs


def test_edit_keeps_the_overwrite_policy(run_arvae: Run, melody: Path) -> None:
    target = melody.parent / "out.mid"
    edit = ("edit", melody, "--density", "+1", "-o", target)
    assert run_arvae(*edit).returncode == 0
    first = target.read_bytes()
    assert run_arvae(*edit, "--seed", "5").returncode == 2
    assert target.read_bytes() == first
    assert run_arvae(*edit, "--skip-existing").returncode == 0
    assert target.read_bytes() == first
    assert run_arvae(*edit, "--overwrite").returncode == 0
    assert target.read_bytes() == first  # the same seed, the same result


def test_edit_dry_run_writes_nothing(run_arvae: Run, melody: Path) -> None:
    done = run_arvae("edit", melody, "--density", "+1", "--dry-run")
    assert done.returncode == 0
    assert list(melody.parent.iterdir()) == [melody]


# ---------------------------------------------------------------------------------------- batches


@pytest.fixture(autouse=True)
def fresh_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "state", common.State())


def test_a_batch_goes_on_past_what_fails_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    done: list[str] = []

    def work(item: str) -> bool | None:
        if item == "bad":
            raise InputError("holds only drums", where="bad.mid")
        if item == "there":
            return False
        if item == "bug":
            raise ZeroDivisionError("oh")
        done.append(item)
        return None

    assert run_batch(["a", "bad", "there", "bug", "b"], work) == 1
    assert done == ["a", "b"]
    said = capsys.readouterr().err
    assert "bad.mid: holds only drums" in said
    assert "2 done, 1 skipped, 2 failed: bad, bug" in said


def test_what_would_fail_for_all_stops_a_batch() -> None:
    def work(item: str) -> None:
        raise CheckpointError("no model")

    with pytest.raises(CheckpointError):
        run_batch(["a", "b"], work)


def test_a_batch_of_none_is_not_a_success() -> None:
    with pytest.raises(UsageError, match="nothing to do"):
        run_batch([], print)


def test_a_single_items_error_is_the_commands() -> None:
    def work(item: str) -> None:
        raise InputError("no notes", where=item)

    with pytest.raises(InputError, match="no notes"):
        run_batch(["a.mid"], work)


def test_json_understands_what_results_are_made_of(capsys: pytest.CaptureFixture[str]) -> None:
    from fractions import Fraction

    import numpy as np

    common.print_json(
        {
            "a": np.float32(0.5),
            "b": np.arange(2),
            "c": Path("x"),
            "d": Fraction(1, 2),
            "e": float("nan"),
            "f": Request(Path("a.mid"), "density+1.5", 7, 1),
            1: "[\n1]",
        }
    )
    assert json.loads(capsys.readouterr().out) == {
        "a": 0.5, "b": [0, 1], "c": "x", "d": 0.5, "e": None, "1": "[\n1]",
        "f": {"source": "a.mid", "edit": "density+1.5", "seed": 7, "n": 1, "below": ".", "data": None},
    }  # fmt: skip
