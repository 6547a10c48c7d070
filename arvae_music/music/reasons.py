"""Why arvae leaves a measure alone.

A measure that arvae cannot read has a `Reason` instead of tokens (`melody.Bar`). A reason is also the text that reports
show: `str(Reason.TWO_AT_ONCE)` is "two notes at once".
"""

from __future__ import annotations

from enum import Enum


class Reason(str, Enum):
    """Why a measure has no tokens."""

    TWO_AT_ONCE = "two notes at once"
    OFF_GRID = "off-grid rhythm"
    OUT_OF_RANGE = "pitch out of range"
    PICKUP = "pickup"
    UNFINISHED = "unfinished measure"  # a change of meter cuts it short
    INCOMPLETE = "incomplete last measure"
    UNSUPPORTED = "unsupported meter"
    DAMAGED = "damaged part of the file"
    NOT_DOUBLED = "not doubled"  # of a line that plays the melody only in some measures
    APART = "apart"  # it separates measures that do not belong together

    def __str__(self) -> str:
        return self.value
