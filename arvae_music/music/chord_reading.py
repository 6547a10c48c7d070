"""Find the chords that the other tracks of a song play.

Every beat is described by the pitch classes that sound in it (weighted by their length, by how long ago they were
struck, and by whether they begin on the beat) and by its lowest note. A hidden Markov model reads these beats: its
states are the 12 roots with the QUALITIES, and one state for music without a chord. A chord explains its own tones well
and other tones badly, so passing notes count little; it prefers its root in the bass, and the notes of the key; and it
changes rather on a downbeat than on another beat. An arpeggio, an Alberti bass or a waltz, which give a note or two in
a beat, thus make one chord.

The result has the probability of every pitch class to be a chord tone (the sum over all chords that have it), so that
a doubtful chord forbids little. A measure in which nothing else plays has no harmony.

Left out: drums and sound effects, voices that double the melody in any octave, and the melody's notes in a voice that
plays it above its chords. The melody's own notes on beats count a little: they help where there is no third.

Shapes: n notes, b beats, c chords, t ticks of a measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..arrays import Array, Float64s, Ints, Mask
from .chords import Chord, made, of_quality
from .harmony import BarHarmony, ChordAt, Origin, beats_of
from .keys import DIATONIC, OCTAVE
from .melody import Bar
from .meter import TICKS_PER_BEAT, Meter
from .tokens import HIGHEST_MIDI

# The qualities of chords, with the logarithm of how likely a change leads to one.
QUALITIES = {
    "": 0.0, "m": -0.1, "7": -0.6, "m7": -1.0, "maj7": -1.4, "dim": -1.2, "m7b5": -1.2, "dim7": -1.2, "sus4": -1.4,
    "aug": -2.5,
}  # fmt: skip
PASSING = {"sus4": 0.8, "aug": 0.2, "dim": 0.1}  # nats for each beat: these chords seldom last
NO_CHORD_PRIOR = -2.0
TONE_SHARE = 0.90  # of the notes in a chord that are its tones; the rest is spread over the other pitch classes
ROOT_SHARE, FIFTH_SHARE = 1.15, 0.95  # how often root and fifth are played, relative to the other tones
BASS = {"root": 0.62, "other": 0.09, "outside": 0.012}  # how often the lowest note is the root, another tone, no tone
OUT_OF_KEY = 1.1  # nats for each chord tone outside the key signature
EVIDENCE = 2.0  # how much a note that fills a beat counts
ON_THE_BEAT = 0.5  # how much more a note counts that begins on the beat
DECAY = 6.0  # beats after which a held note counts 1/e
MELODY_WEIGHT = 0.4  # of the melody's notes on beats, against 1 for other notes
MOST_EVIDENCE = 5.0  # the most that the notes of one beat count together
SINGLE = (0.25, 0.6, 1.0)  # how much a beat with one pitch class counts, by strength: it may be a passing note
CHANGES = {"downbeat": 0.5, "half": 0.3, "beat": 0.1}  # how likely the chord changes
DOUBLING = 0.6  # share of a voice's notes that double the melody's, or of the melody's notes that a voice doubles
NOT_TOGETHER = 99  # octaves
EFFECTS = (115, 128)  # General MIDI programs of percussion and sound effects
SNAP = 1 / 8  # quarter notes: notes that begin this near together begin together


@dataclass(frozen=True)
class Notes:
    """Notes of a song, in any order: times in ticks of the file, MIDI pitches, and the voice that plays each."""

    start: Ints  # (n,)
    end: Ints  # (n,)
    pitch: Ints  # (n,)
    voice: Ints  # (n,) equal for notes of one track and channel
    program: Ints  # (n,) General MIDI, from 0

    def take(self, at: Array) -> Notes:
        return Notes(self.start[at], self.end[at], self.pitch[at], self.voice[at], self.program[at])


def read_chords(
    bars: Sequence[Bar], melody: Notes, others: Notes, ticks_per_quarter: int, fifths: int, late: float = 0.0
) -> list[BarHarmony | None]:
    """The harmony of every measure, or None where the other notes are silent or the meter is not supported.

    `fifths` is the key signature, sharps positive. `late` is by how many ticks all notes lie behind the barlines.
    """
    heard = _accompaniment(melody, others, ticks_per_quarter)
    grid = _Beats.of(bars, ticks_per_quarter, late)
    if len(heard.start) == 0 or len(grid.start) == 0:
        return [None] * len(bars)
    accompaniment = _evidence(grid, heard)
    single = (accompaniment > 0).sum(axis=1) == 1
    accompaniment *= np.where(single, np.array(SINGLE)[grid.strength], 1.0)[:, None]
    evidence = accompaniment + MELODY_WEIGHT * _evidence(grid, melody, struck=True)
    states = _posterior(_emissions(evidence, _bass(grid, heard), grid.strength), grid, fifths)
    return [_harmony(bar, i, grid, states, heard, ticks_per_quarter, late) for i, bar in enumerate(bars)]


# ------------------------------------------------------------------------------------ the accompaniment


def _accompaniment(melody: Notes, others: Notes, tpq: int) -> Notes:
    """The other notes, without sound effects and doublings of the melody."""
    others = others.take((others.program < EFFECTS[0]) | (others.program >= EFFECTS[1]))
    if len(others.start) == 0 or len(melody.start) == 0:
        return others
    octaves = _octaves_above(melody, others, round(SNAP * tpq))
    _, voice = np.unique(others.voice, return_inverse=True)
    doubling, near = octaves < NOT_TOGETHER, np.abs(octaves) <= 1
    whole = np.bincount(voice, doubling) >= DOUBLING * np.bincount(voice)
    # Such a voice plays chords, and the melody above them.
    part = np.bincount(voice, near) >= DOUBLING * len(np.unique(melody.start))
    return others.take(~(whole[voice] | (part[voice] & near)))


def _octaves_above(melody: Notes, others: Notes, near: int) -> Ints:
    """(n,) how many octaves each note lies above the melody's note that begins with it; NOT_TOGETHER for no such
    note, and for one in another pitch class."""
    order = np.argsort(melody.start, kind="stable")
    start, pitch = melody.start[order], melody.pitch[order]
    at = np.clip(np.searchsorted(start, others.start - near), 0, len(start) - 1)
    interval = others.pitch - pitch[at]
    together = (np.abs(start[at] - others.start) <= near) & (interval % OCTAVE == 0)
    return np.where(together, interval // OCTAVE, NOT_TOGETHER)


# ------------------------------------------------------------------------------------ beats


@dataclass(frozen=True)
class _Beats:
    """The beats of all measures in a meter that the grid supports."""

    start: Float64s  # (b,) in ticks of the file
    length: Float64s  # (b,)
    bar: Ints  # (b,) the index of its measure
    beat: Ints  # (b,) its number in the measure, from 0
    strength: Ints  # (b,) 2 for a downbeat, 1 for a half measure, 0 for other beats

    @classmethod
    def of(cls, bars: Sequence[Bar], tpq: int, late: float) -> _Beats:
        rows: list[tuple[float, float, int, int, int]] = []
        for i, bar in enumerate(bars):
            if bar.meter is None:
                continue
            half = bar.meter.beats // 2 if bar.meter.beats % 2 == 0 and bar.meter.beats > 2 else -1
            origin = _origin(bar, bar.meter, tpq) + late
            length = float(bar.meter.beat_quarters) * tpq
            for n in range(bar.meter.beats):
                at = origin + n * length
                if bar.start - 1 <= at - late and at - late < bar.end - 1:
                    rows.append((at, length, i, n, 2 if n == 0 else 1 if n == half else 0))
        table = np.array(rows).reshape(-1, 5)
        start, length_of = table[:, 0], table[:, 1]
        bar_of, beat, strength = table[:, 2:].astype(np.int64).T
        return cls(start, length_of, bar_of, beat, strength)


def _origin(bar: Bar, meter: Meter, tpq: int) -> float:
    """Where the measure would begin if it were complete: a pickup is the end of a measure."""
    full = float(meter.quarters) * tpq
    return bar.end - full if bar.number == 0 and bar.end - bar.start < full else float(bar.start)


def _evidence(grid: _Beats, notes: Notes, struck: bool = False) -> Float64s:
    """(b, 12) how much of each pitch class sounds in each beat. `struck` counts only notes that begin on a beat."""
    note, beat = _pairs(grid, notes)
    start, end = notes.start[note], notes.end[note]
    length = grid.length[beat]
    begin = grid.start[beat]
    overlap = (np.minimum(end, begin + length) - np.maximum(start, begin)) / length
    on_beat = np.abs(start - begin) < length * SNAP
    age = np.maximum(begin - start, 0) / length
    weight = EVIDENCE * np.sqrt(np.clip(overlap, 0, 1)) * np.exp(-age / DECAY) * (1 + ON_THE_BEAT * on_beat)
    weight *= overlap > SNAP  # a legato note that rings into the beat is not part of it
    if struck:
        weight = weight * on_beat
    cell = beat * OCTAVE + notes.pitch[note] % OCTAVE
    table = np.bincount(cell, weight, minlength=len(grid.start) * OCTAVE).reshape(-1, OCTAVE)
    total = table.sum(axis=1, keepdims=True)
    scaled: Float64s = table * np.minimum(1.0, MOST_EVIDENCE / np.maximum(total, 1e-9))
    return scaled


def _pairs(grid: _Beats, notes: Notes) -> tuple[Ints, Ints]:
    """All pairs of a note and a beat in which it sounds, as two arrays of indices."""
    first = np.maximum(np.searchsorted(grid.start, notes.start, "right") - 1, 0)
    count = np.maximum(np.searchsorted(grid.start, notes.end, "left") - first, 0)
    note = np.repeat(np.arange(len(count)), count)
    beat = first[note] + np.arange(len(note)) - np.repeat(np.cumsum(count) - count, count)
    inside = notes.start[note] < (grid.start + grid.length)[beat]  # there may be a gap after the beat
    return note[inside], beat[inside]


def _bass(grid: _Beats, notes: Notes) -> Ints:
    """(b,) the pitch class of the lowest note that begins or sounds in the first half of each beat; -1 for none."""
    note, beat = _pairs(grid, notes)
    begin, length = grid.start[beat], grid.length[beat]
    early = (notes.start[note] < begin + length / 2) & (notes.end[note] > begin + length * SNAP)
    note, beat = note[early], beat[early]
    lowest = np.full(len(grid.start), 999)
    np.minimum.at(lowest, beat, notes.pitch[note])
    return np.where(lowest < 999, lowest % OCTAVE, -1)


# ------------------------------------------------------------------------------------ chords


@lru_cache(maxsize=1)
def _chords() -> tuple[Chord, ...]:
    return tuple(made(root, quality, of_quality(quality)) for root in range(OCTAVE) for quality in QUALITIES)


@lru_cache(maxsize=1)
def _members() -> Mask:
    """(c + 1, 12) the tones of the chords. The last row is the state without a chord, to which all belong."""
    rows = [np.isin(np.arange(OCTAVE), sorted(chord.classes)) for chord in _chords()]
    return np.stack([*rows, np.ones(OCTAVE, dtype=np.bool_)])


@lru_cache(maxsize=1)
def _note_model() -> tuple[Float64s, Float64s]:
    """Log-probabilities (12, c + 1) of a note, and (12, c + 1) of the lowest note, given the chord."""
    members, chords = _members(), _chords()
    notes, basses = [], []
    for chord, own in zip(chords, members[:-1], strict=True):
        assert chord.root is not None
        share = own.astype(np.float64)
        share[chord.root] = ROOT_SHARE
        share[(chord.root + 7) % OCTAVE] *= FIFTH_SHARE
        notes.append(TONE_SHARE * share / share.sum() + (1 - TONE_SHARE) * ~own / (~own).sum())
        bass = np.where(own, BASS["other"], BASS["outside"])
        bass[chord.root] = BASS["root"]
        basses.append(bass / bass.sum())
    even = np.full(OCTAVE, 1 / OCTAVE)
    return np.log(np.stack([*notes, even])).T, np.log(np.stack([*basses, even])).T


def _emissions(evidence: Float64s, bass: Ints, strength: Ints) -> Float64s:
    """(b, c + 1) the log-probability of the notes of each beat, given each chord."""
    note, lowest = _note_model()
    weight = np.array([0.3, 0.6, 1.0])[strength] * (bass >= 0)  # a walking bass has its root on the strong beats
    passing = [PASSING.get(chord.quality, 0.0) for chord in _chords()]
    found: Float64s = evidence @ note + weight[:, None] * lowest[bass] - np.array([*passing, 0.0])
    return found


def _prior(fifths: int) -> Float64s:
    """(c + 1,) how likely a change leads to each chord, in a key."""
    scale = np.isin(np.arange(OCTAVE), [(tone + 7 * fifths) % OCTAVE for tone in DIATONIC])
    outside = (_members()[:-1] & ~scale).sum(axis=1)
    nats = np.array([prior for _ in range(OCTAVE) for prior in QUALITIES.values()]) - OUT_OF_KEY * outside
    weight = np.exp(np.append(nats, NO_CHORD_PRIOR))
    share: Float64s = weight / weight.sum()
    return share


def _posterior(emissions: Float64s, grid: _Beats, fifths: int) -> Float64s:
    """(b, c + 1) the probability of each chord in each beat, given all beats (the forward-backward algorithm)."""
    likely = np.exp(emissions - emissions.max(axis=1, keepdims=True))
    prior = _prior(fifths)
    change = np.array([CHANGES["beat"], CHANGES["half"], CHANGES["downbeat"]])[grid.strength].tolist()
    ahead, behind = np.empty_like(likely), np.empty_like(likely)
    state = prior
    for b, p in enumerate(change):
        state = ((1 - p) * state + p * prior) * likely[b]  # `state` sums to 1
        state /= state.sum()
        ahead[b] = state
    state = np.ones_like(prior)
    for b in range(len(change) - 1, -1, -1):
        behind[b] = state
        after = state * likely[b]
        state = (1 - change[b]) * after + change[b] * float(prior @ after)
        state /= state.sum()
    both = ahead * behind
    result: Float64s = both / both.sum(axis=1, keepdims=True)
    return result


# ------------------------------------------------------------------------------------ measures


def _harmony(
    bar: Bar, index: int, grid: _Beats, states: Float64s, heard: Notes, tpq: int, late: float
) -> BarHarmony | None:
    meter, slack = bar.meter, SNAP * tpq
    sounds = (heard.start < bar.end + late - slack) & (heard.end > bar.start + late + slack)
    if meter is None or not sounds.any():
        return None
    at = np.flatnonzero(grid.bar == index)
    tones = np.ones((meter.ticks, OCTAVE), dtype=np.float32)
    chords: list[ChordAt] = []
    for b, beat in zip(at.tolist(), grid.beat[at].tolist(), strict=True):
        best = int(states[b].argmax())
        chord = _chords()[best] if best < len(_chords()) else None
        if not chords or chord != chords[-1][1]:
            chords.append((beats_of(meter)[beat] if chords else beats_of(meter)[0], chord))
        tones[beat * TICKS_PER_BEAT : (beat + 1) * TICKS_PER_BEAT] = states[b] @ _members()
    return BarHarmony(tuple(chords), tones, _classes(sounding(bar, heard, tpq, late)), Origin.TRACKS)


def sounding(bar: Bar, notes: Notes, tpq: int, late: float = 0.0) -> Mask:
    """(t, 128) the pitches that sound at each tick: notes that fill half of the sixteenth after it."""
    meter = bar.meter
    assert meter is not None
    window = float(meter.beat_quarters) * tpq / (6 if meter.compound else 4)
    ticks = _origin(bar, meter, tpq) + late + np.array([float(at) * tpq for at in meter.tick_quarters[:-1]])
    near = (notes.start < ticks[-1] + window) & (notes.end > ticks[0])
    start, end, pitch = notes.start[near], notes.end[near], notes.pitch[near]
    overlap = np.minimum(end, ticks[:, None] + window) - np.maximum(start, ticks[:, None])
    filled = (overlap >= window / 2) | (np.abs(start - ticks[:, None]) <= window / 4)
    found: Mask = np.zeros((meter.ticks, HIGHEST_MIDI + 1), dtype=np.bool_)
    tick, note = np.nonzero(filled)
    found[tick, pitch[note]] = True
    return found


def _classes(pitches: Mask) -> Mask:
    """(t, 128) pitches -> (t, 12) their pitch classes."""
    found: Mask = np.stack([pitches[:, pitch_class::OCTAVE].any(axis=1) for pitch_class in range(OCTAVE)], axis=1)
    return found
