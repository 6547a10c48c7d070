"""The library's front door, which reads like the command line.

    import arvae_music

    song = arvae_music.read("melody.mid")
    model = arvae_music.load("auto", song.melody)
    result = model.edit(song.melody, density=+1.5, contour="=2st")
    arvae_music.save("denser.mid", song, result.melody)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import Row
from .editing.edit import PROPOSALS, EditRequest, EditResult, Mode, edit
from .editing.interpolate import STEPS, Interpolation, interpolate
from .editing.locks import parse as parse_locks
from .editing.vary import AMOUNT, COUNT, VaryRequest, VaryResult, vary
from .errors import CheckpointError, UsageError
from .music.melody import Melody
from .music.meter import Meter
from .music.sliders import Target, numbers_in, parse
from .networks.decoding import decode, log_probabilities
from .networks.model import Model as EngineModel
from .networks.model import prepare
from .vae import checkpoint as checkpoints

Request = float | str | Target
RUNTIMES = ("numpy", "torch")  # the first is the usual one
AUTO = "auto"  # the packaged model that knows a melody best


@dataclass(frozen=True)
class Model(EngineModel):
    """A trained model, ready to work."""

    def target(self, name: str, request: Request) -> Target:
        """`1.5` or `"+1.5"`, `"=8notes"`, ... for one of the model's attributes. Raises UsageError, CheckpointError."""
        spec = self.specs[self.metadata.names.index(self.metadata.scale(name).name)]
        if isinstance(request, Target):
            return request
        return parse(request if isinstance(request, str) else f"{request:+.12g}", spec)

    def request(
        self,
        targets: Mapping[str, Request] | None = None,
        *,
        keep: Iterable[str] = (),
        lock: Iterable[str] = (),
        bars: str | None = None,
        mode: Mode = "guided",
        form: bool = True,
        strength: float = 1.0,
        proposals: int = PROPOSALS,
        seed: int = 0,
        **named: Request,
    ) -> EditRequest:
        """An EditRequest from what people write: targets as a mapping or by name (`density=+1.5`, `contour="=2st"`),
        `bars` as in `1-4,7,12-`. Raises UsageError, CheckpointError."""
        if mode not in ("guided", "latent"):
            raise UsageError(f"there is no mode {mode!r}", remedy="give guided or latent")
        return EditRequest(
            targets={name: self.target(name, request) for name, request in {**(targets or {}), **named}.items()},
            keep=frozenset(self.metadata.scale(name).name for name in keep),
            locks=parse_locks(lock),
            bars=None if bars is None else numbers_in(bars),
            mode=mode,
            form=form,
            strength=strength,
            proposals=proposals,
            seed=seed,
        )

    def edit(self, melody: Melody, **asked: Any) -> EditResult:
        """The melody with what is asked, in the words of `request`: `density=+1.5, keep=["contour"], bars="1-4"`."""
        return edit(melody, self.request(**asked), self)

    def vary(self, melody: Melody, count: int = COUNT, *, amount: float = AMOUNT, **asked: Any) -> VaryResult:
        """`count` variations that keep the attributes, of the melody, or of that with what is asked, in the words of
        `request`. See vary.py."""
        return vary(melody, VaryRequest(self.request(**asked), count, amount), self)

    def interpolate(
        self, melodies: Sequence[Melody], steps: int = STEPS, *, form: bool = True, seed: int = 0
    ) -> Interpolation:
        """`steps` melodies from each to the next, both included. See interpolate.py for what must fit."""
        return interpolate(melodies, self, steps, form=form, seed=seed)


def load(model: str | Path = AUTO, melody: Melody | None = None, runtime: str = RUNTIMES[0]) -> Model:
    """A packaged model's name, a checkpoint file, or a run folder; or "auto", the packaged model that fits `melody`
    best (without one, the first); in one of RUNTIMES. Raises CheckpointError, UsageError."""
    if str(model) != AUTO:
        return _known(model, runtime)
    if melody is None:
        return _known(_packaged()[0], runtime)
    return choose(melody, runtime)[0]


def choose(melody: Melody, runtime: str = RUNTIMES[0]) -> tuple[Model, float]:
    """The packaged model that fits a melody best, and how well (`fit`). Raises CheckpointError, UsageError."""
    fitting, most = None, -1.0
    for candidate in (_known(name, runtime) for name in _packaged()):
        share = fit(candidate, melody)
        if share > most:
            fitting, most = candidate, share
        if share == 1:  # no other can be better
            break
    assert fitting is not None
    return fitting, most


def _packaged() -> list[str]:
    names = checkpoints.packaged_names("measures")
    if not names:
        raise CheckpointError("this installation has no models", remedy="install arvae anew, or name a model file")
    return names


def _known(model: str | Path, runtime: str) -> Model:
    """Read once, and again when the file has changed: a run in training writes its model anew."""
    if runtime not in RUNTIMES:
        raise UsageError(f"there is no runtime {runtime!r}", remedy=f"give {' or '.join(RUNTIMES)}")
    path = checkpoints.find(model)
    return _read(path, path.stat().st_mtime_ns, runtime)


@lru_cache(maxsize=8)
def _read(path: Path, changed: int, runtime: str) -> Model:
    checkpoint = checkpoints.read(path)
    if runtime == "torch":
        from .networks.torch_runtime import TorchRuntime

        return Model(**vars(prepare(checkpoint, TorchRuntime)))
    return Model(**vars(prepare(checkpoint)))


def fit(model: Model, melody: Melody) -> float:
    """How well a model knows a melody: the share of its tokens that come back right when its measures are encoded
    and decoded. Measures in a meter that the model does not know come back wrong."""
    rows: dict[Meter, list[Row]] = {}
    for bar in melody.bars:
        if bar.tokens is not None and bar.meter is not None:
            rows.setdefault(bar.meter, []).append(bar.tokens)
    right = total = 0
    for meter, found in rows.items():
        inputs = np.stack(found)
        total += inputs.size
        if meter.name not in model.metadata.meters:
            continue
        z = model.runtime.encode(inputs, meter)
        # A measure whose every token is foretold from those before it is decoded so; only the others need be.
        foretold = (log_probabilities(model.runtime, inputs, meter, z).argmax(axis=2) == inputs).all(axis=1)
        right += inputs[foretold].size
        right += int((decode(model.runtime, z[~foretold], meter) == inputs[~foretold]).sum())
    return right / max(total, 1)
