"""What a MIDI file sounds like: the notes of all tracks in seconds, and the WAV file that plays them."""

from __future__ import annotations

import io
import tracemalloc
import wave
from typing import Any

import mido
import numpy as np
import pytest
from midi_files import (
    BAR,
    END,
    Performed,
    chords,
    conductor,
    everything_else,
    name,
    note_messages,
    save,
    tempo_and_meter_map,
    track,
    tune,
    type_0,
    type_1,
    type_2,
)
from pretty_midi import PrettyMIDI

from arvae_music.arrays import Float64s
from arvae_music.errors import InputError
from arvae_music.io import audio
from arvae_music.io.audio import LONGEST, PEAK, RATE, wav
from arvae_music.io.midi import Song
from arvae_music.io.performance import performance
from arvae_music.io.score_output import file_of


def heard(data: bytes) -> Float64s:
    """The samples of a WAV file, from -1 to 1."""
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    found: Float64s = samples / 32767.0
    return found


def one(*notes: Performed, channel: int = 0, program: int = 0, tempo: int = 500_000) -> bytes:
    """A file of one track: 480 ticks are half a second."""
    first = [
        (0, mido.MetaMessage("set_tempo", tempo=tempo)),
        (0, mido.Message("program_change", channel=channel, program=program)),
    ]
    return save([track([*first, *note_messages(notes, channel)])])


@pytest.mark.parametrize("tempi", [(400_000, 800_000), (800_000, 400_000)])
def test_of_two_tempi_on_one_tick_the_last_one_holds(tempi: tuple[int, int]) -> None:
    changes = [(0, mido.MetaMessage("set_tempo", tempo=tempo)) for tempo in tempi]
    data = save([track([*changes, *note_messages([Performed(0, 480, 60)])])])
    assert performance(data, "x").duration == pytest.approx(tempi[1] / 1e6)
    assert Song.read(data).tempo == pytest.approx(60e6 / tempi[1])


@pytest.mark.parametrize("data", [type_0(), type_1(), tempo_and_meter_map(), everything_else()])
def test_notes_are_where_pretty_midi_has_them(data: bytes) -> None:
    played = performance(data, "x")
    expected = PrettyMIDI(io.BytesIO(data))
    theirs = sorted(
        (round(n.start, 6), round(n.end, 6), n.pitch, n.velocity, i.program, i.is_drum)
        for i in expected.instruments for n in i.notes
    )  # fmt: skip
    ours = sorted(
        (round(n.start, 6), round(n.end, 6), n.pitch, n.velocity, t.program, t.drum)
        for t in played.tracks for n in t.notes
    )  # fmt: skip
    assert len(ours) > 15
    assert ours == theirs
    assert played.duration == pytest.approx(max(row[1] for row in ours), abs=1e-5)


def test_every_channel_and_instrument_is_a_track() -> None:
    tracks = performance(type_0(), "x").tracks
    assert [(t.number, t.channel, t.program, t.drum) for t in tracks] == [
        (1, 1, 73, False), (1, 2, 0, False), (1, 10, 0, True)
    ]  # fmt: skip
    change = [(0, mido.Message("program_change", program=3)), (BAR, mido.Message("program_change", program=40))]
    later = performance(save([track([*change, *tune()])]), "x").tracks
    assert [t.program for t in later] == [3, 40]
    assert max(n.start for n in later[0].notes) < 2 <= min(n.start for n in later[1].notes)
    assert [t.name for t in performance(type_1(), "x").tracks] == ["Piano", "Flute"]


def test_only_one_track_of_type_2_sounds() -> None:
    data = type_2()
    numbers = [{t.number for t in performance(data, "x", track=track).tracks} for track in (None, 1, 2)]
    assert numbers == [{1}, {1}, {2}]


def test_a_damaged_file_sounds_as_far_as_it_can_be_read() -> None:
    whole = type_1()
    cut = performance(whole[:-80], "x")
    assert 0 < sum(len(t.notes) for t in cut.tracks) < sum(len(t.notes) for t in performance(whole, "x").tracks)
    assert np.abs(heard(wav(whole[:-80]))).max() == pytest.approx(PEAK, abs=1e-3)


