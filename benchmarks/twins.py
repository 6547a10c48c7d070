"""How many held-out tunes have a twin in the training part, by a similarity that the split does not use.

    python benchmarks/twins.py bach folk essen all

The clusters of the split (corpora/clusters.py) compare exact runs of notes. This script aligns whole tunes instead: it
moves one tune to each of twelve keys and finds the best local alignment of the notes (Smith and Waterman 1981; +1 for
an equal pitch class, -1 for another, -1 for a gap). The similarity is the score over the notes of the shorter tune. A
pair from NEAR up is a pair of twins: two thirds of the shorter tune agree but for some notes. Only pairs that share
short contours are aligned.

The table compares the split by clusters with the split by single tunes that it replaced.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict

import numpy as np

from arvae_music.arrays import Ints
from arvae_music.corpora import registry
from arvae_music.corpora.shelves import WholeTune, piece_number
from arvae_music.music.tokens import onsets
from arvae_music.vae.examples import part_of

NEAR = 0.5
CONTOUR = 5  # intervals that candidates share
CANDIDATES = 12  # tunes aligned with each held-out tune: those that share most contours


def pitches_of(whole: WholeTune) -> Ints:
    """The pitches of the notes."""
    tokens = np.concatenate([bar.tokens for bar in whole.tune.bars if bar.tokens is not None])
    return tokens[onsets(tokens)].astype(np.int64)


def contours(pitches: Ints) -> set[tuple[int, ...]]:
    moves = np.diff(pitches)
    windows = (moves[at : at + CONTOUR] for at in range(len(moves) - CONTOUR + 1))
    return {tuple(window.tolist()) for window in windows if window.any()}


def similarity(one: Ints, other: Ints) -> float:
    """The best local alignment over the keys, as a share of the shorter tune."""
    shorter, longer = sorted((one, other), key=len)
    equal = (shorter[None, :, None] + np.arange(12)[:, None, None] - longer[None, None, :]) % 12 == 0
    gains = np.where(equal, 1, -1)  # (12, shorter, longer)
    before = np.zeros((12, len(longer) + 1), dtype=np.int64)
    best = 0
    for row in range(len(shorter)):
        open_ended = np.maximum(before[:, :-1] + gains[:, row], before[:, 1:] - 1)
        now = np.zeros_like(before)
        now[:, 1:] = np.maximum(open_ended, 0)
        # Gaps along the longer tune: the running maximum of score + position, less the position.
        ramp = np.arange(now.shape[1])
        now = np.maximum.accumulate(now + ramp, axis=1) - ramp
        best = max(best, int(now.max()))
        before = now
    return best / max(len(shorter), 1)


def nearest(tunes: list[WholeTune], part: list[str]) -> tuple[int, int]:
    """The number of test tunes, and of those with a twin in training."""
    curves = [pitches_of(whole) for whole in tunes]
    having = defaultdict(list)
    for at, own in enumerate(curves):
        if part[at] == "train":
            for contour in contours(own):
                having[contour].append(at)
    tested = [at for at, name in enumerate(part) if name == "test"]
    near = 0
    for at in tested:
        shared: Counter[int] = Counter()
        for contour in contours(curves[at]):
            if len(having[contour]) <= len(tunes) // 20:
                shared.update(having[contour])
        near += any(similarity(curves[at], curves[other]) >= NEAR for other, _ in shared.most_common(CANDIDATES))
    return len(tested), near


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("corpora", nargs="+")
    for name in parser.parse_args().corpora:
        tunes = list(registry.tunes(name))
        for split, part in (
            ("by tunes", [part_of(piece_number(whole.tune.id)) for whole in tunes]),
            ("by clusters", [whole.part for whole in tunes]),
        ):
            tested, near = nearest(tunes, part)
            print(f"{name:6} {split:12} {tested:5} test tunes, {near:4} with a twin in training ({near / tested:.1%})")


if __name__ == "__main__":
    main()
