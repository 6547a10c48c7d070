"""Training in a run folder, without a terminal: what `arvae train`, `arvae benchmark` and research.train share.

    session = Session(RunFolder(path), plan, data, device)
    session.begin(resume=False)
    for report in session.reports():        # recorded, and the model saved every CHECKPOINT_SECONDS and at the end
        ...                                 # session.trainer.stop() ends the run after the current step
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ..errors import ArvaeError, CheckpointError, TrainingError
from ..system import machine
from .distributed import first
from .domains import domain_of
from .recipe import Data, Plan
from .run_folder import RunFolder

if TYPE_CHECKING:
    from .trainer import Report, Trainer

CHECKPOINT_SECONDS = 60.0


@dataclass(frozen=True, eq=False)
class Session:
    """One run. Under torchrun every process has a session, and the first process writes the files."""

    folder: RunFolder
    plan: Plan
    data: Data
    device: str

    @cached_property
    def trainer(self) -> Trainer:
        import torch

        machine.seed_all(self.plan.options.seed, 0, 0)
        return domain_of(self.plan.corpus).trainer(self.plan, self.data, torch.device(self.device))

    @property
    def is_over(self) -> bool:
        return self.trainer.progress >= 1.0

    def begin(self, *, resume: bool) -> None:
        """Start the run, or restore its state from the folder, where a run that is over stays as it is.

        Raises TrainingError if the state cannot be read, or is of another model, and UsageError if the run began with
        other constants of its objective.
        """
        trainer = self.trainer  # a plan that cannot be trained leaves no folder behind
        if resume:
            trainer.restore(self.folder.state())
            if self.is_over:
                return
            self.folder.check_constants(self.plan)
            if first():
                self.folder.forget_after(trainer.step)
        elif first():
            self.folder.start(self.plan)

    def reports(self) -> Iterator[Report]:
        """Train to the end of the plan. Raises TrainingError, with the last checkpoint named, if the run diverges."""
        saved, latest = time.monotonic(), None
        try:
            for report in self.trainer.run():
                latest = report if report.valid else latest
                if first():
                    self.folder.record(report)
                yield report
                if first() and time.monotonic() - saved > CHECKPOINT_SECONDS:
                    self.folder.save(self.trainer, self.plan, self.data, latest)
                    saved = time.monotonic()
            if first():
                self.folder.save(self.trainer, self.plan, self.data, latest)
        except (TrainingError, CheckpointError) as error:
            raise self._with_checkpoint(error) from error

    def _with_checkpoint(self, error: ArvaeError) -> TrainingError:
        kept = self.folder.model
        after = f"the last good checkpoint is {kept}" if kept.exists() else "no checkpoint had been written"
        return TrainingError(f"{error.what}; {after}", remedy="try a lower learning_rate=...")


@contextmanager
def settled(threads: int) -> Iterator[None]:
    """Within the block PyTorch has machine.settle's threads and precision; afterwards it has its own again."""
    import torch

    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    machine.settle(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.set_float32_matmul_precision(before[1])
