"""Examples are checked on construction, and a split parts pieces, the same way everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arvae_music.errors import CorpusError
from arvae_music.vae.examples import Examples, LazyRows, counted, distinct, joined, seen_in, split


def make(pieces: list[int], inputs: np.ndarray | None = None) -> Examples:
    n = len(pieces)
    rows = np.arange(3 * n).reshape(n, 3).astype(np.int16) if inputs is None else inputs
    values = np.zeros((n, 2), np.float32)
    return Examples(rows, values, ("density", "range"), np.array(pieces, dtype=np.int64))


@pytest.mark.parametrize(
    ("attributes", "names", "pieces", "message"),
    [
        (np.zeros((2, 2)), ("a", "b"), np.zeros(3, int), r"3 inputs and 2 names \(a, b\) need \(3, 2\)"),
        (np.zeros((3, 2)), ("a",), np.zeros(3, int), "need"),
        (np.zeros((3, 2)), ("a", "a"), np.zeros(3, int), "repeat"),
        (np.zeros((3, 1)), ("a",), np.zeros(2, int), "pieces"),
        (np.zeros((3, 1)), ("a",), np.zeros(3, float), "not integers"),
        (np.array([[0], [np.nan], [0]]), ("a",), np.zeros(3, int), "'a' of example 1 is not finite"),
    ],
)
def test_what_does_not_fit_is_named(attributes, names, pieces, message):
    with pytest.raises(ValueError, match=message):
        Examples(np.zeros((3, 4), np.int16), attributes.astype(np.float32), names, pieces)


def test_take_and_column():
    examples = make([5, 6, 7])
    assert examples.take([2, 0]).pieces.tolist() == [7, 5]
    assert examples.take(np.array([True, False, True])).pieces.tolist() == [5, 7]
    assert len(examples.take([])) == 0
    assert examples.column("range").shape == (3,)
    with pytest.raises(KeyError, match="density, range"):
        examples.column("rhythm")


@given(st.lists(st.integers(0, 400), min_size=1, max_size=300), st.integers(0, 5))
def test_a_split_parts_pieces_and_loses_nothing(pieces, seed):
    examples = make(pieces)
    try:
        parts = split(examples, seed=seed)
    except CorpusError:
        assert len(set(pieces)) < 20
        return
    sets = [set(part.pieces.tolist()) for part in (parts.train, parts.valid, parts.test)]
    assert not sets[0] & sets[1]
    assert not sets[0] & sets[2]
    assert not sets[1] & sets[2]
    rows = np.concatenate([part.inputs for part in (parts.train, parts.valid, parts.test)])
    assert sorted(rows[:, 0].tolist()) == examples.inputs[:, 0].tolist()


@given(st.sets(st.integers(0, 10_000), min_size=30, max_size=60))
def test_a_piece_keeps_its_place_whatever_stands_beside_it(pieces):
    ordered = sorted(pieces)
    whole = set(split(make(ordered)).train.pieces.tolist())
    fewer = split(make(ordered[::-1][: len(ordered) // 2 + 10])).train.pieces.tolist()
    assert set(fewer) <= whole


def test_shares_are_met_and_golden():
    parts = split(make(list(range(4000))))
    assert len(parts.train) == pytest.approx(3200, abs=100)
    assert len(parts.valid) == pytest.approx(400, abs=60)
    assert split(make(list(range(30)))).test.pieces.tolist() == GOLDEN  # the same on every machine
    assert split(make(list(range(4000))), seed=1).test.pieces.tolist() != parts.test.pieces.tolist()


GOLDEN = [1, 15]


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.9, 0.2, -0.1), (0.5, 0.2, 0.2)])
def test_shares_that_are_no_shares(shares):
    with pytest.raises(ValueError, match="three parts of 1"):
        split(make([1, 2, 3]), shares)


def test_everything_may_go_to_one_part():
    assert len(split(make(list(range(50))), (1.0, 0.0, 0.0)).train) == 50
    assert len(split(make(list(range(50))), (0.0, 0.0, 1.0)).test) == 50


def test_too_few_pieces_to_split():
    alone = next(piece for piece in range(100) if not _trains(piece))
    with pytest.raises(CorpusError, match="too few to split"):
        split(make([alone, alone]))
    assert len(split(make([])).train) == 0


def _trains(piece: int) -> bool:
    return piece in split(make(list(range(100)))).train.pieces


def test_lazy_rows_are_made_when_read_and_only_those():
    read: list[list[int]] = []

    def rows_of(indices):
        read.append(indices.tolist())
        return np.stack([indices, indices**2], axis=1)

    lazy = LazyRows(rows_of, np.arange(100), (2,), np.dtype(np.int64))
    examples = Examples(lazy, np.zeros((100, 1), np.float32), ("a",), np.arange(100))
    fewer = examples.take([7, 3, 50]).take(np.array([True, False, True]))
    assert (len(fewer), fewer.inputs.shape, fewer.inputs.dtype, read) == (2, (2, 2), np.int64, [])
    assert fewer.inputs[[1]].tolist() == [[50, 2500]]
    assert fewer.inputs[:].tolist() == [[7, 49], [50, 2500]]
    assert read == [[50], [7, 50]]
    assert sorted(split(examples).test.inputs[:][:, 0].tolist()) == split(make(list(range(100)))).test.pieces.tolist()


def test_seen_in_and_distinct():
    rows = np.array([[1, 2], [3, 4], [1, 2], [5, 6]], dtype=np.int16)
    examples = make([0, 0, 1, 1], rows)
    assert distinct(examples).tolist() == [0, 1, 3]
    assert counted(examples)[1].sum() == len(examples)
    train, other = examples.take([0, 1]), examples.take([2, 3])
    assert seen_in(train, other).tolist() == [True, False]
    assert seen_in(other.take([]), train).tolist() == [False, False]
    assert distinct(examples.take([])).tolist() == []
    with pytest.raises(ValueError, match="shapes or types"):
        seen_in(train, make([0], np.zeros((1, 9), np.int16)))


@given(st.lists(st.lists(st.integers(-1, 1), min_size=3, max_size=3), min_size=1, max_size=40))
def test_distinct_agrees_with_a_set_of_tuples(rows):
    examples = make([0] * len(rows), np.array(rows, dtype=np.int16))
    found = examples.inputs[distinct(examples)].tolist()
    assert counted(examples)[1].tolist() == [examples.inputs.tolist().count(row) for row in found]
    assert len(found) == len({tuple(row) for row in rows})
    assert {tuple(row) for row in found} == {tuple(row) for row in rows}


def test_joined_are_both_and_nothing_is_read():
    first = make([1, 2, 3], np.array([[1], [2], [3]]))
    never = LazyRows(lambda at: (at[:, None] + 10) * 1, np.arange(2), (1,), first.inputs.dtype)
    second = Examples(never, np.full((2, 2), 7, np.float32), first.names, np.array([8, 9]))
    both = joined(first, second)
    assert both.inputs[:].tolist() == [[1], [2], [3], [10], [11]]
    assert both.inputs[np.array([4, 0, 3])].tolist() == [[11], [1], [10]]
    assert both.take([4, 1]).inputs[:].tolist() == [[11], [2]]
    assert both.pieces.tolist() == [1, 2, 3, 8, 9]
    with pytest.raises(ValueError, match="different attributes"):
        joined(first, Examples(never, second.attributes, ("other", "range"), second.pieces))
