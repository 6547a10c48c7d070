"""What a MIDI file sounds like: the notes of all its tracks in seconds, with their instruments.

    played = performance(data, "song.mid")
    played.tracks[0].notes        [(start, end, pitch, velocity), ...]
    played.seconds(ticks)         the times of ticks of the file

The file is read as leniently as for an edit, so that a damaged file sounds as far as it can be read. A track that plays
several channels or instruments becomes several `PlayedTrack`s. In a file of type 2, whose tracks are pieces of their
own, only one track sounds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays import Float64s
from .accompaniment import program_at, programs_of
from .channels import DRUMS
from .chunks import split
from .contents import INDEPENDENT_TRACKS, name_of
from .midi_events import BEND, CONTROL, HIGHEST_DATA, Event, FileNote, Track, file_notes, parse_track, tempo_changes

BEND_CENTRE = 8192
VOLUME, EXPRESSION = 7, 11  # controllers
DEFAULTS = {VOLUME: 100, EXPRESSION: 127}  # of a channel without them, as in General MIDI
DEFAULT_BEAT = 500_000  # microseconds in a quarter note, for files without a tempo


class PlayedNote(NamedTuple):
    start: float  # seconds
    end: float
    pitch: int  # MIDI
    velocity: int  # 1 to 127


class Control(NamedTuple):
    """A controller's new value."""

    time: float  # seconds
    number: int
    value: int


class Bend(NamedTuple):
    """A pitch bend, from -8192 to 8191."""

    time: float  # seconds
    value: int


@dataclass(frozen=True)
class PlayedTrack:
    """The notes that one track plays on one channel with one instrument, in the order of their onsets."""

    number: int  # of the track in the file, from 1
    name: str  # of the track; "" without one
    channel: int  # 1 to 16
    program: int  # General MIDI, 0 to 127
    notes: tuple[PlayedNote, ...]
    controls: tuple[Control, ...] = field(default=(), repr=False)  # of the channel
    bends: tuple[Bend, ...] = field(default=(), repr=False)

    @property
    def drum(self) -> bool:
        return self.channel == DRUMS

    def volume(self, time: float) -> float:
        """How loud the channel is at a time in seconds: 1 for a channel without controllers."""
        found = 1.0
        for number, default in DEFAULTS.items():
            own = [control for control in self.controls if control.number == number]
            after = bisect_right(own, time, key=lambda control: control.time)
            found *= (own[after - 1].value if after else default) / default
        return found


@dataclass(frozen=True)
class Performance:
    tracks: tuple[PlayedTrack, ...]
    _ticks: Float64s = field(repr=False)  # (n,) where the tempo changes
    _times: Float64s = field(repr=False)  # (n,) seconds there
    _paces: Float64s = field(repr=False)  # (n,) seconds a tick from there on

    @property
    def duration(self) -> float:
        """Seconds until the last note ends."""
        return max((note.end for track in self.tracks for note in track.notes), default=0.0)

    def seconds(self, ticks: npt.ArrayLike) -> Float64s:
        """(n,) times of (n,) ticks."""
        at = np.asarray(ticks, dtype=np.float64)
        which = np.searchsorted(self._ticks, at, side="right") - 1
        found: Float64s = self._times[which] + (at - self._ticks[which]) * self._paces[which]
        return found


def performance(data: bytes, name: str, *, track: int | None = None) -> Performance:
    """Read a MIDI file. `track`, from 1, is the one that sounds in a file of type 2; None is the first with notes.

    `name` is for messages. Raises InputError for bytes that are not a MIDI file.
    """
    parts = split(data, name)
    parsed = [_parsed(parts.track(index)) for index in range(len(parts.tracks))]
    indices = list(range(len(parsed)))
    if parts.format == INDEPENDENT_TRACKS:
        indices = [track - 1] if track is not None else [i for i in indices if parsed[i][1]][:1]
    events = [parsed[index][0].events for index in indices]
    played = Performance((), *_tempo_map(events, parts.ticks_per_quarter))
    programs = programs_of(events)
    controls, bends = _continuous(events, played)
    found: list[PlayedTrack] = []
    for index in indices:
        notes = [note for note in parsed[index][1] if note.end > note.start]
        starts, ends = (played.seconds([getattr(note, side) for note in notes]).tolist() for side in ("start", "end"))
        voices: dict[tuple[int, int], list[PlayedNote]] = defaultdict(list)
        for note, start, end in zip(notes, starts, ends, strict=True):
            program = program_at(programs.get(note.channel, []), note.start)
            voices[note.channel, program].append(PlayedNote(start, end, note.pitch, note.velocity))
        found += [
            PlayedTrack(
                index + 1, name_of(parsed[index][0]), channel + 1, program, tuple(own),
                tuple(controls[channel]), tuple(bends[channel]),
            )
            for (channel, program), own in sorted(voices.items())
        ]  # fmt: skip
    return replace(played, tracks=tuple(found))


@lru_cache(maxsize=64)
def _parsed(body: bytes) -> tuple[Track, list[FileNote]]:
    """A track and its notes. Edits of a song share all tracks but one, so that the others are parsed once."""
    track = parse_track(body)
    return track, file_notes(track.events)


def _tempo_map(events: Sequence[Sequence[Event]], ticks_per_quarter: int) -> tuple[Float64s, Float64s, Float64s]:
    beats = {0: DEFAULT_BEAT}
    beats.update(tempo_changes(events))
    ticks = np.array(list(beats), dtype=np.float64)
    paces = np.array(list(beats.values())) / 1e6 / ticks_per_quarter
    times = np.concatenate([[0.0], np.cumsum(np.diff(ticks) * paces[:-1])])
    return ticks, times, paces


def _continuous(
    events: Sequence[Sequence[Event]], played: Performance
) -> tuple[dict[int, list[Control]], dict[int, list[Bend]]]:
    """The controllers and the pitch bends of each channel, 0 to 15, in the order of time."""
    controls: dict[int, list[Control]] = defaultdict(list)
    bends: dict[int, list[Bend]] = defaultdict(list)
    chosen = [event for track in events for event in track if event.kind in (BEND, CONTROL)]
    chosen = sorted((event for event in chosen if max(event.data[1:]) <= HIGHEST_DATA), key=lambda event: event.tick)
    for event, time in zip(chosen, played.seconds([event.tick for event in chosen]).tolist(), strict=True):
        low, high = event.data[1], event.data[2]
        if event.kind == CONTROL:
            controls[event.channel].append(Control(time, low, high))
        else:
            bends[event.channel].append(Bend(time, (high << 7 | low) - BEND_CENTRE))
    return controls, bends
