"""The edit engine: it moves attributes of a melody to requested values and changes as little else as it can.

    request = EditRequest({"density": parse("+1.5", spec)})
    result = edit(melody, request, model)      # result.melody, result.bars: before, asked, achieved

`guided` (the default) shifts the latent code of every measure, decodes candidates, measures their attributes, improves
them by small changes (search.py) and chooses the candidates that join best over the barlines (best_path.py). `latent`
is the paper's plain traversal: it takes one decode for each measure and serves for comparison. Neither mode changes a
measure that already meets the request, so that an edit of zero returns the melody as it was. A silent measure stays
silent unless the request names a value (`=8notes`).

What the user keeps goes before what the user requests: where both cannot be, the kept attributes stay, the measure gets
the nearest value that allows it, and `EditResult.missed` counts it.

The engine sees attributes as black boxes and the model through `runtime.Runtime`. It knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from ..arrays import Floats, Ints, Mask, Row, Rows
from ..errors import InputError, UsageError
from ..music.attributes import evaluate, evaluate_bars
from ..music.keys import compass_of
from ..music.melody import Melody
from ..music.meter import Meter
from ..music.sliders import Target, selected
from ..music.tokens import HOLD, REST, ends_in, onsets
from ..networks.decoding import decode, gumbel
from ..networks.model import ROUNDING, Model
from ..vae.scales import NOT_CARRIED
from .best_path import best_path, choices_of
from .candidates import Pool
from .cost import Judge, Problem, judge_of
from .locks import Locks, expect_room
from .search import Search
from .ties import Place, bound_together, find_each, leave_of, tie_of

Mode = Literal["guided", "latent"]

DIGITS = 9  # decimals that reports keep: what lies below is rounding noise
PROPOSALS = 64  # per measure
SILENT = "empty measures"  # why a measure is skipped
UNKNOWN_METER = "meter not supported by the model:"  # another reason, with the meter
CHUNK = 64  # measures searched at a time: memory stays flat however long the melody is
OVERSHOOTS = (0.7, 1.0, 1.4, 2.0)  # of the requested step in the code
BONUSES = (1.0, 2.5, 4.0, 6.0)  # logits for the original's token
TEMPERATURES = (0.0, 0.5, 0.8, 1.1)


@dataclass(frozen=True)
class EditRequest:
    targets: Mapping[str, Target]
    keep: frozenset[str] = frozenset()  # attributes that go before the targets and never move; latent: only their codes
    locks: frozenset[str] = frozenset()  # see locks.py
    bars: Sequence[tuple[int, int | None]] | None = None  # measure numbers; None: all
    mode: Mode = "guided"
    form: bool = True  # measures that are the same are edited the same
    strength: float = 1.0  # largest share of a measure that may change
    proposals: int = PROPOSALS
    seed: int = 0

    def __post_init__(self) -> None:
        both = sorted(self.keep & set(self.targets))
        if both:
            raise UsageError(f"{both[0]} cannot be both changed and kept", remedy="leave out one of the two")
        expect_room(self.locks, self.targets)
        if not 0 < self.strength <= 1:
            raise UsageError(
                f"strength is {self.strength:g}", remedy="give a share of the ticks, above 0 and at most 1"
            )
        if self.mode == "latent" and (self.locks or self.strength < 1):
            raise UsageError(
                "latent mode takes one decode for each measure, without lock and strength",
                remedy='use mode="guided", or leave them out',
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
    asked: Floats  # what the request names; NaN where it names nothing
    wanted: Floats  # the same, limited to values that occur in the model's corpus
    achieved: Floats
    hits: Mask  # (k,) within half a grain of the wanted value; True where none is wanted
    changed: bool

    @property
    def hit(self) -> bool:
        return bool(self.hits.all())

    @property
    def clamped(self) -> Mask:
        """(k,) where the request lies outside the range of the model's corpus."""
        return ~np.isnan(self.asked) & (np.abs(self.asked - self.wanted) > 1e-9)

    @property
    def exact(self) -> Mask:
        """(k,) which have the requested value and not only the nearest in the corpus; True where none was requested."""
        return self.hits & ~self.clamped

    @property
    def short(self) -> Mask:
        """(k,) where the request is a change by less than half a grain, so that the old value is the nearest."""
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
        """In how many measures the request is not met: what is kept or locked goes before what is requested."""
        return sum(not bar.hit for bar in self.bars)

    def mean(self, part: str, k: int, sizes: Floats) -> float:
        """The mean over the selected measures of an attribute's `part` ("before", "asked", "wanted" or "achieved"), in
        units of `sizes` (measures,), without rounding noise such as -9.9e-17; NaN where no measure was selected."""
        if not self.bars:
            return float("nan")
        values = np.array([getattr(bar, part)[k] for bar in self.bars])
        return round(float(np.mean(values / sizes)), DIGITS) + 0.0


