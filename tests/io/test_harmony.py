"""The harmony that files have: chord symbols of ABC and MusicXML, and other tracks of MIDI files."""

from __future__ import annotations

import io
from pathlib import Path

import midi_files as files
import mido
import numpy as np
import pytest
from midi_files import Performed

from arvae_music.io.midi import Song
from arvae_music.io.scores import read_any
from arvae_music.music.harmony import Origin
from arvae_music.reports.summaries import bar_rows, describe, file_lines

TUNE = (60, 64, 67, 65)


def midi(chords: list[tuple[int, ...]], *, channel: int = 1, form: int = 1, pickup: int = 0) -> bytes:
    """A measure of quarter notes for each chord; the chords sound in another track, a whole measure each."""
    file = mido.MidiFile(type=form, ticks_per_beat=480)
    melody = mido.MidiTrack([mido.MetaMessage("track_name", name="Melody")])
    for n in range(4 * len(chords)):
        melody += [
            mido.Message("note_on", note=TUNE[n % 4] + 12, time=0),
            mido.Message("note_off", note=TUNE[n % 4] + 12, time=480),
        ]
    other = mido.MidiTrack()
    for chord in chords:
        other += [mido.Message("note_on", note=p, channel=channel, time=0) for p in chord]
        other += [mido.Message("note_off", note=p, channel=channel, time=0 if n else 1920) for n, p in enumerate(chord)]
    file.tracks += [melody, other]
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def test_chords_of_another_track() -> None:
    song = Song.read(midi([(48, 64, 67), (41, 57, 60), (43, 59, 65), (48, 64, 67)]), track="Melody")
    assert song.melody.chords == ["C", "F", "G7", "C"]
    assert {harmony.origin for harmony in song.harmony if harmony is not None} == {Origin.TRACKS}
    assert np.flatnonzero(song.harmony[1].sounding[0]).tolist() == [0, 5, 9]


def chordal(melody: list[int], *below: tuple[int, int, int]) -> Song:
    """A track of two voices: a melody of quarter notes, and (start, end, pitch) of notes below, in quarter notes."""
    notes = [Performed(480 * n, 480 * (n + 1), pitch) for n, pitch in enumerate(melody) if pitch]
    notes += [Performed(480 * start, 480 * end, pitch) for start, end, pitch in below]
    return Song.read(files.save([files.conductor(), files.track(files.note_messages(notes))]))


def test_the_melody_of_a_chordal_track_crosses_what_lies_below() -> None:
    """Under a held E, no new note may be E or lower. Where the melody rests, it may not go below the other voice."""
    song = chordal([72, 74, 0, 77, 79, 77, 76, 72], (0, 4, 64), (4, 8, 60))
    first, second = song.melody.bars
    assert first.crossed is not None
    assert second.crossed is not None
    assert {int(np.flatnonzero(tick).max()) for tick in first.crossed} == {64}
    assert {int(np.flatnonzero(tick).max()) for tick in second.crossed} == {60}
    assert first.crossed[:, :65].all()


def test_the_lowest_voice_crosses_what_lies_above() -> None:
    notes = [Performed(480 * n, 480 * (n + 1), pitch) for n, pitch in enumerate([50, 52, 53, 52])]
    notes.append(Performed(0, 1920, 64))
    data = files.save([files.conductor(), files.track(files.note_messages(notes))])
    crossed = Song.read(data, voice="bottom").melody.bars[0].crossed
    assert crossed is not None
    assert all(np.flatnonzero(tick).tolist() == list(range(64, 128)) for tick in crossed)


def test_a_line_on_channels_of_its_own_crosses_the_other_strings_of_its_guitar() -> None:
    """The melody is on the first string of a guitar with a channel for each string; the other three hold a chord."""
    melody = [Performed(480 * n, 480 * (n + 1), pitch) for n, pitch in enumerate([72, 74, 76, 74] * 2)]
    strings = [[Performed(0, 3840, pitch)] for pitch in (64, 60, 55)]
    events = [(0, mido.Message("program_change", program=25, channel=channel)) for channel in range(4)]
    for channel, notes in enumerate([melody, *strings]):
        events += files.note_messages(notes, channel)
    song = Song.read(files.save([files.conductor(), files.track(events)]))
    assert song.found.channels == (1, 2, 3, 4)
    assert {note.channel for note in song.notes} == {0}
    for bar in song.melody.bars:
        assert bar.crossed is not None
        assert {int(np.flatnonzero(tick).max()) for tick in bar.crossed} == {64}


