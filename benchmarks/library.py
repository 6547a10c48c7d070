"""Compare the CPU time of an edit through the library with one on the command line.

    python benchmarks/library.py [--rounds 7]

For the row `whole process`, each edit is a fresh process that reads the melody of the demo, chooses the model, edits
the melody and writes the result. No environment variable about threads is set. CPU time is the user and system time of
the process, and includes that of threads which wait for each other. The ratio is that of the medians. The authors' goal
is a ratio of 1.2 or less.

Most of the difference between whole processes is numpy's import. OpenBLAS then starts its threads (about 0.05 s of CPU
time on two processors). The command line prevents this before it imports numpy; a library must not change such
settings.

The row `edits` compares edits once everything is loaded: through the library, and by the engine alone in a process
whose BLAS has one thread from the start, as on the command line.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import arvae_music

ODE = Path(arvae_music.__file__).parent / "data" / "ode_to_joy.mid"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
EDITS = 10
LIBRARY = "import arvae_music; arvae_music.edit({melody!r}, density='+1.5').save({out!r}, overwrite=True)"
MANY = """
import time, arvae_music
{imports}
song = arvae_music.read({melody!r})
model = arvae_music.load()
request = model.request(density='+1.5')
{edit}
started = time.process_time()
for _ in range({count}):
    {edit}
print((time.process_time() - started) / {count})
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="runs whose median is taken")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "out.mid")
        line = [sys.executable, "-m", "arvae_music.cli", "edit", str(ODE), "--density", "+1.5"]
        line += ["-o", out, "--overwrite"]
        library = [sys.executable, "-c", LIBRARY.format(melody=str(ODE), out=out)]
        pairs = [(cpu(line), cpu(library)) for _ in range(rounds)]
    edits = [(engine(), through_library()) for _ in range(rounds)]
    print(f"medians of {rounds} rounds, {os.cpu_count()} processors, CPU seconds\n")
    print("| | command line | library | ratio |\n|---|---|---|---|")
    for name, found in (("whole process", pairs), (f"edits ({EDITS} in one process, each)", edits)):
        one, other = (statistics.median(side) for side in zip(*found, strict=True))
        print(f"| {name} | {one:.3f} | {other:.3f} | {other / one:.2f} |")


def cpu(command: Sequence[str], one_thread: bool = False) -> float:
    """The user and system seconds of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, env=environment(one_thread))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def engine() -> float:
    """CPU seconds of an edit by the engine alone."""
    return many("from arvae_music.editing.edit import edit", "edit(song.melody, request, model)", one_thread=True)


def through_library() -> float:
    """CPU seconds of an edit through the library."""
    return many("", "model.edit(song, density='+1.5')", one_thread=False)


def many(imports: str, edit: str, one_thread: bool) -> float:
    """CPU seconds of an edit, as the mean of EDITS, without the start of the process and the first edit."""
    code = MANY.format(melody=str(ODE), imports=imports, edit=edit, count=EDITS)
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment(one_thread)
    )
    return float(done.stdout)


def environment(one_thread: bool) -> dict[str, str]:
    """The environment without settings of threads, or with one BLAS thread."""
    free = {name: value for name, value in os.environ.items() if name not in THREADS}
    return {**free, "OPENBLAS_NUM_THREADS": "1"} if one_thread else free


if __name__ == "__main__":
    main()
