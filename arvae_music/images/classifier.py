"""A classifier of digits, which evaluations use to find out whether an edit changes the digit that a picture shows.

It is trained in seconds, whenever it is needed, on the training part only. It has two convolutions (a small version of
LeCun et al. 1998), and shifts by up to two pixels as augmentation. Trained on 4,000 digits of MNIST, it recognises
about 97% of the held-out ones.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..arrays import Array, Ints
from ..system.machine import seed_all
from .networks import white

EPOCHS = 8
BATCH = 64
MOST = 12_000  # the most digits that it is trained on: more take longer and change little
SHIFT = 2  # pixels
LEARNING_RATE = 3e-3


class Classifier(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        side = math.ceil(math.ceil(size / 2) / 2)
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 5, 2, 2),
            nn.ReLU(),
            nn.Conv2d(16, 32, 5, 2, 2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(32 * side**2, 10),
        )

    def forward(self, images: Tensor) -> Tensor:
        """(n, h, w) uint8 pictures -> (n, 10) logits."""
        logits: Tensor = self.net(white(images)[:, None])
        return logits

    @torch.no_grad()
    def classify(self, images: Array) -> Ints:
        """(n, h, w) uint8 pictures -> (n,) digits."""
        self.eval()
        parts = [self(part).argmax(dim=1).numpy() for part in torch.split(torch.from_numpy(images), 1024)]
        return np.concatenate(parts).astype(np.int64) if len(images) else np.zeros(0, dtype=np.int64)


def train(inputs: Any, digits: Ints, seed: int = 0) -> Classifier:
    """A classifier trained on (n, h, w) uint8 pictures, an array or LazyRows, and their (n,) digits. The same seed
    gives the same classifier."""
    seed_all(seed, 0, 0)
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(inputs))[:MOST]
    classifier = Classifier(inputs.shape[1])
    optimizer = torch.optim.Adam(classifier.parameters(), lr=LEARNING_RATE)
    steps = EPOCHS * (len(chosen) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=max(steps, 1))
    for _ in range(EPOCHS):
        order = random.permutation(chosen)
        for start in range(0, len(order) - BATCH + 1, BATCH):
            at = order[start : start + BATCH]
            images = np.roll(inputs[at], random.integers(-SHIFT, SHIFT + 1, 2).tolist(), axis=(1, 2))
            classifier.train()
            loss = nn.functional.cross_entropy(classifier(torch.from_numpy(images)), torch.from_numpy(digits[at]))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
            optimizer.step()
            schedule.step()
    return classifier
