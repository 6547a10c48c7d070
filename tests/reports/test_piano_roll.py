"""Piano rolls: what a picture must show, checked in the SVG's own terms."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from arvae_music.arrays import Row
from arvae_music.music import keys
from arvae_music.music.melody import Bar, Melody
from arvae_music.music.meter import Meter
from arvae_music.music.reasons import Reason
from arvae_music.music.tokens import REST, token_of
from arvae_music.reports import piano_roll as rolls

FOUR = Meter(4)
SVG = "{http://www.w3.org/2000/svg}"


def row(meter: Meter, starts: dict[int, int]) -> Row:
    """From tick -> pitch (0 is a rest) to tokens."""
    tokens = np.zeros(meter.ticks, dtype=np.int16)
    for tick, pitch in starts.items():
        tokens[tick] = token_of(pitch) if pitch else REST
    return tokens


def melody(*bars: dict[int, int], shift: int = 0, fifths: int = 0) -> Melody:
    made = [Bar(i + 1, "4/4", 0, 1, FOUR, row(FOUR, starts)) for i, starts in enumerate(bars)]
    return Melody("a tune", tuple(made), shift, fifths)


QUARTERS = {0: 72, 6: 74, 12: 76, 18: 77}


def tips(text: str) -> list[str]:
    return [found for found in re.findall(r"<title>(.*?)</title>", text) if found.startswith("bar")]


def boxes(text: str) -> list[ET.Element]:
    """The rectangles that are notes of the melody: those with a tool tip, legend aside."""
    found = ET.fromstring(text).iter(f"{SVG}rect")
    return [box for box in found if (box.findtext(f"{SVG}title") or "").startswith("bar")]


def test_kept_new_and_removed_notes_look_different() -> None:
    before = melody(QUARTERS)
    after = before.with_rows({0: row(FOUR, {0: 72, 6: 75, 12: 76, 15: 79, 18: 77})})
    assert sorted(tips(rolls.svg(before, after))) == [
        "bar 1: C5, kept", "bar 1: D5, removed", "bar 1: E5, kept", "bar 1: Eb5, new", "bar 1: F5, kept",
        "bar 1: G5, new",
    ]  # fmt: skip


def test_removed_notes_are_dashed_outlines_without_a_fill() -> None:
    text = rolls.svg(melody(QUARTERS), melody({0: 0}))
    assert len(boxes(text)) == 4
    assert all(box.get("fill") == "none" and box.get("stroke-dasharray") for box in boxes(text))


def test_an_unchanged_melody_is_all_kept() -> None:
    same = melody(QUARTERS, QUARTERS)
    assert all(tip.endswith("kept") for tip in tips(rolls.svg(same, same)))


def test_pitches_are_the_sounding_ones() -> None:
    low = melody(QUARTERS, shift=12)
    assert "bar 1: C4, kept" in tips(rolls.svg(low, low))


def test_time_runs_to_the_right_and_pitch_upwards() -> None:
    """In proportion: a quarter is a quarter of the measure, a semitone is a row."""
    tune = melody(QUARTERS)
    x = [float(box.get("x", 0)) for box in boxes(rolls.svg(tune, tune))]
    y = [float(box.get("y", 0)) for box in boxes(rolls.svg(tune, tune))]
    assert np.allclose(np.diff(x), x[1] - x[0], atol=0.02)
    assert x[1] > x[0]
    assert [y[0] - other for other in y] == [0, 2 * rolls.ROW, 4 * rolls.ROW, 5 * rolls.ROW]


def test_triplets_lie_at_thirds_of_the_beat() -> None:
    tune = melody({0: 72, 2: 74, 4: 76, 6: 77, 12: 0})
    x = [float(box.get("x", 0)) for box in boxes(rolls.svg(tune, tune))]
    assert np.allclose(np.diff(x), (x[3] - x[0]) / 3, atol=0.02)


def test_a_note_tied_across_a_system_is_drawn_in_both() -> None:
    bars = [QUARTERS] * 3 + [{0: 72, 12: 79}, {6: 72}]
    tune = melody(*bars)
    assert tips(rolls.svg(tune, tune)).count("bar 4: G5, kept") == 2


def test_four_measures_make_a_system_and_a_pickup_goes_with_the_first() -> None:
    tune = melody(*[QUARTERS] * 9)
    assert rolls._systems(tune.bars) == [(0, 4), (4, 8), (8, 9)]
    pickup = tuple(replace(bar, number=i) for i, bar in enumerate(tune.bars))
    assert rolls._systems(pickup) == [(0, 5), (5, 9)]


def test_silent_systems_in_a_row_become_one_line() -> None:
    tune = melody(*[{0: 0}] * 12, QUARTERS, *[{0: 0}] * 4)
    text = rolls.svg(tune, tune)
    assert re.findall(r"measures \d+ to \d+: silence", text) == ["measures 1 to 12: silence"]
    whole = rolls.scene(tune, tune, "", "", ["x"] * 17)
    assert rolls.scene(tune, tune, "", "", ()).height < 0.7 * whole.height
    assert "silence" not in whole.svg()
    assert "silence" not in rolls.svg(melody(*[{0: 0}] * 12), melody(*[{0: 0}] * 12))


def test_every_bar_is_numbered_and_a_meter_shown_where_it_changes() -> None:
    three = Meter(3)
    waltz = Bar(3, "3/4", 0, 1, three, row(three, {0: 72}))
    tune = melody(QUARTERS, QUARTERS)
    tune = replace(tune, bars=(*tune.bars, waltz))
    words = [text.text for text in ET.fromstring(rolls.svg(tune, tune)).iter(f"{SVG}text")]
    assert [words.count(word) for word in ("1", "2", "3", "4/4", "3/4")] == [1, 1, 1, 1, 1]


def test_a_narrow_pickup_has_a_name_and_a_tip_and_no_words_that_run_over() -> None:
    tune = melody(QUARTERS)
    pickup = Bar(0, "1/8", 0, 1, None, None, "pickup")
    tree = ET.fromstring(rolls.svg(*(replace(tune, bars=(pickup, *tune.bars)),) * 2))
    words = [text.text for text in tree.iter(f"{SVG}text")]
    assert [words.count(word) for word in ("pickup", "1", "4/4", "1/8", "untouched")] == [1, 1, 1, 0, 0]
    assert "untouched: pickup" in [title.text for title in tree.iter(f"{SVG}title")]


def test_an_untouched_measure_says_why() -> None:
    tune = melody(QUARTERS)
    seven = Bar(2, "7/8", 0, 1, None, None, Reason.UNSUPPORTED)
    tune = replace(tune, bars=(*tune.bars, seven))
    assert "unsupported meter" in rolls.svg(tune, tune)


def test_labels_stand_under_their_measures() -> None:
    tune = melody(QUARTERS, QUARTERS)
    assert "4 notes" in rolls.svg(tune, tune, labels=["4 notes", ""])
    with pytest.raises(ValueError, match="1 labels for 2 measures"):
        rolls.svg(tune, tune, labels=["4 notes"])


def test_names_are_escaped() -> None:
    tune = melody(QUARTERS)
    text = rolls.svg(tune, tune, title="<b> & \x07 'tune'", caption='"$1" <script>')
    ET.fromstring(text)
    assert "<script>" not in text
    assert "\x07" not in text


def test_the_text_is_the_same_every_time() -> None:
    tune, other = melody(QUARTERS), melody({0: 72, 7: 74})
    assert rolls.svg(tune, other, title="t") == rolls.svg(tune, other, title="t")


def test_a_melody_without_notes_or_without_measures_is_a_picture_too() -> None:
    for tune in (melody({0: 0}), melody()):
        ET.fromstring(rolls.svg(tune, tune))


def test_melodies_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 measures before, 1 after"):
        rolls.svg(melody(QUARTERS, QUARTERS), melody(QUARTERS))


def test_png_is_a_png_of_the_same_proportions() -> None:
    tune = melody(QUARTERS)
    data = rolls.png(tune, tune, title="a $1 tune", scale=1)
    svg = ET.fromstring(rolls.svg(tune, tune, title="a $1 tune"))
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    size = (int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))
    assert size == pytest.approx((float(svg.get("width", 0)), float(svg.get("height", 0))), abs=1)


@pytest.mark.parametrize(
    ("pitch", "fifths", "name"),
    [
        (60, 0, "C4"),
        (69, 0, "A4"),
        (66, 0, "F#4"),
        (66, 1, "F#4"),
        (70, 0, "Bb4"),
        (70, -2, "Bb4"),
        (70, 5, "A#4"),
        (71, -6, "Cb5"),  # the octave goes with the letter
        (60, 7, "B#3"),
        (0, 0, "C-1"),
        (127, 0, "G9"),
    ],
)
def test_pitches_are_spelt_in_the_key(pitch: int, fifths: int, name: str) -> None:
    assert keys.pitch_name(pitch, fifths) == name
