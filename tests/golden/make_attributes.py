"""Writes attributes.json: measures and what the eight attributes are on them, by other means.

Run `python tests/golden/make_attributes.py` after adding a measure. Nothing of arvae_music is imported: notes
are MIDI numbers, positions `Fraction`s of a beat, and every definition is a plain loop over notes, written
from the publications. `BY_HAND` are numbers worked out on paper, and the loops must agree with them.

A measure is written beat by beat, six ticks to the beat: a MIDI number where a note starts, `r` where a
rest starts, `.` where what sounds goes on (in the first place: a note tied over the barline).
"""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import pairwise
from math import prod
from pathlib import Path

LOWEST, CENTRE, SEMITONES = 47, 71, 26

# How each meter divides, from the measure down to the sixteenth; the last two numbers below a simple beat, or
# 3 and 2 below a compound one. A triplet divides its beat by 3 instead.
DIVISIONS: dict[str, tuple[int, ...]] = {
    "1/4": (2, 2),
    "2/4": (2, 2, 2),
    "3/4": (3, 2, 2),
    "4/4": (2, 2, 2, 2),
    "5/4": (5, 2, 2),
    "6/4": (2, 3, 2, 2),
    "3/8": (3, 2),
    "6/8": (2, 3, 2),
    "9/8": (3, 3, 2),
    "12/8": (2, 2, 3, 2),
    # twice the speed: the last two divisions are those below a beat of an eighth, or of a dotted eighth
    "7/8": (7, 2, 2),
    "8/4": (2, 2, 2, 2, 2),
    "9/4": (3, 3, 2, 2),
    "15/8": (5, 3, 2),
    "12/16": (2, 2, 3, 2),
}

COMPOUND = ("3/8", "6/8", "9/8", "12/8", "15/8", "12/16")

# Weights of rhythmic complexity, beat by beat. The 4/4 line is the published one.
S = "1 2 .5 2 1"  # inside a simple beat
C = "1 .5 1 .5 1"  # inside a compound beat
WEIGHTS: dict[str, str] = {
    "1/4": f".2 {S}",
    "2/4": f".2 {S} .25 {S}",
    "3/4": f".2 {S} .67 {S} .67 {S}",
    "4/4": ".2 1 2 .5 2 1 .67 1 2 .5 2 1 .25 1 2 .5 2 1 .67 1 2 .5 2 1",
    "5/4": f".2 {S} .67 {S} .67 {S} .67 {S} .67 {S}",
    "6/4": f".2 {S} .67 {S} .67 {S} .25 {S} .67 {S} .67 {S}",
    "3/8": f".2 {C}",
    "6/8": f".2 {C} .25 {C}",
    "9/8": f".2 {C} .67 {C} .67 {C}",
    "12/8": f".2 {C} .67 {C} .25 {C} .67 {C}",
    "7/8": f".2 {S}" + f" .67 {S}" * 6,
    "8/4": f".2 {S}" + f" .67 {S}" * 3 + f" .25 {S}" + f" .67 {S}" * 3,
    "9/4": f".2 {S}" + f" .67 {S}" * 8,
    "15/8": f".2 {C}" + f" .67 {C}" * 4,
    "12/16": f".2 {C} .67 {C} .25 {C} .67 {C}",
}

