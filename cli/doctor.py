"""`arvae doctor`: is this installation able to edit, and if not, what is broken.

Each check is good, a note (something optional is missing), or broken (editing cannot work). Exit 1 when any
is broken. Packages are really imported: a native library that doesn't load is the commonest fault.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from ..errors import ArvaeError
from ..system import settings
from ..version import __version__
from .shared import common

ESSENTIAL = {"numpy": "arithmetic", "safetensors": "models"}
OPTIONAL = {
    "torch": "training",
    "music21": "scores (ABC, MusicXML, kern) and corpora",
    "symusic": "large MIDI corpora",
    "pretty_midi": "songs to and from pretty_midi",
    "pyarrow": "corpora on disk",
    "rich": "tables and progress bars",
    "matplotlib": "piano rolls as PNG",
}

State = Literal["good", "note", "broken"]


@dataclass(frozen=True)
class Check:
    name: str
    state: State
    detail: str


def doctor(json: common.Json = False, quiet: common.Quiet = False) -> int:
    """Check the installation: packages, models, settings, the cache. Exit 1 if editing cannot work."""
    checks = [*_versions(), *_packages(), *_settings(), *_models(), _threads(), _network()]
    broken = [check for check in checks if check.state == "broken"]
    if json:
        common.print_json({"broken": len(broken), "checks": checks})
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            common.report(f"{check.state:6}  {check.name:{width}}  {check.detail}")
    for check in broken:
        common.complain(f"{check.name}: {check.detail}")
    return 1 if broken else 0


def _versions() -> Iterator[Check]:
    yield Check("arvae", "good", f"{__version__} in {Path(settings.__file__).parent}")
    yield Check("python", "good", f"{platform.python_version()} on {platform.platform()}")


def _packages() -> Iterator[Check]:
    for name, purpose in {**ESSENTIAL, **OPTIONAL}.items():
        try:
            importlib.import_module(name)
            yield Check(name, "good", f"{metadata.version(name)} ({purpose})")
        except Exception as error:  # a broken native library may raise anything
            state: State = "broken" if name in ESSENTIAL else "note"
            yield Check(name, state, f"cannot be imported ({error}): no {purpose}")


def _settings() -> Iterator[Check]:
    try:
        found = settings.load()
    except ArvaeError as error:
        yield Check("settings", "broken", error.on_command_line)
        return
    set_ = [f"{name} = {value.value}" for name, value in found.values.items() if value.origin != "default"]
    yield Check("settings", "good", ", ".join(set_) or "all defaults")
    cache = Path(str(found["cache"]))
    writable = os.access(_nearest_folder(cache), os.W_OK)
    where = f"{cache}" if writable else f"{cache} cannot be written; set ARVAE_CACHE to another folder"
    yield Check("cache", "good" if writable else "note", where)


def _nearest_folder(path: Path) -> Path:
    """The folder itself or, before it is made, the one that it will be made in."""
    return next((place for place in (path, *path.parents) if place.exists()), path)


def _models() -> Iterator[Check]:
    try:
        from ..vae import checkpoint
    except ImportError as error:
        yield Check("models", "broken", f"cannot be read ({error})")
        return
    names = checkpoint.packaged_names()
    if not names:
        yield Check("models", "broken", f"none in {checkpoint.PACKAGED}; reinstall arvae")
    for name in names:
        try:
            model = checkpoint.read(name)
            sliders = ", ".join(model.metadata.names)
            yield Check(f"model {name}", "good", f"{model.digest}: {sliders}")
        except ArvaeError as error:
            yield Check(f"model {name}", "broken", error.on_command_line)


def _threads() -> Check:
    told = [f"{name}={os.environ[name]}" for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY") if name in os.environ]
    torch = sys.modules.get("torch")
    threads = f", PyTorch uses {torch.get_num_threads()}" if torch is not None else ""
    return Check("threads", "good", f"{os.cpu_count()} cores{threads}{', ' if told else ''}{' '.join(told)}")


def _network() -> Check:
    return Check("network", "good", "never used: arvae works offline and sends nothing")
