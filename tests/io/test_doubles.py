"""Melodies in octaves and in unison: what doubles a melody moves with it."""

from __future__ import annotations

import io
from collections.abc import Sequence

import midi_files as files
import mido
import numpy as np
from midi_files import BAR, FOUR, Performed, note_messages, row

from arvae_music.io.midi import Song
from arvae_music.music.tokens import REST

TUNE = [Performed(480 * i, 480 * i + 470, pitch) for i, pitch in enumerate((72, 74, 76, 77, 79, 77, 76, 74) * 2)]


def moved(notes: Sequence[Performed], by: int) -> list[Performed]:
    return [Performed(n.start, n.end, n.pitch + by) for n in notes]


def piece(*tracks: Sequence[Performed]) -> bytes:
    return files.save([files.conductor(), *(files.track(note_messages(own, i)) for i, own in enumerate(tracks))])


def pitches(data: bytes, track: int) -> list[int]:
    tracks = mido.MidiFile(file=io.BytesIO(data)).tracks
    return [m.note for m in tracks[track - 1] if m.type == "note_on" and m.velocity]


def edited(song: Song) -> bytes:
    """The song with other notes in its second measure."""
    new = row(FOUR, t0=81, t6=83, t12=84)
    rows = list(song.melody.rows)
    rows[1] = np.where(new > REST, new + song.melody.shift, new).astype(np.int16)
    return song.write(rows)


def test_octaves_on_one_channel_move_together() -> None:
    data = piece(sorted([*TUNE, *moved(TUNE, -12)], key=lambda n: n.start))
    song = Song.read(data)
    assert [(double.track, double.interval, double.measures) for double in song.doubles] == [(1, -12, 4)]
    assert song.write(song.melody.rows) == data
    assert len(song.others.pitch) == 0
    found = pitches(edited(song), 2)
    tune = [n.pitch for n in TUNE]
    expected = [*tune[:4], 81, 83, 84, *tune[8:]]
    assert sorted(found) == sorted([*expected, *(pitch - 12 for pitch in expected)])


def test_tracks_in_unison_and_octaves_move_together() -> None:
    chords = [Performed(b * BAR, (b + 1) * BAR, pitch) for b in range(4) for pitch in (48, 52, 55)]
    data = piece(TUNE, TUNE, moved(TUNE, 12), chords)
    song = Song.read(data, track=2)
    assert [(double.track, double.interval) for double in song.doubles] == [(2, 0), (3, 12)]
    assert set(song.others.pitch.tolist()) == {48, 52, 55}
    written = edited(song)
    expected = pitches(written, 2)
    assert expected == [*(n.pitch for n in TUNE[:4]), 81, 83, 84, *(n.pitch for n in TUNE[8:])]
    assert pitches(written, 3) == expected
    assert pitches(written, 4) == [pitch + 12 for pitch in expected]
    assert pitches(written, 5) == [n.pitch for n in chords]


def test_a_double_of_some_measures_moves_in_these() -> None:
    """It plays the first and the second measure, and something else in the third."""
    other = [Performed(2 * BAR, 3 * BAR, 67), Performed(3 * BAR, 4 * BAR, 65)]
    song = Song.read(piece(TUNE, [*moved(TUNE[:8], -12), *other]), track=2)
    assert [(double.track, double.measures) for double in song.doubles] == [(2, 2)]
    assert song.others.pitch.tolist() == [67, 65]
    assert pitches(edited(song), 3) == [*(n.pitch - 12 for n in TUNE[:4]), 69, 71, 72, 67, 65]


def test_a_bass_that_meets_the_melody_now_and_then_is_no_double() -> None:
    bass = [Performed(n.start, n.end, n.pitch - 24 - (i % 3 > 0)) for i, n in enumerate(TUNE)]
    song = Song.read(piece(TUNE, bass), track=2)
    assert song.doubles == ()
    assert pitches(edited(song), 3) == [n.pitch for n in bass]


def test_a_double_beyond_the_range_of_midi_is_left_out() -> None:
    high = moved(TUNE, 40)
    song = Song.read(piece(high, moved(high, -12)), track=3)
    rows = list(song.melody.rows)
    rows[1] = np.where(rows[1] > REST, rows[1] + 8, rows[1]).astype(np.int16)
    assert max(pitches(song.write(rows), 2)) <= 127
