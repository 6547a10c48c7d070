"""The edit engine: propose, measure, choose, refine.

    request = EditRequest({"density": parse("+1.5", spec)})
    result = edit(melody, request, model)      # result.melody, result.bars: before, asked, achieved

`guided` (the default) proposes decodes of moved latent codes, measures the attributes of the proposals
themselves, refines them (search.py) and takes the best path through all measures (path.py). `latent` is the
paper's bare traversal, one decode a measure, for comparison. Neither touches a measure that already has
what is asked of it, so that an edit of zero returns the melody as it was. A measure of silence is a rest that somebody
wrote: it stays one, unless an absolute value is asked for (`=8notes`).

The engine sees attributes as black boxes and the model through `runtime.Runtime`; it knows no files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from ..arrays import Floats, Ints, Mask, Row, Rows
from ..errors import UsageError
from ..music.melody import Melody
from ..music.meter import Meter
from ..music.sliders import Target, selected
from ..music.tokens import FIRST_PITCH, HOLD, REST, ends_in, onsets
from ..networks.decoding import decode, gumbel
from ..networks.model import Model, values_of
from ..vae.scales import NOT_CARRIED
from .best_path import Choice, best_path
from .candidates import Pool
from .cost import Problem, judge_of
from .locks import Locks
from .search import Search
from .ties import leave_of, tie_of

Mode = Literal["guided", "latent"]

PROPOSALS = 64  # per measure
SILENT = "nothing but a rest"  # why a measure is skipped
UNKNOWN_METER = "the model knows no"  # another reason, with the meter
CHUNK = 64  # measures searched at a time: memory stays flat however long the melody is
OVERSHOOTS = (0.7, 1.0, 1.4, 2.0)  # of the requested step in the code
BONUSES = (1.0, 2.5, 4.0, 6.0)  # logits for the original's token
TEMPERATURES = (0.0, 0.5, 0.8, 1.1)


@dataclass(frozen=True)
class EditRequest:
    targets: Mapping[str, Target]
    keep: frozenset[str] = frozenset()  # attributes that must not move
    locks: frozenset[str] = frozenset()  # see locks.py
    bars: Sequence[tuple[int, int | None]] | None = None  # measure numbers; None: all
    mode: Mode = "guided"
    form: bool = True  # measures that are the same are edited the same
    strength: float = 1.0  # largest share of a measure's ticks that may change
    proposals: int = PROPOSALS
    seed: int = 0

    def __post_init__(self) -> None:
        both = sorted(self.keep & set(self.targets))
        if both:
            raise UsageError(f"{both[0]} cannot be both changed and kept", remedy="leave out one of the two")
        if not 0 < self.strength <= 1:
            raise UsageError(
                f"strength is {self.strength:g}", remedy="give a share of the ticks, above 0 and at most 1"
            )
        if self.mode == "latent" and (self.locks or self.strength < 1):
            raise UsageError(
                "one decode a measure knows no locks and no strength", remedy='use mode="guided", or leave them out'
            )
        if self.proposals < 0:
            raise UsageError(f"{self.proposals} proposals", remedy="give 0 or more")


@dataclass(frozen=True)
class BarResult:
    """One selected measure: raw attribute values, in the order of `EditResult.names`."""

    index: int  # into melody.bars
    number: int
    meter: Meter
    before: Floats
    asked: Floats  # NaN where nothing was asked
    wanted: Floats  # asked, brought into what the model's corpus holds
    achieved: Floats
    hits: Mask  # (k,) within half a grain of what is wanted; True where nothing is
    changed: bool

    @property
    def hit(self) -> bool:
        return bool(self.hits.all())

    @property
    def clamped(self) -> Mask:
        """(k,) where the request lies beyond what any measure of the corpus has."""
        return ~np.isnan(self.asked) & (np.abs(self.asked - self.wanted) > 1e-9)

    @property
    def exact(self) -> Mask:
        """(k,) which have what was asked, not only the nearest that there is; True where nothing was."""
        return self.hits & ~self.clamped

    @property
    def short(self) -> Mask:
        """(k,) where less was asked than half a grain: there is no nearer value than what was there."""
        stays = np.abs(self.achieved - self.before) < 1e-9
        return self.exact & stays & ~np.isnan(self.asked) & (np.abs(self.asked - self.before) > 1e-9)


@dataclass(frozen=True)
class EditResult:
    melody: Melody
    names: tuple[str, ...]
    bars: tuple[BarResult, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)  # reason -> how many selected measures


def edit(melody: Melody, request: EditRequest, model: Model) -> EditResult:
    """The melody with the request met where it can be; attributes that the model carries stay, as far as they can.

    Raises CheckpointError for an attribute that the model does not know, UsageError for one that it only
    measures in latent mode.
    """
    asked = [model.metadata.scale(name) for name in [*request.targets, *request.keep]]
    for scale in asked:
        if scale.dimension == NOT_CARRIED and request.mode == "latent":
            raise UsageError(f"the model has no latent dimension for {scale.name}", remedy='use mode="guided"')
    model = model.restricted({*model.metadata.carried, *(scale.name for scale in asked)})
    tasks, skipped = _tasks(melody, request, model)
    open_tasks = [task for task in tasks if task.open]
    rows = _latent(open_tasks, model) if request.mode == "latent" else _guided(melody, open_tasks, request, model)
    differ = [task for task in open_tasks if not np.array_equal(rows[task.index], task.row)]
    changed = melody.with_rows({task.index: rows[task.index] for task in differ})
    values = values_of(changed, [task.index for task in tasks], model)
    results = tuple(_result(task, changed, values[task.index], model) for task in tasks)
    return EditResult(changed, model.metadata.names, results, skipped)


# ------------------------------------------------------------------------------------ what is asked


@dataclass(frozen=True)
class _Task:
    """One selected measure."""

    index: int
    number: int
    meter: Meter
    row: Row
    before: Floats  # (k,)
    asked: Floats  # (k,) NaN where free
    wanted: Floats  # (k,)
    open: bool  # whether there is anything to do
    tie: int = 0  # locks.opening_allowed
    leave: int = -1  # search.Problem.leave

    @property
    def silent(self) -> bool:
        """Nothing sounds in it, from the barline on."""
        return bool(self.row[0] == REST) and not onsets(self.row).any()

    @property
    def form(self) -> tuple[object, ...]:
        """Equal for measures that are the same, with the same asked of them."""
        return (self.meter, self.row.tobytes(), self.wanted.tobytes())

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for those that are bound to their neighbours in the same way, too: they have the same candidates."""
        return (*self.form, self.tie, self.leave)


