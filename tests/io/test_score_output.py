"""Scores that arvae writes are read back to the same music: by arvae, and by music21 as an independent reader."""

from __future__ import annotations

import itertools
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import midi_files as files
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import arvae_music
from arvae_music.errors import UsageError
from arvae_music.io import abc, abc_writer, musicxml, musicxml_writer
from arvae_music.io.engraving import NoteValue, engraved, pieces, tuplets
from arvae_music.io.midi import Song
from arvae_music.io.notation import Jump, Lyric, Marks, Measure, Part, Score, Sound, joined
from arvae_music.io.score_output import score_of, to_file
from arvae_music.io.scores import read_any, read_score
from arvae_music.io.unfold import unfolded
from arvae_music.music.chords import Chord
from arvae_music.reports.score_lines import score_lines

SIGNATURES = ("4/4", "3/4", "6/8", "2/2", "5/8", "2/4", "9/8")
SIXTIETHS = (20, 40, 15, 30, 60, 90, 120, 45, 10, 105, 240, 75, 24, 48, 180)  # of a quarter note
LENGTHS = tuple(Fraction(number, 60) for number in SIXTIETHS)


@st.composite
def lines(draw: st.DrawFn) -> Part:
    """A part of one voice in two or three meters and keys, with a pickup or without."""
    measures: list[Measure] = []
    now = Fraction(0)
    signature, fifths = draw(st.sampled_from(SIGNATURES)), draw(st.integers(-7, 7))
    for n in range(draw(st.integers(1, 4))):
        if n and draw(st.booleans()):
            signature = draw(st.sampled_from(SIGNATURES))
            fifths = draw(st.integers(-7, 7))
        nominal = Fraction(signature) * 4
        length = Fraction(1, 2) if n == 0 and draw(st.booleans()) else nominal
        measures.append(Measure(now, length, signature, fifths))
        now += length
    sounds = []
    at = Fraction(0)
    while at < now:
        length = min(draw(st.sampled_from(LENGTHS)), now - at)
        pitch = draw(st.one_of(st.none(), st.integers(48, 84)))
        if pitch is not None:
            sounds.append(Sound(at, at + length, pitch))
        at += length
    return Part("Melody", tuple(measures), tuple(sounds), tempi=((Fraction(0), 96.0),))


def heard(part: Part) -> list[tuple[Fraction, Fraction, int]]:
    return [(sound.start, sound.end, sound.pitch) for sound in joined(part.sounds)]


def barlines(part: Part) -> list[tuple[Fraction, Fraction, str, int | None]]:
    return [(one.start, one.length, one.signature, one.fifths) for one in part.measures]


def read_back(data: bytes, suffix: str) -> Score:
    return read_score(data, f"score{suffix}", suffix)


WRITERS: dict[str, Any] = {".musicxml": musicxml_writer.to_bytes, ".abc": abc_writer.to_bytes}


def fixed(signature: str, fifths: int, lengths: str, pickup: str = "0") -> Part:
    """A part of two measures, after a pickup or not, whose notes rise by steps of the scale."""
    nominal = Fraction(signature) * 4
    bounds = [Fraction(0), *([Fraction(pickup)] if pickup != "0" else [])]
    bounds += [bounds[-1] + nominal, bounds[-1] + 2 * nominal]
    measures = tuple(Measure(one, two - one, signature, fifths) for one, two in itertools.pairwise(bounds))
    ends = list(itertools.accumulate(Fraction(length) for length in lengths.split()))
    assert ends[-1] == bounds[-1]
    scale = [pitch for pitch in range(60, 90) if (7 * pitch + 1 - fifths) % 12 < 7]
    sounds = (Sound(*span, pitch) for span, pitch in zip(itertools.pairwise([Fraction(0), *ends]), scale, strict=False))
    return Part("Melody", measures, tuple(sounds))


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize(
    "part",
    [
        fixed("4/4", 2, "1 1/2 1/2 1/3 1/3 1/3 2 1/4 1/4 1/2 2"),
        fixed("3/4", -3, "1 3/2 1/2 1 1 1 1", pickup="1"),
        fixed("6/8", 1, "1/2 1/2 1/2 3/2 1 1/2 3/4 3/4"),
        fixed("4/4", 0, "2/3 2/3 2/3 2 2/5 2/5 2/5 2/5 2/5 2"),
        fixed("2/2", 4, "7/2 1 1/2 3"),
    ],
)
def test_music21_reads_the_same_notes(suffix: str, part: Part) -> None:
    from music21 import converter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = WRITERS[suffix](Score("Tune", (part,))).decode()
        theirs = converter.parseData(text, format="abc" if suffix == ".abc" else "musicxml")
        notes = list(theirs.parts[0].flatten().stripTies().notes)
    times = [tuple(Fraction(at).limit_denominator(100) for at in (n.offset, n.offset + n.quarterLength)) for n in notes]
    own = [(*time, note.pitch.midi) for time, note in zip(times, notes, strict=True)]
    assert own == heard(part)
    if suffix == ".musicxml":  # music21 makes no measures of short tunes in ABC
        bars = [Fraction(bar.offset) for bar in theirs.parts[0].getElementsByClass("Measure")]
        assert bars == [one.start for one in part.measures]


