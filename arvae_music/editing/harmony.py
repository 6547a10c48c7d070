"""The price of new notes that do not fit the chords, or that clash with the accompaniment.

A note is new if the original has no note of that pitch starting there. Notes of the original never cost anything, and
neither does anything where no chord is known. The rules are those of a first lesson in counterpoint:

    on a beat       a new note that is no chord tone costs `dissonant`, times the strength of the beat
    held            a note that newly sounds on a beat, because it is held longer or begins earlier, costs as much
    off the beat    a new note that is no chord tone is free if it is reached and left by step (a passing or a neighbour
                    note); otherwise it costs `unprepared`
    anywhere        a new note a semitone from a note of the accompaniment costs `clash`; a chord tone costs half of it
    in its track    a new note that meets or crosses another voice of the melody's track costs CROSSING times `clash`

Every price is multiplied by how certain the chord is. `harmony_price` is the whole price; `HarmonyCost` splits it into
prices of single tokens, which a search can look up, and prices of the line.

A measure's harmony is an array (2, t, v): how certainly each token is no chord tone at each tick, and how much it
clashes. Repeated measures that get one new row share the mean of their harmonies.

Shapes: g groups (measures of one meter), n candidates, t ticks, v vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..arrays import Float32s, Float64s, Floats, Ints, Mask, Rows
from ..music.keys import pitch_class
from ..music.meter import TICKS_PER_BEAT, Meter
from ..music.tokens import FIRST_PITCH, HIGHEST_MIDI, HOLD, LOWEST, VOCABULARY, onsets, sounding
from .likeness import strengths

if TYPE_CHECKING:
    from ..music.melody import Bar

STEP = 2  # semitones: the largest step of a passing or neighbour note
CLASH_OF_CHORD_TONE = 0.5  # the share of the price that a chord tone pays
CROSSING = 5.0  # clashes: with voices that cross, nobody hears any longer which one is the melody
PREFERENCE = 3.0  # nats by which proposals are drawn to chord tones, where a note on a downbeat is surely none


class HarmonyPrices(NamedTuple):
    dissonant: float  # per new note on a downbeat that is no chord tone; on other beats less
    clash: float  # per new note a semitone from a sounding note of the accompaniment
    unprepared: float  # per new note off the beat that is no chord tone, and is not reached and left by step


def of_bar(bar: Bar, shift: int, chords: bool = True) -> Float32s | None:
    """The (2, t, v) harmony of a measure of a melody with this `shift`; None if nothing is known of it. Without
    `chords`, only the voices count that the melody would meet or cross."""
    harmony = bar.harmony.normalised(shift) if chords and bar.harmony is not None else None
    if bar.meter is None or (harmony is None and bar.crossed is None):
        return None
    tokens = np.arange(VOCABULARY)
    found = np.zeros((2, bar.meter.ticks, VOCABULARY), dtype=np.float32)
    if harmony is not None:
        outside = 1 - harmony.tones
        clash = harmony.clashes * (CLASH_OF_CHORD_TONE + (1 - CLASH_OF_CHORD_TONE) * outside)
        found[:] = np.stack([outside, clash])[:, :, pitch_class(tokens)]
    if bar.crossed is not None:
        pitch = np.clip(tokens[FIRST_PITCH:] - FIRST_PITCH + LOWEST - shift, 0, HIGHEST_MIDI)
        found[1, :, FIRST_PITCH:] += CROSSING * bar.crossed[:, pitch]
    return found


def mean(harmonies: Sequence[Float32s | None]) -> Float32s | None:
    """The mean of harmonies of one meter, in which None forbids nothing."""
    known = [harmony for harmony in harmonies if harmony is not None]
    if not known:
        return None
    total: Float32s = (np.sum(known, axis=0) / len(harmonies)).astype(np.float32)
    return total


def stacked(harmonies: Sequence[Float32s | None], meter: Meter) -> Float32s | None:
    """The (g, 2, t, v) harmonies of measures, in which one without a harmony forbids nothing; None if none has one."""
    if all(harmony is None for harmony in harmonies):
        return None
    nothing = np.zeros((2, meter.ticks, VOCABULARY), dtype=np.float32)
    return np.stack([nothing if harmony is None else harmony for harmony in harmonies])


@dataclass(frozen=True)
class HarmonyCost:
    """The prices for some measures of one meter."""

    meter: Meter
    originals: Sequence[Rows]  # (g, t) each: a note of any of them is not new
    harmony: Float32s  # (g, 2, t, v)
    prices: HarmonyPrices
    entering: Ints | None = None  # (g,) the token that sounds when each measure begins

    @cached_property
    def token_prices(self) -> Float64s:
        """(g, t, v) the price of each token at each tick, whatever the other tokens are."""
        tokens = np.arange(VOCABULARY)
        outside, clash = self.harmony[:, 0], self.harmony[:, 1]
        price = self.prices.dissonant * self._beats[:, None] * outside + self.prices.clash * clash
        free = tokens < FIRST_PITCH
        for rows in self.originals:
            free = free | (rows[:, :, None] == tokens)
        each: Float64s = np.where(free, 0.0, price)
        return each

    @cached_property
    def preference(self) -> Float32s:
        """(g, t, v) nats to add to a model's logits, so that its samples prefer chord tones."""
        return (-PREFERENCE / self.prices.dissonant * self.token_prices).astype(np.float32)

    def tokens(self, group: Ints, rows: Rows) -> Floats:
        """(n,) the summed prices of the tokens of candidates (n, t)."""
        ticks = rows.shape[1]
        place = (group[:, None] * ticks + np.arange(ticks)) * VOCABULARY + rows
        total: Floats = self.token_prices.take(place).sum(axis=1)
        return total

    def line(self, group: Ints, rows: Rows) -> Floats:
        """(n,) the price of notes that are held over beats, and of notes off the beat that are not reached and left by
        step."""
        during = sounding(rows, None if self.entering is None else self.entering[group])
        outside, clash = (self._at(part, group, during) for part in (self._outside, self._clash))
        started = onsets(rows)
        newly = (during >= FIRST_PITCH) & ~started & (self._beats > 0)
        for before in self._sounding:
            newly &= during != before[group]
        cost = newly * (self.prices.dissonant * outside + self.prices.clash * clash) * self._beats
        loose = started & (self._beats == 0) & (outside > 0)
        for original in self.originals:
            loose &= rows != original[group]
        if loose.any():
            cost = cost + self.prices.unprepared * outside * (loose & ~_by_step(during, rows))
        total: Floats = cost.sum(axis=1)
        return total

    def price(self, group: Ints, rows: Rows) -> Floats:
        """(n,) the whole price of candidates (n, t)."""
        return self.tokens(group, rows) + self.line(group, rows)

    @cached_property
    def _beats(self) -> Float64s:
        """(t,) the strength of each beat, from 0 to 1, and 0 off the beat."""
        on_beat = np.arange(self.meter.ticks) % TICKS_PER_BEAT == 0
        weights: Float64s = np.where(on_beat, strengths(self.meter), 0.0)
        return weights

    @cached_property
    def _outside(self) -> Float32s:
        return np.ascontiguousarray(self.harmony[:, 0])

    @cached_property
    def _clash(self) -> Float32s:
        return np.ascontiguousarray(self.harmony[:, 1])

    @cached_property
    def _sounding(self) -> list[Ints]:
        return [sounding(rows, self.entering) for rows in self.originals]

    def _at(self, part: Float32s, group: Ints, during: Ints) -> Float32s:
        """(g, t, v) values and (n, t) sounding tokens -> (n, t) the value of each tick's token."""
        ticks = during.shape[1]
        found: Float32s = part.take((group[:, None] * ticks + np.arange(ticks)) * VOCABULARY + during)
        return found


