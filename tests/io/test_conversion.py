"""Melodies from and to note arrays, pretty_midi and symusic, and new files."""

from __future__ import annotations

import io
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
import symusic

import arvae_music
from arvae_music.errors import InputError
from arvae_music.io.conversion import new_file

EDITS = Path(__file__).parents[1] / "golden" / "edits"
ODE = Path(arvae_music.__file__).parent / "data" / "ode_to_joy.mid"
UNKNOWN_CHUNK = "running_status.mid"  # has one that mido stumbles over
FILES = sorted({path.name: path for path in EDITS.rglob("*.mid")}.values())


def triples(notes):
    return list(zip(*(values.tolist() for values in notes), strict=True))


def test_there_are_files_to_try():
    assert len(FILES) >= 12


def test_notes_are_in_quarters():
    song = arvae_music.from_notes([60, 62, 64, 65, 67], [0, 1, 1.5, 2, 4], [1, 0.5, 0.5, 2, 4], tempo=90, name="tune")
    assert [bar.signature for bar in song.melody.bars] == ["4/4", "4/4"]
    assert song.melody.name == "tune"
    assert round(song.tempo) == 90
    assert triples(arvae_music.to_notes(song)) == [
        (60, 0, 1), (62, 1, 0.5), (64, 1.5, 0.5), (65, 2, 2), (67, 4, 4),
    ]  # fmt: skip


def test_meters_change_and_pickups_are_short():
    song = arvae_music.from_notes(
        [67, 60, 62, 64, 65, 67], [0, 1, 2, 3, 4, 5.5], [1, 1, 1, 1, 1.5, 1.5], meter={0: "1/4", 1: "3/4", 4: "6/8"},
        fifths=-1,
    )  # fmt: skip
    assert [(bar.number, bar.signature) for bar in song.melody.bars[1:]] == [(1, "3/4"), (2, "6/8")]
    assert song.melody.bars[0].number == 0
    assert song.melody.fifths == -1
    first = song.melody.bars[1:]
    assert [bar.reason for bar in first] == [None, None]


@pytest.mark.parametrize(
    ("notes", "what"),
    [
        (([60, 62], [0], [1]), "give three sequences of one length"),
        (([60], [-1], [1]), "begins before 0"),
        (([128], [0], [1]), "no pitch between 0 and 127"),
        (([60.5], [0], [1]), "give whole pitches"),
        (([60], [0], [0]), "has no length"),
        (([60], [float("nan")], [1]), "begins before 0"),
        (([], [], []), "no notes"),
    ],
)
def test_notes_that_are_none(notes, what: str):
    with pytest.raises(InputError, match=what):
        arvae_music.from_notes(*notes)


def test_a_meter_that_is_none():
    with pytest.raises(InputError, match="'four' is not a time signature"):
        arvae_music.from_notes([60], [0], [1], meter="four")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_new_file_holds_the_same_melody(path: Path):
    """Read back by arvae, and by mido as another reader."""
    melody = arvae_music.read(path).melody
    data = new_file(melody)
    again = arvae_music.read(data, name=path.name).melody
    assert triples(arvae_music.to_notes(again)) == triples(arvae_music.to_notes(melody))
    assert again.shift == melody.shift
    whole = len(again.bars)  # silent measures at the end are not written
    assert [bar.signature for bar in again.bars] == [bar.signature for bar in melody.bars[:whole]]
    file = mido.MidiFile(file=io.BytesIO(data))
    pitches = [m.note for track in file.tracks for m in track if m.type == "note_on" and m.velocity]
    assert pitches == [note.pitch for note in melody.notes]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_song_goes_through_symusic_and_pretty_midi(path: Path):
    song = arvae_music.read(path)
    track = song.found.name or None
    score = arvae_music.to_symusic(song)
    assert isinstance(score, symusic.core.ScoreTick)
    found = [
        arvae_music.from_symusic(score, track=track),
        arvae_music.from_symusic(score.to("quarter"), track=track),
    ]
    if path.name == UNKNOWN_CHUNK:
        with pytest.raises(InputError, match=r"convert song\.melody alone"):
            arvae_music.to_pretty_midi(song)
    else:
        found.append(arvae_music.from_pretty_midi(arvae_music.to_pretty_midi(song), track=track))
    for again in found:
        assert triples(arvae_music.to_notes(again)) == triples(arvae_music.to_notes(song))


def test_an_object_of_another_library_is_edited_and_goes_back():
    midi = pretty_midi.PrettyMIDI(str(ODE))
    song = arvae_music.from_pretty_midi(midi)
    result = arvae_music.edit(song, density="+2notes", bars="1-2", model="bach", proposals=4)
    back = arvae_music.to_pretty_midi(result.melody)
    assert len(back.instruments) == 1
    assert len(back.instruments[0].notes) == len(song.melody.notes) + 4
    alone = arvae_music.to_symusic(result.melody)
    assert len(alone.tracks) == 1
    assert len(alone.tracks[0].notes) == len(song.melody.notes) + 4


def test_a_new_files_tempo_program_and_velocity():
    midi = arvae_music.to_pretty_midi(arvae_music.read(ODE).melody, tempo=60, program=73, velocity=99)
    assert midi.instruments[0].program == 73
    assert {note.velocity for note in midi.instruments[0].notes} == {99}
    assert np.allclose(midi.get_tempo_changes()[1], 60)
    assert midi.instruments[0].notes[1].start == pytest.approx(1.0)  # the second quarter note
