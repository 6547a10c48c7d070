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
each point and what an exploration (explore.py) finds that starts from these and copies beats of both ends. The cost of
a candidate is its distance from the line, from the wanted attributes, and its surprise under the model. For each step,
a best path (best_path.py) chooses the measures that join best over the barlines. Repeated pairs of measures stay equal.

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

from ..arrays import Floats, Ints, Row, Rows
from ..errors import UsageError
from ..music.attributes import evaluate_bars
from ..music.chart import Chart, with_chart, without_harmony
from ..music.keys import OCTAVE, compass_of, pitches_for
from ..music.melody import Melody
from ..music.meter import TICKS_PER_BEAT, Meter
from ..music.tokens import onsets
from ..networks.decoding import decode, gumbel, log_probabilities, surprise
from ..networks.model import Model
from .best_path import BAN, Choice, best_path, choices_of, joins
from .cost import INTERPOLATION, Judge, awkward, judge_of
from .edit import BarResult, EditResult
from .explore import CHUNK, LEEWAY, Explorer
from .harmony import HarmonyCost, of_bar, stacked
from .matching import match
from .ties import EditableMeasure, Key, canonical, find_each, sharing_harmony

STEPS = 8
FEWEST_STEPS = 3
DECODES = 16  # of each point
ROUNDS = 6  # of the exploration
POOL = 16  # candidates of each measure at each step
NEARLY_PARALLEL = 1e-3  # radians; with a smaller angle between the ends, the arc is a straight line
FIFTH = 7  # semitones

BONUSES = (0.0, 1.0, 2.0, 3.5)  # added to the logit of an end's token
TEMPERATURES = (0.0, 0.4, 0.7, 1.0)  # of the sampling
EPSILON = 1e-9

SILENT = np.array([1, 0], dtype=np.float32)[:, None, None]  # of a harmony, leaves out the clashes

MOST_NATS = 5.0  # the largest gain for being less surprising than the ends: a very unsurprising measure is dull


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


# ------------------------------------------------------------------------------------ distances


def gap(one: Rows, other: Rows) -> Floats:
    """(..., t) twice -> (...) the distance between rows, in ticks: 1 for each tick where an event is added or removed,
    and 0.25 to 1 for each note whose pitch changes, by how far it moves."""
    both = onsets(one) & onsets(other)
    moved = np.minimum(np.abs(one.astype(np.int64) - other), OCTAVE) / OCTAVE
    each: Floats = np.where(both, moved * 0.75 + 0.25 * (one != other), one != other).sum(axis=-1)
    return each


# ------------------------------------------------------------------------------------ between two


def _between(one: Melody, other: Melody, model: Model, steps: int, form: bool, seed: int) -> list[Melody]:
    """The melodies between two melodies, without the two."""
    model = model.restricted(model.metadata.carried)
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
        candidates = partial(_candidates, model=model, step=step, steps=steps, seed=seed)
        rows = _chosen(measures, find_each(measures, CHUNK, candidates), form)
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
    measures: Sequence[EditableMeasure], meter: Meter, start: int, model: Model, step: int, steps: int, seed: int
) -> list[Choice]:
    return _Step(measures, meter, model, step, steps, [seed, step, meter.code, start]).candidates()


