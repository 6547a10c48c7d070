"""Keys: find the key of a melody from its notes and its key signature, and tell which tokens lie in the key.

A key signature is a number of fifths: sharps are positive, flats negative. Melodies are normalised to the signature
without sharps or flats, which C major and A minor share (C/a).

Shapes: n notes or rows, t ticks, g groups (distinct measures), v vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from ..arrays import Array, Float64s, Ints, Mask, Row, Rows
from .tokens import CENTRE, FIRST_PITCH, LOWEST, VOCABULARY, onsets

OCTAVE = 12  # semitones
MOST_STEPS = 3  # the largest number of scale steps by which an exploration transposes a run of notes
_LETTERS = "FCGDAEB"  # in the order of fifths
MAJOR_KEYS = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")  # from seven flats

# Krumhansl & Kessler (1982), the probe-tone profiles, from the tonic upwards.
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
DIATONIC = (0, 2, 4, 5, 7, 9, 11)  # pitch classes of C major: normalised melodies are in C/a
PROFILE = 0.1  # the weight of the correlation with a key profile; the share of notes in the scale has weight 1
LAST_NOTE = 0.25  # the weight of the last note, as a share of all notes: melodies end on the tonic
SIGNATURE_DOUBT = 0.12  # a signature is wrong if the share of notes in the estimated scale is larger by this much


def choose_shift(pitches: Iterable[int], weights: Iterable[float], fifths: int | None) -> int:
    """The semitones to add so that the key becomes C/a and the median pitch, weighted by duration, lies nearest CENTRE.

    `fifths` is the key signature. It is used unless the notes fit another diatonic scale far better, because many
    programs write C major by default. Without a signature, the key is estimated.
    """
    pitch = np.fromiter(pitches, dtype=np.int64)
    weight = np.fromiter(weights, dtype=np.float64)
    if len(pitch) == 0:
        return 0
    return shift_from(pitch, weight, believed_fifths(pitch, weight, fifths))


def shift_from(pitch: Ints, weight: Float64s, fifths: int) -> int:
    """(n,) MIDI pitches and durations -> the semitones to add, as in `choose_shift`, so that a key becomes C/a."""
    if len(pitch) == 0:
        return 0
    to_c = (-7 * fifths) % 12
    order = np.argsort(pitch, kind="stable")
    total = np.cumsum(weight[order])
    median = int(pitch[order][np.searchsorted(total, total[-1] / 2)])
    octaves = (CENTRE - median - to_c + 6) // 12  # round() would round halves to even octaves
    return to_c + 12 * octaves


def believed_fifths(pitch: Ints, weight: Float64s, fifths: int | None) -> int:
    """(n,) MIDI pitches and durations -> the key signature to normalise by. It is the given one, or the estimate if
    none is given or the notes contradict it."""
    if len(pitch) == 0:
        return fifths or 0
    # Pitch classes are counted from the first note, so that every transposition of an ambiguous melody (tritones, whole
    # tones) gets the same result.
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
    """The weight of the pitch classes (12,) that lie in the diatonic scale of a key signature."""
    return float(sum(classes[(c + 7 * fifths) % 12] for c in DIATONIC))


def estimate_fifths(classes: Float64s) -> int:
    """(12,) weights of pitch classes -> the most likely key signature, from -5 to 6.

    The score of a signature is the share of the notes that lie in its scale, plus PROFILE times the correlation with a
    key profile of it (Krumhansl & Schmuckler 1990). A profile alone prefers a scale whose tonic is frequent to a scale
    that contains all the notes. It finds the signature of 0.61 of the Bach sopranos and 0.86 of the folk tunes; this
    score finds 0.75 and 0.92.
    """
    signatures, profiles = _profiles()
    centred = classes - classes.mean()
    scores = profiles @ (centred / max(float(np.sqrt(centred @ centred)), 1e-12))
    shares = np.array([_inside(classes, fifths) for fifths in signatures]) / max(float(classes.sum()), 1e-9)
    return signatures[int(np.round(shares + PROFILE * scores, 12).argmax())]  # the first of equal scores


@lru_cache(maxsize=1)
def _profiles() -> tuple[tuple[int, ...], Float64s]:
    """The signatures of the 24 keys, major and minor in turn, and their standardised profiles (24, 12)."""
    signatures, profiles = [], []
    for fifths in range(-5, 7):
        tonic = 7 * fifths % 12
        for profile, at in ((_MAJOR, tonic), (_MINOR, (tonic - 3) % 12)):
            signatures.append(fifths)
            profiles.append(np.roll(np.array(profile), at))
    table = np.stack(profiles)
    centred = table - table.mean(axis=1, keepdims=True)
    return tuple(signatures), centred / np.sqrt((centred**2).sum(axis=1, keepdims=True))


def is_minor(rows: Sequence[Row]) -> bool:
    """Whether a normalised melody, the tokens of its measures in order, is in A minor rather than in C major.

    The key profiles decide, by the number of onsets of each pitch class; the last note counts as LAST_NOTE of them.
    """
    pitches = np.concatenate([row[onsets(row)] for row in rows]) if rows else np.zeros(0, dtype=np.int64)
    if not len(pitches):
        return False
    classes = pitch_class(pitches)
    weights = np.bincount(classes, minlength=12) / len(classes)
    weights[classes[-1]] += LAST_NOTE
    centred = weights - weights.mean()
    signatures, profiles = _profiles()
    major = signatures.index(0)  # the minor key follows
    scores = profiles[major : major + 2] @ centred
    return bool(scores[1] > scores[0])


def in_key(tokens: Array, fifths: Ints | int = 0) -> Mask:
    """Whether each token is a pitch of the key; False for HOLD and REST. Same shape as `tokens`.

    `fifths` is the key relative to the melody's: 0 is C/a. It is one number, or one for each row of `tokens` (n, t).
    """
    key = np.asarray(fifths) % OCTAVE
    found: Mask = _IN_KEYS[key[:, None] if key.ndim else key, tokens]
    return found


def pitch_class(tokens: Array) -> Array:
    """The pitch classes of pitch tokens: semitones above C in the normalised melody. Same shape as `tokens`."""
    return (tokens - FIRST_PITCH + LOWEST) % OCTAVE


_EVERY = np.arange(VOCABULARY)
_IN_KEYS = np.stack(
    [(_EVERY >= FIRST_PITCH) & np.isin((pitch_class(_EVERY) - 7 * key) % OCTAVE, DIATONIC) for key in range(OCTAVE)]
)  # (12, v) by the fifths of the key, from C/a


def pitch_name(pitch: int, fifths: int = 0) -> str:
    """The name of a MIDI pitch in a key, such as `F#4` or `Bb3`; 60 is C4. `fifths` is the key signature.

    Notes outside the key get the spelling that is nearest on the line of fifths: in C major, these are Eb, Bb, F#, C#
    and G#.
    """
    letter, accidental, octave = spelled(pitch, fifths)
    return f"{letter}{_sign(accidental)}{octave}"


def spelled(pitch: int, fifths: int = 0) -> tuple[str, int, int]:
    """The letter, the accidental (sharps are positive) and the octave of `pitch_name`: ("F", 1, 4) for F#4."""
    letter, accidental = _spelling(pitch, fifths)
    return letter, accidental, (pitch - accidental) // 12 - 1


