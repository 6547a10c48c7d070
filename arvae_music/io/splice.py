"""Change some notes of a track and leave everything else as it is.

The token rows before and after the edit are compared note by note (`tokens.notes_of`). Only the events of notes that
differ are changed:

    the same start, pitch and end   nothing changes
    another end                     the note-off moves, unless the old one also fits the new end
    a note that is gone             its two events are removed; its polyphonic aftertouch stays and is not heard
    a new note                      two events are added

A measure without tokens "passes through": its notes stay as they are.

New notes are played like their neighbours. Neighbours are all notes of the original in measures with tokens, including
those that the edit removes. So a note that only changes its pitch keeps its timing, velocity and length. Between two
neighbours, values are interpolated in time:

    onset      the tick's position plus the neighbours' deviation, which is limited to NEAR around the lateness of the
               file, so that reading the new file finds the same tick
    velocity   the neighbours' velocity
    end        in a NOTATED file (see `quantise`), the nominal end plus the deviation of the neighbours' ends; in a
               PLAYED file, the note is shortened in proportion to its neighbours, but by at most LONGEST_CUT, so that
               the gap is not read as a rest
    note-off   the kind (0x80, or a note-on with velocity 0) and the release velocity of the nearest neighbour

A note may ring from a measure that passes through into the next. If the new row of the next measure does not begin with
HOLD, the note ends on the barline. Notes of one pitch never overlap. A new overlap of two pitches is cut to a length
that `quantise` reads as legato. At equal ticks note-offs come first and note-ons last. The end of the track moves if a
note lasts longer.

A track may hold other notes than the melody's, on the same channel. They stay. A synthesiser cannot strike a pitch that
sounds already on a channel, so a new note ends where another note of its pitch begins. Where another note of its pitch
sounds already, the new note is left out, and the other note stands for it. A track may also hold several lines that are
edited together, such as a melody in octaves (see `doubles`).

The notes of a line may lie on several channels, as those of an MPE controller or the strings of a guitar do. A note
that only changes its pitch keeps its channel. A new note takes the channel of the note before it.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ..arrays import Float64s, Row
from ..music.melody import Melody
from ..music.meter import Meter
from ..music.tokens import HOLD, TokenNote, notes_of
from .lines import LEGATO_QUARTERS
from .midi_events import END_OF_TRACK, HIGHEST_DATA, NOTE_OFF, NOTE_ON, TEXT, Event, FileNote, Track, meta
from .quantise import NOTATED_QUARTERS, Placements
from .swing import swung

NEAR = 1 / 30  # quarter notes; less than half of a twelfth, the distance between a sixteenth and a triplet
LONGEST_CUT = 0.35  # quarter notes; below an eighth minus quantise.OVERSHOOT_QUARTERS
SHORTEST_SHARE = 0.1  # the least share of its nominal length that a played note keeps
RELEASE = 64  # velocity of a note-off without a neighbour
LEGATO_LEFT = 0.9  # how much of the longest legato overlap of `quantise` may remain
SHORTEST_QUARTERS = 1 / 12  # a new note that another note leaves less room than this is not written
LEAST_QUARTERS = 1 / 24  # quarter notes: no new note is shorter, and none leaves its neighbour less

Place = tuple[int, int]  # measure, tick


@dataclass(frozen=True)
class Line:
    """A line of one track as the file plays it: its notes, its measures, and the place of each note in them."""

    notes: Sequence[FileNote]
    melody: Melody
    placements: Placements


@dataclass(frozen=True)
class _Sound:
    """A note of the result. `note` is the original's index, None for a new one."""

    start: int  # file ticks
    end: int
    pitch: int
    velocity: int
    channel: int  # 0 to 15
    note: int | None = None
    ends_anew: bool = False
    movable: bool = False  # whether it begins where no note of the original begins

    @property
    def changed(self) -> bool:
        return self.note is None or self.ends_anew


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
    edits: list[_Edit] = []
    for line, rows in lines:
        _validate(line.melody, rows)
        manner = _Manner(line, ticks_per_quarter)
        sounds = [manner.sound(note) for note in notes_of(rows, line.melody.shift)]
        sounds += _untouchable(line, rows, manner)
        sounds = _spaced(sorted(sounds, key=lambda s: (s.start, s.pitch)), ticks_per_quarter)
        sounds = _separate(sounds, line.placements, ticks_per_quarter)
        edits.append(_Edit(line.notes, sounds, manner))
    busy = _Busy([*held, *(sound for edit in edits for sound in edit.sounds if not sound.changed)])
    shortest = SHORTEST_QUARTERS * ticks_per_quarter
    edits = [replace(edit, sounds=busy.with_room(edit, shortest)) for edit in edits]
    if not any(edit.differs for edit in edits):
        return None
    return replace(track, events=_rebuild(track, edits))


