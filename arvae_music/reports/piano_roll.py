"""Piano rolls that compare a melody before and after an edit, as SVG or PNG.

    svg(before, after, title=..., caption=...) -> str       needs no other library; equal edits give equal text
    png(before, after, title=..., caption=...) -> bytes     needs matplotlib, which is imported when `png` is called

Four measures make a line, as on a printed lead sheet. A pickup stands in the first line, in front of its four measures.
Notes are compared by their measure, tick and pitch:

    KEPT       both melodies start the note: grey, with its length after the edit
    REMOVED    only the melody before the edit starts it: a dashed outline
    NEW        only the melody after the edit starts it: blue

Measures that cannot be edited are shaded and show the reason. `labels` writes text under each measure, of one or more
lines; the command line uses it for attribute values.

Several lines of silence become one. `scene` lays the picture out as shapes (shapes.py). The colours are those of Okabe
& Ito (2008), which people with colour blindness can tell apart, and removed notes also differ from others by their
shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate

from ..music.keys import pitch_name
from ..music.melody import Bar, Melody
from ..music.tokens import TokenNote
from .shapes import INK, SOFT, Rect, Scene, Stroke, Text

# pixels
WIDTH = 880  # of the measures of the longest system (a system is one line of music)
MOST_PER_QUARTER = 80  # the largest width of a quarter note
ROW = 9  # height of a semitone
MARGIN = 24
KEYS = 34  # width of the pitch names, to the left of a system
GAP = 34  # between systems
NARROW = 56  # a measure up to this width is too narrow for words
LINE = 16  # height of a line of text
LEAST_WIDTH = 420  # of the picture, so that its title and legend fit
# counts
BARS_PER_SYSTEM = 4
FEWEST_ROWS = 14  # semitones that a system shows at least

FAINT = "#8b949e"
PAPER, BLACK_KEY, BEAT, BARLINE = "#ffffff", "#f3f4f6", "#e2e5e9", "#8b949e"
KEPT, NEW, REMOVED = "#9aa4af", "#0072b2", "#d55e00"
UNTOUCHED = "#eceef1"

_BLACK = (1, 3, 6, 8, 10)  # pitch classes
_NAMED = (0, 4, 7)  # pitch classes whose names stand in the left margin


def svg(before: Melody, after: Melody, *, title: str = "", caption: str = "", labels: Sequence[str] = ()) -> str:
    """The comparison as an SVG document.

    `labels` has one text for each bar, or is empty. Raises ValueError as `scene` does.
    """
    return scene(before, after, title, caption, labels).svg()


def png(
    before: Melody,
    after: Melody,
    *,
    title: str = "",
    caption: str = "",
    labels: Sequence[str] = (),
    scale: float = 2.0,
) -> bytes:
    """The same picture as a PNG file, with `scale` pixels for each pixel of the SVG. Raises as `scene` does."""
    return scene(before, after, title, caption, labels).png(scale)


# ------------------------------------------------------------------------------------------ scene


def scene(before: Melody, after: Melody, title: str, caption: str, labels: Sequence[str]) -> Scene:
    """Lay the picture out.

    Raises ValueError if the melodies differ in their number of measures, or `labels` has another number of texts.
    """
    if len(before.bars) != len(after.bars):
        raise ValueError(f"the melody has {len(before.bars)} measures before, {len(after.bars)} after")
    if labels and len(labels) != len(before.bars):
        raise ValueError(f"{len(labels)} labels for {len(before.bars)} measures")
    systems = _systems(before.bars)
    lengths = [sum((bar.quarters for bar in before.bars[first:last]), Fraction()) for first, last in systems]
    longest = max(lengths, default=Fraction(4))
    scale = min(WIDTH / float(longest), MOST_PER_QUARTER)
    notes = _compare(before, after)
    low, high = _pitch_bounds([note for note, _ in notes])
    height = (high - low + 1) * ROW
    top = MARGIN + LINE * (2 + bool(title) + len(caption.splitlines()))
    step = height + GAP + LINE * max((len(label.splitlines()) for label in labels), default=0)
    width = max(LEAST_WIDTH, 2 * MARGIN + KEYS + scale * float(longest))
    systems = systems if labels else _folded(systems, before.bars, [note for note, _ in notes])
    heights = [step if last - first <= BARS_PER_SYSTEM + 1 else 2 * LINE for first, last in systems]
    picture = Scene(width, top + sum(heights) - GAP + MARGIN, title or f"Piano roll of {before.name}")
    picture.shapes.append(Rect(0, 0, picture.width, picture.height, PAPER))
    _draw_heading(picture, title, caption)
    for (first, last), own, y in zip(systems, heights, accumulate([top, *heights]), strict=False):
        if own != step:
            text = f"measures {before.bars[first].number} to {before.bars[last - 1].number}: silence"
            picture.shapes.append(Text(MARGIN + KEYS, y, text, 11))
            continue
        stave = _Stave(picture, before, first, last, y, scale, low, high)
        stave.draw_grid(labels)
        stave.draw_notes(notes)
    return picture


def _folded(
    systems: Sequence[tuple[int, int]], bars: Sequence[Bar], notes: Sequence[TokenNote]
) -> list[tuple[int, int]]:
    """The systems, in which two or more silent ones in a row are one of many measures."""
    sounding = {i for note in notes for i in range(note.measure, note.end_measure + 1)}
    silent = [all(bars[i].tokens is not None and i not in sounding for i in range(*system)) for system in systems]
    found: list[tuple[int, int]] = []
    for number, (first, last) in enumerate(systems):
        if number and silent[number] and silent[number - 1] and not all(silent):
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def _systems(bars: Sequence[Bar]) -> list[tuple[int, int]]:
    """The indices (first, last + 1) of every system's measures. An opening pickup does not count as one of the four."""
    pickup = 1 if bars and bars[0].number == 0 else 0
    starts = [0, *range(pickup + BARS_PER_SYSTEM, len(bars), BARS_PER_SYSTEM)]
    return list(zip(starts, [*starts[1:], len(bars)], strict=True)) if bars else []


