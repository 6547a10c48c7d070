"""The library's front door, which reads like the command line.

import arvae_music

model = arvae_music.load("bach")
song = arvae_music.read("melody.mid")
result = model.edit(song.melody, density=+1.5, contour="=2st")
song.save("denser.mid", result.melody)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import checkpoint as checkpoints
from .attributes import AttributeSpec
from .attributes import find as find_attribute
from .checkpoint import Checkpoint, Scale
from .edit import PROPOSALS, EditRequest, EditResult, Mode, edit
from .edit import Model as EngineModel
from .errors import CheckpointError, UsageError
from .interpolate import STEPS, Interpolation, interpolate
from .locks import parse as parse_locks
from .melody import Melody
from .runtime import NumpyRuntime, Runtime
from .targets import Target, numbers_in, parse
from .vary import AMOUNT, COUNT, VaryRequest, VaryResult, vary

Request = float | str | Target


@dataclass(frozen=True)
class Model(EngineModel):
    """A trained model, ready to work."""

    checkpoint: Checkpoint

    @property
    def name(self) -> str:
        path = self.checkpoint.path
        if path is None:
            return "unsaved"
        return path.parent.name if path.name == checkpoints.MODEL_FILE else path.stem

    def target(self, name: str, request: Request) -> Target:
        """`1.5` or `"+1.5"`, `"=8notes"`, ... for one of the model's attributes. Raises UsageError, CheckpointError."""
        spec = self.specs[self.metadata.names.index(self.metadata.scale(name).name)]
        if isinstance(request, Target):
            return request
        return parse(request if isinstance(request, str) else f"{request:+g}", spec)

    def request(
        self,
        targets: dict[str, Request],
        *,
        keep: Iterable[str] = (),
        lock: Iterable[str] = (),
        bars: str | None = None,
        mode: Mode = "guided",
        form: bool = True,
        strength: float = 1.0,
        proposals: int = PROPOSALS,
        seed: int = 0,
    ) -> EditRequest:
        """An EditRequest from what people write; `bars` as in `1-4,7,12-`."""
        if mode not in ("guided", "latent"):
            raise UsageError(f"there is no mode {mode!r}", remedy="give guided or latent")
        return EditRequest(
            targets={name: self.target(name, request) for name, request in targets.items()},
            keep=frozenset(self.metadata.scale(name).name for name in keep),
            locks=parse_locks(lock),
            bars=None if bars is None else numbers_in(bars),
            mode=mode,
            form=form,
            strength=strength,
            proposals=proposals,
            seed=seed,
        )

    def variation(
        self,
        targets: dict[str, Request],
        *,
        count: int = COUNT,
        amount: float = AMOUNT,
        keep: Iterable[str] = (),
        lock: Iterable[str] = (),
        bars: str | None = None,
        form: bool = True,
        seed: int = 0,
    ) -> VaryRequest:
        """A VaryRequest from what people write."""
        editing = self.request(targets, keep=keep, lock=lock, bars=bars, form=form, seed=seed)
        return VaryRequest(
            count, amount, editing.targets, editing.keep, editing.locks, editing.bars, editing.form, editing.seed
        )

    def vary(
        self,
        melody: Melody,
        count: int = COUNT,
        *,
        amount: float = AMOUNT,
        keep: Iterable[str] = (),
        lock: Iterable[str] = (),
        bars: str | None = None,
        form: bool = True,
        seed: int = 0,
        **targets: Request,
    ) -> VaryResult:
        """`count` variations that keep the attributes, or of the melody edited to `targets`. See vary.py."""
        request = self.variation(
            targets, count=count, amount=amount, keep=keep, lock=lock, bars=bars, form=form, seed=seed
        )
        return vary(melody, request, self)

    def interpolate(
        self, melodies: Sequence[Melody], steps: int = STEPS, *, form: bool = True, seed: int = 0
    ) -> Interpolation:
        """`steps` melodies from each to the next, both included. See interpolate.py for what must fit."""
        return interpolate(melodies, self, steps, form=form, seed=seed)

    def edit(
        self,
        melody: Melody,
        *,
        keep: Iterable[str] = (),
        lock: Iterable[str] = (),
        bars: str | None = None,
        mode: Mode = "guided",
        form: bool = True,
        strength: float = 1.0,
        proposals: int = PROPOSALS,
        seed: int = 0,
        **targets: Request,
    ) -> EditResult:
        """The melody with `targets` met: `density=+1.5`, `contour="=2st"`. Raises UsageError, CheckpointError."""
        request = self.request(
            targets,
            keep=keep,
            lock=lock,
            bars=bars,
            mode=mode,
            form=form,
            strength=strength,
            proposals=proposals,
            seed=seed,
        )
        return edit(melody, request, self)


def load(model: str | Path = "bach") -> Model:
    """A packaged model's name, a checkpoint file, or a run folder. Raises CheckpointError."""
    return prepare(checkpoints.read(model))


def prepare(checkpoint: Checkpoint, runtime: Runtime | None = None) -> Model:
    scales = checkpoint.metadata.scales
    return Model(runtime or NumpyRuntime(checkpoint), checkpoint.metadata, specs_of(scales), checkpoint)


def specs_of(scales: Sequence[Scale]) -> tuple[AttributeSpec, ...]:
    """The attributes a checkpoint names. Raises CheckpointError where one can't be found here."""
    specs = []
    for scale in scales:
        try:
            specs.append(find_attribute(scale.origin or scale.name))
        except UsageError as error:
            raise CheckpointError(
                f"it was trained with the attribute {scale.name!r}, which is not to be had here ({error.what})",
                remedy="run it where that function can be imported",
            ) from error
    return tuple(specs)
