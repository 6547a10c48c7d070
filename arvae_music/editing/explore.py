"""A walk among measures by small random changes; it keeps the good ones.

The edit engine's search (search.py) looks for the NEAREST measure that meets a request. Variations and
interpolations want measures that lie at some distance from the ones given, many of them, and different ones. So
here the best of every niche are kept (Mouret & Clune 2015, MAP-Elites; what a niche is, the caller says), and
in each round some of them are changed a little, one to four changes at a time:

    a note gets another pitch          which one, the decoder's probabilities decide by lot
    a note goes to another place       within the measure
    two neighbours swap pitches
    a run of notes goes up or down     by one to three steps of the scale
    a beat is copied                   from a guide: a decode of a moved latent point, the other end of a path

The caller says what is forbidden and what each candidate costs. How plausible a change is, is first guessed from the
decoder's probabilities before the change; the model looks again at those that seem best.

Shapes: g groups (measures, all of one meter), n candidates, t ticks, v vocabulary, q guides of each group.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..arrays import Floats, Ints, Mask, Rows
from ..music.keys import MOST_STEPS, scale_steps
from ..music.meter import TICKS_PER_BEAT, Meter
from ..music.tokens import HOLD, onsets
from ..networks.decoding import log_probabilities, surprise
from ..networks.runtime import Runtime
from .candidates import Found, _different, _drawn, _first_of

Allow = Callable[[Ints, Rows], Mask]  # (n,) groups, (n, t) rows -> (n,) which may be
Price = Callable[[Ints, Rows, Floats], tuple[Floats, Ints]]  # and (n,) nats -> costs (inf: drop), niches

CHUNK = 24  # measures that walk at a time
LEEWAY = 2  # semitones beyond a melody's compass that new notes may go
ROUNDS = 10
PARENTS = 16  # of each group, in a round
CHILDREN = 24  # of each parent
ADMITTED = 32  # of each group, in a round: what the model looks at
CHANGES = (0.4, 0.35, 0.15, 0.1)  # probabilities of one, two, three, four changes at once
KINDS = (0.32, 0.22, 0.1, 0.22, 0.14)  # of the five changes, in the order above
HEAT = 0.6  # of the decoder's log-probabilities when a pitch is drawn
LUCK = 0.7  # how far chance decides what is kept


class Walk:
    """One walk of all groups at once. `pitches` (g, v) says which notes a measure may have; without `allow`, that is
    all that is forbidden."""

    def __init__(
        self,
        meter: Meter,
        rows: Rows,
        guides: Rows,
        pitches: Mask,
        price: Price,
        runtime: Runtime,
        random: np.random.Generator,
        width: int,
        allow: Allow | None = None,
    ) -> None:
        self.meter, self.runtime, self.random, self.width = meter, runtime, random, width
        self.guides, self.pitches, self.allow, self.price = guides, pitches, allow, price
        self.groups = len(rows)
        self.found = self._looked_at(np.arange(self.groups), rows)
        self.original_nats = self.found.nats
        count = guides.shape[1]
        self.add(np.repeat(np.arange(self.groups), count), guides.reshape(-1, meter.ticks))

    def add(self, group: Ints, rows: Rows) -> None:
        """Candidates from elsewhere."""
        fine = np.flatnonzero(self._allowed(group, rows))
        if len(fine):
            fine = fine[_different(group[fine], rows[fine])]
            self._keep(group[fine], rows[fine])

    def run(self, rounds: int = ROUNDS) -> Found:
        for _ in range(rounds):
            parents = self.found.take(_drawn(self.found.group, PARENTS, self.random))
            group, rows, nats = self._children(parents)
            fine = self._allowed(group, rows)
            group, rows, nats = group[fine], rows[fine], nats[fine]
            if len(rows) == 0:
                continue
            cost, _ = self.price(group, rows, nats)
            luck = self.random.gumbel(size=len(cost)) * LUCK
            best = _first_of(group, np.where(np.isfinite(cost), cost - luck, np.inf), ADMITTED)
            best = best[np.isfinite(cost[best])]
            if len(best):
                self._keep(group[best], rows[best])
        return self.found

    def _allowed(self, group: Ints, rows: Rows) -> Mask:
        inside = np.take_along_axis(self.pitches[group], rows.astype(np.int64), axis=1)
        fine: Mask = np.all(inside | ~onsets(rows), axis=1)
        return fine if self.allow is None else fine & self.allow(group, rows)

    def _keep(self, group: Ints, rows: Rows) -> None:
        """The `width` best different candidates of every niche, by cost and some luck, these among them."""
        found = self.found.join(self._looked_at(group, rows))
        found = found.take(_different(found.group, found.rows))
        found = found.take(np.isfinite(found.cost))
        luck = self.random.gumbel(size=len(found.cost)) * LUCK
        cell = found.group * 1000 + found.niche
        self.found = found.take(np.sort(_first_of(cell, found.cost - luck, self.width)))

    def _looked_at(self, group: Ints, rows: Rows) -> Found:
        table = log_probabilities(self.runtime, rows, self.meter)
        nats = surprise(table, rows)
        cost, niche = self.price(group, rows, nats)
        return Found(group, rows, cost, niche, nats, table)

    # ------------------------------------------------------------------------------ changes

    def _children(self, parents: Found) -> tuple[Ints, Rows, Floats]:
        """Different from their parents and from each other: groups, rows, guessed nats."""
        parent = np.repeat(np.arange(len(parents.group)), CHILDREN)
        group, rows = parents.group[parent], parents.rows[parent].copy()
        times = self.random.choice(len(CHANGES), size=len(rows), p=CHANGES)
        changes = (self._repitched, self._moved, self._swapped, self._transposed, self._copied)
        for turn in range(len(CHANGES)):
            kind = self.random.choice(len(KINDS), size=len(rows), p=KINDS)
            for which, change in enumerate(changes):
                at = np.flatnonzero((kind == which) & (times >= turn))
                if len(at):
                    rows[at] = change(rows[at], group[at], parents.table, parent[at])
        old, new = (side[:, :, None].astype(np.int64) for side in (parents.rows[parent], rows))
        table = parents.table[parent]
        gain = np.take_along_axis(table, old, 2) - np.take_along_axis(table, new, 2)
        nats = parents.nats[parent] + gain.sum(axis=(1, 2))
        keep = np.flatnonzero((rows != parents.rows[parent]).any(axis=1))
        keep = keep[_different(group[keep], rows[keep])]
        return group[keep], rows[keep], nats[keep]

    def _draw_pitch(self, group: Ints, likely: Floats) -> Ints:
        """(n, v) log-probabilities -> (n,) a pitch token each."""
        luck = self.random.gumbel(size=likely.shape)
        drawn: Ints = np.where(self.pitches[group], HEAT * likely + luck, -np.inf).argmax(axis=1)
        return drawn

    def _repitched(self, rows: Rows, group: Ints, table: Floats, parent: Ints) -> Rows:
        every, tick, some = self._a_note(rows)
        token = self._draw_pitch(group, table[parent, tick])
        rows[every, tick] = np.where(some, token, rows[every, tick])
        return rows

    def _moved(self, rows: Rows, group: Ints, table: Floats, parent: Ints) -> Rows:
        every, tick, some = self._a_note(rows)
        place = _any_of(rows == HOLD, self.random)
        some &= (rows == HOLD).any(axis=1)
        same = self.random.random(len(rows)) < 0.5
        token = np.where(same, rows[every, tick], self._draw_pitch(group, table[parent, place]))
        rows[every, tick] = np.where(some, HOLD, rows[every, tick])
        rows[every, place] = np.where(some, token, rows[every, place])
        return rows

    def _swapped(self, rows: Rows, group: Ints, table: Floats, parent: Ints) -> Rows:
        every, tick, some = self._a_note(rows)
        later = onsets(rows) & (np.arange(rows.shape[1]) > tick[:, None])
        some &= later.any(axis=1)
        other = later.argmax(axis=1)
        first, second = rows[every, tick], rows[every, other]
        rows[every, tick] = np.where(some, second, first)
        rows[every, other] = np.where(some, first, second)
        return rows

    def _transposed(self, rows: Rows, group: Ints, table: Floats, parent: Ints) -> Rows:
        ends = np.sort(self.random.integers(0, rows.shape[1], (2, len(rows), 1)), axis=0)
        place = np.arange(rows.shape[1])
        inside = (place >= ends[0]) & (place <= ends[1]) & onsets(rows)
        steps = self.random.choice([s for s in range(-MOST_STEPS, MOST_STEPS + 1) if s], size=(len(rows), 1))
        moved: Rows = np.where(inside, scale_steps()[rows, steps + MOST_STEPS], rows)
        return moved

    def _copied(self, rows: Rows, group: Ints, table: Floats, parent: Ints) -> Rows:
        guide = self.guides[group, self.random.integers(0, self.guides.shape[1], len(rows))]
        beat = self.random.integers(0, self.meter.beats, (len(rows), 1))
        copied: Rows = np.where(np.arange(rows.shape[1]) // TICKS_PER_BEAT == beat, guide, rows)
        return copied

    def _a_note(self, rows: Rows) -> tuple[Ints, Ints, Mask]:
        """Every row's number, the tick of one of its notes, and whether it has any."""
        notes = onsets(rows)
        some: Mask = np.any(notes, axis=1)
        return np.arange(len(rows), dtype=np.int64), _any_of(notes, self.random), some


def _any_of(mask: Mask, random: np.random.Generator) -> Ints:
    """(n, t) -> (n,) one of the places that are set, by lot."""
    chosen: Ints = (mask * (random.random(mask.shape) + 1)).argmax(axis=1)
    return chosen
