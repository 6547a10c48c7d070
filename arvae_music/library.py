"""Trained models: load one, and edit, vary, interpolate, encode and decode melodies with it.

    import arvae_music

    song = arvae_music.read("melody.mid")
    model = arvae_music.load()
    result = model.edit(song.melody, density=+1.5, contour="=2st")
    arvae_music.save("denser.mid", song, result.melody)

The module `melodies` offers the same operations as functions that also take the name of a file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from .editing import edit as editing
from .editing import interpolate as interpolating
from .editing import vary as varying
from .editing.interpolate import STEPS
from .editing.locks import parse as parse_locks
from .editing.request import PROPOSALS, STRENGTH, EditRequest, Mode
from .editing.vary import AMOUNT, COUNT, VaryRequest
from .errors import UsageError
from .io.midi import Song
from .music.chart import parse as parse_chart
from .music.melody import Melody
from .music.sliders import Target, numbers_in, parse
from .networks.model import AUTO as AUTO
from .networks.model import DEFAULT, prepare
from .networks.model import Model as EngineModel
from .networks.runtime import RUNTIMES as RUNTIMES
from .system.extras import need
from .vae import checkpoint as checkpoints

if TYPE_CHECKING:
    from .latents import Latents
    from .results import EditResult, Interpolation, VaryResult

Request = float | str | Target  # +1.5, "+2notes", "=8notes", "x1.5", a curve as text, or a parsed Target


@dataclass(frozen=True, repr=False)
class Model(EngineModel):
    """A trained model, ready to use. It can be pickled: unpickling builds the model again from its checkpoint."""

    def __repr__(self) -> str:
        return f"<Model {self.name!r}: {', '.join(self.metadata.carried)}; meters {', '.join(self.metadata.meters)}>"

    def target(self, name: str, request: Request) -> Target:
        """Parse a request such as `1.5`, `"+1.5"` or `"=8notes"` for one of the model's attributes.

        A number counts standard deviations of the attribute in the model's corpus. A Target is returned as it is.
        Raises UsageError for a request that cannot be parsed, CheckpointError for an attribute the model lacks.
        """
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
        each: bool = False,
        free_ends: bool = False,
        form: bool = True,
        chords: str | None = None,
        harmony: bool = True,
        strength: float = STRENGTH,
        proposals: int = PROPOSALS,
        seed: int = 0,
    ) -> EditRequest:
        """Make an EditRequest from the parameters of `arvae_music.edit`, which explains them.

        Requests for your own attributes go into `targets`, by name. `bars` selects measures, as in "1-4,7,12-".
        Raises UsageError for an invalid request, CheckpointError for an attribute that the model lacks.
        """
        if mode not in ("guided", "latent"):
            raise UsageError(f"there is no mode {mode!r}", remedy='give mode="guided" or mode="latent"')
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
            each=each,
            free_ends=free_ends,
            form=form,
            chords=None if chords is None else parse_chart(chords),
            harmony=harmony,
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
        each: bool = False,
        free_ends: bool = False,
        form: bool = True,
        chords: str | None = None,
        harmony: bool = True,
        strength: float = STRENGTH,
        proposals: int = PROPOSALS,
        seed: int = 0,
    ) -> EditResult:
        """Edit a melody. `arvae_music.edit` explains the parameters and the errors."""
        request = self.request(
            targets,
            density=density, rhythm=rhythm, range=range, contour=contour, syncopation=syncopation,
            pitch=pitch, repetition=repetition, steps=steps, keep=keep, lock=lock, bars=bars,
            mode=mode, each=each, free_ends=free_ends, form=form, chords=chords, harmony=harmony,
            strength=strength, proposals=proposals, seed=seed,
        )  # fmt: skip
        melody, song = parts_of(melody)
        from . import results  # the command line has reports of its own

        with one_thread():
            return results.edit_result(editing.edit(melody, request, self), melody, self, song)

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
        each: bool = False,
        free_ends: bool = False,
        form: bool = True,
        chords: str | None = None,
        harmony: bool = True,
        strength: float = STRENGTH,
        proposals: int = PROPOSALS,
        seed: int = 0,
    ) -> VaryResult:
        """Make `count` variations of a melody. `arvae_music.vary` explains the parameters and the errors."""
        request = self.request(
            targets,
            density=density, rhythm=rhythm, range=range, contour=contour, syncopation=syncopation,
            pitch=pitch, repetition=repetition, steps=steps, keep=keep, lock=lock, bars=bars,
            mode=mode, each=each, free_ends=free_ends, form=form, chords=chords, harmony=harmony,
            strength=strength, proposals=proposals, seed=seed,
        )  # fmt: skip
        melody, song = parts_of(melody)
        from . import results

        with one_thread():
            found = varying.vary(melody, VaryRequest(request, count, amount), self)
            return results.vary_result(found, melody, self, song)

    def interpolate(
        self,
        melodies: Sequence[Melody | Song],
        steps: int = STEPS,
        *,
        form: bool = True,
        chords: str | None = None,
        harmony: bool = True,
        seed: int = 0,
    ) -> Interpolation:
        """Interpolate from each melody to the next in `steps` melodies, which include both ends.

        Raises UsageError for melodies that do not fit together; editing/interpolate.py states the conditions.
        """
        from . import results

        with one_thread():
            path = interpolating.interpolate(
                [parts_of(one)[0] for one in melodies], self, steps, form=form, seed=seed,
                chords=None if chords is None else parse_chart(chords), harmony=harmony,
            )  # fmt: skip
            return results.interpolation_result(path, interpolating.results(path, self), self)

    def encode(self, melody: Melody | Song) -> Latents:
        """Encode the measures that the model can read.

        The result holds their posterior means, (m, z). `latents["density"]` is the code of one attribute, (m,).
        """
        from .latents import from_melody

        with one_thread():
            return from_melody(parts_of(melody)[0], self)

    def decode(
        self,
        latents: Latents | npt.ArrayLike,
        melody: Melody | Song | None = None,
        *,
        meters: str | Sequence[str] | None = None,
    ) -> Melody:
        """Decode each latent point into its most probable measure.

        With `melody`, the decoded measures replace its measures at `latents.measures`. Without one, the result holds
        only the decoded measures, in C major. An (m, z) array without a melody needs `meters`: one meter for all
        measures, or one for each. Raises UsageError for shapes and meters that do not fit.
        """
        from .latents import to_melody

        with one_thread():
            return to_melody(latents, None if melody is None else parts_of(melody)[0], meters, self)


def parts_of(melody: Melody | Song) -> tuple[Melody, Song | None]:
    """The melody, and the song that contains it, or None for a melody alone."""
    return (melody.melody, melody) if isinstance(melody, Song) else (melody, None)


def _words(names: str | Iterable[str]) -> Iterable[str]:
    """A single name as a list of one; several names as they are."""
    return [names] if isinstance(names, str) else names


@lru_cache(maxsize=1)
def _blas() -> Any:
    """The controller of the BLAS libraries. Finding them takes a millisecond, so it happens once per process."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def one_thread() -> AbstractContextManager[object]:
    """Limit BLAS to one thread: on the engine's small matrices, more threads cost many times what they save."""
    if os.environ.get("OPENBLAS_NUM_THREADS") == "1":  # as on the command line
        return nullcontext()
    limited: AbstractContextManager[object] = _blas().limit(limits=1, user_api="blas")
    return limited


