"""Measure how exactly edits meet requests, and how little else they change.

    python benchmarks/edit.py --model bach --corpus bach            test tunes, which training never saw
    python benchmarks/edit.py --model folk --corpus bach            a corpus that the model was not trained on
    python benchmarks/edit.py --part valid ...                      to choose prices: not with test tunes

For each of the four attributes, a change of +1.5 and of -1.5 sd (standard deviations) is requested in every measure of
every tune. A request is feasible if the value lies in the range of the model's corpus; other requests are clamped to
this range, and `clamped` counts them. `exact` is the share of feasible requests that are met to the note, to the
semitone, or, for rhythm, to half the weight of an eighth. `drift` is the mean absolute change, in sd, of the attributes
whose correlation with the requested one is below 0.5. `forced` is a lower bound of the drift that no edit can avoid,
because the attributes depend on each other: |contour| cannot exceed the range, the two are equal with two notes and 0
with one note, and more notes make a measure more complex. `ticks` is the share of ticks whose token changed. `x least`
is the number of changed ticks divided by the smallest possible one, on a sample of measures where brute force over all
changes of one and two ticks reaches the target; their number is in brackets. `in key` is the share of new notes in the
key; the last line has the share of the corpus's own notes.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from tunes import held_out

import arvae_music
from arvae_music.editing.cost import judge_of
from arvae_music.editing.edit import BarResult, EditResult, edit
from arvae_music.library import Model
from arvae_music.music.attributes import BUILT_IN, SEMITONES
from arvae_music.music.keys import in_key
from arvae_music.music.melody import Melody
from arvae_music.music.tokens import FIRST_PITCH, HOLD, REST, onsets
from arvae_music.music.weights import rhythm_weights
from arvae_music.system.files import plain

STEP = 1.5  # sd
SAMPLE = 40  # the number of measures for which brute force is run, for each attribute and direction
WIDEST = 48  # semitones: the span of the vocabulary
NEARLY = 1e-9  # tolerance for rounding


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="bach", help="a bundled model, a file or a run folder")
    parser.add_argument("--corpus", default="bach", help="the corpus whose held-out tunes are edited")
    parser.add_argument("--part", default="test", choices=["valid", "test"], help="the held-out part")
    parser.add_argument("--tunes", type=int, help="the largest number of tunes, evenly spread over the part")
    parser.add_argument("--mode", default="guided", choices=["guided", "latent"], help="as in arvae edit")
    parser.add_argument("--attributes", nargs="+", help="only requests for these attributes")
    parser.add_argument("--proposals", type=int, default=64, help="decoded candidates for each measure")
    parser.add_argument("--no-brute-force", action="store_true", help="leave out `x least`")
    parser.add_argument("--json", help="a file to which the table is written as JSON")
    options = parser.parse_args()
    model = arvae_music.load(options.model)
    melodies = held_out(options.corpus, options.part, options.tunes)
    rows = []
    print(f"model {model.name} on {options.corpus} {options.part}: {len(melodies)} tunes, mode {options.mode}\n")
    heads = ("attribute", "requested", "exact", "measures", "clamped", "drift", "forced", "ticks", "x least", "in key")
    print(f"| {' | '.join(heads)} | ms/measure |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for name in options.attributes or model.metadata.carried:
        for step in (-STEP, STEP):
            row = request(model, melodies, name, step, options.mode, options.proposals, not options.no_brute_force)
            rows.append(row)
            print(
                f"| {name} | {step:+g} | {row['exact']:.4f} | {row['measures']} | {row['clamped']} "
                f"| {row['drift']:.3f} | {row['forced']:.3f} | {row['ticks']:.3f} "
                f"| {row['least']:.2f} ({row['sampled']}) "
                f"| {'no new notes' if np.isnan(row['in_key']) else format(row['in_key'], '.3f')} | {row['ms']:.1f} |",
                flush=True,
            )
    own = np.concatenate([row[onsets(row)] for melody in melodies for row in melody.rows if row is not None])
    filled = [row for row in rows if row["measures"]]
    exact = np.average([row["exact"] for row in filled], weights=[row["measures"] for row in filled])
    print(
        f"\nexact {exact:.4f}; drift {np.mean([row['drift'] for row in filled]):.3f}, "
        f"forced {np.mean([row['forced'] for row in filled]):.3f}; own notes in key {in_key(own).mean():.3f}"
    )
    if options.json:
        Path(options.json).write_text(json.dumps(plain({"options": vars(options), "rows": rows}), indent=1))


def request(
    model: Model, melodies: list[Melody], name: str, step: float, mode: str, proposals: int, brute: bool
) -> dict[str, float]:
    """One row of the table: request a change of `step` sd of an attribute in every measure, and evaluate the edits."""
    editing = model.request({name: step}, mode=mode, proposals=proposals, each=True)
    started = time.perf_counter()
    results = [edit(melody, editing, model) for melody in melodies]
    seconds = time.perf_counter() - started
    names = list(results[0].names)
    k = names.index(name)
    pairs = [(bar, melody, result) for melody, result in zip(melodies, results, strict=True) for bar in result.bars]
    feasible = [pair for pair in pairs if not pair[0].clamped[k]]
    bars = [bar for bar, _, _ in feasible]
    before, after = _rows(feasible)
    new = [(b != a) & onsets(b) for a, b in zip(before, after, strict=True)]
    fresh = np.concatenate([melodies[0].rows[0][:0], *(row[mask] for row, mask in zip(after, new, strict=True))])
    ratios = _against_least(feasible, model, k) if brute else []
    drift, forced = _drift(bars, model, names, k)
    return {
        "attribute": name,
        "step": step,
        "exact": float(np.mean([bar.hits[k] for bar in bars])) if bars else float("nan"),
        "measures": len(bars),
        "clamped": len(pairs) - len(bars),
        "drift": drift,
        "forced": forced,
        "ticks": float(np.mean([(a != b).mean() for a, b in zip(before, after, strict=True)]))
        if bars
        else float("nan"),
        "least": float(np.mean(ratios)) if ratios else float("nan"),
        "sampled": len(ratios),
        "in_key": float(in_key(fresh).mean()) if len(fresh) else float("nan"),
        "ms": 1000 * seconds / len(pairs),
    }


def _rows(pairs: list[tuple[BarResult, Melody, EditResult]]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The rows of tokens of measures, before and after the edit."""
    before = [melody.rows[bar.index] for bar, melody, _ in pairs]
    after = [result.melody.rows[bar.index] for bar, _, result in pairs]
    return before, after


