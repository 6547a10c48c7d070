"""The ends of phrases that scores mark by fermatas, and edits that keep them."""

from __future__ import annotations

import numpy as np
import pytest

import arvae_music
from arvae_music.editing.edit import edit
from arvae_music.editing.phrases import resting
from arvae_music.io.scores import read_any

ABC = "X:1\nM:4/4\nL:1/4\nK:C\nG|c d e f|g e !fermata!d c|d e f g|a g Hf e|d e f d|c2 z2|]\n"


def musicxml(notes: str) -> bytes:
    """Two measures in 4/4 of quarters, from their names; "!" after a name is a fermata."""
    measures = []
    for number, names in enumerate(notes.split("|"), 1):
        found = ""
        for name in names.split():
            sign = "<notations><fermata/></notations>" if name.endswith("!") else ""
            pitch = f"<pitch><step>{name[0]}</step><octave>{name[1]}</octave></pitch>"
            found += f"<note>{pitch}<duration>1</duration><voice>1</voice><type>quarter</type>{sign}</note>"
        attributes = (
            "<attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
            if number == 1 else ""
        )  # fmt: skip
        measures.append(f'<measure number="{number}">{attributes}{found}</measure>')
    part = '<part-list><score-part id="P1"><part-name>S</part-name></score-part></part-list>'
    return (
        '<?xml version="1.0"?><score-partwise version="4.0">'
        f'{part}<part id="P1">{"".join(measures)}</part></score-partwise>'
    ).encode()


def closed(song) -> dict[int, list[int]]:
    """By the number of the measure, the ticks of the notes that end phrases."""
    return {bar.number: np.flatnonzero(bar.closing).tolist() for bar in song.melody.bars if bar.closing is not None}


def test_fermatas_of_abc_mark_notes():
    assert closed(read_any(ABC.encode(), name="a.abc")) == {2: list(range(12, 18)), 4: list(range(12, 18))}


def test_fermatas_of_musicxml_mark_notes():
    song = read_any(musicxml("C4 D4 E4! F4|G4 A4 B4 C5!|D5 C5 B4 C5"), name="a.musicxml")
    assert closed(song) == {1: list(range(12, 18)), 2: list(range(18, 24))}


def test_a_score_without_fermatas_has_no_marks():
    song = read_any(musicxml("C4 D4 E4 F4|G4 A4 B4 C5"), name="a.musicxml")
    assert closed(song) == {}


def test_marks_stand_in_for_every_eighth_measure():
    notes = "|".join(["C4 D4 E4 F4"] * 12)
    for marked, eighth in ((notes, True), (notes.replace("E4", "E4!", 1), False)):
        masks = resting(read_any(musicxml(marked), name="a.musicxml").melody.bars)
        assert masks[7].any() == eighth
        assert masks[0][12:18].all() != eighth
        assert masks[-1][18:].all()


@pytest.mark.parametrize("request_", [{"density": 2.0}, {"contour": 1.0}, {"range": 1.0}])
def test_an_edit_keeps_the_last_notes_of_phrases(request_):
    song, model = read_any(ABC.encode(), name="a.abc"), arvae_music.load("all")
    changed = edit(song.melody, model.request(request_), model).melody
    assert any(not np.array_equal(a, b) for a, b in zip(song.melody.rows, changed.rows, strict=True))
    for bar, after in zip(song.melody.bars, changed.bars, strict=True):
        if bar.closing is not None:
            assert np.array_equal(bar.tokens[bar.closing], after.tokens[bar.closing])