def edit(melody: Melody, request: EditRequest, model: Model) -> EditResult:
    """Meet the request where it can be met; the other attributes that the model knows move as little as possible.

    Raises CheckpointError for an attribute that the model does not know, UsageError for one that it only
    measures in latent mode.
    """
    asked = [model.metadata.scale(name) for name in [*request.targets, *request.keep]]
    for scale in asked:
        if scale.dimension == NOT_CARRIED and request.mode == "latent":
            raise UsageError(f"the model has no latent dimension for {scale.name}", remedy='use mode="guided"')
    model = model.restricted({*model.metadata.carried, *(scale.name for scale in asked)})
    tasks, skipped = _tasks(melody, request, model)
    places = [task.place for task in tasks if task.open]
    rows = _latent(places, model) if request.mode == "latent" else _guided(melody, places, request, model)
    differ = [place for place in places if not np.array_equal(rows[place.index], place.row)]
    changed = melody.with_rows({place.index: rows[place.index] for place in differ})
    values = evaluate_bars(model.specs, changed, [task.place.index for task in tasks])
    results = tuple(_result(task, changed, values[task.place.index], model) for task in tasks)
    return EditResult(changed, model.metadata.names, results, skipped)


# ------------------------------------------------------------------------------------ the request


@dataclass(frozen=True)
class _Task:
    """One selected measure."""

    place: Place  # its aim is the values wanted of it
    number: int
    before: Floats  # (k,)
    asked: Floats  # (k,) NaN where free
    open: bool  # whether there is anything to do

    @property
    def silent(self) -> bool:
        """Nothing sounds in it, from the barline on."""
        row = self.place.row
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
        bar = melody.bars[i]
        reason = bar.reason
        if bar.meter is not None and reason is None and bar.meter.name not in model.metadata.meters:
            reason = f"{UNKNOWN_METER} {bar.meter.name}"
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
    changing = {task.place.index for task in tasks if task.open}
    # A measure that already meets the request stays as it is, so the note that is tied into it must stay too.
    return [
        replace(task, place=_bound(task.place, melody, editable, changing)) for task in tasks
    ], skipped


def _bound(place: Place, melody: Melody, editable: set[int], changing: set[int]) -> Place:
    return replace(place, tie=tie_of(melody, place.index, editable), leave=leave_of(melody, place.index, changing))


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
    return _Task(Place(i, bar.meter, bar.tokens, wanted), bar.number, before, asked, bool(off.any()))


def _result(task: _Task, changed: Melody, achieved: Floats, model: Model) -> BarResult:
    place = task.place
    row = changed.bars[place.index].tokens
    hits = model.hits(place.meter, achieved, place.aim)
    same = row is not None and np.array_equal(row, place.row)
    return BarResult(
        place.index, task.number, place.meter, task.before, task.asked, place.aim, achieved, hits, not same
    )


# ------------------------------------------------------------------------------------ latent


