"""The notes of a song that are not the melody: the accompaniment, as arrays.

    song.others        an `Accompaniment`; for instance the harmony under the melody can be read from it

Drums are included. They are on channel DRUMS (10).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from ..arrays import Ints
from .midi_events import HIGHEST_DATA, PROGRAM, Event, FileNote

DEFAULT_PROGRAM = 0  # of a channel without a program change: a piano, as in General MIDI


class Accompaniment(NamedTuple):
    """Notes (n,), sorted by start, then pitch. Times are in ticks of the file."""

    start: Ints
    end: Ints
    pitch: Ints  # MIDI
    channel: Ints  # 1 to 16
    program: Ints  # General MIDI, 0 to 127, in force where the note begins


def accompaniment_of(
    tracks: Sequence[Sequence[Event]], notes: Sequence[Sequence[FileNote]], melody: Collection[tuple[int, int]]
) -> Accompaniment:
    """All notes of some tracks without the melody's, which are given by (index of the track, index of the note-on)."""
    programs = programs_of(tracks)
    taken = frozenset(melody)
    found = [
        (note.start, note.end, note.pitch, note.channel + 1, program_at(programs.get(note.channel, []), note.start))
        for index, of_track in enumerate(notes)
        for note in of_track
        if (index, note.on) not in taken
    ]
    table = np.array(found, dtype=np.int64).reshape(-1, 5)
    return Accompaniment(*table[np.lexsort((table[:, 2], table[:, 0]))].T)


def programs_of(tracks: Sequence[Sequence[Event]]) -> dict[int, list[tuple[int, int]]]:
    """From each channel to its program changes (tick, program) in all tracks, in order."""
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for events in tracks:
        for event in events:
            if event.kind == PROGRAM and event.data[1] <= HIGHEST_DATA:
                found[event.channel].append((event.tick, event.data[1]))
    return {channel: sorted(changes, key=lambda change: change[0]) for channel, changes in found.items()}


def program_at(changes: Sequence[tuple[int, int]], tick: int) -> int:
    after = bisect_right(changes, tick, key=lambda change: change[0])
    return changes[after - 1][1] if after else DEFAULT_PROGRAM
