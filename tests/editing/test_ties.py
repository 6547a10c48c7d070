"""What binds a measure to its neighbours."""

from __future__ import annotations

from dataclasses import replace
from time import process_time

import numpy as np

from arvae_music.editing.locks import UPBEAT
from arvae_music.editing.ties import EditableMeasure, Ties
from arvae_music.music.melody import Bar, Melody
from arvae_music.music.meter import Meter
from arvae_music.music.reasons import Reason
from arvae_music.music.tokens import HOLD, REST

C = 20
METER = Meter.parse("2/4")
SILENT, HELD, SUNG = [REST], [HOLD], [HOLD, C]


def melody_of(*openings: list[int] | None) -> Melody:
    """A melody of measures that begin with these tokens and hold the last of them; None for one without tokens."""
    bars = []
    for i, tokens in enumerate(openings):
        row = None
        if tokens is not None:
            row = np.array([*tokens, *[HOLD] * (METER.ticks - len(tokens))], dtype=np.int16)
        bars.append(Bar(i + 1, "2/4", 0, 1, METER, row, None if tokens is not None else Reason.OFF_GRID))
    return Melody("x", tuple(bars), 0, 0)


def bound(melody: Melody, i: int, editable: set[int]) -> EditableMeasure:
    row = melody.bars[i].tokens
    assert row is not None
    return Ties(melody, editable).bind(EditableMeasure(i, METER, row, np.zeros(1)))


def test_the_silence_before_the_first_note_is_an_upbeat() -> None:
    melody = melody_of(SILENT, SILENT, [REST, C], SILENT)
    assert [bound(melody, i, {0, 1, 2, 3}).tie for i in range(4)] == [UPBEAT, UPBEAT, UPBEAT, 0]
    assert bound(melody_of(None, SILENT), 1, {1}).tie == -1  # what sounds before it is unknown


def test_a_tie_from_a_measure_that_is_not_edited_stays() -> None:
    melody = melody_of(SUNG, HELD, [C])
    assert [bound(melody, 1, editable).tie for editable in ({0, 1, 2}, {1, 2})] == [0, 1]
    assert bound(melody_of(None, HELD), 1, {1}).tie == 1
    assert bound(melody_of(SUNG, [C, REST], [C]), 2, {0, 1, 2}).tie == -1


def test_what_a_measure_that_is_not_edited_holds_must_sound_before_it() -> None:
    melody = melody_of(SUNG, HELD, HELD, [C])
    assert [bound(melody, 0, editable).ending for editable in ({0, 1, 2}, {0, 1}, {0})] == [-1, C, C]
    assert bound(melody, 0, {0, 2}).ending == C


def test_the_time_for_a_long_silence_grows_with_its_length() -> None:
    """A wrong time in a damaged file makes thousands of silent measures."""
    one = melody_of(SILENT, [C])
    silence = [replace(one.bars[0], number=i + 1) for i in range(20_000)]
    melody = replace(one, bars=(*silence, one.bars[1]))
    measures = [EditableMeasure(i, METER, bar.tokens, np.zeros(1)) for i, bar in enumerate(silence)]
    started = process_time()
    ties = Ties(melody, set(range(len(melody.bars))))
    assert {ties.bind(measure).tie for measure in measures} == {UPBEAT}
    assert process_time() - started < 5  # seconds; comparing each measure with all before it takes a minute