MEASURES: dict[str, tuple[str, str]] = {
    # 4/4
    "empty": ("4/4", "r . . . . . | . . . . . . | . . . . . . | . . . . . ."),
    "tied through": ("4/4", ". . . . . . | . . . . . . | . . . . . . | . . . . . ."),
    "whole note": ("4/4", "72 . . . . . | . . . . . . | . . . . . . | . . . . . ."),
    "one note on the last tick": ("4/4", "r . . . . . | . . . . . . | . . . . . . | . . . . . 60"),
    "quarters": ("4/4", "72 . . . . . | 74 . . . . . | 76 . . . . . | 77 . . . . ."),
    "repeated eighths": (
        "4/4",
        "72 . . 72 . . | 72 . . 72 . . | 72 . . 72 . . | 72 . . 72 . .",
    ),
    "sixteenths": ("4/4", "72 74 . 76 . 77 | 79 77 . 76 . 74 | 72 74 . 76 . 77 | 79 81 . 83 . 84"),
    "triplets": ("4/4", "72 . 74 . 76 . | 77 . 76 . 74 . | 72 . 71 . 69 . | 67 . 69 . 71 ."),
    "every tick": ("4/4", " | ".join(["72 73 74 75 76 77"] * 4)),
    "son clave, one measure": ("4/4", "72 . . . . 72 | . . . 72 . . | . . . 72 . . | 72 . . . . ."),
    "charleston": ("4/4", "72 . . . . . | . . . 76 . . | . . . . . . | . . . . . ."),
    "off-beat eighths": ("4/4", "r . . 72 . . | r . . 76 . . | r . . 79 . . | r . . 84 . ."),
    "tie, then rest": ("4/4", ". . . 79 . . | r . . . . . | 67 . . . . . | . . . r . ."),
    "triplet held over the half": ("4/4", "72 . . . . . | 72 . 74 . 76 . | . . . . . . | 72 . . . . ."),
    "widest leap": ("4/4", "47 . . . . . | . . . . . . | 95 . . . . . | . . . . . ."),
    "range without contour": ("4/4", "72 . . . . . | 84 . . . . . | 60 . . . . . | 72 . . . . ."),
    "descending": ("4/4", "84 . . . . . | 79 . . . . . | 76 . . . . . | 72 . . . . ."),
    # the other simple meters
    "1/4 sixteenths": ("1/4", "67 69 . 71 . 72"),
    "1/4 held sixteenth": ("1/4", "67 69 . . . 72"),
    "2/4 amphibrach": ("2/4", "72 . . 74 . . | . . . 76 . ."),
    "2/4 dotted": ("2/4", "72 . . . . 74 | 76 . . r . ."),
    "3/4 waltz": ("3/4", "72 . . . . . | 76 . . . . . | 79 . . . . ."),
    "3/4 hemiola": ("3/4", "72 . . . . . | . . . 74 . . | . . . . . ."),
    "3/4 tied over": ("3/4", ". . . . . . | 71 . . 72 . . | 74 . 72 . 71 ."),
    "3/4 second beat held": ("3/4", "r . . . . . | 71 . . . . . | . . . . . ."),
    "5/4": ("5/4", "72 . . . . . | . . . 74 . . | 75 . . . . . | 77 . . . . . | 79 . . . . ."),
    "6/4": ("6/4", "72 . . . . . | . . . . . . | 74 . . . . . | . . . . . . | 76 . . . . . | 74 . . . . ."),
    "6/4 triplets": (
        "6/4",
        "72 . 74 . 76 . | r . . . . . | 74 . . . . . | . . . . . . | 76 . . . . . | 74 . . . 72 .",
    ),
    # compound
    "3/8": ("3/8", "72 . 74 . 76 ."),
    "3/8 held": ("3/8", "72 74 . . 76 ."),
    "jig": ("6/8", "79 . 76 . 72 . | 74 . 76 . 74 ."),
    "siciliana": ("6/8", "79 . . 81 79 . | 76 . . . 72 ."),
    "6/8 quarters": ("6/8", "72 . . . 74 . | . . 76 . . ."),
    "6/8 rest": ("6/8", "r . . . . . | . . . . 67 ."),
    "slip jig": ("9/8", "79 . 76 . 72 . | 74 . . . 76 . | 74 . . . . ."),
    "9/8 tied": ("9/8", ". . . . 72 . | . . . . 72 . | . . . . r ."),
    "12/8": ("12/8", "72 . . . 74 . | 76 . . . . . | . . . . 79 . | . . . 84 . 83"),
    # beats of an eighth and of a dotted eighth, and long measures
    "7/8": ("7/8", " | ".join(f"{p} . . . . ." for p in (72, 74, 76, 77, 79, 77, 76))),
    "7/8 held": ("7/8", " | ".join(["72 . . . . .", ". . . 74 . .", ". . . . . ."] * 2 + ["76 . . . . ."])),
    "8/4 over the half": ("8/4", " | ".join(["72 . . . . ."] * 4 + [". . . . . ."] * 4)),
    "8/4 off the quarter": ("8/4", " | ".join(["72 . . . . .", ". . . 74 . .", ". . . . . .", "76 . . . . ."] * 2)),
    "9/4 over a group": ("9/4", " | ".join(["72 . . . . .", ". . . . . .", "74 . . . . .", *[". . . . . ."] * 6])),
    "15/8": ("15/8", " | ".join(["72 . 74 . 76 .", "77 . . . 76 ."] * 2 + ["72 . . . . ."])),
    "12/16": ("12/16", "72 . . . 74 . | . . . . . . | . . . . 79 . | . . . 84 . 83"),
    "12/8 blues": ("12/8", "60 . . . 63 . | 65 . . . 66 . | 67 . . . . . | r . . . . ."),
}

