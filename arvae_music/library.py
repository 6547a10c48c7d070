"""Trained models: load one, and edit, vary, interpolate, encode and decode melodies with it.

    import arvae_music

    song = arvae_music.read("melody.mid")
    model = arvae_music.load("auto", song.melody)
    result = model.edit(song.melody, density=+1.5, contour="=2st")
    arvae_music.save("denser.mid", song, result.melody)

`melodies` has the same as functions that take a file's name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy.typing as npt

from . import results
from .editing import edit as editing
from .editing import interpolate as interpolating
from .editing import vary as varying
from .editing.edit import PROPOSALS, EditRequest, Mode
from .editing.interpolate import STEPS
from .editing.locks import parse as parse_locks
from .editing.vary import AMOUNT, COUNT, VaryRequest
from .errors import CheckpointError, UsageError
from .io.midi import Song
from .latents import Latents, from_melody, onto
from .music.melody import Melody
from .music.sliders import Target, numbers_in, parse
from .networks.decoding import decode, log_probabilities
from .networks.model import AUTO as AUTO
from .networks.model import Model as EngineModel
from .networks.model import prepare
from .networks.runtime import RUNTIMES as RUNTIMES
from .results import EditResult, Interpolation, VaryResult
from .vae import checkpoint as checkpoints

Request = float | str | Target  # +1.5, "+2notes", "=8notes", "x1.5", a curve, or what `parse` made of one


@dataclass(frozen=True, repr=False)
class Model(EngineModel):
    """A trained model, ready to work. It can be pickled: the copy is built from the checkpoint."""

    def __repr__(self) -> str:
        return f"<Model {self.name!r}: {', '.join(self.metadata.carried)}; meters {', '.join(self.metadata.meters)}>"

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
        density: Request | None = None,
        rhythm: Request | None = None,
        range: Request | None = None,
        contour: Request | None = None,
        syncopation: Request | None = None,
        pitch: Request | None = None,
        repetition: Request | None = None,
        steps: Request | None = None,
        keep: str | Iterable[str] = (),
        lock: str | Iterable[str] = (),
        bars: str | None = None,
        mode: Mode = "guided",
        form: bool = True,
        strength: float = 1.0,
        proposals: int = PROPOSALS,
        seed: int = 0,
    ) -> EditRequest:
        """An EditRequest from what people write. An attribute of your own goes into `targets`, by name; `bars` is as in
        "1-4,7,12-". Raises UsageError, CheckpointError."""
        if mode not in ("guided", "latent"):
            raise UsageError(f"there is no mode {mode!r}", remedy="give guided or latent")
        sliders = {
            "density": density, "rhythm": rhythm, "range": range, "contour": contour, "syncopation": syncopation,
            "pitch": pitch, "repetition": repetition, "steps": steps,
        }  # fmt: skip
        given = {name: value for name, value in sliders.items() if value is not None}
        twice = sorted(set(given) & set(targets or {}))
        if twice:
            raise UsageError(f"{twice[0]} is given twice, in targets and by name", remedy="leave out one of the two")
        return EditRequest(
            targets={name: self.target(name, value) for name, value in {**(targets or {}), **given}.items()},
            keep=frozenset(self.metadata.scale(name).name for name in _words(keep)),
            locks=parse_locks(_words(lock)),
            bars=None if bars is None else numbers_in(bars),
            mode=mode,
            form=form,
            strength=strength,
            proposals=proposals,
            seed=seed,
        )

    def edit(
        self,
        melody: Melody | Song,
        targets: Mapping[str, Request] | None = None,
        *,
        density: Request | None = None,
        rhythm: Request | None = None,
        range: Request | None = None,
        contour: Request | None = None,
        syncopation: Request | None = None,
        pitch: Request | None = None,
        repetition: Request | None = None,
        steps: Request | None = None,
        keep: str | Iterable[str] = (),
        lock: str | Iterable[str] = (),
        bars: str | None = None,
        mode: Mode = "guided",
        form: bool = True,
        strength: float = 1.0,
        proposals: int = PROPOSALS,
        seed: int = 0,
    ) -> EditResult:
        """The melody with the requested changes; see `arvae_music.edit` for the parameters."""
        asked = self.request(
            targets,
            density=density, rhythm=rhythm, range=range, contour=contour, syncopation=syncopation,
            pitch=pitch, repetition=repetition, steps=steps, keep=keep, lock=lock, bars=bars,
            mode=mode, form=form, strength=strength, proposals=proposals, seed=seed,
        )  # fmt: skip
        melody, song = parts_of(melody)
        with one_thread():
            return results.edited(editing.edit(melody, asked, self), melody, self, song)

    def vary(
        self,
        melody: Melody | Song,
        count: int = COUNT,
        targets: Mapping[str, Request] | None = None,
        *,
        amount: float = AMOUNT,
        density: Request | None = None,
        rhythm: Request | None = None,
        range: Request | None = None,
        contour: Request | None = None,
        syncopation: Request | None = None,
        pitch: Request | None = None,
        repetition: Request | None = None,
        steps: Request | None = None,
        keep: str | Iterable[str] = (),
        lock: str | Iterable[str] = (),
        bars: str | None = None,
        mode: Mode = "guided",
        form: bool = True,
        strength: float = 1.0,
        proposals: int = PROPOSALS,
        seed: int = 0,
    ) -> VaryResult:
        """`count` variations; see `arvae_music.vary` for the parameters."""
        asked = self.request(
            targets,
            density=density, rhythm=rhythm, range=range, contour=contour, syncopation=syncopation,
            pitch=pitch, repetition=repetition, steps=steps, keep=keep, lock=lock, bars=bars,
            mode=mode, form=form, strength=strength, proposals=proposals, seed=seed,
        )  # fmt: skip
        melody, song = parts_of(melody)
        with one_thread():
            found = varying.vary(melody, VaryRequest(asked, count, amount), self)
            return results.varied(found, melody, self, song)

    def interpolate(
        self, melodies: Sequence[Melody | Song], steps: int = STEPS, *, form: bool = True, seed: int = 0
    ) -> Interpolation:
        """`steps` melodies from each to the next, both included. See editing/interpolate.py for what must fit."""
        with one_thread():
            path = interpolating.interpolate([parts_of(one)[0] for one in melodies], self, steps, form=form, seed=seed)
            return results.interpolated(path, interpolating.results(path, self), self)

    def encode(self, melody: Melody | Song) -> Latents:
        """The latent points of the measures that the model can read: posterior means, (m, z). By name, an attribute's
        codes: `latents["density"]`, (m,)."""
        with one_thread():
            return from_melody(parts_of(melody)[0], self)

    def decode(
        self,
        latents: Latents | npt.ArrayLike,
        melody: Melody | Song | None = None,
        *,
        meters: str | Sequence[str] | None = None,
    ) -> Melody:
        """The most probable melody of each latent point.

        With `melody`, its measures at `latents.measures` are replaced. Without one, the result holds the decoded
        measures only, in C major; an (m, z) array needs `meters` then: one for all measures, or one each. Raises
        UsageError for shapes that do not fit, and for meters that the model does not know.
        """
        with one_thread():
            return onto(latents, None if melody is None else parts_of(melody)[0], meters, self)


def parts_of(melody: Melody | Song) -> tuple[Melody, Song | None]:
    """The melody, and the song that it stands in, if any."""
    return (melody.melody, melody) if isinstance(melody, Song) else (melody, None)


def _words(names: str | Iterable[str]) -> Iterable[str]:
    """One name, or some."""
    return [names] if isinstance(names, str) else names


@lru_cache(maxsize=1)
def _blas() -> Any:
    """Finding the libraries takes a millisecond: once a process."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def one_thread() -> AbstractContextManager[object]:
    """The engine's matrices are small: BLAS threads would cost it many times what they save."""
    if os.environ.get("OPENBLAS_NUM_THREADS") == "1":  # as on the command line
        return nullcontext()
    limited: AbstractContextManager[object] = _blas().limit(limits=1, user_api="blas")
    return limited


# ------------------------------------------------------------------------------------ models


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
    right = total = 0
    with one_thread():
        for meter, _, inputs in melody.by_meter():
            total += inputs.size
            if meter.name not in model.metadata.meters:
                continue
            z = model.runtime.encode(inputs, meter)
            # A measure whose every token is foretold from those before it is decoded so; only the others need be.
            foretold = (log_probabilities(model.runtime, inputs, meter, z).argmax(axis=2) == inputs).all(axis=1)
            right += inputs[foretold].size
            right += int((decode(model.runtime, z[~foretold], meter) == inputs[~foretold]).sum())
    return right / max(total, 1)
