"""Melodies from and to other libraries: note arrays, pretty_midi, symusic.

    song = from_notes([60, 62, 64], [0, 1, 2], [1, 1, 2], meter="4/4")
    notes = to_notes(song.melody)                    notes.pitches, notes.onsets, notes.durations
    song = from_pretty_midi(midi, track="Vocals")    and to_pretty_midi(song)
    song = from_symusic(score)                       and to_symusic(song)

Everything that comes from outside becomes a `Song`, so that an edit of it can be written back. A song goes out with all
its tracks. A melody alone has no file: pretty_midi writes it a new one, with one track. A measure that arvae could not
read is silent there, because a melody does not hold its notes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays import Float64s, Ints
from ..errors import InputError
from ..music.melody import Melody
from .midi import Song

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI
    from symusic.core import ScoreQuarter, ScoreSecond, ScoreTick

TICKS_PER_QUARTER = 480
TEMPO = 120.0  # quarter notes a minute
VELOCITY = 80
SHORTEST_NOTE_VALUE = 64  # the largest denominator of a time signature that is read back


class Notes(NamedTuple):
    """(n,) each, in the order of the onsets."""

    pitches: Ints  # MIDI
    onsets: Float64s  # quarter notes from the start of the melody
    durations: Float64s  # quarter notes


def from_notes(
    pitches: npt.ArrayLike,
    onsets: npt.ArrayLike,
    durations: npt.ArrayLike,
    *,
    meter: str | Mapping[float, str] = "4/4",
    fifths: int | None = None,
    tempo: float = TEMPO,
    program: int = 0,
    velocity: int = VELOCITY,
    name: str = "melody",
) -> Song:
    """A song of (n,) MIDI pitches with onsets and durations in quarter notes, counted from a barline.

    `meter` is one time signature, or a mapping from the onset of a measure to its signature; a shorter first measure is
    a pickup. `fifths` is the key signature (sharps positive), None to estimate the key. Raises InputError.
    """
    table = [np.asarray(values, dtype=np.float64) for values in (pitches, onsets, durations)]
    if len({values.shape for values in table}) > 1 or table[0].ndim != 1:
        raise InputError(
            f"pitches, onsets and durations have the shapes {', '.join(str(values.shape) for values in table)}",
            where=name,
            remedy="give three sequences of one length",
        )
    pitch, start, length = table
    lawful = np.isfinite(table).all() and (start >= 0).all() and (length > 0).all()
    if not lawful or not ((pitch >= 0) & (pitch <= 127) & (pitch == np.round(pitch))).all():
        raise InputError(
            "a note has no pitch between 0 and 127, begins before 0, or has no length",
            where=name,
            remedy="give whole pitches, and onsets and durations in quarter notes",
        )
    notes = Notes(pitch.astype(np.int64), start, length)
    signatures = {0.0: meter} if isinstance(meter, str) else dict(meter)
    keys = {} if fifths is None else {0.0: fifths}
    midi = _new(notes, signatures, keys, tempo, program, velocity, name)
    return Song.read(_bytes(midi), name=name, pickup=None if len(signatures) > 1 else Fraction(0))


def to_notes(melody: Melody | Song) -> Notes:
    """The notes of a melody. Position 0 is where its first measure begins: a pickup measure is as long as it is."""
    melody = melody.melody if isinstance(melody, Song) else melody
    barlines = _barlines(melody)
    found: list[tuple[int, Fraction, Fraction]] = []
    for note in melody.notes:
        first, last = melody.bars[note.measure].meter, melody.bars[note.end_measure].meter
        assert first is not None
        assert last is not None
        start = barlines[note.measure] + first.tick_quarters[note.tick]
        found.append((note.pitch, start, barlines[note.end_measure] + last.tick_quarters[note.end_tick] - start))
    return Notes(
        np.array([pitch for pitch, _, _ in found], dtype=np.int64),
        np.array([float(start) for _, start, _ in found]),
        np.array([float(length) for _, _, length in found]),
    )


def from_pretty_midi(
    midi: PrettyMIDI, *, track: int | str | None = None, channel: int | None = None, name: str = "pretty_midi"
) -> Song:
    """The melody of a PrettyMIDI object; `track` and `channel` as in `arvae_music.read`. Raises InputError."""
    return Song.read(_bytes(midi), name=name, track=track, channel=channel)


def to_pretty_midi(
    melody: Melody | Song, *, tempo: float = TEMPO, program: int = 0, velocity: int = VELOCITY
) -> PrettyMIDI:
    """A song with all its tracks, or a melody as a new file; `tempo`, `program` and `velocity` are the new file's.

    Raises InputError for a song's file that arvae reads and pretty_midi does not, for instance with unknown chunks.
    """
    from pretty_midi import PrettyMIDI

    if isinstance(melody, Song):
        try:
            return PrettyMIDI(io.BytesIO(melody.write(melody.melody.rows)))
        except Exception as error:  # mido raises whatever its parser runs into
            raise InputError(
                f"pretty_midi cannot read this file ({error})", where=melody.name, remedy="convert song.melody alone"
            ) from error
    return _new(to_notes(melody), _signatures(melody), _keys(melody), tempo, program, velocity, melody.name)


def from_symusic(
    score: ScoreTick | ScoreQuarter | ScoreSecond,
    *,
    track: int | str | None = None,
    channel: int | None = None,
    name: str = "symusic",
) -> Song:
    """The melody of a symusic Score; `track` and `channel` as in `arvae_music.read`. Raises InputError."""
    return Song.read(score.dumps_midi(), name=name, track=track, channel=channel)


def to_symusic(melody: Melody | Song) -> ScoreTick:
    """A symusic Score in ticks: a song with all its tracks, or a melody alone."""
    from symusic.core import ScoreTick

    data = melody.write(melody.melody.rows) if isinstance(melody, Song) else new_file(melody)
    return ScoreTick.from_midi(data)


def new_file(melody: Melody) -> bytes:
    """A MIDI file of its own for a melody, written by pretty_midi."""
    return _bytes(to_pretty_midi(melody))


def _bytes(midi: PrettyMIDI) -> bytes:
    out = io.BytesIO()
    midi.write(out)
    return out.getvalue()


def _new(
    notes: Notes,
    signatures: Mapping[float, str],
    keys: Mapping[float, int],
    tempo: float,
    program: int,
    velocity: int,
    name: str,
) -> PrettyMIDI:
    from pretty_midi import Instrument, KeySignature, Note, PrettyMIDI, TimeSignature

    midi = PrettyMIDI(resolution=TICKS_PER_QUARTER, initial_tempo=tempo)
    second = 60 / tempo  # of a quarter note
    for at, signature in sorted(signatures.items()):
        numerator, denominator = _parsed(signature, name)
        midi.time_signature_changes.append(TimeSignature(numerator, denominator, at * second))
    for at, fifths in sorted(keys.items()):
        midi.key_signature_changes.append(KeySignature(7 * fifths % 12, at * second))
    instrument = Instrument(program=program, name=name)
    for pitch, start, length in zip(*notes, strict=True):
        instrument.notes.append(Note(velocity, int(pitch), start * second, (start + length) * second))
    midi.instruments.append(instrument)
    return midi


def _parsed(signature: str, name: str) -> tuple[int, int]:
    numerator, _, denominator = signature.partition("/")
    if numerator.isdecimal() and denominator.isdecimal() and int(numerator):
        below = int(denominator)
        if 1 <= below <= SHORTEST_NOTE_VALUE and below & (below - 1) == 0:
            return int(numerator), below
    raise InputError(f"{signature!r} is not a time signature", where=name, remedy='write meter="3/4"')


def _pickup(melody: Melody) -> Fraction | None:
    """The length of the incomplete first measure in quarter notes; None where the first measure is whole."""
    bars = melody.bars
    if len(bars) < 2 or bars[0].number != 0 or bars[0].meter is None:
        return None
    whole = bars[1].end - bars[1].start
    if whole <= 0:
        return None
    found = Fraction(bars[0].end - bars[0].start, whole) * 4 * Fraction(bars[1].signature)
    writable = SHORTEST_NOTE_VALUE % (4 * found.denominator) == 0
    return found if writable and 0 < found < bars[0].meter.quarters else None


def _barlines(melody: Melody) -> list[Fraction]:
    """Where each measure's tick 0 lies, in quarter notes: before 0 for a pickup, whose row is a whole measure's."""
    pickup = _pickup(melody)
    at = Fraction(0)
    found: list[Fraction] = []
    for bar in melody.bars:
        length = 4 * Fraction(bar.signature)
        if not found and pickup is not None:
            assert bar.meter is not None
            length, at = bar.meter.quarters, pickup - bar.meter.quarters
        found.append(at)
        at += length
    return found


def _keys(melody: Melody) -> dict[float, int]:
    """From the place of a change of key to the key signature, sharps positive."""
    keys = [melody.key_at(i) for i in range(len(melody.bars))]
    places = [float(at) for at in _barlines(melody)]
    changes = [i for i, key in enumerate(keys) if i == 0 or key != keys[i - 1]]
    return {0.0 if i == 0 else places[i]: keys[i] for i in changes} or {0.0: melody.fifths}


def _signatures(melody: Melody) -> dict[float, str]:
    """From the place of a change of meter to the time signature."""
    found: dict[float, str] = {}
    pickup, before = _pickup(melody), ""
    for bar, at in zip(melody.bars, _barlines(melody), strict=True):
        written = bar.signature
        if not found and pickup is not None:
            at, written = Fraction(0), f"{pickup.numerator}/{4 * pickup.denominator}"
        if written != before:
            found[float(at)] = written
        before = written
    return found
