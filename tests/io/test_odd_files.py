"""Damaged and unusual files: what is there is read, what is odd is told, and every byte that is not edited stays."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import midi_files as files
import mido
import numpy as np
import pytest
from midi_files import BAR, END, FOUR, Performed, chunk, heard

from arvae_music.io import chunks
from arvae_music.io.contents import Contents
from arvae_music.io.midi import Song
from arvae_music.io.midi_events import encode_track, parse_track
from arvae_music.io.notices import Notice, Oddity
from arvae_music.music.reasons import Reason
from arvae_music.reports.summaries import tempi

HEADER = chunk(b"MThd", struct.pack(">HHH", 1, 2, 480))
TUNE_HEARD = heard(files.TUNE, 0)


def two_tracks(*more: bytes, announced: int = 2) -> bytes:
    """The tune, and then another track; `more` are the bytes after it."""
    header = chunk(b"MThd", struct.pack(">HHH", 1, announced, 480))
    return header + b"".join(chunk(b"MTrk", body) for body in (tune_body(), other_body())) + b"".join(more)


def body_of(events: Sequence[tuple[int, mido.Message | mido.MetaMessage]], end: int | None = None) -> bytes:
    data = files.save([files.track(events, end)], kind=0)
    return data[data.index(b"MTrk") + 8 :]


def tune_body() -> bytes:
    return body_of([(0, files.signature(4, 4)), (0, files.name("Tune")), *files.tune()], END)


def other_body(*inside: bytes) -> bytes:
    """A bass, with the given bytes (each with its delta time) at the beginning."""
    return b"".join(inside) + body_of(files.note_messages([Performed(0, END, 40)], channel=1))


def oddities(song: Song) -> list[tuple[Oddity, int | None]]:
    return [(notice.oddity, notice.track) for notice in song.notices]


def edited(song: Song) -> bytes:
    """The file with the first note of measure 1 an octave lower, which is the smallest edit."""
    rows = list(song.melody.rows)
    i = next(i for i, row in enumerate(rows) if row is not None and row[0] > 1)
    row = rows[i]
    assert row is not None
    rows[i] = row.copy()
    rows[i][0] += 1
    return song.write(rows)


def is_tune(song: Song) -> bool:
    return heard(song.melody.rows, song.melody.shift) == TUNE_HEARD


def differing(before: bytes, after: bytes) -> int:
    assert len(before) == len(after)
    return sum(a != b for a, b in zip(before, after, strict=True))


# Bytes that another track or the file has too many or too few of

JUNK = b"\x00\x1a\x03\x80\x91"
ODD_FILES = {
    "surplus track": (two_tracks(announced=1), [(Oddity.TRACK_COUNT, None)]),
    "missing track": (two_tracks(announced=9), [(Oddity.TRACK_COUNT, None)]),
    "junk at the end": (two_tracks(JUNK * 9), [(Oddity.AFTER_CHUNKS, None)]),
    "short junk at the end": (two_tracks(b"\0"), [(Oddity.AFTER_CHUNKS, None)]),
    "junk between": (
        HEADER + chunk(b"MTrk", tune_body()) + JUNK + chunk(b"MTrk", other_body()), [(Oddity.BETWEEN_CHUNKS, None)]
    ),
    "data byte": (HEADER + chunk(b"MTrk", tune_body()) + chunk(b"MTrk", other_body(b"\0\xb1\x07\xff")),
                  [(Oddity.DATA_BYTE, 2)]),
    "pitch above 127": (HEADER + chunk(b"MTrk", tune_body()) + chunk(b"MTrk", other_body(b"\0\x91\xc8\x40")),
                        [(Oddity.DATA_BYTE, 2)]),
    "program above 127": (HEADER + chunk(b"MTrk", tune_body()) + chunk(b"MTrk", other_body(b"\0\xc1\xff")),
                          [(Oddity.DATA_BYTE, 2)]),
    "no end of the other track": (
        HEADER + chunk(b"MTrk", tune_body()) + chunk(b"MTrk", other_body()[:-4]), [(Oddity.NO_END, 2)]
    ),
    "other track cut off": (two_tracks()[:-6], [(Oddity.CUT_OFF, 2), (Oddity.NO_END, 2), (Oddity.UNREADABLE, 2)]),
    "nothing of the other track": (HEADER + chunk(b"MTrk", tune_body()) + b"MTrk\0\0\1\0",
                                   [(Oddity.CUT_OFF, 2), (Oddity.NO_END, 2)]),
    "events after the end": (
        HEADER + chunk(b"MTrk", tune_body()) + chunk(b"MTrk", other_body() + b"\0\xff\1\2ab"), [(Oddity.AFTER_END, 2)]
    ),
    "other track unreadable": (
        HEADER + chunk(b"MTrk", tune_body()) + chunk(b"MTrk", b"\0\x07\x33" + other_body()),
        [(Oddity.NO_END, 2), (Oddity.UNREADABLE, 2)],
    ),
    "size of the other track too large": (
        HEADER + b"MTrk" + struct.pack(">I", len(other_body()) + 7) + other_body() + chunk(b"MTrk", tune_body()),
        [(Oddity.CHUNK_SIZE, 1)],
    ),
    "size of the other track huge": (
        HEADER + b"MTrk\x7f\xff\xff\xff" + other_body() + chunk(b"MTrk", tune_body()), [(Oddity.CHUNK_SIZE, 1)],
    ),
    "size of the other track too small": (
        HEADER + b"MTrk" + struct.pack(">I", len(other_body()) - 5) + other_body() + chunk(b"MTrk", tune_body()),
        [(Oddity.CHUNK_SIZE, 1)],
    ),
    "an alien chunk of huge size": (
        HEADER + b"XXXX\x7f\0\0\0" + chunk(b"MTrk", tune_body()) + chunk(b"MTrk", other_body()),
        [(Oddity.BETWEEN_CHUNKS, None)],
    ),
    "running status after a meta event": (
        HEADER + chunk(b"MTrk", tune_body())
        + chunk(b"MTrk", b"\0\xb1\x07\x40\0\xff\x01\x01a\0\x07\x41" + other_body()),
        [(Oddity.RUNNING_STATUS, 2)],
    ),
    "size of the header": (two_tracks().replace(b"MThd\0\0\0\6", b"MThd\0\0\6\6"), [(Oddity.HEADER_SIZE, None)]),
    "bytes before the header": (JUNK + two_tracks(), [(Oddity.BEFORE_HEADER, None)]),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD_FILES)
def test_an_oddity_outside_the_melody_is_told_and_kept(name: str) -> None:
    data, expected = ODD_FILES[name]
    song = Song.read(data, track="Tune")
    assert oddities(song) == expected
    assert is_tune(song)
    assert song.write(song.melody.rows) == data
    written = edited(song)
    assert differing(data, written) == 2  # the pitch in the note-on and in the note-off
    assert oddities(Song.read(written, track="Tune")) == expected


@pytest.mark.parametrize("name", ODD_FILES)
def test_notices_are_sentences_without_codes(name: str) -> None:
    for notice in Song.read(ODD_FILES[name][0], track="Tune").notices:
        assert "{" not in str(notice)
        assert "Oddity" not in str(notice)


def test_one_is_written_in_the_singular() -> None:
    for oddity in Oddity:
        text = str(Notice(oddity, 1, 480, 2))
        assert "1 bytes" not in text
        assert "1 notes" not in text
        assert "1 events" not in text
        assert text.startswith("track 2: ")
    assert str(Notice(Oddity.DATA_BYTE, 3, 480, 2)).startswith("track 2: 3 events with a data byte above 127, the fir")


# Oddities of the melody's own track


def song_of(events: bytes, name: str = "song.mid") -> Song:
    return Song.read(chunk(b"MThd", struct.pack(">HHH", 0, 1, 480)) + chunk(b"MTrk", events), name=name)


def notes_of_file(data: bytes) -> list[tuple[int, int, int]]:
    """(tick, status, pitch) of all note events, read with mido."""
    import io

    found, tick = [], 0
    for message in mido.MidiFile(file=io.BytesIO(data), clip=True).tracks[-1]:
        tick += message.time
        if message.type in ("note_on", "note_off"):
            on = message.type == "note_on" and message.velocity > 0
            found.append((tick, int(on), message.note))
    return found


def scale(*, without_off: int | None = None, extra: Sequence[Performed] = ()) -> bytes:
    """16 quarter notes, of which one may lack its note-off. Note 1 (of 0 to 15) has the pitch of notes 7 and 15."""
    pitches = (60, 62, 64, 65, 67, 65, 64, 62, 60, 64, 67, 72, 71, 67, 65, 62)
    notes = [Performed(480 * i, 480 * (i + 1), pitch) for i, pitch in enumerate(pitches)]
    messages = files.note_messages([*notes, *extra])
    if without_off is not None:
        at, pitch = notes[without_off].end, notes[without_off].pitch
        messages = [(t, m) for t, m in messages if not (t == at and m.type == "note_off" and m.note == pitch)]
    return body_of([(0, files.signature(4, 4)), *messages], 4 * BAR)


@pytest.mark.parametrize("missing", [0, 1, 4, 7, 11, 15])
def test_a_note_without_a_note_off_ends_where_the_next_begins(missing: int) -> None:
    song = song_of(scale(without_off=missing))
    whole = song_of(scale())
    assert heard(song.melody.rows, 0) == heard(whole.melody.rows, 0)
    assert oddities(song) == [(Oddity.NO_NOTE_OFF, 1)]
    rows = list(song.melody.rows)
    changed = 3 if missing < 8 else 0
    rows[changed] = np.where(rows[changed] > 1, rows[changed] + 2, rows[changed])
    written = song.write(rows)
    again = Song.read(written)
    assert heard(again.melody.rows, 0) == heard(rows, 0)
    outside = lambda data: [e for e in notes_of_file(data) if not changed * BAR <= e[0] <= (changed + 1) * BAR]  # noqa: E731
    assert outside(written) == outside(song.write(song.melody.rows))


def test_two_overlapping_notes_of_one_pitch_with_two_note_offs_are_both_whole() -> None:
    events = body_of(files.note_messages([Performed(0, 700, 60), Performed(480, 1920, 60)]))
    song = song_of(events)
    assert [(n.start, n.end) for n in song.notes] == [(0, 700), (480, 1920)]
    assert song.notices == ()


def test_a_note_without_length_stays_as_it_is() -> None:
    """Whether its note-off stands before its note-on or after it."""
    song = song_of(scale(extra=[Performed(960, 960, 66), Performed(4320, 4320, 70)]))
    assert heard(song.melody.rows, 0) == heard(song_of(scale()).melody.rows, 0)
    assert oddities(song) == [(Oddity.NO_LENGTH, 1)]
    rows = [row.copy() for row in song.melody.rows if row is not None]
    rows[0][:] = rows[1][0]  # 24 notes of one pitch
    rows[0][1:] = 0
    rows[0][0] = rows[0][0] - 1  # a whole note of the pitch 66, which the grace note has
    written = song.write(list(rows))
    contents = Contents.read(written, "x")
    assert (960, 960) in [(n.start, n.end) for n in contents.notes[0] if n.pitch == 66]
    assert sum(n.start == n.end for n in contents.notes[0]) == 2


@pytest.mark.parametrize(
    "switches",
    [
        [Performed(BAR * i, BAR * i + 60, 12 + i % 2) for i in range(4)],  # short, on the barlines
        [Performed(BAR * i + 1, BAR * (i + 1), 24) for i in range(4)],  # held
        [Performed(max(0, BAR * i - 30), BAR * i + 10, 0) for i in range(4)],  # before the notes
        [Performed(BAR * 2, BAR * 2 + 60, 120)],  # above
    ],
)
def test_key_switches_are_told_and_stay(switches: list[Performed]) -> None:
    song = song_of(scale(extra=switches))
    assert heard(song.melody.rows, 0) == heard(song_of(scale()).melody.rows, 0)
    assert [n.oddity for n in song.notices] == [Oddity.KEY_SWITCH]
    rows = [np.where(row > 1, row + 1, row) for row in song.melody.rows if row is not None]
    written = song.write(list(rows))
    apart = lambda data: [e for e in notes_of_file(data) if e[2] < 30 or e[2] > 100]  # noqa: E731
    assert apart(written) == apart(song.write(song.melody.rows))
    assert len(apart(written)) == 2 * len(switches)


def test_an_accompaniment_two_octaves_below_is_no_key_switch() -> None:
    bass = [Performed(480 * i, 480 * (i + 1), 36 + i % 5) for i in range(16)]
    assert [n.oddity for n in files_notices(scale(extra=bass))] == []


def files_notices(events: bytes) -> tuple[Notice, ...]:
    data = chunk(b"MThd", struct.pack(">HHH", 0, 1, 480)) + chunk(b"MTrk", events)
    try:
        return Song.read(data).notices
    except Exception:
        return Contents.read(data, "x").notices


def test_a_data_byte_above_127_in_the_melody_stays() -> None:
    """A velocity above 127 counts as 127, and a pitch above 127 is no note."""
    body = scale()
    at = body.index(bytes([0x90, 64]))
    body = body[: at + 2] + b"\xff" + body[at + 3 :]
    body = b"\0\x90\xe0\x40\x00\xb0\x07\xf0" + body
    song = song_of(body)
    assert heard(song.melody.rows, 0) == heard(song_of(scale()).melody.rows, 0)
    assert [(n.oddity, n.count) for n in song.notices] == [(Oddity.DATA_BYTE, 3)]
    rows = [row.copy() for row in song.melody.rows if row is not None]
    rows[0][rows[0] > 1] += 7
    written = song.write(list(rows))
    assert body[:8] in written
    new = [e for e in parse_track(chunks.split(written, "x").track(0)).events if e.kind == 0x90]
    assert all(e.data[2] <= 127 for e in new[2:])


@pytest.mark.parametrize("left", [0, 3, 40])
def test_a_melody_that_is_cut_off_is_edited_before_the_cut(left: int) -> None:
    body = scale()
    at = body.index(bytes([0x90, 67]), body.index(bytes([0x90, 71])))  # the last 67, in measure 4
    data = chunk(b"MThd", struct.pack(">HHH", 0, 1, 480)) + chunk(b"MTrk", body)[: 8 + at + 2] + b"\x80" * left
    song = Song.read(data)
    assert song.melody.bars[-1].reason is Reason.DAMAGED
    assert heard(song.melody.rows, 0)[:3] == heard(song_of(scale()).melody.rows, 0)[:3]
    assert song.write(song.melody.rows) == data
    written = edited(song)
    body_at = data.index(b"MTrk") + 8
    assert differing(data[body_at:], written[body_at:]) == 2
    longer = [row if row is None else np.where(row > 1, row, 0) for row in song.melody.rows]
    longer[2] = np.where(np.arange(FOUR.ticks) == 0, longer[2], 0)
    again = song.write(longer)
    tail = song._contents.tracks[0].tail
    assert again.endswith(tail)
    before, after = (parse_track(chunks.split(d, "x").track(0)) for d in (data, again))
    assert before.events[-1].tick == after.events[-1].tick


def test_an_oddity_of_running_status_and_of_delta_times_stays() -> None:
    """A running status that continues after a meta event, and delta times with more bytes than they need."""
    body = b"\x80\x00\x90\x3c\x40\x00\xff\x01\x01a\x80\x83\x60\x3c\x00\x00\x3e\x40\x83\x60\x3e\x00\x00\xff\x2f\x00"
    track = parse_track(body)
    assert encode_track(track) == body
    assert [n.oddity for n in track.notices] == [Oddity.RUNNING_STATUS]


def test_delta_times_of_many_bytes_end_the_reading_and_not_the_program() -> None:
    body = b"\0\x90\x3c\x40" + b"\xff\xff\xff\x7f\xb0\x01\x01" * 2000
    track = parse_track(body)
    assert track.damaged
    assert encode_track(track) == body


def test_a_tempo_event_of_odd_length_is_no_tempo() -> None:
    song = song_of(b"\0\xff\x51\x82\x00" + bytes([255]) * 256 + b"\0\xff\x51\x03\x0a\x2c\x2b" + scale())
    assert round(song.tempo, 3) == 90.0
    assert [change.value for change in tempi(song)] == [90.0]


# Wrappers


def info(text: bytes = b"a") -> bytes:
    body = b"INFOINAM" + struct.pack("<I", len(text)) + text + b"\0" * (len(text) % 2)
    return b"LIST" + struct.pack("<I", len(body)) + body


def rmi(midi: bytes, before: bytes = b"", after: bytes = b"", *, pad: bool = True) -> bytes:
    padding = b"\0" * (len(midi) % 2) if pad else b""
    body = b"RMID" + before + b"data" + struct.pack("<I", len(midi)) + midi + padding + after
    return b"RIFF" + struct.pack("<I", len(body)) + body


def riff_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    assert data[:4] == b"RIFF"
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    at, found = 12, []
    while at < len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        found.append((data[at : at + 4], data[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    assert at == len(data)
    return found


ODD, EVEN = scale(), scale(extra=[Performed(7680, 7700, 61)])


@pytest.mark.parametrize("text", [b"a", b"ab", b"a title"])
@pytest.mark.parametrize("side", ["before", "after", "both", "none"])
@pytest.mark.parametrize("parity", [0, 1])
def test_a_riff_wrapper_stays_right(text: bytes, side: str, parity: int) -> None:
    """An edit that makes the data longer by an odd number of bytes moves the padding."""
    body = scale()
    midi = chunk(b"MThd", struct.pack(">HHH", 0, 1, 480)) + chunk(b"MTrk", body)
    if len(midi) % 2 != parity:
        midi = chunk(b"MThd", struct.pack(">HHH", 0, 1, 480)) + chunk(b"MTrk", b"\0\xff\x01\x01a" + body)
    assert len(midi) % 2 == parity
    before, after = (info(text) if side in (one, "both") else b"" for one in ("before", "after"))
    data = rmi(midi, before, after)
    song = Song.read(data)
    assert song.notices == ()
    assert song.write(song.melody.rows) == data
    sizes = set()
    for row in (0, 1, 2):
        rows = [one.copy() for one in song.melody.rows if one is not None]
        rows[row][3 : 3 + 6 * row + 1 : 3] = 20
        written = song.write(list(rows))
        inside = dict(riff_chunks(written))
        assert [name for name, _ in riff_chunks(written)] == [name for name, _ in riff_chunks(data)]
        assert inside.get(b"LIST") == dict(riff_chunks(data)).get(b"LIST")
        assert heard(Song.read(inside[b"data"]).melody.rows, 0) == heard(rows, 0)
        assert heard(Song.read(written).melody.rows, 0) == heard(rows, 0)
        sizes.add(len(inside[b"data"]) % 2)


def test_a_riff_wrapper_without_its_last_padding_gets_it() -> None:
    midi = two_tracks()
    midi += b"\0" * (1 - len(midi) % 2)  # odd
    data = rmi(midi, pad=False)
    song = Song.read(data)
    assert song.write(song.melody.rows) == data
    riff_chunks(edited(song))


def test_wrong_sizes_of_a_riff_wrapper_are_told_and_corrected() -> None:
    good = rmi(two_tracks())
    for at in (4, 16):
        data = good[:at] + b"\xff\xff\xff\x7f" + good[at + 4 :]
        song = Song.read(data)
        assert song.notices[0].oddity is Oddity.RIFF_SIZE
        assert song.write(song.melody.rows) == data
        riff_chunks(edited(song))


def test_plain_and_riff_are_inverse() -> None:
    midi = two_tracks()
    assert chunks.plain(chunks.riff(midi)) == midi
    assert chunks.plain(midi) == midi
    wrapped = rmi(midi, info(), info())
    assert chunks.riff(wrapped) == wrapped
    assert chunks.plain(wrapped) == midi
    assert [name for name, _ in riff_chunks(chunks.riff(midi))] == [b"data"]


def macbinary(midi: bytes, *, resource: bytes = b"") -> bytes:
    name = b"song"
    header = bytearray(128)
    header[1 : 2 + len(name)] = bytes([len(name)]) + name
    header[65:69] = b"Midi"
    header[83:87] = struct.pack(">I", len(midi))
    header[87:91] = struct.pack(">I", len(resource))
    header[124:126] = struct.pack(">H", crc(bytes(header[:124])))
    return bytes(header) + midi + bytes(-len(midi) % 128) + resource


def crc(data: bytes) -> int:
    import binascii

    return binascii.crc_hqx(data, 0)


@pytest.mark.parametrize("resource", [b"", b"r" * 128])
def test_a_macbinary_header_stays_right(resource: bytes) -> None:
    data = macbinary(two_tracks(), resource=resource)
    song = Song.read(data)
    assert [n.oddity for n in song.notices] == [Oddity.MACBINARY]
    assert is_tune(song)
    assert song.write(song.melody.rows) == data
    rows = list(song.melody.rows)
    rows[1] = rows[2]
    written = song.write(rows)
    midi = chunks.split(written, "x").plain
    assert written == macbinary(midi, resource=resource)


def test_a_header_that_only_resembles_macbinary_is_kept() -> None:
    data = b"\0\4song" + bytes(122) + two_tracks()
    song = Song.read(data)
    assert edited(song)[:128] == data[:128]
