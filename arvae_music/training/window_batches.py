"""Batches of windows of consecutive measures, for a model in context, and the figures of such a model while it trains.

A step trains windows whose measures all have the same number of ticks. Runs of consecutive measures are drawn in
proportion to their length, and a window lies anywhere in its run, with its ends a little more often than by chance: a
window that would reach beyond the run is moved back into it. Steps for longer measures have fewer windows, so that
every step has about as many tokens.

Shapes: w windows, m measures of a window, n measures in all, b = w * m, k attributes, t ticks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..arrays import Floats, Ints, Mask
from ..errors import CorpusError
from ..music.meter import MAX_TICKS, TICKS_PER_BEAT
from ..music.tokens import PAD
from ..networks.context import WINDOW
from ..networks.contextual import Context, ContextualArVae, Given, Window, nats
from ..networks.hierarchical import accuracy
from ..networks.passages import Passages, Stretch
from ..vae.examples import spread
from ..vae.model import Posterior
from ..vae.statistics import spearman
from .batches import Rank
from .objectives.objective import Batch

TICKS = 4 * TICKS_PER_BEAT  # of a measure of 4/4: the measures of a batch are counted in these
AT_ONCE = 256  # measures of 4/4 that are encoded at a time


class WindowBatches:
    """The batches of windows; a Source. A batch's inputs are (w, m, width), as `Passages.packed` lays them out, and its
    values are those of the w * m measures."""

    def __init__(self, train: Passages, batch: int, seed: int, rank: Rank, device: torch.device) -> None:
        """`batch` measures of 4/4, over all processes. Raises CorpusError unless two measures of one meter follow each
        other somewhere."""
        if not len(train) or train.lengths.max() < 2:
            raise CorpusError(
                "no two measures of one meter follow each other in a training tune, so that there is no context",
                remedy='build a corpus of whole tunes, or train single measures with objective="ar-vae"',
            )
        self.train, self.tokens, self.seed, self.rank, self.device = train, batch * TICKS, seed, rank, device
        self.ticks = list(train.by_ticks)
        whole = np.array([train.lengths[runs].sum() * t for t, runs in train.by_ticks.items()], dtype=np.float64)
        self.total, self.shares = float(whole.sum()), whole / whole.sum()  # tokens, and the share of each number

    @property
    def steps_per_epoch(self) -> int:
        return max(1, round(self.total / self.tokens))

    @property
    def rows(self) -> float:
        return len(self.train) / self.steps_per_epoch

    @property
    def attributes(self) -> int:
        return int(self.train.values.shape[1])

    def batch(self, step: int) -> Batch:
        random = np.random.default_rng([self.seed, step])  # the same on all ranks, which divide what it draws
        ticks = int(random.choice(self.ticks, p=self.shares))
        count = max(self.tokens // (WINDOW * ticks * self.rank.of), 1) * self.rank.of
        return self._drawn(ticks, count, random, slice(self.rank.number, None, self.rank.of))

    def further(self, step: int) -> Callable[[int], Batch]:
        """Windows of about as many measures as are wanted, of one number of ticks."""
        random = np.random.default_rng([self.seed, step, self.rank.number, 1])

        def draw(count: int) -> Batch:
            ticks = int(random.choice(self.ticks, p=self.shares))
            return self._drawn(ticks, max(count // WINDOW, 1), random, slice(None))

        return draw

    def _drawn(self, ticks: int, count: int, random: np.random.Generator, own: slice) -> Batch:
        """`count` windows, of which `own` are kept."""
        runs = self.train.by_ticks[ticks]
        lengths = self.train.lengths[runs]
        some = random.choice(len(runs), size=count, p=lengths / lengths.sum())
        half, last = WINDOW // 2, lengths[some] - WINDOW
        offsets = random.integers(-half, np.maximum(last + half, 1 - half)).clip(0, np.maximum(last, 0))
        at, here = self.train.window(runs[some][own], offsets[own])
        packed = torch.from_numpy(self.train.packed(at, here)).to(self.device)
        values = torch.from_numpy(self.train.values[at.reshape(-1)]).to(self.device)
        return Batch(packed, values, values[:, :0], 0)


# ------------------------------------------------------------------------------------ reading whole tunes


@dataclass(frozen=True)
class ReadWindows:
    """Windows that were encoded. `at` has the numbers of all b measures, and `read` says which of them are there and
    have enough context in this window."""

    at: Ints  # (b,)
    read: Mask  # (b,)
    window: Window
    context: Context
    posterior: Posterior


def stretches_of(passages: Passages, measures: int) -> list[Stretch]:
    """Windows with about this many measures to be read, evenly spread over the tunes."""
    every = passages.stretches()
    count = round(len(every) * measures / max(len(passages), 1))
    return [every[i] for i in spread(len(every), max(count, 1))]


@torch.no_grad()
def read_windows(model: ContextualArVae, passages: Passages, stretches: Sequence[Stretch]) -> Iterator[ReadWindows]:
    """The encodings of the windows, in batches of one number of ticks each."""
    model.eval()
    device = next(model.parameters()).device
    ticks = passages.ticks[passages.runs[[one.run for one in stretches], 0]]
    for t in np.unique(ticks).tolist():
        same = [stretches[i] for i in np.flatnonzero(ticks == t).tolist()]
        size = max(AT_ONCE * TICKS // (WINDOW * t), 1)
        for some in (same[i : i + size] for i in range(0, len(same), size)):
            run, offset, begin, end = np.array(some, dtype=np.int64).T
            at, here = passages.window(run, offset)
            index = np.arange(WINDOW)
            read = here & (index >= begin[:, None]) & (index < end[:, None])
            window = Window.of_packed(torch.from_numpy(passages.packed(at, here)).to(device))
            summary, context = model.read(window)
            yield ReadWindows(at.reshape(-1), read.reshape(-1), window, context, model.posterior(summary, context))


def codes_of(model: ContextualArVae, passages: Passages, measures: int) -> tuple[Ints, Floats]:
    """About this many measures, evenly spread over the tunes: their numbers (n,), and their posterior means (n, z)."""
    at, means = [np.zeros(0, dtype=np.int64)], [np.zeros((0, model.latent), dtype=np.float64)]
    for found in read_windows(model, passages, stretches_of(passages, measures)):
        at.append(found.at[found.read])
        means.append(found.posterior.mean.cpu().double().numpy()[found.read])
    return np.concatenate(at), np.concatenate(means)


class WindowJudge:
    """The figures of held-out measures in their contexts.

        nats        the mean negative log-likelihood of a measure when the decoder gets its context alone
        tokens, events, measures    the shares that a free decode of the posterior mean reproduces
        scc         Spearman correlation of dimension k with attribute k, mean over the attributes
    """

    def __init__(self, model: ContextualArVae, valid: Passages, measures: int) -> None:
        self.model, self.valid, self.stretches = model, valid, stretches_of(valid, measures)

    @torch.no_grad()
    def __call__(self) -> dict[str, float]:
        k = self.valid.values.shape[1]
        at, loss, codes, decoded = list[Ints](), list[Tensor](), list[Tensor](), list[Tensor]()
        for found in read_windows(self.model, self.valid, self.stretches):
            mean, rows = found.posterior.mean, found.window.rows.flatten(0, 1)
            counted = torch.from_numpy(found.read & self.valid.counted[found.at])
            nothing, everything = Given.nothing(mean, k).seen(mean), Given.all(mean, k).seen(mean)
            loss.append(nats(self.model.decoder(nothing, found.context, rows), rows).cpu()[counted])
            output = self.model.decoder.free(everything, found.context).cpu()[counted]
            decoded.append(torch.nn.functional.pad(output, (1, MAX_TICKS - output.shape[1]), value=PAD))
            codes.append(mean[:, :k].cpu()[counted])
            at.append(found.at[counted.numpy()])
        numbers = np.concatenate(at)
        own, values = torch.cat(codes).double().numpy(), self.valid.values[numbers].astype(np.float64)
        right = accuracy(torch.from_numpy(self.valid.inputs[numbers]), torch.cat(decoded))
        order = [spearman(values[:, i], own[:, i]) for i in range(k)]
        return {"nats": float(torch.cat(loss).mean()), **right, "scc": float(np.mean(order)) if order else float("nan")}
