"""Examples: the data of training and evaluation. An example has an input, attribute values, and the piece it is from.

This package does not care what an input is: in music it is a packed row of tokens (music/tokens.py), in images a
picture. It only reads attribute VALUES: an attribute is a column, found by its name in `names`. Inputs that are too
many for the memory, as images are, are made when they are read (`LazyRows`).

A split distributes whole groups: the pieces, or clusters of nearly equal pieces (corpora/clusters.py). The measures of
a tune repeat and vary each other, and collections contain variants of a tune. A test measure whose variant was in the
training part tests nothing. The part of a group follows from a hash of its number and the seed, and does not depend on
the other groups or their order.

Different tunes may still share measures. `seen_in` says which rows of a test set also occur in the training set, so
that results can be reported with and without them.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import Array, Float32s, Float64s, Floats, Ints, Mask
from ..errors import CorpusError

PARTS = ("train", "valid", "test")
SHARES = (0.8, 0.1, 0.1)


@dataclass(frozen=True, eq=False)
class LazyRows:
    """Rows (n, *row) that are made or fetched when they are read: `make` turns (m,) indices into (m, *row).

    `rows[at]` is an array, and `rows.take(at)` is a selection that is still lazy. `at` are integers or a boolean mask.
    """

    make: Callable[[Ints], Array]
    indices: Ints
    row: tuple[int, ...]
    dtype: np.dtype[Any]

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.indices), *self.row)

    def __getitem__(self, at: Any) -> Array:
        return self.make(self.indices[at])

    def take(self, at: Array) -> LazyRows:
        return LazyRows(self.make, self.indices[at], self.row, self.dtype)


@dataclass(frozen=True, eq=False)
class Examples:
    """`inputs` (n, ...), `attributes` (n, k) finite floats, the k `names`, `pieces` (n,) integers.

    A split keeps the examples of a cluster together: `clusters` (n,) integers; without them, those of a piece. Raises
    ValueError when they do not fit each other.
    """

    inputs: Any  # an array, or LazyRows
    attributes: Float32s
    names: tuple[str, ...]
    pieces: Ints
    clusters: Ints | None = None

    def __post_init__(self) -> None:
        n = len(self.inputs)
        if self.attributes.shape != (n, len(self.names)):
            raise ValueError(
                f"attributes are {self.attributes.shape}, but {n} inputs and {len(self.names)} names "
                f"({', '.join(self.names)}) need {(n, len(self.names))}"
            )
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"attribute names repeat: {', '.join(self.names)}")
        if self.pieces.shape != (n,) or self.pieces.dtype.kind not in "iu":
            raise ValueError(f"pieces are {self.pieces.dtype} {self.pieces.shape}, not integers ({n},)")
        if self.groups.shape != (n,):
            raise ValueError(f"groups are {self.groups.shape}, not ({n},)")
        if not np.isfinite(self.attributes).all():
            row, column = np.argwhere(~np.isfinite(self.attributes))[0]
            raise ValueError(f"attribute {self.names[column]!r} of example {row} is not finite")

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def groups(self) -> Ints:
        """(n,) what a split keeps together."""
        return self.pieces if self.clusters is None else self.clusters

    def take(self, indices: npt.ArrayLike) -> Examples:
        """The examples at `indices` (integers, or a boolean mask)."""
        at = np.asarray(indices)
        if at.size == 0:
            at = at.astype(np.int64)
        inputs = self.inputs.take(at) if isinstance(self.inputs, LazyRows) else self.inputs[at]
        return Examples(inputs, self.attributes[at], self.names, self.pieces[at], self.groups[at])

    def column(self, name: str) -> Float32s:
        """(n,) values of the attribute `name`. Raises KeyError."""
        if name not in self.names:
            raise KeyError(f"no attribute {name!r} among {', '.join(self.names)}")
        return self.attributes[:, self.names.index(name)]


def joined(first: Examples, second: Examples) -> Examples:
    """The examples of both, as lazy rows: nothing is read. Raises ValueError if attributes or shapes differ."""
    if first.names != second.names or first.inputs.shape[1:] != second.inputs.shape[1:]:
        raise ValueError("the two sets of examples have different attributes, or rows of different shapes")
    count = len(first)

    def make(at: Ints) -> Array:
        rows = np.empty((len(at), *first.inputs.shape[1:]), dtype=first.inputs.dtype)
        here = at < count
        rows[here], rows[~here] = first.inputs[at[here]], second.inputs[at[~here] - count]
        return rows

    total = count + len(second)
    return Examples(
        LazyRows(make, np.arange(total), first.inputs.shape[1:], first.inputs.dtype),
        np.concatenate([first.attributes, second.attributes]),
        first.names,
        np.concatenate([first.pieces, second.pieces]),
        np.concatenate([first.groups, second.groups]),
    )


@dataclass(frozen=True, eq=False)
class Split:
    train: Examples
    valid: Examples
    test: Examples


def split(examples: Examples, shares: Sequence[float] = SHARES, seed: int = 0) -> Split:
    """Training, validation and test sets of whole groups. `shares` are the expected shares of the groups.

    A part of a hundred groups may be a few groups larger or smaller. Raises ValueError unless the shares are three and
    add up to 1, and CorpusError if chance leaves no group for training.
    """
    if len(shares) != 3 or min(shares) < 0 or not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
        raise ValueError(f"shares are three parts of 1 (train, valid, test), not {tuple(shares)}")
    groups, group_of = np.unique(examples.groups, return_inverse=True)
    part = np.array([_part_of(int(group), shares, seed) for group in groups.tolist()], dtype=np.int64)[group_of]
    parts = [examples.take(np.flatnonzero(part == i)) for i in range(3)]
    if len(examples) and shares[0] > 0 and len(parts[0]) == 0:
        raise CorpusError(
            f"{len(groups)} piece(s) are too few to split into train, valid and test",
            remedy="build a corpus of more pieces, or join it to another with +",
        )
    return Split(*parts)


def part_of(group: int) -> str:
    """The part, one of PARTS, in which `split` puts a group by default."""
    return PARTS[_part_of(group, SHARES, seed=0)]


def _part_of(group: int, shares: Sequence[float], seed: int) -> int:
    part = bisect_right((shares[0], shares[0] + shares[1]), _place(group, seed))
    # Rounding must not give a group to a part whose share is nothing.
    return min(part, max(i for i, share in enumerate(shares) if share > 0))


def spread(count: int, most: int) -> Ints:
    """At most `most` indices from 0 to `count` - 1, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64)) if count else np.zeros(0, np.int64)


