"""Settings: the defaults of command line options, and the origin of each value.

An option on the command line takes precedence. Then, in this order:

    1. the environment        ARVAE_MODEL, ARVAE_SEED, ...
    2. the project            arvae.toml, or [tool.arvae] in pyproject.toml, in the working folder or the
                              nearest folder above it that has one; arvae.toml takes precedence
    3. the user               arvae.toml in the user's configuration folder (platformdirs)
    4. the defaults           `KEYS`

A relative `cache`, or a `model` that is a path, is relative to the file that contains it. All errors in all places are
reported at once, and the command does nothing. `overwrite` is not a setting, because a forgotten file must not make a
later command replace files.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError, nearest_or

Scalar = str | int | bool | None

PREFIX = "ARVAE_"
FILE = "arvae.toml"
TABLE = "tool.arvae"
YES, NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")


@dataclass(frozen=True)
class Key:
    """A setting: `parse` reads an environment variable, `check` a TOML value; both raise ValueError."""

    name: str
    kind: str  # what the value must be, for messages
    default: Scalar
    help: str
    parse: Callable[[str], Scalar]
    check: Callable[[Any], Scalar]
    is_path: bool = False
    commands: tuple[str, ...] | None = None  # the sub-commands that have this option; None means all

    def concerns(self, command: str) -> bool:
        return self.commands is None or command in self.commands


@dataclass(frozen=True)
class Value:
    value: Scalar
    origin: str  # "default", "environment variable ARVAE_SEED", or the file's path


@dataclass(frozen=True)
class Settings:
    values: Mapping[str, Value]

    def __getitem__(self, name: str) -> Scalar:
        return self.values[name].value

    def defaults_of(self, command: str) -> dict[str, Scalar]:
        """The settings of a sub-command that were set somewhere. The command itself has the other defaults."""
        return {
            name: value.value
            for name, value in self.values.items()
            if value.origin != "default" and KEYS[name].concerns(command)
        }


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _flag_text(text: str) -> bool:
    if text.lower() not in YES + NO:
        raise ValueError
    return text.lower() in YES


_KEYS = (
    Key("model", "a name or a file", None, "the model to edit with", _text, _text, is_path=True),
    Key("seed", "a whole number, 0 or more", 0, "same seed, same result", lambda t: _count(int(t)), _count),
    Key("quiet", "true or false", False, "print errors only", _flag_text, _flag),
    Key("cache", "a folder", None, "where corpora are kept", _text, _text, is_path=True),
    Key(
        "soundfont", "a file", None, "the instruments of arvae studio", _text, _text, is_path=True, commands=("studio",)
    ),
    Key(
        "output",
        "a template",
        "{stem}.{edit}.mid",
        "how outputs are named",
        _text,
        _text,
        commands=("edit", "vary", "interpolate"),
    ),
)
KEYS = {key.name: key for key in _KEYS}


def load(folder: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Every setting with its origin, for a command that runs in `folder` (by default the working folder).

    Raises a UsageError that lists unknown keys (with the nearest known one), values of a wrong kind, and files that are
    not TOML.
    """
    problems: list[str] = []
    found = {name: Value(key.default, "default") for name, key in KEYS.items()}
    found["cache"] = Value(str(_default_cache()), "default")
    for path in (user_file(), project_file(folder or Path.cwd())):
        if path is not None and path.is_file():
            found.update(_from_file(path, problems))
    found.update(_from_environment(os.environ if environment is None else environment, problems))
    if problems:
        raise UsageError("\n  ".join(("the configuration cannot be used:", *problems)))
    return Settings(found)


def cache_dir() -> Path:
    """The folder for corpora and other files that can be made again. It may not exist yet."""
    return Path(str(load()["cache"])).expanduser()


def state_dir() -> Path:
    """The folder for what arvae remembers from one run to the next. It may not exist yet."""
    from platformdirs import user_state_path

    return user_state_path("arvae", appauthor=False)


def user_file() -> Path:
    from platformdirs import user_config_path

    return user_config_path("arvae", appauthor=False) / FILE


def project_file(folder: Path) -> Path | None:
    """The nearest arvae.toml, or pyproject.toml with a [tool.arvae] table, in `folder` or above it."""
    for place in (folder, *folder.parents):
        if (place / FILE).is_file():
            return place / FILE
        project = place / "pyproject.toml"
        # The text is searched first, so that an invalid file without a table of arvae is not an error.
        if project.is_file() and f"[{TABLE}" in project.read_text("utf-8", errors="replace"):
            return project
    return None


def _default_cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("arvae", appauthor=False)


def _from_file(path: Path, problems: list[str]) -> dict[str, Value]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table: Any = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problems.append(f"{path}: cannot be read ({error})")
        return {}
    if path.name != FILE:
        table = table.get("tool", {}).get("arvae", {})
    values: dict[str, Value] = {}
    for name, given in table.items():
        key = KEYS.get(name)
        if key is None:
            problems.append(f"{path}: unknown key {name!r}; {_nearest(name, list(KEYS))}")
            continue
        try:
            values[name] = Value(_relative_to(path.parent, key, key.check(given)), str(path))
        except ValueError:
            problems.append(f"{path}: {name} = {given!r} is not {key.kind}")
    return values


def _from_environment(environment: Mapping[str, str], problems: list[str]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for variable in sorted(name for name in environment if name.startswith(PREFIX)):
        key = KEYS.get(variable.removeprefix(PREFIX).lower())
        if key is None:
            known = [PREFIX + name.upper() for name in KEYS]
            problems.append(f"{variable}: unknown variable; {_nearest(variable, known)}")
            continue
        try:
            value = key.parse(environment[variable])
            values[key.name] = Value(value, f"environment variable {variable}")
        except ValueError:
            problems.append(f"{variable}: {environment[variable]!r} is not {key.kind}")
    return values


def _nearest(name: str, known: list[str]) -> str:
    return nearest_or(name, known, f"the known ones are {', '.join(known)}")


def _relative_to(folder: Path, key: Key, value: Scalar) -> Scalar:
    """Resolve a path relative to the folder of its file. The bare name of a model is not a path."""
    if not key.is_path or not isinstance(value, str):
        return value
    bare = Path(value).name == value and not value.endswith(".safetensors")
    if key.name == "model" and bare:
        return value
    return str(folder / Path(value).expanduser())
