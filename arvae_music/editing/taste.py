"""Counts of what few musicians would write. cost.py prices what a candidate has more of than its original.

Shapes: n rows of one meter, t ticks.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Ints, Mask, Rows
from ..music.keys import DIATONIC, OCTAVE, pitch_class
from ..music.meter import TICKS_PER_BEAT, Meter
from ..music.tokens import FIRST_PITCH, HOLD, VOCABULARY

ALTERED = {1: 0, 3: 2, 6: 5, 8: 7, 10: 11}  # pitch classes outside the key (C/a), and what they are altered from
STAMP = 1 << VOCABULARY.bit_length()  # tick * STAMP + token: both in one number
SHARP_LEAP = 9  # semitones: a larger interval inside a measure is a leap out of nowhere


def crooked(rows: Rows, meter: Meter) -> Ints:
    """(n, t) -> (n,) how many beats mix thirds with quarters."""
    if meter.compound:
        return np.zeros(len(rows), dtype=np.int64)
    events = np.ascontiguousarray((rows != HOLD).T).reshape(meter.beats, TICKS_PER_BEAT, len(rows))
    thirds, quarters = events[:, 2] | events[:, 4], events[:, 1] | events[:, 3] | events[:, 5]
    count: Ints = (thirds & quarters).sum(axis=0)
    return count


def fitting(rows: Rows) -> Mask:
    """(n, t) -> (n, v) the pitches that a new note may have in each measure and sound as if it belonged there.

    They are the key's, in any octave, without those that the measure alters (F where it has F sharp) and has not
    besides: the one beside the other sounds wrong, and the altered one would be a second note outside the key.
    """
    every = np.arange(VOCABULARY)
    own = np.zeros((len(rows), OCTAVE), dtype=np.bool_)
    at, tick = np.nonzero(rows >= FIRST_PITCH)
    own[at, pitch_class(rows[at, tick])] = True
    altered = np.zeros_like(own)
    for raised, natural in ALTERED.items():
        altered[:, natural] = own[:, raised]
    diatonic = np.isin(np.arange(OCTAVE), DIATONIC)
    fits: Mask = (diatonic & ~(altered & ~own))[:, pitch_class(every)] & (every >= FIRST_PITCH)
    return fits


def largest_leap(rows: Rows) -> Ints:
    """(n, t) -> (n,) semitones between successive notes, at most."""
    latest = np.zeros(len(rows), dtype=np.int64)
    largest = np.zeros(len(rows), dtype=np.int64)
    for column in rows.T.astype(np.int64):
        starts = column >= FIRST_PITCH
        largest = np.where(starts & (latest > 0), np.maximum(largest, np.abs(column - latest)), largest)
        latest = np.where(starts, column, latest)
    return largest


def leaps(rows: Rows) -> Ints:
    """(n, t) -> (n,) semitones beyond SHARP_LEAP, over all intervals between successive notes."""
    before, here = _before(rows, rows >= FIRST_PITCH), rows[:, 1:]
    beyond = np.maximum(np.abs(here - before) - SHARP_LEAP, 0) * ((here >= FIRST_PITCH) & (before > 0))
    total: Ints = beyond.sum(axis=1)
    return total


def repeats(rows: Rows) -> Ints:
    """(n, t) -> (n,) how many notes have the pitch of the note before them, in the measure."""
    here = rows[:, 1:]
    count: Ints = ((here == _before(rows, rows != HOLD)) & (here >= FIRST_PITCH)).sum(axis=1)
    return count


def _before(rows: Rows, counted: Mask) -> Rows:
    """(n, t) twice -> (n, t - 1) at each tick but the first, the latest token before it that is counted; 0 for none."""
    ticks = np.arange(0, rows.shape[1] * STAMP, STAMP, dtype=np.int16)
    stamped = (rows + ticks) * counted  # later is larger
    return np.maximum.accumulate(stamped[:, :-1], axis=1) & np.int16(STAMP - 1)
