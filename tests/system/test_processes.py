"""Workers that are spawned and workers that are forks of a server: the same results, one thread each, and their end."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import os, sys
from concurrent.futures.process import BrokenProcessPool

from arvae_music.system import processes

def told(n):
    if n == 99:
        os._exit(1)
    return n * n, os.environ["OPENBLAS_NUM_THREADS"], "colorsys" in sys.modules

if __name__ == "__main__":
    if sys.argv[1] == "warm":
        processes.warm_up(["colorsys"])
        processes.warm_up(["of no consequence"])
    results = list(processes.in_order(told, range(40), 2))
    assert [square for square, _, _ in results] == [n * n for n in range(40)]
    assert {threads for _, threads, _ in results} == {"1"}
    assert os.environ.get("OPENBLAS_NUM_THREADS") is None
    print({imported for _, _, imported in results})
    try:
        list(processes.in_order(told, [99], 1))
    except BrokenProcessPool:
        print("died")
    print(next(processes.in_order(told, [7], 1))[0])
    print([isinstance(one, processes.Died) or one[0] for one in processes.surviving(told, [5, 99, 6, 7], 2)])
"""

LONG = """
import os, time

from arvae_music.system import processes

def slow(n):
    time.sleep(n)
    return os.getpid()

if __name__ == "__main__":
    results = processes.in_order(slow, [0, 0, 600, 600, *[0] * 40], 2)
    print(next(results), next(results), flush=True)
    list(results)
"""


@pytest.mark.parametrize("kind", ["cold", "warm"])
def test_workers_of_either_kind(home: dict[str, str], tmp_path: Path, kind: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    alone = {name: value for name, value in home.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, program, kind], capture_output=True, text=True, env=alone, timeout=60, check=True
    )
    served = kind == "warm" and sys.platform == "linux"
    assert done.stdout.split("\n")[:4] == [str({served}), "died", "49", "[25, True, 36, 49]"]


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill tells no living process there")
def test_workers_end_with_a_parent_that_is_killed(home: dict[str, str], tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(LONG)
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True, env=home) as parent:
        assert parent.stdout is not None
        workers = {int(pid) for pid in parent.stdout.readline().split()}
        assert workers
        assert all(map(lives, workers))
        parent.kill()
    until = time.monotonic() + 20
    while any(map(lives, workers)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(map(lives, workers))


def lives(pid: int) -> bool:
    """A process that has ended but that nobody has waited for does not count."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout[:1] not in ("", "Z")


def test_a_script_without_a_guard_can_use_the_library(home: dict[str, str], tmp_path: Path) -> None:
    """Workers do not import the caller's main module for a function that is not from there."""
    program = tmp_path / "program.py"
    program.write_text(
        "import math\nfrom arvae_music.system import processes\n"
        "print(list(processes.in_order(math.sqrt, [4, 9, 16], 2)))\nprint(__spec__, __file__)\n"
    )
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, env=home, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["[2.0, 3.0, 4.0]", f"None {program}"]
