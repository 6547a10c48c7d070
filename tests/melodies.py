"""Melodies to edit and vary."""

from __future__ import annotations

from midi_files import FOUR, row

from arvae_music.arrays import Row
from arvae_music.music.melody import Bar, Melody
from arvae_music.music.reasons import Reason


def melody_of(rows: list[Row | None], name: str = "tune") -> Melody:
    bars = [
        Bar(i + 1, "4/4", 1920 * i, 1920 * (i + 1), FOUR, r, None if r is not None else Reason.TWO_AT_ONCE)
        for i, r in enumerate(rows)
    ]
    return Melody(name, tuple(bars), 0, 0)


EIGHT = melody_of(
    [
        row(FOUR, t0=67, t6=69, t12=71, t18=72),
        row(FOUR, t0=74, t6=72, t12=71, t15=69, t18=71),
        row(FOUR, t0=72, t6=74, t12=76, t18=74),
        row(FOUR, t0=72, t12=71),
        row(FOUR, t0=67, t6=69, t12=71, t18=72),
        row(FOUR, t0=76, t3=74, t6=72, t12=74, t18=71),
        row(FOUR, t0=69, t6=71, t12=72, t15=74, t18=71),
        row(FOUR, t0=72),
    ]
)
