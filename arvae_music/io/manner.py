"""How a melody is played, and how new notes of it are played in the same manner.

Neighbours of a new note are all notes of the original in measures with tokens, including those that an edit removes. So
a note that only changes its pitch keeps its timing, velocity and length. Between two neighbours, values are
interpolated in time:

    onset      the tick's position plus the neighbours' deviation, which is limited to NEAR around the lateness of the
               file, so that reading the new file finds the same tick
    velocity   the neighbours' velocity
    end        in a NOTATED file (see `quantise`), the nominal end plus the deviation of the neighbours' ends; in a
               PLAYED file, the note is shortened in proportion to its neighbours, but by at most LONGEST_CUT, so that
               the gap is not read as a rest
    note-off   the kind (0x80, or a note-on with velocity 0) and the release velocity of the nearest neighbour
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Float64s
from ..music.melody import Melody
from ..music.meter import Meter
from ..music.tokens import TokenNote
from .midi_events import FileNote
from .quantise import NOTATED_QUARTERS, Placements
from .swing import swung

NEAR = 1 / 30  # quarter notes; less than half of a twelfth, the distance between a sixteenth and a triplet
LONGEST_CUT = 0.35  # quarter notes; below an eighth minus quantise.OVERSHOOT_QUARTERS
SHORTEST_SHARE = 0.1  # the least share of its nominal length that a played note keeps
LEAST_QUARTERS = 1 / 24  # quarter notes: no new note is shorter, and none leaves its neighbour less

Place = tuple[int, int]  # measure, tick


@dataclass(frozen=True)
class Line:
    """A line of one track as the file plays it: its notes, its measures, and the place of each note in them."""

    notes: Sequence[FileNote]
    melody: Melody
    placements: Placements


@dataclass(frozen=True)
class Sound:
    """A note of the result. `note` is the original's index, None for a new one."""

    start: int  # file ticks
    end: int
    pitch: int
    velocity: int
    channel: int  # 0 to 15
    note: int | None = None
    ends_anew: bool = False
    movable: bool = False  # whether it begins where no note of the original begins

    @property
    def changed(self) -> bool:
        return self.note is None or self.ends_anew

    @property
    def moved(self) -> bool:
        return self.movable or self.ends_anew


