"""What the studio remembers: songs and edits, in memory, at most some of each. Those that were used last stay, and
those that a tab of the browser shows."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from ..system.outputs import MIDI, Request, fill, label
from .keeping import Source
from .problems import RequestError
from .settings import Settings

if TYPE_CHECKING:
    from ..editing.edit import EditResult
    from ..editing.request import EditRequest
    from ..io.midi import Song
    from ..io.performance import Performance
    from ..library import Model
    from ..music.melody import Melody

MOST_SONGS = 32
MOST_EDITS = 512
MOST_PINNING = 8  # sessions
KINDS = {"s": "song", "e": "edit"}


@dataclass(frozen=True)
class OpenSong:
    """A song in the studio."""

    song: Song
    source: Source
    id: str = ""

    @property
    def name(self) -> str:
        """The name of its file, without folders."""
        return self.source.name

    @property
    def melody(self) -> Melody:
        return self.song.melody

    @cached_property
    def data(self) -> bytes:
        """The MIDI file."""
        return self.song.write(self.song.melody.rows)

    @cached_property
    def performance(self) -> Performance:
        from ..io.performance import performance

        return performance(self.data, self.name, track=self.song.found.track)

    def file_name(self, suffix: str) -> str:
        own = Request(Path(self.name)).suffix
        return Path(self.name).with_suffix(own if suffix == MIDI else suffix).name

    def file(self, suffix: str) -> tuple[str, bytes]:
        """The name and the bytes of its file with this suffix."""
        from ..io.score_output import file_of

        name = self.file_name(suffix)
        return name, file_of(self.song, self.melody, Path(name).suffix)


@dataclass(frozen=True)
class Edit:
    """An edit, or a variation, of a song in the studio."""

    of: OpenSong
    settings: Settings
    request: EditRequest
    result: EditResult
    model: Model
    milliseconds: int = 0
    number: int | None = None  # of a variation, from 1
    id: str = ""

    @property
    def song(self) -> Song:
        """The song whose file holds the melody before the edit."""
        return self.of.song

    @property
    def melody(self) -> Melody:
        return self.result.melody

    def file_name(self, suffix: str) -> str:
        """The name that the command line gives to this edit with a suffix."""
        request = Request(Path(self.of.name), label(self.request.targets) or "vary", n=self.number or 1)
        template = "{stem}.{edit}" if self.number is None else "{stem}.{edit}.{n:02}"
        return fill(template, request) + (request.suffix if suffix == MIDI else suffix)

    def file(self, suffix: str) -> tuple[str, bytes]:
        """The name and the bytes that the command line writes."""
        from ..io.score_output import file_of

        name = self.file_name(suffix)
        return name, file_of(self.song, self.melody, Path(name).suffix)


K = TypeVar("K", OpenSong, Edit)


class Shelf(Generic[K]):
    """At most `most` songs or edits. When another one comes, the one that was not used for the longest time goes. Those
    that a session pins do not count; at most MOST_PINNING sessions pin."""

    def __init__(self, letter: str, most: int) -> None:
        self.letter, self.most, self.count = letter, most, 0
        self.lock = threading.Lock()
        self.kept: OrderedDict[str, K] = OrderedDict()
        self.pins: OrderedDict[str, frozenset[str]] = OrderedDict()  # by the session

    def pin(self, session: str, names: Iterable[str]) -> None:
        """Keep these, instead of those that the session named before."""
        with self.lock:
            self.pins[session] = frozenset(names)
            self.pins.move_to_end(session)
            while len(self.pins) > MOST_PINNING:
                self.pins.popitem(last=False)

    def add(self, item: K) -> K:
        """The item with an id."""
        with self.lock:
            self.count += 1
            item = replace(item, id=f"{self.letter}{self.count}")
            self.kept[item.id] = item
            pinned = frozenset().union(*self.pins.values())
            free = [name for name in self.kept if name not in pinned]
            for name in free[: max(0, len(free) - self.most)]:
                del self.kept[name]
        return item

    def get(self, name: str) -> K:
        """Raises RequestError for an id that is unknown, or no longer known."""
        with self.lock:
            if name in self.kept:
                self.kept.move_to_end(name)
                return self.kept[name]
            kind = KINDS[self.letter]
            remedy = "open the file again" if kind == "song" else "make the edit again"
            raise RequestError(404, f"there is no {kind} {name[:20]!r}, or it was too long ago", remedy=remedy)
