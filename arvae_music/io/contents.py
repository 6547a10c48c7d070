"""What a MIDI file holds: its tracks, its voices, and what is odd about it. No melody is chosen yet.

    contents = Contents.read(data, "song.mid")
    contents.candidates      its voices, also if none of them can be edited
    contents.notices         what is odd about it
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from . import voices
from .channels import syllables_of, voices_of
from .chunks import Split, split
from .lines import one_at_a_time
from .midi_events import INSTRUMENT_NAME, TRACK_NAME, FileNote, Track, file_notes, metas, parse_track
from .names import text
from .notices import Notice, Oddity
from .voices import Candidate

INDEPENDENT_TRACKS = 2  # the type of a file in which each track is a piece of its own
FAR = 18  # semitones between key switches and the notes of the instrument
MOST_SWITCHES = 1 / 3  # share of the notes of a voice


@dataclass(frozen=True)
class Contents:
    """The tracks of a file (n,), and the notes of each."""

    name: str  # of the file, in messages
    split: Split
    tracks: tuple[Track, ...]
    notes: tuple[list[FileNote], ...]
    candidates: tuple[Candidate, ...]
    notices: tuple[Notice, ...]

    @classmethod
    def read(cls, data: bytes, name: str) -> Contents:
        """Read the tracks of a MIDI file as far as possible. Raises InputError for bytes that are not a MIDI file."""
        parts = split(data, name)
        tracks = tuple(parse_track(parts.track(i)) for i in range(len(parts.tracks)))
        notes = tuple(file_notes(track.events) for track in tracks)
        events, independent = [track.events for track in tracks], parts.format == INDEPENDENT_TRACKS
        candidates = tuple(
            voices.candidates_of(
                voices_of(events, notes, independent),
                parts.ticks_per_quarter,
                () if independent else syllables_of(events),
            )
        )
        odd = [notice.on(number) for number, track in enumerate(tracks, start=1) for notice in track.notices]
        return cls(name, parts, tracks, notes, candidates, (*parts.notices, *odd))

    @property
    def independent(self) -> bool:
        """Whether each track is a piece of its own."""
        return self.split.format == INDEPENDENT_TRACKS

    @property
    def names(self) -> list[str]:
        """The name of each track, or of its instrument; "" without one."""
        return [name_of(track) for track in self.tracks]


def name_of(track: Track) -> str:
    """The name of a track, or of its instrument; "" without one."""
    own = metas(track.events)
    payloads = [event.meta(kind) for kind in (TRACK_NAME, INSTRUMENT_NAME) for event in own]
    return next((text(payload) for payload in payloads if payload), "")


def melodic(notes: list[FileNote], ticks_per_quarter: int) -> tuple[list[FileNote], list[Notice]]:
    """The notes of a voice that are music, and what is odd about the others.

    Notes without a length are inaudible. Key switches, with which a player of a sample library chooses a manner of
    playing, are few notes far below or above all others (FAR, MOST_SWITCHES), in a voice that without them plays one
    note at a time.
    """
    notices = []
    endless = [note for note in notes if note.off is None]
    if endless:
        notices.append(Notice(Oddity.NO_NOTE_OFF, len(endless), endless[0].start))
    audible = [note for note in notes if note.end > note.start]
    silent = [note for note in notes if note.end <= note.start]
    if silent:
        notices.append(Notice(Oddity.NO_LENGTH, len(silent), silent[0].start))
    low, high = _instrument_range(audible)
    if not one_at_a_time([note for note in audible if low <= note.pitch <= high], ticks_per_quarter):
        low, high = 0, 127
    switches = [note for note in audible if not low <= note.pitch <= high]
    if switches:
        notices.append(Notice(Oddity.KEY_SWITCH, len(switches), switches[0].start))
    return [note for note in audible if low <= note.pitch <= high], notices


def _instrument_range(notes: list[FileNote]) -> tuple[int, int]:
    """The lowest and the highest pitch that are not key switches."""
    pitches = np.sort([note.pitch for note in notes])
    low, high = (int(pitches[0]), int(pitches[-1])) if len(pitches) else (0, 0)
    most = len(pitches) * MOST_SWITCHES
    for i, (below, above) in enumerate(pairwise(pitches.tolist()), start=1):
        if above - below < FAR:
            continue
        if i <= most:
            low = above
        elif len(pitches) - i <= most:
            high = min(high, below)
    return low, high
