"""At the ends of the MIDI range, an edit stays within it."""

from __future__ import annotations

import numpy as np
import pytest
from midi_files import FOUR, canonical, row

import arvae_music
from arvae_music.io.midi import Song, new_midi
from arvae_music.music.tokens import FIRST_PITCH, HIGHEST, LOWEST, notes_of, pitch_of, playable

SCALE = (0, 2, 4, 5, 7, 5, 4, 2, 0, 4, 7, 12, 11, 7, 5, 2)


def scale_from(lowest: int) -> Song:
    """Four measures of quarter notes with the compass of an octave."""
    notes = [lowest + step for step in SCALE]
    middle = [row(FOUR, **{f"t{6 * i}": 64 + SCALE[4 * m + i] for i in range(4)}) for m in range(4)]
    return Song.read(new_midi(canonical(middle), [FOUR] * 4, shift=64 - notes[0]))


@pytest.mark.parametrize("lowest", [0, 1, 12, 103, 115])
@pytest.mark.parametrize(
    ("mode", "name", "step"),
    [
        ("guided", "pitch", 3.0), ("guided", "pitch", -3.0), ("guided", "range", 3.0), ("guided", "contour", -3.0),
        ("latent", "range", 3.0), ("latent", "contour", -3.0),
    ],
)  # fmt: skip
def test_no_edit_leaves_the_range_of_midi(lowest: int, mode: str, name: str, step: float) -> None:
    song = scale_from(lowest)
    assert min(note.pitch for note in song.notes) == lowest
    model = arvae_music.load()
    result = model.edit(song, {name: step}, mode=mode)
    written = Song.read(song.write(result.melody.rows))
    pitches = [note.pitch for note in written.notes]
    assert all(0 <= pitch <= 127 for pitch in pitches)
    assert [note.pitch for note in result.melody.notes] == pitches
    if mode == "guided":  # the values that the report states are those of the notes in the file
        tokens = np.concatenate([r[r >= FIRST_PITCH] for r in result.melody.rows if r is not None])
        sounding = [pitch_of(int(token)) - song.melody.shift for token in tokens]
        assert sounding == pitches


@pytest.mark.parametrize("shift", [-60, -33, -32, 0, 47, 48, 71])
def test_playable_tokens_are_those_with_a_midi_pitch(shift: int) -> None:
    bottom, top = playable(shift)
    wanted = [t for t in range(FIRST_PITCH, FIRST_PITCH + HIGHEST - LOWEST + 1) if 0 <= pitch_of(t) - shift <= 127]
    assert list(range(bottom, top + 1)) == wanted


def test_a_pitch_outside_midi_becomes_its_nearest_octave() -> None:
    tokens = np.zeros(FOUR.ticks, dtype=np.int16)
    tokens[0], tokens[6] = FIRST_PITCH, FIRST_PITCH + HIGHEST - LOWEST
    low, high = (notes_of([tokens], shift) for shift in (LOWEST + 5, HIGHEST - 130))
    assert low[0].pitch == 7
    assert high[1].pitch == 118
