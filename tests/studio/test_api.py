"""The studio's API: what it answers, and that its files are those of the command line."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import midi_files
import mido
import pytest
from conftest import Run
from studio_client import edited, opened

from arvae_music import library
from arvae_music.studio.api import Api
from arvae_music.studio.core import Studio
from arvae_music.studio.problems import RequestError
from arvae_music.studio.settings import Settings
from arvae_music.studio.shelf import OpenSong, Shelf

if TYPE_CHECKING:
    from starlette.testclient import TestClient


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


def test_an_edit_of_a_score_keeps_its_fermatas() -> None:
    studio = Studio(library.load())
    song = studio.open("tune.abc", b"X:1\nM:4/4\nL:1/4\nK:C\nc d e f|g e !fermata!d c|d e f g|a g f e|c4|]\n")
    edit = studio.edit(song, Settings.from_json({"sliders": {"density": "+1notes"}}))
    marks = [[bar.closing is not None and bar.closing.tolist() for bar in one.melody.bars]
             for one in (song, studio.go_on(edit))]  # fmt: skip
    assert marks[0] == marks[1]
    assert [bool(mark) for mark in marks[0]] == [False, True, False, False, False]


def test_an_edit_of_another_song_is_not_varied(client: TestClient) -> None:
    one, other = opened(client, midi_files.type_1()), opened(client, midi_files.type_0())
    edit = edited(client, one["id"], sliders={"density": "+1notes"})
    answer = client.post(f"songs/{other['id']}/variations", json={"near": edit["id"]})
    assert answer.status_code == 400
    assert answer.json()["error"]["what"] == f"{edit['id']} is not an edit of {other['id']}"


def test_an_edit_of_a_score_goes_on_as_a_score(client: TestClient) -> None:
    abc = b'X:1\nT:Two\nM:4/4\nL:1/4\nK:G\n"G"GABc|"D7"d2 d2|"G"BAGF|G4|\n'
    song = opened(client, abc, "tune.abc")
    edit = edited(client, song["id"], sliders={"density": "+1notes"})
    again = client.post(f"edits/{edit['id']}/song").json()
    assert [one["name"] for one in again["chords"]] == [one["name"] for one in song["chords"]] == ["G", "D7", "G"]
    places = (f"edits/{edit['id']}", f"songs/{again['id']}")
    files = [client.get(f"{place}/file?format=abc").content for place in places]
    assert files[0] == files[1] != abc


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


def test_the_melody_is_in_colour_on_pages_that_another_part_does_not_reach(client: TestClient) -> None:
    pytest.importorskip("verovio")
    abc = f"X:1\nM:4/4\nL:1/4\nK:C\nV:1\n{'C,4|' * 20}\nV:2\n{'CDEF|' * 34}\n".encode()
    song = client.post("songs?track=2", content=abc, headers={"X-File-Name": "tune.abc"}).json()
    pages = [client.get(f"songs/{song['id']}/score?page={page}").json()["svg"] for page in (1, 2)]
    assert "data-n='2'" in pages[0]
    assert "data-n='1'" in pages[1]


def test_the_demo_and_the_soundfont_come_with_the_studio(client: TestClient) -> None:
    song = client.post("songs?demo=1").json()
    assert song["name"] == "ode_to_joy.mid"
    sound = client.get("soundfont")
    assert sound.content[:4] == b"RIFF"
    same = client.get("soundfont", headers={"If-None-Match": sound.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")


def test_each_setting_reaches_the_edit_as_on_the_command_line(client: TestClient, run_arvae: Run, work: Path) -> None:
    """Each case changes one setting, and the files of both are compared."""
    (work / "tune.mid").write_bytes(midi_files.type_1())
    song = opened(client, midi_files.type_1())
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"keep": ["contour"]}, ["--keep", "contour"]),
        ({"locks": ["onsets"], "sliders": {"range": "+3st"}}, ["--lock", "onsets", "--range", "+3st"]),
        ({"harmony": False}, ["--ignore-harmony"]),
        ({"chords": "F"}, ["--chords", "F"]),
        ({"strength": 0.2, "seed": 3}, ["--strength", "0.2", "--seed", "3"]),
        ({"each": True, "form": False, "free_ends": True}, ["--each", "--no-form", "--free-ends"]),
        ({"model": "bach", "proposals": 8}, ["--model", "bach", "--proposals", "8"]),
    ]
    for number, (settings, words) in enumerate(cases):
        words = words if "--range" in words else ["--density", "+1notes", *words]
        done = run_arvae("edit", "tune.mid", *words, "-o", f"{number}.mid")
        assert done.returncode == 0, done.stderr
        edit = edited(client, song["id"], **{"sliders": {"density": "+1notes"}, **settings})
        assert client.get(f"edits/{edit['id']}/file").content == (work / f"{number}.mid").read_bytes(), settings
        assert edit["settings"] | settings == edit["settings"]


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"slider": {}}, "there is no setting 'slider'"),
        ({"sliders": {"density": "2"}}, "2 is neither a change nor a value"),
        ({"sliders": {"loudness": "+1"}}, "the model has no attribute 'loudness'"),
        ({"sliders": {"density": "+1"}, "bars": "99"}, "no measure of the melody is selected"),
        ({"sliders": [1]}, "sliders is '[1]'"),
        ({"seed": -1}, "seed is '-1'"),
        ({"seed": True}, "seed is 'True'"),
        ({"strength": "much"}, "strength is 'much'"),
        ({"strength": 10**400}, f"strength is '1{39 * '0'}'"),
        ({"model": "/etc/passwd"}, "there is no model '/etc/passwd'"),
        ([1, 2], "the settings are not a JSON object"),
    ],
)
def test_a_wrong_setting_is_a_400_that_says_what_to_do(client: TestClient, settings: Any, what: str) -> None:
    song = opened(client, midi_files.type_1())
    answer = client.post(f"songs/{song['id']}/edits", json=settings)
    assert answer.status_code == 400
    assert answer.json()["error"]["what"] == what
    assert answer.json()["error"]["remedy"]


def test_doubles_of_the_melody_move_along(client: TestClient) -> None:
    """Two tracks play the same notes: an edit tells the new notes of both, as a player of its file hears them."""
    notes = [(480 * i, 60 + (0, 2, 4, 5, 7, 9, 11, 12)[i % 8]) for i in range(16)]

    def part(channel: int) -> Any:
        on = [(at, mido.Message("note_on", note=pitch, velocity=80, channel=channel)) for at, pitch in notes]
        off = [(at + 470, mido.Message("note_off", note=pitch, channel=channel)) for at, pitch in notes]
        return midi_files.track(sorted(on + off, key=lambda one: (one[0], one[1].type != "note_off")))

    song = opened(client, midi_files.save([part(0), part(1)], tpq=480))
    edit = edited(client, song["id"], sliders={"density": "+2notes"})
    again = client.post(f"edits/{edit['id']}/song").json()
    assert len(edit["tracks"]) == 2
    for track in edit["tracks"]:
        heard = next(one for one in again["tracks"] if one["number"] == track["number"])
        assert track["notes"] == heard["notes"]
        assert len(track["notes"]) > len(notes)


def test_the_description_lists_all_addresses_and_settings(client: TestClient) -> None:
    described = client.get("openapi.json").json()
    known = {
        (route.path.removeprefix("/api/v1"), method.lower())
        for route in Api(Studio(library.load()), Path("unused")).routes
        for method in route.methods or () if method != "HEAD"
    }  # fmt: skip
    assert {(path, method) for path, own in described["paths"].items() for method in own} == known
    own = [field.name for field in fields(Settings)]
    assert list(described["components"]["schemas"]["Settings"]["properties"]) == own
    song = opened(client, midi_files.type_1())
    assert list(edited(client, song["id"], sliders={"density": "+1notes"})["settings"]) == own
    page = client.get("docs").text
    assert all(path.replace("{", "{") in page for path in described["paths"])


def test_what_was_not_used_for_long_goes(client: TestClient) -> None:
    shelf: Shelf[OpenSong] = Shelf("s", 2)
    song = Studio(library.load()).open("tune.mid", midi_files.type_1())
    first, second = shelf.add(song), shelf.add(song)
    shelf.get(first.id)
    shelf.add(song)
    assert shelf.get(first.id) is first
    with pytest.raises(RequestError, match="open the file again"):
        shelf.get(second.id)
