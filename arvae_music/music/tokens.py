"""Tokens: a measure is written as a row of integers, one for each tick of its meter.

    HOLD     nothing starts at this tick; the note or the rest continues. At tick 0, a note is tied over the barline
    REST     a rest starts; a measure that opens with silence opens with REST
    pitch    a note of this pitch starts; `token_of` and `pitch_of` convert between tokens and MIDI pitches

Pitches are normalised before they become tokens. The melody is transposed to the key signature without sharps or
flats (C major, A minor, D Dorian) and by octaves, so that its median pitch, weighted by duration, lies near `CENTRE`.
`keys.choose_shift` finds this transposition: one number of semitones for the whole melody, called `shift`, with
normalised pitch = sounding pitch + shift. It is stored beside the tokens and undone exactly when notes are written.
Melodies of every key and register thus share one model, which needs no transposed copies in training.

`cut` turns timed notes into tokens, for scores and for MIDI files alike; `notes_of` is its inverse. `cut` never
changes a note to make it fit: a measure that the grid cannot represent gets no tokens, and a reason instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..arrays import Array, Ints, Mask, Row, Rows
from .meter import Meter
from .reasons import Reason

HOLD = 0
REST = 1
FIRST_PITCH = 2  # the token of LOWEST
CENTRE = 71  # MIDI pitch; the median of soprano and fiddle melodies that are transposed to C major or A minor
SPAN = 24  # semitones above and below CENTRE: two octaves each way hold all melodies of the corpora
LOWEST = CENTRE - SPAN
HIGHEST = CENTRE + SPAN
HIGHEST_MIDI = 127
OCTAVE = 12  # semitones
VOCABULARY = FIRST_PITCH + HIGHEST - LOWEST + 1  # the number of tokens
PAD = -1  # fills a packed row after the last tick of its meter
VOCABULARY_FACTS = {
    "hold": HOLD, "rest": REST, "first_pitch": FIRST_PITCH, "centre": CENTRE, "span": SPAN, "size": VOCABULARY,
}  # stored in each checkpoint: a model with another vocabulary is refused  # fmt: skip
START = VOCABULARY  # the token that a decoder gets in front of the first tick


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
    """True where a note starts; same shape as `rows`."""
    return rows >= FIRST_PITCH


def sounding(rows: Array, entering: Array | None = None) -> Ints:
    """(n, ticks) tokens -> (n, ticks) the pitch token or REST that sounds during each tick.

    `entering` (n,) is the token that sounds when the measure begins; rows that open with HOLD need it. Without
    `entering`, these rows keep HOLD up to their first event, because the row alone does not tell what is held.
    """
    during = np.array(rows, dtype=np.int64, order="F")
    current = np.full(len(rows), HOLD, dtype=np.int64) if entering is None else np.asarray(entering)
    for column in during.T:
        column += current * (column == HOLD)  # HOLD is 0: this replaces it
        current = column
    return during


@dataclass(frozen=True)
class Timed:
    """A note in time: start and end in quarter notes from the start of the piece, and its MIDI pitch."""

    start: Fraction
    end: Fraction
    pitch: int


@dataclass(frozen=True)
class Cut:
    """What `cut` made of a measure: its (meter.ticks,) tokens, or None and the reason."""

    tokens: Row | None
    reason: Reason | None = None


def cut(notes: Sequence[Timed], start: Fraction, meter: Meter, shift: int) -> Cut:
    """The tokens of the measure that begins at `start` (in quarter notes from the start of the piece).

    `notes` are sorted by start. Notes outside the measure are ignored, so the caller may pass the whole melody or any
    part that covers the measure. `shift` is added to every pitch. Starts and ends must lie exactly on the grid, so
    MIDI files are quantised first. Overlapping notes count as a chord, so the caller trims legato first.

    The result has a reason instead of tokens for two notes at once, an off-grid rhythm (also a note without length),
    and a pitch out of range.
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
        if note.end <= note.start:  # it fills no tick: the REST after it would overwrite it
            return Cut(None, Reason.OFF_GRID)
        if note.start < previous_end and previous_end > start:
            return Cut(None, Reason.TWO_AT_ONCE)
        if note.start > silent_from and not _place(row, meter, silent_from - start, REST):
            return Cut(None, Reason.OFF_GRID)
        if note.start >= start:
            if not LOWEST <= note.pitch + shift <= HIGHEST:
                return Cut(None, Reason.OUT_OF_RANGE)
            if not _place(row, meter, note.start - start, token_of(note.pitch + shift)):
                return Cut(None, Reason.OFF_GRID)
        silent_from = previous_end = note.end
    if silent_from < end and not _place(row, meter, silent_from - start, REST):
        return Cut(None, Reason.OFF_GRID)
    return Cut(np.array(row, dtype=np.int16))