def _tasks(melody: Melody, request: EditRequest, model: Model) -> tuple[list[_Task], dict[str, int]]:
    chosen = [i for i, bar in enumerate(melody.bars) if request.bars is None or selected(request.bars, bar.number)]
    if melody.bars and not chosen:
        numbers = [bar.number for bar in melody.bars]
        raise UsageError(
            "no measure of the melody is selected",
            remedy=f"its measures are {min(numbers)} to {max(numbers)}",
        )
    skipped: dict[str, int] = {}
    tasks: list[_Task] = []
    editable = set(chosen)
    for i in chosen:
        bar = melody.bars[i]
        reason = bar.reason
        if bar.meter is not None and reason is None and bar.meter.name not in model.metadata.meters:
            reason = f"{UNKNOWN_METER} {bar.meter.name}"
        if reason is not None:
            skipped[reason] = skipped.get(reason, 0) + 1
            editable.discard(i)
    values = values_of(melody, sorted(editable), model)
    absolute = any(target.absolute for target in request.targets.values())
    for i in sorted(editable):
        task = _task(melody, i, values[i], request, model)
        if task.open and task.silent and not absolute:
            skipped[SILENT] = skipped.get(SILENT, 0) + 1
            editable.discard(i)
        else:
            tasks.append(task)
    changing = {task.index for task in tasks if task.open}
    # What is tied into a measure that has what is asked already, and so stays as it is, is not ours to move.
    return [
        replace(task, tie=tie_of(melody, task.index, editable), leave=leave_of(melody, task.index, changing))
        for task in tasks
    ], skipped


