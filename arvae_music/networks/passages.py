"""Measures of tunes in their order, packed for the contextual network: what it is trained and evaluated on.

    tune = TuneRows(piece, rows, meters, counted)       one tune; a measure without tokens separates its neighbours
    passages = Passages.of(tunes, specs)                the measures of many tunes that have tokens, in order
    passages.window(runs, offsets, WINDOW)              windows of consecutive measures, as one array for PyTorch

A packed measure has its meter's code, its tokens, and its place in the tune (`context.Situation`) as the further
columns SIDE. Where a window is longer than its run of consecutive measures, the code is ABSENT and the tokens are HOLD.

Shapes: n measures, k attributes, r runs, w windows, m measures of a window, t ticks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..arrays import Float32s, Ints, Mask, Row, Rows
from ..music.attributes import AttributeSpec, evaluate_mixed
from ..music.meter import MAX_TICKS, Meter
from ..music.tokens import HOLD, pack
from ..vae.examples import Examples
from .context import PLACES, WINDOW, situation, windows

ABSENT = 0  # instead of the code of a meter: no measure
SIDE = len(PLACES) + 3  # columns: the places, the token that sounds before, the note after, the mode


@dataclass(frozen=True, eq=False)
class TuneRows:
    """The measures of a tune in order. `rows` and `meters` have None for a measure without tokens. `counted` says which
    measures are examples of the corpus; figures count no others."""

    piece: int
    rows: Sequence[Row | None]
    meters: Sequence[Meter | None]
    counted: Sequence[bool]


class Stretch(NamedTuple):
    """A window of a run. `begin` and `end` say which of its m measures have enough context on both sides to be read."""

    run: int
    offset: int  # of the window's first measure in the run
    begin: int
    end: int


@dataclass(frozen=True, eq=False)
class Passages:
    """n measures with tokens, in the order of their tunes."""

    inputs: Rows  # (n, 1 + MAX_TICKS), as `tokens.pack` makes them
    sides: Rows  # (n, SIDE)
    values: Float32s  # (n, k)
    names: tuple[str, ...]  # of the attributes
    pieces: Ints  # (n,)
    counted: Mask  # (n,)
    tune: Ints  # (n,) the index of the tune
    place: Ints  # (n,) the index of the measure in its tune
    runs: Ints  # (r, 2) the first measure of each run, and the last + 1: consecutive measures of one meter
    tunes: tuple[TuneRows, ...]

    @classmethod
    def of(cls, tunes: Iterable[TuneRows], specs: Sequence[AttributeSpec]) -> Passages:
        tunes = tuple(tunes)
        rows, meters, sides, runs = list[Row](), list[Meter](), [np.zeros((0, SIDE), dtype=np.int64)], list[list[int]]()
        at = [(-1, -1)][:0]
        for number, tune in enumerate(tunes):
            found = situation(tune.rows, tune.meters)
            for first, last in found.runs:
                runs.append([len(rows), len(rows) + last - first])
                for i in range(first, last):
                    row, meter = tune.rows[i], tune.meters[i]
                    assert row is not None
                    assert meter is not None
                    rows.append(row)
                    meters.append(meter)
                    at.append((number, i))
                here = slice(first, last)
                mode = np.full(last - first, found.mode)
                sides.append(np.column_stack([found.places[here], found.entering[here], found.after[here], mode]))
        tune_of, place = np.array(at, dtype=np.int64).reshape(-1, 2).T
        inputs = pack(rows, meters, MAX_TICKS)
        return cls(
            inputs=inputs,
            sides=np.concatenate(sides).astype(np.int16),
            values=evaluate_mixed(specs, inputs).astype(np.float32),
            names=tuple(spec.name for spec in specs),
            pieces=np.array([tunes[number].piece for number in tune_of], dtype=np.int64),
            counted=np.array([tunes[number].counted[i] for number, i in at], dtype=np.bool_),
            tune=tune_of,
            place=place,
            runs=np.array(runs, dtype=np.int64).reshape(-1, 2),
            tunes=tunes,
        )

    def __len__(self) -> int:
        return len(self.inputs)

    @cached_property
    def ticks(self) -> Ints:
        """(n,) the number of ticks of each measure."""
        codes, which = np.unique(self.inputs[:, 0], return_inverse=True)
        return np.array([Meter.from_code(code).ticks for code in codes.tolist()], dtype=np.int64)[which]

    @cached_property
    def by_ticks(self) -> dict[int, Ints]:
        """Number of ticks -> the runs whose measures have it."""
        of_run = self.ticks[self.runs[:, 0]]
        return {int(t): np.flatnonzero(of_run == t) for t in np.unique(of_run)}

    @cached_property
    def lengths(self) -> Ints:
        """(r,) the number of measures of each run."""
        return self.runs[:, 1] - self.runs[:, 0]

    @cached_property
    def examples(self) -> Examples:
        """The measures that count, as independent examples."""
        at = np.flatnonzero(self.counted)
        return Examples(self.inputs[at], self.values[at], self.names, self.pieces[at])

    def window(self, runs: Ints, offsets: Ints, width: int = WINDOW) -> tuple[Ints, Mask]:
        """(w,) runs and the offset in them where each window begins -> (w, m) the numbers of the measures, and whether
        there is one. All windows have `width` measures, also those that reach beyond their run."""
        inside = offsets[:, None] + np.arange(width)
        here = (inside >= 0) & (inside < self.lengths[runs][:, None])
        return np.where(here, self.runs[runs, :1] + inside, self.runs[runs, :1]), here

    def packed(self, at: Ints, here: Mask) -> Rows:
        """(w, m) measures of one number of ticks -> (w, m, 1 + t + SIDE), int16; see `Window.of_packed`."""
        ticks = int(self.ticks[at[0, 0]])
        both = np.concatenate([self.inputs[at, : 1 + ticks], self.sides[at]], axis=2)
        both[~here, 0], both[~here, 1 : 1 + ticks] = ABSENT, HOLD
        return both

    def stretches(self, width: int = WINDOW) -> list[Stretch]:
        """Windows that cover all runs. Each measure is read in one of them, with context on both sides."""
        found = []
        for run, length in enumerate(self.lengths.tolist()):
            for first, _, begin, end in windows([(0, length)], width):
                found.append(Stretch(run, first, begin - first, end - first))
        return found
