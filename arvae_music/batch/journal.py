"""The journal of a batch: which inputs are done, with their rows. It makes a batch resumable.

The inputs are divided into parts of consecutive numbers, by their count alone. Each part has a file of JSON lines, one
for each input that is done, in the hidden folder of the output:

    out/.arvae/job.json          what the batch is (`spec`), and whether it is finished
    out/.arvae/parts/00012.jsonl

On this machine a line is added as soon as its input is done, and the last line of a killed run, which may be cut, is
dropped. A store has no files that grow: there the file is written again every SECONDS, at the end of the part, and when
the run ends.

A lock keeps two runs out of one folder of this machine. The runs of a job array share it, and each locks its own share.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any

from ..errors import OutputError, UsageError
from ..system import storage
from ..system.files import cannot_write, locked
from ..system.storage import Place

FOLDER, JOB = ".arvae", "job.json"
SECONDS = 30.0
MOST_INPUTS = 512  # of a part
MOST_PARTS = 256  # of a batch whose parts are smaller


@dataclass(frozen=True)
class Share:
    """The share of a run in a job array: `number` of `of`, from 1. It gets every `of`th part."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Share:
        """`3/16`. Raises UsageError."""
        number, slash, of = text.partition("/")
        if not (slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise UsageError(f"{text!r} is not a share", remedy="write 3/16 for the third of sixteen")
        return cls(int(number), int(of))

    def __contains__(self, part: object) -> bool:
        return isinstance(part, int) and part % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


WHOLE = Share()


@dataclass
class Line:
    """An input that is done. `rows` describe its outputs, and `contents` are their bytes if a table gets them.
    `problem` says why the input has none."""

    n: int
    source: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    problem: str | None = None

    def to_json(self) -> bytes:
        data = {**vars(self), "contents": [content.hex() for content in self.contents]}
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> Line:
        data = json.loads(text)
        return cls(**{**data, "contents": [bytes.fromhex(content) for content in data["contents"]]})


class Journal:
    """The lines of a batch with `count` inputs in the folder `root`. `add` must get the inputs of a part one after
    another; the parts may come in any order."""

    def __init__(self, root: Place, count: int, size: int | None = None) -> None:
        self.root, self.folder = root, storage.within(root, FOLDER)
        self.count = count
        self.size = size or max(1, min(MOST_INPUTS, -(-count // MOST_PARTS)))
        self.parts = -(-count // self.size)
        self.part: int | None = None  # the one that is open
        self.lines: dict[int, Line] = {}  # of the open part, by number
        self._file: FileIO | None = None
        self._written = time.monotonic()
        self._unwritten = False  # whether lines are not in their file yet

    def part_of(self, n: int) -> int:
        return (n - 1) // self.size

    def numbers(self, part: int) -> range:
        return range(part * self.size + 1, min(self.count, (part + 1) * self.size) + 1)

    def read(self, part: int) -> dict[int, Line]:
        """The lines of a part, by number; empty if it has not begun."""
        where = self._file_of(part)
        if part == self.part:
            return self.lines
        data = storage.read(where) if storage.exists(where) else b""
        found = (Line.from_json(text) for text in data[: data.rfind(b"\n") + 1].splitlines())
        return {line.n: line for line in found}

    def is_complete(self, part: int) -> bool:
        return len(self.read(part)) == len(self.numbers(part))

    def open(self, part: int) -> None:
        """Make a part the one that `add` adds to. Raises OutputError."""
        if part == self.part:
            return
        self.close()
        self.lines, where = self.read(part), self._file_of(part)
        self.part = part
        if isinstance(where, Path):
            with _writing(where):
                where.parent.mkdir(parents=True, exist_ok=True)
                self._file = where.open("ab", buffering=0)
                self._file.truncate(sum(len(line) for line in _whole_lines(where)))

    def add(self, line: Line) -> bool:
        """Add the line of an input. Returns whether its part is complete. Raises OutputError."""
        self.open(self.part_of(line.n))
        self.lines[line.n] = line
        if self._file is not None:
            with _writing(self._file_of(self.part_of(line.n))):
                data = memoryview(line.to_json())
                while data:  # a disk that is nearly full takes a part
                    data = data[self._file.write(data) :]
        else:
            self._unwritten = True
        complete = len(self.lines) == len(self.numbers(self.part_of(line.n)))
        if self._file is None and (complete or time.monotonic() - self._written > SECONDS):
            self._write_again()
        return complete

    def without_contents(self) -> None:
        """Drop the contents of the open part, which a table has by now."""
        for line in self.lines.values():
            line.contents, line.rows = [], []
        if self._file is not None:
            self._file.close()
        self._file = None
        self._write_again()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        elif self._unwritten:
            self._write_again()
        self.part, self._file, self.lines = None, None, {}

    def all_lines(self) -> Iterator[Line]:
        """The lines of all parts, in order."""
        for part in range(self.parts):
            lines = self.read(part)
            yield from (lines[n] for n in sorted(lines))

    def _write_again(self) -> None:
        assert self.part is not None
        data = b"".join(self.lines[n].to_json() for n in sorted(self.lines))
        storage.write(self._file_of(self.part), data, overwrite=True)
        self._written, self._unwritten = time.monotonic(), False

    def _file_of(self, part: int) -> Place:
        return storage.within(self.folder, f"parts/{part:05}.jsonl")

    # -------------------------------------------------------------------------- the batch

    def job(self) -> dict[str, Any] | None:
        """What `write_job` wrote, or None."""
        where = storage.within(self.folder, JOB)
        if not storage.exists(where):
            return None
        try:
            found = json.loads(storage.read(where))
        except ValueError:
            return None
        return found if isinstance(found, dict) and isinstance(found.get("spec"), dict) else None

    def write_job(self, spec: Mapping[str, Any], *, finished: bool = False, failed: int = 0) -> None:
        """`failed` is the number of inputs in the list of failures, which may be that of an earlier job."""
        job = {"spec": dict(spec), "finished": finished, "failed": failed}
        data = json.dumps(job, ensure_ascii=False, indent=1).encode()
        storage.write(storage.within(self.folder, JOB), data, overwrite=True)

    @contextlib.contextmanager
    def locked(self, share: Share) -> Iterator[None]:
        """Keep other runs out of the folder in the block. Raises OutputError if one is there."""
        if not isinstance(self.folder, Path):
            yield
            return
        with contextlib.ExitStack() as stack:
            stack.enter_context(locked(self.folder / "lock", self.root, shared=share.of > 1))
            if share.of > 1:
                stack.enter_context(locked(self.folder / f"lock.{share.number}-{share.of}", self.root))
            yield

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether no other run of a job array is in the folder; then none comes in during the block."""
        with contextlib.ExitStack() as stack:
            try:
                if isinstance(self.folder, Path):
                    stack.enter_context(locked(self.folder / "lock", self.root))
                alone = True
            except OutputError:
                alone = False
            yield alone


def _whole_lines(where: Path) -> Iterator[bytes]:
    with where.open("rb") as lines:
        yield from (line for line in lines if line.endswith(b"\n"))


@contextlib.contextmanager
def _writing(where: Place) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise cannot_write(Path(where), error) from error
