"""Checks of the installation: the libraries, the extras, the settings, the folders and the bundled models.

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

from .errors import ArvaeError, ExtraError
from .system import settings
from .system.extras import EXTRAS, LIBRARIES, Library, command, is_installed
from .version import __version__

State = Literal["good", "note", "info", "broken"]


@dataclass(frozen=True)
class Check:
    name: str
    state: State
    detail: str


def checks() -> list[Check]:
    """Every check of the installation, in the order in which `arvae doctor` prints them."""
    libraries, extras = map(check_library, LIBRARIES), map(check_extra, EXTRAS)
    return [*_versions(), *libraries, *extras, *_settings(), *check_models(), _threads()]


def _versions() -> Iterator[Check]:
    yield Check("arvae", "info", f"{__version__} in {Path(settings.__file__).parent}")
    yield Check("python", "info", f"{platform.python_version()} on {platform.platform()}, {sys.executable}")


# ------------------------------------------------------------------------------------ libraries


def check_library(library: Library) -> Check:
    """Whether a library that every installation has can be imported and is new enough; otherwise the command that
    installs it."""
    fault = fault_of(library)
    if fault is not None:
        return Check(library.distribution, "broken", f"{fault.what}; needed for {library.purpose}; run {fault.remedy}")
    version = metadata.version(library.distribution)
    return Check(library.distribution, "good", f"{version}, needed for {library.purpose}")


def check_extra(name: str) -> Check:
    """Whether all libraries of an extra are installed. A library that is installed but does not work is broken."""
    extra, label = EXTRAS[name], f"extra {name}"
    missing = [library.distribution for library in extra.libraries if not is_installed(library)]
    faults = [(library, fault_of(library)) for library in extra.libraries if library.distribution not in missing]
    broken = [f"{library.distribution} {fault.what}; run {fault.remedy}" for library, fault in faults if fault]
    if broken:
        return Check(label, "broken", f"{', '.join(broken)}; needed for {extra.purpose}")
    versions = [f"{library.distribution} {metadata.version(library.distribution)}" for library, _ in faults]
    if missing:
        lacks = f"without {', '.join(missing)}" if versions else "not installed"
        return Check(label, "note", f"{lacks}; needed for {extra.purpose}; run {command(name)}")
    return Check(label, "good", f"{', '.join(versions)}, needed for {extra.purpose}")


class Fault(NamedTuple):
    what: str
    remedy: str  # a command


def fault_of(library: Library) -> Fault | None:
    """Why a library cannot be used, if it cannot. It is really imported."""
    name = library.distribution
    requirement = f"{name}{_specifier(name)}"
    try:
        importlib.import_module(library.module)
    except ModuleNotFoundError as error:
        if error.name == library.top:
            return Fault("is not installed", f"pip install '{requirement}'")
        return Fault(f"cannot be imported ({error})", _reinstall(requirement))
    except Exception as error:  # a broken native library may raise anything
        return Fault(f"cannot be imported ({_one_line(error)})", _reinstall(requirement))
    version = metadata.version(name)
    if _numbers(version) < _numbers(_specifier(name)):
        return Fault(f"{version} is too old", f"pip install --upgrade '{requirement}'")
    return None


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
    except ExtraError as error:
        return Check(label, "note", error.on_command_line)
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
