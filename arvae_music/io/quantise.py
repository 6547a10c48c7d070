"""Turn timed notes into a melody: snap played onsets to the tick grid, measure by measure.

Real files are not on the grid. One common converter writes every onset a tick late, players drift by tens of
milliseconds, and the end of a note depends on its articulation (staccato, legato) more than on its notated length. The
steps are:

1. Barlines are found from the time signatures (`barlines`). `snapping` does steps 2 and 3.
2. Lateness: if the middle half of all onsets is off the grid by about the same amount, the whole file is late by that
   amount, and it is subtracted from all times.
3. Onsets move to the nearest grid tick, which may be the next barline. The grid of a simple beat is duple (0, 1/4, 1/2,
   3/4) or triple (0, 1/3, 2/3), whichever is nearer to all onsets of the beat. If both are about as near, it is triple
   if notes begin on both thirds, and else the grid that prevails in the file, so that a late sixteenth is not read as a
   triplet. A grid with an onset farther than `tolerance` from it gives way to one without. Both grids are combined only
   if each alone is clearly worse. A measure with an onset farther than
   `tolerance` beats from its tick, or with two onsets on one tick, is an "off-grid rhythm". The tolerance is
   EXACT_TOLERANCE if most onsets lie on the grid, so that a quintuplet is not forced onto it, and else
   PLAYED_TOLERANCE.
4. Ends: in a NOTATED file, where nearly all ends lie on the grid, ends stay where they are. In a PLAYED file, players
   cut notes short. So a gap shorter than REST_QUARTERS before the next onset is articulation, and a longer one is a
   rest, which starts on the next eighth, on the next third of a triple beat, or on the next beat if beats are short.
5. Overlaps: an overlap of less than half of the next note, and of less than an eighth, is legato and is cut off. A
   longer one makes every measure that it reaches "two notes at once".

Notes are never forced onto the grid. A measure that does not fit passes through: it has no tokens, but the reason, and
an edit leaves it unchanged. All times are integers in the units of `barlines`. The code is vectorised over the notes,
so that large corpora can be read. `tokens.cut` does the same for one measure of exact notes; the tests compare the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays import Float64s, Ints
from ..music.keys import shift_from
from ..music.melody import Bar, Melody
from ..music.meter import TICKS_PER_BEAT
from ..music.reasons import Reason
from ..music.tokens import FIRST_PITCH, HOLD, LOWEST, REST, VOCABULARY
from .barlines import UNITS, Signature, Span, spans
from .key_signatures import Keys, Signatures, keys_of
from .lines import LEGATO_QUARTERS
from .snapping import (
    COMPOUND,
    COMPOUND_BEAT,
    NO_GRID,
    SIMPLE,
    TRIPLE_TICKS,
    Beats,
    Snapped,
    all_beats,
    lateness,
    nominal_places,
    on_any_tick,
    snap,
    within,
)
from .swing import STRAIGHT, evened, swing_of

NOTATED_SHARE = 0.95  # share of the note ends that must lie on the grid in a notated file
NOTATED_QUARTERS = 1 / 50  # quarter notes between the grid and an end on it; never less than a file tick
REST_QUARTERS = 0.45  # quarter notes: the shortest rest in a played file, slightly less than an eighth
OVERSHOOT_QUARTERS = 1 / 8  # quarter notes that a played note may sound into a rest

_REST_TICKS = (np.array([0, 3, 6]), TRIPLE_TICKS, np.array([0, 2, 4, 6]), np.array([0, 6]))  # the last: short beats


@dataclass(frozen=True)
class Placements:
    """The measure and tick of each note, in the order of the input.

    `measure` indexes the melody's bars. `tick` is -1 in a measure that passes through. `deviation` is how many file
    ticks after its tick a note was played (0 where `tick` is -1). `late` is the lateness of the whole file, which is
    part of every deviation. `notated` is whether note ends lie on the grid. `pickup` is the length of the incomplete
    first measure in quarter notes, 0 if it is complete.
    """

    measure: Ints  # (n,)
    tick: Ints  # (n,)
    deviation: Float64s  # (n,)
    late: float  # file ticks
    notated: bool
    pickup: Fraction
    swing: float = STRAIGHT  # place of the second eighth in the beat, see swing.py


class Problem(NamedTuple):
    """Why a measure passes through, and the beat (from 1) of an off-grid rhythm."""

    reason: Reason
    beat: int | None = None


class _Notes(NamedTuple):
    """The notes (n,) sorted by start; times in units."""

    start: Ints
    end: Ints
    pitch: Ints


def melody_of(
    name: str,
    notes: npt.ArrayLike,
    ticks_per_quarter: int,
    signatures: Sequence[Signature],
    signatures_of_key: Signatures,
    length: int,
    *,
    pickup: Fraction | None = None,
    tolerance: Fraction | None = None,
    damaged_from: int | None = None,
) -> tuple[Melody, Placements]:
    """Make a melody from notes, and return it with the position of each note.

    `notes` (n, 3) are start and end in file ticks, and MIDI pitch. `signatures` are (file tick, numerator,
    denominator). `signatures_of_key` are (file tick, fifths); none estimates the key. The melody covers `length` file
    ticks, and every note. `pickup` is the length of the incomplete measure at the start in quarter notes; None lets
    the time signatures decide. `tolerance` is in beats; None chooses it. Without notes the measures are silent.
    Measures that do not end before the file tick `damaged_from` pass through. Raises InputError for a piece that is too
    long to be music.
    """
    tpq = ticks_per_quarter
    table = np.asarray(notes, dtype=np.int64).reshape(-1, 3)
    order = np.lexsort((table[:, 2], table[:, 0]))
    start, end = table[order, 0] * UNITS, table[order, 1] * UNITS
    played = _Notes(start, np.maximum(end, start + 1), table[order, 2])
    last = max(length * UNITS, int(played.end.max(initial=0)))
    measures = spans(signatures, tpq, last, None if pickup is None else round(pickup * tpq * UNITS), name)
    offset = measures[0].end if measures[0].reason is Reason.PICKUP else 0
    if damaged_from is not None:
        measures = [_damaged(span) if span.end >= damaged_from * UNITS else span for span in measures]
    beats = all_beats(measures, tpq)
    swing = swing_of(start, beats)
    if swing != STRAIGHT:
        start = evened(start, swing, beats)
        played = _Notes(start, np.maximum(evened(played.end, swing, beats), start + 1), played.pitch)
    late, usual = lateness(start, beats)
    limit = usual if tolerance is None else float(tolerance)
    snapped = snap(start - late, beats, limit)
    measures, beats = _trim(measures, beats, snapped, last, offset)
    chords = _chords(played, tpq)
    follower = _followers(played, chords, tpq)
    notated, end_cell = _ends(played.end - late, follower, chords, beats, snapped, limit)
    length_of = played.end - played.start
    middles = [(span.start + span.end) / (2 * UNITS) for span in measures]
    keys = keys_of(signatures_of_key, middles, snapped.span, played.pitch, length_of)
    shift = shift_from(played.pitch, length_of.astype(np.float64), keys.fifths)
    token = played.pitch + shift - LOWEST + FIRST_PITCH
    row = _row(snapped.cell, end_cell, token, beats)
    reasons = _reasons(played, chords, token, measures, beats, snapped, limit)
    melody = Melody(name, _bars(measures, row, reasons, beats, keys), shift, keys.fifths, keys.origin)
    in_order = np.empty_like(order)
    in_order[order] = np.arange(len(order))
    measure, tick, deviation = _places(played.start, reasons, beats, snapped)
    return melody, Placements(
        measure[in_order], tick[in_order], deviation[in_order] / UNITS, late / UNITS, notated,
        Fraction(offset, UNITS * tpq), swing,
    )  # fmt: skip


def _damaged(span: Span) -> Span:
    return replace(span, reason=span.reason or Reason.DAMAGED)


def _trim(measures: list[Span], beats: Beats, snapped: Snapped, last: int, offset: int) -> tuple[list[Span], Beats]:
    """Drop the last measures if no note begins in them and little of the piece lies in them: less than an eighth, or
    than half of a shorter measure."""
    eighth = beats.quarter // 2
    keep = int(snapped.span.max(initial=0))
    for span in measures[keep + 1 :]:
        if last - span.start <= min(eighth, (span.end - span.start) // 2):
            break
        keep += 1
    measures = measures[: keep + 1]
    final = measures[-1]
    if offset and final.reason is None and last < final.end - eighth:
        measures[-1] = replace(final, reason=Reason.INCOMPLETE)
    count = int(np.searchsorted(beats.span, keep, "right"))
    return measures, beats.first(count)


def _ends(
    time: Ints, follower: Ints, chords: Ints, beats: Beats, snapped: Snapped, tolerance: float
) -> tuple[bool, Ints]:
    """Whether the file is notated, and the cell (n,) before which each note ends, at most its `follower`'s cell."""
    following = np.append(snapped.cell, beats.cells)[follower]
    beat, tick, error = on_any_tick(time, beats)
    counted = beats.kind[beat] != NO_GRID
    counted[chords] = counted[chords - 1] = False  # a second voice may be played differently
    near = np.abs(error[counted]) <= max(NOTATED_QUARTERS * beats.quarter, UNITS)
    notated = bool(near.mean() >= NOTATED_SHARE) if len(near) else True
    if not notated:
        nominal = nominal_places(beats, snapped)
        silence = np.append(nominal, _end_of(beats))[follower] - time
        beat, tick = _rests(np.maximum(time - round(OVERSHOOT_QUARTERS * beats.quarter), nominal + 1), beats, snapped)
    barline = np.append(beats.start[1:], np.iinfo(np.int64).max)[beat]
    free = beats.kind[beat] == NO_GRID
    tick = np.where(free, barline - time <= tolerance * beats.quarter, tick)
    end = beats.cell[beat] + tick
    if not notated:
        end = np.where(silence < REST_QUARTERS * beats.quarter, following, end)
    return notated, np.minimum(np.maximum(end, snapped.cell + 1), np.maximum(following, snapped.cell))


