"""How well models reconstruct tunes of a corpus that none of them was trained on.

    arvae corpus build .venv/lib/python3.11/site-packages/music21/corpus/essenFolksong
    python benchmarks/unseen.py essenFolksong --models bach,folk
    python benchmarks/unseen.py essenFolksong --models bach,folk,runs/both

For each tune, the benchmark measures the share of tokens that a model reconstructs. Measures in meters that a model
does not support count as wrong. The row `auto` uses, for each tune, the best of the models listed so far; a further
model is useful if it raises this row. The tunes are evenly spread over the corpus. The model `all` was trained on the
Essen collection, so it does not belong here.
"""

from __future__ import annotations

import argparse

import numpy as np

import arvae_music
from arvae_music.corpora import registry
from arvae_music.library import Model
from arvae_music.music.tokens import by_meter
from arvae_music.networks.decoding import decode
from arvae_music.vae.examples import spread


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", help="the name of a corpus that was built")
    parser.add_argument("--models", default="bach,folk", help="models or run folders, separated by commas")
    parser.add_argument("--tunes", type=int, default=400, help="the number of tunes to evaluate")
    options = parser.parse_args()
    data = registry.load(options.corpus).examples([])
    pieces = np.unique(data.pieces)
    chosen = pieces[spread(len(pieces), options.tunes)]
    judged = data.take(np.isin(data.pieces, chosen))
    print(f"{len(chosen)} tunes of {options.corpus}, {len(judged)} measures\n")
    print("| model | tokens, mean of the tunes | mean of the worst tenth | whole measures | tunes where it is best |")
    print("|---|---|---|---|---|")
    tokens, whole = [], []
    for name in options.models.split(","):
        right = reconstructed(arvae_music.load(name), judged.inputs)
        tokens.append([_share(right, judged.pieces == piece, judged.inputs) for piece in chosen])
        whole.append([(right | (judged.inputs[:, 1:] < 0)).all(axis=1)[judged.pieces == piece] for piece in chosen])
        best = np.argmax(tokens, axis=0)
        _row(name, np.array(tokens[-1]), np.concatenate(whole[-1]), float((best == len(tokens) - 1).mean()))
        auto = [whole[m][t] for t, m in enumerate(best)]
        if len(tokens) > 1:
            _row(f"auto, of {len(tokens)}", np.max(tokens, axis=0), np.concatenate(auto), 1.0)


def reconstructed(model: Model, inputs: np.ndarray) -> np.ndarray:
    """(n, 1 + width) packed rows -> (n, width) which tokens are reconstructed; none in a meter unknown to the model."""
    right = np.zeros((len(inputs), inputs.shape[1] - 1), dtype=np.bool_)
    for meter, at in by_meter(inputs):
        if meter.name not in model.metadata.meters:
            continue
        rows = inputs[at, 1 : 1 + meter.ticks]
        right[at, : meter.ticks] = decode(model.runtime, model.runtime.encode(rows, meter), meter) == rows
    return right


def _share(right: np.ndarray, here: np.ndarray, inputs: np.ndarray) -> float:
    return float(right[here].sum() / (inputs[here, 1:] >= 0).sum())


def _row(name: str, tokens: np.ndarray, whole: np.ndarray, best: float) -> None:
    worst = np.sort(tokens)[: max(len(tokens) // 10, 1)].mean()
    print(f"| {name} | {tokens.mean():.4f} | {worst:.4f} | {whole.mean():.3f} | {best:.2f} |")


if __name__ == "__main__":
    main()