def class_name(pitch: int, fifths: int = 0) -> str:
    """The name of a pitch class in a key, such as `F#`. It is spelled as `pitch_name` spells it."""
    letter, accidental = _spelling(pitch, fifths)
    return letter + _sign(accidental)


def fifth_of(pitch: int, fifths: int = 0) -> int:
    """The place of a pitch class on the line of fifths, from C, in the spelling that suits a key."""
    return next(p for p in range(fifths - 3, fifths + 9) if 7 * p % 12 == pitch % 12)


def _spelling(pitch: int, fifths: int) -> tuple[str, int]:
    """The letter of a pitch, and its accidental: sharps are positive."""
    fifth = fifth_of(pitch, fifths)
    return _LETTERS[(fifth + 1) % 7], (fifth + 1) // 7


def _sign(accidental: int) -> str:
    return "#" * accidental if accidental > 0 else "b" * -accidental


@lru_cache(maxsize=1)
def scale_steps() -> Rows:
    """(v, 2 MOST_STEPS + 1): for each token, the tokens that lie -MOST_STEPS to MOST_STEPS scale steps away. The first
    step of a note outside the scale leads to the nearest note of the scale in that direction."""
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
    """The compass of a melody: the lowest and the highest pitch token of its measures. None stands for a measure that
    arvae cannot read. Without notes, both are FIRST_PITCH."""
    pitches = [token for row in rows if row is not None for token in row[onsets(row)].tolist()]
    return min(pitches, default=FIRST_PITCH), max(pitches, default=FIRST_PITCH)


def pitches_for(rows: Rows, lowest: int, highest: int, fifths: Ints | int = 0) -> Mask:
    """(g, t) measures and a compass of tokens -> (g, v) the pitches that a new version of each measure may have: the
    notes of the key within the compass, and the pitches that the measure has already. `fifths` is the key of all
    measures or of each one (g,), relative to the melody's."""
    tokens = np.arange(VOCABULARY)
    every = np.broadcast_to(tokens, (len(rows), VOCABULARY))
    inside = in_key(every, fifths) & (tokens >= lowest) & (tokens <= highest)
    present = (rows[:, :, None] == tokens).any(axis=1) & (tokens >= FIRST_PITCH)
    result: Mask = inside | present
    return result
