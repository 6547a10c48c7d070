"""Plan the output files of a batch: `plan_outputs` names them before any work starts, and refuses clashing names.

    plans = plan_outputs([Request(Path("a.mid"), "density+2notes")], "denser/")
    plans[0].place                               Path("denser/a.density+2notes.mid")

A template has the fields {stem} (of the input), {edit}, {seed}, {n} (from 1; {n:03} pads). `output` is a template, a
folder (an existing one, or `name/`, in which the default template is used), a file, or `-` for stdout. Without it,
outputs are written next to their inputs, and an edit of stdin goes to stdout. An output whose name arvae chooses keeps
the suffix of a .kar or .rmi file.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import os
import re
import string
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import OutputError, UsageError
from . import storage
from .inputs import MIDI_SUFFIXES
from .storage import Place

MIDI = ".mid"
KEPT_SUFFIXES = (".kar", ".rmi")  # karaoke, and MIDI data in a RIFF file
SCORE_SUFFIXES = (".musicxml", ".xml", ".mxl", ".abc")  # the scores that can be written
SOUND_SUFFIX = ".wav"
FORMATS = ("mid", "musicxml", "mxl", "abc")  # of new files; the suffixes without their dots
TEMPLATE = f"{{stem}}.{{edit}}{MIDI}"
FIELDS = ("stem", "edit", "seed", "n")
LONGEST_EDIT = 80  # characters of {edit}; file systems stop at 255 bytes for the whole name


@dataclass(frozen=True)
class Request:
    """An output that needs a name: its input, its edit (`density+1.5`), its seed and its number `n`. `below` is its
    sub-folder in an output folder."""

    source: Place
    edit: str = ""
    seed: int = 0
    n: int = 1
    below: Path = Path()
    data: bytes | None = None  # of the input, if they are known already

    @property
    def suffix(self) -> str:
        """The suffix of a MIDI output: that of an input that needs its own (.kar, .rmi), otherwise .mid."""
        suffix = "" if self.source == "-" else Path(self.source).suffix.lower()
        return suffix if suffix in KEPT_SUFFIXES else MIDI

    @property
    def stem(self) -> str:
        return "stdin" if self.source == "-" else Path(self.source).stem


@dataclass(frozen=True)
class Planned:
    """The path of an output. With `skip`, the file exists and is not written again."""

    request: Request
    place: Place
    skip: bool = False
    overwrite: bool = False
    row: bool = False  # whether it is a row of a table, which has the place as its name

    @property
    def n(self) -> int:
        return self.request.n

    @property
    def source(self) -> str:
        """The name of the input, for messages."""
        return str(self.request.source)

    @property
    def suffix(self) -> str:
        """The suffix of the output; stdout has none, and gets a MIDI file."""
        return "" if self.place == "-" else Path(self.place).suffix

    @property
    def uses_streams(self) -> bool:
        """Whether stdin is read, or the output goes to stdout."""
        return "-" in (self.place, self.request.source)

    def write(self, data: bytes) -> None:
        """Write the output completely or not at all; an existing file is replaced only with `overwrite`.

        Raises OutputError."""
        if self.place == "-":
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            storage.write(self.place, data, overwrite=self.overwrite)


def plan_outputs(
    requests: Sequence[Request],
    output: str | None = None,
    *,
    overwrite: bool = False,
    skip_existing: bool = False,
    template: str = TEMPLATE,
    suffixes: Sequence[str] = MIDI_SUFFIXES,
) -> list[Planned]:
    """The place of every output, in the order of `requests`. Nothing is written.

    Raises UsageError for a template that does not parse, a suffix outside `suffixes`, two requests with the same
    output, and an output that is another request's input; OutputError for an output that exists, without `overwrite`
    or `skip_existing`.
    """
    if overwrite and skip_existing:
        raise UsageError("overwrite and skip_existing exclude each other", remedy="leave out skip_existing=True")
    places = [_place(request, output, template) for request in requests]
    _refuse_suffixes(places, suffixes)
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
            remedy="give overwrite=True, skip_existing=True, or another place with output=...",
        )
    return [
        Planned(request, place, there and skip_existing, overwrite)
        for request, place, there in zip(requests, places, exists, strict=True)
    ]


def planned_in(
    folder: Place,
    request: Request,
    template: str = TEMPLATE,
    *,
    overwrite: bool = False,
    skip_existing: bool = False,
    row: bool = False,
) -> Planned:
    """The place of one output in a folder, or its name as a row of a table."""
    name = request.below / _named(template, request)
    place = name.as_posix() if row else storage.within(folder, name)
    return Planned(request, place, skip_existing and not row and storage.exists(place), overwrite, row)


def name_in(folder: Place, plan: Planned) -> str:
    """The name of an output, relative to the folder or the table that holds it."""
    if plan.row:
        return str(plan.place)
    if isinstance(plan.place, Path):
        return plan.place.relative_to(folder).as_posix()
    return plan.place.removeprefix(f"{folder}/")


def refuse_clashes(plans: Callable[[], Iterable[Planned]]) -> None:
    """The same checks as `plan_outputs` makes, in a few bytes of memory for each output. `plans` begins to list them.

    Raises UsageError if two outputs have the same name, or if an output is an input of the batch."""
    import numpy as np

    real = functools.lru_cache(maxsize=4096)(Path.resolve)  # of folders, of which there are few

    def key(place: Place) -> int:
        """The same number for all names of a file, except links to it."""
        name = os.path.normcase(real(place.parent) / place.name) if isinstance(place, Path) else place
        return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "big")

    def keys_of_input(source: Place) -> Iterator[int]:
        """The key of an input and, if it is a link, that of the file behind it."""
        if isinstance(source, Path) or storage.is_url(source):  # others are bytes of a table
            yield key(source)
        if isinstance(source, Path) and source.is_symlink():
            yield key(source.resolve())

    outputs = np.sort(np.fromiter((key(plan.place) for plan in plans()), np.uint64))
    twice = {int(number) for number in outputs[1:][outputs[1:] == outputs[:-1]]}
    found = [plan for plan in plans() if key(plan.place) in twice] if twice else []
    if found:
        place = found[0].place
        sources = " and ".join(str(plan.request.source) for plan in found if plan.place == place)
        remedy = "give a table, output='name.parquet', in which names may repeat, or rename an input"
        raise UsageError(f"the results of {sources} would both be written to {place}", remedy=remedy)
    inputs = np.fromiter((number for plan in plans() for number in keys_of_input(plan.request.source)), np.uint64)
    replaced = set(np.intersect1d(outputs, inputs).tolist())
    for plan in plans() if replaced else ():
        if key(plan.place) in replaced:
            raise _replaces_input(plan.request, plan.place)


def _replaces_input(request: Request, place: Place) -> UsageError:
    return UsageError(
        f"the result of {request.source} would replace {place}, which is an input too",
        remedy="write it elsewhere with output=...",
    )


def refuse_one_file(output: str | None, remedy: str) -> None:
    """Raises UsageError for an output that is one file, where there are many: stdout, or the name of a new file."""
    if output == "-":
        raise UsageError("many files cannot go to stdout", remedy=remedy)
    if output is None or "{" in output or output.endswith("/") or Path(output).exists():
        return
    if Path(output).suffix.lower() in (*MIDI_SUFFIXES, *SCORE_SUFFIXES, SOUND_SUFFIX):
        raise UsageError("many files cannot go into one", where=output, remedy=remedy)


def suffix_of_format(name: str) -> str:
    """The suffix of new files in a format of FORMATS. Raises UsageError for another name."""
    if name not in FORMATS:
        close = difflib.get_close_matches(name, FORMATS, n=1)
        remedy = f"did you mean {close[0]}?" if close else f"the formats are {' '.join(FORMATS)}"
        raise UsageError(f"there is no format {name!r}", remedy=remedy)
    return f".{name}"


def _place(request: Request, output: str | None, template: str) -> Place:
    if output == "-" or (output is None and request.source == "-"):
        return "-"
    beside = Path() if request.source == "-" else Path(request.source).parent
    if output is None:
        return beside / _named(template, request)
    folder = folder_of(output)
    if folder is not None:
        return folder / request.below / _named(template, request)
    place = Path(fill(output, request)).expanduser()
    if not place.suffix:
        raise UsageError(
            f"output {output!r} has no suffix",
            remedy=f"write {output}/ for a folder or {output}.mid for a file",
        )
    return place


def _named(template: str, request: Request) -> str:
    """The default name of an output, with the suffix of its input where that tells the kind of MIDI file."""
    name = fill(template, request)
    return name.removesuffix(MIDI) + request.suffix if name.endswith(MIDI) else name


def folder_of(output: str | None) -> Path | None:
    """The folder that `output` names: one that exists, or `name/`. None for a file, a template, or stdout."""
    if output is None or output == "-":
        return None
    path = Path(output).expanduser()
    return path if output.endswith(("/", os.sep)) or path.is_dir() else None


def fill(template: str, request: Request) -> str:
    """The template with the request's values. Raises UsageError for a field that doesn't exist."""
    values = {"stem": request.stem, "edit": safe_name(request.edit), "seed": request.seed, "n": request.n}
    try:
        for _, field, _, _ in string.Formatter().parse(template):
            if field is not None and field not in FIELDS:
                close = difflib.get_close_matches(field, FIELDS, n=1)
                known = "the fields are " + " ".join(f"{{{name}}}" for name in FIELDS)
                remedy = f"did you mean {{{close[0]}}}?" if close else known
                raise UsageError(f"output template has no field {{{field}}}", remedy=remedy)
        return template.format_map(values)
    except ValueError as error:
        raise UsageError(f"output template {template!r} does not parse ({error})") from error


def label(targets: Mapping[str, object]) -> str:
    """The {edit} of output names, for instance `density+1.5`."""
    return "_".join(f"{name}{target}" for name, target in targets.items())


def safe_name(text: str) -> str:
    """`text` made fit for a file name on any system: unsafe characters become `-`, and long text is cut."""
    name = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*\s]+', "-", text).strip("-. ") or "edit"
    if len(name) > LONGEST_EDIT:
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        name = f"{name[: LONGEST_EDIT - 9].rstrip('-. ')}-{digest}"
    return name


def _refuse_suffixes(places: Sequence[Place], suffixes: Sequence[str]) -> None:
    for place in places:
        if place != "-" and Path(place).suffix.lower() not in suffixes:
            problem = f"the output has none of the suffixes {' '.join(suffixes)}"
            raise UsageError(problem, where=str(place), remedy="change output=...")


def _refuse_shared(requests: Sequence[Request], places: Sequence[Place]) -> None:
    first: dict[object, Request] = {}
    for request, place in zip(requests, places, strict=True):
        key = "-" if place == "-" else os.path.normcase(Path(place).resolve())
        other = first.setdefault(key, request)
        if other is request:
            continue
        same = other.source == request.source
        pair = f"two results of {request.source}" if same else f"{other.source} and {request.source}"
        template = "'folder/{stem}.{n}" + Path(place).suffix + "'"
        raise UsageError(
            f"{pair} would both be written to {'stdout' if place == '-' else place}",
            remedy=f"give output=... a template with {{n}}, which counts them: {template}",
        )


def _refuse_inputs(requests: Sequence[Request], places: Sequence[Place], overwrite: bool) -> None:
    """An output may replace its own input with `overwrite`, but never another input, which may not have been read."""
    inputs = {Path(r.source).resolve(): r for r in requests if r.source != "-"}
    for request, place in zip(requests, places, strict=True):
        victim = None if place == "-" else inputs.get(Path(place).resolve())
        if victim is None:
            continue
        if victim.source != request.source:
            raise _replaces_input(request, place)
        if not overwrite:
            raise UsageError(
                "is the input itself", where=str(place), remedy="give overwrite=True, or another place with output=..."
            )
