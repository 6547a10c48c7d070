"""A MIDI file with every kind of event, and what of it an edit must leave alone."""

from __future__ import annotations

from pathlib import Path

import mido


def rich_file(path: Path) -> Path:
    """Two tracks, a tempo map, controllers, lyrics, sysex, release velocities: what must survive."""
    melody = mido.MidiTrack([mido.MetaMessage("track_name", name="Melody")])
    melody.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
    melody.append(mido.MetaMessage("key_signature", key="C"))
    melody.append(mido.Message("program_change", program=40))
    melody.append(mido.Message("sysex", data=(1, 2, 3)))
    for i, pitch in enumerate((60, 62, 64, 65, 67, 69, 71, 72)):
        melody.append(mido.Message("note_on", note=pitch, velocity=70 + i, time=0))
        melody.append(mido.Message("control_change", control=1, value=i, time=240))
        melody.append(mido.MetaMessage("lyrics", text=f"la{i}", time=0))
        melody.append(mido.Message("note_off", note=pitch, velocity=33, time=240))
    bass = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=600000)])
    for pitch in (36, 43):
        bass.append(mido.Message("note_on", channel=1, note=pitch, velocity=50, time=0))
        bass.append(mido.MetaMessage("set_tempo", tempo=550000, time=960))
        bass.append(mido.Message("note_off", channel=1, note=pitch, velocity=0, time=960))
    path.parent.mkdir(parents=True, exist_ok=True)
    mido.MidiFile(type=1, ticks_per_beat=480, tracks=[melody, bass]).save(str(path))
    return path


def other_events(path: Path) -> list[list[tuple[int, str]]]:
    """Every event but the melody's notes, at absolute ticks."""
    tracks = []
    for one in mido.MidiFile(str(path)).tracks:
        tick, found = 0, []
        for message in one:
            tick += message.time
            if not (message.type in ("note_on", "note_off") and message.channel == 0):
                found.append((tick, str(message.copy(time=0))))
        tracks.append(found)
    return tracks


def files_in(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
