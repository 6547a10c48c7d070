"""Training speed, beside a trainer of the usual kind, in one run.

    python benchmarks/training.py [--steps 20] [--threads 1] [--corpus bach]

The other trainer is written here from the published description (Pati & Lerch 2020; Pati, Lerch & Hadjeres 2019,
MeasureVAE), for this comparison only: two-layer GRUs of 128 with drop-out .5, an encoder over the measure's 24 ticks,
a decoder that unrolls beats and ticks one by one in Python, fed its previous token. Both train on the same 4/4
measures, with the same batch, latent size and attribute loss; attribute values are there beforehand for both.
Absolute times depend on the machine: the ratio is the figure. The other trainer runs in PyTorch as it comes, and a
second time with the settings that arvae makes for itself (arvae_music/processor.py).
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch

import numpy as np
import torch
from torch import Tensor, nn

from arvae_music import attributes, processor
from arvae_music.corpora import registry
from arvae_music.examples import split
from arvae_music.losses import attribute_loss, kl_divergence
from arvae_music.measure import Meter
from arvae_music.measure_nets import MeasureDims, build
from arvae_music.mixing import Mixer
from arvae_music.tokens import VOCABULARY

BEATS, TICKS = 4, 6
EMBEDDING, HIDDEN, LATENT, LAYERS, DROPOUT = 10, 128, 32, 2, 0.5
BATCH = 256
TRAINERS = ("one Python step a tick", "the same with arvae's settings", "arvae, mixed measures included")


class UsualVae(nn.Module):
    """The reference's kind of network: one Python step a tick."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY + 1, EMBEDDING)
        self.encoder = nn.GRU(EMBEDDING, HIDDEN, LAYERS, batch_first=True, bidirectional=True, dropout=DROPOUT)
        self.to_latent = nn.Linear(2 * LAYERS * HIDDEN, 2 * LATENT)
        self.to_beats = nn.Linear(LATENT, LAYERS * HIDDEN)
        self.beats = nn.GRU(1, HIDDEN, LAYERS, batch_first=True, dropout=DROPOUT)
        self.to_ticks = nn.Linear(HIDDEN, LAYERS * HIDDEN)
        self.ticks = nn.GRU(EMBEDDING + HIDDEN, HIDDEN, LAYERS, batch_first=True, dropout=DROPOUT)
        self.to_tokens = nn.Linear(HIDDEN, VOCABULARY)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(b, 24) -> mean, log-variance, z, (b, 24, v) logits; teacher-forced."""
        count = len(tokens)
        _, state = self.encoder(self.embedding(tokens))
        mean, log_variance = self.to_latent(state.transpose(0, 1).reshape(count, -1)).chunk(2, dim=1)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        beat_state = self._states(self.to_beats(z))
        previous = torch.full((count, 1), VOCABULARY)
        logits = []
        for beat in range(BEATS):
            output, beat_state = self.beats(torch.zeros(count, 1, 1), beat_state)
            tick_state = self._states(self.to_ticks(output[:, 0]))
            for tick in range(TICKS):
                output_tick, tick_state = self.ticks(torch.cat([self.embedding(previous), output], dim=2), tick_state)
                logits.append(self.to_tokens(output_tick[:, 0]))
                at = beat * TICKS + tick
                previous = tokens[:, at : at + 1]
        return mean, log_variance, z, torch.stack(logits, dim=1)

    @staticmethod
    def _states(flat: Tensor) -> Tensor:
        return flat.reshape(len(flat), LAYERS, HIDDEN).transpose(0, 1).contiguous()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default="bach")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5, help="of both in turn; the medians count")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    found = speeds(options.corpus, options.rounds, options.steps, options.threads)
    print(f"batch {BATCH}, hidden {HIDDEN}, {options.threads} thread(s), medians of {options.rounds}\n")
    print("| trainer | measures/s | ratio |\n|---|---|---|")
    for name, speed in zip(TRAINERS, found, strict=True):
        print(f"| {name} | {speed:.0f} | {speed / found[0]:.1f} |")


def speeds(corpus: str, rounds: int, steps: int, threads: int) -> list[float]:
    """Measures a second of TRAINERS, medians. The rounds of the first come before the others': what arvae sets for its
    process (processor.py) cannot all be taken back."""
    specs = [attributes.find(name) for name in attributes.PAPER]
    train = split(registry.load(corpus).examples(specs, [Meter(4)])).train
    usual, ours = usual_step(train.inputs, train.attributes), our_step(train.inputs, train.attributes, specs)
    torch.set_num_threads(threads)
    plain = [measure(usual, steps) for _ in range(rounds)]
    processor.settle(threads)
    others = [(measure(usual, steps), measure(ours, steps)) for _ in range(rounds)]
    return [float(np.median(plain)), *np.median(others, axis=0).tolist()]


def measure(step: Callable[[], None], steps: int) -> float:
    """Measures a second."""
    step()
    started = time.perf_counter()
    for _ in range(steps):
        step()
    return BATCH * steps / (time.perf_counter() - started)


def usual_step(inputs: np.ndarray, values: np.ndarray) -> Callable[[], None]:
    model, random = UsualVae(), np.random.default_rng(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)

    def step() -> None:
        rows = random.integers(0, len(inputs), BATCH)
        tokens, wanted = torch.from_numpy(inputs[rows, 1:25]).long(), torch.from_numpy(values[rows])
        mean, log_variance, z, logits = model(tokens)
        loss = nn.functional.cross_entropy(logits.reshape(-1, VOCABULARY), tokens.reshape(-1))
        loss = loss + 1e-3 * kl_divergence(mean, log_variance) + attribute_loss(z[:, :4], wanted, 10.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def our_step(inputs: np.ndarray, values: np.ndarray, specs: list[attributes.AttributeSpec]) -> Callable[[], None]:
    model, random, mixer = build(MeasureDims()), np.random.default_rng(0), Mixer(specs, 0.5)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        rows = random.integers(0, len(inputs), BATCH)
        mixed, mixed_values, made_up = mixer(inputs[rows], values[rows], random)
        outputs = model(torch.from_numpy(mixed), made_up)
        loss = -outputs.decoding.distribution.log_prob(outputs.decoding.target).mean()
        loss = loss + 1e-3 * kl_divergence(*outputs.posterior)
        loss = loss + attribute_loss(outputs.z[:, :4], torch.from_numpy(mixed_values), 10.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


if __name__ == "__main__":
    main()