class _Busy:
    """When each pitch of each channel is sounded by notes that stay, or by new notes before."""

    def __init__(self, notes: Iterable[FileNote | _Sound]) -> None:
        self.spans: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)  # (channel, pitch) -> start, end
        for note in notes:
            self.spans[note.channel, note.pitch].append((note.start, note.end))
        for spans in self.spans.values():
            spans.sort()

    def with_room(self, edit: _Edit, shortest: float) -> list[_Sound]:
        """The sounds of a line. New ones are cut or left out where their pitch is sounded already. An old note that
        another one would leave too little keeps its own end."""
        kept: list[_Sound] = []
        for sound in edit.sounds:
            fitted = self._fitted(sound, shortest) if sound.changed else sound
            if sound.note is not None and fitted is not None and fitted.end - fitted.start < shortest:
                fitted = replace(sound, end=edit.notes[sound.note].end, ends_anew=False)
            if fitted is not None:
                kept.append(fitted)
        return kept

    def _fitted(self, sound: _Sound, shortest: float) -> _Sound | None:
        spans = self.spans[sound.channel, sound.pitch]
        after = bisect_right(spans, (sound.start, sound.end))
        free = all(end <= sound.start for _, end in spans[:after])
        end = min(sound.end, spans[after][0]) if after < len(spans) else sound.end
        if sound.note is None and (not free or end - sound.start < min(shortest, sound.end - sound.start)):
            return None
        if end < sound.end:
            sound = replace(sound, end=max(end, sound.start + 1), ends_anew=True)
        spans.insert(after, (sound.start, sound.end))
        return sound


@dataclass(frozen=True)
class _Edit:
    """The new notes of one line, beside the old ones."""

    notes: Sequence[FileNote]
    sounds: Sequence[_Sound]
    manner: _Manner

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


class _Manner:
    """How the melody is played. New notes take their timing, length and velocity from it."""

    def __init__(self, line: Line, ticks_per_quarter: int) -> None:
        notes, melody, placements = line.notes, line.melody, line.placements
        self.notes = notes
        self.bars = melody.bars
        self.tpq = ticks_per_quarter
        meters = {bar.meter for bar in melody.bars if bar.meter is not None}
        self.ticks = {meter: _tick_places(meter, placements.swing, ticks_per_quarter) for meter in meters}
        self.starts = [note.start for note in notes]
        self.late = placements.late
        self.notated = placements.notated
        at = enumerate(zip(placements.measure.tolist(), placements.tick.tolist(), strict=True))
        index = {place: i for i, place in at if place[1] >= 0}
        self.before = {(n.measure, n.tick): (n, index[n.measure, n.tick]) for n in melody.notes}
        known = [i for _, i in self.before.values()]
        self.releases = sorted((notes[i].start, off) for i in known if (off := notes[i].off) is not None)
        self.places: Float64s = np.array([self.place(*place) for place in self.before])
        self.deviations: Float64s = placements.deviation[known]
        self.velocities: Float64s = np.array([notes[i].velocity for i in known], dtype=float)
        ends = np.array([self.place(n.end_measure, n.end_tick) for n, _ in self.before.values()])
        start, end = (np.array([getattr(notes[i], at) for i in known], dtype=float) for at in ("start", "end"))
        self.shares: Float64s = np.clip((end - start) / np.maximum(ends - self.places, 1), SHORTEST_SHARE, 1.0)
        near = np.abs(end - ends - self.late) <= self._slack()
        self.ends: Float64s = ends[near]
        self.end_deviations: Float64s = (end - ends)[near]

    def _slack(self) -> float:
        return max(1.0, NOTATED_QUARTERS * self.tpq)

    def place(self, measure: int, tick: int) -> float:
        """A tick's place in file ticks."""
        bar = self.bars[measure]
        assert bar.meter is not None
        return bar.start + self.ticks[bar.meter][tick]

    def sound(self, note: TokenNote) -> _Sound:
        """A note of the new rows as it is played; the original note if nothing differs."""
        place, until = (note.measure, note.tick), (note.end_measure, note.end_tick)
        if place not in self.before:
            at = self.place(*place)
            start = max(0, round(at + self._deviation(at)))
            velocity = round(float(np.interp(at, self.places, self.velocities)))
            channel = self.notes[max(bisect_right(self.starts, start) - 1, 0)].channel
            end = self.end(start, until, self._share(at))
            return _Sound(start, end, note.pitch, velocity, channel, movable=True)
        before, index = self.before[place]
        original = self.notes[index]
        end = original.end
        if (before.end_measure, before.end_tick) != until:
            moved = self.end(original.start, until, self._share(self.place(*place)))
            end = moved if abs(moved - end) > self._slack() else end
        kept = index if before.pitch == note.pitch else None
        anew = end != original.end
        return _Sound(original.start, end, note.pitch, original.velocity, original.channel, kept, anew)

    def _share(self, at: float) -> float:
        """The share of its nominal length that a note at `at` is played."""
        return float(np.interp(at, self.places, self.shares))

    def _deviation(self, at: float) -> float:
        """How late a new onset at `at` is played, in file ticks."""
        near = NEAR * self.tpq
        deviation = float(np.interp(at, self.places, self.deviations))
        return min(max(deviation, self.late - near), self.late + near)

    def end(self, start: int, until: Place, share: float = 1.0) -> int:
        """The file tick where a note ends that is played for `share` of its nominal length."""
        nominal, soonest = self.place(*until), start + least(self.tpq)
        if self.notated:
            return max(soonest, round(nominal + self._end_deviation(nominal)))
        full = nominal + self._deviation(nominal) - start
        return max(soonest, round(start + full - min((1 - share) * full, LONGEST_CUT * self.tpq)))

    def _end_deviation(self, at: float) -> float:
        return float(np.interp(at, self.ends, self.end_deviations)) if len(self.ends) else self.late

    def release(self, start: int) -> int | None:
        """The index of the nearest neighbour's note-off, which the note-off of a new note resembles."""
        at = bisect_left(self.releases, (start, 0))
        near = self.releases[max(at - 1, 0) : at + 1]
        return min(near, key=lambda one: (abs(one[0] - start), one[1]))[1] if near else None


