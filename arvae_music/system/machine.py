"""The machine: its cores and its processor, and what makes PyTorch train fast on it.

The settings are those of the whole process: programs make them, the library does not.

`settle` sets, besides the threads,

1. float32 matrix products by oneDNN, where PyTorch prefers MKL unless it is told that less precision would do
   ("medium"). On AMD, where MKL keeps to AVX2, they take a third of the time with AVX-512, to the same 24 bits of
   precision; only processors with matrix units (AMX) then multiply in bfloat16, and add in float32. A GPU uses TF32.
2. glibc's malloc, which gives a large block back to the system as it is freed, only to ask for it again in the next
   step: page faults took a sixth of a step.
3. how many of its programs oneDNN keeps, one for every shape: batches have many, and a thousand of them are 300 MB.
"""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
LARGEST_ON_HEAP = 32 * 2**20  # bytes; glibc allows no more
PROGRAMS = "128"  # of oneDNN; a step needs some 30, and one that has to be made anew takes half a millisecond
KEPT = 512 * 2**20  # bytes at the heap's end that wait to be used again


def settle(threads: int) -> None:
    import torch  # a second, and only training needs it

    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", PROGRAMS)  # read with the first product
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("medium")
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST_ON_HEAP)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT)


def patient_threads() -> None:
    """Before PyTorch or scikit-learn is imported: OpenMP's threads sleep while they wait; spinning ones starve other
    programs. For programs to call: the library leaves its user's environment alone."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def cores() -> int:
    """The processors that this process may use: what --jobs defaults to."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def seed_all(seed: int, step: int, rank: int) -> None:
    """Seed PyTorch for one step of one rank."""
    import numpy as np
    import torch

    mixed = np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)
    torch.manual_seed(int(mixed[0] >> np.uint64(1)))
