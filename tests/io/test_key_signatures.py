"""Keys change where a file says so: each measure has its own, in every format in and out."""

from __future__ import annotations

import io
from collections.abc import Sequence

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import arvae_music
from arvae_music.io.key_signatures import keys_of
from arvae_music.io.midi import Song
from arvae_music.io.score_output import file_of
from arvae_music.library import Model
from arvae_music.music.attributes import PAPER, find
from arvae_music.reports.summaries import describe, file_lines

BEAT, MEASURE = 480, 1920
DEGREES = (0, 2, 4, 5, 7, 9, 11)
TUNE = (0, 2, 4, 3, 2, 4, 5, 4, 4, 3, 2, 1, 0, 2, 1, 0)  # degrees of the scale
NAMES = dict(zip(range(-6, 7), ["Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#"], strict=True))


def scale(fifths: int) -> set[int]:
    """The pitch classes of a key signature, counted from its major tonic."""
    return {(7 * fifths + degree) % 12 for degree in DEGREES}


def midi(keys: Sequence[tuple[int, str]], measures: int = 4, late: int = 0, written: bool = True) -> bytes:
    """A passage of `measures` of quarter notes in each key (fifths, and the name for the event). The events come `late`
    ticks after the barline."""
    events: list[tuple[int, mido.Message | mido.MetaMessage]] = [(0, mido.MetaMessage("time_signature"))]
    for n, (fifths, name) in enumerate(keys):
        start = n * measures * MEASURE
        if written:
            events.append((start + (late if n else 0), mido.MetaMessage("key_signature", key=name)))
        tonic = 60 + (7 * fifths) % 12
        for i in range(4 * measures):
            pitch = tonic + DEGREES[TUNE[i % len(TUNE)]]
            events.append((start + i * BEAT, mido.Message("note_on", note=pitch, velocity=80)))
            events.append((start + (i + 1) * BEAT, mido.Message("note_off", note=pitch, velocity=0)))
    events.sort(key=lambda event: (event[0], event[1].type != "note_off"))
    track, now = mido.MidiTrack(), 0
    for at, message in events:
        track.append(message.copy(time=at - now))
        now = at
    out = io.BytesIO()
    mido.MidiFile(tracks=[track], ticks_per_beat=BEAT).save(file=out)
    return out.getvalue()


def keys_in(song: Song) -> list[int]:
    return [song.melody.key_at(i) for i in range(len(song.melody.bars))]


@pytest.mark.parametrize("late", [0, 30, 700])
@pytest.mark.parametrize(
    ("one", "other"),
    [((0, "C"), (4, "E")), ((-3, "Cm"), (3, "A")), ((0, "Am"), (1, "Em")), ((6, "F#"), (-5, "Db"))],
)
def test_each_measure_has_the_signature_in_force(one: tuple[int, str], other: tuple[int, str], late: int) -> None:
    song = Song.read(midi([one, other], late=late))
    assert keys_in(song) == [one[0]] * 4 + [other[0]] * 4
    assert song.melody.key_origin == "key signature"


def test_the_melodys_key_is_that_of_most_notes() -> None:
    melody = Song.read(midi([(0, "C"), (2, "D"), (2, "D")])).melody
    assert (melody.fifths, melody.relative_key(0), melody.relative_key(5)) == (2, -2, 0)
    assert melody.shift % 12 == -7 * 2 % 12


def test_a_signature_that_a_passage_contradicts_is_not_believed() -> None:
    song = Song.read(midi([(0, "C"), (-3, "G")]))
    assert keys_in(song) == [0] * 4 + [-3] * 4


def test_a_file_without_signatures_has_one_estimated_key() -> None:
    song = Song.read(midi([(0, "C"), (0, "C")], written=False))
    assert set(keys_in(song)) == {0}
    assert song.melody.key_origin == "estimated"


def test_an_empty_passage_has_its_signature() -> None:
    none = np.zeros(0, dtype=np.int64)
    assert keys_of([(0, 2), (10, -1)], [5, 15], none, none, none).of_measures == [2, -1]


def test_inspect_shows_the_changes() -> None:
    song = Song.read(midi([(0, "C"), (4, "E")]))
    description = describe(song, [find(name) for name in PAPER])
    assert [change.bar for change in description["keys"]] == [1, 5]
    (line,) = [line for line in file_lines(song, description) if line.startswith("keys")]
    assert "C major or A minor from bar 1" in line
    assert "E major or C# minor (4 sharps) from bar 5" in line
    single = Song.read(midi([(0, "C")]))
    assert not any(line.startswith("keys") for line in file_lines(single, describe(single, [])))


def test_notes_have_the_names_of_their_key() -> None:
    song = Song.read(midi([(0, "C"), (-4, "Ab"), (4, "E")]))
    measures = describe(song, [])["bars"]
    assert measures[4]["notes"] == ["Ab4", "C5", "Eb5", "Db5"]
    assert measures[8]["notes"] == ["E4", "G#4", "B4", "A4"]


