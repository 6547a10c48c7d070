"""Measure how well chords are read, and how well new notes of an edit fit them.

    python benchmarks/harmony.py --model folk                  German folk songs under seven accompaniments, and Bach
    python benchmarks/harmony.py --reading                     only how well chords are read
    python benchmarks/harmony.py --songs 12 --tunes 8          fewer songs and chorales

Reading: the share of beats whose root is right, whose chord is right as a triad, and the overlap of the pitch classes
read with the true ones (their number in common, divided by their number together). The chords are those from which the
accompaniment was made.

Editing: every measure is edited by +-1.5 sd of each attribute, with and without the chords. A note is new if the
original has no note of this pitch there. `on beats` is the share of the new notes on beats that are chord tones,
`strong` the same for downbeats and half measures, and `clashes` the share of all new notes that begin a semitone above
or below a sounding note of the accompaniment, in any octave. `original` has the same shares of the song's own notes.
`exact` is the share of feasible requests that are met. For the folk songs the chord is the true one, and the engine
sees only the accompaniment; for Bach's chorales, a chord tone is a pitch class that sounds in the lower voices.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from songs import TEXTURES, TPQ, Tune, chorales, folk_songs, song

import arvae_music
from arvae_music.arrays import Mask
from arvae_music.editing.edit import EditResult, edit
from arvae_music.io.midi import Song
from arvae_music.library import Model
from arvae_music.music.attributes import metrical_levels
from arvae_music.music.harmony import beats_of, spread
from arvae_music.music.keys import OCTAVE
from arvae_music.music.meter import TICKS_PER_BEAT
from arvae_music.music.tokens import FIRST_PITCH, onsets, pitch_of
from arvae_music.system.files import plain

STEP = 1.5  # sd
Truth = Callable[[int], Mask]  # the index of a measure -> (t, 12) which pitch classes are chord tones


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="folk", help="a bundled model, a file or a run folder")
    parser.add_argument("--songs", type=int, default=36, help="the largest number of folk songs")
    parser.add_argument("--tunes", type=int, default=16, help="the largest number of chorales")
    parser.add_argument("--part", default="test", choices=["valid", "test"], help="the part of the chorales")
    parser.add_argument("--reading", action="store_true", help="only read chords")
    parser.add_argument("--attributes", nargs="+", default=["density", "range", "contour", "rhythm"])
    parser.add_argument("--json", help="a file to which the tables are written as JSON")
    options = parser.parse_args()
    tunes = folk_songs(options.songs)
    tables: dict[str, object] = {"reading": reading(tunes)}
    if not options.reading:
        model = arvae_music.load(options.model)
        pairs = [(song(tune, TEXTURES[n % len(TEXTURES)]), tune) for n, tune in enumerate(tunes)]
        folk = [(one, _truth_of(one, tune)) for one, tune in pairs]
        tables["folk songs"] = editing("folk songs", folk, model, options.attributes)
        bach = [(one, _lower_voices(one)) for one in chorales(options.part, options.tunes)] if options.tunes else []
        tables["chorales"] = editing("chorales", bach, model, options.attributes) if bach else []
    if options.json:
        Path(options.json).write_text(json.dumps(plain({"options": vars(options), **tables}), indent=1))


# ------------------------------------------------------------------------------------ reading


def reading(tunes: Sequence[Tune]) -> list[dict[str, object]]:
    print("| accompaniment | songs | root | triad | overlap | ms a song |\n|---|---|---|---|---|---|")
    rows = []
    for texture in TEXTURES:
        fitting = [tune for tune in tunes if tune.meter != "6/8" or texture.__name__ != "walking"]
        started = time.perf_counter()
        songs = [song(tune, texture) for tune in fitting]
        ms = 1000 * (time.perf_counter() - started) / max(len(songs), 1)
        scores = [score for one, tune in zip(songs, fitting, strict=True) for score in _beats(one, tune)]
        root, triad, overlap = np.mean(scores, axis=0).tolist()
        rows.append({"accompaniment": texture.__name__, "root": root, "triad": triad, "overlap": overlap})
        print(f"| {texture.__name__} | {len(songs)} | {root:.3f} | {triad:.3f} | {overlap:.3f} | {ms:.0f} |")
    return rows


def _beats(one: Song, tune: Tune) -> Iterable[tuple[float, float, float]]:
    for bar in one.melody.bars:
        if bar.meter is None:
            continue
        read = [None] * bar.meter.ticks if bar.harmony is None else spread(bar.harmony.chords, bar.meter)
        for beat, at in enumerate(beats_of(bar.meter)):
            true, found = tune.chord_at(Fraction(bar.start, TPQ) + at), read[beat * TICKS_PER_BEAT]
            if true is None or Fraction(bar.start, TPQ) + at >= tune.length:
                continue
            if found is None or found.root is None or true.root is None:
                yield 0.0, 0.0, 0.0
                continue
            minor = [(chord.root + 3) % OCTAVE in chord.classes for chord in (found, true) if chord.root is not None]
            root = float(found.root == true.root)
            overlap = len(found.classes & true.classes) / len(found.classes | true.classes)
            yield root, root * (minor[0] == minor[1]), overlap


# ------------------------------------------------------------------------------------ editing


def _truth_of(one: Song, tune: Tune) -> Truth:
    def truth(i: int) -> Mask:
        bar = one.melody.bars[i]
        assert bar.meter is not None
        chords = [tune.chord_at(Fraction(bar.start, TPQ) + at) for at in bar.meter.tick_quarters[:-1]]
        return np.array([[chord is None or tone in chord.classes for tone in range(OCTAVE)] for chord in chords])

    return truth


def _lower_voices(one: Song) -> Truth:
    def truth(i: int) -> Mask:
        harmony = one.melody.bars[i].harmony
        assert harmony is not None
        return harmony.sounding

    return truth


def editing(
    title: str, songs: Sequence[tuple[Song, Truth]], model: Model, attributes: Sequence[str]
) -> list[dict[str, object]]:
    print(f"\n{title}: {len(songs)} songs, model {model.name}\n")
    print("| request | chords | exact | new notes | on beats | strong | clashes | ms/measure |")
    print("|---|---|---|---|---|---|---|---|")
    own = _Notes()
    for one, truth in songs:
        for index, bar in enumerate(one.melody.bars):
            if bar.tokens is not None and bar.harmony is not None:
                own.add(one, index, bar.tokens, onsets(bar.tokens), truth)
    rows = [{"request": "original", **own.shares}]
    print(f"| original | | | {own.line} | |", flush=True)
    for seen in (True, False):
        total, hits = _Notes(), []
        for name in attributes:
            for step in (-STEP, STEP):
                row = _request(songs, model, name, step, seen, total, hits)
                rows.append(row)
        label = "with" if seen else "ignored"
        rows.append({"request": "all", "harmony": seen, "exact": float(np.mean(hits)), **total.shares})
        print(f"| all | {label} | {np.mean(hits):.4f} | {total.line} | |", flush=True)
    return rows


def _request(
    songs: Sequence[tuple[Song, Truth]],
    model: Model,
    name: str,
    step: float,
    seen: bool,
    total: _Notes,
    hits: list[bool],
) -> dict[str, object]:
    notes, own_hits = _Notes(), []
    request = replace(model.request({name: step}, each=True), harmony=seen)
    started, measures = time.perf_counter(), 0
    results: list[EditResult] = []
    for one, _ in songs:
        results.append(edit(one.melody, request, model))
        measures += len(results[-1].bars)
    ms = 1000 * (time.perf_counter() - started) / max(measures, 1)
    for (one, truth), result in zip(songs, results, strict=True):
        k = result.names.index(name)
        own_hits += [bool(bar.hits[k]) for bar in result.bars if not bar.clamped[k]]
        for bar in result.bars:
            before, after = one.melody.bars[bar.index].tokens, result.melody.bars[bar.index].tokens
            if before is None or after is None or one.melody.bars[bar.index].harmony is None:
                continue
            for found in (notes, total):
                found.add(one, bar.index, after, onsets(after) & (after != before), truth)
    hits += own_hits
    exact = float(np.mean(own_hits)) if own_hits else float("nan")
    label = "with" if seen else "ignored"
    print(f"| {name} {step:+g} | {label} | {exact:.4f} | {notes.line} | {ms:.0f} |", flush=True)
    return {"request": f"{name} {step:+g}", "harmony": seen, "exact": exact, "ms": ms, **notes.shares}


class _Notes:
    """Counts of notes: all, and those on beats and on strong beats, that are chord tones, and that clash."""

    def __init__(self) -> None:
        self.count = self.clashing = 0
        self.on_beats: list[bool] = []
        self.on_strong: list[bool] = []

    def add(self, one: Song, index: int, row: np.ndarray, chosen: Mask, truth: Truth) -> None:
        bar = one.melody.bars[index]
        assert bar.meter is not None
        assert bar.harmony is not None
        levels, tones = metrical_levels(bar.meter), truth(index)
        strongest = levels >= (-1 if bar.meter.beats in (2, 4, 6) else 0)
        for tick in np.flatnonzero(chosen & (row >= FIRST_PITCH)).tolist():
            tone = (pitch_of(int(row[tick])) - one.melody.shift) % OCTAVE
            sounding = bar.harmony.sounding[tick]
            self.count += 1
            self.clashing += bool(sounding[(tone + 1) % OCTAVE] or sounding[(tone - 1) % OCTAVE])
            if tick % TICKS_PER_BEAT == 0:
                self.on_beats.append(bool(tones[tick, tone]))
                if strongest[tick]:
                    self.on_strong.append(bool(tones[tick, tone]))

    @property
    def shares(self) -> dict[str, object]:
        beats, strong = (float(np.mean(each)) if each else float("nan") for each in (self.on_beats, self.on_strong))
        clashes = self.clashing / max(self.count, 1)
        return {"notes": self.count, "on_beats": beats, "strong": strong, "clashes": clashes}

    @property
    def line(self) -> str:
        found = self.shares
        return f"{self.count} | {found['on_beats']:.3f} | {found['strong']:.3f} | {found['clashes']:.3f}"


if __name__ == "__main__":
    main()
