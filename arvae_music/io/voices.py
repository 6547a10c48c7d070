"""Choose the voice of a MIDI file that is the melody, and explain the choice.

A voice is a track and a channel with notes: usually a track in a file of type 1, and a channel in a file of type 0.
The rules, in order:

1. The user may give `track` and `channel`. A track is a number from 1, its name, or a part of its name that no other
   track with notes has.
2. Otherwise drums (channel 10) are left out. If one voice remains, it is the melody.
3. A voice is chosen by its name: first names of melodies (melody, tune, theme, cantus), then of singing (vocal, vox,
   sing, chant ...), then of parts (soprano, lead, solo). Names of backing voices, and voices that play mostly chords,
   are passed over.
4. Otherwise the choice is among the voices with at least ENOUGH of the notes of the busiest one. Of those that play one
   note at a time, the highest on average is chosen. If there is none, the voice with the fewest simultaneous notes is.
"""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Ints
from ..errors import InputError
from .midi_events import HIGHEST_DATA, INSTRUMENT_NAME, PROGRAM, TRACK_NAME, Event, FileNote

DRUMS = 10  # the MIDI channel of drums, counted from 1
ENOUGH = 0.1  # share of the notes of the voice with the most notes
ONE_VOICED = 0.1  # largest share of overlapping notes in a voice that plays one note at a time
MOSTLY_CHORDS = 0.5  # larger shares of overlapping notes are chords
_NAMES = (
    r"melod|\btune\b|\btheme\b|\bcantus\b",
    r"vocal|\bvox\b|\bvoice\b|\bvoc\b|\bsing|gesang|\bchant\b|\bcanto\b|\bvoz\b|stimme",
    r"sopran|\blead\b|\bsolo\b",
)
_BACKING = r"back|\bbg\b|\bbv|harmon|choir|chorus"


