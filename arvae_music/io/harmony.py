"""Add to a melody the harmony that a file has: its chord symbols, and the notes of its other tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ..arrays import Mask
from ..music.chord_reading import Notes, read_chords, sounding
from ..music.chords import Chord
from ..music.harmony import BarHarmony, ChordAt, Origin, of_chords
from ..music.melody import Bar, Melody
from .accompaniment import Accompaniment
from .channels import DRUMS
from .lines import BOTTOM, TOP, LineName
from .midi_events import FileNote

Symbols = Sequence[tuple[int, Chord]]  # chord symbols with the ticks where they stand


def with_harmony(
    melody: Melody,
    notes: Sequence[FileNote],
    others: Accompaniment,
    ticks_per_quarter: int,
    *,
    late: float = 0.0,
    symbols: Symbols = (),
) -> Melody:
    """The melody with the harmony of each measure. Chord symbols take precedence over what the other tracks play.

    `notes` are the melody's, and `late` is by how many ticks all notes lie behind the barlines.
    """
    if not symbols and (others.channel == DRUMS).all():  # also if there are no other notes
        return melody
    own = _table(notes)
    accompaniment = _heard(others, others.channel != DRUMS)
    found = read_chords(melody.bars, own, accompaniment, ticks_per_quarter, melody.fifths, late)
    if symbols:
        named = _of_symbols(melody.bars, sorted(symbols, key=lambda symbol: symbol[0]), ticks_per_quarter)
        found = [_together(symbol, heard) for symbol, heard in zip(named, found, strict=True)]
    bars = tuple(replace(bar, harmony=harmony) for bar, harmony in zip(melody.bars, found, strict=True))
    return replace(melody, bars=bars)


def beside_voices(
    melody: Melody,
    notes: Sequence[FileNote],
    beside: Sequence[FileNote],
    line: LineName | None,
    others: Accompaniment,
    ticks_per_quarter: int,
    late: float = 0.0,
) -> Melody:
    """The melody with the pitches at which it would meet or cross other voices.

    `notes` are the melody's, and it is the `line` of a voice whose other notes are `beside` it. It may not meet a note
    of the `others` on its channels, because a synthesiser cannot strike a pitch that sounds already.
    """
    own, voices = _table(notes), _table(beside)
    together = _heard(others, np.isin(others.channel - 1, [note.channel for note in notes]))
    bars = list(melody.bars)
    for i in np.flatnonzero(_reached(bars, voices, late) | _reached(bars, together, late)).tolist():
        bar = bars[i]
        if bar.meter is not None:
            sung, others_at, met = (sounding(bar, each, ticks_per_quarter, late) for each in (own, voices, together))
            met |= _crossed(sung, others_at, line)
            bars[i] = replace(bar, crossed=met) if met.any() else bar
    return replace(melody, bars=tuple(bars))


def _reached(bars: Sequence[Bar], notes: Notes, late: float) -> Mask:
    """(m,) whether any of the notes may sound in each measure."""
    begun = np.searchsorted(np.sort(notes.start), [bar.end + late for bar in bars])
    ended = np.searchsorted(np.sort(notes.end), [bar.start + late for bar in bars])
    reached: Mask = begun > ended
    return reached


def _crossed(melody: Mask, voices: Mask, line: LineName | None) -> Mask:
    """The (t, 128) pitches of a line and of the voices beside it -> (t, 128) the pitches with which the line would
    cross them. Where they cross already, the line may stay."""
    pitches = np.arange(melody.shape[1])
    sung = np.where(melody.any(axis=1), pitches[-1] - melody[:, ::-1].argmax(axis=1), -1)[:, None]
    crossed = np.zeros_like(voices)
    if line != BOTTOM:  # every pitch up to the highest of the lower notes
        lower = voices & ((pitches < sung) | (sung < 0))
        up_to = np.maximum.accumulate(lower[:, ::-1], axis=1)[:, ::-1]
        crossed |= up_to & ((sung >= 0) | (line in (TOP, 1)))
    if line not in (TOP, 1):  # every pitch from the lowest of the higher notes
        higher = voices & (pitches > sung)
        crossed |= np.maximum.accumulate(higher, axis=1) & ((sung >= 0) | (line == BOTTOM))
    return crossed


def _heard(others: Accompaniment, at: Mask) -> Notes:
    return Notes(others.start, others.end, others.pitch, others.channel, others.program).take(at)


def _table(notes: Sequence[FileNote]) -> Notes:
    table = [(note.start, note.end, note.pitch) for note in notes]
    start, end, pitch = np.array(table, dtype=np.int64).reshape(-1, 3).T
    return Notes(start, end, pitch, np.zeros_like(start), np.zeros_like(start))


def _together(named: BarHarmony | None, heard: BarHarmony | None) -> BarHarmony | None:
    if named is None or heard is None:
        return named or heard
    return heard.with_chords(named)


def _of_symbols(bars: Sequence[Bar], symbols: Symbols, tpq: int) -> list[BarHarmony | None]:
    """The harmony of each measure. A symbol holds until the next one; there is none before the first."""
    found: list[BarHarmony | None] = []
    for bar in bars:
        if bar.meter is None:
            found.append(None)
            continue
        origin = bar.end - bar.meter.quarters * tpq if bar.number == 0 else Fraction(bar.start)  # a pickup ends one
        before = [chord for tick, chord in symbols if tick <= bar.start]
        chords: list[ChordAt] = [(Fraction(0), before[-1] if before else None)]
        inside = [(tick, chord) for tick, chord in symbols if bar.start < tick < bar.end]
        chords += [((tick - origin) / tpq, chord) for tick, chord in inside]
        found.append(of_chords(chords, bar.meter, Origin.SYMBOLS) if before or inside else None)
    return found
