"""Train models from Python, as `arvae train` does on the command line.

    from arvae_music import research

    data = research.corpus("bach")                                       # built first, if it is not built yet
    model = research.train("bach", "runs/bach", minutes=15, progress=print)
    result = model.edit(song.melody, density=+1.5)

Importing this module is fast: PyTorch and other large libraries are imported when a function is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import CorpusError

if TYPE_CHECKING:
    from .corpora.registry import CorpusData
    from .images.model import ImageModel
    from .library import Model
    from .training.run_folder import RunFolder
    from .training.session import Session
    from .training.trainer import Report

Progress = Callable[["Report"], object]


def corpus(name_or_folder: str | Path, jobs: int | None = None, rebuild: bool = False) -> CorpusData:
    """Load a corpus of music: "bach", "folk", or a folder of MIDI files and scores.

    The corpus is built first if it is not in the cache, or if `rebuild` is True. `jobs` is the number of processes
    that read the scores; None means one for each core. Raises CorpusError for a name that does not exist, for a set of
    images, and for a folder without a usable melody.
    """
    from .corpora import build, registry
    from .training.domains import IMAGE_SETS

    if str(name_or_folder) in IMAGE_SETS:
        raise CorpusError(f"{name_or_folder} is a set of images", remedy="train on it with research.train")
    found = registry.find(name_or_folder)
    if rebuild or not build.is_built(found):
        for _ in build.build(found, jobs=jobs, rebuild=rebuild):
            pass
    return registry.load(found.name)


def train(
    corpus: str | Path,
    output: str | Path | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    attributes: Sequence[str] | None = None,
    epochs: int | None = None,
    minutes: float | None = None,
    batch: int | None = None,
    learning_rate: float | None = None,
    objective: str | None = None,
    beta: float | None = None,
    gamma: float | None = None,
    delta: float | None = None,
    latent: int | None = None,
    hidden: int | None = None,
    tick_hidden: int | None = None,
    token_dropout: float | None = None,
    mix: float | None = None,
    seed: int = 0,
    device: str = "auto",
    threads: int = 1,
    progress: Progress | None = None,
) -> Model | ImageModel:
    """Train a model in a run folder and return it. `arvae train` has options of the same names.

    The same seed and options give the same weights on the same machine, unless `minutes` is given.

    corpus         music: "bach", "folk", "bach+folk", or a corpus or folder that is built; images: "sprites" or
                   "mnist". arvae builds its own corpora first if necessary
    output         the run folder; None means runs/CORPUS. run_folder.py describes its files
    resume         continue the run in that folder with the options that it was started with: only `device`, `threads`
                   and `progress` are used. A finished run is returned as it is
    overwrite      replace a run that is already in the folder
    attributes     the attributes to regularise: names, or "module:function" for your own; None means the default
                   attributes of the corpus
    epochs         passes over the corpus; None means about half an hour on one core
    minutes        stop after this training time; the learning rate schedule then follows the clock
    batch          examples per step, over all processes; for "contextual", measures of 4/4
    learning_rate  the highest learning rate of Adam
    objective      a name from training.objectives.ENTRIES; None means "contextual" for music and "ar-vae" for images
    beta, gamma    weights of the KL divergence and of the objective's own term; None means the objective's default
    delta          slope of the attribute loss, for "contextual" and "ar-vae" only
    latent         number of latent dimensions
    hidden         size of the GRUs over beats, or of the layer before and after the latent code of images
    tick_hidden    size of the GRUs over ticks, for music only
    token_dropout  share of the decoder's input tokens that are dropped, for single measures only
    mix            share of a batch that joins parts of two measures, for single measures only
    device         "auto", "cpu" or "cuda"
    threads        number of threads of PyTorch on a CPU
    progress       a function that is called with a training.trainer.Report about every 20 steps

    After a KeyboardInterrupt the folder holds the last checkpoint, which is at most a minute old, and `resume=True`
    continues from it. The run sets PyTorch's number of threads and its float32 precision ("medium") until it ends, and
    seeds PyTorch's random generator.

    Raises UsageError for options that do not fit together, OutputError if the folder already holds a run, CorpusError
    if the corpus is not built or too small, and TrainingError if the run diverges.
    """
    from .training.distributed import barrier, processes
    from .training.domains import IMAGE_SETS
    from .training.run_folder import RunFolder, default_folder
    from .training.session import settled

    given = {
        "epochs": epochs, "batch": batch, "learning_rate": learning_rate, "beta": beta, "gamma": gamma, "delta": delta,
        "latent": latent, "hidden": hidden, "tick_hidden": tick_hidden, "token_dropout": token_dropout, "mix": mix,
    }  # fmt: skip
    folder = RunFolder(Path(output) if output is not None else default_folder(str(corpus)))
    folder.check(resume=resume, overwrite=overwrite)
    with processes(device) as place, settled(threads):
        session = open_session(
            str(corpus), folder, place, resume=resume, attributes=attributes, objective=objective, minutes=minutes,
            seed=seed, given=given,
        )  # fmt: skip
        session.begin(resume=resume)
        for report in () if session.is_over else session.reports():
            if progress is not None:
                progress(report)
        barrier()  # the first process has written the model
    if session.plan.corpus in IMAGE_SETS:
        from .images import model as images

        return images.load(folder.path)
    from . import library

    return library.load(folder.path)


def open_session(
    corpus: str,
    folder: RunFolder,
    device: str,
    *,
    resume: bool,
    attributes: Sequence[str] | None,
    objective: str | None,
    minutes: float | None,
    seed: int,
    given: Mapping[str, Any],
    build: Callable[[str], None] | None = None,
) -> Session:
    """Prepare a run: load its data, and make its plan from these options or read it from the folder to resume.

    `given` maps the names of recipe.Defaults to the other options, with None for a default. `build` builds a corpus
    that is missing, in the first process; None builds it without messages. Raises the errors of `train`.
    """
    from .corpora import datasets
    from .training.distributed import barrier, first
    from .training.domains import domain_of, make_plan
    from .training.objectives import entry
    from .training.session import Session

    objective = objective or domain_of(corpus).objective
    entry(objective)  # an unknown objective is an error before anything is loaded
    plan = folder.read_plan() if resume else None
    trained = plan.corpus if plan else corpus
    names = plan.attributes if plan else tuple(attributes or domain_of(corpus).attributes(corpus))
    if first():
        (build or datasets.build_missing)(trained)
    barrier()
    data = datasets.load(trained, names)
    if plan is None:
        plan = make_plan(corpus, names, data.rows, objective, minutes, seed, given)
    return Session(folder, plan, data, device)
