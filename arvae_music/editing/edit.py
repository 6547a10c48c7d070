"""The edit engine: it moves attributes of a melody to requested values and changes as little else as it can.

    request = EditRequest({"density": parse("+1.5", spec)})
    result = edit(melody, request, model)      # result.melody, result.bars: before, asked, achieved

`guided` (the default) shifts the latent code of every measure, decodes candidates, measures their attributes, improves
them by small changes (search.py) and chooses the candidates that join best over the barlines (best_path.py). `latent`
is the paper's plain traversal: it takes one decode for each measure and serves for comparison. Neither mode changes a
measure that already meets the request, so that an edit of zero returns the melody as it was. A silent measure stays
silent unless the request names a value (`=8notes`).

Kept attributes have priority over requests. Where a measure cannot satisfy both, the kept attributes stay, the measure
gets the nearest possible value, and `EditResult.missed` counts the measure.

Words: an sd is one standard deviation of an attribute in the model's corpus. The grain is the smallest step of an
attribute, such as one note. A tick is the smallest step in time (24 in a measure of 4/4).

The engine sees attributes as black boxes and the model through `runtime.Runtime`. It knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..arrays import Floats, Mask, Row
from ..errors import InputError, UsageError
from ..music.attributes import evaluate_bars
from ..music.chart import with_chart
from ..music.melody import Melody
from ..music.meter import Meter
from ..music.sliders import selected
from ..music.tokens import REST, onsets
from ..networks.model import Model
from ..vae.scales import NOT_CARRIED
from . import guided, latent, whole
from .harmony import of_bar
from .request import EditRequest
from .ties import EditableMeasure, Ties

DIGITS = 9  # decimals that reports keep; further decimals are rounding noise
EPSILON = 1e-9  # values that differ by less are equal
SILENT = "empty measures"  # why a measure is skipped


@dataclass(frozen=True)
class BarResult:
    """One selected measure: raw attribute values, in the order of `EditResult.names`."""

    index: int  # into melody.bars
    number: int
    meter: Meter
    before: Floats
    asked: Floats  # (k,) the requested values; NaN where nothing is requested
    wanted: Floats  # (k,) the same, clamped to the values that occur in the model's corpus
    achieved: Floats
    hits: Mask  # (k,) whether the value is within half a grain of the wanted one; True where none is wanted
    changed: bool
    each: bool = True  # whether this measure alone was to meet the request; otherwise `hits` are of the melody's means
    short_means: Mask | None = None  # (k,) see `short`, if the request is for the mean

    @property
    def hit(self) -> bool:
        return bool(self.hits.all())

    @property
    def content(self) -> bool:
        """Whether this measure alone has the requested values, so that an edit has no reason to change it."""
        if self.each:
            return self.hit
        return bool((np.isnan(self.asked) | (np.abs(self.achieved - self.asked) < 1e-9)).all())

    @property
    def clamped(self) -> Mask:
        """(k,) where the request lies outside the range of the model's corpus."""
        return ~np.isnan(self.asked) & (np.abs(self.asked - self.wanted) > 1e-9)

    @property
    def exact(self) -> Mask:
        """(k,) where the requested value is met, and not only the nearest value of the corpus; True where nothing was
        requested."""
        return self.hits & ~self.clamped

    @property
    def short(self) -> Mask:
        """(k,) where the request is a change by less than half a grain, so that keeping the old value meets it. If the
        request is for the mean of the measures, this is the same for all of them."""
        if self.short_means is not None:
            return self.short_means
        stays = np.abs(self.achieved - self.before) < 1e-9
        return self.exact & stays & ~np.isnan(self.asked) & (np.abs(self.asked - self.before) > 1e-9)


