"""Reading and splicing MIDI, with mido and pretty_midi as independent readers of what was written."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from time import process_time

import midi_files as files
import mido
import numpy as np
import pretty_midi
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from midi_files import FOUR, KNOWN_HARD, TUNE, Performed, Rows, canonical, exact, heard

from arvae_music.arrays import Row
from arvae_music.errors import InputError
from arvae_music.io.chunks import split
from arvae_music.io.midi import Song, new_midi
from arvae_music.io.midi_events import END_OF_TRACK, encode_track, parse_track
from arvae_music.music.meter import Meter
from arvae_music.music.reasons import Reason
from arvae_music.music.tokens import HOLD, REST, notes_of, onsets

CHOICE = {"type_0": {"channel": 1}}  # where the test, not the rule, names the melody
NO_PICKUP = Fraction(0)
FEW = settings(max_examples=40, deadline=None)


def read(data: bytes, name: str = "") -> Song:
    return Song.read(data, name=name or "test.mid", pickup=NO_PICKUP, **CHOICE.get(name, {}))


def reread(data: bytes, song: Song) -> Song:
    found = song.found
    return Song.read(data, track=found.track, channel=found.channel, pickup=song.pickup)


# What mido reads


def mido_events(data: bytes) -> list[list[tuple[int, list[int]]]]:
    """(absolute tick, bytes) of every event of every track."""
    if data[:4] == b"RIFF":
        data = data[20:]
    elif b"XFIH" in data:
        data = data.replace(files.chunk(b"XFIH", b"whatever"), b"")  # mido refuses unknown chunks
    tracks = []
    for track in mido.MidiFile(file=io.BytesIO(data)).tracks:
        tick, events = 0, []
        for message in track:
            tick += message.time
            events.append((tick, message.bytes()))
        tracks.append(events)
    return tracks


def other_events(data: bytes, song: Song) -> list[list[tuple[int, list[int]]]]:
    """All but the melody's notes and the ends of tracks."""
    tracks = mido_events(data)
    channel = song.found.channel - 1
    own = tracks[song.found.track - 1]
    tracks[song.found.track - 1] = [e for e in own if e[1][0] not in (0x80 | channel, 0x90 | channel)]
    return [[e for e in events if e[1][:2] != [0xFF, END_OF_TRACK]] for events in tracks]


def mido_notes(data: bytes, song: Song) -> list[tuple[int, int, int, int]]:
    """Start, end, pitch, velocity of the melody's notes."""
    notes, sounding = [], {}
    channel = song.found.channel - 1
    for tick, message in mido_events(data)[song.found.track - 1]:
        if message[0] == 0x90 | channel and message[2]:
            assert message[1] not in sounding or song.name == "original", "a note overlaps itself"
            sounding[message[1]] = (tick, message[2])
        elif message[0] in (0x80 | channel, 0x90 | channel) and message[1] in sounding:
            start, velocity = sounding.pop(message[1])
            notes.append((start, tick, message[1], velocity))
    assert not sounding
    return sorted(notes)


# Known-hard files


@pytest.mark.parametrize("name", KNOWN_HARD)
def test_known_hard_files_give_the_tune_and_come_back_unchanged(name: str) -> None:
    data = KNOWN_HARD[name]()
    song = read(data, name)
    expected = heard(TUNE, 0)
    if name == "off_grid_in_the_middle":
        assert song.melody.bars[2].reason is Reason.OFF_GRID
        expected[2] = None
    assert heard(song.melody.rows, song.melody.shift)[: len(TUNE)] == expected
    assert song.write(song.melody.rows) == data


@pytest.mark.parametrize("name", KNOWN_HARD)
@FEW
@given(draw=st.data())
def test_edits_change_nothing_but_the_melody(name: str, draw: st.DataObject) -> None:
    data = KNOWN_HARD[name]()
    song = read(data, name)
    rows = edited(song, draw, files.any_row if song.placements.notated else files.plain_row)
    written = song.write(rows)
    assert other_events(written, song) == other_events(data, song)
    if song.melody.with_rows({i: r for i, r in enumerate(rows) if r is not None}).notes:
        again = reread(written, song)
        assert heard(again.melody.rows, again.melody.shift)[: len(rows)] == heard(rows, song.melody.shift)
        assert [b.start for b in again.melody.bars][: len(rows)] == [b.start for b in song.melody.bars]


