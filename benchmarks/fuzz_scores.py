"""Damage ABC and MusicXML texts in many ways, and read, unfold, write and read again what is left of them.

    python benchmarks/fuzz_scores.py                    2,000 texts from seed 0 on
    python benchmarks/fuzz_scores.py --seeds 500:600    these seeds, for instance to repeat a failure

A score must be read, or be refused with an ArvaeError, within TIME seconds and MEMORY bytes. A score that is read must
be written in both formats. Failures are printed with their seed and their traceback.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

from arvae_music.errors import ArvaeError
from arvae_music.io.score_output import to_file
from arvae_music.io.scores import read_any, read_score
from arvae_music.reports.score_lines import score_lines
from arvae_music.reports.summaries import describe, file_lines

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import score_mutations

TIME = 5.0  # seconds of processor time for a score
MEMORY = 3 * 2**30  # bytes of address space


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0:2000", help="FIRST:LAST; LAST is not included")
    options = parser.parse_args()
    first, last = (int(part) for part in options.seeds.split(":"))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGVTALRM, _too_long)
    outcomes: Counter[str] = Counter()
    slowest = (0.0, 0)
    for seed in range(first, last):
        before = time.process_time()
        outcomes[try_one(seed)] += 1
        slowest = max(slowest, (time.process_time() - before, seed))
    print(f"{last - first} scores: {', '.join(f'{n} {what}' for what, n in outcomes.most_common())}")
    print(f"the slowest took {slowest[0]:.2f} s (seed {slowest[1]})")
    sys.exit(1 if outcomes["failed"] else 0)


def _too_long(*_: object) -> None:
    raise TimeoutError(f"more than {TIME:g} s")


def try_one(seed: int) -> str:
    """Read one damaged score as it is printed and as it is played, and write it. Returns what became of it."""
    signal.setitimer(signal.ITIMER_VIRTUAL, TIME)
    try:
        examine(*score_mutations.mutated(seed))
    except ArvaeError as error:
        str(error.on_command_line)
        return "refused"
    except Exception:  # whatever it is, it is a failure
        print(f"seed {seed}:\n{traceback.format_exc()}", flush=True)
        return "failed"
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return "read"


def examine(data: bytes, suffix: str) -> None:
    """Raises ArvaeError for a score that cannot be read. Any other exception is a fault of arvae."""
    for unfold in (True, False):
        song = read_any(data, name=f"fuzz{suffix}", unfold=unfold, tune=1 if suffix == ".abc" else None)
        file_lines(song, describe(song, []))
        score_lines(song)
        for written in (".abc", ".musicxml"):
            text = to_file(song, song.melody.rows, written)
            try:
                read_score(text, f"again{written}", written)
            except ArvaeError as error:
                raise ValueError(f"a score that arvae writes as {written} cannot be read: {error}") from error


if __name__ == "__main__":
    main()