def _by_step(during: Ints, rows: Rows) -> Mask:
    """(n, t) whether the note that starts at a tick is reached and left by step. The notes of neighbouring measures are
    not known: a first or last note needs a step on one side only."""
    before = np.zeros_like(during)
    before[:, 1:] = _latest(during)[:, :-1]
    after = np.zeros_like(during)
    after[:, :-1] = _latest(np.where(onsets(rows), rows, HOLD).astype(np.int64)[:, ::-1])[:, ::-1][:, 1:]
    reached = (before < FIRST_PITCH) | (np.abs(during - before) <= STEP)
    left = (after < FIRST_PITCH) | (np.abs(during - after) <= STEP)
    near: Mask = reached & left & ((before >= FIRST_PITCH) | (after >= FIRST_PITCH))
    return near


def _latest(tokens: Ints) -> Ints:
    """(n, t) -> (n, t) the latest pitch at or before each tick, without rests; 0 if there is none."""
    place = np.where(tokens >= FIRST_PITCH, np.arange(tokens.shape[1]), -1)
    last = np.maximum.accumulate(place, axis=1)
    found: Ints = np.where(last >= 0, np.take_along_axis(tokens, np.maximum(last, 0), axis=1), 0)
    return found


def harmony_price(rows: Rows, originals: Rows, harmony: Float32s, meter: Meter, prices: HarmonyPrices) -> Floats:
    """Candidates (n, t), their originals (n, t) and their harmonies (n, 2, t, v) -> (n,) the price of each."""
    return HarmonyCost(meter, [originals], harmony, prices).price(np.arange(len(rows)), rows)
