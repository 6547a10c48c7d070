"""Bits a note under an n-gram: the first judge of likelihood.

An event is predicted in two steps, its length and then its pitch, each by a chain of contexts from long to short. The
chain is interpolated after Witten & Bell (1991): with T different outcomes seen after a context that occurred n times,

    p(outcome | context) = (count + T p(outcome | shorter context)) / (n + T)

and the shortest context falls back on all outcomes alike. So the probabilities of all outcomes add up to one, whatever
the context. Lengths are predicted from meter, place and the lengths before; pitches as steps from the note before, from
its degree of the scale, the steps before, the metrical place and the register. The contexts reach over barlines.

A judge is a mixture of two such models: one of the tunes of the judged corpus, one of those of all corpora. The weight
of the first is found by expectation maximisation on tunes that were set aside.

Shapes: n events, c contexts of a chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .events import LONGEST, SILENCE, TOP, Events

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Hashes = npt.NDArray[np.uint64]

LENGTHS = LONGEST + 1  # the number of outcomes of the first step; length 0 never occurs
STEPS = 2 * TOP  # of the second: steps from -48 to 48, and silence
REST_STEP = STEPS - 1  # the outcome that stands for silence
ASIDE = 0.1  # the share of the tunes on which the weights of the mixture are found
ROUNDS = 30  # of expectation maximisation
_MIX = np.uint64(0x9E3779B97F4A7C15)  # the odd number nearest 2**64 over the golden ratio: a common hash multiplier


def _hashed(level: int, columns: Sequence[Ints]) -> Hashes:
    """(n,) one number for each combination of the columns."""
    code = np.full(len(columns[0]) if columns else 1, level + 1, dtype=np.uint64)
    for column in columns:
        code = (code ^ (column.astype(np.uint64) + np.uint64(0x51))) * _MIX
        code ^= code >> np.uint64(29)
    return code


def length_step(events: Events) -> tuple[Ints, Hashes]:
    """The lengths (n,), and the contexts (n, c) in which they are predicted, from the shortest to the longest."""
    before = [events.before(events.length, steps, 0) for steps in (1, 2, 3, 4)]
    rests = events.before(events.pitch, 1, 0) == SILENCE
    meter, place = events.meter, events.place
    chain = [
        [meter % 2, place % 12], [meter, place], [meter, place, before[0]], [meter, place, before[0], before[1]],
        [meter, place, before[0], before[1], rests.astype(np.int64), before[2]],
        [meter, place, *before, rests.astype(np.int64)],
    ]  # fmt: skip
    return events.length, np.stack([_hashed(level, columns) for level, columns in enumerate(chain)], axis=1)


def pitch_step(events: Events) -> tuple[Ints, Hashes]:
    """The steps (n,) from 0 to REST_STEP, and the contexts (n, c) in which they are predicted."""
    previous = events.previous_pitch
    step = np.where(events.notes, np.clip(events.pitch - previous, 1 - TOP, TOP - 1) + TOP - 1, REST_STEP)
    before = [events.before(step, steps, -1) for steps in (1, 2, 3)]
    degree, register = previous % 12, (previous - 50) // 5
    strength = np.where(events.place == 0, 0, 1 + (events.place % 12 != 0))
    length = np.searchsorted([3, 6, 12, 24], events.length)
    chain = [
        [degree], [degree, register], [degree, register, before[0]],
        [degree, strength, before[0], before[1]], [degree, strength, length, before[0], before[1]],
        [degree, register, strength, length, *before],
    ]  # fmt: skip
    return step, np.stack([_hashed(16 + level, columns) for level, columns in enumerate(chain)], axis=1)


@dataclass(frozen=True)
class Chain:
    """One interpolated model. `known` and `total`, `types` describe the contexts, `pairs` and `count` what came after
    them; all are sorted, to be found by bisection."""

    outcomes: int
    known: Hashes
    total: Floats
    types: Floats
    pairs: Hashes
    count: Floats

    @classmethod
    def of(cls, outcome: Ints, contexts: Hashes, outcomes: int) -> Chain:
        """Count outcomes (n,) in their contexts (n, c)."""
        flat = contexts.reshape(-1)
        pairs, count = np.unique(_paired(flat, np.repeat(outcome, contexts.shape[1])), return_counts=True)
        known, at, total = np.unique(flat, return_inverse=True, return_counts=True)
        first = np.unique(_paired(flat, np.repeat(outcome, contexts.shape[1])), return_index=True)[1]
        types = np.bincount(at.reshape(-1)[first], minlength=len(known))
        return cls(outcomes, known, total.astype(float), types.astype(float), pairs, count.astype(float))

    def probability(self, outcome: Ints, contexts: Hashes) -> Floats:
        """Outcomes (n,) in contexts (n, c) -> (n,) probabilities."""
        result = np.full(len(outcome), 1.0 / self.outcomes)
        for column in contexts.T:
            total, types = _found(self.known, column, self.total), _found(self.known, column, self.types)
            count = _found(self.pairs, _paired(column, outcome), self.count)
            seen = total > 0
            result[seen] = ((count + types * result) / np.maximum(total + types, 1))[seen]
        return result


def _paired(contexts: Hashes, outcome: Ints) -> Hashes:
    return (contexts ^ (outcome.astype(np.uint64) + np.uint64(1))) * _MIX


def _found(keys: Hashes, wanted: Hashes, values: Floats) -> Floats:
    """The values of the keys that are wanted; 0 for a key that is not there."""
    if len(keys) == 0:
        return np.zeros(len(wanted))
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], 0.0)


_STEPS = ((length_step, LENGTHS), (pitch_step, STEPS))


@dataclass(frozen=True)
class NGram:
    """The mixture for each of the two steps: the chain of the own corpus, that of all, and the weight of the first."""

    own: tuple[Chain, Chain]
    every: tuple[Chain, Chain]
    weights: tuple[float, float]

    def bits(self, tunes: Sequence[Events]) -> list[Floats]:
        """(n,) bits of every event of each tune: its surprise, log2(1 / probability)."""
        joined = join(tunes)
        total = np.zeros(len(joined))
        for (step, _), own, every, weight in zip(_STEPS, self.own, self.every, self.weights, strict=True):
            one, other = (chain.probability(*step(joined)) for chain in (own, every))
            total -= np.log2(weight * one + (1 - weight) * other)
        return np.split(total, np.cumsum([len(tune) for tune in tunes])[:-1])


def join(tunes: Sequence[Events]) -> Events:
    """The events of all tunes in one table. The first event of each tune begins a sequence."""
    return Events(*(np.concatenate([vars(tune)[name] for tune in tunes]) for name in Events.__dataclass_fields__))


def train(own: Sequence[Events], others: Sequence[Events], seed: int = 0) -> NGram:
    """The judge of a corpus, from its own tunes and those of other corpora."""
    aside = np.random.default_rng(seed).random(len(own)) < ASIDE
    aside[: 1 if len(own) > 1 else 0] = True
    held = join([tune for tune, out in zip(own, aside, strict=True) if out]) if aside.any() else join(own)
    kept = [tune for tune, out in zip(own, aside, strict=True) if not out]
    weights = []
    for step, outcomes in _STEPS:
        mine, every = (Chain.of(*step(join(part)), outcomes) for part in (kept, [*kept, *others]))
        one, other = mine.probability(*step(held)), every.probability(*step(held))
        weight = 0.5
        for _ in range(ROUNDS):
            weight = float((weight * one / (weight * one + (1 - weight) * other)).mean())
        weights.append(weight)
    final = [tuple(Chain.of(*step(join(part)), n) for step, n in _STEPS) for part in (own, [*own, *others])]
    return NGram(final[0], final[1], (weights[0], weights[1]))
