"""What a classifier sees of a measure: its own notes, and how they join the measures before and after.

The features were chosen from what gave edits away in experiments: zigzags and leaps inside the measure, its rhythm, one
note thrown out of line, more notes than the neighbours have, a register of its own, and steps over the barlines.

    features(triples)   -> (n, f) numbers; NAMES has the f names
    INSIDE              which of them see the measure alone
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from arvae_music.music.keys import in_key
from arvae_music.music.meter import TICKS_PER_BEAT, Meter
from arvae_music.music.tokens import FIRST_PITCH, HOLD, REST, ends_in, onsets

from .events import places
from .matching import Triple

Floats = npt.NDArray[np.float64]

MOST = 36  # ticks of the longest meter
INSIDE_NAMES = (
    "meter", "first pitch", "first degree", "last degree", "mean above first", "mean interval", "largest interval",
    "first interval", "last interval", "turns", "zigzags", "repeats", "steps", "thirds", "fourths and fifths", "leaps",
    "unreturned leaps", "runs", "arpeggios", "chromatic steps", "different pitches", "outside the key",
    "place of the highest", "place of the lowest", "deviation of the outermost", "first onset", "last onset", "longest",
    "shortest", "different lengths", "dotted", "snapped", "equal beats", "rests", "silence", "held over",
    "second sixteenths", "first thirds", "eighths", "second thirds", "fourth sixteenths", "mixed beats",
    *(f"onset at tick {tick}" for tick in range(MOST)),
)  # fmt: skip
_SIDE_NAMES = (
    "more notes", "higher", "wider", "above its top", "below its bottom", "common onsets", "new pitches",
    "more off the eighths", "barline", "barline, size", "barline against the last interval", "same contour",
)  # fmt: skip
CONTEXT_NAMES = (
    *(f"{name}, {side}" for side in ("before", "after") for name in _SIDE_NAMES),
    "more notes than both", "higher than both", "notes of the two", "outside both", "barlines together",
)  # fmt: skip
NAMES = (*INSIDE_NAMES, *CONTEXT_NAMES)
INSIDE = np.arange(len(NAMES)) < len(INSIDE_NAMES)


def features(some: Sequence[Triple]) -> Floats:
    """(n, f) features of measures with their neighbours."""
    found = [_of(t.before.tobytes(), t.row.tobytes(), t.after.tobytes(), t.meter) for t in some]
    return np.stack(found) if found else np.zeros((0, len(NAMES)))


def _beyond(pair: Sequence[float]) -> float:
    """By how much a measure is beyond both neighbours, in the same direction; 0 if it lies between them."""
    return min(pair, key=abs) if pair[0] * pair[1] > 0 else 0.0


@lru_cache(maxsize=1 << 16)
def _of(before: bytes, row: bytes, after: bytes, meter: Meter) -> Floats:
    own = _row(row)
    sides = [_side(own, _row(other), meter, sign) for other, sign in ((before, -1), (after, 1))]
    more, higher = ([side[k] for side in sides] for k in (0, 1))
    both = [
        _beyond(more), _beyond(higher),
        float(onsets(_row(before)).sum() + onsets(_row(after)).sum()),
        float(len(set(_notes(own)) - set(_notes(_row(before))) - set(_notes(_row(after))))),
        sides[0][8] + sides[1][8],
    ]  # fmt: skip
    return np.array([*_inside(row, meter), *sides[0], *sides[1], *both], dtype=np.float64)


def _row(data: bytes) -> npt.NDArray[np.int16]:
    return np.frombuffer(data, dtype=np.int16)


def _notes(row: npt.NDArray[np.int16]) -> list[int]:
    return [int(token) for token in row[row >= FIRST_PITCH]]


@lru_cache(maxsize=1 << 16)
def _inside(data: bytes, meter: Meter) -> tuple[float, ...]:
    row = _row(data)
    started = onsets(row)
    notes = row[started].astype(np.int64)
    pitch = notes if len(notes) else np.zeros(1, dtype=np.int64)
    steps = np.diff(pitch)
    size, moving = np.abs(steps), steps[steps != 0]
    place = np.array(places(meter))
    events = np.flatnonzero(row != HOLD)
    lengths = np.diff(place[np.append(events, len(row))]) if len(events) else place[-1:]
    kinds = row[events] if len(events) else np.array([REST])
    played = lengths[kinds >= FIRST_PITCH] if (kinds >= FIRST_PITCH).any() else lengths
    at = place[np.flatnonzero(started)] / place[-1] if started.any() else np.zeros(1)
    beats = started.reshape(meter.beats, TICKS_PER_BEAT)
    ordered = np.sort(pitch)
    turns = moving[1:] * moving[:-1] < 0
    pairs = list(pairwise(steps.tolist()))
    table = [
        meter.code, pitch[0], (pitch[0] + 9) % 12, (pitch[-1] + 9) % 12, pitch.mean() - pitch[0],
        size.mean() if len(size) else 0, size.max(initial=0), steps[0] if len(steps) else 0,
        steps[-1] if len(steps) else 0, turns.sum(), _zigzags(pitch), (size == 0).sum(),
        ((size > 0) & (size < 3)).sum(), ((size > 2) & (size < 5)).sum(), ((size > 4) & (size < 8)).sum(),
        (size > 7).sum(), sum(abs(a) > 7 and not -8 < b * np.sign(a) < 0 for a, b in pairs),
        sum(0 < abs(a) < 3 and 0 < abs(b) < 3 and a * b > 0 for a, b in pairs),
        sum(2 < abs(a) < 6 and 2 < abs(b) < 6 and a * b > 0 for a, b in pairs),
        sum(abs(a) == 1 and abs(b) == 1 for a, b in pairs), len(set(pitch.tolist())),
        (~in_key(notes)).sum() if len(notes) else 0, at[pitch.argmax() if len(notes) else 0],
        at[pitch.argmin() if len(notes) else 0], max(ordered[-1] - ordered[-2:][0], ordered[:2][-1] - ordered[0]),
        at[0], at[-1], played.max(), played.min(), len(set(played.tolist())),
        sum(a == 3 * b for a, b in pairwise(lengths.tolist())), sum(3 * a == b for a, b in pairwise(lengths.tolist())),
        len({tuple(beat) for beat in beats.tolist()}), (row == REST).sum(), lengths[kinds == REST].sum(),
        row[0] == HOLD, *beats[:, 1:].sum(axis=0),
        (beats[:, [2, 4]].any(axis=1) & beats[:, [1, 3, 5]].any(axis=1)).sum(),
    ]  # fmt: skip
    bits = np.zeros(MOST)
    bits[: len(row)] = started
    return (*(float(value) for value in table), *bits.tolist())


def _zigzags(pitch: npt.NDArray[np.int64]) -> int:
    """How often a note returns to the pitch before the last one: D E D E D has three."""
    return int(((pitch[2:] == pitch[:-2]) & (pitch[1:-1] != pitch[:-2])).sum())


def _side(own: npt.NDArray[np.int16], other: npt.NDArray[np.int16], meter: Meter, sign: int) -> list[float]:
    """The features of one neighbour: the one before (sign -1) or after (1)."""
    mine, theirs = _notes(own) or [0], _notes(other) or [0]
    started, there = onsets(own), onsets(other)
    either = (started | there).sum()
    first, last = (theirs, mine) if sign < 0 else (mine, theirs)
    barline = last[0] - first[-1]
    if sign < 0 and own[0] == HOLD and ends_in(other[None])[0] == theirs[-1]:
        barline = 0  # the note is held over
    inner = float(np.diff(mine)[0 if sign < 0 else -1]) if len(mine) > 1 else 0.0
    off = [_off_the_eighths(row, meter) for row in (started, there)]
    return [
        float(started.sum() - there.sum()), float(np.mean(mine) - np.mean(theirs)),
        float(np.ptp(mine) - np.ptp(theirs)), float(max(mine) - max(theirs)), float(min(theirs) - min(mine)),
        float((started & there).sum() / max(either, 1)), float(len(set(mine) - set(theirs))), float(off[0] - off[1]),
        float(barline), float(abs(barline)), float(barline * np.sign(inner)),
        float(np.sign(mine[-1] - mine[0]) * np.sign(theirs[-1] - theirs[0])),
    ]  # fmt: skip


def _off_the_eighths(started: npt.NDArray[np.bool_], meter: Meter) -> int:
    beats = started.reshape(meter.beats, TICKS_PER_BEAT)
    return int(beats[:, [1, 3, 5] if meter.compound else [1, 2, 4, 5]].sum())
