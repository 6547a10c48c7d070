"""The price of notes against chords, on measures worked out by hand, and edits, variations and interpolations."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from midi_files import row

import arvae_music
from arvae_music.arrays import Float32s, Mask, Row
from arvae_music.editing.harmony import HarmonyCost, HarmonyPrices, harmony_price, mean, of_bar, stacked
from arvae_music.errors import UsageError
from arvae_music.music import chart
from arvae_music.music.chords import Chord
from arvae_music.music.harmony import BarHarmony, Origin, of_chords
from arvae_music.music.melody import Bar, Melody
from arvae_music.music.meter import Meter
from arvae_music.music.tokens import VOCABULARY, onsets

FOUR = Meter(4)
PRICES = HarmonyPrices(dissonant=10.0, clash=100.0, unprepared=1.0)
ORIGINAL = row(FOUR, t0=72, t6=74, t12=76, t18=77)  # C D E F


def harmony(*chords: tuple[int, str], sounding: tuple[int, ...] = ()) -> Float32s:
    """Chords by their beats in 4/4, in C major, and pitch classes that sound all the time."""
    found = of_chords([(Fraction(at), Chord.parse(symbol)) for at, symbol in chords], FOUR, Origin.GIVEN)
    classes = np.tile(np.isin(np.arange(12), sounding), (FOUR.ticks, 1))
    made = of_bar(bar_with(BarHarmony(found.chords, found.tones, classes, Origin.GIVEN)), 0)
    assert made is not None
    return made


def bar_with(known: BarHarmony | None, crossed: Mask | None = None) -> Bar:
    return Bar(1, "4/4", 0, 1920, FOUR, ORIGINAL, harmony=known, crossed=crossed)


def price(new: Row, given_harmony: Float32s, original: Row = ORIGINAL) -> float:
    return float(harmony_price(new[None], original[None], given_harmony[None], FOUR, PRICES)[0])


C = harmony((0, "C"))


def test_the_original_costs_nothing_whatever_the_chord() -> None:
    assert price(ORIGINAL, harmony((0, "F#"), sounding=(1, 3, 6))) == 0


@pytest.mark.parametrize(
    ("new", "cost"),
    [
        (row(FOUR, t0=76, t6=74, t12=76, t18=77), 0.0),  # E is a chord tone
        (row(FOUR, t0=74, t6=74, t12=76, t18=77), 10.0),  # D on the downbeat
        (row(FOUR, t0=72, t6=74, t12=77, t18=77), 8.0),  # F on the half measure
        (row(FOUR, t0=72, t6=77, t12=76, t18=77), 6.0),  # F on the second beat
        (row(FOUR, t0=72, t3=74, t6=74, t12=76, t18=77), 0.0),  # D off the beat, between C and D
        (row(FOUR, t0=72, t3=77, t6=74, t12=76, t18=77), 1.0),  # F off the beat is reached by a leap
        (row(FOUR, t0=72, t3=79, t6=74, t12=76, t18=77), 0.0),  # G may be reached by a leap
        (row(FOUR, t0=72, t6=74, t12=76, t18=77, t21=79), 0.0),
        (row(FOUR, t0=72, t6=74, t18=77), 8.0),  # D is held over the half measure
        (row(FOUR, t0=72, t12=76, t18=77), 0.0),  # C is held over the second beat
        (row(FOUR, t0=72, t6=74, t12=76, t16=77), 0.0),  # F comes early by step; it sounded on the last beat before
    ],
)
def test_prices_against_c_major(new: Row, cost: float) -> None:
    assert price(new, C) == pytest.approx(cost)


def test_the_chord_changes_within_the_measure() -> None:
    both = harmony((0, "C"), (2, "G7"))
    assert price(row(FOUR, t0=72, t6=74, t12=77, t18=77), both) == 0
    assert price(row(FOUR, t0=77, t6=74, t12=76, t18=77), both) == 10


def test_a_clash_costs_most_and_half_for_a_chord_tone() -> None:
    assert price(row(FOUR, t0=72, t6=74, t12=77, t18=77), harmony((0, "C"), sounding=(4,))) == 8 + 100
    assert price(row(FOUR, t0=83, t6=74, t12=76, t18=77), harmony((0, "Cmaj7"), sounding=(0,))) == 50
    assert price(row(FOUR, t0=83, t6=74, t12=76, t18=77), harmony((0, "Cmaj7"), sounding=(0, 11))) == 0
    assert price(row(FOUR, t0=72, t3=77, t6=74, t12=76, t18=77), harmony((0, "C"), sounding=(4,))) == 1 + 100


def test_no_chord_forbids_nothing() -> None:
    assert price(row(FOUR, t0=73, t6=75, t12=78), harmony((0, "N.C."))) == 0


def test_the_shift_of_a_melody_moves_its_chords() -> None:
    in_d = of_chords([(Fraction(0), Chord.parse("D"))], FOUR, Origin.GIVEN)
    np.testing.assert_array_equal(of_bar(bar_with(in_d), -2), C)
    assert of_bar(bar_with(None), 3) is None


def test_a_note_that_crosses_another_voice_costs_more_than_any_clash() -> None:
    crossed = np.zeros((FOUR.ticks, 128), dtype=np.bool_)
    crossed[:, :70] = True  # up to A sharp, in the key of the file
    for chords in (True, False):
        made = of_bar(bar_with(None, crossed), 2, chords)  # two semitones higher in tokens
        assert made is not None
        assert price(row(FOUR, t0=72, t6=72, t12=76, t18=77), made) == 0
        assert price(row(FOUR, t0=72, t6=71, t12=76, t18=77), made) == 5 * PRICES.clash
        assert price(row(FOUR, t0=72, t6=74, t12=76, t18=77), made) == 0


def test_without_chords_only_crossings_count() -> None:
    in_d = of_chords([(Fraction(0), Chord.parse("D"))], FOUR, Origin.GIVEN)
    assert of_bar(bar_with(in_d), 0, chords=False) is None


@given(st.lists(st.integers(0, VOCABULARY - 1), min_size=24, max_size=24), st.integers(0, 2**32 - 1))
def test_the_price_is_that_of_its_parts_and_never_negative(tokens: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    new = np.array(tokens, dtype=np.int16)
    some = random.random((2, 24, VOCABULARY)).astype(np.float32)
    cost = HarmonyCost(FOUR, [ORIGINAL[None]], some[None], PRICES)
    group = np.zeros(1, dtype=np.int64)
    whole = cost.price(group, new[None])
    assert whole[0] >= 0
    assert whole[0] == pytest.approx(harmony_price(new[None], ORIGINAL[None], some[None], FOUR, PRICES)[0])
    beats = (1.0, 0.6, 0.8, 0.6)
    by_hand = 0.0
    for tick in range(24):
        if new[tick] >= 2 and new[tick] != ORIGINAL[tick]:
            tone = int(new[tick])
            by_hand += 100 * some[1, tick, tone] + (10 * beats[tick // 6] * some[0, tick, tone] if tick % 6 == 0 else 0)
    assert cost.tokens(group, new[None])[0] == pytest.approx(by_hand, rel=1e-4, abs=1e-4)


def test_two_originals_of_an_interpolation() -> None:
    other = row(FOUR, t0=74, t6=74, t12=76, t18=77)
    cost = HarmonyCost(FOUR, [ORIGINAL[None], other[None]], C[None], PRICES)
    assert cost.price(np.zeros(1, dtype=np.int64), other[None])[0] == 0


def test_the_mean_of_harmonies() -> None:
    assert mean([None, None]) is None
    found = mean([C, None])
    assert found is not None
    np.testing.assert_allclose(found, C / 2)
    assert stacked([None], FOUR) is None
    both = stacked([None, C], FOUR)
    assert both is not None
    assert both[0].max() == 0


# ------------------------------------------------------------------------------------ edits


def tune() -> Melody:
    rows = [
        row(FOUR, t0=72, t6=76, t12=79, t18=76),
        row(FOUR, t0=77, t12=76, t18=74),
        row(FOUR, t0=74, t6=71, t12=74),
        row(FOUR, t0=72, t12=76, t18=74),
    ]
    bars = tuple(Bar(n, "4/4", 1920 * (n - 1), 1920 * n, FOUR, made) for n, made in enumerate(rows, 1))
    return Melody("tune", bars, 0, 0)


CHORDS = "Fm Db Fm Db"  # far from the key, so that every new note shows whether they count


def share_of_chord_tones(before: Melody, after: Melody) -> float:
    laid = chart.with_chart(after, chart.parse(CHORDS))
    found = []
    for old, new in zip(before.bars, laid.bars, strict=True):
        assert old.tokens is not None
        assert new.tokens is not None
        assert new.harmony is not None
        for tick in np.flatnonzero(onsets(new.tokens) & (new.tokens != old.tokens)).tolist():
            if tick % 6 == 0:
                found.append(bool(new.harmony.tones[tick, (int(new.tokens[tick]) + 45) % 12]))
    return float(np.mean(found))


def test_edits_follow_the_chords_and_stay_exact() -> None:
    model = arvae_music.load("folk")
    free = model.edit(tune(), density="+2notes", each=True)
    bound = model.edit(tune(), density="+2notes", chords=CHORDS, each=True)
    ignored = model.edit(chart.with_chart(tune(), chart.parse(CHORDS)), density="+2notes", harmony=False, each=True)
    assert bound["density"].exact
    assert share_of_chord_tones(tune(), bound.melody) > share_of_chord_tones(tune(), free.melody)
    assert share_of_chord_tones(tune(), bound.melody) > 0.6
    assert [bar.tokens.tolist() for bar in ignored.melody.bars if bar.tokens is not None] == [
        bar.tokens.tolist() for bar in free.melody.bars if bar.tokens is not None
    ]


def test_variations_follow_the_chords() -> None:
    model = arvae_music.load("folk")
    shares = []
    for symbols in (None, CHORDS):
        made = model.vary(tune(), 4, amount=0.5, chords=symbols)
        shares.append(np.nanmean([share_of_chord_tones(tune(), one.melody) for one in made.variations]))
    assert shares[1] > shares[0]


def test_steps_of_an_interpolation_follow_the_chords() -> None:
    model = arvae_music.load("folk")
    other = tune().with_rows({i: np.roll(bar.tokens, 6) for i, bar in enumerate(tune().bars) if bar.tokens is not None})
    free = model.interpolate([tune(), other], 4)
    bound = model.interpolate([tune(), other], 4, chords=CHORDS)
    same = model.interpolate([tune(), other], 4, harmony=False)
    rows = [[bar.tokens.tolist() for step in path for bar in step.bars if bar.tokens is not None]
            for path in (free, bound, same)]  # fmt: skip
    assert rows[0] == rows[2]
    assert rows[0] != rows[1]


def test_chords_that_cannot_act_are_refused() -> None:
    model = arvae_music.load("folk")
    with pytest.raises(UsageError, match=r"given and ignored at once; leave out chords=\.\.\. or harmony="):
        model.edit(tune(), density=1, chords="C", harmony=False)
    with pytest.raises(UsageError, match="latent mode takes one decode for each measure, and does not see chords"):
        model.edit(tune(), density=1, chords="C", mode="latent")
    with pytest.raises(UsageError, match="the chart has 3 measures and tune has 4"):
        model.edit(tune(), density=1, chords="C F G")
    with pytest.raises(UsageError, match="given and ignored"):
        model.interpolate([tune(), tune()], 4, chords="C", harmony=False)
