"""The problem that a search solves, the judge that measures candidates, their prices, and the cost that they add up to.

Edits, variations and interpolations have the same cost. search.py and explore.py do the search.
Attributes are black boxes: rows go in, values come out.

Shapes: g groups (distinct measures, all of one meter), n candidates, t ticks, k attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..arrays import Float32s, Floats, Ints, Mask, Rows
from ..music.attributes import AttributeSpec, evaluate
from ..music.meter import Meter
from ..music.tokens import HOLD, REST, VOCABULARY, ends_in, onsets
from ..networks.model import Model, misses
from .harmony import HarmonyCost, HarmonyPrices
from .likeness import Likeness
from .locks import Locks, opening_allowed
from .taste import fitting, leaps, mixed_beats, newly_crowded, repeats

DIAL = 8.0  # the factor by which the least and the most freedom change prices
SAVING = 2.0  # per changed tick, at the least freedom
KEEPING = 5.0  # at the least freedom, added to the prices on likeness

_HARMONY = HarmonyPrices(dissonant=10.0, clash=14.0, unprepared=6.0)


@dataclass(frozen=True)
class Prices:
    """The price of each change that an edit, a variation or a step of an interpolation makes to a melody.

    A candidate's cost is the sum of its prices. The defaults are those of an edit by a model that knows no context
    (`EDIT`); they were chosen on validation tunes with benchmarks/edit.py. `COMPOSED` are those of a model in context.

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
    leap: float = 0.3  # per added semitone beyond taste.SHARP_LEAP, also over a barline
    mixed_beats: float = 5.0  # per additional beat that mixes thirds with quarters of a beat
    repeat: float = 1.5  # per additional note that repeats the pitch before it
    # the barline between two measures
    broken_tie: float = 3.0
    new_tie: float = 2.0
    moved_tie: float = 1.0  # for a tied note that gets another pitch
    wide_barline: float = 0.12  # per semitone beyond the original interval over the barline, or beyond a major third
    struck_again: float = 0.6  # for a pitch that is newly repeated over the barline

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

    @property
    def exploring(self) -> Prices:
        """The prices of an exploration, which may pass through misses, and which looks for changes. It
        has other rules for the pitches that fit."""
        return replace(
            self, miss=30.0, missed=0.0, drift=0.0, tick=0.0, semitone=0.0, outside=0.0, outside_other_key=0.0
        )  # fmt: skip


EDIT = Prices()
COMPOSED = Prices(
    drift=0.5, tick=0.0, semitone=0.0, tie=1.0, curve=4.0, dropped=3.0, nat=1.0, outside=0.0, foreign=8.0, rest=0.0,
    leap=8.0, mixed_beats=6.0, repeat=0.0, broken_tie=0.0, new_tie=0.0, moved_tie=0.0, wide_barline=0.4,
    struck_again=0.3, harmony=HarmonyPrices(dissonant=18.0, clash=12.0, unprepared=8.0),
)  # of a model in context, whose nats say what sounds natural  # fmt: skip


def prices_of(in_context: bool) -> Prices:
    """The prices for a model that knows the context of measures, or none."""
    return COMPOSED if in_context else EDIT


@dataclass(frozen=True)
class Problem:
    """Measures of one meter, and the attribute values that they should get."""

    meter: Meter
    rows: Rows  # (g, t)
    wanted: Floats  # (g, k) raw values; NaN where nothing is requested
    tie: npt.NDArray[np.int8]  # (g,) see ties.EditableMeasure
    ending: Ints  # (g,) see ties.ending_of
    entering: Ints | None = None  # (g,) the token that sounds when the measure begins; None if it is not known
    fixed: Mask | None = None  # (g, t) ticks whose token must stay
    foreign: Mask | None = None  # (t,) ticks of a kind where the tune has no notes, see taste.foreign
    harmony: Float32s | None = None  # (g, 2, t, v) see harmony.py; None if no measure has one
    fifths: Ints | None = None  # (g,) the keys of the measures, relative to the melody's; None if all are the melody's

    @property
    def keys(self) -> Ints:
        return np.zeros(len(self.rows), dtype=np.int64) if self.fifths is None else self.fifths

    def allows(self, group: Ints, rows: Rows) -> Mask:
        """(n,) groups and (n, t) candidates -> (n,) which of them keep what must stay: the ties to neighbours that do
        not change, and the fixed ticks. No candidate has events that nobody writes."""
        original, ending = self.rows[group], self.ending[group]
        fine = opening_allowed(rows, original, self.tie[group])
        fine &= ~newly_crowded(rows, original, self.meter)
        if (ending >= 0).any():
            fine &= (ending < 0) | (ends_in(rows) == ending)
        if self.fixed is not None:
            fine &= np.all((rows == original) | ~self.fixed[group], axis=1)
        return fine

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