def _end_of(beats: Beats) -> int:
    """Where the last beat ends, in units. A beat in a measure that passes through ends where it starts."""
    return int(beats.start[-1]) + (0 if beats.kind[-1] == NO_GRID else int(beats.length[-1]))


def _rests(time: Ints, beats: Beats, snapped: Snapped) -> tuple[Ints, Ints]:
    """Beat and tick of the first position at or after each time where the rest after a played note may start."""
    beat, fraction = within(time, beats)
    ticks = []
    for places, grid in zip(_REST_TICKS, (SIMPLE, SIMPLE, COMPOUND, SIMPLE), strict=True):
        passed = (fraction[:, None] > grid[places]).sum(axis=1)
        ticks.append(places[np.minimum(passed, len(places) - 1)])
    duple, triple, compound, whole = ticks
    which = [beats.short[beat], beats.kind[beat] == COMPOUND_BEAT, snapped.triple[beat]]
    return beat, np.select(which, [whole, compound, triple], duple)


def _row(cell: Ints, end_cell: Ints, token: Ints, beats: Beats) -> Ints:
    """The tokens of all cells. Pitches out of range are not checked here, but in `_reasons`."""
    row = np.full(beats.cells + 1, HOLD)  # one more cell, for rests after the end
    row[end_cell] = REST
    row[cell] = token
    opening = beats.cell[beats.in_span == 0]
    before = np.searchsorted(cell, opening, "right") - 1
    ends = np.maximum.accumulate(end_cell)[before] if len(cell) else opening
    silent = (before < 0) | (ends <= opening)
    row[opening[silent & (row[opening] == HOLD)]] = REST
    return row


