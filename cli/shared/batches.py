"""Batches: `run_batch` works through many inputs, also if some of them fail, and prints a summary at the end."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from ...errors import ArvaeError, ExtraError, InputError, OutputError, UsageError
from . import common

if TYPE_CHECKING:
    from ...reports.unchanged import Tally

T = TypeVar("T")
R = TypeVar("R")
NAMES_SHOWN = 5  # files in a message


def run_batch(
    items: Sequence[T],
    work: Callable[[T], R | bool | None],
    *,
    name: Callable[[T], str] = str,
    then: Callable[[R], None] | None = None,
    fail: Callable[[str, str], None] | None = None,
    jobs: int = 1,
    totals: Callable[[], str] | None = None,
) -> int:
    """Call `work` on every item and `then` on each result, in the items' order. Returns the exit code.

    `work` returns False for an item that it skips. With more than one job it runs in other processes (`parallel`);
    `then` always runs in this one. If an item's input or output fails, `fail` gets its name and the reason, and the
    batch continues. `totals` gives a further line for the summary of many items. An error in the request or the model
    concerns all items and is raised, as is any error of a single item.
    """
    if not items:
        raise UsageError("nothing to do", remedy="name at least one input")
    if len(items) == 1:
        try:
            value = work(items[0])
        except (InputError, OutputError) as problem:
            if fail is None:
                raise
            fail(name(items[0]), problem.on_command_line)
            common.complain(problem.on_command_line)
            return problem.exit_code
        if value is False:
            common.say(f"{name(items[0])}: skipped")
        elif then is not None:
            then(cast("R", value))
        return 0
    from .parallel import outcomes

    done, skipped, failed = 0, 0, list[str]()
    with contextlib.closing(outcomes(items, work, jobs)) as results:
        for item, outcome in zip(items, track(results, "arvae", len(items)), strict=True):
            if outcome.problem is not None:
                failed.append(name(item))
                message = _failure_message(outcome.problem, outcome.trace, name(item))
                common.complain(message)
                if fail is not None:
                    fail(name(item), message)
                continue
            skipped += outcome.value is False
            done += outcome.value is not False
            if then is not None and outcome.value is not False:
                then(cast("R", outcome.value))
    _summarise(done, skipped, failed, totals() if totals is not None else "")
    return 1 if failed else 0


@dataclass(frozen=True)
class ItemReport:
    """A command's report on the result of one input."""

    lines: list[str]
    data: list[dict[str, Any]]  # the objects of --json
    on_stdout: bool = False  # whether the file went to stdout, so that the lines go to stderr
    made: Sequence[Any] = ()  # rows of a manifest, or cards of a contact sheet, which `conclude` writes at the end
    flaws: list[str] = field(default_factory=list)  # reasons why --strict does not accept the result
    tally: Tally | None = None  # the measures that changed, and those that were left alone


def run_and_report(
    items: Sequence[T],
    work: Callable[[T], ItemReport | Literal[False]],
    jobs: int | None,
    *,
    name: Callable[[T], str],
    json: bool,
    streams: bool = False,
    conclude: Callable[[list[Any]], None] | None = None,
) -> int:
    """Run a batch (`run_batch`), and print each result as lines, or all of them as JSON. `conclude` then gets all
    `made` objects, if there are any. `streams` says that stdin or stdout is used, which only this process has. Returns
    the exit code, which is also 1 if a result has flaws."""
    from .parallel import workers

    done: list[dict[str, Any]] = []
    made: list[Any] = []
    tallies: list[Tally] = []
    flawed = False

    def then(result: ItemReport) -> None:
        nonlocal flawed
        made.extend(result.made)
        tallies.extend([] if result.tally is None else [result.tally])
        if json:
            done.extend(result.data)
        else:
            print_lines = common.say if result.on_stdout else common.report
            print_lines("\n".join([*([""] if len(items) > 1 else []), *result.lines]))
        for flaw in result.flaws:
            flawed = True
            common.complain(flaw)

    count = 1 if streams else workers(jobs, len(items))
    fail = failing(done) if json else None
    code = run_batch(items, work, name=name, then=then, fail=fail, jobs=count, totals=lambda: _total(tallies))
    if conclude is not None and made:
        conclude(made)
    if json:
        common.print_json(done)
    return code or int(flawed)


def _total(tallies: Sequence[Tally]) -> str:
    """The sum of tallies as a text; "" if there are none."""
    return str(reduce(add, tallies)) if tallies else ""


def failing(rows: list[dict[str, Any]], key: str = "input") -> Callable[[str, str], None]:
    """A `fail` for `run_batch` that collects failures as rows for --json."""
    return lambda name, message: rows.append({key: name, "error": message})


def _failure_message(problem: Exception, trace: str, name: str) -> str:
    """The message for an item that failed. Raises an error that concerns all items."""
    if isinstance(problem, (InputError, OutputError, ExtraError)):  # an input may be the only one that needs an extra
        return problem.on_command_line if problem.where else f"{name}: {problem.on_command_line}"
    if isinstance(problem, ArvaeError):
        raise problem
    if common.state.debug:  # one bad file must not end a long batch
        print(trace, file=sys.stderr, end="")
    return f"{name}: a bug in arvae: {type(problem).__name__}: {problem}; --debug shows where"


def _summarise(done: int, skipped: int, failed: Sequence[str], totals: str) -> None:
    counts = [
        f"{done} done",
        f"{skipped} skipped" if skipped else "",
        f"{len(failed)} failed" if failed else "",
    ]
    line = ", ".join(filter(None, counts))
    if totals:
        common.say(totals)
    if not failed:
        common.say(line)
        return
    rest = f" and {len(failed) - NAMES_SHOWN} more" if len(failed) > NAMES_SHOWN else ""
    common.complain(f"{line}: {', '.join(failed[: NAMES_SHOWN])}{rest}")


def track(items: Sequence[T] | Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """The items, with a progress bar on stderr where that is a terminal and --quiet isn't given."""
    if common.state.quiet or not sys.stderr.isatty():
        yield from items
        return
    from rich.progress import track as rich_track

    yield from rich_track(items, description=label, total=total, console=common.console(stderr=True), transient=True)
