"""What few musicians would write, counted by hand and note by note."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import rows as any_rows

from arvae_music import library
from arvae_music.arrays import Row
from arvae_music.editing.cost import COMPOSED, EDIT, Cost, Prices, Problem, judge_of
from arvae_music.editing.taste import SHARP_LEAP, fitting, leaps, mixed_beats, repeats
from arvae_music.music.meter import Meter
from arvae_music.music.tokens import FIRST_PITCH, HOLD, REST, VOCABULARY, token_of

ONE, TWO, COMPOUND = Meter(1), Meter(2), Meter(2, compound=True)
FOUND = st.lists(any_rows(TWO), min_size=1, max_size=8)


def measure(*pitches: int, ticks: int = 12) -> Row:
    """Notes on successive ticks, then nothing."""
    return np.array([[token_of(pitch) for pitch in pitches] + [HOLD] * (ticks - len(pitches))], dtype=np.int16)


def intervals(row: Row) -> list[int]:
    notes = [token for token in row.tolist() if token >= FIRST_PITCH]
    return [abs(a - b) for a, b in itertools.pairwise(notes)]


@given(FOUND)
def test_leaps_equals_a_loop_over_intervals(found: list[Row]):
    rows = np.array(found)
    assert leaps(rows).tolist() == [sum(max(i - SHARP_LEAP, 0) for i in intervals(row)) for row in found]


@given(FOUND)
def test_repeats_equals_a_loop_over_notes(found: list[Row]):
    for row, count in zip(found, repeats(np.array(found)), strict=True):
        events = [token for token in row.tolist() if token != HOLD]
        assert count == sum(a == b and a >= FIRST_PITCH for a, b in itertools.pairwise(events))


@given(FOUND)
def test_mixed_beats_equals_a_loop_over_beats(found: list[Row]):
    rows = np.array(found)
    expected = []
    for row in found:
        beats = [{tick for tick in range(6) if row[6 * beat + tick] != HOLD} for beat in range(2)]
        expected.append(sum(bool(beat & {2, 4}) and bool(beat & {1, 3, 5}) for beat in beats))
    assert mixed_beats(rows, TWO).tolist() == expected
    assert not mixed_beats(rows, COMPOUND).any()  # sixths of a beat are all of one kind


@pytest.mark.parametrize(
    ("pitches", "foreign", "fine"),
    [
        ((72, 74, 76), "C# D# F# G# A#", "C D E F G A B"),
        ((78, 76), "C# D# F F# G# A#", "C D E G A B"),  # F sharp: no F beside it, and no second one
        ((66, 76), "C# D# F F# G# A#", "C D E G A B"),  # in any octave
        ((78, 77), "C# D# F# G# A#", "C D E F G A B"),  # both are there
        ((82, 80), "C# D# F# G G# A# B", "C D E F A"),
    ],
)
def test_pitches_that_fit_a_measure(pitches: tuple[int, ...], foreign: str, fine: str):
    (fits,) = fitting(measure(*pitches))
    assert not fits[[HOLD, REST]].any()
    names = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
    for token in range(FIRST_PITCH, VOCABULARY):
        name = names[(token - token_of(60)) % 12]
        assert fits[token] == (name in fine.split())
        assert fits[token] != (name in foreign.split())


def test_only_what_is_newly_awkward_costs():
    """A leap of five semitones too many, and a beat that mixes thirds with quarters."""
    plain, wild = measure(72, 72, ticks=6), measure(72, 72 + SHARP_LEAP + 5, ticks=6)
    both = np.array([[token_of(72), token_of(72), token_of(72), HOLD, HOLD, HOLD]], dtype=np.int16)
    nobody = np.zeros(1, dtype=np.int64)
    for prices in (EDIT, COMPOSED):
        free = replace(prices, curve=0.0, dropped=0.0, repeat=0.0)
        cost = {name: cost_of(rows, free) for name, rows in (("plain", plain), ("wild", wild))}
        assert cost["plain"].line(nobody, wild)[0] == pytest.approx(5 * prices.leap)
        assert cost["plain"].line(nobody, both)[0] == pytest.approx(prices.mixed_beats)
        assert cost["wild"].line(nobody, wild)[0] == 0


def cost_of(rows: Row, prices: Prices) -> Cost:
    judge = replace(judge_of(library.load("bach"), ONE), prices=prices)
    wanted = judge.values(rows, ONE)
    return Cost(Problem(ONE, rows, wanted, np.zeros(1, dtype=np.int8), np.array([-1])), judge)