# ------------------------------------------------------------------------------------- values


@settings(max_examples=300, deadline=None)
@given(
    start=st.integers(0, 95), length=st.integers(1, 96), grid=st.sampled_from([8, 12, 16, 24, 20, 28]),
    beat=st.sampled_from([Fraction(1), Fraction(3, 2)]),
)  # fmt: skip
def test_pieces_fill_their_span(start: int, length: int, grid: int, beat: Fraction) -> None:
    begin, end = Fraction(start, grid), Fraction(start + length, grid)
    found = list(pieces(begin, end, beat))
    assert found[0][0] == begin
    assert sum(one for _, one, _ in found) == end - begin
    assert all(value is None or value.length == one for _, one, value in found)


@pytest.mark.parametrize(
    ("start", "end", "values"),
    [
        ("0", "1", [NoteValue(Fraction(1))]),
        ("0", "3/2", [NoteValue(Fraction(1), 1)]),
        ("0", "5/4", [NoteValue(Fraction(1)), NoteValue(Fraction(1, 4))]),
        ("0", "1/3", [NoteValue(Fraction(1, 2), 0, 3, 2)]),
        ("1/3", "1", [NoteValue(Fraction(1), 0, 3, 2)]),
        ("2/3", "4/3", [NoteValue(Fraction(1), 0, 3, 2)]),  # of a quarter note triplet
        ("2/3", "5/3", [NoteValue(Fraction(1, 2), 0, 3, 2), NoteValue(Fraction(1), 0, 3, 2)]),
        ("0", "1/5", [NoteValue(Fraction(1, 4), 0, 5, 4)]),
        ("0", "3", [NoteValue(Fraction(2), 1)]),
    ],
)
def test_note_values(start: str, end: str, values: list[NoteValue]) -> None:
    assert [value for _, _, value in pieces(Fraction(start), Fraction(end), Fraction(1))] == values


def test_tuplets_are_grouped_by_beat() -> None:
    third = Fraction(1, 3)
    sounds = tuple(Sound(n * third, (n + 1) * third, 60 + n) for n in range(6))
    part = Part("x", (Measure(Fraction(0), Fraction(2), "2/4", 0),), sounds)
    row = engraved(part).layers[0][0]
    assert tuplets(row) == [range(3), range(3, 6)]
    assert "(3:2:3C ^C D (3:2:3_E =E F" in abc_writer.to_bytes(Score("", (part,))).decode()


# ------------------------------------------------------------------------------------- spelling, marks, texts


