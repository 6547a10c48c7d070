"""Batches: `run_batch` works through many inputs, also if some of them fail, and prints a summary at the end."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, cast

from ...errors import InputError, OutputError, UsageError
from ...reports.item_report import ItemReport
from . import common

if TYPE_CHECKING:
    from ...batch.job import Job, Rows
    from ...reports.unchanged import Tally
    from ...system.executors import Executor

T = TypeVar("T", covariant=True)
R = TypeVar("R")


class Items(Protocol[T]):
    """The items of a batch, which may be made one by one."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[T]: ...


def run_batch(
    items: Items[T],
    work: Callable[[T], R | bool | None],
    *,
    name: Callable[[T], str] = str,
    then: Callable[[T, R], None] | None = None,
    fail: Callable[[T, str], None] | None = None,
    executor: Executor | None = None,
    totals: Callable[[], str] | None = None,
    job: Job | None = None,
) -> int:
    """Call `work` on every item and `then` on the item and its result, in the items' order. Returns the exit code.

    `work` returns False for an item that it skips. It runs where the executor says, by default in this process; `then`
    always runs in this one. If an item's input or output fails, `fail` gets the item and the reason, and the batch
    continues. `totals` gives a further line for the summary of many items. A job leaves out the items that are done. An
    error in the request or the model concerns all items and is raised, as is any error of a single item.
    """
    if not len(items):
        raise UsageError("nothing to do", remedy="name at least one input")
    if len(items) == 1 and job is None:
        (item,) = items
        try:
            value = work(item)
        except (InputError, OutputError) as problem:
            if fail is None:
                raise
            fail(item, problem.on_command_line)
            common.complain(problem.on_command_line)
            return problem.exit_code
        if value is False:
            common.say(f"{name(item)}: skipped")
        elif then is not None:
            then(item, cast("R", value))
        return 0
    from ...batch.run import Counts, results
    from ...system.executors import Processes

    counts = Counts()
    with contextlib.closing(results(items, work, executor or Processes(1), job)) as found:
        for item, outcome in track(found, len(items), job):
            if outcome.problem is not None:
                message = outcome.message(name(item))
                if outcome.is_bug:  # one bad file must not end a long batch
                    message += "; --debug shows where"
                    if common.state.debug:
                        print(outcome.trace, file=sys.stderr, end="")
                common.complain(message)
                if fail is not None:
                    fail(item, message)
            elif then is not None:
                then(item, cast("R", outcome.value))
            counts.add(name(item), outcome)
    if job is not None:
        counts.skipped += job.resumed
    if totals is not None and (text := totals()):
        common.say(text)
    (common.complain if counts.failed else common.say)(str(counts))
    return 1 if counts.failed else 0


def run_and_report(
    items: Items[T],
    work: Callable[[T], ItemReport | Literal[False]],
    executor: Executor,
    *,
    name: Callable[[T], str],
    json: bool,
    brief: bool = False,
    job: Job | None = None,
    manifest: Callable[[Rows], None] | None = None,
    conclude: Callable[[list[Any]], None] | None = None,
) -> int:
    """Run a batch (`run_batch`), and print each result as lines, unless `brief`, or all of them as JSON.

    The job records each result, and calls `manifest` when all inputs are done (`Job.finish`). `conclude` gets the
    cards, if there are any. Returns the exit code, which is also 1 if a result has flaws."""
    from ...batch.journal import Line

    done: list[dict[str, Any]] = []
    cards: list[Any] = []
    tally: Tally | None = None
    flawed = False

    def then(item: Any, result: ItemReport | Literal[False]) -> None:
        nonlocal flawed, tally
        if job is not None:
            found = ([], []) if result is False else (list(result.rows), list(result.contents))
            job.record(Line(item.n, name(item), *found))
        if result is False:
            return
        cards.extend(result.cards)
        if result.tally is not None:
            tally = result.tally if tally is None else tally + result.tally
        if json:
            done.extend(result.data)
        elif not brief:
            print_lines = common.say if result.on_stdout else common.report
            print_lines("\n".join([*([""] if len(items) > 1 else []), *result.lines]))
        for flaw in result.flaws:
            flawed = True
            common.complain(flaw)

    def fail(item: Any, message: str) -> None:
        if job is not None:
            job.record(Line(item.n, name(item), problem=message))
        if json:
            done.append({"input": name(item), "error": message})

    with nullcontext() if job is None else job.running():
        code = run_batch(
            items, work, name=name, then=then, fail=fail if json or job is not None else None, executor=executor,
            totals=lambda: str(tally or ""), job=job,
        )  # fmt: skip
    if job is not None:
        ended = job.finish(manifest, keep=brief)
        if brief and ended and job.failed:
            common.say(f"{job.target.failed} lists the inputs that failed, with the reasons")
        code = code or int(job.failed > 0)
    if conclude is not None and cards:
        conclude(cards)
    if json:
        common.print_json(done)
    return code or int(flawed)


def track(results: Iterable[R], count: int, job: Job | None = None, label: str = "arvae") -> Iterator[R]:
    """The results, with n of N, the rate and the time left on stderr: as a bar on a terminal, and for the jobs of
    large batches also elsewhere, as a line now and then. Nothing with --quiet."""
    if common.state.quiet or not sys.stderr.isatty():
        from ...batch.run import with_progress

        yield from results if common.state.quiet or job is None else with_progress(results, job, common.say)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    with Progress(*columns, TimeRemainingColumn(), console=common.console(stderr=True), transient=True) as bar:
        task, began = bar.add_task(label, total=count if job is None else job.total, rate=""), time.monotonic()
        for n, result in enumerate(results, 1):
            yield result
            rate = f"{n / (time.monotonic() - began):.1f}/s"
            bar.update(task, completed=n + (0 if job is None else job.resumed), rate=rate)
