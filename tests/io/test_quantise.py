"""Snapping: exact notes as `tokens.cut` has them, played notes as they are meant, and what passes through."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import midi_files as files
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from midi_files import FOUR, exact, heard, row

from arvae_music.errors import InputError
from arvae_music.io.quantise import Placements, melody_of
from arvae_music.io.snapping import LATEST
from arvae_music.music.melody import Melody
from arvae_music.music.meter import Meter, all_meters
from arvae_music.music.reasons import Reason
from arvae_music.music.tokens import Timed, cut, onsets

TPQ = 480
NO_PICKUP = Fraction(0)
FEW = settings(max_examples=60, deadline=None)
THREE, SIX_EIGHT = Meter(3), Meter(2, compound=True)


def melody(
    notes: Sequence[tuple[float, float, int]],
    signatures: Sequence[tuple[float, int, int]] = ((0, 4, 4),),
    length: float = 0,
    pickup: Fraction | None = NO_PICKUP,
    tpq: int = TPQ,
    tolerance: Fraction | None = None,
) -> tuple[Melody, Placements]:
    """Of (start, end, pitch) in quarter notes."""
    ticks = [(round(s * tpq), round(e * tpq), p) for s, e, p in notes]
    return melody_of(
        "m",
        ticks,
        tpq,
        [(round(t * tpq), n, d) for t, n, d in signatures],
        [(0, 0)],
        round(length * tpq),
        pickup=pickup,
        tolerance=tolerance,
    )


def sounding(found: Melody) -> list[list[int] | None]:
    return heard(found.rows, found.shift)


def reasons(found: Melody) -> list[str | None]:
    return [bar.why for bar in found.bars]


def even(count: int, step: float = 1.0, start: float = 0.0) -> list[tuple[float, float, int]]:
    """Notes one after another."""
    return [(start + i * step, start + (i + 1) * step, 60 + i * 5 % 12) for i in range(count)]


# Exact notes


@st.composite
def twelfths(draw: st.DrawFn) -> tuple[list[Timed], Meter]:
    """One note at a time, beginning on twelfths of a beat and ending on ticks of the grid."""
    meter = draw(st.sampled_from(all_meters()))
    beat = meter.beat_quarters
    places = draw(st.lists(st.integers(0, 3 * 12 * meter.beats - 1), min_size=1, max_size=12, unique=True))
    starts = [beat * place / 12 for place in sorted(places)]
    notes = []
    for start, following in zip(starts, [*starts[1:], meter.quarters * 3], strict=True):
        ends = [
            bar * meter.quarters + tick
            for bar in range(3)
            for tick in meter.tick_quarters[1:]
            if start < bar * meter.quarters + tick <= following
        ]
        if ends:
            notes.append(Timed(start, draw(st.sampled_from(ends)), draw(st.integers(62, 78))))
    return notes, meter


@FEW
@given(twelfths())
def test_exact_notes_are_cut_as_tokens_cut_does(drawn: tuple[list[Timed], Meter]) -> None:
    notes, meter = drawn
    numerator, denominator = (int(part) for part in meter.name.split("/"))
    length = meter.quarters * 3
    ticks = [(float(n.start), float(n.end), n.pitch) for n in notes]
    found, _ = melody(ticks, [(0, numerator, denominator)], float(length), tolerance=Fraction(1, 13))
    for i, bar in enumerate(found.bars):
        expected = cut(notes, i * meter.quarters, meter, found.shift)
        assert (bar.tokens is None) == (expected.tokens is None)
        assert (bar.reason or "").startswith(expected.reason or "")
        if bar.tokens is not None and expected.tokens is not None:
            assert bar.tokens.tolist() == expected.tokens.tolist()


@FEW
@given(files.melodies(), st.sampled_from([24, 96, 480, 5040]), st.integers(0, 1))
def test_placements_lead_back_to_the_notes(
    drawn: tuple[list[np.typing.NDArray[np.int16]], list[Meter]], tpq: int, late: int
) -> None:
    rows, meters = drawn
    beat = min(1, *(meter.beat_quarters for meter in meters))
    assume(late / tpq < LATEST * beat and beat * tpq >= 12)  # a file tick is at most a twelfth of a beat
    notes = exact(rows, meters, tpq, late)
    signatures = []
    for i, meter in enumerate(meters):
        numerator, denominator = (int(part) for part in meter.name.split("/"))
        signatures.append((int(sum(m.quarters for m in meters[:i]) * tpq), numerator, denominator))
    ticks = [(n.start, n.end, n.pitch) for n in notes]
    length = int(sum(m.quarters for m in meters) * tpq)
    found, placements = melody_of("m", ticks[::-1], tpq, signatures, [], length, pickup=NO_PICKUP)
    assert heard(found.rows, found.shift) == heard(rows, 0)
    places = list(zip(placements.measure[::-1].tolist(), placements.tick[::-1].tolist(), strict=True))
    assert places == [(n.measure, n.tick) for n in found.notes]
    assert np.allclose(placements.deviation, late, atol=0.51 if late or tpq == 24 else 0)


# Played notes


def test_a_tick_late_at_a_coarse_resolution() -> None:
    """At 24 ticks a quarter note, one late is half the way from a sixteenth to a triplet."""
    steps = [*even(3), *even(4, 0.25, 3), *even(3, 1 / 3, 4), *even(3, 1, 5)]
    on_time, _ = melody(steps, tpq=24, length=8)
    late, placements = melody([(s + 1 / 24, e + 1 / 24, p) for s, e, p in steps], tpq=24, length=8)
    assert sounding(on_time) == sounding(late)
    assert placements.late == 1


def test_a_player_who_drifts() -> None:
    """Onsets off by a normal deviation of 15 ms at 120, and notes played for 85 to 95 % of their length."""
    random = np.random.default_rng(5)
    right = total = 0
    for _ in range(20):
        steps, at = [], 0.0
        while at < 32:
            beat = [[1.0], [0.5, 0.5], [0.25] * 4, [1 / 3] * 3, [0.5, 0.25, 0.25], [0.75, 0.25], [2.0]]
            for length in beat[random.integers(len(beat))]:
                steps.append((at, at + length, int(random.integers(60, 76))))
                at += length
        at = max(at, 32)
        played = []
        for s, e, p in steps:
            start = max(0, s + random.normal(0, 0.03))
            played.append((start, start + (e - s) * random.uniform(0.85, 0.95), p))
        expected, _ = melody(steps, length=at)
        found, _ = melody(played, length=at)
        assert len(found.bars) == len(expected.bars)
        total += len(found.bars)
        right += sum(a == b for a, b in zip(sounding(found), sounding(expected), strict=True))
    assert right / total > 0.93


def test_a_late_sixteenth_is_no_triplet() -> None:
    steps = [(0, 0.3, 60), (0.31, 0.5, 62), (0.5, 0.8, 64), (0.8, 1, 65), (1, 4, 67)]
    found, _ = melody(steps)
    assert np.flatnonzero(onsets(found.bars[0].tokens[None])[0]).tolist() == [0, 1, 3, 5, 6]


def test_sixteenths_and_triplets_in_one_beat() -> None:
    found, _ = melody([(0, 0.25, 60), (0.25, 1 / 3, 62), (1 / 3, 4, 64)])
    assert sounding(found) == heard([row(FOUR, t0=60, t1=62, t2=64)], 0)


def test_a_note_before_the_barline_belongs_behind_it() -> None:
    steps = even(8)
    steps[3] = (3, 3.96, 63)
    steps[4] = (3.96, 5, 70)
    found, placements = melody(steps)
    assert reasons(found) == [None, None]
    assert (placements.measure[4], placements.tick[4]) == (1, 0)
    assert placements.deviation[4] == round(-0.04 * TPQ)


def test_articulation_is_no_rest_and_a_rest_is_one() -> None:
    """Played: gaps under an eighth close, longer ones begin on an eighth."""
    steps = [(0, 0.6, 60), (1, 1.43, 62), (1.5, 1.9, 64), (2, 2.97, 65), (4, 6.03, 67), (7, 7.9, 69)]
    found, placements = melody(steps, length=8)
    assert not placements.notated
    expected = [row(FOUR, t0=60, t6=62, t9=64, t12=65, t18=None), row(FOUR, t0=67, t12=None, t18=69)]
    assert sounding(found) == heard(expected, 0)


def test_short_rests_of_a_notated_file_are_rests() -> None:
    found, placements = melody([(0, 0.25, 60), (0.5, 0.75, 62), (1, 2, 64)], length=4)
    assert placements.notated
    assert sounding(found) == heard([row(FOUR, t0=60, t1=None, t3=62, t5=None, t6=64, t12=None)], 0)


def test_legato_is_no_chord() -> None:
    found, _ = melody([(s, e + 0.3, p) for s, e, p in even(8)], length=8)
    assert reasons(found) == [None, None]


# What passes through


def test_two_notes_at_once() -> None:
    """In every measure that they sound together in, and no other."""
    found, placements = melody([*even(16), (5, 9, 40)], length=16)
    assert reasons(found) == [None, Reason.TWO_AT_ONCE, Reason.TWO_AT_ONCE, None]
    assert placements.tick[:4].tolist() == [0, 6, 12, 18]
    assert placements.tick[4:12].tolist() == [-1] * 8


def test_rhythms_off_the_grid_name_the_beat() -> None:
    thirty_seconds = even(8, 0.125, 2)
    found, _ = melody([*even(2), *thirty_seconds, (3, 4, 60), *even(4, 1, 4)], length=8)
    assert reasons(found) == [f"{Reason.OFF_GRID} at beat 3", None]
    quintuplets = [*even(4), *even(5, 0.2, 4), *even(3, 1, 5)]
    assert reasons(melody(quintuplets)[0]) == [None, f"{Reason.OFF_GRID} at beat 1"]
    grace = [*even(4), (4, 4.05, 71), (4.05, 5, 72), *even(3, 1, 5)]
    assert reasons(melody(grace)[0]) == [None, f"{Reason.OFF_GRID} at beat 1"]


def test_pitches_out_of_range() -> None:
    found, _ = melody([*even(8), (8, 12, 110)], length=12)
    assert reasons(found) == [None, None, Reason.OUT_OF_RANGE]


def test_a_note_that_rings_from_a_chord_is_held() -> None:
    found, _ = melody([(0, 5, 72), (0, 1, 60), (5, 8, 71)])
    assert reasons(found) == [Reason.TWO_AT_ONCE, None]
    assert sounding(found)[1] == heard([row(FOUR, t6=71)], 0)[0]


# Barlines


def test_meters_change() -> None:
    found, _ = melody(even(18), [(0, 4, 4), (8, 3, 4), (11, 7, 8), (14.5, 6, 8)], length=20.5)
    assert [(b.signature, b.start // TPQ, b.reason) for b in found.bars] == [
        ("4/4", 0, None), ("4/4", 4, None), ("3/4", 8, None), ("7/8", 11, None),
        ("6/8", 14, None), ("6/8", 17, None),
    ]  # fmt: skip
    assert [b.number for b in found.bars] == [1, 2, 3, 4, 5, 6]


def test_a_measure_that_a_change_cuts_short() -> None:
    found, _ = melody(even(13), [(0, 4, 4), (6, 3, 4)], length=13)
    assert [(b.signature, b.start // TPQ, b.reason) for b in found.bars] == [
        ("4/4", 0, None), ("4/4", 4, "unfinished measure"), ("3/4", 6, None), ("3/4", 9, None), ("3/4", 12, None),
    ]  # fmt: skip


def test_signatures_repeated_or_slightly_late_change_nothing() -> None:
    plain, _ = melody(even(12), length=12)
    repeated, _ = melody(even(12), [(1 / TPQ, 4, 4), (4, 4, 4), (8, 4, 4), (8, 2, 4)], length=12)
    assert sounding(plain) == sounding(repeated)
    assert [b.start for b in plain.bars] == [b.start for b in repeated.bars]


def test_no_signature_is_common_time() -> None:
    assert [b.signature for b in melody(even(8), [])[0].bars] == ["4/4", "4/4"]


def test_cut_time_keeps_its_name() -> None:
    found, _ = melody(even(8), [(0, 2, 2)])
    assert [(b.signature, b.meter) for b in found.bars] == [("2/2", FOUR)] * 2


def test_silent_measures_have_tokens_and_a_few_late_ticks_are_no_measure() -> None:
    found, _ = melody([(0, 4, 60)], length=12.1)
    assert sounding(found) == heard([row(FOUR, t0=60), row(FOUR, t0=None), row(FOUR, t0=None)], 0)


# Pickups


def waltz(pickup: float, bars: int = 8) -> list[tuple[float, float, int]]:
    """A long note on each downbeat, a short one before the next."""
    steps = [(0, pickup, 67)] if pickup else []
    for bar in range(bars):
        at = pickup + 3 * bar
        steps += [(at, at + 2, 72), (at + 2, at + 3, 67)] if bar < bars - 1 else [(at, at + 2, 72)]
    return steps


@pytest.mark.parametrize("pickup", [0, 1])
def test_no_pickup_is_read_from_the_notes(pickup: int) -> None:
    """Whatever the rhythm suggests, the file's own barlines count."""
    for signatures in ([(0, 3, 4)], []):
        found, placements = melody(waltz(pickup), signatures, pickup=None)
        assert placements.pickup == 0
        assert found.bars[0].number == 1


