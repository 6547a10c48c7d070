"""The candidates for one step of an interpolation: what lies between the measures of two melodies.

    way = Way((one, other), model, steps=8, form=True, seed=0)
    Step(way, 3, measures, meter, start, contexts).candidates()         for the fourth of eight melodies

interpolate.py says what a step should be, and chooses among the candidates.

Shapes: g groups (measures of one meter), n candidates, t ticks, k attributes, z latent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..arrays import Floats, Ints, Mask, Row, Rows
from ..music.keys import OCTAVE, compass_of, pitches_for
from ..music.melody import Melody
from ..music.meter import TICKS_PER_BEAT, Meter
from ..music.tokens import onsets
from ..networks.context_runtime import Context, ContextRuntime, Contexts
from ..networks.decoding import decode, decode_from, gumbel, surprise, tables_of
from ..networks.model import Model
from .best_path import Choice
from .cost import Cost, Prices, Problem, judge_of, prices_of
from .explore import LEEWAY, Explorer
from .harmony import HarmonyCost, stacked
from .taste import foreign
from .ties import EditableMeasure

DECODES = 16  # of each point
ROUNDS = 6  # of the exploration
POOL = 16  # candidates of each measure at each step
NEARLY_PARALLEL = 1e-3  # radians; with a smaller angle between the ends, the arc is a straight line
BONUSES = (0.0, 1.0, 2.0, 3.5)  # added to the logit of an end's token
TEMPERATURES = (0.0, 0.4, 0.7, 1.0)  # of the sampling
EPSILON = 1e-9

MISS = 6.0  # per sd off the line between the ends, which is only a guide
BACK = 1000.0  # for an attribute that goes back or past the end; an unchanged measure always costs less
UNEVEN = 2.0  # per unit of `gap` by which a step is longer or shorter than its share
AWAY = 4.0  # per unit of `gap` by which the distance left to the end differs from what it should be
ASTRAY = 10.0  # per unit of `gap` by which a step goes away from the end, or comes nearer to the start
STUCK = 12.0  # for a measure that should change in this step and does not
MOST_NATS = 5.0  # the largest gain for being less surprising than the ends: a very unsurprising measure is dull


def gap(one: Rows, other: Rows) -> Floats:
    """(..., t) twice -> (...) the distance between rows, in ticks: 1 for each tick where an event is added or removed,
    and 0.25 to 1 for each note whose pitch changes, by how far it moves."""
    both = onsets(one) & onsets(other)
    moved = np.minimum(np.abs(one.astype(np.int64) - other), OCTAVE) / OCTAVE
    each: Floats = np.where(both, moved * 0.75 + 0.25 * (one != other), one != other).sum(axis=-1)
    return each


@dataclass(frozen=True)
class Way:
    """Two melodies of the same measures, and what all steps between them share."""

    ends: tuple[Melody, Melody]
    model: Model
    steps: int
    form: bool
    seed: int

    @cached_property
    def contexts(self) -> list[Contexts | None]:
        """The contexts of the measures of both ends."""
        return [self.contexts_of(melody.rows) for melody in self.ends]

    def contexts_of(self, rows: Sequence[Row | None]) -> Contexts | None:
        return self.model.contexts(rows, [bar.meter for bar in self.ends[0].bars])

    @property
    def prices(self) -> Prices:
        return prices_of(self.contexts[0] is not None)

    def foreign(self, meter: Meter) -> Mask:
        """(t,) see taste.foreign."""
        rows = [rows for melody in self.ends for own, _, rows in melody.by_meter() if own == meter]
        return foreign(np.concatenate(rows), meter)


class Step:
    """Candidates for the next step of some measures of one meter. `contexts` are those of the step before."""

    def __init__(
        self, way: Way, step: int, measures: Sequence[EditableMeasure], meter: Meter, start: int,
        contexts: Contexts | None,
    ) -> None:  # fmt: skip
        self.meter, self.model = meter, way.model
        self.seed = [way.seed, step, meter.code, start]
        self.random = np.random.default_rng(self.seed)
        self.share = step / (way.steps - 1)
        self.judge = judge_of(way.model, meter, prices=way.prices.exploring)
        self.ends = [np.stack([measure.goal[end] for measure in measures]) for end in range(2)]
        self.now = np.stack([measure.row for measure in measures])
        at = [measure.index for measure in measures]
        self.context, *self.contexts = (None if one is None else one.of(at) for one in (contexts, *way.contexts))
        self.tables = tables_of(way.model.runtime, meter, self.context)
        first, last, now = (self.judge.values(rows, meter) for rows in (*self.ends, self.now))
        self.values = (first, last)
        self.wanted = first + self.share * (last - first)
        self.low, self.high = np.minimum(last, now), np.maximum(last, now)
        self.done, self.left = (gap(self.now, end) for end in self.ends)  # (g,) the distances to the ends
        self.due = self.left / (way.steps - step)  # (g,) the share of this step
        likely = [self._nats(*end) for end in zip(self.ends, self.contexts, strict=True)]
        self.usual = likely[0] + self.share * (likely[1] - likely[0])
        fifths = np.array([measure.fifths for measure in measures])
        self.costs = [self._cost(rows, fifths, way.foreign(meter)) for rows in self.ends]
        both = np.concatenate(self.ends, axis=1)
        harmony = stacked([measure.harmony for measure in measures], meter)
        self.harmony = None if harmony is None else HarmonyCost(meter, self.ends, harmony, self.judge.prices.harmony)
        lowest, highest = compass_of(both)
        self.pitches = pitches_for(both, lowest - LEEWAY, highest + LEEWAY, fifths)

    def _nats(self, rows: Rows, context: Context | None) -> Floats:
        """(g,) how surprising the measures of an end are."""
        tables = tables_of(self.model.runtime, self.meter, context)
        return surprise(tables.at(tables.look(np.arange(len(rows)), rows)), rows)

    def _cost(self, rows: Rows, fifths: Ints, strange: Mask) -> Cost:
        """What a candidate costs as an edit of an end, without the attributes and the chords."""
        free, any_ending = np.zeros(len(rows), dtype=np.int8), np.full(len(rows), -1)
        entering = None if self.context is None else self.context.entering
        problem = Problem(self.meter, rows, self.wanted, free, any_ending, entering, None, strange, None, fifths)
        return Cost(problem, self.judge)

    def candidates(self) -> list[Choice]:
        """The candidates for the next step of each measure, cheapest first."""
        guides = np.concatenate([self._decodes(), *(end[:, None] for end in self.ends)], axis=1)
        archive = Explorer(
            self.meter, self.now, guides, self.pitches, self.price,
            self.tables, self.random, POOL, None, None if self.harmony is None else self.harmony.preference,
        ).run(ROUNDS)  # fmt: skip
        made = []
        for group in range(len(self.now)):
            of_group = archive.take(archive.group == group)
            of_group = of_group.take(np.argsort(of_group.cost, kind="stable"))
            made.append(Choice(self.now[group], *self._with_unchanged(group, of_group.rows, of_group.cost), -1))
        return made

    def _with_unchanged(self, group: int, rows: Rows, cost: Floats) -> tuple[Rows, Floats]:
        """Add the unchanged measure to the candidates. It is the only candidate if the measure already equals the
        end."""
        now = self.now[group : group + 1]
        if self.left[group] == 0:
            return now, np.zeros(1)
        if (rows == now).all(axis=1).any():
            return rows, cost
        cost_now, _ = self.price(np.array([group]), now, self.usual[group : group + 1])
        return np.concatenate([rows, now]), np.concatenate([cost, cost_now])

    def point(self) -> Floats:
        """(g, z) the latent points of this step: attributes on a straight line in value, other dimensions on an arc."""
        scales = self.model.metadata.scales
        start, end = (self._encoded(*end) for end in zip(self.ends, self.contexts, strict=True))
        z = slerp(start, end, self.share)
        for k, scale in enumerate(scales):
            first, last, on_line = (scale.code(values[:, k]) for values in (*self.values, self.wanted))
            # The code of a measure differs from the calibrated code of its value. The code moves by the same share of
            # its way as the calibrated code does.
            part = np.where(first == last, self.share, (on_line - first) / np.where(first == last, 1.0, last - first))
            d = scale.dimension
            z[:, d] = start[:, d] + part * (end[:, d] - start[:, d])
        return z

    def _encoded(self, rows: Rows, context: Context | None) -> Floats:
        runtime = self.model.runtime
        if isinstance(runtime, ContextRuntime):
            return runtime.encode(rows, self.meter, context)
        return runtime.encode(rows, self.meter)

    def _decodes(self) -> Rows:
        """(g, DECODES, t) decodes with a bonus for the tokens of one end. For each beat, chance chooses the end. A
        model in context decodes half of them from the attributes alone."""
        groups, runtime = len(self.now), self.model.runtime
        z = self.point().astype(np.float32)
        which, number = np.repeat(np.arange(groups), DECODES), np.tile(np.arange(DECODES), groups)
        beat = np.arange(self.meter.ticks) // TICKS_PER_BEAT
        late = self.random.random((len(which), self.meter.beats))[:, beat] < self.share
        toward = np.where(late, self.ends[1][which], self.ends[0][which])
        bonus = np.array(BONUSES, dtype=np.float32)[number % len(BONUSES)]
        kind = number // len(BONUSES) % len(TEMPERATURES)
        temperature = np.array(TEMPERATURES, dtype=np.float32)[kind]
        noise = np.tile(gumbel(self.seed[0], self.meter.ticks, DECODES), (1, groups, 1)) * temperature[:, None]
        if isinstance(runtime, ContextRuntime):
            given = np.ones((2 * groups, runtime.attributes + 1), dtype=np.float32)
            given[groups:, -1] = 0
            twice = np.tile(np.arange(groups), 2)
            state = runtime.start(z[twice], self.meter, self.context, twice, given)
            rows = decode_from(runtime, state, kind % 2 * groups + which, self.meter, toward, bonus, noise)
        else:
            rows = decode(runtime, z, self.meter, toward, bonus, noise, which)
        return rows.reshape(groups, DECODES, -1)

    def price(self, group: Ints, rows: Rows, nats: Floats) -> tuple[Floats, Ints]:
        """(n,) the cost of each candidate as the next step, and (n,) its niche, which is the same for all."""
        values, prices = self.judge.values(rows, self.meter), self.judge.prices
        off = np.abs(values - self.wanted[group]) / self.judge.sd
        cost = MISS * np.maximum(off - self.judge.tolerance, 0).sum(axis=1)
        back = np.maximum(self.low[group] - values, 0) + np.maximum(values - self.high[group], 0)
        cost += np.where(back > EPSILON, BACK + back / self.judge.sd, 0.0).sum(axis=1)
        due, moved = self.due[group], gap(rows, self.now[group])
        cost += UNEVEN * np.abs(moved - due) + STUCK * np.minimum(due, 1.0) * (moved == 0)
        done, left = (gap(rows, end[group]) for end in self.ends)
        cost += AWAY * np.abs(left - (self.left[group] - due))
        cost += ASTRAY * (np.maximum(left - self.left[group], 0) + np.maximum(self.done[group] - done, 0))
        cost += prices.nat * np.maximum(nats - self.usual[group], -MOST_NATS)
        for near, end in zip((1 - self.share, self.share), self.costs, strict=True):
            cost += near * (end.tokens(group, rows) + end.line(group, rows))
        if self.harmony is not None:
            cost += self.harmony.price(group, rows)
        return cost, np.zeros(len(rows), dtype=np.int64)


def slerp(start: Floats, end: Floats, share: float) -> Floats:
    """(n, z) twice -> (n, z): the direction moves along the great circle, and the length along a straight line."""
    lengths = [np.linalg.norm(side, axis=1, keepdims=True) for side in (start, end)]
    one, other = (side / np.maximum(length, 1e-9) for side, length in zip((start, end), lengths, strict=True))
    angle = np.arccos(np.clip((one * other).sum(axis=1, keepdims=True), -1, 1))
    t = share
    flat = (angle < NEARLY_PARALLEL) | (angle > np.pi - NEARLY_PARALLEL)  # opposite points: no one arc
    sine = np.where(flat, 1.0, np.sin(angle))
    arc = (np.sin((1 - t) * angle) * one + np.sin(t * angle) * other) / sine
    length = lengths[0] + t * (lengths[1] - lengths[0])
    result: Floats = np.where(flat, start + t * (end - start), length * arc)
    return result
