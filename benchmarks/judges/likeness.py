"""Whether a request is met, and how much of the tune is left.

    exact           measures whose value is the requested one, of those where the request is feasible
    exact_mean      whether the mean over the selected measures moved by what was requested, to half the smallest step
                    of the sum (half a note, half a semitone)
    onsets_kept     the share of the onsets of the selected measures that are still onsets
    curve           the correlation of the pitches on the beats of the selected measures before and after, for a tune:
                    at every beat, the note that sounds, or that sounded last. 1 if the line is the same
    identical       the share of the selected measures that did not change

A request is feasible if the value lies in the range of the model's corpus; for the mean, if the sum of these ranges
holds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from arvae_music.library import Model
from arvae_music.music.attributes import evaluate_bars
from arvae_music.music.melody import Melody
from arvae_music.music.meter import TICKS_PER_BEAT
from arvae_music.music.sliders import parse
from arvae_music.music.tokens import FIRST_PITCH, onsets

from .phrases import Share

Floats = npt.NDArray[np.float64]


class Ask(NamedTuple):
    """One request: move an attribute by `step` sd in the measures `at`, indices into the melody's bars. With `each`,
    every measure moves by that; without, the mean of them does, and an engine may share it out."""

    name: str
    step: float
    at: tuple[int, ...]
    each: bool = True
    seed: int = 0

    @property
    def label(self) -> str:
        return f"{self.name} {self.step:+g}"


class Goal(NamedTuple):
    """The values (m,) of the measures before the edit, those requested, and the range of the feasible ones."""

    before: Floats
    asked: Floats
    low: Floats
    high: Floats
    tolerance: Floats  # (m,) half the smallest step


def goal_of(model: Model, melody: Melody, ask: Ask) -> Goal:
    """What `ask` means for each of its measures, by the statistics of a model."""
    alone = model.restricted([ask.name])
    scale, spec = alone.metadata.scales[0], alone.specs[0]
    values = evaluate_bars([spec], melody, ask.at)
    target = parse(f"{ask.step:+g}", spec)
    table = np.zeros((5, len(ask.at)))
    for k, index in enumerate(ask.at):
        bar = melody.bars[index]
        assert bar.meter is not None
        before = values[index]
        wanted = target.wanted(before, [bar.number], spec.unit.size(bar.meter), *scale.in_meter(bar.meter.name))
        ends = [alone.metadata.clamped(np.array([end]), before)[0] for end in (-np.inf, np.inf)]
        table[:, k] = (before[0], wanted[0], *ends, 0.5 * alone.grain(bar.meter)[0])
    return Goal(*table)


def achieved(model: Model, melody: Melody, ask: Ask) -> Floats:
    """(m,) the values of the measures of a request."""
    values = evaluate_bars(model.restricted([ask.name]).specs, melody, ask.at)
    return np.array([values[index][0] for index in ask.at])


def exact(goal: Goal, values: Floats) -> Share:
    feasible = (goal.low - 1e-9 <= goal.asked) & (goal.asked <= goal.high + 1e-9)
    hit = np.abs(values - goal.asked) <= goal.tolerance + 1e-6
    return Share(float((hit & feasible).sum()), float(feasible.sum()))


def exact_mean(goal: Goal, values: Floats) -> Share:
    wanted = goal.asked.sum()
    if not len(values) or not goal.low.sum() - 1e-9 <= wanted <= goal.high.sum() + 1e-9:
        return Share(0, 0)
    return Share(float(abs(values.sum() - wanted) <= goal.tolerance.max() + 1e-6), 1)


def onsets_kept(before: Melody, after: Melody, at: Sequence[int]) -> Share:
    kept = count = 0
    for index in at:
        row, new = before.bars[index].tokens, after.bars[index].tokens
        assert row is not None
        assert new is not None
        kept += int((onsets(row) & onsets(new)).sum())
        count += int(onsets(row).sum())
    return Share(kept, count)


def identical(before: Melody, after: Melody, at: Sequence[int]) -> Share:
    return Share(sum(np.array_equal(before.bars[i].tokens, after.bars[i].tokens) for i in at), len(at))


def on_beats(melody: Melody) -> list[Floats]:
    """For each measure, the pitch token on each of its beats; NaN before the first note, and in gaps."""
    latest = np.nan
    found: list[Floats] = []
    for bar in melody.bars:
        if bar.tokens is None:
            found.append(np.zeros(0))
            continue
        beats = np.full(len(bar.tokens) // TICKS_PER_BEAT, np.nan)
        for tick, token in enumerate(bar.tokens.tolist()):
            if token >= FIRST_PITCH:
                latest = float(token)
            if tick % TICKS_PER_BEAT == 0:
                beats[tick // TICKS_PER_BEAT] = latest
        found.append(beats)
    return found


def curve(before: Melody, after: Melody, at: Sequence[int]) -> Share:
    """The correlation, and 1 for the tune; 0 of 0 where the line of the tune is too short or level to have one."""
    one, other = (np.concatenate([np.zeros(0), *(on_beats(melody)[i] for i in at)]) for melody in (before, after))
    both = ~np.isnan(one) & ~np.isnan(other)
    one, other = one[both], other[both]
    if len(one) < 4 or one.std() < 1e-9:
        return Share(0, 0)
    if other.std() < 1e-9:
        return Share(0, 1)  # a level line has nothing of the tune
    return Share(float(np.corrcoef(one, other)[0, 1]), 1)
