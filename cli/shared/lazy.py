"""The root of the command line as typer sees it: sub-commands that are imported when they run.

Help is plain text in sections (an option's `rich_help_panel` names its section), the same on every terminal
and in a pipe, and needs no rich. What the settings say becomes the options' defaults (typer's `default_map`),
so that a command's --help shows the values that it would use.
"""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Protocol

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup
from typer.main import get_command, get_group

from ...errors import UsageError
from ...system import settings
from . import common
from .words import quicken

HELP = ("-h", "--help")
COMMANDS_PACKAGE = __package__.rpartition(".")[0]  # arvae_music.cli: one module a command
UNCONFIGURED = ("config", "doctor")  # they run, and tell what's wrong, when the settings can't be read


class Entry(Protocol):
    """A command in the table of `main`."""

    @property
    def target(self) -> str: ...  # .module:attribute

    @property
    def help(self) -> str: ...


class PlainCommand(TyperCommand):
    """A command whose --help has its options in sections, without types where a metavar says more."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for parameter in self.params:
            quicken(parameter)

    def get_help_option(self, ctx: Any) -> Any:
        return quicken(super().get_help_option(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            usual = "Arguments" if isinstance(parameter, TyperArgument) else "Options"
            name = record[0] if parameter.metavar is None else re.sub(r" <[^>]*>$", "", record[0])
            title = getattr(parameter, "rich_help_panel", None) or usual
            sections.setdefault(title, []).append((name, record[1]))
        sections["Options"] = sections.pop("Options", [])  # the general ones come last
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class PlainGroup(TyperGroup):
    """Commands below a command."""

    def get_help_option(self, ctx: Any) -> Any:
        return quicken(super().get_help_option(ctx))


class LazyGroup(TyperGroup):
    """Finds commands in `table`; `listing` gives stand-ins with a name and a help line only."""

    table: Mapping[str, Entry]
    help_text: str  # of `arvae --help`
    listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.table:
            return None
        entry = self.table[cmd_name]
        if self.listing:
            return TyperCommand(cmd_name, help=entry.help)
        return load(cmd_name, entry)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        self.listing = True
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self.listing = False

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(self.help_text + "\n")

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        name = args[0]
        if name not in self.table and not name.startswith("-"):
            close = difflib.get_close_matches(name, self.table, n=1)
            remedy = f"did you mean {close[0]}?" if close else f"there are {', '.join(self.table)}"
            raise UsageError(f"no command {name!r}", remedy=remedy)
        found = super().resolve_command(ctx, args)
        if not ctx.resilient_parsing:
            ctx.default_map = {name: defaults(name, found[1], found[2])}
        return found


def load(name: str, entry: Entry) -> Any:
    """Import a command. A function is one command, a Typer a group of them."""
    module, _, attribute = entry.target.partition(":")
    found = getattr(importlib.import_module(module, COMMANDS_PACKAGE), attribute)
    if isinstance(found, typer.Typer):
        found.rich_markup_mode = None
        found.info.cls = PlainGroup
        for info in found.registered_commands:
            info.cls = PlainCommand if info.cls in (None, TyperCommand) else info.cls
        command: Any = get_group(found)
        command.name = name
        return command
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name, cls=PlainCommand)(found)
    return get_command(app)


def defaults(name: str, command: Any, rest: list[str]) -> dict[str, Any]:
    """The settings that concern a command, for itself and for the commands below it."""
    try:
        values: dict[str, Any] = dict(settings.load().defaults_of(name))
    except UsageError:
        if name in UNCONFIGURED or any(word in HELP for word in rest):
            return {}
        raise
    common.state.quiet = common.state.quiet or bool(values.get("quiet"))
    below = dict.fromkeys(getattr(command, "commands", {}), values)
    return {**values, **below}


def root(table: Mapping[str, Entry], help_text: str, *, completion: bool) -> Any:
    """The root group. `--debug` is taken off the line before it gets here (`main`).

    typer imports pydantic (a tenth of a second) for every option but a boolean with a default (see words.py). So that
    --help does without, `completion` adds what completes and installs itself only where that's asked for, and --help
    is our own.
    """
    app = typer.Typer(
        cls=LazyGroup,
        rich_markup_mode=None,
        add_completion=completion,
        add_help_option=False,
        context_settings={"help_option_names": list(HELP)},
    )
    app.callback()(_global_options)
    group: Any = get_command(app)
    group.table, group.help_text = table, help_text
    return group


def _version(value: bool) -> None:
    if value:
        from ...version import __version__

        print(f"arvae {__version__}")
        raise typer.Exit


def _help(ctx: typer.Context, value: bool) -> None:
    if value:
        print(ctx.get_help())
        raise typer.Exit


def _global_options(
    quiet: common.Quiet = False,
    help_: Annotated[bool, typer.Option("--help", "-h", callback=_help, is_eager=True)] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """What stands before the command."""
