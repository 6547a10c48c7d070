"""`arvae train CORPUS` trains a model and writes it into a run folder (run.py).

Ctrl-C ends the run after the current step and writes its files. A second Ctrl-C ends it at once and loses the steps
after the last checkpoint. A corpus that is not built yet is built first. Under torchrun the same command trains on all
processes, and the first process writes the files.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from .. import research
from ..system import machine
from ..training.distributed import processes
from ..training.objectives import DEFAULT, ENTRIES, entry
from ..training.recipe import EPOCHS, STEPS
from ..training.run_folder import RunFolder, default_folder
from .corpus import ensure_built
from .run import run_session
from .shared import common, completion

_OBJECTIVE = "Objective"
_TRAINING = "Training"
_NETWORK = "Network"

Corpus = Annotated[
    str,
    typer.Argument(
        metavar="CORPUS", help="bach, folk, bach+folk, a corpus that you built, or images: sprites, mnist.",
        autocompletion=completion.corpora,
    ),
]
Out = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="RUN", help="The run's folder.  [default: runs/CORPUS]")
]
Resume = Annotated[bool, typer.Option("--resume", help="Resume the run in that folder, with its own options.")]
Epochs = Annotated[
    int | None,
    typer.Option(
        min=1,
        rich_help_panel=_TRAINING,
        help=f"Passes over the corpus.  [default: bach {EPOCHS['bach']}, folk {EPOCHS['folk']}, "
        f"images as many as fit into 15 minutes, other corpora about {STEPS} steps]",
    ),
]
Minutes = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        rich_help_panel=_TRAINING,
        help="Training time in minutes; the learning rate is scheduled over it.",
    ),
]
Batch = Annotated[
    int | None,
    typer.Option(
        min=2, rich_help_panel=_TRAINING, help="Examples per step, over all processes.  [default: 128; sprites 64]"
    ),
]
Rate = Annotated[
    float | None,
    typer.Option(
        "--learning-rate",
        min=0.0,
        rich_help_panel=_TRAINING,
        help="Peak learning rate of Adam; cosine schedule with warm-up, once for each training phase.  "
        "[default: 0.004; images 0.002]",
    ),
]
Device = Annotated[str, typer.Option(rich_help_panel=_TRAINING, help="auto, cpu or cuda.")]
Threads = Annotated[
    int,
    typer.Option(
        min=1, rich_help_panel=_TRAINING, help="CPU threads; more than one is rarely faster for networks this small."
    ),
]
Mix = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=1.0,
        rich_help_panel=_TRAINING,
        help="Share of each batch made by combining parts of two measures (not for images).  [default: 0.5]",
    ),
]
Attributes = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute",
        "-a",
        metavar="NAME",
        rich_help_panel=_OBJECTIVE,
        help="Attribute to regularise (repeatable): a name, or your module:function.  "
        "[default: rhythm, range, density, contour; images all of their attributes]",
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--objective",
        metavar="NAME",
        rich_help_panel=_OBJECTIVE,
        help=f"One of {', '.join(ENTRIES)}.  [default: aligned; images ar-vae]",
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
        help="Weight of the objective's extra loss (ar-vae: the attribute loss).  "
        "[default: the objective's; sprites 200, mnist 60]",
    ),
]
Delta = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        rich_help_panel=_OBJECTIVE,
        help="Steepness of the tanh in the attribute loss.  [default: 10; sprites 2, mnist 1]",
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
        help="Hidden size of the beat GRUs; for images, of the layer next to the code.  [default: 128; images 256]",
    ),
]
TickHidden = Annotated[
    int | None,
    typer.Option(min=1, rich_help_panel=_NETWORK, help="Hidden size of the tick GRUs (not for images).  [default: 64]"),
]
Dropout = Annotated[
    float | None,
    typer.Option(
        "--token-dropout",
        min=0.0,
        max=0.99,
        rich_help_panel=_NETWORK,
        help="Share of the decoder's inputs that are dropped (not for images).  [default: 0.1]",
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
    """Train a model on a corpus: bach or folk (half an hour), sprites or mnist (15 minutes), or your own."""
    machine.patient_threads()  # before anything imports PyTorch
    given = {
        "epochs": epochs, "batch": batch, "learning_rate": learning_rate, "beta": beta, "gamma": gamma, "delta": delta,
        "latent": latent, "hidden": hidden, "tick_hidden": tick_hidden, "token_dropout": token_dropout, "mix": mix,
    }  # fmt: skip
    folder = RunFolder(output or default_folder(corpus))
    entry(objective or DEFAULT)
    folder.check(resume=resume, overwrite=overwrite)
    with processes(device) as place:
        session = research.open_session(
            corpus, folder, place, resume=resume, attributes=attribute, objective=objective, minutes=minutes, seed=seed,
            given=given, build=partial(ensure_built, to_train=True),
        )  # fmt: skip
        return run_session(session, resume=resume, threads=threads, as_json=json)