def _tick_places(meter: Meter, swing: float, ticks_per_quarter: int) -> list[float]:
    """The file ticks of a meter's ticks after the barline, as the file swings them."""
    if meter.compound or meter.halved:
        return [float(at * ticks_per_quarter) for at in meter.tick_quarters]
    return [(int(at) + swung(float(at % 1), swing)) * ticks_per_quarter for at in meter.tick_quarters]


def _untouchable(line: Line, rows: Sequence[Row | None], manner: _Manner) -> list[_Sound]:
    """The notes that begin in measures that pass through. They stay, but may have to end earlier in the next one."""
    notes, placements = line.notes, line.placements
    own = np.flatnonzero(placements.tick < 0).tolist()
    at = ((i, notes[i]) for i in own)
    sounds = {i: _Sound(note.start, note.end, note.pitch, note.velocity, note.channel, i) for i, note in at}
    after = _ringing(rows)
    for measure, until in _ringing(line.melody.rows).items():
        new = after.get(measure, (measure, 0))
        if new == until:
            continue
        i = max((i for i in own if placements.measure[i] < measure), key=lambda i: notes[i].end)
        sounds[i] = replace(sounds[i], end=manner.end(notes[i].start, new), ends_anew=True)
    return list(sounds.values())


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


def least(ticks_per_quarter: int) -> int:
    """The file ticks of the shortest new note."""
    return max(1, math.ceil(LEAST_QUARTERS * ticks_per_quarter))


def _spaced(sounds: Sequence[_Sound], ticks_per_quarter: int) -> list[_Sound]:
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


def _separate(sounds: list[_Sound], placements: Placements, ticks_per_quarter: int) -> list[_Sound]:
    """Cut the overlap of two notes if one of them has changed. The notes are sorted by start."""
    apart = list(sounds)
    for k, (first, second) in enumerate(pairwise(sounds)):
        same = first.pitch == second.pitch
        passing = first.note is not None and placements.tick[first.note] < 0
        if not (first.changed or second.changed) or (passing and not same):
            continue
        legato = min((second.end - second.start) / 2, LEGATO_QUARTERS * ticks_per_quarter)
        if first.end > second.start + (0 if same else LEGATO_LEFT * legato):
            apart[k] = replace(first, end=max(second.start, first.start + 1), ends_anew=True)
    return apart


def _rebuild(track: Track, edits: Sequence[_Edit]) -> list[Event]:
    """The track's events, without those of removed notes and with those of new and changed ones.

    The last event of a damaged track keeps its tick, because the bytes after it count their time from there.
    """
    events = track.events
    dropped = {event for edit in edits for i in edit.gone for event in (edit.notes[i].on, edit.notes[i].off)}
    offs, ons = [], []
    running = any(event.running for event in events)
    for edit in edits:
        for sound in edit.sounds:
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
        last = events[-1].tick
        offs = [off._replace(tick=min(off.tick, last)) for off in offs]
        moved = sorted([*offs, *kept, *ons], key=lambda event: event.tick)
        return moved if moved and moved[-1].tick == last else [*moved, meta(last, TEXT, b"")]
    has_end = bool(kept) and kept[-1].meta(END_OF_TRACK) is not None
    end = kept.pop() if has_end else meta(events[-1].tick, END_OF_TRACK, b"")
    # The sort is stable: at equal ticks note-offs come first, then the kept events in their order, then note-ons.
    merged = sorted([*offs, *kept, *ons], key=lambda event: event.tick)
    last = merged[-1].tick if merged else 0
    return [*merged, end._replace(tick=max(end.tick, last))]


def _note_off(sound: _Sound, model: Event | None, running: bool) -> Event:
    data = model.data if model is not None else bytes([NOTE_OFF, 0, RELEASE])
    return Event(sound.end, bytes([data[0] & 0xF0 | sound.channel, sound.pitch, min(data[2], HIGHEST_DATA)]), running)
