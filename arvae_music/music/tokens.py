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
from functools import lru_cache

import numpy as np

from ..arrays import Array, Float64s, Ints, Mask, Row
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
START = VOCABULARY  # to a decoder, the token before the first


# Krumhansl & Kessler (1982), the probe-tone profiles, from the tonic upwards.
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
DIATONIC = (0, 2, 4, 5, 7, 9, 11)  # pitch classes of C major: normalised melodies are in C/a
PROFILE = 0.1  # what a correlation with a key profile counts beside a share of the notes
SIGNATURE_DOUBT = 0.12  # of the notes: a signature with so many more outside its scale is not believed


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


def choose_shift(pitches: Iterable[int], weights: Iterable[float], fifths: int | None) -> int:
    """Semitones to add so that the key is C/a and the weighted median lies nearest CENTRE.

    `fifths` is the key signature's (sharps positive). It is believed unless the notes fit another diatonic
    scale far better (many programs write C major by default); without one the key is estimated.
    """
    pitch = np.fromiter(pitches, dtype=np.int64)
    weight = np.fromiter(weights, dtype=np.float64)
    if len(pitch) == 0:
        return 0
    fifths = believed_fifths(pitch, weight, fifths)
    to_c = (-7 * fifths) % 12
    order = np.argsort(pitch, kind="stable")
    total = np.cumsum(weight[order])
    median = int(pitch[order][np.searchsorted(total, total[-1] / 2)])
    octaves = (CENTRE - median - to_c + 6) // 12  # round() would take halves up or down by the octave
    return to_c + 12 * octaves


def believed_fifths(pitch: Ints, weight: Float64s, fifths: int | None) -> int:
    """The key signature to normalise by: the given one unless the notes contradict it, else the estimate."""
    if len(pitch) == 0:
        return fifths or 0
    # Seen from the first note, so that a tie (tritones, whole tones) falls alike in every transposition.
    first = int(pitch[0])
    classes = np.bincount((pitch - first) % 12, weights=weight, minlength=12).astype(np.float64)
    estimate = estimate_fifths(classes)
    absolute = (estimate + 7 * first + 5) % 12 - 5
    if fifths is None:
        return absolute
    total = max(float(classes.sum()), 1e-9)
    doubt = (_inside(classes, estimate) - _inside(classes, fifths - 7 * first)) / total
    return absolute if doubt > SIGNATURE_DOUBT else fifths


def _inside(classes: Float64s, fifths: int) -> float:
    """How much of a pitch-class distribution lies in the diatonic scale of a key signature."""
    return float(sum(classes[(c + 7 * fifths) % 12] for c in DIATONIC))


def estimate_fifths(classes: Float64s) -> int:
    """(12,) weights of pitch classes -> key signature in -5 .. 6: of its scale's share of the notes, and PROFILE times
    the correlation with a key profile of it (Krumhansl & Schmuckler 1990), the largest sum.

    A profile alone prefers a scale whose tonic is heard much to one that has all the notes: it finds the signature of
    .61 of the Bach sopranos and .86 of the folk tunes, this .75 and .92.
    """
    signatures, profiles = _profiles()
    centred = classes - classes.mean()
    scores = profiles @ (centred / max(float(np.sqrt(centred @ centred)), 1e-12))
    shares = np.array([_inside(classes, fifths) for fifths in signatures]) / max(float(classes.sum()), 1e-9)
    return signatures[int(np.round(shares + PROFILE * scores, 12).argmax())]  # of equal ones the first


@lru_cache(maxsize=1)
def _profiles() -> tuple[tuple[int, ...], Float64s]:
    """The key signatures, major and minor by turns, and (24, 12) their profiles, standardised."""
    signatures, profiles = [], []
    for fifths in range(-5, 7):
        tonic = 7 * fifths % 12
        for profile, at in ((_MAJOR, tonic), (_MINOR, (tonic - 3) % 12)):
            signatures.append(fifths)
            profiles.append(np.roll(np.array(profile), at))
    table = np.stack(profiles)
    centred = table - table.mean(axis=1, keepdims=True)
    return tuple(signatures), centred / np.sqrt((centred**2).sum(axis=1, keepdims=True))
