"""From a notated part (arvae_music/io/notation.py) to measures of tokens, by exact fractions.

1. Two measures that a repeat or a double bar splits, and that together fill the time signature exactly, are joined.
   A pickup stays a pickup.
2. The key and the register are normalised (`keys.choose_shift`), and each measure is cut into tokens (`tokens.cut`).

Measures that do not fit the grid stay in the tune as gaps, and are counted by reason; nothing is rounded to fit. An
upbeat is filled with silence in front, and a short last measure with silence at its end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ..arrays import Row
from ..io.notation import Measure, Part, tied
from ..music.keys import believed_fifths, choose_shift, is_minor
from ..music.reasons import Reason
from ..music.tokens import REST, Timed, cut, onsets
from .corpus import Bar, Extracted, Tune, Work

INCOMPLETE = "pickup or incomplete measure"
OVERFULL = "more in the measure than its time signature"
NO_METER = "no time signature"
SILENT = "silent measure"
NO_NOTES = "no notes"


def extract_tune(part: Part, work: Work, title: str) -> Extracted:
    """The measures of a part that fit the grid; `rejected` when there is no note or no such measure."""
    notes = tied(part.sounds)
    if not notes:
        return Extracted(rejected=NO_NOTES)
    pitches = np.array([note.pitch for note in notes], dtype=np.int64)
    lengths = np.array([float(note.end - note.start) for note in notes])
    signed = _fifths(part.measures)
    shift = choose_shift(pitches.tolist(), lengths.tolist(), signed)
    fifths = believed_fifths(pitches, lengths, signed)
    bars = _bars(joined(part.measures), notes, shift, _last_notes(notes, part.phrase_ends or ()))
    return tune_of(work, title, shift, fifths, bars, phrased=part.phrase_ends is not None)


def tune_of(
    work: Work, title: str, shift: int, fifths: int, bars: Sequence[Bar], *, phrased: bool = False
) -> Extracted:
    """The tune of the measures `bars`; `rejected` if none is an example, by the most frequent reason."""
    skips = Counter(bar.left_out for bar in bars if bar.left_out)
    if len(bars) == skips.total():
        return Extracted(rejected=f"no measure fits the grid: mostly {skips.most_common(1)[0][0]}")
    minor = is_minor([bar.tokens for bar in bars if bar.tokens is not None])
    return Extracted(Tune(work.id, title, work.path.name, shift, fifths, tuple(bars), minor, phrased), skips)


def _last_notes(notes: Sequence[Timed], phrase_ends: Iterable[Fraction]) -> list[Fraction]:
    """The starts of the last notes of phrases, in order."""
    starts = [note.start for note in notes]
    found = {bisect_left(starts, end) - 1 for end in phrase_ends}
    return [starts[at] for at in sorted(found) if at >= 0]


def _fifths(measures: Iterable[Measure]) -> int | None:
    """The key signature that is in force for the longest time; None without one."""
    in_force: dict[int | None, Fraction] = {}
    for measure in measures:
        in_force[measure.fifths] = in_force.get(measure.fifths, Fraction(0)) + measure.length
    return max(in_force, key=lambda fifths: in_force[fifths], default=None)


def joined(measures: Iterable[Measure]) -> list[Measure]:
    """The measures with their halves joined, and with numbers.

    Only measures after the first can be halves: a short first one is a pickup. Measures without a printed number are
    counted from 1, or from 0 where the first is a pickup.
    """
    found: list[Measure] = []
    for measure in measures:
        before = found[-1] if len(found) > 1 else None
        if before is not None and _is_other_half(before, measure):
            found[-1] = replace(before, length=before.length + measure.length)
        else:
            found.append(measure)
    first = 0 if found and found[0].meter is not None and not found[0].complete else 1
    return [replace(m, number=n if m.number is None else m.number) for n, m in enumerate(found, first)]


def _is_other_half(before: Measure, measure: Measure) -> bool:
    return (
        not measure.later_ending
        and before.meter is not None
        and before.signature == measure.signature
        and before.length < before.meter.quarters
        and before.length + measure.length == before.meter.quarters
    )


def _bars(
    measures: Sequence[Measure], notes: Sequence[Timed], shift: int, last_notes: Sequence[Fraction]
) -> list[Bar]:
    bars: list[Bar] = []
    first = 0  # of the notes that may still sound in the measure
    for at, measure in enumerate(measures):
        while first < len(notes) and notes[first].end <= measure.start:
            first += 1
        last = first
        while last < len(notes) and notes[last].start < measure.end:
            last += 1
        start, end = measure.start, measure.end
        if at == 0 and measure.meter is not None and not measure.complete:
            start = end - measure.meter.quarters  # an upbeat is the end of a measure
        outer = at in (0, len(measures) - 1)
        tokens, reason = _cut(measure, start, notes[first:last], shift, outer)
        ends = () if tokens is None else _ticks(measure, start, last_notes)
        assert measure.number is not None
        bars.append(Bar(measure.number, measure.meter, tokens, reason, ends))
    return bars


def _cut(
    measure: Measure, start: Fraction, notes: Sequence[Timed], shift: int, outer: bool
) -> tuple[Row | None, str]:
    """The tokens of a measure, or None, and the reason why it is no example, or "".

    An incomplete measure has tokens only if it is an `outer` one, the first or the last.
    """
    if not measure.signature:
        return None, NO_METER
    meter = measure.meter
    if meter is None:
        return None, f"{Reason.UNSUPPORTED} {measure.signature}"
    if measure.length > meter.quarters:
        return None, OVERFULL
    if not measure.complete and not outer:
        return None, INCOMPLETE
    piece = cut(notes, start, meter, shift)
    if not measure.complete:
        return piece.tokens, INCOMPLETE
    if piece.tokens is None:
        return None, str(piece.reason)
    return piece.tokens, SILENT if is_silent(piece.tokens) else ""


def _ticks(measure: Measure, start: Fraction, moments: Sequence[Fraction]) -> tuple[int, ...]:
    """The ticks of the moments that lie in the measure, whose tokens begin at `start`."""
    assert measure.meter is not None
    inside = moments[bisect_left(moments, measure.start) : bisect_left(moments, measure.end)]
    return tuple(measure.meter.tick_at[moment - start] for moment in inside)


def is_silent(tokens: Row) -> bool:
    """Whether nothing sounds in the measure. A note that is held over from the one before counts as sounding."""
    return bool(tokens[0] == REST and not onsets(tokens).any())