def _compare(before: Melody, after: Melody) -> list[tuple[TokenNote, str]]:
    """Every note of both melodies with its colour. Removed notes come last, so that nothing covers their outlines."""

    def starts(melody: Melody) -> dict[tuple[int, int, int], TokenNote]:
        return {(note.measure, note.tick, note.pitch): note for note in melody.notes}

    old, new = starts(before), starts(after)
    current = [(note, KEPT if start in old else NEW) for start, note in new.items()]
    return current + [(note, REMOVED) for start, note in old.items() if start not in new]


def _pitch_bounds(notes: Sequence[TokenNote]) -> tuple[int, int]:
    """The lowest and highest pitch shown: two semitones beyond the notes, and at least FEWEST_ROWS in all."""
    pitches = [note.pitch for note in notes] or [67]
    low, high = min(pitches) - 2, max(pitches) + 2
    missing = max(0, FEWEST_ROWS - (high - low + 1))
    return low - missing // 2, high + missing - missing // 2


def _draw_heading(picture: Scene, title: str, caption: str) -> None:
    """The title, the caption, and the legend of the colours."""
    y = MARGIN + 4.0
    if title:
        picture.shapes.append(Text(MARGIN, y, title, 15, INK, bold=True))
        y += LINE + 2
    for line in caption.splitlines():
        picture.shapes.append(Text(MARGIN, y, line, 11))
        y += LINE
    x = float(MARGIN)
    for name, colour in (("kept", KEPT), ("new", NEW), ("removed", REMOVED)):
        picture.shapes.append(_box(x, y - ROW, 20, colour, name))
        picture.shapes.append(Text(x + 26, y, name, 11))
        x += 44 + 7 * len(name)


def _box(x: float, y: float, width: float, colour: str, tip: str) -> Rect:
    """A note as a filled box, or as a dashed outline if it is removed."""
    if colour == REMOVED:
        return Rect(x + 0.75, y + 0.75, max(width - 1.5, 1), ROW - 1.5, None, REMOVED, True, 2, tip)
    return Rect(x, y, max(width, 1.5), ROW, colour, None, False, 2, tip)


