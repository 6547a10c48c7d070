"""Edit every MIDI file of a folder, and check what the edits did to the files.

    python benchmarks/files.py FOLDER               a table for the folder, and the reasons for refusals
    python benchmarks/files.py FOLDER --json out    the same with a row for each file

Each file is read, edited by +0 and by +1.5 sd (standard deviations) of each attribute, and read again. `oracle.py`, a
reader of MIDI files that shares no code with arvae, says which files follow the standard, which have a pitched line (at
least four notes on one channel outside the drums that begin at different times), and whether an edit changed anything
but melody notes in edited measures.

The figures, with the goal of the project for each:

    files edited         share of the well-formed files with a pitched line that the edits accept; goal 95%
    measures edited      share of the sounding measures of the melody in these files that the edits accept (arvae can
                         read the measure and the model knows its meter); a refused file counts with no measure
                         edited, and with the measures of 4 quarter notes that its longest track has; goal 85%
    measures changed     share of these measures that at least one of the edits changed
    +0 identical         share of the edits by +0 that return the file byte for byte; goal 100%
    nothing else changed share of the edits that changed only notes of the melody in edited measures; goal 100%. Edits
                         of files in which the two readers do not find the same number of tracks are not compared
    barlines kept        share of the edits after which the file is read with the same measures; goal 100%
    voice chosen again   share of the edits after which the same voice is chosen for the melody
    line read again      share of the edits after which the melody is read with exactly the notes that were written
    its notes read again share of the written notes that are read as notes of the melody
    exceptions           exceptions that are not ArvaeError; goal 0
"""

from __future__ import annotations

import argparse
import json
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import oracle

import arvae_music
from arvae_music.editing.edit import expect_editable
from arvae_music.errors import ArvaeError
from arvae_music.io.midi import Song
from arvae_music.music.melody import Melody
from arvae_music.system.inputs import MIDI_SUFFIXES

STEP = 1.5  # sd
BEAT_COUNT = 4  # quarter notes in a measure of a file that cannot be read
SHOWN = 5  # files named for each fault


@dataclass
class Outcome:
    """What happened to one file."""

    name: str
    readable: bool = False  # the oracle finds a MIDI header
    flaws: list[str] = field(default_factory=list)
    pitched: bool = False
    refusal: str = ""  # why arvae does not edit it
    measures: int = 0  # that sound
    edited: int = 0  # of these, that the edits accept
    changed: int = 0  # of these, that an edit changed
    untouched: dict[str, int] = field(default_factory=dict)  # sounding measures that cannot be edited, by reason
    edits: int = 0
    identical: bool | None = None  # after +0
    faults: dict[str, list[str]] = field(default_factory=dict)  # what an edit changed that it must not change
    compared: int = 0  # the edits that the oracle compared with the original, or that changed nothing
    barlines: list[str] = field(default_factory=list)  # the edits that changed the barlines
    voices: list[str] = field(default_factory=list)  # the edits after which another voice is chosen
    lines: list[str] = field(default_factory=list)  # the edits after which the melody has other notes than were written
    notes: int = 0  # that the edits wrote
    found: int = 0  # of these, that are read again
    crash: str = ""
    seconds: float = 0.0  # of processor time

    @property
    def counted(self) -> bool:
        return self.readable and not self.flaws and self.pitched


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder with MIDI files")
    parser.add_argument("--model", default="auto", help="a bundled model, a file or a run folder")
    parser.add_argument("--every", type=int, default=1, help="take every N-th file only")
    parser.add_argument("--json", type=Path, help="a file for the outcome of each file, as JSON")
    options = parser.parse_args()
    paths = sorted(path for path in options.folder.rglob("*") if path.suffix.lower() in MIDI_SUFFIXES)
    outcomes = [examine(path, options.model) for path in paths[:: options.every]]
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in outcomes], indent=1))
    print(report(outcomes))


