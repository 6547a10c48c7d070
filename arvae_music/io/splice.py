"""Change some notes of a track and leave everything else as it is.

The token rows before and after the edit are compared note by note (`tokens.notes_of`). Only the events of notes that
differ are changed:

    the same start, pitch and end   nothing changes
    another end                     the note-off moves, unless the old one also fits the new end
    a note that is gone             its two events are removed; its polyphonic aftertouch stays and is not heard
    a new note                      two events are added

A measure without tokens "passes through": its notes stay as they are.

New notes are played like their neighbours (see `manner`).

A note may ring from a measure that passes through into the next. If the new row of the next measure does not begin with
HOLD, the note ends on the barline. New notes of one pitch do not overlap. A new overlap of two pitches is cut to a
length that `quantise` reads as legato. At equal ticks note-offs come first and note-ons last. The end of the track
moves if a note lasts longer.

A track may hold other notes than the melody's, on the same channel. They stay. A synthesiser cannot strike a pitch that
sounds already on a channel, so a new note ends where another note of its pitch begins. Where another note of its pitch
sounds already, the new note is left out, and the other note stands for it. A track may also hold several lines that are
edited together, such as a melody in octaves (see `doubles`).

The notes of a line may lie on several channels, as those of an MPE controller or the strings of a guitar do. A note
that only changes its pitch keeps its channel. A new note takes the channel of the note before it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import numpy as np

from ..arrays import Row
from ..music.melody import Melody
from ..music.tokens import HOLD, notes_of
from .lines import LEGATO_QUARTERS
from .manner import Line, Manner, Place, Sound, least
from .midi_events import END_OF_TRACK, HIGHEST_DATA, NOTE_OFF, NOTE_ON, TEXT, Event, FileNote, Track, meta
from .quantise import Placements

RELEASE = 64  # velocity of a note-off without a neighbour
LEGATO_LEFT = 0.9  # how much of the longest legato overlap of `quantise` may remain
SHORTEST_QUARTERS = 1 / 12  # a new note that another note leaves less room than this is not written


def splice(
    track: Track,
    lines: Sequence[tuple[Line, Sequence[Row | None]]],
    held: Iterable[FileNote],
    ticks_per_quarter: int,
) -> Track | None:
    """The track with the notes of the rows in place of each line's notes, or None if no note differs.

    `held` are other notes, which stay, on the channels of the lines. Raises ValueError for rows that do not fit the
    measures of their line.
    """
    edits = _edits(lines, held, ticks_per_quarter)
    if not any(edit.differs for edit in edits):
        return None
    return replace(track, events=_rebuild(track, edits))


def sounds_of(
    lines: Sequence[tuple[Line, Sequence[Row | None]]], held: Iterable[FileNote], ticks_per_quarter: int
) -> list[list[Sound]]:
    """The notes of each line of a track as `splice` writes them, sorted by start."""
    return [list(edit.sounds) for edit in _edits(lines, held, ticks_per_quarter)]


def _edits(
    lines: Sequence[tuple[Line, Sequence[Row | None]]], held: Iterable[FileNote], ticks_per_quarter: int
) -> list[_Edit]:
    """The new notes of each line of a track, beside the old ones."""
    edits: list[_Edit] = []
    for line, rows in lines:
        _validate(line.melody, rows)
        manner = Manner(line, ticks_per_quarter)
        sounds = [manner.sound(note) for note in notes_of(rows, line.melody.shift)]
        sounds = _ringing_out([*sounds, *_untouchable(line)], line, rows, manner)
        sounds = _spaced(sorted(sounds, key=lambda s: (s.start, s.pitch)), ticks_per_quarter)
        sounds = _separate(sounds, line.placements, ticks_per_quarter)
        edits.append(_Edit(line.notes, sounds, manner))
    busy = _Busy([*held, *(sound for edit in edits for sound in edit.sounds if not sound.changed)])
    shortest = SHORTEST_QUARTERS * ticks_per_quarter
    return [replace(edit, sounds=busy.with_room(edit, shortest)) for edit in edits]


class _Spans:
    """When one pitch sounds, in the order of the starts."""

    def __init__(self, spans: Iterable[tuple[int, int]] = ()) -> None:
        self.spans = sorted(spans)  # start, end
        self.until = list(accumulate((end for _, end in self.spans), max))  # the latest end so far

    def begun(self, tick: int) -> int:
        """How many begin before a tick."""
        return bisect_left(self.spans, (tick,))

    def last_end(self, tick: int) -> int:
        """The latest end of those that begin before a tick; 0 if there are none."""
        begun = self.begun(tick)
        return self.until[begun - 1] if begun else 0

    def add(self, start: int, end: int) -> None:
        at = bisect_left(self.spans, (start, end))
        self.spans.insert(at, (start, end))
        self.until.insert(at, max(self.until[at - 1], end) if at else end)
        for later in range(at + 1, len(self.until)):
            if self.until[later] >= self.until[at]:
                break
            self.until[later] = self.until[at]


class _Busy:
    """When each pitch of each channel is sounded by notes that stay, or by new notes before."""

    def __init__(self, notes: Iterable[FileNote | Sound]) -> None:
        found: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)  # by channel and pitch
        for note in notes:
            found[note.channel, note.pitch].append((note.start, note.end))
        self.stay = defaultdict(_Spans, {key: _Spans(spans) for key, spans in found.items()})
        self.all = defaultdict(_Spans, {key: _Spans(spans) for key, spans in found.items()})

    def with_room(self, edit: _Edit, shortest: float) -> list[Sound]:
        """The sounds of a line. New ones are cut or left out where their pitch is sounded already. An old note keeps
        its end if a new one would cut a note that stays, because a note-off ends all notes of its pitch."""
        kept: list[Sound] = []
        for sound in edit.sounds:
            if sound.note is not None and sound.changed and self._cuts(sound):
                sound = replace(sound, end=edit.notes[sound.note].end, ends_anew=False)
            fitted = self._fitted(sound, shortest) if sound.changed else sound
            if fitted is not None:
                kept.append(fitted)
        return kept

    def _cuts(self, sound: Sound) -> bool:
        return self.stay[sound.channel, sound.pitch].last_end(sound.end) > sound.end

    def _fitted(self, sound: Sound, shortest: float) -> Sound | None:
        busy = self.all[sound.channel, sound.pitch]
        # An old note may begin a moment before another one of its pitch, such as its unison.
        soonest = 1 + (sound.start if sound.note is None else sound.start + math.ceil(shortest))
        free, after = busy.last_end(soonest) <= sound.start, busy.begun(soonest)
        end = min(sound.end, busy.spans[after][0]) if after < len(busy.spans) else sound.end
        if sound.note is None and (not free or end - sound.start < min(shortest, sound.end - sound.start)):
            return None
        if end < sound.end:
            sound = replace(sound, end=end, ends_anew=True)
        busy.add(sound.start, sound.end)
        return sound


@dataclass(frozen=True)
class _Edit:
    """The new notes of one line, beside the old ones."""

    notes: Sequence[FileNote]
    sounds: Sequence[Sound]
    manner: Manner

    @property
    def gone(self) -> set[int]:
        """The indices of the notes that are removed."""
        return set(range(len(self.notes))) - {sound.note for sound in self.sounds if sound.note is not None}

    @property
    def differs(self) -> bool:
        return bool(self.gone) or any(sound.changed for sound in self.sounds)


def _validate(melody: Melody, rows: Sequence[Row | None]) -> None:
    if len(rows) != len(melody.bars):
        raise ValueError(f"{len(rows)} rows for {len(melody.bars)} bars")
    for bar, row in zip(melody.bars, rows, strict=True):
        if (row is None) != (bar.tokens is None):
            raise ValueError(f"bar {bar.number} {'passes through' if bar.reason else 'needs a row'}")
        if row is not None and bar.tokens is not None and row.shape != bar.tokens.shape:
            raise ValueError(f"bar {bar.number} has {len(bar.tokens)} ticks, not {len(row)}")


def _untouchable(line: Line) -> list[Sound]:
    """The notes that begin in measures that pass through, which stay."""
    notes = line.notes
    at = ((i, notes[i]) for i in np.flatnonzero(line.placements.tick < 0).tolist())
    return [Sound(note.start, note.end, note.pitch, note.velocity, note.channel, i) for i, note in at]


def _ringing_out(sounds: Sequence[Sound], line: Line, rows: Sequence[Row | None], manner: Manner) -> list[Sound]:
    """The sounds, of which those that ring out of a measure that passes through end where the new rows say."""
    after, notes, measures = _ringing(rows), line.notes, line.placements.measure.tolist()
    ends: dict[int, int] = {}
    for measure, until in _ringing(line.melody.rows).items():
        new = after.get(measure, (measure, 0))
        if new != until:
            before = (i for i in range(len(notes)) if measures[i] < measure)
            i = max(before, key=lambda i: notes[i].end)
            ends[i] = manner.end(notes[i].start, new)
    return [
        sound if sound.note not in ends else replace(sound, end=ends[sound.note], ends_anew=True) for sound in sounds
    ]


def _ringing(rows: Sequence[Row | None]) -> dict[int, Place]:
    """Where notes end that ring out of a measure without tokens. The keys are the measures that they ring into."""
    found: dict[int, Place] = {}
    entered: int | None = None
    for m, row in enumerate(rows):
        if row is None:
            entered = None
            continue
        if m > 0 and rows[m - 1] is None and row[0] == HOLD:
            entered = m
        if entered is None:
            continue
        events = np.flatnonzero(row != HOLD)
        found[entered] = (m, int(events[0])) if len(events) else (m, len(row))
        if len(events):
            entered = None
    return found


def _spaced(sounds: Sequence[Sound], ticks_per_quarter: int) -> list[Sound]:
    """Move new onsets away from neighbours that are played so early or late that one of the two would be too short. The
    sounds are sorted by start."""
    spaced, room = list(sounds), least(ticks_per_quarter)
    for k in range(len(spaced)):
        sound = spaced[k]
        if not sound.movable:
            continue
        earliest = spaced[k - 1].start + room if k else 0
        latest = spaced[k + 1].start - room if k + 1 < len(spaced) else sound.start
        start = min(max(sound.start, earliest), max(latest, earliest))
        spaced[k] = replace(sound, start=start, end=max(sound.end, start + room))
    return spaced


def _separate(sounds: list[Sound], placements: Placements, ticks_per_quarter: int) -> list[Sound]:
    """Cut the overlap of two notes if it could be read differently now, or if they have the same pitch now. The notes
    are sorted by start."""
    apart = list(sounds)
    for k, (first, second) in enumerate(pairwise(sounds)):
        passing = first.note is not None and placements.tick[first.note] < 0
        if first.pitch == second.pitch or passing or not (first.moved or second.moved):
            continue
        longest, overlap = LEGATO_QUARTERS * ticks_per_quarter, first.end - second.start
        as_before = not first.moved and not second.movable
        if as_before and overlap > longest:  # a chord, whatever the length of the second note
            continue
        if overlap > min((second.end - second.start) / 2, longest) * (1.0 if as_before else LEGATO_LEFT):
            apart[k] = replace(first, end=max(second.start, first.start + 1), ends_anew=True)
    latest: dict[tuple[int, int], int] = {}  # by channel and pitch
    for k, second in enumerate(apart):
        at = latest.get((second.channel, second.pitch))
        if at is not None and apart[at].end > second.start and not _both_stay(apart[at], second):
            apart[at] = replace(apart[at], end=max(second.start, apart[at].start + 1), ends_anew=True)
        latest[second.channel, second.pitch] = k
    return apart


def _both_stay(first: Sound, second: Sound) -> bool:
    """Whether two notes of one pitch that overlap did so before, and in the same order."""
    if not (first.changed or second.changed):
        return True
    return not first.moved and first.note is not None and second.note is not None and first.end <= second.end


def _rebuild(track: Track, edits: Sequence[_Edit]) -> list[Event]:
    """The track's events, without those of removed notes and with those of new and changed ones.

    The last event of a damaged track keeps its tick, because the bytes after it count their time from there. No new
    note begins later.
    """
    events, last = track.events, track.events[-1].tick
    dropped = {event for edit in edits for i in edit.gone for event in (edit.notes[i].on, edit.notes[i].off)}
    offs, ons = [], []
    running = any(event.running for event in events)
    for edit in edits:
        for sound in edit.sounds:
            if track.damaged and sound.note is None and sound.start >= last:
                continue
            old = None if sound.note is None else edit.notes[sound.note].off
            if sound.note is not None and sound.ends_anew:
                dropped.add(old)
            if sound.note is None:
                on = bytes([NOTE_ON | sound.channel, sound.pitch, sound.velocity])
                ons.append(Event(sound.start, on, running))
            if sound.changed:
                model = edit.manner.release(sound.start) if sound.note is None else old
                offs.append(_note_off(sound, events[model] if model is not None else None, running))
    kept = [event for i, event in enumerate(events) if i not in dropped]
    if track.damaged:
        offs = [off._replace(tick=min(off.tick, last)) for off in offs]
        moved = sorted([*offs, *kept, *ons], key=lambda event: event.tick)
        return moved if moved and moved[-1].tick == last else [*moved, meta(last, TEXT, b"")]
    has_end = bool(kept) and kept[-1].meta(END_OF_TRACK) is not None
    end = kept.pop() if has_end else meta(last, END_OF_TRACK, b"")
    # The sort is stable: at equal ticks note-offs come first, then the kept events in their order, then note-ons.
    merged = sorted([*offs, *kept, *ons], key=lambda event: event.tick)
    last = merged[-1].tick if merged else 0
    return [*merged, end._replace(tick=max(end.tick, last))]


def _note_off(sound: Sound, model: Event | None, running: bool) -> Event:
    data = model.data if model is not None else bytes([NOTE_OFF, 0, RELEASE])
    return Event(sound.end, bytes([data[0] & 0xF0 | sound.channel, sound.pitch, min(data[2], HIGHEST_DATA)]), running)
