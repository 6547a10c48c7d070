"""Which voice is the melody: pieces whose tune a musician would find at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import midi_files as files
import mido
import pytest
from midi_files import BAR, Performed, note_messages

from arvae_music.errors import InputError
from arvae_music.io.chosen import choose
from arvae_music.io.contents import Contents
from arvae_music.io.midi import Song
from arvae_music.music.reasons import Reason

SCALE = (0, 2, 4, 5, 7, 9, 11, 12)
TUNE = (0, 1, 2, 4, 3, 2, 1, 1, 2, 3, 4, 5, 4, 2, 0, 0)  # steps of the scale, in quarters
BARS = 8


def line(low: int, steps: Sequence[int] = TUNE, length: int = 480, bars: int = BARS) -> list[Performed]:
    count = bars * BAR // length
    pitches = [low + SCALE[steps[i % len(steps)] % 8] + 2 * (i // len(steps) % 2) for i in range(count)]
    return [Performed(i * length, (i + 1) * length - 20, pitch) for i, pitch in enumerate(pitches)]


def bass(low: int = 36) -> list[Performed]:
    return [Performed(i * 960, i * 960 + 900, low + (0, 7, 5, 7)[i % 4]) for i in range(BARS * 2)]


def pad(low: int = 60) -> list[Performed]:
    return [Performed(b * BAR, (b + 1) * BAR, low + i + b % 2) for b in range(BARS) for i in (0, 4, 7)]


def arpeggio(low: int = 72) -> list[Performed]:
    return [Performed(i * 120, i * 120 + 110, low + (0, 4, 7, 12)[i % 4]) for i in range(BARS * 16)]


def with_thirds(notes: Sequence[Performed]) -> list[Performed]:
    return sorted([*notes, *(Performed(n.start, n.end, n.pitch - 4) for n in notes[::5])], key=lambda n: n.start)


def piece(*voices: tuple[str, int | None, Sequence[Performed]]) -> bytes:
    """A file of a track for each (name, program, notes)."""
    tracks = [files.conductor()]
    for channel, (name, program, notes) in enumerate(voices):
        events: list[tuple[int, mido.Message | mido.MetaMessage]] = [(0, files.name(name))] if name else []
        if program is not None:
            events.append((0, mido.Message("program_change", program=program, channel=channel)))
        tracks.append(files.track([*events, *note_messages(notes, channel)]))
    return files.save(tracks)


@pytest.mark.parametrize(
    ("right", "voices"),
    [
        (2, [("Piano RH", 0, with_thirds(line(72))), ("Piano LH", 0, bass())]),
        (3, [("", None, bass()), ("", None, with_thirds(line(72)))]),
        (2, [("", 65, with_thirds(line(62))), ("", 33, bass())]),
        (3, [("", 33, line(40, length=240)), ("", 65, with_thirds(line(62)))]),
        (3, [("", 33, line(62)), ("", 0, with_thirds(line(60)))]),  # a bass that was written two octaves too high
        (3, [("", 89, pad(72)), ("", 73, line(67))]),
        (2, [("", 73, line(67)), ("", 48, pad(76)), ("", 33, bass())]),
        (2, [("", 4, line(67)), ("", 81, arpeggio(79)), ("", 38, bass())]),
        (3, [("Strings", 48, line(79)), ("Mélodie", 0, line(60))]),
        (3, [("Strings", 48, line(79)), ("メロディ".encode().decode("latin-1"), 0, line(60))]),
        (2, [("Lead Vocal", 53, line(60)), ("Backing Vocal", 53, line(67)), ("Bass", 33, bass())]),
        (3, [("Violin 2", 40, line(76)), ("Violin 1", 40, line(74))]),
        (4, [("Bass", 33, bass()), ("Chords", 0, pad()), ("", 65, line(64)), ("Timpani", 47, bass(45))]),
        (2, [("", 0, line(67)), ("", 14, line(84, length=960, bars=1))]),  # a chime in the first bar
        (3, [("", 0, [Performed(i * 240, i * 240 + 200, 79) for i in range(64)]), ("", 0, line(67))]),
    ],
)
def test_the_tune_is_found(right: int, voices: list[tuple[str, int | None, Sequence[Performed]]]) -> None:
    song = Song.read(piece(*voices))
    scores = {c.track: c.score for c in song.candidates}
    assert song.found.track == right, scores
    assert song.found.why.startswith(f"the likeliest of {len(voices)} voices: ")


def test_lyrics_tell_which_voice_is_sung() -> None:
    sung, other = line(62, length=480), line(69, steps=(4, 2, 5, 3, 1), length=640)
    words = files.track([(n.start, mido.MetaMessage("lyrics", text="la")) for n in sung])
    tracks = [files.conductor(), words]
    tracks += [files.track(note_messages(notes, channel)) for channel, notes in enumerate((other, sung))]
    song = Song.read(files.save(tracks))
    assert song.found.track == 4
    assert "the lyrics are sung to it" in song.found.why
    silent = Song.read(files.save([tracks[0], *tracks[2:]]))
    assert silent.found.track == 2


def test_the_next_voice_is_tried_where_the_first_cannot_be_edited() -> None:
    off = [Performed(n.start + 60 * (i % 2), n.end, n.pitch) for i, n in enumerate(line(72))]
    song = Song.read(piece(("Melody", 73, off), ("Oboe", 68, line(67))))
    assert song.found.track == 3
    why = "track 2 'Melody' cannot be edited, because no measure fits the grid: mostly off-grid"
    assert song.found.why.startswith(why)
    with pytest.raises(InputError, match="track 2 'Melody': no measure fits the grid"):
        Song.read(piece(("Melody", 73, off), ("Oboe", 68, line(67))), track=2)


def test_every_voice_has_a_score_but_drums() -> None:
    data = files.save([
        files.conductor(), files.track(note_messages(line(67))), files.track(files.drums()),
    ])  # fmt: skip
    song = Song.read(data)
    assert [c.score is None for c in song.candidates] == [False, True]
    assert song.found.why == "it is the only voice with notes"


@pytest.mark.parametrize("voices", [[("Oboe", 68, line(67))], [("Oboe", 68, line(67)), ("Bass", 33, bass())]])
def test_only_voices_that_compete_need_scores(voices: list[tuple[str, int | None, Sequence[Performed]]]) -> None:
    data = piece(*voices)
    full, brief = Contents.read(data, "x.mid"), Contents.read(data, "x.mid", score_lone=False)
    expected = full.candidates if len(voices) > 1 else (replace(full.candidates[0], score=None),)
    assert brief.candidates == expected
    assert choose(brief).found == choose(full).found


def test_a_measure_with_a_chord_is_read() -> None:
    song = Song.read(piece(("Piano", 0, with_thirds(line(72)))))
    assert Reason.TWO_AT_ONCE not in {bar.reason for bar in song.melody.bars}