def test_a_first_signature_on_the_first_barline_leaves_a_pickup_before_it() -> None:
    found, placements = melody(waltz(1), [(1, 3, 4)], length=25, pickup=None)
    assert placements.pickup == 1
    assert [b.number for b in found.bars] == list(range(9))
    assert [b.signature for b in found.bars] == ["3/4"] * 9
    assert (found.bars[0].reason, found.bars[-1].reason) == ("pickup", None)
    assert found.bars[1].start == TPQ


def test_a_first_signature_after_a_whole_measure_follows_common_time() -> None:
    found, _ = melody(even(14), [(8, 3, 4)], pickup=None)
    assert [(b.number, b.signature) for b in found.bars] == [(1, "4/4"), (2, "4/4"), (3, "3/4"), (4, "3/4")]


def test_the_same_signature_within_the_first_measure_ends_a_pickup() -> None:
    found, placements = melody(even(9), [(0, 4, 4), (1, 4, 4)], pickup=None)
    assert placements.pickup == 1
    assert [(b.number, b.reason) for b in found.bars] == [(0, "pickup"), (1, None), (2, None)]


def test_the_first_of_two_signatures_on_one_tick_counts() -> None:
    found, _ = melody(even(6), [(0, 3, 4), (0, 4, 4), (3, 3, 4), (3, 4, 4)], pickup=None)
    assert [b.signature for b in found.bars] == ["3/4", "3/4"]


