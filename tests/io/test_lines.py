"""The melody of a voice that plays several notes at once: textures of pianos, hymns and guitars, built in code."""

from __future__ import annotations

import io
from collections.abc import Sequence

import midi_files as files
import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from midi_files import BAR, FOUR, Performed, exact, heard, row

from arvae_music.errors import InputError, UsageError
from arvae_music.io.lines import Notes, line_of
from arvae_music.io.midi import Song
from arvae_music.music.tokens import REST

QUARTER = 480
# Eight bars in quarters, in the register of a right hand: pitch and length.
PHRASE = [(72, 1), (74, 1), (76, 1), (77, 1), (79, 2), (76, 2), (77, 1), (76, 1), (74, 1), (72, 1), (74, 4)] * 2


def melody(phrase: Sequence[tuple[int, float]] = PHRASE) -> list[Performed]:
    found, at = [], 0.0
    for pitch, length in phrase:
        found.append(Performed(round(at * QUARTER), round((at + length) * QUARTER), pitch))
        at += length
    return found


def every(step: float, pitches: Sequence[Sequence[int]], length: float, bars: int = 8) -> list[Performed]:
    """Chords that follow each other every `step` quarters and last `length` quarters, over and over."""
    found = []
    for k in range(round(bars * 4 / step)):
        at = round(k * step * QUARTER)
        found += [Performed(at, at + round(length * QUARTER), pitch) for pitch in pitches[k % len(pitches)]]
    return found


TEXTURES: dict[str, list[Performed]] = {
    "chords under it": every(4, [(48, 52, 55)], 4),
    "a chord under each note": every(1, [(60, 64, 67)], 1),
    "waltz bass and chords": every(1, [(36,), (55, 60), (55, 60)], 0.5),
    "rag": every(0.5, [(36,), (55, 60, 64)], 0.4),
    "broken chords in eighths": every(0.5, [(48,), (55,), (52,), (55,)], 0.5),
    "wide arpeggios in sixteenths": every(0.25, [(36,), (43,), (48,), (52,), (55,), (52,), (48,), (43,)], 0.25),
    "an inner voice that moves in eighths": every(0.5, [(64,), (65,), (67,), (65,)], 0.5),
    "a held pedal note": [Performed(0, 8 * BAR, 57)],
}


def line(notes: Sequence[Performed], voice: str | int = "top") -> list[Performed]:
    table = sorted(notes, key=lambda n: (n.start, n.pitch))
    start, end, pitch = np.array([(n.start, n.end, n.pitch) for n in table]).T
    return [table[i] for i in line_of(Notes(start, end, pitch), QUARTER, voice).tolist()]


@pytest.mark.parametrize("texture", TEXTURES)
def test_the_melody_stands_above_its_accompaniment(texture: str) -> None:
    assert line([*melody(), *TEXTURES[texture]]) == melody()


@pytest.mark.parametrize("texture", ["chords under it", "waltz bass and chords", "broken chords in eighths"])
def test_a_short_rest_of_the_melody_stays_a_rest(texture: str) -> None:
    resting = [n for i, n in enumerate(melody()) if i not in (3, 9, 12)]
    assert line([*resting, *TEXTURES[texture]]) == resting


def test_a_held_note_stays_the_melody_over_an_inner_voice() -> None:
    held = melody([(79, 8), (77, 8), (76, 8), (72, 8)])
    assert line([*held, *every(1, [(64,), (65,), (67,), (71,)], 1)]) == held


def test_played_chords_are_not_quite_together() -> None:
    random = np.random.default_rng(3)
    chords = every(1, [(60, 64, 67)], 0.9)
    late = [
        Performed(n.start + int(random.integers(0, 30)), n.end + int(random.integers(0, 30)), n.pitch)
        for n in [*melody(), *chords]
    ]
    tops = [n.pitch for n in line(late)]
    assert [n for n in tops if n > 67] == [n.pitch for n in melody()]


