"""The score of a whole song: the parts of a MIDI file beside its melody, and the measures of a page."""

from __future__ import annotations

from fractions import Fraction

import midi_files
import mido
import numpy as np

from arvae_music.io.midi import Song
from arvae_music.io.notation import Part
from arvae_music.io.scores import read_any
from arvae_music.io.whole_score import section, whole_score
from arvae_music.music.tokens import HOLD, REST

TRIPLET = 160  # ticks


def notes(starts: list[int], length: int, pitch: int, channel: int) -> list[tuple[int, mido.Message]]:
    on = [(at, mido.Message("note_on", note=pitch, velocity=70, channel=channel)) for at in starts]
    return on + [(at + length, mido.Message("note_off", note=pitch, channel=channel)) for at in starts]


def song(*tracks: list[tuple[int, mido.Message]]) -> Song:
    melody = midi_files.track([(0, midi_files.name("Melody")), *midi_files.tune(channel=2)])
    others = [midi_files.track(events) for events in tracks]
    return read_any(midi_files.save([midi_files.conductor(), melody, *others]), name="song.mid", track="Melody")


def starts(part: Part) -> list[Fraction]:
    return [sound.start for sound in part.sounds]


def test_each_track_is_a_part_after_the_melody_and_drums_are_none() -> None:
    read = song(midi_files.chords(), midi_files.drums())
    score, melody = whole_score(read, read.melody.rows)
    assert melody == 0
    assert [len(part.sounds) for part in score.parts] == [len(read.notes), 15]
    assert starts(score.parts[1])[:4] == [0, 0, 0, 4]
    assert {part.measures for part in score.parts} == {score.parts[0].measures}


def test_triplets_and_sixteenths_are_told_apart_in_each_beat() -> None:
    read = song([*notes([0, TRIPLET, 2 * TRIPLET], 150, 50, 1), *notes([480, 600, 720, 840], 110, 50, 1)])
    score, _ = whole_score(read, read.melody.rows)
    thirds = [Fraction(0), Fraction(1, 3), Fraction(2, 3)]
    assert starts(score.parts[1]) == [*thirds, *(1 + Fraction(n, 4) for n in range(4))]


def test_a_note_that_ends_just_before_a_beat_is_written_up_to_it() -> None:
    read = song([*notes([0], 1800, 50, 1), *notes([1920], 240, 50, 1)])
    score, _ = whole_score(read, read.melody.rows)
    assert [(sound.start, sound.end) for sound in score.parts[1].sounds] == [(0, 4), (4, Fraction(9, 2))]


def test_what_follows_the_melody_has_measures_too() -> None:
    read = song(notes([7 * midi_files.BAR], 480, 50, 1))
    score, _ = whole_score(read, read.melody.rows)
    assert len(score.parts[0].measures) == len(score.parts[1].measures) == 8
    assert [measure.number for measure in score.parts[1].measures] == list(range(1, 9))


def test_the_parts_of_a_section_are_cut_at_its_barlines() -> None:
    read = song(notes([0], 3 * midi_files.BAR, 50, 1))
    score, _ = whole_score(read, read.melody.rows)
    part = section(score, 1, 3).parts[1]
    assert [(sound.start, sound.end) for sound in part.sounds] == [(4, 12)]
    assert [measure.number for measure in part.measures] == [2, 3]


def test_a_score_keeps_its_parts() -> None:
    abc = b"X:1\nM:4/4\nL:1/4\nK:C\nV:1\n\"C\"CDEF|GABc|\nV:2\nC,4|G,4|\n"
    read = read_any(abc, name="tune.abc")
    score, melody = whole_score(read, read.melody.rows)
    assert read.score is not None
    assert (len(score.parts), melody) == (2, 0)
    assert score.parts[0].chords == read.score.parts[0].chords


def test_an_edit_to_nothing_but_rests_is_a_score_too() -> None:
    read = song()
    rests = [None if row is None else np.where(np.arange(len(row)) == 0, REST, HOLD) for row in read.melody.rows]
    score, _ = whole_score(read, rests)
    assert [part.sounds for part in score.parts] == [()]
