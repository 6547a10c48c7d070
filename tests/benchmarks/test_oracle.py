"""The independent reader of MIDI files finds what an edit may not do, and recovers from damage as it says."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import midi_files as files
import mido
import pytest
from midi_files import Performed

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import oracle

MELODY = [Performed(480 * n, 480 * (n + 1), 60 + n) for n in range(8)]
HELD = Performed(0, 3840, 48)
ONSETS = {1: {(note.start, note.pitch) for note in MELODY}}
SECOND = [(1920, 3840)]  # the second measure


def midi(notes: list[Performed], *others: mido.Message) -> bytes:
    events = [*files.note_messages(notes), *((0, other) for other in others)]
    return files.save([files.conductor(), files.track(events, 3840)])


def faults(after: list[Performed], before: list[Performed] | None = None) -> list[str]:
    old = midi([*MELODY, HELD] if before is None else before)
    return oracle.differences(oracle.parse(old), oracle.parse(midi(after)), ONSETS, SECOND)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ([*MELODY, HELD], []),
        ([*MELODY[:4], Performed(1920, 2880, 71), *MELODY[6:], HELD], []),
        ([*MELODY[1:], HELD], ["a note outside the edited measures is gone"]),
        ([*MELODY, Performed(240, 480, 72), HELD], ["a new or moved note outside the edited measures"]),
        ([Performed(0, 240, 60), *MELODY[1:], HELD], ["a new or moved note outside the edited measures"]),
        (MELODY, ["a note of another voice", "a note outside the edited measures is gone"]),
        ([*MELODY, Performed(0, 2400, 48)], ["a note of another voice"]),
        # the new note cuts the held one
        ([*MELODY[:4], Performed(1920, 2880, 48), *MELODY[6:], HELD], ["a note of another voice"]),
    ],
)
def test_only_the_notes_of_edited_measures_may_change(after: list[Performed], expected: list[str]) -> None:
    assert faults(after) == expected


def test_a_note_may_end_where_it_ended_in_either_pairing_of_note_offs() -> None:
    """Two notes of one pitch overlap, and the first goes: the second ends as before by the one that is left."""
    overlapping = [*MELODY, Performed(1920, 2640, 40), Performed(2400, 3120, 40)]
    onsets = {1: ONSETS[1] | {(1920, 40)}}
    before, after = oracle.parse(midi(overlapping)), oracle.parse(midi([*MELODY, Performed(2400, 3120, 40)]))
    assert oracle.differences(before, after, onsets, SECOND) == []


def test_only_onsets_are_compared_where_note_offs_are_missing() -> None:
    events = files.note_messages([*MELODY, Performed(0, 960, 40), Performed(1440, 1920, 40)])
    events.remove(next(event for event in events if event[0] == 960 and event[1].note == 40))
    without = files.save([files.conductor(), files.track(events)])
    events.remove(next(event for event in events if event[0] == 1920 and event[1].note == 40))
    shorter = files.save([files.conductor(), files.track([*events, (1800, mido.Message("note_off", note=40))])])
    assert oracle.differences(oracle.parse(without), oracle.parse(shorter), ONSETS, []) == []


def test_other_events_tracks_and_bytes_must_stay() -> None:
    plain, longer = oracle.parse(midi(MELODY)), oracle.parse(midi(MELODY) + b"more")
    loud = oracle.parse(midi(MELODY, mido.Message("control_change", control=7, value=90)))
    assert oracle.differences(plain, loud, ONSETS, SECOND) == ["an event that is not a note"]
    assert oracle.differences(plain, loud, {}, SECOND) == ["another track"]
    assert "bytes outside the tracks" in oracle.differences(plain, longer, ONSETS, SECOND)


def test_the_size_of_a_track_that_is_not_edited_must_stay() -> None:
    sound = midi(MELODY)
    at = sound.index(b"MTrk") + 4
    wrong = sound[:at] + (99).to_bytes(4, "big") + sound[at + 4 :]
    assert oracle.parse(wrong).tracks == oracle.parse(sound).tracks
    assert oracle.parse(wrong).flaws == ["wrong size of a track"]
    assert oracle.differences(oracle.parse(wrong), oracle.parse(sound), ONSETS, SECOND) == ["another track"]


@pytest.mark.parametrize(
    ("damage", "flaw"),
    [
        (lambda data: b"\0\0\0" + data, None),
        (lambda data: data.replace(b"MTrk", b"\1\2\3MTrk"), "bytes between the chunks"),
        (lambda data: data + b"MTr", "bytes after the last chunk"),
        (lambda data: data[:-4], "cut track"),
        (lambda data: data.replace(b"\x90\x3c\x50", b"\xfe\x00\x90\x3c\x50"), "a system message"),
    ],
)
def test_damage_hides_no_notes(damage: Callable[[bytes], bytes], flaw: str | None) -> None:
    found = oracle.parse(damage(midi(MELODY)))
    assert [note.pitch for note in found.notes(1)] == [note.pitch for note in MELODY]
    assert flaw is None or flaw in found.flaws
