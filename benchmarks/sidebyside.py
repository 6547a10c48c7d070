"""Measure speed and memory in one run, compare them with other programs, and print a Markdown table.

    python benchmarks/sidebyside.py                      10 minutes
    python benchmarks/sidebyside.py --only start,training,corpus,engine,batch --rounds 5 --files 1000

Every time is the median of --rounds runs. Absolute times depend on the machine; compare the ratios of one run. Peak
memory is the largest resident set of a process. The column `goal` has the goals of arvae's authors. The melodies are
made from the training tunes of the corpus bach, which must be built. All files go to a temporary folder. The sections
are:

    start       whole processes: arvae edit of a 16-measure melody, inspect, --help; compared with `import torch`
    training    measures a second, compared with the reference trainer of training.py; memory of `arvae train bach`
    corpus      building a corpus from a folder; compared with pretty_midi and music21, which only read the files
    engine      an edit with a loaded model, for different numbers of measures and of proposals (engine.py)
    batch       --files edits of 16 measures with 64 proposals, in one command, on all cores
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import engine
import numpy as np
import training

from arvae_music.music import attributes
from arvae_music.system import machine
from arvae_music.training.comparison import markdown

SECTIONS = ("start", "training", "corpus", "engine", "batch")
MEASURES = 16
READ = 40  # how many files pretty_midi and music21 read
Row = tuple[str, str, str, str, str]  # what, arvae, compared with, ratio, goal
HEAD: Row = ("task", "arvae", "compared with", "ratio", "goal")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, separated by commas")
    parser.add_argument("--rounds", type=int, default=5, help="runs whose median is taken")
    parser.add_argument("--files", type=int, default=1000, help="files for the sections corpus and batch")
    options = parser.parse_args()
    rows = [HEAD]
    with tempfile.TemporaryDirectory() as folder:
        melodies = write_melodies(Path(folder) / "melodies", options.files)
        for name in options.only.split(","):
            print(name, "...", file=sys.stderr, flush=True)
            rows += {"start": start, "training": train, "corpus": corpus, "engine": costs, "batch": batch}[name](
                melodies, options.rounds
            )
    place = f"{machine.processor()}, {machine.cores()} cores, Python {platform.python_version()}"
    print(f"{place}, medians of {options.rounds}\n")
    print(markdown(rows))


# ------------------------------------------------------------------------------------ sections


def start(melodies: Sequence[Path], rounds: int) -> list[Row]:
    melody, out = str(melodies[0]), str(melodies[0].with_name("out.mid"))
    commands = {
        "import torch": [sys.executable, "-c", "import torch"],
        "edit": arvae("edit", melody, "--density", "+1", "-o", out, "--overwrite", "--quiet"),
        "inspect": arvae("inspect", melody),
        "--help": arvae("--help"),
    }
    runs = [{name: run(command) for name, command in commands.items()} for _ in range(rounds)]
    seconds = {name: float(np.median([one[name][0] for one in runs])) for name in commands}
    memory = max(one["edit"][1] for one in runs)
    torch = seconds["import torch"]
    return [
        (f"`arvae edit`, {MEASURES} measures, whole process", f"{seconds['edit']:.2f} s", f"import torch {torch:.2f} s",
         f"{seconds['edit'] / torch:.2f}", "<= 0.6 s, <= 0.5"),
        ("`arvae inspect`, whole process", f"{seconds['inspect']:.2f} s", "", "", "<= 0.35 s"),
        ("`arvae --help`, whole process", f"{seconds['--help']:.2f} s", "", "", "<= 0.12 s"),
        ("peak memory of `arvae edit`", f"{memory:.0f} MB", "", "", "<= 200 MB"),
    ]  # fmt: skip


def train(melodies: Sequence[Path], rounds: int) -> list[Row]:
    usual, same, ours = training.speeds("bach", rounds=rounds, steps=20, threads=1)
    folder = melodies[0].with_name("run")
    command = arvae("train", "bach", "--epochs", "4", "-o", str(folder), "--overwrite", "--quiet")
    memory = run(command)[1]
    return [
        ("training, measures/s", f"{ours:.0f}", f"reference trainer, one Python step per tick: {usual:.0f}",
         f"{ours / usual:.1f}", ">= 10"),
        ("the same, the reference trainer with arvae's PyTorch settings", f"{ours:.0f}", f"{same:.0f}",
         f"{ours / same:.1f}", ""),
        ("peak memory of `arvae train bach`", f"{memory:.0f} MB", "", "", "<= 1,200 MB"),
    ]  # fmt: skip


def corpus(melodies: Sequence[Path], rounds: int) -> list[Row]:
    cache = {"ARVAE_CACHE": str(melodies[0].parent.with_name("cache"))}
    build = arvae("corpus", "build", str(melodies[0].parent), "--name", "melodies", "--rebuild", "--quiet")
    ours = len(melodies) / float(np.median([run(build, cache)[0] for _ in range(rounds)]))
    some = melodies[:READ]
    others = {
        "pretty_midi": "import sys, pretty_midi\nfor path in sys.argv[1:]: pretty_midi.PrettyMIDI(path)",
        "music21": "import sys, music21\nfor path in sys.argv[1:]: music21.converter.parse(path, forceSource=True)",
    }
    rows = []
    for name, code in others.items():
        empty = run([sys.executable, "-c", code])[0]
        whole = run([sys.executable, "-c", code, *map(str, some)])[0]
        theirs = len(some) / max(whole - empty, 1e-3)  # the start of arvae counts, their import does not
        what, beside = f"{len(melodies)} files into a corpus, files/s", f"{name}, reading only: {theirs:.0f}"
        rows.append((what, f"{ours:.0f}", beside, f"{ours / theirs:.0f}", ">= 500"))
    return rows


def costs(melodies: Sequence[Path], rounds: int) -> list[Row]:
    found = engine.costs("bach", "bach", rounds)
    goals = {(16, 64): "<= 150 ms"}
    return [
        (f"edit of {count} measures, {proposals} proposals", f"{ms:.0f} ms", "", f"{ms / count:.1f} ms a measure",
         goals.get((count, proposals), ""))
        for count, proposals, ms, _ in found
    ]  # fmt: skip


def batch(melodies: Sequence[Path], rounds: int) -> list[Row]:
    out = melodies[0].parent.with_name("edited")
    command = arvae("edit", str(melodies[0].parent), "-r", "--density", "+1", "-o", f"{out}/", "--quiet", "--overwrite")
    seconds, memory = run(command)
    rate = len(melodies) / seconds
    what = f"{len(melodies)} edits of {MEASURES} measures in one command, files/s"
    return [(what, f"{rate:.1f}", f"{memory:.0f} MB a process", "", ">= 40")]


# ------------------------------------------------------------------------------------ helpers


def arvae(*words: str) -> list[str]:
    return [sys.executable, "-m", "arvae_music.cli", *words]


# A new process inherits its parent's peak memory until it executes a program. So a small process starts the program.
LAUNCH = """
import json, os, resource, subprocess, sys, time
started = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
seconds = time.perf_counter() - started
largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
print(json.dumps([done.returncode, seconds, largest, done.stderr.decode()]))
"""


def run(command: Sequence[str], more: dict[str, str] | None = None) -> tuple[float, float]:
    """Run a process. Returns its seconds, and the peak memory in MB of it or of the largest process that it starts."""
    launcher = [sys.executable, "-S", "-c", LAUNCH, *command]
    done = subprocess.run(launcher, env={**os.environ, **(more or {})}, capture_output=True, check=True)
    code, seconds, largest, message = json.loads(done.stdout)
    if code:
        raise SystemExit(f"{' '.join(command)}: {message}")
    return seconds, largest


def write_melodies(folder: Path, count: int) -> list[Path]:
    """Write `count` different files of MEASURES measures each, taken at random from the training tunes of bach."""
    import pretty_midi

    from arvae_music.corpora import registry
    from arvae_music.music.meter import Meter
    from arvae_music.music.tokens import FIRST_PITCH, HOLD, LOWEST
    from arvae_music.vae.examples import split

    folder.mkdir(parents=True)
    rows = split(registry.load("bach").examples([attributes.find("density")], [Meter(4)])).train.inputs[:, 1:25]
    random = np.random.default_rng(0)
    paths = []
    for n in range(count):
        tokens = rows[random.integers(0, len(rows), MEASURES)].reshape(-1)
        song = pretty_midi.PrettyMIDI(initial_tempo=120.0)
        line = pretty_midi.Instrument(0, name="Melody")
        starts = np.flatnonzero(tokens != HOLD)
        for at, until in zip(starts, [*starts[1:], len(tokens)], strict=True):
            if tokens[at] >= FIRST_PITCH:
                pitch = int(tokens[at]) - FIRST_PITCH + LOWEST
                line.notes.append(pretty_midi.Note(80, pitch, at / 12, until / 12))  # six ticks are half a second
        song.instruments.append(line)
        song.time_signature_changes.append(pretty_midi.TimeSignature(4, 4, 0))
        paths.append(folder / f"{n:05}.mid")
        song.write(str(paths[-1]))
    return paths


if __name__ == "__main__":
    main()
