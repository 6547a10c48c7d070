"""Gather the notes of a MIDI file into voices, and find its lyrics.

A voice is a track and a channel with notes: usually a track in a file of type 1, and a channel in a file of type 0. The
channels of one track are one voice if they share an instrument and one player plays them all:

    one line      no two of their notes sound together for long
    MPE           a controller that gives each note a channel of its own; a message announces it, or the channels take
                  turns in one register
    strings       a guitar with a channel for each string
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Ints
from . import names
from .midi_events import HIGHEST_DATA, INSTRUMENT_NAME, PROGRAM, TRACK_NAME, Event, FileNote, metas
from .ranking import share_together

DRUMS = 10  # the MIDI channel of drums, counted from 1
ONE_VOICED = 0.1  # largest share of overlapping notes in channels that are one line
IN_TURN = 3  # channels from which a controller's may be recognised by their register
ALIKE = 3.0  # semitones: the mean pitches of such channels differ by less
GUITARS = range(24, 40)  # General MIDI programs of guitars and basses
STRINGS = 4  # channels from which a guitar's are taken for its strings
SEVERAL_WORDS = 40  # text events from which a track is taken for a karaoke file's words
CONTROL, LYRIC, TEXT = 0xB0, 0x05, 0x01
_MPE = bytes((100, 6))  # the controller and its value that announce MPE


@dataclass(frozen=True)
class Voice:
    """A voice with its notes (n,), n > 0, sorted by start. Tracks and channels count from 1."""

    track: int
    channels: tuple[int, ...]
    name: str  # of the track, or of its instrument; may be empty
    program: int | None  # General MIDI, 0 to 127, at its first note
    start: Ints  # ticks
    end: Ints
    pitch: Ints  # MIDI
    velocity: Ints

    @property
    def drums(self) -> bool:
        return self.channels == (DRUMS,)


def voices_of(tracks: Sequence[Sequence[Event]], notes: Sequence[Sequence[FileNote]], independent: bool) -> list[Voice]:
    """The voices of a file, by track and channel. The tracks of a file of type 2 are `independent` pieces."""
    shared = _programs(event for events in tracks for event in events)
    found: list[Voice] = []
    for number, (events, own) in enumerate(zip(tracks, notes, strict=True), 1):
        own_metas = metas(events)
        texts = (event.meta(kind) for kind in (TRACK_NAME, INSTRUMENT_NAME) for event in own_metas)
        name = next((name for payload in texts if payload and (name := names.text(payload))), "")
        programs = _programs(events)
        if not independent:
            programs = {**shared, **programs}
        found += _of_track(number, name, own, programs, any(map(_announces_mpe, events)))
    return found


def voice_of(
    track: int, name: str, start: Ints, end: Ints, pitch: Ints, *, channel: int = 1, program: int | None = None
) -> Voice:
    """A voice from arrays (n,), n > 0, sorted by start. `track` and `channel` count from 1."""
    return Voice(track, (channel,), name, program, start, end, pitch, np.full(len(pitch), 80))


def syllables_of(tracks: Sequence[Sequence[Event]]) -> list[int]:
    """The ticks of the lyrics: of lyric events, or of the texts of a karaoke file."""
    found: list[int] = []
    for events in tracks:
        own = metas(events)
        lyrics = [event.tick for event in own if event.meta(LYRIC)]
        texts = [event.tick for event in own if (words := event.meta(TEXT)) and not words.startswith(b"@")]
        found += lyrics or (texts if len(texts) >= SEVERAL_WORDS else [])
    return sorted(found)


def _of_track(
    number: int, name: str, notes: Sequence[FileNote], programs: dict[int, list[tuple[int, int]]], mpe: bool
) -> Iterator[Voice]:
    by_channel: dict[int, list[FileNote]] = defaultdict(list)
    for note in notes:
        by_channel[note.channel].append(note)
    of_program: dict[int | None, list[int]] = defaultdict(list)
    for channel, own in sorted(by_channel.items()):
        of_program[_program(programs.get(channel, []), own[0].start)].append(channel)
    groups: list[tuple[int | None, list[int]]] = []
    for program, channels in of_program.items():
        pitched = [channel for channel in channels if channel != DRUMS - 1]
        together = len(pitched) > 1 and (mpe or _one_player(program, [by_channel[channel] for channel in pitched]))
        joined = [pitched, *([channel] for channel in channels if channel not in pitched)] if together else None
        groups += [(program, group) for group in joined or [[channel] for channel in channels] if group]
    for program, group in sorted(groups, key=lambda one: one[1]):
        own = sorted((note for channel in group for note in by_channel[channel]), key=lambda note: note.start)
        start, end, pitch, velocity = np.array([(n.start, n.end, n.pitch, n.velocity) for n in own]).T
        yield Voice(number, tuple(channel + 1 for channel in group), name, program, start, end, pitch, velocity)


def _one_player(program: int | None, channels: Sequence[Sequence[FileNote]]) -> bool:
    """Whether channels with one instrument are played as one voice."""
    notes = sorted((note for own in channels for note in own), key=lambda note: note.start)
    start, end = np.array([(note.start, note.end) for note in notes]).T
    if share_together(start, end) <= ONE_VOICED:
        return True
    if program in GUITARS and len(channels) >= STRINGS:
        return True
    means = [float(np.mean([note.pitch for note in own])) for own in channels]
    return len(channels) >= IN_TURN and max(means) - min(means) < ALIKE


def _announces_mpe(event: Event) -> bool:
    return event.data[0] in (CONTROL, CONTROL | 15) and event.data[1:3] == _MPE


def _programs(events: Collection[Event] | Iterator[Event]) -> dict[int, list[tuple[int, int]]]:
    """From each channel to its program changes (tick, program), in order."""
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for event in events:
        if event.data[0] & 0xF0 == PROGRAM:
            found[event.channel].append((event.tick, event.data[1] & HIGHEST_DATA))
    return {channel: sorted(changes, key=lambda change: change[0]) for channel, changes in found.items()}


def _program(changes: Sequence[tuple[int, int]], tick: int) -> int | None:
    after = bisect_right(changes, tick, key=lambda change: change[0])
    return changes[after - 1][1] if after else None
