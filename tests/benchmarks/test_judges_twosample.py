"""The two-sample test: the matching is fair, nobody tells a set from itself, and everybody sees vandalism."""

from __future__ import annotations

import numpy as np
import pytest
from judging import judges, melody, quarters, row, walks

from arvae_music.music.meter import Meter

matching, features, twosample = judges("matching"), judges("features"), judges("twosample")


def _triples(tunes: list, first: int = 0) -> list:
    return [
        matching.triple(tune, at, first + i, first + i)
        for i, tune in enumerate(tunes)
        for at in range(len(tune.bars))
        if matching.is_inner(tune, at)
    ]


def test_inner_measures_have_two_readable_neighbours_of_their_meter():
    tune = melody(quarters(60), quarters(62), quarters(64), None, quarters(65), pickup=True)
    assert [matching.is_inner(tune, i) for i in range(5)] == [False, False, False, False, False]
    tune = melody(quarters(60), quarters(62), quarters(64), quarters(65))
    assert [matching.is_inner(tune, i) for i in range(4)] == [False, True, True, False]


def test_the_key_has_the_attribute_values():
    tune = melody(quarters(60), row("60 - - 67 - - 64 - - - - - 62"), quarters(64))
    assert matching.keys_of([matching.triple(tune, 1, 0, 0)]) == [(Meter(4).code, 4, 7, 2, 3)]


def test_matches_are_equal_in_their_values_and_never_used_twice():
    edited, pool = _triples(walks(12, seed=1)), _triples(walks(80, seed=2), 100)
    found = matching.Pool.of(pool).match(edited)
    pairs = [(one, other) for one, other in zip(edited, found, strict=True) if other is not None]
    assert len(pairs) > len(edited) / 2
    assert matching.keys_of([one for one, _ in pairs]) == matching.keys_of([other for _, other in pairs])
    used = [(other.tune, other.row.tobytes(), other.before.tobytes()) for _, other in pairs]
    whole = [(other.tune, other.row.tobytes(), other.before.tobytes()) for other in pool]
    assert all(used.count(one) <= whole.count(one) for one in used)


def test_no_measure_is_matched_with_its_own_cluster():
    tunes = walks(10, seed=1)
    own = _triples(tunes)
    found = matching.Pool.of(own).match(own)
    assert any(match is not None for match in found)
    assert all(match is None or match.cluster != one.cluster for one, match in zip(own, found, strict=True))
    alone = _triples(tunes[:1])
    assert matching.Pool.of(alone).match(alone) == [None] * len(alone)


def test_features_have_names_and_see_what_they_say():
    tune = melody(quarters(60, 62, 64, 65), quarters(67, 65, 67, 65), quarters(76, 60, 61, 64))
    table = features.features([matching.triple(tune, 1, 0, 0)])
    assert table.shape == (1, len(features.NAMES))
    found = dict(zip(features.NAMES, table[0].tolist(), strict=True))
    assert found["zigzags"] == 2
    assert found["turns"] == 2
    assert found["steps"] == 3
    assert found["barline, before"] == 2
    assert found["barline, after"] == 11
    assert found["common onsets, before"] == 1
    assert found["outside the key"] == 0
    assert found["mixed beats"] == 0
    tune = melody(quarters(60), row("61 73 - - 60 - 61 - - - - 61"), quarters(60))
    odd = features.features([matching.triple(tune, 1, 0, 0)])
    found = dict(zip(features.NAMES, odd[0].tolist(), strict=True))
    assert found["outside the key"] == 4
    assert found["mixed beats"] == 1
    assert found["fourth sixteenths"] == 1
    assert found["snapped"] == 1


def test_auc_is_the_share_of_pairs_in_order():
    assert twosample.auc(np.array([1.0, 2.0]), np.array([0.0, 1.5])) == pytest.approx(0.75)
    assert twosample.auc(np.array([1.0]), np.array([1.0])) == 0.5
    assert np.isnan(twosample.auc(np.zeros(0), np.zeros(3)))


@pytest.mark.process
def test_nobody_tells_a_set_from_itself_and_everybody_sees_vandalism():
    tunes, random = walks(60, seed=1), np.random.default_rng(0)
    pool = matching.Pool.of(_triples(walks(250, seed=2), 100))
    same = twosample.compare(_triples(tunes), pool)
    assert abs(same.auc - 0.5) < 0.09
    draws = np.random.default_rng(0).integers(0, 60, (200, 60))
    low, high = np.quantile(same.draws(draws), [0.025, 0.975])
    assert low < same.auc < high
    assert low < 0.55
    edited = []
    for i, tune in enumerate(tunes):
        changed = tune.with_rows({k: _jumbled(tune.bars[k].tokens, random) for k in range(1, 11, 4)})
        edited += [matching.triple(changed, k, i, i) for k in range(1, 11, 4)]
    found = twosample.compare(edited, matching.Pool.of(_triples(walks(2000, seed=3), 100)))
    assert found.unmatched < len(edited)
    assert found.auc > 0.8


def _jumbled(tokens: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The same first and last note, and the others in random order, so that no matched value changes."""
    changed, inner = tokens.copy(), np.flatnonzero(tokens)[1:-1]
    changed[inner] = random.permutation(tokens[inner])
    return changed


def test_too_few_pairs_have_no_auc():
    assert np.isnan(twosample.compare(_triples(walks(1)), matching.Pool.of(_triples(walks(3, seed=1), 9))).auc)
