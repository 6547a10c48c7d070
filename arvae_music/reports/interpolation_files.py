"""The files of an interpolation: their paths, the melodies of the inputs, the MIDI data of every step, the rows of the
manifest, and the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..editing.edit import EditResult
from ..editing.matching import excerpt
from ..io.audio import wav
from ..io.chunks import for_suffix
from ..io.midi import Song, new_midi
from ..io.score_output import score_file, score_of_steps
from ..music.melody import Melody
from ..music.sliders import numbers_in
from ..networks.model import Model
from ..system.inputs import MIDI_SUFFIXES
from ..system.outputs import (
    FORMATS,
    MIDI,
    SCORE_SUFFIXES,
    SOUND_SUFFIX,
    Planned,
    Request,
    plan_outputs,
    refuse_one_file,
    suffix_of_format,
)
from ..system.storage import Place
from .cards import Card, step_card, with_scores
from .item_report import ItemReport, wrote
from .left_behind import left_behind, left_behind_line
from .manifest import Row, entry
from .score_lines import score_lines

NAMED = 3  # inputs in the outputs' name


def plan(
    places: Sequence[Place],
    steps: int,
    seed: int,
    output: str | None = None,
    one: bool = False,
    *,
    overwrite: bool = False,
    skip_existing: bool = False,
    format: str | None = None,
) -> list[Planned]:
    """Choose the path of every step, named after the inputs, or with `one` the path of the single file.

    `format` is one of outputs.FORMATS; None is MIDI, or the format of the suffix of `output`.

    Raises the errors of `plan_outputs`, and UsageError if many files would go to stdout or into one."""
    suffix = suffix_of_format(format or FORMATS[0])
    stems = ["stdin" if place == "-" else Path(place).stem for place in places]
    name = "-".join(stems[:NAMED]) + (f"-and-{len(stems) - NAMED}-more" if len(stems) > NAMED else "")
    source = Path(name) if places[0] == "-" else Path(places[0]).parent / name
    count = 1 if one else (len(places) - 1) * (steps - 1) + 1
    requests = [Request(source.with_name(f"{name}.mid"), f"{steps}-steps", seed, n + 1) for n in range(count)]
    if not one:
        refuse_one_file(output, "give one=True, or a folder with output=...")
        folder = f"{source}.steps/" if output is None else output
        output = folder if "{" in folder or folder.endswith("/") else f"{folder}/"
    elif output is None:
        output = str(source.with_name(f"{name}.{{edit}}{suffix}"))
    return plan_outputs(
        requests,
        output,
        overwrite=overwrite,
        skip_existing=skip_existing,
        template=("{stem}.{edit}" if one else "{stem}.{n:02}") + suffix,
        suffixes=(*MIDI_SUFFIXES, *SCORE_SUFFIXES, SOUND_SUFFIX) if format is None else (suffix,),
    )


def step_lines(rows: Sequence[Row], ends: Sequence[int]) -> list[str]:
    """The report: a table of the attributes of every step. `ends` are the indices of the steps that are inputs."""
    lines = ["step   " + "".join(f"{attribute['name']:>16}" for attribute in rows[0]["attributes"])]
    for row in rows:
        cells = (f"{a['achieved']:.3g} {a['unit']}" for a in row["attributes"])
        at = "  an input" if row["n"] - 1 in ends else ""
        lines.append(f"{row['n']:4}   " + "".join(f"{cell:>16}" for cell in cells) + at)
    return lines


def report(
    songs: Sequence[Song],
    melodies: Sequence[Melody],
    ends: Sequence[int],
    plans: Sequence[Planned],
    rows: Sequence[Row],
    dry_run: bool = False,
) -> ItemReport:
    """The report on an interpolation of `melodies`, those of `songs`, whose steps are `rows`."""
    from .summaries import melody_line  # with the deepest imports of this package

    left = [left_behind(song, melody) for song, melody in zip(songs, melodies, strict=True)]
    voices = [line for song in songs for line in (f"{song.name}: {melody_line(song)}", *score_lines(song))]
    behind = [left_behind_line(song, counts) for song, counts in zip(songs, left, strict=True) if counts]
    place = plans[0].place if len(plans) == 1 else f"{Path(plans[0].place).parent}/ ({len(plans)} files)"
    lines = [*voices, *behind, f"model: {rows[0]['model']}", *step_lines(rows, ends), wrote(place, dry_run)]
    counted = [
        {"input": song.name, **{kind.name.lower(): n for kind, n in counts.items()}}
        for song, counts in zip(songs, left, strict=True)
    ]
    outputs = [] if dry_run else [str(plan.place) for plan in plans]
    data = {"outputs": outputs, "steps": rows, "left_behind": counted}
    return ItemReport(lines, [data], plans[0].place == "-")


def input_of(song: Song, bars: str | None) -> Melody:
    """The melody of a song in full measures: all of them, or a selection such as `1-4,7`, which is numbered anew."""
    melody = replace(song.whole(), name=song.name)
    if bars is None:
        return melody
    part = excerpt(melody, numbers_in(bars))
    first = 0 if part.bars[0].number == 0 else 1  # 0 is a pickup
    return replace(part, bars=tuple(replace(bar, number=first + i) for i, bar in enumerate(part.bars)))


def step_files(
    melodies: Sequence[Melody], ends: Sequence[int], songs: Sequence[Song], suffixes: Sequence[str]
) -> list[bytes]:
    """Every step as a file with its suffix, or all steps in one file if `suffixes` has a single suffix: a score, sound
    (.wav) or a MIDI file. `ends` are the indices of the inputs.

    Tempo and instrument are those of the first input. The velocity moves in a straight line from one input's median to
    the next one's."""
    line = np.interp(range(len(melodies)), ends, [song.velocity for song in songs])
    steps = list(zip(melodies, map(round, line.tolist()), strict=True))
    look: dict[str, Any] = {"tempo": songs[0].tempo, "program": songs[0].found.program or 0}
    contents = [steps] if len(suffixes) == 1 else [[step] for step in steps]
    return [_file(content, suffix, look) for content, suffix in zip(contents, suffixes, strict=True)]


