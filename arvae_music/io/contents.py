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
from .chunks import Split, split
from .midi_events import INSTRUMENT_NAME, TRACK_NAME, FileNote, Track, file_notes, parse_track
from .notices import Notice, Oddity
from .voices import Candidate

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
        candidates = tuple(
            candidate
            for number, (track, own) in enumerate(zip(tracks, notes, strict=True), start=1)
            for candidate in voices.candidates_of(number, track.events, own)
        )
        odd = [notice.on(number) for number, track in enumerate(tracks, start=1) for notice in track.notices]
        return cls(name, parts, tracks, notes, candidates, (*parts.notices, *odd))

    @property
    def names(self) -> list[str]:
        """The name of each track, or of its instrument; "" without one."""
        found = []
        for track in self.tracks:
            payloads = [event.meta(kind) for kind in (TRACK_NAME, INSTRUMENT_NAME) for event in track.events]
            found.append(next((voices.text(payload) for payload in payloads if payload), ""))
        return found


def melodic(notes: list[FileNote]) -> tuple[list[FileNote], list[Notice]]:
    """The notes of a voice that are music, and what is odd about the others.

    Notes without a length are inaudible. Key switches, with which a player of a sample library chooses a manner of
    playing, are few notes far below or above all others (FAR, MOST_SWITCHES).
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
