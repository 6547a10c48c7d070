"""Option types and printing, which all commands share.

sliders.py has the options about attributes, groups.py lets a command take several options as one dataclass, sources.py
loads models, placing.py is about outputs, and batches.py works through many files.

`say` and `warn` print on stderr, `report` prints a result for people on stdout; all three are silent with --quiet.
`print_json` and `console` always print on stdout.

A command returns its exit code (None is 0) or raises `ArvaeError`, which `main` turns into a message. Exit codes: 0
everything was done; 1 some inputs failed, and the others are done; 2 usage error; 130 interrupted; 143 terminated.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from ...system.files import json_text
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

STAYS, HOW = "What stays", "How"

in_input = partial(typer.Option, rich_help_panel="Input")
in_output = partial(typer.Option, rich_help_panel="Output")
in_how = partial(typer.Option, rich_help_panel=HOW)
in_stays = partial(typer.Option, rich_help_panel=STAYS)

FILES = "MIDI files, scores (ABC, MusicXML, kern), folders with -r, or globs; - is stdin."
SINGLE_FILES = "MIDI files, scores (ABC, MusicXML, kern), or globs; - is stdin."
PLACE = "A file, a folder/, a name with {stem} {edit} {seed} {n} to fill in, or - for stdout."
MODEL = "A model's name (arvae models list), its file, or hf://owner/name.  [default: all]"
RUNS = "Library that runs the model: numpy, or PyTorch (slower to start, same result)."
PICKUP = "Length of the incomplete measure at the start, in quarter notes: 1, 0.5, 1/3; 0 is none."
UNFOLDS = "Play the repeats, D.C. and D.S. of a score; without it, measures are those on the page."
FORMAT = "Format of the new files."
LISTEN = "Write one HTML page that shows and plays the result, all tracks before and after, offline."
MODES = "guided searches for the requested values; latent decodes once, as in the paper."

Inputs = Annotated[list[str], typer.Argument(metavar="FILE", help=FILES)]
SingleInputs = Annotated[list[str], typer.Argument(metavar="FILE", help=SINGLE_FILES)]
Output = Annotated[str | None, in_output("--output", "-o", metavar="PLACE", help=PLACE)]
Overwrite = Annotated[bool, in_output("--overwrite", help="Replace existing files.")]
SkipExisting = Annotated[bool, in_output("--skip-existing", help="Skip outputs that exist already.")]
DryRun = Annotated[bool, in_output("--dry-run", help="Report the result, and write nothing.")]
Listen = Annotated[str | None, in_output("--listen", metavar="PAGE.html", help=LISTEN)]
Json = Annotated[bool, in_output("--json", help="Print the result as JSON.")]
Format = Annotated[
    str, in_output("--format", metavar="mid|musicxml|mxl|abc", help=FORMAT, autocompletion=completion.formats)
]
Jobs = Annotated[
    int | None,
    in_how("--jobs", "-j", min=1, metavar="N", help="Processes for many files.  [default: one per core]"),
]
Quiet = Annotated[bool, in_output("--quiet", "-q", callback=_quieten, help="Print errors only.")]
Seed = Annotated[int, typer.Option("--seed", min=0, metavar="N", help="The same seed gives the same result.")]
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="NAME|FILE", help=MODEL, autocompletion=completion.models),
]
Runtime = Annotated[
    str, in_how("--runtime", metavar="numpy|torch", help=RUNS, autocompletion=completion.runtimes)
]
Recursive = Annotated[bool, in_input("--recursive", "-r", help="Search folders.")]
Track = Annotated[
    str | None, in_input("--track", "-t", metavar="N|NAME", help="The melody's track; arvae inspect lists them.")
]
Channel = Annotated[
    int | None, in_input("--channel", min=1, max=16, metavar="N", help="The melody's MIDI channel.")
]
Line = Annotated[
    str,
    in_input(
        "--voice", metavar="top|bottom|N",
        help="The voice to edit where the track plays several notes at once; 1 is the highest.",
    ),
]  # fmt: skip
Pickup = Annotated[Fraction | None, in_input("--pickup", parser=_quarters, metavar="QUARTERS", help=PICKUP)]
Unfold = Annotated[bool, in_input("--unfold", help=UNFOLDS)]
Tune = Annotated[int | None, in_input("--tune", min=1, metavar="N", help="Which tune of an ABC file with several.")]
Keep = Annotated[
    list[str] | None,
    in_stays(
        metavar="NAME", help="An attribute that must not change (repeatable, or a,b).",
        autocompletion=completion.attributes,
    ),
]  # fmt: skip
Part = Annotated[str, typer.Option("--part", metavar="valid|test", help="Evaluate on validation or test tunes.")]
Quick = Annotated[bool, typer.Option("--quick", help="Evaluate in half the time, with rougher figures.")]
Mode = Annotated[str, in_how(metavar="guided|latent", help=MODES, autocompletion=completion.modes)]


@dataclass(frozen=True)
class Voice:
    """Which notes of a file are the melody."""

    track: Track = None
    channel: Channel = None
    voice: Line = "top"
    pickup: Pickup = None
    unfold: Unfold = False
    tune: Tune = None


@dataclass(frozen=True)
class Writing:
    """Where a command writes its files, and what it prints."""

    output: Output = None
    overwrite: Overwrite = False
    skip_existing: SkipExisting = False
    dry_run: DryRun = False
    json: Json = False
    quiet: Quiet = False

    @property
    def existing(self) -> dict[str, Any]:
        """What to do with outputs that exist, as arguments of the library's functions."""
        return {"overwrite": self.overwrite, "skip_existing": self.skip_existing}


def attributes_option(text: str) -> Any:
    """The option `--attribute NAME`, which may be repeated; `text` is its help."""
    return typer.Option("--attribute", "-a", metavar="NAME", help=text, autocompletion=completion.attributes)


def corpus_option(text: str) -> Any:
    """The option `--corpus NAME`; `text` is its help."""
    return typer.Option("--corpus", "-c", metavar="NAME", help=text, autocompletion=completion.corpora)


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


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = False, title: str | None = None
) -> Table:
    """A rich table. With `numbers` every column but the first is flush right, and none is folded."""
    from rich.table import Table

    found = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="bold")
    for k, heading in enumerate(headings):
        found.add_column(heading, justify="right" if numbers and k else "left", no_wrap=numbers)
    for row in rows:
        found.add_row(*row)
    return found


def listing(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, right: int = 0, title: str | None = None
) -> Table:
    """A rich table whose text may be folded. The first `right` columns are flush right."""
    from rich.table import Table

    found = Table(title=title, box=None)
    for k, heading in enumerate(headings):
        found.add_column(heading, justify="right" if k < right else "left")
    for row in rows:
        found.add_row(*row)
    return found


def print_json(data: object) -> None:
    """Print `data`, which may be anything that `system.files.plain` knows, on stdout."""
    print(json_text(data))


def on_line(ctx: typer.Context, name: str, value: T) -> T | None:
    """The value of an option that was given on the command line; None for one from the settings, or a default."""
    source = ctx.get_parameter_source(name)
    return value if source is not None and source.name == "COMMANDLINE" else None