def examine(path: Path, model: str) -> Outcome:
    """Read, edit and check one file."""
    outcome = Outcome(path.name)
    started = time.process_time()
    data = path.read_bytes()
    try:
        before: oracle.OracleFile | None = oracle.parse(data)
    except ValueError:
        before = None
    if before is not None:
        outcome.readable, outcome.flaws, outcome.pitched = True, before.flaws, before.has_pitched_line
    try:
        _edit(data, before, model, outcome)
    except ArvaeError as error:
        outcome.refusal = error.what
        outcome.measures = outcome.measures or _length(before)
    except Exception:  # a crash is a result of this benchmark
        outcome.crash = traceback.format_exc()
    outcome.seconds = time.process_time() - started
    return outcome


def _length(before: oracle.OracleFile | None) -> int:
    """An estimate of the number of measures, in a file that arvae does not read."""
    last = max((events[-1].tick for events in before.tracks if events), default=0) if before else 0
    return last // max(1, BEAT_COUNT * (before.division if before else 1)) + 1


def _edit(data: bytes, before: oracle.OracleFile | None, model_name: str, outcome: Outcome) -> None:
    song = Song.read(data, name=outcome.name)
    melody = song.melody
    sounding = sorted({int(i) for i in song.placements.measure})
    outcome.measures = len(sounding)
    model = arvae_music.load(model_name)
    changed: set[int] = set()
    accepted: set[int] = set()
    for name, step in [(model.metadata.names[0], 0.0), *((name, STEP) for name in model.metadata.names)]:
        result = model.edit(song, {name: step})
        expect_editable(result, outcome.name)
        outcome.edits += 1
        written = song.write(result.melody.rows)
        outcome.compared += written == data
        if not step:
            outcome.identical = written == data
            numbers = {bar.number for bar in result.bars}
            accepted = {i for i in sounding if melody.bars[i].number in numbers}
            for i in set(sounding) - accepted:
                reason = str(melody.bars[i].reason or "unsupported by the model")
                outcome.untouched[reason] = outcome.untouched.get(reason, 0) + 1
            outcome.edited = len(accepted)
            continue
        different = {
            i
            for i, (old, new) in enumerate(zip(melody.rows, result.melody.rows, strict=True))
            if old is not None and new is not None and (old != new).any()
        }
        changed |= different & accepted
        if written == data:
            continue
        _check(song, before, written, sorted(different), name, outcome)
        _read_again(song, result.melody, written, name, outcome)
    outcome.changed = len(changed)


def _check(
    song: Song, before: oracle.OracleFile | None, written: bytes, different: list[int], name: str, outcome: Outcome
) -> None:
    if before is None or len(before.tracks) != len(song.tracks):
        return
    outcome.compared += 1
    melodies = {song.found.track - 1: {(note.start, note.pitch) for note in song.notes}}
    for double in song.doubles:
        melodies.setdefault(double.track, set()).update((note.start, note.pitch) for note in double.line.notes)
    edited = [(song.melody.bars[i].start, song.melody.bars[i].end) for i in different]
    for fault in oracle.differences(before, oracle.parse(written), melodies, edited):
        outcome.faults.setdefault(fault, []).append(name)


def _read_again(song: Song, edited: Melody, written: bytes, name: str, outcome: Outcome) -> None:
    found = song.found
    again = Song.read(written, name=outcome.name)
    if (again.found.track, again.found.channels) != (found.track, found.channels):
        outcome.voices.append(name)
        again = Song.read(written, name=outcome.name, track=found.track, channel=found.channel)
    sounds = song.sounds(edited.rows)[found.track - 1][0]
    there, here = ({(note.start, note.pitch) for note in notes} for notes in (sounds, again.notes))
    outcome.notes += len(there)
    outcome.found += len(there & here)
    if there != here:
        outcome.lines.append(name)
    lines = [[(bar.number, bar.signature, bar.start, bar.end) for bar in one.melody.bars] for one in (song, again)]
    shorter = min(map(len, lines))
    if lines[0][: shorter - 1] != lines[1][: shorter - 1] or abs(len(lines[0]) - len(lines[1])) > 1:
        outcome.barlines.append(name)


