"""Chords that the other tracks play. The accompaniments are written out here, note by note."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from arvae_music.music.chord_reading import Notes, read_chords
from arvae_music.music.melody import Bar
from arvae_music.music.meter import Meter

TPQ = 480
Line = list[tuple[float, float, int]]  # start, end in quarter notes, MIDI pitch
C, F, G7, AM = (48, 64, 67), (41, 60, 69), (43, 59, 65), (45, 60, 64)


def notes(*lines: Line, program: int = 0) -> Notes:
    table = [(s * TPQ, e * TPQ, pitch, voice) for voice, line in enumerate(lines) for s, e, pitch in line]
    start, end, pitch, voice = np.array(table, dtype=np.int64).reshape(-1, 4).T
    return Notes(start, end, pitch, voice, np.full_like(start, program))


def bars(count: int, meter: str = "4/4", start: float = 0) -> list[Bar]:
    found = Meter.parse(meter)
    size = int(found.quarters * TPQ)
    row = np.zeros(found.ticks, dtype=np.int16)
    origin = int(start * TPQ)
    return [Bar(n + 1, meter, origin + n * size, origin + (n + 1) * size, found, row) for n in range(count)]


def read(line: Line, count: int, meter: str = "4/4", melody: Line | None = None, fifths: int = 0) -> list[str | None]:
    harmonies = read_chords(bars(count, meter), notes(melody or []), notes(line), TPQ, fifths)
    return [None if harmony is None else harmony.text(fifths) for harmony in harmonies]


def block(*chords: Sequence[int], length: float = 4) -> Line:
    return [(n * length, (n + 1) * length, pitch) for n, chord in enumerate(chords) for pitch in chord]


def broken(*chords: Sequence[int], order: Sequence[int], step: float = 0.5, length: float = 4) -> Line:
    line = []
    for n, chord in enumerate(chords):
        for k in range(int(length / step)):
            at = n * length + k * step
            line.append((at, at + step, chord[order[k % len(order)]]))
    return line


PATTERNS = {
    "block": (block(C, F, G7, AM), 4, "4/4"),
    "half notes": (block(C, F, G7, AM, length=2), 2, "4/4"),
    "alberti": (broken(C, F, G7, AM, order=(0, 2, 1, 2)), 4, "4/4"),
    "arpeggio": (broken(C, F, G7, AM, order=(0, 1, 2, 1)), 4, "4/4"),
    "waltz": (
        [
            note
            for n, (bass, *rest) in enumerate((C, F, G7, AM))
            for note in [(3 * n, 3 * n + 0.7, bass), *((3 * n + k, 3 * n + k + 0.4, p) for k in (1, 2) for p in rest)]
        ],
        4,
        "3/4",
    ),
    "staccato": ([(n * 4, n * 4 + 0.2, p) for n, chord in enumerate((C, F, G7, AM)) for p in chord], 4, "4/4"),
    "jig": (broken(C, F, G7, AM, order=(0, 1, 2), length=3), 4, "6/8"),
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns(pattern: str) -> None:
    line, count, meter = PATTERNS[pattern]
    names = " ".join(name or "-" for name in read(line, count, meter))
    assert names.replace("G7", "G") == "C F G Am"


@pytest.mark.parametrize("up", range(12))
def test_every_key(up: int) -> None:
    fifths = (7 * up + 5) % 12 - 5
    harmonies = read_chords(bars(4), notes([]), notes([(s, e, p + up) for s, e, p in block(C, F, G7, AM)]), TPQ, fifths)
    roots = [harmony.chords[0][1].root for harmony in harmonies if harmony is not None and harmony.chords[0][1]]
    assert roots == [(root + up) % 12 for root in (0, 5, 7, 9)]


def test_passing_notes_do_not_change_the_chord() -> None:
    line = [*block(C, F), (1.5, 2, 65), (2.5, 3, 62), (5.5, 6, 67)]
    assert read(line, 2) == ["C", "F"]


def test_a_minor_third_beats_the_key() -> None:
    assert read(block((48, 63, 67), (41, 56, 60)), 2) == ["Cm", "Fm"]


def test_silence_has_no_harmony_and_drums_of_pitch_none() -> None:
    assert read(block(C), 3) == ["C", None, None]
    effects = read_chords(bars(1), notes([]), notes(block(C), program=118), TPQ, 0)
    assert effects == [None]


def test_a_doubling_of_the_melody_is_no_harmony() -> None:
    tune: Line = [(k, k + 1, pitch) for k, pitch in enumerate((72, 74, 76, 77))]
    assert read([(s, e, p - 12) for s, e, p in tune], 1, melody=tune) == [None]
    doubled = notes([(s, e, p - 12) for s, e, p in tune], block(C))
    harmony = read_chords(bars(1), notes(tune), doubled, TPQ, 0)[0]
    assert harmony is not None
    assert harmony.text() == "C"
    assert np.flatnonzero(harmony.sounding.any(axis=0)).tolist() == [0, 4, 7]


def test_what_sounds_at_each_tick() -> None:
    line = [(0.0, 1.0, 48), (1.0, 3.98, 52), (1.98, 2.9, 55)]  # the last is played a little early
    harmony = read_chords(bars(1), notes([]), notes(line), TPQ, 0)[0]
    assert harmony is not None
    sounding = [np.flatnonzero(harmony.sounding[tick]).tolist() for tick in (0, 5, 6, 11, 12, 17, 18, 23)]
    assert sounding == [[0], [0], [4], [4], [4, 7], [4, 7], [4], [4]]


def test_clashes_are_a_semitone_from_a_sounding_note() -> None:
    harmony = read_chords(bars(1), notes([]), notes(block((48, 64, 67, 71))), TPQ, 0)[0]
    assert harmony is not None
    assert np.flatnonzero(harmony.clashes[0]).tolist() == [1, 3, 5, 6, 8, 10]  # not C and B, which both sound


def test_a_late_file_is_read_as_if_it_were_in_time() -> None:
    line = [(s + 0.1, e + 0.1, p) for s, e, p in block(C, F, G7, AM, length=1)]
    harmonies = read_chords(bars(1), notes([]), notes(line), TPQ, 0, late=0.1 * TPQ)
    assert harmonies[0] is not None
    assert harmonies[0].text() == "C F G7 Am"


def test_doubt_forbids_little() -> None:
    """A bass note alone may carry a major or a minor chord: both thirds are possible, and other notes are not."""
    harmony = read_chords(bars(1), notes([]), notes([(0.0, 4.0, 38)]), TPQ, 0)[0]
    assert harmony is not None
    tones = harmony.tones[0]
    assert tones[2] > 0.9
    assert 0.1 < tones[6] < 0.9
    assert 0.1 < tones[5] < 0.9
    assert tones[1] < 0.2
