"""A batch with a memory: it can be interrupted or killed at any moment, and continued, and does every input once.

    job = Job(Target(Path("out"), table=False), count, spec, settings)
    with job.running():
        for item in job.pending(items): ...
            job.record(Line(item.n, ...))
    job.finish(write_manifest)

`spec` says what the batch does: its inputs, its request, the model. A batch is continued only with the same spec. The
output of an input that a killed run has written without a line in the journal is made again, with the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from ..errors import OutputError
from ..system import storage
from ..system.files import remove_temporary
from ..system.storage import Place
from ..version import __version__
from .journal import MOST_INPUTS, WHOLE, Journal, Line, Share
from .listing import Listing
from .plans import described
from .target import FAILED, Target


class Numbered(Protocol):
    @property
    def n(self) -> int: ...


T = TypeVar("T")
_OURS = re.compile(rf"part-\d{{5,}}\.parquet|_{re.escape(FAILED)}")  # the files of a table
WritePart = Callable[[Place, Iterable[Line]], None]
Rows = Callable[[], Iterator[dict[str, Any]]]  # begins to read all rows of a batch


@dataclass(frozen=True)
class Settings:
    """How a run treats what it finds in the output. `checked` says that existing outputs were refused already."""

    resume: bool = False
    restart: bool = False  # existing outputs may stay or be replaced
    share: Share = WHOLE
    checked: bool = False


class Job:
    def __init__(
        self,
        target: Target,
        count: int,
        spec: Mapping[str, Any],
        settings: Settings,
        write_part: WritePart | None = None,
    ) -> None:
        """`write_part` writes a part of a table."""
        self.target = target
        self.spec = dict(spec)
        self.settings = settings
        self.write_part = write_part
        self.journal = Journal(target.root, count, MOST_INPUTS if target.table else None)
        self.finished = False
        self.resumed = 0  # inputs that earlier runs have done
        self.failed = 0  # inputs without an output
        self.total = sum(len(self.journal.numbers(part)) for part in self._parts())  # inputs of this run's share

    @classmethod
    def of(
        cls,
        target: Target,
        found: Listing,
        spec: Mapping[str, Any],
        settings: Settings,
        write_part: WritePart | None = None,
    ) -> Job:
        """The job on the inputs of a listing."""
        names = fingerprint(str(entry.place) for entry in found.names())
        whole = {**described(spec), "inputs": names, "count": len(found), "arvae": __version__}
        return cls(target, len(found), whole, settings, write_part)

    def _parts(self) -> Iterator[int]:
        return (part for part in range(self.journal.parts) if part in self.settings.share)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Keep other runs out, and remember what is recorded in the block. Raises OutputError, UsageError."""
        with self.journal.locked(self.settings.share), contextlib.closing(self.journal):
            self._begin()
            yield
            # A run may have been killed between the last line of a part and its file.
            if self.write_part is not None and not self.finished:
                for part in self._parts():
                    if not storage.exists(self._part_file(part)):
                        self.journal.open(part)
                        self._complete_part()

    def _begin(self) -> None:
        settings, found, root = self.settings, self.journal.job(), str(self.target.root)
        same = found is not None and found["spec"] == self.spec
        if found is not None and same and (settings.resume or settings.share.of > 1):
            if found["finished"]:
                self.finished, self.resumed, self.failed = True, self.total, found["failed"]
            if isinstance(self.target.root, Path) and settings.share.of == 1:
                remove_temporary(self.target.root)
            return
        if found is not None and not settings.restart and not found["finished"]:
            if same:
                remedy = "give resume=True to continue it, or overwrite=True to start again"
                raise OutputError("holds a batch that is not finished", where=root, remedy=remedy)
            names = {*found["spec"], *self.spec}
            other = sorted(name for name in names if found["spec"].get(name) != self.spec.get(name))
            problem = f"holds another batch that is not finished; these differ: {', '.join(other)}"
            raise OutputError(problem, where=root, remedy="name another folder with output=..., or give overwrite=True")
        if not settings.restart and not settings.checked and next(storage.files_below(self.target.root), None):
            raise OutputError(
                "holds files already", where=root, remedy="give overwrite=True, or name another folder with output=..."
            )
        if found is not None and settings.share.of > 1:  # other runs of the job array may have begun
            raise OutputError("holds another batch", where=root, remedy="name another folder with output=...")
        if settings.share.of == 1:  # also if job.json was lost: these lines belong to another batch
            storage.remove(storage.within(self.journal.folder, "parts"))
        if self.target.table and settings.restart:
            for name in filter(_OURS.fullmatch, list(storage.files_below(self.target.root))):
                storage.remove(storage.within(self.target.root, name))
        self.journal.write_job(self.spec, failed=0 if found is None else found["failed"])

    def pending(self, items: Iterable[T]) -> Iterator[T]:
        """The items of this run's share that are not done, in order. An item is Numbered."""
        at, done = -1, dict[int, Line]()
        for item in items if not self.finished else ():
            n = cast("Numbered", item).n
            part = self.journal.part_of(n)
            if part not in self.settings.share:
                continue
            if part != at:
                at, done = part, self.journal.read(part)
            if n in done:
                self.resumed += 1
                self.failed += done[n].problem is not None
            else:
                yield item

    def record(self, line: Line) -> None:
        """Remember that an input is done. The table gets a part when it is complete. Raises OutputError."""
        self.failed += line.problem is not None
        if self.journal.add(line):
            self._complete_part()

    def _complete_part(self) -> None:
        part, lines = self.journal.part, self.journal.lines
        if self.write_part is not None and part is not None:
            self.write_part(self._part_file(part), (lines[n] for n in sorted(lines)))
            self.journal.without_contents()

    def _part_file(self, part: int) -> Place:
        return storage.within(self.target.root, f"part-{part:05}.parquet")

    def finish(self, write_manifest: Callable[[Rows], None] | None = None, *, keep: bool = False) -> bool:
        """End the batch if the runs of all shares have done all inputs: call `write_manifest`, and list the inputs that
        failed. Returns whether it has ended. With `keep`, the folder remembers that it has ended."""
        if self.finished:
            return True
        with self.journal.alone() as alone:
            if not alone:  # another run of the job array still works, and will end the batch
                return False
            if not all(map(self.journal.is_complete, range(self.journal.parts))):
                return False
            if write_manifest is not None:
                write_manifest(lambda: (row for line in self.journal.all_lines() for row in line.rows))
            if keep:
                self.journal.write_job(self.spec, finished=True, failed=self._list_failures())
                storage.remove(storage.within(self.journal.folder, "parts"))
            else:
                storage.remove(self.journal.folder)
        return True

    def _list_failures(self) -> int:
        """Write the list of the inputs that failed, or remove that of an earlier batch if none did. Returns their
        number."""
        failed: list[str] = []
        for line in self.journal.all_lines():
            if line.problem is not None:
                path = Path(line.source)
                name = path.resolve() if path.exists() else line.source  # the paths of a list are relative to it
                failed.append(f"# {' '.join(line.problem.split())}\n{name}\n")
        if failed:
            storage.write(self.target.failed, "".join(failed).encode(), overwrite=True)
        elif (self.journal.job() or {}).get("failed"):
            storage.remove(self.target.failed)  # the list of an earlier batch
        return len(failed)


def fingerprint(texts: Iterable[str]) -> str:
    """A digest of many texts, such as the names of all inputs."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()[:16]
