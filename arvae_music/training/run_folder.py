"""The folder of a training run.

    RUN/model.safetensors    the model, usable at any time
    RUN/state.safetensors    what else is needed to resume the run
    RUN/config.json          the plan of the run (recipe.Plan), which resuming it reads, and its objective's constants
    RUN/metrics.jsonl        a line for each report

PyTorch is imported when a state is read or saved.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import OutputError, TrainingError, UsageError
from ..system.files import plain, write_whole
from . import objectives
from .domains import domain_of
from .recipe import Data, Plan

if TYPE_CHECKING:
    from .trainer import Report, Trainer

CONFIG, METRICS, STATE, MODEL = "config.json", "metrics.jsonl", "state.safetensors", "model.safetensors"


def default_folder(corpus: str) -> Path:
    """runs/ and the names of the corpora; a folder or file of one goes by its own name."""
    names = [Path(part).expanduser().resolve().name for part in corpus.split("+")]
    return Path("runs") / "+".join(name.removesuffix(".parquet") for name in names)


@dataclass(frozen=True)
class RunFolder:
    path: Path

    @property
    def model(self) -> Path:
        return self.path / MODEL

    @property
    def has_plan(self) -> bool:
        return (self.path / CONFIG).exists()

    @property
    def has_state(self) -> bool:
        return (self.path / STATE).exists()

    def check(self, *, resume: bool, overwrite: bool) -> None:
        """Raises UsageError if there is no run to resume, and OutputError if a new run would replace another."""
        if resume and not self.has_plan:
            raise UsageError("there is no run to resume", where=str(self.path), remedy="start it without resume=True")
        if self.has_plan and not resume and not overwrite:
            raise OutputError(
                "holds a run already",
                where=str(self.path),
                remedy="give resume=True, overwrite=True, or another folder with output=...",
            )
        if self.path.exists() and not self.path.is_dir():
            raise OutputError("is a file", where=str(self.path), remedy="name a folder with -o")

    def write_plan(self, plan: Plan) -> None:
        """config.json: the plan, and beside it the constants of its objective, as this version has them."""
        body = {**plan.to_json(), "constants": objectives.constants(plan.options.objective)}
        write_whole(self.path / CONFIG, (json.dumps(body, indent=2) + "\n").encode(), overwrite=True)

    def check_constants(self, plan: Plan) -> None:
        """Raises UsageError if the run began with other constants of its objective than this version has: it would go
        on with another objective. Runs of versions that recorded none are not checked."""
        today = objectives.constants(plan.options.objective)
        began: dict[str, float] = json.loads((self.path / CONFIG).read_text()).get("constants", today)
        changed = [f"{name} {began.get(name)}, now {today.get(name)}" for name in {**began, **today}
                   if began.get(name) != today.get(name)]  # fmt: skip
        if changed:
            raise UsageError(
                f"an older arvae began this run, with other constants of {plan.options.objective}: "
                f"{'; '.join(changed)}",
                where=str(self.path),
                remedy="resume it with that version, or start anew with overwrite=True",
            )

    def read_plan(self) -> Plan:
        """The inverse of `write_plan`. Raises UsageError if the file is missing or damaged."""
        from .trainer import TrainingOptions

        try:
            body = json.loads((self.path / CONFIG).read_text())
            dims = domain_of(body["corpus"]).read_dims(body["dims"])
            options = TrainingOptions(**body["options"])
            return Plan(body["corpus"], tuple(body["attributes"]), dims, options, body["mix"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"its {CONFIG} cannot be read ({error})", where=str(self.path), remedy="start anew with overwrite=True"
            ) from error

    def start(self, plan: Plan) -> None:
        """Write the plan of a new run, and remove the files of an older one."""
        self.write_plan(plan)
        for name in (METRICS, STATE, MODEL):
            (self.path / name).unlink(missing_ok=True)

    def record(self, report: Report) -> str:
        """Append the report to metrics.jsonl; the line, without its end. NaN and infinity become null."""
        line = json.dumps(plain(report), allow_nan=False)
        with (self.path / METRICS).open("a") as file:
            file.write(line + "\n")
        return line

    def forget_after(self, step: int) -> None:
        """Drop the reports of later steps, which a crash has lost: the resumed run makes them again."""
        path = self.path / METRICS
        kept = [line for line in path.read_text().splitlines() if _step_of(line) <= step] if path.exists() else []
        write_whole(path, "".join(f"{line}\n" for line in kept).encode(), overwrite=True)

    def state(self) -> dict[str, Any]:
        """What `Trainer.restore` reads, tensors by name. Raises TrainingError if the file is missing or damaged."""
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            return load((self.path / STATE).read_bytes())
        except (OSError, SafetensorError) as error:
            raise TrainingError(
                f"the saved state cannot be read ({error})",
                where=str(self.path),
                remedy="start anew with overwrite=True",
            ) from error

    def save(self, trainer: Trainer, plan: Plan, data: Data, report: Report | None) -> None:
        """Write the model and the state as they are now; `report` is the latest with held-out figures.

        Raises CheckpointError, and writes nothing, if the weights are not finite.
        """
        from safetensors.torch import save

        from ..vae import checkpoint
        from ..version import __version__

        provenance = {
            "corpus": plan.corpus,
            "source": data.source,
            "licence": data.licence,
            "arvae": __version__,
            "made": time.strftime("%Y-%m-%d"),
            "valid": plain(report.valid) if report else None,
        }
        training = {
            **plan.options.to_json(),
            "steps": trainer.step,
            "seconds": round(trainer.seconds, 1),
            "device": _name_of(str(trainer.device)),
        }
        if trainer.objective.fitted:
            training["fitted"] = dict(zip(plan.attributes, trainer.objective.fitted, strict=True))
        made = domain_of(plan.corpus).checkpoint(plan, data, trainer, training, provenance)
        checkpoint.write(self.model, made, overwrite=True)
        write_whole(self.path / STATE, save(trainer.state()), overwrite=True)


def _step_of(line: str) -> float:
    """The step of a report; infinite for a line that was cut off."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


def _name_of(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu"