def _task(melody: Melody, i: int, before: Floats, request: EditRequest, model: Model) -> _Task:
    bar = melody.bars[i]
    assert bar.tokens is not None
    assert bar.meter is not None
    asked = np.full(len(before), np.nan)
    for k, (spec, scale) in enumerate(zip(model.specs, model.metadata.scales, strict=True)):
        if scale.name in request.targets:
            target = request.targets[scale.name]
            unit = spec.unit.size(bar.meter)
            asked[k] = target.wanted(before[k : k + 1], [bar.number], unit, scale.mean, scale.sd)[0]
    wanted = model.metadata.clamped(asked, before)
    off = ~model.hits(bar.meter, before, wanted)
    kept = [k for k, name in enumerate(model.metadata.names) if name in request.keep]
    wanted[kept] = before[kept]
    return _Task(i, bar.number, bar.meter, bar.tokens, before, asked, wanted, bool(off.any()))


def _result(task: _Task, changed: Melody, achieved: Floats, model: Model) -> BarResult:
    row = changed.bars[task.index].tokens
    assert row is not None
    hits = model.hits(task.meter, achieved, task.wanted)
    same = np.array_equal(row, task.row)
    return BarResult(
        task.index, task.number, task.meter, task.before, task.asked, task.wanted, achieved, hits, not same
    )


# ------------------------------------------------------------------------------------ latent


def _latent(tasks: Sequence[_Task], model: Model) -> dict[int, Row]:
    rows: dict[int, Row] = {}
    for meter in sorted({task.meter for task in tasks}):
        here = [task for task in tasks if task.meter == meter]
        originals, before, wanted = _stacked(here)
        z = model.moved(model.runtime.encode(originals, meter), before, wanted, meter)
        for task, row in zip(here, decode(model.runtime, z, meter), strict=True):
            rows[task.index] = _joined(row, task)
    return rows


def _joined(row: Row, task: _Task) -> Row:
    """The decode with its ends made to fit what is not edited: the decoder knows nothing of the barlines."""
    if task.tie == -1 and row[0] == HOLD:
        row[0] = task.row[0] if task.row[0] != HOLD else REST
    if task.tie == 1:
        row[0] = HOLD
    if task.leave == HOLD:
        row[:] = HOLD
    elif task.leave > HOLD and ends_in(row[None])[0] != task.leave:
        events = np.flatnonzero(row != HOLD)
        row[events[-1] if len(events) else np.flatnonzero(task.row == task.leave)[-1]] = task.leave
    return row


def _stacked(tasks: Sequence[_Task]) -> tuple[Rows, Floats, Floats]:
    rows = np.stack([task.row for task in tasks])
    return rows, np.stack([task.before for task in tasks]), np.stack([task.wanted for task in tasks])


# ------------------------------------------------------------------------------------ guided


def _guided(melody: Melody, tasks: Sequence[_Task], request: EditRequest, model: Model) -> dict[int, Row]:
    notes = [row[onsets(row)] for row in melody.rows if row is not None]
    compass = np.concatenate(notes) if notes else np.zeros(0, dtype=np.int16)
    lowest, highest = (int(compass.min()), int(compass.max())) if len(compass) else (FIRST_PITCH, FIRST_PITCH)
    locks = Locks(request.locks, lowest, highest)
    tasks = _bound_together(tasks) if request.form else tasks
    distinct: dict[tuple[object, ...], _Task] = {}
    for task in tasks:
        distinct.setdefault(task.key, task)
    found: dict[tuple[object, ...], Pool] = {}
    for meter in sorted({task.meter for task in tasks}):
        here = [task for task in distinct.values() if task.meter == meter]
        for start in range(0, len(here), CHUNK):
            chunk = here[start : start + CHUNK]
            for task, pool in zip(chunk, _searched(chunk, meter, locks, request, model), strict=True):
                found[task.key] = pool
    return _chosen(melody, tasks, found, request)


