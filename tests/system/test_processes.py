"""Workers that are spawned and workers that are forks of a server: the same results, one thread each."""

from __future__ import annotations

import subprocess
import sys
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
    assert done.stdout.split("\n")[:3] == [str({served}), "died", "49"]