# On paper. Weights of a beat of 4/4 sum to 6.5 besides the beat's own: 4 * 6.5 + 1.79 = 27.79 in all.
BY_HAND: dict[tuple[str, str], Fraction | float] = {
    ("empty", "rhythm"): 0,
    ("tied through", "density"): 0,
    ("whole note", "rhythm"): 0.20 / 27.79,
    ("whole note", "range"): 0,
    ("whole note", "pitch"): Fraction(1, 26),  # 72 against 71
    ("quarters", "rhythm"): 1.79 / 27.79,
    ("quarters", "density"): Fraction(4, 24),
    ("quarters", "range"): Fraction(5, 26),
    ("quarters", "contour"): Fraction(5, 26),
    ("quarters", "steps"): 1,  # two whole tones and a semitone
    ("repeated eighths", "rhythm"): (1.79 + 4 * 0.5) / 27.79,
    ("repeated eighths", "repetition"): 1,
    ("every tick", "rhythm"): 1,
    ("every tick", "density"): 1,
    ("sixteenths", "syncopation"): 0,
    ("triplets", "syncopation"): 0,
    ("triplets", "rhythm"): (1.79 + 4 * 4) / 27.79,
    # x..x ..x. ..x. x... in sixteenths: the 4th (level -4) sounds through beat 2 (-2): 2; the 7th (-3)
    # through the half measure (-1): 2; the 11th (-3) is followed by beat 4 itself; beat 4 (-2) passes
    # only weaker ones.
    ("son clave, one measure", "syncopation"): 4,
    ("charleston", "syncopation"): 2,  # the "and" of 2 (-3) through the half measure (-1)
    # and of 1 (-3) over beat 2 (-2): 1; of 2 over the half (-1): 2; of 3 over beat 4: 1; of 4: the barline
    ("off-beat eighths", "syncopation"): 4,
    ("tie, then rest", "contour"): Fraction(-12, 26),
    ("triplet held over the half", "syncopation"): 2,  # level -3, as an eighth, over -1
    ("range without contour", "contour"): 0,
    ("range without contour", "range"): Fraction(24, 26),
    ("widest leap", "contour"): Fraction(48, 26),
    ("1/4 held sixteenth", "syncopation"): 1,  # -2 over the eighth at -1
    ("2/4 amphibrach", "syncopation"): 1,  # the second eighth (-2) over beat 2 (-1)
    ("2/4 dotted", "rhythm"): (0.2 + 1 + 0.25) / (2 * 6.5 + 0.45),
    ("3/4 hemiola", "syncopation"): 1,  # the "and" of 2 (-2) over beat 3 (-1)
    ("3/4 second beat held", "syncopation"): 0,  # beats 2 and 3 are equals
    ("3/4 waltz", "rhythm"): (0.2 + 0.67 + 0.67) / (3 * 6.5 + 1.54),
    ("6/8 quarters", "syncopation"): 1,  # the third eighth (-2) over the second beat (-1)
    ("jig", "rhythm"): (0.45 + 4 * 0.5) / (2 * 4 + 0.45),
    ("jig", "density"): Fraction(6, 12),
    ("jig", "steps"): Fraction(3, 5),  # 3rd down, 3rd down, tone, tone, tone
    ("9/8 tied", "syncopation"): 2,  # twice an eighth (-2) over a beat (-1)
    ("12/8 blues", "contour"): Fraction(7, 26),
    ("7/8 held", "syncopation"): 2,  # twice a sixteenth (-2) over a beat (-1)
    ("8/4 over the half", "syncopation"): 2,  # the fourth beat (-3) through the half measure (-1)
    ("8/4 off the quarter", "syncopation"): 4,  # twice an eighth (-4) over a beat at -2
    ("9/4 over a group", "syncopation"): 1,  # the third beat (-2) over the fourth (-1)
}