def _bound_together(tasks: Sequence[_Task]) -> list[_Task]:
    """What binds one measure to its neighbours binds all that are the same, so that one candidate suits them all:
    nothing may be tied into the first measure of a melody, and then into none that repeats it."""
    bound: dict[tuple[object, ...], tuple[int, int]] = {}
    for task in tasks:
        tie, leave = bound.get(task.form, (0, -1))
        bound[task.form] = (tie or task.tie, max(leave, task.leave))
    return [replace(task, tie=bound[task.form][0], leave=bound[task.form][1]) for task in tasks]


def _searched(tasks: Sequence[_Task], meter: Meter, locks: Locks, request: EditRequest, model: Model) -> list[Pool]:
    """Each task's best candidates."""
    rows, before, wanted = _stacked(tasks)
    tie = np.array([task.tie for task in tasks], dtype=np.int8)
    leave = np.array([task.leave for task in tasks])
    problem = Problem(meter, rows, wanted, tie, leave)
    search = Search(problem, judge_of(model, meter, locks, request.strength), model.runtime)
    if request.proposals:
        search.add(*propose(rows, before, wanted, meter, request.proposals, request.seed, model))
    pool = search.run()
    return [pool.take(pool.group == g) for g in range(len(tasks))]


def propose(
    rows: Rows,
    before: Floats,
    wanted: Floats,
    meter: Meter,
    count: int,
    seed: int,
    model: Model,
) -> tuple[Ints, Rows]:
    """(m, t) measures -> (m * count,) which measure each proposal is for, and (m * count, t) the proposals.

    `count` decodes of each, over a range of overshoots, bonuses for the original's tokens, and temperatures.
    """
    way = np.arange(count)
    overshoot = np.tile(np.array(OVERSHOOTS), len(rows))
    bonus = np.array(BONUSES, dtype=np.float32)[way // len(OVERSHOOTS) % len(BONUSES)]
    heat = np.array(TEMPERATURES, dtype=np.float32)[way // (len(OVERSHOOTS) * len(BONUSES)) % len(TEMPERATURES)]
    each = np.repeat(np.arange(len(rows)), len(OVERSHOOTS))
    still = model.runtime.encode(rows, meter)
    step = model.moved(still, before, wanted, meter) - still
    z = still[each] + overshoot.astype(np.float32)[:, None] * step[each]
    group = np.repeat(np.arange(len(rows)), count)
    point = group * len(OVERSHOOTS) + np.tile(way % len(OVERSHOOTS), len(rows))
    noise = np.tile(gumbel(seed, meter.ticks, count) * heat[:, None], (1, len(rows), 1))
    decoded = decode(model.runtime, z, meter, rows[group], np.tile(bonus, len(rows)), noise, point)
    return group, decoded


def _chosen(
    melody: Melody, tasks: Sequence[_Task], found: Mapping[tuple[object, ...], Pool], request: EditRequest
) -> dict[int, Row]:
    forms = {key: n for n, key in enumerate(found)}
    by_index = {task.index: task for task in tasks}
    choices: list[Choice | None] = []
    for i, bar in enumerate(melody.bars):
        task = by_index.get(i)
        if bar.tokens is None:
            choices.append(None)
        elif task is None:
            choices.append(Choice(bar.tokens, bar.tokens[None], np.zeros(1), -1))
        else:
            pool = found[task.key]
            choices.append(Choice(task.row, pool.rows, pool.cost, forms[task.key] if request.form else -1))
    path = best_path(choices)
    picked = ((i, choices[i]) for i in by_index)
    return {i: choice.rows[path[i]] for i, choice in picked if choice is not None}
