"""What the commands share: option types, and printing. sources.py reads inputs, placing.py names outputs, batches.py
works through many files.

`say` and `warn` print on stderr, `report` prints a result for people on stdout; all three are silent with --quiet.
`print_json` and `console` always print on stdout.

A command returns its exit code (None is 0) or raises `ArvaeError`, which `main` turns into a message. Exit codes: 0
everything was done; 1 some inputs failed, and the others are done; 2 usage error; 130 interrupted; 143 terminated.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from ...errors import UsageError
from ...system.files import plain
from . import completion

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


T = TypeVar("T")

RUNTIME = "numpy"


@dataclass
class State:
    """The global flags."""

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
        raise typer.BadParameter(f"{text!r} is not a length; write 1, 0.5 or 1/3") from None
    if length < 0:
        raise typer.BadParameter("a pickup cannot be negative")
    return length


# ------------------------------------------------------------------------------------ option types

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE", help="MIDI files, scores (ABC, MusicXML, kern), folders with -r, or globs; - is stdin."
    ),
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
    bool, typer.Option("--skip-existing", help="Skip outputs that exist.", rich_help_panel="Output")
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Report what would be done, and write nothing.", rich_help_panel="Output"),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.", rich_help_panel="Output")]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        metavar="N",
        help="Processes for many files.  [default: one per core]",
        rich_help_panel="How",
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", callback=_quieten, help="Print errors only.", rich_help_panel="Output"),
]
Seed = Annotated[int, typer.Option("--seed", min=0, metavar="N", help="The same seed gives the same result.")]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME|FILE",
        help="A model's name (arvae models list) or file.  [default: auto, which reconstructs the melody best]",
        autocompletion=completion.models,
    ),
]
Runtime = Annotated[
    str,
    typer.Option(
        "--runtime",
        metavar="numpy|torch",
        help="The library that computes the model. Results are the same; torch starts a second later.",
        autocompletion=completion.runtimes,
        rich_help_panel="How",
    ),
]
Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Search folders.", rich_help_panel="Input")]
Track = Annotated[
    str | None,
    typer.Option(
        "--track", "-t", metavar="N|NAME", help="The melody's track; arvae inspect lists them.", rich_help_panel="Input"
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

SLIDER_PANEL, HOLD, HOW = "Sliders", "What stays", "How"

Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=TARGET",
        help="Any attribute that the model knows (repeatable).",
        rich_help_panel=SLIDER_PANEL,
        autocompletion=completion.settable,
    ),
]
Keep = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="An attribute that must not change (repeatable, or a,b).",
        rich_help_panel=HOLD,
        autocompletion=completion.attributes,
    ),
]
Mode = Annotated[
    str,
    typer.Option(
        metavar="guided|latent",
        help="guided searches for the requested values; latent decodes once, as in the paper.",
        rich_help_panel=HOW,
        autocompletion=completion.modes,
    ),
]


def slider(panel: str, name: str, text: str) -> Any:
    """The option of an attribute, `--name TARGET`."""
    return typer.Option(f"--{name}", metavar="TARGET", help=text, rich_help_panel=panel)


def attributes_option(text: str) -> Any:
    """The option `--attribute NAME`, which may be repeated; `text` is its help."""
    return typer.Option("--attribute", "-a", metavar="NAME", help=text, autocompletion=completion.attributes)


def chosen(names: Sequence[str], targets: Sequence[str | None], pairs: Sequence[str] | None) -> dict[str, str]:
    """Name -> target: the given ones of `targets`, the options called `names`, and `pairs`, the NAME=TARGET of --set.

    Raises UsageError for a pair that is none, and for a name that is given twice.
    """
    found = {name: target for name, target in zip(names, targets, strict=True) if target is not None}
    for pair in pairs or []:
        name, _, target = pair.partition("=")
        if not name or not target:
            raise UsageError(f"--set {pair!r} is not NAME=TARGET", remedy="write --set density=+2notes")
        if name in found:
            raise UsageError(f"{name} is given twice", remedy="leave out one of the two")
        found[name] = target
    return found


def split_names(values: Sequence[str] | None) -> list[str]:
    """The names in the values of a repeatable option, each of which may be `a,b`."""
    return [part.strip() for value in values or [] for part in value.split(",") if part.strip()]


# ----------------------------------------------------------------------------------------- messages


@lru_cache(maxsize=2)
def console(*, stderr: bool = False) -> Console:
    """A rich console, made when first used. It is wide off a terminal, so that tables in pipes are not folded."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else 160
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def say(message: str) -> None:
    """Print a message on stderr, unless --quiet."""
    if not state.quiet:
        print(message, file=sys.stderr, flush=True)


def warn(message: str) -> None:
    say(f"arvae: warning: {message}")


def complain(message: str) -> None:
    """Print an error message on stderr, even with --quiet."""
    print(f"arvae: {message}", file=sys.stderr, flush=True)


def report(renderable: object) -> None:
    """Print a result for people, a string or a rich table, on stdout, unless --quiet."""
    if state.quiet:
        return
    if isinstance(renderable, str):
        print(renderable)
    else:
        console().print(renderable)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = False) -> Table:
    """A rich table. With `numbers` every column but the first is flush right, and the last is never folded."""
    from rich.table import Table

    found = Table(box=None, header_style="bold", pad_edge=False)
    for k, heading in enumerate(headings):
        last = k == len(headings) - 1
        found.add_column(heading, justify="right" if numbers and k else "left", no_wrap=numbers and last)
    for row in rows:
        found.add_row(*row)
    return found


def print_json(data: object) -> None:
    """Print `data`, which may hold dataclasses, paths, fractions and numpy values, on stdout. NaN becomes null."""
    text = json.dumps(plain(data), indent=2, ensure_ascii=False, allow_nan=False)
    # Put lists of plain values on one line. Line breaks inside strings are escaped, so every break here is layout.
    print(re.sub(r"\[\n[^\[\]{}]*\]", lambda found: re.sub(r"\n *", " ", found[0]).replace("[ ", "["), text))


def on_line(ctx: typer.Context, name: str, value: T) -> T | None:
    """The value of an option that was given on the command line; None for one from the settings, or a default."""
    source = ctx.get_parameter_source(name)
    return value if source is not None and source.name == "COMMANDLINE" else None
