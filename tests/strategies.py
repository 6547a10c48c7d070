"""Hypothesis strategies for music: meters, rows, whole melodies; and for pictures.

`tunes()` draws consecutive measures with ties and rests, CANONICAL as `cut` makes them: REST only where
something stops sounding or a measure opens in silence, HOLD at tick 0 only where a note sounds on.
`grid_notes(meters)` draws timed notes on the grid of consecutive measures, knowing nothing of tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
from hypothesis import settings

from arvae_music.arrays import Row
from arvae_music.music.meter import Meter, all_meters
from arvae_music.music.tokens import FIRST_PITCH, HIGHEST, HOLD, LOWEST, REST, VOCABULARY, Timed, notes_of

settings.register_profile("arvae", deadline=None, max_examples=50)  # a deadline fails on a busy machine only
settings.load_profile("arvae")


@dataclass(frozen=True)
class Tune:
    meters: tuple[Meter, ...]
    rows: tuple[Row, ...]
    shift: int  # semitones, token pitch = sounding pitch + shift

    @property
    def starts(self) -> list[Fraction]:
        """Barlines in quarter notes: one more than measures."""
        return barlines(self.meters)

    @property
    def timed(self) -> list[Timed]:
        """Its notes in time, at sounding pitch."""
        return [
            Timed(
                self.starts[note.measure] + self.meters[note.measure].tick_quarters[note.tick],
                self.starts[note.end_measure] + self.meters[note.end_measure].tick_quarters[note.end_tick],
                note.pitch,
            )
            for note in notes_of(self.rows, self.shift)
        ]


def barlines(meters: Sequence[Meter]) -> list[Fraction]:
    return list(accumulate((meter.quarters for meter in meters), initial=Fraction(0)))


def meters() -> st.SearchStrategy[Meter]:
    return st.sampled_from(all_meters())


def rows(meter: Meter) -> st.SearchStrategy[Row]:
    """Any row of tokens, canonical or not, as a decoder may give it."""
    return st.binary(min_size=meter.ticks, max_size=meter.ticks).map(_row)  # ten times as fast as a list


def _row(drawn: bytes) -> Row:
    numbers = np.frombuffer(drawn, dtype=np.uint8).astype(np.int16)
    pitches = FIRST_PITCH + (numbers - 128) % (VOCABULARY - FIRST_PITCH)
    return np.select([numbers < 96, numbers < 128], [HOLD, REST], pitches).astype(np.int16)


@st.composite
def batches(draw: st.DrawFn, smallest: int = 0, largest: int = 6) -> tuple[Row, Meter]:
    """(n, ticks) rows of one meter."""
    meter = draw(meters())
    found = draw(st.lists(rows(meter), min_size=smallest, max_size=largest))
    return np.array(found, dtype=np.int16).reshape(len(found), meter.ticks), meter


@st.composite
def tunes(draw: st.DrawFn, largest: int = 5) -> Tune:
    """Consecutive measures, each of any meter."""
    chosen = tuple(draw(st.lists(meters(), min_size=1, max_size=largest)))
    drawn = [draw(rows(meter)) for meter in chosen]
    return Tune(chosen, tuple(canonical(drawn)), draw(st.integers(-30, 30)))


def canonical(drawn: Sequence[Row]) -> list[Row]:
    """The same notes, written as `cut` writes them."""
    silent = True
    made = []
    for row in drawn:
        clean = []
        for tick, token in enumerate(row.tolist()):
            if token >= FIRST_PITCH:
                silent = False
                clean.append(token)
            elif silent:
                clean.append(REST if tick == 0 else HOLD)
            else:
                silent = token == REST
                clean.append(token)
        made.append(np.array(clean, dtype=np.int16))
    return made


@st.composite
def grid_notes(draw: st.DrawFn, chosen: Sequence[Meter], shift: int) -> list[Timed]:
    """Notes one after another, at sounding pitch, with or without rests between."""
    grid = {
        start + place
        for start, meter in zip(barlines(chosen), chosen, strict=False)
        for place in meter.tick_quarters
    }
    places = draw(st.lists(st.sampled_from(sorted(grid)), unique=True, max_size=40))
    found = []
    for start, end in zip(sorted(places), sorted(places)[1:], strict=False):
        if draw(st.booleans()):
            found.append(Timed(start, end, draw(st.integers(LOWEST, HIGHEST)) - shift))
    return found


@st.composite
def pictures(draw: st.DrawFn, size: int, smallest: int = 0, largest: int = 3) -> npt.NDArray[np.uint8]:
    """(n, size, size) grey images: black, white, noise, or one stroke of any thickness."""
    found = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2**32 - 1)), min_size=smallest, max_size=largest))
    return np.array([_picture(size, *one) for one in found], dtype=np.uint8).reshape(len(found), size, size)


def _picture(size: int, sort: int, seed: int) -> npt.NDArray[np.uint8]:
    random = np.random.default_rng(seed)
    if sort < 2:
        return np.full((size, size), 255 * sort, dtype=np.uint8)
    if sort == 2:
        return random.integers(0, 256, (size, size), dtype=np.uint8)
    ends, y, x = random.uniform(2, size - 2, (2, 2)), *np.mgrid[:size, :size]
    along = np.linspace(ends[0], ends[1], 2 * size)
    distance = np.hypot(y[..., None] - along[:, 0], x[..., None] - along[:, 1]).min(axis=-1)
    return np.clip(255 * (random.uniform(1, 4) - distance), 0, 255).astype(np.uint8)
