"""The processes of a run: one, or several under torchrun."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import UsageError
from ..system.extras import need

DEVICES = ("auto", "cpu", "cuda")


@contextmanager
def processes(device: str) -> Iterator[str]:
    """The device of this process, of one of DEVICES; under torchrun the process group exists in the block.

    Raises UsageError for a device that does not exist, ExtraError without PyTorch.
    """
    if device not in DEVICES:
        raise UsageError(f"there is no device {device!r}", remedy=f"give {', '.join(DEVICES)}")
    need("train", "training", "torch", "scipy", "sklearn", "pyarrow")
    import torch

    cuda = torch.cuda.is_available()
    if device == "cuda" and not cuda:
        raise UsageError("PyTorch sees no CUDA device", remedy='give device="cpu"')
    kind = "cuda" if device == "cuda" or (device == "auto" and cuda) else "cpu"
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield kind
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if kind == "cuda":
        torch.cuda.set_device(local)
    torch.distributed.init_process_group("nccl" if kind == "cuda" else "gloo")
    try:
        yield f"cuda:{local}" if kind == "cuda" else "cpu"
    finally:
        torch.distributed.destroy_process_group()


def first() -> bool:
    """Whether this process is the one that writes files and messages."""
    return int(os.environ.get("RANK", "0")) == 0


def barrier() -> None:
    """Wait for the other processes."""
    import torch.distributed as dist

    if dist.is_initialized():
        dist.barrier()