@dataclass(frozen=True)
class Candidate:
    """One voice of a file, for choosing and for `arvae inspect`."""

    track: int  # from 1
    channel: int  # from 1
    name: str  # of the track, or of its instrument; may be empty
    program: int | None  # General MIDI, 0 to 127, at its first note
    notes: int
    low: int  # MIDI pitch
    high: int
    mean: float
    polyphony: float  # share of the notes that begin while another note sounds

    @property
    def drums(self) -> bool:
        return self.channel == DRUMS

    @property
    def label(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        return f"track {self.track}{name}"


@dataclass(frozen=True)
class Found:
    """The voice that was chosen as the melody. Tracks and channels count from 1; `why` explains the choice."""

    track: int
    name: str
    channel: int
    program: int | None
    why: str


def text(payload: bytes) -> str:
    """The text of a meta event: UTF-8 if it is valid, else Latin-1, as in the MIDI standard."""
    try:
        return payload.decode("utf-8").strip(" \0\t\r\n")
    except UnicodeDecodeError:
        return payload.decode("latin-1").strip(" \0\t\r\n")


def candidates_of(track: int, events: Sequence[Event], notes: Sequence[FileNote]) -> list[Candidate]:
    """The voices of one track, by channel. `track` counts from 1."""
    names = [event.meta(kind) for kind in (TRACK_NAME, INSTRUMENT_NAME) for event in events]
    name = next((text(payload) for payload in names if payload), "")
    by_channel: dict[int, list[FileNote]] = defaultdict(list)
    for note in notes:
        by_channel[note.channel].append(note)
    found: list[Candidate] = []
    for channel, own in sorted(by_channel.items()):
        start, end, pitch = np.array([(n.start, n.end, n.pitch) for n in own]).T
        program = _program(events, channel, own[0].on)
        found.append(candidate(track, name, start, end, pitch, channel=channel + 1, program=program))
    return found


def _program(events: Sequence[Event], channel: int, first_note: int) -> int | None:
    changes = [e.data[1] & HIGHEST_DATA for e in events[:first_note] if e.kind == PROGRAM and e.channel == channel]
    return changes[-1] if changes else None


def candidate(
    track: int, name: str, start: Ints, end: Ints, pitch: Ints, *, channel: int = 1, program: int | None = None
) -> Candidate:
    """A voice from its notes: start, end and pitch (n,) with n > 0, sorted by start.

    `start` and `end` may be in any unit. `track` and `channel` count from 1.
    """
    low, high = int(pitch.min()), int(pitch.max())
    return Candidate(track, channel, name, program, len(pitch), low, high, float(pitch.mean()), _polyphony(start, end))


def _polyphony(start: Ints, end: Ints) -> float:
    """The share of notes of which more than half overlaps with an earlier note."""
    before = np.maximum.accumulate(end)[:-1]
    together = before - start[1:] > (end - start)[1:] / 2
    return float(together.sum() / len(start))


def choose(
    candidates: Sequence[Candidate], track: int | str | None, channel: int | None, where: str
) -> tuple[Candidate, str]:
    """The melody among a file's voices, and a sentence that explains the choice. Raises InputError if none fits."""
    if not candidates:
        raise InputError("it holds no notes", where=where)
    said: list[str] = []
    pool = list(candidates)
    if track is not None:
        pool = _on_track(pool, track, where)
        said.append(f"track {track}")
    if channel is not None:
        pool = _on_channel(pool, channel, where)
        said.append(f"channel {channel}")
    melodic = [c for c in pool if not c.drums]
    if said and len(pool) == 1:
        return pool[0], f"you chose {' and '.join(said)}"
    if not melodic:
        what = "it holds only drums (channel 10)" if track is None else "that track holds only drums"
        raise InputError(what, where=where, remedy="give channel=10 to use them")
    chosen, why = _best(melodic)
    return chosen, f"within {' and '.join(said)}, {why}" if said else why  # for instance "within track 2, it is ..."


def _on_track(candidates: list[Candidate], track: int | str, where: str) -> list[Candidate]:
    if isinstance(track, int) or track.isdecimal():
        own = [c for c in candidates if c.track == int(track)]
        problem = f"there is no track {track} with notes"
    else:
        own = _named(candidates, track)
        problem = f"there is no track named {track!r}"
    if own:
        return own
    names = sorted({c.name for c in candidates if c.name})
    near = difflib.get_close_matches(str(track), names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    labels = list(dict.fromkeys(c.label for c in candidates))
    raise InputError(problem, where=where, remedy=f"{hint}notes are on {', '.join(labels)}")


def _named(candidates: list[Candidate], name: str) -> list[Candidate]:
    """The candidates with this name, or else those of the only track with this part in its name."""
    wanted = name.casefold().strip()
    whole = [c for c in candidates if c.name.casefold() == wanted]
    part = [c for c in candidates if wanted and wanted in c.name.casefold()]
    return whole or (part if len({c.track for c in part}) == 1 else [])


def _on_channel(candidates: list[Candidate], channel: int, where: str) -> list[Candidate]:
    own = [c for c in candidates if c.channel == channel]
    if not own:
        used = ", ".join(str(n) for n in sorted({c.channel for c in candidates}))
        raise InputError(f"there are no notes on channel {channel}", where=where, remedy=f"notes are on channel {used}")
    return own


def _best(candidates: list[Candidate]) -> tuple[Candidate, str]:
    if len(candidates) == 1:
        return candidates[0], "it is the only voice with notes"
    for pattern in _NAMES:
        named = [c for c in candidates if _says(c, pattern)]
        if named:
            chosen, _ = _highest(named)
            return chosen, "chosen by its name"
    chosen, single = _highest(candidates)
    count = len(candidates)
    if single == 0:
        return chosen, f"of {count} voices, it plays the fewest notes at once"
    if single == 1:
        return chosen, f"of {count} voices, only this one plays one note at a time"
    return chosen, f"of {count} voices, {single} play one note at a time, and this one is the highest"


def _says(candidate: Candidate, pattern: str) -> bool:
    name = candidate.name.casefold()
    return (
        re.search(pattern, name) is not None
        and re.search(_BACKING, name) is None
        and candidate.polyphony <= MOSTLY_CHORDS
    )


def _highest(candidates: list[Candidate]) -> tuple[Candidate, int]:
    """The highest voice that plays one note at a time, and how many voices do.

    If none does (0), the voice is the one with the fewest overlapping notes.
    """
    most = max(c.notes for c in candidates)
    enough = [c for c in candidates if c.notes >= ENOUGH * most]
    single = [c for c in enough if c.polyphony <= ONE_VOICED]
    if single:
        return max(single, key=lambda c: c.mean), len(single)
    return min(enough, key=lambda c: (round(c.polyphony, 1), -c.mean)), 0
