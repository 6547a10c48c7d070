"""`arvae benchmark`: train every objective alike, evaluate it, and set the figures side by side.

    arvae benchmark --corpus bach --objectives all --seeds 3 --minutes 1.5

    OUT/OBJECTIVE-SEED/         the run's folder, as `arvae train` leaves it
    OUT/OBJECTIVE-SEED/evaluation.json
    OUT/benchmark.md, OUT/benchmark.json

Interrupted, it is started again with the same line: a run that was evaluated is not done again, one that was trained is
evaluated, and a broken one goes on where its last checkpoint was. A run that fails stops no other: exit 1, and the
table has those that did not. Objectives are rounds of seeds, so that a benchmark that is cut off has all of them.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ArvaeError, UsageError
from ..system import files, machine
from ..training.objectives import ENTRIES, entry
from .domains import Plan, domain_of
from .evaluate import PARTS
from .main import INTERRUPTED
from .run import Run
from .shared import common, completion
from .train import default_run, load_data, make_plan, processes, read_plan

if TYPE_CHECKING:
    from ..training import comparison
    from .domains import Data

MINUTES = 2.0
ALL_EPOCHS = 1_000_000  # the clock ends a run before these

Corpus = Annotated[
    str,
    typer.Option(
        "--corpus", "-c", metavar="NAME", help="A corpus, as for arvae train.",
        autocompletion=completion.corpora,
    ),
]
Objectives = Annotated[
    str,
    typer.Option(metavar="all|NAME,...", rich_help_panel="Runs", help=f"Which, with commas: {', '.join(ENTRIES)}."),
]
Seeds = Annotated[int, typer.Option(min=1, rich_help_panel="Runs", help="Runs of each objective, with seeds from 0.")]
Minutes = Annotated[
    float | None,
    typer.Option(
        min=0.001, rich_help_panel="Runs", help=f"Training time of a run.  [default: {MINUTES:g}, without --epochs]"
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(min=1, rich_help_panel="Runs", help="End a run after so many: the same on every machine."),
]
Batch = Annotated[
    int | None, typer.Option(min=2, rich_help_panel="Runs", help="Rows a step.  [default: as for arvae train]")
]
Part = Annotated[str, typer.Option("--part", metavar="valid|test", help="Which of the tunes held out of training.")]
Quick = Annotated[bool, typer.Option("--quick", help="Evaluate in half the time, with rougher figures.")]
Out = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="OUT", help="The benchmark's folder.  [default: runs/benchmark-CORPUS]"),
]
Device = Annotated[str, typer.Option(rich_help_panel="Runs", help="auto, cpu or cuda.")]


@dataclass(frozen=True)
class Job:
    """One run of a benchmark, and how it is judged."""

    folder: Path
    plan: Plan
    part: str
    evaluation: Any  # options, of its domain

    @property
    def evaluated(self) -> Path:
        from ..reports.model_card import RUN_EVALUATION

        return self.folder / RUN_EVALUATION


def benchmark(
    corpus: Corpus = "bach",
    objectives: Objectives = "all",
    seeds: Seeds = 3,
    minutes: Minutes = None,
    epochs: Epochs = None,
    batch: Batch = None,
    part: Part = "valid",
    quick: Quick = False,
    output: Out = None,
    overwrite: common.Overwrite = False,
    device: Device = "auto",
    json: common.Json = False,
    quiet: common.Quiet = False,
) -> int:
    """Train every objective alike, evaluate it, and set the figures side by side."""
    names = list(ENTRIES) if objectives == "all" else [name.strip() for name in objectives.split(",")]
    for name in names:
        entry(name)
    if len(set(names)) < len(names):
        raise UsageError(f"--objectives {objectives} names one twice", remedy="name each once")
    if part not in PARTS:
        raise UsageError(f"there is no part {part!r}", remedy=f"give {' or '.join(PARTS)}")
    out = output or Path("runs") / f"benchmark-{default_run(corpus).name}"
    machine.patient_threads()
    judged = domain_of(corpus).evaluation_options(quick)
    jobs = [
        Job(out / f"{name}-{seed}", _plan(corpus, name, seed, minutes, epochs, batch), part, judged)
        for seed in range(seeds)
        for name in names
    ]
    wanted = [job for job in jobs if overwrite or not _is_evaluated(job)]
    _check(wanted, overwrite)
    with processes(device) as place:
        code = _go(wanted, place, overwrite)
    command = f"arvae benchmark --corpus {corpus} --objectives {objectives} --seeds {seeds} --part {part}"
    limits = (("batch", batch), ("minutes", minutes), ("epochs", epochs))
    command += "".join(f" --{key} {value:g}" for key, value in limits if value)
    _show([job for job in jobs if _is_evaluated(job)], out, corpus, command + (" --quick" if quick else ""), json)
    return code


def _plan(corpus: str, name: str, seed: int, minutes: float | None, epochs: int | None, batch: int | None) -> Plan:
    given = {"epochs": epochs or ALL_EPOCHS, "batch": batch}
    attributes = domain_of(corpus).attributes(corpus)
    return make_plan(corpus, attributes, 1, name, minutes if minutes or epochs else MINUTES, seed, given)


def _check(jobs: Sequence[Job], overwrite: bool) -> None:
    """Raises UsageError, before any work, where a folder holds a run with other options."""
    for job in jobs:
        if overwrite or not (job.folder / "config.json").exists():
            continue
        if read_plan(job.folder) != job.plan:
            raise UsageError(
                "holds a run with other options",
                where=str(job.folder),
                remedy="give --overwrite, or another folder with -o",
            )


def _is_evaluated(job: Job) -> bool:
    """Whether the run is there, trained and judged as this job says, these very weights."""
    from ..vae import checkpoint

    try:
        about = json.loads(job.evaluated.read_text())["about"]
        judged = (about["part"], about["options"], about["digest"])
        wanted = (job.part, dict(vars(job.evaluation)), checkpoint.read(job.folder).digest)
        return judged == wanted and read_plan(job.folder) == job.plan
    except (OSError, ValueError, KeyError, TypeError, ArvaeError):
        return False


# ------------------------------------------------------------------------------------ going


def _go(jobs: Sequence[Job], device: str, overwrite: bool) -> int:
    """Train and evaluate; the exit code."""
    data: Data | None = None
    failed = 0
    for number, job in enumerate(jobs, 1):
        common.say(f"{job.folder.name}, {number} of {len(jobs)} to do")
        try:
            data = data or load_data(job.plan.corpus, job.plan.attributes)
            if _train(job, data, device, overwrite) == INTERRUPTED:
                return INTERRUPTED
            _evaluate(job, data)
        except ArvaeError as error:
            if data is None:  # the corpus, which every run needs
                raise
            failed += 1
            common.complain(f"{job.folder.name}: {error.message}")
    if failed:
        common.complain(f"{failed} of {len(jobs)} runs failed; the same line tries them again")
    return 1 if failed else 0


def _train(job: Job, data: Data, device: str, overwrite: bool) -> int:
    started = (job.folder / "state.safetensors").exists() and not overwrite
    return Run(job.folder, job.plan, data, device, as_json=False).go(started, threads=1)


def _evaluate(job: Job, data: Data) -> None:
    from ..system.files import write_whole

    common.say("evaluating ...")
    held_out = data.split.valid if job.part == "valid" else data.split.test
    about = {"model": job.folder.name, "corpus": job.plan.corpus, "part": job.part}
    result = job.plan.domain.evaluate(job.folder, data, held_out, job.evaluation, about)
    text = json.dumps(files.plain(result.to_json()), indent=2, allow_nan=False)
    write_whole(job.evaluated, f"{text}\n".encode(), overwrite=True)


# ------------------------------------------------------------------------------------ what is shown


def _show(jobs: Sequence[Job], out: Path, corpus: str, command: str, as_json: bool) -> None:
    from ..system.files import write_whole
    from ..training import comparison

    if not jobs:
        common.say("no run is finished: there is nothing to compare")
        return
    runs = sorted((_result(job) for job in jobs), key=lambda run: list(ENTRIES).index(run.method))
    published = domain_of(corpus).published(corpus)
    about = _about(jobs)
    body = files.plain(comparison.to_json(runs, published, {**about, "command": command}))
    page = comparison.page(runs, published, command, about, f"Objectives on {corpus}")
    write_whole(out / "benchmark.json", f"{json.dumps(body, indent=2)}\n".encode(), overwrite=True)
    write_whole(out / "benchmark.md", page.encode(), overwrite=True)
    if as_json:
        common.print_json(body)
    else:
        common.report(comparison.markdown(comparison.cells(runs, published)))
    common.say(f"wrote {out / 'benchmark.md'} and {out / 'benchmark.json'}")


def _result(job: Job) -> comparison.Run:
    from ..training import comparison
    from ..vae import checkpoint

    training = checkpoint.describe(checkpoint.find(job.folder)).training
    found = json.loads(job.evaluated.read_text())
    headline = {name: float("nan") if value is None else value for name, value in found["headline"].items()}
    options = job.plan.options
    steps, seconds = training["steps"], training["seconds"]
    return comparison.Run(options.objective, options.seed, steps, seconds, headline, options.beta, options.gamma)


def _network(jobs: Sequence[Job]) -> str:
    """The dimensions, and which methods have others."""
    dims = {job.plan.options.objective: job.plan.dims.to_json() for job in jobs}
    found = []
    for name, usual in jobs[0].plan.dims.to_json().items():
        others = [f"{method} {own[name]}" for method, own in dims.items() if own[name] != usual]
        found.append(f"{name} {usual}" + (f" ({', '.join(others)})" if others else ""))
    return ", ".join(found)


def _about(jobs: Sequence[Job]) -> Mapping[str, str]:
    """What the figures depend on, for people."""
    import torch

    options = jobs[0].plan.options
    return {
        jobs[0].plan.domain.held_out: f"the {jobs[0].part} part, which no run was trained on",
        "network": f"{_network(jobs)}; batch {options.batch}, "
        f"learning rate {options.learning_rate:g}, one thread",
        "machine": f"{machine.processor()}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}, PyTorch {torch.__version__.partition('+')[0]}",
    }
