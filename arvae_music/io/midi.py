"""A song: a MIDI file and the melody in it. An edited melody can be written back into the file.

    song = Song.read("song.mid", track="Vocals")
    song.found.why                      a sentence that explains which voice was chosen
    song.melody                         the measures of the melody; see music/melody.py
    song.others                         all other notes of the file, as arrays
    song.write(rows)                    the bytes of the file with new token rows in the measures that have tokens

Reading: `midi_events` splits the bytes, and `chosen` finds the melody. The song also has what else the file plays.

Writing: `splice` changes only the notes that differ. If no note differs, the file's bytes are returned unchanged.

    new_midi(rows, meters, ...)         a new file from token rows, for interpolations and examples
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..arrays import Row
from ..errors import InputError
from ..music.harmony import BarHarmony
from ..music.melody import Melody
from ..music.meter import Meter
from ..music.tokens import notes_of
from .accompaniment import Accompaniment, accompaniment_of
from .barlines import Signature
from .chosen import Chosen, choose
from .chunks import for_suffix, split
from .contents import Contents
from .doubles import Double, doubles_of
from .harmony import Symbols, beside_voices, with_harmony
from .lines import TOP, LineName, spans_of
from .lines import parse as parse_line
from .manner import Line, Sound
from .midi_events import (
    END_OF_TRACK,
    KEY_SIGNATURE,
    NOTE_OFF,
    NOTE_ON,
    PROGRAM,
    TEMPO,
    TIME_SIGNATURE,
    TRACK_NAME,
    Event,
    FileNote,
    encode_track,
    meta,
    new_file,
    tempo_changes,
)
from .notation import Score
from .notices import Notice
from .quantise import Placements, melody_of
from .splice import sounds_of, splice
from .voices import Candidate, Found

DEFAULT_TEMPO = 120.0  # quarter notes per minute, for files without a tempo, as in the MIDI standard
TICKS_PER_QUARTER = 480  # of new files; a multiple of 12, so that the grid is exact
SIMPLE_CLICK = 24  # MIDI clocks in a quarter, for time signature events


@dataclass(frozen=True)
class Song:
    """A MIDI file and the melody in it. Use `Song.read` to make one."""

    name: str  # the path, or the name that the caller gave; used in messages
    melody: Melody
    found: Found
    placements: Placements  # the measure and tick of each note of the melody, in the file's order
    others: Accompaniment = field(repr=False, compare=False)  # the notes that are not the melody's
    doubles: tuple[Double, ...] = field(repr=False, compare=False)  # lines that play the melody too, and move with it
    notices: tuple[Notice, ...]  # what is odd about the file
    _contents: Contents = field(repr=False)
    _notes: tuple[FileNote, ...] = field(repr=False)  # the melody's
    score: Score | None = field(default=None, repr=False)  # that the file was made from; None for a MIDI file

    @classmethod
    def read(
        cls,
        source: Path | str | bytes,
        *,
        name: str | None = None,
        track: int | str | None = None,
        channel: int | None = None,
        voice: LineName | str = TOP,
        pickup: Fraction | None = None,
        tolerance: Fraction | None = None,
        symbols: Symbols = (),
    ) -> Song:
        """Read a MIDI file, or its bytes, and find the melody.

        `track` is a number from 1, a track's name, or a part of the name. `channel` is 1 to 16. `voice` is the line
        that is the melody where the track plays several notes at once: "top", "bottom", or a number from 1, the
        highest. `pickup` is the length in quarter notes of an incomplete measure at the start; None detects it.
        `tolerance` is explained in `quantise.melody_of`. `symbols` are chord symbols at ticks of the file. Raises
        InputError for bytes that are not a MIDI file, and for a file without a measure that arvae can read.
        """
        data = source if isinstance(source, bytes) else read_bytes(Path(source))
        where = name or ("standard input" if isinstance(source, bytes) else str(source))
        line = parse_line(voice)
        contents = Contents.read(data, where)
        return cls._of(contents, choose(contents, track, channel, line, pickup, tolerance), symbols)

    @classmethod
    def _of(cls, contents: Contents, chosen: Chosen, symbols: Symbols) -> Song:
        found, melody, placements, notes = chosen.found, chosen.melody, chosen.placements, chosen.notes
        tpq, index = contents.split.ticks_per_quarter, found.track - 1
        played = Line(notes, melody, placements)
        together = slice(index, index + 1) if contents.independent else slice(None)
        own_index = 0 if contents.independent else index
        doubles = doubles_of(played, contents.notes[together], own_index, tpq)
        taken = {(own_index, note.on) for note in notes}
        taken |= {(double.track, note.on) for double in doubles for note in double.line.notes}
        events = [track.events for track in contents.tracks[together]]
        others = accompaniment_of(events, contents.notes[together], taken)
        doubles = tuple(replace(double, track=double.track + index - own_index) for double in doubles)
        melody = with_harmony(melody, notes, others, tpq, late=placements.late, symbols=symbols)
        beside = [note for note in chosen.audible if (own_index, note.on) not in taken]
        melody = beside_voices(melody, notes, beside, found.voice, others, tpq, placements.late)
        notices = (*contents.notices, *(notice.on(found.track) for notice in chosen.notices))
        return cls(contents.name, melody, found, placements, others, doubles, notices, contents, notes)

    def __repr__(self) -> str:
        return f"<Song {self.name!r}: track {self.found.track}, {len(self.melody.bars)} measures>"

    def _repr_html_(self) -> str | None:
        return self.melody._repr_html_()

    @property
    def pickup(self) -> Fraction:
        """The length of the incomplete measure at the start, in quarter notes."""
        return self.placements.pickup

    @property
    def tracks(self) -> list[list[Event]]:
        """The events of each track of the file."""
        return [track.events for track in self._contents.tracks]

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """All voices of the file."""
        return self._contents.candidates

    @property
    def midi(self) -> bytes:
        """The bytes of the MIDI file, which of a score is the converted one."""
        return self._contents.split.data

    @property
    def notes(self) -> tuple[FileNote, ...]:
        """The melody's notes in the file, in the order of their onsets."""
        return self._notes

    @property
    def harmony(self) -> list[BarHarmony | None]:
        """The harmony of each measure: its chords, and the notes of the other tracks (music/harmony.py)."""
        return [bar.harmony for bar in self.melody.bars]

    @property
    def ticks_per_quarter(self) -> int:
        return self._contents.split.ticks_per_quarter

    @property
    def tempo(self) -> float:
        """The tempo where the melody begins, in quarter notes per minute; DEFAULT_TEMPO if the file has none."""
        own, tracks = self.found.track - 1, self._contents.tracks
        together = tracks[own : own + 1] if self._contents.independent else tracks
        found = tempo_changes(track.events for track in together)
        if not found:
            return DEFAULT_TEMPO
        return 60e6 / next((tempo for tick, tempo in reversed(found) if tick <= self._notes[0].start), found[0][1])

    @property
    def velocity(self) -> int:
        """The median velocity of the melody's notes, 1 to 127."""
        return int(np.median([note.velocity for note in self._notes]))

    def whole(self) -> Melody:
        """The melody with rests before its pickup and after its last note, which make these two measures complete."""
        bars = self.melody.bars
        full = bars[1] if bars[0].number == 0 and len(bars) > 1 else bars[0]
        delay = (full.end - full.start) - (bars[0].end - bars[0].start) - bars[0].start
        signatures: list[Signature] = []
        for bar in (full, *bars[1:]):
            numerator, denominator = (int(part) for part in bar.signature.split("/"))
            at = bar.start + delay if signatures else 0
            if not signatures or signatures[-1][1:] != (numerator, denominator):
                signatures.append((at, numerator, denominator))
        keys = [(bar.start + delay if i else 0.0, self.melody.key_at(i)) for i, bar in enumerate(bars)]
        notes = spans_of(self._notes, self.ticks_per_quarter) + np.array([delay, delay, 0])
        melody, _ = melody_of(
            self.melody.name, notes, self.ticks_per_quarter, signatures, keys, bars[-1].end + delay,
            pickup=Fraction(0),
        )  # fmt: skip
        first = bars[0].number  # 0 is the pickup, as before
        harmonies = itertools.chain((bar.harmony for bar in bars), itertools.repeat(None))
        return replace(
            melody,
            bars=tuple(
                replace(bar, number=first + i, harmony=harmony)
                for i, (bar, harmony) in enumerate(zip(melody.bars, harmonies, strict=False))
            ),
        )

    def write(self, rows: Sequence[Row | None], suffix: str = "") -> bytes:
        """The bytes of the file with these token rows: one row for each measure, and None for one without tokens.

        `suffix` is that of the new file: .rmi adds a RIFF wrapper, and another one removes that of a .rmi file.

        Raises ValueError if a measure without tokens has a row, or a measure with tokens has none.
        """
        written = self._contents.split
        lines = self._lines(rows)
        for index, of_track in lines.items():
            held = self._held(index, lines)
            track = splice(self._contents.tracks[index], of_track, held, self.ticks_per_quarter)
            if track is not None:
                written = split(written.with_track(index, encode_track(track)), self.name)
        return for_suffix(written.data, suffix, Path(self.name).suffix)

    def sounds(self, rows: Sequence[Row | None]) -> dict[int, list[list[Sound]]]:
        """The notes that `write` gives to the melody and its doubles. From the index of each of their tracks to the
        notes of each line, of which the melody is the first in its track."""
        lines, tpq = self._lines(rows), self.ticks_per_quarter
        return {index: sounds_of(own, self._held(index, lines), tpq) for index, own in lines.items()}

    def _lines(self, rows: Sequence[Row | None]) -> dict[int, list[tuple[Line, Sequence[Row | None]]]]:
        """The melody and its doubles with new rows, by the index of their track; the melody is the first."""
        lines: dict[int, list[tuple[Line, Sequence[Row | None]]]] = defaultdict(list)
        lines[self.found.track - 1].append((Line(self._notes, self.melody, self.placements), rows))
        for double in self.doubles:
            lines[double.track].append((double.line, double.rows(rows)))
        return lines

    def _held(self, index: int, lines: Mapping[int, Sequence[tuple[Line, Sequence[Row | None]]]]) -> list[FileNote]:
        """The notes that stay on the channels of a track's lines, in that track and in others."""
        taken = {(i, note.on) for i, of_track in lines.items() for line, _ in of_track for note in line.notes}
        channels = {note.channel for line, _ in lines[index] for note in line.notes}
        return [
            note
            for i, notes in enumerate(self._contents.notes)
            if i == index or not self._contents.independent
            for note in notes
            if note.channel in channels and (i, note.on) not in taken
        ]