def _place(row: list[int], meter: Meter, quarters: Fraction, token: int) -> bool:
    """Write `token` at a position after the barline. Returns False if no tick lies there."""
    tick = meter.tick_at.get(quarters)
    if tick is None:
        return False
    row[tick] = token
    return True


@dataclass(frozen=True)
class TokenNote:
    """A note of a melody in tokens: it sounds from (measure, tick) to (end_measure, end_tick).

    `measure` counts from 0. `pitch` is the sounding MIDI pitch. A note that ends on a barline has the meter's number
    of ticks as its `end_tick`.
    """

    measure: int
    tick: int
    pitch: int
    end_measure: int
    end_tick: int


def notes_of(rows: Sequence[Row | None], shift: int) -> list[TokenNote]:
    """The notes of consecutive measures, which is the inverse of `cut`. A measure without tokens is None.

    A note continues through HOLDs, also over barlines, until the next pitch, REST or measure without tokens. A HOLD
    at tick 0 after such a measure, or at the start of the melody, continues a note that no token stands for; it is
    ignored. A pitch that MIDI does not have becomes its nearest octave.
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
            current = (m, tick, _in_midi(pitch_of(token) - shift)) if token >= FIRST_PITCH else None
    if current is not None:
        notes.append(TokenNote(*current, len(rows) - 1, len(_row(rows[-1]))))
    return notes


def playable(shift: int) -> tuple[int, int]:
    """The lowest and the highest token whose sounding pitch, its own less `shift`, is a MIDI pitch."""
    lowest, highest = max(LOWEST, shift), min(HIGHEST, HIGHEST_MIDI + shift)
    return lowest - LOWEST + FIRST_PITCH, highest - LOWEST + FIRST_PITCH


def _in_midi(pitch: int) -> int:
    """The pitch, or its nearest octave that MIDI has."""
    return pitch % OCTAVE if pitch < 0 else pitch - OCTAVE * -(-max(pitch - HIGHEST_MIDI, 0) // OCTAVE)


def _row(row: Row | None) -> Row:
    assert row is not None  # a note sounds on only from a measure that has tokens
    return row


def ends_in(rows: Array) -> Ints:
    """(n, ticks) tokens -> (n,) the pitch token or REST that sounds at the end, or HOLD for a measure of HOLDs only."""
    events = rows != HOLD
    ticks = rows.shape[1]
    last = ticks - 1 - events[:, ::-1].argmax(axis=1)
    token = rows[np.arange(len(rows)), last].astype(np.int64)
    return np.where(events.any(axis=1), token, HOLD)


def pack(rows: Sequence[Array], meters: Sequence[Meter], width: int) -> Rows:
    """Rows of any meters as one (n, 1 + width) array: the meter's code, its tokens, then PAD up to the width.

    `width` is at least the number of ticks of the longest meter, for example MAX_TICKS.
    """
    inputs = np.full((len(rows), 1 + width), PAD, dtype=np.int16)
    for i, (row, meter) in enumerate(zip(rows, meters, strict=True)):
        inputs[i, 0] = meter.code
        inputs[i, 1 : 1 + meter.ticks] = row
    return inputs


def by_meter(inputs: Array) -> Iterable[tuple[Meter, Ints]]:
    """Each meter that occurs in packed inputs (see `pack`), with the (m,) indices of its rows."""
    for code in np.unique(inputs[:, 0]).tolist():
        yield Meter.from_code(code), np.flatnonzero(inputs[:, 0] == code)
