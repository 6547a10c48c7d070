"""CPU time of an edit through the library beside one on the command line, in one run.

    python benchmarks/library.py [--rounds 7]

Each is a fresh process that reads a packaged melody, takes the model that fits it, edits it and writes the result,
without any environment variable about threads. CPU time is user and system time of the process together: threads that
wait for each other cost CPU time too. The last column is the ratio to the command line's median. Goal: 1.2 or less.

Most of what is left of a difference between whole processes is numpy's import: OpenBLAS makes its threads then (about
0.05 s of CPU time on two processors), which the command line forbids before numpy is imported and a library must not.

The row `edits` compares what an edit costs once everything is loaded: the library's, and the engine's own in a process
whose BLAS has one thread from the start, as the command line's has.
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
model = arvae_music.load('auto', song.melody)
request = model.request(density='+1.5')
{edit}
started = time.process_time()
for _ in range({count}):
    {edit}
print((time.process_time() - started) / {count})
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
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
    """User and system seconds of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, env=environment(one_thread))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def engine() -> float:
    return many("from arvae_music.editing.edit import edit", "edit(song.melody, request, model)", one_thread=True)


def through_library() -> float:
    return many("", "model.edit(song, density='+1.5')", one_thread=False)


def many(imports: str, edit: str, one_thread: bool) -> float:
    """CPU seconds of one edit of EDITS, the process's start and the first edit left out."""
    code = MANY.format(melody=str(ODE), imports=imports, edit=edit, count=EDITS)
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment(one_thread)
    )
    return float(done.stdout)


def environment(one_thread: bool) -> dict[str, str]:
    free = {name: value for name, value in os.environ.items() if name not in THREADS}
    return {**free, "OPENBLAS_NUM_THREADS": "1"} if one_thread else free


if __name__ == "__main__":
    main()
