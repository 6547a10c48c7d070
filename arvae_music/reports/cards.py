"""The cards of a page that shows and plays files (contact_sheet.py): what a card needs of the music.

    make_card(row, song, midi, place)          an edit or a variation: `midi` is the song's file after it
    step_card(row, first, midi, melody)        a step of an interpolation, beside the first one
    with_scores(card, before, after)           the card with engraved scores

A card holds the tracks of both files as JSON texts, with times in seconds. Equal tracks are the same text, so that a
page writes them once.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from ..io.midi import TICKS_PER_QUARTER, Song
from ..io.performance import Performance, performance
from ..io.score_output import to_file
from ..music.melody import Melody
from .engraved import available, engrave
from .manifest import Row

DECIMALS = 4  # of times, in seconds
SCORE_OPTIONS = {"pageWidth": 2600, "scale": 42}


@dataclass(frozen=True)
class Card:
    """One file on a page. Tracks, measures and the melody are JSON texts for data/player.js and data/roll.js."""

    row: Row
    place: Path | None  # the file; None if it has no path
    before: tuple[str, ...]
    after: tuple[str, ...]
    measures: str
    melody: str  # [start, pitch] of the melody's notes before the edit, as JSON
    step: bool = False  # whether it is a step of an interpolation, for which nothing was requested
    scores: tuple[str, ...] = ()  # SVG before and after
    report: tuple[str, ...] = ()  # lines of text


def make_card(row: Row, song: Song, midi: bytes, place: Path | None = None, report: Iterable[str] = ()) -> Card:
    """The card of an edit of a song. `midi` is the song's MIDI file after the edit, and `place` the path of the output.

    Raises InputError if `midi` is not a MIDI file.
    """
    own = song.found.track
    played, before = _sound(song.midi, song.name, own)
    melody = _onsets(played.seconds([note.start for note in song.notes]).tolist(), [n.pitch for n in song.notes])
    starts, ends = ([getattr(bar, side) for bar in song.melody.bars] for side in ("start", "end"))
    after = _sound(midi, song.name, own)[1]
    measures = _measures(played, song.melody, starts, ends)
    return Card(row, place, before, _shared(after, before), measures, melody, report=tuple(report))


def step_card(row: Row, first: bytes, midi: bytes, melody: Melody, place: Path | None = None) -> Card:
    """The card of a step of an interpolation: its MIDI file beside that of the first step. `melody` is any of them."""
    played, before = _sound(first, "the first step", None)
    ends = [float(end) for end in itertools.accumulate(bar.quarters * TICKS_PER_QUARTER for bar in melody.bars)]
    after = _sound(midi, "a step", None)[1]
    measures = _measures(played, melody, [0.0, *ends[:-1]], ends)
    notes = [note for track in played.tracks for note in track.notes]
    onsets = _onsets([note.start for note in notes], [note.pitch for note in notes])
    return Card(row, place, before, _shared(after, before), measures, onsets, step=True)


def with_scores(card: Card, song: Song | Melody, before: Melody, after: Melody) -> Card:
    """The card with the scores of both melodies, if verovio is installed and can engrave them."""
    if not available():
        return card
    pictures = [_score(to_file(song, melody.rows, ".musicxml").decode()) for melody in (before, after)]
    return replace(card, scores=tuple(pictures)) if all(pictures) else card


@lru_cache(maxsize=4)
def _score(xml: str) -> str:
    """The first page, which is as high as the music; "" if it cannot be engraved."""
    return next(iter(engrave(xml, **SCORE_OPTIONS)), "")


@lru_cache(maxsize=4)
def _sound(midi: bytes, name: str, track: int | None) -> tuple[Performance, tuple[str, ...]]:
    """The performance of a file, and its tracks as JSON."""
    played = performance(midi, name, track=track)
    return played, tuple(
        _json(
            {
                "number": one.number, "name": one.name, "channel": one.channel, "program": one.program,
                "volume": round(one.volume(one.notes[0].start), 3),
                "notes": [
                    [round(note.start, DECIMALS), round(note.end - note.start, DECIMALS), note.pitch, note.velocity]
                    for note in sorted(one.notes)
                ],
            }
        )
        for one in played.tracks
    )  # fmt: skip


def _shared(tracks: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    """The tracks, in which those that equal others are the same objects: pickle then stores them once."""
    known = {text: text for text in others}
    return tuple(known.get(text, text) for text in tracks)


def _onsets(starts: Sequence[float], pitches: Sequence[int]) -> str:
    return _json([[round(start, DECIMALS), pitch] for start, pitch in zip(starts, pitches, strict=True)])


def _measures(played: Performance, melody: Melody, starts: Sequence[float], ends: Sequence[float]) -> str:
    """[number, start, end, reason why arvae cannot edit it] of each measure, whose ticks are given."""
    times = (played.seconds(side).round(DECIMALS).tolist() for side in (starts, ends))
    return _json([[bar.number, start, end, bar.why] for bar, start, end in zip(melody.bars, *times, strict=True)])


def _json(data: object) -> str:
    return json.dumps(data, separators=(",", ":"))
