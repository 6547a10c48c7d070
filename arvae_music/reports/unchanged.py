"""The measures that an edit left alone, with the reasons, and the requests that are too small to change anything.

    reasons(result, request)      why an edit left each measure alone
    Tally.of(result)              how many measures an edit changed, and why it left the others alone; tallies add up
    short_lines(result, model)    the requests that are smaller than half a step
    idle_locks(result, request)   the locks that left no measure free to change
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..editing.edit import EPSILON, SILENT
from ..music.sliders import selected

if TYPE_CHECKING:
    from ..editing.edit import BarResult, EditResult
    from ..editing.request import EditRequest
    from ..networks.model import Model

NOT_SELECTED = "not selected"
LISTED = 12  # the most measures that a line lists


@dataclass(frozen=True)
class Tally:
    """The measures of one or more melodies. `left` counts those that did not change, by the reason."""

    measures: int = 0
    changed: int = 0
    left: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, result: EditResult) -> Tally:
        total, changed = len(result.melody.bars), sum(bar.changed for bar in result.bars)
        left = Counter({str(reason): count for reason, count in result.skipped.items()})
        left[NOT_SELECTED] = total - len(result.bars) - sum(result.skipped.values())
        left.update(_reason(bar) for bar in result.bars if not bar.changed)
        return cls(total, changed, {reason: count for reason, count in left.items() if count})

    def __add__(self, other: Tally) -> Tally:
        left = dict(Counter(self.left) + Counter(other.left))
        return Tally(self.measures + other.measures, self.changed + other.changed, left)

    def __str__(self) -> str:
        alone = self.measures - self.changed
        reasons = [f"{count} {reason}" if count < alone else reason for reason, count in self.left.items()]
        line = f"{self.changed} of {self.measures} measures changed"
        return f"{line}; {alone} left alone: {'; '.join(reasons)}" if reasons else line


def reasons(result: EditResult, request: EditRequest) -> dict[int, str]:
    """The numbers of the measures that an edit left alone, each with the reason."""
    results = {bar.index: bar for bar in result.bars}
    found = {}
    for i, bar in enumerate(result.melody.bars):
        own = results.get(i)
        if own is not None:
            if not own.changed:
                found[bar.number] = _reason(own)
        elif request.bars is not None and not selected(request.bars, bar.number):
            found[bar.number] = NOT_SELECTED
        else:
            found[bar.number] = bar.why or SILENT
    return found


def _reason(bar: BarResult) -> str:
    """Why a measure did not change."""
    moving = ~np.isnan(bar.asked) & (np.abs(bar.asked - bar.before) > EPSILON)
    if moving.any() and not (moving & ~bar.short).any():
        return "the request is less than half a step"
    if bar.content:
        return "already as requested"
    return "no better measure found" if bar.each else "better as they are"


def numbers(bars: Sequence[BarResult]) -> str:
    """The numbers of measures: "measures 3, 4 and 9 more"."""
    shown = ", ".join(str(bar.number) for bar in bars[:LISTED])
    rest = f" and {len(bars) - LISTED} more" if len(bars) > LISTED else ""
    return f"measure{'s' if len(bars) > 1 else ''} {shown}{rest}"


def short_lines(result: EditResult, model: Model) -> list[str]:
    """A line for measures whose request is less than half a step, and one for each mean for which it is."""
    alone = [bar for bar in result.bars if bar.each and bar.short.any()]
    lines, count = [], len(result.bars)
    if alone:
        where = numbers(alone)
        remedy = "without --each, the mean of the measures moves by smaller amounts"
        lines = [f"the request is less than half a step, so nothing changed: {where}; {remedy}"]
    for k, name in enumerate(result.names):
        if any(not bar.each and bar.short[k] for bar in result.bars):
            at = model.metadata.names.index(name)
            unit = model.specs[at].unit
            step = min(model.grain(bar.meter)[at] / unit.size(bar.meter) for bar in result.bars) / count
            lines.append(
                f"the request for {name} is less than half a step, so nothing changed: the mean of {count} measures "
                f"moves in steps of {step:.3g} {unit.names[0]}"
            )
    return lines


def idle_locks(result: EditResult, request: EditRequest) -> list[str]:
    """A line if the locks left no measure free to change."""
    missed = any(not bar.hit for bar in result.bars)
    if not request.locks or not missed or any(bar.changed for bar in result.bars):
        return []
    return [f"nothing changed: no measure meets the request within --lock {','.join(sorted(request.locks))}"]