@dataclass(frozen=True)
class EditResult:
    melody: Melody
    names: tuple[str, ...]
    bars: tuple[BarResult, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)  # reason -> how many selected measures

    @property
    def missed(self) -> int:
        """How many measures do not meet the request, because kept attributes and locks have priority over it."""
        return sum(not bar.hit for bar in self.bars)

    def mean(self, part: str, k: int, sizes: Floats) -> float:
        """The mean over the selected measures of an attribute's `part` ("before", "asked", "wanted" or "achieved"), in
        units of `sizes` (measures,), without rounding noise such as -9.9e-17; NaN where no measure was selected."""
        if not self.bars:
            return float("nan")
        values = np.array([getattr(bar, part)[k] for bar in self.bars])
        return round(float(np.mean(values / sizes)), DIGITS) + 0.0


def edit(melody: Melody, request: EditRequest, model: Model) -> EditResult:
    """Meet the request where possible, and move the model's other attributes as little as possible.

    Raises CheckpointError for an attribute that the model does not know, and UsageError in latent mode for an attribute
    without a latent dimension.
    """
    named = [model.metadata.scale(name) for name in [*request.targets, *request.keep]]
    for scale in named:
        if scale.dimension == NOT_CARRIED and request.mode == "latent":
            raise UsageError(f"the model has no latent dimension for {scale.name}", remedy='use mode="guided"')
    if request.chords is not None:
        melody = with_chart(melody, request.chords)
    model = model.restricted({*model.metadata.carried, *(scale.name for scale in named)})
    tasks, skipped = _tasks(melody, request, model)
    measures = [task.measure for task in tasks if task.open]
    if not request.each and request.mode == "guided":
        return _whole(melody, request, model, tasks, skipped)
    if request.mode == "latent":
        rows = latent.found(melody, measures, model)
    else:
        rows = guided.found(guided.setting_of(melody, request, model), measures)
    differ = [measure for measure in measures if not np.array_equal(rows[measure.index], measure.row)]
    changed = melody.with_rows({measure.index: rows[measure.index] for measure in differ})
    values = evaluate_bars(model.specs, changed, [task.measure.index for task in tasks])
    results = tuple(_result(task, changed, values[task.measure.index], model) for task in tasks)
    return EditResult(changed, model.metadata.names, results, skipped)


def _whole(
    melody: Melody, request: EditRequest, model: Model, tasks: Sequence[_Task], skipped: dict[str, int]
) -> EditResult:
    """The edit that moves the mean over the measures of `tasks`."""
    if not tasks:
        return EditResult(melody, model.metadata.names, (), skipped)
    before = np.array([task.before for task in tasks])
    goals = np.array([task.asked for task in tasks])
    requested = ~np.isnan(goals).all(axis=0)
    grains = np.array([model.grain(task.measure.meter) for task in tasks])
    tolerance = 0.5 * grains.min(axis=0) * (1 + 1e-6)

    def lacking(values: Floats) -> Mask:
        return np.where(requested, np.abs((goals - values).sum(axis=0)) > tolerance, False)

    rows: dict[int, Row] = {}
    sounding = [n for n, task in enumerate(tasks) if not task.silent]
    if lacking(before).any() and sounding:
        editable = {tasks[n].measure.index for n in sounding}
        ties, measures = Ties(melody, editable), []
        for n in sounding:
            own = tasks[n].measure
            own = replace(own, goal=np.where(requested, goals[n], own.goal))
            measures.append(ties.bind(own))
        rows = whole.found(guided.setting_of(melody, request, model), measures, before[sounding], tolerance)
    old = melody.rows
    differ = {i: row for i, row in rows.items() if row.tolist() != np.asarray(old[i]).tolist()}
    changed = melody.with_rows(differ)
    values = evaluate_bars(model.specs, changed, [task.measure.index for task in tasks])
    achieved = np.array([values[task.measure.index] for task in tasks])
    hits = ~lacking(achieved)
    distance = np.where(requested, np.abs((goals - before).sum(axis=0)), 0.0)
    short = (distance > EPSILON) & ~lacking(before)
    results = []
    for task, after in zip(tasks, achieved, strict=True):
        own, moved = task.measure, task.measure.index in differ
        results.append(
            BarResult(
                own.index,
                task.number,
                own.meter,
                task.before,
                task.asked,
                task.asked,
                after,
                hits,
                moved,
                each=False,
                short_means=short,
            )
        )
    return EditResult(changed, model.metadata.names, tuple(results), skipped)


