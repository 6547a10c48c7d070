"""Beams: which notes of a layer are under one beam, and that music21 reads them so."""

from __future__ import annotations

from fractions import Fraction

import pytest
from music21 import converter

from arvae_music.io.engraving import NoteValue, Symbol, beams
from arvae_music.io.score_output import file_of
from arvae_music.io.scores import read_any

HALF, QUARTER, EIGHTH, SIXTEENTH = Fraction(2), Fraction(1), Fraction(1, 2), Fraction(1, 4)


def layer(*notes: tuple[Fraction, str]) -> list[Symbol]:
    """Symbols one after another: (note value without dots, "" or "." or "r" for a rest)."""
    found, now = [], Fraction(0)
    for base, mark in notes:
        value = NoteValue(base, int(mark == "."))
        pitches = () if mark == "r" else (("C", 0, 4),)
        found.append(Symbol(now, value.length, pitches, value=value))
        now += value.length
    return found


@pytest.mark.parametrize(
    ("notes", "signature", "expected"),
    [
        ([(EIGHTH, "")] * 4, "4/4", [("begin",), ("end",)] * 2),
        ([(EIGHTH, "")] * 6, "6/8", [("begin",), ("continue",), ("end",)] * 2),
        ([(EIGHTH, "")] * 3, "3/8", [("begin",), ("continue",), ("end",)]),
        ([(EIGHTH, "")] * 4, "3/4", [("begin",), ("end",)] * 2),
        ([(QUARTER, ""), (HALF, ""), (EIGHTH, ""), (EIGHTH, "r")], "4/4", [()] * 4),
        ([(EIGHTH, "."), (SIXTEENTH, "")], "4/4", [("begin",), ("end", "backward hook")]),
        ([(SIXTEENTH, ""), (EIGHTH, "."), (QUARTER, "")], "4/4", [("begin", "forward hook"), ("end",), ()]),
        ([(EIGHTH, ""), (SIXTEENTH, ""), (SIXTEENTH, "")], "2/4", [("begin",), ("continue", "begin"), ("end", "end")]),
        ([(QUARTER, "."), (EIGHTH, ""), (EIGHTH, ""), (EIGHTH, "")], "4/4", [(), (), ("begin",), ("end",)]),
        ([(EIGHTH, "")] * 2, "", [("begin",), ("end",)]),
    ],
)
def test_notes_of_a_beat_are_under_one_beam(
    notes: list[tuple[Fraction, str]], signature: str, expected: list[tuple[str, ...]]
) -> None:
    assert beams(layer(*notes), signature) == expected


def test_music21_reads_the_beams() -> None:
    song = read_any(b"X:1\nT:x\nM:4/4\nL:1/8\nK:C\nCDEF G2A>B|(3CDE F2 z G A/B/c|\n", name="x.abc")
    score = converter.parse(file_of(song, song.melody, ".musicxml").decode(), format="musicxml")
    found = [[beam.type for beam in note.beams] for note in score.recurse().notes]
    pair = [["start"], ["stop"]]
    assert found[:7] == [*pair, *pair, [], ["start"], ["stop", "partial"]]
    assert found[7:10] == [["start"], ["continue"], ["stop"]]
    assert found[10:] == [[], [], ["start", "start"], ["continue", "stop"], ["stop"]]
