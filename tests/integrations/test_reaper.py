"""The script for REAPER, run by Lua on a project made up in Python: what it exports, runs and inserts."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mido
import pytest
from conftest import REPOSITORY, Run

lupa = pytest.importorskip("lupa.lua54")

SCRIPT = REPOSITORY / "integrations" / "reaper" / "arvae_edit.lua"
Note = tuple[float, float, int]  # start and end in quarter notes of the project, pitch


@dataclass
class Take:
    notes: Sequence[Note] = ()
    midi: bool = True
    source: str = ""
    values: dict[str, float] = field(default_factory=dict)
    name: str = ""


@dataclass
class Item:
    start: float  # seconds
    length: float
    takes: list[Take]
    active: int = 0


@dataclass
class Project:
    """A project at 120 quarter notes a minute: two measures of 4/4, then 3/4. ppq positions are 960 to a quarter, from
    1000 on."""

    folder: Path
    items: list[Item]
    arvae: Any
    answers: str | None = "--density +1notes\narvae"
    messages: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    undo: list[str] = field(default_factory=list)

    def measure(self, n: int) -> tuple[float, float, float, int, int, float]:
        start = 4.0 * n if n <= 2 else 8 + 3.0 * (n - 2)
        beats = 4 if n < 2 else 3
        return start / 2, start, start + beats, beats, 4, 60.0  # a tempo that counts half notes

    def execute(self, line: str, timeout: int) -> str | None:
        self.commands.append(line)
        assert timeout > 1000
        return str(self.arvae(line))

    def api(self, lua: Any) -> Any:
        functions = {
            "CountSelectedMediaItems": lambda _: len(self.items),
            "GetSelectedMediaItem": lambda _, i: self.items[int(i)],
            "GetActiveTake": lambda item: item.takes[item.active] if item.takes else None,
            "TakeIsMIDI": lambda take: take.midi,
            "GetMediaItemInfo_Value": lambda i, name: {"D_POSITION": i.start, "D_LENGTH": i.length}[name],
            "TimeMap2_timeToQN": lambda _, time: time * 2,
            "TimeMap2_QNToTime": lambda _, quarters: quarters / 2,
            "TimeMap2_timeToBeats": lambda _, time: next(
                (time * 2 - self.measure(n)[1], n) for n in range(99) if self.measure(n + 1)[1] > time * 2
            ),
            "TimeMap_GetMeasureInfo": lambda _, n: self.measure(int(n)),
            "MIDI_CountEvts": lambda take: (True, len(take.notes), 0, 0),
            "MIDI_GetNote": lambda take, i: (
                True, False, take.notes[int(i)][2] == 0, take.notes[int(i)][0] * 960 + 1000,
                take.notes[int(i)][1] * 960 + 1000, 0, take.notes[int(i)][2] or 60, 90,
            ),
            "MIDI_GetProjQNFromPPQPos": lambda take, ppq: (ppq - 1000) / 960,
            "GetProjectPath": lambda _: str(self.folder),
            "ExecProcess": self.execute,
            "file_exists": lambda path: Path(path).exists(),
            "AddTakeToMediaItem": lambda item: item.takes.append(Take()) or item.takes[-1],
            "PCM_Source_CreateFromFile": lambda path: path,
            "SetMediaItemTake_Source": lambda take, source: setattr(take, "source", source),
            "SetMediaItemTakeInfo_Value": lambda take, name, value: take.values.update({name: value}),
            "GetSetMediaItemTakeInfo_String": lambda take, key, value, _: setattr(take, "name", value),
            "SetActiveTake": lambda take: self.activate(take),
            "UpdateItemInProject": lambda item: None,
            "UpdateArrange": lambda: None,
            "GetExtState": lambda section, name: self.kept.get(name, ""),
            "SetExtState": lambda section, name, value, _: self.kept.update({name: value}),
            "GetUserInputs": lambda *_: (self.answers is not None, self.answers or ""),
            "Undo_BeginBlock": lambda: self.undo.append("begin"),
            "Undo_EndBlock": lambda name, _: self.undo.append(name),
            "ShowMessageBox": lambda text, title, _: self.messages.append(text),
        }  # fmt: skip
        return lua.table_from(functions)

    def activate(self, take: Take) -> None:
        for item in self.items:
            if any(take is one for one in item.takes):
                item.active = len(item.takes) - 1

    def run(self) -> None:
        lua = lupa.LuaRuntime(unpack_returned_tuples=True)
        lua.globals().reaper = self.api(lua)
        lua.execute(SCRIPT.read_text("utf-8"))


@pytest.fixture
def real(run_arvae: Run, tiny_model_path: Path) -> Any:
    """ExecProcess with the real arvae: the exit code in a line, then stdout."""

    def run(line: str) -> str:
        _, *words = shlex.split(line)
        done = run_arvae(*words, "--model", tiny_model_path)
        return f"{done.returncode}\n{done.stdout}"

    return run


def melody() -> list[Note]:
    """Quarter notes from beat 3 of the first measure to the end of the third, which is in 3/4."""
    return [(2.0 + n, 3.0 + n, 60 + (0, 4, 2, 7, 5)[n % 5]) for n in range(9)]


def notes_of(path: Path) -> list[tuple[int, int]]:
    """(tick, pitch) of the note-ons."""
    file, found, now = mido.MidiFile(str(path)), [], 0
    for message in file.tracks[0]:
        now += message.time
        if message.type == "note_on" and message.velocity:
            found.append((now, message.note))
    return found


def test_a_selected_item_gets_an_edited_take(tmp_path: Path, real: Any) -> None:
    item = Item(1.0, 4.5, [Take(melody())])
    project = Project(tmp_path, [item], real)
    project.run()
    assert project.messages == []
    old, new = item.takes
    assert item.active == 1
    assert new.values == {"D_STARTOFFS": 1.0}  # the file begins two beats before the item
    assert new.name == "arvae --density +1notes"
    before, after = [(round(960 * start), pitch) for start, _, pitch in old.notes], notes_of(Path(new.source))
    assert len(after) > len(before)
    assert after[0][0] == 2 * 960
    kinds = [m for m in mido.MidiFile(new.source).tracks[0] if m.type in ("time_signature", "set_tempo")]
    assert [(m.numerator, m.denominator) for m in kinds if m.type == "time_signature"] == [(4, 4), (3, 4)]
    assert [m.tempo for m in kinds if m.type == "set_tempo"] == [500_000]
    assert project.undo == ["begin", "arvae --density +1notes"]
    assert project.kept == {"options": "--density +1notes", "command": "arvae"}
    assert len(list(tmp_path.glob("arvae-*.mid"))) == 1  # the result; the export is gone


def test_what_is_exported_is_what_is_in_the_item(tmp_path: Path) -> None:
    seen: list[list[tuple[int, int]]] = []

    def spy(line: str) -> str:
        seen.append(notes_of(Path(shlex.split(line)[2])))
        return "1\n"

    notes = [(1.0, 2.0, 50), *melody(), (3.0, 3.5, 0), (11.0, 12.0, 70)]  # before, muted, and after the item
    project = Project(tmp_path, [Item(1.0, 4.5, [Take(notes)])], spy)
    project.run()
    assert seen == [[(round(start * 960), pitch) for start, _, pitch in melody()]]
    assert "arvae made no edit" in project.messages[0]
    assert project.commands[0] in project.messages[0]
    assert list(tmp_path.iterdir()) == []


def test_the_path_of_arvae_may_have_spaces(tmp_path: Path) -> None:
    program = tmp_path / "my programs" / "arvae"
    program.parent.mkdir()
    program.touch()
    project = Project(tmp_path, [Item(1.0, 4.5, [Take(melody())])], lambda line: "1\n")
    project.answers = f"--density +1notes\n{program}"
    project.run()
    assert shlex.split(project.commands[0])[:2] == [str(program), "edit"]


def test_all_selected_items_are_edited_and_problems_are_shown_together(tmp_path: Path, real: Any) -> None:
    items = [Item(1.0, 4.5, [Take(melody())]), Item(0, 1, [Take(midi=False)]), Item(0, 1, [Take()]), Item(0, 1, [])]
    project = Project(tmp_path, items, real)
    project.run()
    assert [len(item.takes) for item in items] == [2, 1, 1, 0]
    assert project.messages == [
        "A selected item holds no MIDI.\nA selected item has no notes.\nA selected item holds no MIDI."
    ]


def test_nothing_happens_without_a_selection_or_after_cancel(tmp_path: Path) -> None:
    nothing = Project(tmp_path, [], None)
    nothing.run()
    assert nothing.messages == ["Select one or more MIDI items first."]
    cancelled = Project(tmp_path, [Item(1.0, 4.5, [Take(melody())])], None, answers=None)
    cancelled.run()
    assert (cancelled.commands, cancelled.messages, cancelled.undo) == ([], [], [])


def test_a_wrong_option_is_shown_with_the_line_to_try(tmp_path: Path, real: Any) -> None:
    project = Project(tmp_path, [Item(1.0, 4.5, [Take(melody())])], real, answers="--densty +1notes\narvae")
    project.run()
    assert "Run this line in a terminal to see why:\narvae edit" in project.messages[0]
    assert len(project.items[0].takes) == 1


def test_an_arvae_that_does_not_answer_is_said_so(tmp_path: Path) -> None:
    project = Project(tmp_path, [Item(1.0, 4.5, [Take(melody())])], None)
    project.execute = lambda line, timeout: None
    project.run()
    assert project.messages[0].startswith("arvae did not start, or took too long:\narvae edit ")