def edited(song: Song, draw: st.DataObject, kind: object) -> Rows:
    """Other rows in some of the bars, with a note somewhere."""
    rows: Rows = list(song.melody.rows)
    for i in draw.draw(st.lists(st.sampled_from(song.melody.editable), min_size=1, max_size=4, unique=True)):
        meter = song.melody.bars[i].meter
        assert meter is not None
        rows[i] = draw.draw(kind(meter))
        # Strategies speak of normalised pitches; keep them where the song's other notes are.
        rows[i] = np.where(rows[i] > REST, rows[i] + song.melody.shift, rows[i]).astype(np.int16)
    result = canonical(rows, song.melody.rows)
    assume(any((r > REST).any() for r in result if r is not None))
    # A hold after a measure without tokens becomes a rest. In a played file, a rest below an eighth is articulation.
    opening = [r for r in result if r is not None and r[0] == REST]
    assume(song.placements.notated or not any((r[1:3] > REST).any() for r in opening))
    return result


@pytest.mark.parametrize("name", ["running_status", "rmi"])
def test_other_chunks_are_copied(name: str) -> None:
    data = KNOWN_HARD[name]()
    song = read(data, name)
    rows = list(song.melody.rows)
    rows[0] = canonical([files.row(FOUR, t0=60)])[0]
    written = song.write(rows)
    before, after = split(data, name), split(written, name)
    ours = song.found.track - 1
    first, second = before.tracks[ours], after.tracks[ours]
    grown = len(written) - len(data)
    assert data[first.stop :] == written[second.stop :]
    start = 20 if name == "rmi" else 0
    assert data[start : first.start - 4] == written[start : second.start - 4]
    if name == "rmi":
        sizes = [[int.from_bytes(d[at : at + 4], "little") for at in (4, 16)] for d in (data, written)]
        assert sizes[1] == [size + grown for size in sizes[0]]


def test_events_after_the_end_of_track_and_running_status_stay() -> None:
    song = read(files.running_status())
    rows = list(song.melody.rows)
    rows[0] = files.row(FOUR, t0=60) + np.int16(0)
    written = song.write(rows)
    body = split(written, "x").track(0)
    track = parse_track(body)
    assert track.tail == b"\x00\xff\x01\x03end"
    assert sum(event.running for event in track.events) == len([e for e in track.events if e.kind == 0x90]) - 1


@pytest.mark.parametrize("name", KNOWN_HARD)
def test_the_event_parser_agrees_with_mido(name: str) -> None:
    data = KNOWN_HARD[name]()
    parts = split(data, name)
    ours = [parse_track(parts.track(i)) for i in range(len(parts.tracks))]
    if name == "running_status":  # mido reads on after the end of the track
        theirs = mido_events(data)[0][:-1]
        assert [(e.tick, list(e.data)) for e in ours[0].events] == theirs
    else:
        assert [[(e.tick, list(e.data)) for e in t.events] for t in ours] == [
            [(tick, data) for tick, data in events] for events in _with_sysex_length(mido_events(data))
        ]
    for track in ours:
        assert parse_track(encode_track(track)).events == track.events


def _with_sysex_length(events: list[list[tuple[int, list[int]]]]) -> list[list[tuple[int, list[int]]]]:
    """A file has the length of a sysex behind its status, which mido leaves out."""
    for track in events:
        for i, (tick, data) in enumerate(track):
            if data[0] == 0xF0:
                track[i] = (tick, [0xF0, len(data) - 1, *data[1:]])
    return events


# Round trips


@FEW
@given(files.melodies())
def test_rows_survive_a_new_file(melody: tuple[list[Row], list[Meter]]) -> None:
    rows, meters = melody
    song = Song.read(new_midi(rows, meters), pickup=NO_PICKUP)
    assert heard(song.melody.rows, song.melody.shift) == heard(rows, 0)
    assert [bar.meter for bar in song.melody.bars] == meters


