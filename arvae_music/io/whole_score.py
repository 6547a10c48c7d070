"""A song as a score with all its tracks, to look at.

    score, melody = whole_score(song, rows)      the score with new token rows; the index of the part with the melody
    section(score, 0, 16)                        its first 16 measures

A song from a score keeps that score. For a MIDI file, the melody is a part of its own and comes first, with the chords
that arvae read. Every other track, channel and instrument is a part too, whose notes are rounded to sixteenths or, beat
by beat, to triplets. Drums have no pitch and are left out.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from ..arrays import Row
from ..music.chords import NO_CHORD
from .accompaniment import program_at, programs_of
from .channels import DRUMS
from .chord_symbols import ChordSymbol
from .contents import Contents
from .midi import Song
from .midi_events import FileNote
from .notation import Measure, Part, Score, Sound, joined
from .score_output import score_of

SIXTEENTHS, TRIPLETS = 4, 3  # parts of a quarter note
CLEARLY = 0.5  # triplets are nearer if they are off by less than this share of what sixteenths are off
DETACHED = Fraction(3, 4)  # quarter notes: a note of this length that ends just before a beat is written up to it
MOST_MEASURES = 2000  # that follow the melody


def whole_score(song: Song, rows: Sequence[Row | None]) -> tuple[Score, int]:
    """The score of a song with new token rows: one for each measure, None for one without tokens."""
    score = score_of(song, rows)
    if song.score is not None:
        return score, song.found.track - 1
    part = replace(score.parts[0], chords=tuple(_chords(song, score.parts[0].measures)))
    return replace(score, parts=_together([part, *_others(song, rows, part.measures)])), 0


def section(score: Score, first: int, stop: int) -> Score:
    """The measures of a score from the index `first` up to `stop`, which is not in it."""
    parts = []
    for part in score.parts:
        measures = part.measures[first:stop]
        if measures:
            start, end = measures[0].start, measures[-1].end
            sounds = tuple(
                replace(sound, start=max(sound.start, start), end=min(sound.end, end))
                for sound in joined(part.sounds)
                if sound.start < end and sound.end > start
            )
            parts.append(replace(part, measures=measures, sounds=sounds))
    return replace(score, parts=tuple(parts))


def _chords(song: Song, measures: Sequence[Measure]) -> list[ChordSymbol]:
    """The chords where they change."""
    found: list[ChordSymbol] = []
    for bar, measure in zip(song.melody.bars, measures, strict=True):
        late = bar.quarters - measure.length if bar.number == 0 else Fraction(0)  # of a pickup's chords
        for at, chord in () if bar.harmony is None else bar.harmony.chords:
            place = measure.start + max(at - late, Fraction(0))
            named = NO_CHORD if chord is None else chord
            if place < measure.end and (found[-1][1] if found else NO_CHORD) != named:
                found.append((place, named))
    return found


def _others(song: Song, rows: Sequence[Row | None], measures: Sequence[Measure]) -> list[Part]:
    """The parts of all other notes, as they are in the edited file."""
    contents = Contents.read(song.write(rows), song.name)
    own = song.found.track - 1
    together = [own] if contents.independent else list(range(len(contents.tracks)))
    melody = Counter((note.start, note.pitch, note.channel) for note in song.sounds(rows)[own][0])
    programs = programs_of([contents.tracks[i].events for i in together])
    voices: dict[tuple[int, int, int], list[FileNote]] = defaultdict(list)
    for i in together:
        for note in contents.notes[i]:
            key = (note.start, note.pitch, note.channel)
            if i == own and melody[key]:
                melody[key] -= 1
            elif note.channel + 1 != DRUMS and note.end > note.start:
                program = program_at(programs.get(note.channel, []), note.start)
                voices[i, note.channel, program].append(note)
    places = _Places(song, measures)
    return [
        Part(contents.names[i] or f"track {i + 1}", tuple(measures), tuple(places.sounds(notes)), program)
        for (i, _, program), notes in sorted(voices.items())
    ]


class _Places:
    """Where ticks of the file stand in the score."""

    def __init__(self, song: Song, measures: Sequence[Measure]) -> None:
        self.bars, self.measures, self.tpq = song.melody.bars, measures, song.ticks_per_quarter
        self.barlines = [bar.start for bar in self.bars]

    def exact(self, tick: int) -> Fraction:
        """Quarter notes from the start of the score."""
        i = max(bisect_right(self.barlines, tick) - 1, 0)
        bar, measure = self.bars[i], self.measures[i]
        if bar.number == 0:
            return measure.end - Fraction(bar.end - tick, self.tpq)
        return measure.start + Fraction(tick - bar.start, self.tpq)

    def sounds(self, notes: Sequence[FileNote]) -> list[Sound]:
        """Notes as sounds on a grid: sixteenths, or triplets in the beats where triplets are clearly nearer."""
        at = [(self.exact(note.start), self.exact(note.end), note) for note in notes]
        starts: dict[int, list[Fraction]] = defaultdict(list)
        for start, _, _ in at:
            starts[int(start)].append(start)
        grid = {beat: _grid(own) for beat, own in starts.items()}
        found: dict[tuple[Fraction, int], Sound] = {}
        for start, end, note in at:
            step = Fraction(1, grid[int(start)])
            begin = max(round(start / step) * step, Fraction(0))
            unit = Fraction(1, grid.get(int(end), grid[int(start)]))
            stop = max(round(end / unit) * unit, begin + step)
            if stop - begin >= DETACHED and (stop + step) % 1 == 0:
                stop += step
            if (begin, note.pitch) not in found or found[begin, note.pitch].end < stop:
                found[begin, note.pitch] = Sound(begin, stop, note.pitch, velocity=note.velocity)
        return sorted(found.values())


def _grid(starts: Sequence[Fraction]) -> int:
    off = {grid: sum(abs(at * grid - round(at * grid)) / grid for at in starts) for grid in (SIXTEENTHS, TRIPLETS)}
    return TRIPLETS if off[TRIPLETS] < CLEARLY * off[SIXTEENTHS] else SIXTEENTHS


def _together(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts with measures up to the end of the one that lasts longest."""
    measures, last = [*parts[0].measures], max((one.end for part in parts for one in part.sounds), default=Fraction(0))
    while measures[-1].end < last and len(measures) < len(parts[0].measures) + MOST_MEASURES:
        before = measures[-1]
        number = None if before.number is None else before.number + 1
        measures.append(replace(before, start=before.end, length=before.nominal, number=number))
    end = measures[-1].end
    return tuple(
        replace(part, measures=tuple(measures), sounds=tuple(sound for sound in part.sounds if sound.start < end))
        for part in parts
    )
