"""What is left of a batch, of a corpus build or of a training that is interrupted, and whether it can be continued.

    python benchmarks/interruptions.py kill --command edit --moments 50     signals at random moments
    python benchmarks/interruptions.py disk --command corpus                a full and a read-only disk (Linux)
    python benchmarks/interruptions.py twice --command train                two runs into one folder at the same time

The commands are `edit`, `corpus` and `train`. All files are synthetic melodies (scale.py). A continued run must give
the bytes of a run that nothing interrupted, of a training the weights and the state of the optimiser. `disk` mounts a
small file system in a name space of its own, for which `unshare` needs no rights where the system allows it.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from safetensors.numpy import load_file
from scale import write_files

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from process_groups import ended

SIGNALS = {"KILL": signal.SIGKILL, "TERM": signal.SIGTERM, "INT": signal.SIGINT}
PATIENCE = 120.0  # seconds for the processes of a run to end
CACHE = ".cache"
INSIDE = "_ARVAE_OWN_MOUNTS"  # set in the name space with the small disk
SMALL = ("--epochs", "4", "--hidden", "8", "--tick-hidden", "8", "--latent", "6", "--batch", "64")


# Checkpoints of a training are a minute apart; here they are closer, so that a kill may hit one.
PROGRAM = (
    "import sys; from arvae_music.cli.main import main; from arvae_music.training import session; "
    "session.CHECKPOINT_SECONDS = 0.3; sys.exit(main(sys.argv[1:]))"
)


@dataclass(frozen=True)
class Command:
    words: tuple[str, ...]
    output: str  # the folder of its results
    results: str  # the files that are compared, as a glob
    program: tuple[str, ...] = ("-m", "arvae_music.cli")
    state: str = ""  # the file without which a run begins anew


COMMANDS = {
    "edit": Command(("edit", "list.txt", "--density", "+1notes", "-j", "2", "-o", "out/"), "out", "**/*"),
    "corpus": Command(
        ("corpus", "build", ".", "--name", "killed", "--rebuild", "-j", "2"), f"{CACHE}/corpora", "killed.parquet"
    ),
    "train": Command(
        ("train", "tunes", "-o", "out", *SMALL), "out", "*.safetensors", ("-c", PROGRAM), "state.safetensors"
    ),
}


@dataclass(frozen=True)
class Place:
    """The folder in which a command runs."""

    folder: Path
    command: Command

    @property
    def output(self) -> Path:
        return self.folder / self.command.output

    def start(self) -> subprocess.Popen[str]:
        state = self.command.state
        begun = "--resume" if not state or (self.output / state).exists() else "--overwrite"
        environment = {**os.environ, "ARVAE_CACHE": str(self.folder / CACHE)}
        return subprocess.Popen(
            [sys.executable, *self.command.program, *self.command.words, begun], cwd=self.folder, env=environment,
            text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def run(self) -> tuple[int, str]:
        """The exit code, and the last message."""
        process = self.start()
        said = process.communicate()[1].strip()
        return process.returncode, said.rpartition("\n")[2]

    def results(self) -> dict[str, str]:
        """A digest of each file that the command has written."""
        found: dict[str, str] = {}
        for path in sorted(self.output.glob(self.command.results)):
            name = path.relative_to(self.output)
            if path.is_file() and not any(part.startswith(".") for part in name.parts):
                found[str(name)] = hashlib.sha256(_compared(path)).hexdigest()
        return found

    def reset(self) -> None:
        """Remove what the command has written."""
        for path in self.output.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _compared(path: Path) -> bytes:
    """The bytes of a file; of a training's file its tensors, without the time that it took."""
    if path.suffix != ".safetensors":
        return path.read_bytes()
    tensors = load_file(path)
    return b"".join(name.encode() + tensors[name].tobytes() for name in sorted(tensors) if name != "clock")


class Usual(NamedTuple):
    """A run that nothing interrupts."""

    results: dict[str, str]
    seconds: float
    size: int  # bytes that it leaves


