"""arvae: sliders for a melody.

    import arvae_music

    result = arvae_music.edit("melody.mid", density="+2notes")
    print(result["density"].before, result["density"].achieved)
    result.save("denser.mid")

or step by step:

    song = arvae_music.read("melody.mid")
    model = arvae_music.load()
    result = model.edit(song, density=+1.5, contour="=2st")
    arvae_music.save("denser still.mid", song, result.melody)

Models are trained and evaluated in Python too:

    data = arvae_music.corpus("bach")
    model = arvae_music.train("bach", "runs/bach", minutes=15, progress=print)
    print(arvae_music.evaluate(model, part="valid"))

A name is imported when it is first used: `import arvae_music` alone costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .version import __version__

if TYPE_CHECKING:
    from .assessment import evaluate
    from .errors import (
        ArvaeError,
        CheckpointError,
        CorpusError,
        ExtraError,
        InputError,
        OutputError,
        TrainingError,
        UsageError,
    )
    from .io.conversion import (
        from_notes,
        from_pretty_midi,
        from_symusic,
        to_notes,
        to_pretty_midi,
        to_symusic,
    )
    from .io.midi import Song
    from .library import Model, load
    from .melodies import edit, inspect, interpolate, read, save, vary
    from .music.attributes import AttributeSpec
    from .music.melody import Melody
    from .music.sliders import Unit
    from .reports.publishing import push
    from .research import corpus, train

__all__ = [
    "ArvaeError",
    "AttributeSpec",
    "CheckpointError",
    "CorpusError",
    "ExtraError",
    "InputError",
    "Melody",
    "Model",
    "OutputError",
    "Song",
    "TrainingError",
    "Unit",
    "UsageError",
    "__version__",
    "corpus",
    "edit",
    "evaluate",
    "from_notes",
    "from_pretty_midi",
    "from_symusic",
    "inspect",
    "interpolate",
    "load",
    "push",
    "read",
    "save",
    "to_notes",
    "to_pretty_midi",
    "to_symusic",
    "train",
    "vary",
]

_MODULES = {
    "assessment": ("evaluate",),
    "errors": (
        "ArvaeError", "CheckpointError", "CorpusError", "ExtraError", "InputError", "OutputError", "TrainingError",
        "UsageError",
    ),
    "io.conversion": (
        "from_notes", "from_pretty_midi", "from_symusic", "to_notes", "to_pretty_midi", "to_symusic",
    ),
    "io.midi": ("Song",),
    "library": ("Model", "load"),
    "melodies": ("edit", "inspect", "interpolate", "read", "save", "vary"),
    "music.attributes": ("AttributeSpec",),
    "music.melody": ("Melody",),
    "music.sliders": ("Unit",),
    "reports.publishing": ("push",),
    "research": ("corpus", "train"),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
