"""The judges of melodies that belong together: the variations of a tune, and the steps between two tunes.

    vary           COUNT variations of each tune, with an amount of AMOUNT
    interpolate    the first MEASURES measures of each tune and of the next one of its half and meter, in STEPS steps

Figures, besides those of report.py: `apart` is the mean distance of the variations of a tune, and `nearest` the
smallest one. `forward` is the share of the steps that do not come nearer to the first end nor go away from the second,
and `even` the mean step divided by the largest one. All distances are shares of ticks with another sounding pitch. The
bits before are those of the tune, or of both ends, in proportion to how near each is.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from arvae_music.editing.matching import excerpt
from arvae_music.library import Model
from arvae_music.music.melody import Melody
from arvae_music.music.tokens import sounding

from . import likeness, phrases
from .court import Bits, Court
from .phrases import Share
from .tables import Cell, drawn_tunes, markdown, mean, quotient
from .tunes import Tune

COUNT, AMOUNT = 4, 0.5
MEASURES, STEPS = 8, 6
FIGURES = {
    "ngram": "bits n-gram", "gru": "bits GRU", "onsets_kept": "onsets kept", "curve": "pitch curve", "exact": "kept",
    "apart": "apart", "nearest": "nearest", "forward": "forward", "even": "even", "final": "final note",
    "ends": "phrase ends", "leaps": "leaps", "loose": "unresolved", "off_grid": "off grid",
    "accidentals": "accidentals",
}  # fmt: skip
PER_NOTE = ("leaps", "loose", "off_grid", "accidentals")


class Member(NamedTuple):
    """A new melody, which is `share` of the way from the tune `one` to the tune `other`."""

    tune: int
    melody: Melody
    one: Melody
    other: Melody
    share: float = 0.0


def vary(some: Sequence[Tune], court: Court, model: Model, seed: int) -> Cell:
    """All figures of the variations of each tune."""
    cell, members = Cell(len(some)), []
    started = time.process_time()
    for t, tune in enumerate(some):
        found = [one.melody for one in model.vary(tune.melody, COUNT, amount=AMOUNT, seed=seed).variations]
        members += [Member(t, one, tune.melody, tune.melody) for one in found]
        gaps = [distance(a, b) for a, b in itertools.combinations(found, 2)]
        if gaps:
            cell.add("apart", t, Share(float(np.mean(gaps)), 1))
            cell.add("nearest", t, Share(min(gaps), 1))
    cell.seconds = time.process_time() - started
    for t, melody, before, _, _ in members:
        at = some[t].editable
        cell.add("onsets_kept", t, likeness.onsets_kept(before, melody, at))
        cell.add("curve", t, likeness.curve(before, melody, at))
        for name in model.metadata.carried:
            ask = likeness.Ask(name, 0.0, tuple(at))
            goal = likeness.goal_of(model, before, ask)
            cell.add("exact", t, likeness.exact(goal, likeness.achieved(model, melody, ask)))
        cell.add("final", t, phrases.kept_final(before, melody))
        cell.add("ends", t, phrases.kept_ends(before, melody, some[t].ends))
        cell.add("off_grid", t, phrases.off_grid(before, melody))
        cell.add("off_grid_before", t, phrases.off_grid(before, before))
    return _judged(cell, some, members, court)


def interpolate(some: Sequence[Tune], court: Court, model: Model, seed: int) -> Cell:
    """All figures of the steps between each tune and the next one that fits it."""
    cell, members = Cell(len(some)), []
    started = time.process_time()
    for t, (one, other) in pairs(some):
        path = model.interpolate([one, other], STEPS, seed=seed).melodies
        members += [Member(t, path[k], one, other, k / (STEPS - 1)) for k in range(1, STEPS - 1)]
        sizes = np.array([distance(a, b) for a, b in itertools.pairwise(path)])
        for a, b in itertools.pairwise(path):
            forward = distance(one, b) >= distance(one, a) and distance(other, b) <= distance(other, a)
            cell.add("forward", t, Share(float(forward), 1))
        cell.add("even", t, Share(float(sizes.mean() / max(sizes.max(), 1e-9)), 1))
    cell.seconds = time.process_time() - started
    return _judged(cell, some, members, court)


TASKS: Mapping[str, Callable[[Sequence[Tune], Court, Model, int], Cell]] = {"vary": vary, "interpolate": interpolate}


def pairs(some: Sequence[Tune]) -> Iterator[tuple[int, tuple[Melody, Melody]]]:
    """The beginnings of each tune and of the next one of the same half and meter, which the same judges may judge."""
    openings: list[Melody | None] = []
    for tune in some:
        bars = [bar for bar in tune.melody.bars if bar.number > 0][:MEASURES]
        whole = len(bars) == MEASURES and len({bar.meter for bar in bars}) == 1
        readable = whole and all(bar.tokens is not None for bar in bars)
        numbers = [(bars[0].number, bars[-1].number)] if readable else []
        openings.append(excerpt(tune.melody, numbers) if readable else None)
    for t, (tune, one) in enumerate(zip(some, openings, strict=True)):
        for following, other in zip(some[t + 1 :], openings[t + 1 :], strict=True):
            if one and other and following.half == tune.half and one.bars[0].meter == other.bars[0].meter:
                yield t, (one, other)
                break


def distance(one: Melody, other: Melody) -> float:
    """The share of ticks at which another pitch sounds."""
    rows = [(a, b) for a, b in zip(one.rows, other.rows, strict=True) if a is not None and b is not None]
    return float(np.concatenate([sounding(a[None])[0] != sounding(b[None])[0] for a, b in rows]).mean())


def _judged(cell: Cell, some: Sequence[Tune], members: Sequence[Member], court: Court) -> Cell:
    of_tune = [some[member.tune] for member in members]
    after = court.bits(of_tune, [member.melody for member in members])
    ends = [court.bits(of_tune, [end(member) for member in members]) for end in (lambda m: m.one, lambda m: m.other)]
    for number, (t, melody, one, other, share) in enumerate(members):
        for name in after:
            cell.add(name, t, _bits(after, name, number))
            for weight, end in zip((1 - share, share), ends, strict=True):
                bits = _bits(end, name, number)
                cell.add(f"{name}_before", t, Share(weight * bits.sum, weight * bits.of))
        for name, figure in (("leaps", phrases.wide_leaps), ("loose", phrases.loose_leaps),
                             ("accidentals", phrases.accidentals)):  # fmt: skip
            cell.add(name, t, figure(melody))
            for weight, side in ((1 - share, one), (share, other)):
                found = figure(side)
                cell.add(f"{name}_before", t, Share(weight * found.sum, weight * found.of))
    return cell


def _bits(bits: Bits, name: str, number: int) -> Share:
    events, found = bits[name][number]
    return Share(float(found.sum()), float(events.notes.sum()))


def table(cells: Mapping[str, Cell], seed: int) -> str:
    """The figures of the tasks, as Markdown."""
    rows = []
    for name, head in FIGURES.items():
        row = [head]
        for cell in cells.values():
            draws = drawn_tunes(cell.tunes, seed)
            value = mean([cell], name, draws)
            scale = 100 if name in PER_NOTE else 1
            before = mean([cell], f"{name}_before", draws).value if f"{name}_before" in cell.names else None
            text = "" if before is None else f"{scale * before:.3f} -> "
            text += f"{scale * value.value:.3f}"
            if name in ("ngram", "gru"):
                text += f" (x {quotient([cell], name, f'{name}_before', draws)})"
            row.append(text)
        rows.append(row)
    rows.append(["seconds", *(f"{cell.seconds:.0f}" for cell in cells.values())])
    return markdown(["", *cells], rows)
