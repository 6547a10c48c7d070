"""Melodies as sequences of events: notes and rests, each with its place in the measure and its length.

The judges of likelihood read a tune as a musician does: note after note, over the barlines. A note that is held over a
barline is one event. A measure that arvae cannot read breaks the sequence: what follows begins anew.

    events_of(melody)   -> Events, arrays (n,) with a row for each note and rest
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from arvae_music.music.melody import Melody
from arvae_music.music.meter import Meter
from arvae_music.music.tokens import CENTRE, FIRST_PITCH, HOLD, LOWEST, REST

Ints = npt.NDArray[np.int64]

UNIT = 12  # parts of a quarter note: every tick of a simple beat and of a compound one is a whole number of them
SILENCE = -1  # instead of a pitch: a rest
LONGEST = 20 * UNIT  # a longer event counts as this long: the judges need a finite set of lengths
TOP = 49  # the number of pitches, LOWEST to HIGHEST: a step from one to another lies between -48 and 48


@dataclass(frozen=True)
class Events:
    """The events (n,) of a melody in order. Pitches are normalised MIDI pitches, see music/tokens.py."""

    pitch: Ints  # SILENCE for a rest
    length: Ints  # in twelfths of a quarter note, to the next event
    measure: Ints  # index into the melody's bars
    tick: Ints
    meter: Ints  # Meter.code of the measure in which it begins
    place: Ints  # in twelfths of a quarter note after the barline
    first: npt.NDArray[np.bool_]  # whether a sequence begins here, at the start or after a gap

    def __len__(self) -> int:
        return len(self.pitch)

    @property
    def notes(self) -> npt.NDArray[np.bool_]:
        return self.pitch != SILENCE

    def before(self, values: Ints, steps: int, missing: int) -> Ints:
        """(n,) -> (n,) the value `steps` events ago in the same sequence, `missing` before its start."""
        if len(values) == 0:
            return values
        at = np.arange(len(values))
        start = np.maximum.accumulate(np.where(self.first, at, 0))
        return np.where(at - steps >= start, values[np.maximum(at - steps, 0)], missing)

    @property
    def previous_pitch(self) -> Ints:
        """(n,) the pitch of the latest note before each event in its sequence; CENTRE if there is none."""
        at = np.arange(len(self))
        start = np.maximum.accumulate(np.where(self.first, at, 0)) if len(self) else at
        latest = np.maximum.accumulate(np.where(self.notes, at, -1)) if len(self) else at
        latest = np.concatenate([[-1], latest[:-1]])[: len(self)]
        return np.where(latest >= start, self.pitch[np.maximum(latest, 0)], CENTRE) if len(self) else at


@lru_cache(maxsize=64)
def places(meter: Meter) -> tuple[int, ...]:
    """The place of each tick and of the next barline, in twelfths of a quarter note."""
    found = [position * UNIT for position in meter.tick_quarters]
    assert all(Fraction(place).denominator == 1 for place in found)
    return tuple(int(place) for place in found)


def events_of(melody: Melody) -> Events:
    """The notes and rests of a melody. Silence before its first note is no event: a pickup begins with its note."""
    table: list[tuple[int, int, int, int, int, int, bool]] = []
    pitch = start = 0  # of the event that sounds
    where = (0, 0, 0, 0)
    sounding, fresh, at = False, True, 0

    def close(end: int) -> None:
        nonlocal sounding, fresh
        if sounding:
            table.append((pitch, min(max(end - start, 1), LONGEST), *where, fresh))
            fresh = False
        sounding = False

    for index, bar in enumerate(melody.bars):
        if bar.tokens is None or bar.meter is None:
            close(at)
            fresh, at = True, at + int(bar.quarters * UNIT)
            continue
        place, code = places(bar.meter), bar.meter.code
        for tick in np.flatnonzero(bar.tokens != HOLD).tolist():
            token = int(bar.tokens[tick])
            if token == REST and (fresh and not sounding):
                continue
            if token == REST and sounding and pitch == SILENCE:
                continue  # a rest that goes on in the next measure
            close(at + place[tick])
            pitch = SILENCE if token == REST else token - FIRST_PITCH + LOWEST
            start, sounding = at + place[tick], True
            where = (index, tick, code, place[tick])
        at += place[-1]
    if sounding and pitch != SILENCE:
        close(at)
    columns = np.array(table, dtype=np.int64).reshape(-1, 7).T
    return Events(*columns[:6], columns[6].astype(np.bool_))
