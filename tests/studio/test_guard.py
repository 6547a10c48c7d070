"""What the studio refuses: other hosts, other pages, wrong tokens, and files that would take the machine down."""

from __future__ import annotations

import asyncio
import io
import zipfile
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.etree import ElementTree

import midi_files
import mido
import pytest
from studio_client import PORT, TOKEN, edited, opened

from arvae_music.errors import CheckpointError, ExtraError, InputError, UsageError
from arvae_music.studio.core import LARGEST_FILE, LARGEST_UNPACKED, UNNAMED, plain_name
from arvae_music.studio.problems import RequestError, status_of

if TYPE_CHECKING:
    from starlette.testclient import TestClient


@pytest.mark.parametrize("host", ["example.com", f"example.com:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}", ""])
def test_a_request_for_another_host_is_refused(client: TestClient, host: str) -> None:
    assert client.get("state", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"LOCALHOST:{PORT}"])
def test_the_loopback_interface_has_two_names(client: TestClient, host: str) -> None:
    assert client.get("state", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://example.com", "null", f"https://127.0.0.1:{PORT}", "http://127.0.0.1", ""])
def test_a_request_from_another_page_is_refused(client: TestClient, origin: str) -> None:
    answer = client.post("songs", content=midi_files.type_1(), headers={"Origin": origin})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("name", ["Host", "Origin"])
@pytest.mark.parametrize("turn", [1, -1])
def test_all_headers_of_a_name_must_be_right(client: TestClient, name: str, turn: int) -> None:
    good = {"Host": f"127.0.0.1:{PORT}", "Origin": f"http://127.0.0.1:{PORT}"}[name]
    headers = [(name, good), (name, "http://example.com")][::turn]
    assert client.get("state", headers=headers).status_code in (403, 421)


@pytest.mark.parametrize("body", [b"[" * 60_000, b'{"seed": NaN}', b'{"bars": "\\ud800"}', b"\xff", b"{"])
def test_a_body_that_is_no_json_is_a_400(client: TestClient, body: bytes) -> None:
    song = opened(client, midi_files.type_1())["id"]
    assert client.post(f"songs/{song}/edits", content=body).status_code == 400


def test_the_page_itself_may_ask(client: TestClient) -> None:
    assert client.get("state", headers={"Origin": f"http://localhost:{PORT}"}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/v1/state", "/wrong/api/v1/state", f"/{TOKEN}x/", f"//{TOKEN}/", "/%00/"])
def test_nothing_is_there_without_the_token(client: TestClient, path: str) -> None:
    answer = client.get(f"http://127.0.0.1:{PORT}{path}")
    assert (answer.status_code, answer.json()["error"]["what"]) == (404, "there is nothing here")


def test_a_request_without_a_path_is_refused(client: TestClient) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", f"127.0.0.1:{PORT}".encode())]
    asyncio.run(client.app({"type": "http", "method": "OPTIONS", "path": "*", "headers": headers}, None, send))
    assert sent[0]["status"] == 404


@pytest.mark.parametrize("path", ["../api.py", "..%2fapi.py", "%2e%2e/api.py", "/etc/passwd", "vendor"])
def test_only_the_page_is_served(client: TestClient, path: str) -> None:
    answer = client.get(f"http://127.0.0.1:{PORT}/{TOKEN}/assets/{path}")
    assert answer.status_code == 404
    assert b"import" not in answer.content


@pytest.mark.parametrize("path", ["state", "songs/s0", "nothing", "../../", "../../assets/app.js"])
def test_every_answer_is_kept_apart_from_other_pages(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe-inline" not in policy
    assert "unsafe-eval'" not in policy.replace("wasm-unsafe-eval", "")
    assert "frame-ancestors 'none'" in policy
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


# ------------------------------------------------------------------------------------ uploads


def refused(client: TestClient, data: Any, name: str = "song.mid") -> tuple[int, str]:
    answer = client.post("songs", content=data, headers={"X-File-Name": quote(name)})
    error = answer.json()["error"]
    assert set(error) == {"what", "where", "remedy"}
    assert client.get("state").status_code == 200
    return answer.status_code, error["what"]


def test_ten_megabytes_are_refused_before_they_are_read(client: TestClient) -> None:
    assert refused(client, b"x" * 10 * 2**20)[0] == 413
    parts = (b"x" * 2**20 for _ in range(10))  # sent in pieces, without a length
    assert refused(client, parts)[0] == 413
    answer = client.post("songs/s1/edits", content=b" " * 2**20)
    assert answer.status_code in (404, 413)


def test_a_file_of_megabytes_of_midi_is_refused(client: TestClient) -> None:
    assert refused(client, midi_files.type_1() + bytes(2**20)) == (413, "it is larger than 1 MiB")


def packed(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("score.musicxml", content)
    return stream.getvalue()


def test_a_zip_bomb_is_refused(client: TestClient) -> None:
    bomb = packed(b"<score-partwise>" + b" " * (LARGEST_UNPACKED + 1))
    assert len(bomb) < LARGEST_FILE / 10
    assert refused(client, bomb, "song.mxl") == (413, f"it unpacks to more than {LARGEST_UNPACKED >> 20} MiB")


def test_a_zip_bomb_that_lies_about_its_size_is_refused(client: TestClient) -> None:
    bomb = packed(b"<score-partwise>" + b" " * (LARGEST_UNPACKED + 1))
    size = (LARGEST_UNPACKED + 17).to_bytes(4, "little")
    assert bomb.count(size) == 2
    status, _ = refused(client, bomb.replace(size, (10).to_bytes(4, "little")), "song.mxl")
    assert status in (413, 422)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 no archive",
        b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\xff\xff\xff\xff",
        b'<!DOCTYPE a [<!ENTITY b "b"><!ENTITY c "&b;&b;">]><score-partwise>&c;</score-partwise>',
        b"X:1\nT:\xff\xfe\nK:C\n" + b"(" * 5000,
        b"\0" * 4000,
    ],
    ids=["empty", "archive", "truncated", "entities", "abc", "zeros"],
)
def test_a_file_that_cannot_be_read_is_a_422(client: TestClient, data: bytes) -> None:
    assert refused(client, data)[0] == 422


SCRIPT = '<script>alert("1")</script><img src=x onerror=alert(1)>'


def test_a_script_in_a_name_stays_text(client: TestClient) -> None:
    pytest.importorskip("verovio")
    notes = [(240 * i, mido.Message("note_on", note=60 + i // 2 % 5, velocity=64 * (i % 2 == 0))) for i in range(32)]
    song = opened(client, midi_files.save([midi_files.track([(0, midi_files.name(SCRIPT)), *notes])]), f"{SCRIPT}.mid")
    assert song["tracks"][0]["name"] == SCRIPT
    assert "/" not in song["name"]
    edit = edited(client, song["id"], sliders={"density": "+1notes"})
    for place in (f"songs/{song['id']}", f"edits/{edit['id']}"):
        svg = client.get(f"{place}/score").json()["svg"]
        names = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()}
        assert not names & {"script", "img", "foreignObject"}
        disposition = client.get(f"{place}/file").headers["content-disposition"]
        assert "\n" not in disposition
        assert disposition.count('"') == 2


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("../../etc/passwd.mid", "passwd.mid"),
        ("C:\\Users\\me\\tune.mid", "tune.mid"),
        ("tu\r\nne\0.mid", "tune.mid"),
        ("\u202etune.mid", "tune.mid"),
        ("", UNNAMED),
        ("...", UNNAMED),
        ("x" * 500 + ".mid", "x" * 120 + ".mid"),
        ("Gánh hàng.abc", "Gánh hàng.abc"),
    ],
)
def test_a_file_name_is_a_name_alone(name: str, plain: str) -> None:
    assert plain_name(name) == plain


def test_the_kind_of_an_error_decides_its_status() -> None:
    kinds = (InputError("x"), UsageError("x"), CheckpointError("x"), ExtraError("x"), RequestError(413, "x"))
    assert [status_of(error) for error in kinds] == [422, 400, 400, 501, 413]
