"""Find the barlines of a MIDI file from its time signatures.

All positions are integers in UNITS, parts of a file tick. Grid ticks lie at twelfths of a beat in simple meters and at
sixths in compound ones, and the shortest beats are sixteenths. So every grid tick of every meter is a whole number of
units at any resolution of the file, and nothing has to be rounded.

Only the time signatures decide, never the notes. So an edited file, which has the same signatures, has the same
barlines. The rules:

1. A new measure starts at each change of signature. A signature that is repeated on a barline is not a change. A change
   less than a sixteenth away from a barline counts as being on it. If a change cuts a measure short, that measure is
   UNFINISHED. Where several tracks give a signature on one tick, the first track decides.
2. With a signature at the start of the file, measure 1 begins there and is complete. If the melody begins with silence,
   that silence belongs to measure 1.
3. There are two ways to write a pickup, an incomplete measure at the start. Its own signature may be shorter than the
   next one, as MuseScore writes it. Or the first signature stands on the first barline, after less than one of its
   measures. The user may also give the length of the pickup. Nothing else is taken for one.
4. Before the first signature, and in files without any, the meter is 4/4 from the start of the file, as in the MIDI
   standard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import InputError
from ..music.meter import Meter
from ..music.reasons import Reason

UNITS = 48  # per file tick
MAX_MEASURES = 20_000  # ten hours at tempo 120; a longer file has a corrupt delta time
COMMON_TIME = (4, 4)

Signature = tuple[int, int, int]  # file tick, numerator, denominator


@dataclass(frozen=True, slots=True)
class Span:
    """One measure, in units. With a `reason`, arvae cannot edit the measure, whatever notes it holds."""

    number: int  # from 1; 0 for a pickup
    signature: str
    start: int
    end: int
    meter: Meter | None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The measures between two changes of signature. `end` is None for the last."""

    start: int
    end: int | None
    numerator: int
    denominator: int
    length: int  # of a measure

    @property
    def meter(self) -> Meter | None:
        return Meter.from_signature(self.numerator, self.denominator)


def spans(signatures: Sequence[Signature], tpq: int, last: int, pickup: int | None, name: str) -> list[Span]:
    """The measures up to the one that holds `last` (units), and one more, which the caller may drop.

    `pickup` is the length of the incomplete first measure in units: 0 means that the first measure is complete, None
    that the signatures decide. Raises InputError for a piece of more than MAX_MEASURES.
    """
    stretches = _stretches(signatures, tpq)
    found: list[Span] = []
    number = 1
    for i, stretch in enumerate(stretches):
        start = stretch.start
        if i == 0 and pickup:
            found.append(Span(0, _text(stretch), 0, pickup, stretch.meter, Reason.PICKUP))
            start = pickup
        if i == 0 and pickup is None and _is_short_first(stretches):
            number = 0
        for span in _measures(stretch, start, last, tpq, number, name):
            found.append(span)
            number += 1
        if stretch.end is not None and stretch.end > last:
            break
    if found[0].number == 0:
        found[0] = replace(found[0], reason=Reason.PICKUP)
    return found


def _text(stretch: _Stretch) -> str:
    return f"{stretch.numerator}/{stretch.denominator}"


def _stretches(signatures: Sequence[Signature], tpq: int) -> list[_Stretch]:
    """The stretches of measures between changes of the time signature, from unit 0 on."""
    changes: list[tuple[int, int, int]] = []
    before = -1
    for tick, numerator, denominator in sorted(signatures, key=lambda s: s[0]):
        at = max(0, tick) * UNITS
        if at == before:
            continue  # of two signatures at one tick, the one in the first track counts
        before = at
        if at < _sixteenth(tpq):  # late: it belongs to the beginning
            changes, at = [], 0
        if changes and _is_repetition(changes[-1], at, numerator, denominator, tpq):
            continue
        changes.append((at, numerator, denominator))
    if not changes:
        changes = [(0, *COMMON_TIME)]
    elif (first := changes[0][0]) > 0:
        is_pickup = first < _length(*changes[0][1:], tpq)
        changes.insert(0, (0, *(changes[0][1:] if is_pickup else COMMON_TIME)))
    ends = [*(at for at, _, _ in changes[1:]), None]
    return [
        _Stretch(at, end, numerator, denominator, _length(numerator, denominator, tpq))
        for (at, numerator, denominator), end in zip(changes, ends, strict=True)
    ]


def _sixteenth(tpq: int) -> int:
    return UNITS * tpq // 4


def _length(numerator: int, denominator: int, tpq: int) -> int:
    return max(1, 4 * UNITS * tpq * numerator // denominator)


def _is_repetition(current: tuple[int, int, int], at: int, numerator: int, denominator: int, tpq: int) -> bool:
    since, *signature = current
    return signature == [numerator, denominator] and (at - since) % _length(numerator, denominator, tpq) == 0


def _is_short_first(stretches: list[_Stretch]) -> bool:
    """Whether the first measure is a pickup: it has a shorter signature than the next, or the same and is cut short."""
    if len(stretches) < 2:
        return False
    first, second = stretches[:2]
    assert first.end is not None
    length = first.end - first.start
    same = (first.numerator, first.denominator) == (second.numerator, second.denominator)
    return length <= first.length < second.length or (same and length < first.length)


def _measures(stretch: _Stretch, start: int, last: int, tpq: int, number: int, name: str) -> list[Span]:
    meter, text = stretch.meter, _text(stretch)
    reason = None if meter else Reason.UNSUPPORTED
    until = last + stretch.length if stretch.end is None else min(stretch.end, last + stretch.length)
    if (until - start) // stretch.length > MAX_MEASURES:
        raise InputError(
            f"it is longer than {MAX_MEASURES} measures", where=name, remedy="its times are probably corrupt"
        )
    slack = _sixteenth(tpq)
    found: list[Span] = []
    while start < until:
        end = start + stretch.length
        unfinished = stretch.end is not None and end > stretch.end + slack
        if stretch.end is not None and end > stretch.end - slack:
            end = stretch.end
        found.append(Span(number, text, start, end, meter, reason or (Reason.UNFINISHED if unfinished else None)))
        start, number = end, number + 1
    return found
