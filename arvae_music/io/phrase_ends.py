"""The ends of phrases that a score marks by fermatas."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..music.melody import Bar, Melody
from ..music.tokens import onsets


def with_phrase_ends(melody: Melody, ends: Sequence[int], ticks_per_quarter: int) -> Melody:
    """The melody with the last notes of its phrases marked. `ends` are the ticks of the file at which these notes end,
    in order."""
    return replace(melody, bars=tuple(_closed(bar, ends, ticks_per_quarter) for bar in melody.bars)) if ends else melody


def _closed(bar: Bar, ends: Sequence[int], ticks_per_quarter: int) -> Bar:
    if bar.tokens is None or bar.meter is None:
        return bar
    closing = np.zeros(len(bar.tokens), dtype=np.bool_)
    length = float(bar.meter.quarters * ticks_per_quarter)
    for end in ends[bisect_right(ends, bar.start) : bisect_right(ends, bar.end)]:
        until = round((end - bar.start) / length * len(closing))
        begun = np.flatnonzero(onsets(bar.tokens[:until]))
        if len(begun):
            closing[begun[-1] : until] = True
    return replace(bar, closing=closing) if closing.any() else bar