def events(text: str) -> list[list[str]]:
    return [beat.split() for beat in text.split("|")]


def tokens(text: str) -> list[int]:
    codes = {".": 0, "r": 1}
    return [codes[e] if e in codes else int(e) - LOWEST + 2 for beat in events(text) for e in beat]


def place(meter: str, beat: int, tick: int) -> Fraction:
    """In beats from the barline."""
    simple = (Fraction(0), Fraction(1, 4), Fraction(1, 3), Fraction(1, 2), Fraction(2, 3), Fraction(3, 4))
    return beat + (Fraction(tick, 6) if meter in COMPOUND else simple[tick])


def notes(meter: str, text: str) -> list[tuple[Fraction, int]]:
    found = []
    for b, beat in enumerate(events(text)):
        for t, event in enumerate(beat):
            if event not in (".", "r"):
                found.append((place(meter, b, t), int(event)))
    return found


def level(position: Fraction, beats: int, divisions: tuple[int, ...]) -> int | None:
    """How deep in the tree of divisions a position (in beats) is reached, negative; None where never."""
    for depth in range(len(divisions) + 1):
        if (position / (Fraction(beats) / prod(divisions[:depth]))).denominator == 1:
            return -depth
    return None


def syncopation(meter: str, text: str) -> int:
    """For each note, the strongest place before the next note that its own tree has, where stronger."""
    beats = len(events(text))
    grid = [place(meter, b, t) for b in range(beats) for t in range(6)]
    starts = [start for start, _ in notes(meter, text)]
    total = 0
    for start, following in zip(starts, [*starts, Fraction(beats)][1:], strict=True):
        divisions = DIVISIONS[meter]
        if level(start, beats, divisions) is None:  # a triplet
            divisions = (*divisions[:-2], 3)
        own = level(start, beats, divisions)
        assert own is not None
        passed = [level(g, beats, divisions) for g in grid if start < g < following]
        strongest = max([p for p in passed if p is not None], default=own)
        total += max(strongest - own, 0)
    return total


def expected(meter: str, text: str) -> dict[str, float]:
    found = notes(meter, text)
    pitches = [pitch for _, pitch in found]
    weights = [float(w) for w in WEIGHTS[meter].split()]
    started = [event not in (".", "r") for beat in events(text) for event in beat]
    intervals = [abs(b - a) for a, b in pairwise(pitches)]
    return {
        "rhythm": sum(w for w, here in zip(weights, started, strict=True) if here) / sum(weights),
        "range": (max(pitches) - min(pitches)) / SEMITONES if len(pitches) > 1 else 0.0,
        "density": len(found) / len(started),
        "contour": (pitches[-1] - pitches[0]) / SEMITONES if len(pitches) > 1 else 0.0,
        "syncopation": float(syncopation(meter, text)),
        "pitch": sum(p - CENTRE for p in pitches) / len(pitches) / SEMITONES if pitches else 0.0,
        "repetition": sum(i == 0 for i in intervals) / len(intervals) if intervals else 0.0,
        "steps": sum(i in (1, 2) for i in intervals) / len(intervals) if intervals else 0.0,
    }


def golden() -> list[dict[str, object]]:
    cases: list[dict[str, object]] = []
    for name, (meter, text) in MEASURES.items():
        values = expected(meter, text)
        for attribute, value in values.items():
            by_hand = BY_HAND.get((name, attribute))
            if by_hand is not None and abs(value - by_hand) > 1e-12:
                raise AssertionError(f"{name}: {attribute} is {value}, on paper {float(by_hand)}")
        rounded = {attribute: round(value, 12) for attribute, value in values.items()}
        cases.append({"name": name, "meter": meter, "row": tokens(text), "expected": rounded})
    return cases


if __name__ == "__main__":
    unknown = {name for name, _ in BY_HAND} - set(MEASURES)
    assert not unknown, unknown
    lines = ",\n".join(json.dumps(case) for case in golden())
    Path(__file__).with_name("attributes.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