def test_a_rolled_chord_is_one_note_of_the_melody() -> None:
    rolled = [
        Performed(4 * QUARTER * bar + 40 * k, 4 * QUARTER * (bar + 1), pitch)
        for bar in range(8)
        for k, pitch in enumerate((55, 60, 64, 72 + bar % 3))
    ]
    assert [n.pitch for n in line(rolled)] == [72 + bar % 3 for bar in range(8)]


def test_the_voices_of_a_hymn_by_number() -> None:
    soprano = melody()
    parts = {1: soprano}
    for number, below in ((2, 5), (3, 12), (4, 24)):
        parts[number] = [Performed(n.start, n.end, n.pitch - below - i % 2) for i, n in enumerate(soprano)]
    together = [n for part in parts.values() for n in part]
    for number, part in parts.items():
        assert line(together, number) == part
    assert line(together, "top") == soprano
    assert line(together, "bottom") == parts[4]
    assert line(together, 5) == []


def test_double_stops_leave_a_solo_whole() -> None:
    """A solo with wide leaps and a few double stops keeps its lowest notes."""
    solo = melody([(60, 1), (43, 1), (67, 1), (48, 1), (72, 2), (41, 2)] * 4)
    stops = [Performed(n.start, n.end, n.pitch - 4) for n in solo[::6]]
    assert line([*solo, *stops]) == solo


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 4000), st.integers(1, 1500), st.integers(0, 127)), min_size=1, max_size=40
    ),
    st.sampled_from(["top", "bottom", 1, 2]),
)
def test_any_notes_give_a_line_with_one_note_at_a_time(notes: list[tuple[int, int, int]], voice: str | int) -> None:
    found = line([Performed(start, start + length, pitch) for start, length, pitch in notes], voice)
    starts = [n.start for n in found]
    assert starts == sorted(set(starts))
    assert voice == 2 or found


# The line in a file


def piano(accompaniment: Sequence[Performed], tune: Sequence[Performed] | None = None) -> bytes:
    """One track with the melody and its accompaniment on one channel."""
    notes = files.note_messages([*(melody() if tune is None else tune), *accompaniment])
    return files.save([files.conductor(), files.track([(0, files.name("Piano")), *notes])])


def sounding(data: bytes) -> list[tuple[int, int, int]]:
    """(start, end, pitch) of all notes of the second track, which mido reads. No pitch is struck while it sounds."""
    tick, found, on = 0, [], {}
    for message in mido.MidiFile(file=io.BytesIO(data)).tracks[1]:
        tick += message.time
        if message.type == "note_on" and message.velocity:
            assert message.note not in on, f"{message.note} is struck while it sounds"
            on[message.note] = tick
        elif message.type in ("note_on", "note_off"):
            found.append((on.pop(message.note), tick, message.note))
    assert not on
    return sorted(found)


@pytest.mark.parametrize("texture", TEXTURES)
def test_all_measures_of_a_texture_are_editable_and_come_back_unchanged(texture: str) -> None:
    data = piano(TEXTURES[texture])
    song = Song.read(data)
    assert [bar.reason for bar in song.melody.bars] == [None] * 8
    assert [n.pitch for n in song.melody.notes] == [n.pitch for n in melody()]
    assert (song.found.voice, song.found.stay) == ("top", len(TEXTURES[texture]))
    assert song.write(song.melody.rows) == data
    assert sorted(song.others.pitch.tolist()) == sorted(n.pitch for n in TEXTURES[texture])


@pytest.mark.parametrize("texture", TEXTURES)
def test_an_edit_leaves_the_accompaniment_as_it_was(texture: str) -> None:
    data = piano(TEXTURES[texture])
    song = Song.read(data)
    rows = list(song.melody.rows)
    rows[0] = files.canonical([row(FOUR, t0=81, t12=83)])[0]
    rows[0] = np.where(rows[0] > REST, rows[0] + song.melody.shift, rows[0]).astype(np.int16)
    changed = [Performed(0, 960, 81), Performed(960, 1920, 83), *melody()[4:]]
    expected = sorted((n.start, n.end, n.pitch) for n in [*changed, *TEXTURES[texture]])
    assert sounding(song.write(rows)) == expected


