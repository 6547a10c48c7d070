"""Compare the training speed with that of a reference trainer, in one run.

    python benchmarks/training.py [--steps 20] [--threads 1] [--corpus bach]
    python benchmarks/training.py --until 0.96     seconds to this token accuracy on validation tunes (an hour)

The reference trainer was written from the published description (Pati & Lerch 2020; MeasureVAE: Pati, Lerch & Hadjeres
2019), for this comparison only. Its encoder and decoder are GRUs of two layers with 128 units and dropout 0.5. The
encoder reads the 24 ticks of a measure. The decoder is a loop in Python over beats and ticks, and each tick receives
the previous token. Both trainers use the same 4/4 measures, batch, latent size and attribute loss, and attribute values
that are computed beforehand. Absolute times depend on the machine, so compare the ratios. The reference trainer runs
with PyTorch's default settings, and a second time with those of arvae (arvae_music/system/machine.py).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch

import numpy as np
import torch
from torch import Tensor, nn

from arvae_music.corpora import registry
from arvae_music.music import attributes
from arvae_music.music.meter import Meter
from arvae_music.music.tokens import VOCABULARY
from arvae_music.networks.hierarchical import MeasureDims, build
from arvae_music.system import machine as processor
from arvae_music.training.augmentation import Mixer
from arvae_music.training.losses import attribute_loss, kl_divergence
from arvae_music.training.trainer import Trainer, TrainingOptions
from arvae_music.vae.examples import split

BEATS, TICKS = 4, 6
EMBEDDING, HIDDEN, LATENT, LAYERS, DROPOUT = 10, 128, 32, 2, 0.5
BATCH = 256
TRAINERS = (
    "reference trainer, one Python step per tick", "the same with arvae's settings", "arvae, with mixed measures",
)  # fmt: skip


class UsualVae(nn.Module):
    """The network of the reference trainer, with one step in Python per tick."""

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

    @torch.no_grad()
    def generate(self, tokens: Tensor) -> Tensor:
        """(b, 24) -> (b, 24) the most likely tokens from the posterior mean, free-running."""
        self.eval()
        count = len(tokens)
        _, state = self.encoder(self.embedding(tokens))
        mean, _ = self.to_latent(state.transpose(0, 1).reshape(count, -1)).chunk(2, dim=1)
        beat_state = self._states(self.to_beats(mean))
        previous, found = torch.full((count, 1), VOCABULARY), []
        for _ in range(BEATS):
            output, beat_state = self.beats(torch.zeros(count, 1, 1), beat_state)
            tick_state = self._states(self.to_ticks(output[:, 0]))
            for _ in range(TICKS):
                output_tick, tick_state = self.ticks(torch.cat([self.embedding(previous), output], dim=2), tick_state)
                previous = self.to_tokens(output_tick[:, 0]).argmax(dim=1, keepdim=True)
                found.append(previous)
        self.train()
        return torch.cat(found, dim=1)

    @staticmethod
    def _states(flat: Tensor) -> Tensor:
        return flat.reshape(len(flat), LAYERS, HIDDEN).transpose(0, 1).contiguous()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default="bach", help="the corpus to train on")
    parser.add_argument("--steps", type=int, default=20, help="training steps in each round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of both trainers in turns; medians are shown")
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch")
    parser.add_argument("--until", type=float, help="measure the time to this token accuracy instead")
    options = parser.parse_args()
    if options.until is not None:
        ours, usual = our_time(options.corpus, options.until), usual_time(options.corpus, options.until)
        times = f"arvae {ours:.0f} s, reference trainer {usual:.0f} s, {usual / ours:.0f} times as long"
        print(f"to token accuracy {options.until}, without the time of evaluations: {times}")
        return
    found = speeds(options.corpus, options.rounds, options.steps, options.threads)
    print(f"batch {BATCH}, hidden {HIDDEN}, {options.threads} thread(s), medians of {options.rounds}\n")
    print("| trainer | measures/s | ratio |\n|---|---|---|")
    for name, speed in zip(TRAINERS, found, strict=True):
        print(f"| {name} | {speed:.0f} | {speed / found[0]:.1f} |")


def speeds(corpus: str, rounds: int, steps: int, threads: int) -> list[float]:
    """The median speed of each of TRAINERS, in measures a second.

    The rounds of the first trainer come first, because not all settings of arvae (system/machine.py) can be undone.
    """
    specs = [attributes.find(name) for name in attributes.PAPER]
    train = split(registry.load(corpus).examples(specs, [Meter(4)])).train
    usual, ours = usual_step(train.inputs, train.attributes), our_step(train.inputs, train.attributes, specs)
    torch.set_num_threads(threads)
    plain = [measure(usual, steps) for _ in range(rounds)]
    processor.settle(threads)
    others = [(measure(usual, steps), measure(ours, steps)) for _ in range(rounds)]
    return [float(np.median(plain)), *np.median(others, axis=0).tolist()]


def measure(step: Callable[[], None], steps: int) -> float:
    """The speed of a training step, in measures a second. With one thread, CPU time counts, so that other programs do
    not disturb."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    step()
    started = clock()
    for _ in range(steps):
        step()
    return BATCH * steps / (clock() - started)


def our_time(corpus: str, accuracy: float) -> float:
    """Seconds that arvae's plain AR-VAE takes to a token accuracy on validation measures in 4/4."""
    specs = [attributes.find(name) for name in attributes.PAPER]
    parts = split(registry.load(corpus).examples(specs, [Meter(4)]))
    processor.settle(1)
    options = TrainingOptions(epochs=240, batch=128, learning_rate=4e-3, report_steps=50, valid_steps=50)
    model = build(MeasureDims(token_dropout=0.1))
    trainer = Trainer.of_examples(model, parts.train, parts.valid, options, tokens_right, Mixer(specs, 0.5))
    for report in trainer.run():
        if report.valid and report.valid["tokens"] >= accuracy:
            return report.seconds  # without the time of the evaluations
    raise SystemExit(f"arvae did not reach {accuracy} in {trainer.seconds:.0f} s")


def usual_time(corpus: str, accuracy: float, every: int = 100, most: int = 20_000) -> float:
    """The same for the reference trainer, with its published learning rate, in CPU seconds of one thread."""
    specs = [attributes.find(name) for name in attributes.PAPER]
    parts = split(registry.load(corpus).examples(specs, [Meter(4)]))
    torch.manual_seed(0)
    model, judged = UsualVae(), torch.from_numpy(parts.valid.inputs[:, 1:25]).long()
    step, spent = usual_step(parts.train.inputs, parts.train.attributes, model), 0.0
    for _ in range(0, most, every):
        began = time.process_time()
        for _ in range(every):
            step()
        spent += time.process_time() - began
        right = float((model.generate(judged) == judged).float().mean())
        print(f"{spent:.0f} s, {right:.4f}", file=sys.stderr, flush=True)
        if right >= accuracy:
            return spent
    raise SystemExit(f"the reference trainer did not reach {accuracy} in {spent:.0f} s")


def tokens_right(wanted: Tensor, got: Tensor) -> dict[str, float]:
    return {"tokens": float((wanted[:, 1:25] == got[:, 1:25]).float().mean())}


def usual_step(inputs: np.ndarray, values: np.ndarray, model: UsualVae | None = None) -> Callable[[], None]:
    model, random = model or UsualVae(), np.random.default_rng(0)
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