def _reasons(
    played: _Notes,
    chords: Ints,
    token: Ints,
    measures: list[Span],
    beats: Beats,
    snapped: Snapped,
    tolerance: float,
) -> list[Problem | None]:
    """The first reason why each measure passes through, or None for a measure that can be read."""
    reasons = [None if span.reason is None else Problem(span.reason) for span in measures]
    span = snapped.span
    reach = _reach(played, chords, beats)
    for first, until in zip(span[chords].tolist(), reach.tolist(), strict=True):
        for i in range(first, until + 1):
            reasons[i] = reasons[i] or Problem(Reason.TWO_AT_ONCE)
    gridded = beats.kind[snapped.beat] != NO_GRID
    twice = np.diff(snapped.cell, prepend=-1) == 0
    for i in np.flatnonzero(gridded & (twice | (snapped.error > tolerance))).tolist():
        beat = int(beats.in_span[snapped.beat[i]]) + 1
        reasons[span[i]] = reasons[span[i]] or Problem(Reason.OFF_GRID, beat)
    for i in np.flatnonzero((token < FIRST_PITCH) | (token >= VOCABULARY)).tolist():
        reasons[span[i]] = reasons[span[i]] or Problem(Reason.OUT_OF_RANGE)
    return reasons


def _chords(played: _Notes, tpq: int) -> Ints:
    """The indices of notes that overlap with an earlier note for longer than legato."""
    before = np.maximum.accumulate(played.end)[:-1]
    start, end = played.start[1:], played.end[1:]
    legato = np.minimum((end - start) / 2, LEGATO_QUARTERS * UNITS * tpq)
    return np.flatnonzero(before - start > legato) + 1


