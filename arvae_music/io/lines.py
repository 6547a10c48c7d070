"""Find a line in a voice that plays several notes at once: the melody above its accompaniment, as on a piano.

    line_of(notes, ticks_per_quarter, "top")      the indices of the notes of the line

A line is a series of notes that one player could sing. It is `TOP` (the highest), `BOTTOM` (the lowest), or a number
from 1: the first is the highest, and the second is the highest line of the notes that the first leaves. A voice without
simultaneous notes is one line, with all its notes.

The highest sounding note is the melody most of the time, but not always: under a held note, an inner voice moves; where
the melody rests, the bass does not become the melody. So the line is the path through the notes with the least cost.
Notes that begin within TOGETHER quarter notes are a group, and a path takes one note of a group or none:

    leaps       a leap of more than FREE_LEAP semitones costs more, the wider it is
    depth       a note below the highest of its group costs, and so does a note far below the register of the line,
                which is the median over NEARBY quarter notes of the highest sounding pitch, weighted by duration
    holding     a note below one that the line still holds costs as much as both sound together
    skipping    to skip a group costs most above the held note or close to the last note, and little far below it

In a voice that rarely plays two notes at once, a note that sounds alone is hardly ever skipped. Times are in ticks of
the file; the arrays have the shape (n,).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from ..arrays import Float64s, Ints, Mask
from ..errors import InputError, UsageError
from .midi_events import FileNote

LineName = Literal["top", "bottom"] | int
TOP: LineName = "top"
BOTTOM: LineName = "bottom"

LEGATO_QUARTERS = 0.5  # quarter notes: the longest overlap of two notes of a line
TOGETHER = 1 / 12  # quarter notes between the first and the last onset of a group
NEARBY = 16.0  # quarter notes around a note from which its register is taken
FREE_LEAP = 4  # semitones: a leap that costs nothing
OCTAVE = 12
BELOW_REGISTER = 9  # semitones below the register of the line, from which a note costs
ROLLED = 1 / 6  # quarter notes: a faster succession of notes that are held together is a rolled chord
MANY_CHORDS = 0.3  # the share of simultaneous notes from which a note that sounds alone may well be accompaniment
PATHS = 10  # how many paths are followed at a time
CHOICES = 5  # the most notes of a group that a path may take

_LEAP, _WIDE_LEAP, _WIDEST = 0.05, 0.12, 1.2  # per semitone: up to an octave, and beyond, where it costs no more
_NOT_HIGHEST, _DEPTH = 1.0, 0.1  # a note below the highest of its group, and per semitone
_LOW, _LOWEST = 0.15, 1.5  # per semitone below the register, and at most
_UNDER, _LONGEST_UNDER = 0.6, 2.0  # a note under a held note, and the most that the time together adds
_CLIPPED = 0.1  # a note above a held note
_ROLL = 1.0  # a rolled chord that is taken for a melody
_SKIP_ABOVE, _SKIP_NEAR, _SKIP_FAR = 1.2, 0.8, 0.15  # a group above the held note; near the last note; far below it
_NEAR, _FAR = 7, 16  # semitones below the last note
_SKIP_ALONE = 8.0  # a group under which nothing is held, in a voice that hardly has chords


class Notes(NamedTuple):
    """Notes (n,) sorted by start, then pitch."""

    start: Ints
    end: Ints
    pitch: Ints


@dataclass(slots=True)
class _Path:
    """The cheapest path that ends with a note."""

    cost: float
    note: int
    pitch: float
    start: float  # quarter notes, as the end
    end: float
    before: _Path | None


def is_one_line(notes: Notes, ticks_per_quarter: int) -> bool:
    """Whether the notes never sound together for longer than legato."""
    return not bool(_together(notes, ticks_per_quarter).any())


def one_at_a_time(notes: Sequence[FileNote], ticks_per_quarter: int) -> bool:
    """`is_one_line` of notes of a file."""
    return is_one_line(_table(notes)[0], ticks_per_quarter)


def line_of(notes: Notes, ticks_per_quarter: int, line: LineName = TOP) -> Ints:
    """The indices (k,) of the notes of a line, in their order. It is empty if there is no line of that number.

    Raises ValueError for a name or number of a line that cannot exist.
    """
    if line not in (TOP, BOTTOM) and (not isinstance(line, int) or line < 1):
        raise ValueError(f"there is no line {line!r}")
    left = np.arange(len(notes.start))
    taken = left
    for _ in range(line if isinstance(line, int) else 1):
        if len(left) == 0:
            return left
        own = Notes(*(array[left] for array in notes))
        taken = left[_highest(_upside_down(own) if line == BOTTOM else own, ticks_per_quarter)]
        left = np.setdiff1d(left, taken, assume_unique=True)
    return taken


@dataclass(frozen=True)
class Separated:
    """A line of a voice."""

    notes: tuple[FileNote, ...]  # in the file's order
    voice: LineName | None  # which line it is; None if the voice is one line


def separated(notes: Sequence[FileNote], ticks_per_quarter: int, line: LineName, where: str) -> Separated:
    """The line of a voice. Raises InputError if there is no such line."""
    table, order = _table(notes)
    if is_one_line(table, ticks_per_quarter):
        if line not in (TOP, BOTTOM, 1):
            raise InputError(f"there is no voice {line}, because one note sounds at a time", where=where)
        return Separated(tuple(notes), None)
    taken = line_of(table, ticks_per_quarter, line)
    if len(taken) == 0:
        raise InputError(f"there is no voice {line}", where=where, remedy="give a smaller number")
    return Separated(tuple(notes[i] for i in order[taken].tolist()), line)


def _table(notes: Sequence[FileNote]) -> tuple[Notes, Ints]:
    """The notes as arrays sorted by start and pitch, and their indices."""
    spans = np.array([(note.start, note.end, note.pitch) for note in notes], dtype=np.int64).reshape(-1, 3)
    order = np.lexsort((spans[:, 2], spans[:, 0]))
    return Notes(*spans[order].T), order


def spans_of(notes: Sequence[FileNote], ticks_per_quarter: int) -> Ints:
    """(n, 3) start, end and pitch of the notes of a line. A note ends where the next begins, if it lasts longer."""
    spans = np.array([(note.start, note.end, note.pitch) for note in notes], dtype=np.int64).reshape(-1, 3)
    start, end = spans[:-1, 0], spans[:-1, 1]
    following, legato = spans[1:, 0], np.minimum((spans[1:, 1] - spans[1:, 0]) / 2, LEGATO_QUARTERS * ticks_per_quarter)
    spans[:-1, 1] = np.where(end - following > legato, np.maximum(following, start + 1), end)
    return spans


def _upside_down(notes: Notes) -> Notes:
    return notes._replace(pitch=127 - notes.pitch)


def _together(notes: Notes, tpq: int) -> Mask:
    """(n - 1,) whether each note but the first begins with an earlier one, or overlaps it for longer than legato."""
    before = np.maximum.accumulate(notes.end)[:-1]
    legato = np.minimum((notes.end - notes.start)[1:] / 2, LEGATO_QUARTERS * tpq)
    found: Mask = (before - notes.start[1:] > legato) | (np.diff(notes.start) == 0)
    return found


def _highest(notes: Notes, tpq: int) -> Ints:
    together = _together(notes, tpq)
    if not together.any():
        return np.arange(len(notes.start))
    rarely = max(0.0, 1 - float(together.mean()) / MANY_CHORDS)
    return np.array(_cheapest(notes, tpq, rarely), dtype=np.int64)


def _groups(start: Ints, tpq: int) -> list[tuple[int, int]]:
    """The first index of each group of notes, and the index after its last."""
    bounds = [0]
    first = start[0]
    for i, at in enumerate(start.tolist()):
        if at - first > TOGETHER * tpq:
            bounds.append(i)
            first = at
    return list(zip(bounds, [*bounds[1:], len(start)], strict=True))


def _cheapest(notes: Notes, tpq: int, rarely: float) -> list[int]:
    """The indices of the notes of the cheapest path. `rarely` is 1 in a voice that hardly has chords, 0 in others."""
    start, end = (notes.start / tpq).tolist(), (notes.end / tpq).tolist()
    pitch = notes.pitch.tolist()
    low = (_depth(notes, tpq) * (1 - rarely)).tolist()
    paths: list[_Path] = []
    late = 0.0  # the cost of a path that begins with this group
    sounding = -1.0  # until when an earlier note sounds
    for first, until in _groups(notes.start, tpq):
        group = sorted(range(first, until), key=lambda i: (-pitch[i], -end[i]))[:CHOICES]
        top = group[0]
        alone = _SKIP_ALONE * rarely if sounding <= (start[top] + end[top]) / 2 else 0.0
        new: list[_Path] = []
        for i in group:
            depth = pitch[top] - pitch[i]
            own = low[i] + (_NOT_HIGHEST + _DEPTH * depth if depth else 0.0)
            cost, before = late, None
            for path in paths:
                whole = path.cost + _step(path, pitch[i], start[i], end[i])
                if whole < cost:
                    cost, before = whole, path
            new.append(_Path(cost + own, i, pitch[i], start[i], end[i], before))
        late += alone + (_SKIP_FAR if low[top] else _SKIP_ABOVE)
        for path in paths:
            path.cost += _skip(path, pitch[top], start[top], end[top]) + alone
        paths = sorted([*paths, *new], key=lambda path: path.cost)[:PATHS]
        sounding = max(sounding, *end[first:until])
    found: list[int] = []
    at: _Path | None = paths[0]
    while at is not None:
        found.append(at.note)
        at = at.before
    return found[::-1]


def _step(path: _Path, pitch: float, start: float, end: float) -> float:
    """The cost of a note after a path."""
    leap = abs(pitch - path.pitch)
    cost = 0.0
    if leap > FREE_LEAP:
        cost = _LEAP * (min(leap, OCTAVE) - FREE_LEAP) + min(_WIDEST, _WIDE_LEAP * max(0.0, leap - OCTAVE))
    over = path.end - start
    if over > min((end - start) / 2, LEGATO_QUARTERS):
        cost += _CLIPPED if pitch >= path.pitch else _UNDER + min(_LONGEST_UNDER, min(path.end, end) - start)
        if start - path.start < ROLLED:
            cost += _ROLL
    return cost


def _skip(path: _Path, pitch: float, start: float, end: float) -> float:
    """The cost of skipping a group with this highest note after a path."""
    below = path.pitch - pitch
    if below < 0:
        return _SKIP_ABOVE
    if path.end - start > min((end - start) / 2, LEGATO_QUARTERS):
        return 0.0
    far = min(max((below - _NEAR) / (_FAR - _NEAR), 0.0), 1.0)
    return _SKIP_NEAR + far * (_SKIP_FAR - _SKIP_NEAR)


def _depth(notes: Notes, tpq: int) -> Float64s:
    """(n,) the cost of each note for lying below the register of the line."""
    at, pitch, weight = _skyline(notes)
    centre = (at[:-1] + at[1:]) / 2
    register = np.empty(len(notes.start))
    cell = NEARBY * tpq / 4
    for block in np.unique(notes.start // cell):
        here = notes.start // cell == block
        near = np.abs(centre - (block + 0.5) * cell) <= NEARBY * tpq
        register[here] = _weighted_median(pitch[near], weight[near]) if near.any() else notes.pitch[here].max()
    below = register - BELOW_REGISTER - notes.pitch
    return np.clip(_LOW * below, 0.0, _LOWEST)


def _skyline(notes: Notes) -> tuple[Ints, Ints, Ints]:
    """The highest sounding pitch (m,) between neighbouring times (m + 1,), and for how long (0 in silence)."""
    at = np.unique(np.concatenate([notes.start, notes.end]))
    first, until = np.searchsorted(at, notes.start), np.searchsorted(at, notes.end)
    height = np.full(len(at) - 1, -1, dtype=np.int64)
    for i in np.argsort(notes.pitch, kind="stable").tolist():
        height[first[i] : until[i]] = notes.pitch[i]
    return at, height, np.where(height < 0, 0, np.diff(at))


def _weighted_median(values: Ints, weights: Ints) -> float:
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)]) if total[-1] else float(values.max())


def parse(line: LineName | str) -> LineName:
    """A line from "top", "bottom", or a number from 1, which may be a text. Raises UsageError for anything else."""
    wanted = str(line).strip().casefold()
    if wanted in ("top", "bottom"):
        return TOP if wanted == "top" else BOTTOM
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    raise UsageError(f"{str(line)!r} is not a voice", remedy='give "top", "bottom", or a number from 1, the highest')
