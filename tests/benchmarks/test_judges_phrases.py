"""Phrase figures, chords and likeness on tunes made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from judging import judges, melody, quarters, row

import arvae_music
from arvae_music import from_notes
from arvae_music.music.meter import Meter

phrases, chords, likeness, notation = judges("phrases"), judges("chords"), judges("likeness"), judges("notation")
tunes = judges("tunes")


def test_the_silence_of_a_pickup_is_kept_or_not():
    pickup = row("r - - - - - - - - - - - - - - - - - 67")
    before = melody(pickup, quarters(60, 62, 64, 65), pickup=True)
    louder = before.with_rows({0: row("r - - - - - - - - - - - 65 - - - - - 67")})
    higher = before.with_rows({0: row("r - - - - - - - - - - - - - - - - - 69 - - 67")})
    assert phrases.kept_silence(before, before) == (1, 1)
    assert phrases.kept_silence(before, louder) == (0, 1)
    assert phrases.kept_silence(before, higher) == (1, 1)
    full = melody(quarters(60), quarters(62))
    assert phrases.kept_silence(full, full) == (0, 0)


def test_the_final_note_is_kept_in_pitch_and_place():
    before = melody(quarters(60, 62), quarters(64, 62, 60))
    assert phrases.last_note(before) == (1, 12)
    for last, kept in ((quarters(65, 62, 60), 1), (quarters(64, 62, 64), 0), (quarters(64, 62, 60, 60), 0)):
        assert phrases.kept_final(before, before.with_rows({1: last})) == (kept, 1)
    later = before.with_rows({1: row("64 - - - - - 62 - - - - - - - - 60")})
    assert phrases.kept_final(before, later) == (0, 1)


def test_phrases_end_in_every_eighth_measure():
    tune = melody(*(quarters(60, 62, 64) for _ in range(17)))
    assert phrases.usual_ends(tune) == [(7, 12), (15, 12)]
    assert phrases.usual_ends(melody(*(quarters(60) for _ in range(8)))) == []  # the last note of the tune
    changed = tune.with_rows({7: quarters(60, 62, 65)})
    assert phrases.kept_ends(tune, changed, phrases.usual_ends(tune)) == (1, 2)


def test_leaps_are_counted_over_barlines_but_not_over_rests():
    assert phrases.wide_leaps(melody(quarters(60, 69, 60, 70), quarters(60))) == (2, 5)
    assert phrases.wide_leaps(melody(row("60 - - - - - r - - - - - 72"))) == (0, 2)


@pytest.mark.parametrize(
    ("line", "loose"),
    [
        ((60, 69, 67), 0),
        ((60, 69, 72), 1),
        ((60, 69, 60), 2),
        ((60, 69, 69, 65), 0),
        ((60, 69), 1),
        ((60, 67, 72), 0),
        ((60,), 0),
        ((60, 60), 0),
    ],
)
def test_a_leap_is_resolved_by_a_return(line: tuple[int, ...], loose: int):
    assert phrases.loose_leaps(melody(quarters(*line))) == (loose, len(line))


def test_off_grid_onsets_are_those_that_the_rest_of_the_tune_does_not_know():
    plain = melody(quarters(60, 62, 64, 65), quarters(60, 62, 64, 65))
    assert phrases.off_grid(plain, plain) == (0, 8)
    sixteenth = row("60 - - - - 62 64")
    assert phrases.off_grid(plain, plain.with_rows({0: sixteenth})) == (1, 7)
    once = melody(sixteenth, quarters(60))
    assert phrases.off_grid(once, once) == (1, 4)
    usual = melody(sixteenth, sixteenth, quarters(60))
    assert phrases.off_grid(usual, usual) == (0, 7)
    assert phrases.off_grid(usual, usual.with_rows({2: row("60 - 62 - 64")})) == (2, 9)
    jig = Meter(2, compound=True)
    odd = melody(row("60 - 62 - 64 - 65 67", jig), row("60 - 62", jig), meter=jig)
    assert phrases.off_grid(odd, odd) == (1, 7)


def test_accidentals_are_counted():
    assert phrases.accidentals(melody(quarters(60, 61, 66, 67))) == (2, 4)


def test_chords_are_filled_up_to_triads():
    bits = lambda *classes: sum(1 << pitch for pitch in classes)  # noqa: E731
    assert chords.chord_of(0) == 0
    assert chords.chord_of(bits(0, 4, 7)) == bits(0, 4, 7)
    assert chords.chord_of(bits(0, 4)) == bits(0, 4, 7, 9)
    assert chords.chord_of(bits(0, 1)) == bits(0, 1)
    assert chords.chord_of(bits(0, 2, 5, 9)) == bits(0, 2, 5, 9)


@pytest.fixture
def song() -> arvae_music.Song:
    """Four quarters over a chord of C major, then of F major, in a track of their own."""
    alone = from_notes([72, 74, 76, 77, 81, 79, 77, 76], range(8), [1] * 8, fifths=0, name="tune")
    from pretty_midi import Instrument, Note

    midi = arvae_music.to_pretty_midi(alone)
    chord = Instrument(program=0, name="chords")
    for start, pitches in ((0, (48, 52, 55)), (4, (53, 57, 60))):
        chord.notes += [Note(60, pitch, start * 0.5, start * 0.5 + 2.0) for pitch in pitches]
    midi.instruments.append(chord)
    return arvae_music.from_pretty_midi(midi, track="tune")


def test_harmony_is_read_from_the_other_tracks(song: arvae_music.Song):
    harmony = chords.harmony_of(song)
    assert [set(sounding.tolist()) for sounding in harmony] == [{0b10010001}, {0b1000100001}]


def test_chord_tones_and_clashes(song: arvae_music.Song):
    tune, harmony = song.melody, chords.harmony_of(song)
    assert chords.chord_tones(tune, tune, harmony, False) == (4, 4)  # C and E, then A and F
    assert chords.chord_tones(tune, tune, harmony, True) == (0, 0)
    assert chords.clashes(tune, tune, harmony, False) == (2, 8)  # F over E, and E over F
    new = tune.bars[0].tokens.copy()
    new[0] += 1  # C sharp on the first beat
    changed = tune.with_rows({0: new})
    assert chords.chord_tones(tune, changed, harmony, True) == (0, 1)
    assert chords.clashes(tune, changed, harmony, True) == (1, 1)


def test_a_song_is_judged_if_it_is_long_enough_and_has_chords():
    from pretty_midi import Instrument, Note

    for measures, sounding, judged in ((8, 8, True), (8, 2, False), (3, 3, False)):
        midi = arvae_music.to_pretty_midi(from_notes([72, 74] * 2 * measures, range(4 * measures), [1] * 4 * measures))
        chord = Instrument(program=0, name="chords")
        chord.notes += [Note(60, pitch, 0.0, 2.0 * sounding) for pitch in (48, 52, 55)]
        midi.instruments.append(chord)
        song = arvae_music.from_pretty_midi(midi, track="melody")
        found = tunes.of_song(song, 0)
        assert (found is not None) == judged
        if found is not None:
            assert chords.chord_tones(found.melody, found.melody, found.harmony, False) == (16, 16)


def test_onsets_kept_and_unchanged_measures():
    before = melody(quarters(60, 62, 64, 65), quarters(60))
    after = before.with_rows({0: row("60 - - - - - - - - 62 - - 64")})
    assert likeness.onsets_kept(before, after, [0]) == (2, 4)
    assert likeness.identical(before, after, [0, 1]) == (1, 2)


def test_the_pitch_curve_correlates_the_pitches_on_the_beats():
    before = melody(quarters(60, 62, 64, 65), quarters(67, 65, 64, 62))
    assert likeness.curve(before, before, [0, 1]) == (pytest.approx(1), 1)
    assert [beats.tolist() for beats in likeness.on_beats(melody(row("r - - - - - 60 - - - - - r - - 62")))] == [
        [pytest.approx(np.nan, nan_ok=True), 15, 15, 17]
    ]
    upside = before.with_rows({0: quarters(65, 64, 62, 60), 1: quarters(62, 64, 65, 67)})
    found = likeness.curve(before, upside, [0])
    assert found == (pytest.approx(np.corrcoef([60, 62, 64, 65], [65, 64, 62, 60])[0, 1]), 1)
    assert likeness.curve(before, before.with_rows({0: quarters(60)}), [0]) == (0, 1)
    assert likeness.curve(melody(quarters(60)), before, [0]) == (0, 0)


def test_exactness_of_each_measure_and_of_the_mean():
    model = arvae_music.load("bach")
    tune = melody(*(quarters(60, 62, 64, 65) for _ in range(5)))
    ask = likeness.Ask("density", 1.5, (1, 2, 3))
    goal = likeness.goal_of(model, tune, ask)
    scale = model.metadata.scale("density")
    assert goal.asked == pytest.approx(goal.before + 1.5 * scale.sd)
    assert likeness.exact(goal, goal.before) == (0, 3)
    step = np.round(1.5 * scale.sd * 24) / 24
    assert likeness.exact(goal, goal.before + step) == (3, 3)
    total = np.round(3 * 1.5 * scale.sd * 24) / 24
    assert likeness.exact_mean(goal, goal.before + np.array([total, 0, 0])) == (1, 1)
    assert likeness.exact_mean(goal, goal.before + np.array([total + 1 / 24, 0, 0])) == (0, 1)
    far = likeness.goal_of(model, tune, likeness.Ask("density", 50, (1, 2, 3)))
    assert likeness.exact(far, far.before) == (0, 0)
    assert likeness.exact_mean(far, far.before) == (0, 0)


def test_notation_is_abc():
    assert notation.measure(quarters(60, 72, 59, 66), Meter(4), 0, 0) == "C2 c2 B,2 ^F2"
    assert notation.measure(quarters(60, 66), Meter(4), 0 - 2, 2) == "D2 ^G6"
    assert notation.measure(row("r - - 60 - 62 64"), Meter(4), 0, 0) == "z C/2 D/2 E6"
    assert notation.measure(row("60 - 62 - 64 - 65", Meter(2)), Meter(2), 0, 0) == "C2/3 D2/3 E2/3 F2"
    assert notation.measure(row("- - - - - - 84"), Meter(4), 0, 0) == "-2 c'6"
