"""The judges of one corpus, and what they find in the edits of one engine for one request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arvae_music.library import Model
from arvae_music.music.melody import Melody
from arvae_music.music.tokens import onsets

from . import chords, likeness, ngram, phrases, recurrent, tunes, twosample
from .events import Events, events_of
from .likeness import Ask
from .matching import Pool, is_inner, triple, triples
from .tables import Cell
from .tunes import Tune

MOST_PAIRS = 1500  # measures in a two-sample test

Bits = dict[str, list[tuple[Events, npt.NDArray[np.float64]]]]  # of each judge: the events of each tune and their bits


@dataclass(frozen=True)
class Court:
    """The judges of one corpus."""

    corpus: str
    ngram: ngram.NGram
    gru: recurrent.Recurrent
    pool: Pool

    def bits(self, melodies: Sequence[Melody]) -> Bits:
        """The events of each melody and their bits, under each judge."""
        events = [events_of(melody) for melody in melodies]
        found = {"ngram": self.ngram.bits(events), "gru": self.gru.bits(events, self.corpus)}
        return {name: list(zip(events, bits, strict=True)) for name, bits in found.items()}


def court_of(corpus: str, own: Sequence[Tune], others: Sequence[str], part: str) -> Court:
    """Train the judges, or find them in the cache."""
    jury = {corpus: _jury(own)}
    for other in others:
        jury[other] = _jury(tunes.load(other, tunes.JURY))
    rest = [tune for name, some in jury.items() if name != corpus for tune in some]
    judged = {tune.cluster for tune in own if tune.part == part}
    pool = Pool.of(
        one for tune in own if tune.cluster not in judged for one in triples(tune.melody, tune.number, tune.cluster)
    )
    by_name = {name: jury[name] for name in sorted(jury)}
    return Court(corpus, ngram.train(jury[corpus], rest), recurrent.cached(by_name), pool)


def _jury(some: Sequence[Tune]) -> list[Events]:
    found = [events_of(tune.melody) for tune in some if tune.part == tunes.JURY]
    return [events for events in found if events.notes.any()]


def judge(
    judged: Sequence[Tune], asks: Sequence[Ask], after: Sequence[Melody], before_bits: Bits,
    court: Court, model: Model, seed: int, tests: bool,
) -> Cell:  # fmt: skip
    """All figures of one engine for one request, except the chords."""
    cell = Cell(len(judged))
    after_bits = court.bits(after)
    edited = []
    for t, (tune, ask, melody) in enumerate(zip(judged, asks, after, strict=True)):
        if not ask.at:
            continue
        before = tune.melody
        goal, values = likeness.goal_of(model, before, ask), likeness.achieved(model, melody, ask)
        cell.add("exact", t, likeness.exact(goal, values))
        cell.add("exact_mean", t, likeness.exact_mean(goal, values))
        cell.add("onsets_kept", t, likeness.onsets_kept(before, melody, ask.at))
        cell.add("curve", t, likeness.curve(before, melody, ask.at))
        cell.add("identical", t, likeness.identical(before, melody, ask.at))
        whole = len(ask.at) == len(tune.editable)
        for name in after_bits:
            cell.add(name, t, _bits_a_note(*after_bits[name][t], None if whole else ask.at))
            cell.add(f"{name}_before", t, _bits_a_note(*before_bits[name][t], None if whole else ask.at))
        cell.add("pickup", t, phrases.kept_silence(before, melody))
        cell.add("final", t, phrases.kept_final(before, melody))
        cell.add("ends", t, phrases.kept_ends(before, melody, tune.ends))
        for suffix, one in (("", melody), ("_before", before)):
            cell.add(f"leaps{suffix}", t, phrases.wide_leaps(one))
            cell.add(f"loose{suffix}", t, phrases.loose_leaps(one))
            cell.add(f"off_grid{suffix}", t, phrases.off_grid(before, one))
            cell.add(f"accidentals{suffix}", t, phrases.accidentals(one))
        inner = [i for i in ask.at if is_inner(melody, i)]
        edited += [triple(melody, i, t, tune.cluster) for i in inner if onsets(melody.bars[i].tokens).any()]
    if tests:
        random = np.random.default_rng(seed)
        some = [edited[i] for i in sorted(random.permutation(len(edited))[:MOST_PAIRS].tolist())]
        cell.tests["auc"] = twosample.compare(some, court.pool, seed)
        cell.tests["auc_inside"] = twosample.compare(some, court.pool, seed, inside=True)
    return cell


def _bits_a_note(events: Events, bits: npt.NDArray[np.float64], at: Sequence[int] | None) -> phrases.Share:
    """Bits and notes of a whole tune, or of the measures `at` and of the event after each."""
    if at is None:
        return phrases.Share(float(bits.sum()), float(events.notes.sum()))
    here = np.isin(events.measure, at)
    here[1:] |= here[:-1]
    return phrases.Share(float(bits[here].sum()), float(events.notes[here].sum()))


def fit_chords(songs: Sequence[Tune], after: Sequence[Melody]) -> Cell:
    """The figures of harmony."""
    cell = Cell(len(songs))
    for t, (tune, melody) in enumerate(zip(songs, after, strict=True)):
        harmony = list(tune.harmony or ())
        for name, measure in (("chord tones", chords.chord_tones), ("clashes", chords.clashes)):
            cell.add(f"{name}, own", t, measure(tune.melody, tune.melody, harmony, False))
            cell.add(f"{name}, new", t, measure(tune.melody, melody, harmony, True))
    return cell