# ------------------------------------------------------------------------------------ models


def load(model: str | Path = AUTO, runtime: str = RUNTIMES[0]) -> Model:
    """Load a trained model to run in one of RUNTIMES.

    `model` is the name of a bundled model, a checkpoint file, a run folder, or the address of a model on the Hub, such
    as "hf://owner/name" or "hf://owner/name@revision". "auto" is DEFAULT, the bundled model of all corpora. Raises
    CheckpointError for a model that cannot be read, UsageError for a runtime that does not exist, and ExtraError for
    "torch" without PyTorch or for an address without huggingface-hub.
    """
    return _loaded(DEFAULT if str(model) == AUTO else model, runtime)


def _loaded(model: str | Path, runtime: str) -> Model:
    """Load a model, from the cache unless its file has changed: a running training rewrites the file."""
    if runtime not in RUNTIMES:
        raise UsageError(f"there is no runtime {runtime!r}", remedy=f"give {' or '.join(RUNTIMES)}")
    path = checkpoints.find(model)
    return _read(path, path.stat().st_mtime_ns, runtime)


@lru_cache(maxsize=8)
def _read(path: Path, changed: int, runtime: str) -> Model:
    checkpoint = checkpoints.read(path)
    if runtime == "torch":
        need("train", "the runtime torch", "torch")
        from .networks.torch_runtime import torch_runtime_of

        return Model(**vars(prepare(checkpoint, torch_runtime_of)))
    return Model(**vars(prepare(checkpoint)))