def standard(values: Floats) -> tuple[Float64s, Float64s]:
    """(n, k) values -> (k,) means and (k,) standard deviations, at least 1e-6, so that one can divide by them."""
    return values.mean(axis=0, dtype=np.float64), np.maximum(values.std(axis=0, dtype=np.float64), 1e-6)


def _place(group: int, seed: int) -> float:
    """A number in [0, 1) for a group, the same on every machine, unlike Python's `hash`."""
    digest = blake2b(f"{seed}:{group}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / float(1 << 53)  # 53 bits: exact in a float, never 1.0


def _as_bytes(inputs: Array) -> npt.NDArray[np.void]:
    """(n,) one opaque value per row; two are equal if their rows are equal byte for byte."""
    rows = np.ascontiguousarray(inputs).reshape(len(inputs), -1)
    return rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).reshape(-1)


def seen_in(train: Examples, other: Examples) -> Mask:
    """(len(other),) whether each input of `other` also occurs in `train`, byte for byte. Raises ValueError if the
    inputs of the two have different shapes or types."""
    if len(train) == 0 or len(other) == 0:
        return np.zeros(len(other), dtype=np.bool_)
    if train.inputs.shape[1:] != other.inputs.shape[1:] or train.inputs.dtype != other.inputs.dtype:
        raise ValueError("the inputs of the two sets have different shapes or types, so none can be equal")
    known = {row.tobytes() for row in _as_bytes(train.inputs)}
    return np.array([row.tobytes() in known for row in _as_bytes(other.inputs)], dtype=np.bool_)


def distinct(examples: Examples) -> Ints:
    """The index of the first example with each distinct input, in order."""
    return counted(examples)[0]


def counted(examples: Examples) -> tuple[Ints, Ints]:
    """The indices of `distinct`, and the number of times that each input occurs."""
    if len(examples) == 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    first: dict[bytes, int] = {}
    found = [first.setdefault(row.tobytes(), index) for index, row in enumerate(_as_bytes(examples.inputs))]
    at = np.fromiter(first.values(), dtype=np.int64)
    return at, np.bincount(found)[at].astype(np.int64)
