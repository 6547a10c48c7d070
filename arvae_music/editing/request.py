"""The request of an edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..errors import UsageError
from ..music.chart import Chart
from ..music.sliders import Target
from .locks import expect_room

Mode = Literal["guided", "latent"]

PROPOSALS = 64  # decoded candidates of each measure
STRENGTH = 0.5


@dataclass(frozen=True)
class EditRequest:
    targets: Mapping[str, Target]
    keep: frozenset[str] = frozenset()  # attributes that must not move, not even for a target; latent: only their codes
    locks: frozenset[str] = frozenset()  # see locks.py
    bars: Sequence[tuple[int, int | None]] | None = None  # measure numbers; None: all
    mode: Mode = "guided"
    form: bool = True  # repeated measures get the same edit
    strength: float = STRENGTH  # from 0, the fewest changes that meet the request, to 1, free composition
    proposals: int = PROPOSALS
    seed: int = 0
    each: bool = False  # whether every measure must meet the request, rather than the mean of the selected measures
    chords: Chart | None = None  # for the whole melody, instead of the chords that its song has
    harmony: bool = True  # whether new notes fit the chords
    free_ends: bool = False  # whether the ends of phrases may change like other notes, see phrases.py

    def __post_init__(self) -> None:
        both = sorted(self.keep & set(self.targets))
        if both:
            raise UsageError(f"{both[0]} cannot be both changed and kept", remedy="leave out one of the two")
        expect_room(self.locks, self.targets)
        if not 0 <= self.strength <= 1:
            raise UsageError(f"strength is {self.strength:g}", remedy="give a number from 0 (barely) to 1 (freely)")
        if self.mode == "latent" and (self.locks or self.strength != STRENGTH):
            raise UsageError(
                "latent mode takes one decode for each measure, without lock and strength",
                remedy='use mode="guided", or leave them out',
            )
        if self.chords is not None and not self.harmony:
            raise UsageError("chords are given and ignored at once", remedy="leave out chords=... or harmony=...")
        if self.chords is not None and self.mode == "latent":
            raise UsageError(
                "latent mode takes one decode for each measure, and does not see chords",
                remedy='use mode="guided", or leave out chords=...',
            )
        if self.proposals < 0:
            raise UsageError(f"{self.proposals} proposals", remedy="give 0 or more")