def write_steps(
    melodies: Sequence[Melody],
    ends: Sequence[int],
    songs: Sequence[Song],
    plans: Sequence[Planned],
    format: str | None = None,
) -> None:
    """Write the outputs of `plan`, except those to skip. `format` is that of stdout. Raises OutputError."""
    suffixes = [plan.suffix or f".{format or FORMATS[0]}" for plan in plans]
    for plan, data in zip(plans, step_files(melodies, ends, songs, suffixes), strict=True):
        if not plan.skip:
            plan.write(data)


def _file(steps: Sequence[tuple[Melody, int]], suffix: str, look: dict[str, Any]) -> bytes:
    if suffix.lower() in SCORE_SUFFIXES:
        return score_file(score_of_steps(steps, **look), suffix)
    if suffix.lower() == SOUND_SUFFIX:
        return wav(_midi(steps, look))
    return for_suffix(_midi(steps, look), suffix)


def _midi(steps: Sequence[tuple[Melody, int]], look: dict[str, Any]) -> bytes:
    """One MIDI file of melodies, each with its velocity, one after another."""
    bars = [(melody, velocity, bar) for melody, velocity in steps for bar in melody.bars]
    keys = [melody.key_at(i) for melody, _ in steps for i in range(len(melody.bars))]
    return new_midi(
        [bar.tokens for _, _, bar in bars],
        [bar.meter for _, _, bar in bars if bar.meter is not None],
        shift=[melody.shift for melody, _, _ in bars],
        fifths=keys,
        velocity=[velocity for _, velocity, _ in bars],
        signatures=[bar.signature for _, _, bar in bars],
        **look,
    )


def step_cards(
    rows: Sequence[Row],
    melodies: Sequence[Melody],
    ends: Sequence[int],
    songs: Sequence[Song],
    plans: Sequence[Planned],
    *,
    scores: bool = False,
) -> list[Card]:
    """The card of every step, which compares it with the first one. `plans` has the place of every step, or the single
    place of all."""
    midis = step_files(melodies, ends, songs, [MIDI] * len(melodies))
    places = [None if plan.place == "-" else Path(plan.place) for plan in plans] * (len(rows) // len(plans))
    cards = [
        step_card(row, midis[0], midi, melodies[0], place)
        for row, midi, place in zip(rows, midis, places, strict=True)
    ]
    if not scores:
        return cards
    return [
        with_scores(card, melodies[0], melodies[0], step) for card, step in zip(cards, melodies, strict=True)
    ]


def step_rows(
    results: Sequence[EditResult], files: Sequence[str], source: str, model: Model, seed: int
) -> list[Row]:
    """The manifest's row of every step. The requested values lie on a straight line between the inputs around it."""
    rows = []
    for n, (file, result) in enumerate(zip(files, results, strict=True), 1):
        targets = dict.fromkeys(result.names, f"step {n} of {len(files)}")
        rows.append(entry(file=file, source=source, n=n, seed=seed, model=model, result=result, targets=targets))
    return rows
