"""Tokens: a measure as a row of integers, one per tick, and back.

    HOLD        nothing starts: the note, or the rest, goes on. At tick 0: a note tied over the barline
    REST        a rest starts (every measure that opens in silence opens with REST)
    pitch       a note of that pitch starts; `token_of` and `pitch_of` convert

Pitches in tokens are NORMALISED: the melody is transposed so that its tonic is C (a in minor, d in Dorian:
the key signature decides), and by octaves so that its duration-weighted median lies near `CENTRE`. The
shift is one number of semitones for a whole melody, kept beside the tokens (`shift` below: normalised =
sounding + shift) and undone exactly on the way out. A piccolo line, a bass line and any key so share one
model, and no transposed copies are needed in training.

`cut` is the one way from timed notes to tokens, for scores and MIDI alike; `notes_of` is its inverse. What
does not fit is never forced: `cut` gives None and the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..arrays import Array, Ints, Mask, Row, Rows
from .meter import Meter

HOLD = 0
REST = 1
FIRST_PITCH = 2  # the token of LOWEST
CENTRE = 71  # MIDI number; the median pitch of a soprano or fiddle tune brought to C/a
SPAN = 24  # semitones on either side of CENTRE: two octaves, wider than any tune's half range
LOWEST = CENTRE - SPAN
HIGHEST = CENTRE + SPAN
VOCABULARY = FIRST_PITCH + HIGHEST - LOWEST + 1  # size
PAD = -1  # fills a row beyond its meter's last tick
VOCABULARY_FACTS = {
    "hold": HOLD, "rest": REST, "first_pitch": FIRST_PITCH, "centre": CENTRE, "span": SPAN, "size": VOCABULARY,
}  # what a checkpoint records, so that a model of another vocabulary is refused  # fmt: skip
START = VOCABULARY  # to a decoder, the token before the first


def token_of(pitch: int) -> int:
    """The token of a normalised MIDI pitch. Raises ValueError outside LOWEST .. HIGHEST."""
    if not LOWEST <= pitch <= HIGHEST:
        raise ValueError(f"normalised pitch {pitch} is outside {LOWEST} .. {HIGHEST}")
    return pitch - LOWEST + FIRST_PITCH


def pitch_of(token: int) -> int:
    """The normalised MIDI pitch of a pitch token."""
    if not FIRST_PITCH <= token < VOCABULARY:
        raise ValueError(f"token {token} is not a pitch")
    return token - FIRST_PITCH + LOWEST


def onsets(rows: Array) -> Mask:
    """Where a note starts: same shape as `rows`."""
    return rows >= FIRST_PITCH


def sounding(rows: Array, entering: Array | None = None) -> Ints:
    """(n, ticks) -> (n, ticks): what sounds DURING each tick: a pitch token, or REST.

    `entering` (n,) is what sounds at the barline, for rows that open with HOLD; without it HOLD stays
    HOLD up to the first event, since the row alone cannot tell.
    """
    during = np.array(rows, dtype=np.int64, order="F")
    current = np.full(len(rows), HOLD, dtype=np.int64) if entering is None else np.asarray(entering)
    for column in during.T:
        column += current * (column == HOLD)  # HOLD is 0: this replaces it
        current = column
    return during


@dataclass(frozen=True)
class Timed:
    """A note in time: quarter notes from the start of the piece, and MIDI pitch. `end` > `start`."""

    start: Fraction
    end: Fraction
    pitch: int


@dataclass(frozen=True)
class Cut:
    """One measure's tokens (meter.ticks,), or None and the reason why it has none."""

    tokens: Row | None
    reason: str | None = None