@FEW
@given(files.melodies())
def test_pretty_midi_reads_the_same_notes(melody: tuple[list[Row], list[Meter]]) -> None:
    rows, meters = melody
    data = new_midi(rows, meters, tempo=120)
    theirs = pretty_midi.PrettyMIDI(io.BytesIO(data)).instruments[0].notes
    expected = [(n.pitch, s / 960, e / 960) for n, s, e in files.nominal(rows, meters, 480)]
    found = sorted([(n.pitch, n.start, n.end) for n in theirs], key=lambda n: n[1])
    assert [n[0] for n in found] == [n[0] for n in expected]
    assert np.allclose([n[1:] for n in found], [n[1:] for n in expected], atol=1e-6)


@FEW
@given(files.melodies(files.plain_row), st.randoms(use_true_random=False), st.sampled_from([96, 480, 960]))
def test_played_rows_are_read_as_written(melody: tuple[list[Row], list[Meter]], random: object, tpq: int) -> None:
    """Onsets up to a 48th of a beat early or late in a file that may be late as a whole, ends cut short: the same
    rows."""
    rows, meters = melody
    song = Song.read(humanised(rows, meters, tpq, random), pickup=NO_PICKUP)
    assume(not song.placements.notated)
    if len(song.notes) == len(nominal := exact(rows, meters, tpq)):  # the lateness of the file comes on top
        late = song.placements.late
        off = [abs(note.start - true.start - late) for note, true in zip(song.notes, nominal, strict=True)]
        assume(max(off) <= shortest_beat(meters, tpq) / 48 + 1)
    assert heard(song.melody.rows, song.melody.shift) == heard(rows, 0)


def shortest_beat(meters: Sequence[Meter], tpq: int) -> int:
    """The file ticks of the shortest beat that the meters have, where a compound beat counts as a simple one."""
    return tpq >> max(meter.halved for meter in meters)


def humanised(rows: Sequence[Row], meters: Sequence[Meter], tpq: int, random: object) -> bytes:
    beat = shortest_beat(meters, tpq)
    jitter, late = beat // 49, beat // 48
    notes = []
    for note in exact(rows, meters, tpq, late=late):
        start = note.start - late + random.randint(-jitter, jitter)
        full = note.end - late - start
        cut = min(full * random.uniform(0.1, 0.25), 0.35 * tpq)
        notes.append(Performed(max(0, start), max(start + 2, round(start + full - cut)), note.pitch))
    events = []
    for i, meter in enumerate(meters):
        if i == 0 or meter != meters[i - 1]:
            numerator, denominator = (int(n) for n in meter.name.split("/"))
            at = int(sum(m.quarters for m in meters[:i]) * tpq)
            events.append((at, files.signature(numerator, denominator)))
    length = int(sum(m.quarters for m in meters) * tpq)
    return files.save([files.track(events), files.track(files.note_messages(notes), length)], tpq=tpq)


def test_a_lone_third_of_a_beat_is_read_in_a_file_of_sixteenths_that_is_late() -> None:
    """The prevailing grid decides only between grids that both fit."""
    beats = [0, 0.75, 1, 1.5, 2, 2.25, 3, 3.75, 4 + 2 / 3, 5, 5.5, 6, 7, 7.25]
    notes = [Performed(round(480 * beat) + 9, round(480 * beat) + 100, 60 + i % 5) for i, beat in enumerate(beats)]
    notes[8] = Performed(round(480 * beats[8]) + 9 + 18, round(480 * beats[8]) + 110, 62)
    song = Song.read(files.save([files.track(files.note_messages(notes), 3840)], tpq=480), pickup=NO_PICKUP)
    assert song.placements.late == 9
    assert [bar.reason for bar in song.melody.bars] == [None, None]
    assert song.placements.tick.tolist() == [0, 5, 6, 9, 12, 13, 18, 23, 4, 6, 9, 12, 18, 19]