def judge_of(model: Model, meter: Meter, locks: Locks | None = None, prices: Prices = EDIT) -> Judge:
    """The judge of a model's attributes, for measures of one meter."""
    return Judge(model.specs, model.sd, model.tolerance(meter), model.related, locks or Locks(), prices)


class Cost:
    """The cost of candidates for the measures of a problem.

    `requested` (k,) are the attributes that may move even where `wanted` has no value for them.
    """

    def __init__(self, problem: Problem, judge: Judge, requested: Mask | None = None) -> None:
        self.problem, self.judge = problem, judge
        self.original = judge.values(problem.rows, problem.meter)
        moving = problem.wanted if requested is None else np.where(requested, 0.0, problem.wanted)
        self.drift = judge.prices.drift * judge.drift_weights(moving) / judge.sd
        self.likeness = Likeness(problem.meter, problem.rows, problem.entering_tokens)
        self.repeats, self.leaps = repeats(problem.rows), leaps(problem.rows)
        self.mixed_beats, self.fitting = mixed_beats(problem.rows, problem.meter), fitting(problem.rows, problem.keys)
        self.harmony = problem.harmony_cost(judge.prices)
        self.token_prices = self._token_prices()

    def total(self, group: Ints, rows: Rows, values: Floats, nats: Floats) -> Floats:
        """(n,) the whole cost of candidates (n, t) with these values, which are `nats` more surprising than their
        originals."""
        tokens = self.tokens(group, rows) + self.judge.prices.nat * nats
        return tokens + self.attributes(group, values)[0] + self.line(group, rows)

    def attributes(self, group: Ints, values: Floats) -> tuple[Floats, Mask]:
        """(n,) the cost of misses and drift, and (n,) whether the candidate meets every request."""
        prices = self.judge.prices
        misses = self.judge.misses(values, self.problem.wanted[group])
        missed = (misses > 0).sum(axis=1)
        off = np.abs(values - self.original[group])
        cost = prices.missed * missed + prices.miss * misses.sum(axis=1)
        cost += np.einsum("nk,nk->n", off, self.drift[group])
        return cost, missed == 0

    def line(self, group: Ints, rows: Rows) -> Floats:
        """(n,) the cost of new leaps, of new beats that mix thirds with quarters, of new repeated notes, of a line that
        leaves the original's, and of one that does not fit the chords."""
        prices = self.judge.prices
        cost = prices.leap * np.maximum(leaps(rows) - self.leaps[group], 0)
        cost += prices.mixed_beats * np.maximum(mixed_beats(rows, self.problem.meter) - self.mixed_beats[group], 0)
        if prices.curve or prices.dropped:
            cost += prices.curve * self.likeness.curve(group, rows)
            cost += prices.dropped * self.likeness.dropped(group, rows)
        if self.harmony is not None:
            cost += self.harmony.line(group, rows)
        total: Floats = cost + prices.repeat * np.maximum(repeats(rows) - self.repeats[group], 0)
        return total

    def tokens(self, group: Ints, rows: Rows) -> Floats:
        """(n,) the summed cost of each candidate's tokens."""
        ticks = rows.shape[1]
        at = (group[:, None] * ticks + np.arange(ticks)) * VOCABULARY + rows
        total: Floats = self.token_prices.take(at).sum(axis=1)
        return total

    def _token_prices(self) -> Floats:
        """(g, t, v) the cost of each token at each tick, which does not depend on the other tokens."""
        prices, old, new = self.judge.prices, self.problem.rows[:, :, None], np.arange(VOCABULARY)
        cost = prices.tick + prices.rest * (new == REST)
        cost = cost + prices.semitone * np.abs(new - old) * (onsets(new) & onsets(old))
        outside = np.where(self.problem.keys == 0, prices.outside, prices.outside_other_key)
        cost += outside[:, None, None] * (onsets(new) & ~self.fitting[:, None])
        if self.problem.foreign is not None:
            cost += prices.foreign * (self.problem.foreign[:, None] & onsets(new))
        cost[:, 0] += prices.tie * ((new == HOLD) != (old[:, 0] == HOLD))
        each: Floats = np.where(new == old, 0.0, cost)
        return each if self.harmony is None else each + self.harmony.token_prices
