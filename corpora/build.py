"""Building a corpus: `extract` over its works in parallel processes, then one Parquet file.

`build` is a generator of reports and knows no terminal: whoever runs it shows them, or doesn't. Works are
handed out in batches and come back in order, so that the same scores always make the same file.

Processes are arvae_music/processes.py's; with one job there are none.

A tune whose measures are all the same as another's, in whatever key, is kept once: copies of a file, and
tunes that collections share, would else sit on both sides of a split.

A work that cannot be read is a reason in the counts, never the end of the build, even where it takes the
process that reads it along. What does end it early (Ctrl-C, an exception in the consumer) ends the workers
too, and leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from pathlib import Path

from ..errors import ArvaeError, CorpusError
from ..system.machine import cores
from ..system.processes import in_order
from ..version import __version__
from . import store
from .corpus import Corpus, Extracted, Tune, Work

BATCH = 8  # works handed out at a time: about a third of a second
COPY = "the same as another tune"
CRASH = "crashes the process that reads it"
EXAMPLES = 5  # rejected works named for each reason


@dataclass(frozen=True)
class Progress:
    """So many of the works are done; `path` is the corpus once it is written (the last report)."""

    done: int
    total: int
    tunes: int
    measures: int
    path: Path | None = None


def build(corpus: Corpus, *, jobs: int | None = None, rebuild: bool = False) -> Iterator[Progress]:
    """Build `corpus` into the cache, reporting after every batch; the last report has its path.

    Raises CorpusError when it is there already (unless `rebuild`), when nothing in it can be used, or when
    the workers die.
    """
    if is_built(corpus) and not rebuild:
        raise CorpusError(f"corpus {corpus.name!r} is built already", remedy="give --rebuild to build it anew")
    works = corpus.works()
    if not works:
        raise CorpusError(f"corpus {corpus.name!r} has no scores", where=corpus.source)
    batches = [works[at : at + BATCH] for at in range(0, len(works), BATCH)]
    path = store.path_of(corpus.name)
    with store.writing(path) as writer:
        tally = _Tally(corpus, writer)
        yield tally.report(len(works))
        with contextlib.closing(_run(corpus.extract, batches, min(jobs or cores(), len(batches)))) as results:
            for batch, extracted in zip(batches, results, strict=True):
                tally.add(batch, extracted)
                yield tally.report(len(works))
        if not tally.measures:
            reasons = ", ".join(f"{reason} ({n})" for reason, n in tally.rejected.most_common(3))
            raise CorpusError(f"no measure of {corpus.name!r} can be used: {reasons}", where=corpus.source)
        writer.finish(tally.facts())
    yield tally.report(len(works), path)


def is_built(corpus: Corpus) -> bool:
    """Whether an earlier build of it is there. A damaged one, or one of another version of arvae, is none.

    Raises CorpusError when the name is taken by the corpus of another folder.
    """
    path = store.path_of(corpus.name)
    if not path.exists():
        return False
    try:
        source = store.read_facts(path).source
    except CorpusError:
        return False
    if source != corpus.source:
        raise CorpusError(f"{corpus.name!r} is the corpus of {source}", remedy="give another --name")
    return True


@dataclass
class _Tally:
    """What the batches add up to."""

    corpus: Corpus
    writer: store.Writer
    done: int = 0
    tunes: int = 0
    measures: int = 0
    skips: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    seen: set[bytes] = field(default_factory=set)  # digests of tunes

    def add(self, works: Sequence[Work], extracted: Sequence[Extracted]) -> None:
        new: list[Tune] = []
        for work, found in zip(works, extracted, strict=True):
            self.done += 1
            if found.tune is None or self._is_copy(found.tune):
                self._reject(work, found.rejected or COPY)
                continue
            new.append(found.tune)
            self.skips.update(found.skips)
        self.tunes += len(new)
        self.measures += sum(len(tune.bars) for tune in new)
        self.writer.add(new)

    def _is_copy(self, tune: Tune) -> bool:
        content = blake2b(digest_size=16)
        for bar in tune.bars:
            content.update(bytes([bar.meter.code]) + bar.tokens.tobytes())
        digest = content.digest()
        copy = digest in self.seen
        self.seen.add(digest)
        return copy

    def _reject(self, work: Work, reason: str) -> None:
        self.rejected[reason] += 1
        named = self.examples.setdefault(reason, [])
        if len(named) < EXAMPLES:
            named.append(work.id)

    def report(self, total: int, path: Path | None = None) -> Progress:
        return Progress(self.done, total, self.tunes, self.measures, path)

    def facts(self) -> store.Facts:
        from importlib import metadata

        return store.Facts(
            name=self.corpus.name,
            description=self.corpus.description,
            source=self.corpus.source,
            licence=self.corpus.licence,
            bibtex=self.corpus.bibtex,
            arvae=__version__,
            music21=metadata.version("music21"),
            format=store.FORMAT,
            tunes=self.tunes,
            measures=self.measures,
            skips=dict(self.skips.most_common()),
            rejected=dict(self.rejected.most_common()),
            examples_of_rejected=self.examples,
        )


Extract = Callable[[Work], Extracted]


def _run(extract: Extract, batches: Sequence[Sequence[Work]], jobs: int) -> Generator[list[Extracted], None, None]:
    """The batches' results, in order."""
    if jobs <= 1:
        for batch in batches:
            yield extract_batch(extract, batch)
        return
    done, every = 0, partial(extract_batch, extract)
    while done < len(batches):
        try:
            with contextlib.closing(in_order(every, batches[done:], jobs, _silence)) as results:
                for extracted in results:
                    done += 1
                    yield extracted
        except BrokenProcessPool:  # by a work of the batch that is due, or of one soon to be
            yield _one_by_one(extract, batches[done])
            done += 1


def _one_by_one(extract: Extract, works: Sequence[Work]) -> list[Extracted]:
    """Each work in a process of its own, to tell the one that takes its process along.

    Raises CorpusError when they all do: it's not the scores, then.
    """
    found: list[Extracted] = []
    for work in works:
        try:
            with contextlib.closing(in_order(partial(extract_batch, extract), [[work]], 1, _silence)) as results:
                found += next(results)
        except BrokenProcessPool:
            found.append(Extracted(rejected=CRASH))
    if len(works) > 1 and all(extracted.rejected == CRASH for extracted in found):
        raise CorpusError(
            "the worker processes die (out of memory, or a main module without a guard)",
            remedy="build with one process: -j 1",
        )
    return found


def _silence() -> None:
    """music21 prints remarks on scores that it reads all the same: they'd tear the parent's progress bar."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def extract_batch(extract: Extract, works: Sequence[Work]) -> list[Extracted]:
    """`extract` over some works. Whatever a broken score raises becomes the reason why it is left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # music21 remarks on scores that it reads all the same
        return [_extract(extract, work) for work in works]


def _extract(extract: Extract, work: Work) -> Extracted:
    try:
        return extract(work)
    except ArvaeError as error:
        return Extracted(rejected=error.what)
    except Exception as error:  # music21 raises everything from IndexError to its own; none is ours to mend
        return Extracted(rejected=f"cannot be read ({type(error).__name__})")
