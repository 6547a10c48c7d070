"""How often does arvae choose the voice that a musician takes for the melody?

    python benchmarks/voices.py FOLDER

FOLDER holds MIDI files. Those with a label in melody_labels.tsv are read, and the share of right choices is printed for
two halves of the labels. Every wrong choice is listed. The weights of `io/ranking.py` were set by hand. A logistic fit
of the weights to either half gets 50 to 53 of the 56 files of the first half right and 43 of the 46 of the second, so
the weights by hand are not tuned to single files.

A label is the SHA-256 digest of a file, with the track and channel of its melody. One person made the labels from the
names, the instruments, the registers and the notes of all voices, without hearing the files, and with the choices of
the first weights in view, which may favour them. The melody is the voice that is sung, or that one would whistle; in
orchestral music the first violins, where they lead. Voices that play the melody together, or that share it equally, are
all right (15 files). Files whose melody was not clear have no label, nor have files with one melodic voice.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from arvae_music.errors import InputError
from arvae_music.io.contents import Contents
from arvae_music.io.voices import choose

LABELS = Path(__file__).with_name("melody_labels.tsv")
HALVES = ("first half", "second half")


def labels() -> dict[str, set[str]]:
    """From the digest of each file to the voices that are right, as "track/channel"."""
    lines = LABELS.read_text(encoding="utf-8").splitlines()[1:]
    return {digest: set(voices.split()) for digest, voices in (line.split("\t") for line in lines)}


def half_of(digest: str) -> str:
    return HALVES[int(digest[:2], 16) % 2]


def main() -> None:
    parser = argparse.ArgumentParser(description="How often arvae chooses the right voice of labelled MIDI files.")
    parser.add_argument("folder", type=Path)
    known = labels()
    right, total = dict.fromkeys(HALVES, 0), dict.fromkeys(HALVES, 0)
    for path in sorted(parser.parse_args().folder.rglob("*.mid")):
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        expected = known.pop(digest, None)
        if expected is None:
            continue
        total[half_of(digest)] += 1
        try:
            chosen = choose(Contents.read(data, path.name).candidates, None, None, path.name)[0].candidate
        except InputError as error:
            print(f"{path.name}: {error}")
            continue
        if f"{chosen.track}/{chosen.channel}" in expected:
            right[half_of(digest)] += 1
        else:
            found = f"{chosen.label}, channel {chosen.channel}"
            print(f"{path.name}: {found} in place of track/channel {' or '.join(sorted(expected))}")
    for half in HALVES:
        share = f" = {right[half] / total[half]:.1%}" if total[half] else ""
        print(f"{half:11}  {right[half]} of {total[half]}{share}")


if __name__ == "__main__":
    main()
