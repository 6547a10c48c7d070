"""Functions that read, inspect, edit, vary, interpolate and save a melody, each in one call.

    import arvae_music

    result = arvae_music.edit("melody.mid", density=+1.5, contour="=2st")
    result.save("denser.mid")

`arvae_music` exports these functions. To use one model for many melodies, load it once with `library.load`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from . import results
from .editing.interpolate import STEPS
from .editing.request import PROPOSALS, STRENGTH, Mode
from .editing.vary import AMOUNT, COUNT
from .errors import UsageError
from .io.lines import TOP, LineName
from .io.midi import Song
from .io.score_output import file_of
from .io.scores import read_any
from .music.attributes import PAPER
from .music.attributes import find as find_attribute
from .music.melody import Melody
from .networks.model import AUTO
from .networks.runtime import RUNTIMES
from .results import EditResult, Inspection, Interpolation, VaryResult
from .system.files import write_whole

if TYPE_CHECKING:
    from .library import Model, Request

MelodyLike = str | Path | Song | Melody


# ------------------------------------------------------------------------------------ files


def read(
    source: str | Path | bytes,
    *,
    track: int | str | None = None,
    channel: int | None = None,
    voice: LineName | str = TOP,
    name: str | None = None,
    unfold: bool = False,
    tune: int | None = None,
) -> Song:
    """Read the melody of a MIDI file or a score, given as a path or as bytes.

    `track` and `channel` choose a track; without them arvae chooses one, and `song.found.why` explains the choice. If
    it plays several notes at once, `voice` is the melody: "top", "bottom", or a number from 1, the highest. `name`
    replaces the path in messages. `unfold` plays the repeats of a score, and `tune` chooses a tune of an ABC file, from
    1. Raises InputError for a file without a readable melody.
    """
    return read_any(source, name=name, track=track, channel=channel, voice=voice, unfold=unfold, tune=tune)


def save(
    path: str | Path, song: Song | Melody | EditResult, melody: Melody | None = None, *, overwrite: bool = False
) -> None:
    """Write `song`'s file with `melody` in place of its own melody. A melody without a song gets a new MIDI file.

    An EditResult is saved as its `save` method does. Raises OutputError if the file exists and `overwrite` is False.
    """
    if isinstance(song, EditResult):
        return song.save(path, overwrite=overwrite)
    if isinstance(song, Song):
        data = file_of(song, song.melody if melody is None else melody, Path(path).suffix)
    else:
        data = file_of(song if melody is None else melody, song if melody is None else melody, Path(path).suffix)
    return write_whole(Path(path), data, overwrite=overwrite)


# ------------------------------------------------------------------------------------ melodies


def edit(
    melody: MelodyLike,
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
    model: str | Path | Model = AUTO,
    runtime: str = RUNTIMES[0],
    track: int | str | None = None,
    channel: int | None = None,
    voice: LineName | str = TOP,
) -> EditResult:
    """Change attributes of a melody, or of its measures `bars` ("1-4,7,12-").

    melody          a file, a Song or a Melody; `read(file, unfold=True, tune=2)` reads a score as it is played, or one
                    tune of a file
    density, ...    a request for that attribute: a number, which counts standard deviations of the model's corpus, or a
                    text such as "+2notes", "+10%", "=8notes", "x1.5", or the curve "1:+0,8:+2" (measure:change)
    targets         the same requests by name; requests for your own attributes go here
    keep            attributes that must keep their values
    lock            parts of the melody that must stay: "key", "onsets", "pitches", "range", "first", "last"
    strength        a dial: 0 makes the fewest changes that meet the request, 1 composes freely
    each            whether every measure must meet the request. By default the mean of the selected measures moves by
                    what is requested, and each measure takes the share that suits it
    free_ends       whether the last notes of phrases, and the silence before an upbeat, may change like other notes
    form            whether repeated measures get the same edit
    chords          the chords of the melody, as in "C F G7 C" (a chord for each measure) or "C | F G7 | C . Am . | %";
                    without it, the song's own chord symbols hold, or else the chords that its other tracks play
    harmony         whether new notes fit the chords and do not clash with the other tracks
    mode            "guided" meets requests exactly where possible; "latent" only shifts the latent code, as the
                    paper does
    proposals       how many candidates the guided mode decodes for a measure
    seed            the seed of the random generator
    model, runtime  the model and its runtime, as in `library.load`, or a loaded Model
    track, channel  the track of a file to edit
    voice           the voice of a track that plays several notes at once: "top", "bottom", or a number, 1 the highest

    Raises UsageError for an invalid request, InputError for a melody that cannot be read, CheckpointError for a model
    that cannot be used.
    """
    opened, trained = _ready(melody, model, runtime, track, channel, voice)
    return trained.edit(
        opened,
        targets,
        density=density, rhythm=rhythm, range=range, contour=contour, syncopation=syncopation,
        pitch=pitch, repetition=repetition, steps=steps, keep=keep, lock=lock, bars=bars,
        mode=mode, each=each, free_ends=free_ends, form=form, chords=chords, harmony=harmony,
        strength=strength, proposals=proposals, seed=seed,
    )  # fmt: skip


def vary(
    melody: MelodyLike,
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
    model: str | Path | Model = AUTO,
    runtime: str = RUNTIMES[0],
    track: int | str | None = None,
    channel: int | None = None,
    voice: LineName | str = TOP,
) -> VaryResult:
    """Make `count` variations that keep the attributes of a melody. With requests, the variations are of the edit.

    `amount` is the share of the notes that differ, from 0 to 1. `edit` explains the other parameters and the errors.
    """
    opened, trained = _ready(melody, model, runtime, track, channel, voice)
    return trained.vary(
        opened,
        count,
        targets,
        density=density, rhythm=rhythm, range=range, contour=contour, syncopation=syncopation,
        pitch=pitch, repetition=repetition, steps=steps, keep=keep, lock=lock, bars=bars,
        mode=mode, each=each, free_ends=free_ends, form=form, chords=chords, harmony=harmony,
        strength=strength, proposals=proposals, seed=seed,
        amount=amount,
    )  # fmt: skip


def interpolate(
    melodies: Sequence[MelodyLike],
    steps: int = STEPS,
    *,
    model: str | Path | Model = AUTO,
    runtime: str = RUNTIMES[0],
    form: bool = True,
    chords: str | None = None,
    harmony: bool = True,
    seed: int = 0,
) -> Interpolation:
    """Interpolate from each melody to the next in `steps` melodies, which include both ends.

    `chords` and `harmony` are explained by `edit`; the chords of the steps are those of both melodies.

    Raises UsageError for melodies that do not fit together, InputError for one that cannot be read, CheckpointError for
    a model that cannot be used.
    """
    opened = [_opened(melody) for melody in melodies]
    trained = _model(model, runtime)
    return trained.interpolate(opened, steps, form=form, chords=chords, harmony=harmony, seed=seed)


def inspect(
    melody: MelodyLike,
    attributes: Sequence[str] = PAPER,
    *,
    track: int | str | None = None,
    channel: int | None = None,
    voice: LineName | str = TOP,
) -> Inspection:
    """Measure attributes of every measure, in musical units, without a model.

    `attributes` are names, or "module:function" for your own. Raises InputError for a melody that cannot be read,
    UsageError for an attribute that does not exist.
    """
    opened = _opened(melody, track, channel, voice)
    specs = tuple(find_attribute(name) for name in attributes)
    if isinstance(opened, Song):
        return results.inspection(opened.melody, specs, opened)
    return results.inspection(opened, specs)


def _ready(
    melody: MelodyLike,
    model: str | Path | Model,
    runtime: str,
    track: int | str | None,
    channel: int | None,
    voice: LineName | str,
) -> tuple[Melody | Song, Model]:
    opened = _opened(melody, track, channel, voice)
    return opened, _model(model, runtime)


def _model(model: str | Path | Model, runtime: str) -> Model:
    from .library import load

    return load(model, runtime) if isinstance(model, str | Path) else model


def _opened(
    melody: MelodyLike, track: int | str | None = None, channel: int | None = None, voice: LineName | str = TOP
) -> Melody | Song:
    if isinstance(melody, str | Path):
        return read(melody, track=track, channel=channel, voice=voice)
    if track is not None or channel is not None or voice != TOP:
        raise UsageError(
            "track, channel and voice choose the melody of a file, and this melody is read already",
            remedy="give them to arvae_music.read",
        )
    return melody
