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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ArvaeError, CheckpointError, CorpusError, OutputError, TrainingError, UsageError
from ..objectives import DEFAULT, ENTRIES, entry
from . import common
from .main import INTERRUPTED

if TYPE_CHECKING:
    from ..examples import Split
    from ..measure_nets import MeasureDims
    from ..training import Report, Trainer, TrainingOptions

CHECKPOINT_SECONDS = 60.0
EPOCHS = {"bach": 240, "folk": 32}  # 8 and 20 minutes on two cores; others: STEPS
STEPS = 6000  # of a corpus that has no entry there
BATCH, LEARNING_RATE, TOKEN_DROPOUT, MIX = 128, 4e-3, 0.1, 0.5
DEVICES = ("auto", "cpu", "cuda")

_PAPER = "Pati & Lerch (2020)"
_OBJECTIVE = "Objective"
_TRAINING = "Training"
_NETWORK = "Network"

Corpus = Annotated[str, typer.Argument(metavar="CORPUS", help="bach, folk, bach+folk, or a corpus that you built.")]
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
        f"else as many as {STEPS} steps hold]",
    ),
]
Minutes = Annotated[
    float | None,
    typer.Option(min=0.01, rich_help_panel=_TRAINING, help="Stop after this time; the schedule follows the clock."),
]
Batch = Annotated[int, typer.Option(min=2, rich_help_panel=_TRAINING, help="Measures a step, over all processes.")]
Rate = Annotated[
    float, typer.Option("--learning-rate", min=0.0, rich_help_panel=_TRAINING, help="Adam's; falls by a cosine.")
]
Device = Annotated[str, typer.Option(rich_help_panel=_TRAINING, help="auto, cpu or cuda.")]
Threads = Annotated[
    int,
    typer.Option(
        min=1, rich_help_panel=_TRAINING, help="CPU threads; more than one seldom pays for matrices as small as these."
    ),
]
Mix = Annotated[
    float,
    typer.Option(min=0.0, max=1.0, rich_help_panel=_TRAINING, help="Share of a batch joined from two measures' parts."),
]
Attributes = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute",
        "-a",
        metavar="NAME",
        rich_help_panel=_OBJECTIVE,
        help="What a latent dimension shall carry (repeatable): a name, or your module:function.  "
        "[default: rhythm, range, density, contour]",
    ),
]
Name = Annotated[
    str,
    typer.Option("--objective", metavar="NAME", rich_help_panel=_OBJECTIVE, help=f"One of {', '.join(ENTRIES)}."),
]
Beta = Annotated[
    float | None,
    typer.Option(
        min=0.0, rich_help_panel=_OBJECTIVE, help="Weight of the KL divergence.  [default: the objective's]"
    ),
]
Gamma = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        rich_help_panel=_OBJECTIVE,
        help="Weight of what is the objective's own: the attribute loss, for ar-vae.  [default: the objective's]",
    ),
]
Delta = Annotated[
    float, typer.Option(min=0.0, rich_help_panel=_OBJECTIVE, help="Spread of the attribute loss's tanh.")
]
Latent = Annotated[int, typer.Option(min=1, rich_help_panel=_NETWORK, help="Latent dimensions.")]
Hidden = Annotated[int, typer.Option(min=1, rich_help_panel=_NETWORK, help="Hidden size of the beat GRUs.")]
TickHidden = Annotated[int, typer.Option(min=1, rich_help_panel=_NETWORK, help="Hidden size of the tick GRUs.")]
Dropout = Annotated[
    float,
    typer.Option("--token-dropout", min=0.0, max=0.99, rich_help_panel=_NETWORK, help="Of the decoder's inputs."),
]


@dataclass(frozen=True)
class Plan:
    """What a run is: all of it goes into config.json."""

    corpus: str
    attributes: tuple[str, ...]
    dims: MeasureDims
    options: TrainingOptions
    mix: float = 0.0  # share of mixed measures in a batch

    def to_json(self) -> dict[str, Any]:
        return {
            "corpus": self.corpus,
            "attributes": list(self.attributes),
            "dims": self.dims.to_json(),
            "options": self.options.to_json(),
            "mix": self.mix,
        }


def train(
    corpus: Corpus,
    output: Out = None,
    resume: Resume = False,
    overwrite: common.Overwrite = False,
    attribute: Attributes = None,
    epochs: Epochs = None,
    minutes: Minutes = None,
    batch: Batch = BATCH,
    learning_rate: Rate = LEARNING_RATE,
    objective: Name = DEFAULT,
    beta: Beta = None,
    gamma: Gamma = None,
    delta: Delta = 10.0,
    latent: Latent = 32,
    hidden: Hidden = 128,
    tick_hidden: TickHidden = 64,
    token_dropout: Dropout = TOKEN_DROPOUT,
    mix: Mix = MIX,
    seed: common.Seed = 0,
    device: Device = "auto",
    threads: Threads = 1,
    json: common.Json = False,
    quiet: common.Quiet = False,
) -> int:
    """Train a model on a corpus: bach (8 minutes on two cores), folk (20), or one of your own."""
    if device not in DEVICES:
        raise UsageError(f"there is no device {device!r}", remedy=f"give {', '.join(DEVICES)}")
    usual = entry(objective)
    run = output or default_run(corpus)
    _check_run(run, resume, overwrite)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: spinning threads starve other programs
    from ..attributes import PAPER
    from ..measure_nets import MeasureDims
    from ..training import TrainingOptions

    with processes(device) as place:
        plan = read_plan(run) if resume else None
        names = plan.attributes if plan else tuple(attribute or PAPER)
        data = load_data(plan.corpus if plan else corpus, names)
        if plan is None:
            dims = MeasureDims(latent=latent, hidden=hidden, tick_hidden=tick_hidden, token_dropout=token_dropout)
            options = TrainingOptions(
                epochs=epochs or _default_epochs(corpus, len(data.split.train), batch),
                minutes=minutes,
                objective=objective,
                beta=usual.beta if beta is None else beta,
                gamma=usual.gamma if gamma is None else gamma,
                delta=delta,
                batch=batch,
                learning_rate=learning_rate,
                seed=seed,
            )
            plan = Plan(corpus, names, dims, options, mix)
        return Run(run, plan, data, place, as_json=json).go(resume, threads)


