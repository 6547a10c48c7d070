"""Build a corpus: extract its works in parallel processes (system/processes.py) and write one Parquet file.

`build` is a generator of reports and prints nothing. Works are handed out in batches and their results come back in
order, so that the same scores always make the same file.

Of several tunes with the same measures in any key, only the first is kept. Nearly equal tunes are put into clusters
(clusters.py), which a split keeps together.

A work that cannot be read is counted with the reason. It never ends the build, even if it crashes the process that
reads it. Ctrl-C, or an exception in the caller, ends the build and the workers, and leaves no file behind.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b

from ..errors import ArvaeError, CorpusError
from ..system.executors import Executor, OnRay, Processes
from ..system.extras import MUSIC21, is_installed
from ..system.machine import cores
from ..system.processes import Died, surviving
from ..version import __version__
from . import store
from .clusters import Sketch, clusters_of, named, sketch_of
from .corpus import Corpus, Extracted, Progress, Tune, Work
from .spool import Spool

BATCH = 8  # works that a process gets at a time, about a third of a second of work
COPY = "the same as another tune"
CRASH = "crashes the process that reads it"
EXAMPLES = 5  # rejected works named for each reason


def build(
    corpus: Corpus, *, jobs: int | None = None, rebuild: bool = False, ray: str | None = None, resume: bool = False
) -> Iterator[Progress]:
    """Build `corpus` in the cache, and report after every batch.

    `ray` is the address of a Ray cluster that does the work (system/executors.py); its machines need the files. With
    `resume`, extracted works are kept in a spool (spool.py), and a killed build is continued.

    Raises CorpusError if it is already built (unless `rebuild`), if no measure of it can be used, or if the workers
    die.
    """
    if is_built(corpus) and not rebuild:
        raise CorpusError(f"corpus {corpus.name!r} is built already", remedy="give rebuild=True to build it again")
    works = corpus.works()
    if not works:
        raise CorpusError(f"corpus {corpus.name!r} has no scores", where=corpus.source)
    batches = [works[at : at + BATCH] for at in range(0, len(works), BATCH)]
    executor: Executor = Processes(min(jobs or cores(), len(batches))) if ray is None else OnRay(ray)
    spool = Spool(store.path_of(corpus.name).with_suffix(".spool"), works) if resume else None
    with store.writing(store.path_of(corpus.name)) as writer:
        tally = _Tally(corpus, writer)
        yield tally.report(len(works))
        earlier = iter(()) if spool is None else spool.read()
        for batch, extracted in zip(batches, earlier, strict=False):
            tally.add(batch, extracted)
        rest = batches[0 if spool is None else spool.records :]
        with contextlib.closing(_run(corpus.extract, rest, executor)) as found:
            for batch, extracted in zip(rest, found if spool is None else spool.adding(found), strict=True):
                tally.add(batch, extracted)
                yield tally.report(len(works))
        if not tally.measures:
            reasons = ", ".join(f"{reason} ({n})" for reason, n in tally.rejected.most_common(3))
            raise CorpusError(f"no measure of {corpus.name!r} can be used: {reasons}", where=corpus.source)
        writer.finish(tally.facts(), tally.clusters())
    if spool is not None:
        spool.remove()


def is_built(corpus: Corpus) -> bool:
    """Whether the corpus is in the cache. Damaged files and files of another format do not count.

    Raises CorpusError if a corpus of another folder has the name.
    """
    path = store.path_of(corpus.name)
    if not path.exists():
        return False
    try:
        source = store.read_facts(path).source
    except CorpusError:
        return False
    if source != corpus.source:
        raise CorpusError(f"{corpus.name!r} is already the corpus of {source}", remedy="give another name=...")
    return True


@dataclass
class _Tally:
    """The sums over the batches so far."""

    corpus: Corpus
    writer: store.Writer
    done: int = 0
    tunes: int = 0
    measures: int = 0
    skips: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    seen: set[bytes] = field(default_factory=set)  # digests of tunes
    sketches: dict[str, Sketch] = field(default_factory=dict)  # by tune

    def add(self, works: Sequence[Work], extracted: Sequence[Extracted]) -> None:
        new: list[Tune] = []
        for work, found in zip(works, extracted, strict=True):
            self.done += 1
            if found.tune is None or self._is_copy(found.tune):
                self._reject(work, found.rejected or COPY)
                continue
            new.append(found.tune)
            self.sketches[found.tune.id] = sketch_of([bar.tokens for bar in found.tune.bars if bar.tokens is not None])
            self.skips.update(found.skips)
        self.tunes += len(new)
        self.measures += sum(len(tune.examples) for tune in new)
        self.writer.add(new)

    def clusters(self) -> dict[str, str]:
        """The clusters of nearly equal tunes, as `clusters.named` gives them."""
        return named(list(self.sketches), clusters_of(list(self.sketches.values())))

    def _is_copy(self, tune: Tune) -> bool:
        content = blake2b(digest_size=16)
        for bar in tune.examples:
            if bar.meter is not None and bar.tokens is not None:
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

    def report(self, total: int) -> Progress:
        return Progress(self.done, total, self.measures)

    def facts(self) -> store.Facts:
        from importlib import metadata

        return store.Facts(
            name=self.corpus.name,
            description=self.corpus.description,
            source=self.corpus.source,
            licence=self.corpus.licence,
            bibtex=self.corpus.bibtex,
            arvae=__version__,
            music21=metadata.version("music21") if is_installed(MUSIC21) else "",
            format=store.FORMAT,
            tunes=self.tunes,
            measures=self.measures,
            skips=dict(self.skips.most_common()),
            rejected=dict(self.rejected.most_common()),
            examples_of_rejected=self.examples,
        )


Extract = Callable[[Work], Extracted]


def _run(
    extract: Extract, batches: Sequence[Sequence[Work]], executor: Executor
) -> Generator[list[Extracted], None, None]:
    """The results of the batches, in order."""
    every = partial(extract_batch, extract)
    with contextlib.closing(executor.run(every, batches, _silence)) as results:
        for batch, found in zip(batches, results, strict=True):
            yield _one_by_one(every, batch) if isinstance(found, Died) else found


def _one_by_one(every: Callable[[Sequence[Work]], list[Extracted]], works: Sequence[Work]) -> list[Extracted]:
    """Extract the works of a batch whose process died one by one, since only one of them may be the cause.

    Raises CorpusError if every work ends its process: then the scores are not the cause.
    """
    found: list[Extracted] = []
    with contextlib.closing(surviving(every, [[work] for work in works], 1, _silence)) as results:
        for result in results:
            found += [Extracted(rejected=CRASH)] if isinstance(result, Died) else result
    if len(works) > 1 and all(extracted.rejected == CRASH for extracted in found):
        raise CorpusError(
            "the worker processes die (out of memory?)",
            remedy="build with one process: jobs=1",
        )
    return found


def _silence() -> None:
    """Hide music21's remarks on scores that it can read, which would disturb the progress bar of the parent."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def extract_batch(extract: Extract, works: Sequence[Work]) -> list[Extracted]:
    """Extract some works. An exception becomes the reason why its work is left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # music21 warns about scores that it can read
        return [_extract(extract, work) for work in works]


def _extract(extract: Extract, work: Work) -> Extracted:
    try:
        return extract(work)
    except ArvaeError as error:
        return Extracted(rejected=error.what)
    except Exception as error:  # music21 raises all kinds of exceptions, from IndexError to its own
        return Extracted(rejected=f"cannot be read ({type(error).__name__})")
