"""Fixtures for all tests: a melody on disk, an empty home folder, and `arvae` run as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from arvae_music.music import tokens
from arvae_music.music.meter import Meter

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does, before numpy is loaded
if "PYTEST_XDIST_WORKER" in os.environ:  # one core for each worker
    os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("COLUMNS", None)  # tables are as wide as off a terminal; a worker of pytest-xdist has it

import forked
import mido
import numpy as np
import pytest

# A shell makes background processes ignore Ctrl-C. Tests that interrupt a process need the usual behaviour.
signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).parent.parent
SCALE = (60, 62, 64, 65, 67, 69, 71, 72)

# Tests that start processes or train.
LONG = {"benchmarks", "browser", "cli", "corpora", "docs", "evaluation", "integrations", "training", "test_research.py"}

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.hookimpl(tryfirst=True)  # before pytest reads -m
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`make fast` leaves out whole folders and files, so that a new test in one of them needs no marker."""
    for item in items:
        if item.path.relative_to(REPOSITORY / "tests").parts[0] in LONG:
            item.add_marker(pytest.mark.process)


@pytest.fixture(autouse=True)
def exact_products() -> Iterator[None]:
    """Restore PyTorch's full precision after each test. Training lowers it for the process (system/machine.py)."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_float32_matmul_precision("highest")


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Environment variables with an empty home, configuration and cache folder, and without the user's settings."""
    places = {"HOME": "home", "XDG_CONFIG_HOME": "config", "XDG_CACHE_HOME": "cache", "LOCALAPPDATA": "local"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ARVAE_", "_ARVAE"))}
    kept.pop("NO_COLOR", None)
    return {**kept, **{name: str(tmp_path / folder) for name, folder in places.items()}}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The working folder of `run_arvae`, empty."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder in which the examples of the documentation build each corpus once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[forked.Server]:
    with forked.Server(tmp_path_factory.mktemp("forks")) as server:
        yield server


@pytest.fixture
def run_arvae(home: dict[str, str], work: Path, fork_server: forked.Server) -> Run:
    """`run_arvae(*words, stdin=b"", env={}, timeout=120, fresh=False)`: a process in `work`; its streams as text.

    It is a fork of a process that has loaded all modules. With `fresh`, and where the environment changes how Python
    starts, it is a Python of its own, as a user starts it: each command has a test with one.
    """

    def run(
        *words: object,
        stdin: bytes = b"",
        env: dict[str, str] | None = None,
        cwd: Path = work,
        timeout: float = 120,
        fresh: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        fresh = fresh or any(name.startswith("PYTHON") for name in env or {})
        runner = forked.start if fresh else fork_server.run
        return runner(words, cwd, {**home, **(env or {})}, stdin, timeout)

    return run


def write_melody(path: Path, pitches: tuple[int, ...] = SCALE, name: str = "Melody") -> Path:
    """A 4/4 file of quarter notes, at 480 ticks to the quarter."""
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    track.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
    track.append(mido.MetaMessage("key_signature", key="C"))
    for pitch in pitches:
        track.append(mido.Message("note_on", note=pitch, velocity=80, time=0))
        track.append(mido.Message("note_off", note=pitch, velocity=0, time=480))
    path.parent.mkdir(parents=True, exist_ok=True)
    file = mido.MidiFile(ticks_per_beat=480, tracks=[track])
    file.save(str(path))
    return path


@pytest.fixture
def melody(work: Path) -> Path:
    """work/melody.mid: two measures of 4/4, a C major scale in quarter notes."""
    return write_melody(work / "melody.mid")


@pytest.fixture(scope="session")
def tiny_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model to edit with: the packaged one, else a small one of random weights, calibrated on made-up measures."""
    from arvae_music.vae import checkpoint

    packaged = checkpoint.PACKAGED / "bach.safetensors"
    return packaged if packaged.is_file() else random_model(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture
def arvae(run_arvae: Run, tiny_model_path: Path) -> Run:
    """`run_arvae` for the commands that take a model, with the model chosen."""

    def run(command: str, *words: object, **options: Any) -> subprocess.CompletedProcess[str]:
        return run_arvae(command, *words, "--model", tiny_model_path, **options)

    return run


def random_model(path: Path, *, each_tick: bool = False, of: Sequence[Meter] = (), copies: int = 10) -> Path:
    """A checkpoint of an untrained model of small dimensions, calibrated on `copies` measures of every meter, or of the
    meters `of`."""
    import torch

    from arvae_music.music import attributes
    from arvae_music.music.meter import MAX_TICKS, all_meters
    from arvae_music.music.tokens import HOLD, token_of
    from arvae_music.networks import hierarchical as measure_nets
    from arvae_music.training.music_recipe import to_checkpoint
    from arvae_music.vae import checkpoint
    from arvae_music.vae.examples import Examples

    random, rows, meters = np.random.default_rng(0), [], []
    for meter in [*(of or all_meters())] * copies:
        row = np.full(meter.ticks, HOLD, dtype=np.int16)
        for tick in {0, *random.choice(meter.ticks, size=random.integers(0, 7), replace=False).tolist()}:
            row[tick] = token_of(int(random.choice(SCALE)) + 7)
        rows.append(row)
        meters.append(meter)
    specs = [attributes.find(name) for name in attributes.PAPER]
    inputs = tokens.pack(rows, meters, MAX_TICKS)
    values = attributes.evaluate_mixed(specs, inputs).astype(np.float32)
    examples = Examples(inputs, values, attributes.PAPER, np.arange(len(rows)))
    torch.manual_seed(0)
    dims = measure_nets.MeasureDims(latent=8, hidden=16, tick_hidden=16, each_tick=each_tick).for_meters(meters)
    made = to_checkpoint(measure_nets.build(dims), dims, examples, specs, [""] * len(specs), {}, {})
    checkpoint.write(path, made)
    return path
