"""Play a score's repeats: the measures in the order in which they sound.

    unfolded(score)        the score in played order
    played_order(...)      indices of measures in that order

The rules are those of notation programs:

1. A repeat sign returns to the sign that opens the repeat, or else to the start of the section: the start of the music,
   or the measure after the last repeat sign (in ABC also after the last double bar).
2. An ending is played in the passes that its numbers name. The last pass is the largest number, and at least 2. So the
   music returns after every ending but that of the last pass, also if the repeat sign is missing there.
3. D.C. and D.S. jump back once, after all passes of their repeat. After the jump repeats are not played again: of the
   endings the last one sounds. Then Fine ends the music, and To Coda leads to the coda.
4. `Score.order` ("P:ABA" of ABC) names the labelled parts in the order in which they are played, each by rules 1 and 2.

Signs may stand in any part. A time span is played in all parts alike, so that parts with other barlines stay together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import TypeVar

from ..errors import InputError
from .chord_symbols import ChordSymbol
from .notation import Jump, Lyric, Marks, Measure, Part, Score, Sound

MOST_MEASURES = 20_000  # in played order; a larger number is a damaged or a hostile file

Span = tuple[Fraction, Fraction]
M = TypeVar("M")
T = TypeVar("T", Measure, Sound, Lyric)


def with_counts(score: Score) -> Score:
    """The score in page order, with the numbers of measures that are printed and played."""
    measures = _marked(score.parts)
    return replace(score, printed=len(measures), played=len(played_order(measures, score.order)))


def unfolded(score: Score) -> Score:
    """The score in played order. Raises InputError for an unreasonable number of repeats."""
    measures = _marked(score.parts)
    order = played_order(measures, score.order)
    counted = replace(score, printed=len(measures), played=len(order), unfolded=True)
    if order == list(range(len(measures))):
        return counted
    spans = _spans([measures[i] for i in order])
    return replace(counted, parts=tuple(_played(part, spans) for part in score.parts), order=())


def played_order(measures: Sequence[Measure], order: Sequence[str] = ()) -> list[int]:
    """The indices of the measures as they are played. Raises InputError if they are too many."""
    marks = [measure.marks for measure in measures]
    sections = _labelled(marks)
    if not any(label in sections for label in order):
        return _Player(marks).play()
    found: list[int] = []
    for label in order:
        section = sections.get(label)
        if section is not None:
            found += (section.start + i for i in _Player(marks[section.start : section.stop]).play())
            _check(len(found))
    return found


def _labelled(marks: Sequence[Marks]) -> dict[str, range]:
    """Where the labelled parts lie. Measures before the first label belong to no part."""
    starts = [i for i, mark in enumerate(marks) if mark.label]
    stops = [*starts[1:], len(marks)][: len(starts)]
    found: dict[str, range] = {}
    for start, stop in zip(starts, stops, strict=True):
        found.setdefault(marks[start].label, range(start, stop))
    return found


def _check(count: int) -> None:
    if count > MOST_MEASURES:
        raise InputError("its repeats make more measures than arvae can read", remedy="check its repeat signs")


@dataclass
class _Player:
    """Steps through measures as a player does."""

    marks: Sequence[Marks]
    at: int = 0
    start: int = 0  # where a repeat sign returns to
    opened: bool = False  # whether a repeat sign opened the repeat
    number: int = 1  # of the pass
    jumped: bool = False

    def play(self) -> list[int]:
        endings = [frozenset(numbers) for numbers in _endings(self.marks)]
        found: list[int] = []
        done: set[int] = set()  # jumps
        while self.at < len(self.marks):
            mark, i = self.marks[self.at], self.at
            group = self._group(endings)
            past = bool(group) and i >= group.stop
            if i != self.start and (past or mark.forward or (mark.section and not self.opened)):
                self.start, self.number, self.opened = i, 1, False
                group = self._group(endings)
            self.opened = self.opened or mark.forward
            last = self._last_pass(group, endings)
            wanted = last if self.jumped else self.number
            sounds_elsewhere = wanted > 1 or any(wanted in endings[n] for n in group)
            if i in group and wanted not in endings[i] and sounds_elsewhere:
                self.at += 1
                continue
            found.append(i)
            _check(len(found))
            returns = mark.backward and self.number < max(last, mark.backward)
            if not self.jumped and (returns or self._ends_early(i, group, endings)):
                self.number += 1
                self.at = self.start
                continue
            self.at += 1
            if mark.backward:
                self.at = group.stop if i in group else self.at  # past the endings of earlier passes
                self.start, self.number, self.opened = self.at, 1, False
            if self.jumped and mark.fine:
                break
            if self.jumped and mark.to_coda:
                self.at = next((n for n, other in enumerate(self.marks) if other.coda), self.at)
            elif mark.jump is not None and i not in done:
                done.add(i)
                self._jump(mark.jump)
        return found

    def _ends_early(self, i: int, group: range, endings: Sequence[frozenset[int]]) -> bool:
        """Whether an ending ends here, and another one names a later pass, so that the music returns without a sign."""
        ends = i in group and (i + 1 not in group or endings[i + 1] != endings[i])
        return ends and self.number in endings[i] and any(number > self.number for n in group for number in endings[n])

    def _jump(self, jump: Jump) -> None:
        self.jumped = True
        segno = next((n for n, other in enumerate(self.marks) if other.segno), 0)
        self.at = self.start = segno if jump is Jump.DAL_SEGNO else 0
        self.number, self.opened = 1, False

    def _group(self, endings: Sequence[frozenset[int]]) -> range:
        """The measures of the endings that belong to the repeat at `start`: brackets that follow one another."""
        first = next((n for n in range(self.start, len(self.marks)) if endings[n]), None)
        if first is None or any(
            mark.backward or (n > self.start and mark.forward)
            for n, mark in enumerate(self.marks[self.start : first], self.start)
        ):
            return range(0)
        stop = first
        while stop < len(self.marks) and endings[stop] and not (stop > first and self.marks[stop].forward):
            stop += 1
        return range(first, stop)

    def _last_pass(self, group: range, endings: Sequence[frozenset[int]]) -> int:
        if not group:
            return 2
        largest = max(number for n in group for number in endings[n])
        alone = len({endings[n] for n in group}) == 1
        returns = any(self.marks[n].backward for n in group)
        # A first ending alone: in the last pass the music after it is played instead.
        return max(2, largest + 1 if alone and returns else largest)


def _endings(marks: Sequence[Marks]) -> Iterator[tuple[int, ...]]:
    """The numbers of the ending in which each measure lies; () outside of endings."""
    current: tuple[int, ...] = ()
    for mark in marks:
        if mark.ending:
            current = mark.ending
        elif mark.forward:
            current = ()
        yield current
        if mark.ends_ending or mark.backward:
            current = ()


def _marked(parts: Sequence[Part]) -> list[Measure]:
    """The measures of the first part, with the marks of all parts."""
    found = {measure.start: measure for measure in parts[0].measures}
    for part in parts[1:]:
        for measure in part.measures:
            own = found.get(measure.start)
            if own is not None and measure.marks != Marks():
                found[measure.start] = replace(own, marks=_both(own.marks, measure.marks))
    return list(found.values())


def _both(one: Marks, other: Marks) -> Marks:
    own = {field.name: getattr(one, field.name) or getattr(other, field.name) for field in fields(Marks)}
    return Marks(**own)


def _spans(measures: Sequence[Measure]) -> list[Span]:
    """Their times, with measures that follow one another in one span."""
    spans: list[Span] = []
    for measure in measures:
        if spans and spans[-1][1] == measure.start:
            spans[-1] = (spans[-1][0], measure.end)
        else:
            spans.append((measure.start, measure.end))
    return spans


def _played(part: Part, spans: Sequence[Span]) -> Part:
    measures: list[Measure] = []
    sounds: list[Sound] = []
    tempi: list[tuple[Fraction, float]] = []
    lyrics: list[Lyric] = []
    chords: list[ChordSymbol] = []
    now = Fraction(0)
    for start, end in spans:
        by = now - start
        measures += (
            replace(one, start=one.start + by, number=None, marks=Marks(ending=one.marks.ending))
            for one in _within(part.measures, start, end)
        )
        sounds += (replace(one, start=one.start + by, end=one.end + by) for one in _within(part.sounds, start, end))
        lyrics += (replace(one, start=one.start + by) for one in _within(part.lyrics, start, end))
        tempi += _held(part.tempi, start, end, by)
        chords += _held(part.chords, start, end, by)
        now += end - start
    return replace(
        part,
        measures=tuple(measures),
        sounds=tuple(sounds),
        tempi=tuple(tempi),
        lyrics=tuple(lyrics),
        chords=tuple(chords),
    )


def _held(
    marks: Sequence[tuple[Fraction, M]], start: Fraction, end: Fraction, by: Fraction
) -> Iterator[tuple[Fraction, M]]:
    """The tempi or chord symbols of a span. The one in force at its start counts, because the music may jump there."""
    before = [mark for at, mark in marks if at <= start]
    if before:
        yield start + by, before[-1]
    yield from ((at + by, mark) for at, mark in marks if start < at < end)


def _within(items: Iterable[T], start: Fraction, end: Fraction) -> Iterator[T]:
    return (item for item in items if start <= item.start < end)
