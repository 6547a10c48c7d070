"""Watch folders: find new and changed files in them, each once, when it is completely written.

    watch = Watch([Path("in")], output="out/")
    for path in watch.files():                     until KeyboardInterrupt
        plan = watch.plan(Request(path, "density+2notes"))
        ...                                        write plan.place
        watch.wrote(plan)

Files that are there at the start wait until they change. The folders are read every INTERVAL seconds, which works on
every system and on network drives. A file counts as written when its size and its time have not changed for SETTLED
seconds, and when `whole` accepts its bytes; after PATIENCE seconds without a change it counts as written in any case,
so that a damaged file is reported and not forgotten.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import OutputError, UsageError
from .inputs import MIDI_SUFFIXES, SUFFIXES
from .outputs import Planned, Request, folder_of, plan_outputs

INTERVAL = 0.25  # seconds
SETTLED = 0.7
PATIENCE = 10.0

Stamp = tuple[int, int]  # a file's time in nanoseconds, and its size


def stamp_of(path: Path) -> Stamp | None:
    """None for a file that is not there, or cannot be seen at the moment."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


@dataclass
class Watch:
    """The folders, with their sub-folders if `recursive`, and where the results go (`output`, as in `plan_outputs`).

    Results are never found as new files. A result replaces the earlier result of the same file, unless that has been
    changed since; other existing files are replaced with `overwrite` alone. Raises UsageError for an output that is a
    single file, and for a folder that does not exist.
    """

    folders: Sequence[Path]
    output: str | None = None
    overwrite: bool = False
    suffixes: Sequence[str] = MIDI_SUFFIXES  # of the results
    recursive: bool = False
    whole: Callable[[bytes], bool] = lambda data: True
    interval: float = INTERVAL
    _own: dict[Path, tuple[Path, Stamp | None]] = field(default_factory=dict, init=False)  # results, with their sources
    _done: dict[Path, Stamp] = field(default_factory=dict, init=False)  # files as they were when they were returned
    _waiting: dict[Path, tuple[Stamp, float]] = field(default_factory=dict, init=False)  # and since when

    def __post_init__(self) -> None:
        for folder in self.folders:
            if not folder.is_dir():
                what = "is not a folder" if folder.exists() else "no such folder"
                raise UsageError(what, where=str(folder), remedy="make it, or check the name")
        single = self.output is not None and folder_of(self.output) is None and "{" not in self.output
        if single or self.output == "-":
            remedy = "give a folder/ with output=..."
            raise UsageError("the results of a watched folder are many files", where=self.output, remedy=remedy)
        self.plan(Request(self.folders[0] / "example.mid"), check=False)  # refuses a wrong template at once
        self._done = {path: stamp for path in self._listed() if (stamp := stamp_of(path)) is not None}

    def __len__(self) -> int:
        """How many files are known and wait until they change."""
        return len(self._done)

    def plan(self, request: Request, *, check: bool = True) -> Planned:
        """The place of a result. Raises OutputError if a file is there that is not the earlier result of this input."""
        planned = plan_outputs([request], self.output, overwrite=True, suffixes=self.suffixes)[0]
        place, source = Path(planned.place), Path(request.source)
        if place.resolve() == source.resolve():
            raise UsageError("the result would replace its input", where=str(place), remedy="change output=...")
        ours = self._own.get(place.resolve()) == (source.resolve(), stamp_of(place))
        if check and place.exists() and not (ours or self.overwrite):
            remedy = "move it away, or give overwrite=True"
            raise OutputError("exists already, and is not the result of this file", where=str(place), remedy=remedy)
        return planned

    def wrote(self, planned: Planned) -> None:
        """Remember that the result has been written."""
        place = Path(planned.place).resolve()
        self._own[place] = (Path(planned.request.source).resolve(), stamp_of(place))

    def files(self) -> Iterator[Path]:
        """The files that are new or have changed, for ever. Ends only with an exception, such as KeyboardInterrupt."""
        while True:
            yield from self.poll(time.monotonic())
            time.sleep(self.interval)

    def poll(self, now: float) -> list[Path]:
        """The files that are written completely at the time `now` in seconds, and have not been returned before."""
        found = []
        try:
            listed = self._listed()
        except OSError:  # a network drive that is away for a while
            return []
        for path in listed:
            stamp = stamp_of(path)
            if stamp is None or stamp == self._done.get(path):
                self._waiting.pop(path, None)
                continue
            before, since = self._waiting.get(path, (None, now))
            if stamp != before:
                self._waiting[path] = stamp, now
            elif now - since >= SETTLED and (now - since >= PATIENCE or self._is_whole(path)):
                del self._waiting[path]
                self._done[path] = stamp
                found.append(path)
        for gone in (self._done.keys() | self._waiting.keys()) - set(listed):
            self._done.pop(gone, None)  # a file that comes back is a new one
            self._waiting.pop(gone, None)
        return found

    def _is_whole(self, path: Path) -> bool:
        try:
            return self.whole(path.read_bytes())
        except OSError:  # another program holds it
            return False

    def _listed(self) -> list[Path]:
        """The files in the folders, without results. Raises OSError if a folder cannot be read."""
        out = folder_of(self.output)
        watched = {folder.resolve() for folder in self.folders}
        below = out is not None and not watched.isdisjoint(out.resolve().parents)
        ignored = out.resolve() if out is not None and below and out.resolve() not in watched else None
        found: dict[Path, Path] = {}
        for folder in self.folders:
            paths = sorted(folder.iterdir())
            for path in sorted(folder.rglob("*")) if self.recursive else paths:
                if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file():
                    found.setdefault(path.resolve(), path)
        results = self._own.keys()
        return [
            path for place, path in found.items() if ignored not in place.parents and place not in results
        ]
