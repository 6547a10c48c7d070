"""Batches. `run_batch` keeps going past inputs that fail, sums up, and returns the exit code."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

from ...errors import ArvaeError, InputError, OutputError, UsageError
from . import common
from .placing import Planned

T = TypeVar("T")
R = TypeVar("R")


def run_batch(
    items: Sequence[T],
    work: Callable[[T], R | bool | None],
    *,
    name: Callable[[T], str] = str,
    then: Callable[[R], None] | None = None,
    fail: Callable[[str, str], None] | None = None,
    jobs: int = 1,
) -> int:
    """`work` on every item, then `then` on what it gave, in the items' order; the exit code. `fail` is given
    the name of an item that failed, and why.

    `work` returns False for an item it skipped on purpose: that goes no further. With more than one job it runs in
    other processes (`parallel`), `then` always here. A single item's error is raised. Of several, an item whose
    input or output fails is reported and the rest goes on; what is wrong with the request or the model would
    fail for all, and is raised.
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
                message = _told(outcome.problem, outcome.trace, name(item))
                common.complain(message)
                if fail is not None:
                    fail(name(item), message)
                continue
            skipped += outcome.value is False
            done += outcome.value is not False
            if then is not None and outcome.value is not False:
                then(cast("R", outcome.value))
    _sum_up(done, skipped, failed)
    return 1 if failed else 0


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
        tell = common.say if result.on_stdout else common.report
        tell("\n".join([*([""] if len(plans) > 1 else []), *result.lines]))

    in_line = any("-" in (plan.place, plan.request.source) for plan in plans)  # this process has the streams
    count = 1 if in_line else workers(jobs, len(plans))
    fail = failing(done) if json else None
    code = run_batch(plans, work, name=lambda plan: str(plan.request.source), then=then, fail=fail, jobs=count)
    if json:
        common.print_json(done)
    return code


def failing(rows: list[dict[str, Any]], key: str = "input") -> Callable[[str, str], None]:
    """What `run_batch` tells of failures, as rows for --json."""
    return lambda name, message: rows.append({key: name, "error": message})


def _told(problem: Exception, trace: str, name: str) -> str:
    """What to say of an item that failed. Raises what would fail for the others too."""
    if isinstance(problem, (InputError, OutputError)):
        return problem.on_command_line if problem.where else f"{name}: {problem.on_command_line}"
    if isinstance(problem, ArvaeError):
        raise problem
    if common.state.debug:  # one strange file must not end a night's work
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
        common.say(line)
        return
    rest = f" and {len(failed) - common.NAMES_SHOWN} more" if len(failed) > common.NAMES_SHOWN else ""
    common.complain(f"{line}: {', '.join(failed[: common.NAMES_SHOWN])}{rest}")


def track(items: Sequence[T] | Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """The items, with a progress bar on stderr where that is a terminal and --quiet isn't given."""
    if common.state.quiet or not sys.stderr.isatty():
        yield from items
        return
    from rich.progress import track as rich_track

    yield from rich_track(items, description=label, total=total, console=common.console(stderr=True), transient=True)