def test_a_new_note_does_not_strike_a_pitch_that_the_accompaniment_holds() -> None:
    held = [Performed(0, BAR, 60), Performed(BAR + 960, 2 * BAR, 62)]
    song = Song.read(piano(held))
    rows = list(song.melody.rows)
    shift = song.melody.shift
    new = [row(FOUR, t0=74, t6=60, t12=72), row(FOUR, t0=62, t18=74)]
    rows[:2] = [np.where(r > REST, r + shift, r).astype(np.int16) for r in new]
    found = sounding(song.write(rows))
    assert (0, BAR, 60) in found  # it sounds on, and the note of the same pitch is left out
    assert (BAR, BAR + 960, 62) in found  # the new note ends where the held one begins
    assert (BAR + 960, 2 * BAR, 62) in found


def test_a_line_on_the_channels_of_a_controller_is_one_line() -> None:
    """Each note is on the next of three channels, with a bend of its own."""
    tune = exact([row(FOUR, t0=60, t6=62, t12=64, t18=65)] * 4, [FOUR] * 4)
    events: list[tuple[int, mido.Message | mido.MetaMessage]] = [(0, files.name("Lead"))]
    for i, note in enumerate(tune):
        channel = 1 + i % 3
        events.append((note.start, mido.Message("pitchwheel", channel=channel, pitch=100 * i)))
        events += files.note_messages([note], channel)
    data = files.save([files.conductor(), files.track(events)])
    song = Song.read(data)
    assert song.found.channels == (2, 3, 4)
    assert song.found.voice is None
    rows = list(song.melody.rows)
    assert heard(rows, song.melody.shift) == heard([row(FOUR, t0=60, t6=62, t12=64, t18=65)] * 4, 0)
    assert song.write(rows) == data
    changed = rows[1].copy()
    changed[6] += 5
    changed[9] = changed[6]
    written = mido.MidiFile(file=io.BytesIO(song.write([rows[0], changed, *rows[2:]]))).tracks[1]
    on = [(m.note, m.channel) for m in written if m.type == "note_on"]
    before = [(n.pitch, 1 + i % 3) for i, n in enumerate(tune)]
    # The changed note keeps the channel of the old one, and the added note takes the channel of the note before it.
    assert on == [*before[:5], (67, before[5][1]), (67, before[5][1]), *before[6:]]


def test_the_strings_of_a_guitar_are_one_voice() -> None:
    strings = {0: 64, 1: 59, 2: 55, 3: 50, 4: 45, 5: 40}
    events: list[tuple[int, mido.Message | mido.MetaMessage]] = [(0, files.name("Gtr"))]
    for channel, pitch in strings.items():
        events.append((0, mido.Message("program_change", program=25, channel=channel)))
        events += files.note_messages([Performed(BAR * b, BAR * (b + 1), pitch + b) for b in range(4)], channel)
    song = Song.read(files.save([files.conductor(), files.track(events)]))
    assert song.found.channels == (1, 2, 3, 4, 5, 6)
    assert [n.pitch for n in song.melody.notes] == [64, 65, 66, 67]


def test_the_four_channels_of_a_hymn_stay_four_voices() -> None:
    events = []
    for channel, pitch in enumerate((72, 67, 60, 48)):
        events += files.note_messages([Performed(n.start, n.end, n.pitch - 72 + pitch) for n in melody()], channel)
    song = Song.read(files.save([files.track([(0, files.signature(4, 4)), *events])], kind=0))
    assert [c.channels for c in song.candidates] == [(1,), (2,), (3,), (4,)]
    assert song.found.channel == 1


def test_a_voice_that_is_not_there() -> None:
    with pytest.raises(InputError, match="there is no voice 2, because one note sounds at a time"):
        Song.read(piano(()), voice=2)
    with pytest.raises(InputError, match="there is no voice 9; give a smaller number"):
        Song.read(piano(TEXTURES["chords under it"]), voice=9)
    with pytest.raises(UsageError, match="'middle' is not a voice"):
        Song.read(piano(()), voice="middle")
