"""Songs and melodies as scores, to be written as MusicXML or ABC.

    score_of(song, rows)         the Score of a song with new token rows
    to_file(song, rows, suffix)  the bytes of a score, in the format of a suffix
    file_of(...)                 the bytes of a score, of a MIDI file or of its sound, whichever the suffix says

A song that was read from a score keeps all of that score, and the notes of the melody's part are the edited ones. A
song from a MIDI file gives its melody alone, with its measures, key and tempo: the notes of measures with tokens stand
on the grid, and those of other measures are rounded to 1/8 or 1/12 of a quarter note.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from ..arrays import Row
from ..errors import UsageError
from ..music.melody import Melody
from ..music.tokens import notes_of
from ..system.outputs import MIDI, SCORE_SUFFIXES, SOUND_SUFFIX
from . import abc_writer, musicxml_writer
from .audio import wav
from .chunks import for_suffix, split
from .conversion import new_file
from .midi import Song
from .midi_events import file_notes, parse_track
from .notation import Marks, Measure, Part, Score, Sound, joined
from .score_midi import TICKS_PER_QUARTER

SUFFIXES = SCORE_SUFFIXES
_GRIDS = (8, 12)  # parts of a quarter note to which notes outside the grid are rounded


def file_of(song: Song | Melody, melody: Melody, suffix: str) -> bytes:
    """`song` with the measures of `melody`: as a score or as sound (.wav), if the suffix is that of one, or else as a
    MIDI file."""
    if suffix.lower() == SOUND_SUFFIX:
        track = song.found.track if isinstance(song, Song) else None
        return wav(file_of(song, melody, MIDI), song.name, track=track)
    if suffix.lower() in SUFFIXES:
        return to_file(song, melody.rows, suffix)
    return song.write(melody.rows, suffix) if isinstance(song, Song) else for_suffix(new_file(melody), suffix)


def to_file(song: Song | Melody, rows: Sequence[Row | None], suffix: str) -> bytes:
    """A score with new token rows as the bytes of a file. Raises UsageError for another suffix."""
    return score_file(score_of(song, rows), suffix)


def score_file(score: Score, suffix: str) -> bytes:
    """A score as the bytes of a file. Raises UsageError for another suffix."""
    if suffix.lower() == ".abc":
        return abc_writer.to_bytes(score)
    if suffix.lower() not in SUFFIXES:
        raise UsageError(f"{suffix!r} is not a format of scores", remedy=f"give one of {' '.join(SUFFIXES)}")
    return musicxml_writer.to_bytes(score, compressed=suffix.lower() == ".mxl")


def score_of(song: Song | Melody, rows: Sequence[Row | None]) -> Score:
    """The score of a song or a melody with new token rows: one for each measure, None for one without tokens."""
    if isinstance(song, Melody):
        return Score(song.name, (_part_of(song, rows, 1, ()),))
    if song.score is not None:
        return _edited(song, song.score, rows)
    raw = [(note.start, note.end, note.pitch) for note in song.notes]
    name, program = song.found.name or song.melody.name, song.found.program or 0
    part = _part_of(song.melody, rows, song.ticks_per_quarter, raw)
    tempi = ((Fraction(0), round(song.tempo, 3)),)
    return Score(song.melody.name, (replace(part, name=name, program=program, tempi=tempi),))


def score_of_steps(steps: Sequence[tuple[Melody, int]], *, tempo: float, program: int) -> Score:
    """A score of melodies without measures that pass through, each with its velocity, one after another."""
    measures: list[Measure] = []
    sounds: list[Sound] = []
    for melody, velocity in steps:
        part, now = _part_of(melody, melody.rows, 1, ()), measures[-1].end if measures else Fraction(0)
        first = len(measures) + 1 if measures else part.measures[0].number or 0
        measures += [replace(one, start=now + one.start, number=first + n) for n, one in enumerate(part.measures)]
        sounds += [
            replace(one, start=now + one.start, end=now + one.end, velocity=velocity) for one in part.sounds
        ]
    name = steps[0][0].name
    tempi = ((Fraction(0), round(tempo, 3)),)
    return Score(name, (Part(name, tuple(measures), tuple(sounds), program, tempi),))


def _edited(song: Song, score: Score, rows: Sequence[Row | None]) -> Score:
    """The score with the notes of the melody's part as they are in the edited MIDI file."""
    index = song.found.track - 1
    track = split(song.write(rows), song.name).track(index)
    sounds = tuple(
        Sound(
            Fraction(note.start, TICKS_PER_QUARTER),
            Fraction(note.end, TICKS_PER_QUARTER),
            note.pitch,
            velocity=note.velocity,
        )
        for note in file_notes(parse_track(track).events)
    )
    part = score.parts[index]
    before = {(sound.start, sound.end, sound.pitch): sound for sound in joined(part.sounds)}
    exact = {_ticks(key): sound for key, sound in before.items()}  # lengths such as elevenths are rounded in MIDI
    sounds = tuple(exact.get(_ticks((one.start, one.end, one.pitch)), one) for one in sounds)
    starts = {sound.start for sound in sounds}
    lyrics = tuple(lyric for lyric in part.lyrics if lyric.start in starts)
    parts = [*score.parts]
    parts[index] = replace(part, sounds=sounds, lyrics=lyrics)
    if score.unfolded:  # its repeats are written out
        parts = [replace(one, measures=tuple(replace(m, marks=Marks()) for m in one.measures)) for one in parts]
    return replace(score, parts=tuple(parts))


