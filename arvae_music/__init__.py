"""arvae: sliders for a melody.

    import arvae_music

    song = arvae_music.read("melody.mid")
    model = arvae_music.load("auto", song.melody)
    result = model.edit(song.melody, density=+1.5)
    arvae_music.save("denser.mid", song, result.melody)

These import what they need when they are called: `import arvae_music` alone costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from .io.midi import Song
    from .library import Model
    from .music.melody import Melody

__all__ = ["__version__", "load", "read", "save"]


def load(model: str | Path = "auto", melody: Melody | None = None, runtime: str = "numpy") -> Model:
    """A packaged model's name, a checkpoint file, or a run folder; or "auto", the packaged model that fits `melody`
    best; in numpy or in PyTorch (runtime="torch"). Raises CheckpointError, UsageError."""
    from . import library

    return library.load(model, melody, runtime)


def read(path: str | Path, *, track: int | str | None = None, channel: int | None = None) -> Song:
    """The melody of a MIDI file or a score. Raises InputError."""
    from .io.scores import read_any

    return read_any(path, track=track, channel=channel)


def save(path: str | Path, song: Song, melody: Melody, *, overwrite: bool = False) -> None:
    """`song`'s file with `melody` in place of its own. Raises OutputError."""
    from pathlib import Path

    from .system.files import write_whole

    write_whole(Path(path), song.write(melody.rows), overwrite=overwrite)
