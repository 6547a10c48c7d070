"""Interpolation: ends exact, between them a way that goes forward, and reasons where there is none."""

from __future__ import annotations

import io
import itertools
from fractions import Fraction
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from midi_files import FOUR, canonical, plain_row, row

from arvae_music import library
from arvae_music.arrays import Row
from arvae_music.editing.interpolate import _key, results
from arvae_music.editing.matching import excerpt, match
from arvae_music.editing.steps import gap, slerp
from arvae_music.errors import InputError, UsageError
from arvae_music.io.midi import Song, new_midi
from arvae_music.library import Model
from arvae_music.music.attributes import evaluate
from arvae_music.music.keys import in_key
from arvae_music.music.melody import Bar, Melody
from arvae_music.music.meter import Meter
from arvae_music.music.reasons import Reason
from arvae_music.music.sliders import numbers_in
from arvae_music.music.tokens import HOLD, REST, onsets

QUICK = (Phase.explicit, Phase.reuse, Phase.generate)  # to shrink would take minutes
SLOW = settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], phases=QUICK
)


@pytest.fixture(scope="module")
def model(tiny_model_path: Path) -> Model:
    return library.load(tiny_model_path)


def melody_of(rows: list[Row | None], name: str = "a", meter: Meter = FOUR, first: int = 1, fifths: int = 0) -> Melody:
    bars = [
        Bar(first + i, meter.name, 0, 0, meter, r, None if r is not None else Reason.TWO_AT_ONCE)
        for i, r in enumerate(rows)
    ]
    return Melody(name, tuple(bars), -7 * fifths % 12, fifths)


A = melody_of(
    [
        row(FOUR, t0=67, t6=69, t12=71, t18=72),
        row(FOUR, t0=74, t6=72, t12=71),
        row(FOUR, t0=67, t6=69, t12=71, t18=72),
        row(FOUR, t0=72),
    ]
)
B = melody_of(
    [
        row(FOUR, t0=76, t3=77, t6=79, t12=76, t18=72),
        row(FOUR, t0=74, t3=76, t6=77, t9=76, t12=74, t15=72, t18=71),
        row(FOUR, t0=76, t3=77, t6=79, t12=76, t18=72),
        row(FOUR, t0=71, t12=72),
    ],
    "b",
)


def notes(melody: Melody) -> list[tuple[int, int, int, int, int]]:
    return [(n.measure, n.tick, n.pitch, n.end_measure, n.end_tick) for n in melody.notes]


@st.composite
def any_melody(draw: st.DrawFn, count: int) -> Melody:
    drawn = [draw(plain_row(FOUR)) for _ in range(count)]
    drawn[0][0] = 22
    return melody_of(list(canonical(drawn)))


# ------------------------------------------------------------------------- the way


@SLOW
@given(st.data(), st.integers(1, 3), st.integers(3, 5), st.integers(0, 3))
def test_ends_are_exact_and_attributes_never_go_back(
    model: Model, data: st.DataObject, count: int, steps: int, seed: int
) -> None:
    one, other = data.draw(any_melody(count)), data.draw(any_melody(count))
    path = model.interpolate([one, other], steps, seed=seed)
    assert len(path.melodies) == steps
    assert notes(path.melodies[0]) == notes(one)
    assert notes(path.melodies[-1]) == notes(other)
    specs = [spec for spec in model.specs if spec.name in model.metadata.carried]
    for i in range(count):
        rows = [m.bars[i].tokens for m in path.melodies]
        assert all(r is not None for r in rows)
        values = evaluate(specs, np.stack([r for r in rows if r is not None]), FOUR)
        steps = np.diff(values, axis=0)
        way = np.sign(values[-1] - values[0])
        assert (steps * way > -1e-9).all()
        assert (np.abs(steps[:, way == 0]) < 1e-9).all()
    for melody in path.melodies:
        rows = [r for r in melody.rows if r is not None]
        assert [r.tolist() for r in canonical(rows) if r is not None] == [r.tolist() for r in rows]


