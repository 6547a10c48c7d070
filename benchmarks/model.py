"""What a model knows of tunes it never saw.

    python benchmarks/model.py bach --corpus bach --meters 4/4
    python benchmarks/model.py folk --corpus folk
    python benchmarks/model.py folk --corpus folk --meters 4/4 --drawn      in the paper's setting

Reconstruction is the free-running argmax decode from the posterior mean: the share of tokens right, of events
(tokens that are not HOLD), and of whole measures; with `--drawn` from a point of the posterior, as published, mean of
evaluation.DRAWS. Interpretability is the R2 of a linear regression of an attribute on
its own dimension's posterior mean, SCC their Spearman correlation; both stricter than the published protocol, which
samples z and takes the dimension of largest mutual information. Attribute values repeat, codes do not:
`ceiling` is the SCC of the perfect code, the value itself with its ties broken at random. `unseen` counts only
measures that do not occur in the training tunes too.
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
    parser.add_argument("model")
    parser.add_argument("--corpus", default="bach")
    parser.add_argument("--part", default="test", choices=["valid", "test"])
    parser.add_argument("--meters", nargs="*")
    parser.add_argument("--drawn", action="store_true")
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
    """Shares of tokens, events and whole measures; from the posterior mean, or from so many points of it."""
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
    """Means over the attributes of Spearman's rho, of its ceiling, and of R2, on the attribute's own dimension."""
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
