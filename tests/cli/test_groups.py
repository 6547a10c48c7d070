"""Groups of options, as typer sees them."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import signature
from typing import Annotated

import typer
from typer.testing import CliRunner

from arvae_music.cli.shared.groups import flat

Size = Annotated[int, typer.Option(min=1, help="How large.")]


@dataclass(frozen=True)
class Box:
    size: Size = 2
    name: Annotated[str | None, typer.Option("--name", "-n")] = None


@dataclass(frozen=True)
class Lid(Box):
    size: Size = 3


def pack(words: list[str], *, box: Box, loud: bool = False) -> None:
    """Pack words."""
    print(words, box, loud)


def close(*, lid: Lid) -> None:
    print(lid)


def said(command: object, *words: str) -> str:
    app = typer.Typer()
    app.command()(flat(command))
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return done.output.strip()


def test_the_fields_of_a_group_are_options() -> None:
    assert said(pack, "a", "b", "--size", "4", "-n", "x", "--loud") == "['a', 'b'] Box(size=4, name='x') True"
    assert said(pack, "a") == "['a'] Box(size=2, name=None) False"


def test_a_group_may_change_a_default_of_another() -> None:
    assert said(close) == "Lid(size=3, name=None)"


def test_options_stand_in_the_place_of_their_group() -> None:
    run = flat(pack)
    assert list(signature(run).parameters) == ["words", "size", "name", "loud"]
    assert (run.__name__, run.__doc__) == ("pack", "Pack words.")


def test_a_command_without_groups_stays_as_it_is() -> None:
    run = flat(pack)
    assert flat(run) is run