# ------------------------------------------------------------------------------------ report


def report(outcomes: list[Outcome]) -> str:
    """The figures, the reasons for refusals, and the files with faults."""
    counted = [one for one in outcomes if one.counted]
    odd = [one for one in outcomes if one.readable and one.flaws and one.pitched]
    edits = sum(one.edits for one in outcomes)
    unchanged = [one for one in outcomes if one.identical is not None]
    compared = sum(one.compared for one in outcomes)
    measures = sum(one.measures for one in counted)
    accepted = [one for one in counted if one.edited]
    inside = sum(one.measures for one in accepted)
    slowest = max(outcomes, key=lambda one: one.seconds, default=Outcome("none"))
    wrong = sum(len({edit for edits in one.faults.values() for edit in edits}) for one in outcomes)
    lines = [
        f"{len(outcomes)} files: {len(counted)} well-formed with a pitched line, {len(odd)} flawed with one",
        _share("files edited", len(accepted), len(counted)),
        _share("flawed files edited", sum(one.edited > 0 for one in odd), len(odd)),
        _share("measures edited", sum(one.edited for one in counted), measures),
        _share("  of files that are edited", sum(one.edited for one in accepted), inside),
        _share("measures changed", sum(one.changed for one in counted), measures),
        _share("+0 identical", sum(bool(one.identical) for one in unchanged), len(unchanged)),
        _share("nothing else changed", compared - wrong, compared),
        f"{'  not compared':26} {edits - compared} of {edits}",
        _share("barlines kept", edits - sum(len(one.barlines) for one in outcomes), edits),
        _share("voice chosen again", edits - sum(len(one.voices) for one in outcomes), edits),
        _share("line read again", edits - sum(len(one.lines) for one in outcomes), edits),
        _share("its notes read again", sum(one.found for one in outcomes), sum(one.notes for one in outcomes)),
        f"{'exceptions':26} {sum(bool(one.crash) for one in outcomes)}",
        f"{'slowest file':26} {slowest.seconds:.1f} s of processor time ({slowest.name})",
        *_table("refused, well-formed with a pitched line", counted, lambda one: [one.refusal] if one.refusal else []),
        *_table("refused, others", [o for o in outcomes if not o.counted], lambda o: [o.refusal] if o.refusal else []),
        *_table("faults", outcomes, lambda one: list(one.faults)),
        *_table("another voice is chosen", outcomes, lambda one: ["after an edit"] if one.voices else []),
        *_table("barlines", outcomes, lambda one: ["not kept"] if one.barlines else []),
        *_table("crashes", outcomes, lambda one: one.crash.strip().splitlines()[-1:]),
    ]
    untouched: Counter[str] = sum((Counter(one.untouched) for one in counted), Counter())
    lines += ["", "sounding measures that are not edited, of well-formed files that are read:"]
    lines += [f"  {count:6} {reason}" for reason, count in untouched.most_common(15)]
    return "\n".join(lines)


def _share(title: str, part: int, whole: int) -> str:
    return f"{title:26} {part} of {whole} ({100 * part / max(1, whole):.1f}%)"


def _table(title: str, outcomes: Sequence[Outcome], reasons: Callable[[Outcome], list[str]]) -> list[str]:
    names: dict[str, list[str]] = {}
    for one in outcomes:
        for reason in reasons(one):
            names.setdefault(reason, []).append(one.name)
    rows = sorted(names.items(), key=lambda item: -len(item[1]))
    lines = [f"  {len(own):4} {reason}: {', '.join(own[:SHOWN])}" for reason, own in rows]
    return ["", f"{title}:", *lines] if lines else []


if __name__ == "__main__":
    main()