def _drift(bars: list[BarResult], model: Model, names: list[str], k: int) -> tuple[float, float]:
    """Mean drift of the unrelated attributes, and the part of it that is forced, both in sd."""
    if not bars:
        return float("nan"), float("nan")
    metadata = model.metadata.restricted(names)
    unrelated = [j for j in range(len(names)) if abs(metadata.correlation[k][j]) < 0.5]
    sd = np.array([scale.sd for scale in metadata.scales])
    moves = np.array([np.abs(bar.achieved - bar.before) / sd for bar in bars])[:, unrelated]
    forced = [_forced(bar, names, k, unrelated, sd) for bar in bars]
    return float(moves.mean()), float(np.mean(forced) / len(unrelated))


def _forced(bar: BarResult, names: list[str], k: int, unrelated: list[int], sd: np.ndarray) -> float:
    """A lower bound of the drift of the unrelated attributes, summed, in sd.

    With fewer than two notes, range and contour are 0. With two, |contour| equals the range; with more, it is at most
    the range. The complexity of n notes is at least that of the n simplest ticks and at most that of the n most complex
    ones. The bound is the smallest drift over all densities, ranges, contours and complexities that obey these laws and
    meet the request.
    """
    tolerance = 0.5 * np.array([BUILT_IN[name].grain(bar.meter) for name in names]) + NEARLY
    every = (np.arange(bar.meter.ticks + 1), np.arange(WIDEST + 1), np.arange(-WIDEST, WIDEST + 1))
    notes, span, slope = np.meshgrid(*every, indexing="ij", sparse=True)
    lawful = np.where(notes < 3, span == np.abs(slope), span >= np.abs(slope)) & ((notes > 1) | (span == 0))
    weights = np.sort(rhythm_weights(bar.meter)) / rhythm_weights(bar.meter).sum()
    simplest, hardest = (np.append(0, side.cumsum())[notes] for side in (weights, weights[::-1]))
    bounds = {
        "rhythm": (simplest, hardest), "range": (span / SEMITONES,) * 2, "density": (notes / bar.meter.ticks,) * 2,
        "contour": (slope / SEMITONES,) * 2,
    }  # fmt: skip
    cost = np.where(lawful, 0.0, np.inf)
    for j, (low, high) in enumerate(bounds[name] for name in names):
        if j == k:
            there = (low - tolerance[j] <= bar.wanted[j]) & (bar.wanted[j] <= high + tolerance[j])
            cost = np.where(there, cost, np.inf)
        elif j in unrelated:
            cost = cost + np.maximum(np.maximum(low - bar.before[j], bar.before[j] - high), 0.0) / sd[j]
    return float(cost.min())


def _against_least(pairs: list[tuple[BarResult, Melody, EditResult]], model: Model, k: int) -> list[float]:
    """Changed ticks divided by the smallest possible number, for a sample of measures where that number is 1 or 2."""
    ratios = []
    judged = [pair for pair in pairs if pair[0].changed and pair[0].hits[k]]
    for bar, melody, result in judged[:: max(1, len(judged) // SAMPLE)]:
        before, after = melody.rows[bar.index], result.melody.rows[bar.index]
        least = _least(before, bar, model, k)
        if least:
            ratios.append(float((before != after).sum()) / least)
    return ratios


def _least(row: np.ndarray, bar: BarResult, model: Model, k: int) -> int:
    """The smallest number of changed ticks that reaches the target with new pitches in the key: 1, 2, or 0 if two are
    not enough."""
    reduced = model.restricted([model.metadata.names[k]])
    judge = judge_of(reduced, bar.meter)
    notes = row[onsets(row)]
    tokens = np.arange(FIRST_PITCH, FIRST_PITCH + 49)
    near = tokens[(tokens >= notes.min() - 14) & (tokens <= notes.max() + 14)] if len(notes) else tokens[12:36]
    choices = [HOLD, REST, *near[in_key(near)].tolist()]
    first = _changes(row[None], choices)
    for count in (1, 2):
        candidates = first if count == 1 else _changes(first, choices)
        misses = judge.misses(judge.values(candidates, bar.meter), bar.wanted[[k]][None])
        if (misses == 0).any():
            return count
    return 0


def _changes(rows: np.ndarray, choices: list[int]) -> np.ndarray:
    """All rows that differ from one of `rows` in one tick, which is set to one of the choices."""
    ticks = rows.shape[1]
    every = np.repeat(rows, ticks * len(choices), axis=0)
    at = np.tile(np.repeat(np.arange(ticks), len(choices)), len(rows))
    every[np.arange(len(every)), at] = np.tile(choices, ticks * len(rows))
    return every


if __name__ == "__main__":
    main()
