"""The root of the command line as typer sees it: sub-commands that are imported when they run.

Help is text in sections (an option's `rich_help_panel` names its section), with colour on a terminal, and needs no
rich. A command's module may have EXAMPLES, pairs of a command line and what it does, or such pairs by sub-command.
The settings become the options' defaults (typer's `default_map`), so that --help shows the values that would be used.
"""

from __future__ import annotations

import importlib
import itertools
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup
from typer.main import get_command, get_group

from ...errors import UsageError, nearest_or
from ...system import settings
from . import common
from .groups import flat
from .words import quicken

if TYPE_CHECKING:
    from ..commands import Entry

HELP = ("-h", "--help")
COMMANDS_PACKAGE = __package__.rpartition(".")[0]  # arvae_music.cli: one module a command
UNCONFIGURED = ("config", "doctor")  # they run without readable settings, and report what is wrong with them
PICTURE = ".png"
HEADING, NAME, PLAIN = "\x1b[1m", "\x1b[36m", "\x1b[0m"  # bold, cyan, reset


def colour(text: str, code: str) -> str:
    """`text` in colour if stdout is a terminal that shows colours and the user has not set NO_COLOR."""
    plain = not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return text if plain else f"{code}{text}{PLAIN}"


class PlainCommand(TyperCommand):
    """A command whose --help lists the options in sections. If an option has a metavar, its type is left out."""

    examples: Sequence[tuple[str, str]] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for parameter in self.params:
            quicken(parameter)

    def get_help_option(self, ctx: Any) -> Any:
        return quicken(super().get_help_option(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return list(super().parse_args(ctx, with_address(args)))

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        super().format_help_text(ctx, formatter)
        if self.examples:
            with formatter.section(colour("Examples", HEADING)):
                for line, meaning in self.examples:
                    formatter.write(f"  {colour(line, NAME)}\n      {meaning}\n")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            usual = "Arguments" if isinstance(parameter, TyperArgument) else "Options"
            name = record[0] if parameter.metavar is None else re.sub(r" <[^>]*>$", "", record[0])
            title = getattr(parameter, "rich_help_panel", None) or usual
            sections.setdefault(title, []).append((colour(name, NAME), record[1]))
        sections["Options"] = sections.pop("Options", [])  # the general ones come last
        for title, records in sections.items():
            if records:
                with formatter.section(colour(title, HEADING)):
                    formatter.write_dl(records)


class PlainGroup(TyperGroup):
    """Commands below a command."""

    def get_help_option(self, ctx: Any) -> Any:
        return quicken(super().get_help_option(ctx))


class LazyGroup(TyperGroup):
    """Finds commands in `table`. During shell completion (`listing`), it does not import them, and returns commands
    that have only a name and a help line."""

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
        typed, args = args[0], with_image_command(args)
        name = args[0]
        if name not in self.table and not name.startswith("-"):
            remedy = nearest_or(name, self.table, f"the commands are {', '.join(self.table)}")
            raise UsageError(f"no command {name!r}", remedy=remedy)
        found = super().resolve_command(ctx, args)
        if not ctx.resilient_parsing:
            ctx.default_map = {name: defaults(name, found[1], found[2])}
            if name != typed and not {"-q", "--quiet"} & set(args):
                common.say(f"image sliders live in `arvae image {typed}`, which runs now")
        return found


def with_address(args: list[str]) -> list[str]:
    """The words of a command. `--ray` at the end, or before another option, gets the address that it stands for."""
    return [
        f"{word}=auto" if word == "--ray" and (after is None or after.startswith("-")) else word
        for word, after in zip(args, [*args[1:], None], strict=False)
    ]


def with_image_command(args: list[str]) -> list[str]:
    """The words of a command line. `image` is added before commands about images, which formerly had no such group."""
    pictures = any(
        word.lower().endswith(PICTURE) and before not in ("-o", "--output")
        for before, word in itertools.pairwise(args)
        if not word.startswith("-")
    )
    return ["image", *args] if args[0] == "traverse" or (args[0] in ("edit", "interpolate") and pictures) else args


def load(name: str, entry: Entry) -> Any:
    """Import a command. A function is a single command, and a Typer object is a group of commands."""
    module_name, _, attribute = entry.target.partition(":")
    module = importlib.import_module(module_name, COMMANDS_PACKAGE)
    found, examples = getattr(module, attribute), getattr(module, "EXAMPLES", ())
    if isinstance(found, typer.Typer):
        found.rich_markup_mode = None
        found.info.cls = PlainGroup
        for info in found.registered_commands:
            info.callback = info.callback and flat(info.callback)
            info.cls = PlainCommand if info.cls in (None, TyperCommand) else info.cls
        command: Any = get_group(found)
        command.name = name
        for below, of_it in dict(examples).items():
            command.commands[below].examples = of_it
        return command
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name, cls=PlainCommand)(flat(found))
    command = get_command(app)
    command.examples = examples
    return command


def defaults(name: str, command: Any, rest: list[str]) -> dict[str, Any]:
    """The settings for a command and its sub-commands."""
    try:
        values: dict[str, Any] = dict(settings.load().defaults_of(name))
    except (UsageError, ImportError):  # platformdirs is missing: `arvae doctor` reports it
        if name in UNCONFIGURED or any(word in HELP for word in rest):
            return {}
        raise
    common.state.quiet = common.state.quiet or bool(values.get("quiet"))
    below = dict.fromkeys(getattr(command, "commands", {}), values)
    return {**values, **below}


def root(table: Mapping[str, Entry], help_text: str, *, completion: bool) -> Any:
    """The root group. `main` removes `--debug` from the command line before.

    typer imports pydantic (a tenth of a second) for every option but a boolean with a default (see words.py). Therefore
    typer's own completion options are added only with `completion`, and --help is an option of our own.
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
    """The options before the command."""
