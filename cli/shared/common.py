"""What the sub-commands share: option types and messages. sources.py has their inputs, placing.py where outputs go,
batches.py how many are worked through.

`say` and `warn` go to stderr and are silent with --quiet; `report` is a result for people, on stdout and silent with
--quiet; `print_json` and `console` always print on stdout.

A command returns its exit code (None is 0) and raises `ArvaeError`; `main` turns that into a message. Exit
codes: 0 all done; 1 some inputs failed, the others are done; 2 a request, a configuration or a place to write
that cannot be used; 130 interrupted.
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from ...system.files import plain

if TYPE_CHECKING:
    from rich.console import Console


T = TypeVar("T")
R = TypeVar("R")

RUNTIME = "numpy"
NAMES_SHOWN = 5  # in a message that lists files


@dataclass
class State:
    """What the global flags say, for the few functions here that print."""

    quiet: bool = False
    debug: bool = False


state = State()


def _quieten(value: bool) -> bool:
    state.quiet = state.quiet or value
    return value


def _quarters(text: str) -> Fraction:
    try:
        length = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise typer.BadParameter(f"{text!r} is no length; say 1, 0.5 or 1/3") from None
    if length < 0:
        raise typer.BadParameter("a pickup is 0 or longer")
    return length


# ------------------------------------------------------------------------------------ option types

Inputs = Annotated[
    list[str],
    typer.Argument(metavar="FILE", help="MIDI files or scores, folders with -r, globs; - is stdin."),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="PLACE",
        help="A file, a folder/, a template with {stem} {edit} {seed} {n}, or - for stdout.",
        rich_help_panel="Output",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.", rich_help_panel="Output")]
SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Leave files that exist and go on.", rich_help_panel="Output")
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Say what would be done; write nothing.", rich_help_panel="Output"),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.", rich_help_panel="Output")]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        metavar="N",
        help="Processes for many files.  [default: one a core]",
        rich_help_panel="How",
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", callback=_quieten, help="Print errors only.", rich_help_panel="Output"),
]
Seed = Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Same seed, same result.")]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME|FILE",
        help="A model by name (arvae models list) or its file.  [default: auto, the one that knows the melody best]",
    ),
]
Runtime = Annotated[
    str,
    typer.Option(
        "--runtime",
        metavar="numpy|torch",
        help="What computes the model: torch takes a second longer to start and gives the same.",
        rich_help_panel="How",
    ),
]
Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Go into folders.", rich_help_panel="Input")]
Track = Annotated[
    str | None,
    typer.Option(
        "--track", "-t", metavar="N|NAME", help="The melody's track (arvae inspect).", rich_help_panel="Input"
    ),
]
Channel = Annotated[
    int | None,
    typer.Option("--channel", min=1, max=16, metavar="N", help="The melody's MIDI channel.", rich_help_panel="Input"),
]
Pickup = Annotated[
    Fraction | None,
    typer.Option(
        "--pickup",
        parser=_quarters,
        metavar="QUARTERS",
        help="Length of the incomplete measure at the start, in quarter notes: 1, 0.5, 1/3; 0 is none.",
        rich_help_panel="Input",
    ),
]

# ----------------------------------------------------------------------------------------- messages


@lru_cache(maxsize=2)
def console(*, stderr: bool = False) -> Console:
    """A rich console, made when first used. Off a terminal it is wide, so that pipes get unfolded tables."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else 160
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def say(message: str) -> None:
    """A message on stderr, unless --quiet."""
    if not state.quiet:
        print(message, file=sys.stderr, flush=True)


def warn(message: str) -> None:
    say(f"arvae: warning: {message}")


def complain(message: str) -> None:
    """An error message on stderr, --quiet or not."""
    print(f"arvae: {message}", file=sys.stderr, flush=True)


def report(renderable: object) -> None:
    """A result for people (a string, or a rich table) on stdout, unless --quiet."""
    if state.quiet:
        return
    if isinstance(renderable, str):
        print(renderable)
    else:
        console().print(renderable)


def print_json(data: object) -> None:
    """`data` on stdout. Dataclasses, paths, fractions and numpy values are understood; NaN becomes null."""
    text = json.dumps(plain(data), indent=2, ensure_ascii=False, allow_nan=False)
    # Lists of plain values on one line. Line breaks inside strings are escaped, so these are all layout.
    print(re.sub(r"\[\n[^\[\]{}]*\]", lambda found: re.sub(r"\n *", " ", found[0]).replace("[ ", "["), text))


def slider(panel: str, name: str, text: str) -> Any:
    """An option of its own for an attribute."""
    return typer.Option(f"--{name}", metavar="TARGET", help=text, rich_help_panel=panel)


def on_line(ctx: typer.Context, name: str, value: T) -> T | None:
    """The value of an option that was given on the command line; None for one from the settings, or a default."""
    source = ctx.get_parameter_source(name)
    return value if source is not None and source.name == "COMMANDLINE" else None
