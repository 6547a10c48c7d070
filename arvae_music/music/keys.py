"""Keys: finding one from notes and a signature, and which tokens lie in it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from ..arrays import Array, Float64s, Ints, Mask, Row, Rows
from .tokens import CENTRE, FIRST_PITCH, LOWEST, VOCABULARY, onsets

OCTAVE = 12  # semitones
MOST_STEPS = 3  # of the scale, that a run goes up or down
_LETTERS = "FCGDAEB"  # in the order of fifths
MAJOR_KEYS = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")  # from seven flats

# Krumhansl & Kessler (1982), the probe-tone profiles, from the tonic upwards.
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
DIATONIC = (0, 2, 4, 5, 7, 9, 11)  # pitch classes of C major: normalised melodies are in C/a
PROFILE = 0.1  # what a correlation with a key profile counts beside a share of the notes
SIGNATURE_DOUBT = 0.12  # of the notes: a signature with so many more outside its scale is not believed


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


def in_key(tokens: Array) -> Mask:
    """Whether a pitch token lies in the key; False for HOLD and REST."""
    return _IN_KEY.take(tokens)


def pitch_class(tokens: Array) -> Array:
    """Of pitch tokens: semitones above C, in a normalised melody."""
    return (tokens - FIRST_PITCH + LOWEST) % OCTAVE


_EVERY = np.arange(VOCABULARY)
_IN_KEY = (_EVERY >= FIRST_PITCH) & np.isin(pitch_class(_EVERY), DIATONIC)


def pitch_name(pitch: int, fifths: int = 0) -> str:
    """A MIDI pitch as people write it in a key (60 is C4): `F#4`, `Bb3`. `fifths` is the key signature.

    The key's own notes, and outside it the accidentals nearest on the line of fifths: in C, Eb to G#.
    """
    place = next(p for p in range(fifths - 3, fifths + 9) if 7 * p % 12 == pitch % 12)
    accidental = (place + 1) // 7  # sharps positive
    sign = "#" * accidental if accidental > 0 else "b" * -accidental
    return f"{_LETTERS[(place + 1) % 7]}{sign}{(pitch - accidental) // 12 - 1}"


@lru_cache(maxsize=1)
def scale_steps() -> Rows:
    """(v, 2 MOST_STEPS + 1): the token some steps of the scale away; notes outside it go by semitone pairs."""
    tokens = np.arange(VOCABULARY)
    table = np.repeat(tokens[:, None], 2 * MOST_STEPS + 1, axis=1)
    scale = np.flatnonzero(in_key(tokens))
    for token in range(FIRST_PITCH, VOCABULARY):
        at = int(np.searchsorted(scale, token))
        outside = int(scale[min(at, len(scale) - 1)] != token)
        for steps in range(-MOST_STEPS, MOST_STEPS + 1):
            to = at + steps - (outside if steps > 0 else 0)
            if steps and 0 <= to < len(scale):
                table[token, steps + MOST_STEPS] = scale[to]
    result = table.astype(np.int16)
    result.flags.writeable = False  # cached: every caller shares it
    return result


def compass_of(rows: Iterable[Row | None]) -> tuple[int, int]:
    """The lowest and the highest pitch token of some measures (None for one that cannot be read); the lowest token
    twice where there is no note."""
    pitches = [token for row in rows if row is not None for token in row[onsets(row)].tolist()]
    return min(pitches, default=FIRST_PITCH), max(pitches, default=FIRST_PITCH)


def pitches_for(rows: Rows, lowest: int, highest: int) -> Mask:
    """(g, t) originals and a compass of tokens -> (g, v): the key's notes in it, and what each measure has."""
    tokens = np.arange(VOCABULARY)
    inside = in_key(tokens) & (tokens >= lowest) & (tokens <= highest)
    own = (rows[:, :, None] == tokens).any(axis=1) & (tokens >= FIRST_PITCH)
    result: Mask = inside[None] | own
    return result
