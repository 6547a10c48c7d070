"""What a new file of a song's melody leaves behind: the steps of an interpolation hold one track, on the grid.

    left_behind(song, melody)       the contents of the song's file that such a file does not have, with their counts
    left_behind_line(song, left)    the same as a line of text
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from enum import Enum

from ..io.midi import Song
from ..io.midi_events import BEND, CONTROL, KEY_SIGNATURE, TEMPO
from ..music.melody import Melody

LYRIC = 0x05


class Left(str, Enum):
    """A kind of contents that is left behind."""

    OTHER_NOTES = "notes of other tracks and voices"
    LYRICS = "lyrics"
    TEMPI = "tempo changes"
    KEYS = "key changes"
    CONTROLS = "controllers and pitch bends"
    UNREADABLE = "measures that arvae cannot read"
    NOT_SELECTED = "measures that are not selected"


def left_behind(song: Song, melody: Melody) -> dict[Left, int]:
    """How much of each kind of contents is in the song's file and not in a file of `melody`, which is the song's melody
    in full measures, or a selection of them."""
    events = [event for track in song.tracks for event in track]
    whole = song.whole().bars
    unreadable, selected = sum(bar.tokens is None for bar in whole), sum(bar.tokens is None for bar in melody.bars)
    counts = {
        Left.OTHER_NOTES: len(song.others.start) + sum(len(double.line.notes) for double in song.doubles),
        Left.LYRICS: sum(event.meta(LYRIC) is not None for event in events),
        Left.TEMPI: _changes([(event.tick, payload) for event in events if (payload := event.meta(TEMPO))]),
        Left.KEYS: _changes([(event.tick, payload) for event in events if (payload := event.meta(KEY_SIGNATURE))]),
        Left.CONTROLS: sum(event.kind in (BEND, CONTROL) for event in events),
        Left.UNREADABLE: unreadable,
        Left.NOT_SELECTED: len(whole) - unreadable - len(melody.bars) + selected,
    }
    return {kind: count for kind, count in counts.items() if count > 0}


def _changes(values: list[tuple[int, bytes]]) -> int:
    """How often a value changes after the first, whichever tracks the events are in."""
    found = sorted(dict(values).items())
    return sum(one[1] != other[1] for one, other in itertools.pairwise(found))


def left_behind_line(song: Song, left: Mapping[Left, int]) -> str:
    """One line of text; "" if nothing is left behind."""
    parts = [f"{kind.value} ({count})" for kind, count in left.items()]
    return f"{song.name}: the steps leave behind {', '.join(parts)}" if parts else ""
