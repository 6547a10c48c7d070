"""Mixed measures: the beginning of one and the end of another, or rhythm and pitches, moved along the scale; with their
own attribute values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import meters, rows

from arvae_music.arrays import Array
from arvae_music.music.attributes import PAPER, evaluate_mixed, find
from arvae_music.music.meter import MAX_TICKS, Meter
from arvae_music.music.tokens import FIRST_PITCH, HIGHEST, LOWEST, pack, pitch_of, token_of
from arvae_music.training.augmentation import FARTHEST, Mixer, crossed, transposed

SPECS = [find(name) for name in PAPER]


@st.composite
def batches(draw: st.DrawFn) -> Array:
    chosen = draw(st.lists(meters(), min_size=1, max_size=10))
    return pack([draw(rows(meter)) for meter in chosen], chosen, MAX_TICKS)


@given(batches(), st.floats(0, 1), st.integers(0, 9))
def test_every_mixed_row_is_made_of_two_of_the_batchs_own(inputs: Array, share: float, seed: int):
    values = evaluate_mixed(SPECS, inputs).astype(np.float32)
    before = inputs.copy(), values.copy()
    mixed, measured, count = Mixer(SPECS, share, moving=0.0)(inputs, values, np.random.default_rng(seed))
    assert np.array_equal(inputs, before[0])
    assert np.array_equal(values, before[1])
    assert count == round(share * len(inputs))
    assert np.array_equal(mixed[count:], inputs[count:])
    assert np.array_equal(mixed[:, 0], inputs[:, 0])
    assert np.array_equal(measured, evaluate_mixed(SPECS, mixed).astype(np.float32))
    assert measured.dtype == np.float32
    for old, new in zip(inputs[:count], mixed[:count], strict=True):
        meter = Meter.from_code(int(old[0]))
        partners = [row for row in inputs if row[0] == old[0]]
        cuts = range(7, 1 + meter.ticks, 6) if meter.beats > 1 else [1 + meter.ticks]
        of_halves = [np.concatenate([old[:cut], partner[cut:]]) for cut in cuts for partner in partners]
        of_both = [crossed(old[None], partner[None])[0] for partner in partners]
        assert any(np.array_equal(new, one) for one in of_halves + of_both)


@given(batches(), st.integers(0, 9))
def test_a_crossed_row_has_the_rhythm_of_one_and_the_pitches_of_the_other(inputs: Array, seed: int):
    others = inputs[np.random.default_rng(seed).permutation(len(inputs))]
    for row, other, made in zip(inputs, others, crossed(inputs, others), strict=True):
        onsets, pitches = row >= FIRST_PITCH, other[1:][other[1:] >= FIRST_PITCH]
        onsets[0] = False  # the meter
        np.testing.assert_array_equal(made[~onsets], row[~onsets])
        if onsets.any() and len(pitches):
            got = made[onsets]
            assert got[0] == pitches[0]
            assert got[-1] == (pitches[-1] if len(got) > 1 else pitches[0])
            places = [round(i * (len(pitches) - 1) / max(len(got) - 1, 1)) for i in range(len(got))]
            np.testing.assert_array_equal(got, pitches[places])
        else:
            np.testing.assert_array_equal(made, row)


def test_what_crosses_is_a_share_of_what_is_mixed():
    random = np.random.default_rng(0)
    rows = np.where(random.random((60, 24)) < 0.3, random.integers(2, 40, (60, 24)), 0)
    inputs = pack(list(rows), [Meter(4)] * 60, MAX_TICKS)
    values = evaluate_mixed(SPECS, inputs).astype(np.float32)
    for crossing, same_rhythm in ((0.0, 0), (0.5, 20), (1.0, 40)):
        mixed, _, count = Mixer(SPECS, 2 / 3, crossing, 0.0)(inputs, values, np.random.default_rng(0))
        kept = ((mixed[:count, 1:] >= FIRST_PITCH) == (inputs[:count, 1:] >= FIRST_PITCH)).all(axis=1)
        assert kept.sum() == pytest.approx(same_rhythm, abs=3)


WHITE = [pitch for pitch in range(LOWEST - 12, HIGHEST + 13) if pitch % 12 in (0, 2, 4, 5, 7, 9, 11)]


def along_the_scale(pitch: int, step: int) -> int:
    """By counting white keys; what is black is the raised one below."""
    base = pitch if pitch in WHITE else pitch - 1
    return WHITE[WHITE.index(base) + step] + pitch - base


@given(batches(), st.integers(-FARTHEST, FARTHEST))
def test_moved_rows_are_higher_by_steps_of_the_scale_or_as_they_were(inputs: Array, step: int):
    made = transposed(inputs, np.full(len(inputs), step))
    for old, new in zip(inputs, made, strict=True):
        notes = old[1:] >= FIRST_PITCH
        wanted = [along_the_scale(pitch_of(int(token)), step) for token in old[1:][notes]]
        if all(LOWEST <= pitch <= HIGHEST for pitch in wanted):
            assert new[1:][notes].tolist() == [token_of(pitch) for pitch in wanted]
            np.testing.assert_array_equal(new[1:][~notes], old[1:][~notes])
            assert new[0] == old[0]
        else:
            np.testing.assert_array_equal(new, old)


def test_what_is_moved_is_a_share_of_what_is_mixed():
    inputs = pack([np.full(24, token_of(71)) for _ in range(400)], [Meter(4)] * 400, MAX_TICKS)
    values = evaluate_mixed(SPECS, inputs).astype(np.float32)
    for moving in (0.0, 0.5, 1.0):
        mixed, _, count = Mixer(SPECS, 0.5, moving=moving)(inputs, values, np.random.default_rng(0))
        share = (mixed[:count] != inputs[:count]).any(axis=1).mean()
        assert share == pytest.approx(moving * 2 * FARTHEST / (2 * FARTHEST + 1), abs=0.08)  # some by no step


def test_a_share_of_nothing_changes_nothing_and_seeds_decide():
    random = np.random.default_rng(0)
    inputs = pack([random.integers(2, 40, 24) for _ in range(40)], [Meter(4)] * 40, MAX_TICKS)
    values = evaluate_mixed(SPECS, inputs).astype(np.float32)
    same, _, count = Mixer(SPECS, 0.0)(inputs, values, np.random.default_rng(0))
    assert count == 0
    assert np.array_equal(same, inputs)
    one, again, other = (Mixer(SPECS, 0.5)(inputs, values, np.random.default_rng(seed))[0] for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert (one[:20] != inputs[:20]).any(axis=1).mean() > 0.9