class _Stave:
    """One system of the picture. It knows the position of its measures and pitches, and draws them."""

    def __init__(
        self,
        picture: Scene,
        melody: Melody,
        first: int,
        last: int,
        top: float,
        scale: float,
        low: int,
        high: int,
    ) -> None:
        self.shapes = picture.shapes
        self.melody = melody
        self.first, self.last = first, last
        self.top, self.scale, self.low, self.high = top, scale, low, high
        self.left = MARGIN + KEYS
        lengths = [bar.quarters for bar in melody.bars[first:last]]
        # of every measure and of the end, in quarters from the start of the system
        self.starts = [Fraction(0), *accumulate(lengths)]

    def x(self, quarters: Fraction) -> float:
        return self.left + self.scale * float(quarters)

    def y(self, pitch: int) -> float:
        return self.top + (self.high - pitch) * ROW

    @property
    def bottom(self) -> float:
        return self.y(self.low) + ROW

    def draw_grid(self, labels: Sequence[str]) -> None:
        right = self.x(self.starts[-1])
        for pitch in range(self.low, self.high + 1):
            if pitch % 12 in _BLACK:
                self.shapes.append(Rect(self.left, self.y(pitch), right - self.left, ROW, BLACK_KEY))
            if pitch % 12 in _NAMED:
                name = pitch_name(pitch)
                self.shapes.append(Text(self.left - 7, self.y(pitch) + ROW - 1, name, 9, anchor="end"))
        for index in range(self.first, self.last):
            self._draw_bar(index, labels[index] if labels else "")
        self.shapes.append(Stroke(right, self.top, right, self.bottom, BARLINE, 1.2))

    def _draw_bar(self, index: int, label: str) -> None:
        bar = self.melody.bars[index]
        start, end = self.starts[index - self.first : index - self.first + 2]
        x = self.x(start)
        if bar.why is not None:
            self._draw_untouched(x, self.x(end), bar.why)
        elif bar.meter is not None:
            for beat in range(1, bar.meter.beats):
                at = self.x(start + beat * bar.meter.beat_quarters)
                self.shapes.append(Stroke(at, self.top, at, self.bottom, BEAT, 1))
        self.shapes.append(Stroke(x, self.top, x, self.bottom, BARLINE, 1.2))
        number = "pickup" if bar.number == 0 else str(bar.number)
        before = self.melody.bars[index - 1] if index else None
        known = before is not None and before.number != 0 and before.signature == bar.signature
        self.shapes.append(Text(x + 2, self.top - 5, number, 10, SOFT, bold=True))
        if bar.number != 0 and not known:  # a pickup is too narrow for a time signature
            at = x + 8 + 6 * len(number)
            self.shapes.append(Text(at, self.top - 5, bar.signature, 10, FAINT))
        for line, text in enumerate(label.splitlines(), start=1):
            self.shapes.append(Text(x + 2, self.bottom + LINE * line - 3, text, 10, SOFT))

    def _draw_untouched(self, x: float, end: float, reason: str) -> None:
        height, words = self.bottom - self.top, f"untouched: {reason}"
        self.shapes.append(Rect(x, self.top, end - x, height, UNTOUCHED, None, False, 0, words))
        middle = (self.top + self.bottom) / 2
        if end - x > NARROW:
            self.shapes.append(Text((x + end) / 2, middle, "untouched", 10, SOFT, "middle"))
            self.shapes.append(Text((x + end) / 2, middle + 13, reason, 9, SOFT, "middle"))

    def draw_notes(self, notes: Sequence[tuple[TokenNote, str]]) -> None:
        words = {KEPT: "kept", NEW: "new", REMOVED: "removed"}
        for note, colour in notes:
            if note.measure >= self.last or note.end_measure < self.first:
                continue
            start = self._position(note.measure, note.tick)
            end = self._position(note.end_measure, note.end_tick)
            if end <= start:
                continue
            bar = self.melody.bars[note.measure].number
            tip = f"bar {bar}: {pitch_name(note.pitch, self.melody.key_at(note.measure))}, {words[colour]}"
            width = self.x(end) - self.x(start) - 1.5  # narrower than the note, so that repeated notes do not touch
            self.shapes.append(_box(self.x(start) + 0.75, self.y(note.pitch), width, colour, tip))

    def _position(self, measure: int, tick: int) -> Fraction:
        """The position of a tick, in quarters from the start of the system.

        A note may be tied over from the system before or into the next one: the position then is this system's edge.
        """
        if measure < self.first:
            return Fraction(0)
        if measure >= self.last:
            return self.starts[-1]
        meter = self.melody.bars[measure].meter
        within = meter.tick_quarters[tick] if meter is not None else Fraction(0)
        return self.starts[measure - self.first] + within
