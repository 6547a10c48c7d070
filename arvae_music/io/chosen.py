"""The melody of a MIDI file: the voice that is chosen, its line, and the measures of the line.

`voices` chooses the voice with the melody, `lines` takes the melody out of a voice that plays several notes at once,
and `quantise` cuts it into measures. The time signatures of all tracks count in files of type 0 and 1. In type 2 the
tracks are independent pieces, so only those of the melody's track count. The key signature is the one in force where
the melody begins; one in the melody's track takes precedence over one in another track.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..music.melody import Melody
from ..music.reasons import Reason
from . import voices
from .barlines import Signature
from .key_signatures import signatures_of
from .lines import TOP, LineName, one_at_a_time, separated, spans_of
from .midi_events import TIME_SIGNATURE, Event, FileNote
from .notices import Notice, Oddity
from .quantise import Placements, melody_of
from .voices import Choice, Found

if TYPE_CHECKING:
    from .contents import Contents

MOST_TRIES = 4  # voices that are tried, if no measure of the first ones can be edited
LARGEST_DENOMINATOR = 6  # as a power of two: a 64th
FAR = 18  # semitones between key switches and the notes of the instrument
MOST_SWITCHES = 1 / 3  # share of the notes of a voice
_REMEDIES: dict[Reason | None, str] = {
    Reason.OFF_GRID: "quantise it to sixteenths or triplets, or name another track with track=...",
}


@dataclass(frozen=True)
class Chosen:
    """The melody of a file, without what else the file plays."""

    found: Found
    melody: Melody
    placements: Placements  # of `notes`
    notes: tuple[FileNote, ...]  # the melody's
    audible: Sequence[FileNote]  # all notes of its voice that are music
    notices: Sequence[Notice]  # what is odd about the others


def choose(
    contents: Contents,
    track: int | str | None = None,
    channel: int | None = None,
    line: LineName = TOP,
    pickup: Fraction | None = None,
    tolerance: Fraction | None = None,
) -> Chosen:
    """The melody of a file; `Song.read` explains the parameters. Raises InputError if arvae can read no measure."""
    failures: list[tuple[Choice, InputError]] = []
    for choice in voices.choose(contents.candidates, track, channel, contents.name)[:MOST_TRIES]:
        try:
            return _read(contents, choice, failures, line, pickup, tolerance)
        except InputError as error:
            failures.append((choice, error))
    raise failures[0][1]


def _read(
    contents: Contents,
    choice: Choice,
    failures: Sequence[tuple[Choice, InputError]],
    line: LineName,
    pickup: Fraction | None,
    tolerance: Fraction | None,
) -> Chosen:
    """The melody that is this choice. Raises InputError if arvae can read no measure of it."""
    chosen, where = choice.candidate, f"{contents.name}, {choice.candidate.label}"
    tpq, tracks = contents.split.ticks_per_quarter, [track.events for track in contents.tracks]
    index = chosen.track - 1
    own, odd = _melodic([note for note in contents.notes[index] if note.channel + 1 in chosen.channels], tpq)
    if not own:
        raise InputError("none of its notes has a length", where=where)
    separate = separated(own, tpq, line, where)
    damaged = contents.tracks[index].damaged
    melody, placements = melody_of(
        Path(contents.name).stem,
        spans_of(separate.notes, tpq),
        tpq,
        _signatures([tracks[index]] if contents.independent else tracks),
        signatures_of(tracks, index, contents.independent),
        tracks[index][-1].tick,
        pickup=pickup,
        tolerance=tolerance,
        damaged_from=tracks[index][-1].tick if damaged else None,
    )
    _check(melody, placements, where)
    found = Found(
        chosen.track, chosen.name, chosen.channel, chosen.program, _why(choice, failures), chosen.channels,
        separate.voice, len(own) - len(separate.notes),
    )  # fmt: skip
    return Chosen(found, melody, placements, separate.notes, own, odd)


def _melodic(notes: list[FileNote], ticks_per_quarter: int) -> tuple[list[FileNote], list[Notice]]:
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


def _why(choice: Choice, failures: Sequence[tuple[Choice, InputError]]) -> str:
    """The reason for a choice, after those that were tried in vain."""
    if not failures:
        return choice.why
    tried = "; ".join(f"{before.candidate.label} cannot be edited, because {error.what}" for before, error in failures)
    return f"{tried}; of the others, {choice.why}"


def _signatures(tracks: Sequence[Sequence[Event]]) -> list[Signature]:
    """The time signatures of the tracks, sorted by tick. On one tick, the first track comes first, and within a track
    the last event counts."""
    found: list[Signature] = []
    for events in tracks:
        own: dict[int, Signature] = {}
        for event in events:
            payload = event.meta(TIME_SIGNATURE)
            if payload and len(payload) >= 2 and payload[0] and payload[1] <= LARGEST_DENOMINATOR:
                own[event.tick] = (event.tick, payload[0], 2 ** payload[1])
        found += own.values()
    return sorted(found, key=lambda signature: signature[0])


def _check(melody: Melody, placements: Placements, where: str) -> None:
    """Raise InputError if no note begins in a measure with tokens."""
    if bool((placements.tick >= 0).any()):
        return
    bars = [melody.bars[i] for i in placements.measure.tolist()]
    reason, _ = Counter(bar.reason for bar in bars).most_common(1)[0]
    first = next(bar for bar in bars if bar.reason is reason)
    which = first.why if reason is Reason.UNSUPPORTED else reason
    raise InputError(
        f"no measure fits the grid: mostly {which}, first in measure {first.number}",
        where=where,
        remedy=_REMEDIES.get(reason, "name another track with track=...; arvae_music.inspect() lists them"),
    )