def cut(notes: Sequence[Timed], start: Fraction, meter: Meter, shift: int) -> Cut:
    """The measure that begins at `start` (in quarter notes), from the notes that sound in it.

    `notes` are sorted by start and lie exactly on the grid (MIDI is snapped beforehand); notes outside the
    measure are ignored, so the whole melody may be passed, or any slice that covers the measure. `shift` is
    added to every pitch. A note that overlaps its successor is a chord: the caller trims legato first.
    """
    end = start + meter.quarters
    row: list[int] = [HOLD] * meter.ticks
    silent_from = start
    previous_end = start
    for note in notes:
        if note.start >= end:
            break
        if note.end <= start and note.start < start:
            continue
        if note.end <= note.start:  # no tick to sound in: the REST after it would take its place
            return Cut(None, "off-grid rhythm")
        if note.start < previous_end and previous_end > start:
            return Cut(None, "two notes at once")
        if note.start > silent_from and not _place(row, meter, silent_from - start, REST):
            return Cut(None, "off-grid rhythm")
        if note.start >= start:
            if not LOWEST <= note.pitch + shift <= HIGHEST:
                return Cut(None, "pitch out of range")
            if not _place(row, meter, note.start - start, token_of(note.pitch + shift)):
                return Cut(None, "off-grid rhythm")
        silent_from = previous_end = note.end
    if silent_from < end and not _place(row, meter, silent_from - start, REST):
        return Cut(None, "off-grid rhythm")
    return Cut(np.array(row, dtype=np.int16))


def _place(row: list[int], meter: Meter, quarters: Fraction, token: int) -> bool:
    tick = meter.tick_at.get(quarters)
    if tick is None:
        return False
    row[tick] = token
    return True


@dataclass(frozen=True)
class TokenNote:
    """A note of a token sequence: from (measure, tick) up to (end_measure, end_tick), MIDI pitch as sounding.

    `end_tick` may equal the meter's tick count: the note then ends on the barline.
    """

    measure: int
    tick: int
    pitch: int
    end_measure: int
    end_tick: int


def notes_of(rows: Sequence[Row | None], shift: int) -> list[TokenNote]:
    """The notes of consecutive measures, None for one without tokens: the inverse of `cut`.

    A note runs on through HOLDs, over barlines too, until a pitch, a REST, or a measure without tokens. A
    HOLD at tick 0 with nothing to tie to (after None, or at the start) is a note that is not ours: skipped.
    """
    notes: list[TokenNote] = []
    current: tuple[int, int, int] | None = None  # measure, tick, pitch
    for m, row in enumerate(rows):
        if row is None:
            if current is not None:
                notes.append(TokenNote(*current, m - 1, len(_row(rows[m - 1]))))
            current = None
            continue
        for tick, token in enumerate(row.tolist()):
            if token == HOLD:
                continue
            if current is not None:
                at_barline = tick == 0 and m > 0
                end = (m - 1, len(_row(rows[m - 1]))) if at_barline else (m, tick)
                notes.append(TokenNote(*current, *end))
            current = (m, tick, pitch_of(token) - shift) if token >= FIRST_PITCH else None
    if current is not None:
        notes.append(TokenNote(*current, len(rows) - 1, len(_row(rows[-1]))))
    return notes


def _row(row: Row | None) -> Row:
    assert row is not None  # a note can only be sounding after a measure with tokens
    return row


def ends_in(rows: Array) -> Ints:
    """(n, t) -> (n,) what sounds at the end: a pitch token, REST, or HOLD where the measure is one tie."""
    events = rows != HOLD
    ticks = rows.shape[1]
    place = ticks - 1 - events[:, ::-1].argmax(axis=1)
    token = rows[np.arange(len(rows)), place].astype(np.int64)
    return np.where(events.any(axis=1), token, HOLD)


def pack(rows: Sequence[Array], meters: Sequence[Meter], width: int) -> Rows:
    """Rows of any meters as one array (n, 1 + width): meter code, then the tokens, then PAD."""
    inputs = np.full((len(rows), 1 + width), PAD, dtype=np.int16)
    for i, (row, meter) in enumerate(zip(rows, meters, strict=True)):
        inputs[i, 0] = meter.code
        inputs[i, 1 : 1 + meter.ticks] = row
    return inputs


def by_meter(inputs: Array) -> Iterable[tuple[Meter, Ints]]:
    """The meters that occur in packed inputs, each with the indices of its rows."""
    for code in np.unique(inputs[:, 0]).tolist():
        yield Meter.from_code(code), np.flatnonzero(inputs[:, 0] == code)
