"""What the sub-commands share: option types, inputs, output names, messages, and running a batch.

    Inputs       as typed; `expand_inputs` turns folders (with -r), globs and `-` into a list
    Outputs      `plan_outputs` names every output before any work starts and refuses what would go wrong
    Messages     `say` and `warn` go to stderr and are silent with --quiet; `report` is a result for people,
                 on stdout and silent with --quiet; `print_json` and `console` always print on stdout
    Batches      `run_batch` keeps going past inputs that fail, sums up, and returns the exit code

A command returns its exit code (None is 0) and raises `ArvaeError`; `main` turns that into a message. Exit
codes: 0 all done; 1 some inputs failed, the others are done; 2 a request, a configuration or a place to write
that cannot be used; 130 interrupted.

Output names. A template has the fields {stem} (of the input), {edit}, {seed}, {n} (from 1; {n:03} pads).
`-o` takes a template, a folder (one that exists, or `name/`: the default template goes in it), a file, or `-`
for stdout. Without -o, outputs lie beside their inputs, and an edit of stdin goes to stdout.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import glob
import hashlib
import json
import os
import re
import string
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast

import typer

from ..errors import ArvaeError, InputError, OutputError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from ..library import Model as TrainedModel
    from ..melody import Melody
    from ..midi import Song
    from ..targets import Target

T = TypeVar("T")
R = TypeVar("R")
Stream = Literal["-"]
Place = Path | Stream

MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
SCORE_SUFFIXES = (".abc", ".xml", ".musicxml", ".mxl", ".krn")
SUFFIXES = MIDI_SUFFIXES + SCORE_SUFFIXES
RUNTIME = "numpy"
TEMPLATE = "{stem}.{edit}.mid"
FIELDS = ("stem", "edit", "seed", "n")
LONGEST_EDIT = 80  # characters of {edit}; file systems stop at 255 bytes for the whole name
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


def plain(data: Any) -> Any:
    """What `json` writes as it is: see print_json."""
    if dataclasses.is_dataclass(data) and not isinstance(data, type):
        return {field.name: plain(getattr(data, field.name)) for field in dataclasses.fields(data)}
    if isinstance(data, dict):
        return {str(key): plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple, set, frozenset)):
        return [plain(value) for value in data]
    if hasattr(data, "tolist"):  # numpy arrays and scalars, without importing numpy
        return plain(data.tolist())
    if isinstance(data, float):
        return data if abs(data) < float("inf") else None
    if data is None or isinstance(data, (str, bool, int)):
        return data
    return float(data) if hasattr(data, "numerator") else str(data)


# ------------------------------------------------------------------------------------------- inputs


def expand_inputs(arguments: Sequence[str], *, recursive: bool = False) -> list[Place]:
    """Files in the order of the arguments (sorted within a folder or a glob), each once; `-` stays `-`.

    A name that exists is taken literally before it is tried as a glob. Raises UsageError with everything
    that's wrong at once: missing files, globs without a match, folders without -r or without music.
    """
    places: dict[object, Place] = {}
    problems: list[str] = []
    for argument in arguments:
        try:
            for place in _expand(argument, recursive):
                places.setdefault(place if place == "-" else Path(place).resolve(), place)
        except UsageError as error:
            problems.append(error.message)
    if problems:
        raise UsageError("\n  ".join(problems))
    if not places:
        raise UsageError("no input files", remedy="name a MIDI file, a folder with -r, or - for stdin")
    return list(places.values())


def _expand(argument: str, recursive: bool) -> list[Place]:
    if argument == "-":
        return ["-"]
    path = Path(argument).expanduser()
    if path.is_dir():
        return _inside(path, recursive)
    if path.exists():
        return [path]
    if not glob.has_magic(argument):
        raise UsageError("no such file", where=argument, remedy=_similar(path))
    found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))  # noqa: PTH207 -- absolute patterns too
    files: list[Place] = [match for match in found if match.is_file()]
    if recursive:
        files += [file for match in found if match.is_dir() for file in _inside(match, recursive)]
    if not files:
        raise UsageError("matches no file", where=argument, remedy="check the pattern and the folder")
    return files


def _inside(folder: Path, recursive: bool) -> list[Place]:
    if not recursive:
        raise UsageError("is a folder", where=str(folder), remedy="give -r to go into it")
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    ]
    if not files:
        raise UsageError("holds no MIDI file or score", where=str(folder), remedy=f"looked for {' '.join(SUFFIXES)}")
    return list(files)


def _similar(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"there is no folder {path.parent}"
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean {path.parent / close[0]}?" if close else "check the name and the working folder"


def read_song(
    place: Place,
    *,
    track: str | None = None,
    channel: int | None = None,
    pickup: Fraction | None = None,
) -> Song:
    """A MIDI file or a score as a song. Raises InputError."""
    from ..scores import read_any

    source: Path | bytes = sys.stdin.buffer.read() if place == "-" else Path(place)
    name = "stdin" if place == "-" else str(place)
    return read_any(source, name=name, track=track, channel=channel, pickup=pickup)


def load_model(name: str | None, melody: Melody | None = None, runtime: str = RUNTIME) -> TrainedModel:
    """The model that --model says, loaded once a process; of `auto`, the one that fits `melody` best.

    Raises CheckpointError, and UsageError for a --runtime that there is not.
    """
    from .. import library, settings

    if runtime != RUNTIME:
        settings.patient_threads()
    return library.load(name or library.AUTO, melody, runtime)


# ------------------------------------------------------------------------------------------ outputs


def slider(panel: str, name: str, text: str) -> Any:
    """An option of its own for an attribute."""
    return typer.Option(f"--{name}", metavar="TARGET", help=text, rich_help_panel=panel)


@dataclass(frozen=True)
class Request:
    """One output to be named: of which input, by which edit (`density+1.5`), with which seed; `n` counts."""

    source: Place
    edit: str = ""
    seed: int = 0
    n: int = 1

    @property
    def stem(self) -> str:
        return "stdin" if self.source == "-" else Path(self.source).stem


@dataclass(frozen=True)
class Planned:
    """Where a request's output goes: `skip` where it's there already and --skip-existing was given."""

    request: Request
    place: Place
    skip: bool = False
    overwrite: bool = False


def plan_outputs(
    requests: Sequence[Request],
    output: str | None = None,
    *,
    overwrite: bool = False,
    skip_existing: bool = False,
    template: str = TEMPLATE,
) -> list[Planned]:
    """Where every output goes, in the order of `requests`. Nothing is written.

    Raises UsageError for a template that doesn't parse, for two requests with one output and for an output
    that is another request's input; OutputError for one that exists, without --overwrite or --skip-existing.
    """
    if overwrite and skip_existing:
        raise UsageError("--overwrite and --skip-existing exclude each other")
    places = [_place(request, output, template) for request in requests]
    _refuse_shared(requests, places)
    _refuse_inputs(requests, places, overwrite)
    exists = [place != "-" and Path(place).exists() for place in places]
    taken = [str(place) for place, there in zip(places, exists, strict=True) if there]
    folders = [name for name in taken if Path(name).is_dir()]
    if folders:
        raise OutputError("is a folder", where=folders[0], remedy="name a file")
    if taken and not (overwrite or skip_existing):
        raise OutputError(
            "exists already" if len(taken) == 1 else f"and {len(taken) - 1} more outputs exist already",
            where=taken[0],
            remedy="give --overwrite, --skip-existing, or another place with -o",
        )
    return [
        Planned(request, place, there and skip_existing, overwrite)
        for request, place, there in zip(requests, places, exists, strict=True)
    ]


def _place(request: Request, output: str | None, template: str) -> Place:
    if output == "-" or (output is None and request.source == "-"):
        return "-"
    beside = Path() if request.source == "-" else Path(request.source).parent
    if output is None:
        return beside / fill(template, request)
    if output.endswith(("/", os.sep)) or Path(output).expanduser().is_dir():
        return Path(output).expanduser() / fill(template, request)
    place = Path(fill(output, request)).expanduser()
    if not place.suffix:
        raise UsageError(
            f"output {output!r} has no suffix",
            remedy=f"say {output}/ for a folder or {output}.mid for a file",
        )
    return place


def fill(template: str, request: Request) -> str:
    """The template with the request's values. Raises UsageError for a field that doesn't exist."""
    values = {"stem": request.stem, "edit": safe_name(request.edit), "seed": request.seed, "n": request.n}
    try:
        for _, field, _, _ in string.Formatter().parse(template):
            if field is not None and field not in FIELDS:
                close = difflib.get_close_matches(field, FIELDS, n=1)
                known = "there are " + " ".join(f"{{{name}}}" for name in FIELDS)
                remedy = f"did you mean {{{close[0]}}}?" if close else known
                raise UsageError(f"output template has no field {{{field}}}", remedy=remedy)
        return template.format_map(values)
    except ValueError as error:
        raise UsageError(f"output template {template!r} does not parse ({error})") from error


def label(targets: Mapping[str, Target]) -> str:
    """`density+1.5`: what stands in output names for an edit."""
    return "_".join(f"{name}{target}" for name, target in targets.items())


def safe_name(text: str) -> str:
    """`text` as part of a file name on any system: unsafe characters become `-`, long text is cut short."""
    name = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*\s]+', "-", text).strip("-. ") or "edit"
    if len(name) > LONGEST_EDIT:
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        name = f"{name[: LONGEST_EDIT - 9].rstrip('-. ')}-{digest}"
    return name


def _refuse_shared(requests: Sequence[Request], places: Sequence[Place]) -> None:
    first: dict[object, Request] = {}
    for request, place in zip(requests, places, strict=True):
        key = "-" if place == "-" else os.path.normcase(Path(place).resolve())
        other = first.setdefault(key, request)
        if other is request:
            continue
        same = other.source == request.source
        pair = f"two results of {request.source}" if same else f"{other.source} and {request.source}"
        missing = "{n}" if same else "{stem}"
        raise UsageError(
            f"{pair} would both be written to {'stdout' if place == '-' else place}",
            remedy=f"give -o a folder/ or a template with {missing}; {{n}} always differs",
        )


def _refuse_inputs(requests: Sequence[Request], places: Sequence[Place], overwrite: bool) -> None:
    """Over its own input with --overwrite; never over another's, which may not have been read yet."""
    inputs = {Path(r.source).resolve(): r for r in requests if r.source != "-"}
    for request, place in zip(requests, places, strict=True):
        victim = None if place == "-" else inputs.get(Path(place).resolve())
        if victim is None:
            continue
        if victim.source != request.source:
            raise UsageError(
                f"the result of {request.source} would replace {place}, which is an input too",
                remedy="write it elsewhere with -o",
            )
        if not overwrite:
            raise UsageError(
                "is the input itself", where=str(place), remedy="give --overwrite, or another place with -o"
            )


