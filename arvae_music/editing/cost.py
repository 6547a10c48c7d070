"""What is asked of measures, what a candidate is measured by, and what it costs to be off. search.py does the search.

Attributes are black boxes: rows go in, values come out. Shapes: g groups (distinct measures, all of one meter),
n candidates, t ticks, k attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..arrays import Floats, Ints, Rows
from ..music.attributes import AttributeSpec, evaluate
from ..music.meter import Meter
from ..networks.model import Model
from .locks import Locks


@dataclass(frozen=True)
class Weights:
    """What one sd, tick, semitone or nat costs. Chosen on validation tunes: benchmarks/edit.py."""

    miss: float = 120.0  # per sd
    missed: float = 200.0  # for missing at all
    drift: float = 5.0  # per sd
    tick: float = 4.5  # per tick changed
    semitone: float = 0.02  # per semitone that a note's pitch moves
    nat: float = 0.2
    outside: float = 20.0  # per new note that does not fit: taste.fitting
    rest: float = 7.0  # per new rest: where a note goes, the one before it is held
    leap: float = 0.3  # per semitone beyond taste.SHARP_LEAP that is new
    crooked: float = 5.0  # per beat that mixes thirds with quarters and did not
    tie: float = 4.0  # for a tie into the measure that is broken, or made
    repeat: float = 1.5  # per note that repeats the one before it and did not


@dataclass(frozen=True)
class Problem:
    """Measures of one meter, and what is asked of them."""

    meter: Meter
    rows: Rows  # (g, t)
    wanted: Floats  # (g, k) raw values, NaN where free
    tie: npt.NDArray[np.int8]  # (g,) see locks.opening_allowed
    leave: Ints  # (g,) what must sound at the end (an unedited measure is tied to it), or -1


@dataclass(frozen=True)
class Judge:
    """What a candidate is measured by; the same for a whole melody."""

    specs: Sequence[AttributeSpec]
    sd: Floats  # (k,)
    grain: Floats  # (k,) raw; half of it off is still a hit
    related: Floats  # (k, k) squared correlations
    locks: Locks
    limit: float = 1.0  # largest share of ticks that may change
    weights: Weights = field(default_factory=Weights)

    def tolerance(self) -> Floats:
        """(k,) in sd."""
        return 0.5 * self.grain / self.sd + 1e-6

    def values(self, rows: Rows, meter: Meter) -> Floats:
        """(n, k)"""
        return evaluate(self.specs, rows, meter)

    def misses(self, values: Floats, wanted: Floats) -> Floats:
        """(n, k) twice -> (n, k) sd off beyond the tolerance; 0 where free."""
        off = np.abs(values - wanted) / self.sd
        return np.where(off > self.tolerance(), off, 0.0)  # nothing is greater than NaN either

    def drift_weights(self, wanted: Floats) -> Floats:
        """(n, k) -> (n, k): 0 for the wanted ones, else the product of 1 - rho^2 with each of them."""
        asked = ~np.isnan(wanted)
        free = np.exp(asked @ np.log(np.maximum(1 - self.related, 1e-6)))
        return np.where(asked, 0.0, free)


def judge_of(model: Model, meter: Meter, locks: Locks | None = None, limit: float = 1.0) -> Judge:
    """The judge of a model's attributes, for measures of one meter."""
    return Judge(model.specs, model.sd, model.grain(meter), model.related, locks or Locks(), limit)
