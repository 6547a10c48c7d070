"""Scores come in through music21 with their measures, pickups, parts and keys; what is broken is said so."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import midi_files as files
import pretty_midi
import pytest
from midi_files import heard, row

from arvae_music.errors import InputError
from arvae_music.io.scores import read_any
from arvae_music.music.meter import Meter

REEL = """X:1
T:A tune
M:6/8
L:1/8
Q:3/8=100
K:D
A|def a2f|d2d- d3|(3abc d2 {g}f z|[DF]2A A3|def d2:|
"""
KERN = """**kern **kern
*clefF4 *clefG2
*M3/4 *M3/4
*k[b-] *k[b-]
=1 =1
2.F 4f
. 4g
. 4a
=2 =2
2.C 2.g
== ==
*- *-
""".replace(" ", "\t")
SIX_EIGHT = Meter(2, compound=True)


def test_an_abc_tune_has_its_measures_pickup_and_key() -> None:
    song = read_any(REEL.encode())
    assert song.pickup == Fraction(1, 2)
    assert [(b.number, b.signature) for b in song.melody.bars][:4] == [(0, "1/8"), *((n, "6/8") for n in (1, 2, 3))]
    expected = [
        None,
        row(SIX_EIGHT, t0=74, t2=76, t4=78, t6=81, t10=78),
        row(SIX_EIGHT, t0=74, t4=74),
    ]
    assert heard(song.melody.rows, song.melody.shift)[:3] == heard(expected, 0)
    assert (song.melody.fifths, song.melody.key_origin) == (2, "key signature")
    reasons = [bar.why for bar in song.melody.bars]
    assert reasons[0] == "pickup"
    assert reasons[3] is not None  # a triplet of eighths in 6/8
    assert reasons[3].startswith("off-grid rhythm")
    assert reasons[4] is None  # a chord, whose highest note is the melody's
    assert [n.pitch for n in song.melody.notes if n.measure == 4] == [66, 69, 69]


def test_a_score_gives_midi_with_its_tempo(tmp_path: Path) -> None:
    song = read_any(REEL.encode(), name="reel.abc")
    path = tmp_path / "reel.mid"
    path.write_bytes(song.write(song.melody.rows))
    midi = pretty_midi.PrettyMIDI(str(path))
    assert midi.get_tempo_changes()[1] == pytest.approx([150], rel=1e-3)
    # a sequencer's barlines are the score's: the pickup has a signature of its own
    signatures = [(s.numerator, s.denominator) for s in midi.time_signature_changes]
    assert signatures == [(1, 8), (6, 8)]
    assert midi.get_downbeats()[1] == pytest.approx(midi.instruments[0].notes[1].start)
    again = read_any(path)
    assert again.pickup == song.pickup
    assert [(b.number, b.reason) for b in again.melody.bars] == [(b.number, b.reason) for b in song.melody.bars]
    assert [n.pitch for n in midi.instruments[0].notes][:4] == [69, 74, 76, 78]


def test_an_edited_score_reads_back(tmp_path: Path) -> None:
    song = read_any(KERN.encode())
    rows = list(song.melody.rows)
    rows[1] = row(Meter(3), t0=67, t6=69, t12=70)
    rows[1] = rows[1] + (rows[1] > 1) * song.melody.shift
    path = tmp_path / "edited.mid"
    path.write_bytes(song.write(rows))
    again = read_any(path, track=song.found.track)
    assert heard(again.melody.rows, again.melody.shift) == heard(rows, song.melody.shift)


def test_kern_parts_are_tracks_and_the_highest_is_the_melody() -> None:
    song = read_any(KERN.encode())
    assert len(song.candidates) == 2
    assert song.found.why.startswith("the likeliest of 2 voices: ")
    assert heard(song.melody.rows, song.melody.shift) == heard(
        [row(Meter(3), t0=65, t6=67, t12=69), row(Meter(3), t0=67)], 0
    )
    assert song.melody.fifths == -1
    low = {1, 2} - {song.found.track}
    assert read_any(KERN.encode(), track=low.pop()).melody.notes[0].pitch == 53


def test_parts_by_name_in_musicxml() -> None:
    from music21 import corpus

    path = corpus.getWork("bwv66.6")
    song = read_any(path)
    assert song.found.name == "Soprano"
    assert song.found.why == "the likeliest of 4 voices: its name says so and it is the highest voice"
    assert [c.name for c in song.candidates] == ["Soprano", "Alto", "Tenor", "Bass"]
    assert song.pickup == 1
    assert [bar.number for bar in song.melody.bars] == list(range(10))
    assert [bar.number for bar in song.melody.bars if bar.reason] == [0, 9]
    assert read_any(path, track="alto").found.track == 2
    with pytest.raises(InputError, match="no track named 'Bsas'; did you mean 'Bass'"):
        read_any(path, track="Bsas")


def test_a_measure_that_a_repeat_parts_is_one_and_a_short_one_passes() -> None:
    parted = "X:1\nM:4/4\nL:1/4\nK:C\nCDEF|GAB:|\n|:c|BAGF|C4|]\n"
    song = read_any(parted.encode())
    assert [b.start // 5040 for b in song.melody.bars] == [0, 4, 8, 12]
    assert [b.reason for b in song.melody.bars] == [None] * 4
    short = "X:1\nM:4/4\nL:1/4\nK:C\nCDEF|GAB|cBAG|C4|]\n"
    bars = read_any(short.encode()).melody.bars
    assert [(b.start // 5040, b.end // 5040) for b in bars] == [(0, 4), (4, 7), (7, 11), (11, 15)]
    assert [b.why for b in bars] == [None, "unfinished measure", None, None]
    long = "X:1\nM:3/4\nL:1/4\nK:C\nCDE|GABccBA|cBA|C3|]\n"
    bars = read_any(long.encode()).melody.bars
    assert [b.start // 5040 for b in bars] == [0, 3, 10, 13]
    assert [b.reason for b in bars] == [None] * 4  # too long a measure has the meter of its length


def test_accidentals_hold_to_the_barline_and_over_ties() -> None:
    song = read_any(b"X:1\nM:4/4\nL:1/4\nK:C\nC^FGF-|FGFG|C4|]\n")
    assert [n.pitch for n in song.melody.notes] == [60, 66, 67, 66, 67, 65, 67, 60]


def test_voices_of_abc_are_parts() -> None:
    text = 'X:1\nM:4/4\nL:1/4\nV:1 name="Bass"\nV:2 name="Soprano"\nK:C\nV:1\nC,4|G,4|\nV:2\nCDEF|G4|\n'
    song = read_any(text.encode())
    assert [c.name for c in song.candidates] == ["Bass", "Soprano"]
    assert song.found.name == "Soprano"
    assert [n.pitch for n in song.melody.notes] == [60, 62, 64, 65, 67]
    inline = text.replace("V:1\nC,", "[V:1] C,").replace("V:2\nCD", "[V:2] CD")
    assert read_any(inline.encode()).melody.notes == song.melody.notes


@pytest.mark.parametrize("change", ["\nM:2/4\n", "[M:2/4] "])
def test_meters_change_in_a_score(change: str) -> None:
    song = read_any(f"X:1\nM:3/4\nL:1/4\nK:G\nGAB|{change}cd|ef|\nM:4/4\ngfed|G4|]\n".encode())
    meters = [(b.signature, b.reason) for b in song.melody.bars]
    assert meters == [("3/4", None), ("2/4", None), ("2/4", None), ("4/4", None), ("4/4", None)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x00\x01\x02 no score", "neither a MIDI file nor a score; give a MIDI file, or a score in .*.abc"),
        (b"", "it is empty"),
        (b"<?xml version='1.0'?><html/>", "it is XML, but not MusicXML"),
        (b"PK\x03\x04 not a zip", "cannot be read as a compressed score"),
        (b"X:1\nM:4/4\nL:1/4\nK:C\nz4|z4|]\n", "it holds no notes|it has no measures"),
        (b"X:1\nT:A\nK:C\nCDEF|\n\nX:2\nT:B\nK:C\nCDEF|\n", "2 tunes; choose one with tune=...: 1 'A', 2 'B'"),
    ],
)
def test_what_is_no_score_is_said_in_a_sentence(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_any(data, name="tune.abc")
    assert caught.value.message.startswith("tune.abc")
    assert "\n" not in caught.value.message


def test_midi_is_told_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "misnamed.abc"
    path.write_bytes(files.type_1())
    assert read_any(path).found.track == 3
    assert read_any(files.type_1()).name == "standard input"


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        read_any(tmp_path / "none.abc")
    with pytest.raises(InputError, match="it is a directory"):
        read_any(tmp_path)
    (tmp_path / "empty.krn").touch()
    with pytest.raises(InputError, match="it is empty"):
        read_any(tmp_path / "empty.krn")