@FEW
@given(files.melodies(files.plain_row), st.randoms(use_true_random=False), st.data())
def test_edits_of_played_files_are_read_back(
    melody: tuple[list[Row], list[Meter]], random: object, draw: st.DataObject
) -> None:
    data = humanised(*melody, 480, random)
    song = Song.read(data, pickup=NO_PICKUP)
    assume(not song.placements.notated)
    rows = edited(song, draw, files.plain_row)
    assume(shortest_rest(rows, song) >= 0.5)  # where a rest loses its beginning to a new note before the barline
    written = song.write(rows)
    again = reread(written, song)
    assume(not again.placements.notated)
    assert heard(again.melody.rows, again.melody.shift) == heard(rows, song.melody.shift)
    kept = {n for n in mido_notes(data, song) if n in mido_notes(written, song)}
    before, after = (
        {(n.measure, n.tick, n.pitch, n.end_measure, n.end_tick) for n in s.melody.notes} for s in (song, again)
    )
    assert len(kept) >= len(before & after) - 2 * len(after - before)  # all but those cut by a neighbour


@FEW
@given(
    files.melodies(files.plain_row),
    st.randoms(use_true_random=False),
    st.data(),
    st.booleans(),
    st.sampled_from([None, Fraction(1), Fraction(3, 2)]),
)
def test_an_edited_file_is_read_with_the_same_barlines(
    melody: tuple[list[Row], list[Meter]],
    random: object,
    draw: st.DataObject,
    signed: bool,
    pickup: Fraction | None,
) -> None:
    """Whatever the rhythm, with and without time signatures, and with a pickup that the user gives."""
    data = humanised(*melody, 480, random)
    if not signed:
        data = data.replace(bytes([0xFF, 0x58, 4]), bytes([0xFF, 0x7F, 4]))  # as another meta event
    try:
        song = Song.read(data, pickup=pickup)
    except InputError:  # nothing to edit
        assume(False)
    rows = edited(song, draw, files.plain_row)
    try:
        again = Song.read(song.write(rows), track=song.found.track, pickup=pickup)
    except InputError:  # two or three played notes may fit no grid, and a file without readable notes has no melody
        assume(False)
    lines = [[(bar.number, bar.signature, bar.start, bar.end) for bar in one.melody.bars] for one in (song, again)]
    # A file may lose its last measures if their notes go, because a melody ends with its last note.
    silent = rows[-1] is not None and not onsets(rows[-1]).any()
    assert lines[0] == lines[1] or (silent and lines[0][: len(lines[1])] == lines[1])
    assert signed or {bar.signature for bar in song.melody.bars} == {"4/4"}


def shortest_rest(rows: Rows, song: Song) -> Fraction | float:
    """Between two notes, in quarter notes."""
    bars = song.melody.bars
    starts = [Fraction(0)]
    for bar in bars:
        assert bar.meter is not None
        starts.append(starts[-1] + bar.meter.quarters)

    def place(measure: int, tick: int) -> Fraction:
        meter = bars[measure].meter
        assert meter is not None
        return starts[measure] + meter.tick_quarters[tick]

    notes = notes_of(rows, 0)
    gaps = (place(b.measure, b.tick) - place(a.end_measure, a.end_tick) for a, b in pairwise(notes))
    return min((gap for gap in gaps if gap), default=np.inf)


# What new notes are like


def song_of(notes: Sequence[Performed], length: int = 2 * files.BAR, **options: object) -> Song:
    data = files.save([files.conductor(), files.track(files.note_messages(notes), length)])
    return Song.read(data, pickup=NO_PICKUP, **options)


def test_another_pitch_keeps_time_velocity_and_length() -> None:
    notes = [Performed(t * 480 + 7, t * 480 + 300 + t, 60 + t, 50 + t) for t in range(8)]
    song = song_of(notes)
    rows = list(song.melody.rows)
    assert rows[0] is not None
    changed = rows[0].copy()
    changed[6] += 2
    written = song.write([changed, rows[1]])
    expected = [(n.start, n.end, n.pitch + 2 * (n.pitch == 61), n.velocity) for n in notes]
    assert mido_notes(written, song) == expected


