"""One run of `arvae train` and its folder.

    RUN/model.safetensors    the model, usable at any time: written every CHECKPOINT_SECONDS and at the end
    RUN/state.safetensors    what --resume needs besides
    RUN/config.json          the options that the run was started with; --resume reads them
    RUN/metrics.jsonl        a line a report
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ArvaeError, CheckpointError, TrainingError
from ..system import files
from .domains import Data, Domain, Plan
from .main import INTERRUPTED
from .shared import common

if TYPE_CHECKING:
    from ..training.trainer import Report, Trainer

CHECKPOINT_SECONDS = 60.0


def write_plan(folder: Path, plan: Plan) -> None:
    """config.json of a run's folder; train.read_plan is the inverse."""
    from ..system.files import write_whole

    write_whole(folder / "config.json", (json.dumps(plan.to_json(), indent=2) + "\n").encode(), overwrite=True)


class Run:
    """One training run and its folder."""

    def __init__(self, folder: Path, plan: Plan, data: Data, device: str, *, as_json: bool) -> None:
        self.folder, self.plan, self.data, self.device, self.as_json = folder, plan, data, device, as_json

    def go(self, resume: bool, threads: int) -> int:
        from ..system import machine as processor

        processor.settle(threads)
        trainer = self._trainer()
        if resume:
            trainer.restore(self._state())
            if trainer.progress >= 1.0:
                common.say(f"{self.folder} has run to its end, step {trainer.step}: there is nothing to go on with")
                return 0
            if first():
                self._forget_after(trainer.step)
        elif first():
            self._start()
        stopped = self._train(trainer)
        if first():
            self._say_end(trainer, stopped)
        return INTERRUPTED if stopped else 0

    def _trainer(self) -> Trainer:
        import torch

        from ..system.machine import seed_all

        seed_all(self.plan.options.seed, 0, 0)
        return self.plan.domain.trainer(self.plan, self.data, torch.device(self.device))

    # -------------------------------------------------------------------------- the run's files

    def _start(self) -> None:
        write_plan(self.folder, self.plan)
        for name in ("metrics.jsonl", "state.safetensors", "model.safetensors"):
            (self.folder / name).unlink(missing_ok=True)

    def _forget_after(self, step: int) -> None:
        """Drop the reports of steps that a crash has lost: they will be made again."""
        from ..system.files import write_whole

        path = self.folder / "metrics.jsonl"
        kept = [line for line in path.read_text().splitlines() if _step_of(line) <= step] if path.exists() else []
        write_whole(path, "".join(f"{line}\n" for line in kept).encode(), overwrite=True)

    def _state(self) -> dict[str, Any]:
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            return load((self.folder / "state.safetensors").read_bytes())
        except (OSError, SafetensorError) as error:
            raise TrainingError(
                f"the saved state cannot be read ({error})",
                where=str(self.folder),
                remedy="start anew with --overwrite",
            ) from error

    def _save(self, trainer: Trainer, report: Report | None) -> None:
        from safetensors.torch import save

        from ..system.files import write_whole
        from ..vae import checkpoint
        from ..version import __version__

        provenance = {
            "corpus": self.plan.corpus,
            "source": self.data.source,
            "licence": self.data.licence,
            "arvae": __version__,
            "made": time.strftime("%Y-%m-%d"),
            "valid": files.plain(report.valid) if report else None,
        }
        training = {
            **self.plan.options.to_json(),
            "steps": trainer.step,
            "seconds": round(trainer.seconds, 1),
            "device": _name_of(self.device),
        }
        made = self.plan.domain.checkpoint(self.plan, self.data, trainer, training, provenance)
        checkpoint.write(self.folder / checkpoint.MODEL_FILE, made, overwrite=True)
        write_whole(self.folder / "state.safetensors", save(trainer.state()), overwrite=True)

    # -------------------------------------------------------------------------- going

    def _train(self, trainer: Trainer) -> bool:
        """Whether it was interrupted."""
        saved, latest = time.monotonic(), None
        with _clean_stop(trainer) as stop, _Progress(self.plan.domain, first() and not self.as_json) as progress:
            try:
                for report in trainer.run():
                    latest = report if report.valid else latest
                    if not first():
                        continue
                    self._record(report)
                    progress.show(report)
                    if time.monotonic() - saved > CHECKPOINT_SECONDS:
                        self._save(trainer, latest)
                        saved = time.monotonic()
                if first():
                    self._save(trainer, latest)
            except (TrainingError, CheckpointError) as error:
                raise self._with_checkpoint(error) from error
        return stop.asked

    def _record(self, report: Report) -> None:
        line = json.dumps(files.plain(report), allow_nan=False)
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(line + "\n")
        if self.as_json:
            print(line, flush=True)

    def _with_checkpoint(self, error: ArvaeError) -> TrainingError:
        kept = self.folder / "model.safetensors"
        after = f"the last good checkpoint is {kept}" if kept.exists() else "no checkpoint had been written"
        return TrainingError(f"{error.what}; {after}", remedy="try a lower --learning-rate")

    def _say_end(self, trainer: Trainer, stopped: bool) -> None:
        path = self.folder / "model.safetensors"
        if stopped:
            again = f"arvae train {self.plan.corpus} -o {self.folder} --resume"
            common.say(f"stopped at step {trainer.step}; {path} is usable, and `{again}` goes on")
        else:
            common.say(f"wrote {path}; try `{self.plan.domain.trial.format(run=self.folder)}`")


