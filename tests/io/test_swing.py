"""Swung eighths are read as even ones, and new notes swing like the file."""

from __future__ import annotations

import midi_files as files
import numpy as np
import pytest
from midi_files import FOUR, Performed

from arvae_music.io.midi import Song

BEAT = 480


def swung_song(swing: float, bars: int = 4) -> Song:
    notes = []
    for beat in range(4 * bars):
        half = round(BEAT * (beat + swing))
        notes += [Performed(BEAT * beat, half, 60 + beat % 5), Performed(half, BEAT * (beat + 1), 64 + beat % 5)]
    return Song.read(files.save([files.conductor(), files.track(files.note_messages(notes), bars * files.BAR)]))


@pytest.mark.parametrize("swing", [0.5, 0.55, 0.57, 0.6, 0.62, 0.7])
def test_swung_eighths_are_even_eighths(swing: float) -> None:
    song = swung_song(swing)
    for row in song.melody.rows:
        assert row is not None
        assert np.flatnonzero(row).tolist() == [0, 3, 6, 9, 12, 15, 18, 21]
    assert song.placements.swing == pytest.approx(swing, abs=0.005)


@pytest.mark.parametrize("swing", [2 / 3, 0.75])
def test_triplets_and_dotted_eighths_stay_as_they_are(swing: float) -> None:
    row = swung_song(swing).melody.rows[0]
    assert row is not None
    assert np.flatnonzero(row)[1] == {2 / 3: 4, 0.75: 5}[swing]


@pytest.mark.parametrize("swing", [0.55, 0.6, 0.7])
def test_new_notes_swing_and_the_file_is_read_back(swing: float) -> None:
    song = swung_song(swing)
    rows = [None if row is None else row.copy() for row in song.melody.rows]
    first = rows[0]
    assert first is not None
    first[1], first[17] = first[0], first[15]  # a sixteenth after the first note, and before beat 4
    again = Song.read(song.write(rows))
    found = again.melody.rows[0]
    assert found is not None
    assert found.tolist() == first.tolist()
    starts = {note.start for note in again._notes} - {note.start for note in song._notes}
    assert sorted(starts) == pytest.approx([BEAT * swing / 2, BEAT * (2 + (1 + swing) / 2)], abs=2)
    assert song.melody.bars[0].meter == FOUR
