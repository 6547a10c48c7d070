"""The studio without its server: it opens songs, edits them, varies them and writes them, all in memory.

    studio = Studio(model)
    opened = studio.open("melody.mid", data)
    edit = studio.edit(opened, Settings((("density", "+2notes"),)))
    edit.file(".mid")                              the bytes that the command line writes

Its methods compute for a while and are meant for a thread; the shelves belong to the server's thread.
"""

from __future__ import annotations

import io
import time
import unicodedata
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..io.lines import TOP
from ..system.outputs import MIDI
from ..vae import checkpoint
from .keeping import Source
from .problems import RequestError
from .settings import Settings, VarySettings
from .shelf import Edit, OpenSong

if TYPE_CHECKING:
    from ..io.midi import Song
    from ..library import Model
    from .score import EngravedScore

LARGEST_FILE = 8 * 2**20  # bytes of a MusicXML file
LARGEST_DENSE = 2**20  # bytes of a file in another format, which holds far more music in a byte
LARGEST_UNPACKED = 32 * 2**20  # bytes of a compressed score
MOST_NOTES = 100_000  # of a song
MOST_SCORES = 8  # engraved scores that are kept
LONGEST_NAME = 120  # characters of a file's name
UNNAMED = "song.mid"


class Studio:
    """What the studio can do. `model` is the one that edits unless the settings name another."""

    def __init__(self, model: Model, soundfont: Path | None = None) -> None:
        """`soundfont` has the sounds of the instruments; None is the one that pretty_midi installs."""
        self.model, self._soundfont = model, soundfont
        self._scores: OrderedDict[str, EngravedScore] = OrderedDict()  # by the id of the song or the edit

    @property
    def models(self) -> list[str]:
        """The names that settings may use: the bundled models, and the studio's own. No other files are read."""
        return list(dict.fromkeys([self.model.name, *checkpoint.packaged_names("measures")]))

    def about(self, name: str) -> str:
        """What a model was trained on."""
        found = self.model.metadata if name == self.model.name else checkpoint.describe(checkpoint.find(name))
        return f"trained on {sum(found.meters.values()):,} measures"

    def model_of(self, settings: Settings) -> Model:
        """Raises RequestError for a model that the studio does not have."""
        from ..library import load

        name = settings.model or self.model.name
        if name not in self.models:
            remedy = f"the models are {', '.join(self.models)}"
            raise RequestError(400, f"there is no model {name[:40]!r}", remedy=remedy)
        return self.model if name == self.model.name else load(name)

    def open(self, name: str, data: bytes, **how: Any) -> OpenSong:
        """Read a song from the bytes of its file. `how` are parameters of `read_any`. Raises InputError, and
        RequestError for a file that is too large."""
        name = plain_name(name)
        _expect_small(data, name)
        return opened(Source(name, data, how))

    def read_again(self, song: OpenSong, **how: Any) -> OpenSong:
        """Read a song again, with another melody. Raises InputError."""
        return opened(replace(song.source, how={**song.source.how, "channel": None, **how}))

    def demo(self) -> OpenSong:
        """The melody that comes with arvae."""
        source = Path(str(files("arvae_music").joinpath("data/ode_to_joy.mid")))
        return self.open(source.name, source.read_bytes())

    @property
    def soundfont(self) -> Path:
        """Raises RequestError if there is none."""
        found = self._soundfont
        if found is None and (library := find_spec("pretty_midi")) is not None and library.origin is not None:
            found = next(iter(sorted(Path(library.origin).parent.glob("*.sf2"))), None)
        if found is None or not found.is_file():
            where = None if found is None else str(found)
            remedy = "name a SoundFont (.sf2) with the environment variable ARVAE_SOUNDFONT"
            raise RequestError(501, "there is no SoundFont for the instruments", where=where, remedy=remedy)
        return found

    def edit(self, opened: OpenSong, settings: Settings) -> Edit:
        """Raises the errors of the library's `edit`, and InputError if no measure can be edited."""
        from ..editing import edit as engine
        from ..library import one_thread

        begun = time.perf_counter()
        model = self.model_of(settings)
        request = settings.request(model)
        with one_thread():
            result = engine.edit(opened.song.melody, request, model)
        engine.expect_editable(result, opened.name)
        return Edit(opened, settings, request, result, model, round(1000 * (time.perf_counter() - begun)))

    def vary(self, opened: OpenSong, wish: VarySettings, near: Edit | None = None) -> Iterator[tuple[Edit, float]]:
        """Variations of a song, or of an edit of it, each with the share of its notes that differ from what is varied.

        Raises the errors of the library's `vary`, and InputError if there is no variation."""
        from ..editing import edit as engine
        from ..editing.vary import VaryRequest, variations_of
        from ..library import one_thread

        model = self.model_of(wish.editing)
        settings = wish.editing if near is None else replace(wish.editing, sliders=())
        request = VaryRequest(settings.request(model), **wish.how)
        number, begun = 0, time.perf_counter()
        with one_thread():
            melody = opened.song.melody if near is None else near.melody
            base, found = variations_of(melody, request, model)
            engine.expect_editable(base, opened.name)
            for number, variation in enumerate(found, start=1):
                took = round(1000 * (time.perf_counter() - begun))
                yield Edit(opened, settings, request.editing, variation.result, model, took, number), variation.amount
        if not number:
            raise InputError(
                "no variation keeps everything that must stay",
                where=opened.name,
                remedy="give a larger amount=..., or fewer names in keep=... and lock=...",
            )

    def score(self, item: OpenSong | Edit, page: int) -> dict[str, Any]:
        """A page of the engraved score, and how many pages it has. Raises RequestError. One thread calls it."""
        from .score import EngravedScore

        if item.id not in self._scores:
            self._scores[item.id] = EngravedScore.of(item.song, item.melody.rows)
            while len(self._scores) > MOST_SCORES:
                self._scores.popitem(last=False)
        score = self._scores[item.id]
        return {"svg": score.page(page), "pages": score.pages}

    def go_on(self, edit: Edit) -> OpenSong:
        """The edit as a song of its own, with its bytes."""
        from ..io.score_output import score_of
        from ..io.scores import song_of

        before, found = edit.song, edit.song.found
        how: dict[str, Any] = {"track": found.track, "channel": found.channel, "voice": found.voice or TOP}
        name, data = edit.file(MIDI)
        if before.score is None:
            return opened(Source(name, data, how | {"pickup": before.pickup}))
        song = song_of(score_of(before, edit.melody.rows), data, name, pickup=before.pickup, **how)
        return opened(Source(*edit.file(".musicxml"), how), song)


