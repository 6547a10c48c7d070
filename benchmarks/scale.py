"""Large batches: speed on simulated clusters, the loss of nodes, memory, and the cost of very many files.

    python benchmarks/scale.py cluster --nodes 1,2,4,8       rate and efficiency on a local Ray cluster
    python benchmarks/scale.py nodes --moments 20            a node of a Ray cluster dies at a random moment
    python benchmarks/scale.py memory                        memory of the program and of a worker, as the batch goes on
    python benchmarks/scale.py cost --price 0.04             CPU-hours, bytes and money for 1.4 million files

All files are synthetic: a melody of --measures measures with random notes. `cluster` simulates nodes with
ray.cluster_utils on this machine. Its nodes share the cores of this machine, so that edits (--work edit) cannot become
faster than these allow. --work wait replaces an edit by 0.2 s without work, so that the efficiency is that of the
engine alone: of handing out, collecting and recording. Efficiency is the rate per node, divided by that of one node.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import resource
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import arvae_music
from arvae_music.batch.job import Job, Settings
from arvae_music.batch.journal import Line
from arvae_music.batch.listing import Listing, listing
from arvae_music.batch.target import Target
from arvae_music.batch.work import outcomes
from arvae_music.system.executors import OnRay, Processes

TICKS, QUARTER = 480, 480
FILES, MEASURES = 1_400_000, 10**9  # GigaMIDI, and what the cost model is for
WAIT = 0.2  # s
TRIES = 10  # to start a node
NODE = {"wait": False, "num_cpus": 1, "include_dashboard": False, "object_store_memory": 80_000_000}


def melody(seed: int, measures: int) -> bytes:
    """A MIDI file in 4/4 with quarters and eighths, which walk by steps."""
    chance, pitch = random.Random(seed), 67
    track = b"\x00\xff\x03\x06Melody" + b"\x00\xff\x58\x04\x04\x02\x18\x08"
    for _ in range(4 * measures):
        for length in ((QUARTER,), (QUARTER // 2, QUARTER // 2))[chance.random() < 0.4]:
            pitch = min(max(pitch + chance.choice((-4, -2, -1, 1, 2, 3)), 55), 84)
            track += struct.pack(">4B", 0, 0x90, pitch, 80) + _delta(length) + struct.pack(">3B", 0x80, pitch, 0)
    track += b"\x00\xff\x2f\x00"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, QUARTER) + b"MTrk" + struct.pack(">I", len(track)) + track


def _delta(ticks: int) -> bytes:
    return bytes((0x80 | ticks >> 7, ticks & 0x7F)) if ticks > 0x7F else bytes((ticks,))


def write_files(folder: Path, count: int, measures: int) -> Path:
    """A list of `count` synthetic files, at most 1,000 in a folder."""
    names = [f"{n // 1000:04}/{n:07}.mid" for n in range(count)]
    for n, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(melody(n, measures))
    (folder / "list.txt").write_text("\n".join(names) + "\n")
    return folder / "list.txt"


def edited(out: Path, entry: Any) -> int:
    """Edit one file as `arvae edit` does, and return the size of the output."""
    result = arvae_music.edit(entry.place, density="+1notes", seed=0)
    path = out / f"{entry.n:07}.mid"
    result.save(path, overwrite=True)
    return path.stat().st_size


def waited(out: Path, entry: Any) -> int:
    time.sleep(WAIT)
    return 0


def run_job(found: Listing, out: Path, work: Callable[[Any], int], executor: Any) -> Iterator[float]:
    """Work through a batch with a journal, and yield the time after each input."""
    job = Job(Target(out, False), len(found), {"benchmark": 1}, Settings(resume=True))
    pending = list(job.pending(found))
    with job.running(), contextlib.closing(outcomes(pending, work, executor)) as results:
        for entry, outcome in zip(pending, results, strict=True):
            if outcome.problem is not None:
                raise outcome.problem
            job.record(Line(entry.n, str(entry.place), [{"bytes": outcome.value}]))
            yield time.perf_counter()
    job.finish()


def rate(times: list[float], warm: int) -> float:
    """Inputs a second, without the first ones, during which workers start."""
    return (len(times) - warm) / (times[-1] - times[warm - 1])


def cluster(options: argparse.Namespace) -> None:
    from ray.cluster_utils import Cluster

    print(f"{options.work}: {options.files} files for each node of one CPU; {os.cpu_count()} cores here")
    print("nodes  inputs/s  efficiency")
    one = None
    for nodes in options.nodes:
        with tempfile.TemporaryDirectory() as place:
            found = listing([str(write_files(Path(place), options.files * nodes, options.measures))])
            ray_cluster = Cluster()
            for _ in range(nodes):
                add_node(ray_cluster)
            work = partial({"edit": edited, "wait": waited}[options.work], Path(place))
            with _connected(ray_cluster):
                found_rate = rate(list(run_job(found, Path(place) / "out", work, OnRay("auto"))), 8 * nodes)
            ray_cluster.shutdown()
        one = one or found_rate / nodes
        print(f"{nodes:5}  {found_rate:8.1f}  {found_rate / nodes / one:10.2f}", flush=True)


def add_node(ray_cluster: Any) -> Any:
    """Start a node of one CPU. Ray gives up after 30 s, which is too early on busy cores."""
    for _ in range(TRIES - 1):
        with contextlib.suppress(Exception):  # Ray raises no narrower one
            return ray_cluster.add_node(**NODE)
    return ray_cluster.add_node(**NODE)


@contextlib.contextmanager
def _connected(ray_cluster: Any) -> Iterator[None]:
    import ray

    ray.init(address=ray_cluster.address, log_to_driver=False)
    try:
        yield
    finally:
        ray.shutdown()


def nodes(options: argparse.Namespace) -> None:
    """A node dies at a random moment, and another one joins; every input is done once."""
    from ray.cluster_utils import Cluster

    chance, again, wrong = random.Random(1), 0, 0
    with tempfile.TemporaryDirectory() as place:
        found = listing([str(write_files(Path(place), options.files, 1))])
        ray_cluster = Cluster()
        added = [add_node(ray_cluster)]
        with _connected(ray_cluster):
            for moment in range(options.moments):
                added.append(add_node(ray_cluster))
                out = Path(place) / f"out{moment}"
                at = chance.randrange(1, options.files)
                lines = 0
                for lines, _ in enumerate(run_job(found, out, partial(waited, out), OnRay("auto")), 1):
                    if lines == at:
                        ray_cluster.remove_node(added.pop(), allow_graceful=False)
                        again += 1
                wrong += lines != options.files
        ray_cluster.shutdown()
    print(f"{again} nodes died during batches of {options.files} inputs: {wrong} batches are not whole")


def memory(options: argparse.Namespace) -> None:
    """The largest memory of this process and of its workers after each tenth of a batch."""
    with tempfile.TemporaryDirectory() as place:
        found = listing([str(write_files(Path(place), options.files, options.measures))])
        print("inputs  program MB")
        tenth = max(options.files // 10, 1)
        work = partial({"edit": edited, "wait": touched}[options.work], Path(place))
        for n, _ in enumerate(run_job(found, Path(place) / "out", work, Processes(2)), 1):
            if n % tenth == 0:
                print(f"{n:6}  {rss():10.1f}", flush=True)
    print(f"largest worker: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.1f} MB")


def touched(out: Path, entry: Any) -> int:
    """Read the file, and nothing else."""
    return len(Path(entry.place).read_bytes())


def rss() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cost(options: argparse.Namespace) -> None:
    """CPU time is modelled as a constant for each file and one for each measure, from files of two lengths; a third
    length checks the model."""
    arvae_music.edit(_decoded(0, 4), density="+1notes")  # load everything
    per_file: dict[int, float] = {}
    sizes: dict[int, int] = {}
    for measures in (8, 32, 16):
        started = time.process_time()
        for n in range(options.files):
            result = arvae_music.edit(_decoded(n, measures), density="+1notes", seed=0)
            sizes[measures] = len(melody(n, measures))
        per_file[measures] = (time.process_time() - started) / options.files
        del result
    slope = (per_file[32] - per_file[8]) / 24
    fixed = per_file[8] - 8 * slope
    predicted = fixed + 16 * slope
    print(f"CPU time: {1000 * fixed:.1f} ms a file + {1000 * slope:.2f} ms a measure")
    error = predicted / per_file[16] - 1
    print(f"check: 16 measures take {1000 * per_file[16]:.1f} ms, predicted {1000 * predicted:.1f} ms ({error:+.0%})")
    for label, count, measures in (
        ("1.4 million files of 100 measures", FILES, 100),
        ("1.4 million files, 10^9 measures in all", FILES, MEASURES / FILES),
    ):
        hours = count * (fixed + measures * slope) / 3600
        size = count * (sizes[32] + (measures - 32) * (sizes[32] - sizes[8]) / 24)
        print(
            f"{label}: {hours:,.0f} CPU-hours, {hours * options.price:,.0f} at {options.price} an hour, "
            f"{hours / options.cores:,.1f} h on {options.cores} cores; {size / 1e9:,.1f} GB read, as much written"
        )


def _decoded(n: int, measures: int) -> Any:
    return arvae_music.read(melody(n, measures))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("cluster", "nodes", "memory", "cost"))
    parser.add_argument("--files", type=int, default=100, help="synthetic files (cluster: for each node)")
    parser.add_argument("--measures", type=int, default=16, help="measures in each file")
    parser.add_argument("--nodes", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2, 4, 8])
    parser.add_argument("--work", choices=("edit", "wait"), default="edit")
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--price", type=float, default=0.04, help="money for a CPU-hour")
    parser.add_argument("--cores", type=int, default=96)
    options = parser.parse_args()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")  # both for a machine that does other work
    os.environ.setdefault("RAY_health_check_timeout_ms", "60000")
    {"cluster": cluster, "nodes": nodes, "memory": memory, "cost": cost}[options.what](options)


if __name__ == "__main__":
    main()
