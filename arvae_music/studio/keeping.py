"""The sessions of the studio on the disk, so that a reload or the end of the studio loses no work.

A session is what one tab of the browser shows: songs, the steps that can be undone, and variations. The page sends it
after each step. Everything that is an edit can be made again from its settings, so the files are few and small:

    FOLDER/ID/session.json      the songs with how they were read, and the data of the page
    FOLDER/ID/DIGEST.song       the bytes of a song's file

Other users of the machine cannot read the folder. It holds the last MOST_SESSIONS sessions.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ArvaeError
from ..system.files import write_whole
from .problems import RequestError

if TYPE_CHECKING:
    from ..io.midi import Song

VERSION = 1
FILE = "session.json"
MOST_SESSIONS = 30
MOST_SONGS = 24  # of a session
NAME = re.compile(r"[A-Za-z0-9-]{8,40}")


@dataclass(frozen=True)
class Source:
    """The bytes of a song's file, its name, and the parameters of `read_any` with which it was read."""

    name: str
    data: bytes
    how: Mapping[str, Any]

    def read(self) -> Song:
        """Raises InputError."""
        from ..io.scores import read_any

        return read_any(self.data, name=self.name, **self.how)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()[:32]

    def to_json(self) -> dict[str, Any]:
        how = {key: str(value) if isinstance(value, Fraction) else value for key, value in self.how.items()}
        return {"name": self.name, "file": self.digest, "how": how}

    @classmethod
    def from_json(cls, found: Mapping[str, Any], folder: Path) -> Source:
        how = dict(found["how"])
        if how.get("pickup") is not None:
            how["pickup"] = Fraction(how["pickup"])
        return cls(found["name"], (folder / f"{found['file']}.song").read_bytes(), how)


@dataclass(frozen=True)
class Session:
    title: str
    songs: Mapping[str, Source]  # by the ids that the data of the page uses
    page: Any  # what the page has sent, as JSON


def session_name(name: str) -> str:
    """Raises RequestError for a name that is none: it becomes the name of a folder."""
    if not NAME.fullmatch(name):
        raise RequestError(400, f"{name[:20]!r} is not the id of a session", remedy="give 8 to 40 letters and digits")
    return name


class Keeper:
    """The folder of the sessions. Its methods may be called by one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, name: str, session: Session) -> None:
        """Keep a session. Raises OutputError."""
        place = self.folder / name
        with suppress(OSError):  # the first write says what is wrong
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = {f"{source.digest}.song": source.data for source in session.songs.values()}
        for file, data in files.items():
            if not (place / file).is_file():
                write_whole(place / file, data, overwrite=True)
        text = json.dumps({
            "version": VERSION, "title": session.title, "saved": round(time.time()), "page": session.page,
            "songs": {id: source.to_json() for id, source in session.songs.items()},
        })  # fmt: skip
        write_whole(place / FILE, text.encode(), overwrite=True)
        for path in place.glob("*.song"):
            if path.name not in files:
                path.unlink(missing_ok=True)
        for old in self.names()[MOST_SESSIONS:]:
            self.delete(old)

    def get(self, name: str) -> Session:
        """Raises RequestError for a session that is not there, or that cannot be read."""
        place = self.folder / name
        try:
            found = json.loads((place / FILE).read_bytes())
            if found["version"] != VERSION:
                raise ValueError(f"version {found['version']}")
            songs = {id: Source.from_json(song, place) for id, song in found["songs"].items()}
            return Session(found["title"], songs, found["page"])
        except FileNotFoundError:
            raise RequestError(404, "there is no such session", remedy="open the file again") from None
        except (OSError, ValueError, LookupError, TypeError, ArvaeError) as error:
            what = f"the session cannot be read ({error})"
            raise RequestError(422, what, where=str(place), remedy="open the file again") from None

    def names(self) -> list[str]:
        """The ids of the sessions, the latest first."""
        try:
            places = [(path.stat().st_mtime, path.parent.name) for path in self.folder.glob(f"*/{FILE}")]
        except OSError:  # one was deleted meanwhile
            return []
        return [name for _, name in sorted(places, reverse=True)]

    def listing(self) -> list[dict[str, Any]]:
        """The sessions: id, title, time (seconds since 1970), and the numbers of steps and variations."""
        found: list[dict[str, Any]] = []
        for name in self.names():
            with suppress(OSError, ValueError, LookupError, TypeError):
                about = json.loads((self.folder / name / FILE).read_bytes())
                counts = {"steps": len(about["page"]["steps"]), "variations": len(about["page"]["cards"])}
                found.append({"id": name, "title": str(about["title"]), "saved": about["saved"], **counts})
        return found

    def delete(self, name: str) -> None:
        shutil.rmtree(self.folder / name, ignore_errors=True)
