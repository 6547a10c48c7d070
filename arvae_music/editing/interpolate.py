"""Interpolation: melodies between melodies, measure by measure in latent space.

    path = interpolate([a, b], steps=8, model=model)      # path.melodies: a, six between, b
    path = interpolate([a, b, c], steps=8, model=model)   # a ... b ... c: fifteen

The input melodies are part of the path, note for note. The melodies between two of them are the steps. In every measure
of a step, each attribute lies on the straight line between its values in the two ends, as near as whole notes and
semitones allow. No attribute goes back behind the step before. All steps are about equally large; `gap` measures the
size of a step by the onsets that are added or removed and by how far pitches move.

How. Each pair of measures is encoded. The latent dimensions of attributes move along a straight line in the attribute's
value. The other dimensions move along an arc (slerp, Shoemake 1985), because a straight line between two points of a
Gaussian in many dimensions runs through its middle, which decodes to an average measure. The candidates are decodes at
each point and what an exploration (explore.py) finds that starts from these and copies beats of both ends. A candidate
costs its distance from the line and from the wanted attributes, its surprise, and what it would cost as an edit of each
end (cost.py), in proportion to how near that end is. A model in context sees every measure among those of the step
before. For each step, a best path (best_path.py) chooses the measures that join best over the barlines. Repeated pairs
of measures stay equal.

matching.py lists what must agree between the melodies, and makes the rest agree. Tokens are relative to the key, so
that degrees of the scale are interpolated. The key moves from the first to the last along the shorter way round the
circle of fifths, so that each step is near the one before. The register moves with it in whole octaves.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..arrays import Row
from ..errors import UsageError
from ..music.attributes import evaluate_bars
from ..music.chart import Chart, with_chart, without_harmony
from ..music.keys import OCTAVE
from ..music.melody import Melody
from ..music.meter import Meter
from ..networks.context_runtime import Contexts
from ..networks.model import Model
from .best_path import BAN, Choice, best_path, choices_of, joins
from .cost import Prices
from .edit import BarResult, EditResult
from .explore import CHUNK
from .harmony import of_bar
from .matching import match
from .steps import Step, Way
from .ties import EditableMeasure, Key, canonical, find_each, sharing_harmony

STEPS = 8
FEWEST_STEPS = 3
FIFTH = 7  # semitones
SILENT = np.array([1, 0], dtype=np.float32)[:, None, None]  # of a harmony, leaves out the clashes


@dataclass(frozen=True)
class Interpolation:
    """`melodies` in order; those at `ends` (indices) are the inputs. All have the same measures."""

    melodies: tuple[Melody, ...]
    ends: tuple[int, ...]


def interpolate(
    melodies: Sequence[Melody],
    model: Model,
    steps: int = STEPS,
    *,
    form: bool = True,
    seed: int = 0,
    chords: Chart | None = None,
    harmony: bool = True,
) -> Interpolation:
    """Interpolate from each melody to the next in `steps` melodies, which include both ends.

    `chords` is a chart for all melodies. Without `harmony`, new notes need not fit the chords.

    Raises UsageError for fewer than two melodies or three steps, InputError for melodies that do not fit each other.
    The messages contain the names of the melodies.
    """
    if len(melodies) < 2:
        raise UsageError("interpolation needs at least two melodies", remedy="name two or more")
    if steps < FEWEST_STEPS:
        raise UsageError(f"{steps} steps hold nothing between the ends", remedy=f"give steps={FEWEST_STEPS} or more")
    if chords is not None and not harmony:
        raise UsageError("chords are given and ignored at once", remedy="leave out chords=... or harmony=...")
    matched = match(melodies, model)
    if chords is not None:
        matched = [with_chart(melody, chords) for melody in matched]
    if not harmony:
        matched = [without_harmony(melody) for melody in matched]
    path = [matched[0]]
    for one, other in itertools.pairwise(matched):
        path += _between(one, other, model, steps, form, seed)
        path.append(other)
    return Interpolation(tuple(path), tuple(range(0, len(path), steps - 1)))


def results(path: Interpolation, model: Model) -> list[EditResult]:
    """Every melody as an edit of the first. `asked` has the values on the straight line between the two inputs around
    the melody."""
    model = model.restricted(model.metadata.carried)
    values = [evaluate_bars(model.specs, melody, melody.editable) for melody in path.melodies]
    made = []
    for n, melody in enumerate(path.melodies):
        start = max(end for end in path.ends[:-1] if end <= n)
        stop = path.ends[path.ends.index(start) + 1]
        share = (n - start) / (stop - start)
        bars = []
        for i, bar in enumerate(melody.bars):
            assert bar.meter is not None
            first, asked = values[0][i], values[start][i] + share * (values[stop][i] - values[start][i])
            hits = model.hits(bar.meter, values[n][i], asked)
            changed = bool(np.any(bar.tokens != path.melodies[0].bars[i].tokens))
            bars.append(BarResult(i, bar.number, bar.meter, first, asked, asked, values[n][i], hits, changed))
        made.append(EditResult(melody, model.metadata.names, tuple(bars)))
    return made


# ------------------------------------------------------------------------------------ between two


def _between(one: Melody, other: Melody, model: Model, steps: int, form: bool, seed: int) -> list[Melody]:
    """The melodies between two melodies, without the two."""
    way = Way((one, other), model.restricted(model.metadata.carried), steps, form, seed)
    measures = [
        EditableMeasure(i, a.meter, a.tokens, np.stack([a.tokens, b.tokens]), fifths=one.relative_key(i))
        for i, (a, b) in enumerate(zip(one.bars, other.bars, strict=True))
        if a.meter is not None and a.tokens is not None and b.tokens is not None
    ]
    melodies = []
    for step in range(1, steps - 1):
        share = step / (steps - 1)
        keys = [round((1 - share) * one.relative_key(i) + share * other.relative_key(i)) for i in range(len(one.bars))]
        measures = [replace(measure, fifths=keys[measure.index]) for measure in measures]
        measures = _with_harmony(measures, one, other, share, form)
        now = way.contexts_of([measure.row for measure in measures])
        candidates = partial(_candidates, way=way, step=step, contexts=now)
        rows = _chosen(measures, find_each(measures, CHUNK, candidates), way)
        clean = canonical(rows, range(len(rows)))
        measures = [replace(measure, row=clean[i]) for i, measure in enumerate(measures)]
        fifths, shift = _key(one, other, share)
        # A step is in a file of its own, without the accompaniment, and in another key.
        bars = tuple(
            replace(bar, tokens=clean[i], harmony=None, fifths=fifths + keys[i]) for i, bar in enumerate(one.bars)
        )
        melodies.append(replace(one, bars=bars, shift=shift, fifths=fifths))
    return melodies


def _with_harmony(
    measures: Sequence[EditableMeasure], one: Melody, other: Melody, share: float, form: bool
) -> list[EditableMeasure]:
    """The measures with the chords of a step: those of the two melodies, each as certain as the step is near to it.
    Their accompaniments do not sound in the steps."""
    mixed = []
    for measure in measures:
        ends = [of_bar(melody.bars[measure.index], melody.shift) for melody in (one, other)]
        parts = [weight * end for weight, end in zip((1 - share, share), ends, strict=True) if end is not None]
        chords = np.sum(parts, axis=0).astype(np.float32) * SILENT if parts else None
        mixed.append(replace(measure, harmony=chords))
    return sharing_harmony(mixed) if form else mixed


def _key(one: Melody, other: Melody, share: float) -> tuple[int, int]:
    """The key signature (in fifths) and the transposition (in semitones) at a share of the way between two melodies. At
    the shares 0 and 1 they are those of the melodies."""
    number = (other.fifths - one.fifths + 6) % OCTAVE - 6
    fifths = one.fifths + round(share * number)
    shift = one.shift + share * (other.shift - one.shift)
    to_c = (one.shift - FIFTH * (fifths - one.fifths)) % OCTAVE
    octaves = round((shift - to_c) / OCTAVE)
    return (fifths + 5) % OCTAVE - 5, to_c + OCTAVE * octaves


def _candidates(
    measures: Sequence[EditableMeasure], meter: Meter, start: int, way: Way, step: int, contexts: Contexts | None
) -> list[Choice]:
    return Step(way, step, measures, meter, start, contexts).candidates()


def _chosen(measures: Sequence[EditableMeasure], choice_of: Mapping[Key, Choice], way: Way) -> list[Row]:
    """The rows of the candidates that join best. They equal neither the step before nor the end if that is possible."""
    of_melody = choices_of([measure.row for measure in measures], measures, choice_of, way.form)
    choices = [choice for choice in of_melody if choice is not None]
    rows, _ = _best(choices, way.prices)
    if _differs_from_both(measures, rows):
        return rows
    others = [_best(_denied(measures, choices, i), way.prices) for i in range(len(measures))]
    fine = [(cost, i) for i, (other, cost) in enumerate(others) if cost < BAN and _differs_from_both(measures, other)]
    return others[min(fine)[1]][0] if fine else rows


def _best(choices: Sequence[Choice], prices: Prices) -> tuple[list[Row], float]:
    """The best path's rows and cost."""
    steps = joins(choices, prices)
    path = best_path(choices, steps)
    cost = sum(float(choice.cost[c]) for choice, c in zip(choices, path, strict=True))
    cost += sum(float(step[a, b]) for step, (a, b) in zip(steps, itertools.pairwise(path), strict=True)
                if step is not None)  # fmt: skip
    return [choice.rows[c] for choice, c in zip(choices, path, strict=True)], cost


def _denied(measures: Sequence[EditableMeasure], choices: Sequence[Choice], i: int) -> list[Choice]:
    """The choices with a ban: measure i and its repetitions may equal neither the step before nor the end."""
    banned = np.stack([measures[i].row, measures[i].goal[1]])
    same = (choices[i].rows[:, None] == banned).all(axis=2).any(axis=1)
    denied = replace(choices[i], cost=choices[i].cost + BAN * same)
    return [denied if k == i or 0 <= choice.form == denied.form else choice for k, choice in enumerate(choices)]


def _differs_from_both(measures: Sequence[EditableMeasure], rows: Sequence[Row]) -> bool:
    """Whether the rows differ from the step before and from the end."""
    before, end = [measure.row for measure in measures], [measure.goal[1] for measure in measures]
    return _differ(rows, before) and _differ(rows, end)


def _differ(rows: Sequence[Row], others: Sequence[Row]) -> bool:
    return any(not np.array_equal(a, b) for a, b in zip(rows, others, strict=True))
