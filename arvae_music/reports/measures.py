"""The measures of a melody as plain data: notes by name, tokens, attributes, and why one cannot be edited."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..music.attributes import AttributeSpec, evaluate
from ..music.keys import pitch_name
from ..music.melody import Melody


def bars(melody: Melody, specs: Sequence[AttributeSpec]) -> list[dict[str, Any]]:
    """Every measure: its notes by name, its tokens and attributes, or the reason why it cannot be edited."""
    names, values, chords = note_names(melody), attribute_values(melody, specs), melody.chords
    return [
        {
            "number": bar.number,
            "meter": bar.signature,
            "chords": chords[i],
            "notes": names[i],
            "tokens": bar.tokens,
            "attributes": values.get(i),
            "reason": bar.why,
        }
        for i, bar in enumerate(melody.bars)
    ]


def note_names(melody: Melody) -> list[list[str]]:
    """The notes of every measure; one tied over from the measure before stands in parentheses."""
    names: list[list[str]] = [[] for _ in melody.bars]
    for note in melody.notes:
        name = pitch_name(note.pitch, melody.key_at(note.measure))
        names[note.measure].append(name)
        for later in range(note.measure + 1, note.end_measure + 1):
            if later < note.end_measure or note.end_tick > 0:
                names[later].insert(0, f"({name})")
    return names


def attribute_values(melody: Melody, specs: Sequence[AttributeSpec]) -> dict[int, dict[str, float]]:
    """Index of an editable measure -> its attributes, in their units."""
    found: dict[int, dict[str, float]] = {}
    for meter, at, rows in melody.by_meter():
        table = evaluate(specs, rows, meter) / np.array([spec.unit.size(meter) for spec in specs])
        for i, line in zip(at, table.tolist(), strict=True):
            found[i] = {spec.name: round(value, 6) for spec, value in zip(specs, line, strict=True)}
    return found
