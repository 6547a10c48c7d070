"""A benchmark: all objectives are trained with equal settings on a corpus, evaluated, and compared.

    jobs = plan_jobs(out, "bach", names, seeds=3, minutes=2.0)
    check(jobs)                                     # before any work
    failed = run_jobs(jobs, load, train, print, fail)
    body = write_comparison(jobs, out, "bach", command)

    OUT/OBJECTIVE-SEED/                     the run folder of a job (run_folder.py)
    OUT/OBJECTIVE-SEED/evaluation.json
    OUT/benchmark.md, OUT/benchmark.json    the comparison

The seeds are the outer loop, so that a benchmark that is cut off has run every objective.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ArvaeError, UsageError
from ..evaluation.parts import expect_part
from ..system import machine
from ..system.extras import need
from ..system.files import plain, write_whole
from .domains import domain_of, make_plan
from .objectives import ENTRIES, entry
from .recipe import Data, Plan
from .run_folder import RunFolder

if TYPE_CHECKING:
    from . import comparison

MINUTES = 2.0
ALL_EPOCHS = 1_000_000  # more than any run takes before the clock ends it


@dataclass(frozen=True)
class Job:
    """One run of a benchmark, and how it is evaluated."""

    folder: RunFolder
    plan: Plan
    part: str  # "valid" or "test"
    evaluation: Any  # EvaluationOptions of its domain

    @property
    def name(self) -> str:
        return self.folder.path.name

    @property
    def evaluated(self) -> Path:
        from ..vae.hub import EVALUATION_FILE

        return self.folder.path / EVALUATION_FILE

    def is_evaluated(self) -> bool:
        """Whether the model in the folder was trained by this plan, and evaluated with these options."""
        from ..vae import checkpoint

        try:
            about = json.loads(self.evaluated.read_text())["about"]
            found = (about["part"], about["options"], about["digest"])
            wanted = (self.part, dict(vars(self.evaluation)), checkpoint.read(self.folder.path).digest)
            return found == wanted and self.folder.read_plan() == self.plan
        except (OSError, ValueError, KeyError, TypeError, ArvaeError):
            return False

    def evaluate(self, data: Data) -> None:
        """Evaluate the trained model on its part of the data, and write evaluation.json."""
        held_out = data.split.valid if self.part == "valid" else data.split.test
        about = {"model": self.name, "corpus": self.plan.corpus, "part": self.part}
        domain = domain_of(self.plan.corpus)
        result = domain.evaluate(self.folder.path, data, held_out, self.evaluation, about)
        text = json.dumps(plain(result.to_json()), indent=2, allow_nan=False)
        write_whole(self.evaluated, f"{text}\n".encode(), overwrite=True)


def plan_jobs(
    out: Path,
    corpus: str,
    objectives: Sequence[str],
    *,
    seeds: int,
    minutes: float | None = None,
    epochs: int | None = None,
    batch: int | None = None,
    part: str = "valid",
    quick: bool = False,
) -> list[Job]:
    """A job for each objective and each seed from 0; MINUTES a run, without `minutes` and `epochs`.

    Raises UsageError for an objective or a part that does not exist, and for an objective that is named twice. Raises
    ExtraError without the libraries of the extra "train".
    """
    for name in objectives:
        entry(name)
    if twice := sorted(name for name in set(objectives) if objectives.count(name) > 1):
        raise UsageError(f"the objective {twice[0]} is given twice", remedy="give each objective once")
    expect_part(part)
    need("train", "a benchmark", "torch", "scipy", "sklearn", "pyarrow")
    options = domain_of(corpus).evaluation_options(quick)
    return [
        Job(RunFolder(out / f"{name}-{seed}"), plan_run(corpus, name, seed, minutes, epochs, batch), part, options)
        for seed in range(seeds)
        for name in objectives
    ]


def plan_run(corpus: str, name: str, seed: int, minutes: float | None, epochs: int | None, batch: int | None) -> Plan:
    given = {"epochs": epochs or ALL_EPOCHS, "batch": batch}
    attributes = domain_of(corpus).attributes(corpus)
    return make_plan(corpus, attributes, 1, name, minutes if minutes or epochs else MINUTES, seed, given)


def check(jobs: Sequence[Job]) -> None:
    """Raises UsageError where a folder holds a run with other options."""
    for job in jobs:
        if job.folder.has_plan and job.folder.read_plan() != job.plan:
            raise UsageError(
                "holds a run with other options",
                where=str(job.folder.path),
                remedy="give overwrite=True, or another folder with output=...",
            )


def run_jobs(
    jobs: Sequence[Job],
    load: Callable[[Job], Data],
    train: Callable[[Job, Data], bool],
    tell: Callable[[str], None],
    fail: Callable[[Job, ArvaeError], None],
) -> int | None:
    """Train and evaluate each job; how many failed, or None if `train` says, by False, that it was interrupted.

    `load` loads the corpus, once; what it raises ends the benchmark. `tell` is given messages, and `fail` each job that
    failed, which stops no other.
    """
    data: Data | None = None
    failed = 0
    for number, job in enumerate(jobs, 1):
        tell(f"{job.name}, {number} of {len(jobs)} to do")
        data = data or load(job)
        try:
            if not train(job, data):
                return None
            tell("evaluating ...")
            job.evaluate(data)
        except ArvaeError as error:
            fail(job, error)
            failed += 1
    return failed


# ------------------------------------------------------------------------------------ the comparison


def write_comparison(jobs: Sequence[Job], out: Path, corpus: str, command: str) -> tuple[dict[str, Any], str]:
    """benchmark.json and benchmark.md of the evaluated jobs, at least one; the JSON, and the table of methods."""
    from . import comparison

    runs = sorted((_result(job) for job in jobs), key=lambda run: list(ENTRIES).index(run.method))
    published = domain_of(corpus).published(corpus)
    about = _about(jobs)
    body: dict[str, Any] = plain(comparison.to_json(runs, published, {**about, "command": command}))
    page = comparison.page(runs, published, command, about, f"Objectives on {corpus}")
    write_whole(out / "benchmark.json", f"{json.dumps(body, indent=2)}\n".encode(), overwrite=True)
    write_whole(out / "benchmark.md", page.encode(), overwrite=True)
    return body, comparison.markdown(comparison.cells(runs, published))


def _result(job: Job) -> comparison.Run:
    from ..vae import checkpoint
    from . import comparison

    training = checkpoint.describe(checkpoint.find(job.folder.path)).training
    found = json.loads(job.evaluated.read_text())
    headline = {name: float("nan") if value is None else value for name, value in found["headline"].items()}
    options = job.plan.options
    steps, seconds = training["steps"], training["seconds"]
    return comparison.Run(options.objective, options.seed, steps, seconds, headline, options.beta, options.gamma)


def _network(jobs: Sequence[Job]) -> str:
    """The dimensions of the network, and the methods with other ones."""
    dims = {job.plan.options.objective: job.plan.dims.to_json() for job in jobs}
    found = []
    for name, usual in jobs[0].plan.dims.to_json().items():
        others = [f"{method} {own[name]}" for method, own in dims.items() if own.get(name, usual) != usual]
        found.append(f"{name} {usual}" + (f" ({', '.join(others)})" if others else ""))
    return ", ".join(found)


def _about(jobs: Sequence[Job]) -> Mapping[str, str]:
    """The conditions that the figures depend on, as text."""
    import torch

    plan = jobs[0].plan
    return {
        domain_of(plan.corpus).held_out: f"the {jobs[0].part} part, which no run was trained on",
        "network": f"{_network(jobs)}; batch {plan.options.batch}, "
        f"learning rate {plan.options.learning_rate:g}, one thread",
        "machine": f"{machine.processor()}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}, PyTorch {torch.__version__.partition('+')[0]}",
    }