@pytest.mark.parametrize("program", range(0, 128, 8))
def test_every_instrument_plays_its_pitch_and_nothing_clips(program: int) -> None:
    sound = heard(wav(one(Performed(480, 1440, 69), program=program)))
    assert len(sound) == pytest.approx(2.5 * RATE, abs=2)  # a second beyond the last note
    assert np.abs(sound[: RATE // 2]).max() == 0
    assert np.abs(sound).max() == pytest.approx(PEAK, abs=1e-3)
    spectrum = np.abs(np.fft.rfft(sound[RATE // 2 : RATE * 3 // 2]))  # of one second, so that a bin is 1 Hz
    assert abs(int(spectrum[430:450].argmax()) + 430 - 440) <= 1
    assert spectrum[435:446].max() > 20 * np.median(spectrum)


def test_all_tracks_sound_also_drums() -> None:
    drum = heard(wav(one(Performed(0, 60, 36), Performed(480, 540, 38), Performed(960, 1020, 46), channel=9)))
    for start in (0, RATE // 2, RATE):
        assert np.abs(drum[start : start + RATE // 20]).max() > 0.1
    both = save([conductor(), track(note_messages([Performed(0, 480, 60)])),
                 track(note_messages([Performed(960, 1440, 72)], 1))])  # fmt: skip
    sound = heard(wav(both))
    assert np.abs(sound[: RATE // 2]).max() > 0.1
    assert np.abs(sound[RATE : RATE * 3 // 2]).max() > 0.1


def test_volume_and_velocity_are_heard() -> None:
    events = [
        (0, mido.Message("control_change", control=7, value=100)),
        (960, mido.Message("control_change", control=7, value=25)),
        *note_messages([Performed(0, 480, 60, 100), Performed(960, 1440, 60, 100), Performed(1920, 2400, 60, 50)]),
    ]
    sound = heard(wav(save([conductor(), track(events)])))
    loud, soft, softest = (float(np.abs(sound[at : at + RATE // 4]).max()) for at in (0, RATE, 2 * RATE))
    assert soft == pytest.approx(loud / 4, rel=0.1)
    assert softest == pytest.approx(loud / 8, rel=0.1)


def test_high_notes_and_full_chords_do_not_clip() -> None:
    notes = [Performed(0, 960, pitch, 127) for pitch in range(20, 128)]
    sound = heard(wav(one(*notes, program=48)))
    assert np.abs(sound).max() == pytest.approx(PEAK, abs=1e-3)
    assert np.isfinite(sound).all()


def test_a_file_without_notes_is_silent() -> None:
    sound = heard(wav(save([conductor()])))
    assert len(sound) > 0
    assert not sound.any()


def test_equal_files_give_equal_sound() -> None:
    data = save([conductor(), track([(0, name("x")), *tune(), *chords()], END)])
    assert wav(data) == wav(data)


def test_other_bytes_and_endless_songs_are_refused() -> None:
    with pytest.raises(InputError, match="not a MIDI file"):
        wav(b"RIFF....WAVE", "x.mid")
    endless = one(Performed(0, 480, 60), Performed(int(LONGEST * 960) + 960, int(LONGEST * 960) + 1920, 60))
    with pytest.raises(InputError, match="too long for a WAV file"):
        wav(endless, "x.mid")


def test_pieces_make_the_sound_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes, bends, volumes and drums that a border divides, and a note that lasts over several pieces."""
    bend = [(96 * n, mido.Message("pitchwheel", pitch=400 * n)) for n in range(10)]
    quiet = [(2400, mido.Message("control_change", control=7, value=40))]
    notes = [Performed(at, at + 470, 60 + at // 480) for at in range(0, 4800, 480)]
    long = note_messages([Performed(0, 480 * 12, 48), *notes])
    hits = note_messages([Performed(at, at + 10, 49) for at in range(0, 4800, 470)], 9)
    data = save([conductor(), track([*bend, *quiet, *long]), track(hits)])
    whole = heard(wav(data))
    monkeypatch.setattr(audio, "PIECE", 1)
    np.testing.assert_allclose(heard(wav(data)), whole, atol=2e-3)


def test_half_an_hour_needs_little_memory() -> None:
    notes = [Performed(at, at + 400, 60 + at // 9600 % 12) for at in range(0, 960 * 1700, 9600)]
    data = save([conductor(), track(note_messages(notes)), track(note_messages(notes, 9))])
    tracemalloc.start()
    size = len(wav(data))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 2 * RATE * 1600
    assert most < 2.5 * size  # the file, once as it is written and once as it is returned


def test_fluidsynth_plays_if_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for pretty_midi's FluidSynth: each instrument is one click where its first note begins."""

    def click(self: Any, fs: int) -> Float64s:
        sound = np.zeros(round(fs * (self.get_end_time() + 1)))
        sound[round(fs * self.notes[0].start)] = 0.01 * (1 + self.is_drum)
        return sound

    monkeypatch.setattr(audio, "_has_fluidsynth", lambda: True)
    monkeypatch.setattr("pretty_midi.Instrument.fluidsynth", click)
    starts = {0: 480, 9: 960}  # channel: tick
    tracks = [track(note_messages([Performed(at, at + 480, 60)], channel)) for channel, at in starts.items()]
    sound = heard(wav(save([conductor(), *tracks])))
    assert np.flatnonzero(sound).tolist() == [RATE // 2, RATE]
    assert sound[RATE] == pytest.approx(PEAK, abs=1e-3)
    assert sound[RATE // 2] == pytest.approx(PEAK / 2, abs=1e-3)


def test_the_sound_of_a_song_is_that_of_its_file() -> None:
    song = Song.read(type_1())
    assert file_of(song, song.melody, ".WAV") == wav(type_1())
    assert np.abs(heard(file_of(song.melody, song.melody, ".wav"))).max() == pytest.approx(PEAK, abs=1e-3)