def melody(pitches: list[int], fifths: int = 0, **more: Any) -> Part:
    sounds = tuple(Sound(Fraction(n), Fraction(n + 1), pitch) for n, pitch in enumerate(pitches))
    count = -(-len(pitches) // 4)
    measures = tuple(Measure(Fraction(4 * n), Fraction(4), "4/4", fifths) for n in range(count))
    return Part("Melody", measures, sounds, **more)


def test_pitches_are_spelled_by_the_key() -> None:
    pitches = [61, 63, 66, 70]
    sharp = abc_writer.to_bytes(Score("", (melody(pitches, 5),))).decode()
    flat = abc_writer.to_bytes(Score("", (melody(pitches, -5),))).decode()
    assert sharp.splitlines()[-1] == "C2 D2 F2 A2 |]"
    assert flat.splitlines()[-1] == "D2 E2 G2 B2 |]"
    xml = musicxml_writer.to_bytes(Score("", (melody([66, 70], 1),))).decode()
    assert xml.replace("\n", "").replace(" ", "").count("<step>F</step><alter>1</alter>") == 1
    assert xml.replace("\n", "").replace(" ", "").count("<step>B</step><alter>-1</alter>") == 1


def test_accidentals_are_clear_to_every_reader() -> None:
    text = abc_writer.to_bytes(Score("", (melody([78, 66, 65, 66, 65, 65, 77, 65]),))).decode()
    assert text.splitlines()[-1] == "^f2 ^F2 =F2 ^F2 | F2 F2 f2 F2 |]"


def repeated() -> Score:
    """|: C | [1 D :| [2 E | segno F | Fine, D.S."""
    marks = (
        Marks(forward=True), Marks(ending=(1,), backward=2, ends_ending=True), Marks(ending=(2,), ends_ending=True),
        Marks(segno=True), Marks(fine=True), Marks(jump=Jump.DAL_SEGNO),
    )  # fmt: skip
    measures = tuple(Measure(Fraction(n), Fraction(1), "1/4", 0, marks=mark) for n, mark in enumerate(marks))
    sounds = tuple(Sound(Fraction(n), Fraction(n + 1), 60 + n) for n in range(6))
    return Score("Tune", (Part("Melody", measures, sounds),))


@pytest.mark.parametrize("suffix", WRITERS)
def test_repeats_and_jumps_are_kept(suffix: str) -> None:
    again = read_back(WRITERS[suffix](repeated()), suffix)
    own = unfolded(again).parts[0]
    assert [sound.pitch for sound in own.sounds] == [60, 61, 60, 62, 63, 64, 65, 63, 64]


@pytest.mark.parametrize("suffix", WRITERS)
def test_parts_lyrics_chords_tempi_and_titles_are_kept(suffix: str) -> None:
    lyrics = (Lyric(Fraction(0), "glo-"), Lyric(Fraction(1), "ri-"), Lyric(Fraction(2), "a"), Lyric(Fraction(4), "in"))
    symbols = tuple((Fraction(2 * n), Chord.parse(name)) for n, name in enumerate(("C", "G7/B", "F#m7b5", "N.C.")))
    tempi = ((Fraction(0), 90.0), (Fraction(6), 72.0))
    first = melody([60, 62, 64, 65] * 2, tempi=tempi, lyrics=lyrics, chords=symbols)
    second = Part("Bass", first.measures, (Sound(Fraction(0), Fraction(8), 36),), program=32)
    score = Score("A title", (first, second), "A composer")
    again = read_back(WRITERS[suffix](score), suffix)
    assert (again.title, again.composer) == ("A title", "A composer")
    assert [(part.name, part.program, heard(part)) for part in again.parts] == [
        (part.name, part.program, heard(part)) for part in score.parts
    ]
    assert again.parts[0].lyrics == lyrics
    assert again.parts[0].tempi == first.tempi
    assert again.parts[0].chords == symbols


def test_texts_cannot_break_the_file() -> None:
    score = Score('T%i"t\nX:2\nK:D <&>\x01\x0b', (melody([60, 62, 64, 65]),), "C\n%C")
    assert read_back(abc_writer.to_bytes(score), ".abc").parts[0].sounds == score.parts[0].sounds
    assert len(abc.split_collection(abc_writer.to_bytes(score).decode())) == 1
    assert musicxml.read_score(musicxml_writer.to_bytes(score), "x").parts[0].sounds == score.parts[0].sounds


@pytest.mark.parametrize("suffix", [".musicxml", ".xml", ".mxl", ".abc"])
def test_a_song_from_midi_is_written_as_its_melody(suffix: str) -> None:
    song = Song.read(files.type_1())
    own = read_back(to_file(song, song.melody.rows, suffix), suffix).parts
    assert len(own) == 1
    again = read_any(to_file(song, song.melody.rows, suffix), name=f"x{suffix}")
    assert [(n.measure, n.tick, n.pitch) for n in again.melody.notes] == [
        (n.measure, n.tick, n.pitch) for n in song.melody.notes
    ]
    assert [(b.number, b.signature) for b in again.melody.bars] == [(b.number, b.signature) for b in song.melody.bars]
    assert again.tempo == pytest.approx(song.tempo, rel=1e-3)


@pytest.mark.parametrize("suffix", [".musicxml", ".abc"])
def test_an_edited_score_keeps_the_rest_of_it(suffix: str) -> None:
    text = (
        'X:1\nT:Song\nC:Ann\nM:4/4\nL:1/4\nV:1 name="Tune"\nV:2 name="Low"\nK:G\n'
        "V:1\n|:G A B c|[1 d2 d2:|[2 [Bd]4|]\nw: a b c d\nV:2\n|:G,4|[1 D,4:|[2 G,4|]\n"
    )
    song = read_any(text.encode(), track="Tune")
    rows = list(song.melody.rows)
    assert rows[0] is not None
    changed = rows[0].copy()
    changed[changed == changed[0]] += 12  # an octave up
    rows[0] = changed
    again = read_back(to_file(song, rows, suffix), suffix)
    assert (again.title, again.composer, again.printed, again.played) == ("Song", "Ann", 3, 4)
    assert [sound.pitch for sound in again.parts[0].sounds] == [79, 69, 71, 72, 74, 74, 71, 74]
    assert heard(again.parts[1]) == [(0, 4, 55), (4, 8, 50), (8, 12, 55)]
    assert [lyric.text for lyric in again.parts[0].lyrics] == ["a", "b", "c", "d"]


def test_measures_without_tokens_are_rounded_to_a_grid() -> None:
    """A quintuplet does not fit the grid. A score keeps it, and a MIDI file gives the nearest eighths or twelfths."""
    song = read_any(b"X:1\nM:4/4\nL:1/4\nK:C\nCDEF|(5:4:5C/D/E/F/G/ c2|CDEF|]\n")
    exact = score_of(song, song.melody.rows).parts[0].sounds
    assert [str(sound.start) for sound in exact][4:9] == ["4", "22/5", "24/5", "26/5", "28/5"]
    midi = Song.read(song.write(song.melody.rows))
    rows = [midi.melody.rows[0], None, midi.melody.rows[2]]
    rounded = score_of(midi, rows).parts[0].sounds
    assert [str(sound.start) for sound in rounded][4:9] == ["4", "53/12", "29/6", "31/6", "67/12"]
    assert [sound.pitch for sound in rounded] == [sound.pitch for sound in exact]


def test_an_unfolded_score_is_written_without_repeats() -> None:
    song = read_any(b"X:1\nM:4/4\nL:1/4\nK:C\n|:CDEF|[1 GABc:|[2 cBAG|]\n", unfold=True)
    text = to_file(song, song.melody.rows, ".abc").decode()
    assert text.splitlines()[-1] == "C2 D2 E2 F2 | G2 A2 B2 c2 | C2 D2 E2 F2 | c2 B2 A2 G2 |]"


def test_results_are_saved_in_the_format_of_the_suffix(tmp_path: Path) -> None:
    (tmp_path / "in.abc").write_text("X:1\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|cBAG|FEDC|]\n")
    song = arvae_music.read(tmp_path / "in.abc")
    arvae_music.save(tmp_path / "out.musicxml", song)
    arvae_music.save(tmp_path / "out.mid", song)
    arvae_music.save(tmp_path / "melody.abc", song.melody)
    assert (tmp_path / "out.mid").read_bytes()[:4] == b"MThd"
    for name in ("out.musicxml", "melody.abc"):
        again = arvae_music.read(tmp_path / name)
        assert [note.pitch for note in again.melody.notes] == [note.pitch for note in song.melody.notes]


def test_the_report_tells_of_repeats_and_of_what_is_left_out() -> None:
    text = b"X:1\nM:4/4\nL:1/4\nK:C\n|:{d}CDEF:|GABc|]\n"
    assert score_lines(read_any(text)) == [
        "measures: those on the page, 2; as played there are 3 (--unfold)", "left out: 1 grace note"
    ]  # fmt: skip
    unfolded_lines = score_lines(read_any(text, unfold=True))
    assert unfolded_lines[0] == "measures: those as played, 3; on the page there are 2"
    assert score_lines(Song.read(files.type_1())) == []


def test_other_suffixes_are_refused() -> None:
    song = Song.read(files.type_1())
    with pytest.raises(UsageError, match=r"'\.pdf' is not a format of scores; give one of \.musicxml"):
        to_file(song, song.melody.rows, ".pdf")
