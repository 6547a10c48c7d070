"""Damaged files are read or refused, in bounded time; `benchmarks/fuzz.py` tries many more of them."""

from __future__ import annotations

from time import process_time

import mutations
import pytest
from midi_files import KNOWN_HARD

from arvae_music.errors import InputError
from arvae_music.io.contents import Contents
from arvae_music.io.midi import Song

FILES = [build() for build in KNOWN_HARD.values()]
SEEDS = 400
SLOWEST = 5.0  # seconds


@pytest.mark.parametrize("part", range(4))
def test_damaged_files_give_a_song_or_an_input_error(part: int) -> None:
    read, refused = 0, list[str]()
    for seed in range(part, SEEDS, 4):
        data = mutations.mutated(FILES, seed)
        started = process_time()
        try:
            song = Song.read(data)
        except InputError as error:
            refused.append(error.message)
            continue
        finally:
            assert process_time() - started < SLOWEST, seed
        read += 1
        assert song.write(song.melody.rows) == data, seed
        assert all(str(notice) for notice in song.notices)
    assert not [message for message in refused if "\n" in message]
    assert read > SEEDS / 16  # enough files survive


def test_a_melody_that_cannot_be_edited_has_contents() -> None:
    listed = 0
    for seed in range(SEEDS):
        try:
            contents = Contents.read(mutations.mutated(FILES, seed), "x")
        except InputError:
            continue
        listed += 1
        assert len(contents.names) == len(contents.tracks) == len(contents.notes)
    assert listed > SEEDS / 4
