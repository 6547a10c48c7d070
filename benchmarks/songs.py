"""Songs with known chords: folk songs with made-up accompaniments of several kinds, and Bach's chorales.

Other benchmarks import this module; it is not a program.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import mido
import music21
import numpy as np
from tunes import held_out

from arvae_music.io import abc
from arvae_music.io.midi import Song
from arvae_music.io.notation import Part
from arvae_music.io.scores import read_any
from arvae_music.music.chords import Chord

TPQ = 480
Note = tuple[Fraction, Fraction, int]  # start, end in quarter notes, MIDI pitch
Span = tuple[Fraction, Fraction, Chord, Chord]  # start, end, the chord, the next chord


@dataclass(frozen=True)
class Tune:
    """A melody with its chords."""

    name: str
    meter: str
    fifths: int
    notes: list[Note]
    chords: list[tuple[Fraction, Chord]]
    length: Fraction

    @property
    def spans(self) -> list[Span]:
        """The time of each chord, cut at the barlines."""
        measure = Fraction(self.meter) * 4
        found: list[tuple[Fraction, Fraction, Chord]] = []
        for n, (start, chord) in enumerate(self.chords):
            end = self.chords[n + 1][0] if n + 1 < len(self.chords) else self.length
            while start < end:
                stop = min(end, (start // measure + 1) * measure)
                found.append((start, stop, chord))
                start = stop
        following = [chord for _, _, chord in found[1:]] + [found[-1][2]]
        return [(*span, chord) for span, chord in zip(found, following, strict=True)]

    def chord_at(self, at: Fraction) -> Chord | None:
        return next((chord for start, chord in reversed(self.chords) if start <= at), None)


def folk_songs(most: int) -> list[Tune]:
    """German folk songs of the Essen collection in one meter, without their pickups, and with chords that `harmonised`
    gives them: `most` songs, evenly spread over the collection."""
    folder = Path(music21.__file__).parent / "corpus" / "essenFolksong"
    texts = [text for path in sorted(folder.glob("*.abc"))[::3] for text in abc.tunes_of(path)]
    found: list[Tune] = []
    for text in texts[:: max(1, len(texts) // (2 * most))]:  # about half of them have one meter and enough measures
        score = abc.read_score(text)
        tune = _tune(score.title, score.parts[0]) if len(score.parts) == 1 else None
        if tune is not None and len(found) < most:
            found.append(tune)
    return found


def _tune(title: str, part: Part) -> Tune | None:
    measures = part.measures
    pickup = Fraction(0) if measures[0].complete else measures[0].length
    meters = {measure.signature for measure in measures}
    if len(meters) != 1 or len(measures) < 8 or not all(measure.complete for measure in measures[1:-1]):
        return None
    meter = meters.pop()
    if meter not in ("4/4", "3/4", "2/4", "6/8"):
        return None
    notes = [(s.start - pickup, s.end - pickup, s.pitch) for s in part.sounds if s.start >= pickup]
    length = -(-(measures[-1].end - pickup) // (Fraction(meter) * 4)) * Fraction(meter) * 4
    fifths = measures[0].fifths or 0
    return Tune(title, meter, fifths, notes, harmonised(notes, meter, fifths, length), length)


# Degrees of the major scale with their qualities, and how usual each one is after another (nats, in rows).
_DEGREES = ((0, ""), (2, "m"), (5, ""), (7, ""), (7, "7"), (9, "m"))
_AFTER = np.array([
    [0.0, 1.5, 0.7, 0.9, 1.2, 1.3],
    [2.5, 0.5, 2.0, 0.7, 0.4, 2.5],
    [0.9, 1.2, 0.2, 0.8, 0.8, 2.2],
    [0.4, 2.6, 2.2, 0.2, 0.6, 1.2],
    [0.2, 3.0, 2.6, 2.0, 0.3, 1.3],
    [2.0, 0.8, 0.9, 1.2, 1.4, 0.3],
])  # fmt: skip
_WRONG_NOTE = 3.0  # nats for a quarter note that is no chord tone


def harmonised(notes: Sequence[Note], meter: str, fifths: int, length: Fraction) -> list[tuple[Fraction, Chord]]:
    """Chords for a melody, one for each half measure (each measure in 3/4 and 2/4), begun and ended on the tonic."""
    chords = [Chord.parse("CDEFGAB"[(0, 2, 4, 5, 7, 9, 11).index(root)] + quality) for root, quality in _DEGREES]
    chords = [chord.transposed(7 * fifths % 12) for chord in chords]
    measure = Fraction(meter) * 4
    step = measure / 2 if meter == "4/4" else measure
    costs = []
    for at in (n * step for n in range(int(length / step))):
        heard = np.zeros(12)
        for start, end, pitch in notes:
            overlap = min(end, at + step) - max(start, at)
            heard[pitch % 12] += float(max(overlap, 0)) * (1.5 if start == at else 1)
        wrong = [sum(heard[tone] for tone in range(12) if tone not in chord.classes) for chord in chords]
        costs.append(_WRONG_NOTE * np.array(wrong))
    for edge in (0, -1):
        costs[edge][1:] += 4.0
    total, origins = costs[0], []
    for cost in costs[1:]:
        joined = total[:, None] + _AFTER
        origins.append(joined.argmin(axis=0))
        total = joined.min(axis=0) + cost
    path = [int(total.argmin())]
    for origin in reversed(origins):
        path.append(int(origin[path[-1]]))
    every = [(n * step, chords[k]) for n, k in enumerate(path[::-1])]
    return [one for n, one in enumerate(every) if n == 0 or one[1] != every[n - 1][1]]


# ------------------------------------------------------------------------------------ accompaniments


def _voicing(chord: Chord, low: int = 52) -> list[int]:
    assert chord.root is not None
    classes = [chord.root, *sorted(chord.classes - {chord.root}, key=lambda tone: (tone - chord.root) % 12)]
    return sorted(low + (tone - low) % 12 for tone in classes)


def _close_position(chord: Chord) -> list[int]:
    """Root, third and fifth (or seventh) above the root."""
    above = sorted((tone - (chord.root or 0)) % 12 for tone in chord.classes)
    return [above[0], above[1], above[-1]]


def _bass(chord: Chord, low: int = 36) -> int:
    return low + ((chord.bass or 0) - low) % 12


def _beats(start: Fraction, end: Fraction, step: Fraction = Fraction(1)) -> list[Fraction]:
    return [start + n * step for n in range(int((end - start) / step))]


def block(spans: Sequence[Span]) -> Iterator[Note]:
    """Held chords over a bass."""
    for start, end, chord, _ in spans:
        yield start, end, _bass(chord)
        yield from ((start, end, pitch) for pitch in _voicing(chord))


def strummed(spans: Sequence[Span]) -> Iterator[Note]:
    """A short chord on every quarter note, in any inversion, without a bass."""
    for start, end, chord, _ in spans:
        for n, at in enumerate(_beats(start, end)):
            yield from ((at, at + Fraction(1, 2), pitch) for pitch in _voicing(chord, 50 + 5 * (n % 3)))


def arpeggio(spans: Sequence[Span]) -> Iterator[Note]:
    """Broken chords in eighths, up and down."""
    for start, end, chord, _ in spans:
        pitches = [*_voicing(chord, 48), _voicing(chord, 48)[0] + 12]
        order = [*range(len(pitches)), *range(len(pitches) - 2, 0, -1)]
        for n, at in enumerate(_beats(start, end, Fraction(1, 2))):
            yield at, at + Fraction(1, 2), pitches[order[n % len(order)]]


def alberti(spans: Sequence[Span]) -> Iterator[Note]:
    """Low, high, middle, high in eighths."""
    for start, end, chord, _ in spans:
        low, middle, high = (48 + (chord.root or 0) + interval for interval in _close_position(chord))
        for n, at in enumerate(_beats(start, end, Fraction(1, 2))):
            yield at, at + Fraction(1, 2), (low, high, middle, high)[n % 4]


def waltz(spans: Sequence[Span]) -> Iterator[Note]:
    """The bass on the first beat of a chord, short chords on the others; its fifth after two more beats."""
    for start, end, chord, _ in spans:
        for n, at in enumerate(_beats(start, end)):
            if (n % 2 == 0 and n != 2) or (n == 2 and end - start == 4):
                yield at, at + Fraction(3, 4), _bass(chord) if n == 0 else _bass(chord) - 5
            else:
                yield from ((at, at + Fraction(1, 2), pitch) for pitch in _voicing(chord))


def walking(spans: Sequence[Span]) -> Iterator[Note]:
    """A bass alone, in quarters: root, third, fifth, and a step to the next root."""
    for start, end, chord, following in spans:
        assert chord.root is not None
        places = _beats(start, end)
        third = next((i for i in (4, 3, 5) if (chord.root + i) % 12 in chord.classes), 7)
        line = [_bass(chord), _bass(chord) + third, _bass(chord) + 7, _bass(chord) + 12][: len(places)]
        if len(line) > 1:
            target = _bass(following)
            line[-1] = min((target - 2, target + 2, target - 1, target + 1), key=lambda pitch: abs(pitch - line[-2]))
        yield from ((at, at + 1, pitch) for at, pitch in zip(places, line, strict=False))


def passing(spans: Sequence[Span]) -> Iterator[Note]:
    """Three voices in quarters with passing notes between the chords, over a bass."""
    for start, end, chord, following in spans:
        yield start, end, _bass(chord)
        now, later = _voicing(chord), _voicing(following)
        for one, other in zip(now, later, strict=False):
            middle = one + int(np.sign(other - one)) * 2 if abs(other - one) > 2 else one
            half = start + (end - start) / 2 if end - start <= 2 else end - 1
            yield start, half, one
            yield half, end, middle


Texture = Callable[[Sequence[Span]], Iterator[Note]]
TEXTURES: tuple[Texture, ...] = (block, strummed, arpeggio, alberti, waltz, walking, passing)


def song(tune: Tune, texture: Texture) -> Song:
    """A MIDI file of a tune with an accompaniment, as arvae reads it."""
    file = mido.MidiFile(type=1, ticks_per_beat=TPQ)
    numerator, denominator = map(int, tune.meter.split("/"))
    keys = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
    head = [
        mido.MetaMessage("track_name", name="Melody"),
        mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator),
        mido.MetaMessage("key_signature", key=keys[tune.fifths + 7]),
    ]
    file.tracks += [_track(tune.notes, 0, head), _track(list(texture(tune.spans)), 1, [])]
    out = io.BytesIO()
    file.save(file=out)
    return Song.read(out.getvalue(), name=f"{tune.name} ({texture.__name__})", track=1, pickup=Fraction(0))


def _track(notes: Sequence[Note], channel: int, head: Sequence[mido.MetaMessage]) -> mido.MidiTrack:
    events = []
    for start, end, pitch in notes:
        events.append((int(start * TPQ), 1, mido.Message("note_on", note=pitch, velocity=80, channel=channel)))
        events.append((int(end * TPQ), 0, mido.Message("note_off", note=pitch, channel=channel)))
    track, last = mido.MidiTrack(head), 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - last))
        last = tick
    return track


# ------------------------------------------------------------------------------------ Bach


def chorales(part: str, most: int | None = None) -> list[Song]:
    """Held-out chorales: the soprano is the melody, and the lower voices accompany it."""
    folder = Path(music21.__file__).parent / "corpus" / "bach"
    found = []
    for melody in held_out("bach", part, most):
        path = next(iter(sorted(folder.glob(f"{Path(melody.name).name}.*"))), None)
        if path is not None:
            found.append(read_any(path, track="Soprano"))
    return found
