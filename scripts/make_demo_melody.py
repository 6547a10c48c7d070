"""Write arvae_music/data/ode_to_joy.mid, the melody of `arvae demo`.

    python scripts/make_demo_melody.py

The file holds Beethoven's tune (1824, public domain) with a bass, and is like one that a notation program exports. It
has a tempo change, a marker and a second track, so that the demo also shows what an edit does not change. An existing
file is replaced.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import mido

TICKS = 480  # per quarter note
# A word is a note of a quarter, or with ' an eighth, with . a dotted quarter, with = a half. ~ ties two notes.
TUNE = """
F#4 F#4 G4 A4 | A4 G4 F#4 E4 | D4 D4 E4 F#4 | F#4. E4' E4= |
F#4 F#4 G4 A4 | A4 G4 F#4 E4 | D4 D4 E4 F#4 | E4. D4' D4= |
E4 E4 F#4 D4 | E4 F#4' G4' F#4 D4 | E4 F#4' G4' F#4 E4 | D4 E4 A3 F#4~ |
~F#4 F#4 G4 A4 | A4 G4 F#4 E4 | D4 D4 E4 F#4 | E4. D4' D4=
"""
BASS = "D3 A2 D3 A2 D3 A2 D3 A2-D3 A2 A2 A2 E3-A2 D3 A2 D3 A2-D3".replace("-", " ").split()
LENGTHS = {"'": TICKS // 2, ".": TICKS * 3 // 2, "=": TICKS * 2}
CLASSES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
OUTPUT = Path(__file__).parent.parent / "arvae_music" / "data" / "ode_to_joy.mid"


def pitch(name: str) -> int:
    """The MIDI pitch of a note's name: `F#4` -> 66."""
    return CLASSES[name[0]] + ("#" in name) + 12 * (int(name[-1]) + 1)


def melody() -> list[tuple[int, int]]:
    """(pitch, ticks) of every note of TUNE."""
    notes: list[tuple[int, int]] = []
    for word in TUNE.replace("|", " ").split():
        tied, word = word.startswith("~"), word.strip("~")
        length = LENGTHS.get(word[-1], TICKS)
        name = word.rstrip("'.=")
        if tied:
            notes[-1] = (notes[-1][0], notes[-1][1] + length)
        else:
            notes.append((pitch(name), length))
    return notes


def track(name: str, channel: int, program: int, notes: list[tuple[int, int]], velocity: int) -> mido.MidiTrack:
    """A track of (pitch, ticks) notes, one after another, with a controller after each."""
    made = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    made.append(mido.Message("program_change", channel=channel, program=program))
    for i, (number, length) in enumerate(notes):
        loud = velocity + (6 if i % 4 == 0 else 0)
        made.append(mido.Message("note_on", channel=channel, note=number, velocity=loud))
        made.append(mido.Message("note_off", channel=channel, note=number, velocity=0, time=length - 20))
        made.append(mido.Message("control_change", channel=channel, control=11, value=100 - i % 5, time=20))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    conductor = mido.MidiTrack(
        [
            mido.MetaMessage("track_name", name="Ode to Joy"),
            mido.MetaMessage("time_signature", numerator=4, denominator=4),
            mido.MetaMessage("key_signature", key="D"),
            mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(112)),
            mido.MetaMessage("marker", text="middle", time=8 * 4 * TICKS),
            mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(100), time=6 * 4 * TICKS),
        ]
    )
    bass = [(pitch(name), 4 * TICKS) for name in BASS[:16]]
    tracks = [conductor, track("Melody", 0, 73, melody(), 84), track("Bass", 1, 32, bass, 60)]
    mido.MidiFile(type=1, ticks_per_beat=TICKS, tracks=tracks).save(OUTPUT)
    print(f"wrote {OUTPUT}")


if __name__ == "__main__":
    main()