def test_a_model_in_context_walks_forward_too() -> None:
    """Each step is at least as far from the first melody as the one before, and no farther from the last."""
    path = library.load("all").interpolate([A, B], 5)
    for before, after in itertools.pairwise(path.melodies):
        for end, sign in ((A, 1), (B, -1)):
            near, far = (
                sum(float(gap(a, b)) for a, b in zip(end.rows, one.rows, strict=True)) for one in (before, after)
            )
            assert sign * (far - near) > 0


def test_steps_move_evenly_and_none_is_its_neighbour(model: Model) -> None:
    path = model.interpolate([A, B], 6)
    steps = [
        sum(float(gap(a, b)) for a, b in zip(one.rows, other.rows, strict=True) if a is not None and b is not None)
        for one, other in itertools.pairwise(path.melodies)
    ]
    assert min(steps) > 0
    assert max(steps) < 4 * np.mean(steps)
    for melody in path.melodies[1:-1]:
        for a, b, here in zip(A.rows, B.rows, melody.rows, strict=True):
            assert a is not None
            assert b is not None
            assert here is not None
            assert in_key(here[onsets(here)]).all()


def test_repeated_pairs_of_measures_stay_equal(model: Model) -> None:
    for melody in model.interpolate([A, B], 5).melodies:
        assert np.array_equal(melody.rows[0], melody.rows[2])


def test_a_path_goes_through_every_melody(model: Model) -> None:
    path = model.interpolate([A, B, A], 4)
    assert path.ends == (0, 3, 6)
    assert [notes(path.melodies[i]) for i in path.ends] == [notes(A), notes(B), notes(A)]
    rows = results(path, model)
    assert len(rows) == 7
    assert all(bar.hit for bar in (*rows[0].bars, *rows[3].bars, *rows[6].bars))
    middle = rows[3].bars[1]
    assert middle.achieved.tolist() == pytest.approx(middle.asked.tolist())


def test_all_steps_from_a_melody_to_itself_equal_it(model: Model) -> None:
    for melody in model.interpolate([A, A], 3).melodies:
        assert notes(melody) == notes(A)


def test_the_seed_decides(model: Model) -> None:
    def rows(seed: int) -> list[list[int]]:
        return [r.tolist() for m in model.interpolate([A, B], 5, seed=seed).melodies for r in m.rows if r is not None]

    assert rows(3) == rows(3)


# ------------------------------------------------------------------------- what is made to fit


def test_the_shorter_melody_is_repeated(model: Model) -> None:
    short = melody_of(B.rows[:3], "short")
    a, b = match([A, short], model)
    assert len(a.bars) == len(b.bars) == 4
    assert np.array_equal(b.rows[3], short.rows[0])


def test_a_note_tied_into_the_first_measure_starts_anew_when_the_melody_repeats(model: Model) -> None:
    opening = row(FOUR, t0=None, t18=67)
    tied = row(FOUR, t6=69)
    short = melody_of([opening, tied], "short", first=0)
    a, b = match([A, short], model)
    assert [bar.number for bar in a.bars] == [0, 1, 2, 3, 4]
    assert a.rows[0] is not None
    assert a.rows[0].tolist() == [REST] + [HOLD] * 23
    assert b.rows[1] is not None
    assert b.rows[2] is not None
    assert (b.rows[1][0], b.rows[2][0]) == (HOLD, opening[18])


def test_keys_go_round_the_circle_of_fifths_and_registers_by_octaves() -> None:
    one, other = melody_of(A.rows, fifths=0), melody_of(B.rows, fifths=4)  # C major, E major
    assert _key(one, other, 0.0) == (0, one.shift)
    assert _key(one, other, 1.0) == (4, other.shift)
    way = [_key(one, other, share / 4) for share in range(5)]
    assert [fifths for fifths, _ in way] == [0, 1, 2, 3, 4]
    for fifths, shift in way:
        assert (shift + 7 * fifths) % 12 == 0
        assert abs(shift - (one.shift + fifths / 4 * (other.shift - one.shift))) <= 6


@given(st.integers(-6, 6), st.integers(-6, 6), st.integers(-2, 2), st.integers(-2, 2))
def test_the_ends_keep_their_keys(one: int, other: int, low: int, high: int) -> None:
    first = Melody("a", A.bars, -7 * one % 12 + 12 * low, one)
    last = Melody("b", B.bars, -7 * other % 12 + 12 * high, other)
    for share, melody in ((0.0, first), (1.0, last)):
        fifths, shift = _key(first, last, share)
        assert shift == melody.shift
        assert (fifths - melody.fifths) % 12 == 0


