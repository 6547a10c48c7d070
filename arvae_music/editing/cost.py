"""What is wanted of measures, how candidates are measured, and what everything costs. search.py does the search.

Attributes are black boxes: rows go in, values come out. Shapes: g groups (distinct measures, all of one meter),
n candidates, t ticks, k attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..arrays import Floats, Ints, Mask, Rows
from ..music.attributes import AttributeSpec, evaluate, syncopation
from ..music.meter import Meter
from ..networks.model import Model, misses
from .locks import Locks
from .taste import SHARP_LEAP, crooked, largest_leap


@dataclass(frozen=True)
class Prices:
    """What everything costs that an edit, a variation or a step of an interpolation does to a melody.

    The defaults are the edit's (`EDIT`); they were chosen on validation tunes with benchmarks/edit.py. `VARIATION` and
    `INTERPOLATION` differ where they say so. An sd is one standard deviation of an attribute in the model's corpus, a
    tick the smallest step in time (24 in a measure of 4/4), a nat the unit of surprise: a token that the model gives
    the probability p is worth -ln p nats.
    """

    # attributes
    miss: float = 120.0  # per sd that a wanted attribute is off, beyond what counts as met
    missed: float = 200.0  # per wanted attribute that is not met
    drift: float = 5.0  # per sd that another attribute moves
    # notes
    tick: float = 4.5  # per tick whose token changes
    semitone: float = 0.02  # per semitone that a note's pitch moves
    tie: float = 4.0  # for a tie into the measure that is broken or made
    # how natural it sounds
    nat: float = 0.2  # per nat that the measure becomes more surprising
    outside: float = 20.0  # per new note that does not fit the measure: see taste.fitting
    rest: float = 7.0  # per new rest; where a note is taken away, the one before it should be held
    leap: float = 0.3  # per new semitone beyond taste.SHARP_LEAP
    crooked: float = 5.0  # per beat that mixes thirds with quarters and did not
    repeat: float = 1.5  # per note that repeats the one before it and did not
    # the barline between two measures
    broken_tie: float = 3.0
    new_tie: float = 2.0
    moved_tie: float = 1.0  # the tied note sounds another pitch
    wide_barline: float = 0.12  # per semitone beyond the interval that was there, or beyond a major third
    struck_again: float = 0.6  # for a note that is repeated across the barline and was not
    # variations and interpolations
    syncopated: float = 0.6  # per metrical level that a note is newly held over
    # variations
    wider: float = 0.3  # per semitone by which the largest leap of a measure grows
    new_silence: float = 1.0  # per rest more or fewer
    even: float = 3.0  # per note, times the squared difference between a measure's share of new notes and the amount
    unlike: float = 2.0  # gained per note by which a candidate differs from the nearest other of its measure
    apart: float = 5.0  # gained per note by which a variation differs from the others; the nearest weigh most
    closing: float = 4.0  # for another last note of the melody: people expect a tune to come home
    # interpolations
    back: float = 1000.0  # for an attribute that goes back or past the end: to stay is always possible and costs less
    uneven: float = 2.0  # per tick's worth (interpolate.gap) by which a step is longer or shorter than its share
    away: float = 4.0  # per tick's worth by which a step ends further from the end than it should, or nearer
    stuck: float = 4.0  # for a measure that should have moved and is the same as before


EDIT = Prices()
VARIATION = Prices(miss=30.0, nat=0.15, crooked=4.0)  # while it walks: only what misses nothing is kept
INTERPOLATION = Prices(miss=6.0, crooked=4.0)  # the line between the ends is a guide, not a request


@dataclass(frozen=True)
class Problem:
    """Measures of one meter, and what is wanted of them."""

    meter: Meter
    rows: Rows  # (g, t)
    wanted: Floats  # (g, k) raw values, NaN where free
    tie: npt.NDArray[np.int8]  # (g,) see locks.opening_allowed
    ending: Ints  # (g,) what must sound at the end (an unedited measure is tied to it), or -1


@dataclass(frozen=True)
class Judge:
    """How candidates are measured and priced; the same for all measures of one meter."""

    specs: Sequence[AttributeSpec]
    sd: Floats  # (k,)
    tolerance: Floats  # (k,) in sd: how far off an attribute may be and still count as met
    related: Floats  # (k, k) squared correlations
    locks: Locks
    limit: float = 1.0  # largest share of ticks that may change
    prices: Prices = EDIT
    kept: Mask | None = None  # (k,) attributes that must never be missed

    def values(self, rows: Rows, meter: Meter) -> Floats:
        """(n, k)"""
        return evaluate(self.specs, rows, meter)

    def misses(self, values: Floats, wanted: Floats) -> Floats:
        """(n, k) twice -> (n, k) sd off beyond the tolerance; 0 where free."""
        return misses(values, wanted, self.sd, self.tolerance)

    def keeps(self, values: Floats, wanted: Floats) -> Mask:
        """(n, k) twice -> (n,) whether none of the kept attributes is missed."""
        fine: Mask = ~np.any(self.misses(values, wanted)[:, self.kept], axis=1)
        return fine

    def drift_weights(self, wanted: Floats) -> Floats:
        """(n, k) -> (n, k): 0 for the wanted ones, else the product of 1 - rho^2 with each of them."""
        asked = ~np.isnan(wanted)
        free = np.exp(asked @ np.log(np.maximum(1 - self.related, 1e-6)))
        return np.where(asked, 0.0, free)


def judge_of(
    model: Model, meter: Meter, locks: Locks | None = None, limit: float = 1.0, prices: Prices = EDIT
) -> Judge:
    """The judge of a model's attributes, for measures of one meter."""
    return Judge(model.specs, model.sd, model.tolerance(meter), model.related, locks or Locks(), limit, prices)


def awkward(rows: Rows, meter: Meter, prices: Prices) -> Floats:
    """(n, t) -> (n,) what leaps out of nowhere, syncopation and beats that mix thirds with quarters cost. Only what a
    candidate has more of than its original is worse than that."""
    cost = prices.leap * np.maximum(largest_leap(rows) - SHARP_LEAP, 0).astype(np.float64)
    cost += prices.syncopated * syncopation(rows, meter)
    return cost + prices.crooked * crooked(rows, meter)
