"""Chord symbols: spellings against pitch classes that were worked out by hand."""

from __future__ import annotations

import pytest

from arvae_music.errors import UsageError
from arvae_music.music.chords import NO_CHORD, Chord

SYMBOLS = {  # symbol: its canonical name in C major, and its pitch classes
    "C": ("C", {0, 4, 7}),
    "Cmaj": ("C", {0, 4, 7}),
    "F#m7b5": ("F#m7b5", {6, 9, 0, 4}),
    "F♯ø": ("F#m7b5", {6, 9, 0, 4}),
    "G7/B": ("G7/B", {7, 11, 2, 5}),
    "C/D": ("C/D", {0, 4, 7, 2}),
    "Bbmaj7": ("Bbmaj7", {10, 2, 5, 9}),
    "B♭M7": ("Bbmaj7", {10, 2, 5, 9}),
    "BbΔ": ("Bbmaj7", {10, 2, 5, 9}),
    "CΔ9": ("Cmaj9", {0, 4, 7, 11, 2}),
    "C7M": ("Cmaj7", {0, 4, 7, 11}),
    "Csus4": ("Csus4", {0, 5, 7}),
    "Csus": ("Csus4", {0, 5, 7}),
    "Csus2": ("Csus2", {0, 2, 7}),
    "G7sus4": ("G7sus4", {7, 0, 2, 5}),
    "A-": ("Am", {9, 0, 4}),
    "Ami7": ("Am7", {9, 0, 4, 7}),
    "am7": ("Am7", {9, 0, 4, 7}),
    "Am(maj7)": ("AmMaj7", {9, 0, 4, 8}),
    "A-Δ7": ("AmMaj7", {9, 0, 4, 8}),
    "Bdim7": ("Bdim7", {11, 2, 5, 8}),
    "B°": ("Bdim", {11, 2, 5}),
    "Bo7": ("Bdim7", {11, 2, 5, 8}),
    "C+": ("Caug", {0, 4, 8}),
    "C7#5": ("C7#5", {0, 4, 8, 10}),
    "C7-5": ("C7b5", {0, 4, 6, 10}),
    "G7(b9,#11)": ("G7b9#11", {7, 11, 2, 5, 8, 1}),
    "G13": ("G13", {7, 11, 2, 5, 9, 4}),
    "Dm11": ("Dm11", {2, 5, 9, 0, 4, 7}),
    "C6/9": ("C69", {0, 4, 7, 9, 2}),
    "C6/E": ("C6/E", {0, 4, 7, 9}),
    "Cadd9": ("Cadd9", {0, 4, 7, 2}),
    "C5": ("C5", {0, 7}),
    "Cm7no5": ("Cm7no5", {0, 3, 10}),
    "H": ("B", {11, 3, 6}),
    "Hm7b5": ("Bm7b5", {11, 2, 5, 9}),
    "Fis": ("F#", {6, 10, 1}),
    "Esus4": ("Esus4", {4, 9, 11}),
    "Es": ("Eb", {3, 7, 10}),
    "Gessus4": ("F#sus4", {6, 11, 1}),
    "As7": ("Ab7", {8, 0, 3, 6}),
    "Asus4": ("Asus4", {9, 2, 4}),
    "Cismoll": ("C#m", {1, 4, 8}),
    "E/G#": ("E/G#", {4, 8, 11}),
    "N.C.": ("N.C.", set()),
    "nc": ("N.C.", set()),
}


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_symbol_has_the_tones_that_musicians_play(symbol: str) -> None:
    name, classes = SYMBOLS[symbol]
    chord = Chord.parse(symbol)
    assert chord.name() == name
    assert chord.classes == classes
    assert Chord.parse(chord.name()) == chord


@pytest.mark.parametrize("text", ["X", "Cfoo", "C/Q", "", "Fine", "G MINOR", "4", "^slowly", "C7/", "Cmaj7maj"])
def test_other_texts_are_no_chords(text: str) -> None:
    with pytest.raises(UsageError, match="is not a chord symbol; write chords such as"):
        Chord.parse(text)


@pytest.mark.parametrize(
    ("text", "remedy"), [("c", "C or Cm"), ("a7", "A7 or Am7"), ("bb", "Bb or Bbm"), ("f#", "F# or F#m")]
)
def test_a_small_letter_may_be_minor(text: str, remedy: str) -> None:
    with pytest.raises(UsageError, match=f"may be a major or a minor chord; write {remedy}"):
        Chord.parse(text)


def test_b_is_b_flat_in_german() -> None:
    assert Chord.parse("B", german=True).classes == {10, 2, 5}
    assert Chord.parse("B").classes == {11, 3, 6}
    assert Chord.parse("Bb", german=True).classes == {10, 2, 5}


@pytest.mark.parametrize(
    ("symbol", "fifths", "name"),
    [("A#", -1, "Bb"), ("Ab", 4, "G#"), ("C#m", 0, "C#m"), ("Db", 0, "Db"), ("D/F#", 0, "D/F#"), ("Db/Ab", 0, "Db/Ab")],
)
def test_names_are_spelled_for_the_key(symbol: str, fifths: int, name: str) -> None:
    assert Chord.parse(symbol).name(fifths) == name


def test_transposition() -> None:
    assert Chord.parse("G7/B").transposed(5) == Chord.parse("C7/E")
    assert Chord.parse("C").transposed(-1) == Chord.parse("B")
    assert NO_CHORD.transposed(3) is NO_CHORD
