"""Tempi that are words. The speeds are music21's defaults (music21.tempo.defaultTempoValues, BSD licence)."""

from __future__ import annotations

import re

_SPEEDS = {  # quarter notes per minute
    "larghissimo": 16, "largamente": 32, "grave": 40, "molto adagio": 40, "largo": 46, "lento": 52, "adagio": 56,
    "slow": 56, "langsam": 56, "larghetto": 60, "adagietto": 66, "andante": 72, "andantino": 80,
    "andante moderato": 83, "maestoso": 88, "moderato": 92, "moderate": 92, "allegretto": 108, "animato": 120,
    "allegro moderato": 128, "allegro": 132, "fast": 132, "schnell": 132, "allegrissimo": 140, "molto allegro": 144,
    "très vite": 144, "vivace": 160, "vivacissimo": 168, "presto": 184, "prestissimo": 208,
}  # fmt: skip


def tempo_of_words(text: str) -> float | None:
    """The speed of "Allegro ma non troppo", in quarter notes per minute; None if the text names no tempo."""
    said = " ".join(re.findall(r"[^\W\d_]+", text.casefold()))
    known = [words for words in _SPEEDS if re.match(rf"{words}\b", said)]
    return float(_SPEEDS[max(known, key=len)]) if known else None
