"""What a training run is made of, for measures and for images alike: its plan, its data, and its domain.

A Plan says what is trained, and config.json records it. Data is what it is trained on. A Domain knows what differs
between measures (music_recipe.py) and images (image_recipe.py); domains.py finds the domain of a corpus.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from ..arrays import Ints
    from ..networks.passages import TuneRows
    from ..vae.checkpoint import Checkpoint
    from ..vae.combinations import Combinations
    from ..vae.examples import Examples, Split
    from .trainer import Trainer, TrainingOptions

# Defaults of music that `arvae train --help` states; this module imports neither numpy nor PyTorch.
BATCH = 128
EPOCHS = {"bach": 400, "folk": 36}  # 15 to 30 minutes on one core
STEPS = 6000  # of a corpus of music that has no entry in EPOCHS
BATCH_IN_CONTEXT = 256  # measures of 4/4, for the contextual objective
STEPS_IN_CONTEXT = 10_000  # half an hour on one core; a corpus of few measures is not shown more often than
EPOCHS_IN_CONTEXT = 200  # this, because it would be learnt by heart
EPOCHS_IN_TIME = 200  # of a run that is given minutes, unless the usual number is larger


@dataclass(frozen=True)
class Data:
    """What a run trains on. `source` tells people which data the figures describe."""

    split: Split
    licence: str
    source: str
    more: Examples | None = None  # the training part with further material, if there is any
    digits: Callable[[Examples], Ints] | None = None  # which digit each image shows, if they are digits
    combine: Callable[[], Combinations] | None = None
    read_tunes: Callable[[], Mapping[str, Sequence[TuneRows]]] | None = None  # whole tunes, by part of the split

    @cached_property
    def combinations(self) -> Combinations | None:
        """Which values of the attributes occur together; None if nobody has to know."""
        return self.combine() if self.combine else None

    @cached_property
    def tunes(self) -> Mapping[str, Sequence[TuneRows]]:
        """The whole tunes of the parts "train", "valid" and "test"; none for images."""
        return self.read_tunes() if self.read_tunes else {}

    @property
    def rows(self) -> int:
        """How many rows the run trains on."""
        return len(self.more or self.split.train)


@dataclass(frozen=True)
class Defaults:
    """The value of each option that nobody gave; None if the domain has no such option."""

    epochs: int
    batch: int
    learning_rate: float
    beta: float
    gamma: float
    delta: float
    clip: float
    latent: int
    hidden: int
    tick_hidden: int | None = None
    token_dropout: float | None = None
    mix: float | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that defines a run; config.json records all of it."""

    corpus: str
    attributes: tuple[str, ...]
    dims: Any  # MeasureDims, ContextDims or ImageDims
    options: TrainingOptions
    mix: float = 0.0  # share of mixed measures in a batch

    def to_json(self) -> dict[str, Any]:
        return {
            "corpus": self.corpus,
            "attributes": list(self.attributes),
            "dims": self.dims.to_json(),
            "options": self.options.to_json(),
            "mix": self.mix,
        }


class Result(Protocol):
    """An evaluation, of measures or of images."""

    @property
    def headline(self) -> dict[str, float]: ...
    def to_json(self) -> dict[str, Any]: ...


class Domain(Protocol):
    objective: str  # the default objective
    unit: str  # the name of a row, in the plural
    held_out: str  # the name of the pieces that the split holds out
    trial: str  # a command that tries the model out; {run} stands for its folder

    def attributes(self, corpus: str) -> tuple[str, ...]:
        """The attributes of a model of this corpus, unless others are named."""

    def defaults(self, corpus: str, rows: int, objective: str, batch: int | None = None) -> Defaults:
        """The defaults for this many training rows and rows in a batch; None for the usual number."""

    def dims(self, corpus: str, options: Mapping[str, Any]) -> Any: ...
    def read_dims(self, body: Mapping[str, Any]) -> Any:
        """The inverse of `dims.to_json`."""

    def trainer(self, plan: Plan, data: Data, device: torch.device) -> Trainer: ...

    def checkpoint(
        self, plan: Plan, data: Data, trainer: Trainer, training: dict[str, Any], provenance: dict[str, Any]
    ) -> Checkpoint: ...

    def judged(self, valid: Mapping[str, float]) -> str:
        """The reconstruction of held-out rows, as text."""

    def evaluation_options(self, quick: bool) -> Any: ...
    def evaluate(self, run: Path, data: Data, held_out: Examples, options: Any, about: Mapping[str, Any]) -> Result:
        """Evaluates the model in a run's folder on `held_out`; `about` goes into the result."""

    def published(self, corpus: str) -> Mapping[str, Mapping[str, float]]:
        """Published values in the paper's protocol, a row each."""
