"""`arvae train CORPUS`: train a model, into a run folder.

    RUN/model.safetensors    the model, usable at any time: written every CHECKPOINT_SECONDS and at the end
    RUN/state.safetensors    what --resume needs besides
    RUN/config.json          the options that the run was started with; --resume reads them
    RUN/metrics.jsonl        a line a report

Ctrl-C ends the run after the current step, with both files written; a second one does so at once, and loses
what came after the last checkpoint. A corpus that is not built yet is built first. Under torchrun the same
command trains on all processes; the first writes the files.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import settings
from ..errors import ArvaeError, CheckpointError, OutputError, TrainingError, UsageError
from ..objectives import ENTRIES, entry
from . import common
from .corpus import ensure_built, ensure_varied
from .domains import BATCH, EPOCHS, STEPS, Data, Domain, Plan, domain_of
from .main import INTERRUPTED

if TYPE_CHECKING:
    from ..training import Report, Trainer

CHECKPOINT_SECONDS = 60.0
DEVICES = ("auto", "cpu", "cuda")

_PAPER = "Pati & Lerch (2020)"
_OBJECTIVE = "Objective"
_TRAINING = "Training"
_NETWORK = "Network"

Corpus = Annotated[
    str,
    typer.Argument(metavar="CORPUS", help="bach, folk, bach+folk, a corpus that you built; or images: sprites, mnist."),
]
Out = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="RUN", help="The run's folder.  [default: runs/CORPUS]")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in that folder, with its options.")]
Epochs = Annotated[
    int | None,
    typer.Option(
        min=1,
        rich_help_panel=_TRAINING,
        help=f"Passes over the corpus.  [default: {EPOCHS['bach']} for bach, {EPOCHS['folk']} for folk, "
        f"of images what 15 minutes hold, else as many as {STEPS} steps]",
    ),
]
Minutes = Annotated[
    float | None,
    typer.Option(min=0.01, rich_help_panel=_TRAINING, help="Stop after this time; the schedule follows the clock."),
]
Batch = Annotated[
    int | None,
    typer.Option(min=2, rich_help_panel=_TRAINING, help="Rows a step, over all processes.  [default: 128; sprites 64]"),
]
Rate = Annotated[
    float | None,
    typer.Option(
        "--learning-rate",
        min=0.0,
        rich_help_panel=_TRAINING,
        help="Adam's; falls by a cosine.  [default: 0.004; images 0.002]",
    ),
]
Device = Annotated[str, typer.Option(rich_help_panel=_TRAINING, help="auto, cpu or cuda.")]
Threads = Annotated[
    int,
    typer.Option(
        min=1, rich_help_panel=_TRAINING, help="CPU threads; more than one seldom pays for matrices as small as these."
    ),
]
Mix = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=1.0,
        rich_help_panel=_TRAINING,
        help="Share of a batch joined from two measures' parts.  [default: 0.5; none of images]",
    ),
]
Attributes = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute",
        "-a",
        metavar="NAME",
        rich_help_panel=_OBJECTIVE,
        help="What a latent dimension shall carry (repeatable): a name, or your module:function.  "
        "[default: rhythm, range, density, contour; of images all of their own]",
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--objective",
        metavar="NAME",
        rich_help_panel=_OBJECTIVE,
        help=f"One of {', '.join(ENTRIES)}.  [default: aligned; of images ar-vae]",
    ),
]
Beta = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        rich_help_panel=_OBJECTIVE,
        help="Weight of the KL divergence.  [default: the objective's; sprites 2, mnist 1]",
    ),
]
Gamma = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        rich_help_panel=_OBJECTIVE,
        help="Weight of what is the objective's own: the attribute loss, for ar-vae.  "
        "[default: the objective's; sprites 200, mnist 60]",
    ),
]
Delta = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        rich_help_panel=_OBJECTIVE,
        help="Spread of the attribute loss's tanh.  [default: 10; sprites 2, mnist 1]",
    ),
]
Latent = Annotated[
    int | None,
    typer.Option(min=1, rich_help_panel=_NETWORK, help="Latent dimensions.  [default: 32; sprites 10, mnist 16]"),
]
Hidden = Annotated[
    int | None,
    typer.Option(
        min=1,
        rich_help_panel=_NETWORK,
        help="Hidden size of the beat GRUs, or of the layer beside an image's latent.  [default: 128; images 256]",
    ),
]
TickHidden = Annotated[
    int | None,
    typer.Option(min=1, rich_help_panel=_NETWORK, help="Hidden size of the tick GRUs.  [default: 64; none of images]"),
]
Dropout = Annotated[
    float | None,
    typer.Option(
        "--token-dropout",
        min=0.0,
        max=0.99,
        rich_help_panel=_NETWORK,
        help="Of the decoder's inputs.  [default: 0.1; none of images]",
    ),
]


def train(
    corpus: Corpus,
    output: Out = None,
    resume: Resume = False,
    overwrite: common.Overwrite = False,
    attribute: Attributes = None,
    epochs: Epochs = None,
    minutes: Minutes = None,
    batch: Batch = None,
    learning_rate: Rate = None,
    objective: Name = None,
    beta: Beta = None,
    gamma: Gamma = None,
    delta: Delta = None,
    latent: Latent = None,
    hidden: Hidden = None,
    tick_hidden: TickHidden = None,
    token_dropout: Dropout = None,
    mix: Mix = None,
    seed: common.Seed = 0,
    device: Device = "auto",
    threads: Threads = 1,
    json: common.Json = False,
    quiet: common.Quiet = False,
) -> int:
    """Train a model on a corpus: bach or folk (half an hour), one of your own; sprites or mnist (15 minutes)."""
    if device not in DEVICES:
        raise UsageError(f"there is no device {device!r}", remedy=f"give {', '.join(DEVICES)}")
    objective = objective or domain_of(corpus).objective
    entry(objective)
    run = output or default_run(corpus)
    _check_run(run, resume, overwrite)
    settings.patient_threads()
    given = {
        "epochs": epochs, "batch": batch, "learning_rate": learning_rate, "beta": beta, "gamma": gamma, "delta": delta,
        "latent": latent, "hidden": hidden, "tick_hidden": tick_hidden, "token_dropout": token_dropout, "mix": mix,
    }  # fmt: skip
    with processes(device) as place:
        plan = read_plan(run) if resume else None
        trained = plan.corpus if plan else corpus
        names = plan.attributes if plan else tuple(attribute or domain_of(corpus).attributes(corpus))
        data = load_data(trained, names)
        if plan is None:
            plan = make_plan(corpus, names, data.rows, objective, minutes, seed, given)
        return Run(run, plan, data, place, as_json=json).go(resume, threads)


def make_plan(
    corpus: str,
    attributes: tuple[str, ...],
    rows: int,
    objective: str,
    minutes: float | None,
    seed: int,
    given: Mapping[str, Any],
) -> Plan:
    """A run on so many training rows with the options that were `given`, None where not. Raises UsageError for those
    that such a run does not have."""
    from ..training import TrainingOptions, room_for

    domain = domain_of(corpus)
    options = vars(domain.defaults(corpus, rows, objective, given.get("batch") or BATCH))
    foreign = [name for name, value in given.items() if value is not None and options[name] is None]
    if foreign:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in foreign)
        raise UsageError(f"there is no {names} for {corpus}", remedy="leave it out")
    options = options | {name: value for name, value in given.items() if value is not None}
    training = TrainingOptions(
        epochs=options["epochs"],
        minutes=minutes,
        objective=objective,
        beta=options["beta"],
        gamma=options["gamma"],
        delta=options["delta"],
        batch=options["batch"],
        learning_rate=options["learning_rate"],
        clip=options["clip"],
        seed=seed,
    )
    room_for(len(attributes), options["latent"])  # some networks cannot even be made
    dims = domain.dims(corpus, {**options, "objective": objective, "attributes": attributes})
    return Plan(corpus, attributes, dims, training, options["mix"] or 0.0)


def default_run(corpus: str) -> Path:
    """runs/ and the names of the corpora: folders and files go by their own."""
    names = [Path(part).expanduser().resolve().name for part in corpus.split("+")]
    return Path("runs") / "+".join(name.removesuffix(".parquet") for name in names)


def _check_run(run: Path, resume: bool, overwrite: bool) -> None:
    started = (run / "config.json").exists()
    if resume and not started:
        raise UsageError("there is no run to resume", where=str(run), remedy="start it without --resume")
    if started and not resume and not overwrite:
        raise OutputError(
            "holds a run already", where=str(run), remedy="give --resume, --overwrite, or another folder with -o"
        )
    if run.exists() and not run.is_dir():
        raise OutputError("is a file", where=str(run), remedy="name a folder with -o")


def read_plan(run: Path) -> Plan:
    from ..training import TrainingOptions

    try:
        body = json.loads((run / "config.json").read_text())
        dims = domain_of(body["corpus"]).read_dims(body["dims"])
        options = TrainingOptions(**body["options"])
        return Plan(body["corpus"], tuple(body["attributes"]), dims, options, body["mix"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"its config.json cannot be read ({error})", where=str(run), remedy="start anew with --overwrite"
        ) from error


@contextmanager
def processes(device: str) -> Iterator[str]:
    """The device of this process; under torchrun, the process group too."""
    import torch

    cuda = torch.cuda.is_available()
    if device == "cuda" and not cuda:
        raise UsageError("PyTorch sees no CUDA device", remedy="give --device cpu")
    kind = "cuda" if device == "cuda" or (device == "auto" and cuda) else "cpu"
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield kind
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if kind == "cuda":
        torch.cuda.set_device(local)
    torch.distributed.init_process_group("nccl" if kind == "cuda" else "gloo")
    try:
        yield f"cuda:{local}" if kind == "cuda" else "cpu"
    finally:
        torch.distributed.destroy_process_group()


def load_data(corpus: str, attributes: tuple[str, ...]) -> Data:
    """The corpus, built where it is not yet, split by piece."""
    if _first():
        for name in corpus.split("+"):
            ensure_built(name)
        ensure_varied(corpus)
    _barrier()
    return domain_of(corpus).load(corpus, attributes)


class Run:
    """One training run and its folder."""

    def __init__(self, folder: Path, plan: Plan, data: Data, device: str, *, as_json: bool) -> None:
        self.folder, self.plan, self.data, self.device, self.as_json = folder, plan, data, device, as_json

    def go(self, resume: bool, threads: int) -> int:
        from .. import processor

        processor.settle(threads)
        trainer = self._trainer()
        if resume:
            trainer.restore(self._state())
            if trainer.progress >= 1.0:
                common.say(f"{self.folder} has run to its end, step {trainer.step}: there is nothing to go on with")
                return 0
            if _first():
                self._forget_after(trainer.step)
        elif _first():
            self._start()
        stopped = self._train(trainer)
        if _first():
            self._say_end(trainer, stopped)
        return INTERRUPTED if stopped else 0

    def _trainer(self) -> Trainer:
        import torch

        from ..training import seed_all

        seed_all(self.plan.options.seed, 0, 0)
        return self.plan.domain.trainer(self.plan, self.data, torch.device(self.device))

    # -------------------------------------------------------------------------- the run's files

    def _start(self) -> None:
        from ..files import write_whole

        text = json.dumps(self.plan.to_json(), indent=2) + "\n"
        write_whole(self.folder / "config.json", text.encode(), overwrite=True)
        for name in ("metrics.jsonl", "state.safetensors", "model.safetensors"):
            (self.folder / name).unlink(missing_ok=True)

    def _forget_after(self, step: int) -> None:
        """Drop the reports of steps that a crash has lost: they will be made again."""
        from ..files import write_whole

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

        from .. import __version__, checkpoint
        from ..files import write_whole

        provenance = {
            "corpus": self.plan.corpus,
            "source": self.data.source,
            "licence": self.data.licence,
            "arvae": __version__,
            "made": time.strftime("%Y-%m-%d"),
            "valid": common.plain(report.valid) if report else None,
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
        with _clean_stop(trainer) as stop, _Progress(self.plan.domain, _first() and not self.as_json) as progress:
            try:
                for report in trainer.run():
                    latest = report if report.valid else latest
                    if not _first():
                        continue
                    self._record(report)
                    progress.show(report)
                    if time.monotonic() - saved > CHECKPOINT_SECONDS:
                        self._save(trainer, latest)
                        saved = time.monotonic()
                if _first():
                    self._save(trainer, latest)
            except (TrainingError, CheckpointError) as error:
                raise self._with_checkpoint(error) from error
        return stop.asked

    def _record(self, report: Report) -> None:
        line = json.dumps(common.plain(report), allow_nan=False)
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


def _first() -> bool:
    return int(os.environ.get("RANK", "0")) == 0


def _barrier() -> None:
    import torch.distributed as dist

    if dist.is_initialized():
        dist.barrier()
