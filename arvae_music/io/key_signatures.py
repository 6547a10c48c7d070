"""The key signatures of a file, and the key of each of its measures.

    signatures_of(tracks, index, independent)     the key signatures (file tick, fifths) that hold for a track
    keys_of(...)                                  the key of every measure, and the key of the melody

A measure has one key: the signature in force in its middle, because a signature is often written a little after the
barline. The notes of a passage under one signature may contradict it (`keys.believed_fifths`), and then the passage has
the key of its notes. The melody's key is the key of most of its notes. Its tokens are normalised by this one, so that
a change of key is no leap of the register; the measures in other keys carry theirs (`melody.Bar.fifths`).

Fifths count sharps as positive and flats as negative. Shapes: n notes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from ..arrays import Ints
from ..music.keys import MAJOR_KEYS, believed_fifths
from .midi_events import KEY_SIGNATURE, Event, metas

MOST = 7  # sharps or flats
FEWEST_NOTES = 16  # of a passage that may contradict its signature, if the file has more than one

Signatures = Sequence[tuple[float, int]]  # (file tick, fifths), in order


class Keys(NamedTuple):
    """The key of a melody, where it comes from, and the key of each measure."""

    fifths: int
    origin: str
    of_measures: list[int]


def signatures_of(tracks: Sequence[Sequence[Event]], index: int, independent: bool) -> list[tuple[float, int]]:
    """The key signatures of the melody's track, or else of the first other track that has some. If the tracks are
    independent, others do not count. On one tick, the last signature holds."""
    others = [] if independent else [track for i, track in enumerate(tracks) if i != index]
    for events in (tracks[index], *others):
        found = {
            float(event.tick): fifths
            for event in metas(events)
            if (payload := event.meta(KEY_SIGNATURE))
            and -MOST <= (fifths := int.from_bytes(payload[:1], "big", signed=True)) <= MOST
        }
        if found:
            return sorted(found.items())
    return []


def keys_of(signatures: Signatures, middles: Sequence[float], measure: Ints, pitch: Ints, length: Ints) -> Keys:
    """The keys of measures with their `middles` in file ticks. Of the notes, `measure` (n,) is the measure in which
    each begins, `pitch` (n,) the MIDI pitch and `length` (n,) the duration. Without signatures the key is estimated."""
    signed = [_in_force(signatures, middle) for middle in middles]
    passages = [list(group) for _, group in groupby(range(len(signed)), key=lambda i: signed[i])]
    believed: list[int] = []
    share = Counter[int]()
    for passage in passages:
        inside = np.flatnonzero((measure >= passage[0]) & (measure <= passage[-1]))
        written = signed[passage[0]]
        own = written or 0
        if written is None or len(passages) == 1 or len(inside) >= FEWEST_NOTES:
            own = _believed(pitch[inside], length[inside], written)
        believed += [own] * len(passage)
        share[own] += int(length[inside].sum())
    fifths = max(share, key=lambda key: share[key])  # the first of equal ones
    written = signed[believed.index(fifths)]
    origin = "key signature"
    if written is None:
        origin = "estimated"
    elif written != fifths:
        origin = f"estimated against the key signature {MAJOR_KEYS[written + MOST]}"
    return Keys(fifths, origin, believed)


def _in_force(signatures: Signatures, tick: float) -> int | None:
    """The signature in force at a tick; before the first one, the first one; None if there is none."""
    if not signatures:
        return None
    return next((fifths for at, fifths in reversed(signatures) if at <= tick), signatures[0][1])


def _believed(pitch: Ints, length: Ints, written: int | None) -> int:
    """The written signature, or the key of the notes if they contradict it."""
    found = believed_fifths(pitch, length.astype(np.float64), written)
    return written if written is not None and (found - written) % 12 == 0 else found