def write_output(planned: Planned, data: bytes) -> None:
    """The result, whole or not at all; over an existing file only where the plan allowed that."""
    if planned.place == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    from ..files import write_whole

    write_whole(Path(planned.place), data, overwrite=planned.overwrite)


# ------------------------------------------------------------------------------------------ batches


def run_batch(
    items: Sequence[T],
    work: Callable[[T], R | bool | None],
    *,
    name: Callable[[T], str] = str,
    then: Callable[[R], None] | None = None,
    jobs: int = 1,
) -> int:
    """`work` on every item, then `then` on what it gave, in the items' order; the exit code.

    `work` returns False for an item it skipped on purpose: that goes no further. With more than one job it runs in
    other processes (`parallel`), `then` always here. A single item's error is raised. Of several, an item whose
    input or output fails is reported and the rest goes on; what is wrong with the request or the model would
    fail for all, and is raised.
    """
    if not items:
        raise UsageError("nothing to do", remedy="name at least one input")
    if len(items) == 1:
        value = work(items[0])
        if value is False:
            say(f"{name(items[0])}: skipped")
        elif then is not None:
            then(cast("R", value))
        return 0
    from .parallel import outcomes

    done, skipped, failed = 0, 0, list[str]()
    with contextlib.closing(outcomes(items, work, jobs)) as results:
        for item, outcome in zip(items, track(results, "arvae", len(items)), strict=True):
            if outcome.problem is not None:
                failed.append(name(item))
                complain(_told(outcome.problem, outcome.trace, name(item)))
                continue
            skipped += outcome.value is False
            done += outcome.value is not False
            if then is not None and outcome.value is not False:
                then(cast("R", outcome.value))
    _sum_up(done, skipped, failed)
    return 1 if failed else 0