@contextlib.contextmanager
def prepared(options: argparse.Namespace) -> Iterator[tuple[Place, Usual]]:
    """A place with its files, and what a run does there."""
    with tempfile.TemporaryDirectory() as name:
        place = Place(Path(name), COMMANDS[options.command])
        write_files(place.folder, options.files, options.measures)
        if options.command == "train":
            built = Place(place.folder, Command(("corpus", "build", ".", "--name", "tunes"), "", "")).run()
            assert built[0] == 0, built[1]
        started = time.monotonic()
        code, said = place.run()
        assert code == 0, said
        size = sum(path.stat().st_size for path in place.output.rglob("*") if path.is_file())
        usual = Usual(place.results(), time.monotonic() - started, size)
        assert usual.results
        place.reset()
        yield place, usual


def kill(options: argparse.Namespace) -> None:
    """End a run at random moments and continue it, again and again."""
    chance = random.Random(options.seed)
    kills, ends, left, longest = 0, 0, 0, 0.0
    with prepared(options) as (place, usual):
        while kills < options.moments:
            process = place.start()
            try:
                process.communicate(timeout=chance.uniform(0, 1.1) * usual.seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(SIGNALS[chance.choice(options.signals)])
                process.communicate()
                kills += 1
            waited = time.monotonic()
            left += not ended(process.pid, PATIENCE)
            longest = max(longest, time.monotonic() - waited)
            if process.returncode == 0:
                ends += 1
                assert place.results() == usual.results, "a continued run has other results"
                place.reset()
        code, said = place.run()
        assert code == 0, said
        assert place.results() == usual.results, "a continued run has other results"
        temporary = len(list(place.folder.rglob(".*.part")))
    print(f"{options.command}: {kills} kills ({', '.join(options.signals)}); {ends + 1} ends, all results the same")
    print(f"temporary files left: {temporary}; runs that left processes: {left}, the last ended after {longest:.1f} s")
    print(f"a whole run takes {usual.seconds:.1f} s")


def disk(options: argparse.Namespace) -> None:
    """Run on a disk that is full in the middle, then on one that is read-only, and continue on a larger one."""
    if os.environ.get(INSIDE) is None:
        command = ["unshare", "--map-root-user", "--mount", sys.executable, *sys.argv]
        raise SystemExit(subprocess.call(command, env={**os.environ, INSIDE: "1"}))
    with prepared(options) as (place, usual), contextlib.ExitStack() as stack:
        stack.callback(subprocess.run, ["umount", "--lazy", place.output], check=True)
        for text in (f"size={options.kilobytes or usual.size // 2048}k", "remount,ro", "remount,rw,size=1g"):
            subprocess.run(["mount", "-t", "tmpfs", "-o", text, "tmpfs", place.output], check=True)
            code, said = place.run()
            found = place.results()
            others = sum(usual.results.get(name) != digest for name, digest in found.items())
            print(f"{text}: exit code {code}; {len(found)} of {len(usual.results)} files, {others} of them differ")
            print(f"    {said}")
        assert (code, found) == (0, usual.results), "the continued run has other results"


def twice(options: argparse.Namespace) -> None:
    """Start a run while another one works in the same folder, at random moments."""
    chance = random.Random(options.seed)
    codes: Counter[tuple[int, str]] = Counter()
    with prepared(options) as (place, usual):
        for _ in range(options.moments):
            first = place.start()
            time.sleep(chance.uniform(0, 0.8) * usual.seconds)
            codes[place.run()] += 1
            first.communicate()
            code, said = place.run()
            assert code == 0, said
            assert place.results() == usual.results, "two runs have other results than one"
            place.reset()
    for (code, said), count in codes.most_common():
        print(f"{count} second runs: exit code {code}, {said}")
    print(f"after {options.moments} pairs of runs, all results were those of one run")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("kill", "disk", "twice"))
    parser.add_argument("--command", choices=tuple(COMMANDS), default="edit")
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--measures", type=int, default=8, help="measures in each file")
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--signals", type=lambda text: text.split(","), default=list(SIGNALS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kilobytes", type=int, help="disk: of the small disk  [default: half of what a run writes]")
    options = parser.parse_args()
    {"kill": kill, "disk": disk, "twice": twice}[options.what](options)


if __name__ == "__main__":
    main()