def test_new_notes_are_played_like_their_neighbours() -> None:
    """A note between two: velocity, lateness and articulation lie between theirs."""
    notes = [Performed(t * 480 + 10, t * 480 + 10 + 330, 60 + t, 40 + 20 * t) for t in range(4)]
    song = song_of(notes, files.BAR)
    row = song.melody.rows[0]
    assert row is not None
    changed = row.copy()
    changed[9] = changed[6]
    written = mido_notes(song.write([changed]), song)
    assert (480 + 240 + 10, 480 + 240 + 10 + 165, 61, 70) in written
    assert (480 + 10, 480 + 10 + 165, 61, 60) in written  # shortened in proportion


def test_the_time_of_writing_grows_with_the_melody_and_not_with_its_square() -> None:
    measures = 1500
    old, new = (np.full((measures, FOUR.ticks), HOLD, dtype=np.int16) for _ in range(2))
    old[:, ::6], new[:, ::6], new[:, 3::6] = 20, 22, 24
    song = Song.read(new_midi(list(old), [FOUR] * measures))
    started = process_time()
    written = song.write(list(new))
    assert process_time() - started < 2  # 0.3 s; it took 6 s to find a neighbour of each new note among all notes
    assert heard(Song.read(written).melody.rows, 0) == heard(list(new), 0)


