"""Sessions on the disk: what they bring back in the same and in another run of the studio, and what is refused."""

from __future__ import annotations

import json
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import midi_files
import pytest
from studio_client import BASE, PORT, TOKEN, edited, opened

from arvae_music import library
from arvae_music.studio.api import application
from arvae_music.studio.core import Studio
from arvae_music.studio.guard import Guard
from arvae_music.studio.keeping import FILE, MOST_SESSIONS, MOST_SONGS, Keeper, Session
from arvae_music.studio.server import Server
from arvae_music.studio.shelf import MOST_PINNING, OpenSong, Shelf

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette recommends another client than httpx
    from starlette.testclient import TestClient

ABC = b"""X:1
T:Song
M:4/4
L:1/8
K:G
"G"GABc dedB|"D"A2F2 D4|"G"GABc d2e2|"D7"f2d2 "G"g4|
"""


@contextmanager
def run(folder: Path) -> Iterator[TestClient]:
    """One run of the studio with this folder for its sessions."""
    app = Guard(application(Studio(library.load()), folder), TOKEN, PORT)
    with TestClient(app, base_url=BASE, raise_server_exceptions=False) as found:
        yield found


def keep(client: TestClient, songs: list[str], **page: Any) -> None:
    page = {"instance": client.get("state").json()["instance"], "steps": [{}, {}], "cards": [{}], **page}
    answer = client.put("sessions/session-1", json={"title": "A", "songs": songs, "edits": [], "page": page})
    assert (answer.status_code, answer.content) == (204, b"")


def test_another_run_opens_the_songs_again(tmp_path: Path) -> None:
    with run(tmp_path) as client:
        first = opened(client, midi_files.type_1())
        other = client.post(f"songs?again={first['id']}&track=2").json()
        tune = opened(client, ABC, "tune.abc")
        edit = edited(client, tune["id"], sliders={"density": "+1notes"})
        adopted = client.post(f"edits/{edit['id']}/song").json()
        songs = [first, other, tune, adopted]
        keep(client, [song["id"] for song in songs], colour="red")
        here = client.get("sessions/session-1").json()
        assert {id: song["id"] for id, song in here["songs"].items()} == {song["id"]: song["id"] for song in songs}
    with run(tmp_path) as client:
        (listed,) = client.get("sessions").json()["sessions"]
        assert (listed["id"], listed["title"], listed["steps"], listed["variations"]) == ("session-1", "A", 2, 1)
        opened(client, midi_files.type_0(), "unrelated.mid")  # its id is the first song's of the other run
        there = client.get("sessions/session-1").json()
        assert there["page"]["colour"] == "red"
        for song in songs:
            again = there["songs"][song["id"]]
            for name in ("melody", "measures", "chords", "tempo"):
                assert again[name] == song[name], (song["name"], name)
            assert edited(client, again["id"], sliders={"density": "+1notes"})["changed"]
        assert client.delete("sessions/session-1").status_code == 204
        assert client.get("sessions").json() == {"sessions": []}
    assert not list(tmp_path.iterdir())


def test_the_files_are_those_of_the_songs_and_private(tmp_path: Path) -> None:
    with run(tmp_path / "state") as client:
        first, second = (opened(client, data)["id"] for data in (midi_files.type_1(), midi_files.type_0()))
        keep(client, [first, second])
        keep(client, [second])
        folder = tmp_path / "state" / "session-1"
        (song,) = folder.glob("*.song")
        assert song.read_bytes() == midi_files.type_0()
        if os.name == "posix":
            assert folder.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ([], 400),
        ({"title": 1, "songs": [], "edits": [], "page": None}, 400),
        ({"title": "", "songs": "s1", "edits": [], "page": None}, 400),
        ({"title": "", "songs": [["s1"]], "edits": [], "page": None}, 400),
        ({"title": "", "songs": ["s1"] * (MOST_SONGS + 1), "edits": [], "page": None}, 400),
        ({"title": "", "songs": ["s99999"], "edits": [], "page": None}, 404),
        ({"title": "", "songs": [], "edits": [], "page": "x" * 600_000}, 413),
    ],
)
def test_what_is_no_session_is_refused(client: TestClient, body: Any, status: int) -> None:
    assert client.put("sessions/session-2", json=body).status_code == status
    assert client.get("sessions/session-2").status_code == 404


@pytest.mark.parametrize("name", ["short", "........", "a" * 41, "session 1", "..%5c..%5cetc"])
def test_an_id_is_never_a_path(client: TestClient, name: str) -> None:
    session = {"title": "", "songs": [], "edits": [], "page": None}
    for answer in (client.put(f"sessions/{name}", json=session), client.get(f"sessions/{name}"),
                   client.delete(f"sessions/{name}")):  # fmt: skip
        assert answer.status_code == 400


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 99}', '{"version": 1, "songs": {"s1": {}}}'])
def test_a_damaged_session_is_an_error_and_is_not_listed(tmp_path: Path, text: str) -> None:
    (tmp_path / "session-1").mkdir()
    (tmp_path / "session-1" / FILE).write_text(text)
    with run(tmp_path) as client:
        assert client.get("sessions").json() == {"sessions": []}
        answer = client.get("sessions/session-1")
        assert answer.status_code == 422
        assert answer.json()["error"]["where"].endswith("session-1")


def test_the_oldest_sessions_go(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    for n in range(MOST_SESSIONS + 3):
        keeper.put(f"session-{n}", Session(f"{n}", {}, {"steps": [], "cards": []}))
        os.utime(tmp_path / f"session-{n}" / FILE, (n, n))
    assert {path.name for path in tmp_path.iterdir()} == {f"session-{n}" for n in range(3, MOST_SESSIONS + 3)}
    assert json.loads((tmp_path / f"session-{MOST_SESSIONS}" / FILE).read_text())["title"] == str(MOST_SESSIONS)


def test_what_a_session_shows_stays_in_memory() -> None:
    studio = Studio(library.load())
    shelf: Shelf[OpenSong] = Shelf("s", 2)
    song = studio.demo()
    ids = [shelf.add(song).id for _ in range(2)]
    shelf.pin("session-1", ids[:1])
    ids += [shelf.add(song).id for _ in range(4)]
    assert list(shelf.kept) == [ids[0], *ids[-2:]]
    for n in range(MOST_PINNING):
        shelf.pin(f"later-{n}", [])
    shelf.add(song)
    assert ids[0] not in shelf.kept


def test_answers_do_not_wait_for_the_receipt_of_their_first_packet(tmp_path: Path) -> None:
    server = Server(Studio(library.load()), tmp_path)
    with server.socket, socket.create_connection(("127.0.0.1", server.port)):
        accepted, _ = server.socket.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
