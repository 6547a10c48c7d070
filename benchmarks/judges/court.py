"""The judges of one corpus, and what they find in the edits of one engine for one request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arvae_music.library import Model
from arvae_music.music.melody import Melody
from arvae_music.music.tokens import onsets
from arvae_music.vae.examples import spread

from . import chords, likeness, ngram, phrases, recurrent, tunes, twosample
from .events import Events, events_of
from .likeness import Ask
from .matching import Pool, triple
from .tables import Cell
from .tunes import Tune

MOST_PAIRS = 1000  # measures in a two-sample test

# Of each judge: the events of each tune, by its position, and their bits.
Bits = dict[str, dict[int, tuple[Events, npt.NDArray[np.float64]]]]


@dataclass(frozen=True)
class Court:
    """The judges of one corpus: those of likelihood for each half of its held-out tunes, and real measures."""

    corpus: str
    ngrams: tuple[ngram.NGram, ngram.NGram]
    recurrents: tuple[recurrent.Recurrent, recurrent.Recurrent]
    pool: Pool

    def bits(self, some: Sequence[Tune], melodies: Sequence[Melody]) -> Bits:
        """The events of each melody, which is a version of one of `some`, and their bits, under each judge."""
        events = [events_of(melody) for melody in melodies]
        found: Bits = {"ngram": {}, "gru": {}}
        for half in (0, 1):
            at = [t for t, tune in enumerate(some) if tune.half == half]
            own = [events[t] for t in at]
            if own:
                judged = {"ngram": self.ngrams[half].bits(own), "gru": self.recurrents[half].bits(own, self.corpus)}
                for name, bits in judged.items():
                    found[name] |= dict(zip(at, zip(own, bits, strict=True), strict=True))
        return found


def court_of(corpus: str, own: Sequence[Tune], others: Sequence[str], judged: Sequence[Tune]) -> Court:
    """Train the judges of the tunes `judged`, which are of `own`, or find them in the cache."""
    held_out = [tune for tune in own if tune.part != "train"]
    strangers = {other: [tune for tune in tunes.load(other) if tune.part != "train"] for other in others}
    ngrams, recurrents = [], []
    for half in (0, 1):
        mine = [tune for tune in held_out if tune.half == half]
        jury = {corpus: _events([tune for tune in held_out if tune.half != half])}
        for other, some in strangers.items():
            theirs = [tune for tune in some if tune.half != half]
            theirs = [theirs[i] for i in spread(len(theirs), tunes.MOST_OTHERS).tolist()]
            jury[other] = _events(tunes.without_twins(theirs, mine))
        rest = [events for name, some in jury.items() if name != corpus for events in some]
        ngrams.append(ngram.train(jury[corpus], rest))
        recurrents.append(recurrent.cached({name: jury[name] for name in sorted(jury)}))
    part = {tune.part for tune in judged}
    pool = Pool.of(one for tune in own if tune.part not in part for one in tune.triples())
    return Court(corpus, (ngrams[0], ngrams[1]), (recurrents[0], recurrents[1]), pool)


def _events(some: Sequence[Tune]) -> list[Events]:
    found = [events_of(tune.melody) for tune in some]
    return [events for events in found if events.notes.any()]


def judge(
    judged: Sequence[Tune], asks: Sequence[Ask], after: Sequence[Melody], before_bits: Bits,
    court: Court, model: Model, seed: int, tests: bool, copies: int = 1,
) -> Cell:  # fmt: skip
    """All figures of one engine for one request, except the chords. Every tune is there `copies` times in succession,
    with different measures to edit."""
    cell = Cell(len(judged), copies)
    after_bits = court.bits(judged, after)
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
        inner = set(ask.at) & set(tune.inner)
        edited += [triple(melody, i, t, tune.cluster) for i in sorted(inner) if onsets(melody.bars[i].tokens).any()]
    if tests:
        random = np.random.default_rng(seed)
        some = [edited[i] for i in sorted(random.permutation(len(edited))[:MOST_PAIRS].tolist())]
        cell.tests["auc"] = twosample.compare(some, court.pool, seed)
        matched = phrases.Share(len(some) - cell.tests["auc"].unmatched, len(some))
        cell.add("matched", 0, matched)
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
