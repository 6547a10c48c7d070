"""`arvae train` on a corpus of a few small tunes: its files, stopping, resuming, and what goes wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import mido
import numpy as np
import pytest
import train_cli
from safetensors.numpy import load_file
from train_cli import SMALL, Call, press

from arvae_music.cli.main import COMMANDS
from arvae_music.training import image_recipe
from arvae_music.training.domains import domain_of, make_plan
from arvae_music.training.objectives import contextual
from arvae_music.training.recipe import EPOCHS, EPOCHS_IN_CONTEXT, EPOCHS_IN_TIME, STEPS, STEPS_IN_CONTEXT
from arvae_music.training.run_folder import RunFolder, default_folder
from arvae_music.training.trainer import Report, Trainer
from arvae_music.vae import checkpoint

cache, run = train_cli.cache, train_cli.run  # fixtures: the corpus `tunes`, and `arvae` in this process


def lines(run_folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (run_folder / "metrics.jsonl").read_text().splitlines()]


def same_tensors(one: Path, other: Path) -> bool:
    a, b = load_file(one), load_file(other)
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a if name != "clock")


def test_the_command_is_in_the_table():
    assert COMMANDS["train"].target.startswith(".train:")


def test_a_run_leaves_its_files(run: Call, work: Path):
    done = run("train", "tunes", "--epochs", 2, *SMALL[:-1])
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "wrote runs/tunes/model.safetensors" in done.stderr
    folder = work / "runs" / "tunes"
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json", "metrics.jsonl", "model.safetensors", "state.safetensors",
    ]  # fmt: skip
    config = json.loads((folder / "config.json").read_text())
    assert config["corpus"] == "tunes"
    assert config["options"]["epochs"] == 2
    assert config["options"]["batch"] == 8
    assert config["dims"] == {
        "latent": 6, "attributes": 4, "beat_hidden": 4, "measure_hidden": 8, "context_hidden": 8, "context": 8,
        "side": 32, "heads": 4, "key": 16, "value": 16, "wide": 16, "decoder_hidden": 11, "tick_hidden": 8,
        "dropout": 0.2, "codes": 14, "beats": 6,
    }  # fmt: skip
    assert (config["options"]["objective"], config["options"]["beta"]) == ("contextual", 15e-3)
    reports = lines(folder)
    assert set(reports[0]) == set(Report.__dataclass_fields__)
    assert reports[-1]["progress"] == 1
    assert set(reports[-1]["valid"]) == {"nats", "tokens", "events", "measures", "scc"}
    made = checkpoint.read(folder)
    assert made.metadata.carried == ("rhythm", "range", "density", "contour")
    assert made.metadata.provenance["corpus"] == "tunes"
    assert made.metadata.provenance["valid"] == reports[-1]["valid"]
    assert made.metadata.training["steps"] == reports[-1]["step"]
    assert list(made.metadata.meters) == ["2/4"]


@pytest.mark.parametrize(
    ("corpus", "folder"),
    [("bach", "bach"), ("bach+folk", "bach+folk"), ("./tunes", "tunes"), ("a/tunes/", "tunes"), ("my.parquet", "my")],
)
def test_a_run_is_called_as_its_corpus(corpus: str, folder: str):
    assert default_folder(corpus) == Path("runs") / folder


@pytest.mark.parametrize("objective", ["contextual", "aligned"])
def test_a_model_of_the_attributes_alone(run: Call, work: Path, objective: str):
    done = run("train", "tunes", "--epochs", 4, *SMALL, "--latent", 4, "--objective", objective)
    assert done.returncode == 0, done.stderr
    dims = checkpoint.read(work / "runs" / "tunes").metadata.dims
    assert (dims["latent"], dims.get("flow_layers", 0)) == (4, 0)


def test_a_report_of_what_is_no_number_is_still_json(tmp_path: Path):
    report = Report(1, 0.1, 0.1, 1.0, 1.0, 10.0, 0.1, 0.5, {"kl": float("nan")}, {"tokens": float("inf")})
    RunFolder(tmp_path).record(report)
    (line,) = (tmp_path / "metrics.jsonl").read_text().splitlines()
    found = json.loads(line, parse_constant=pytest.fail)
    assert (found["parts"], found["valid"], found["loss"]) == ({"kl": None}, {"tokens": None}, 0.5)


def test_json_is_a_line_a_report_on_stdout(run: Call, work: Path):
    done = run("train", "tunes", "--epochs", 1, *SMALL, "--json")
    assert done.returncode == 0
    assert [json.loads(line) for line in done.stdout.splitlines()] == lines(work / "runs" / "tunes")
    assert done.stderr == ""


def test_a_seed_gives_the_same_files_and_another_does_not(run: Call, work: Path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        assert run("train", "tunes", "--epochs", 1, *SMALL, "--seed", seed, "-o", name).returncode == 0
    assert same_tensors(work / "a/model.safetensors", work / "b/model.safetensors")
    assert not same_tensors(work / "a/model.safetensors", work / "c/model.safetensors")


@pytest.mark.parametrize(("name", "given"), [("beta-vae", False), ("conditional", True)])
def test_another_objective_is_trained_with_its_weights_and_can_be_edited_with(
    run: Call, work: Path, name: str, given: bool
):
    assert run("train", "tunes", "--epochs", 1, *SMALL, "--objective", name).returncode == 0
    config = json.loads((work / "runs/tunes/config.json").read_text())
    assert (config["options"]["objective"], config["options"]["beta"]) == (name, 1e-3)
    assert set(lines(work / "runs/tunes")[-1]["parts"]) == {"reconstruction", "kl"}
    made = checkpoint.read(work / "runs/tunes")
    assert made.metadata.carried == ("rhythm", "range", "density", "contour")
    assert [scale.given for scale in made.metadata.scales[:4]] == [given] * 4
    assert run("train", "tunes", "--resume").returncode == 0


def test_an_unknown_objective_is_told_the_nearest_before_anything_is_loaded(run: Call, work: Path):
    done = run("train", "nothing", "--objective", "condtional")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "arvae: there is no objective 'condtional'; did you mean conditional?\n"


# ------------------------------------------------------------------------------------ stopping and resuming


@pytest.mark.parametrize("at", [0, 3, 9])  # an epoch has 8 steps
def test_ctrl_c_leaves_a_usable_model(run: Call, monkeypatch: pytest.MonkeyPatch, at: int):
    press(at, monkeypatch)
    stopped = run("train", "tunes", "--epochs", 2, *SMALL[:-1], "-o", "parts")
    assert stopped.returncode == 130
    assert f"stopped at step {at + 1}" in stopped.stderr
    assert "`arvae train tunes -o parts --resume` continues the run" in stopped.stderr
    assert checkpoint.read("parts").metadata.training["steps"] == at + 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler  # Ctrl-C is Python's own again


@pytest.fixture
def interrupted(run: Call, work: Path) -> Path:
    """A run of two epochs that was interrupted in its tenth step."""
    with pytest.MonkeyPatch.context() as patch:
        press(9, patch)
        assert run("train", "tunes", "--epochs", 2, *SMALL, "-o", "parts").returncode == 130
    return work / "parts"


def test_resume_goes_on_as_if_never_stopped(run: Call, work: Path, interrupted: Path):
    assert run("train", "tunes", "--epochs", 2, *SMALL, "-o", "whole").returncode == 0
    done = run("train", "tunes", "--resume", "-o", "parts", "--quiet")
    assert done.returncode == 0, done.stderr
    for name in ("model.safetensors", "state.safetensors"):
        assert same_tensors(work / "whole" / name, interrupted / name)
    assert checkpoint.read(interrupted).metadata.scales == checkpoint.read(work / "whole").metadata.scales
    steps = [report["step"] for report in lines(interrupted)]
    assert steps == sorted(set(steps))


def test_reports_after_the_last_checkpoint_are_made_again(run: Call, interrupted: Path):
    """As a crash leaves them: reports of steps that no state knows, the last one cut off."""
    with (interrupted / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({**lines(interrupted)[-1], "step": 12}) + '\n{"step": 13, "ep')
    assert run("train", "tunes", "--resume", "-o", "parts", "--quiet").returncode == 0
    steps = [report["step"] for report in lines(interrupted)]
    assert 12 not in steps
    assert steps == sorted(set(steps))


def test_a_run_that_is_over_is_left_alone(run: Call, work: Path):
    assert run("train", "tunes", "--epochs", 1, *SMALL, "-o", "parts").returncode == 0
    before = {path.name: path.read_bytes() for path in (work / "parts").iterdir()}
    again = run("train", "tunes", "--resume", "-o", "parts")
    assert again.returncode == 0
    assert "nothing to resume" in again.stderr
    assert before == {path.name: path.read_bytes() for path in (work / "parts").iterdir()}


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("config.json", b"{half", "config.json cannot be read"),
        ("config.json", b'{"corpus": "tunes"}', "config.json cannot be read"),
        ("state.safetensors", b"short", "the saved state cannot be read"),
        ("state.safetensors", None, "the saved state cannot be read"),
    ],
)
def test_a_run_folder_that_is_damaged_is_refused(run: Call, interrupted: Path, name, content, what: str):
    path = interrupted / name
    path.unlink() if content is None else path.write_bytes(content)
    done = run("train", "tunes", "--resume", "-o", "parts", "--quiet")
    assert done.returncode in (1, 2)
    assert what in done.stderr
    assert "--overwrite" in done.stderr


def test_a_run_does_not_go_on_with_another_objective_after_an_update(
    run: Call, work: Path, interrupted: Path, monkeypatch: pytest.MonkeyPatch
):
    config = json.loads((interrupted / "config.json").read_text())
    assert config["constants"]["KEPT"] == contextual.KEPT
    before = (interrupted / "metrics.jsonl").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(contextual, "KEPT", 0.7)
        done = run("train", "tunes", "--resume", "-o", "parts", "--quiet")
    assert done.returncode == 2
    assert "parts: an older arvae began this run, with other constants of contextual: KEPT 0.6, now 0.7" in done.stderr
    assert (interrupted / "metrics.jsonl").read_bytes() == before
    del config["constants"]  # as versions wrote it that recorded none
    (interrupted / "config.json").write_text(json.dumps(config))
    assert run("train", "tunes", "--resume", "-o", "parts", "--quiet").returncode == 0


# ------------------------------------------------------------------------------------ refusals


def test_a_run_is_never_replaced_unasked(run: Call, work: Path):
    words = ("train", "tunes", "--epochs", 1, *SMALL)
    assert run(*words).returncode == 0
    before = (work / "runs/tunes/model.safetensors").read_bytes()
    again = run(*words, "--seed", 3)
    assert again.returncode == 2
    assert "runs/tunes: holds a run already; give --resume, --overwrite" in again.stderr
    assert (work / "runs/tunes/model.safetensors").read_bytes() == before
    assert run(*words, "--seed", 3, "--overwrite").returncode == 0
    assert (work / "runs/tunes/model.safetensors").read_bytes() != before


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--resume", "-o", "nowhere"), "there is no run to resume"),
        (("-o", "mine.py"), "is a file"),
        (("--device", "tpu"), "there is no device 'tpu'; give auto, cpu, cuda"),
        (("--batch", 2000, "--objective", "ar-vae"), "a batch of 2000 over 1 processes does not fit"),
        (("--latent", 3), "4 attributes need as many latent dimensions"),
        (("-a", "densty"), "did you mean density"),
        (("-a", "density", "-a", "density"), "the attribute density is given twice"),
        (("-a", "mine:nothing"), "cannot be imported"),
        (("--delta", 0, "--objective", "ar-vae"), "delta: out of range"),
        (("--mix", 0.5), "there is no --mix for the objective contextual"),
        (
            ("--delta", 5, "--objective", "aligned"),
            "delta does nothing in aligned; leave it out, or give another --objective",
        ),
        (("--gamma", 5, "--objective", "beta-vae"), "gamma does nothing in beta-vae"),
        (("--learning-rate", "nan"), "learning_rate"),
    ],
)
def test_requests_that_make_no_sense_start_nothing(run: Call, work: Path, words: tuple[object, ...], what: str):
    done = run("train", "tunes", "--epochs", 1, *words)
    assert done.returncode == 2
    assert what in done.stderr.replace("learning-rate", "learning_rate")
    assert not list(work.rglob("config.json"))


def test_a_corpus_that_there_is_not(run: Call):
    done = run("train", "tumes", "--epochs", 1)
    assert done.returncode == 2
    assert "tumes" in done.stderr


def test_a_loss_that_is_not_finite_keeps_the_last_good_checkpoint(run: Call, interrupted: Path):
    good = (interrupted / "model.safetensors").read_bytes()
    config = json.loads((interrupted / "config.json").read_text())
    config["options"] |= {"learning_rate": 1e30, "epochs": 50}
    (interrupted / "config.json").write_text(json.dumps(config))
    done = run("train", "tunes", "--resume", "-o", "parts", "--quiet")
    assert done.returncode == 1
    assert "at step" in done.stderr
    assert "the last good checkpoint is parts/model.safetensors; try a lower --learning-rate" in done.stderr
    assert (interrupted / "model.safetensors").read_bytes() == good


def test_a_run_that_fails_before_its_first_checkpoint_says_so(run: Call, work: Path):
    done = run("train", "tunes", "--epochs", 5, *SMALL, "--learning-rate", "1e30")
    assert done.returncode == 1
    assert "no checkpoint had been written" in done.stderr
    assert not (work / "runs/tunes/model.safetensors").exists()


def test_weights_that_its_last_step_ruins_are_not_written(run: Call, work: Path, monkeypatch: pytest.MonkeyPatch):
    one_step = Trainer._one_step

    def stepping(self: Trainer) -> object:
        terms = one_step(self)
        if self.progress >= 1:
            next(self.model.parameters()).data.fill_(np.nan)
        return terms

    monkeypatch.setattr(Trainer, "_one_step", stepping)
    done = run("train", "tunes", "--epochs", 1, *SMALL)
    assert done.returncode == 1
    assert "not finite" in done.stderr
    assert not (work / "runs/tunes/model.safetensors").exists()


# ------------------------------------------------------------------------------------ the user's own


def duple(path: Path) -> None:
    """Two measures of 2/4 in quarters, no C among them."""
    track = mido.MidiTrack([mido.MetaMessage("time_signature", numerator=2, denominator=4)])
    track.append(mido.MetaMessage("key_signature", key="C"))
    for pitch in (71, 74, 76, 67):
        track += [mido.Message("note_on", note=pitch), mido.Message("note_off", note=pitch, time=480)]
    mido.MidiFile(ticks_per_beat=480, tracks=[track]).save(str(path))


def test_an_attribute_of_the_users_own_trains_and_edits(run: Call, work: Path):
    done = run("train", "tunes", "--epochs", 1, *SMALL, "-a", "density", "-a", "mine:cs", "-o", "own")
    assert done.returncode == 0, done.stderr
    metadata = checkpoint.read("own").metadata
    assert metadata.carried == ("density", "cs")
    assert metadata.scale("cs").origin == "mine:cs"
    duple(work / "melody.mid")
    words = ("--set", "cs==2raw", "--bars", "1", "-o", "edited.mid", "--quiet")
    edited = run("edit", "melody.mid", "--model", "own", *words)
    assert edited.returncode == 0, edited.stderr
    pitches = [message.note for message in mido.MidiFile(work / "edited.mid") if message.type == "note_on"]
    assert sum(pitch % 12 == 0 for pitch in pitches) == 2  # where there was none


# ------------------------------------------------------------------------------------ real processes


def environment(home: dict[str, str], cache: Path) -> dict[str, str]:
    return {**home, "ARVAE_CACHE": str(cache), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def test_ctrl_c_in_a_real_process(home: dict[str, str], work: Path, cache: Path):
    words = ["train", "tunes", "--epochs", "100000", *map(str, SMALL[:-1])]
    process = subprocess.Popen(
        [sys.executable, "-m", "arvae_music.cli", *words], cwd=work, env=environment(home, cache),
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    metrics = work / "runs/tunes/metrics.jsonl"
    until = time.monotonic() + 60
    while not metrics.exists() and time.monotonic() < until and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "stopping after this step" in stderr
    assert "Traceback" not in stderr
    assert checkpoint.read(work / "runs/tunes").metadata.training["steps"] > 0


@pytest.mark.slow
def test_torchrun_on_two_processes(home: dict[str, str], work: Path, cache: Path):
    """Two processes share a batch: the run ends, is written once, and a seed gives the same weights again."""

    def torchrun(*words: object) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
             "-m", "arvae_music.cli", *map(str, words)],
            cwd=work, env=environment(home, cache), capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    torchrun("train", "tunes", "--epochs", 2, *SMALL, "-o", "two", "--device", "cpu")
    reports = lines(work / "two")
    assert reports[-1]["progress"] == 1
    assert len({report["step"] for report in reports}) == len(reports)  # one process writes
    assert checkpoint.read(work / "two").metadata.training["steps"] == reports[-1]["step"]
    torchrun("train", "tunes", "--epochs", 2, *SMALL, "-o", "again", "--device", "cpu")
    assert same_tensors(work / "two/model.safetensors", work / "again/model.safetensors")


def test_the_default_length_of_a_run():
    def epochs(corpus: str, rows: int) -> int:
        return domain_of(corpus).defaults(corpus, rows, "ar-vae").epochs

    assert domain_of("mine").defaults("mine", 10**6, "contextual", 100).epochs == STEPS_IN_CONTEXT // 10**4
    assert domain_of("mine").defaults("mine", 10, "contextual").epochs == EPOCHS_IN_CONTEXT
    assert epochs("bach", 1000) == EPOCHS["bach"]
    assert epochs("mine", 128 * 60) == STEPS // 60
    assert make_plan("mine", (), 32 * 60, "ar-vae", None, 0, {"batch": 32}).options.epochs == STEPS // 60
    assert make_plan("mine", (), 10**6, "contextual", 90, 0, {}).options.epochs == EPOCHS_IN_TIME
    assert make_plan("mine", (), 10**6, "contextual", 90, 0, {"epochs": 3}).options.epochs == 3
    assert epochs("mine", 10**9) == 1
    assert epochs("mnist", 1000) == image_recipe.ROWS["mnist"] // 1000