class _Step:
    """Candidates for the next step of some measures of one meter."""

    def __init__(
        self,
        measures: Sequence[EditableMeasure],
        meter: Meter,
        model: Model,
        step: int,
        steps: int,
        seed: Sequence[int],
    ) -> None:
        self.meter, self.model, self.seed = meter, model, list(seed)
        self.judge: Judge = judge_of(model, meter, prices=INTERPOLATION)
        self.random = np.random.default_rng(self.seed)
        self.share = step / (steps - 1)
        self.one, self.other = np.stack([measure.goal for measure in measures], axis=1)
        self.now = np.stack([measure.row for measure in measures])
        self.values = [self.judge.values(rows, meter) for rows in (self.one, self.other, self.now)]
        self.wanted = self.values[0] + self.share * (self.values[1] - self.values[0])
        self.low, self.high = np.minimum(*self.values[1:]), np.maximum(*self.values[1:])
        self.left = gap(self.now, self.other)  # (g,) the distance that is left to the end
        self.due = self.left / (steps - step)  # (g,) the share of this step
        likely = [surprise(log_probabilities(model.runtime, rows, meter), rows) for rows in (self.one, self.other)]
        self.usual = likely[0] + self.share * (likely[1] - likely[0])
        self.awkwardness = np.maximum(*(awkward(rows, meter, INTERPOLATION) for rows in (self.one, self.other)))
        both = np.concatenate([self.one, self.other], axis=1)
        harmony = stacked([measure.harmony for measure in measures], meter)
        ends = [self.one, self.other]
        self.harmony = None if harmony is None else HarmonyCost(meter, ends, harmony, INTERPOLATION.harmony)
        lowest, highest = compass_of(both)
        fifths = np.array([measure.fifths for measure in measures])
        self.pitches = pitches_for(both, lowest - LEEWAY, highest + LEEWAY, fifths)

    def candidates(self) -> list[Choice]:
        """The candidates for the next step of each measure, cheapest first."""
        guides = np.concatenate([self._decodes(), self.one[:, None], self.other[:, None]], axis=1)
        archive = Explorer(
            self.meter, self.now, guides, self.pitches, self.price,
            self.model.runtime, self.random, POOL, None, None if self.harmony is None else self.harmony.preference,
        ).run(ROUNDS)  # fmt: skip
        made = []
        for group in range(len(self.now)):
            of_group = archive.take(archive.group == group)
            of_group = of_group.take(np.argsort(of_group.cost, kind="stable"))
            made.append(Choice(self.now[group], *self._with_unchanged(group, of_group.rows, of_group.cost), -1))
        return made

    def _with_unchanged(self, group: int, rows: Rows, cost: Floats) -> tuple[Rows, Floats]:
        """Add the unchanged measure to the candidates. It is the only candidate if the measure already equals the
        end."""
        now = self.now[group : group + 1]
        if self.left[group] == 0:
            return now, np.zeros(1)
        if (rows == now).all(axis=1).any():
            return rows, cost
        cost_now, _ = self.price(np.array([group]), now, self.usual[group : group + 1])
        return np.concatenate([rows, now]), np.concatenate([cost, cost_now])

    def point(self) -> Floats:
        """(g, z) the latent points of this step: attributes on a straight line in value, other dimensions on an arc."""
        runtime, scales = self.model.runtime, self.model.metadata.scales
        start, end = (runtime.encode(rows, self.meter) for rows in (self.one, self.other))
        z = slerp(start, end, self.share)
        for k, scale in enumerate(scales):
            first, last, on_line = (scale.code(values[:, k]) for values in (*self.values[:2], self.wanted))
            # The code of a measure differs from the calibrated code of its value. The code moves by the same share of
            # its way as the calibrated code does.
            part = np.where(first == last, self.share, (on_line - first) / np.where(first == last, 1.0, last - first))
            d = scale.dimension
            z[:, d] = start[:, d] + part * (end[:, d] - start[:, d])
        return z

    def _decodes(self) -> Rows:
        """(g, DECODES, t) decodes with a bonus for the tokens of one end. For each beat, chance chooses the end."""
        groups = len(self.now)
        z = np.repeat(self.point(), DECODES, axis=0).astype(np.float32)
        beat = np.arange(self.meter.ticks) // TICKS_PER_BEAT
        late = self.random.random((len(z), self.meter.beats))[:, beat] < self.share
        toward = np.where(late, np.repeat(self.other, DECODES, axis=0), np.repeat(self.one, DECODES, axis=0))
        number = np.tile(np.arange(DECODES), groups)
        bonus = np.array(BONUSES, dtype=np.float32)[number % len(BONUSES)]
        temperature = np.array(TEMPERATURES, dtype=np.float32)[number // len(BONUSES) % len(TEMPERATURES)]
        noise = np.tile(gumbel(self.seed[0], self.meter.ticks, DECODES), (1, groups, 1)) * temperature[:, None]
        rows = decode(self.model.runtime, z, self.meter, toward, bonus, noise)
        return rows.reshape(groups, DECODES, -1)

    def price(self, group: Ints, rows: Rows, nats: Floats) -> tuple[Floats, Ints]:
        """(n,) the cost of each candidate as the next step, and (n,) its niche, which is the same for all."""
        values = self.judge.values(rows, self.meter)
        off = np.abs(values - self.wanted[group]) / self.judge.sd
        cost = INTERPOLATION.miss * np.maximum(off - self.judge.tolerance, 0).sum(axis=1)
        back = np.maximum(self.low[group] - values, 0) + np.maximum(values - self.high[group], 0)
        cost += np.where(back > EPSILON, INTERPOLATION.back + back / self.judge.sd, 0.0).sum(axis=1)
        due, moved = self.due[group], gap(rows, self.now[group])
        cost += INTERPOLATION.uneven * np.abs(moved - due) + INTERPOLATION.stuck * np.minimum(due, 1.0) * (moved == 0)
        cost += INTERPOLATION.away * np.abs(gap(rows, self.other[group]) - (self.left[group] - due))
        cost += INTERPOLATION.nat * np.maximum(nats - self.usual[group], -MOST_NATS)
        cost += np.maximum(awkward(rows, self.meter, INTERPOLATION) - self.awkwardness[group], 0)
        if self.harmony is not None:
            cost += self.harmony.price(group, rows)
        return cost, np.zeros(len(rows), dtype=np.int64)


def slerp(start: Floats, end: Floats, share: float) -> Floats:
    """(n, z) twice -> (n, z): the direction moves along the great circle, and the length along a straight line."""
    lengths = [np.linalg.norm(side, axis=1, keepdims=True) for side in (start, end)]
    one, other = (side / np.maximum(length, 1e-9) for side, length in zip((start, end), lengths, strict=True))
    angle = np.arccos(np.clip((one * other).sum(axis=1, keepdims=True), -1, 1))
    t = share
    flat = (angle < NEARLY_PARALLEL) | (angle > np.pi - NEARLY_PARALLEL)  # opposite points: no one arc
    sine = np.where(flat, 1.0, np.sin(angle))
    arc = (np.sin((1 - t) * angle) * one + np.sin(t * angle) * other) / sine
    length = lengths[0] + t * (lengths[1] - lengths[0])
    result: Floats = np.where(flat, start + t * (end - start), length * arc)
    return result


def _chosen(measures: Sequence[EditableMeasure], choice_of: Mapping[Key, Choice], form: bool) -> list[Row]:
    """The rows of the candidates that join best. They equal neither the step before nor the end if that is possible."""
    of_melody = choices_of([measure.row for measure in measures], measures, choice_of, form)
    choices = [choice for choice in of_melody if choice is not None]
    rows, _ = _best(choices)
    if _differs_from_both(measures, rows):
        return rows
    others = [_best(_denied(measures, choices, i)) for i in range(len(measures))]
    fine = [(cost, i) for i, (other, cost) in enumerate(others) if cost < BAN and _differs_from_both(measures, other)]
    return others[min(fine)[1]][0] if fine else rows


def _best(choices: Sequence[Choice]) -> tuple[list[Row], float]:
    """The best path's rows and cost."""
    steps = joins(choices)
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
