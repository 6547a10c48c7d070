"""`arvae train CORPUS`: train a model, into a run folder (run.py).

Ctrl-C ends the run after the current step, with its files written; a second one does so at once, and loses what came
after the last checkpoint. A corpus that is not built yet is built first. Under torchrun the same command trains on all
processes; the first writes the files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import OutputError, UsageError
from ..system import machine
from ..training.objectives import DEFAULT, ENTRIES, NOTHING, entry
from .corpus import ensure_built, ensure_varied
from .domains import BATCH, EPOCHS, STEPS, Data, Plan, domain_of
from .run import Run, barrier, first
from .shared import common, completion

DEVICES = ("auto", "cpu", "cuda")

_PAPER = "Pati & Lerch (2020)"
_OBJECTIVE = "Objective"
_TRAINING = "Training"
_NETWORK = "Network"

Corpus = Annotated[
    str,
    typer.Argument(
        metavar="CORPUS", help="bach, folk, bach+folk, a corpus that you built; or images: sprites, mnist.",
        autocompletion=completion.corpora,
    ),
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
        help="Adam's; rises, then falls by a cosine, in each phase of the run: aligned has two.  "
        "[default: 0.004; images 0.002]",
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
    machine.patient_threads()
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
    from ..training.trainer import TrainingOptions, room_for

    domain = domain_of(corpus)
    options = vars(domain.defaults(corpus, rows, objective, given.get("batch") or BATCH))
    foreign = [name for name, value in given.items() if value is not None and options[name] is None]
    if foreign:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in foreign)
        raise UsageError(f"there is no {names} for {corpus}", remedy="leave it out")
    _refuse_idle(objective, given)
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


def _refuse_idle(objective: str, given: Mapping[str, Any]) -> None:
    """Raises UsageError for a weight that the objective has no use for."""
    idle = {"gamma": entry(objective).weighs == NOTHING, "delta": objective != DEFAULT}
    for name, unused in idle.items():
        if unused and given.get(name) is not None:
            raise UsageError(f"--{name} does nothing in {objective}", remedy="leave it out, or name an --objective")


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
    from ..training.trainer import TrainingOptions

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
    if first():
        for name in corpus.split("+"):
            ensure_built(name)
        ensure_varied(corpus)
    barrier()
    return domain_of(corpus).load(corpus, attributes)
