"""`arvae benchmark`: train every objective in the same way, evaluate the models, and compare the figures in one table.

    arvae benchmark --corpus bach --objectives all --seeds 3 --minutes 1.5

    OUT/OBJECTIVE-SEED/         the run's folder, as `arvae train` leaves it
    OUT/OBJECTIVE-SEED/evaluation.json
    OUT/benchmark.md, OUT/benchmark.json

To continue an interrupted benchmark, start it again with the same command: runs that were evaluated are skipped, runs
that were trained are evaluated, and an unfinished run resumes from its last checkpoint. If a run fails, the others
still run; the exit code is 1, and the table shows the runs that succeeded. All objectives run with one seed
before the next seed begins, so a benchmark that is stopped early still compares all of them.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..system import machine
from ..training import benchmarking
from ..training.benchmarking import MINUTES
from ..training.distributed import processes
from ..training.domains import domain_of, objectives_for
from ..training.objectives import ENTRIES
from ..training.run_folder import default_folder
from ..training.session import Session
from .corpus import ensure_built
from .main import INTERRUPTED
from .run import run_session
from .shared import common

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..errors import ArvaeError
    from ..training.benchmarking import Job
    from ..training.recipe import Data

_in_runs = partial(typer.Option, rich_help_panel="Runs")
OBJECTIVES = f"Objectives to train, separated by commas: {', '.join(ENTRIES)}."
LIMIT = f"Training time of each run, in minutes.  [default: {MINUTES:g}, or none with --epochs]"
EPOCHS = "Epochs of each run, for the same number of steps on every machine."
OUT = "The benchmark's folder.  [default: runs/benchmark-CORPUS]"

Corpus = Annotated[str, common.corpus_option("A corpus name, as for arvae train.")]
Objectives = Annotated[str, _in_runs(metavar="all|NAME,...", help=OBJECTIVES)]
Seeds = Annotated[int, _in_runs(min=1, metavar="N", help="Runs of each objective, with seeds from 0.")]
Minutes = Annotated[float | None, _in_runs(min=0.001, metavar="MINUTES", help=LIMIT)]
Epochs = Annotated[int | None, _in_runs(min=1, metavar="N", help=EPOCHS)]
Batch = Annotated[int | None, _in_runs(min=2, metavar="N", help="Examples per step.  [default: as for arvae train]")]
Out = Annotated[Path | None, typer.Option("--output", "-o", metavar="OUT", help=OUT)]
Device = Annotated[str, _in_runs(metavar="auto|cpu|cuda", help="Where to train; auto takes a GPU if there is one.")]


def benchmark(
    corpus: Corpus = "bach",
    objectives: Objectives = "all",
    seeds: Seeds = 3,
    minutes: Minutes = None,
    epochs: Epochs = None,
    batch: Batch = None,
    part: common.Part = "valid",
    quick: common.Quick = False,
    output: Out = None,
    overwrite: common.Overwrite = False,
    device: Device = "auto",
    json: common.Json = False,
    quiet: common.Quiet = False,
) -> int:
    """Train every objective in the same way, evaluate the models, and compare the figures in one table."""
    machine.patient_threads()  # before anything imports PyTorch
    names = objectives_for(corpus) if objectives == "all" else [name.strip() for name in objectives.split(",")]
    out = output or Path("runs") / f"benchmark-{default_folder(corpus).name}"
    jobs = benchmarking.plan_jobs(
        out, corpus, names, seeds=seeds, minutes=minutes, epochs=epochs, batch=batch, part=part, quick=quick
    )
    wanted = [job for job in jobs if overwrite or not job.is_evaluated()]
    if not overwrite:
        benchmarking.check(wanted)
    with processes(device) as place:
        code = _run(wanted, place, overwrite)
    command = f"arvae benchmark --corpus {corpus} --objectives {objectives} --seeds {seeds} --part {part}"
    limits = (("batch", batch), ("minutes", minutes), ("epochs", epochs))
    command += "".join(f" --{key} {value:g}" for key, value in limits if value)
    done = [job for job in jobs if job.is_evaluated()]
    _show(done, out, corpus, command + (" --quick" if quick else ""), as_json=json)
    return code


def _run(jobs: Sequence[Job], device: str, overwrite: bool) -> int:
    """Train and evaluate the runs. Returns the exit code."""
    failed = benchmarking.run_jobs(jobs, _load, partial(_train, device, overwrite), common.say, _complain)
    if failed is None:
        return INTERRUPTED
    if failed:
        common.complain(f"{failed} of {len(jobs)} runs failed; run the same command again to retry them")
    return 1 if failed else 0


def _complain(job: Job, error: ArvaeError) -> None:
    common.complain(f"{job.name}: {error.on_command_line}")


def _load(job: Job) -> Data:
    from ..corpora import datasets

    ensure_built(job.plan.corpus, to_train=True)
    return datasets.load(job.plan.corpus, job.plan.attributes)


def _train(device: str, overwrite: bool, job: Job, data: Data) -> bool:
    """Train one run. Returns whether it ran to its end."""
    resume = job.folder.has_state and not overwrite
    return run_session(Session(job.folder, job.plan, data, device), resume=resume, hint=False) == 0


def _show(jobs: Sequence[Job], out: Path, corpus: str, command: str, *, as_json: bool) -> None:
    if not jobs:
        common.say("no run has finished, so there is nothing to compare")
        return
    body, table = benchmarking.write_comparison(jobs, out, corpus, command)
    if as_json:
        common.print_json(body)
    else:
        common.report(table)
    trial = domain_of(corpus).trial.format(run=jobs[0].folder.path)
    common.say(f"wrote {out / 'benchmark.md'} and {out / 'benchmark.json'}; try a model with `{trial}`")
