"""Where the batches of a run come from, and how a run is judged on held-out pieces.

    ExampleBatches    independent rows: every epoch shows each example once, in an order of its own
    WindowBatches     windows of consecutive measures, for a model in context (context_batches.py)

A source draws the batch of a step from the seed and the number of the step alone, so that a run that is resumed gets
the batches that it would have got. Under torchrun the ranks share a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from ..arrays import Array, Float32s
from ..errors import UsageError
from ..vae.examples import Examples, spread
from ..vae.model import ArVae
from ..vae.normal_scores import Codes
from .objectives.objective import Batch

Compare = Callable[[Tensor, Tensor], dict[str, float]]
# (b, ...) inputs and (b, k) values -> both with the first rows replaced by augmentation, and the number of these rows
Augment = Callable[[Array, Float32s, np.random.Generator], tuple[Array, Float32s, int]]
AT_ONCE = 1024  # held-out rows that are decoded at a time


@dataclass(frozen=True)
class Rank:
    """This process among those that share each batch."""

    number: int = 0
    of: int = 1

    @classmethod
    def here(cls) -> Rank:
        return cls(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else cls()


class Source(Protocol):
    @property
    def steps_per_epoch(self) -> int: ...

    @property
    def rows(self) -> float:
        """The rows of a step, over all processes; their mean if steps differ."""

    @property
    def attributes(self) -> int:
        """The number of columns of a batch's values."""

    def batch(self, step: int) -> Batch:
        """The rows that this process trains on in this step."""

    def further(self, step: int) -> Callable[[int], Batch]:
        """The function Step.draw of this step, which draws further training rows at random."""


class ExampleBatches:
    """The batches of independent rows; a Source."""

    def __init__(
        self, train: Examples, batch: int, seed: int, augment: Augment | None, rank: Rank, device: torch.device
    ) -> None:
        """`batch` rows, over all processes. Raises UsageError if there are fewer examples."""
        self.share = batch // rank.of
        if not 0 < self.share * rank.of <= len(train):
            raise UsageError(
                f"a batch of {batch} over {rank.of} processes does not fit {len(train)} examples",
                remedy="give batch=...",
            )
        self.inputs, self.values, self.codes = train.inputs, train.attributes, Codes.of_examples(train)
        self.seed, self.augment, self.rank, self.device = seed, augment, rank, device
        self._epoch = (-1, np.zeros(0, dtype=np.int64))  # the number of the epoch, and its order of the examples

    @property
    def steps_per_epoch(self) -> int:
        return len(self.inputs) // (self.share * self.rank.of)

    @property
    def rows(self) -> float:
        return self.share * self.rank.of

    @property
    def attributes(self) -> int:
        return int(self.values.shape[1])

    def batch(self, step: int) -> Batch:
        epoch, at = divmod(step, self.steps_per_epoch)
        if self._epoch[0] != epoch:
            self._epoch = epoch, np.random.default_rng([self.seed, epoch]).permutation(len(self.inputs))
        first = (at * self.rank.of + self.rank.number) * self.share
        rows = self._epoch[1][first : first + self.share]
        inputs, values, made_up = self.inputs[rows], self.values[rows], 0
        random = np.random.default_rng([self.seed, step, self.rank.number])
        if self.augment is not None:
            inputs, values, made_up = self.augment(inputs, values, random)
        return self._on_device(inputs, values, made_up, random)

    def further(self, step: int) -> Callable[[int], Batch]:
        random = np.random.default_rng([self.seed, step, self.rank.number, 1])

        def draw(count: int) -> Batch:
            rows = random.integers(0, len(self.inputs), count)
            return self._on_device(self.inputs[rows], self.values[rows], 0, random)

        return draw

    def _on_device(self, inputs: Array, values: Float32s, made_up: int, random: np.random.Generator) -> Batch:
        arrays = (inputs, values, self.codes.drawn(values, random))
        rows, raw, codes = (torch.from_numpy(array).to(self.device) for array in arrays)
        return Batch(rows, raw, codes, made_up)


class ExampleJudge:
    """The figures of `compare` on held-out rows, which are decoded freely from their posterior means."""

    def __init__(self, model: ArVae, valid: Examples, rows: int, codes: Codes | None, compare: Compare) -> None:
        """At most `rows` of `valid` are decoded. `codes` computes those that the decoder is given instead of the
        encoder's, if it is given any."""
        judged, device = spread(len(valid), rows), next(model.parameters()).device
        self.model, self.compare = model, compare
        self.inputs = torch.from_numpy(valid.inputs[judged]).to(device)
        given = None if codes is None else codes(valid.attributes[judged])
        self.codes = None if given is None else torch.from_numpy(given).to(device)

    def __call__(self) -> dict[str, float]:
        inputs = torch.split(self.inputs, AT_ONCE)
        codes = [None] * len(inputs) if self.codes is None else torch.split(self.codes, AT_ONCE)
        parts = [self.model.reconstruct(rows, own) for rows, own in zip(inputs, codes, strict=True)]
        return self.compare(self.inputs, torch.cat(parts))
