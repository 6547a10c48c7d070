"""Figures of phrase and line: what a musician sees at once in the score of an edit.

Each function returns pairs of numbers (a sum, and by what it is divided), so that tables can add them over tunes:

    kept_silence      pickups whose silence stays silence
    kept_final        whether the last note of the tune is the same note in the same place
    kept_ends         the same for the last notes of phrases
    wide_leaps        intervals above a major sixth, for each note
    loose_leaps       leaps above a fifth that nothing resolves, for each note
    off_grid          onsets in places that the rest of the tune does not use, for each note
    accidentals       notes outside the key, for each note
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from arvae_music.music.keys import in_key
from arvae_music.music.melody import Melody
from arvae_music.music.meter import TICKS_PER_BEAT, Meter
from arvae_music.music.tokens import FIRST_PITCH, REST, onsets

from .events import SILENCE, events_of

MAJOR_SIXTH = 9  # semitones
FIFTH = 7
PHRASE = 8  # measures: the usual phrase, where the source marks no ends


class Share(NamedTuple):
    sum: float
    of: float


Row = npt.NDArray[np.int16]
Place = tuple[int, int]  # index of the measure, tick


def last_note(melody: Melody) -> Place | None:
    """Where the last note begins."""
    for index in range(len(melody.bars) - 1, -1, -1):
        tokens = melody.bars[index].tokens
        if tokens is not None and onsets(tokens).any():
            return index, int(np.flatnonzero(onsets(tokens))[-1])
    return None


def usual_ends(melody: Melody) -> list[Place]:
    """The last notes of every eighth measure, for tunes whose source marks no phrases. The last note of the tune is not
    among them."""
    found, final = [], last_note(melody)
    for index, bar in enumerate(melody.bars):
        if bar.number > 0 and bar.number % PHRASE == 0 and bar.tokens is not None and onsets(bar.tokens).any():
            found.append((index, int(np.flatnonzero(onsets(bar.tokens))[-1])))
    return [place for place in found if place != final]


def kept_silence(before: Melody, after: Melody) -> Share:
    """1 of 1 if nothing begins in the silence before a pickup; of 0 for a tune that begins on its barline."""
    row, new = before.bars[0].tokens, after.bars[0].tokens
    if row is None or new is None or row[0] != REST or not onsets(row).any():
        return Share(0, 0)
    start = int(np.flatnonzero(onsets(row))[0])
    return Share(float(not onsets(new)[:start].any()), 1)


def kept_final(before: Melody, after: Melody) -> Share:
    place = last_note(before)
    return Share(0, 0) if place is None else kept_ends(before, after, [place])


def kept_ends(before: Melody, after: Melody, ends: Iterable[Place]) -> Share:
    """How many of the notes at `ends` are kept: the same pitch begins in the same place, and nothing follows in its
    measure that did not follow before."""
    kept = count = 0
    for index, tick in ends:
        row, new = before.bars[index].tokens, after.bars[index].tokens
        if row is None or new is None:
            continue
        count += 1
        kept += bool(row[tick] == new[tick] and (onsets(row)[tick:] >= onsets(new)[tick:]).all())
    return Share(kept, count)


def _line(melody: Melody) -> list[list[int]]:
    """The pitches of the notes, apart wherever a rest or a gap separates them."""
    events = events_of(melody)
    found: list[list[int]] = []
    fresh = True
    for pitch, first in zip(events.pitch.tolist(), events.first.tolist(), strict=True):
        if pitch == SILENCE:
            fresh = True
            continue
        if fresh or first:
            found.append([])
        found[-1].append(pitch)
        fresh = False
    return found


def wide_leaps(melody: Melody) -> Share:
    lines = _line(melody)
    return Share(sum(int((np.abs(np.diff(line)) > MAJOR_SIXTH).sum()) for line in lines), sum(map(len, lines)))


def loose_leaps(melody: Melody) -> Share:
    """A leap is resolved if the next other pitch lies in the opposite direction, at most a fifth away."""
    loose = 0
    lines = _line(melody)
    for line in lines:
        steps = [step for step in np.diff(line).tolist() if step]
        for step, following in pairwise([*steps, 0]):
            loose += abs(step) > FIFTH and not (step * following < 0 and abs(following) <= FIFTH)
    return Share(loose, sum(map(len, lines)))


def off_grid(before: Melody, after: Melody) -> Share:
    """Onsets on sixteenths off the eighths, or on thirds of a beat, in measures of a tune that has no such onset in any
    of its other measures. Pass the same melody twice for the figure before the edit."""
    own = {index: _subdivisions(row, meter) for index, row, meter in _readable(before)}
    uses = np.sum([counts > 0 for counts in own.values()], axis=0) if own else np.zeros(2)
    strange = notes = 0
    for index, row, meter in _readable(after):
        elsewhere = uses - (own[index] > 0)
        strange += int(_subdivisions(row, meter)[elsewhere == 0].sum())
        notes += int(onsets(row).sum())
    return Share(strange, notes)


def _readable(melody: Melody) -> Iterator[tuple[int, Row, Meter]]:
    for index, bar in enumerate(melody.bars):
        if bar.tokens is not None and bar.meter is not None:
            yield index, bar.tokens, bar.meter


def _subdivisions(row: Row, meter: Meter) -> npt.NDArray[np.int64]:
    """The onsets on the second and fourth sixteenths of a beat (of a compound one: off its eighths), and on its
    thirds."""
    beats = onsets(row).reshape(-1, TICKS_PER_BEAT)
    if meter.compound:
        return np.array([beats[:, 1::2].sum(), 0])
    return np.array([beats[:, [1, 5]].sum(), beats[:, [2, 4]].sum()])


def accidentals(melody: Melody) -> Share:
    rows = [bar.tokens for bar in melody.bars if bar.tokens is not None]
    tokens = np.concatenate([row[row >= FIRST_PITCH] for row in rows]) if rows else np.zeros(0, dtype=np.int16)
    return Share(float((~in_key(tokens)).sum()), len(tokens))