# ------------------------------------------------------------------------------------ the request


@dataclass(frozen=True)
class _Task:
    """One selected measure."""

    measure: EditableMeasure  # its goal is the wanted values (k,)
    number: int
    before: Floats  # (k,)
    asked: Floats  # (k,) the requested values; NaN where nothing is requested
    open: bool  # whether the measure does not meet the request yet

    @property
    def silent(self) -> bool:
        """Whether nothing sounds in the measure, not even a note that is tied into it."""
        row = self.measure.row
        return bool(row[0] == REST) and not onsets(row).any()


def _tasks(melody: Melody, request: EditRequest, model: Model) -> tuple[list[_Task], dict[str, int]]:
    chosen = [i for i, bar in enumerate(melody.bars) if request.bars is None or selected(request.bars, bar.number)]
    if melody.bars and not chosen:
        numbers = [bar.number for bar in melody.bars]
        raise UsageError(
            "no measure of the melody is selected",
            remedy=f"its measures are {min(numbers)} to {max(numbers)}",
        )
    for target in request.targets.values():
        target.expect_measures(min((bar.number for bar in melody.bars), default=1))
    skipped: dict[str, int] = {}
    tasks: list[_Task] = []
    editable = set(chosen)
    for i in chosen:
        reason = melody.bars[i].reason
        if reason is not None:
            skipped[reason] = skipped.get(reason, 0) + 1
            editable.discard(i)
    values = evaluate_bars(model.specs, melody, sorted(editable))
    absolute = any(target.absolute for target in request.targets.values())
    for i in sorted(editable):
        task = _task(melody, i, values[i], request, model)
        if task.open and task.silent and not absolute:
            skipped[SILENT] = skipped.get(SILENT, 0) + 1
            editable.discard(i)
        else:
            tasks.append(task)
    # A measure that already meets the request stays as it is, so the note that is tied into it must stay too.
    ties = Ties(melody, {task.measure.index for task in tasks if task.open})
    return [replace(task, measure=ties.bind(task.measure)) for task in tasks], skipped


def _task(melody: Melody, i: int, before: Floats, request: EditRequest, model: Model) -> _Task:
    bar = melody.bars[i]
    assert bar.tokens is not None
    assert bar.meter is not None
    asked = np.full(len(before), np.nan)
    for k, (spec, scale) in enumerate(zip(model.specs, model.metadata.scales, strict=True)):
        if scale.name in request.targets:
            target = request.targets[scale.name]
            unit, (mean, sd) = spec.unit.size(bar.meter), scale.in_meter(model.parts(bar.meter)[0].name)
            asked[k] = target.wanted(before[k : k + 1], [bar.number], unit, mean, sd)[0]
    wanted = model.clamped(bar.meter, asked, before)
    off = ~model.hits(bar.meter, before, wanted)
    kept = [k for k, name in enumerate(model.metadata.names) if name in request.keep]
    wanted[kept] = before[kept]
    harmony = of_bar(bar, melody.shift, request.harmony)
    measure = EditableMeasure(i, bar.meter, bar.tokens, wanted, harmony=harmony, fifths=melody.relative_key(i))
    return _Task(measure, bar.number, before, asked, bool(off.any()))


def _result(task: _Task, changed: Melody, achieved: Floats, model: Model) -> BarResult:
    measure = task.measure
    row = changed.bars[measure.index].tokens
    hits = model.hits(measure.meter, achieved, measure.goal)
    same = row is not None and np.array_equal(row, measure.row)
    return BarResult(
        measure.index, task.number, measure.meter, task.before, task.asked, measure.goal, achieved, hits, not same
    )


def expect_editable(result: EditResult, where: str) -> None:
    """Raises InputError, with the reasons, if none of the selected measures can be edited. `where` names the file."""
    if result.bars or set(result.skipped) <= {SILENT}:
        return
    reasons = ", ".join(f"{reason} ({count})" for reason, count in result.skipped.items())
    raise InputError(
        f"none of its measures can be edited: {reasons}",
        where=where,
        remedy="select others with bars=...",
    )
