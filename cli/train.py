"""`arvae train CORPUS` trains a model and writes it into a run folder (run.py).

Ctrl-C ends the run after the current step and writes its files. A second Ctrl-C ends it at once and loses the steps
after the last checkpoint. A corpus that is not built yet is built first. Under torchrun the same command trains on all
processes, and the first process writes the files.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from .. import research
from ..system import machine
from ..training.distributed import processes
from ..training.objectives import DEFAULT, ENTRIES, entry
from ..training.recipe import BATCH_IN_CONTEXT, EPOCHS, EPOCHS_IN_CONTEXT, EPOCHS_IN_TIME, STEPS, STEPS_IN_CONTEXT
from ..training.run_folder import RunFolder, default_folder
from .corpus import ensure_built
from .run import run_session
from .shared import common, completion

_in_objective = partial(typer.Option, rich_help_panel="Objective")
_in_training = partial(typer.Option, rich_help_panel="Training")
_in_network = partial(typer.Option, rich_help_panel="Network")

CORPUS = "bach, folk, bach+folk, a corpus that you built, or images: sprites, mnist."
EPOCHS_HELP = (
    f"Passes over the corpus.  [default: about {STEPS_IN_CONTEXT} steps, and at most {EPOCHS_IN_CONTEXT} passes; "
    f"other objectives bach {EPOCHS['bach']}, folk {EPOCHS['folk']}, other corpora about {STEPS} steps; images as many "
    f"as fit into 15 minutes; with --minutes, no fewer than {EPOCHS_IN_TIME}]"
)
MINUTES = "Train for this time, or the passes of --epochs if they end first. Sets the schedule of the learning rate."
BATCH = (
    f"Examples per step, over all processes; contextual: measures of 4/4.  [default: {BATCH_IN_CONTEXT}; other "
    "objectives 128; sprites 64]"
)
RATE = (
    "Peak learning rate of Adam; cosine schedule with warm-up, once for each training phase.  "
    "[default: 0.003; other objectives 0.004; images 0.002]"
)
THREADS = "CPU threads; more than one is rarely faster for networks this small."
MIX = "Share of each batch made by combining parts of two measures (not for contextual and images).  [default: 0.5]"
ATTRIBUTES = (
    "Attribute to regularise (repeatable): a name, or your module:function.  "
    "[default: rhythm, range, density, contour; images all of their attributes]"
)
OBJECTIVE = f"One of {', '.join(ENTRIES)}.  [default: contextual; images ar-vae]"
BETA = "Weight of the KL divergence.  [default: the objective's; sprites 2, mnist 1]"
GAMMA = (
    "Weight of the objective's extra loss (ar-vae: the attribute loss).  "
    "[default: the objective's; sprites 200, mnist 60]"
)
DELTA = "Steepness of the tanh in the attribute loss.  [default: 10; sprites 2, mnist 1]"
LATENT = "Latent dimensions.  [default: 32; sprites 10, mnist 16]"
HIDDEN = (
    "Hidden size of the GRUs over beats (contextual: and over measures), or, for images, of the layer next to the "
    "code.  [default: 96; other objectives 128; images 256]"
)
TICK_HIDDEN = "Hidden size of the tick GRUs (not for images).  [default: 128; other objectives 64]"
DROPOUT = "Share of the decoder's inputs that are dropped (not for contextual and images).  [default: 0.1]"

Corpus = Annotated[str, typer.Argument(metavar="CORPUS", help=CORPUS, autocompletion=completion.corpora)]
Out = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="RUN", help="The run's folder.  [default: runs/CORPUS]")
]
Resume = Annotated[bool, typer.Option("--resume", help="Resume the run in that folder, with its own options.")]
Attributes = Annotated[list[str] | None, _in_objective("--attribute", "-a", metavar="NAME", help=ATTRIBUTES)]
Device = Annotated[str, _in_training(metavar="auto|cpu|cuda", help="Where to train; auto takes a GPU if there is one.")]


@dataclass(frozen=True)
class PlanOptions:
    """The options of a run's plan. None stands for the default of the corpus."""

    epochs: Annotated[int | None, _in_training(min=1, metavar="N", help=EPOCHS_HELP)] = None
    batch: Annotated[int | None, _in_training(min=2, metavar="N", help=BATCH)] = None
    learning_rate: Annotated[float | None, _in_training(min=0.0, metavar="X", help=RATE)] = None
    beta: Annotated[float | None, _in_objective(min=0.0, metavar="X", help=BETA)] = None
    gamma: Annotated[float | None, _in_objective(min=0.0, metavar="X", help=GAMMA)] = None
    delta: Annotated[float | None, _in_objective(min=0.0, metavar="X", help=DELTA)] = None
    latent: Annotated[int | None, _in_network(min=1, metavar="N", help=LATENT)] = None
    hidden: Annotated[int | None, _in_network(min=1, metavar="N", help=HIDDEN)] = None
    tick_hidden: Annotated[int | None, _in_network(min=1, metavar="N", help=TICK_HIDDEN)] = None
    token_dropout: Annotated[float | None, _in_network(min=0.0, max=0.99, metavar="X", help=DROPOUT)] = None
    mix: Annotated[float | None, _in_training(min=0.0, max=1.0, metavar="X", help=MIX)] = None


def train(
    corpus: Corpus,
    *,
    output: Out = None,
    resume: Resume = False,
    overwrite: common.Overwrite = False,
    attribute: Attributes = None,
    objective: Annotated[str | None, _in_objective(metavar="NAME", help=OBJECTIVE)] = None,
    given: PlanOptions,
    minutes: Annotated[float | None, _in_training(min=0.01, metavar="MINUTES", help=MINUTES)] = None,
    seed: common.Seed = 0,
    device: Device = "auto",
    threads: Annotated[int, _in_training(min=1, metavar="N", help=THREADS)] = 1,
    json: common.Json = False,
    quiet: common.Quiet = False,
) -> int:
    """Train a model on a corpus: bach or folk (half an hour), sprites or mnist (15 minutes), or your own."""
    machine.patient_threads()  # before anything imports PyTorch
    folder = RunFolder(output or default_folder(corpus))
    entry(objective or DEFAULT)
    folder.check(resume=resume, overwrite=overwrite)
    with processes(device) as place:
        session = research.open_session(
            corpus, folder, place, resume=resume, attributes=attribute, objective=objective, minutes=minutes, seed=seed,
            given=vars(given), build=partial(ensure_built, to_train=True),
        )  # fmt: skip
        return run_session(session, resume=resume, threads=threads, as_json=json)