def _ticks(note: tuple[Fraction, Fraction, int]) -> tuple[int, int, int]:
    start, end, pitch = note
    return round(start * TICKS_PER_QUARTER), round(end * TICKS_PER_QUARTER), pitch


def _part_of(
    melody: Melody, rows: Sequence[Row | None], ticks_per_quarter: int, raw: Sequence[tuple[int, int, int]]
) -> Part:
    """The melody as a part. `raw` holds the notes of the file, for the measures without tokens."""
    measures = _measures(melody, ticks_per_quarter)
    sounds = []
    for note in notes_of(rows, melody.shift):
        first, last = melody.bars[note.measure].meter, melody.bars[note.end_measure].meter
        assert first is not None
        assert last is not None
        start = measures[note.measure].start + first.tick_quarters[note.tick]
        end = measures[note.end_measure].start + last.tick_quarters[note.end_tick]
        sounds.append(Sound(start, end, note.pitch))
    onsets = sorted(sound.start for sound in sounds)
    for on, off, pitch in raw:
        at = next((n for n, bar in enumerate(melody.bars) if bar.start <= on < bar.end), None)
        if at is None or rows[at] is not None:
            continue
        origin = melody.bars[at].end if melody.bars[at].number == 0 else melody.bars[at].start
        barline = measures[at].end if melody.bars[at].number == 0 else measures[at].start
        begin = max(barline + _rounded(Fraction(on - origin, ticks_per_quarter)), measures[at].start)
        stop = barline + _rounded(Fraction(off - origin, ticks_per_quarter))
        later = next((onset for onset in onsets if onset > begin), None)
        stop = stop if later is None else min(stop, later)
        if begin < min(stop, measures[-1].end):
            sounds.append(Sound(begin, stop, pitch))
    return Part(melody.name, tuple(measures), tuple(sorted(sounds)))


def _measures(melody: Melody, ticks_per_quarter: int) -> list[Measure]:
    """The measures, one after another. A measure with tokens is as long as its meter says."""
    found: list[Measure] = []
    now = Fraction(0)
    for i, bar in enumerate(melody.bars):
        whole = bar.tokens is not None and bar.meter is not None
        length = bar.meter.quarters if whole and bar.meter else Fraction(bar.end - bar.start, ticks_per_quarter)
        signature = bar.signature if bar.signature.partition("/")[0] != "0" else ""
        found.append(Measure(now, length, signature, melody.key_at(i), bar.number))
        now += length
    return found


def _rounded(quarters: Fraction) -> Fraction:
    """The nearest position on one of the grids."""
    near = (Fraction(round(quarters * grid), grid) for grid in _GRIDS)
    return min(near, key=lambda position: abs(position - quarters))