def test_other_tracks_on_the_channel_of_the_melody_may_be_crossed_but_not_met() -> None:
    song = Song.read(midi([(48, 64, 67)] * 2, channel=0), track="Melody")
    crossed = song.melody.bars[0].crossed
    assert crossed is not None
    assert np.flatnonzero(crossed[0]).tolist() == [48, 64, 67]
    assert Song.read(midi([(48, 64, 67)] * 2), track="Melody").melody.bars[0].crossed is None


def test_drums_have_no_harmony() -> None:
    assert Song.read(midi([(48, 64, 67)] * 2, channel=9), track="Melody").harmony == [None, None]


def test_tracks_of_type_2_are_other_pieces() -> None:
    assert Song.read(midi([(48, 64, 67)] * 2, form=2), track="Melody").harmony == [None, None]


def test_a_melody_alone_has_no_harmony() -> None:
    file = mido.MidiFile(file=io.BytesIO(midi([(48,)])))
    del file.tracks[1]
    out = io.BytesIO()
    file.save(file=out)
    assert Song.read(out.getvalue()).melody.chords == [None]


def test_the_whole_melody_keeps_its_harmony() -> None:
    song = Song.read(midi([(48, 64, 67), (41, 57, 60)]), track="Melody")
    assert song.whole().chords == ["C", "F"]


ABC = """X:1
T:chords
M:4/4
L:1/4
K:G
"D7"d|"G"GA"^softly"B"4"c|"Am7"d2"D7"d2|"C/E"z2"N.C."c2|"Fine"G4|
"""


def test_quoted_chords_of_abc() -> None:
    song = read_any(ABC.encode())
    assert song.melody.chords == ["D7", "G", "Am7 D7", "C/E N.C.", "N.C."]
    assert {harmony.origin for harmony in song.harmony if harmony is not None} == {Origin.SYMBOLS}
    tones = song.harmony[2].chord_tones
    assert [np.flatnonzero(tones[tick]).tolist() for tick in (0, 11, 12)] == [
        [0, 4, 7, 9], [0, 4, 7, 9], [0, 2, 6, 9]
    ]  # fmt: skip


XML = """<score-partwise version="3.1"><part-list><score-part id="P1"><part-name>Clarinet</part-name></score-part>
</part-list><part id="P1"><measure number="1"><attributes><divisions>1</divisions><key><fifths>2</fifths></key><time>
<beats>4</beats><beat-type>4</beat-type></time>{transpose}</attributes>
<harmony><root><root-step>D</root-step></root><kind>minor-seventh</kind><bass><bass-step>A</bass-step></bass></harmony>
<note><pitch><step>D</step><octave>5</octave></pitch><duration>2</duration></note>
<harmony><root><root-step>B</root-step><root-alter>-1</root-alter></root><kind text="7">dominant</kind><degree>
<degree-value>9</degree-value><degree-alter>-1</degree-alter><degree-type>add</degree-type></degree></harmony>
<note><pitch><step>E</step><octave>5</octave></pitch><duration>2</duration></note></measure><measure number="2">
<harmony><root><root-step>C</root-step></root><kind text="">none</kind></harmony>
<note><pitch><step>D</step><octave>5</octave></pitch><duration>2</duration></note>
<harmony><root><root-step>F</root-step><root-alter>1</root-alter></root><kind>half-diminished</kind></harmony>
<note><pitch><step>D</step><octave>5</octave></pitch><duration>2</duration></note></measure></part></score-partwise>"""
DOWN = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"


@pytest.mark.parametrize(
    ("transpose", "chords"), [("", ["Dm7/A Bb7b9", "N.C. F#m7b5"]), (DOWN, ["Cm7/G Ab7b9", "N.C. Em7b5"])]
)
def test_chord_symbols_of_musicxml(transpose: str, chords: list[str], tmp_path: Path) -> None:
    path = tmp_path / "score.musicxml"
    path.write_text(XML.format(transpose=transpose), "utf-8")
    assert read_any(path).melody.chords == chords


def test_inspect_shows_the_chords() -> None:
    song = Song.read(midi([(48, 64, 67), (41, 57, 60)]), track="Melody")
    description = describe(song, [])
    assert description["harmony"] == "tracks"
    assert [row[-2] for row in bar_rows(description["bars"], [])] == ["C", "F"]
    assert "chords    from the other tracks, in 2 of 2 measures" in file_lines(song, description)


def test_inspect_without_chords_has_no_column() -> None:
    song = Song.read(midi([(48,)] * 2, channel=9), track="Melody")
    description = describe(song, [])
    assert description["harmony"] is None
    assert [len(row) for row in bar_rows(description["bars"], [])] == [3, 3]
