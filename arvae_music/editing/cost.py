"""The problem that a search solves, the judge that measures candidates, and the prices that make up a candidate's cost.

search.py and explore.py do the search. Attributes are black boxes: rows go in, values come out.

Shapes: g groups (distinct measures, all of one meter), n candidates, t ticks, k attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..arrays import Float32s, Floats, Ints, Mask, Rows
from ..music.attributes import AttributeSpec, evaluate, syncopation
from ..music.meter import Meter
from ..music.tokens import HOLD
from ..networks.model import Model, misses
from .harmony import HarmonyCost, HarmonyPrices
from .locks import Locks
from .taste import SHARP_LEAP, largest_leap, mixed_beats

DIAL = 8.0  # the factor by which the least and the most freedom change prices
SAVING = 2.0  # per changed tick, at the least freedom
KEEPING = 5.0  # at the least freedom, added to the prices on likeness

_HARMONY = HarmonyPrices(dissonant=10.0, clash=14.0, unprepared=6.0)


@dataclass(frozen=True)
class Prices:
    """The price of each change that an edit, a variation or a step of an interpolation makes to a melody.

    A candidate's cost is the sum of its prices. The defaults are those of an edit (`EDIT`); they were chosen on
    validation tunes with benchmarks/edit.py. `VARIATION` and `INTERPOLATION` change some of them.

    An sd is one standard deviation of an attribute in the model's corpus. A tick is the smallest step in time (24 in a
    measure of 4/4). A nat is the unit of surprise: a token to which the model gives the probability p is worth -ln p
    nats.
    """

    # attributes
    miss: float = 120.0  # per sd by which a requested attribute is off, if it is not met
    missed: float = 200.0  # per requested attribute that is not met
    drift: float = 5.0  # per sd by which another attribute moves
    # notes
    tick: float = 4.5  # per tick whose token changes
    semitone: float = 0.02  # per semitone by which a note's pitch moves
    tie: float = 4.0  # for a tie into the measure that is broken or made
    # likeness to the original (likeness.py)
    curve: float = 0.0  # per octave by which the pitch curve moves on a strong beat
    dropped: float = 0.0  # per onset on a strong beat that is gone
    # chords and accompaniment (harmony.py)
    harmony: HarmonyPrices = _HARMONY
    # how natural the measure sounds
    nat: float = 0.2  # per nat by which the measure becomes more surprising
    outside: float = 20.0  # per new note that does not fit the measure, see taste.fitting
    outside_other_key: float = 20.0  # the same in a measure in another key, whose scale the model does not expect
    foreign: float = 0.0  # per new note on a tick of a kind where the tune has none, see taste.foreign
    rest: float = 7.0  # per new rest; to remove a note, it is better to hold the note before it
    leap: float = 0.3  # per added semitone beyond taste.SHARP_LEAP
    mixed_beats: float = 5.0  # per additional beat that mixes thirds with quarters of a beat
    repeat: float = 1.5  # per additional note that repeats the pitch before it
    # the barline between two measures
    broken_tie: float = 3.0
    new_tie: float = 2.0
    moved_tie: float = 1.0  # for a tied note that gets another pitch
    wide_barline: float = 0.12  # per semitone beyond the original interval over the barline, or beyond a major third
    struck_again: float = 0.6  # for a pitch that is newly repeated over the barline
    # variations and interpolations
    syncopated: float = 0.6  # per metrical level that a note is newly held over
    # variations
    wider: float = 0.3  # per semitone by which the largest leap of a measure grows
    new_silence: float = 1.0  # per rest that is added or removed
    even: float = 3.0  # per note, times the squared difference between a measure's share of new notes and the amount
    unlike: float = 2.0  # gain per note by which a candidate differs from the most similar candidate of its measure
    apart: float = 5.0  # gain per note by which a variation differs from the others; the most similar weigh most
    closing: float = 4.0  # for a different last note of the melody, because a tune should end on its final
    # interpolations
    back: float = 1000.0  # for an attribute that goes back or past the end; an unchanged measure always costs less
    uneven: float = 2.0  # per tick (in interpolate.gap) by which a step is longer or shorter than its share
    away: float = 4.0  # per tick by which the distance left to the end differs from what it should be
    stuck: float = 4.0  # for a measure that should change in this step and does not

    def at(self, freedom: float) -> Prices:
        """The prices for a freedom from -1 to 1: at 0 as they are. Below it, surprise costs less, and every changed
        tick and every loss of likeness more; above it, they cost less."""
        if freedom < 0:
            barely = -freedom
            curve, dropped = self.curve + KEEPING * barely, self.dropped + KEEPING * barely
            tick, nat = self.tick + SAVING * barely, self.nat / DIAL**barely
            return replace(self, tick=tick, nat=nat, curve=curve, dropped=dropped)
        names = ("drift", "tick", "semitone", "tie", "curve", "dropped")
        return replace(self, **{name: getattr(self, name) / DIAL**freedom for name in names})


EDIT = Prices()
COMPOSED = Prices(
    drift=0.5, tick=0.0, semitone=0.0, tie=1.0, curve=3.0, dropped=2.0, nat=1.0, outside=0.0, foreign=1.5, rest=0.0,
    leap=0.8, mixed_beats=6.0, repeat=0.0, broken_tie=0.0, new_tie=0.0, moved_tie=0.0, wide_barline=0.4,
    struck_again=0.3, harmony=HarmonyPrices(dissonant=6.0, clash=7.0, unprepared=4.0),
)  # of a model in context, whose nats say what sounds natural  # fmt: skip
# for the exploration, which may pass through misses
VARIATION = Prices(miss=30.0, nat=0.15, mixed_beats=4.0, harmony=HarmonyPrices(6.0, 7.0, 4.0))
# a miss costs little: the line between the ends is only a guide
INTERPOLATION = Prices(miss=6.0, mixed_beats=4.0, harmony=HarmonyPrices(4.0, 0.0, 2.0))


@dataclass(frozen=True)
class Problem:
    """Measures of one meter, and the attribute values that they should get."""

    meter: Meter
    rows: Rows  # (g, t)
    wanted: Floats  # (g, k) raw values; NaN where nothing is requested
    tie: npt.NDArray[np.int8]  # (g,) see ties.tie_of
    ending: Ints  # (g,) see ties.ending_of
    entering: Ints | None = None  # (g,) the token that sounds when the measure begins; None if it is not known
    fixed: Mask | None = None  # (g, t) ticks whose token must stay
    foreign: Mask | None = None  # (t,) ticks of a kind where the tune has no notes, see taste.foreign
    harmony: Float32s | None = None  # (g, 2, t, v) see harmony.py; None if no measure has one
    fifths: Ints | None = None  # (g,) the keys of the measures, relative to the melody's; None if all are the melody's

    @property
    def keys(self) -> Ints:
        return np.zeros(len(self.rows), dtype=np.int64) if self.fifths is None else self.fifths

    @property
    def entering_tokens(self) -> Ints:
        return np.full(len(self.rows), HOLD) if self.entering is None else self.entering

    def harmony_cost(self, prices: Prices) -> HarmonyCost | None:
        """The prices of notes that do not fit the chords; None where no chord is known."""
        if self.harmony is None:
            return None
        return HarmonyCost(self.meter, [self.rows], self.harmony, prices.harmony, self.entering)


@dataclass(frozen=True)
class Judge:
    """How candidates are measured and priced; the same for all measures of one meter."""

    specs: Sequence[AttributeSpec]
    sd: Floats  # (k,)
    tolerance: Floats  # (k,) in sd: a request counts as met if the attribute is off by no more than this
    related: Floats  # (k, k) squared correlations
    locks: Locks
    prices: Prices = EDIT
    kept: Mask | None = None  # (k,) attributes that must never be missed

    def values(self, rows: Rows, meter: Meter) -> Floats:
        """(n, k) attribute values of the rows (n, t)."""
        return evaluate(self.specs, rows, meter)

    def misses(self, values: Floats, wanted: Floats) -> Floats:
        """(n, k) twice -> (n, k) by how many sd each request is missed; 0 within the tolerance or without a request."""
        return misses(values, wanted, self.sd, self.tolerance)

    def keeps(self, values: Floats, wanted: Floats) -> Mask:
        """(n, k) twice -> (n,) whether every kept attribute has its value."""
        fine: Mask = ~np.any(self.misses(values, wanted)[:, self.kept], axis=1)
        return fine

    def drift_weights(self, wanted: Floats) -> Floats:
        """Wanted values (n, k) -> (n, k) the weight of each attribute's drift: 0 for a requested attribute; for
        another, the product of 1 - rho^2 over the requested ones, where rho is their correlation with it."""
        requested = ~np.isnan(wanted)
        weights = np.exp(requested @ np.log(np.maximum(1 - self.related, 1e-6)))
        return np.where(requested, 0.0, weights)


def judge_of(
    model: Model, meter: Meter, locks: Locks | None = None, prices: Prices = EDIT
) -> Judge:
    """The judge of a model's attributes, for measures of one meter."""
    return Judge(model.specs, model.sd, model.tolerance(meter), model.related, locks or Locks(), prices)


def awkward(rows: Rows, meter: Meter, prices: Prices) -> Floats:
    """(n, t) -> (n,) the price of sharp leaps, of syncopation and of beats that mix thirds with quarters. Callers
    subtract the same price of the original, because only additional awkwardness counts."""
    cost = prices.leap * np.maximum(largest_leap(rows) - SHARP_LEAP, 0).astype(np.float64)
    cost += prices.syncopated * syncopation(rows, meter)
    return cost + prices.mixed_beats * mixed_beats(rows, meter)