def default_run(corpus: str) -> Path:
    """runs/ and the names of the corpora: folders and files go by their own."""
    names = [Path(part).expanduser().resolve().name for part in corpus.split("+")]
    return Path("runs") / "+".join(name.removesuffix(".parquet") for name in names)


def _default_epochs(corpus: str, measures: int, batch: int) -> int:
    return EPOCHS.get(corpus) or max(STEPS * batch // max(measures, 1), 1)


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
    from ..measure_nets import MeasureDims
    from ..training import TrainingOptions

    try:
        body = json.loads((run / "config.json").read_text())
        dims, options = MeasureDims(**body["dims"]), TrainingOptions(**body["options"])
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


@dataclass(frozen=True)
class Data:
    split: Split
    licence: str


def load_data(corpus: str, attributes: tuple[str, ...]) -> Data:
    """The corpus, built where it is not yet, split by tune."""
    from ..attributes import find
    from ..corpora import registry
    from ..examples import split
    from .corpus import ensure_built

    if _first():
        for name in corpus.split("+"):
            ensure_built(name)
    _barrier()
    data = registry.load(corpus)
    specs = [find(name) for name in attributes]
    twice = [spec.name for spec in specs if [other.name for other in specs].count(spec.name) > 1]
    if twice:
        raise UsageError(f"the attribute {twice[0]} is given twice", remedy="name each once")
    parts = split(data.examples(specs))
    if len(parts.valid) == 0:
        raise CorpusError(f"{corpus} is too small to hold a tune out", remedy="add tunes, or join it to another with +")
    return Data(parts, "; ".join(facts.licence for facts in data.facts))


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

        from ..attributes import evaluate_mixed, find
        from ..measure_nets import accuracy, build
        from ..mixing import Mixer
        from ..objectives import make
        from ..training import Trainer, seed_all

        seed_all(self.plan.options.seed, 0, 0)
        model = build(self.plan.dims).to(torch.device(self.device))
        specs, split, options = [find(name) for name in self.plan.attributes], self.data.split, self.plan.options
        setting = options.setting(model.latent, split.train, partial(evaluate_mixed, specs))
        objective = make(options.objective, setting)
        mixer = Mixer(specs, self.plan.mix)
        return Trainer(model, split.train, split.valid, options, accuracy, mixer, objective)

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
        from ..attributes import find
        from ..files import write_whole
        from ..measure_model import origin_of, to_checkpoint

        provenance = {
            "corpus": self.plan.corpus,
            "licence": self.data.licence,
            "arvae": __version__,
            "made": time.strftime("%Y-%m-%d"),
            "valid": common.plain(report.valid) if report else None,
        }
        training = {
            **self.plan.options.to_json(),
            "mix": self.plan.mix,
            "steps": trainer.step,
            "seconds": round(trainer.seconds, 1),
        }
        specs = [find(name) for name in self.plan.attributes]
        origins = [origin_of(name) for name in self.plan.attributes]
        made = to_checkpoint(
            trainer.model,
            self.plan.dims,
            self.data.split.train,
            specs,
            origins,
            training,
            provenance,
            trainer.objective.carriage,
        )
        checkpoint.write(self.folder / checkpoint.MODEL_FILE, made, overwrite=True)
        write_whole(self.folder / "state.safetensors", save(trainer.state()), overwrite=True)

    # -------------------------------------------------------------------------- going

    def _train(self, trainer: Trainer) -> bool:
        """Whether it was interrupted."""
        saved, latest = time.monotonic(), None
        with _clean_stop(trainer) as stop, _Progress(_first() and not self.as_json) as progress:
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
            common.say(f"wrote {path}; try `arvae edit melody.mid --density +1.5 --model {self.folder}`")


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

    def __init__(self, wanted: bool) -> None:
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
            self.live.update(_table(report, self.valid), refresh=True)
        elif self.wanted and report.valid is not None:
            common.say(_line(report))


def _line(report: Report) -> str:
    valid = report.valid or {}
    return (
        f"step {report.step}  epoch {report.epoch:.1f}  loss {report.loss:.3f} of {_parts(report)}; held-out tokens "
        f"{valid.get('tokens', 0):.4f}, measures {valid.get('measures', 0):.3f}; {report.rate:.0f} measures/s, "
        f"{_clock(report.remaining)} left"
    )


def _parts(report: Report) -> str:
    """The loss's parts, before their weights."""
    return ", ".join(f"{name} {value:.3g}" for name, value in report.parts.items())


def _table(report: Report, valid: dict[str, float] | None) -> Any:
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_row("", ProgressBar(total=1.0, completed=report.progress, width=40))
    table.add_row("epoch", f"{report.epoch:.1f}, step {report.step}, {report.rate:.0f} measures/s")
    table.add_row("loss", f"{report.loss:.3f} of {_parts(report)}")
    if valid:
        table.add_row("held out", f"tokens {valid['tokens']:.4f}, whole measures {valid['measures']:.3f}")
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


def _first() -> bool:
    return int(os.environ.get("RANK", "0")) == 0


def _barrier() -> None:
    import torch.distributed as dist

    if dist.is_initialized():
        dist.barrier()