def read_bytes(path: Path) -> bytes:
    """The bytes of a file. Raises InputError if it cannot be read."""
    if path.is_dir():
        raise InputError("it is a directory", where=str(path), remedy="name the files in it")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError("there is no such file", where=str(path)) from None
    except OSError as error:
        raise InputError(f"cannot read it ({error.strerror})", where=str(path)) from None


def new_midi(
    rows: Sequence[Row | None],
    meters: Sequence[Meter],
    *,
    shift: int | Sequence[int] = 0,
    tempo: float = 120.0,
    fifths: int | Sequence[int] = 0,
    name: str = "melody",
    program: int = 0,
    velocity: int | Sequence[int] = 80,
    signatures: Sequence[str] = (),
) -> bytes:
    """Write a MIDI file of type 1 from token rows, with a row and a meter for each measure. A row of None is silent.

    `tempo` is in quarter notes per minute. `shift`, `fifths` and `velocity` are one value for all measures, or one for
    each measure. `signatures` has the time signature to write for each measure ("2/2" for 4/4); without it, the names
    of the meters are written. Notes begin exactly on their ticks and last to the next event.
    """
    barlines = np.cumsum([0, *(meter.quarters * TICKS_PER_QUARTER for meter in meters)]).tolist()
    conductor = [meta(0, TEMPO, round(60e6 / tempo).to_bytes(3, "big"))]
    shifts, keys, loud = (_each(value, len(meters)) for value in (shift, fifths, velocity))
    written = signatures or [meter.name for meter in meters]
    for i, meter in enumerate(meters):
        if i == 0 or keys[i] != keys[i - 1]:
            conductor.append(meta(int(barlines[i]), KEY_SIGNATURE, bytes([keys[i] % 256, 0])))
        if i == 0 or written[i] != written[i - 1]:
            conductor.append(_signature_event(int(barlines[i]), written[i], meter))
    track = [meta(0, TRACK_NAME, name.encode()), Event(0, bytes([PROGRAM, program]))]
    for note in notes_of(rows, 0):
        pitch = note.pitch - shifts[note.measure]
        at = meters[note.measure].tick_quarters[note.tick] * TICKS_PER_QUARTER
        until = meters[note.end_measure].tick_quarters[note.end_tick] * TICKS_PER_QUARTER
        track.append(Event(int(barlines[note.measure] + at), bytes([NOTE_ON, pitch, loud[note.measure]])))
        track.append(Event(int(barlines[note.end_measure] + until), bytes([NOTE_OFF, pitch, 64])))
    end = meta(int(barlines[-1]), END_OF_TRACK, b"")
    return new_file([[*conductor, end], [*track, end]], TICKS_PER_QUARTER)


def _each(value: int | Sequence[int], count: int) -> Sequence[int]:
    return [value] * count if isinstance(value, int) else value


def _signature_event(tick: int, signature: str, meter: Meter) -> Event:
    numerator, denominator = (int(part) for part in signature.split("/"))
    click = int(SIMPLE_CLICK * meter.beat_quarters) if meter.compound else SIMPLE_CLICK * 4 // denominator
    return meta(tick, TIME_SIGNATURE, bytes([numerator, denominator.bit_length() - 1, click, 8]))