def test_an_explicit_pickup_is_believed() -> None:
    found, placements = melody(even(9), pickup=Fraction(1))
    assert placements.pickup == 1
    assert [(b.number, b.start // TPQ, b.reason) for b in found.bars] == [(0, 0, "pickup"), (1, 1, None), (2, 5, None)]


def test_a_pickup_with_a_signature_of_its_own() -> None:
    found, _ = melody(even(9), [(0, 1, 4), (1, 4, 4)], pickup=None)
    assert [(b.number, b.reason) for b in found.bars] == [(0, "pickup"), (1, None), (2, None)]


def test_a_melody_that_enters_later_has_the_files_barlines() -> None:
    steps = [(s + 2, e + 2, p) for s, e, p in waltz(1)]
    _, placements = melody(steps, [(0, 3, 4)], pickup=None)
    assert placements.pickup == 0


def test_even_notes_have_no_pickup() -> None:
    for step in (0.25, 0.5, 1, 2):
        assert melody(even(40, step), pickup=None)[1].pickup == 0


# Ends of the range


def test_nothing_gives_a_silent_measure() -> None:
    found, placements = melody([])
    assert [b.reason for b in found.bars] == [None]
    assert len(placements.tick) == 0


def test_corrupt_times_are_refused() -> None:
    with pytest.raises(InputError, match="longer than 20000 measures"):
        melody([(0, 1, 60), (1e6, 1e6 + 1, 60)])


@pytest.mark.parametrize("tpq", [1, 2, 3, 5, 7, 32767])
def test_odd_resolutions(tpq: int) -> None:
    found, _ = melody(even(8), tpq=tpq)
    assert [b.start for b in found.bars] == [0, 4 * tpq]
    assert reasons(found) == [None, None]


@pytest.mark.parametrize(
    ("fifths", "key", "origin"),
    [(2, 2, "key signature"), (None, 2, "estimated"), (-3, 2, "estimated against the key signature Eb")],
)
def test_the_key_and_where_it_comes_from(fifths: int | None, key: int, origin: str) -> None:
    scale = [62, 64, 66, 67, 69, 71, 73, 74, 69, 66, 62, 62]
    notes = [(i * TPQ, (i + 1) * TPQ, pitch) for i, pitch in enumerate(scale)]
    found, _ = melody_of("m", notes, TPQ, [], [] if fifths is None else [(0, fifths)], 0, pickup=NO_PICKUP)
    assert (found.fifths, found.key_origin) == (key, origin)
    assert found.shift % 12 == 10
