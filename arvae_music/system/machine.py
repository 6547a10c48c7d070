"""The machine: its cores, its processor, and settings that make PyTorch train fast on it.

The settings affect the whole process, so only programs make them. The library does not.

`settle` sets the number of threads, and

1. float32 precision "medium", so that oneDNN computes matrix products instead of MKL. On AMD processors, where MKL does
   not use AVX-512, they take a third of the time at the same precision of 24 bits. Only processors with matrix units
   (AMX) then multiply in bfloat16 and add in float32. A GPU uses TF32.
2. glibc's malloc to keep large blocks. Otherwise it returns each freed block to the system and requests it again in the
   next step, and page faults take a sixth of the time of a step.
3. the number of compiled programs that oneDNN keeps. It compiles one for each shape, batches have many shapes, and a
   thousand programs use 300 MB.
"""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
LARGEST_ON_HEAP = 32 * 2**20  # bytes; glibc allows no more
PROGRAMS = "128"  # programs that oneDNN keeps; a step needs about 30, and compiling one takes half a millisecond
KEPT = 512 * 2**20  # free bytes at the end of the heap that malloc keeps


def settle(threads: int) -> None:
    """Set up this process to train with PyTorch on `threads` threads."""
    import torch  # importing it takes a second, and only training needs it

    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", PROGRAMS)  # read at the first matrix product
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("medium")
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST_ON_HEAP)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT)


def patient_threads() -> None:
    """Let OpenMP's threads sleep while they wait, instead of taking processor time from other programs.

    Programs call this before they import PyTorch or scikit-learn. The library does not change its user's environment.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def cores() -> int:
    """The number of processors that this process may use, which is the default number of jobs."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """The name of the processor, or its architecture if the system does not provide a name."""
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
