"""Small tunes for tests of the model in context, and a run on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from arvae_music.music.attributes import PAPER, evaluate_mixed, find
from arvae_music.music.meter import Meter
from arvae_music.music.tokens import FIRST_PITCH, HOLD, REST
from arvae_music.networks.context import ContextDims
from arvae_music.networks.contextual import ContextualArVae
from arvae_music.networks.passages import Passages, TuneRows
from arvae_music.training.context_recipe import trainer as trainer_of
from arvae_music.training.joint_values import others
from arvae_music.training.recipe import Data, Plan
from arvae_music.training.trainer import Trainer, TrainingOptions
from arvae_music.vae.combinations import Combinations
from arvae_music.vae.examples import Split

SPECS = [find(name) for name in PAPER]
DIMS = ContextDims(
    latent=6, beat_hidden=6, measure_hidden=8, context_hidden=7, context=9, side=5, heads=2, key=3, value=4, wide=10,
    decoder_hidden=8, tick_hidden=12,
)  # fmt: skip
OPTIONS = TrainingOptions(
    epochs=2, objective="contextual", beta=0.015, gamma=3.0, batch=16, learning_rate=3e-3, clip=5.0, report_steps=1,
    valid_steps=4, valid_rows=40,
)  # fmt: skip


def measure(meter: Meter, random: np.random.Generator) -> np.ndarray:
    row = np.full(meter.ticks, HOLD, dtype=np.int16)
    at = random.choice(meter.ticks, random.integers(0, 6), replace=False)
    row[at] = random.integers(FIRST_PITCH + 10, FIRST_PITCH + 34, len(at))
    if random.random() < 0.2:
        row[0] = REST
    return row


def tune(number: int, length: int, gap: int | None = None, changes: bool = False) -> TuneRows:
    """A tune of random measures. The measure `gap` has no tokens; with `changes`, the meter changes in the middle."""
    random = np.random.default_rng(number)
    first, second = (Meter(2), Meter(2, compound=True)) if number % 2 else (Meter(4), Meter(3))
    meters = [second if changes and i >= length // 2 else first for i in range(length)]
    rows = [None if i == gap else measure(meter, random) for i, meter in enumerate(meters)]
    counted = [row is not None and i != 0 for i, row in enumerate(rows)]  # as an upbeat is not
    return TuneRows(number, rows, [None if row is None else meter for row, meter in zip(rows, meters, strict=True)],
                    counted)  # fmt: skip


TUNES = [
    tune(0, 5), tune(1, 40), tune(2, 20, gap=7), tune(8, 18, changes=True), tune(4, 1), tune(5, 33), tune(6, 16),
    tune(9, 12, changes=True),
]  # fmt: skip
HELD_OUT = [tune(11, 20, gap=3), tune(12, 17), tune(13, 6)]


def data(train: list[TuneRows] = TUNES, valid: list[TuneRows] = HELD_OUT) -> Data:
    parts = {"train": train, "valid": valid, "test": valid}
    examples = {part: Passages.of(tunes, SPECS).examples for part, tunes in parts.items()}
    some = examples["train"] if len(examples["train"]) else examples["valid"]
    known = Combinations(some.inputs[:, 0].astype(np.int64), evaluate_mixed([*SPECS, *others(SPECS)], some.inputs))
    return Data(Split(**examples), "", "", combine=lambda: known, read_tunes=lambda: parts)


def plan(options: TrainingOptions = OPTIONS) -> Plan:
    return Plan("tunes", PAPER, DIMS, options)


def network(seed: int = 0, spread: float = 0.3) -> ContextualArVae:
    """A network of random weights that are large enough for every input to matter."""
    torch.manual_seed(seed)
    made = ContextualArVae(DIMS).eval()
    for parameter in made.parameters():
        parameter.data += spread * torch.randn_like(parameter)
    return made


def trainer(options: TrainingOptions = OPTIONS, start: int = 3, **more: int) -> Trainer:
    torch.manual_seed(start)
    return trainer_of(plan(replace(options, **more)), data(), torch.device("cpu"))
