"""Training models from Python: what `arvae train` does, without a terminal.

    from arvae_music import research

    data = research.corpus("bach")                                       # built first, if it is not built yet
    model = research.train("bach", "runs/bach", minutes=15, progress=print)
    result = model.edit(song.melody, density=+1.5)

`import arvae_music.research` costs nothing: PyTorch and the rest are imported when a function is called.
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
    """A corpus of music in memory: "bach", "folk", or a folder of MIDI files and scores. It is built first if it is not
    in the cache, or with `rebuild`.

    `jobs`: how many processes read the scores; None is one a core. Raises CorpusError for a name that does not exist,
    for a set of images, and if nothing in the folder can be used.
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
    """Train a model in a run folder, as `arvae train` does with the options of the same names, and return it.

    The same seed and options give the same weights, except with `minutes` and on other machines.

    corpus         "bach", "folk", "bach+folk", a corpus or folder that is built; or images, "sprites" and "mnist".
                   arvae's own corpora are built first, if they are not built yet
    output         the run folder; None is runs/CORPUS. It has the files that run_folder.py describes
    resume         continue the run in that folder, with its own options: all but `device`, `threads` and `progress`
                   are ignored. A run that is over is returned as it is
    overwrite      replace a run that is in the folder
    attributes     the attributes to regularise: names, or "module:function" of your own; None is the corpus's own
    epochs         passes over the corpus; None is half an hour for bach and folk, else 6,000 steps
    minutes        stop after this training time; the learning rate's schedule then follows the clock
    batch          rows a step, over all processes
    learning_rate  of Adam, at its highest
    objective      a name of training.objectives.ENTRIES; None is "aligned" for music and "ar-vae" for images
    beta, gamma    weights of the KL divergence and of the objective's own term; None is the objective's usual
    delta          of the attribute loss, for "ar-vae" only
    latent         latent dimensions
    hidden         size of the beats' GRUs, or of the layer beside an image's latent
    tick_hidden, token_dropout, mix
                   size of the ticks' GRUs, share of the decoder's inputs that are dropped, and share of a batch that
                   joins parts of two measures; for music only
    device         "auto", "cpu" or "cuda"
    threads        of PyTorch on a CPU
    progress       called with each training.trainer.Report, about every 20 steps

    A KeyboardInterrupt passes through: the folder then has the last checkpoint, which is at most a minute old, and
    `resume` goes on from there. During the run PyTorch has `threads` threads and "medium" precision of float32
    products; its random generator is seeded anew.

    Raises UsageError for options that do not fit, OutputError if the folder holds a run already, CorpusError if the
    corpus is not built or too small, and TrainingError if the run diverges.
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
    """A run that can begin: its plan, of these options or of the folder that it resumes, and its data.

    `given` has the other options by the names of recipe.Defaults, None for a default. `build` builds what the corpus
    lacks, in the first process; None builds it silently. Raises what `train` raises.
    """
    from .corpora import datasets
    from .training.distributed import barrier, first
    from .training.domains import domain_of, make_plan
    from .training.objectives import entry
    from .training.session import Session

    objective = objective or domain_of(corpus).objective
    entry(objective)  # an unknown one is told before anything is loaded
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
