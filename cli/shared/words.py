"""Convert simple values of the command line without pydantic.

typer converts every value with pydantic, whose import takes a sixth of the time of a whole edit. Simple values do not
need it: text, a number within its bounds, and a value with a parser of its own. All other values, and all wrong ones,
are left to typer, so that results and messages stay the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

WHOLE = re.compile(r"[+-]?[0-9]+")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class NotPlainError(Exception):
    """The value is not simple, and typer must convert it."""


def quicken(parameter: Any) -> Any:
    """The parameter (or None), changed so that it converts simple values itself."""
    if parameter is None or "process_value" in vars(parameter):
        return parameter
    usual: Callable[[Any, Any], Any] = parameter.process_value

    def process(ctx: Any, value: Any) -> Any:
        try:
            read = plain(parameter, value)
        except NotPlainError:
            return usual(ctx, value)
        return read if parameter.callback is None else parameter.callback(ctx, parameter, read)

    parameter.process_value = process
    return parameter


def plain(parameter: Any, value: Any) -> Any:
    """Convert a word, a list of words, or a default. Raises NotPlainError for a value that is not simple."""
    described = getattr(parameter, "type_descriptor", None)  # of typer 0.28 and later
    several = parameter.multiple or parameter.nargs == -1
    if described is None or (parameter.required and value in (None, (), [])):
        raise NotPlainError
    if value is None:
        return () if several else None
    kind, about = described.annotation, described.parameter_info
    if about.parser is not None and isinstance(value, str):
        return about.parser(value)
    if kind == list[str] and several and isinstance(value, (list, tuple)):
        return [_text(word) for word in value]
    reader = READERS.get(kind)
    if reader is None or several:
        raise NotPlainError
    read = reader(value)
    if not isinstance(read, (bool, str)) and not _within(read, about.min, about.max):
        raise NotPlainError
    return read


def _text(word: Any) -> str:
    if not isinstance(word, str):
        raise NotPlainError
    return word


def _whole(word: Any) -> int:
    if isinstance(word, str) and WHOLE.fullmatch(word):
        return int(word)
    if type(word) is int:
        return word
    raise NotPlainError


def _number(word: Any) -> float:
    if (isinstance(word, str) and NUMBER.fullmatch(word)) or type(word) in (int, float):
        return float(word)
    raise NotPlainError


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise NotPlainError


def _within(number: float, least: float | None, most: float | None) -> bool:
    return (least is None or number >= least) and (most is None or number <= most)


READERS: dict[Any, Callable[[Any], Any]] = {bool: _flag, str: _text, int: _whole, float: _number}
