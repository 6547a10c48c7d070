"""Damage MIDI files in many ways, and read, inspect and edit what is left of them.

    python benchmarks/fuzz.py                      100,000 files from seed 0 on
    python benchmarks/fuzz.py --seeds 5000:6000    these seeds, for instance to repeat a failure

A file must be read, or be refused with an ArvaeError, within TIME seconds and MEMORY bytes. Without a change it must be
written byte for byte. One file in EDITED is also edited by +1.5 sd (standard deviations) of density, within TIME
seconds and MEASURE_TIME for each measure, because a wrong time makes thousands of measures. The edited file may have no
oddity that the damaged one did not have, except that other notes may be far from the new melody (`KEY_SWITCH`); and
`oracle.py`, which reads both, may find no new flaw. Failures are printed with their seed and their traceback.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

import oracle

import arvae_music
from arvae_music.errors import ArvaeError
from arvae_music.io.contents import Contents
from arvae_music.io.midi import Song
from arvae_music.io.notices import Oddity
from arvae_music.reports.listings import voice_rows
from arvae_music.reports.summaries import describe, file_lines

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import midi_files
import mutations

TIME = 5.0  # seconds of processor time for a file
MEASURE_TIME = 1e-3  # seconds of processor time for each measure of an edit
MEMORY = 3 * 2**30  # bytes of address space
EDITED = 50
EVERY = 5000  # files between two lines of progress
SERIOUS = {"data byte above 127", "no end of the track", "events that cannot be read"}  # flaws that no edit may add


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0:100000", help="FIRST:LAST; LAST is not included")
    parser.add_argument("--model", default="folk", help="the model of the edits")
    options = parser.parse_args()
    first, last = (int(part) for part in options.seeds.split(":"))
    model = arvae_music.load(options.model)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGVTALRM, _too_long)
    files = [build() for build in midi_files.KNOWN_HARD.values()]
    outcomes: Counter[str] = Counter()
    started, slowest = time.process_time(), (0.0, 0)
    for seed in range(first, last):
        before = time.process_time()
        outcome = try_one(mutations.mutated(files, seed), seed, model)
        slowest = max(slowest, (time.process_time() - before, seed))
        outcomes[outcome] += 1
        if (seed + 1 - first) % EVERY == 0:
            so_far = f"{seed + 1 - first} files, {outcomes['failed']} failed"
            print(f"{so_far}, {time.process_time() - started:.0f} s", flush=True)
    print(f"{last - first} files: {', '.join(f'{n} {what}' for what, n in outcomes.most_common())}")
    print(f"the slowest took {slowest[0]:.2f} s (seed {slowest[1]})")
    sys.exit(1 if outcomes["failed"] else 0)


def _too_long(*_: object) -> None:
    raise TimeoutError(f"more than {TIME:g} s")


def try_one(data: bytes, seed: int, model: arvae_music.Model) -> str:
    """Read, inspect and perhaps edit one file. Returns what became of it."""
    signal.setitimer(signal.ITIMER_VIRTUAL, TIME)
    try:
        return _examine(data, model if seed % EDITED == 0 else None)
    except ArvaeError as error:
        return _refused(data, error, seed)
    except Exception:  # whatever it is, it is a failure
        return _failed(seed)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _refused(data: bytes, error: ArvaeError, seed: int) -> str:
    try:
        str(error.on_command_line)
        with contextlib.suppress(ArvaeError):
            Contents.read(data, "x")
    except Exception:  # the error's text, or the listing of the file, must not fail either
        return _failed(seed)
    return "refused"


def _failed(seed: int) -> str:
    print(f"seed {seed}:\n{traceback.format_exc()}", flush=True)
    return "failed"


def _examine(data: bytes, model: arvae_music.Model | None) -> str:
    song = Song.read(data, name="fuzz.mid")
    if song.write(song.melody.rows) != data:
        raise ValueError("it is not written byte for byte")
    description = describe(song, [])
    file_lines(song, description)
    voice_rows(song.candidates, song.found)
    [str(notice) for notice in song.notices]
    if model is None:
        return "read"
    signal.setitimer(signal.ITIMER_VIRTUAL, TIME + MEASURE_TIME * len(song.melody.bars))
    result = model.edit(song, density=1.5)
    written = song.write(result.melody.rows)
    again = Song.read(written, name="fuzz.mid", track=song.found.track, channel=song.found.channel)
    new = {notice.oddity for notice in again.notices} - {notice.oddity for notice in song.notices} - {Oddity.KEY_SWITCH}
    if new:
        raise ValueError(f"the edited file has new oddities: {new}")
    with contextlib.suppress(ValueError):
        before, after = oracle.parse(data), oracle.parse(written)
        new = set(after.flaws) - set(before.flaws)
        same_tracks = not any(notice.oddity is Oddity.CHUNK_SIZE for notice in song.notices)
        if same_tracks and len(before.tracks) == len(after.tracks) and new & SERIOUS:
            raise RuntimeError(f"the edited file has new flaws: {', '.join(new)}")
    return "edited"


if __name__ == "__main__":
    main()
