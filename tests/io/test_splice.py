"""Which notes an edit leaves as they are: those of other measures, and those of other voices of the same pitch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import midi_files as files
import mido
import numpy as np
import pytest
from midi_files import Performed

from arvae_music.arrays import Row
from arvae_music.io.manner import Sound
from arvae_music.io.midi import Song
from arvae_music.io.midi_events import variable
from arvae_music.io.splice import _both_stay
from arvae_music.music.tokens import HOLD, REST

BEAT, BAR = 480, 4 * 480
NO_PICKUP = Fraction(0)


def song_of(notes: Sequence[Performed], others: Sequence[Performed] = ()) -> Song:
    events = files.note_messages([*notes, *others])
    return Song.read(files.save([files.conductor(), files.track(events, 3 * BAR)]), pickup=NO_PICKUP)


def rows_of(song: Song) -> list[Row]:
    assert all(row is not None for row in song.melody.rows)
    return [row.copy() for row in song.melody.rows if row is not None]


def offs(data: bytes, pitch: int) -> list[int]:
    events = Song.read(data).tracks[-1]
    return [event.tick for event in events if event.data[0] >> 4 == 8 and event.data[1] == pitch]


def written_notes(data: bytes) -> set[tuple[int, int, int]]:
    return {(note.start, note.end, note.pitch) for note in Song.read(data).notes}


PLAYED = [
    Performed(at * BEAT + (at * 7) % 23 - 9 * (at > 0), (at + 1) * BEAT - 40 - (at * 11) % 31, 60 + (at * 5) % 9)
    for at in range(12)
]


@pytest.mark.parametrize("overlap", [20, 60, 90, 110])
def test_legato_into_an_edited_measure_stays(overlap: int) -> None:
    """The first note of the second measure gets shorter. The note before it, of the first measure, keeps its end."""
    notes = list(PLAYED)
    first = notes[4]
    notes[3] = Performed(notes[3].start, first.start + overlap, notes[3].pitch)
    song = song_of(notes)
    rows = rows_of(song)
    rows[1][3] = rows[1][0] + 2  # an eighth after the barline
    data = song.write(rows)
    assert (notes[3].start, notes[3].end, notes[3].pitch) in written_notes(data)
    read = Song.read(data, pickup=NO_PICKUP)
    assert files.heard(read.melody.rows, read.melody.shift) == files.heard(rows, song.melody.shift)


def test_a_note_that_was_held_under_the_next_one_still_is() -> None:
    """The two sound together for longer than any legato. The end of the second moves."""
    held = [Performed(2 * BEAT + 3, 3 * BEAT + 400, 62), Performed(3 * BEAT + 2, 6 * BEAT, 74)]
    notes = [*PLAYED[:2], *held, *PLAYED[6:]]
    song = song_of(notes)
    assert (notes[2], notes[3]) == tuple(Performed(n.start, n.end, n.pitch) for n in song.notes[2:4])
    rows = rows_of(song)
    rows[1][0] = rows[0][18] + 2
    assert (notes[2].start, notes[2].end, notes[2].pitch) in written_notes(song.write(rows))


def test_a_staccato_note_that_also_fits_an_earlier_end_is_not_shortened() -> None:
    notes = list(PLAYED)
    notes[4] = Performed(notes[4].start, notes[4].start + 330, notes[4].pitch)
    song = song_of(notes)
    rows = rows_of(song)
    rows[1][5] = rows[1][0] + 2
    assert (notes[4].start, notes[4].end, notes[4].pitch) in written_notes(song.write(rows))


def test_a_shorter_note_does_not_end_a_held_note_of_its_pitch() -> None:
    """The second melody note has the pitch of a note below that is held: a note-off would end both."""
    melody = [Performed(at * BEAT, (at + 1) * BEAT, pitch) for at, pitch in enumerate([72, 67, 74, 76] * 3)]
    held = Performed(0, BAR, 67)
    song = song_of(melody, [held, *(Performed(BAR * m, BAR * (m + 1), 55) for m in (0, 1, 2))])
    assert [note.pitch for note in song.notes] == [72, 67, 74, 76] * 3
    rows = rows_of(song)
    rows[0][9] = rows[0][0]
    data = song.write(rows)
    assert offs(data, 67) == offs(song.write(song.melody.rows), 67)


def test_notes_of_one_pitch_that_overlapped_before_still_do() -> None:
    """The end of the second moves in the third measure, and the end of the first has nothing to do with it."""
    struck = [Performed(6 * BEAT + 5, 7 * BEAT + 60, 62), Performed(7 * BEAT + 4, 9 * BEAT, 62)]
    notes = [*PLAYED[:6], *struck, *PLAYED[9:]]
    song = song_of(notes)
    rows = rows_of(song)
    assert rows[2][0] == HOLD
    rows[2][0] = rows[1][np.flatnonzero(rows[1] > REST)[-1]] + 3
    assert 7 * BEAT + 60 in offs(song.write(rows), 62)


def test_a_new_note_ends_an_earlier_one_of_its_pitch_that_still_rings() -> None:
    """A note rings on under those that follow, and is struck again."""
    notes = [Performed(at * BEAT, (at + 1) * BEAT - 30, 60 + 4 * (at % 4)) for at in range(12)]
    notes[0] = Performed(0, 3 * BEAT, 60)
    song = song_of(notes)
    assert [note.pitch for note in song.notes] == [note.pitch for note in notes]
    rows = rows_of(song)
    rows[0][12] = rows[0][0]
    data = song.write(rows)
    assert offs(data, 60)[0] == 2 * BEAT
    assert (2 * BEAT, 60) in {(start, pitch) for start, _, pitch in written_notes(data)}


def test_a_unison_in_another_track_on_the_same_channel_does_not_silence_the_melody() -> None:
    melody = [Performed(at * BEAT, (at + 1) * BEAT, 60 + at) for at in range(12)]
    track = files.track(files.note_messages(melody))
    song = Song.read(files.save([files.conductor(), track, track]), track=2, pickup=NO_PICKUP)
    assert len(song.doubles) == 1
    rows = rows_of(song)
    rows[0][3] = rows[0][0]
    assert (BEAT // 2, 60) in {(start, pitch) for start, _, pitch in written_notes(song.write(rows))}


def test_notes_of_one_pitch_that_overlap_stay_if_nothing_changes() -> None:
    """Whatever their ends: here the first one lasts longer than the second."""
    first = Sound(0, 3 * BEAT, 60, 80, 0, note=0)
    second = Sound(BEAT, 2 * BEAT, 60, 80, 0, note=1)
    assert _both_stay(first, second)
    assert not _both_stay(first, replace(second, ends_anew=True))
    assert _both_stay(first, replace(second, end=4 * BEAT, ends_anew=True))


def test_a_note_that_rings_through_a_measure_without_tokens_ends_where_the_next_one_says() -> None:
    """It begins in an editable measure and rings through one in 17/16, in which no note begins, into a third."""
    odd = 17 * BEAT // 4
    meters = [mido.MetaMessage("time_signature", numerator=4, denominator=4, time=0),
              mido.MetaMessage("time_signature", numerator=17, denominator=16, time=BAR),
              mido.MetaMessage("time_signature", numerator=4, denominator=4, time=odd)]  # fmt: skip
    third = BAR + odd
    notes = [Performed(0, BEAT, 60), Performed(BEAT, third + BEAT, 67), *(
        Performed(third + at * BEAT, third + (at + 1) * BEAT, 62 + at) for at in range(1, 4)
    )]  # fmt: skip
    track = mido.MidiTrack([*meters])
    song = Song.read(files.save([track, files.track(files.note_messages(notes), third + BAR)]), pickup=NO_PICKUP)
    assert [row is None for row in song.melody.rows] == [False, True, False]
    rows = [None if row is None else row.copy() for row in song.melody.rows]
    assert rows[2][0] == HOLD
    rows[2][3] = REST
    written = {note.pitch: note.end for note in Song.read(song.write(rows), pickup=NO_PICKUP).notes}
    assert written[67] == third + BEAT // 2
    assert song.write(song.melody.rows) == song.midi


def test_no_new_note_begins_where_a_double_cannot_be_read() -> None:
    """Another track doubles the melody an octave lower, but cannot be read to the end of its last note."""
    tune = [Performed(at * BEAT, (at + 1) * BEAT, 60 + (at * 5) % 9) for at in range(16)]
    tune.append(Performed(4 * BAR, 5 * BAR, 67))
    lower = [Performed(note.start, min(note.end, 4 * BAR + BEAT), note.pitch - 12) for note in tune]
    data = files.save([files.conductor(), files.track(files.note_messages(tune), 5 * BAR),
                       files.track(files.note_messages(lower, channel=1), lower[-1].end)])  # fmt: skip
    song = Song.read(data[: data.rindex(b"\xff\x2f\x00")] + b"\x07\x07\x07", pickup=NO_PICKUP)
    assert song.doubles
    rows = rows_of(song)
    rows[4][[3, 9, 15]] = rows[4][0] + np.array([1, 3, 5])
    written = song.write(rows)
    again = Song.read(written, pickup=NO_PICKUP)
    assert [note.start - 4 * BAR for note in again.notes[16:]] == [0, BEAT // 2, BEAT * 3 // 2, BEAT * 5 // 2]
    assert again.tracks[-1][-1].tick == song.tracks[-1][-1].tick
    ons = [event.tick for event in again.tracks[-1] if event.data[0] >> 4 == 9]
    assert ons == [note.start for note in lower] + [4 * BAR + BEAT // 2]


def test_a_negative_delta_time_is_refused() -> None:
    with pytest.raises(ValueError, match="-5"):
        variable(-5)