def _latent(places: Sequence[Place], model: Model) -> dict[int, Row]:
    rows: dict[int, Row] = {}
    for meter in sorted({place.meter for place in places}):
        here = [place for place in places if place.meter == meter]
        originals, wanted = np.stack([place.row for place in here]), np.stack([place.aim for place in here])
        before = evaluate(model.specs, originals, meter)
        z = model.moved(model.runtime.encode(originals, meter), before, wanted, meter)
        for place, row in zip(here, decode(model.runtime, z, meter), strict=True):
            rows[place.index] = _joined(row, place)
    return rows


def _joined(row: Row, place: Place) -> Row:
    """The decode with its ends made to fit the measures that are not edited; the decoder knows nothing of these."""
    if place.tie == -1 and row[0] == HOLD:
        row[0] = place.row[0] if place.row[0] != HOLD else REST
    if place.tie == 1:
        row[0] = HOLD
    if place.leave == HOLD:
        row[:] = HOLD
    elif place.leave > HOLD and ends_in(row[None])[0] != place.leave:
        events = np.flatnonzero(row != HOLD)
        row[events[-1] if len(events) else np.flatnonzero(place.row == place.leave)[-1]] = place.leave
    return row


# ------------------------------------------------------------------------------------ guided


def _guided(melody: Melody, places: Sequence[Place], request: EditRequest, model: Model) -> dict[int, Row]:
    locks = Locks(request.locks, *compass_of(melody.rows))
    kept = np.array([name in request.keep for name in model.metadata.names], dtype=np.bool_)

    def search(some: Sequence[Place], meter: Meter, _start: int) -> list[Pool]:
        judge = judge_of(model, meter, locks, request.strength)
        # What is kept stays as it is: half a grain of rhythm would be another rhythm.
        judge = replace(judge, tolerance=np.where(kept, ROUNDING, judge.tolerance))
        pools = _searched(some, judge, request, model)
        if not kept.any():
            return pools
        # Where nothing meets the whole request, a second search never gives up what is kept.
        strict = replace(judge, kept=kept)
        missed = [g for g, pool in enumerate(pools) if not pool.hit.any()]
        again = _searched([some[g] for g in missed], strict, request, model) if missed else []
        for g, pool in zip(missed, again, strict=True):
            pools[g] = pool
        return [pool.take(strict.keeps(pool.values, place.aim)) for place, pool in zip(some, pools, strict=True)]

    places = bound_together(places) if request.form else places
    choices = choices_of(melody.rows, places, find_each(places, CHUNK, search), request.form)
    path = best_path(choices)
    return {i: choice.rows[path[i]] for i in (place.index for place in places) if (choice := choices[i]) is not None}


def _searched(places: Sequence[Place], judge: Judge, request: EditRequest, model: Model) -> list[Pool]:
    """The best candidates of each of some places of one meter."""
    meter = places[0].meter
    problem = Problem(
        meter,
        np.stack([place.row for place in places]),
        np.stack([place.aim for place in places]),
        np.array([place.tie for place in places], dtype=np.int8),
        np.array([place.leave for place in places]),
    )
    search = Search(problem, judge, model.runtime)
    if request.proposals:
        before = search.original
        search.add(*propose(problem.rows, before, problem.wanted, meter, request.proposals, request.seed, model))
    pool = search.run()
    return [pool.take(pool.group == g) for g in range(len(places))]


def expect_editable(result: EditResult, where: str) -> None:
    """Raises InputError, with the reasons, where none of the selected measures can be edited. `where` is the file."""
    if result.bars or set(result.skipped) <= {SILENT}:
        return
    reasons = ", ".join(f"{reason} ({count})" for reason, count in result.skipped.items())
    unknown = any(reason.startswith(UNKNOWN_METER) for reason in result.skipped)
    raise InputError(
        f"none of its measures can be edited: {reasons}",
        where=where,
        remedy="train a model that knows the meter: arvae train" if unknown else "select others with bars=...",
    )


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
