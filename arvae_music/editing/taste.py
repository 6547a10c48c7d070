"""Counts of features that few musicians would write, such as sharp leaps. cost.py prices each additional one.

Shapes: n rows of one meter, t ticks.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Ints, Mask, Rows
from ..music.keys import DIATONIC, OCTAVE, pitch_class
from ..music.meter import TICKS_PER_BEAT, Meter
from ..music.tokens import FIRST_PITCH, HOLD, VOCABULARY, onsets

ALTERED = {1: 0, 3: 2, 6: 5, 8: 7, 10: 11}  # pitch class outside C major / A minor -> the note that it alters
STAMP = 1 << VOCABULARY.bit_length()  # tick * STAMP + token holds both in one number
SHARP_LEAP = 9  # semitones; a larger interval inside a measure is a sharp leap


def mixed_beats(rows: Rows, meter: Meter) -> Ints:
    """(n, t) -> (n,) how many beats have onsets both on a third and on a quarter of the beat. 0 in compound meters."""
    if meter.compound:
        return np.zeros(len(rows), dtype=np.int64)
    events = np.ascontiguousarray((rows != HOLD).T).reshape(meter.beats, TICKS_PER_BEAT, len(rows))
    thirds, quarters = events[:, 2] | events[:, 4], events[:, 1] | events[:, 3] | events[:, 5]
    count: Ints = (thirds & quarters).sum(axis=0)
    return count


def newly_crowded(rows: Rows, originals: Rows, meter: Meter) -> Mask:
    """(n, t) rows and the originals that they replace -> (n,) whether a note or rest is new that nobody writes: one of
    a twelfth of a beat, between a quarter and a third of the beat, or one on a thirty-second of a short beat."""
    if meter.halved:
        fine = (1, 3, 5) if meter.compound else (1, 2, 4, 5)
        at = np.isin(np.arange(meter.ticks) % TICKS_PER_BEAT, fine)
        added: Mask = ((rows != HOLD) & (originals == HOLD))[:, at].any(axis=1)
        return added
    if meter.compound:
        return np.zeros(len(rows), dtype=np.bool_)
    events, old = ((some != HOLD).reshape(len(some), meter.beats, TICKS_PER_BEAT) for some in (rows, originals))
    both = events[:, :, [1, 4]] & events[:, :, [2, 5]]
    new: Mask = (both & ~(old[:, :, [1, 4]] & old[:, :, [2, 5]])).any(axis=(1, 2))
    return new


def foreign(rows: Rows, meter: Meter) -> Mask:
    """(n, t) all measures of a tune in one meter -> (t,) the ticks of a kind where no note of the tune starts.

    The kinds are thirds of a beat, and sixteenths that no eighth falls on.
    """
    kinds = ((1, 3, 5),) if meter.compound else ((1, 5), (2, 4))
    started: Mask = np.any(onsets(rows), axis=0)
    place = np.arange(meter.ticks) % TICKS_PER_BEAT
    found = np.zeros(meter.ticks, dtype=np.bool_)
    for kind in kinds:
        of_kind = np.flatnonzero(np.isin(place, kind))
        found[of_kind] = not started[of_kind].any()
    return found


def fitting(rows: Rows, fifths: Ints | None = None) -> Mask:
    """(n, t) -> (n, v) the pitches with which a new note fits each measure. `fifths` (n,) are the keys of the measures,
    relative to the melody's; without it, all are in C/a.

    They are the notes of the key in any octave. If the measure has an altered note (F sharp) and not its natural (F),
    the natural does not fit, because the two sound wrong side by side.
    """
    tokens = np.arange(VOCABULARY)
    present = np.zeros((len(rows), OCTAVE), dtype=np.bool_)
    at, tick = np.nonzero(rows >= FIRST_PITCH)
    up = np.zeros(len(rows), dtype=np.int64) if fifths is None else 7 * fifths  # semitones from C to the key's C
    present[at, (pitch_class(rows[at, tick]) - up[at]) % OCTAVE] = True
    altered = np.zeros_like(present)
    for alteration, natural in ALTERED.items():
        altered[:, natural] = present[:, alteration]
    diatonic = np.isin(np.arange(OCTAVE), DIATONIC)
    classes = (pitch_class(tokens) - up[:, None]) % OCTAVE
    fits: Mask = np.take_along_axis(diatonic & ~(altered & ~present), classes, axis=1) & (tokens >= FIRST_PITCH)
    return fits


def leaps(rows: Rows) -> Ints:
    """(n, t) -> (n,) the semitones beyond SHARP_LEAP, summed over all intervals between successive notes."""
    before, current = _latest_before(rows, rows >= FIRST_PITCH), rows[:, 1:]
    beyond = np.maximum(np.abs(current - before) - SHARP_LEAP, 0) * ((current >= FIRST_PITCH) & (before > 0))
    total: Ints = beyond.sum(axis=1)
    return total


def repeats(rows: Rows) -> Ints:
    """(n, t) -> (n,) how many notes of the measure directly repeat the pitch before them, without a rest between."""
    current = rows[:, 1:]
    count: Ints = ((current == _latest_before(rows, rows != HOLD)) & (current >= FIRST_PITCH)).sum(axis=1)
    return count


def _latest_before(rows: Rows, counted: Mask) -> Rows:
    """(n, t) twice -> (n, t - 1): for each tick after the first, the latest counted token before it; 0 if there is
    none."""
    ticks = np.arange(0, rows.shape[1] * STAMP, STAMP, dtype=np.int16)
    stamped = (rows + ticks) * counted  # later is larger
    return np.maximum.accumulate(stamped[:, :-1], axis=1) & np.int16(STAMP - 1)