@pytest.mark.parametrize("tpq", [24, 96, 480, 10080])
def test_no_new_note_is_shorter_than_a_24th_of_a_quarter(tpq: int) -> None:
    """In a staccato file, and beside neighbours that are played early and late."""
    notes = [Performed(t * tpq + (tpq // 12) * (-1) ** t * (t > 0), t * tpq + tpq // 6, 60 + t) for t in range(8)]
    data = files.save([files.conductor(), files.track(files.note_messages(notes), 8 * tpq)], tpq=tpq)
    song = Song.read(data, pickup=NO_PICKUP)
    rows = [None if row is None else row.copy() for row in song.melody.rows]
    for row in rows:
        assert row is not None
        for beat in range(4):
            row[6 * beat + 1 : 6 * beat + 6] = [row[6 * beat] or 20, HOLD, 22, HOLD, 24]
    old, new = mido_notes(data, song), mido_notes(song.write(rows), song)
    added = [note for note in new if note not in old]
    assert added
    assert min(end - start for start, end, *_ in added) >= tpq / 24
    starts = sorted(start for start, *_ in new)
    assert min(b - a for a, b in pairwise(starts)) >= tpq / 24


def test_a_moved_end_keeps_its_place_in_the_order() -> None:
    song = song_of([Performed(0, 960, 60), Performed(960, 1920, 60)], files.BAR)
    row = song.melody.rows[0]
    assert row is not None
    changed = row.copy()
    changed[6] = row[0]
    written = song.write([changed])
    kinds = [(t, m[0] & 0xF0) for t, m in mido_events(written)[1] if m[0] < 0xF0]
    assert kinds == [(0, 0x90), (480, 0x80), (480, 0x90), (960, 0x80), (960, 0x90), (1920, 0x80)]


def test_a_note_from_a_measure_that_passes_through() -> None:
    """It rings on while its row holds, and ends on the barline where it doesn't."""
    notes = [Performed(0, 60, 60), Performed(60, 1920 + 480, 72), Performed(2400, 3840, 71)]
    song = song_of(notes)
    row = song.melody.rows[1]
    assert song.melody.rows[0] is None
    assert row is not None
    assert row[0] == HOLD
    longer, rest = row.copy(), row.copy()
    longer[6], longer[12] = HOLD, row[6]
    rest[0], rest[6:] = REST, HOLD
    assert (60, 1920 + 960, 72, 80) in mido_notes(song.write([None, longer]), song)
    assert (60, 1920, 72, 80) in mido_notes(song.write([None, rest]), song)
    assert (0, 60, 60, 80) in mido_notes(song.write([None, rest]), song)


def test_the_track_ends_no_earlier_than_its_notes() -> None:
    song = song_of([Performed(0, 480, 60)], 480)
    row = song.melody.rows[0]
    assert row is not None
    changed = row.copy()
    changed[6:] = HOLD
    written = song.write([changed])
    assert mido_notes(written, song)[0][1] == 1920
    assert mido_events(written)[1][-1][0] == 1920


def test_rows_that_do_not_fit_are_a_bug_of_the_caller() -> None:
    song = read(files.off_grid_in_the_middle())
    rows = song.melody.rows
    with pytest.raises(ValueError, match="rows for"):
        song.write(rows[:-1])
    with pytest.raises(ValueError, match="bar 3 passes through"):
        song.write([rows[0]] * len(rows))
    with pytest.raises(ValueError, match="bar 1 needs a row"):
        song.write([None] * len(rows))


# Choosing the melody


def test_the_melody_is_chosen_by_a_rule_that_is_told() -> None:
    song = read(files.type_1())
    assert (song.found.track, song.found.channel) == (3, 3)
    assert song.found.why.startswith("the likeliest of 2 voices: ")
    piano, flute = song.candidates
    assert piano.score is not None
    assert flute.score is not None
    assert flute.score > piano.score + 1
    assert [c.polyphony > 0.5 for c in song.candidates] == [True, False]
    named = files.save([
        files.conductor(),
        files.track([(0, files.name("Lead Vocals")), *files.tune()]),
        files.track([(0, files.name("Backing Vocals")), *files.note_messages([Performed(0, 960, 90)])]),
        files.track(files.drums()),
    ])  # fmt: skip
    assert read(named).found.why.startswith("the likeliest of 2 voices: its name says so")
    assert [c.drums for c in read(named).candidates] == [False, False, True]


@pytest.mark.parametrize(
    ("options", "track"),
    [({"track": 2}, 2), ({"track": "3"}, 3), ({"track": "flute"}, 3), ({"track": "Pia"}, 2), ({"channel": 3}, 3)],
)
def test_the_user_names_the_melody(options: dict[str, object], track: int) -> None:
    song = Song.read(files.type_1(), **options)
    assert song.found.track == track
    assert song.found.why.startswith("you chose ")


# Errors


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is empty"),
        (b"hello, world", "it is not a MIDI file; export it"),
        (b"MThd\0\0", "it is truncated; export or download it again"),
        (files.type_1()[:12] + b"\xe7\x28" + files.type_1()[14:], "SMPTE"),
        (files.type_1()[:12] + b"\0\0" + files.type_1()[14:], "no ticks in a quarter"),
        (files.save([files.conductor()]), "it holds no notes"),
        (files.save([files.track(files.drums())]), r"only drums \(channel 10\); give channel=10"),
        (files.save([files.conductor((0, files.signature(17, 8))), files.track(files.tune())]), "meter 17/8"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Song.read(data, name="song.mid")
    assert caught.value.message.startswith("song.mid")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"track": 7}, "there is no track 7 with notes; notes are on track 2 'Piano', track 3 'Flute'"),
        ({"track": "Fluet"}, "there is no track named 'Fluet'; did you mean 'Flute'"),
        ({"channel": 9}, "there are no notes on channel 9; notes are on channel 2, 3"),
    ],
)
def test_a_melody_that_is_not_there(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Song.read(files.type_1(), **options)


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        Song.read(tmp_path / "none.mid")
    with pytest.raises(InputError, match="it is a directory"):
        Song.read(tmp_path)
    (tmp_path / "tune.mid").write_bytes(files.type_1())
    song = Song.read(str(tmp_path / "tune.mid"))
    assert song.melody.name == "tune"


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(KNOWN_HARD)),
    st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=3), st.integers(0, 3)), min_size=1, max_size=6),
)
def test_corrupt_files_give_a_song_or_an_input_error(name: str, harm: list[tuple[float, bytes, int]]) -> None:
    """Bytes put in, changed, or left out, anywhere."""
    data = KNOWN_HARD[name]()
    for place, put, left_out in harm:
        at = int(place * len(data))
        data = data[:at] + put + data[at + left_out :]
    try:
        song = Song.read(data)
    except InputError:
        return
    assert song.write(song.melody.rows) == data
