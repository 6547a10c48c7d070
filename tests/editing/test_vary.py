"""Variations: different, of the amount, with every attribute kept; whatever the melody."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from melodies import EIGHT, melody_of
from midi_files import FOUR, TUNE, row

from arvae_music import library
from arvae_music.arrays import Row
from arvae_music.editing.cost import judge_of
from arvae_music.editing.request import EditRequest
from arvae_music.editing.ties import canonical
from arvae_music.editing.vary import VaryRequest
from arvae_music.errors import CheckpointError, UsageError
from arvae_music.library import Model
from arvae_music.music.attributes import evaluate
from arvae_music.music.keys import in_key, scale_steps
from arvae_music.music.melody import Melody
from arvae_music.music.tokens import FIRST_PITCH, HOLD, REST, onsets

QUICK = (Phase.explicit, Phase.reuse, Phase.generate)  # to shrink would take minutes
SLOW = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], phases=QUICK
)


@pytest.fixture(scope="module")
def model(tiny_model_path: Path) -> Model:
    return library.load(tiny_model_path)


def same_notes(one: Melody, other: Melody) -> bool:
    return {(n.measure, n.tick, n.pitch) for n in one.notes} == {(n.measure, n.tick, n.pitch) for n in other.notes}


def changed_share(one: Melody, other: Melody) -> float:
    """By the notes themselves, in sets: an oracle for `notes_apart`."""
    old, new = ({(n.measure, n.tick, n.pitch) for n in m.notes} for m in (one, other))
    by_bar = [max(len({n for n in a - b if n[0] == i}) for a, b in ((old, new), (new, old)))
              for i in range(len(one.bars))]  # fmt: skip
    return sum(by_bar) / len(old)


@st.composite
def scale_melodies(draw: st.DrawFn) -> Melody:
    """Measures of notes of the scale on eighths, with rests and ties."""
    rows: list[Row] = []
    for _ in range(draw(st.integers(1, 4))):
        fresh = np.full(FOUR.ticks, HOLD, dtype=np.int16)
        for tick in draw(st.sets(st.sampled_from(range(0, 24, 3)), max_size=6)):
            pitch = draw(st.sampled_from((60, 62, 64, 65, 67, 69, 71, 72)))
            fresh[tick] = draw(st.sampled_from((pitch - 47 + FIRST_PITCH, REST)))
        rows.append(fresh)
    rows[0][0] = 67 - 47 + FIRST_PITCH
    clean = canonical(rows, range(len(rows)))
    return melody_of([clean[i] for i in range(len(rows))])


# ------------------------------------------------------------------------- what a variation keeps


@SLOW
@given(scale_melodies(), st.floats(0.1, 1.0), st.integers(0, 5))
def test_every_attribute_of_every_measure_is_kept(model: Model, melody: Melody, amount: float, seed: int) -> None:
    result = model.vary(melody, 3, amount=amount, seed=seed)
    specs = [spec for spec in model.specs if spec.name in model.metadata.carried]
    judge = judge_of(model.restricted(model.metadata.carried), FOUR)
    for variation in result.variations:
        assert variation.result.melody is variation.melody
        for bar in variation.result.bars:
            old, new = melody.bars[bar.index].tokens, variation.melody.bars[bar.index].tokens
            assert old is not None
            assert new is not None
            before, after = (evaluate(specs, r[None], FOUR) for r in (old, new))
            assert not judge.misses(after, before).any()
            assert bar.hit
            assert bar.changed == (not np.array_equal(old, new))


@SLOW
@given(scale_melodies(), st.integers(0, 3))
def test_variations_differ_stay_in_the_key_and_read_back(model: Model, melody: Melody, seed: int) -> None:
    result = model.vary(melody, 4, seed=seed)
    everything = [melody, *(v.melody for v in result.variations)]
    for one, other in itertools.combinations(everything, 2):
        assert not same_notes(one, other)
    for variation in result.variations:
        rows = [r for r in variation.melody.rows if r is not None]
        clean = canonical(rows, range(len(rows)))
        assert all(np.array_equal(clean[i], r) for i, r in enumerate(rows))
        for old, new in zip(melody.rows, rows, strict=True):
            assert old is not None
            fresh = onsets(new) & (new != old)
            assert in_key(new[fresh]).all()
        assert variation.amount == pytest.approx(changed_share(melody, variation.melody))


@pytest.mark.parametrize("amount", [0.2, 0.5, 0.8])
def test_the_amount_is_met(model: Model, amount: float) -> None:
    result = model.vary(EIGHT, 12, amount=amount)
    assert result.short == 0
    shares = [variation.amount for variation in result.variations]
    assert np.mean(shares) == pytest.approx(amount, abs=0.08)
    assert max(shares) - min(shares) < 0.4


def test_variations_are_far_apart(model: Model) -> None:
    chosen = [v.melody for v in model.vary(EIGHT, 8, amount=0.5).variations]
    distances = [changed_share(one, other) for one, other in itertools.combinations(chosen, 2)]
    assert min(distances) > 0.1
    assert np.mean(distances) > 0.4


def test_a_model_in_context_keeps_the_ends_of_phrases_and_the_ties_to_the_amount() -> None:
    model = library.load("all")
    last = EIGHT.rows[-1]
    assert last is not None
    for amount in (0.3, 0.7):
        found = model.vary(EIGHT, 3, amount=amount).variations
        assert len(found) == 3
        assert all(np.array_equal(variation.melody.rows[-1], last) for variation in found)
        assert np.mean([variation.amount for variation in found]) == pytest.approx(amount, abs=0.15)
    free = model.vary(EIGHT, 6, amount=0.9, free_ends=True).variations
    assert any(not np.array_equal(variation.melody.rows[-1], last) for variation in free)


def test_a_small_amount_keeps_the_strong_beats() -> None:
    """With a model in context, the amount is also the dial of what changes cost."""
    kept = []
    for amount in (0.2, 0.9):
        rows = [one.melody.rows for one in library.load("all").vary(EIGHT, 4, amount=amount).variations]
        same = [np.mean(old[::12] == new[::12]) for some in rows for old, new in zip(EIGHT.rows, some, strict=True)]
        kept.append(np.mean(same))
    assert kept[0] > kept[1] + 0.1


def test_repeated_measures_stay_equal(model: Model) -> None:
    for variation in model.vary(EIGHT, 4, amount=0.8).variations:
        rows = variation.melody.rows
        assert np.array_equal(rows[0], rows[4])
    free = model.vary(EIGHT, 12, amount=0.8, form=False).variations
    assert any(not np.array_equal(v.melody.rows[0], v.melody.rows[4]) for v in free)


def test_only_the_selected_measures_change(model: Model) -> None:
    rows = [*EIGHT.rows]
    rows[2] = None
    melody = melody_of(rows)
    for variation in model.vary(melody, 3, bars="2-4").variations:
        changed = [i for i in range(8) if melody.rows[i] is not variation.melody.rows[i]]
        assert set(changed) <= {1, 3}
        assert changed
    assert model.vary(melody, 1).base.skipped == {"two notes at once": 1}


def test_locks_hold(model: Model) -> None:
    for variation in model.vary(EIGHT, 4, lock=["onsets"]).variations:
        for old, new in zip(EIGHT.rows, variation.melody.rows, strict=True):
            assert old is not None
            assert new is not None
            assert np.array_equal(onsets(old), onsets(new))
    for variation in model.vary(EIGHT, 4, lock=["first,last"]).variations:
        for old, new in zip(EIGHT.rows, variation.melody.rows, strict=True):
            assert old is not None
            assert new is not None
            assert old[onsets(old)][[0, -1]].tolist() == new[onsets(new)][[0, -1]].tolist()


def test_an_attribute_that_is_only_measured_can_be_kept(model: Model) -> None:
    for variation in model.vary(EIGHT, 3, keep=["steps"]).variations:
        assert "steps" in variation.result.names
        assert all(bar.hit for bar in variation.result.bars)


def test_with_a_target_the_edited_melody_is_varied(model: Model) -> None:
    result = model.vary(EIGHT, 4, density="+1notes")
    k = result.base.names.index("density")
    for variation in result.variations:
        for base, bar in zip(result.base.bars, variation.result.bars, strict=True):
            assert bar.asked[k] == pytest.approx(bar.before[k] + 1 / 24)
            assert bar.achieved[k] == pytest.approx(base.achieved[k])
            assert bar.hits[k] == base.hits[k]


# ------------------------------------------------------------------------- many, few, none


def test_a_measure_with_few_variations_gives_fewer_than_requested(model: Model) -> None:
    one = melody_of([row(FOUR, t0=67, t12=71)])
    result = model.vary(one, 60, lock=["onsets", "key", "range"])
    assert 0 <= len(result.variations) < 60
    assert result.short == 60 - len(result.variations)


def test_a_melody_that_cannot_change_has_no_variations(model: Model) -> None:
    assert model.vary(melody_of([row(FOUR, t0=None)]), 3).short == 3
    assert model.vary(melody_of([None]), 3).short == 3


def test_the_seed_decides(model: Model) -> None:
    def rows(seed: int) -> list[bytes]:
        return [r.tobytes() for v in model.vary(EIGHT, 3, seed=seed).variations for r in v.melody.rows if r is not None]

    assert rows(1) == rows(1)
    assert rows(1) != rows(2)


def test_the_first_variations_do_not_depend_on_the_count(model: Model) -> None:
    few, many = model.vary(EIGHT, 2).variations, model.vary(EIGHT, 5).variations
    assert all(same_notes(a.melody, b.melody) for a, b in zip(few, many, strict=False))


@pytest.mark.parametrize(("count", "amount"), [(0, 0.5), (3, 0.0), (3, 1.5), (3, -1.0)])
def test_invalid_requests_are_refused(count: int, amount: float) -> None:
    with pytest.raises(UsageError):
        VaryRequest(EditRequest({}), count, amount)


def test_unknown_attributes_and_measures_are_refused(model: Model) -> None:
    with pytest.raises(CheckpointError, match="densty"):
        model.vary(EIGHT, targets={"densty": 1})
    with pytest.raises(UsageError, match="no measure"):
        model.vary(EIGHT, bars="20-")


# ------------------------------------------------------------------------- the walk's own


def test_a_step_of_the_scale_is_one() -> None:
    table = scale_steps()
    c5, d5, e5, cs5 = (p - 47 + FIRST_PITCH for p in (72, 74, 76, 73))
    assert table[c5, 3:].tolist() == [c5, d5, e5, e5 + 1]
    assert (table[cs5, 4], table[cs5, 2]) == (d5, c5)
    assert table[HOLD].tolist() == [HOLD] * 7
    assert table[FIRST_PITCH, 0] == FIRST_PITCH  # nowhere lower to go


def test_rows_are_written_as_reading_gives_them() -> None:
    rows: list[Row | None] = [row(FOUR, t0=67, t6=None, t12=None), row(FOUR, t12=67), None, row(FOUR, t3=60)]
    clean = canonical(rows, {0, 1, 3})
    assert clean[0].tolist() == row(FOUR, t0=67, t6=None).tolist()
    assert clean[1].tolist() == row(FOUR, t0=None, t12=67).tolist()
    assert clean[3].tolist() == row(FOUR, t3=60).tolist()  # what passes through may ring in
    assert len(TUNE) == len(canonical(TUNE, range(len(TUNE))))
