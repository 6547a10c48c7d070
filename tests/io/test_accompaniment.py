"""The notes of a song that are not the melody, against the notes that the files are built from."""

from __future__ import annotations

import midi_files as files
import mido
import numpy as np
from midi_files import Performed

from arvae_music.io.midi import Song


def test_the_accompaniment_is_every_note_but_the_melody() -> None:
    data = files.save([
        files.conductor(),
        files.track([
            (0, files.name("Chords")),
            (0, mido.Message("program_change", program=24, channel=1)),
            (files.BAR, mido.Message("program_change", program=48, channel=1)),
            *files.chords(),
        ]),
        files.track([(0, files.name("Melody")), *files.tune(channel=2)], files.END),
        files.track(files.drums()),
    ])  # fmt: skip
    others = Song.read(data).others
    chords, drums = others.channel == 2, others.channel == 10
    assert others.pitch[chords].tolist() == [48, 52, 55] * len(files.TUNE)
    assert others.start[chords].tolist() == [bar * files.BAR for bar in range(len(files.TUNE)) for _ in range(3)]
    assert (others.end - others.start)[chords].tolist() == [files.BAR] * 3 * len(files.TUNE)
    assert others.program[chords].tolist() == [24] * 3 + [48] * 3 * (len(files.TUNE) - 1)
    assert others.start[drums].tolist() == list(range(0, files.END, 240))
    assert (chords | drums).all()
    assert (np.diff(others.start) >= 0).all()


def test_a_melody_alone_has_no_accompaniment() -> None:
    others = Song.read(files.save([files.conductor(), files.track(files.tune())])).others
    assert [len(array) for array in others] == [0] * 5


def test_tracks_of_a_file_of_type_2_are_other_pieces() -> None:
    assert len(Song.read(files.type_2()).others.start) == 0


def test_another_channel_of_the_melodys_track_is_accompaniment() -> None:
    low = [Performed(0, files.BAR, 40), Performed(files.BAR, 2 * files.BAR, 43)]
    data = files.save([files.track([*files.tune(), *files.note_messages(low, channel=4)])], kind=0)
    song = Song.read(data, channel=1)
    assert song.others.pitch.tolist() == [40, 43]
    assert song.others.channel.tolist() == [5, 5]
