"""Find the notes that double a melody in unison or in octaves, so that an edit moves them along.

A double is a track and a channel whose notes begin with the melody's, at one interval of octaves. It may double the
melody in some measures only. Runs shorter than FEWEST notes are chance, and so are runs of less than three pitches. A
measure is doubled if all of its notes are. In the other measures the notes of a double stay as they are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Mask, Row
from ..music.reasons import Reason
from ..music.tokens import HOLD
from .manner import Line
from .midi_events import FileNote

INTERVALS = (0, -12, 12, -24, 24)  # semitones
FEWEST = 6  # notes of a run; a shorter melody has to be doubled whole
FEWEST_PITCHES = 3
NEAR = 1 / 16  # quarter notes between the onsets
_DRUMS = 9


@dataclass(frozen=True)
class Double:
    """A line that plays the melody in unison or octaves. `track` counts from 0."""

    track: int
    interval: int  # semitones above the melody
    line: Line

    @property
    def measures(self) -> int:
        """How many measures of the melody it doubles."""
        return sum(row is not None for row in self.line.melody.rows)

    def rows(self, rows: Sequence[Row | None]) -> list[Row | None]:
        """The rows of the melody in the measures that are doubled."""
        own = self.line.melody.rows
        return [row if mine is not None else None for row, mine in zip(rows, own, strict=True)]


def doubles_of(
    line: Line, tracks: Sequence[Sequence[FileNote]], own: int, ticks_per_quarter: int
) -> tuple[Double, ...]:
    """The doubles of a melody in these tracks, one of which, `own`, is the melody's."""
    taken = {note.on for note in line.notes}
    found = []
    for index, notes in enumerate(tracks):
        by_channel: dict[int, dict[int, list[FileNote]]] = defaultdict(lambda: defaultdict(list))
        for note in notes:
            if note.channel != _DRUMS and note.end > note.start and (index != own or note.on not in taken):
                by_channel[note.channel][note.pitch].append(note)
        for by_pitch in by_channel.values():
            for interval in INTERVALS:
                double = _double(line, by_pitch, interval, ticks_per_quarter)
                if double is not None:
                    found.append(Double(index, interval, double))
    return tuple(found)


def _double(line: Line, by_pitch: dict[int, list[FileNote]], interval: int, tpq: int) -> Line | None:
    matches = [_nearest(by_pitch.get(note.pitch + interval, []), note.start, NEAR * tpq) for note in line.notes]
    in_run = _runs(line.notes, matches)
    if not in_run.any():
        return None
    measure, tick = line.placements.measure, line.placements.tick
    whole = [
        bar.tokens is not None and bool((measure == i).any()) and bool(in_run[measure == i].all())
        for i, bar in enumerate(line.melody.bars)
    ]
    for i, bar in enumerate(line.melody.bars):
        if bar.tokens is not None and bar.tokens[0] == HOLD and (i == 0 or not whole[i - 1]):
            whole[i] = False  # a note rings in from a measure that is not doubled
    bars = tuple(
        bar if doubled else replace(bar, tokens=None, reason=bar.reason or Reason.NOT_DOUBLED)
        for bar, doubled in zip(line.melody.bars, whole, strict=True)
    )
    at = np.flatnonzero(np.array(whole)[measure] & (tick >= 0))
    if len(at) == 0:
        return None
    notes = [match for i in at.tolist() if (match := matches[i]) is not None]
    late = np.array([note.start - line.notes[i].start for note, i in zip(notes, at.tolist(), strict=True)])
    placements = replace(
        line.placements, measure=measure[at], tick=tick[at], deviation=line.placements.deviation[at] + late
    )
    return Line(notes, replace(line.melody, bars=bars, shift=line.melody.shift - interval), placements)


def _nearest(notes: Sequence[FileNote], start: int, near: float) -> FileNote | None:
    at = bisect_left(notes, start, key=lambda note: note.start)
    best = min(notes[max(at - 1, 0) : at + 1], key=lambda note: abs(note.start - start), default=None)
    return best if best is not None and abs(best.start - start) <= near else None


def _runs(notes: Sequence[FileNote], matches: Sequence[FileNote | None]) -> Mask:
    """(n,) which notes of the melody are doubled in a long run."""
    found = np.zeros(len(notes), dtype=np.bool_)
    first = 0
    for i in range(len(notes) + 1):
        if i < len(notes) and matches[i] is not None:
            continue
        run = notes[first:i]
        if len(run) >= min(FEWEST, len(notes)) and len({note.pitch for note in run}) >= FEWEST_PITCHES:
            found[first:i] = True
        first = i + 1
    return found
