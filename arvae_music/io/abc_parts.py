"""The events of an ABC voice (abc_events.py) as parts: measures, notes and marks with positions."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from fractions import Fraction

from .abc_events import (
    JUMPS,
    Bar,
    Change,
    Event,
    Group,
    Overlay,
    PhraseEnd,
    Rests,
    Sign,
    with_coda_signs_told_apart,
)
from .abc_fields import Key
from .abc_music import Voice
from .chord_symbols import ChordSymbol
from .notation import Lyric, Marks, Measure, Part, Sound


def parts_of(voice: Voice, meter: str, key: Key) -> list[Part]:
    """The Part of a voice, and one for each overlay. `meter` and `key` are those of the tune's header."""
    builder = _Builder(meter, key)
    for event in [*with_coda_signs_told_apart(voice.events), Bar()]:
        builder.add(event)
    measures = tuple(builder.measures)
    own = Part(
        voice.name,
        measures,
        tuple(builder.sounds[0]),
        voice.program,
        tuple(builder.tempi),
        tuple(builder.lyrics),
        tuple((at, chord.transposed(voice.transposition.total)) for at, chord in builder.chords),
        tuple(builder.phrase_ends) or None,
    )
    overlays = [
        Part(f"{voice.name} ({layer + 1})".strip(), measures, tuple(sounds), voice.program)
        for layer, sounds in sorted(builder.sounds.items())
        if layer and sounds
    ]
    return [own, *overlays] if measures else []


@dataclass
class _Builder:
    """Adds events one after another."""

    signature: str
    key: Key
    measures: list[Measure] = field(default_factory=list)
    sounds: dict[int, list[Sound]] = field(default_factory=lambda: defaultdict(list))  # by layer; 0 is no overlay
    tempi: list[tuple[Fraction, float]] = field(default_factory=list)
    lyrics: list[Lyric] = field(default_factory=list)
    chords: list[ChordSymbol] = field(default_factory=list)
    phrase_ends: list[Fraction] = field(default_factory=list)
    at: Fraction = Fraction(0)
    start: Fraction = Fraction(0)  # of the measure
    furthest: Fraction = Fraction(0)  # that any layer reaches
    layer: int = 0
    marks: Marks = field(default_factory=Marks)  # of the measure
    later: list[Change] = field(default_factory=list)  # changes in mid-measure that hold from the next barline

    def add(self, event: Event) -> None:
        if isinstance(event, Group):
            self._group(event)
        elif isinstance(event, Bar):
            self._bar(event)
        elif isinstance(event, Rests):
            for n in range(event.count):
                if n or max(self.at, self.furthest) > self.start:
                    self._bar(Bar())
                self.at += Fraction(self.signature) * 4 if self.signature else Fraction(4)
        elif isinstance(event, Overlay):
            self.furthest = max(self.at, self.furthest)
            self.at, self.layer = self.start, self.layer + 1
        elif isinstance(event, PhraseEnd):
            self.phrase_ends += [sound.end for sound in self.sounds[0][-1:]]
            if self.signature and self.at - self.start == Fraction(self.signature) * 4:
                self._bar(Bar())
        else:
            self._change(event)

    def _group(self, group: Group) -> None:
        for pitch, share, tied in group.notes:
            end = self.at + group.quarters * share
            if end > self.at:
                self.sounds[self.layer].append(Sound(self.at, end, pitch, tied, group.velocity))
        if group.lyric and group.notes and not self.layer:
            self.lyrics.append(Lyric(self.at, group.lyric))
        self.at += group.quarters
        if group.fermata and not self.layer:
            self.phrase_ends.append(self.at)

    def _bar(self, bar: Bar) -> None:
        end = max(self.at, self.furthest)
        if end > self.start:
            marks = replace(self.marks, backward=bar.backward, ends_ending=bool(bar.backward) or bar.double)
            fifths, minor = self.key.fifths, self.key.minor
            self.measures.append(Measure(self.start, end - self.start, self.signature, fifths, None, marks, minor))
            self.marks = Marks()
        elif self.measures:
            last = self.measures[-1]
            ends = last.marks.ends_ending or bool(bar.backward) or bar.double
            marks = replace(last.marks, backward=max(last.marks.backward, bar.backward), ends_ending=ends)
            self.measures[-1] = replace(last, marks=marks)
        self.start = self.at = self.furthest = end
        self.layer = 0
        section = self.marks.section or (bar.double and bool(self.measures))
        self.marks = replace(self.marks, forward=self.marks.forward or bar.forward, section=section)
        for change in self.later:
            self._change(change)
        self.later = []

    def _change(self, change: Change) -> None:
        if change.tempo is not None:
            self.tempi.append((self.at, change.tempo))
        if change.chord is not None:
            self.chords.append((self.at, change.chord))
            return
        if change.sign is not None:
            self._sign(change.sign)
            return
        if max(self.at, self.furthest) > self.start:
            if change.ending:  # a bracket without a barline before it
                self._bar(Bar())
            else:
                self.later.append(replace(change, tempo=None))
                return
        self.signature = self.signature if change.meter is None else change.meter
        self.key = change.key or self.key
        if change.label or change.ending:
            self.marks = replace(
                self.marks, label=change.label or self.marks.label, ending=change.ending or self.marks.ending
            )

    def _sign(self, sign: Sign) -> None:
        """A sign holds for the measure in which it stands, and jumps leave that measure at its end."""
        if sign in JUMPS:
            self.marks = replace(self.marks, jump=JUMPS[sign])
        else:
            self.marks = replace(
                self.marks,
                segno=self.marks.segno or sign is Sign.SEGNO,
                coda=self.marks.coda or sign is Sign.CODA,
                to_coda=self.marks.to_coda or sign is Sign.TO_CODA,
                fine=self.marks.fine or sign is Sign.FINE,
            )