def _followers(played: _Notes, chords: Ints, tpq: int) -> Ints:
    """The index of the note that follows each note: the next one, or in a chord the first that begins near its end."""
    follower = np.arange(1, len(played.start) + 1)
    over = round(OVERSHOOT_QUARTERS * UNITS * tpq)
    held = chords - 1
    follower[held] = np.maximum(np.searchsorted(played.start, played.end[held] - over), chords)
    return follower


def _reach(played: _Notes, chords: Ints, beats: Beats) -> Ints:
    """The index of the last measure in which the notes of each chord sound together."""
    before = np.maximum.accumulate(played.end)[chords - 1]
    both_until = np.minimum(before, played.end[chords])
    beat = np.searchsorted(beats.start, both_until - beats.quarter // 12, "right") - 1  # a twelfth does not count
    return beats.span[np.maximum(beat, 0)]


def _bars(
    measures: list[Span], row: Ints, reasons: list[Problem | None], beats: Beats, keys: Keys
) -> tuple[Bar, ...]:
    opening = beats.cell[beats.in_span == 0].tolist()
    tokens = row.astype(np.int16)
    bars = []
    for span, reason, cell, key in zip(measures, reasons, opening, keys.of_measures, strict=True):
        own = tokens[cell : cell + span.meter.ticks].copy() if reason is None and span.meter else None
        start, end = (round(at / UNITS) for at in (span.start, span.end))
        fifths = None if key == keys.fifths else key
        why, beat = reason or (None, None)
        bars.append(Bar(span.number, span.signature, start, end, span.meter, own, why, beat, fifths=fifths))
    return tuple(bars)


def _places(start: Ints, reasons: list[Problem | None], beats: Beats, snapped: Snapped) -> tuple[Ints, Ints, Float64s]:
    """Measure, tick in the measure, and deviation in units of every note, sorted by start."""
    free = np.array([reason is not None for reason in reasons])[snapped.span]
    tick = snapped.tick + TICKS_PER_BEAT * beats.in_span[snapped.beat]
    deviation = start - nominal_places(beats, snapped)
    return snapped.span, np.where(free, -1, tick), np.where(free, 0.0, deviation)