def on_line(ctx: typer.Context, name: str, value: T) -> T | None:
    """The value of an option that was given on the command line; None for one from the settings, or a default."""
    source = ctx.get_parameter_source(name)
    return value if source is not None and source.name == "COMMANDLINE" else None


@dataclass(frozen=True)
class Told:
    """What is told of one input's result."""

    lines: list[str]
    data: dict[str, Any]  # for --json
    on_stdout: bool  # the file went there, and so the lines don't


def run_told(
    plans: Sequence[Planned], work: Callable[[Planned], Told | Literal[False]], jobs: int | None, *, json: bool
) -> int:
    """`run_batch` of what tells of each output, as lines or, all together, as JSON; the exit code."""
    from .parallel import workers

    done: list[dict[str, Any]] = []

    def then(result: Told) -> None:
        if json:
            done.append(result.data)
            return
        tell = say if result.on_stdout else report
        tell("\n".join([*([""] if len(plans) > 1 else []), *result.lines]))

    in_line = any("-" in (plan.place, plan.request.source) for plan in plans)  # this process has the streams
    count = 1 if in_line else workers(jobs, len(plans))
    code = run_batch(plans, work, name=lambda plan: str(plan.request.source), then=then, jobs=count)
    if json:
        print_json(done)
    return code


def _told(problem: Exception, trace: str, name: str) -> str:
    """What to say of an item that failed. Raises what would fail for the others too."""
    if isinstance(problem, (InputError, OutputError)):
        return problem.message if problem.where else f"{name}: {problem.message}"
    if isinstance(problem, ArvaeError):
        raise problem
    if state.debug:  # one strange file must not end a night's work
        print(trace, file=sys.stderr, end="")
    return f"{name}: a bug in arvae: {type(problem).__name__}: {problem}; --debug shows where"


def _sum_up(done: int, skipped: int, failed: Sequence[str]) -> None:
    counts = [
        f"{done} done",
        f"{skipped} skipped" if skipped else "",
        f"{len(failed)} failed" if failed else "",
    ]
    line = ", ".join(filter(None, counts))
    if not failed:
        say(line)
        return
    rest = f" and {len(failed) - NAMES_SHOWN} more" if len(failed) > NAMES_SHOWN else ""
    complain(f"{line}: {', '.join(failed[:NAMES_SHOWN])}{rest}")


def track(items: Sequence[T] | Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """The items, with a progress bar on stderr where that is a terminal and --quiet isn't given."""
    if state.quiet or not sys.stderr.isatty():
        yield from items
        return
    from rich.progress import track as rich_track

    yield from rich_track(items, description=label, total=total, console=console(stderr=True), transient=True)
