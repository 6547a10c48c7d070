"""What a MIDI file holds: its tracks, its voices, and what is odd about it. No melody is chosen yet.

    contents = Contents.read(data, "song.mid")
    contents.candidates      its voices, also if none of them can be edited
    contents.notices         what is odd about it
"""

from __future__ import annotations

from dataclasses import dataclass

from . import voices
from .channels import syllables_of, voices_of
from .chunks import Split, split
from .midi_events import INSTRUMENT_NAME, TRACK_NAME, FileNote, Track, file_notes, metas, parse_track
from .names import text
from .notices import Notice
from .voices import Candidate

INDEPENDENT_TRACKS = 2  # the type of a file in which each track is a piece of its own


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
    def read(cls, data: bytes, name: str, *, score_lone: bool = True) -> Contents:
        """Read the tracks of a MIDI file as far as possible. `voices.candidates_of` explains `score_lone`. Raises
        InputError for bytes that are not a MIDI file."""
        parts = split(data, name)
        tracks = tuple(parse_track(parts.track(i)) for i in range(len(parts.tracks)))
        notes = tuple(file_notes(track.events) for track in tracks)
        events, independent = [track.events for track in tracks], parts.format == INDEPENDENT_TRACKS
        candidates = tuple(
            voices.candidates_of(
                voices_of(events, notes, independent),
                parts.ticks_per_quarter,
                () if independent else syllables_of(events),
                score_lone=score_lone,
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
