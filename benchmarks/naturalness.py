"""How musical are edits? Judges that no engine was trained on measure the melodies before and after.

    python benchmarks/naturalness.py --corpus folk --model folk --quick         about three minutes
    python benchmarks/naturalness.py --corpus bach --model bach --part test --json bach.json --markdown bach.md
    python benchmarks/naturalness.py --corpus folk --model folk --print 10      read the edits in notation

Three kinds of judges, each in a module of judges/:

1. Likelihood: bits a note under an n-gram and under a GRU, before and after the edit. An edit that writes what no tune
   would have costs more bits. Both read the whole tune, over its barlines.
2. A two-sample test: a classifier tells edited measures from real ones with the same number of notes, range, contour
   and onsets on and between the beats. AUC 0.5 means that nobody can tell. `inside` is the same test on the measure
   alone, without its neighbours.
3. Phrase figures: pickups, final notes, leaps, rhythmic places, accidentals, and the fit with the chords of other
   tracks.

Beside them stands what is left of the tune (onsets kept, correlation of the pitches on the beats), and whether the
request is met. No figure says enough alone: an engine that changes nothing is perfectly natural.

An sd is one standard deviation of an attribute in the model's corpus. There are three tasks. `fourth` edits every
fourth measure, between original neighbours. `every` moves each measure. `mean` moves the mean of the tune, and an
engine may share that out. Two more tasks, `vary` and `interpolate`, judge the variations of tunes and the steps between
them (judges/families.py); they have a table of their own. Use the validation part to choose between engines, and the
test part to judge the one that was chosen. Intervals hold 95% of 400 bootstrap draws of tunes, and differences pair the
tunes.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch and scikit-learn are imported
os.environ.setdefault("OMP_NUM_THREADS", "1")

from judges import families, tunes
from judges.court import court_of, fit_chords, judge
from judges.engines import ENGINES, PER_MEASURE, Engine, Setting
from judges.likeness import Ask
from judges.notation import side_by_side
from judges.report import Report
from judges.tunes import Tune

import arvae_music
from arvae_music.corpora import registry
from arvae_music.library import Model
from arvae_music.music.attributes import PAPER
from arvae_music.music.melody import Melody
from arvae_music.system import machine as processor

FEW = 60  # tunes; in the task `fourth`, fewer are edited COPIES times, in other measures each time
COPIES = 4
TASKS = ("fourth", "every", "mean", *families.TASKS)
QUICK = {"engines": "guided,shuffled", "steps": "+1.5", "tasks": "fourth,every", "tunes": 100, "chords": ""}


@dataclass
class Bench:
    """The engines, and the edits that they made before. Engines that move each measure alone have the same edits for
    `every` and for `mean`."""

    model: Model
    engines: dict[str, Engine]
    seed: int
    made: dict[tuple[str, str, float], tuple[list[Melody], float]] = field(default_factory=dict)

    def asks(self, some: Sequence[Tune], name: str, step: float, task: str) -> list[Ask]:
        return [request(tune, self.model, name, step, task, self.seed) for tune in some]

    def edits(self, some: Sequence[Tune], asks: Sequence[Ask], engine: str, task: str) -> tuple[list[Melody], float]:
        """The edited melodies, and the seconds of processor time for each measure."""
        key = (engine, asks[0].name, asks[0].step)
        reusable = engine in PER_MEASURE and task in ("every", "mean")
        if reusable and key in self.made:
            return self.made[key]
        started = time.process_time()
        run = self.engines[engine]
        found = [run(tune, ask) if ask.at else tune.melody for tune, ask in zip(some, asks, strict=True)]
        seconds = (time.process_time() - started) / max(sum(len(ask.at) for ask in asks), 1)
        if reusable:
            self.made[key] = found, seconds
        return found, seconds


def request(tune: Tune, model: Model, name: str, step: float, task: str, seed: int) -> Ask:
    """What a task requests of a tune."""
    bars = tune.melody.bars
    known = [i for i in tune.editable if (meter := bars[i].meter) is not None and meter.name in model.metadata.meters]
    if task == "fourth":
        inner = set(tune.inner)
        known = [i for i in known if i % 4 == tune.number % 4 and i in inner]
    return Ask(name, step, tuple(known), task != "mean", seed)


def main() -> None:
    options = _options()
    processor.settle(1)
    started = time.perf_counter()

    def log(text: str) -> None:
        print(f"{time.perf_counter() - started:5.0f} s  {text}", file=sys.stderr, flush=True)

    model = arvae_music.load(options.model)
    own = tunes.load(options.corpus)
    judged = tunes.chosen(own, options.part, options.tunes)
    setting = Setting(model, tunes.training_rows(own))
    bench = Bench(model, {name: ENGINES[name](setting) for name in options.engines}, options.seed)
    requests = [(name, step) for step in options.steps for name in options.attributes]
    if options.print:
        some = judged[:: max(1, len(judged) // options.print)][: options.print]
        print("\n\n".join(printed(bench, some, requests, options.engines[0], options.tasks[0])))
        return
    others = [name for name in registry.built_in() if name in registry.built() and name != options.corpus]
    court = court_of(options.corpus, own, others, judged)
    facts = {
        "command": " ".join(["python", "benchmarks/naturalness.py", *sys.argv[1:]]),
        "model": f"{model.name} ({model.checkpoint.digest})",
        "tunes": f"{len(judged)} of {options.corpus}, {options.part} part",
        "judges trained on": f"the other half of the held-out tunes of {', '.join([options.corpus, *others])}",
        "seed": options.seed,
    }
    report = Report(f"Naturalness of edits: {options.corpus}, model {model.name}", facts, options.seed)
    log(f"{len(judged)} tunes, judges ready")
    cells = {}
    for task in options.tasks:
        if task in families.TASKS:
            cells[task] = families.TASKS[task](judged, court, model, options.seed)
            log(task)
            continue
        copies = COPIES if task == "fourth" and len(judged) < FEW else 1
        some = [replace(tune, number=tune.number + k) for tune in judged for k in range(copies)]
        before = court.bits(some, [tune.melody for tune in some])
        for name, step in requests:
            asks = bench.asks(some, name, step, task)
            for engine in options.engines:
                after, seconds = bench.edits(some, asks, engine, task)
                tests = task == "fourth" or not options.quick
                cell = judge(some, asks, after, before, court, model, options.seed, tests, copies)
                cell.seconds = seconds
                report.cells[task, asks[0].label, engine] = cell
                log(f"{task}, {asks[0].label}, {engine}")
    if options.chords:
        bench.made.clear()
        songs = tunes.songs(options.chords)
        for name, step in requests:
            asks = bench.asks(songs, name, step, "every")
            for engine in options.engines:
                after, _ = bench.edits(songs, asks, engine, "chords")
                report.cells["chords", asks[0].label, engine] = fit_chords(songs, after)
            log(f"chords, {asks[0].label}")
    text = report.markdown() + ("\n" + families.table(cells, options.seed) + "\n" if cells else "")
    print(text)
    for path, content in ((options.markdown, text), (options.json, report.json())):
        if path:
            path.write_text(content)


def printed(
    bench: Bench, some: Sequence[Tune], requests: Sequence[tuple[str, float]], engine: str, task: str
) -> list[str]:
    """The tunes before and after each request, in notation."""
    found = []
    for name, step in requests:
        for tune, ask in zip(some, bench.asks(some, name, step, task), strict=True):
            after = bench.engines[engine](tune, ask)
            found.append(f"{tune.name}, {engine}, {task}, {ask.label} sd\n{side_by_side(tune.melody, after)}")
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default="folk", help="the built corpus whose tunes are edited")
    parser.add_argument("--model", help="a bundled model, a file or a run folder; by default that of the corpus' name")
    parser.add_argument("--part", default="validation", choices=["validation", "test"], help="the held-out part")
    parser.add_argument("--tunes", type=int, help="the largest number of tunes, evenly spread over the part")
    parser.add_argument("--engines", help=f"columns, separated by commas: {', '.join(ENGINES)}; the first is compared")
    parser.add_argument("--attributes", default=",".join(PAPER), help="attributes of the requests")
    parser.add_argument("--steps", help="steps of the requests in sd, separated by commas; +1.5,-1.5,+0.5,-0.5")
    parser.add_argument("--tasks", help=f"{', '.join(TASKS)}, separated by commas")
    parser.add_argument("--chords", help="bach: Bach's chorales with their lower voices, or a folder of MIDI files")
    parser.add_argument("--quick", action="store_true", help="few requests, engines and tunes, without chords")
    parser.add_argument("--print", type=int, metavar="N", help="print N tunes before and after instead of judging")
    parser.add_argument("--seed", type=int, default=0, help="of the engines, the matching and the bootstrap")
    parser.add_argument("--json", type=Path, help="a file for all figures as JSON")
    parser.add_argument("--markdown", type=Path, help="a file for the tables")
    options = parser.parse_args()
    full = {"engines": ",".join(ENGINES), "steps": "+1.5,-1.5,+0.5,-0.5", "tasks": "fourth,every,mean", "tunes": None,
            "chords": "bach"}  # fmt: skip
    for name, value in (QUICK if options.quick or options.print else full).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    options.model = options.model or options.corpus
    options.part = {"validation": "valid"}.get(options.part, options.part)
    for name in ("engines", "attributes", "tasks"):
        setattr(options, name, getattr(options, name).split(","))
    options.steps = [float(step) for step in options.steps.split(",")]
    if unknown := [name for name in options.engines if name not in ENGINES]:
        parser.error(f"--engines: unknown {', '.join(unknown)}; the engines are {', '.join(ENGINES)}")
    if unknown := [name for name in options.tasks if name not in TASKS]:
        parser.error(f"--tasks: unknown {', '.join(unknown)}; the tasks are {', '.join(TASKS)}")
    return options


if __name__ == "__main__":
    main()
