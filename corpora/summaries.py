"""Summaries of corpora, as lines of text and tables that a command can print, and as data for JSON.

    listing()                           every corpus that arvae can build, and every one that is built
    built_lines(facts)                  the result of a build
    music(name, attributes, seed)       the contents of a built corpus of music
    images(name, attributes, seed)      the contents of a corpus of images
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..music.attributes import PAPER, find
from ..vae.examples import split
from . import images as image_corpora
from . import registry
from .describe import Description, describe
from .store import Facts

FEW = 20  # scores left out, up to which all are named


@dataclass(frozen=True)
class Table:
    """Rows of text below their headings. With `numbers`, every column except the first is aligned right."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: bool = False


@dataclass(frozen=True)
class Summary:
    """The same content twice: for people, in the order in which to print it, and as data for JSON."""

    parts: Sequence[str | Table]
    data: Any


def listing() -> Summary:
    """All corpora, each with its name, description and size, and whether it is built."""
    built = registry.built()
    descriptions = {name: corpus.description for name, corpus in registry.built_in().items()}
    descriptions |= {name: facts.description for name, facts in built.items()}
    rows, data = list[tuple[str, ...]](), list[dict[str, Any]]()
    for name, text in descriptions.items():
        facts = built.get(name)
        size = (f"{facts.tunes:,}", f"{facts.measures:,}") if facts else ("-", "not built")
        rows.append((name, *size, text))
        data.append({"name": name, "description": text, "built": name in built, "facts": facts})
    for name in image_corpora.NAMES:
        text, count = image_corpora.DESCRIPTIONS[name], image_corpora.count(name)
        rows.append((name, "-", "not built" if count is None else f"{count:,} images", text))
        data.append({"name": name, "description": text, "built": count is not None, "images": count})
    return Summary([Table(("corpus", "tunes", "measures", "what"), rows)], data)


def built_lines(facts: Facts) -> list[str]:
    """The size of a built corpus, and how many measures and scores were left out for each reason."""
    lines = [f"{facts.name}: {facts.measures:,} measures of {facts.tunes:,} tunes"]
    if facts.skips:
        lines.append(f"  measures left out: {_counted(facts.skips)}")
    if facts.rejected:
        lines.append(f"  scores left out: {_counted(facts.rejected)}")
        few = sum(facts.rejected.values()) <= FEW
        named = [reason for reason in facts.rejected if few or reason.startswith("cannot be read")]
        lines += [f"    {reason}: {_named(facts, reason)}" for reason in named]  # users may want to repair these files
    return lines


def _counted(reasons: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())


def _named(facts: Facts, reason: str) -> str:
    named = facts.examples_of_rejected.get(reason, [])
    more = facts.rejected[reason] - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def music(name: str, attributes: Sequence[str] | None = None, seed: int = 0) -> Summary:
    """The contents of the built corpus `name`, or of several joined by +. The paper's four attributes are the default.

    Raises CorpusError if it is not built or too small to split, and UsageError for an unknown attribute.
    """
    data = registry.load(name)
    description = describe(data, [find(attribute) for attribute in attributes or PAPER], seed)
    parts: list[str | Table] = [*_sizes(description), "", _distributions(description), "", _correlations(description)]
    for facts in data.facts:
        parts += ["", *_origin(facts)]
    return Summary(parts, {"description": description, "facts": data.facts})


def _sizes(description: Description) -> list[str]:
    share = description.distinct / description.measures
    lines = [
        f"{description.name}: {description.measures:,} measures of {description.tunes:,} tunes, "
        f"{description.distinct:,} of them distinct ({share:.0%})",
        "meters: " + ", ".join(f"{name} {count:,}" for name, count in description.meters.items()),
    ]
    for name, part in description.split.items():
        seen = "" if part.seen is None else f", {part.seen:.0%} of which also occur in train"
        lines.append(f"{name}: {part.measures:,} measures of {part.tunes:,} tunes{seen}")
    return lines


def _distributions(description: Description) -> Table:
    percentages = [f"{percentage}%" for percentage in description.attributes[0].quantiles]
    rows = []
    for one in description.attributes:
        numbers = (one.mean, one.sd, one.smallest, *one.quantiles.values(), one.largest)
        rows.append((one.name, *(f"{number:.3f}" for number in numbers), one.sparkline))
    return Table(("attribute", "mean", "sd", "min", *percentages, "max", "min to max"), rows, numbers=True)


def _correlations(description: Description) -> Table:
    names = [one.name for one in description.attributes]
    rows = [
        (name, *(f"{value:.2f}" for value in values))
        for name, values in zip(names, description.correlation, strict=True)
    ]
    return Table(("correlation", *names), rows, numbers=True)


def _origin(facts: Facts) -> list[str]:
    return [
        *built_lines(facts),
        f"what: {facts.description}",
        f"from: {facts.source}; built with arvae {facts.arvae}{facts.music21 and f', music21 {facts.music21}'}",
        f"licence: {facts.licence}",
        *([f"cite:\n{facts.bibtex}"] if facts.bibtex else []),
    ]


def images(name: str, attributes: Sequence[str] | None = None, seed: int = 0) -> Summary:
    """The contents of the corpus of images `name`, by default with its own attributes.

    Raises CorpusError if it is not built, and UsageError for an unknown attribute.
    """
    data = image_corpora.load(name, tuple(attributes) if attributes else None)
    parts = split(data.examples, seed=seed)
    counts = {part: len(getattr(parts, part)) for part in ("train", "valid", "test")}
    statistics = image_corpora.statistics(data.examples)
    rows = [(one, *(f"{value:.3f}" for value in row.values())) for one, row in statistics.items()]
    about = {"name": name, "source": data.source, "licence": data.licence, "images": len(data.examples)}
    return Summary(
        [
            f"{name}: {len(data.examples):,} images; {', '.join(f'{part} {n:,}' for part, n in counts.items())}",
            Table(("attribute", "mean", "sd", "min", "median", "max"), rows, numbers=True),
            f"what: {image_corpora.DESCRIPTIONS[name]}\nfrom: {data.source}\nlicence: {data.licence}",
            f"cite:\n{image_corpora.BIBTEX[name]}",
        ],
        {**about, "split": counts, "attributes": statistics},
    )