def test_an_arc_keeps_its_length_and_a_line_between_opposites_is_a_line() -> None:
    one, other = np.array([[2.0, 0.0]]), np.array([[0.0, 2.0]])
    assert np.linalg.norm(slerp(one, other, 0.5)) == pytest.approx(2)
    assert slerp(one, -one, 0.25).tolist() == [[1.0, 0.0]]
    assert slerp(one, one, 0.3).tolist() == one.tolist()
    assert slerp(0 * one, other, 0.5).shape == (1, 2)


# ------------------------------------------------------------------------- what is refused


def test_meters_that_differ_are_refused_by_name_and_measure(model: Model) -> None:
    three = melody_of([row(Meter(3), t0=67)] * 4, "waltz.mid", Meter(3))
    with pytest.raises(InputError, match=r"measure 1 is in 4/4 in a and in 3/4 in waltz.mid, and 3 more"):
        model.interpolate([A, three])


def test_unreadable_measures_are_named(model: Model) -> None:
    broken = melody_of([A.rows[0], None, A.rows[1], None], "c.mid")
    with pytest.raises(InputError, match=r"c.mid: measures 2, 4 cannot be interpolated: two notes at once"):
        model.interpolate([A, broken])
    part = excerpt(broken, numbers_in("1,3"))
    assert [bar.number for bar in part.bars] == [1, 3]


def test_invalid_requests_are_refused(model: Model) -> None:
    with pytest.raises(UsageError):
        model.interpolate([A])
    with pytest.raises(UsageError):
        model.interpolate([A, B], 2)
    with pytest.raises(UsageError, match="no measure"):
        excerpt(A, numbers_in("9-"))


# ------------------------------------------------------------------------- whole measures of a file


def test_a_pickup_and_a_last_measure_become_whole(tmp_path: Path) -> None:
    track = mido.MidiTrack([mido.MetaMessage("time_signature", numerator=4, denominator=4)])
    played = [(67, 1), (72, 1), (74, 1), (76, 1), (77, 1), (79, 4), (72, 4), (74, 4), (72, 3)]
    for pitch, quarters in played:
        track.append(mido.Message("note_on", note=pitch, velocity=80, time=0))
        track.append(mido.Message("note_off", note=pitch, velocity=0, time=480 * quarters))
    mido.MidiFile(ticks_per_beat=480, tracks=[track]).save(str(tmp_path / "a.mid"))
    song = Song.read(tmp_path / "a.mid", pickup=Fraction(1))
    assert song.melody.rows[0] is None
    whole = song.whole()
    assert [bar.number for bar in whole.bars] == list(range(len(song.melody.bars)))
    assert all(bar.tokens is not None for bar in whole.bars)
    assert [(n.pitch, n.tick) for n in whole.notes][:2] == [(67, 18), (72, 0)]
    assert [n.pitch for n in whole.notes] == [pitch for pitch, _ in played]
    assert song.whole().shift == song.melody.shift


def test_a_file_may_change_its_key_from_measure_to_measure() -> None:
    data = new_midi([A.rows[0], A.rows[0]], [FOUR, FOUR], shift=[0, -2], fifths=[0, 2])
    song = Song.read(data)
    pitches = [n.pitch for n in song.melody.notes]
    assert [p + 2 for p in pitches[:4]] == pitches[4:]


def test_a_file_has_the_given_velocity_and_time_signature() -> None:
    data = new_midi([A.rows[0]] * 3, [FOUR] * 3, velocity=[80, 50, 50], signatures=["4/4", "4/4", "2/2"])
    track = mido.merge_tracks(mido.MidiFile(file=io.BytesIO(data)).tracks)
    assert [m.velocity for m in track if m.type == "note_on"] == [80] * 4 + [50] * 8
    written = [(m.numerator, m.denominator, m.clocks_per_click) for m in track if m.type == "time_signature"]
    assert written == [(4, 4, 24), (2, 2, 48)]
