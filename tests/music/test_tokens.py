"""Notes to tokens and back, and the key and the register to which melodies are normalised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import Tune, barlines, batches, grid_notes, meters, tunes

from arvae_music.arrays import Row
from arvae_music.music.keys import believed_fifths, choose_shift, estimate_fifths
from arvae_music.music.meter import Meter, all_meters
from arvae_music.music.tokens import (
    CENTRE,
    FIRST_PITCH,
    HIGHEST,
    HOLD,
    LOWEST,
    REST,
    SPAN,
    VOCABULARY,
    Cut,
    Timed,
    TokenNote,
    cut,
    notes_of,
    onsets,
    pitch_of,
    sounding,
    token_of,
)

FOUR, THREE = Meter(4), Meter(3)


def timed(*notes: tuple[float | str | Fraction, float | str | Fraction, int]) -> list[Timed]:
    return [Timed(Fraction(start), Fraction(end), pitch) for start, end, pitch in notes]


def cut_all(notes: Sequence[Timed], chosen: Sequence[Meter], shift: int) -> list[Cut]:
    return [cut(notes, start, meter, shift) for start, meter in zip(barlines(chosen), chosen, strict=False)]


def rows_of(cuts: Iterable[Cut]) -> list[Row]:
    made = []
    for one in cuts:
        assert one.tokens is not None, one.reason
        made.append(one.tokens)
    return made


# ------------------------------------------------------------------------------------- vocabulary


def test_the_vocabulary_is_hold_rest_and_four_octaves() -> None:
    assert (HOLD, REST, FIRST_PITCH) == (0, 1, 2)
    assert VOCABULARY == 2 + 2 * SPAN + 1 == 51
    assert [pitch_of(token_of(pitch)) for pitch in range(LOWEST, HIGHEST + 1)] == list(range(47, 96))
    assert {token_of(pitch) for pitch in range(LOWEST, HIGHEST + 1)} == set(range(FIRST_PITCH, VOCABULARY))


@pytest.mark.parametrize("pitch", [LOWEST - 1, HIGHEST + 1, -1, 128])
def test_a_pitch_out_of_range_has_no_token(pitch: int) -> None:
    with pytest.raises(ValueError, match=r"outside 47 \.\. 95"):
        token_of(pitch)


@pytest.mark.parametrize("token", [HOLD, REST, -1, VOCABULARY])
def test_a_token_that_is_no_pitch_is_refused(token: int) -> None:
    with pytest.raises(ValueError, match="not a pitch"):
        pitch_of(token)


# ------------------------------------------------------------------------------------- round trips


@given(tune=tunes())
def test_rows_become_notes_and_the_same_rows_again(tune: Tune) -> None:
    again = rows_of(cut_all(tune.timed, tune.meters, tune.shift))
    assert [row.tolist() for row in again] == [row.tolist() for row in tune.rows]
    assert all(row.dtype == np.int16 for row in again)


@given(data=st.data())
def test_notes_become_rows_and_the_same_notes_again(data: st.DataObject) -> None:
    chosen = tuple(data.draw(st.lists(meters(), min_size=1, max_size=5)))
    shift = data.draw(st.integers(-30, 30))
    notes = data.draw(grid_notes(chosen, shift))
    again = Tune(chosen, tuple(rows_of(cut_all(notes, chosen, shift))), shift).timed
    assert again == notes


@pytest.mark.parametrize("meter", all_meters(), ids=lambda meter: meter.name)
def test_a_note_may_start_and_end_at_any_tick(meter: Meter) -> None:
    """One note from each tick to each later tick, between two measures of rest."""
    chosen = (meter, meter, meter)
    places = [meter.quarters + place for place in meter.tick_quarters]
    for i, start in enumerate(places):
        for end in places[i + 1 :]:
            notes = [Timed(start, end, 72)]
            rows = rows_of(cut_all(notes, chosen, 0))
            assert Tune(chosen, tuple(rows), 0).timed == notes
            assert [row[0] for row in rows] == [REST, token_of(72) if i == 0 else REST, REST]


@given(tune=tunes())
def test_cut_needs_only_the_notes_that_sound_in_the_measure(tune: Tune) -> None:
    notes = tune.timed
    for start, meter, row in zip(tune.starts, tune.meters, tune.rows, strict=False):
        near = [note for note in notes if note.end > start and note.start < start + meter.quarters]
        assert cut(near, start, meter, tune.shift).tokens is not None
        assert np.array_equal(rows_of([cut(near, start, meter, tune.shift)])[0], row)


@given(batch=batches(smallest=1))
def test_any_row_of_a_decoder_keeps_its_notes(batch: tuple[Row, Meter]) -> None:
    """A decoder may write a REST within a rest, or a HOLD after it; the notes stay the same when they are cut again."""
    rows, meter = batch
    chosen = (meter,) * len(rows)
    notes = Tune(chosen, tuple(rows), 3).timed
    assert len(notes) == int(onsets(rows).sum())
    assert Tune(chosen, tuple(rows_of(cut_all(notes, chosen, 3))), 3).timed == notes


# ------------------------------------------------------------------------------------- examples


def test_cut_writes_a_measure_by_hand() -> None:
    notes = timed((0, 1, 60), (1, "3/2", 62), (2, "7/3", 64), ("7/3", "8/3", 65), ("8/3", 3, 67), (3, "13/4", 60))
    row = rows_of([cut(notes, Fraction(0), FOUR, 12)])[0]
    expected: list[int | str] = [
        72,
        *[HOLD] * 5,
        74,
        HOLD,
        HOLD,
        "r",
        HOLD,
        HOLD,
        76,
        HOLD,
        77,
        HOLD,
        79,
        HOLD,
        72,
        "r",
    ]
    expected += [HOLD] * 4
    assert row.tolist() == [REST if e == "r" else token_of(int(e)) if e else HOLD for e in expected]


def test_a_note_tied_over_the_barline_is_held() -> None:
    first, second, third = rows_of(cut_all(timed((3, 6, 72), (6, 8, 74)), (FOUR, THREE, FOUR), 0))
    assert first[[0, 18]].tolist() == [REST, token_of(72)]
    assert second[[0, 6, 12]].tolist() == [HOLD, HOLD, token_of(74)]
    assert third[[0, 6]].tolist() == [HOLD, REST]


def test_a_silent_measure_is_a_rest() -> None:
    assert rows_of([cut([], Fraction(8), THREE, 0)])[0].tolist() == [REST, *[HOLD] * 17]


@pytest.mark.parametrize(
    ("notes", "reason"),
    [
        (timed((0, 1, 72), ("1/2", 2, 74)), "two notes at once"),
        (timed((0, 1, 72), (0, 1, 76)), "two notes at once"),
        (timed((0, 4, 72), (1, 2, 76)), "two notes at once"),
        (timed((-2, 2, 72), (1, 2, 76)), "two notes at once"),
        (timed((-2, 2, 72), (-1, 2, 76)), "two notes at once"),
        (timed((0, 4, 72), (3, 5, 76)), "two notes at once"),
        (timed(("1/8", 1, 72)), "off-grid rhythm"),
        (timed(("1/6", 1, 72)), "off-grid rhythm"),
        (timed((0, "1/8", 72)), "off-grid rhythm"),  # the rest after it would start off the grid
        (timed((0, "7/8", 72), (1, 2, 72)), "off-grid rhythm"),
        (timed((0, "31/8", 72)), "off-grid rhythm"),
        (timed((-1, "1/5", 72)), "off-grid rhythm"),
        (timed((1, 1, 72)), "off-grid rhythm"),  # a note without length
        (timed((0, 0, 72)), "off-grid rhythm"),
        (timed((0, 1, LOWEST - 1)), "pitch out of range"),
        (timed((0, 1, 72), (1, 2, HIGHEST + 1)), "pitch out of range"),
    ],
)
def test_cut_gives_the_reason_if_notes_do_not_fit(notes: list[Timed], reason: str) -> None:
    assert cut(notes, Fraction(0), FOUR, 0) == Cut(None, reason)


@pytest.mark.parametrize(
    "notes",
    [
        timed((-2, -1, 72), (-2, "-1/7", 76), (0, 4, 72)),  # before the measure: a chord, and an end off the grid
        timed((-1, 0, 30), (0, 4, 72)),
        timed((-1, -1, 72), (0, 4, 72)),
        timed((0, 4, 72), (4, 5, 72), (4, 6, 76), ("33/8", 5, 120)),  # after the measure
        timed((0, 4, 72), (4, 4, 72)),
    ],
)
def test_cut_ignores_notes_of_other_measures(notes: list[Timed]) -> None:
    assert rows_of([cut(notes, Fraction(0), FOUR, 0)])[0].tolist() == [token_of(72), *[HOLD] * 23]


def test_the_pitch_range_holds_after_the_shift() -> None:
    low = timed((0, 1, 28))
    assert cut(low, Fraction(0), FOUR, 0).reason == "pitch out of range"
    assert rows_of([cut(low, Fraction(0), FOUR, 48)])[0][0] == token_of(76)


def test_notes_end_at_a_measure_without_tokens() -> None:
    a = np.array([token_of(72), *[HOLD] * 11], dtype=np.int16)
    held = np.full(12, HOLD, dtype=np.int16)
    assert notes_of([None, held, a, held, None, held, a, None], 2) == [
        TokenNote(2, 0, 70, 3, 12),
        TokenNote(6, 0, 70, 6, 12),
    ]
    assert notes_of([a, a], 2)[0] == TokenNote(0, 0, 70, 0, 12), "ends on the barline, not in the next measure"
    assert notes_of([], 0) == notes_of([None, None], 0) == notes_of([held], 0) == []


# ------------------------------------------------------------------------------------- sounding


def test_sounding_of_two_measures() -> None:
    rows = np.array([[0, 0, 5, 0, 1, 0], [1, 0, 7, 8, 0, 0]], dtype=np.int16)
    assert sounding(rows).tolist() == [[0, 0, 5, 5, 1, 1], [1, 1, 7, 8, 8, 8]]
    assert sounding(rows, np.array([9, 9])).tolist() == [[9, 9, 5, 5, 1, 1], [1, 1, 7, 8, 8, 8]]
    assert sounding(rows[:0]).shape == (0, 6)


@given(batch=batches(smallest=1), data=st.data())
def test_sounding_equals_a_loop_over_ticks(batch: tuple[Row, Meter], data: st.DataObject) -> None:
    rows, _ = batch
    entering = np.array([data.draw(st.integers(REST, VOCABULARY - 1)) for _ in rows])
    before = rows.copy()
    found = sounding(rows.astype(np.int8), entering)
    assert found.dtype == np.int64
    for row, now, result in zip(rows.tolist(), entering.tolist(), found.tolist(), strict=True):
        for token, heard in zip(row, result, strict=True):
            now = now if token == HOLD else token
            assert heard == now
    assert (rows == before).all()


@given(tune=tunes())
def test_sounding_agrees_with_the_notes(tune: Tune) -> None:
    entering = np.array([REST])
    notes = tune.timed
    starts = tune.starts
    for m, row in enumerate(tune.rows):
        heard = sounding(row[None], entering)[0]
        places = tune.meters[m].tick_quarters
        for tick, token in enumerate(heard.tolist()):
            at = starts[m] + places[tick]
            now = [token_of(note.pitch + tune.shift) for note in notes if note.start <= at < note.end]
            assert token == (now[0] if now else REST)
        entering = heard[-1:]


# ------------------------------------------------------------------------------------- normalisation

melodies = st.lists(
    st.tuples(st.integers(40, 80), st.sampled_from([0.25, 1 / 3, 0.5, 1.0, 2.0])), min_size=1, max_size=30
)


def shift_of(notes: Iterable[tuple[int, float]], fifths: int | None, by: int = 0) -> int:
    notes = list(notes)
    return choose_shift([pitch + by for pitch, _ in notes], [weight for _, weight in notes], fifths)


@given(notes=melodies, by=st.integers(-36, 36), fifths=st.one_of(st.none(), st.integers(-7, 7)))
def test_normalising_undoes_any_transposition(
    notes: list[tuple[int, float]], by: int, fifths: int | None
) -> None:
    moved = None if fifths is None else fifths + 7 * by
    assert shift_of(notes, moved, by) == shift_of(notes, fifths) - by


@pytest.mark.parametrize("by", range(-24, 25))
@pytest.mark.parametrize(
    "pitches",
    [
        [65],  # six semitones from the centre, above or below
        [60, 66],  # a tritone: two keys fit equally well
        [60, 62, 64, 66, 68, 70],  # whole tones
        [60, 63, 66, 69],
        list(range(60, 72)),
    ],
    ids=str,
)
def test_normalising_undoes_transposition_of_symmetrical_melodies(pitches: list[int], by: int) -> None:
    notes = [(pitch, 1.0) for pitch in pitches]
    assert shift_of(notes, None, by) == shift_of(notes, None) - by
    assert shift_of(notes, 7 * by, by) == shift_of(notes, 0) - by


@given(tune=tunes(), by=st.integers(-24, 24))
def test_a_transposed_tune_has_the_same_rows(tune: Tune, by: int) -> None:
    assume(tune.timed)
    assume(all(0 <= note.pitch + k <= 127 for note in tune.timed for k in (0, by)))
    found = []
    for k in (0, by):
        notes = [replace(note, pitch=note.pitch + k) for note in tune.timed]
        shift = choose_shift([n.pitch for n in notes], [float(n.end - n.start) for n in notes], None)
        cuts = cut_all(notes, tune.meters, shift)
        found.append([one.tokens.tolist() if one.tokens is not None else one.reason for one in cuts])
        if all(one.tokens is not None for one in cuts):  # the shift is undone exactly
            assert Tune(tune.meters, tuple(rows_of(cuts)), shift).timed == notes
    assert found[0] == found[1]


@given(notes=melodies, fifths=st.one_of(st.none(), st.integers(-7, 7)))
def test_the_median_lands_within_half_an_octave_of_the_centre(
    notes: list[tuple[int, float]], fifths: int | None
) -> None:
    shift = shift_of(notes, fifths)
    near = sum(weight for pitch, weight in notes if abs(pitch + shift - CENTRE) <= 6)
    below = sum(weight for pitch, weight in notes if pitch + shift < CENTRE - 6)
    above = sum(weight for pitch, weight in notes if pitch + shift > CENTRE + 6)
    assert near > 0
    assert max(below, above) <= sum(weight for _, weight in notes) / 2 + 1e-9


def test_the_octave_follows_the_long_notes() -> None:
    assert [shift_of([(pitch, 1.0)], 0) for pitch in (64, 65, 67)] == [12, 12, 0]  # halfway: the upper octave
    assert shift_of([(60, 1.0), (62, 1.0), (64, 1.0)], 0) == 12  # around middle D: up
    assert shift_of([(72, 1.0), (74, 1.0), (76, 1.0)], 0) == 0
    assert shift_of([(96, 1.0), (98, 1.0), (100, 1.0)], 0) == -24  # a piccolo
    assert shift_of([(36, 1.0), (38, 1.0), (40, 1.0)], 0) == 36  # a bass
    assert shift_of([(60, 9.0), (84, 1.0), (84, 1.0)], 0) == 12
    assert shift_of([(60, 1.0), (84, 1.0), (84, 1.0)], 0) == -12
    assert choose_shift([], [], 3) == 0


# A phrase of each tune, in MIDI pitches, and the number of sharps of its key (flats are negative).
TUNES: dict[str, tuple[str, int]] = {
    "Ode to Joy in D": ("66 66 67 69 69 67 66 64 62 62 64 66 64 62 62 62", 2),
    "Twinkle in F": ("65 65 72 72 74 74 72 72 70 70 69 69 67 67 65 65", -1),
    "Frère Jacques in G": ("67 69 71 67 67 69 71 67 71 72 74 74 71 72 74 74 67 62 67 67 67 62 67 67", 1),
    "God Save the Queen in G": ("67 67 69 66 66 67 69 71 71 72 71 71 69 67 69 67 66 67 67 67", 1),
    "Minuet in G (Petzold)": ("74 67 69 71 72 74 74 67 67 67 76 72 74 76 78 79 79 67 67 67", 1),
    "Korobeiniki in a": (
        "76 76 71 72 74 74 72 71 69 69 69 72 76 76 74 72 71 71 71 72 74 74 76 76 72 72 69 69 69 69",
        0,
    ),
    "Joy to the World in E flat": ("75 75 74 72 70 70 70 68 67 67 65 65 63 63 63", -3),
    "Happy Birthday in A": (
        "64 64 66 64 69 68 68 64 64 66 64 71 69 69 64 64 76 73 69 68 66 74 74 73 69 71 69 69",
        3,
    ),
}


@pytest.mark.parametrize(("melody", "sharps"), TUNES.values(), ids=TUNES)
def test_the_estimated_key_is_right_and_music21_agrees(melody: str, sharps: int) -> None:
    from music21 import note, stream

    pitches = [int(pitch) for pitch in melody.split()]
    score: stream.Stream[note.Note] = stream.Stream([note.Note(pitch, quarterLength=1) for pitch in pitches])
    assert score.analyze("key.krumhanslschmuckler").sharps == sharps
    classes = np.bincount(np.array(pitches) % 12, minlength=12).astype(np.float64)
    assert estimate_fifths(classes) == sharps
    for signature in (None, sharps):
        shift = choose_shift(pitches, [1.0] * len(pitches), signature)
        assert (shift + 7 * sharps) % 12 == 0, "the normalised tonic is neither C nor A minor's A"


@given(st.lists(st.integers(0, 60), min_size=12, max_size=12))
def test_the_estimated_key_equals_a_slow_computation(weights: list[int]) -> None:
    """A key scores the share of pitches in its scale plus 0.1 times its correlation with a profile.

    The profiles are those of Krumhansl & Kessler for major and minor; the better one counts.
    """
    classes = np.array(weights, dtype=np.float64)
    assume(classes.std() > 0)
    major = [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88]
    minor = [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17]
    by_signature: dict[int, float] = {}
    for tonic in range(12):
        turned = np.roll(classes, -tonic)
        for profile, major_tonic in ((major, tonic), (minor, (tonic + 3) % 12)):
            fifths = next(f for f in range(-5, 7) if 7 * f % 12 == major_tonic)
            score = float(np.corrcoef(profile, turned)[0, 1])
            scale = [(major_tonic + step) % 12 for step in (0, 2, 4, 5, 7, 9, 11)]
            score = float(classes[scale].sum() / classes.sum()) + 0.1 * score
            by_signature[fifths] = max(by_signature.get(fifths, -1.0), score)
    found = estimate_fifths(classes)
    assert -5 <= found <= 6
    assert by_signature[found] == pytest.approx(max(by_signature.values()), abs=1e-9)


def test_a_fitting_key_signature_overrides_the_estimate() -> None:
    dorian = [62, 64, 65, 67, 69, 71, 72, 74, 69, 65, 62, 62, 62]  # D Dorian: no sharps, no flats
    classes = np.bincount(np.array(dorian) % 12, minlength=12).astype(np.float64)
    assert estimate_fifths(classes) == 0, "the estimate must not be D minor, which has a flat"
    assert shift_of([(pitch, 1.0) for pitch in dorian], 0) % 12 == 0
    pentatonic = np.array([67, 69, 71, 74, 76, 79, 67])  # fits G, C and D major equally well
    assert [believed_fifths(pentatonic, np.ones(7), f) for f in (0, 1, 2)] == [0, 1, 2]


def test_a_default_signature_of_c_major_is_not_believed_if_it_does_not_fit() -> None:
    joy = [int(pitch) for pitch in TUNES["Ode to Joy in D"][0].split()]  # a quarter of its notes are F sharp
    assert shift_of([(pitch, 1.0) for pitch in joy], 0) == shift_of([(pitch, 1.0) for pitch in joy], 2)
    assert believed_fifths(np.array(joy), np.ones(len(joy)), 0) == 2


@pytest.mark.parametrize(("c_sharps", "believed"), [(0.11, True), (0.13, False)])
def test_a_signature_is_believed_up_to_a_share_of_foreign_notes(c_sharps: float, believed: bool) -> None:
    """A melody in D major with the key signature of G, whose C sharps last this share of the whole."""
    scale = np.array([62, 64, 66, 67, 69, 71, 73])
    rest = 1 - c_sharps
    weights = np.array([0.3, 0.1, 0.2, 0.05, 0.25, 0.1, 0]) * rest + np.array([0] * 6 + [c_sharps])
    assert believed_fifths(scale, weights, None) == 2
    assert believed_fifths(scale, weights, 1) == (1 if believed else 2)
