"""Measure how well a model reconstructs and encodes tunes that it was not trained on.

    python benchmarks/model.py bach --corpus bach --meters 4/4
    python benchmarks/model.py folk --corpus folk
    python benchmarks/model.py folk --corpus folk --meters 4/4 --drawn      in the paper's setting

Each measure is encoded to its posterior mean and decoded again, always taking the likeliest token. The table has the
share of tokens, of events (tokens other than HOLD), and of whole measures that are reconstructed exactly. With
`--drawn` a random point of the posterior is decoded, as in the paper, and figures are means over evaluate.DRAWS points.

Interpretability is the R2 of a linear regression of an attribute on the posterior mean of its own dimension, and SCC is
their Spearman correlation. The paper's protocol differs: it samples the code, and takes the dimension with the largest
mutual information. Many measures have equal attribute values but different codes. Even a perfect code that breaks these
ties therefore has an SCC below 1: `ceiling` is the SCC of the value itself plus a tiny random number. The row `unseen`
leaves out measures that also occur in the training tunes.
"""

from __future__ import annotations

import argparse

import numpy as np

import arvae_music
from arvae_music.corpora import registry
from arvae_music.evaluation.evaluate import DRAWS
from arvae_music.library import Model
from arvae_music.music.meter import Meter
from arvae_music.music.tokens import HOLD, by_meter
from arvae_music.networks.decoding import decode
from arvae_music.vae.examples import Examples, seen_in, split
from arvae_music.vae.statistics import correlation, spearman


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a bundled model, a file or a run folder")
    parser.add_argument("--corpus", default="bach", help="the corpus whose held-out tunes are used")
    parser.add_argument("--part", default="test", choices=["valid", "test"], help="the held-out part")
    parser.add_argument("--meters", nargs="*", help="only measures in these meters, such as 4/4")
    parser.add_argument("--drawn", action="store_true", help="decode samples of the posterior instead of its mean")
    options = parser.parse_args()
    model, draws = arvae_music.load(options.model), DRAWS if options.drawn else 0
    specs = model.specs[: len(model.metadata.carried)]
    meters = [Meter.parse(name) for name in options.meters or model.metadata.meters]
    parts = split(registry.load(options.corpus).examples(specs))
    judged: Examples = getattr(parts, options.part)
    judged = judged.take(np.isin(judged.inputs[:, 0], [meter.code for meter in meters]))
    unseen = judged.take(~seen_in(parts.train, judged))
    print(f"model {model.name} on {options.corpus} {options.part} tunes, {' '.join(m.name for m in meters)}\n")
    print("| measures | n | tokens | events | whole measures | SCC | ceiling | Interpretability |")
    print("|---|---|---|---|---|---|---|---|")
    for name, examples in (("all", judged), ("unseen", unseen)):
        tokens, events, whole = reconstruction(model, examples, draws)
        scc, ceiling, r2 = encoder(model, examples)
        print(
            f"| {name} | {len(examples)} | {tokens:.4f} | {events:.4f} | {whole:.3f} "
            f"| {scc:.3f} | {ceiling:.3f} | {r2:.3f} |"
        )


def reconstruction(model: Model, examples: Examples, draws: int = 0) -> tuple[float, ...]:
    """The reconstructed shares of tokens, events and whole measures, from the posterior mean or from `draws` points."""
    random, right, events, whole = np.random.default_rng(0), [], [], []
    for meter, at in by_meter(examples.inputs):
        rows = examples.inputs[at, 1 : 1 + meter.ticks]
        points = [model.runtime.drawn(rows, meter, random) for _ in range(draws)]
        for z in points or [model.runtime.encode(rows, meter)]:
            same = decode(model.runtime, z.astype(np.float32), meter) == rows
            right.append(same.ravel())
            events.append(same[rows != HOLD])
            whole.append(same.all(axis=1))
    return tuple(float(np.concatenate(part).mean()) for part in (right, events, whole))


def encoder(model: Model, examples: Examples) -> tuple[float, float, float]:
    """SCC, its ceiling, and interpretability (R2), each averaged over the attributes."""
    codes = np.zeros(examples.attributes.shape)
    for meter, at in by_meter(examples.inputs):
        z = model.runtime.encode(examples.inputs[at, 1 : 1 + meter.ticks], meter)
        codes[at] = z[:, [scale.dimension for scale in model.metadata.scales[: codes.shape[1]]]]
    values = examples.attributes.astype(np.float64)
    noise = np.random.default_rng(0).standard_normal(values.shape) * 1e-6
    scc = [spearman(value, code) for value, code in zip(values.T, codes.T, strict=True)]
    ceiling = [spearman(value, perfect) for value, perfect in zip(values.T, (values + noise).T, strict=True)]
    r2 = [correlation(value, code) ** 2 for value, code in zip(values.T, codes.T, strict=True)]
    return float(np.mean(scc)), float(np.mean(ceiling)), float(np.mean(r2))


if __name__ == "__main__":
    main()