@dataclass
class _Stop:
    asked: bool = False


@contextmanager
def _clean_stop(trainer: Trainer) -> Iterator[_Stop]:
    """The first Ctrl-C ends the run after its step; the second is Python's own."""
    stop, before = _Stop(), signal.getsignal(signal.SIGINT)

    def ask(number: int, frame: object) -> None:
        stop.asked = True
        trainer.stop()
        signal.signal(signal.SIGINT, before)
        common.say("stopping after this step; Ctrl-C again to stop at once")

    signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


class _Progress:
    """A live line on a terminal, a line at each judgement elsewhere, nothing with --quiet or --json."""

    def __init__(self, domain: Domain, wanted: bool) -> None:
        self.domain = domain
        self.wanted = wanted and not common.state.quiet
        self.console = common.console(stderr=True)
        self.live: Any = None
        self.valid: dict[str, float] | None = None

    def __enter__(self) -> _Progress:
        if self.wanted and self.console.is_terminal:
            from rich.live import Live

            self.live = Live(console=self.console, auto_refresh=False)
            self.live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self.live is not None:
            self.live.stop()

    def show(self, report: Report) -> None:
        self.valid = report.valid or self.valid
        if self.live is not None:
            self.live.update(_table(report, self.valid, self.domain), refresh=True)
        elif self.wanted and report.valid is not None:
            common.say(_line(report, self.domain))


def _line(report: Report, domain: Domain) -> str:
    return (
        f"step {report.step}  epoch {report.epoch:.1f}  loss {report.loss:.3f} of {_parts(report)}; held-out "
        f"{domain.judged(report.valid or {})}; {report.rate:.0f} {domain.unit}/s, {_clock(report.remaining)} left"
    )


def _parts(report: Report) -> str:
    """The loss's parts, before their weights."""
    return ", ".join(f"{name} {value:.3g}" for name, value in report.parts.items())


def _table(report: Report, valid: dict[str, float] | None, domain: Domain) -> Any:
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_row("", ProgressBar(total=1.0, completed=report.progress, width=40))
    table.add_row("epoch", f"{report.epoch:.1f}, step {report.step}, {report.rate:.0f} {domain.unit}/s")
    table.add_row("loss", f"{report.loss:.3f} of {_parts(report)}")
    if valid:
        table.add_row("held out", domain.judged(valid))
    table.add_row("time", f"{_clock(report.seconds)}, {_clock(report.remaining)} left")
    return table


def _step_of(line: str) -> float:
    """The step of a report; infinite for a line that was cut off."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def _name_of(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu"


def first() -> bool:
    return int(os.environ.get("RANK", "0")) == 0


def barrier() -> None:
    import torch.distributed as dist

    if dist.is_initialized():
        dist.barrier()
