"""Bits a note under a small GRU: the second judge of likelihood.

It reads the same events as the n-gram: a GRU over the notes and rests of a whole tune predicts the length of the next
event from its state, meter and place, and the step to its pitch from these and the length. It knows from which corpus a
tune is. A tenth of its tunes is set aside, and the weights of the epoch that predicts those best are kept.

Training takes minutes on one core. The result is cached, under a digest of the tunes and of this file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from arvae_music.corpora.store import cache_folder
from arvae_music.music.meter import CODES, MAX_SIMPLE_BEATS

from .events import LONGEST, Events
from .ngram import LENGTHS, STEPS, pitch_step

Floats = npt.NDArray[np.float64]

WIDTH = 128  # of the state
EPOCHS = 18
BATCH = 24  # tunes
RATE = 3e-3
DROPOUT = 0.3
ASIDE = 0.1  # the share of the tunes that chooses the epoch
PLACES = 12 * MAX_SIMPLE_BEATS + 1  # twelfths of a quarter note in the longest measure
PITCHES = 64
NOTHING = STEPS  # the step before the first event
COLUMNS = 7


def columns_of(events: Events) -> npt.NDArray[np.int64]:
    """(n, COLUMNS): length and step to predict; the length, step and pitch before; meter and place."""
    step = pitch_step(events)[0]
    return np.stack(
        [
            events.length, step, events.before(events.length, 1, 0), events.before(step, 1, NOTHING),
            np.clip(events.previous_pitch - 71 + PITCHES // 2, 0, PITCHES - 1), events.meter, events.place,
        ],
        axis=1,
    )  # fmt: skip


class Net(nn.Module):
    """(b, n, COLUMNS) events and (b,) corpora -> the log-probabilities (b, n) of lengths and of steps, in nats."""

    def __init__(self, corpora: int) -> None:
        super().__init__()
        self.length = nn.Embedding(LONGEST + 1, 24)
        self.step = nn.Embedding(STEPS + 1, 32)
        self.pitch = nn.Embedding(PITCHES, 16)
        self.meter = nn.Embedding(CODES, 8)
        self.place = nn.Embedding(PLACES, 24)
        self.corpus = nn.Embedding(corpora, 8)
        self.gru = nn.GRU(24 + 32 + 16 + 8 + 24 + 8, WIDTH, batch_first=True)
        self.drop = nn.Dropout(DROPOUT)
        self.to_length = nn.Linear(WIDTH, LENGTHS)
        self.to_step = nn.Sequential(nn.Linear(WIDTH + 24 + 16, WIDTH), nn.ReLU(), nn.Linear(WIDTH, STEPS))

    def forward(self, events: Tensor, corpus: Tensor) -> tuple[Tensor, Tensor]:
        length, step, before, last, pitch, meter, place = events.unbind(2)
        own = self.corpus(corpus)[:, None].expand(-1, events.shape[1], -1)
        heard = [self.length(before), self.step(last), self.pitch(pitch), self.meter(meter), self.place(place), own]
        state = self.drop(self.gru(self.drop(torch.cat(heard, dim=2)))[0])
        lengths = self.to_length(state).log_softmax(2)
        steps = self.to_step(torch.cat([state, self.length(length), self.pitch(pitch)], dim=2)).log_softmax(2)
        return tuple(p.gather(2, i[..., None])[..., 0] for p, i in ((lengths, length), (steps, step)))


def _padded(tables: Sequence[npt.NDArray[np.int64]]) -> tuple[Tensor, Tensor]:
    """(b, n, COLUMNS) and (b, n) where there are events."""
    longest = max(map(len, tables))
    batch = np.zeros((len(tables), longest, COLUMNS), dtype=np.int64)
    there = np.zeros((len(tables), longest), dtype=np.bool_)
    for row, table in enumerate(tables):
        batch[row, : len(table)], there[row, : len(table)] = table, True
    return torch.from_numpy(batch), torch.from_numpy(there)


@dataclass(frozen=True)
class Recurrent:
    net: Net
    corpora: tuple[str, ...]

    def bits(self, tunes: Sequence[Events], corpus: str) -> list[Floats]:
        """(n,) bits of every event of each tune, which is from `corpus`."""
        found: list[Floats] = []
        tables = [columns_of(tune) for tune in tunes]
        own = self.corpora.index(corpus) if corpus in self.corpora else 0
        self.net.eval()
        with torch.no_grad():
            for start in range(0, len(tables), 64):
                some = tables[start : start + 64]
                batch, _ = _padded(some)
                length, step = self.net(batch, torch.full((len(some),), own))
                bits = (-(length + step) / np.log(2)).numpy().astype(np.float64)
                found += [row[: len(table)] for row, table in zip(bits, some, strict=True)]
        return found


def train(tunes: dict[str, Sequence[Events]], seed: int = 0, epochs: int = EPOCHS) -> Recurrent:
    """Train the judge on the tunes of each corpus, by its name."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    names = tuple(tunes)
    tables = [(columns_of(tune), i) for i, name in enumerate(names) for tune in tunes[name] if len(tune)]
    aside = random.random(len(tables)) < ASIDE
    aside[0], aside[-1] = True, len(tables) < 2
    kept = [table for table, out in zip(tables, aside, strict=True) if not out]
    held = [table for table, out in zip(tables, aside, strict=True) if out]
    net = Net(len(names))
    steps = epochs * (-(-len(kept) // BATCH))
    optimiser = torch.optim.Adam(net.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, max(steps, 2), pct_start=0.1)
    best, weights = np.inf, net.state_dict()
    for _ in range(epochs):
        net.train()
        # Tunes of like length share a batch; the batches come in random order.
        order = np.argsort([len(table) + random.normal(0, 20) for table, _ in kept])
        batches = np.array_split(order, max(1, -(-len(kept) // BATCH)))
        for at in random.permutation(len(batches)).tolist():
            loss = _loss(net, [kept[i] for i in batches[at].tolist()])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        net.eval()
        with torch.no_grad():
            found = float(_loss(net, held))
        if found < best:
            best, weights = found, {name: value.clone() for name, value in net.state_dict().items()}
    net.load_state_dict(weights)
    return Recurrent(net.eval(), names)


def _loss(net: Net, tables: Sequence[tuple[npt.NDArray[np.int64], int]]) -> Tensor:
    batch, there = _padded([table for table, _ in tables])
    length, step = net(batch, torch.tensor([corpus for _, corpus in tables]))
    return -((length + step) * there).sum() / there.sum()


def cached(tunes: dict[str, Sequence[Events]], seed: int = 0) -> Recurrent:
    """The judge of these tunes, from the cache if it was trained before."""
    digest = hashlib.sha256(Path(__file__).read_bytes() + repr(seed).encode())
    for name, own in tunes.items():
        digest.update(name.encode())
        for tune in own:
            digest.update(columns_of(tune).tobytes())
    path = cache_folder().parent / "judges" / f"gru-{digest.hexdigest()[:16]}.pt"
    if path.is_file():
        net = Net(len(tunes))
        net.load_state_dict(torch.load(path, weights_only=True))
        return Recurrent(net.eval(), tuple(tunes))
    judge = train(tunes, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary: Any = path.with_suffix(".writing")
    torch.save(judge.net.state_dict(), temporary)
    temporary.replace(path)
    return judge
