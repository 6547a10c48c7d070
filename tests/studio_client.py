"""Requests to the studio that several tests make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from starlette.testclient import TestClient

TOKEN, PORT = "secret", 4321
BASE = f"http://127.0.0.1:{PORT}/{TOKEN}/api/v1/"


def opened(client: TestClient, data: bytes, name: str = "tune.mid") -> dict[str, Any]:
    answer = client.post("songs", content=data, headers={"X-File-Name": quote(name)})
    assert answer.status_code == 201, answer.text
    song: dict[str, Any] = answer.json()
    return song


def edited(client: TestClient, song: str, **settings: Any) -> dict[str, Any]:
    answer = client.post(f"songs/{song}/edits", json=settings)
    assert answer.status_code == 201, answer.text
    edit: dict[str, Any] = answer.json()
    return edit
