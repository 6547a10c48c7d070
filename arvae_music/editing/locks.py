"""Locks: rules that every candidate for a measure must obey. Candidates that break one are never used.

    onsets    every note and rest keeps its start; only pitches may change
    pitches   the sequence of pitches stays (immediate repeats count once); notes may be repeated, merged or moved
    key       no new note lies outside the key of its measure (the seven notes of the signature in force there)
    range     no note lies above the melody's highest note or below its lowest
    first     the first note of each measure keeps its place and pitch
    last      the last note of each measure keeps its place and pitch

Some locks leave an attribute no room at all (`FROZEN`): a request to change it is refused.

Shapes: n candidates, t ticks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..arrays import Array, Ints, Mask
from ..errors import UsageError, nearest_or
from ..music.keys import in_key
from ..music.tokens import FIRST_PITCH, HOLD, onsets

FROZEN = (  # with these locks, these attributes of a measure cannot change
    ({"onsets"}, ("density", "rhythm", "syncopation")),
    ({"pitches"}, ("range", "contour")),
    ({"first", "last"}, ("contour",)),
    ({"onsets", "pitches"}, ("repetition", "steps")),
)
UPBEAT = -2  # see ties.EditableMeasure
NAMES = ("onsets", "pitches", "key", "range", "first", "last")


@dataclass(frozen=True)
class Locks:
    """Which locks hold, the melody's compass, and the compass of MIDI, which no note leaves. Both in pitch tokens."""

    names: frozenset[str] = frozenset()
    lowest: int = FIRST_PITCH
    highest: int = 1 << 14
    bottom: int = FIRST_PITCH  # of MIDI; see tokens.playable
    top: int = 1 << 14

    def allow(self, originals: Array, candidates: Array, fifths: Ints | int = 0) -> Mask:
        """(n, t) originals and (n, t) their candidates -> (n,) whether each candidate obeys the locks. `fifths` is the
        key of all measures or of each one (n,), relative to the melody's."""
        fine: Mask = np.all((candidates >= self.bottom) & (candidates <= self.top) | ~onsets(candidates), axis=1)
        for name in sorted(self.names):
            fine &= self._obeys(name, originals, candidates, fifths)
        return fine

    def _obeys(self, name: str, originals: Array, candidates: Array, fifths: Ints | int) -> Mask:
        fine: Mask
        if name == "onsets":
            fine = np.all(_kinds(originals) == _kinds(candidates), axis=1)
        elif name == "pitches":
            fine = succession(originals) == succession(candidates)
        elif name == "key":
            new = onsets(candidates) & (candidates != originals)
            fine = ~np.any(new & ~in_key(candidates, fifths), axis=1)
        elif name == "range":
            inside = (candidates >= self.lowest) & (candidates <= self.highest)
            fine = np.all(inside | ~onsets(candidates), axis=1)
        else:
            fine = _end_note(originals, name == "last") == _end_note(candidates, name == "last")
        return fine


def parse(names: Iterable[str]) -> frozenset[str]:
    """`["key,range", "first"]` -> the set of the three names. Raises UsageError for a lock that does not exist."""
    parsed = [part.strip() for name in names for part in name.split(",") if part.strip()]
    for name in parsed:
        if name not in NAMES:
            remedy = nearest_or(name, NAMES, f"the locks are {', '.join(NAMES)}")
            raise UsageError(f"there is no lock {name!r}", remedy=remedy)
    return frozenset(parsed)


def expect_room(locks: Collection[str], attributes: Collection[str]) -> None:
    """Raises UsageError for an attribute that cannot change under the locks."""
    for names, frozen in FROZEN:
        for attribute in frozen:
            if attribute in attributes and names <= set(locks):
                together = " and ".join(sorted(names))
                raise UsageError(
                    f"{attribute} cannot change while {together} {'are' if len(names) > 1 else 'is'} locked",
                    remedy=f'leave out {attribute}=... or lock="{",".join(sorted(names))}"',
                )


def _kinds(rows: Array) -> Array:
    """The kind of each token: HOLD, REST, or FIRST_PITCH for every note."""
    return np.minimum(rows, FIRST_PITCH)


def succession(rows: Array) -> npt.NDArray[np.uint64]:
    """(n, t) -> (n,) a hash of the sequence of pitches, in which immediate repeats count once."""
    code = np.zeros(len(rows), dtype=np.uint64)
    last = np.zeros(len(rows), dtype=rows.dtype)
    for column in rows.T:
        new = (column >= FIRST_PITCH) & (column != last)
        code = np.where(new, code * np.uint64(1099511628211) + column.astype(np.uint64), code)  # FNV's prime
        last = np.where(new, column, last)
    return code


def _end_note(rows: Array, last: bool) -> Ints:
    """(n, t) -> (n,) tick and pitch of the first or last note in one number; -1 for a measure without notes."""
    notes = onsets(rows)
    ticks = rows.shape[1]
    tick = ticks - 1 - notes[:, ::-1].argmax(axis=1) if last else notes.argmax(axis=1)
    token = rows[np.arange(len(rows)), tick].astype(np.int64)
    return np.where(notes.any(axis=1), tick * 1000 + token, -1)


def opening_allowed(candidates: Array, originals: Array, tie: npt.NDArray[np.int8]) -> Mask:
    """(n, t) candidates and the originals that they replace, and their `tie` (n,) -> (n,) whether
    their openings suit the measure before."""
    tied = candidates[:, 0] == HOLD
    fine = np.where(tie == 1, tied, np.where(tie < 0, ~tied, True))
    if (tie == UPBEAT).any():
        started = onsets(originals)
        silent = np.logical_and.accumulate(~started, axis=1) & started.any(axis=1, keepdims=True)
        fine &= (tie != UPBEAT) | ((candidates == originals) | ~silent).all(axis=1)
    return fine
