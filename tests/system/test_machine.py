"""The process's settings for training: in a process of their own, since they last."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import json, torch
from arvae_music.system import machine
torch.manual_seed(0)
a, b = torch.randn(300, 64), torch.randn(64, 192)
exact = a.double() @ b.double()
machine.settle(1)
product = a @ b
print(json.dumps([torch.get_num_threads(), float((product - exact).norm() / exact.norm())]))
"""


def test_products_stay_right_in_a_settled_process(home: dict[str, str]) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=home, check=True)
    threads, error = json.loads(done.stdout)
    assert threads == 1
    assert error < 2**-8  # bfloat16 factors, where the processor has matrix units; else 1e-7
