"""Does an edited melody fit the chords that the other tracks of its file play?

The chord at a tick is read from the pitch classes that sound there in the other tracks, drums left out. Three or
more are the chord. One or two are filled up: every note is a chord tone that completes them to a major, minor or
diminished triad. Nothing is read where the other tracks are silent.

    harmony_of(song)   for each measure, (ticks,) sets of pitch classes as bits
    chord_tones        notes on strong beats that are chord tones: of the tune's own notes, or of the new ones
    clashes            notes that begin a semitone beside a sounding pitch class without being chord tones

Strong beats are the first of the measure and, in meters of two or four beats, the half of the measure.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from arvae_music.io.midi import Song
from arvae_music.music.melody import Melody
from arvae_music.music.meter import Meter
from arvae_music.music.tokens import FIRST_PITCH, LOWEST, onsets

from .phrases import Share

Bits = npt.NDArray[np.int64]
DRUMS = 10  # the channel
TRIADS = ((0, 4, 7), (0, 3, 7), (0, 3, 6))
_ALL = [sum(1 << (root + step) % 12 for step in triad) for root in range(12) for triad in TRIADS]


def harmony_of(song: Song) -> list[Bits | None]:
    """For each measure with tokens, the sounding pitch classes of the other tracks at each tick, as bits."""
    others = song.others
    pitched = others.channel != DRUMS
    notes = np.stack([others.start, others.end, others.pitch], axis=1)[pitched]
    found: list[Bits | None] = []
    for bar in song.melody.bars:
        if bar.tokens is None or bar.meter is None:
            found.append(None)
            continue
        # The row of a pickup is a whole measure, whose end is the barline.
        origin = bar.end - float(bar.meter.quarters) * song.ticks_per_quarter
        times = [origin + float(place) * song.ticks_per_quarter for place in bar.meter.tick_quarters[:-1]]
        near = notes[(notes[:, 1] > bar.start) & (notes[:, 0] < bar.end)]
        found.append(np.array([_sounding(near, time) for time in times], dtype=np.int64))
    return found


def _sounding(notes: Bits, time: float) -> int:
    """The pitch classes that sound at a time, in file ticks; a note that begins a little late counts."""
    here = notes[(notes[:, 0] <= time + 2) & (notes[:, 1] > time + 2)]
    return int(np.bitwise_or.reduce(1 << (here[:, 2] % 12))) if len(here) else 0


@lru_cache(maxsize=4096)
def chord_of(sounding: int) -> int:
    """The chord tones, as bits, of the pitch classes that sound; 0 for silence."""
    if sounding == 0 or sounding.bit_count() > 2:
        return sounding
    return sounding | int(np.bitwise_or.reduce([triad for triad in _ALL if triad & sounding == sounding] or [0]))


def _notes(before: Melody, after: Melody, harmony: list[Bits | None], new: bool, strong: bool) -> list[tuple[int, int]]:
    """Pitch class, and the sounding pitch classes, of the notes that begin over chords: all of `after`, or the `new`
    ones alone; with `strong`, those on strong beats."""
    found: list[tuple[int, int]] = []
    for bar, original, sounding in zip(after.bars, before.bars, harmony, strict=True):
        if bar.tokens is None or original.tokens is None or sounding is None or bar.meter is None:
            continue
        here = onsets(bar.tokens) & (sounding > 0)
        if new:
            here &= bar.tokens != original.tokens
        if strong:
            here &= strong_ticks(bar.meter)
        for tick in np.flatnonzero(here).tolist():
            pitch = int(bar.tokens[tick]) - FIRST_PITCH + LOWEST - after.shift
            found.append((pitch % 12, int(sounding[tick])))
    return found


@lru_cache(maxsize=32)
def strong_ticks(meter: Meter) -> npt.NDArray[np.bool_]:
    """(ticks,) the first tick and, in meters of two or four beats, the half of the measure."""
    strong = np.zeros(meter.ticks, dtype=np.bool_)
    strong[0] = True
    if meter.beats in (2, 4):
        strong[meter.ticks // 2] = True
    return strong


def chord_tones(before: Melody, after: Melody, harmony: list[Bits | None], new: bool) -> Share:
    notes = _notes(before, after, harmony, new, strong=True)
    return Share(sum(chord_of(sounding) >> pitch & 1 for pitch, sounding in notes), len(notes))


def clashes(before: Melody, after: Melody, harmony: list[Bits | None], new: bool) -> Share:
    notes = _notes(before, after, harmony, new, strong=False)
    beside = [
        not chord_of(sounding) >> pitch & 1
        and bool(sounding >> (pitch + 1) % 12 & 1 or sounding >> (pitch - 1) % 12 & 1)
        for pitch, sounding in notes
    ]
    return Share(sum(beside), len(notes))
