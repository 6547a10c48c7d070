"""The HTTP/JSON API of the studio, version 1. docs/studio.md explains it, and openapi.py describes it for programs.

Every answer is JSON, a file, or lines of JSON (variations, as they are found). An error is
{"error": {"what", "where", "remedy"}}. If the client closes the connection, its work is dropped.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ..editing.locks import NAMES as LOCKS
from ..editing.request import STRENGTH
from ..errors import ArvaeError
from ..system.files import plain
from ..version import __version__
from . import openapi
from .core import LARGEST_FILE, Studio, opened
from .description import describe_attributes, describe_edit, describe_song
from .keeping import MOST_SONGS as MOST_KEPT
from .keeping import Keeper, Session, session_name
from .problems import RequestError, status_of, to_json
from .settings import Settings, VarySettings
from .shelf import MOST_EDITS, MOST_SONGS, Edit, OpenSong, Shelf
from .work import Worker

LARGEST_JSON = 64 * 2**10  # bytes of a request's settings
LARGEST_SESSION = 512 * 2**10  # bytes of a session
TYPES = {
    ".mid": "audio/midi",
    ".musicxml": "application/vnd.recordare.musicxml+xml",
    ".abc": "text/vnd.abc; charset=utf-8",
    ".wav": "audio/wav",
}
PAGE = Path(str(files(__package__).joinpath("page")))
NOTHING = """<!doctype html><html lang="en"><title>arvae studio</title><p>The page is not installed. The API is at
<a href="api/v1/state">api/v1/state</a>.</p></html>"""

T = TypeVar("T")


class Api:
    """The endpoints, and what they share: the studio, the songs and edits in memory, and the threads."""

    def __init__(self, studio: Studio, folder: Path, first: OpenSong | None = None) -> None:
        """`folder` is where sessions are kept."""
        self.studio, self.keeper = studio, Keeper(folder)
        self.instance = secrets.token_hex(4)  # ids of songs and edits are those of one run of the studio
        self.songs: Shelf[OpenSong] = Shelf("s", MOST_SONGS)
        self.edits: Shelf[Edit] = Shelf("e", MOST_EDITS)
        self.opened = None if first is None else self.songs.add(first).id
        self.editor, self.explorer, self.reader, self.writer, self.archivist = (
            Worker(f"arvae {name}") for name in ("edits", "variations", "songs", "files", "sessions")
        )

    # -------------------------------------------------------------------------------- songs

    async def state(self, request: Request) -> Response:
        model = self.studio.model
        return _json({
            "version": __version__,
            "models": [{"name": name, "what": self.studio.about(name)} for name in self.studio.models],
            "model": model.name,
            "attributes": describe_attributes(model),
            "locks": LOCKS,
            "strength": STRENGTH,
            "opened": self.opened if self.opened in self.songs.kept else None,
            "instance": self.instance,
        })  # fmt: skip

    async def open(self, request: Request) -> Response:
        asked = request.query_params
        how = {"track": asked.get("track"), "voice": asked.get("voice", "top")}
        if "demo" in asked:
            return await self._opened(request, self.studio.demo)
        if "again" in asked:
            return await self._opened(request, partial(self.studio.read_again, self.songs.get(asked["again"]), **how))
        name = unquote(request.headers.get("x-file-name", ""))
        data = await _body(request, LARGEST_FILE)
        return await self._opened(request, partial(self.studio.open, name, data, **how))

    async def song(self, request: Request) -> Response:
        opened = self.songs.get(request.path_params["song"])
        return await self._answer(request, self.reader, partial(describe_song, opened, self.studio.model))

    async def _opened(self, request: Request, read: Callable[[], OpenSong]) -> Response:
        """A new song."""

        def work() -> dict[str, Any]:
            return describe_song(self.songs.add(read()), self.studio.model)

        return await self._answer(request, self.reader, work, 201)

    # -------------------------------------------------------------------------------- edits

    async def edit(self, request: Request) -> Response:
        opened = self.songs.get(request.path_params["song"])
        settings = Settings.from_json(await _json_body(request))

        def work() -> dict[str, Any]:
            return describe_edit(self.edits.add(self.studio.edit(opened, settings)))

        return await self._answer(request, self.editor, work, 201)

    async def known_edit(self, request: Request) -> Response:
        edit = self.edits.get(request.path_params["edit"])
        return await self._answer(request, self.reader, partial(describe_edit, edit))

    async def vary(self, request: Request) -> Response:
        opened = self.songs.get(request.path_params["song"])
        wish = VarySettings.from_json(await _json_body(request))
        near = None if wish.near is None else self.edits.get(wish.near)
        if near is not None and near.of.id != opened.id:
            remedy = f"vary the song {near.of.id}, or leave out near"
            raise RequestError(400, f"{near.id} is not an edit of {opened.id}", remedy=remedy)
        found = self.explorer.each(partial(self._described, opened, wish, near))
        first = await _unless_gone(request, anext(found))  # an error before it has a status of its own
        return StreamingResponse(_lines(first, found), media_type="application/x-ndjson")

    def _described(self, opened: OpenSong, wish: VarySettings, near: Edit | None) -> Iterator[str]:
        """The lines of the answer, made in the thread."""
        for index, (edit, amount) in enumerate(self.studio.vary(opened, wish, near)):
            edit = self.edits.add(edit)
            yield _text({"index": index, "amount": amount, "edit": describe_edit(edit)})

    async def go_on(self, request: Request) -> Response:
        edit = self.edits.get(request.path_params["edit"])
        return await self._opened(request, partial(self.studio.go_on, edit))

    # -------------------------------------------------------------------------------- sessions

    async def sessions(self, request: Request) -> Response:
        return await self._answer(request, self.archivist, lambda: {"sessions": self.keeper.listing()})

    async def keep(self, request: Request) -> Response:
        """Keep a session on the disk, and its songs and edits in memory."""
        name = session_name(request.path_params["session"])
        title, songs, edits, page = _session(await _json_body(request, LARGEST_SESSION))
        session = Session(title, {id: self.songs.get(id).source for id in songs}, page)
        self.songs.pin(name, songs)
        self.edits.pin(name, edits)
        await self.archivist.run(partial(self.keeper.put, name, session))  # also if the tab is closed meanwhile
        return Response(status_code=204)

    async def session(self, request: Request) -> Response:
        """A session, with its songs, which are opened again unless they are in memory."""
        name = session_name(request.path_params["session"])

        def work() -> dict[str, Any]:
            session = self.keeper.get(name)
            live = isinstance(session.page, dict) and session.page.get("instance") == self.instance
            songs: dict[str, Any] = {}
            for id, source in session.songs.items():
                found = self.songs.kept.get(id) if live else None
                songs[id] = describe_song(found or self.songs.add(opened(source)), self.studio.model)
            return {"title": session.title, "songs": songs, "page": session.page}

        return await self._answer(request, self.reader, work)

    async def forget(self, request: Request) -> Response:
        await self.archivist.run(partial(self.keeper.delete, session_name(request.path_params["session"])))
        return Response(status_code=204)

    # -------------------------------------------------------------------------------- files

    async def file(self, request: Request) -> Response:
        item = self._item(request)
        suffix = f".{request.query_params.get('format', 'mid')}"
        if suffix not in TYPES:
            formats = ", ".join(one[1:] for one in TYPES)
            raise RequestError(400, f"there is no format {suffix[1:20]!r}", remedy=f"the formats are {formats}")
        name, data = await self._work(request, self.writer, partial(item.file, suffix))
        plain_name = "".join(sign if sign.isascii() and sign not in '"\\%' else "_" for sign in name)
        shown = f"attachment; filename=\"{plain_name}\"; filename*=UTF-8''{quote(name, safe='')}"
        return Response(data, media_type=TYPES[suffix], headers={"content-disposition": shown})

    async def score(self, request: Request) -> Response:
        page = request.query_params.get("page", "1")
        if not page.isdecimal() or len(page) > 6:
            raise RequestError(400, f"there is no page {page[:20]!r}", remedy="give a number from 1")
        return await self._answer(request, self.writer, partial(self.studio.score, self._item(request), int(page)))

    async def soundfont(self, request: Request) -> Response:
        path = self.studio.soundfont
        about = path.stat()
        tag = f'"{about.st_mtime_ns:x}-{about.st_size:x}"'
        headers = {"cache-control": "no-cache", "etag": tag}  # the browser keeps it, and asks whether it has changed
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return FileResponse(path, media_type="audio/sf2", headers=headers)

    async def openapi(self, request: Request) -> Response:
        return _json(openapi.document())

    async def docs(self, request: Request) -> Response:
        return Response(openapi.page(), media_type="text/html")

    def _item(self, request: Request) -> OpenSong | Edit:
        found = request.path_params
        return self.songs.get(found["song"]) if "song" in found else self.edits.get(found["edit"])

    # -------------------------------------------------------------------------------- work

    async def _work(self, request: Request, worker: Worker, function: Callable[[], T]) -> T:
        """Compute in a thread, unless the client goes away."""
        return await _unless_gone(request, worker.run(function))

    async def _answer(
        self, request: Request, worker: Worker, function: Callable[[], Any], status: int = 200
    ) -> Response:
        """What a function computes in a thread, as JSON, which is written there too."""
        text = await self._work(request, worker, lambda: _text(function()))
        return Response(text, status, media_type="application/json")

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/api/v1/state", self.state),
            Route("/api/v1/songs", self.open, methods=["POST"]),
            Route("/api/v1/songs/{song}", self.song),
            Route("/api/v1/songs/{song}/edits", self.edit, methods=["POST"]),
            Route("/api/v1/songs/{song}/variations", self.vary, methods=["POST"]),
            Route("/api/v1/songs/{song}/file", self.file),
            Route("/api/v1/songs/{song}/score", self.score),
            Route("/api/v1/edits/{edit}", self.known_edit),
            Route("/api/v1/edits/{edit}/song", self.go_on, methods=["POST"]),
            Route("/api/v1/edits/{edit}/file", self.file),
            Route("/api/v1/edits/{edit}/score", self.score),
            Route("/api/v1/sessions", self.sessions),
            Route("/api/v1/sessions/{session}", self.session),
            Route("/api/v1/sessions/{session}", self.keep, methods=["PUT"]),
            Route("/api/v1/sessions/{session}", self.forget, methods=["DELETE"]),
            Route("/api/v1/soundfont", self.soundfont),
            Route("/api/v1/openapi.json", self.openapi),
            Route("/api/v1/docs", self.docs),
        ]


def application(studio: Studio, folder: Path, first: OpenSong | None = None) -> Starlette:
    """The application without its guard. `folder` is where sessions are kept."""
    api = Api(studio, folder, first)
    assets = [Mount("/assets", StaticFiles(directory=PAGE))] if PAGE.is_dir() else []
    routes = [*api.routes, Route("/", _page), *assets]
    handlers = {ArvaeError: _refused, HTTPException: _not_found, ClientDisconnect: _gone, Exception: _bug}
    return Starlette(routes=routes, exception_handlers=handlers)


async def _page(request: Request) -> Response:
    index = PAGE / "index.html"
    if not index.is_file():
        return Response(NOTHING, media_type="text/html")
    return FileResponse(index, headers={"cache-control": "no-cache"})


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ArvaeError)
    return JSONResponse(to_json(error), status_of(error))


async def _not_found(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    where = request.url.path.removeprefix(request.scope["root_path"])
    remedy = "api/v1/docs lists the addresses"
    refused = RequestError(error.status_code, error.detail.lower(), where=where, remedy=remedy)
    return JSONResponse(to_json(refused), error.status_code)


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=499)


async def _bug(request: Request, error: Exception) -> Response:
    what = f"a bug in arvae: {type(error).__name__}: {error}"
    return JSONResponse(to_json(RequestError(500, what, remedy="the studio goes on; its terminal shows where")), 500)


def _json(data: Any) -> Response:
    return Response(_text(data), media_type="application/json")


def _text(data: Any) -> str:
    write = partial(json.dumps, default=plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        return write(data)
    except ValueError:  # numbers that JSON does not have become null, which takes longer
        return write(plain(data))


async def _lines(first: str, others: AsyncIterator[str]) -> AsyncIterator[str]:
    """Texts as lines. An error ends them as its own line."""
    yield f"{first}\n"
    try:
        async for text in others:
            yield f"{text}\n"
    except ArvaeError as error:
        yield f"{_text(to_json(error))}\n"


async def _body(request: Request, most: int) -> bytes:
    """The body of a request. Raises RequestError for a longer one, which is not read to its end."""
    too_long = RequestError(413, f"the body is longer than {most >> 10} KiB", remedy="send a smaller file")
    if int(request.headers.get("content-length") or 0) > most:
        raise too_long
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > most:
            raise too_long
    return bytes(data)


async def _json_body(request: Request, most: int = LARGEST_JSON) -> Any:
    body = await _body(request, most)
    try:
        data = json.loads(body or b"{}", parse_constant=_no_number)
        _text(data).encode()  # half of a pair of surrogates is no text that can be answered
    except (ValueError, RecursionError):
        raise RequestError(400, "the body is not JSON", remedy='send {"sliders": {"density": "+2notes"}}') from None
    return data


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _session(body: Any) -> tuple[str, list[str], list[str], Any]:
    """The title, the ids of the songs and of the edits, and the data of a page. Raises RequestError."""
    if isinstance(body, dict) and set(body) == {"title", "songs", "edits", "page"}:
        title, songs, edits, page = (body[name] for name in ("title", "songs", "edits", "page"))
        texts = [title, *songs, *edits] if isinstance(songs, list) and isinstance(edits, list) else [None]
        if all(isinstance(text, str) for text in texts) and len(songs) <= MOST_KEPT and len(edits) <= MOST_EDITS:
            return title[:200], songs, edits, page
    remedy = f"give title, songs (at most {MOST_KEPT}), edits and page"
    raise RequestError(400, "this is no session", remedy=remedy)


async def _unless_gone(request: Request, work: Awaitable[T]) -> T:
    """The result of some work, which is cancelled if the client closes the connection."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