@pytest.mark.parametrize("suffix", [".musicxml", ".mxl", ".abc", ".mid"])
@pytest.mark.parametrize("of_song", [True, False])
def test_files_out_have_the_changes(suffix: str, of_song: bool) -> None:
    song = Song.read(midi([(0, "C"), (4, "E"), (-1, "F")]))
    data = file_of(song if of_song else song.melody, song.melody, suffix)
    again = arvae_music.read(data, name=f"x{suffix}")
    assert keys_in(again) == [0] * 4 + [4] * 4 + [-1] * 4
    assert [note.pitch for note in again.melody.notes] == [note.pitch for note in song.melody.notes]


def test_the_melody_in_full_measures_has_the_same_keys() -> None:
    song = Song.read(midi([(0, "C"), (4, "E")]))
    assert [song.whole().key_at(i) for i in range(8)] == keys_in(song)


# ------------------------------------------------------------------------------------ edits


@pytest.fixture(scope="module", params=["bach", "folk"])
def model(request: pytest.FixtureRequest) -> Model:
    return arvae_music.load(request.param)


def new_notes(song: Song, edited: arvae_music.Melody) -> list[tuple[int, int]]:
    """(index of the measure, pitch) of the notes that an edit added or moved."""
    before = {(note.measure, note.tick, note.pitch) for note in song.melody.notes}
    found = {(note.measure, note.tick, note.pitch) for note in edited.notes}
    return [(measure, pitch) for measure, _, pitch in found - before]


@settings(max_examples=12, deadline=None)
@given(
    keys=st.lists(st.integers(-6, 6), min_size=2, max_size=3, unique=True),
    target=st.sampled_from([("density", "+1notes"), ("range", "+3st"), ("pitch", "+2st"), ("contour", "+3st")]),
    each=st.booleans(),
    seed=st.integers(0, 3),
)
def test_new_notes_belong_to_the_key_in_force(
    model: Model, keys: list[int], target: tuple[str, str], each: bool, seed: int
) -> None:
    song = Song.read(midi([(fifths, NAMES[fifths]) for fifths in keys], measures=2))
    result = model.edit(song, dict([target]), lock="key", each=each, seed=seed)
    for measure, pitch in new_notes(song, result.melody):
        assert pitch % 12 in scale(keys[measure // 2]), (measure, pitch)


def test_an_edit_under_the_lock_adds_notes_in_both_keys(model: Model) -> None:
    song = Song.read(midi([(0, "C"), (4, "E")]))
    result = model.edit(song, density="+2notes", lock="key", each=True)
    added = new_notes(song, result.melody)
    for first, fifths in ((0, 0), (4, 4)):
        own = {pitch % 12 for measure, pitch in added if first <= measure < first + 4}
        assert own
        assert own <= scale(fifths)
    assert all(bar.hit for bar in result.bars)


def test_without_the_lock_new_notes_of_another_key_fit_it_too(model: Model) -> None:
    song = Song.read(midi([(0, "C"), (0, "C"), (4, "E")]))
    added = [pitch for measure, pitch in new_notes(song, model.edit(song, density="+2notes", each=True).melody)
             if measure >= 8]  # fmt: skip
    assert added
    assert sum(pitch % 12 in scale(4) for pitch in added) >= 0.9 * len(added)


def test_variations_stay_in_the_key_in_force(model: Model) -> None:
    song = Song.read(midi([(0, "C"), (4, "E")]))
    for variation in model.vary(song, 2, lock="key"):
        assert all(pitch % 12 in scale(0 if measure < 4 else 4) for measure, pitch in new_notes(song, variation.melody))


def test_equal_measures_in_different_keys_are_no_repetition(model: Model) -> None:
    """C E G E is in C major and in G major: a new F suits only the first, and F sharp only the second."""
    data = mido.MidiFile(ticks_per_beat=BEAT)
    track = mido.MidiTrack([mido.MetaMessage("time_signature"), mido.MetaMessage("key_signature", key="C")])
    for measure in range(8):
        if measure == 4:
            track.append(mido.MetaMessage("key_signature", key="G"))
        for pitch in (72, 76, 79, 76):
            track.append(mido.Message("note_on", note=pitch, velocity=80))
            track.append(mido.Message("note_off", note=pitch, velocity=0, time=BEAT))
    data.tracks.append(track)
    out = io.BytesIO()
    data.save(file=out)
    song = Song.read(out.getvalue())
    assert keys_in(song) == [0] * 4 + [1] * 4
    result = model.edit(song, density="+3notes", lock="key", each=True)
    for measure, pitch in new_notes(song, result.melody):
        assert pitch % 12 in scale(measure // 4)
