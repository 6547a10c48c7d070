"""Time training steps of the model in context: float32, TF32 and bfloat16, for several batches, on a GPU or a CPU.

    python benchmarks/gpu.py [--device cuda] [--batches 64,256,1024] [--steps 100]

The tunes are random, because only the time counts. Each row is a fresh run: WARM_UP steps, and then --steps steps
between two synchronisations. bfloat16 is autocast over the whole step. `loss` is the last reconstruction: a precision
that pays must not change it by more than another seed does. On a CPU, TF32 is float32. No GPU was at hand yet.
"""

from __future__ import annotations

import argparse
import time
from itertools import islice
from typing import Any

import numpy as np
import torch

from arvae_music.music.attributes import PAPER, evaluate_mixed, find
from arvae_music.music.meter import Meter
from arvae_music.music.tokens import FIRST_PITCH, HOLD
from arvae_music.networks.passages import Passages, TuneRows
from arvae_music.training.context_recipe import DIMS, trainer
from arvae_music.training.joint_values import others
from arvae_music.training.recipe import Data, Plan
from arvae_music.training.trainer import TrainingOptions
from arvae_music.vae.combinations import Combinations
from arvae_music.vae.examples import Split

PRECISIONS = ("float32", "tf32", "bfloat16")
WARM_UP = 2  # steps


def tune(number: int, length: int = 32) -> TuneRows:
    """Random measures of 4/4; the number is the seed."""
    chance, meter = np.random.default_rng(number), Meter(4)
    rows: list[Any] = []
    for _ in range(length):
        row = np.full(meter.ticks, HOLD, dtype=np.int16)
        at = chance.choice(meter.ticks, chance.integers(1, 8), replace=False)
        row[at] = chance.integers(FIRST_PITCH + 10, FIRST_PITCH + 34, len(at))
        rows.append(row)
    return TuneRows(number, rows, [meter] * length, [True] * length)


def random_data(tunes: int) -> Data:
    specs = [find(name) for name in PAPER]
    held_out = [tune(tunes + n) for n in range(4)]
    parts = {"train": [tune(n) for n in range(tunes)], "valid": held_out, "test": held_out}
    examples = {part: Passages.of(own, specs).examples for part, own in parts.items()}
    rows = examples["train"].inputs
    known = Combinations(rows[:, 0].astype(np.int64), evaluate_mixed([*specs, *others(specs)], rows))
    return Data(Split(**examples), "", "", combine=lambda: known, read_tunes=lambda: parts)


def timed(data: Data, device: torch.device, batch: int, precision: str, steps: int) -> tuple[float, float]:
    """Steps a second, and the last reconstruction loss."""
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    options = TrainingOptions(
        epochs=10**6, objective="contextual", beta=0.015, gamma=3.0, batch=batch, learning_rate=3e-3, clip=5.0,
        report_steps=1, valid_steps=10**6,
    )  # fmt: skip
    reports = trainer(Plan("random", PAPER, DIMS, options), data, device).run()
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        for _ in islice(reports, WARM_UP):
            pass
        synchronize(device)
        started = time.perf_counter()
        made = list(islice(reports, steps))
        synchronize(device)
        seconds = time.perf_counter() - started
    return len(made) / seconds, made[-1].parts["reconstruction"]


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batches", type=lambda text: [int(n) for n in text.split(",")], default=[64, 256, 1024])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--tunes", type=int, default=200, help="tunes of 32 measures to train on")
    options = parser.parse_args()
    device, data = torch.device(options.device), random_data(options.tunes)
    print(torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU")
    print("batch  precision  steps/s  measures/s   loss")
    for batch in options.batches:
        for precision in PRECISIONS:
            rate, loss = timed(data, device, batch, precision, options.steps)
            print(f"{batch:5}  {precision:9}  {rate:7.1f}  {rate * batch:10.0f}  {loss:5.2f}", flush=True)


if __name__ == "__main__":
    main()
