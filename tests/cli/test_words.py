"""Plain words mean what typer makes of them, and the others are left to it: every option of every command is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from arvae_music.cli.main import COMMANDS
from arvae_music.cli.shared.lazy import load
from arvae_music.cli.shared.words import NotPlainError, plain

WORDS = (
    "", "a", "+1.5", "1", "01", "-3", "0", "16", "17", "+2", " 4", "1_000", "1.0", "1e3", "1e999", ".5", "5.", "nan",
    "inf", "true", "1/3", "=8notes", "x.html", "٣", "１",
)  # fmt: skip
VALUES = (None, True, False, 2, -1, 0.5, 3.0, ["a", "b"], ("1",), ())  # defaults, and what settings hold


def parameters(command: Any) -> Iterator[Any]:
    yield from command.params
    for below in getattr(command, "commands", {}).values():
        yield from parameters(below)


def of_typer(parameter: Any, value: Any) -> Any:
    """As typer reads it, pydantic and all."""
    return parameter.get_runtime_param().coerce(value, param=parameter, ctx=None)


@pytest.mark.parametrize("name", COMMANDS)
def test_plain_words_are_read_as_typer_reads_them(name: str) -> None:
    read = 0
    for parameter in parameters(load(name, COMMANDS[name])):
        for value in (*WORDS, *([word, "b"] for word in WORDS), *VALUES):
            try:
                found = plain(parameter, value)
            except NotPlainError:
                continue
            except Exception:  # the option's own parser refuses it: so does typer
                with pytest.raises(Exception, match=r"."):
                    of_typer(parameter, value)
                continue
            expected = of_typer(parameter, value)
            assert (type(found), found) == (type(expected), expected), (parameter.name, value)
            read += 1
    assert read > 2


def test_what_is_out_of_bounds_or_missing_is_left_to_typer() -> None:
    options = {parameter.name: parameter for parameter in parameters(load("edit", COMMANDS["edit"]))}
    for name, value in (("proposals", "-1"), ("channel", "17"), ("seed", "x"), ("strength", "nan"), ("files", ())):
        with pytest.raises(NotPlainError):
            plain(options[name], value)
