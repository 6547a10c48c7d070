"""Explore the measures around a given one by small random changes, and keep the good ones.

The edit engine's search (search.py) looks for the NEAREST measure that meets a request. Variations and interpolations
need many different measures at some distance from the given one. The exploration therefore keeps the best candidates of
every niche (MAP-Elites: Mouret & Clune 2015). The caller defines the niches: a variation's niche is the number of notes
that differ. In each round, some of the kept candidates get one to four random changes:

    a note gets another pitch          sampled from the decoder's probabilities
    a note moves to another tick       within the measure
    two neighbours swap pitches
    a run of notes moves up or down    by one to three steps of the scale
    a beat is copied                   from a guide, which is a measure that the caller supplies, such as a decode of a
                                       shifted latent point

The caller also says which candidates are forbidden and what each one costs. The surprise of a changed measure in nats
(its negative log-probability) is first guessed from the decoder's probabilities before the change. The model then
computes the exact surprise of the best candidates.

Shapes: g groups (measures, all of one meter), n candidates, t ticks, v vocabulary, q guides of each group.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..arrays import Float32s, Floats, Ints, Mask, Rows
from ..music.keys import MOST_STEPS, scale_steps
from ..music.meter import TICKS_PER_BEAT, Meter
from ..music.tokens import HOLD, onsets
from ..networks.decoding import Tables, surprise
from ..system import stopping
from .candidates import Archive, _cheapest, _sampled, _unique

Allow = Callable[[Ints, Rows], Mask]  # (n,) groups, (n, t) rows -> (n,) which rows are allowed
# (n,) groups, (n, t) rows, (n,) nats -> (n,) costs, which are infinite for candidates to drop, and (n,) niches
Price = Callable[[Ints, Rows, Floats], tuple[Floats, Ints]]

CHUNK = 24  # measures that are explored at a time
LEEWAY = 2  # semitones by which new notes may exceed a melody's compass (its lowest to its highest note)
ROUNDS = 10
PARENTS = 16  # of each group, in a round
CHILDREN = 24  # of each parent, in a round
EVALUATED = 32  # children of each group whose exact surprise the model computes, in a round
CHANGES = (0.4, 0.35, 0.15, 0.1)  # probabilities of one, two, three, four changes at once
KINDS = (0.32, 0.22, 0.1, 0.22, 0.14)  # probabilities of the five kinds of change, in the order above
INVERSE_TEMPERATURE = 0.6  # factor of the decoder's log-probabilities when a pitch is sampled
SELECTION_NOISE = 0.7  # scale of the Gumbel noise on the costs, by which chance also decides what is kept


class Explorer:
    """One exploration of all groups at once.

    `rows` (g, t) are the measures to start from, and `guides` (g, q, t) the measures to copy beats from. `pitches`
    (g, v) says which notes a measure may have, and `allow` may forbid more. `width` is the number of candidates that a
    niche keeps. `preference` (g, t, v) is added to the log-probabilities of new pitches, see harmony.py.
    """

    def __init__(
        self,
        meter: Meter,
        rows: Rows,
        guides: Rows,
        pitches: Mask,
        price: Price,
        tables: Tables,
        random: np.random.Generator,
        width: int,
        allow: Allow | None = None,
        preference: Float32s | None = None,
    ) -> None:
        self.meter, self.tables, self.random, self.width = meter, tables, random, width
        self.guides, self.pitches, self.allow, self.price = guides, pitches, allow, price
        self.preference = preference
        self.groups = len(rows)
        self.archive = self._evaluated(np.arange(self.groups), rows)
        count = guides.shape[1]
        self.add(np.repeat(np.arange(self.groups), count), guides.reshape(-1, meter.ticks))

    def add(self, group: Ints, rows: Rows) -> None:
        """Add candidates, without those that are forbidden."""
        allowed = np.flatnonzero(self._allowed(group, rows))
        if len(allowed):
            allowed = allowed[_unique(group[allowed], rows[allowed])]
            self._keep(group[allowed], rows[allowed])

    def run(self, rounds: int = ROUNDS) -> Archive:
        """Explore for some rounds, and return all candidates kept so far."""
        for _ in range(rounds):
            stopping.check()
            parents = self.archive.take(_sampled(self.archive.group, PARENTS, self.random))
            group, rows, nats = self._children(parents)
            allowed = self._allowed(group, rows)
            group, rows, nats = group[allowed], rows[allowed], nats[allowed]
            if len(rows) == 0:
                continue
            cost, _ = self.price(group, rows, nats)
            noise = self.random.gumbel(size=len(cost)) * SELECTION_NOISE
            best = _cheapest(group, np.where(np.isfinite(cost), cost - noise, np.inf), EVALUATED)
            best = best[np.isfinite(cost[best])]
            if len(best):
                self._keep(group[best], rows[best])
        return self.archive

    def _allowed(self, group: Ints, rows: Rows) -> Mask:
        inside = np.take_along_axis(self.pitches[group], rows.astype(np.int64), axis=1)
        allowed: Mask = np.all(inside | ~onsets(rows), axis=1)
        return allowed if self.allow is None else allowed & self.allow(group, rows)

    def _keep(self, group: Ints, rows: Rows) -> None:
        """Add candidates to the archive, and reduce it to the `width` best of every niche, by cost and some noise."""
        archive = self.archive.join(self._evaluated(group, rows))
        archive = archive.take(_unique(archive.group, archive.rows))
        archive = archive.take(np.isfinite(archive.cost))
        noise = self.random.gumbel(size=len(archive.cost)) * SELECTION_NOISE
        cell = archive.group * 1000 + archive.niche
        self.archive = archive.take(np.sort(_cheapest(cell, archive.cost - noise, self.width)))

    def _evaluated(self, group: Ints, rows: Rows) -> Archive:
        table = self.tables.at(self.tables.look(group, rows))
        nats = surprise(table, rows)
        cost, niche = self.price(group, rows, nats)
        return Archive(group, rows, cost, niche, nats, table)

    # ------------------------------------------------------------------------------ changes

    # Every change takes rows (n, t), their groups (n,), the parents' log-probabilities and the parent (n,) of each row.

    def _children(self, parents: Archive) -> tuple[Ints, Rows, Floats]:
        """Changed copies of the parents, without duplicates: their groups, rows and guessed nats."""
        parent = np.repeat(np.arange(len(parents.group)), CHILDREN)
        group, rows = parents.group[parent], parents.rows[parent].copy()
        times = self.random.choice(len(CHANGES), size=len(rows), p=CHANGES)
        changes = (
            self._with_new_pitch,
            self._with_moved_note,
            self._with_swapped_pitches,
            self._with_transposed_run,
            self._with_copied_beat,
        )
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
        keep = keep[_unique(group[keep], rows[keep])]
        return group[keep], rows[keep], nats[keep]

    def _draw_pitch(self, group: Ints, tick: Ints, likely: Floats) -> Ints:
        """(n,) ticks and (n, v) log-probabilities -> (n,) a random pitch that the measure may have, for each row."""
        scores = INVERSE_TEMPERATURE * likely + self.random.gumbel(size=likely.shape)
        if self.preference is not None:
            scores += self.preference[group, tick]
        drawn: Ints = np.where(self.pitches[group], scores, -np.inf).argmax(axis=1)
        return drawn

    def _with_new_pitch(self, rows: Rows, group: Ints, table: Floats, parent: Ints) -> Rows:
        index, tick, has_note = self._random_note(rows)
        token = self._draw_pitch(group, tick, table[parent, tick])
        rows[index, tick] = np.where(has_note, token, rows[index, tick])
        return rows

    def _with_moved_note(self, rows: Rows, group: Ints, table: Floats, parent: Ints) -> Rows:
        index, tick, has_note = self._random_note(rows)
        target = _random_index(rows == HOLD, self.random)
        possible = has_note & (rows == HOLD).any(axis=1)
        same = self.random.random(len(rows)) < 0.5  # otherwise the note gets a new pitch too
        token = np.where(same, rows[index, tick], self._draw_pitch(group, target, table[parent, target]))
        rows[index, tick] = np.where(possible, HOLD, rows[index, tick])
        rows[index, target] = np.where(possible, token, rows[index, target])
        return rows

    def _with_swapped_pitches(self, rows: Rows, group: Ints, table: Floats, parent: Ints) -> Rows:
        index, tick, has_note = self._random_note(rows)
        later = onsets(rows) & (np.arange(rows.shape[1]) > tick[:, None])
        possible = has_note & later.any(axis=1)
        other = later.argmax(axis=1)
        first, second = rows[index, tick], rows[index, other]
        rows[index, tick] = np.where(possible, second, first)
        rows[index, other] = np.where(possible, first, second)
        return rows

    def _with_transposed_run(self, rows: Rows, group: Ints, table: Floats, parent: Ints) -> Rows:
        ends = np.sort(self.random.integers(0, rows.shape[1], (2, len(rows), 1)), axis=0)
        ticks = np.arange(rows.shape[1])
        inside = (ticks >= ends[0]) & (ticks <= ends[1]) & onsets(rows)
        steps = self.random.choice([s for s in range(-MOST_STEPS, MOST_STEPS + 1) if s], size=(len(rows), 1))
        moved: Rows = np.where(inside, scale_steps()[rows, steps + MOST_STEPS], rows)
        return moved

    def _with_copied_beat(self, rows: Rows, group: Ints, table: Floats, parent: Ints) -> Rows:
        guide = self.guides[group, self.random.integers(0, self.guides.shape[1], len(rows))]
        beat = self.random.integers(0, self.meter.beats, (len(rows), 1))
        copied: Rows = np.where(np.arange(rows.shape[1]) // TICKS_PER_BEAT == beat, guide, rows)
        return copied

    def _random_note(self, rows: Rows) -> tuple[Ints, Ints, Mask]:
        """(n,) the index of each row, (n,) the tick of a random note of it, and (n,) whether it has a note."""
        notes = onsets(rows)
        has_note: Mask = np.any(notes, axis=1)
        return np.arange(len(rows), dtype=np.int64), _random_index(notes, self.random), has_note


def _random_index(mask: Mask, random: np.random.Generator) -> Ints:
    """(n, t) -> (n,) the index of a random element of each row that is True."""
    chosen: Ints = (mask * (random.random(mask.shape) + 1)).argmax(axis=1)
    return chosen