class Manner:
    """How the melody is played. New notes take their timing, length and velocity from it."""

    def __init__(self, line: Line, ticks_per_quarter: int) -> None:
        notes, melody, placements = line.notes, line.melody, line.placements
        self.notes = notes
        self.bars = melody.bars
        self.tpq = ticks_per_quarter
        meters = {bar.meter for bar in melody.bars if bar.meter is not None}
        self.ticks = {meter: _tick_places(meter, placements.swing, ticks_per_quarter) for meter in meters}
        self.starts = [note.start for note in notes]
        self.late = placements.late
        self.notated = placements.notated
        at = enumerate(zip(placements.measure.tolist(), placements.tick.tolist(), strict=True))
        index = {place: i for i, place in at if place[1] >= 0}
        self.before = {(n.measure, n.tick): (n, index[n.measure, n.tick]) for n in melody.notes}
        known = [i for _, i in self.before.values()]
        self.releases = sorted((notes[i].start, off) for i in known if (off := notes[i].off) is not None)
        self.places: Float64s = np.array([self.place(*place) for place in self.before])
        self.deviations: Float64s = placements.deviation[known]
        self.velocities: Float64s = np.array([notes[i].velocity for i in known], dtype=float)
        ends = np.array([self.place(n.end_measure, n.end_tick) for n, _ in self.before.values()])
        start, end = (np.array([getattr(notes[i], at) for i in known], dtype=float) for at in ("start", "end"))
        self.shares: Float64s = np.clip((end - start) / np.maximum(ends - self.places, 1), SHORTEST_SHARE, 1.0)
        near = np.abs(end - ends - self.late) <= self._slack()
        self.ends: Float64s = ends[near]
        self.end_deviations: Float64s = (end - ends)[near]

    def _slack(self) -> float:
        return max(1.0, NOTATED_QUARTERS * self.tpq)

    def place(self, measure: int, tick: int) -> float:
        """A tick's place in file ticks."""
        bar = self.bars[measure]
        assert bar.meter is not None
        return bar.start + self.ticks[bar.meter][tick]

    def sound(self, note: TokenNote) -> Sound:
        """A note of the new rows as it is played; the original note if nothing differs."""
        place, until = (note.measure, note.tick), (note.end_measure, note.end_tick)
        if place not in self.before:
            at = self.place(*place)
            start = max(0, round(at + self._deviation(at)))
            velocity = round(float(np.interp(at, self.places, self.velocities)))
            channel = self.notes[max(bisect_right(self.starts, start) - 1, 0)].channel
            end = self.end(start, until, self._share(at))
            return Sound(start, end, note.pitch, velocity, channel, movable=True)
        before, index = self.before[place]
        original = self.notes[index]
        end = original.end
        if (before.end_measure, before.end_tick) != until and not self._staccato(before, end, until):
            moved = self.end(original.start, until, self._share(self.place(*place)))
            end = self._legible(index, moved, until) if abs(moved - end) > self._slack() else end
        kept = index if before.pitch == note.pitch else None
        anew = end != original.end
        return Sound(original.start, end, note.pitch, original.velocity, original.channel, kept, anew)

    def _share(self, at: float) -> float:
        """The share of its nominal length that a note at `at` is played."""
        return float(np.interp(at, self.places, self.shares))

    def _deviation(self, at: float) -> float:
        """How late a new onset at `at` is played, in file ticks."""
        near = NEAR * self.tpq
        deviation = float(np.interp(at, self.places, self.deviations))
        return min(max(deviation, self.late - near), self.late + near)

    def end(self, start: int, until: Place, share: float = 1.0) -> int:
        """The file tick where a note ends that is played for `share` of its nominal length."""
        nominal, soonest = self.place(*until), start + least(self.tpq)
        if self.notated:
            return max(soonest, round(nominal + self._end_deviation(nominal)))
        full = self._full(until) - start
        return max(soonest, round(start + full - min((1 - share) * full, LONGEST_CUT * self.tpq)))

    def _staccato(self, before: TokenNote, end: int, until: Place) -> bool:
        """Whether a played note ends so early that it also fits an earlier nominal end."""
        earlier = until < (before.end_measure, before.end_tick)
        return not self.notated and earlier and end <= self._full(until)

    def _legible(self, index: int, end: int, until: Place) -> int:
        """A later end, if a note that ends at `end` would be too short for the overlap of the note before it to be read
        as legato. That note need not be cut then."""
        start = self.notes[index].start
        overlap = self.notes[index - 1].end - start if index else 0
        return max(end, min(start + 2 * overlap, round(self._full(until))))

    def _full(self, until: Place) -> float:
        """The file tick at which an onset would be played where a note ends nominally."""
        at = self.place(*until)
        return at + self._deviation(at)

    def _end_deviation(self, at: float) -> float:
        return float(np.interp(at, self.ends, self.end_deviations)) if len(self.ends) else self.late

    def release(self, start: int) -> int | None:
        """The index of the nearest neighbour's note-off, which the note-off of a new note resembles."""
        at = bisect_left(self.releases, (start, 0))
        near = self.releases[max(at - 1, 0) : at + 1]
        return min(near, key=lambda one: (abs(one[0] - start), one[1]))[1] if near else None


def _tick_places(meter: Meter, swing: float, ticks_per_quarter: int) -> list[float]:
    """The file ticks of a meter's ticks after the barline, as the file swings them."""
    if meter.compound or meter.halved:
        return [float(at * ticks_per_quarter) for at in meter.tick_quarters]
    return [(int(at) + swung(float(at % 1), swing)) * ticks_per_quarter for at in meter.tick_quarters]


def least(ticks_per_quarter: int) -> int:
    """The file ticks of the shortest new note."""
    return max(1, math.ceil(LEAST_QUARTERS * ticks_per_quarter))
