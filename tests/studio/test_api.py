"""The studio's API: what it answers, and that its files are those of the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import midi_files
import pytest
from conftest import Run
from starlette.testclient import TestClient

from arvae_music import library
from arvae_music.studio.api import application
from arvae_music.studio.core import Studio
from arvae_music.studio.guard import Guard

TOKEN, PORT = "secret", 4321
BASE = f"http://127.0.0.1:{PORT}/{TOKEN}/api/v1/"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    app = Guard(application(Studio(library.load())), TOKEN, PORT)
    with TestClient(app, base_url=BASE, raise_server_exceptions=False) as found:
        yield found


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


def test_the_state_names_the_models_and_the_sliders(client: TestClient) -> None:
    state = client.get("state").json()
    assert state["model"] == "all"
    assert {"all", "bach", "folk"} <= {model["name"] for model in state["models"]}
    assert {"density", "range"} <= {one["name"] for one in state["attributes"]}
    assert state["opened"] is None


def test_a_song_has_its_tracks_in_seconds(client: TestClient) -> None:
    song = opened(client, midi_files.type_1())
    melody = next(track for track in song["tracks"] if track["melody"])
    assert melody["notes"] == song["melody"]["notes"]
    assert song["measures"][0]["start"] == 0
    assert client.get(f"songs/{song['id']}").json() == song


def test_the_saved_file_is_the_command_lines(client: TestClient, run_arvae: Run, work: Path) -> None:
    (work / "tune.mid").write_bytes(midi_files.type_1())
    done = run_arvae("edit", "tune.mid", "--density", "+2notes", "--bars", "1-2", "--lock", "key")
    assert done.returncode == 0, done.stderr
    song = opened(client, midi_files.type_1())
    edit = edited(client, song["id"], sliders={"density": "+2notes"}, bars="1-2", locks=["key"])
    file = client.get(f"edits/{edit['id']}/file")
    assert "tune.density+2notes.mid" in file.headers["content-disposition"]
    assert file.content == (work / "tune.density+2notes.mid").read_bytes()
    assert edit["report"].splitlines() == done.stdout.splitlines()[:-1]


def test_an_edit_tells_what_became_of_each_note(client: TestClient) -> None:
    song = opened(client, midi_files.type_1())
    edit = edited(client, song["id"], sliders={"density": "+2notes"})
    fates = [note[4] for note in edit["melody"]]
    assert "new" in fates
    kept = [note for note in edit["melody"] if note[4] == "kept"]  # its end may be another one
    before = {(start, pitch) for start, _, pitch, _ in song["melody"]["notes"]}
    assert {(note[0], note[2]) for note in kept + edit["removed"]} == before
    assert len(kept) + len(edit["removed"]) == len(before)
    again = client.post(f"edits/{edit['id']}/song").json()
    assert again["melody"]["notes"] == [note[:4] for note in edit["melody"]]
    assert next(track for track in again["tracks"] if track["melody"])["notes"] == edit["notes"]
    bytes_of = [client.get(f"{kind}/file").content for kind in (f"songs/{again['id']}", f"edits/{edit['id']}")]
    assert bytes_of[0] == bytes_of[1]


def variations(client: TestClient, song: str, **wish: Any) -> list[dict[str, Any]]:
    answer = client.post(f"songs/{song}/variations", json=wish)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def test_variations_are_the_command_lines(client: TestClient, run_arvae: Run, work: Path) -> None:
    (work / "tune.mid").write_bytes(midi_files.type_1())
    done = run_arvae("vary", "tune.mid", "-n", "3", "--amount", "0.4", "--seed", "5")
    assert done.returncode == 0, done.stderr
    song = opened(client, midi_files.type_1())
    found = variations(client, song["id"], count=3, amount=0.4, seed=5)
    assert [one["index"] for one in found] == [0, 1, 2]
    for number, one in enumerate(found, 1):
        file = client.get(f"edits/{one['edit']['id']}/file")
        name = f"tune.vary.{number:02}.mid"
        assert name in file.headers["content-disposition"]
        assert file.content == (work / "tune.variations" / name).read_bytes()


def test_variations_near_an_edit_keep_what_it_achieved(client: TestClient) -> None:
    song = opened(client, midi_files.type_1())
    edit = edited(client, song["id"], sliders={"density": "+2notes"})
    achieved = {one["name"]: one["achieved"] for one in edit["attributes"]}
    found = variations(client, song["id"], count=2, amount=0.3, near=edit["id"], sliders={"density": "+2notes"})
    for one in found:
        density = next(row for row in one["edit"]["attributes"] if row["name"] == "density")
        assert density["before"] == density["achieved"] == achieved["density"]


def test_a_score_shows_all_tracks_and_the_melody_in_colour(client: TestClient) -> None:
    pytest.importorskip("verovio")
    song = opened(client, midi_files.type_1())
    edit = edited(client, song["id"], sliders={"density": "+2notes"})
    for place in (f"songs/{song['id']}", f"edits/{edit['id']}"):
        drawn = client.get(f"{place}/score?page=1").json()
        root = ElementTree.fromstring(drawn["svg"])
        staves = {staff.get("data-n") for staff in root.iter() if staff.get("class") == "staff"}
        pitched = [track for track in song["tracks"] if not track["drum"]]
        assert len(staves) == len(pitched) > 1
        assert "data-n='1'" in drawn["svg"]
        beyond = client.get(f"{place}/score?page={drawn['pages'] + 1}")
        assert (beyond.status_code, beyond.json()["error"]["remedy"]) == (404, f"its pages are 1 to {drawn['pages']}")


def test_the_demo_and_the_soundfont_come_with_the_studio(client: TestClient) -> None:
    song = client.post("songs?demo=1").json()
    assert song["name"] == "ode_to_joy.mid"
    sound = client.get("soundfont")
    assert sound.content[:4] == b"RIFF"
    same = client.get("soundfont", headers={"If-None-Match": sound.headers["etag"]})
    assert sound.headers["etag"]
    assert same.status_code in (200, 304)