def opened(source: Source, song: Song | None = None) -> OpenSong:
    """A song for the studio; `song` is what reading the source gives, if it is known. Raises InputError, and
    RequestError for one with too many notes."""
    found = OpenSong(source.read() if song is None else song, source)
    notes = sum(len(track.notes) for track in found.performance.tracks)
    if notes > MOST_NOTES:
        what = f"it has {notes} notes, and the studio shows {MOST_NOTES} at most"
        raise RequestError(413, what, where=source.name, remedy="cut it into shorter files, or use arvae edit")
    return found


def plain_name(name: str) -> str:
    """The name of a file without folders and without characters that cannot be printed."""
    last = PureWindowsPath(PurePosixPath(name).name).name
    clean = "".join(sign for sign in unicodedata.normalize("NFC", last) if sign.isprintable()).strip()
    stem, dot, suffix = clean.rpartition(".")
    return f"{stem[:LONGEST_NAME]}{dot}{suffix[:12]}" if stem.strip(". ") else UNNAMED


def _expect_small(data: bytes, name: str) -> None:
    """Raises RequestError for a file that is too large, or a compressed one that unpacks to too much."""
    xml = data[:2] == b"PK" or data[:1024].lstrip(b"\xef\xbb\xbf\xff\xfe\0 \r\n\t").startswith(b"<")
    largest = LARGEST_FILE if xml else LARGEST_DENSE
    if len(data) > largest:
        raise RequestError(413, f"it is larger than {largest >> 20} MiB", where=name, remedy="use arvae edit")
    if data[:2] != b"PK":
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            left = LARGEST_UNPACKED
            for member in archive.infolist():
                with archive.open(member) as stream:  # the sizes that it tells may be wrong
                    left -= len(stream.read(left + 1))
                if left < 0:
                    what = f"it unpacks to more than {LARGEST_UNPACKED >> 20} MiB"
                    raise RequestError(413, what, where=name, remedy="export it again from a notation program")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, zlib.error) as error:
        what = f"cannot be read as a compressed score ({error})"
        raise InputError(what, where=name, remedy="export or download it again") from None
